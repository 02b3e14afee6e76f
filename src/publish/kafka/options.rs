//! What a user can say about Kafka: librdkafka's properties, passed through unchanged.

use std::time::Duration;

use super::native::Client;
use super::native::configuration::{Configuration, Refusal};
use super::problem::Error;
use super::topics::TopicState;
use crate::config::secret::{self, Text};

/// A property of librdkafka: its name and its value.
pub type Property = (String, Text);

/// Which time a record carries as Kafka's timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamp {
    /// The wall clock when the record is handed over.
    #[default]
    HandOver,
    /// The event's own time. Brokers refuse what is an hour ahead, and soon delete what is old.
    Event,
}

/// How to reach Kafka and how to publish there.
#[derive(Clone, Debug)]
pub struct Options {
    /// Properties under librdkafka's names; of two with one name the last counts.
    pub properties: Vec<Property>,
    /// Which time a record carries.
    pub timestamp: Timestamp,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How many bytes of arenas may wait for receipts.
    pub in_flight_bytes_max: u64,
}

/// What is set unless the user sets it, under any of the names that librdkafka knows it by.
const DEFAULTS: &[(&[&str], &str)] = &[
    (&["client.id"], "tidegate"),
    (&["enable.idempotence"], "true"),
    (&["acks", "request.required.acks"], "all"),
    // Only the end of the drain gives up.
    (&["message.timeout.ms", "delivery.timeout.ms"], "0"),
    (&["linger.ms", "queue.buffering.max.ms"], "5"),
    // `in_flight_bytes_max` is the bound; a second one would only make the first untrue.
    (&["queue.buffering.max.messages"], "0"),
    (&["queue.buffering.max.kbytes"], "2147483647"),
    // As Java clients choose, for records whose partition is left open.
    (&["partitioner"], "murmur2_random"),
    // The default of 10 s would lengthen each short absence of a broker.
    (&["reconnect.backoff.max.ms"], "1000"),
    (&["socket.keepalive.enable"], "true"),
    // Reports about ourselves are not what a user asked to send.
    (&["enable.metrics.push"], "false"),
];

/// What is set for a consumer unless the user sets it.
const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "tidegate"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    ("enable.metrics.push", "false"),
    ("check.crcs", "true"),
    // One that is not there any more is to be known, not passed over.
    ("auto.offset.reset", "error"),
    ("fetch.max.bytes", "8388608"),
    // With the default of 1 s a partition whose queue was full for a moment is left alone for that long.
    ("fetch.queue.backoff.ms", "1"),
    // How long a broker keeps us waiting at the end of partitions, one fetch after the other.
    ("fetch.wait.max.ms", "50"),
];

/// What is read of a partition is one record, or the batch that it lies in.
const GLANCER: &[(&str, &str)] = &[
    ("fetch.message.max.bytes", "1024"),
    ("fetch.min.bytes", "1"),
    ("fetch.wait.max.ms", "100"),
    ("isolation.level", "read_uncommitted"),
    ("queued.min.messages", "1"),
];

