//! The ledger: which events were expected, which came, and which came again, in bounded memory.
//!
//! Expected events enter in send order and are looked for by who they are. A window of the latest of them
//! is in memory. What has not come when it leaves the window is a [`Gap`], kept exactly: in memory up to a
//! budget, beyond it on disk. A record that is neither in the window nor a gap in memory is put aside; at
//! the end what was put aside is joined with the gaps, so that no order of arrival changes the result.

use std::collections::VecDeque;
use std::io;
use std::iter::Peekable;
use std::path::Path;

use foldhash::fast::FixedState;

use super::gap::{Aside, Gap, Key, key_hash};
use super::sorted::{Merged, Sorted};
use super::table::Table;
use crate::consume::Position;
use crate::publish::Schedule;
use crate::stream::{Batch, Record};

/// How much is kept where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Events in the window.
    pub events: usize,
    /// Bytes of events in the window.
    pub bytes: usize,
    /// Gaps in memory, and records put aside in memory.
    pub gaps: usize,
}

impl Default for Budget {
    fn default() -> Self {
        // A table of 2^17 places is at most seven eighths full, and takes 3 MB, so that it stays in a cache.
        Self { events: (1 << 17) / 8 * 7, bytes: 48 << 20, gaps: (1 << 18) / 8 * 7 }
    }
}

/// A stretch of expected events in the window.
#[derive(Debug)]
struct Stretch {
    batch: Batch,
    schedule: Option<Schedule>,
    /// The rank of its first event.
    rank: u64,
    /// How many events of each stream came before it.
    ordinals: Vec<u64>,
    states: Vec<State>,
}

/// What is known of an expected event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Came,
    /// It should not come.
    Unwanted,
    UnwantedCame,
}

/// Where an event of the window is.
#[derive(Clone, Copy, Debug)]
struct Place {
    stretch: u32,
    index: u32,
}

/// What the ledger knows of a record that came.
#[derive(Debug)]
pub enum Found<'a> {
    /// It was waited for.
    Awaited(Event<'a>),
    /// It was waited for, and the window has moved on.
    Late(Gap),
    /// It is of an event that should not come, and has not come before.
    Unwanted(Event<'a>),
    /// It came before.
    Again(Event<'a>),
    /// Nothing, yet.
    Unknown,
}

/// An event of the window.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    batch: &'a Batch,
    schedule: Option<&'a Schedule>,
    index: usize,
    /// How many events of the run come before it in send order.
    pub rank: u64,
}

impl<'a> Event<'a> {
    /// An event of a batch that stands alone.
    pub fn alone(batch: &'a Batch, index: usize, rank: u64) -> Self {
        Self { batch, schedule: None, index, rank }
    }

    /// Its record.
    pub fn record(&self) -> &'a Record {
        &self.batch.records[self.index]
    }

    /// Its batch, if the batch has bytes.
    pub fn bytes(&self) -> Option<&'a Batch> {
        self.batch.has_bytes.then_some(self.batch)
    }

    /// When it was intended on the wall clock, in nanoseconds since the Unix epoch; none of a run that
    /// went as fast as it could.
    pub fn intended_ns(&self) -> Option<i64> {
        self.schedule.map(|schedule| schedule.intended_ns(self.record().due_us))
    }
}

/// Which events were expected, which came, and which came again.
#[derive(Debug)]
pub struct Ledger {
    budget: Budget,
    places: Table<Key, Place>,
    stretches: VecDeque<Stretch>,
    /// The number of the first stretch of the window.
    first: u32,
    bytes: usize,
    /// By stream: how many events were expected.
    expected: Vec<u64>,
    /// By stream: how many of them should not come.
    unwanted: Vec<u64>,
    next_rank: u64,
    /// The rank after the latest event that came.
    after_latest: u64,
    gaps: Table<Key, Gap>,
    older_gaps: Sorted<Gap>,
    aside: Sorted<Aside>,
    aside_count: u64,
}

impl Ledger {
    /// A ledger of events of so many streams; what memory cannot hold goes to files in a folder.
    pub fn new(streams: usize, budget: Budget, folder: &Path) -> Self {
        Self {
            budget,
            places: Table::with_capacity_and_hasher(budget.events, FixedState::default()),
            stretches: VecDeque::new(),
            first: 0,
            bytes: 0,
            expected: vec![0; streams],
            unwanted: vec![0; streams],
            next_rank: 0,
            after_latest: 0,
            gaps: Table::default(),
            older_gaps: Sorted::new(budget.gaps / 4, folder),
            aside: Sorted::new(budget.gaps, folder),
            aside_count: 0,
        }
    }

