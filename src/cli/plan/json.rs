//! A plan as one JSON object.

use serde_json::{Map, Value, json};

use crate::config::settings::Speed;
use crate::plan::members::Members;
use crate::run::forecast::Foreseen;
use crate::run::window::rfc3339;
use crate::stream::forecast::Counts;
use crate::stream::forecast::keys::Keys;

/// All that is foreseen. Counts are whole numbers, times RFC 3339.
pub(super) fn of(foreseen: &Foreseen) -> Value {
    let Foreseen { plan, forecast, memory, .. } = foreseen;
    let streams = foreseen.sent().map(|(number, counts)| {
        (plan.streams[number].name.clone(), stream(foreseen, number, counts))
    });
    let peak = forecast.peak.map(|peak| {
        let at_us = plan.start_us.saturating_add_unsigned(peak.second * 1_000_000);
        json!({ "at": rfc3339(at_us), "second": peak.second, "events": peak.events })
    });
    let phases = foreseen.phases.iter().enumerate().map(|(place, phase)| {
        let of = foreseen.sent().map(|(number, counts)| {
            (plan.streams[number].name.clone(), counts.phases[place].into())
        });
        json!({
            "scenario": phase.scenario,
            "phase": phase.name,
            "from": rfc3339(phase.from_us),
            "until": phase.until_us.map(rfc3339),
            "streams": of.collect::<Map<String, Value>>(),
        })
    });
    json!({
        "model": plan.name,
        "seed": plan.seed,
        "start": rfc3339(plan.start_us),
        "from": rfc3339(foreseen.from_us),
        "until": rfc3339(foreseen.until_us),
        "duration_s": seconds((foreseen.until_us - foreseen.from_us).unsigned_abs()),
        "lanes": plan.lanes,
        "speed": speed(foreseen.run.speed),
        "wall_s": foreseen.wall().map(|wall| wall.as_secs_f64()),
        "events": forecast.total(),
        "bytes": foreseen.bytes(),
        "estimated": forecast.is_estimated(),
        "looked_at": forecast.looked_at,
        "streams": streams.collect::<Map<String, Value>>(),
        "hours": hours(foreseen),
        "phases": phases.collect::<Vec<_>>(),
        "peak": peak,
        "memory": {
            "ahead_bytes": memory.ahead_bytes,
            "in_flight_bytes": memory.in_flight_bytes,
        },
    })
}

fn stream(foreseen: &Foreseen, number: usize, counts: &Counts) -> Value {
    let stream = &foreseen.plan.streams[number];
    let records = counts.records.as_ref();
    let partitions = records.filter(|records| !records.partitions.is_empty()).map(|records| {
        json!({
            "count": records.partitions.len(),
            "fullest_to_mean": records.skew(),
            "records_looked_at": records.looked_at,
        })
    });
    let snapshot = stream.members().and_then(Members::snapshot_count);
    json!({
        "events": counts.total(),
        "bytes": counts.bytes(),
        "mean_bytes": records.map(|records| records.mean_bytes),
        "mean_header_bytes": records.map(|records| records.mean_header_bytes),
        "estimated": counts.apart.is_some(),
        "apart": counts.apart,
        "snapshot": snapshot,
        "topic": stream.topic.name,
        "key": foreseen.key_names[number],
        "keys": foreseen.keys[number].as_ref().map(keys),
        "partitions": partitions,
    })
}

fn keys(keys: &Keys) -> Value {
    json!({
        "of_s": seconds(keys.of_us),
        "lanes": keys.lanes,
        "count": keys.count,
        "median": keys.median,
        "p99": keys.p99,
        "most": keys.most,
    })
}

fn hours(foreseen: &Foreseen) -> Vec<Value> {
    let count = foreseen.sent().map(|(_, counts)| counts.hours.len()).max().unwrap_or(0);
    let hour = |place: usize| {
        let of = foreseen.sent().map(|(number, counts)| {
            (foreseen.plan.streams[number].name.clone(), counts.hours[place].into())
        });
        let hour = foreseen.forecast.first_hour + place as u64;
        json!({ "hour": hour, "streams": of.collect::<Map<String, Value>>() })
    };
    (0..count).map(hour).collect()
}

fn speed(speed: Speed) -> Value {
    match speed {
        Speed::Times(times) => json!({ "times": times }),
        Speed::Pace(per_s) => json!({ "events_per_s": per_s }),
        Speed::Max => json!("max"),
    }
}

/// Whole seconds are whole numbers.
fn seconds(us: u64) -> Value {
    if us.is_multiple_of(1_000_000) { (us / 1_000_000).into() } else { (us as f64 / 1e6).into() }
}
