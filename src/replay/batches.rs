//! Batches of recorded records, made ahead on a thread of its own.
//!
//! Records of different partitions come about in the order of their timestamps. They are held back for a
//! little while, so that they leave in exactly that order; those of one partition stay in theirs.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::edit::Editor;
use super::schemas::{Mapping, Schemas, framed, reframe};
use super::{Damage, Error, Fed, Feed, Recorded};
use crate::clock::Clock;
use crate::config::settings::Moment;
use crate::encode::headers::put_own;
use crate::encode::partition::Hash;
use crate::encode::registry::Part;
use crate::stream::digest::Digest;
use crate::stream::pacer::{Source, Speed};
use crate::stream::{self, Batch, Record};

/// How long records are held back, in microseconds of their own time: twice what partitions that are read
/// side by side run ahead of each other.
const HELD_US: i64 = 100_000;

/// The most bytes that are held back.
const HELD_BYTES: usize = 8 << 20;

/// The fewest records of a batch, as long as there are more.
const RECORDS_MIN: usize = 4_096;

/// How many batches are made ahead.
const AHEAD: usize = 4;

/// Where the records of a topic go.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the topic is called there.
    pub topic: String,
    /// Its partitions, if we choose among them.
    pub partitions: Option<u32>,
    /// How a key becomes one of them.
    pub hash: Hash,
}

/// What is known of the wall clock, for times that are moved.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The clock.
    pub clock: Clock,
    /// When the first record goes, in nanoseconds since the Unix epoch.
    pub anchor_ns: i64,
    /// How fast time goes by.
    pub speed: Speed,
}

/// How records become batches.
#[derive(Debug)]
pub struct Options {
    /// Where the records of each topic go.
    pub targets: Vec<Target>,
    /// Whether records go to the partition of the number that they lay in, and not to that of their key.
    pub keep_partitions: bool,
    /// With which record to begin.
    pub from: Option<Moment>,
    /// Before which record to end.
    pub until: Option<Moment>,
    /// How many records to send at most.
    pub count: Option<u64>,
    /// How many times to send them all.
    pub passes: u64,
    /// Moves times, if any are to be moved.
    pub editor: Option<Editor>,
    /// What the ids of schemas are at the target, if they are other ones.
    pub mapping: Option<Mapping>,
    /// The schemas at the source.
    pub schemas: Arc<Mutex<Schemas>>,
    /// What times are moved by.
    pub timing: Timing,
}

/// Opens the feed again, for another pass.
pub type Open = Box<dyn FnMut() -> Result<Box<dyn Feed>, Error> + Send>;

/// What could not be read, as far as that is known.
pub type Damages = Arc<Mutex<Vec<Damage>>>;

/// Recorded records as batches.
#[derive(Debug)]
pub struct Batches {
    first: Option<Batch>,
    rest: Receiver<Result<Batch, Error>>,
}

impl Batches {
    /// Starts the thread, and waits for the first batch; `open` opens the feed for the passes after the
    /// first one. Tells what could not be read in `damages`.
    pub fn start(
        feed: Box<dyn Feed>,
        open: Open,
        options: Options,
        damages: Damages,
    ) -> Result<Self, Error> {
        let (send, rest) = sync_channel(AHEAD);
        let maker = Maker::new(feed.topics().to_vec(), options);
        let thread = std::thread::Builder::new().name("replay".to_owned());
        thread.spawn(move || maker.run(feed, open, &send, &damages)).map_err(Error::Thread)?;
        let first = rest.recv().ok().transpose()?;
        Ok(Self { first, rest })
    }

    /// When the first record is due, in microseconds since the Unix epoch; none if there is none.
    pub fn begin_us(&self) -> Option<i64> {
        Some(self.first.as_ref()?.records.first()?.due_us)
    }
}

