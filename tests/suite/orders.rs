//! The orders model: what follows an order hangs together with it, and shares are as they should be.

#![expect(clippy::panic, reason = "a field of another type fails the test")]

mod figures;
mod integrity;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tidegate::encode::json::Reader;
use tidegate::plan::Plan;
use tidegate::stream::{EventStream, Options};

use crate::determinism::{START, model};

const HOUR_US: i64 = 3_600_000_000;
/// How many hours are looked at.
const HOURS: u64 = 8;
/// Orders an hour before the curve.
const RATE: u32 = 6_000;
/// Minutes that parcels and returns take here: days would need a month of events.
const DELAYS: [(&str, &str); 4] = [
    ("streams.shipments.delay", "15m"),
    ("streams.deliveries.delay", "20m"),
    ("streams.returns.delay", "30m"),
    ("streams.refunds.delay", "10m"),
];

/// A record: its key, and its value as JSON; null is a tombstone.
type Record = (String, Value);

/// Records by the name of their stream.
type Told = BTreeMap<String, Vec<Record>>;

/// Eight hours of a busy shop in which everything comes within the hour.
fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| {
        let rate = format!("{RATE}/h");
        let mut flags = vec![
            ("start", START),
            ("traffic.rate", &rate),
            ("entities.customer.activity.mean", "10/day"),
        ];
        flags.extend(DELAYS);
        let plan = model("orders", &flags);
        let mut told = Told::new();
        for snapshot in [true, false] {
            let window_us = 0..HOURS * HOUR_US.unsigned_abs();
            read(&plan, Options { window_us, snapshot, ..Options::default() }, &mut told);
        }
        told
    })
}

fn read(plan: &Arc<Plan>, options: Options, told: &mut Told) {
    let readers: Vec<Reader<'_>> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter() {
            let number = usize::from(record.stream);
            let value = &batch.arena[record.value_range()];
            let key = String::from_utf8(batch.arena[record.key_range()].to_vec()).unwrap();
            let row = if value.is_empty() {
                Value::Null
            } else {
                let text = readers[number].read(value).unwrap().to_string();
                serde_json::from_str(&text).unwrap()
            };
            told.entry(plan.streams[number].name.clone()).or_default().push((key, row));
        }
    }
}

/// All rows of a stream.
fn of(stream: &str) -> impl Iterator<Item = &'static Value> {
    told()[stream].iter().map(|(_, row)| row).filter(|row| !row.is_null())
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("`{field}` is no text: {row}"))
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_else(|| panic!("`{field}` is no number: {row}"))
}

fn time_us(row: &Value) -> i64 {
    text(row, "event_time").parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn start_us() -> i64 {
    START.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

#[test]
fn the_model_has_no_warnings() {
    let plan = model("orders", &[("start", START)]);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}
