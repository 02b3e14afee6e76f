//! Rows of whole models: how fast they are made, bars of twenty years, and memory over days.

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use tidegate::config::{self, ModelSource, Override, Overrides};
use tidegate::plan::batch::{BATCH_EVENTS, Batches};
use tidegate::plan::{Inputs, Plan};

use crate::payments::START;
use crate::processor::Work;
use crate::program;
use crate::row::{Ratios, Row, Verdict, median};
use crate::turns;

const HOUR_US: u64 = 3_600_000_000;
const DAY_US: u64 = 24 * HOUR_US;
const MEGABYTE: f64 = 1e6;
/// Events a second and thread that every model should reach.
const LEAST_RATE: f64 = 2.5e6;
/// How often each model's rate is taken.
const TIMES: usize = 5;

/// Keys of a model, with values.
type Settings = &'static [(&'static str, &'static str)];

/// The models; those whose rate is too low to keep a processor busy are made larger.
const MODELS: [(&str, &str, Settings); 5] = [
    ("payments", "generate + encode `payments`, one thread, all streams", &[]),
    (
        "transfers",
        "the same of `transfers`, 20 times as many people and companies",
        &[("entities.person.count", "40000000"), ("entities.company.count", "3200000")],
    ),
    ("orders", "the same of `orders`, at 2,000 orders/s", &[("traffic.rate", "2k/s")]),
    ("sessions", "the same of `sessions`, at 2,000/s", &[("traffic.rate", "2k/s")]),
    ("market", "the same of `market`", &[]),
];

/// A plan of a model.
pub(crate) fn plan_of(source: &ModelSource, settings: &[(&str, &str)]) -> Result<Arc<Plan>> {
    let start = Override::flag("--start", "start", START);
    let settings = settings.iter().map(|(key, value)| Override::flag("--set", key, value));
    let flags = std::iter::once(start).chain(settings).collect();
    let overrides = Overrides { flags, ..Overrides::default() };
    let configuration = config::read(source, &overrides, &|_| None)
        .map_err(|refused| anyhow!("the model is refused: {refused}"))?;
    let plan = Plan::compile(&configuration.model, &Inputs::default());
    Ok(Arc::new(plan.map_err(|mistakes| anyhow!("the model is no plan: {mistakes:?}"))?))
}

/// Events a second and thread of each model, in the eleventh week, when all that follows is there.
pub(crate) fn models() -> Result<Vec<Row>> {
    MODELS.into_iter().map(|(name, what, settings)| model(name, what, settings)).collect()
}

fn model(name: &str, what: &'static str, settings: Settings) -> Result<Row> {
    let plan = plan_of(&ModelSource::BuiltIn(name.to_owned()), settings)?;
    let first = 70 * DAY_US;
    let window_us = first..first + 24 * HOUR_US;
    let mut work = Work::of(&plan, window_us)?;
    let take = |_| turns::rate_of_thread(|| work.next());
    let rates = (0..TIMES).map(take).collect::<Result<Vec<f64>>>()?;
    let (least, most) = rates
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    let rate = median(&rates);
    Ok(Row {
        what,
        at_least: "2.5 M/s",
        measured: format!(
            "{:.2} M/s ({:.2}–{:.2}), {:.0} ns an event",
            rate / 1e6,
            least / 1e6,
            most / 1e6,
            1e9 / rate
        ),
        verdict: Verdict::of(rate >= LEAST_RATE),
    })
}

/// Daily bars of 4,000 shares over twenty years, to nowhere.
pub(crate) fn bars() -> Result<Vec<Row>> {
    let (mut seconds, mut bars) = (Vec::new(), 0.0);
    for _ in 0..TIMES {
        let report = program::report(&format!(
            "run market --streams bars --to null --speed max --threads 2 --start {START} \
             --duration 7300d --quiet --manifest none"
        ))?;
        seconds.push(program::figure(&report, &["seconds"])?);
        bars = program::figure(&report, &["delivered"])?;
    }
    let taken = median(&seconds);
    let spread = Ratios::new(seconds);
    ensure!(bars > 2e7, "{bars} bars are too few");
    Ok(vec![Row {
        what: "4,000 shares × 20 years of daily bars to `null`, two threads",
        at_least: "< 10 s",
        measured: format!("{} s; {:.1} M bars", spread.to_string().replace(" ×", ""), bars / 1e6),
        verdict: Verdict::of(taken < 10.0),
    }])
}

/// Memory of ten minutes and of ten days of payments, with all that follows days later.
pub(crate) fn days() -> Result<Vec<Row>> {
    let (minutes, days) = (peak("10m", "20000/s")?, peak("10d", "20/s")?);
    let apart = (days - minutes).abs();
    Ok(vec![Row {
        what: "resident memory of `payments` to `null`, 10^8 accounts, 10 minutes and 10 days of model time",
        at_least: "equal within 10 MB",
        measured: format!(
            "{:.1} MB and {:.1} MB, {:.1} MB apart",
            minutes / MEGABYTE,
            days / MEGABYTE,
            apart / MEGABYTE
        ),
        verdict: Verdict::of(apart <= 10.0 * MEGABYTE),
    }])
}

fn peak(duration: &str, rate: &str) -> Result<f64> {
    let per_second: f64 = rate.trim_end_matches("/s").parse()?;
    let (report, outside) = program::report_and_memory(&format!(
        "run payments --to null --speed max --start {START} --duration {duration} --rate {rate} --quiet \
         --manifest none --set entities.account.activity.mean={}/day",
        per_second * 86_400.0 / 1e8
    ))?;
    ensure!(program::figure(&report, &["delivered"])? > 0.0, "nothing was made");
    let told = program::figure(&report, &["memory_bytes_max"])?;
    // The last look from outside is a little before the end.
    Ok(told.max(outside as f64))
}

/// The jobs of a window.
pub(crate) fn batches(plan: &Plan, window_us: std::ops::Range<u64>) -> Batches {
    Batches::new(plan, &|_| true, window_us, BATCH_EVENTS)
}
