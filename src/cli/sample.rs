//! `tidegate sample`: a few events, one JSON line each.

use std::sync::Arc;

use anyhow::Context as _;

use super::arguments::Sample;
use super::failure::{Exit, Failure};
use super::{changes, print};
use crate::config::{suggest, units};
use crate::plan::batch::BATCH_EVENTS;
use crate::plan::{Origin, Plan, StreamPlan};
use crate::run;
use crate::run::lines::{Lines, Told};
use crate::run::window::Window;
use crate::stream::{EventStream, Options, Route};

/// How long one event of a stream that follows another is waited for: in events of its root stream,
/// and in ticks.
const WAITED_EVENTS: u64 = 1_000_000;
const WAITED_TICKS: u64 = 100_000;

/// Prints the first events of each stream.
pub fn sample(arguments: &Sample, people: &print::People) -> Result<Exit, Failure> {
    let number = units::count(&arguments.number)
        .map_err(|error| Failure::Bad(format!("`-n`: {error}; {}", error.way_out())))?;
    let overrides = changes::of_sample(arguments)?;
    let configuration = changes::read(&arguments.model, &overrides)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let plan = run::plan::of_model(&configuration)?;
    super::warn(&configuration.source, &plan.warnings, people);
    let wanted = wanted(&plan, arguments.stream.as_deref())?;
    let window = Window::resolve(&configuration.settings.run, plan.start_us);
    let from_us = window.map_err(run::Error::from)?.from_us - plan.start_us;
    let options = Options {
        window_us: from_us.unsigned_abs()..u64::MAX,
        // Each batch looks for what its events follow: in small ones, that is most of the work.
        batch_events: u32::try_from(number).unwrap_or(u32::MAX).clamp(1_024, 4_096),
        routes: wanted
            .iter()
            .map(|wanted| Route { skipped: !wanted, ..Route::default() })
            .collect(),
        ..Options::default()
    };
    let streams = wanted.iter().filter(|wanted| **wanted).count();
    let told = Told { streams, headers: arguments.headers };
    let plan = Arc::new(plan);
    // What is told before a run comes before its events here, too.
    let roots: Vec<bool> = plan.streams.iter().map(|it| it.follow_up().is_none()).collect();
    let mut left = Vec::new();
    for snapshot in [true, false] {
        left = (wanted.iter().zip(&plan.streams))
            .map(|(wanted, stream)| match most(stream) {
                (before, most) if *wanted && before == snapshot => number.min(most),
                _ => 0,
            })
            .collect();
        print_some(&plan, Options { snapshot, ..options.clone() }, told, (&mut left, &roots))?;
    }
    let untold = |(wanted, stream): (&bool, &StreamPlan)| match &stream.origin {
        Origin::Control(control) => *wanted && control.records_max() == Some(0),
        Origin::Root(_) | Origin::FollowUp(_) | Origin::Members(_) | Origin::Ledger(_) => false,
    };
    if wanted.iter().zip(&plan.streams).any(untold) {
        people.say("sample: no phase begins or ends: name a scenario, --set traffic.scenario=NAME");
    }
    for (number, left) in left.into_iter().enumerate() {
        let missing = print_later(&plan, options.clone(), told, (number, left))?;
        if missing > 0 {
            let name = &plan.streams[number].name;
            people.say(&format!(
                "sample: {missing} of `{name}` are missing: what it follows is followed more rarely \
                 than once in {WAITED_EVENTS} events of its root stream, or never"
            ));
        }
    }
    Ok(Exit::Good)
}

