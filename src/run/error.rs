//! Why a run cannot begin, or did not end well.

use std::io;
use std::path::PathBuf;

use super::request::Shard;
use super::{repetition, schema, window};
use crate::config::Refused;
use crate::consume;
use crate::embedded;
use crate::encode::{json, registry};
use crate::manifest;
use crate::observe;
use crate::observe::consumer::Kind;
use crate::publish::{kafka, pulsar};
use crate::replay;
use crate::stream::{self, pacer};
use crate::verify;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be run.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The part of model time that was asked for cannot be.
    #[error(transparent)]
    Window(#[from] window::Error),
    /// More shards than lanes: some would have nothing to send.
    #[error(
        "`--shard {shard}`: the model has {lanes} lanes, so there can be {lanes} shards at most"
    )]
    TooManyShards {
        /// The shard.
        shard: Shard,
        /// The model's lanes.
        lanes: u16,
    },
    /// Shards would each have a start of their own.
    #[error(
        "`--shard` needs a start that all shards share, and the model's is \"now\": add \
         `--start 2026-03-02T00:00:00Z`"
    )]
    ShardWithoutStart,
    /// Shards would each begin at another moment.
    #[error(
        "`--shard` to {sink} needs a moment at which all shards begin: add `--at` with a time a \
         little ahead, such as `--at 2026-03-02T12:00:00Z`"
    )]
    ShardWithoutMoment {
        /// Where to.
        sink: &'static str,
    },
    /// A moment to begin at, and no schedule.
    #[error(
        "`--at` says when the schedule begins, and with `--speed max` there is none: leave one out"
    )]
    MomentWithoutSchedule,
    /// A stream that the model does not have.
    #[error("the model has no stream `{name}`: {hint}")]
    UnknownStream {
        /// What was given.
        name: String,
        /// The nearest one, or all.
        hint: String,
    },
    /// A group where there are subscriptions.
    #[error(
        "`--group` names a consumer group of Kafka, and the events go to Pulsar: name the subscription \
         with `--subscription`"
    )]
    GroupOfPulsar,
    /// A subscription where there are groups.
    #[error(
        "`--subscription` names a subscription of Pulsar, and the events go to Kafka: name the consumer \
         group with `--group`"
    )]
    SubscriptionOfKafka,
    /// A consumer of what no broker keeps.
    #[error(
        "`--{}` watches who reads from a broker of yours, and the events go to {sink}: choose \
         `--to kafka` or `--to pulsar`, or leave it out",
        kind.name()
    )]
    ConsumerOfNothing {
        /// What kind of reader.
        kind: Kind,
        /// Where to.
        sink: &'static str,
    },
    /// A condition on a consumer that is not watched.
    #[error(
        "`--fail-if {condition}` is about a consumer, and none is watched: name it with `--group`, or \
         `--subscription` for Pulsar"
    )]
    ConditionOfNoConsumer {
        /// The condition.
        condition: String,
    },
    /// A consumer that nobody ever saw.
    #[error(
        "the {} `{name}` was never seen: no member, and nothing committed, until watching ended; is the \
         name right? `--catch-up` waits longer for it",
        kind.name()
    )]
    ConsumerNeverCame {
        /// What kind of reader.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Reading topics, or watching who reads.
    #[error(transparent)]
    Consume(#[from] consume::Error),
    /// The model names no Kafka.
    #[error(
        "the model names no Kafka: add `[sink.kafka]` to it, `-X bootstrap.servers=HOST:PORT`, or \
         another sink with `--to`"
    )]
    NoKafka,
    /// The model names no Pulsar.
    #[error(
        "the model names no Pulsar: add `[sink.pulsar]` to it, `-X serviceUrl=pulsar://HOST:6650`, or \
         another sink with `--to`"
    )]
    NoPulsar,
    /// Streams that share a topic, whose schema Pulsar would keep.
    #[error(
        "the streams `{}` and `{}` share the topic `{topic}`, which has one schema in Pulsar's own \
         registry: give them topics of their own, or set `schema = \"registry\"` in `[sink.pulsar]`",
        streams[0], streams[1]
    )]
    SharedTopic {
        /// The topic.
        topic: String,
        /// Two of the streams.
        streams: [String; 2],
    },
    /// The model names no registry, and Avro on Kafka needs one.
    #[error(
        "the model names no schema registry: add `[registry]` to it or `--registry URL`, or write values \
             as JSON with `value.format = \"json\"`"
    )]
    NoRegistry,
    /// The schema registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A schema from the registry that we cannot write with.
    #[error(transparent)]
    Schema(#[from] schema::Error),
    /// Kafka, before the first event.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// Pulsar, before the first event.
    #[error(transparent)]
    Pulsar(#[from] pulsar::Error),
    /// The Kafka inside the process.
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    /// Generating.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// A recording, or topics that are recorded.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// A schema whose values cannot be written as JSON.
    #[error("a schema cannot be shown as JSON")]
    Json(#[from] json::Error),
    /// A run that cannot be done again.
    #[error(transparent)]
    Repetition(#[from] repetition::Error),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// The metrics endpoint.
    #[error(transparent)]
    Metrics(#[from] observe::exporter::Error),
    /// A signal while the run was still being prepared.
    #[error("stopped by a signal before the first event")]
    StoppedEarly,
    /// Generating or publishing, while the run went on.
    #[error(transparent)]
    Flow(#[from] pacer::Error),
    /// Verifying.
    #[error(transparent)]
    Verify(#[from] verify::Error),
    /// What says how far a run had come.
    #[error("`{}`, which says how far the run had come, cannot be read: delete it to begin where the run did", path.display())]
    Progress {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A run with faults: what was meant to be twice, late or missing cannot be told from what is.
    #[error(
        "a run with faults cannot be resumed: what is missing or doubled on purpose looks as if the kill had done it"
    )]
    ResumeFaults,
    /// A run with faults, which verifying does not know of.
    #[error(
        "the model has faults, and what they did on purpose is not told from what a consumer did yet: \
         compare with the ledger of the run, or verify a run without them"
    )]
    VerifyFaults,
    /// A stream whose events nobody can tell from each other.
    #[error(
        "the events of `{stream}` say nowhere who they are (`identity = \"none\"`), so that nobody can tell which are there"
    )]
    NoIdentity {
        /// The stream.
        stream: String,
    },
    /// A run that was killed while it told what members are like.
    #[error(
        "the run was killed before its first event, while it told what members are like: do it again without `--resume`"
    )]
    ResumeSnapshot,
    /// A run with batches by key that was drained, in a topic that deduplicates.
    #[error(
        "the run was stopped amid a window of batches by key, and the topic deduplicates: the rest of it would be \
         taken for what is there; only a run that was killed can go on with `batcherBuilder = key`"
    )]
    ResumeKeyBatches,
    /// A shard of a run that ends after a number of events of all shards.
    #[error(
        "a shard of a run that ends with `--count` cannot be resumed: nobody knows how far the others are"
    )]
    ResumeShardByCount,
    /// A run that went to no broker, and no topic is named.
    #[error(
        "the run went to {sink}, where nothing can be read back: name the topic that has its events, as in \
         `--from kafka://HOST:PORT/TOPIC`"
    )]
    NoSource {
        /// Where it went.
        sink: &'static str,
    },
    /// A stream that was asked for, and that the run did not send.
    #[error("the run did not send the stream `{name}`: leave it out of `--streams`")]
    StreamNotSent {
        /// Its name.
        name: String,
    },
    /// A topic that is not the run's, which had several streams.
    #[error(
        "which events should be in `{topic}`? the run has several streams: say which with \
         `--streams`, of {streams}"
    )]
    WhichStreams {
        /// The topic.
        topic: String,
        /// The names of the streams.
        streams: String,
    },
    /// A model without an end, of which nobody says what was sent.
    #[error(
        "nobody says where the run ended: give its manifest, or the model's end with `--until`, \
         `--duration` or `--count`"
    )]
    EndlessRun,
    /// Our own bug in a thread of the run.
    #[error("a thread of the run has panicked; this is a bug of tidegate")]
    Panicked,
    /// The system refused a thread, a signal handler or the like.
    #[error("cannot {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Events that the sink refused.
    #[error(
        "{refused} of {issued} events of stream `{stream}` were refused by the topic `{topic}`: \
         {reason}{}",
        advice.map(|advice| format!("; {advice}")).unwrap_or_default()
    )]
    EventsRefused {
        /// The stream.
        stream: String,
        /// Its topic.
        topic: String,
        /// Events refused.
        refused: u64,
        /// Events of the stream that were issued.
        issued: u64,
        /// The reason that led to the others, if there are several.
        reason: String,
        /// The way out, if one is known.
        advice: Option<&'static str>,
    },
    /// Events of which nobody knows.
    #[error(
        "{unacknowledged} of {issued} events have no receipt: they may have arrived or not; \
         `--drain` waits longer for receipts"
    )]
    Unacknowledged {
        /// Events without a receipt.
        unacknowledged: u64,
        /// Events issued.
        issued: u64,
    },
    /// The counts do not add up: our own bug, which must not be hidden.
    #[error(
        "{issued} events were issued, but {known} are known of; this is a bug of tidegate, and \
         the report cannot be trusted"
    )]
    Miscounted {
        /// Events issued.
        issued: u64,
        /// Events delivered, failed or unacknowledged.
        known: u64,
    },
}

