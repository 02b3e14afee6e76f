//! The pacer: releases slices at their intended times.
//!
//! It has a thread of its own, and is open-loop: when the sink makes it wait, it falls behind and
//! then releases what is due as fast as the sink takes it; intended times never move.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::digest::Digest;
use super::{Batch, EventStream};
use crate::clock::Clock;
use crate::publish::{self, Schedule, Sink, Slice};

/// Records of a slice, at most: what a sink takes between two looks at the clock and at signals.
const SLICE_RECORDS: usize = 4_096;

/// The shortest sleep. What falls due meanwhile makes one slice, of about a millisecond with the
/// time that waking up takes.
const SLEEP_MIN: Duration = Duration::from_micros(500);

/// The longest sleep, so that a signal is heard.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// How fast model time goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of model time in a second.
    Times(f64),
    /// As fast as it goes.
    Max,
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
}

impl Source for EventStream {
    fn next(&mut self) -> Option<Result<Batch, super::Error>> {
        self.next_blocking()
    }

    fn digest(&self, batch: &Batch) -> Option<Digest> {
        Self::digest(self, batch)
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
    let mut pacer = Pacer { sink, options, patience: &patience, digest: None };
    let issued = pacer.issue(source);
    let flushed = pacer.sink.flush(patience.left(), &|| control.is_giving_up());
    let digest = pacer.digest.filter(|_| !matches!(issued, Err(Error::Publish(_))));
    match flushed {
        Ok(unacknowledged) => (Outcome { digest, unacknowledged: unacknowledged.0 }, issued),
        Err(error) => {
            let unacknowledged = pacer.sink.in_flight();
            (Outcome { digest, unacknowledged }, issued.and(Err(error.into())))
        }
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
        let waited = Duration::from_nanos((now_ns - since_ns).max(0).unsigned_abs());
        self.options.drain.saturating_sub(waited)
    }

    /// Whether a sink that is full is waited for no longer.
    fn is_over(&self) -> bool {
        self.control.is_giving_up() || self.control.is_draining() && self.left().is_zero()
    }
}

struct Pacer<'a> {
    sink: &'a mut dyn Sink,
    options: &'a Options,
    patience: &'a Patience<'a>,
    digest: Option<Digest>,
}

