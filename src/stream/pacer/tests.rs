//! Tests of the pacer, on a clock of their own.

mod ceilings;

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
                ..Batch::default()
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
    /// When each slice came.
    times_ns: Vec<i64>,
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
            times_ns: Vec::new(),
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
        self.times_ns.push(now_ns);
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
        counted: 0,
        clock: clock.clone(),
        speed,
        anchor_ns: ANCHOR_NS,
        begin_us: BEGIN_US,
        drain: Duration::from_secs(1),
        ceilings: Ceilings::default(),
        held: Arc::default(),
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

// A viral hour and a quiet night go out at one rate; what follows goes with what it follows.
#[test]
fn an_even_pace_does_not_look_at_times() {
    let clock = Clock::manual(ANCHOR_NS);
    let mut sink = Kept::new(&clock);
    let batches = (0..20).map(|batch: i64| {
        let records = (batch * 100..batch * 100 + 100).map(|number| {
            // Every fifth record is of a stream that is not counted.
            let stream = u16::from(number % 5 == 4);
            Record { stream, ..record(BEGIN_US + number * number) }
        });
        let records: Vec<Record> = records.collect();
        Batch {
            window_us: 0..1,
            arena: Arc::default(),
            digest: Some(digest_of(&records)),
            records: Arc::new(records),
            ..Batch::default()
        }
    });
    let mut made = Made(batches.collect());
    let speed = Speed::Even { interval_ns: 1e6, counts: [true, false].into() };
    let options = options(&clock, speed);
    let (_, result) = run(&mut made, &mut sink, &options, &Control::default());
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(sink.came.len(), 2_000);
    assert!(sink.came.iter().all(|(_, late_ns)| (0..=1_000_000).contains(late_ns)));
    // The last of 1,600 that count is the 1,599th interval after the first.
    assert!((1_599_000_000..1_601_000_000).contains(&(clock.now_ns() - ANCHOR_NS)));
}