    /// How many events were expected so far.
    pub fn next_rank(&self) -> u64 {
        self.next_rank
    }

    /// The rank after the latest event that came.
    pub fn after_latest(&self) -> u64 {
        self.after_latest
    }

    /// By stream, how many events are expected, without those that should not come.
    pub fn expected(&self) -> impl Iterator<Item = u64> + '_ {
        self.expected.iter().zip(&self.unwanted).map(|(all, unwanted)| all - unwanted)
    }

    /// Whether more may be expected before something comes: half of the window is kept for what came.
    pub fn has_room(&self) -> bool {
        let ahead = usize::try_from(self.next_rank - self.after_latest).unwrap_or(usize::MAX);
        let bytes: usize = self
            .stretches
            .iter()
            .rev()
            .take_while(|it| it.rank >= self.after_latest)
            .map(cost)
            .sum();
        ahead < self.budget.events / 2 && bytes < self.budget.bytes / 2
    }

    /// Expects the events of a batch, which follow those before; `wants` says which should come.
    pub fn expect(
        &mut self,
        batch: Batch,
        schedule: Option<Schedule>,
        wants: impl Fn(&Batch, &Record) -> bool,
    ) -> io::Result<()> {
        let number = self.first.wrapping_add(u32_of(self.stretches.len()));
        let mut stretch = Stretch {
            schedule,
            rank: self.next_rank,
            ordinals: self.expected.clone(),
            states: Vec::with_capacity(batch.records.len()),
            batch,
        };
        let records = stretch.batch.records.iter().zip(&stretch.batch.who);
        for (index, (record, who)) in records.enumerate() {
            let stream = usize::from(record.stream);
            let key = Key::new(record.stream.to_le_bytes()[0], who.child, who.number);
            self.places.insert(key, Place { stretch: number, index: u32_of(index) });
            self.expected[stream] += 1;
            let wanted = wants(&stretch.batch, record);
            self.unwanted[stream] += u64::from(!wanted);
            stretch.states.push(if wanted { State::Open } else { State::Unwanted });
        }
        self.next_rank += stretch.states.len() as u64;
        self.bytes += cost(&stretch);
        self.stretches.push_back(stretch);
        while self.stretches.len() > 1
            && (self.places.len() > self.budget.events || self.bytes > self.budget.bytes)
        {
            self.retire()?;
        }
        Ok(())
    }

    /// Takes the oldest stretch out of the window.
    fn retire(&mut self) -> io::Result<()> {
        let Some(stretch) = self.stretches.pop_front() else { return Ok(()) };
        self.first = self.first.wrapping_add(1);
        self.bytes -= cost(&stretch);
        let Stretch { batch, schedule, rank, mut ordinals, states } = stretch;
        let events = batch.records.iter().zip(&batch.who).zip(&states);
        for (((record, who), state), rank) in events.zip(rank..) {
            let ordinal = &mut ordinals[usize::from(record.stream)];
            let key = Key::new(record.stream.to_le_bytes()[0], who.child, who.number);
            self.places.remove(&key);
            if *state == State::Open {
                let intended = schedule.as_ref().map(|it| it.intended_ns(record.due_us));
                let intended_ns = intended.unwrap_or(i64::MIN);
                let keyed = record.keyed && batch.has_bytes;
                let key_bytes = keyed.then(|| &batch.arena[record.key_range()]);
                let gap = Gap {
                    key,
                    rank,
                    ordinal: *ordinal,
                    due_us: record.due_us,
                    intended_ns,
                    key_hash: key_bytes.map_or(0, key_hash),
                    partition: record.partition,
                };
                self.add_gap(gap)?;
            }
            *ordinal += 1;
        }
        Ok(())
    }

    fn add_gap(&mut self, gap: Gap) -> io::Result<()> {
        if self.gaps.len() >= self.budget.gaps {
            let gaps = std::mem::take(&mut self.gaps);
            for gap in gaps.into_values() {
                self.older_gaps.push(gap)?;
            }
        }
        self.gaps.insert(gap.key, gap);
        Ok(())
    }

    /// Whether an event is in the window or a gap in memory.
    pub fn knows(&self, key: Key) -> bool {
        self.places.contains_key(&key) || self.gaps.contains_key(&key)
    }

    /// Looks for the event of a record that came, and notes that it did.
    pub fn find(&mut self, key: Key) -> Found<'_> {
        let Some(place) = self.places.get(&key) else {
            return match self.gaps.remove(&key) {
                Some(gap) => Found::Late(gap),
                None => Found::Unknown,
            };
        };
        let (stretch, index) =
            (place.stretch.wrapping_sub(self.first) as usize, place.index as usize);
        let stretch = &mut self.stretches[stretch];
        let state = &mut stretch.states[index];
        let before = *state;
        *state = match before {
            State::Open | State::Came => State::Came,
            State::Unwanted | State::UnwantedCame => State::UnwantedCame,
        };
        let rank = stretch.rank + index as u64;
        self.after_latest = self.after_latest.max(rank + 1);
        let schedule = stretch.schedule.as_ref();
        let event = Event { batch: &stretch.batch, schedule, index, rank };
        match before {
            State::Open => Found::Awaited(event),
            State::Unwanted => Found::Unwanted(event),
            State::Came | State::UnwantedCame => Found::Again(event),
        }
    }

    /// Puts a record aside whose event is not known, by its partition and position there.
    pub fn put_aside(
        &mut self,
        key: Key,
        timestamp_ms: i64,
        (partition, position): (u32, Position),
    ) -> io::Result<()> {
        self.aside_count += 1;
        let number = self.aside_count;
        self.aside.push(Aside { key, number, timestamp_ms, partition, position })
    }

    /// Ends: gives what was expected and has not come, and what was put aside, both in order of who they
    /// are. With `until` only events before that rank count as expected.
    pub fn finish(mut self, until: Option<u64>) -> io::Result<Rest> {
        while !self.stretches.is_empty() {
            self.retire()?;
        }
        let mut gaps = self.older_gaps;
        for gap in self.gaps.into_values() {
            gaps.push(gap)?;
        }
        let (gaps, aside) = (gaps.finish()?.peekable(), self.aside.finish()?.peekable());
        Ok(Rest { gaps, aside, until, filled: None })
    }
}