impl Pacer<'_> {
    fn issue(&mut self, source: &mut dyn Source) -> Result<(), Error> {
        while !self.patience.control.is_draining() {
            let Some(batch) = source.next() else { break };
            let batch = Arc::new(batch?);
            let (issued, result) = self.release(&batch);
            let digest = if issued == batch.records.len() {
                batch.digest
            } else {
                let records = Arc::new(batch.records[..issued].to_vec());
                source.digest(&Batch { records, ..Batch::clone(&batch) })
            };
            if let Some(digest) = digest {
                self.digest.get_or_insert_default().add(digest);
            }
            result?;
        }
        Ok(())
    }

    /// Releases a batch slice by slice; says how many records the sink took.
    fn release(&mut self, batch: &Arc<Batch>) -> (usize, Result<(), Error>) {
        let mut issued = 0;
        while issued < batch.records.len() && !self.patience.control.is_draining() {
            let now_ns = self.options.clock.now_ns();
            let schedule = self.schedule(now_ns);
            let rest = &batch.records[issued..batch.records.len().min(issued + SLICE_RECORDS)];
            let due = rest.partition_point(|it| schedule.intended_ns(it.due_us) <= now_ns);
            if due == 0 {
                self.wait(schedule.intended_ns(rest[0].due_us) - now_ns);
                continue;
            }
            let records = issued..issued + due;
            let slice = Slice { batch: Arc::clone(batch), records, schedule };
            let patience = self.patience;
            match self.sink.publish(&slice, &|| patience.is_over()) {
                Ok(taken) => issued += taken,
                Err(error) => return (issued, Err(error.into())),
            }
        }
        (issued, Ok(()))
    }

    fn schedule(&self, now_ns: i64) -> Schedule {
        let Options { anchor_ns, begin_us, speed, .. } = *self.options;
        match speed {
            Speed::Times(speed) => Schedule::Paced { anchor_ns, begin_us, speed },
            Speed::Max => Schedule::Unpaced { released_ns: now_ns },
        }
    }

    fn wait(&self, wait_ns: i64) {
        let wait = Duration::from_nanos(wait_ns.unsigned_abs());
        self.options.clock.sleep(wait.clamp(SLEEP_MIN, SLEEP_MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use super::*;
    use crate::publish::Unacknowledged;
    use crate::stream::Record;

    const BEGIN_US: i64 = 1_000_000_000;
    const ANCHOR_NS: i64 = 5_000_000_000;

    /// Batches of records that are due every so often; each record's digest is of its due time.
    struct Made(VecDeque<Batch>);

    impl Made {
        fn every(gap_us: i64, batches: i64, records: i64) -> Self {
            let made = (0..batches).map(|batch| {
                let numbers = batch * records..(batch + 1) * records;
                let records: Vec<Record> =
                    numbers.clone().map(|number| record(BEGIN_US + number * gap_us)).collect();
                Batch {
                    window_us: numbers.start * gap_us..numbers.end * gap_us,
                    arena: Arc::default(),
                    digest: Some(digest_of(&records)),
                    records: Arc::new(records),
                }
            });
            Self(made.collect())
        }
    }

    impl Source for Made {
        fn next(&mut self) -> Option<Result<Batch, crate::stream::Error>> {
            self.0.pop_front().map(Ok)
        }

        fn digest(&self, batch: &Batch) -> Option<Digest> {
            Some(digest_of(&batch.records))
        }
    }

    fn record(due_us: i64) -> Record {
        Record {
            due_us,
            start: 0,
            key_bytes: 0,
            value_bytes: 0,
            partition: -1,
            stream: 0,
            header_bytes: 0,
            keyed: false,
            tombstone: false,
        }
    }

    fn digest_of(records: &[Record]) -> Digest {
        let mut sum = Digest::default();
        for record in records {
            sum.add(Digest::of("s", b"", &record.due_us.to_le_bytes()));
        }
        sum
    }

    /// Keeps when each record came, and what of it was asked for.
    struct Kept {
        clock: Clock,
        came: Vec<(i64, i64)>,
        slices: Vec<usize>,
        /// How long each hand-over takes.
        slowness: Duration,
        /// After how many records it fails, or the run is told to drain.
        limit: usize,
        /// After how many records it waits until it is told to give up.
        full_at: usize,
        at_limit: Box<dyn FnMut() -> io::Result<()> + Send>,
    }

    impl Kept {
        fn new(clock: &Clock) -> Self {
            Self {
                clock: clock.clone(),
                came: Vec::new(),
                slices: Vec::new(),
                slowness: Duration::ZERO,
                limit: usize::MAX,
                full_at: usize::MAX,
                at_limit: Box::new(|| Ok(())),
            }
        }
    }

    impl Sink for Kept {
        fn publish(
            &mut self,
            slice: &Slice,
            give_up: &dyn Fn() -> bool,
        ) -> Result<usize, publish::Error> {
            let now_ns = self.clock.now_ns();
            if self.came.len() >= self.full_at {
                (self.at_limit)().unwrap();
                while !give_up() {
                    self.clock.sleep(Duration::from_millis(100));
                }
                return Ok(0);
            }
            for record in &slice.batch.records[slice.records.clone()] {
                self.came.push((record.due_us, now_ns - slice.schedule.intended_ns(record.due_us)));
            }
            self.slices.push(slice.records.len());
            if self.came.len() >= self.limit {
                (self.at_limit)().map_err(|source| {
                    self.came.truncate(self.came.len() - slice.records.len());
                    publish::Error::Write { target: "kept".into(), source }
                })?;
            }
            self.clock.sleep(self.slowness);
            Ok(slice.records.len())
        }

        fn flush(
            &mut self,
            _: Duration,
            _: &dyn Fn() -> bool,
        ) -> Result<Unacknowledged, publish::Error> {
            Ok(Unacknowledged(3))
        }

        fn in_flight(&self) -> u64 {
            0
        }
    }

    fn options(clock: &Clock, speed: Speed) -> Options {
        Options {
            clock: clock.clone(),
            speed,
            anchor_ns: ANCHOR_NS,
            begin_us: BEGIN_US,
            drain: Duration::from_secs(1),
        }
    }

    #[test]
    fn no_record_is_early_and_none_is_more_than_a_slice_late() {
        for speed in [0.5, 1.0, 60.0] {
            let clock = Clock::manual(ANCHOR_NS - 50_000_000);
            let mut sink = Kept::new(&clock);
            let mut made = Made::every(100, 20, 1_000);
            let options = options(&clock, Speed::Times(speed));
            let (outcome, result) = run(&mut made, &mut sink, &options, &Control::default());
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(outcome.unacknowledged, 3);
            assert_eq!(sink.came.len(), 20_000);
            assert!(sink.came.iter().all(|(_, late_ns)| (0..=500_000).contains(late_ns)));
            assert!(sink.came.is_sorted_by_key(|(due_us, _)| *due_us));
        }
    }

    #[test]
    fn a_run_that_is_behind_catches_up_without_moving_intended_times() {
        let clock = Clock::manual(ANCHOR_NS);
        let mut sink = Kept::new(&clock);
        sink.slowness = Duration::from_millis(50);
        let mut made = Made::every(1_000, 10, 100);
        let options = options(&clock, Speed::Times(1.0));
        let (_, result) = run(&mut made, &mut sink, &options, &Control::default());
        assert!(result.is_ok());
        assert_eq!(sink.came.len(), 1_000);
        assert!(sink.came.iter().any(|(_, late_ns)| *late_ns > 40_000_000), "lag is told");
        assert!(sink.slices.iter().any(|records| *records >= 50), "what is due goes at once");
    }

    #[test]
    fn at_full_speed_nothing_waits() {
        let clock = Clock::manual(0);
        let mut sink = Kept::new(&clock);
        let mut made = Made::every(1_000_000, 4, 10_000);
        let options = options(&clock, Speed::Max);
        let (outcome, _) = run(&mut made, &mut sink, &options, &Control::default());
        assert_eq!((sink.came.len(), clock.now_ns()), (40_000, 0));
        assert!(sink.slices.iter().all(|records| *records <= SLICE_RECORDS));
        assert!(outcome.digest.is_some());
    }

    #[test]
    fn the_digest_is_of_what_was_issued_when_stopped_in_mid_batch() {
        let clock = Clock::manual(ANCHOR_NS);
        let control = Arc::new(Control::default());
        let mut sink = Kept::new(&clock);
        let stop = Arc::clone(&control);
        sink.limit = 1_500;
        sink.at_limit = Box::new(move || {
            stop.drain();
            Ok(())
        });
        let mut made = Made::every(100, 20, 1_000);
        let options = options(&clock, Speed::Times(1.0));
        let (outcome, result) = run(&mut made, &mut sink, &options, &control);
        assert!(result.is_ok());
        assert!((1_500..1_600).contains(&sink.came.len()), "{}", sink.came.len());
        let issued: Vec<Record> = sink.came.iter().map(|(due_us, _)| record(*due_us)).collect();
        assert_eq!(outcome.digest, Some(digest_of(&issued)));
    }

    #[test]
    fn a_sink_that_stays_full_is_waited_for_as_long_as_the_drain_lasts() {
        let clock = Clock::manual(ANCHOR_NS);
        let control = Arc::new(Control::default());
        let mut sink = Kept::new(&clock);
        let stop = Arc::clone(&control);
        sink.full_at = 700;
        sink.at_limit = Box::new(move || {
            stop.drain();
            Ok(())
        });
        let mut made = Made::every(100, 20, 1_000);
        let options = options(&clock, Speed::Times(1.0));
        let begun_ns = clock.now_ns();
        let (_, result) = run(&mut made, &mut sink, &options, &control);
        assert!(result.is_ok());
        let waited_ms = (clock.now_ns() - begun_ns) / 1_000_000 - 70;
        assert!((1_000..1_200).contains(&waited_ms), "{waited_ms} ms for a drain of 1 s");
    }

    #[test]
    fn a_drain_of_no_time_does_not_give_up_before_it_begins() {
        let clock = Clock::manual(ANCHOR_NS);
        let options = Options { drain: Duration::ZERO, ..options(&clock, Speed::Max) };
        let control = Control::default();
        let patience =
            Patience { control: &control, options: &options, draining_since_ns: Cell::new(None) };
        assert!(!patience.is_over(), "nothing is draining");
        control.drain();
        assert!(patience.is_over());
    }

    #[test]
    fn after_an_error_of_the_sink_there_is_no_digest_but_receipts_are_waited_for() {
        let clock = Clock::manual(ANCHOR_NS);
        let mut sink = Kept::new(&clock);
        sink.limit = 500;
        sink.at_limit = Box::new(|| Err(io::ErrorKind::BrokenPipe.into()));
        let mut made = Made::every(100, 2, 1_000);
        let options = options(&clock, Speed::Times(1.0));
        let (outcome, result) = run(&mut made, &mut sink, &options, &Control::default());
        assert!(matches!(result, Err(Error::Publish(_))), "{result:?}");
        assert_eq!(outcome.digest, None);
        assert_eq!(outcome.unacknowledged, 3);
    }
}
