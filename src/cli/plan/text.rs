//! A plan as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cli::drawing::Picture;
use crate::cli::print::Canvas;
use crate::config::settings::Speed;
use crate::observe::figure;
use crate::plan::members::Members;
use crate::run::forecast::Foreseen;
use crate::run::window::rfc3339;
use crate::stream::forecast::Counts;

/// Totals, a drawing, keys, and what the run takes.
pub(super) fn of(foreseen: &Foreseen, picture: &Picture, canvas: Canvas) -> String {
    let parts = [
        format!("{}\n  start {}, seed {}", picture.title, start(foreseen), foreseen.plan.seed),
        picture.in_letters(canvas.width, canvas.colour),
        table(&streams(foreseen)),
        table(&phases(foreseen)),
        table(&keys(foreseen)),
        facts(foreseen),
    ];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n")
}

fn start(foreseen: &Foreseen) -> String {
    rfc3339(foreseen.plan.start_us)
}

/// Rows of cells as lines: the first and the last column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 || column + 1 == columns {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// A line for each stream: events, bytes, topic.
fn streams(foreseen: &Foreseen) -> Vec<Vec<String>> {
    let mut rows = vec![cells(["stream", "events", "bytes", "mean", "topic"])];
    for (number, counts) in foreseen.sent() {
        let stream = &foreseen.plan.streams[number];
        let mean = counts.records.as_ref().map(|it| format!("{:.0} B", it.mean_bytes));
        let bytes = if mean.is_some() { figure::bytes(counts.bytes()) } else { String::new() };
        let mut topic = stream.topic.name.clone();
        if let Some(count) = stream.members().and_then(Members::snapshot_count) {
            // Writing to a string does not fail.
            _ = write!(topic, ", after {} that are told first", figure::count(count));
        }
        rows.push(vec![
            stream.name.clone(),
            events(counts),
            bytes,
            mean.unwrap_or_default(),
            topic,
        ]);
    }
    if rows.len() > 2 {
        let about = if foreseen.forecast.is_estimated() { "≈ " } else { "" };
        let all = format!("{about}{}", figure::count(foreseen.forecast.total()));
        rows.push(vec!["all".to_owned(), all, figure::bytes(foreseen.bytes())]);
    }
    rows
}

fn events(counts: &Counts) -> String {
    let events = figure::count(counts.total());
    match counts.apart {
        Some(apart) => format!("≈ {events} ± {}", figure::count(apart)),
        None => events,
    }
}

/// Lines of phases that are told: the others are in the result of `--json`.
const PHASES_TOLD: usize = 24;

/// A line for each time that a phase holds.
fn phases(foreseen: &Foreseen) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (place, phase) in foreseen.phases.iter().enumerate().take(PHASES_TOLD) {
        let events = foreseen.sent().map(|(_, counts)| counts.phases[place]).sum();
        let until = phase.until_us.map_or_else(|| "the end".to_owned(), rfc3339);
        let name = format!("{} of {}", phase.name, phase.scenario);
        let window = format!("{} to {until}", rfc3339(phase.from_us));
        rows.push(vec![name, figure::count(events), window]);
    }
    if !rows.is_empty() {
        rows.insert(0, cells(["phase", "events", "in"]));
    }
    let left = foreseen.phases.len().saturating_sub(PHASES_TOLD);
    if left > 0 {
        rows.push(vec![format!("and {left} more: `--json` tells them")]);
    }
    rows
}

/// A line for each stream with keys: how they share its events.
fn keys(foreseen: &Foreseen) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (number, counts) in foreseen.sent() {
        let Some(keys) = &foreseen.keys[number] else { continue };
        let (lanes, of) = (keys.lanes, foreseen.plan.lanes);
        let of_lanes = if lanes < of { format!(", {lanes} of {of} lanes") } else { String::new() };
        let looked_at = format!("{}{of_lanes}", figure::time(Duration::from_micros(keys.of_us)));
        let skew = counts.records.as_ref().and_then(|records| {
            Some(format!("{:.2} × of {}", records.skew()?, records.partitions.len()))
        });
        rows.push(vec![
            foreseen.plan.streams[number].name.clone(),
            figure::count(keys.count),
            figure::count(keys.median),
            figure::count(keys.p99),
            figure::count(keys.most),
            skew.unwrap_or_default(),
            looked_at,
        ]);
    }
    if !rows.is_empty() {
        let head = ["events of a key", "keys", "median", "p99", "most", "fullest partition", "in"];
        rows.insert(0, cells(head));
    }
    rows
}

/// What the run takes, and how sure all this is.
fn facts(foreseen: &Foreseen) -> String {
    let forecast = &foreseen.forecast;
    let mut rows = Vec::new();
    if let Some(peak) = forecast.peak {
        let at_us = foreseen.plan.start_us.saturating_add_unsigned(peak.second * 1_000_000);
        let of = if forecast.is_estimated() { ", without what follows others" } else { "" };
        let events = figure::count(peak.events);
        rows.push(
            ["busiest second", &format!("{}: {events} events{of}", rfc3339(at_us))]
                .map(str::to_owned),
        );
    }
    let speed = match foreseen.run.speed {
        Speed::Times(1.0) => "as the clock goes".to_owned(),
        Speed::Times(times) => format!("{times} times as fast as the clock"),
        Speed::Pace(per_s) => format!("at {} of root events", figure::rate(per_s)),
        Speed::Max => "as fast as it goes".to_owned(),
    };
    let ceiling = if foreseen.run.governor.is_set() { ", under a ceiling" } else { "" };
    let wall = foreseen.wall().map(|wall| format!("{}, ", figure::time(wall)));
    rows.push(["takes".to_owned(), format!("{}{speed}{ceiling}", wall.unwrap_or_default())]);
    let (ahead, in_flight) = (foreseen.memory.ahead_bytes, foreseen.memory.in_flight_bytes);
    rows.push([
        "memory".to_owned(),
        format!(
            "up to {} made ahead and {} in flight, beside the model",
            figure::bytes(ahead),
            figure::bytes(in_flight)
        ),
    ]);
    if forecast.is_estimated() {
        rows.push([
            "estimated".to_owned(),
            format!(
                "what follows others, from {:.1} % of the time; `--all` counts it",
                forecast.looked_at * 100.0
            ),
        ]);
    }
    table(&rows.into_iter().map(Vec::from).collect::<Vec<_>>())
}