/// Prints what is left of a stream that follows others: from where all its delays are over, because
/// before that its events are few and may be months away. Gives how many did not come.
fn print_later(
    plan: &Arc<Plan>,
    mut options: Options,
    told: Told,
    (number, of_stream): (usize, u64),
) -> Result<u64, Failure> {
    let Some(follow_up) = plan.streams[number].follow_up().filter(|_| of_stream > 0) else {
        return Ok(0);
    };
    if follow_up.rate_per_s <= 0.0 {
        return Ok(of_stream);
    }
    let own = 0..plan.streams.len();
    let start_us = options.window_us.start.saturating_add(follow_up.latest_us);
    let root_per_s = plan.streams[follow_up.above[0]].rate_per_s();
    let tick_us = plan.tick.length_us().unsigned_abs();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    let waited_us = (WAITED_EVENTS as f64 / root_per_s * 1e6) as u64;
    let waited_us = waited_us.clamp(tick_us, WAITED_TICKS * tick_us);
    options.window_us = start_us..start_us.saturating_add(waited_us.saturating_mul(of_stream));
    // Of rare events a large batch is hours of a root stream's.
    options.batch_events = u32::try_from(of_stream).unwrap_or(u32::MAX).clamp(256, BATCH_EVENTS);
    options.routes =
        own.clone().map(|it| Route { skipped: it != number, ..Route::default() }).collect();
    let mut left: Vec<u64> = own.map(|it| if it == number { of_stream } else { 0 }).collect();
    print_some(plan, options, told, (&mut left, &vec![true; plan.streams.len()]))?;
    Ok(left[number])
}

/// Whether what is printed of a stream comes before a run, and how much of it there is at most.
fn most(stream: &StreamPlan) -> (bool, u64) {
    if let Origin::Control(control) = &stream.origin {
        return (false, control.records_max().unwrap_or(u64::MAX));
    }
    // What faults did is known of a run only.
    if matches!(stream.origin, Origin::Ledger(_)) {
        return (false, 0);
    }
    let Some(members) = stream.members() else { return (false, u64::MAX) };
    match members.snapshot_count() {
        Some(count) => (true, count),
        None => (false, members.records_max().unwrap_or(u64::MAX)),
    }
}

/// Which streams are printed.
fn wanted(plan: &Plan, only: Option<&str>) -> Result<Vec<bool>, Failure> {
    let names = plan.streams.iter().map(|stream| stream.name.as_str());
    let Some(only) = only else { return Ok(vec![true; plan.streams.len()]) };
    if !names.clone().any(|name| name == only) {
        let hint = suggest::way_out(only, names).unwrap_or_default();
        return Err(Failure::Run(run::Error::UnknownStream { name: only.to_owned(), hint }));
    }
    Ok(names.map(|name| name == only).collect())
}

/// Prints events until nothing is left of the streams that are waited for, or nobody reads any more.
fn print_some(
    plan: &Arc<Plan>,
    mut options: Options,
    told: Told,
    (left, awaited): (&mut [u64], &[bool]),
) -> Result<(), Failure> {
    let lines = Lines::new(plan, told)
        .context("a schema cannot be shown as JSON")
        .map_err(Failure::Other)?;
    let start = |options: &Options| {
        EventStream::start(Arc::clone(plan), options.clone()).map_err(run::Error::from)
    };
    let mut events = start(&options)?;
    let mut text = Vec::new();
    while left.iter().zip(awaited).any(|(left, awaited)| *left > 0 && *awaited) {
        let Some(batch) = events.next_blocking() else { break };
        let batch = batch.map_err(run::Error::from)?;
        text.clear();
        for record in batch.records.iter() {
            let left = &mut left[usize::from(record.stream)];
            if *left > 0 {
                *left -= 1;
                // As if a run at the clock's own speed had begun with the window.
                let intended_ns = record.due_us.saturating_mul(1_000);
                lines
                    .write((&batch, record), intended_ns, &mut text)
                    .context("an event cannot be shown as JSON")
                    .map_err(Failure::Other)?;
            }
        }
        if !print::lines(&text)? {
            break;
        }
        // A stream that is shown is not made any more: another one may begin hours later.
        let routes = options.routes.iter_mut().zip(left.iter());
        let shown = routes.filter(|(route, left)| !route.skipped && **left == 0);
        if shown.map(|(route, _)| route.skipped = true).count() > 0 && !options.snapshot {
            options.window_us.start = batch.window_us.end.abs_diff(plan.start_us);
            events = start(&options)?;
        }
    }
    Ok(())
}