impl Error {
    /// Whether the invocation or the configuration is wrong, rather than the world around.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Repetition(_)
            | Self::Window(_)
            | Self::TooManyShards { .. }
            | Self::ShardWithoutStart
            | Self::ShardWithoutMoment { .. }
            | Self::MomentWithoutSchedule
            | Self::UnknownStream { .. }
            | Self::GroupOfPulsar
            | Self::SubscriptionOfKafka
            | Self::ConsumerOfNothing { .. }
            | Self::ConditionOfNoConsumer { .. }
            | Self::NoKafka
            | Self::NoPulsar
            | Self::SharedTopic { .. }
            | Self::NoSource { .. }
            | Self::StreamNotSent { .. }
            | Self::WhichStreams { .. }
            | Self::EndlessRun
            | Self::VerifyFaults
            | Self::ResumeFaults
            | Self::ResumeShardByCount
            | Self::NoIdentity { .. }
            | Self::ResumeSnapshot
            | Self::ResumeKeyBatches
            | Self::NoRegistry => true,
            Self::Kafka(error) | Self::Consume(consume::Error::Kafka(error)) => {
                error.is_configuration()
            }
            Self::Pulsar(error) | Self::Consume(consume::Error::Pulsar(error)) => {
                error.is_configuration()
            }
            Self::Registry(error) => matches!(
                error,
                registry::Error::NoAddress
                    | registry::Error::NotAnAddress { .. }
                    | registry::Error::PasswordInAddress
                    | registry::Error::NotPem { .. }
            ),
            Self::Replay(error) => error.is_configuration(),
            Self::Stream(error) => {
                use stream::Error::{Long, Phases, Shard, Window};
                matches!(error, Shard { .. } | Window { .. } | Long { .. } | Phases { .. })
            }
            _ => false,
        }
    }
}
