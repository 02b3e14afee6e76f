//! The orders model: what follows an order hangs together with it, and shares are what they should be.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;
use tidegate::stream::Options;

use crate::determinism::{START, model};
use crate::members::rows;

const HOUR_US: u64 = 3_600_000_000;
const DAYS: u64 = 50;

/// Rows by the name of their stream.
type Told = BTreeMap<String, Vec<Value>>;

/// Fifty days of a small shop.
fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| {
        let small = [("start", START), ("traffic.rate", "50/h"), ("lanes", "4")];
        let plan = model("orders", &small);
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        let mut told = Told::new();
        for snapshot in [true, false] {
            let window_us = 0..DAYS * 24 * HOUR_US;
            let options = Options { window_us, snapshot, ..Options::default() };
            for (number, row) in rows(&plan, options) {
                told.entry(plan.streams[number].name.clone()).or_default().push(row);
            }
        }
        told
    })
}

#[test]
fn x() {
    for (name, rows) in told() { println!("{name} {}", rows.len()); }
}
