//! What a registry can answer instead of an id, by name.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SrCall};

/// The most characters of a registry's own words that an error repeats.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// Why there is no id for a schema.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address was given.
    #[error("`registry.url` names no address; give one, such as `http://localhost:8081`")]
    NoAddress,
    /// What was given is no address.
    #[error(
        "`registry.url` `{url}` is not an http or https address, such as `http://localhost:8081`"
    )]
    NotAnAddress {
        /// What was given, unless it may hold a password.
        url: String,
    },
    /// A user or password stands in the address, where it would be printed.
    #[error(
        "`registry.url` holds a user or password; put them into `registry.username` and \
         `registry.password`"
    )]
    PasswordInAddress,
    /// A file of certificates or keys cannot be read.
    #[error("cannot read `{}` for the registry's TLS", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file of certificates or keys is not what it should be.
    #[error("`{}` does not hold {what} in PEM (`-----BEGIN …`)", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// TLS cannot even be begun.
    #[error(
        "TLS to the registry cannot be set up: {reason}; set `registry.ca`, or install the system's \
         authorities (the package ca-certificates)"
    )]
    Client {
        /// The TLS library's reason.
        reason: String,
    },
    /// The subject strategy needs a name that the schema does not have.
    #[error(
        "a schema of topic `{topic}` has no record name to take its subject from; use \
         `subjects = \"topic_name\"`, or a string key"
    )]
    NoRecordName {
        /// The topic.
        topic: String,
    },
    /// Nobody answered in time.
    #[error(
        "schema registry {address} did not answer within {waited:?} ({reason}); check \
         `registry.url`, or wait longer with `registry.timeout`"
    )]
    Unreachable {
        /// All addresses that were tried.
        address: String,
        /// For how long.
        waited: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// The registry's certificate or ours was not accepted.
    #[error(
        "schema registry {address}: the TLS connection was refused ({reason}); check `registry.ca`, \
         and `registry.certificate` with `registry.key`"
    )]
    Certificate {
        /// Where.
        address: String,
        /// The TLS library's reason.
        reason: String,
    },
    /// The registry does not let us do this.
    #[error(
        "schema registry {address} refused us with status {status} ({reason}); check \
         `registry.username` and `registry.password`, or `registry.token`, and what they may do"
    )]
    Unauthorised {
        /// Where.
        address: String,
        /// 401 or 403.
        status: u16,
        /// The registry's own words.
        reason: String,
    },
    /// The schema breaks the subject's compatibility.
    #[error(
        "the schema is incompatible with what subject `{subject}` has: {reason}; change the schema, \
         take the registry's with `schemas = \"latest\"`, or use another subject"
    )]
    Incompatible {
        /// The subject.
        subject: String,
        /// The registry's own words.
        reason: String,
    },
    /// The registry finds the schema itself wrong.
    #[error("the registry refuses the schema for subject `{subject}`: {reason}")]
    Refused {
        /// The subject.
        subject: String,
        /// The registry's own words.
        reason: String,
    },
    /// With `use`: the schema is not under the subject.
    #[error(
        "the schema is not registered under subject `{subject}` ({reason}); register it first, or \
         let tidegate do it with `schemas = \"register\"`"
    )]
    NotRegistered {
        /// The subject.
        subject: String,
        /// The registry's own words.
        reason: String,
    },
    /// With `latest`: the subject has no version.
    #[error(
        "subject `{subject}` does not exist in the registry ({reason}); register a schema first, or \
         let tidegate do it with `schemas = \"register\"`"
    )]
    SubjectNotFound {
        /// The subject.
        subject: String,
        /// The registry's own words.
        reason: String,
    },
    /// With a pinned id: the registry has no such id.
    #[error("the registry has no schema with id {id} ({reason}); take an id that it has, or none")]
    IdNotFound {
        /// The id.
        id: u32,
        /// The registry's own words.
        reason: String,
    },
    /// The id is of a schema in another language.
    #[error("the registry's schema {id} is {kind}, and only AVRO can be written; take another id")]
    NotAvro {
        /// The id.
        id: u32,
        /// `PROTOBUF`, `JSON`…
        kind: String,
    },
    /// The schema is not complete in itself.
    #[error(
        "the registry's schema {id} refers to other subjects, which is not supported; register it \
         with the named types written out"
    )]
    HasReferences {
        /// The id.
        id: u32,
    },
    /// An answer that the Confluent API does not have.
    #[error(
        "schema registry {address} gave an answer that cannot be used: {what}; check that \
         `registry.url` leads to the Confluent API"
    )]
    BadAnswer {
        /// Where.
        address: String,
        /// What is wrong with it.
        what: String,
    },
}

