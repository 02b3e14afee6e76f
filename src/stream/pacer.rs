//! The pacer: releases slices at their intended times.
//!
//! It has a thread of its own, and is open-loop: when the sink makes it wait, it falls behind and
//! then releases what is due as fast as the sink takes it, or as ceilings let it; intended times
//! never move.

mod governor;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::deferrals::Deferrals;
use super::digest::Digest;
use super::{Batch, EventStream, Record};
use crate::clock::Clock;
use crate::publish::{self, Schedule, Sink, Slice};
use governor::Governor;
pub use governor::{Ceilings, Held};

/// Records of a slice, at most: what a sink takes between two looks at the clock and at signals.
const SLICE_RECORDS: usize = 4_096;

/// The shortest sleep. What falls due meanwhile makes one slice, of about a millisecond with the
/// time that waking up takes.
const SLEEP_MIN: Duration = Duration::from_micros(500);

/// The longest sleep, so that a signal is heard.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// How fast model time goes by.
#[derive(Clone, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of model time in a second.
    Times(f64),
    /// As fast as it goes.
    Max,
    /// Events one after the other, so many nanoseconds apart, whatever their times.
    Even {
        /// Above 0.
        interval_ns: f64,
        /// By stream: whether its events are counted; those of others go with them.
        counts: Arc<[bool]>,
    },
}

/// How slices are released.
#[derive(Clone, Debug)]
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// How fast model time goes by.
    pub speed: Speed,
    /// When the window begins on the wall clock, in nanoseconds since the Unix epoch.
    pub anchor_ns: i64,
    /// Where the window begins, in microseconds of model time since the Unix epoch.
    pub begin_us: i64,
    /// How long receipts are waited for at the end.
    pub drain: Duration,
    /// What is released in a second, at most.
    pub ceilings: Ceilings,
    /// Learns how long the ceilings hold back what is due.
    pub held: Arc<Held>,
    /// How many events that an even pace counts came before.
    pub counted: u64,
}

/// Stops the pacer from outside.
#[derive(Debug, Default)]
pub struct Control(AtomicU8);

impl Control {
    /// Nothing more is issued; receipts are waited for.
    pub fn drain(&self) {
        self.0.fetch_max(1, Ordering::SeqCst);
    }

    /// Nothing more is waited for.
    pub fn give_up(&self) {
        self.0.fetch_max(2, Ordering::SeqCst);
    }

    /// Whether nothing more is to be issued.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 1
    }

    /// Whether nothing more is to be waited for.
    pub fn is_giving_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 2
    }
}

/// What the pacer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The digest of what was issued, if batches carry digests; none if publishing failed, since
    /// a sink does not say how much of a slice it took before.
    pub digest: Option<Digest>,
    /// What became of events that phases keep away.
    pub deferrals: Deferrals,
    /// Records without a receipt.
    pub unacknowledged: u64,
}

/// What stops the pacer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Generating.
    #[error(transparent)]
    Stream(#[from] super::Error),
    /// Publishing.
    #[error(transparent)]
    Publish(#[from] publish::Error),
}

/// Where batches come from.
pub trait Source {
    /// The next batch, waiting for it on this thread; `None` at the end.
    fn next(&mut self) -> Option<Result<Batch, super::Error>>;

    /// The digest of the records of a batch that was cut, if digests are asked for.
    fn digest(&self, batch: &Batch) -> Option<Digest>;

    /// So many records of the last batch were issued.
    fn issued(&mut self, _batch: &Batch, _records: usize) {}
}

impl Source for EventStream {
    fn next(&mut self) -> Option<Result<Batch, super::Error>> {
        self.next_blocking()
    }

    fn digest(&self, batch: &Batch) -> Option<Digest> {
        Self::digest(self, batch)
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn next(&mut self) -> Option<Result<Batch, super::Error>> {
        (**self).next()
    }

    fn digest(&self, batch: &Batch) -> Option<Digest> {
        (**self).digest(batch)
    }

    fn issued(&mut self, batch: &Batch, records: usize) {
        (**self).issued(batch, records);
    }
}

/// Releases all events, then waits for their receipts, also after an error.
pub fn run(
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    options: &Options,
    control: &Control,
) -> (Outcome, Result<(), Error>) {
    let patience = Patience { control, options, draining_since_ns: Cell::new(None) };
    let governor = Governor::new(options.ceilings, options.clock.now_ns());
    let mut pacer = Pacer {
        sink,
        options,
        patience: &patience,
        governor,
        ended: Ended::default(),
        counted: options.counted,
    };
    let issued = pacer.issue(source);
    let flushed = pacer.sink.flush(patience.left(), &|| control.is_giving_up());
    let digest = pacer.ended.digest.filter(|_| !matches!(issued, Err(Error::Publish(_))));
    let deferrals = pacer.ended.deferrals;
    let outcome = |unacknowledged| Outcome { digest, deferrals, unacknowledged };
    match flushed {
        Ok(unacknowledged) => (outcome(unacknowledged.0), issued),
        Err(error) => (outcome(pacer.sink.in_flight()), issued.and(Err(error.into()))),
    }
}

/// How long is still waited once nothing more is to be issued.
struct Patience<'a> {
    control: &'a Control,
    options: &'a Options,
    draining_since_ns: Cell<Option<i64>>,
}

impl Patience<'_> {
    /// What is left of the drain's time, which begins when this is first asked while draining.
    fn left(&self) -> Duration {
        if !self.control.is_draining() {
            return self.options.drain;
        }
        let now_ns = self.options.clock.now_ns();
        let since_ns = self.draining_since_ns.get().unwrap_or(now_ns);
        self.draining_since_ns.set(Some(since_ns));
        self.options.drain.saturating_sub(self.options.clock.since(since_ns))
    }

    /// Whether a sink that is full is waited for no longer.
    fn is_over(&self) -> bool {
        self.control.is_giving_up() || self.control.is_draining() && self.left().is_zero()
    }
}

