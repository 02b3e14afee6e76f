//! How a user names topics that are read.

use std::str::FromStr;

/// Topics, and the cluster that they are in.
///
/// `kafka://HOST:PORT[,HOST:PORT]/TOPIC[,TOPIC]`, `pulsar://HOST:PORT/TOPIC[,TOPIC]` or `pulsar+ssl://…`;
/// `kafka:TOPIC`, `pulsar:TOPIC` or `TOPIC` alone are in the cluster that settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Which kind of broker, if that is said.
    pub broker: Option<Broker>,
    /// Where it is, as its client takes it: `HOST:PORT,…` for Kafka, an URL for Pulsar.
    pub servers: Option<String>,
    /// The topics: at least one.
    pub topics: Vec<String>,
}

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// Apache Kafka.
    Kafka,
    /// Apache Pulsar.
    Pulsar,
}

impl Broker {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Pulsar => "pulsar",
        }
    }

    /// The setting that says where it is.
    pub fn servers_setting(self) -> &'static str {
        match self {
            Self::Kafka => "bootstrap.servers",
            Self::Pulsar => "serviceUrl",
        }
    }
}

impl Address {
    /// Whether a text is meant as topics and not as a file: it has a scheme.
    pub fn is_one(text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| matches!(scheme, "kafka" | "pulsar" | "pulsar+ssl"))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |what: &str| {
            Err(format!(
                "`{text}` {what}: write TOPIC, kafka://HOST:PORT/TOPIC or pulsar://HOST:PORT/TOPIC; of several \
                 topics the names with commas"
            ))
        };
        let (broker, secure, rest) = match text.split_once(':') {
            Some(("kafka", rest)) => (Some(Broker::Kafka), false, rest),
            Some(("pulsar", rest)) => (Some(Broker::Pulsar), false, rest),
            Some(("pulsar+ssl", rest)) => (Some(Broker::Pulsar), true, rest),
            Some((scheme, rest))
                if rest.starts_with("//") && !matches!(scheme, "persistent" | "non-persistent") =>
            {
                return bad("is at no broker that is known");
            }
            _ => (None, false, text),
        };
        let (servers, topics) = match rest.strip_prefix("//").filter(|_| broker.is_some()) {
            None => (None, rest),
            Some(rest) => match rest.split_once('/') {
                None | Some(("", _)) => return bad("names no server or no topic"),
                Some((servers, topics)) => (Some(servers), topics),
            },
        };
        if servers.is_some_and(|servers| servers.contains('@')) {
            // What stands there may be a password.
            return Err("an address has no user or password: give them with `-S`".to_owned());
        }
        let topics: Vec<String> = topics.split(',').map(|topic| topic.trim().to_owned()).collect();
        if topics.iter().any(String::is_empty) {
            return bad("names no topic");
        }
        let servers = servers.map(|servers| match (broker, secure) {
            (Some(Broker::Pulsar), true) => format!("pulsar+ssl://{servers}"),
            (Some(Broker::Pulsar), false) => format!("pulsar://{servers}"),
            _ => servers.to_owned(),
        });
        Ok(Self { broker, servers, topics })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Broker>, Option<String>, Vec<String>) {
        let Address { broker, servers, topics } = text.parse().unwrap();
        (broker, servers, topics)
    }

    #[test]
    fn an_address_names_broker_servers_and_topics() {
        let topics = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read("kafka://a:9092,b:9092/x,y"),
            (Some(Broker::Kafka), Some("a:9092,b:9092".to_owned()), topics(&["x", "y"]))
        );
        assert_eq!(
            read("pulsar+ssl://a:6651/tenant/ns/x"),
            (
                Some(Broker::Pulsar),
                Some("pulsar+ssl://a:6651".to_owned()),
                topics(&["tenant/ns/x"])
            )
        );
        assert_eq!(read("kafka:x"), (Some(Broker::Kafka), None, topics(&["x"])));
        assert_eq!(read("a.b"), (None, None, topics(&["a.b"])));
        let full = "persistent://t/n/x";
        assert_eq!(read(full), (None, None, topics(&[full])));
    }

    #[test]
    fn an_address_without_a_topic_is_refused_with_the_form() {
        for text in ["", "kafka://a:9092", "kafka://a:9092/", "x,,y", "kafka:///x", "http://a/x"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains("kafka://HOST:PORT/TOPIC"), "{error}");
        }
        let error = "kafka://me:secret@a:9092/x".parse::<Address>().unwrap_err();
        assert!(!error.contains("secret") && error.contains("-S"), "{error}");
    }
}
