//! The ordered, paced stream of encoded batches.

pub mod deferrals;
pub mod digest;
pub mod cut;
mod rows;
mod stretches;
mod follow_up;
mod ordinals;
mod parts;
pub mod producer;
pub mod forecast;
pub mod ahead;
pub mod in_flight;
pub mod faults;
pub mod pacer;

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::encode;
use crate::encode::partition::Hash;
use crate::plan::Plan;
use crate::plan::batch::{BATCH_EVENTS, Batches};
use ahead::Ahead;
use deferrals::Deferrals;
use digest::Digest;
use producer::Producer;

/// One encoded event: where its bytes lie in the arena of its [`Batch`], and where it goes.
///
/// In the arena an event is `[headers][key][value]`, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it is due, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
    /// Where its bytes begin in the arena.
    pub start: u32,
    /// Length of its headers, as [`crate::encode::headers`] writes them.
    pub header_bytes: u32,
    /// Length of its key; see `keyed`.
    pub key_bytes: u32,
    /// Length of its value, framing included.
    pub value_bytes: u32,
    /// The partition, when the stream's topic has partitions that we choose; −1 leaves it open.
    pub partition: i32,
    /// The number of the stream in the model.
    pub stream: u16,
    /// Whether it has a key (a key may be empty).
    pub keyed: bool,
    /// Whether it has no value at all: whom the key names is gone.
    pub tombstone: bool,
}

impl Record {
    /// Where the headers lie in the arena.
    pub fn header_range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.header_bytes as usize
    }

    /// Where the key lies in the arena.
    pub fn key_range(&self) -> Range<usize> {
        let start = self.header_range().end;
        start..start + self.key_bytes as usize
    }

    /// Where the value lies in the arena.
    pub fn value_range(&self) -> Range<usize> {
        let start = self.key_range().end;
        start..start + self.value_bytes as usize
    }
}

/// Who an event is in its stream, see [`crate::plan::identity::Identity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// Position, or entity and version.
    pub number: u64,
    /// Which of the events that follow from one number.
    pub child: u16,
}

/// The events of a stretch of model time, encoded, in send order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The stretch of model time, in microseconds since the Unix epoch.
    pub window_us: Range<i64>,
    /// Keys and values of all records.
    pub arena: Arc<Vec<u8>>,
    /// The records, in send order.
    pub records: Arc<Vec<Record>>,
    /// Who the records' events are, one each, if that is asked for.
    pub who: Vec<Who>,
    /// How many events of the stretch are no records here, because their topics have them already.
    pub there: u32,
    /// Whether the records have bytes; else only their times and streams are known.
    pub has_bytes: bool,
    /// The sum of the records' digests, if digests are asked for.
    pub digest: Option<Digest>,
    /// What becomes of events that phases keep away.
    pub deferrals: Deferrals,
}

impl Batch {
    /// Takes records out of which `keeps` says no; asked in send order.
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&Record) -> bool) {
        let kept: Vec<bool> = self.records.iter().map(&mut keeps).collect();
        let mut places = kept.iter();
        let mut records = self.records.to_vec();
        records.retain(|_| places.next().is_some_and(|kept| *kept));
        self.records = Arc::new(records);
        let mut places = kept.iter();
        self.who.retain(|_| places.next().is_some_and(|kept| *kept));
    }
}

/// Which share of the lanes is made here: those whose number leaves `index` when divided by `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    pub index: u32,
    /// Of how many; 1 to the number of lanes.
    pub count: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// Ids of schemas in a registry; a value or key without one is written bare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaIds {
    /// Of the values' schema.
    pub value: Option<u32>,
    /// Of the keys' schema, for keys in Avro.
    pub key: Option<u32>,
}

/// How a stream goes to its topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The ids that frame its values and keys.
    pub ids: SchemaIds,
    /// The topic's partitions, if we choose among them.
    pub partitions: Option<u32>,
    /// How a key becomes a partition.
    pub hash: Hash,
    /// Whether events of this stream are left out.
    pub skipped: bool,
}

/// Whether batches say who their events are, and which of them have bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Bytes, and nothing of who.
    #[default]
    Bytes,
    /// Who; of one in so many stretches of time the bytes too. 1: of all; 0: of none.
    Who {
        /// One in so many.
        bytes_one_in: u32,
    },
}

/// What part of a plan is made, and how; none of it changes the bytes of an event.
#[derive(Clone, Debug)]
pub struct Options {
    /// The window in microseconds since the plan's start.
    pub window_us: Range<u64>,
    /// At most so many events of the unsharded run.
    pub count: Option<u64>,
    /// At most so many events of the shard, in send order.
    pub events_max: Option<u64>,
    /// The share of the lanes.
    pub shard: Shard,
    /// Threads that generate; at least 1.
    pub threads: usize,
    /// Events of a batch, about.
    pub batch_events: u32,
    /// What batches say of their events.
    pub telling: Telling,
    /// Whether batches carry digests.
    pub digest: bool,
    /// Whether what is made are the snapshots before a run that begins where the window does,
    /// instead of its events.
    pub snapshot: bool,
    /// By stream: ids and partitions. Streams beyond the end have neither.
    pub routes: Vec<Route>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window_us: 0..u64::MAX,
            count: None,
            events_max: None,
            shard: Shard::WHOLE,
            threads: 1,
            batch_events: BATCH_EVENTS,
            telling: Telling::default(),
            digest: false,
            snapshot: false,
            routes: Vec::new(),
        }
    }
}

