//! Events on their way from the plan to a sink: when they are handed over, on a clock of their own.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::plan::Plan;
use tidegate::plan::batch::BATCH_EVENTS;
use tidegate::publish::{Error, Sink, Slice, Unacknowledged};
use tidegate::stream::digest::Digest;
use tidegate::stream::pacer::{self, Ceilings, Control, Speed};
use tidegate::stream::{EventStream, Options};

use crate::determinism::traffic::beats;

const SECOND_US: u64 = 1_000_000;
const MILLISECOND_NS: i64 = 1_000_000;
const ANCHOR_NS: i64 = 1_700_000_000_000_000_000;

/// A sink that keeps when each slice came and when its records were intended, in nanoseconds since
/// the anchor.
struct Noted {
    clock: Clock,
    slices: Vec<(i64, Vec<i64>)>,
}

impl Sink for Noted {
    fn publish(&mut self, slice: &Slice, _: &dyn Fn() -> bool) -> Result<usize, Error> {
        let records = &slice.batch.records[slice.records.clone()];
        let intended = |due_us| slice.schedule.intended_ns(due_us) - ANCHOR_NS;
        let intended = records.iter().map(|record| intended(record.due_us)).collect();
        self.slices.push((self.clock.now_ns() - ANCHOR_NS, intended));
        Ok(slice.records.len())
    }

    fn flush(&mut self, _: Duration, _: &dyn Fn() -> bool) -> Result<Unacknowledged, Error> {
        Ok(Unacknowledged(0))
    }

    fn in_flight(&self) -> u64 {
        0
    }
}

/// What a sink sees of the first seconds of a plan.
fn seen(plan: &Arc<Plan>, seconds: u64, speed: f64) -> Vec<(i64, Vec<i64>)> {
    let options = Options { window_us: 0..seconds * SECOND_US, ..Options::default() };
    let mut events = EventStream::start(Arc::clone(plan), options).unwrap();
    let clock = Clock::manual(ANCHOR_NS);
    let mut sink = Noted { clock: clock.clone(), slices: Vec::new() };
    let options = pacer::Options {
        counted: 0,
        clock,
        speed: Speed::Times(speed),
        anchor_ns: ANCHOR_NS,
        begin_us: plan.start_us,
        drain: Duration::ZERO,
        ceilings: Ceilings::default(),
        held: Arc::default(),
    };
    let (_, result) = pacer::run(&mut events, &mut sink, &options, &Control::default());
    assert!(result.is_ok(), "{result:?}");
    sink.slices
}

/// The variance of the counts in windows of 10 ms, by their mean: 1 for a Poisson process.
fn dispersion(times_ns: impl Iterator<Item = i64>, seconds: u64) -> f64 {
    let mut counts = vec![0.0; usize::try_from(seconds * 100).unwrap()];
    for time_ns in times_ns {
        let window = usize::try_from(time_ns / (10 * MILLISECOND_NS)).unwrap();
        // The last slice may come a moment after the last window.
        if let Some(count) = counts.get_mut(window) {
            *count += 1.0;
        }
    }
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let squares = counts.iter().map(|count: &f64| (count - mean).powi(2)).sum::<f64>();
    squares / (counts.len() as f64 - 1.0) / mean
}

// 5,000 windows tell the variance to 2 %, a standard deviation.
#[test]
fn at_ten_thousand_a_second_what_is_handed_over_is_a_poisson_process_without_lumps() {
    let seconds = 50;
    for (rate, speed) in [("10000/s", 1.0), ("500/s", 20.0)] {
        let plan = beats(&format!("rate = \"{rate}\""));
        let model_seconds = if speed > 1.0 { 20 * seconds } else { seconds };
        let slices = seen(&plan, model_seconds, speed);
        let events: usize = slices.iter().map(|(_, intended)| intended.len()).sum();
        assert!((events as f64 - 500_000.0).abs() < 5.0 * 500_000.0_f64.sqrt(), "{events}");
        let intended = slices.iter().flat_map(|(_, intended)| intended.iter().copied());
        let handed_over = slices.iter().flat_map(|(at, intended)| intended.iter().map(|_| *at));
        for (what, found) in [
            ("intended", dispersion(intended, seconds)),
            ("handed over", dispersion(handed_over, seconds)),
        ] {
            assert!((found - 1.0).abs() < 0.1, "{what} at {rate} × {speed}: {found}");
        }
        for (at_ns, intended) in &slices {
            let (first, last) = (intended[0], intended[intended.len() - 1]);
            assert!(
                last <= *at_ns && at_ns - first <= MILLISECOND_NS,
                "{first} to {last} at {at_ns}"
            );
        }
    }
}

/// Quiet nights and an hour of fifty times as much, from one tick to the next; each event is followed.
fn surge(rate: &str) -> Arc<Plan> {
    let mut hours = ["1"; 24];
    hours[1] = "50";
    let hours = hours.join(", ");
    beats(&format!(
        "rate = \"{rate}\"\ncurves = [\"surge\"]\n\
         [curves.surge]\nhours = [{hours}]\nnormalise = false\n\
         [streams.echoes]\ntopic = \"echoes\"\nschema = \"Beat.avsc\"\n\
         follows = \"beats\"\ndelay = {{ uniform = [\"1ms\", \"3s\"] }}\n\
         [streams.echoes.fields]\nat = \"event_time\""
    ))
}

/// The last half minute before a surge, and its begin.
const SURGE_US: Range<u64> = 3_570 * SECOND_US..3_605 * SECOND_US;

/// Events, the sum of their digests and the largest batch.
fn made(plan: &Arc<Plan>, options: Options) -> (usize, Digest, usize) {
    let options = Options { window_us: SURGE_US, digest: true, ..options };
    let mut events = EventStream::start(Arc::clone(plan), options).unwrap();
    let (mut count, mut digest, mut largest) = (0, Digest::default(), 0);
    while let Some(batch) = events.next_blocking() {
        let batch = batch.unwrap();
        count += batch.records.len();
        digest.add(batch.digest.unwrap());
        largest = largest.max(batch.records.len());
    }
    (count, digest, largest)
}

#[test]
fn a_surge_makes_batches_more_and_not_larger() {
    for rate in ["2/s", "100/s", "400/s"] {
        let plan = surge(rate);
        let whole = Options { batch_events: 10_000_000, ..Options::default() };
        let (count, digest, _) = made(&plan, whole);
        for threads in [1, 3] {
            let parts = made(&plan, Options { threads, ..Options::default() });
            assert_eq!((parts.0, parts.1), (count, digest), "{rate}, {threads} threads");
            assert!(parts.2 <= 2 * BATCH_EVENTS as usize, "{} at {rate}", parts.2);
        }
    }
}

#[test]
fn a_run_of_a_number_of_events_ends_at_the_same_one_however_a_surge_is_cut() {
    let plan = surge("100/s");
    let of = |count, batch_events| {
        made(&plan, Options { count: Some(count), batch_events, threads: 2, ..Options::default() })
    };
    // 3,000 come before the surge, 5,000 a second in it.
    for count in [2_999, 3_100, 9_876, 20_000] {
        let (whole, digest, _) = of(count, 10_000_000);
        for batch_events in [BATCH_EVENTS, 300] {
            let parts = of(count, batch_events);
            assert_eq!((parts.0, parts.1), (whole, digest), "{count} in batches of {batch_events}");
        }
    }
}
