//! Checking: each record that is there is joined with the event that it is.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::compare::Difference;
use super::compare::{Comparer, Verdict};
use super::expected::{Expected, Sent};
use super::findings::{Finding, Findings, Kind, Place};
use super::gap::{Gap, Key, OfKey, key_hash};
use super::identify::{Identifier, Stranger};
use super::ledger::{Budget, Event, Found, Ledger};
use super::order::{Keys, Order};
use super::sorted::Sorted;
use super::{Error, remake};
use crate::consume::merge::Run;
use crate::consume::{Page, Partition, Position, Record};
use crate::plan::arrival::tick_and_lane;
use crate::plan::identity::{Cipher, Identity};
use crate::plan::{Origin, Plan, compile};
use crate::stream::{self, Batch};

/// How many keys are remembered at least, of all partitions together.
const KEYS_MAX: usize = 1 << 19;

/// How many late events are made again to compare them.
const REMADE_MAX: u64 = 10_000;

/// A partition that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The partition.
    pub partition: Partition,
    /// Whether the run itself sent to its topic, so that keys must be as they were sent.
    pub is_own: bool,
}

/// Says which events of a batch should be there.
pub type Wants = Box<dyn Fn(&Batch, &stream::Record) -> bool + Send>;

/// What is checked, and how.
pub struct Task {
    /// What was sent.
    pub sent: Sent,
    /// By stream: whether its events should be there.
    pub streams: Vec<bool>,
    /// The partitions that are read, in the order of the source.
    pub partitions: Vec<Read>,
    /// Tells whose identity a record has.
    pub identifier: Identifier,
    /// Compares what is there with what was sent; none: only who is there counts.
    pub comparer: Option<Comparer>,
    /// Says which events should be there, where the consumer filters.
    pub wants: Wants,
    /// How much is kept where.
    pub budget: Budget,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Task").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// Joins records with events.
#[derive(Debug)]
pub struct Checker {
    pub(super) task: Task,
    pub(super) plan: Arc<Plan>,
    pub(super) cipher: Cipher,
    pub(super) ledger: Ledger,
    pub(super) expected: Expected,
    pub(super) findings: Findings,
    /// By partition.
    keys: Vec<Keys>,
    /// By partition: the least rank of an event that is there.
    pub(super) first_ranks: Vec<Option<u64>>,
    /// Events of keys in compacted topics.
    pub(super) of_keys: Sorted<OfKey>,
    pub(super) folder: std::path::PathBuf,
    records: u64,
    remade: u64,
}

impl Checker {
    /// Begins to check; what memory cannot hold goes to files in `folder`, and each finding to the file
    /// `findings`, if there is one.
    pub fn start(task: Task, folder: &Path, findings: Option<&Path>) -> Result<Self, Error> {
        let plan = Arc::clone(&task.sent.plan);
        let file = |source| Error::File { path: findings.unwrap_or(folder).to_owned(), source };
        let partitions = task.partitions.len().max(1);
        Ok(Self {
            cipher: compile::cipher(plan.seed, plan.start_us),
            ledger: Ledger::new(plan.streams.len(), task.budget, folder),
            expected: Expected::start(&task.sent)?,
            findings: Findings::new(plan.streams.len(), findings).map_err(file)?,
            keys: (0..partitions).map(|_| Keys::new(KEYS_MAX / partitions / 2)).collect(),
            first_ranks: vec![None; partitions],
            of_keys: Sorted::new(task.budget.gaps, folder),
            folder: folder.to_owned(),
            records: 0,
            remade: 0,
            plan,
            task,
        })
    }

    /// How many records were looked at.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// What was found so far; what is missing is known at the end.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// How many events were there to be looked for up to the latest that is there, and how many of them
    /// are not there yet.
    pub fn outstanding(&self) -> u64 {
        let delivered: u64 = self.findings.counts.iter().map(|counts| counts.delivered).sum();
        self.ledger.after_latest().saturating_sub(delivered)
    }

    /// Says how many events were issued, once that is known.
    pub fn issued(&mut self, issued: u64) {
        self.task.sent.issued = Some(issued);
        self.expected.issued(issued);
    }

