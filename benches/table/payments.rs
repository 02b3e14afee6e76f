//! The payments model, as columns and as jobs.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use tidegate::config::{self, ModelSource, Override, Overrides};
use tidegate::generate::column::{CHUNK_ROWS, Frame};
use tidegate::generate::cpu::{self, Context, Era};
use tidegate::plan::arrival::{Arrivals, INDEX_BITS, LANE_BITS};
use tidegate::plan::batch::{BATCH_EVENTS, Batches, Job};
use tidegate::plan::program::input;
use tidegate::plan::{Inputs, Origin, Plan, StreamPlan};
use tidegate::stream::{Options, Route};

/// Monday morning in Europe: as many events as on average, and a bit more.
pub(crate) const START: &str = "2026-03-02T09:00:00Z";

/// Twelve hours of model time: far more than any row makes.
const WINDOW_US: u64 = 12 * 3_600_000_000;

/// The model as it comes with the program, with a start of its own.
pub(crate) fn plan() -> Result<Arc<Plan>> {
    compile(vec![Override::flag("--start", "start", START)])
}

/// The model as a flat stream of so many events a second.
pub(crate) fn plan_at(rate_per_s: u32) -> Result<Arc<Plan>> {
    compile(vec![
        Override::flag("--start", "start", START),
        Override::flag("--rate", "traffic.rate", &format!("{rate_per_s}/s")),
        Override::flag("--set", "traffic.curves", "[]"),
    ])
}

fn compile(flags: Vec<Override>) -> Result<Arc<Plan>> {
    let overrides = Overrides { flags, ..Overrides::default() };
    let source = ModelSource::BuiltIn("payments".to_owned());
    let configuration = config::read(&source, &overrides, &|_| None)
        .map_err(|refused| anyhow!("the payments model is refused: {refused}"))?;
    let plan = Plan::compile(&configuration.model, &Inputs::default());
    Ok(Arc::new(plan.map_err(|mistakes| anyhow!("the payments model is no plan: {mistakes:?}"))?))
}

/// The authorisations of the whole window, on so many threads.
pub(crate) fn options(plan: &Plan, threads: usize) -> Options {
    let route = |number| Route { skipped: number > 0, ..Route::default() };
    let routes = (0..plan.streams.len()).map(route).collect();
    Options { window_us: 0..WINDOW_US, threads, routes, ..Options::default() }
}

/// The window's jobs.
pub(crate) fn batches(plan: &Plan) -> Batches {
    Batches::new(plan, &|number| number == 0, 0..WINDOW_US, BATCH_EVENTS)
}

/// The generated columns of a job's events, chunk by chunk, as the encoder gets them.
pub(crate) fn frames(plan: &Plan, job: &Job) -> Vec<Frame> {
    let stream = &plan.streams[0];
    let Origin::Root(traffic) = &stream.origin else { return Vec::new() };
    let tick_us = plan.tick.length_us().unsigned_abs();
    let mut frames = Vec::new();
    for tick in job.ticks.clone() {
        let begin_us = tick * tick_us;
        let slot = cpu::slot_of(plan.start_us.saturating_add_unsigned(begin_us));
        let segment = traffic.segment(slot);
        let mut arrivals = Vec::new();
        let lanes: Vec<u32> = (0..plan.lanes).collect();
        Arrivals::new(traffic, &segment, tick).each(&lanes, &mut |_, arrival| {
            arrivals.push((arrival.at_us, arrival.number));
        });
        arrivals.sort_unstable();
        let eras = [Era { slot, segment, phases: 0 }];
        let context = Context { eras: &eras };
        frames
            .extend(arrivals.chunks(CHUNK_ROWS).map(|rows| frame(stream, begin_us, rows, context)));
    }
    frames
}

fn frame(stream: &StreamPlan, begin_us: u64, rows: &[(u32, u64)], context: Context<'_>) -> Frame {
    let program = &stream.compiled.program;
    let mut frame = Frame::new(usize::from(program.columns), CHUNK_ROWS);
    frame.set_rows(rows.len());
    let lane = |position: u64| position >> INDEX_BITS & ((1 << LANE_BITS) - 1);
    for (row, (at_us, position)) in rows.iter().enumerate() {
        let time_us = begin_us + u64::from(*at_us);
        for (register, word) in [
            (input::NUMBER.high, position >> 32),
            (input::NUMBER.low, *position),
            (input::time(0).high, time_us >> 32),
            (input::time(0).low, time_us),
            (input::LANE, lane(*position)),
        ] {
            frame.column_mut(register)[row] = low(word);
        }
    }
    cpu::run(program, &mut frame, context);
    frame
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(value: u64) -> u32 {
    value as u32
}
