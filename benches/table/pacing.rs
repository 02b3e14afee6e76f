//! How well events keep their intended times when nothing is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tidegate::clock::Clock;
use tidegate::publish::{Error, Sink, Slice, Unacknowledged};
use tidegate::stream::EventStream;
use tidegate::stream::pacer::{self, Ceilings, Control, Options, Speed};

use crate::payments;
use crate::program::{self, figure};
use crate::row::{Row, Verdict, times_ms};

/// Flags that make the payments model a flat stream of so many events a second.
pub(crate) fn flat(rate: &str) -> String {
    format!("--rate {rate}/s --set traffic.curves=[]")
}

/// 50,000 events a second to nowhere: none early, few late.
pub(crate) fn pacing(seconds: u64) -> Result<Vec<Row>> {
    let early_ms = early_max_ms(seconds / 2)?;
    let early = Row {
        what: "pacing at 50,000/s: the earliest hand-over",
        at_least: "≤ 1 ms early",
        measured: if early_ms > 0.0 {
            format!("{early_ms:.3} ms early")
        } else {
            format!("none early; the closest {:.3} ms late", -early_ms)
        },
        verdict: Verdict::of(early_ms <= 1.0),
    };
    let report = program::report(&format!(
        "run payments --streams authorisations --to null {} --duration {seconds}s --quiet --manifest none",
        flat("50000")
    ))?;
    let [p50, p99, p999, max] = quantiles(&report)?;
    let named = [("p50", p50), ("p99", p99), ("p99.9", p999), ("max", max)];
    let late = Row {
        what: "pacing to `null` at 50,000/s: lateness",
        at_least: "p99 < 2 ms, p99.9 < 10 ms",
        measured: format!("{}; {seconds} s", times_ms(&named)),
        verdict: Verdict::of(p99 < 2.0 && p999 < 10.0),
    };
    Ok(vec![early, late])
}

/// Quantiles of a result's latency, in milliseconds: p50, p99, p99.9 and the greatest.
fn quantiles(report: &serde_json::Value) -> Result<[f64; 4]> {
    let at = |name: &str| figure(report, &["latency_ms", name]);
    Ok([at("p50")?, at("p99")?, at("p99.9")?, at("max")?])
}

/// By how much the earliest event of a paced stream is handed over before its intended time; below
/// 0 if none is. The program's own figures count an early event as one on time, so a sink of ours
/// looks at the clock.
fn early_max_ms(seconds: u64) -> Result<f64> {
    let plan = payments::plan_at(50_000)?;
    let mut events = EventStream::start(
        Arc::clone(&plan),
        tidegate::stream::Options {
            window_us: 0..seconds * 1_000_000,
            ..payments::options(&plan, 1)
        },
    )?;
    let clock = Clock::system();
    let early_ns = Arc::new(AtomicI64::new(i64::MIN));
    let mut sink = Watch { clock: clock.clone(), early_ns: Arc::clone(&early_ns) };
    let options = Options {
        anchor_ns: clock.now_ns(),
        clock,
        speed: Speed::Times(1.0),
        begin_us: plan.start_us,
        drain: Duration::from_secs(1),
        ceilings: Ceilings::default(),
        held: Arc::default(),
    };
    let (_, result) = pacer::run(&mut events, &mut sink, &options, &Control::default());
    result?;
    Ok(early_ns.load(Ordering::Relaxed) as f64 / 1e6)
}

/// A sink that keeps by how much the earliest record came before its intended time.
#[derive(Debug)]
struct Watch {
    clock: Clock,
    early_ns: Arc<AtomicI64>,
}

impl Sink for Watch {
    fn publish(&mut self, slice: &Slice, _: &dyn Fn() -> bool) -> Result<usize, Error> {
        let now_ns = self.clock.now_ns();
        for record in &slice.batch.records[slice.records.clone()] {
            let early_ns = slice.schedule.intended_ns(record.due_us) - now_ns;
            self.early_ns.fetch_max(early_ns, Ordering::Relaxed);
        }
        Ok(slice.records.len())
    }

    fn flush(&mut self, _: Duration, _: &dyn Fn() -> bool) -> Result<Unacknowledged, Error> {
        Ok(Unacknowledged(0))
    }

    fn in_flight(&self) -> u64 {
        0
    }
}