/// What is known of the batches that were issued.
#[derive(Debug, Default)]
struct Ended {
    digest: Option<Digest>,
    deferrals: Deferrals,
}

struct Pacer<'a> {
    sink: &'a mut dyn Sink,
    options: &'a Options,
    patience: &'a Patience<'a>,
    governor: Option<Governor>,
    ended: Ended,
    /// Events of batches before that an even pace counts.
    counted: u64,
}

impl Pacer<'_> {
    fn issue(&mut self, source: &mut dyn Source) -> Result<(), Error> {
        while !self.patience.control.is_draining() {
            let Some(batch) = source.next() else { break };
            let batch = Arc::new(batch?);
            let (issued, result) = self.release(&batch);
            source.issued(&batch, issued);
            let digest = if issued == batch.records.len() {
                batch.digest
            } else {
                let records = Arc::new(batch.records[..issued].to_vec());
                source.digest(&Batch { records, ..Batch::clone(&batch) })
            };
            if let Some(digest) = digest {
                self.ended.digest.get_or_insert_default().add(digest);
            }
            self.ended.deferrals.add(batch.deferrals);
            result?;
        }
        Ok(())
    }

    /// Releases a batch slice by slice; says how many records the sink took.
    fn release(&mut self, batch: &Arc<Batch>) -> (usize, Result<(), Error>) {
        let mut issued = 0;
        let roots = self.roots(batch);
        while issued < batch.records.len() && !self.patience.control.is_draining() {
            let now_ns = self.options.clock.now_ns();
            let schedule = self.schedule(now_ns, &roots);
            let rest = &batch.records[issued..batch.records.len().min(issued + SLICE_RECORDS)];
            let due = rest.partition_point(|it| schedule.intended_ns(it.due_us) <= now_ns);
            if due == 0 {
                if let Err(error) = self.sink.idle(rest[0].due_us) {
                    return (issued, Err(error.into()));
                }
                self.wait(schedule.intended_ns(rest[0].due_us) - now_ns);
                continue;
            }
            let admitted = self.admitted(&rest[..due], now_ns, &schedule);
            if admitted == 0 {
                continue;
            }
            let records = issued..issued + admitted;
            let slice = Slice { batch: Arc::clone(batch), records, schedule };
            let patience = self.patience;
            match self.sink.publish(&slice, &|| patience.is_over()) {
                Ok(taken) => issued += taken,
                Err(error) => return (issued, Err(error.into())),
            }
        }
        self.counted += roots.len() as u64;
        (issued, Ok(()))
    }

    /// How many of these records, which are due, the ceilings let go; waits first if it is none.
    fn admitted(&mut self, due: &[Record], now_ns: i64, schedule: &Schedule) -> usize {
        let Some(governor) = &mut self.governor else { return due.len() };
        let admitted = governor.admits(due, now_ns);
        governor.take(&due[..admitted]);
        if admitted == 0 {
            let wait_ns = governor.wait_ns();
            self.options.held.during(schedule.intended_ns(due[0].due_us), || {
                self.wait(wait_ns);
                self.options.clock.since(now_ns)
            });
        }
        admitted
    }

    /// When the events are due that an even pace counts.
    fn roots(&self, batch: &Batch) -> Arc<[i64]> {
        let Speed::Even { counts, .. } = &self.options.speed else { return Arc::default() };
        let roots = batch.records.iter().filter(|record| counts[usize::from(record.stream)]);
        roots.map(|record| record.due_us).collect()
    }

    fn schedule(&self, now_ns: i64, roots: &Arc<[i64]>) -> Schedule {
        let Options { anchor_ns, begin_us, .. } = *self.options;
        match &self.options.speed {
            &Speed::Times(speed) => Schedule::Paced { anchor_ns, begin_us, speed },
            Speed::Max => Schedule::Unpaced { released_ns: now_ns },
            &Speed::Even { interval_ns, .. } => {
                let due_us = Arc::clone(roots);
                Schedule::Even { anchor_ns, interval_ns, before: self.counted, due_us }
            }
        }
    }

    fn wait(&self, wait_ns: i64) {
        let wait = Duration::from_nanos(wait_ns.unsigned_abs());
        self.options.clock.sleep(wait.clamp(SLEEP_MIN, SLEEP_MAX));
    }
}

#[cfg(test)]
mod tests;
