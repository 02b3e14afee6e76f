//! The real servers that rows share: Kafka and a registry, and Pulsar.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use crate::brokers::apicurio::ApicurioServer;
use crate::brokers::kafka::{KafkaServer, Options};
use crate::brokers::pulsar::PulsarServer;
use crate::brokers::topic;

/// Servers that were started when first asked for; they end with this value.
#[derive(Default)]
pub(crate) struct Servers {
    kafka: Option<(KafkaServer, ApicurioServer)>,
    pulsar: Option<PulsarServer>,
}

/// What the bench's Pulsar has beside the settings of the tests. Gigabytes go through topics that are
/// deleted, so nothing is retained, and files are small and looked at often: the room is wanted back.
const PULSAR: [(&str, &str); 6] = [
    ("defaultRetentionTimeInMinutes", "0"),
    ("defaultRetentionSizeInMB", "0"),
    ("gcWaitTime", "5000"),
    ("logSizeLimit", "268435456"),
    ("journalMaxSizeMB", "256"),
    ("journalMaxBackups", "1"),
];

/// Where Kafka and the registry are.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Kafka.
    pub(crate) kafka: String,
    /// The registry.
    pub(crate) registry: String,
}

impl Servers {
    /// Where Kafka and the registry are; starts them the first time.
    pub(crate) fn addresses(&mut self) -> Result<Addresses> {
        let (kafka, registry) = match &mut self.kafka {
            Some(servers) => servers,
            empty => empty.insert(start()?),
        };
        Ok(Addresses { kafka: kafka.bootstrap_servers(), registry: registry.ccompat_url() })
    }

    /// Where Pulsar is; starts it the first time.
    pub(crate) fn pulsar(&mut self) -> Result<PulsarAddresses> {
        let pulsar = match &mut self.pulsar {
            Some(pulsar) => pulsar,
            empty => {
                let pulsar = PulsarServer::try_start(&PULSAR);
                empty.insert(pulsar.map_err(|why| anyhow!("no Pulsar: {why}"))?)
            }
        };
        Ok(PulsarAddresses { service: pulsar.service_url(), web: pulsar.web_url() })
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

/// Where Pulsar is.
#[derive(Clone, Debug)]
pub(crate) struct PulsarAddresses {
    /// For clients.
    pub(crate) service: String,
    /// For the administration.
    pub(crate) web: String,
}

impl PulsarAddresses {
    /// Flags that point a run at it.
    pub(crate) fn flags(&self) -> String {
        format!(
            "--to pulsar --create-topics -X serviceUrl={} -X webServiceUrl={} --manifest none --quiet",
            self.service, self.web
        )
    }

    /// Deletes a topic of the default namespace and what is in it.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        let url = format!("{}/admin/v2/persistent/public/default/{name}?force=true", self.web);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(reqwest::Client::new().delete(url).send())?;
        let status = answer.status();
        ensure!(status.is_success(), "cannot delete {name}: {status}");
        Ok(())
    }
}

/// Downloads what `tests/brokers/fetch` knows by this name, once; its folder.
pub(crate) fn fetch(name: &str) -> Result<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/fetch");
    let output = Command::new("bash").arg(script).arg(name).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no {name}: {}", told.trim());
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