    /// Whether all events that were issued are there.
    pub fn is_complete(&mut self) -> Result<bool, Error> {
        while self.task.sent.issued.is_some() && self.ledger.has_room() && self.pull()? {}
        let delivered: u64 = self.findings.counts.iter().map(|counts| counts.delivered).sum();
        Ok(self.expected.is_over() && self.ledger.expected().sum::<u64>() == delivered)
    }

    /// Makes the next events; false if there are no more.
    pub(super) fn pull(&mut self) -> Result<bool, Error> {
        let Some((batch, schedule)) = self.expected.next_batch()? else { return Ok(false) };
        let (streams, wants) = (&self.task.streams, &self.task.wants);
        let is_wanted = |batch: &Batch, record: &stream::Record| {
            streams[usize::from(record.stream)] && wants(batch, record)
        };
        self.ledger.expect(batch, schedule, is_wanted).map_err(|source| self.spilling(source))?;
        Ok(true)
    }

    pub(super) fn spilling(&self, source: io::Error) -> Error {
        spilling(&self.folder)(source)
    }

    /// Takes records of a partition.
    pub fn take(&mut self, run: &Run<'_>) -> Result<(), Error> {
        for record in &run.page.records[run.records.clone()] {
            self.records += 1;
            self.take_one(run.partition, run.page, record)?;
        }
        Ok(())
    }

    fn take_one(&mut self, partition: usize, page: &Page, record: &Record) -> Result<(), Error> {
        let identity = match self.task.identifier.identify(partition, page, record) {
            Ok(identity) => identity,
            Err(stranger) => return self.foreign(partition, record, &reason(stranger)),
        };
        if !self.is_looked_for(identity) {
            return Ok(());
        }
        if !self.is_within(identity) {
            return self.foreign(partition, record, "it is of another part of model time");
        }
        let key = Key::from(identity);
        let reached_us = self.reached_us(identity);
        while !self.ledger.knows(key)
            && (self.ledger.has_room() || self.expected.until_us() <= reached_us)
            && self.pull()?
        {}
        let place = (partition, record.position);
        let Self { ledger, findings, task, .. } = self;
        let number = usize::from(identity.stream);
        match ledger.find(key) {
            Found::Awaited(event) => {
                let counts = &mut findings.counts[number];
                counts.delivered += 1;
                if let Some(intended_ns) = event.intended_ns().filter(|_| record.timestamp_ms >= 0)
                {
                    findings.latency.record(latest_ns(record.timestamp_ms) - intended_ns, 1);
                }
                let (rank, due_us) = (event.rank, event.record().due_us);
                let verdict = match &mut task.comparer {
                    Some(comparer) if event.bytes().is_some() => {
                        counts.compared += 1;
                        let schema = |id| task.identifier.schema(id).cloned();
                        let keyed = task.partitions[partition].is_own;
                        comparer.compare((page, record), &event, keyed, schema)
                    }
                    _ => Verdict::Intact,
                };
                self.note_order((page, record), key, (rank, due_us), partition)?;
                self.judge(verdict, key, due_us, place)
            }
            Found::Late(gap) => self.late((page, record), &gap, partition),
            Found::Again(_) => {
                self.findings.counts[number].doubled += 1;
                self.tell(Kind::Doubled, Of { place: Some(place), ..Of::event(key) })
            }
            Found::Unwanted(event) => {
                let due_us = event.record().due_us;
                self.findings.counts[number].unwanted += 1;
                let of = Of { due_us: Some(due_us), place: Some(place), ..Of::event(key) };
                self.tell(Kind::Unwanted, of)
            }
            Found::Unknown => {
                let place = (u32::try_from(partition).unwrap_or(u32::MAX), record.position);
                let aside = self.ledger.put_aside(key, record.timestamp_ms, place);
                aside.map_err(|source| self.spilling(source))
            }
        }
    }

