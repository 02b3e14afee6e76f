//! The mock cluster, on a thread of its own.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rdkafka::mocking::MockCluster;

use super::{Error, Topic};

/// A Kafka of one broker; it stops when dropped.
///
/// librdkafka's handle must stay on one thread; that thread waits for the end.
#[derive(Debug)]
pub(super) struct Broker {
    bootstrap_servers: String,
    /// Dropped to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts the broker and creates the topics.
    pub(super) fn start(topics: &[Topic]) -> Result<Self, Error> {
        let topics = topics.to_vec();
        let (stop, stopped) = channel();
        let (started, answer) = channel();
        let thread = std::thread::Builder::new().name("embedded-kafka".to_owned());
        let thread = thread.spawn(move || serve(&topics, &started, &stopped));
        let thread = thread.map_err(|error| Error::Kafka { reason: error.to_string() })?;
        let ended = |_| Error::Kafka { reason: "its thread ended".to_owned() };
        let bootstrap_servers = answer.recv().map_err(ended)??;
        Ok(Self { bootstrap_servers, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the embedded Kafka ended by a panic");
        }
    }
}

fn serve(topics: &[Topic], started: &Sender<Result<String, Error>>, stopped: &Receiver<()>) {
    let failed = |error: rdkafka::error::KafkaError| Error::Kafka { reason: error.to_string() };
    let made = MockCluster::new(1).map_err(failed).and_then(|cluster| {
        for topic in topics {
            let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
            cluster.create_topic(&topic.name, partitions, 1).map_err(failed)?;
        }
        Ok(cluster)
    });
    match made {
        Ok(cluster) => {
            if started.send(Ok(cluster.bootstrap_servers())).is_ok() {
                // Ends with an error when the other side is dropped, which is the sign to stop.
                while stopped.recv().is_ok() {}
            }
        }
        Err(error) => drop(started.send(Err(error))),
    }
}