impl Source for Batches {
    fn next(&mut self) -> Option<Result<Batch, stream::Error>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let next = self.rest.recv().ok()?;
        Some(next.map_err(|error| stream::Error::Source(Box::new(error))))
    }

    fn digest(&self, _: &Batch) -> Option<Digest> {
        None
    }
}

/// The part of time that is sent, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
struct Window {
    from_us: i64,
    until_us: i64,
}

/// Makes batches.
struct Maker {
    topics: Vec<String>,
    options: Options,
    window: Option<Window>,
    /// By topic and, from 1, partition: when its last record was due, which later ones do not come before.
    due_us: BTreeMap<(usize, u32), i64>,
    /// The records that are held back, and their bytes.
    held: Vec<Record>,
    arena: Vec<u8>,
    /// Scratch space.
    edited: Vec<u8>,
    /// By topic: whether keys are Avro with an id.
    framed_keys: Vec<Option<bool>>,
    /// The first and the last time of the pass, before it was shifted.
    span_us: Option<(i64, i64)>,
    /// How many records the pass has.
    records: u64,
    shift_us: i64,
    /// Whether anything was sent, and when its last record was due.
    sent_us: i64,
    begin_us: Option<i64>,
    taken: u64,
    left: u64,
}

impl Maker {
    fn new(topics: Vec<String>, options: Options) -> Self {
        Self {
            framed_keys: vec![None; topics.len()],
            topics,
            window: None,
            due_us: BTreeMap::new(),
            held: Vec::new(),
            arena: Vec::new(),
            edited: Vec::new(),
            span_us: None,
            records: 0,
            shift_us: 0,
            sent_us: i64::MIN,
            begin_us: None,
            taken: 0,
            left: options.count.unwrap_or(u64::MAX),
            options,
        }
    }

    fn run(
        mut self,
        feed: Box<dyn Feed>,
        mut open: Open,
        send: &SyncSender<Result<Batch, Error>>,
        damages: &Mutex<Vec<Damage>>,
    ) {
        let mut feed = Some(feed);
        for pass in 0..self.options.passes {
            let mut feed = match feed.take().map_or_else(&mut open, Ok) {
                Ok(feed) => feed,
                Err(error) => return drop(send.send(Err(error))),
            };
            if pass > 0 {
                self.begin_again();
            }
            let passed = self.pass(feed.as_mut(), send);
            if pass == 0 {
                let mut all = damages.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend_from_slice(feed.damages());
            }
            match passed {
                // Whoever took batches is gone.
                Err(None) => return,
                Err(Some(error)) => return drop(send.send(Err(error))),
                Ok(()) => {}
            }
            if self.left == 0 || self.records == 0 {
                return;
            }
        }
        if let Some(Err(error)) = self.options.editor.as_ref().map(Editor::check_met) {
            drop(send.send(Err(error)));
        }
    }

    /// Sends all of a feed.
    fn pass(
        &mut self,
        feed: &mut dyn Feed,
        send: &SyncSender<Result<Batch, Error>>,
    ) -> Result<(), Option<Error>> {
        loop {
            let fed = feed.next(&mut |record| self.add(record)).map_err(Some)?;
            while let Some(batch) = self.give(fed == Fed::End) {
                send.send(Ok(batch)).map_err(|_| None)?;
            }
            if fed == Fed::End || self.left == 0 {
                return Ok(());
            }
        }
    }

    /// The next pass follows the last record as the records followed each other.
    fn begin_again(&mut self) {
        if let Some((first_us, last_us)) = self.span_us.take() {
            let records = i64::try_from(self.records).unwrap_or(i64::MAX);
            let gap_us = (last_us - first_us) / (records - 1).max(1);
            self.shift_us += last_us - first_us + gap_us;
        }
        self.records = 0;
        self.due_us.clear();
    }

