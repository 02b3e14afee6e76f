//! What can go wrong between us and Kafka, and how it is told apart.

use super::native::{self, code};
use super::options::Options;

/// What can go wrong between us and Kafka.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such property.
    #[error("`{name}` is not a property of librdkafka{}", suggest(nearest.as_deref()))]
    UnknownProperty {
        /// The name that was given.
        name: String,
        /// A name that is close to it.
        nearest: Option<String>,
    },
    /// A value that the property does not take.
    #[error("`{name}` cannot be set: {reason}")]
    BadProperty {
        /// The property.
        name: String,
        /// librdkafka's words, with secrets masked.
        reason: String,
    },
    /// A property that the sink needs for itself.
    #[error("`{name}` cannot be set: {reason}")]
    ReservedProperty {
        /// The property.
        name: String,
        /// What it is needed for.
        reason: &'static str,
    },
    /// Properties that do not go together, or name a file that cannot be read.
    #[error("these Kafka properties cannot be used together: {reason}")]
    Refused {
        /// librdkafka's words, with secrets masked.
        reason: String,
    },
    /// No address to start from.
    #[error(
        "no Kafka address is given: set `bootstrap.servers`, such as `-X bootstrap.servers=localhost:9092`"
    )]
    NoServers,
    /// A SASL mechanism that this binary lacks.
    #[error(
        "`sasl.mechanism = {mechanism}` is not built in: build tidegate with `--features {feature}`, \
         or use PLAIN or SCRAM-SHA-512"
    )]
    MechanismMissing {
        /// The mechanism.
        mechanism: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// Nobody answers.
    #[error("Kafka at {servers} did not answer within {waited_s} s: {last}")]
    Unreachable {
        /// The addresses given.
        servers: String,
        /// How long we tried, in seconds.
        waited_s: u64,
        /// The last error seen.
        last: String,
    },
    /// User name or password are wrong.
    #[error(
        "Kafka at {servers} refused the login: {reason}; check `sasl.username` and `sasl.password`"
    )]
    Authentication {
        /// The addresses given.
        servers: String,
        /// The broker's words.
        reason: String,
    },
    /// The broker's certificate is past its date.
    #[error("the certificate of Kafka at {servers} has expired; it must be renewed on the broker")]
    CertificateExpired {
        /// The addresses given.
        servers: String,
    },
    /// The broker's certificate does not hold yet.
    #[error("the certificate of Kafka at {servers} is not valid yet; compare the clocks")]
    CertificateNotYetValid {
        /// The addresses given.
        servers: String,
    },
    /// The broker's certificate is signed by nobody we trust.
    #[error(
        "the certificate of Kafka at {servers} is not trusted: {reason}; name the authority that \
         signed it in `ssl.ca.location`"
    )]
    CertificateUntrusted {
        /// The addresses given.
        servers: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The broker's certificate is for another name.
    #[error(
        "the certificate of Kafka at {servers} is for another host name; use the name that it was \
         made for"
    )]
    CertificateName {
        /// The addresses given.
        servers: String,
    },
    /// The broker does not take our certificate.
    #[error(
        "Kafka at {servers} wants a certificate from us and does not accept what it got: {reason}; \
         check `ssl.certificate.location` and `ssl.key.location`"
    )]
    ClientCertificate {
        /// The addresses given.
        servers: String,
        /// What the TLS library says.
        reason: String,
    },
    /// TLS fails in another way.
    #[error("no secure connection to Kafka at {servers}: {reason}")]
    Tls {
        /// The addresses given.
        servers: String,
        /// What the TLS library says.
        reason: String,
    },
    /// Topics that are not there.
    #[error(
        "no such topic: {}; create with `--create-topics`, or with `tidegate topics MODEL --create`",
        quoted(topics)
    )]
    TopicMissing {
        /// Their names.
        topics: Vec<String>,
    },
    /// No right to write to (or see) a topic.
    #[error(
        "not authorised to write to the topic `{topic}`: the user needs the ACL operation WRITE on it"
    )]
    NotAuthorised {
        /// The topic.
        topic: String,
    },
    /// No right to create topics.
    #[error(
        "not authorised to create the topic `{topic}`: the user needs the ACL operation CREATE"
    )]
    CreateNotAuthorised {
        /// The topic.
        topic: String,
    },
    /// Event times outside what the topic takes.
    #[error(
        "`timestamp = \"event\"`: the topic `{topic}` {verdict} event times {direction} than \
         {limit_ms} ms (`{setting}`), and the run's are up to {given_ms} ms {direction}; use \
         `timestamp = \"handover\"`, or change the topic"
    )]
    TimestampRefused {
        /// The topic.
        topic: String,
        /// `refuses` or `soon deletes`.
        verdict: &'static str,
        /// `older` or `further ahead`.
        direction: &'static str,
        /// The limit, in milliseconds.
        limit_ms: i64,
        /// The topic's setting.
        setting: &'static str,
        /// How far the run's events are away, in milliseconds.
        given_ms: i64,
    },
    /// A topic could not be made.
    #[error("cannot create the topic `{topic}`: {reason}")]
    Create {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// The brokers could not be asked about topics.
    #[error("cannot {what}: {reason}")]
    Ask {
        /// What was asked.
        what: &'static str,
        /// The broker's words.
        reason: String,
    },
    /// An error after which the producer does nothing more.
    #[error("Kafka's producer stopped for good ({name}): {reason}")]
    Fatal {
        /// librdkafka's name for it.
        name: &'static str,
        /// Its words.
        reason: String,
    },
    /// The user may write to no topic at all, so the broker gives it no producer's number.
    #[error(
        "not authorised to write to Kafka at {servers} ({reason}): the user needs the ACL operation \
         WRITE on a topic, or IDEMPOTENT_WRITE on the cluster"
    )]
    ProducerNotAuthorised {
        /// The addresses given.
        servers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// A record waited longer than `message.timeout.ms`.
    #[error(
        "a record for the topic `{topic}` was not delivered within `message.timeout.ms`; the run \
         stops, since later events must not pass it (0 waits without end)"
    )]
    Expired {
        /// The topic.
        topic: String,
    },
}

