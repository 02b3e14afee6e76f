//! What a user can say about Pulsar: settings under the names that Pulsar's own clients have for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use super::authentication::{self, Authentication, TokenSource};
use super::oauth2::Issuer;
use super::problem::Error;
use crate::config::secret::{self, Text};
use crate::config::suggest;
use crate::encode::partition::Hash;

/// A setting: its name and its value.
pub type Property = (String, Text);

/// How batches are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batcher {
    /// In send order, whatever the keys.
    #[default]
    Default,
    /// Each of one key, as consumers of a `Key_Shared` subscription need it.
    Key,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4, fast.
    Lz4,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
}

/// Where events without a key go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// To one partition after the other.
    #[default]
    RoundRobin,
    /// All to the first.
    Single,
}

/// Who keeps the schemas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Schemas {
    #[default]
    Pulsar,
    Registry,
}

/// How to reach Pulsar and how to publish there.
#[derive(Clone, Debug)]
pub struct Options {
    /// The brokers or proxies to begin with.
    pub addresses: Vec<Address>,
    /// Where the administration answers, if the user says so.
    pub web_service: Option<String>,
    /// Whether Pulsar's own registry has the schemas; else one outside, whose ids frame the values.
    pub own_schemas: bool,
    /// How we prove who we are.
    pub authentication: Authentication,
    /// Certificates.
    pub tls: Tls,
    /// The tenant that topics without one belong to.
    pub tenant: String,
    /// The namespace that topics without one are in.
    pub namespace: String,
    /// What producers are named, instead of by model, run, stream, shard; the partition is added.
    pub producer_name: Option<String>,
    /// How batches are put together.
    pub batcher: Batcher,
    /// The most messages of a batch.
    pub batch_messages_max: usize,
    /// The most bytes of a batch, as far as a message is not larger.
    pub batch_bytes_max: usize,
    /// How long a batch waits for more.
    pub batch_delay: Duration,
    /// How batches are compressed.
    pub compression: Compression,
    /// How a key becomes a partition.
    pub hash: Hash,
    /// Where events without a key go.
    pub routing: Routing,
    /// Whether messages carry their event time.
    pub event_time: bool,
    /// After how long a message without a receipt stops the run. None: never.
    pub send_timeout: Option<Duration>,
    /// How long an answer may take.
    pub operation_timeout: Duration,
    /// How often a silent connection is asked whether it is there.
    pub keep_alive: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How many bytes of messages may wait for receipts.
    pub in_flight_bytes_max: u64,
    /// What must not be shown.
    pub secrets: Vec<Text>,
}

/// Certificates of `pulsar+ssl://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// A file of certificates (PEM) that are trusted instead of the system's.
    pub trusted: Option<PathBuf>,
    /// Whether the broker's certificate must be for the host that we asked for.
    pub verify_host: bool,
    /// Our own certificate and its key (PEM files).
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The settings that there are, and what each takes.
const KNOWN: [(&str, &str); 24] = [
    ("serviceUrl", "pulsar://host:6650 or pulsar+ssl://host:6651; several hosts with commas"),
    ("webServiceUrl", "http://host:8080, for `--create-topics`"),
    ("authPlugin", "token, oauth2, basic or tls"),
    ("authParams", "what the plugin needs, such as token:… or file:///path"),
    ("tlsTrustCertsFilePath", "a PEM file"),
    ("tlsHostnameVerificationEnable", "true or false"),
    ("tlsCertificateFilePath", "a PEM file"),
    ("tlsKeyFilePath", "a PEM file"),
    ("tenant", "a name; public unless set"),
    ("namespace", "a name; default unless set"),
    ("producerName", "a name"),
    ("batchingEnabled", "true or false"),
    ("batcherBuilder", "default or key"),
    ("batchingMaxMessages", "a number from 1 on; 1000 unless set"),
    ("batchingMaxBytes", "bytes; 131072 unless set"),
    ("batchingMaxPublishDelayMicros", "microseconds; 1000 unless set"),
    ("compressionType", "NONE, LZ4, ZLIB, ZSTD or SNAPPY"),
    ("hashingScheme", "JavaStringHash or Murmur3_32Hash"),
    ("messageRoutingMode", "RoundRobinPartition or SinglePartition"),
    ("eventTime", "true or false; true unless set"),
    ("sendTimeoutMs", "milliseconds; 0, never, unless set"),
    ("operationTimeoutMs", "milliseconds; 30000 unless set"),
    ("keepAliveIntervalSeconds", "seconds; 30 unless set"),
    ("schema", "pulsar or registry"),
];