    fn add(&mut self, record: &Recorded<'_>) -> Result<(), Error> {
        let place = (record.topic, record.partition.map_or(0, |number| number + 1));
        let before_us = self.due_us.get(&place).copied();
        let time_us = match record.timestamp_ms {
            // Without a time it goes with what came before it.
            ..0 => self.span_us.map_or(0, |(_, last_us)| last_us),
            time_ms => time_ms.saturating_mul(1_000),
        };
        let window = *self.window.get_or_insert_with(|| {
            let resolved = |moment: Option<Moment>| match moment? {
                Moment::At(time_us) => Some(time_us),
                Moment::AfterStart(after) => {
                    Some(time_us.saturating_add(i64::try_from(after.as_micros()).ok()?))
                }
            };
            Window {
                from_us: resolved(self.options.from).unwrap_or(i64::MIN),
                until_us: resolved(self.options.until).unwrap_or(i64::MAX),
            }
        });
        if time_us < window.from_us || time_us >= window.until_us {
            return Ok(());
        }
        let due_us = before_us.map_or(time_us, |before_us| before_us.max(time_us));
        self.due_us.insert(place, due_us);
        let (first_us, last_us) = self.span_us.unwrap_or((due_us, due_us));
        self.span_us = Some((first_us.min(due_us), last_us.max(due_us)));
        self.records += 1;
        self.hold(record, due_us + self.shift_us)
    }

    /// Holds a record back that is due then.
    fn hold(&mut self, record: &Recorded<'_>, due_us: i64) -> Result<(), Error> {
        let target = &self.options.targets[record.topic];
        let partition = partition(record, target, self.options.keep_partitions)?;
        let start = self.arena.len();
        for (name, value) in record.headers {
            put_own(&mut self.arena, name, *value);
        }
        let header_end = self.arena.len();
        self.arena.extend_from_slice(record.key.unwrap_or_default());
        let key_end = self.arena.len();
        if let Some(value) = record.value {
            self.put_value(record, value, due_us)?;
        }
        if self.options.mapping.is_some() {
            self.map_ids(record, header_end..key_end)?;
        }
        self.taken += 1;
        self.held.push(Record {
            due_us,
            start: low(start),
            header_bytes: low(header_end - start),
            key_bytes: low(key_end - header_end),
            value_bytes: low(self.arena.len() - key_end),
            partition,
            stream: u16::try_from(record.topic).unwrap_or(u16::MAX),
            keyed: record.key.is_some(),
            tombstone: record.value.is_none(),
        });
        Ok(())
    }

    /// Appends a value, with its times moved if they are to be.
    fn put_value(&mut self, record: &Recorded<'_>, value: &[u8], due_us: i64) -> Result<(), Error> {
        if self.options.editor.is_none() {
            self.arena.extend_from_slice(value);
            return Ok(());
        }
        let shift_us = self.intended_us(due_us) - (due_us - self.shift_us);
        let Some(editor) = &mut self.options.editor else { return Ok(()) };
        self.edited.clear();
        let mut schemas = self.options.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.topics[record.topic].as_str();
        editor.value((topic, value), &mut schemas, shift_us, &mut self.edited)?;
        self.arena.extend_from_slice(&self.edited);
        Ok(())
    }

    /// When a record is intended on the wall clock, in microseconds since the Unix epoch.
    #[expect(clippy::cast_possible_truncation, reason = "times within 292 years of the anchor")]
    fn intended_us(&mut self, due_us: i64) -> i64 {
        let begin_us = *self.begin_us.get_or_insert(due_us);
        let Timing { clock, anchor_ns, speed } = &self.options.timing;
        let since_ns = match speed {
            Speed::Times(times) => (due_us - begin_us) as f64 * 1e3 / times,
            Speed::Even { interval_ns, .. } => self.taken as f64 * interval_ns,
            Speed::Max => return clock.now_us(),
        };
        anchor_ns.saturating_add(since_ns as i64).div_euclid(1_000)
    }