impl Error {
    /// Whether the user's properties are wrong, which shows without a broker.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::UnknownProperty { .. }
                | Self::BadProperty { .. }
                | Self::ReservedProperty { .. }
                | Self::Refused { .. }
                | Self::NoServers
                | Self::MechanismMissing { .. }
        )
    }
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the client complained of while it connects.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    /// One that waiting does not cure.
    grave: Option<Error>,
    /// The last of the others.
    last: Option<String>,
}

impl Complaints {
    /// Notes an error event. `certificate` is OpenSSL's code for the server's certificate.
    pub(super) fn note(&mut self, code: i32, text: &str, certificate: i32, options: &Options) {
        let text = options.masked(text);
        // That all brokers are down says less than the error before it.
        if code != code::ALL_BROKERS_DOWN || self.last.is_none() {
            self.last = Some(brief(&text).to_owned());
        }
        let found = classify(code, &text, certificate, options.servers());
        if self.grave.is_none() {
            self.grave = found;
        }
    }

    /// Notes a line of the log: a mere hang-up is told there only.
    pub(super) fn note_line(&mut self, line: &str, options: &Options) {
        if let Some(text) = line.strip_prefix("FAIL: ") {
            // Before the broker's name stands that of the thread: `[thrd:…]: `.
            let text = text.split_once("]: ").map_or(text, |(_, text)| text);
            self.last = Some(brief(&options.masked(text)).to_owned());
        }
    }

    /// The error that waiting does not cure, if there was one.
    pub(crate) fn grave(&self) -> Option<&Error> {
        self.grave.as_ref()
    }

    /// What to say when the time is up.
    pub(crate) fn unreachable(&self, options: &Options) -> Error {
        if let Some(grave) = &self.grave {
            return grave.clone();
        }
        let mut last = self.last.clone().unwrap_or_else(|| "no answer".to_owned());
        if last.contains("Disconnected") && !last.contains("listener") {
            last.push_str("; is `security.protocol` that of the listener?");
        }
        let waited_s = options.connect_timeout.as_secs();
        Error::Unreachable { servers: options.servers().to_owned(), waited_s, last }
    }
}

