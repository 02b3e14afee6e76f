//! Strings that come from the environment or a file, and are masked.

use std::fmt;

use super::Span;
use super::overrides::is_reference;
use super::raw::Node;

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// The same where a value of TOML is to stand.
pub(super) const MASKED_VALUE: &str = "\"***\"";

/// A string that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The string itself: for the client that needs it, never for output.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// The value of a setting, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// May be printed.
    Plain(String),
    /// Must not be.
    Secret(Secret),
}

impl Text {
    /// The value itself: for the client that needs it, never for output.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(secret) => secret.reveal(),
        }
    }

    /// The same, and not to be printed.
    #[must_use]
    pub fn hidden(self) -> Self {
        match self {
            Self::Plain(value) => Self::Secret(Secret::new(value)),
            secret @ Self::Secret(_) => secret,
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => formatter.write_str(value),
            Self::Secret(secret) => secret.fmt(formatter),
        }
    }
}

/// A text in which every one of these secrets is masked.
pub fn masked<'a>(text: &str, secrets: impl IntoIterator<Item = &'a Text>) -> String {
    let secrets = secrets.into_iter().map(Text::reveal).filter(|secret| !secret.is_empty());
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

/// Those of these settings that must not be shown: what came as a secret, and what is one by its name.
pub fn secrets_of(properties: &[(String, Text)]) -> impl Iterator<Item = &Text> {
    let is_hidden =
        |(name, value): &&(String, Text)| matches!(value, Text::Secret(_)) || is_secret_name(name);
    properties.iter().filter(is_hidden).map(|(_, value)| value)
}

/// Whether a setting of this name holds a secret, wherever its value comes from.
///
/// `name` may be a property of librdkafka, a key of the model or an environment variable.
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "credential", "passphrase"];
    let name = name.to_ascii_lowercase().replace('_', ".");
    let last = name.rsplit('.').next().unwrap_or("");
    // Locations of keys and settings about tokens hold no secret themselves.
    if matches!(last, "location" | "url" | "uri" | "ms" | "mechanism" | "enable" | "method") {
        return false;
    }
    WORDS.iter().any(|word| name.contains(word))
        || name.split('.').any(is_slip_of_secret)
        || name.ends_with("sasl.jaas.config")
        || name.ends_with("sasl.oauthbearer.config")
        || name.ends_with("basic.auth.user.info")
        || name.ends_with("ssl.key.pem")
        || name.ends_with("ssl.keystore.key")
        || name.ends_with("private.key.pem")
        || name.ends_with("authparams")
}

/// Where secrets stand in the value of a key, at any depth. `name` is the key, dotted.
pub(super) fn places(name: &str, node: &Node) -> Vec<Span> {
    if node.entries().is_some_and(is_reference) {
        return Vec::new();
    }
    if is_secret_name(name) {
        return vec![node.span.clone()];
    }
    let inner = node.entries().unwrap_or_default().iter();
    inner.flat_map(|entry| places(&format!("{name}.{}", entry.key), &entry.node)).collect()
}

/// Whether a part of a name is a slip of a word for secrets: its value would be shown with the
/// mistake that tells of the slip.
fn is_slip_of_secret(part: &str) -> bool {
    let near = |word, most| strsim::damerau_levenshtein(part, word) <= most;
    near("password", 2)
        || near("passphrase", 2)
        || near("authparams", 2)
        || near("secret", 1)
        || near("token", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let text = Text::Secret(Secret::new("hunter2".to_owned()));
        assert_eq!(format!("{text} {text:?}"), "*** Secret(***)");
        assert_eq!(text.reveal(), "hunter2");
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "SASL_PASSWORD",
            "TIDEGATE_SINK__KAFKA__SASL_PASSWORD",
            "sasl.oauthbearer.client.secret",
            "registry.token",
            "sasl.jaas.config",
            "ssl.key.pem",
            "sasl.pasword",
            "sasl.paswrod",
            "client.secrte",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "bootstrap.servers",
            "topic",
            "compression.codec",
            "ssl.key.location",
            "sasl.username",
            "sasl.oauthbearer.token.endpoint.url",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