    /// Whether an event is one of the streams and of the share that are verified: others of the run may be
    /// in the same topic.
    fn is_looked_for(&self, identity: Identity) -> bool {
        let number = usize::from(identity.stream);
        let (stream, shard) = (&self.plan.streams[number], self.task.sent.options.shard);
        let lane = match &stream.origin {
            Origin::Root(_) | Origin::FollowUp(_) => tick_and_lane(identity.number).1,
            Origin::Members(_) => low(identity.number >> 32) % self.plan.lanes,
            Origin::Control(_) | Origin::Ledger(_) => 0,
        };
        self.task.streams[number] && lane % shard.count == shard.index
    }

    /// Up to which model time the events must be made before it can be said that there is none of this
    /// identity; the least number if the identity does not tell, because the event may come much later.
    fn reached_us(&self, identity: Identity) -> i64 {
        let (stream, plan) = (&self.plan.streams[usize::from(identity.stream)], &self.plan);
        if stream.traffic().is_none_or(|traffic| traffic.shape.defers) {
            return i64::MIN;
        }
        let (tick, _) = tick_and_lane(identity.number);
        let end_us = (tick + 1).saturating_mul(plan.tick.length_us().unsigned_abs());
        plan.start_us.saturating_add_unsigned(end_us)
    }

    /// Whether an event may be one of the run's: of those whose time their identity tells.
    fn is_within(&self, identity: Identity) -> bool {
        let stream = &self.plan.streams[usize::from(identity.stream)];
        if stream.traffic().is_none() {
            return true;
        }
        let (tick, _) = tick_and_lane(identity.number);
        let tick_us = self.plan.tick.length_us().unsigned_abs();
        let window_us = &self.task.sent.options.window_us;
        let begin_us = tick.saturating_mul(tick_us);
        // What a phase keeps away comes later than its own tick.
        let late = stream.traffic().is_some_and(|traffic| traffic.shape.defers);
        begin_us < window_us.end && (late || begin_us.saturating_add(tick_us) > window_us.start)
    }

    /// An event that is there after the window has moved on.
    fn late(
        &mut self,
        (page, record): (&Page, &Record),
        gap: &Gap,
        partition: usize,
    ) -> Result<(), Error> {
        let place = (partition, record.position);
        self.count_late(gap, record.timestamp_ms);
        self.note_order((page, record), gap.key, (gap.rank, gap.due_us), partition)?;
        self.remade += 1;
        if self.task.comparer.is_none() || self.remade > REMADE_MAX {
            return Ok(());
        }
        let Some((batch, index)) = remake::event(&self.task.sent, gap.key, gap.due_us)? else {
            return Ok(());
        };
        let task = &mut self.task;
        let Some(comparer) = &mut task.comparer else { return Ok(()) };
        let event = Event::alone(&batch, index, gap.rank);
        let schema = |id| task.identifier.schema(id).cloned();
        let keyed = task.partitions[partition].is_own;
        let verdict = comparer.compare((page, record), &event, keyed, schema);
        self.findings.counts[usize::from(gap.key.stream())].compared += 1;
        self.judge(verdict, gap.key, gap.due_us, place)
    }

    /// Counts an event that was a gap and is there.
    pub(super) fn count_late(&mut self, gap: &Gap, timestamp_ms: i64) {
        self.findings.counts[usize::from(gap.key.stream())].delivered += 1;
        if gap.intended_ns != i64::MIN && timestamp_ms >= 0 {
            self.findings.latency.record(latest_ns(timestamp_ms) - gap.intended_ns, 1);
        }
    }

    /// Notes an event in the order of its key, and as the first of its partition.
    fn note_order(
        &mut self,
        (page, record): (&Page, &Record),
        key: Key,
        (rank, due_us): (u64, i64),
        partition: usize,
    ) -> Result<(), Error> {
        let first = &mut self.first_ranks[partition];
        *first = Some(first.map_or(rank, |first| first.min(rank)));
        let Some(bytes) = page.key(record) else { return Ok(()) };
        let hash = key_hash(bytes);
        if self.task.partitions[partition].partition.compacted {
            let there = self.of_keys.push(OfKey::There(hash, rank));
            there.map_err(|source| self.spilling(source))?;
        }
        let counts = &mut self.findings.counts[usize::from(key.stream())];
        match self.keys[partition].note(hash, rank) {
            Order::Kept => Ok(()),
            Order::Unchecked => {
                counts.order_unchecked += 1;
                Ok(())
            }
            Order::Broken => {
                counts.out_of_order += 1;
                let place = Some((partition, record.position));
                self.tell(Kind::OutOfOrder, Of { due_us: Some(due_us), place, ..Of::event(key) })
            }
        }
    }

