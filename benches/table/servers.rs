//! The real Kafka and registry that rows share.

use anyhow::{Result, anyhow};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use crate::brokers::apicurio::ApicurioServer;
use crate::brokers::kafka::{KafkaServer, Options};
use crate::brokers::topic;

/// Servers that were started when first asked for; they end with this value.
#[derive(Default)]
pub(crate) struct Servers(Option<(KafkaServer, ApicurioServer)>);

/// Where the servers are.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Kafka.
    pub(crate) kafka: String,
    /// The registry.
    pub(crate) registry: String,
}

impl Servers {
    /// Where they are; starts them the first time.
    pub(crate) fn addresses(&mut self) -> Result<Addresses> {
        let (kafka, registry) = match &mut self.0 {
            Some(servers) => servers,
            empty => empty.insert(start()?),
        };
        Ok(Addresses { kafka: kafka.bootstrap_servers(), registry: registry.ccompat_url() })
    }
}

fn start() -> Result<(KafkaServer, ApicurioServer)> {
    // Gigabytes go through topics that are deleted; the room is wanted back at once.
    let properties = vec![("log.segment.delete.delay.ms".to_owned(), "0".to_owned())];
    let options = Options { properties, ..Options::default() };
    let kafka = KafkaServer::try_start(&options).map_err(|why| anyhow!("no Kafka: {why}"))?;
    let registry = ApicurioServer::try_start().map_err(|why| anyhow!("no registry: {why}"))?;
    Ok((kafka, registry))
}

impl Addresses {
    /// Flags that point a run of payments at these servers and at a topic of its own.
    pub(crate) fn flags(&self, topic: &str, partitions: i32) -> String {
        format!(
            "--to kafka -X bootstrap.servers={} --registry {} --manifest none --quiet \
             --set streams.authorisations.topic.name={topic} \
             --set streams.authorisations.topic.partitions={partitions}",
            self.kafka, self.registry
        )
    }

    /// Creates a topic with settings of its own.
    pub(crate) fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        topic::create(&self.kafka, name, partitions, settings);
    }

    /// Deletes a topic and what is in it.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka).set("log_level", "0");
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        for result in runtime.block_on(admin.delete_topics(&[name], &AdminOptions::new()))? {
            result.map_err(|(name, code)| anyhow!("cannot delete {name}: {code}"))?;
        }
        Ok(())
    }
}
