//! The in-process Kafka and schema registry of the quickstart.
//!
//! Both listen on loopback, at ports that the system chooses, and any client can reach them. The
//! Kafka is librdkafka's mock cluster: it keeps 5 MiB or 100,000 records of each partition, and the
//! oldest go first. The registry speaks Confluent's API, in memory.

mod kafka;
mod registry;
mod store;

pub use registry::Registry;

/// What keeps the servers from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The embedded Kafka.
    #[error("the embedded Kafka cannot start: {reason}")]
    Kafka {
        /// librdkafka's words.
        reason: String,
    },
    /// The embedded registry.
    #[error("the embedded schema registry cannot start")]
    Registry {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// A topic of the embedded Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it gets.
    pub partitions: u32,
}

/// A Kafka with one broker and a schema registry, in this process; both stop when it is dropped.
#[derive(Debug)]
pub struct Embedded {
    kafka: kafka::Broker,
    registry: Registry,
}

impl Embedded {
    /// Starts both, and creates the topics.
    pub fn start(topics: &[Topic]) -> Result<Self, Error> {
        let registry = Registry::start().map_err(|source| Error::Registry { source })?;
        Ok(Self { kafka: kafka::Broker::start(topics)?, registry })
    }

    /// Where Kafka listens, as `bootstrap.servers` takes it.
    pub fn bootstrap_servers(&self) -> &str {
        self.kafka.bootstrap_servers()
    }

    /// Where the registry listens, such as `http://127.0.0.1:41357`.
    pub fn registry_url(&self) -> &str {
        self.registry.url()
    }
}