fn classify(code: i32, text: &str, certificate: i32, servers: &str) -> Option<Error> {
    let servers = servers.to_owned();
    match code {
        code::AUTHENTICATION => {
            Some(Error::Authentication { servers, reason: brief(text).to_owned() })
        }
        code::SSL => Some(match certificate {
            // The numbers are OpenSSL's X509_V_ERR_…
            10 => Error::CertificateExpired { servers },
            9 => Error::CertificateNotYetValid { servers },
            18 => Error::CertificateUntrusted { servers, reason: "it is signed by itself" },
            19 => Error::CertificateUntrusted { servers, reason: "its authority is unknown" },
            2 | 20 | 21 => {
                Error::CertificateUntrusted { servers, reason: "its authority is unknown" }
            }
            62..=64 => Error::CertificateName { servers },
            _ if about_our_certificate(text) => {
                Error::ClientCertificate { servers, reason: brief(text).to_owned() }
            }
            _ => Error::Tls { servers, reason: brief(text).to_owned() },
        }),
        // In TLS 1.3 the broker's refusal of our certificate comes after the handshake.
        _ if text.contains("SSL routines") && about_our_certificate(text) => {
            Some(Error::ClientCertificate { servers, reason: brief(text).to_owned() })
        }
        _ => None,
    }
}

fn about_our_certificate(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let alert =
        ["alert bad certificate", "alert certificate", "certificate required", "unknown ca"];
    alert.iter().any(|words| text.contains(words)) || text.contains("client ssl authentication")
}

/// librdkafka's text without the trailer about when and in which state it happened.
fn brief(text: &str) -> &str {
    text.find(" (after ").map_or(text, |end| &text[..end]).trim_end()
}

/// The error for a code after which the producer is of no use.
pub(super) fn fatal(code: i32, text: &str, options: &Options) -> Error {
    if code == code::CLUSTER_NOT_AUTHORISED {
        let servers = options.servers().to_owned();
        return Error::ProducerNotAuthorised { servers, reason: options.masked(text) };
    }
    Error::Fatal { name: native::reason(code), reason: options.masked(text) }
}

/// What the reason of a refused record means and the way out, where a user can do something.
pub fn way_out(reason: &str) -> Option<&'static str> {
    match reason {
        "msg_size_too_large" => Some(
            "the topic takes no records so large (`max.message.bytes`); raise its limit or shorten \
             the fields",
        ),
        "topic_authorization_failed" => Some("the user needs the ACL operation WRITE on it"),
        "invalid_timestamp" => Some(
            "the topic takes no such record times (`message.timestamp.*.max.ms`); use \
             `timestamp = \"handover\"`",
        ),
        "unknown_topic_or_part" | "unknown_topic" => Some("the topic is gone"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_apart_by_openssl_codes() {
        let named = |number| classify(code::SSL, "SSL handshake failed", number, "b:1");
        assert!(matches!(named(10), Some(Error::CertificateExpired { .. })));
        assert!(matches!(named(18), Some(Error::CertificateUntrusted { .. })));
        assert!(matches!(named(62), Some(Error::CertificateName { .. })));
        assert!(matches!(named(0), Some(Error::Tls { .. })));
    }

    #[test]
    fn ways_out_are_found_by_the_names_that_refused_records_get() {
        // UNKNOWN_TOPIC_OR_PART, MSG_SIZE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED,
        // INVALID_TIMESTAMP, _UNKNOWN_TOPIC
        for code in [3, 10, 29, 32, -188] {
            assert!(way_out(native::reason(code)).is_some(), "{}", native::reason(code));
        }
        assert_eq!(way_out("unknown"), None);
    }

    #[test]
    fn the_trailer_of_librdkafkas_texts_is_left_out() {
        let text = "b:1/bootstrap: Connect failed (after 2ms in state CONNECT)";
        assert_eq!(brief(text), "b:1/bootstrap: Connect failed");
    }
}