/// Properties that only a producer has; a consumer would complain of each.
const PRODUCERS: &[&str] = &[
    "acks",
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.level",
    "compression.type",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "linger.ms",
    "message.send.max.retries",
    "message.timeout.ms",
    "partitioner",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queuing.strategy",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "sticky.partitioning.linger.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Properties that the sink decides, and why.
const RESERVED: &[(&str, &str)] = &[
    ("delivery.report.only.error", "each record needs its receipt, or it could not be counted"),
    ("transactional.id", "transactions are not supported"),
    ("log.queue", "tidegate takes librdkafka's log lines into its own log"),
    ("enabled_events", "tidegate needs the events for its receipts"),
    ("test.mock.num.brokers", "a run must not fall back to a broker that is not there"),
];

/// Properties that librdkafka does not list: aliases, those of topics, those without a default.
const UNLISTED: &[&str] = &[
    "acks",
    "compression.level",
    "compression.type",
    "delivery.timeout.ms",
    "linger.ms",
    "message.timeout.ms",
    "partitioner",
    "request.timeout.ms",
    "bootstrap.servers",
    "metadata.broker.list",
    "sasl.username",
    "sasl.password",
    "sasl.mechanism",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "client.rack",
    "debug",
];

impl Default for Options {
    fn default() -> Self {
        Self {
            properties: Vec::new(),
            timestamp: Timestamp::HandOver,
            connect_timeout: Duration::from_secs(10),
            in_flight_bytes_max: 64 << 20,
        }
    }
}

impl Options {
    /// Checks all properties without a broker; the first error is told.
    pub fn check(&self) -> Result<(), Error> {
        if self.servers().is_empty() {
            return Err(Error::NoServers);
        }
        let configuration = self.configuration(|name| !is_server_list(name))?;
        // Files that cannot be read and properties that contradict each other show only in a
        // client. It has no address, so it connects to nobody.
        Client::new(configuration, &[]).map(drop).map_err(|reason| self.refused(&reason))
    }

    /// The addresses that were given.
    pub fn servers(&self) -> &str {
        self.value("bootstrap.servers").or_else(|| self.value("metadata.broker.list")).unwrap_or("")
    }

    /// The text with every secret of these options masked.
    pub fn masked(&self, text: &str) -> String {
        secret::masked(text, secret::secrets_of(&self.properties))
    }

    /// Sizes batches and records by what the topics take, unless the user sets those sizes.
    ///
    /// A broker refuses a whole batch that is larger than `max.message.bytes` of its topic, so
    /// librdkafka's megabyte would lose records on a topic with a lower limit.
    #[must_use]
    pub fn fitted(mut self, topics: &[TopicState]) -> Self {
        let limits = || topics.iter().filter_map(|topic| topic.record_bytes_max);
        if let (Some(least), Some(most)) = (limits().min(), limits().max()) {
            let bytes = |limit: u64| limit.clamp(1_000, 1_000_000_000).to_string();
            if self.value("batch.size").is_none() && least < 1_000_000 {
                self.properties.push(("batch.size".to_owned(), Text::Plain(bytes(least))));
            }
            if self.value("message.max.bytes").is_none() {
                self.properties.push(("message.max.bytes".to_owned(), Text::Plain(bytes(most))));
            }
        }
        self
    }

    /// librdkafka's configuration: our defaults, then what the user says.
    pub(super) fn configuration(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Configuration, Error> {
        self.check_mechanism()?;
        let mut configuration = Configuration::new();
        for (name, value) in self.defaults() {
            self.set(&mut configuration, name, value)?;
        }
        for (name, value) in &self.properties {
            if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
                return Err(Error::ReservedProperty { name: name.clone(), reason });
            }
            if wanted(name) {
                self.set(&mut configuration, name, value.reveal())?;
            }
        }
        self.set(&mut configuration, "log.queue", "true")?;
        Ok(configuration)
    }

    /// librdkafka's configuration of a consumer whose partitions hold so many bytes that wait to be read,
    /// all together.
    pub(crate) fn of_consumer(
        &self,
        bytes: usize,
        partitions: usize,
    ) -> Result<Configuration, Error> {
        self.check_mechanism()?;
        let mut configuration = Configuration::new();
        let kilobytes = (bytes / 1_024 / partitions.max(1)).max(64).to_string();
        let ours = [("queued.max.messages.kbytes", kilobytes.as_str())];
        let defaults = CONSUMER_DEFAULTS.iter().copied().chain(ours).chain(self.probe());
        for (name, value) in defaults.filter(|(name, _)| self.value(name).is_none()) {
            self.set(&mut configuration, name, value)?;
        }
        for (name, value) in &self.properties {
            if !PRODUCERS.contains(&name.as_str()) {
                self.set(&mut configuration, name, value.reveal())?;
            }
        }
        self.set(&mut configuration, "enable.partition.eof", "true")?;
        self.set(&mut configuration, "log.queue", "true")?;
        Ok(configuration)
    }

    /// The same of a consumer that reads a record here and there.
    pub(crate) fn of_glancer(&self, partitions: usize) -> Result<Configuration, Error> {
        let mut configuration = self.of_consumer(0, partitions)?;
        for (name, value) in GLANCER {
            self.set(&mut configuration, name, value)?;
        }
        Ok(configuration)
    }

    /// The same of a consumer that knows what a group has committed, never joins it and never commits.
    pub(crate) fn of_onlooker(&self, group: &str) -> Result<Configuration, Error> {
        let mut configuration = self.of_glancer(1)?;
        self.set(&mut configuration, "group.id", group)?;
        self.set(&mut configuration, "enable.auto.commit", "false")?;
        Ok(configuration)
    }

    /// The error for a client that could not be made.
    pub(crate) fn refused(&self, reason: &str) -> Error {
        Error::Refused { reason: self.masked(reason) }
    }

    /// Where the system's authorities are, if none is named.
    fn probe(&self) -> Option<(&'static str, &'static str)> {
        let secure = self.value("security.protocol").is_some_and(|protocol| {
            matches!(protocol.to_ascii_lowercase().as_str(), "ssl" | "sasl_ssl")
        });
        let own_authority = ["ssl.ca.location", "ssl.ca.pem", "ssl.ca.certificate.stores"];
        let probe = secure && own_authority.iter().all(|name| self.value(name).is_none());
        probe.then_some(("ssl.ca.location", "probe"))
    }

    fn defaults(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        DEFAULTS
            .iter()
            .filter(|(names, _)| names.iter().all(|name| self.value(name).is_none()))
            .map(|&(names, value)| (names[0], value))
            .chain(self.probe())
            .chain(self.send_buffer())
    }

    /// A send buffer of about a batch: with the one that Linux grows by itself, librdkafka was
    /// measured to need 1.7 times the processor time a record (loopback, 380 B, batches of 1 MB).
    ///
    /// Where the system would cut it down it is left alone, for the sake of distant brokers.
    fn send_buffer(&self) -> Option<(&'static str, &'static str)> {
        const NAME: &str = "socket.send.buffer.bytes";
        const BYTES: &str = "1000000";
        let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max").ok()?;
        let allowed = limit.trim().parse::<u64>().is_ok_and(|bytes| bytes >= 1_000_000);
        (allowed && self.value(NAME).is_none()).then_some((NAME, BYTES))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let named = |property: &&Property| property.0 == name;
        self.properties.iter().rev().find(named).map(|(_, value)| value.reveal())
    }

    fn set(&self, into: &mut Configuration, name: &str, value: &str) -> Result<(), Error> {
        into.set(name, value).map_err(|refusal| match refusal {
            Refusal::Unknown => {
                Error::UnknownProperty { name: name.to_owned(), nearest: nearest(name, into) }
            }
            Refusal::Invalid(reason) => {
                Error::BadProperty { name: name.to_owned(), reason: self.masked(&reason) }
            }
        })
    }

    fn check_mechanism(&self) -> Result<(), Error> {
        let sasl = self
            .value("security.protocol")
            .is_some_and(|protocol| protocol.to_ascii_lowercase().starts_with("sasl"));
        let mechanism = self.value("sasl.mechanism").or_else(|| self.value("sasl.mechanisms"));
        // librdkafka takes GSSAPI when SASL is asked for without a mechanism.
        let mechanism = mechanism.or(sasl.then_some("GSSAPI")).unwrap_or_default();
        let feature = match mechanism.to_ascii_uppercase().as_str() {
            "GSSAPI" if !cfg!(feature = "kerberos") => "kerberos",
            "OAUTHBEARER" if !cfg!(feature = "oidc") => "oidc",
            _ => return Ok(()),
        };
        Err(Error::MechanismMissing { mechanism: mechanism.to_owned(), feature })
    }
}

fn is_server_list(name: &str) -> bool {
    matches!(name, "bootstrap.servers" | "metadata.broker.list")
}

fn nearest(name: &str, configuration: &Configuration) -> Option<String> {
    let unlisted = UNLISTED.iter().map(|&known| known.to_owned());
    let likeness = |known: &String| strsim::jaro_winkler(name, known);
    let known = configuration.names().into_iter().chain(unlisted);
    let best = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.85).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn options(properties: &[(&str, &str)]) -> Options {
        let plain =
            |&(name, value): &(&str, &str)| (name.to_owned(), Text::Plain(value.to_owned()));
        let mut properties: Vec<Property> = properties.iter().map(plain).collect();
        properties.push(("bootstrap.servers".to_owned(), Text::Plain("localhost:1".to_owned())));
        Options { properties, ..Options::default() }
    }

    #[test]
    fn what_librdkafka_knows_passes_through() {
        let known = [("compression.type", "zstd"), ("linger.ms", "50"), ("debug", "broker")];
        assert_eq!(options(&known).check(), Ok(()));
    }

    #[test]
    fn every_unlisted_property_is_known_to_librdkafka() {
        let configuration = &mut Configuration::new();
        for name in UNLISTED {
            assert!(!matches!(configuration.set(name, "?"), Err(Refusal::Unknown)), "{name}");
        }
    }

    #[test]
    fn an_unknown_property_is_named_with_the_nearest_one() {
        let text = |name: &str| options(&[(name, "1")]).check().unwrap_err().to_string();
        let expected = "`linger.msec` is not a property of librdkafka; did you mean `linger.ms`?";
        assert_eq!(text("linger.msec"), expected);
        assert!(text("sasl.pasword").ends_with("did you mean `sasl.password`?"));
        assert_eq!(text("xyzzy"), "`xyzzy` is not a property of librdkafka");
    }

    #[test]
    fn a_value_that_librdkafka_does_not_take_is_refused() {
        let refused = options(&[("linger.ms", "soon")]).check().unwrap_err();
        assert!(matches!(&refused, Error::BadProperty { name, .. } if name == "linger.ms"));
        let refused = options(&[("acks", "1")]).check().unwrap_err();
        assert!(
            matches!(&refused, Error::Refused { reason } if reason.contains("acks")),
            "{refused}"
        );
        assert!(refused.is_configuration());
    }

    #[test]
    fn properties_that_would_lose_receipts_are_refused() {
        let refused = options(&[("delivery.report.only.error", "true")]).check().unwrap_err();
        assert!(matches!(refused, Error::ReservedProperty { .. }));
        assert_eq!(Options::default().check(), Err(Error::NoServers));
    }

    #[test]
    #[cfg(not(any(feature = "kerberos", feature = "oidc")))]
    fn a_mechanism_that_is_not_built_in_is_refused_with_its_feature() {
        let kerberos = options(&[("security.protocol", "SASL_SSL")]).check().unwrap_err();
        assert!(kerberos.to_string().contains("--features kerberos"), "{kerberos}");
        let oidc = options(&[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "OAUTHBEARER")]);
        assert!(oidc.check().unwrap_err().to_string().contains("--features oidc"));
    }

    #[test]
    fn a_secret_is_masked_in_librdkafkas_words() {
        let mut options = options(&[("sasl.username", "me")]);
        let secret = Text::Secret(Secret::new("hunter2".to_owned()));
        options.properties.push(("ssl.key.location".to_owned(), secret));
        options.properties.push(("security.protocol".to_owned(), Text::Plain("ssl".to_owned())));
        let refused = options.check().unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(refused.contains("ssl.key.location"), "{refused}");
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
