//! What can go wrong between us and Pulsar, and how it is told apart.

use pulsar::message::proto::ServerError;

/// What can go wrong between us and Pulsar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such setting.
    #[error(
        "`{name}` is not a setting of the Pulsar sink{}",
        nearest.as_ref().map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
    )]
    UnknownProperty {
        /// The name that was given.
        name: String,
        /// A name that is close to it.
        nearest: Option<String>,
    },
    /// A value that the setting does not take.
    #[error("`{name}` cannot be set: {reason}")]
    BadProperty {
        /// The setting.
        name: String,
        /// Why not.
        reason: String,
    },
    /// No address to start from.
    #[error(
        "no Pulsar address is given: set `serviceUrl`, such as `-X serviceUrl=pulsar://localhost:6650`"
    )]
    NoService,
    /// Nobody answers.
    #[error("Pulsar at {service} did not answer within {waited_s} s: {last}")]
    Unreachable {
        /// The addresses given.
        service: String,
        /// How long we tried, in seconds.
        waited_s: u64,
        /// The last error seen.
        last: String,
    },
    /// The broker does not know us.
    #[error("Pulsar at {service} refused the login: {reason}; check `authPlugin` and `authParams`")]
    Authentication {
        /// The addresses given.
        service: String,
        /// The broker's words.
        reason: String,
    },
    /// No secure connection.
    #[error(
        "no secure connection to Pulsar at {service}: {reason}; check `tlsTrustCertsFilePath`, \
         `tlsCertificateFilePath` and `tlsKeyFilePath`"
    )]
    Tls {
        /// The addresses given.
        service: String,
        /// What the TLS library says.
        reason: String,
    },
    /// No right to write to a topic.
    #[error(
        "not authorised to write to the topic `{topic}`: {reason}; the role needs `produce` on it"
    )]
    NotAuthorised {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// Topics that are not there, or are there no more.
    #[error(
        "no such topic: {}; create with `--create-topics`, or with `tidegate topics MODEL --create`",
        topics.iter().map(|topic| format!("`{topic}`")).collect::<Vec<_>>().join(", ")
    )]
    TopicMissing {
        /// Their names.
        topics: Vec<String>,
    },
    /// A topic that was there, and is no more.
    #[error(
        "the topic `{topic}` is there no more: it was deleted while this run sent to it, and nothing \
         was made in its place"
    )]
    TopicGone {
        /// The topic.
        topic: String,
    },
    /// A topic could not be made.
    #[error("cannot create the topic `{topic}`: {reason}")]
    Create {
        /// The topic.
        topic: String,
        /// Why not.
        reason: String,
    },
    /// A topic that takes no more.
    #[error("the topic `{topic}` was terminated: it takes no more messages")]
    TopicTerminated {
        /// The topic.
        topic: String,
    },
    /// A schema that the topic's others do not go with.
    #[error(
        "the topic `{topic}` refuses the schema: {reason}; change the model's schema, or the \
         namespace's compatibility strategy"
    )]
    Schema {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// A topic whose backlog is full.
    #[error(
        "the topic `{topic}` takes no more: its namespace's backlog quota is exceeded ({reason}); \
         consume it, skip the backlog of subscriptions that nobody reads, or raise the quota"
    )]
    Quota {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// Somebody else has a producer of our name.
    #[error(
        "the producer `{name}` is connected to the topic `{topic}` already: {reason}; is the same \
         run going on elsewhere? Otherwise set `producerName`"
    )]
    ProducerTaken {
        /// The producer's name.
        name: String,
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// A topic that deduplicates has later messages of this producer already.
    #[error(
        "the topic `{topic}` deduplicates, and has messages of the producer `{name}` up to sequence \
         id {last}; this run begins at {first}, so that the topic would swallow what it sends: begin \
         later (`--from`), send to an empty topic, or set `producerName`"
    )]
    SequenceBehind {
        /// The producer's name.
        name: String,
        /// The topic.
        topic: String,
        /// The last sequence id that the topic has.
        last: i64,
        /// The first one of this run.
        first: u64,
    },
    /// A topic that deduplicates took messages for others that it had.
    #[error(
        "the topic `{topic}` deduplicates, and took messages of this run for others that it has: is \
         the same run going on elsewhere? Set `producerName`"
    )]
    Swallowed {
        /// The topic.
        topic: String,
    },
    /// A message had no receipt in time.
    #[error("a message to the topic `{topic}` had no receipt within `sendTimeoutMs`")]
    Expired {
        /// The topic.
        topic: String,
    },
    /// The broker refuses something else.
    #[error("Pulsar refuses the topic `{topic}`: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// The broker's words.
        reason: String,
    },
    /// The system refused something.
    #[error("cannot {what}: {reason}")]
    Ask {
        /// What was asked.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Whether it lies in what the user wrote.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::UnknownProperty { .. } | Self::BadProperty { .. } | Self::NoService)
    }
}

/// What to do about events that Pulsar refused for a reason.
pub fn way_out(reason: &str) -> Option<&'static str> {
    match reason {
        "message_too_large" => Some(
            "the broker takes no messages so large (`maxMessageSize`); raise its limit or shorten the \
             fields",
        ),
        "not_allowed" => Some(
            "the topic's policies refuse them; if that is for their size, `batchingMaxBytes` must be below \
             the topic's `maxMessageSize`",
        ),
        _ => None,
    }
}

/// How a try failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// It may go better the next time: why it did not.
    Again(String),
    /// It may go better for some time; then this is the error.
    Patience(Error),
    /// It will not go better.
    Final(Error),
}

impl Failure {
    /// Why it failed.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Again(reason) => reason,
            Self::Patience(error) | Self::Final(error) => error.to_string(),
        }
    }
}

/// What a message says: that of a Java exception may be a page, and its first line says what it is.
pub(super) fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default().trim()
}

/// What an answer of the broker means for a topic.
pub(super) fn of_server(code: i32, message: &str, topic: &str, producer: &str) -> Failure {
    let reason = first_line(message).to_owned();
    let topic = topic.to_owned();
    let error = match ServerError::try_from(code) {
        Ok(ServerError::TopicNotFound) => Error::TopicMissing { topics: vec![topic] },
        Ok(ServerError::TopicTerminatedError) => Error::TopicTerminated { topic },
        Ok(ServerError::IncompatibleSchema) => Error::Schema { topic, reason },
        Ok(ServerError::AuthorizationError) => Error::NotAuthorised { topic, reason },
        Ok(
            ServerError::ProducerBlockedQuotaExceededError
            | ServerError::ProducerBlockedQuotaExceededException,
        ) => return Failure::Patience(Error::Quota { topic, reason }),
        // After a broken connection the broker may not have noticed yet.
        Ok(ServerError::ProducerBusy) => {
            let name = producer.to_owned();
            return Failure::Patience(Error::ProducerTaken { name, topic, reason });
        }
        Ok(
            ServerError::AuthenticationError
            | ServerError::UnsupportedVersionError
            | ServerError::InvalidTopicName
            | ServerError::NotAllowedError
            | ServerError::ProducerFenced,
        ) => Error::Refused { topic, reason },
        Ok(_) | Err(_) => return Failure::Again(reason),
    };
    Failure::Final(error)
}