/// What stops a stream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An event that the schema cannot hold.
    #[error("stream `{stream}` cannot be encoded")]
    Encode {
        /// The stream's name.
        stream: String,
        /// Why not.
        #[source]
        source: encode::avro::Error,
    },
    /// An event of the control stream that its schema cannot hold.
    #[error("the control stream cannot be encoded")]
    Control(#[source] Box<apache_avro::Error>),
    /// An entry of the stream that tells of faults that its schema cannot hold.
    #[error("what faults did cannot be encoded")]
    Ledger(#[source] Box<apache_avro::Error>),
    /// Faults keep back more than memory should hold.
    #[error(
        "faults keep back more than {limit_mib} MiB of events: set a smaller `share`, a shorter `delay` or \
         silence, or fewer `streams`"
    )]
    Kept {
        /// The most, in MiB.
        limit_mib: usize,
    },
    /// Faults make values that one batch cannot hold.
    #[error(
        "faults make more than {limit_mib} MiB of one batch: set a smaller `share` or fewer `bytes` of \
         oversized records"
    )]
    Swollen {
        /// The most, in MiB.
        limit_mib: usize,
    },
    /// Multipliers that nobody saw coming: beyond what is looked at before a run.
    #[error(
        "`{stream}`: {hours:.2} h after the start a lane would have {events:.0} events in a tick: bound its curves \
         and scenarios, raise `lanes` or set a shorter `tick`"
    )]
    Rate {
        /// The stream's name.
        stream: String,
        /// When, in hours after the start.
        hours: f64,
        /// How many; not a number if a multiplier is none, or is below 0.
        events: f64,
    },
    /// A shard that does not exist.
    #[error(
        "shard {index}/{count} does not exist: shards count from 0, and there are {lanes} lanes to share"
    )]
    Shard {
        /// The shard asked for.
        index: u32,
        /// Of how many.
        count: u32,
        /// The plan's lanes.
        lanes: u32,
    },
    /// A window that positions cannot number.
    #[error(
        "the window ends {end_s} s after the start, but this model's positions end at {limit_s} s"
    )]
    Window {
        /// The window's end in seconds after the start.
        end_s: u64,
        /// The greatest end.
        limit_s: u64,
    },
    /// A window that is too long to be counted hour by hour.
    #[error("the window has {hours} hours, but {limit} are the most that a plan shows: shorten it")]
    Long {
        /// Its hours.
        hours: u64,
        /// The most.
        limit: u64,
    },
    /// More phases than can be counted one by one.
    #[error(
        "the window has {phases} phases, but {limit} are the most that a plan shows: shorten it"
    )]
    Phases {
        /// Its phases, each time that one holds.
        phases: usize,
        /// The most.
        limit: usize,
    },
    /// A thread could not be started.
    #[error("cannot start a thread to generate on")]
    Thread(#[source] std::io::Error),
    /// What batches are made of beside a plan cannot be had.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// Our own bug in a thread that generates.
    #[error("a thread that generates has panicked; this is a bug of tidegate")]
    Panicked,
}

/// The events of a plan as an asynchronous stream of batches, made ahead on threads of its own.
///
/// Batches come in the order of model time, and at most a few are made ahead of the reader; one in
/// whose stretch of time nothing happens is empty. The
/// same plan gives the same events for any number of threads, any size of batches, any window that
/// contains them and any shards that add up to the whole.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use std::sync::Arc;
/// use tidegate::config::{self, ModelSource, Overrides};
/// use tidegate::plan::{Inputs, Plan};
/// use tidegate::stream::{EventStream, Options};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let source = ModelSource::named("payments");
/// let model = config::read(&source, &Overrides::default(), &|_| None)?.model;
/// let plan = Plan::compile(&model, &Inputs::default()).map_err(|_| "the model has mistakes")?;
///
/// let options = Options { window_us: 0..10_000_000, ..Options::default() };
/// let mut stream = EventStream::start(Arc::new(plan), options)?;
/// let mut events = 0;
/// while let Some(batch) = stream.next().await {
///     events += batch?.records.len();
/// }
/// assert!(events > 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EventStream {
    ahead: Ahead,
}

impl EventStream {
    /// Starts the threads that make batches.
    pub fn start(plan: Arc<Plan>, options: Options) -> Result<Self, Error> {
        let Shard { index, count } = options.shard;
        if count == 0 || index >= count || count > plan.lanes {
            return Err(Error::Shard { index, count, lanes: plan.lanes });
        }
        let tick_us = plan.tick.length_us().unsigned_abs();
        let end_us = options.window_us.end;
        let limit_us = plan.ticks_max().saturating_mul(tick_us);
        if end_us > limit_us && end_us != u64::MAX {
            let (end_s, limit_s) = (end_us / 1_000_000, limit_us / 1_000_000);
            return Err(Error::Window { end_s, limit_s });
        }
        let window_us = options.window_us.start..end_us.min(limit_us);
        let sends = |number: usize| options.routes.get(number).is_none_or(|it| !it.skipped);
        let mut batches = Batches::new(&plan, &sends, window_us, options.batch_events);
        if options.snapshot {
            let events = u64::from(options.batch_events) * u64::from(count);
            batches = batches.of_snapshots(&plan, &sends, events);
        }
        let threads = options.threads.max(1);
        let producer = Producer::new(plan, options)?;
        Ok(Self { ahead: Ahead::start(producer, batches, threads)? })
    }

    /// The digest of a batch's records, if digests are asked for: for a batch that was cut.
    pub fn digest(&self, batch: &Batch) -> Option<Digest> {
        self.ahead.digest(batch)
    }

    /// The next batch, waiting for it on this thread; None at the end.
    pub fn next_blocking(&mut self) -> Option<Result<Batch, Error>> {
        self.ahead.next_blocking()
    }
}

impl futures::Stream for EventStream {
    type Item = Result<Batch, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().ahead.poll_next(context)
    }
}
