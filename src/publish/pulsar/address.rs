//! Addresses of brokers and proxies.

use std::fmt;

use crate::config::secret::MASK;

/// Where a broker or proxy answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The host's name or number, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Address {
    /// The addresses of a service URL: a scheme, then one or more hosts with commas between them.
    pub fn several(url: &str) -> Result<Vec<Self>, String> {
        let (scheme, hosts) = url.split_once("://").ok_or_else(|| form(url))?;
        let tls = match scheme {
            "pulsar" => false,
            "pulsar+ssl" => true,
            _ => return Err(form(url)),
        };
        let hosts = hosts.trim_end_matches('/').split(',');
        hosts.map(|host| Self::one(host.trim(), tls).ok_or_else(|| form(url))).collect()
    }

    fn one(host: &str, tls: bool) -> Option<Self> {
        let port = if tls { 6651 } else { 6650 };
        let (host, port) = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']')? {
                (host, "") => (host, port),
                (host, rest) => (host, rest.strip_prefix(':')?.parse().ok()?),
            },
            None => match host.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (host, port),
            },
        };
        let sound = !host.is_empty() && !host.contains(['/', '@', ' ']);
        sound.then(|| Self { host: host.to_owned(), port, tls })
    }

    /// Host and port, as a proxy is told of the broker that is meant.
    pub fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "pulsar+ssl" } else { "pulsar" };
        write!(formatter, "{scheme}://{}", self.host_and_port())
    }
}

fn form(url: &str) -> String {
    // What is no address may still have a password in it.
    let url = if url.contains('@') { MASK } else { url };
    format!("`{url}` is no address; write pulsar://host:6650 or pulsar+ssl://host:6651")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_host_or_more() {
        let text = |url: &str| -> Vec<String> {
            Address::several(url).unwrap().iter().map(Address::to_string).collect()
        };
        assert_eq!(text("pulsar://localhost"), ["pulsar://localhost:6650"]);
        assert_eq!(text("pulsar+ssl://a,b:7/"), ["pulsar+ssl://a:6651", "pulsar+ssl://b:7"]);
        assert_eq!(text("pulsar://[::1]:5,[::2]"), ["pulsar://[::1]:5", "pulsar://[::2]:6650"]);
        for url in [
            "localhost:6650",
            "http://a",
            "pulsar://",
            "pulsar://a:b",
            "pulsar://u@h",
            "pulsar://a,,b",
        ] {
            let shown = if url.contains('@') { MASK } else { url };
            assert!(Address::several(url).unwrap_err().starts_with(&format!("`{shown}`")), "{url}");
        }
    }
}
