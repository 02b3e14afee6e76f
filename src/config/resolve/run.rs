//! `[run]`.

use std::num::NonZeroUsize;

use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::settings::{Governor, Moment, Run, Speed};
use super::super::units;

/// How a run is done.
pub(super) fn run(reader: &mut Reader<'_>, at: &At<'_>) -> Run {
    let Some(mut section) = reader.section(at) else { return Run::default() };
    let default = Run::default();
    let threads = section.get("threads").and_then(|at| reader.whole(&at, &(1..=1_024)));
    let metrics = section.get("metrics").and_then(|at| {
        let words = reader.text(&at)?;
        let address = words.value.parse().ok();
        if address.is_none() {
            let what = format!("`{}`: `{}` is no address", at.path, words.value);
            reader.refuse(&words.span, what, "write an address and a port: \"127.0.0.1:9464\"");
        }
        address
    });
    let drain = section.get("drain").and_then(|at| reader.unit(&at, units::duration));
    let connect_timeout = section.get("connect_timeout").and_then(|at| reader.duration(&at));
    let in_flight = section.get("in_flight_bytes_max").and_then(|at| in_flight(reader, &at));
    let run = Run {
        threads: threads.and_then(|count| NonZeroUsize::new(usize::try_from(count).ok()?)),
        metrics,
        drain: drain.map_or(default.drain, |drain| drain.value),
        connect_timeout: connect_timeout.unwrap_or(default.connect_timeout),
        in_flight_bytes_max: in_flight.unwrap_or(default.in_flight_bytes_max),
        speed: way(reader, &mut section).unwrap_or(default.speed),
        governor: section.get("governor").map(|at| governor(reader, &at)).unwrap_or_default(),
        from: section.get("from").and_then(|at| moment(reader, &at)),
        until: section.get("until").and_then(|at| moment(reader, &at)),
        duration: section.get("duration").and_then(|at| reader.duration(&at)),
        wall_duration: section.get("for").and_then(|at| reader.duration(&at)),
        count: section
            .get("count")
            .and_then(|at| reader.whole(&at, &(1..=i128::from(u64::MAX))))
            .and_then(|count| u64::try_from(count).ok()),
        create_topics: flag(reader, &mut section, "create_topics"),
        digest: flag(reader, &mut section, "digest"),
    };
    if let (Some(_), Some(until)) = (run.duration, section.get("until")) {
        let what = "the run has both an `until` and a `duration`";
        reader.refuse(&until.key_span, what, "keep one of them");
    }
    reader.finish(section);
    run
}

fn flag(reader: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> bool {
    section.get(key).and_then(|at| reader.boolean(&at)).unwrap_or(false)
}

fn in_flight(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    let bytes = reader.unit(at, units::bytes)?;
    if (1 << 20..=64 << 30).contains(&bytes.value) {
        return Some(bytes.value);
    }
    let what = format!("`{}` is {} bytes, but must be 1MiB to 64GiB", at.path, bytes.value);
    reader.refuse(&bytes.span, what, "");
    None
}

/// `{ events = "5000/s", bytes = "10MB/s" }`.
fn governor(reader: &mut Reader<'_>, at: &At<'_>) -> Governor {
    let Some(mut section) = reader.section(at) else { return Governor::default() };
    let events = section.get("events").and_then(|at| reader.rate(&at));
    let bytes = section.get("bytes").and_then(|at| byte_rate(reader, &at));
    reader.finish(section);
    Governor { events_per_s: events.map(|rate| rate.value), bytes_per_s: bytes }
}

/// A byte a second or more: with less, even the shortest record would take longer than anyone waits.
fn byte_rate(reader: &mut Reader<'_>, at: &At<'_>) -> Option<f64> {
    let rate = reader.unit(at, units::byte_rate)?;
    if rate.value >= 1.0 && rate.value.is_finite() {
        return Some(rate.value);
    }
    let what = format!("`{}` is {} bytes a second, but must be 1B/s or more", at.path, rate.value);
    reader.refuse(&rate.span, what, "leave it out to have no such ceiling");
    None
}

/// `speed = 60`, `speed = "max"` or `pace = "5000/s"`.
fn way(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Speed> {
    let (times, pace) = (section.get("speed"), section.get("pace"));
    if let (Some(times), Some(pace)) = (&times, &pace) {
        let what = format!("`{}` and `{}` do not go together", times.path, pace.path);
        reader.refuse(&pace.key_span, what, "with a pace, times do not count: leave one out");
        return None;
    }
    let pace = pace.and_then(|at| reader.rate(&at)).map(|rate| Speed::Pace(rate.value));
    times.and_then(|at| speed(reader, &at)).or(pace)
}

/// A number above 0, or `"max"`.
fn speed(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Speed> {
    if !at.is_text() {
        return reader.positive(at).map(Speed::Times);
    }
    let words = reader.text(at)?;
    let number = words.value.trim_end_matches(['x', '×']).parse::<f64>().ok();
    match number.filter(|number| number.is_finite() && *number > 0.0) {
        _ if words.value == "max" => Some(Speed::Max),
        Some(times) => Some(Speed::Times(times)),
        None => {
            let what = format!("`{}` cannot be `{}`", at.path, words.value);
            reader.refuse(&words.span, what, "write a number above 0, or \"max\"");
            None
        }
    }
}

/// A time, or how long after the start.
fn moment(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Moment> {
    if matches!(at.node.kind, Kind::Time(_)) {
        return super::time(reader, at).map(Moment::At);
    }
    let words = reader.words(at)?;
    if let Ok(after) = units::duration(&words.value) {
        return Some(Moment::AfterStart(after));
    }
    super::time(reader, at).map(Moment::At)
}