/// What one attempt met.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer: no connection, or it broke.
    Transport(String),
    /// TLS could not be agreed on.
    Certificate(String),
    /// An answer that is a refusal.
    Status { status: u16, code: u32, reason: String },
    /// An answer that is none.
    Answer(String),
}

impl Failure {
    pub(super) fn of(error: &SRCError) -> Self {
        let source = error.source();
        if let Some(refusal) = source.and_then(|it| it.downcast_ref::<RawError>()) {
            return Self::Status {
                status: status(&error.error),
                code: refusal.error_code,
                reason: shortened(&refusal.message),
            };
        }
        let Some(http) = source.and_then(|it| it.downcast_ref::<reqwest::Error>()) else {
            return Self::Answer(shortened(&error.error));
        };
        let reason = shortened(&chain(http));
        if http.is_decode() {
            Self::Answer(format!("it is not the JSON of a schema registry ({reason})"))
        } else if reason.to_lowercase().contains("certificate") || reason.contains("fatal alert") {
            Self::Certificate(reason)
        } else {
            Self::Transport(reason)
        }
    }

    /// Whether the same question may have an answer later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Certificate(_) | Self::Answer(_) => false,
        }
    }

    /// Whether the question disagrees with what the registry has.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Status { status: 409, .. })
    }

    /// The error that the user reads.
    pub(super) fn named(self, address: &str, call: SrCall<'_>, subject: &str) -> Error {
        let (address, subject) = (address.to_owned(), subject.to_owned());
        let (status, code, reason) = match self {
            Self::Transport(what) | Self::Answer(what) => {
                return Error::BadAnswer { address, what };
            }
            Self::Certificate(reason) => return Error::Certificate { address, reason },
            Self::Status { status, code, reason } => (status, code, reason),
        };
        match (status, call) {
            (401 | 403, _) => Error::Unauthorised { address, status, reason },
            (409, _) => Error::Incompatible { subject, reason },
            (422, _) => Error::Refused { subject, reason },
            // 404xx are the Confluent API's own; a bare 404 is some other server's.
            (404, SrCall::GetById(id)) if code / 100 == 404 => Error::IdNotFound { id, reason },
            (404, SrCall::GetLatest(_)) if code / 100 == 404 => {
                Error::SubjectNotFound { subject, reason }
            }
            (404, SrCall::PostForVersion(..)) if code / 100 == 404 => {
                Error::NotRegistered { subject, reason }
            }
            _ => Error::BadAnswer {
                address,
                what: format!("status {status}, code {code}, {reason}"),
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(reason) | Self::Certificate(reason) | Self::Answer(reason) => {
                formatter.write_str(reason)
            }
            Self::Status { status, reason, .. } => write!(formatter, "status {status}, {reason}"),
        }
    }
}

/// The HTTP status, which the client library gives only in its message.
fn status(message: &str) -> u16 {
    let digits = message.split("status ").nth(1).and_then(|rest| rest.get(..3));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The causes below the HTTP library's own "error sending request".
fn chain(error: &reqwest::Error) -> String {
    let mut reasons = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        reasons.push(error.to_string());
        cause = error.source();
    }
    if reasons.is_empty() {
        // Only the kind: the whole message repeats the address.
        let kind = if error.is_timeout() { "no answer in time" } else { "the request failed" };
        return kind.to_owned();
    }
    reasons.join(": ")
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_CHARACTERS_MAX) {
        None => reason.to_owned(),
        Some((end, _)) => format!("{}…", &reason[..end]),
    }
}
