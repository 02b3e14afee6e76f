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

/// A schema of few fields: what half a million events a second can be made of beside everything else.
const SMALL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schemas/transactions.avro");

/// A ceiling that the small schema reaches by far.
const CEILING_PER_S: f64 = 100_000.0;

/// Paced events to nowhere: none early, few late; and at full speed what a ceiling lets go.
pub(crate) fn pacing(seconds: u64) -> Result<Vec<Row>> {
    let payments = "run payments --streams authorisations";
    let small = format!("run {SMALL}");
    Ok(vec![
        early(seconds / 2)?,
        late("pacing `payments` to `null` at 1,000/s: lateness", (payments, "1000"), seconds)?,
        late("the same at 50,000/s", (payments, "50000"), seconds)?,
        late("the same of a schema of 5 fields, at 500,000/s", (&small, "500000"), seconds)?,
        ceiling(&small, seconds / 2)?,
    ])
}

fn early(seconds: u64) -> Result<Row> {
    let early_ms = early_max_ms(seconds)?;
    Ok(Row {
        what: "pacing at 50,000/s: the earliest hand-over",
        at_least: "≤ 1 ms early",
        measured: if early_ms > 0.0 {
            format!("{early_ms:.3} ms early")
        } else {
            format!("none early; the closest {:.3} ms late", -early_ms)
        },
        verdict: Verdict::of(early_ms <= 1.0),
    })
}

/// How late the events of a flat stream are.
fn late(what: &'static str, (run, rate): (&str, &str), seconds: u64) -> Result<Row> {
    let report = program::report(&format!(
        "{run} --to null {} --duration {seconds}s --quiet --manifest none",
        flat(rate)
    ))?;
    let at = |name: &str| figure(&report, &["latency_ms", name]);
    let (p99, p999) = (at("p99")?, at("p99.9")?);
    let named = [("p50", at("p50")?), ("p99", p99), ("p99.9", p999), ("max", at("max")?)];
    Ok(Row {
        what,
        at_least: "p99 < 2 ms, p99.9 < 10 ms",
        measured: format!("{}; {seconds} s", times_ms(&named)),
        verdict: Verdict::of(p99 < 2.0 && p999 < 10.0),
    })
}

/// How near a ceiling a run at full speed comes, and never above.
fn ceiling(run: &str, seconds: u64) -> Result<Row> {
    let count = CEILING_PER_S * seconds as f64;
    let report = program::report(&format!(
        "{run} --to null {} --speed max --max-rate {CEILING_PER_S}/s --count {count} --quiet \
         --manifest none",
        flat("1000000")
    ))?;
    let share = figure(&report, &["rates", "delivered"])? / CEILING_PER_S;
    Ok(Row {
        what: "a ceiling of 100,000/s at full speed: what goes of it",
        at_least: "99–100 %",
        measured: format!("{:.2} %; {seconds} s", share * 100.0),
        // The first 5 ms go at once.
        verdict: Verdict::of((0.99..=1.0 + 0.006 / seconds as f64).contains(&share)),
    })
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
        counted: 0,
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