/// The settings as they were written, of two with one name the last.
struct Written<'a>(BTreeMap<&'a str, &'a Text>);

impl Written<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.reveal())
    }

    fn one_of<T: Copy + Default>(&self, name: &str, known: &[(&str, T)]) -> Result<T, Error> {
        let Some(text) = self.text(name) else { return Ok(T::default()) };
        let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| bad(name, text))
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().map_err(|_| bad(name, text))
    }

    fn number(&self, name: &str, default: u64, least: u64) -> Result<u64, Error> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| *number >= least).ok_or_else(|| bad(name, text))
    }

    fn path(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let path = PathBuf::from(text);
        if path.is_file() {
            return Ok(Some(path));
        }
        Err(Error::BadProperty {
            name: name.to_owned(),
            reason: format!("there is no file `{text}`"),
        })
    }

    fn web_service(&self) -> Result<Option<String>, Error> {
        let Some(url) = self.text("webServiceUrl") else { return Ok(None) };
        let parsed = reqwest::Url::parse(url).ok();
        let parsed = parsed.filter(|it| matches!(it.scheme(), "http" | "https") && it.has_host());
        // What may have a password in it is not shown.
        match parsed {
            Some(it) if it.username().is_empty() && it.password().is_none() => {
                Ok(Some(it.as_str().trim_end_matches('/').to_owned()))
            }
            _ => Err(Error::BadProperty {
                name: "webServiceUrl".to_owned(),
                reason: "it takes http://host:8080 or https://host:8443; `authPlugin` and \
                         `authParams` say who we are"
                    .to_owned(),
            }),
        }
    }

    fn tls(&self, authentication: &Authentication) -> Result<Tls, Error> {
        let names = ["tlsCertificateFilePath", "tlsKeyFilePath"];
        let identity = match names.map(|name| self.path(name)) {
            [Ok(Some(certificate)), Ok(Some(key))] => Some((certificate, key)),
            [Ok(None), Ok(None)] => None,
            [Err(error), _] | [_, Err(error)] => return Err(error),
            [one, _] => {
                let (given, lacking) =
                    if one.is_ok_and(|one| one.is_some()) { (0, 1) } else { (1, 0) };
                let reason = format!("it needs `{}` beside it", names[lacking]);
                return Err(Error::BadProperty { name: names[given].to_owned(), reason });
            }
        };
        let identity = match authentication {
            Authentication::Tls { identity: Some(shown) } => Some(shown.clone()),
            Authentication::Tls { identity: None } if identity.is_none() => {
                let name = "authPlugin".to_owned();
                let reason = "tls needs `tlsCertificateFilePath` and `tlsKeyFilePath`".to_owned();
                return Err(Error::BadProperty { name, reason });
            }
            _ => identity,
        };
        Ok(Tls {
            trusted: self.path("tlsTrustCertsFilePath")?,
            verify_host: self.flag("tlsHostnameVerificationEnable", true)?,
            identity,
        })
    }

    /// The most messages of a batch, the most bytes, and how long it waits.
    fn batches(&self) -> Result<(usize, usize, Duration), Error> {
        let most = |name, default| {
            self.number(name, default, 1).map(|most| usize::try_from(most).unwrap_or(usize::MAX))
        };
        let is_on = self.flag("batchingEnabled", true)?;
        let messages = most("batchingMaxMessages", 1_000)?;
        let delay_us = self.number("batchingMaxPublishDelayMicros", 1_000, 0)?;
        let bytes = most("batchingMaxBytes", 128 << 10)?;
        Ok((if is_on { messages } else { 1 }, bytes, Duration::from_micros(delay_us)))
    }

    fn compression(&self) -> Result<Compression, Error> {
        let known = [
            ("NONE", Compression::None),
            ("LZ4", Compression::Lz4),
            ("ZLIB", Compression::Zlib),
            ("ZSTD", Compression::Zstd),
            ("SNAPPY", Compression::Snappy),
        ];
        self.one_of("compressionType", &known)
    }

    fn hash(&self) -> Result<Hash, Error> {
        match self.text("hashingScheme") {
            None | Some("JavaStringHash") => Ok(Hash::JavaString),
            Some("Murmur3_32Hash") => Ok(Hash::Murmur3),
            Some(other) => Err(bad("hashingScheme", other)),
        }
    }

    fn authentication(&self) -> Result<Authentication, Error> {
        let Some(plugin) = self.text("authPlugin") else {
            // In silence nobody would be logged in.
            return match self.text("authParams") {
                None => Ok(Authentication::None),
                Some(_) => Err(Error::BadProperty {
                    name: "authParams".to_owned(),
                    reason: "it needs `authPlugin` beside it".to_owned(),
                }),
            };
        };
        let parameters = self.text("authParams").unwrap_or_default();
        // Java's clients name the class.
        let wrong = |reason: String| Error::BadProperty { name: "authParams".to_owned(), reason };
        match plugin.rsplit('.').next().unwrap_or_default() {
            "token" | "AuthenticationToken" => {
                Ok(Authentication::Token(TokenSource::read(parameters).map_err(wrong)?))
            }
            "oauth2" | "AuthenticationOAuth2" => {
                Ok(Authentication::OAuth2(Issuer::read(parameters).map_err(wrong)?))
            }
            "basic" | "AuthenticationBasic" => Authentication::basic(parameters).map_err(wrong),
            "tls" | "AuthenticationTls" => {
                let identity = authentication::certificate(parameters).map_err(wrong)?;
                Ok(Authentication::Tls { identity })
            }
            _ => Err(bad("authPlugin", plugin)),
        }
    }
}