    /// Puts the ids of the target in the place of those of the source, in the record that was appended
    /// last.
    fn map_ids(&mut self, record: &Recorded<'_>, key: std::ops::Range<usize>) -> Result<(), Error> {
        let Some(mapping) = &mut self.options.mapping else { return Ok(()) };
        let source = self.topics[record.topic].as_str();
        let topic = (record.topic, source, self.options.targets[record.topic].topic.as_str());
        let mut schemas = self.options.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, _)) = framed(&self.arena[key.end..]) {
            let id = mapping.id(topic, Part::Value, id, &mut schemas)?;
            reframe(&mut self.arena[key.end..], id);
        }
        let bytes = &self.arena[key.clone()];
        if bytes.first() == Some(&0) && self.framed_keys[record.topic] != Some(false) {
            let is_framed = match self.framed_keys[record.topic] {
                Some(is_framed) => is_framed,
                None => schemas.frames(bytes)?,
            };
            self.framed_keys[record.topic] = Some(is_framed);
            if let Some((id, _)) = framed(bytes).filter(|_| is_framed) {
                let id = mapping.id(topic, Part::Key, id, &mut schemas)?;
                reframe(&mut self.arena[key], id);
            }
        }
        Ok(())
    }

    /// The next batch, of what need not be held back any longer; of all, if no more follows.
    fn give(&mut self, all: bool) -> Option<Batch> {
        let full = self.arena.len() >= HELD_BYTES;
        if self.left == 0 || self.held.is_empty() || !all && !full && self.held.len() < RECORDS_MIN
        {
            return None;
        }
        // Nearly sorted already; equal ones stay in their order.
        self.held.sort_by_key(|record| record.due_us);
        let last_us = self.held[self.held.len() - 1].due_us;
        let ripe = |record: &Record| record.due_us <= last_us - HELD_US;
        let mut count = match (all, self.held.partition_point(ripe)) {
            (true, _) => self.held.len(),
            // So much in so little time: half of it goes, be it that something earlier comes.
            (false, ripe) if full => ripe.max(self.held.len() / 2).max(1),
            // What stays is moved, so that it must not be much more than what goes.
            (false, ripe) if ripe < self.held.len() / 2 => return None,
            (false, ripe) => ripe,
        };
        count = count.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= count as u64;
        let rest = self.held.split_off(count);
        let mut records = std::mem::replace(&mut self.held, rest);
        let mut arena = Vec::with_capacity(HELD_BYTES / 4);
        for record in &mut self.held {
            let start = arena.len();
            let bytes = record.start as usize..record.value_range().end;
            arena.extend_from_slice(&self.arena[bytes]);
            record.start = low(start);
        }
        for record in &mut records {
            self.sent_us = self.sent_us.max(record.due_us);
            record.due_us = self.sent_us;
        }
        let window_us = records[0].due_us..self.sent_us + 1;
        let arena = Arc::new(std::mem::replace(&mut self.arena, arena));
        Some(Batch { window_us, arena, records: Arc::new(records), ..Batch::default() })
    }
}

/// The partition that a record goes to; −1 leaves it open.
fn partition(record: &Recorded<'_>, target: &Target, keep: bool) -> Result<i32, Error> {
    let kept = record.partition.and_then(|number| i32::try_from(number).ok());
    let Some(count) = target.partitions.filter(|count| *count > 0) else {
        return Ok(-1);
    };
    match (record.key, record.partition) {
        (_, Some(number)) if keep && number >= count => Err(Error::Asked(format!(
            "`--keep-partitions`: a record lay in partition {number}, but `{}` has {count} partitions",
            target.topic
        ))),
        (_, Some(_)) if keep => Ok(kept.unwrap_or(-1)),
        (Some(key), _) => Ok(target.hash.partition(key, count)),
        (None, Some(number)) => Ok(i32::try_from(number % count).unwrap_or(-1)),
        (None, None) => Ok(-1),
    }
}

fn low(number: usize) -> u32 {
    let low = u32::try_from(number);
    assert!(low.is_ok(), "what is held back is far below 4 GiB");
    low.unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