    fn judge(
        &mut self,
        verdict: Verdict,
        key: Key,
        due_us: i64,
        place: (usize, Position),
    ) -> Result<(), Error> {
        let counts = &mut self.findings.counts[usize::from(key.stream())];
        let of = Of { due_us: Some(due_us), place: Some(place), ..Of::event(key) };
        match verdict {
            Verdict::Intact => Ok(()),
            Verdict::Unreadable => {
                counts.unreadable += 1;
                self.tell(Kind::Unreadable, of)
            }
            Verdict::Damaged(fields) => {
                counts.damaged += 1;
                self.tell(Kind::Damaged, Of { fields, ..of })
            }
        }
    }

    fn foreign(&mut self, partition: usize, record: &Record, why: &str) -> Result<(), Error> {
        self.foreign_at((partition, record.position), why)
    }

    /// Counts a record that is not the run's.
    pub(super) fn foreign_at(&mut self, at: (usize, Position), why: &str) -> Result<(), Error> {
        self.findings.count_foreign(why);
        self.tell(Kind::Foreign, Of { place: Some(at), reason: Some(why), ..Of::default() })
    }

    fn place(&self, (partition, position): (usize, Position)) -> Place {
        let Read { partition, .. } = &self.task.partitions[partition];
        let (topic, position) = (partition.topic.clone(), position.to_string());
        Place { topic, partition: partition.number, position }
    }

    /// Tells what was found.
    pub(super) fn tell(&mut self, what: Kind, of: Of<'_>) -> Result<(), Error> {
        if !self.findings.tells(what) {
            return Ok(());
        }
        let identity = of.key.map(Key::identity);
        let stream = identity.map(|it| self.plan.streams[usize::from(it.stream)].name.clone());
        let sealed = identity.map(|identity| self.cipher.seal(&identity));
        let finding = Finding {
            what,
            stream,
            id: sealed.map(|sealed| uuid::Uuid::from_u128(sealed).to_string()),
            number: of.number,
            due: of.due_us.map(super::rfc3339),
            place: of.place.map(|place| self.place(place)),
            fields: of.fields,
            reason: of.reason.map(str::to_owned),
        };
        self.findings.tell(finding).map_err(Error::Findings)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
fn low(number: u64) -> u32 {
    number as u32
}

/// The end of a record's millisecond, in nanoseconds: a latency is never told shorter than it was.
fn latest_ns(timestamp_ms: i64) -> i64 {
    timestamp_ms.saturating_add(1).saturating_mul(1_000_000)
}

/// What something was found of, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Of<'a> {
    /// The event.
    pub(super) key: Option<Key>,
    /// How many events of its stream came before it.
    pub(super) number: Option<u64>,
    /// When it was due, in microseconds of model time since the Unix epoch.
    pub(super) due_us: Option<i64>,
    /// The record's partition and position.
    pub(super) place: Option<(usize, Position)>,
    /// What differs.
    pub(super) fields: Vec<Difference>,
    /// Why it is foreign.
    pub(super) reason: Option<&'a str>,
}

impl Of<'_> {
    /// An event.
    pub(super) fn event(key: Key) -> Self {
        Self { key: Some(key), ..Self::default() }
    }
}

/// The error for what could not be kept in a folder.
pub(super) fn spilling(folder: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let folder = folder.to_owned();
    move |source| Error::Spill { folder: folder.clone(), source }
}

fn reason(stranger: Stranger) -> String {
    match stranger {
        Stranger::Foreign => "it has no identity of this run".to_owned(),
        Stranger::UnknownSchema(id) => {
            format!("its schema, {id}, is in no registry that was asked")
        }
    }
}
