//! `tidegate plan`: what a run would send, before it is sent.

mod json;
mod text;

use anyhow::Context as _;

use super::arguments::Plan;
use super::drawing::{Picture, Span};
use super::failure::{Exit, Failure};
use super::print::{Canvas, People};
use super::{changes, print};
use crate::observe::figure;
use crate::run::forecast::{Foreseen, forecast};
use crate::run::window::rfc3339;
use crate::stream::forecast::HOUR_US;

/// Tells what a run would send, on stdout.
pub fn plan(arguments: &Plan, people: &People) -> Result<Exit, Failure> {
    let overrides = changes::of_plan(arguments)?;
    let configuration = changes::read(&arguments.model, &overrides)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let foreseen = forecast(&configuration, &arguments.streams, arguments.all)?;
    super::warn(&configuration.source, &foreseen.plan.warnings, people);
    if foreseen.is_endless {
        let length = figure::time(foreseen.length());
        people.say(&format!(
            "plan: nothing says when the run ends; these are its first {length} (`--duration`)"
        ));
    }
    if let Some(count) = foreseen.run.count {
        let count = figure::count(count);
        people.say(&format!(
            "plan: a run would end after {count} root events; this is all of the time"
        ));
    }
    if let count @ 1.. = foreseen.plan.faults.list.len() {
        people.say(&format!(
            "plan: this is before faults ({count}), which drop, double, delay and change some of it"
        ));
    }
    let picture = picture(&foreseen);
    if let Some(path) = &arguments.svg {
        std::fs::write(path, picture.as_svg())
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::Other)?;
    }
    if arguments.json {
        print::result(&json::of(&foreseen).to_string())?;
    } else {
        print::result(&text::of(&foreseen, &picture, Canvas::stdout()))?;
    }
    Ok(Exit::Good)
}

/// What is drawn.
fn picture(foreseen: &Foreseen) -> Picture {
    let Foreseen { plan, forecast, from_us, until_us, .. } = foreseen;
    let since_start = |us: u64| plan.start_us.saturating_add_unsigned(us);
    let about = if forecast.is_estimated() { "about " } else { "" };
    Picture {
        title: format!(
            "{}: {about}{} events from {} to {}",
            plan.name,
            figure::count(forecast.total()),
            rfc3339(*from_us),
            rfc3339(*until_us)
        ),
        first_us: since_start(forecast.first_hour * HOUR_US),
        window_us: (*from_us, *until_us),
        streams: foreseen
            .sent()
            .map(|(number, counts)| (plan.streams[number].name.clone(), counts.hours.clone()))
            .collect(),
        phases: (foreseen.phases.iter())
            .map(|it| Span {
                name: it.name.clone(),
                window_us: (it.from_us, it.until_us.unwrap_or(*until_us)),
            })
            .collect(),
        peak: forecast.peak.map(|peak| (since_start(peak.second * 1_000_000), peak.events)),
    }
}
