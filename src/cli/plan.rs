//! `tidegate plan`: what a run would send, before it is sent.

use serde_json::{Map, Value, json};

use super::arguments::Plan;
use super::failure::{Exit, Failure};
use super::{changes, print};
use crate::observe::figure;
use crate::run::forecast::{Foreseen, forecast};
use crate::run::window::rfc3339;

/// Tells what a run would send, on stdout.
pub fn plan(arguments: &Plan, people: &print::People) -> Result<Exit, Failure> {
    let overrides = changes::of_plan(arguments)?;
    let configuration = changes::read(&arguments.model, &overrides)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let foreseen = forecast(&configuration, &arguments.streams)?;
    super::warn(&configuration.source, &foreseen.plan.warnings, people);
    if foreseen.endless {
        people.say("plan: nothing says when the run ends; this is its first 24 h (`--duration`)");
    }
    let told = if arguments.json { json(&foreseen).to_string() } else { text(&foreseen) };
    print::result(&told)?;
    Ok(Exit::Good)
}

fn json(foreseen: &Foreseen) -> Value {
    let Foreseen { plan, forecast, .. } = foreseen;
    let sent = || {
        let streams = plan.streams.iter().zip(&forecast.streams);
        streams.filter_map(|(stream, counts)| Some((stream, counts.as_ref()?)))
    };
    let streams: Map<String, Value> = sent()
        .map(|(stream, counts)| {
            let told = json!({ "topic": stream.topic.name, "events": counts.total() });
            (stream.name.clone(), told)
        })
        .collect();
    let hours = sent().map(|(_, counts)| counts.hours.len()).max().unwrap_or(0);
    let hours: Vec<Value> = (0..hours)
        .map(|place| {
            let of =
                sent().map(|(stream, counts)| (stream.name.clone(), counts.hours[place].into()));
            let hour = forecast.first_hour + place as u64;
            json!({ "hour": hour, "streams": of.collect::<Map<String, Value>>() })
        })
        .collect();
    let peak = forecast.peak.map(|peak| {
        let at_us = plan.start_us.saturating_add_unsigned(peak.second * 1_000_000);
        json!({ "at": rfc3339(at_us), "second": peak.second, "events": peak.events })
    });
    json!({
        "model": plan.name,
        "seed": plan.seed,
        "start": rfc3339(plan.start_us),
        "from": rfc3339(foreseen.from_us),
        "until": rfc3339(foreseen.until_us),
        "duration_s": seconds((foreseen.until_us - foreseen.from_us).unsigned_abs()),
        "streams": streams,
        "hours": hours,
        "phases": [],
        "peak": peak,
    })
}

/// Whole seconds are whole numbers.
fn seconds(us: u64) -> Value {
    if us.is_multiple_of(1_000_000) { (us / 1_000_000).into() } else { (us as f64 / 1e6).into() }
}

fn text(foreseen: &Foreseen) -> String {
    let Foreseen { plan, forecast, .. } = foreseen;
    let mut lines = vec![format!(
        "{}: {} events from {} to {}, seed {}",
        plan.name,
        figure::count(forecast.total()),
        rfc3339(foreseen.from_us),
        rfc3339(foreseen.until_us),
        plan.seed
    )];
    for (stream, counts) in plan.streams.iter().zip(&forecast.streams) {
        if let Some(counts) = counts {
            let events = figure::count(counts.total());
            lines.push(format!("  {:<20} {events:>14}  to {}", stream.name, stream.topic.name));
        }
    }
    lines.join("\n")
}