/// What must not be shown: what is secret by its name, and what proves who we are.
fn secrets(properties: &[Property], authentication: &Authentication) -> Vec<Text> {
    let hidden = secret::secrets_of(properties);
    let mut secrets: Vec<Text> = hidden.map(|value| value.clone().hidden()).collect();
    if let Authentication::Token(TokenSource::Given(text))
    | Authentication::Basic { password: text, .. }
    | Authentication::OAuth2(Issuer { client_secret: text, .. }) = authentication
    {
        secrets.push(text.clone());
    }
    secrets
}

fn bad(name: &str, text: &str) -> Error {
    let takes = KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, takes)| takes);
    Error::BadProperty { name: name.to_owned(), reason: format!("`{text}`; it takes {takes}") }
}

impl Options {
    /// Reads settings under Pulsar's own names; the first mistake is told.
    pub fn read(properties: &[Property]) -> Result<Self, Error> {
        for (name, _) in properties {
            if KNOWN.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name)) {
                let known = KNOWN.iter().map(|(known, _)| *known);
                let nearest = suggest::nearest(name, known).map(str::to_owned);
                return Err(Error::UnknownProperty { name: name.clone(), nearest });
            }
        }
        // Variables of the environment have names without case.
        let known = |name: &str| KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let named = properties.iter().filter_map(|(name, text)| Some((known(name)?.0, text)));
        let written = Written(named.collect());
        let url = written.text("serviceUrl").ok_or(Error::NoService)?;
        let addresses = Address::several(url)
            .map_err(|reason| Error::BadProperty { name: "serviceUrl".to_owned(), reason })?;
        let authentication = written.authentication()?;
        let text = |name| written.text(name).map(str::to_owned);
        let milliseconds = |name, default| written.number(name, default, 0);
        let tls = written.tls(&authentication)?;
        let is_plain = addresses.iter().any(|address| !address.tls);
        if is_plain && matches!(authentication, Authentication::Tls { .. }) {
            let reason = "tls needs an encrypted connection, pulsar+ssl://".to_owned();
            return Err(Error::BadProperty { name: "authPlugin".to_owned(), reason });
        }
        let send_timeout_ms = milliseconds("sendTimeoutMs", 0)?;
        let (batch_messages_max, batch_bytes_max, batch_delay) = written.batches()?;
        let schemas = [("pulsar", Schemas::Pulsar), ("registry", Schemas::Registry)];
        let batchers = [("default", Batcher::Default), ("key", Batcher::Key)];
        let routings =
            [("RoundRobinPartition", Routing::RoundRobin), ("SinglePartition", Routing::Single)];
        Ok(Self {
            addresses,
            web_service: written.web_service()?,
            own_schemas: written.one_of("schema", &schemas)? == Schemas::Pulsar,
            secrets: secrets(properties, &authentication),
            authentication,
            tls,
            tenant: text("tenant").unwrap_or("public".to_owned()),
            namespace: text("namespace").unwrap_or("default".to_owned()),
            producer_name: text("producerName"),
            batcher: written.one_of("batcherBuilder", &batchers)?,
            batch_messages_max,
            batch_bytes_max,
            batch_delay,
            compression: written.compression()?,
            hash: written.hash()?,
            routing: written.one_of("messageRoutingMode", &routings)?,
            event_time: written.flag("eventTime", true)?,
            send_timeout: (send_timeout_ms > 0).then(|| Duration::from_millis(send_timeout_ms)),
            operation_timeout: Duration::from_millis(milliseconds("operationTimeoutMs", 30_000)?),
            keep_alive: Duration::from_secs(written.number("keepAliveIntervalSeconds", 30, 1)?),
            connect_timeout: Duration::from_secs(10),
            in_flight_bytes_max: 64 << 20,
        })
    }

    /// The addresses, for errors.
    pub fn service(&self) -> String {
        let all: Vec<String> = self.addresses.iter().map(Address::to_string).collect();
        all.join(", ")
    }

    /// Where the administration answers: unless the user says so, at port 8080 of
    /// the first host, or 8443 if it is encrypted.
    pub fn web_service_url(&self) -> String {
        self.web_service.clone().unwrap_or_else(|| {
            let first = self.addresses.first();
            let host = first.map_or("localhost", |address| &address.host);
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let is_encrypted = first.is_some_and(|address| address.tls);
            if is_encrypted {
                format!("https://{host}:8443")
            } else {
                format!("http://{host}:8080")
            }
        })
    }

    /// The text with every secret of these options masked.
    pub fn masked(&self, text: &str) -> String {
        secret::masked(text, &self.secrets)
    }

    /// The full name of a topic: one that has a tenant and a namespace keeps them.
    pub fn topic(&self, name: &str) -> String {
        if name.contains("://") {
            return name.to_owned();
        }
        match name.split('/').count() {
            3 => format!("persistent://{name}"),
            _ => format!("persistent://{}/{}/{name}", self.tenant, self.namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::MASK;

    fn read(properties: &[(&str, &str)]) -> Result<Options, Error> {
        let plain =
            |&(name, value): &(&str, &str)| (name.to_owned(), Text::Plain(value.to_owned()));
        let mut all: Vec<Property> =
            vec![("serviceUrl".to_owned(), Text::Plain("pulsar://localhost".to_owned()))];
        all.extend(properties.iter().map(plain));
        Options::read(&all)
    }

    #[test]
    fn settings_have_the_names_and_defaults_of_pulsars_client() {
        let options = read(&[]).unwrap();
        assert_eq!((options.batch_messages_max, options.batch_bytes_max), (1_000, 131_072));
        assert_eq!(options.batch_delay, Duration::from_millis(1));
        let options = read(&[("compressionType", "zstd"), ("batchingEnabled", "false")]).unwrap();
        assert_eq!((options.compression, options.batch_messages_max), (Compression::Zstd, 1));
    }

    #[test]
    fn mistakes_are_named_with_what_would_do() {
        let text = |name: &str, value: &str| read(&[(name, value)]).unwrap_err().to_string();
        let unknown = "`batchingMaxMessage` is not a setting of the Pulsar sink; did you mean \
                       `batchingMaxMessages`?";
        assert_eq!(text("batchingMaxMessage", "5"), unknown);
        assert_eq!(
            text("compressionType", "GZIP"),
            "`compressionType` cannot be set: `GZIP`; it takes NONE, LZ4, ZLIB, ZSTD or SNAPPY"
        );
        assert!(text("batchingMaxMessages", "0").contains("a number from 1 on"));
        assert!(text("tlsKeyFilePath", "/no/such").contains("there is no file `/no/such`"));
        assert!(text("authPlugin", "kerberos").contains("token, oauth2, basic or tls"));
        assert!(text("authPlugin", "tls").contains("tlsCertificateFilePath"));
        assert!(matches!(Options::read(&[]), Err(Error::NoService)));
    }

    #[test]
    fn secrets_are_masked_wherever_they_come_from() {
        let token = [("authPlugin", "token"), ("authParams", "token:hunter2")];
        let options = read(&token).unwrap();
        assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
        assert_eq!(options.masked("a hunter2 b"), format!("a {MASK} b"));
    }

    #[test]
    fn a_topic_has_a_tenant_and_a_namespace() {
        let options = read(&[("tenant", "bank"), ("namespace", "test")]).unwrap();
        assert_eq!(options.topic("payments"), "persistent://bank/test/payments");
        assert_eq!(options.topic("a/b/payments"), "persistent://a/b/payments");
        assert_eq!(options.topic("non-persistent://a/b/c"), "non-persistent://a/b/c");
    }
}