/// What is left at the end, in order of who it is: gaps and records put aside, joined.
#[derive(Debug)]
pub struct Rest {
    gaps: Peekable<Merged<Gap>>,
    aside: Peekable<Merged<Aside>>,
    until: Option<u64>,
    /// Whose gap a record filled last.
    filled: Option<Key>,
}

/// What becomes of a gap or of a record put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It did not come.
    Missing(Gap),
    /// It came after all.
    Came(Gap, Aside),
    /// Its event came after all, and this is a further record of it.
    Again(Aside),
    /// Its event was no gap: it came before, or there is none.
    Open(Aside),
}

impl Iterator for Rest {
    type Item = io::Result<End>;

    fn next(&mut self) -> Option<io::Result<End>> {
        loop {
            let gap = match self.gaps.peek() {
                Some(Ok(gap)) => Some(*gap),
                Some(Err(_)) => return self.gaps.next().and_then(Result::err).map(Err),
                None => None,
            };
            let aside = match self.aside.peek() {
                Some(Ok(aside)) => Some(*aside),
                Some(Err(_)) => return self.aside.next().and_then(Result::err).map(Err),
                None => None,
            };
            match (gap, aside) {
                (None, None) => return None,
                (_, Some(aside)) if self.filled == Some(aside.key) => {
                    self.aside.next();
                    return Some(Ok(End::Again(aside)));
                }
                (Some(gap), Some(aside)) if gap.key == aside.key => {
                    self.filled = Some(gap.key);
                    self.gaps.next();
                    self.aside.next();
                    return Some(Ok(End::Came(gap, aside)));
                }
                (Some(gap), aside) if aside.is_none_or(|aside| gap.key < aside.key) => {
                    self.gaps.next();
                    if self.until.is_none_or(|until| gap.rank < until) {
                        return Some(Ok(End::Missing(gap)));
                    }
                }
                (_, Some(aside)) => {
                    self.aside.next();
                    return Some(Ok(End::Open(aside)));
                }
                (Some(_), None) => unreachable!("a gap without records to come is missing"),
            }
        }
    }
}

/// Bytes that a stretch holds.
fn cost(stretch: &Stretch) -> usize {
    let batch = &stretch.batch;
    batch.arena.capacity() + batch.records.len() * (size_of::<Record>() + 17)
}

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
