//! The first events of each model, pinned: who repeats a run of last year gets last year's bytes.

use std::fmt::Write as _;
use std::sync::Arc;

use tidegate::encode::json::Reader;
use tidegate::plan::Plan;
use tidegate::stream::Options;

use crate::determinism::{Event, START, events, model, plan};

/// How many events are pinned.
const EVENTS: u64 = 20;

const ADVICE: &str = "the bytes of every run of this model have changed, and with them what users \
                      repeat. If that is meant: TIDEGATE_RENEW=1 cargo test --test suite golden, \
                      look at the difference, and say so in the commit and in the changelog";

/// One paragraph an event: due and key, the datum in hexadecimal, the datum in JSON.
fn told(title: &str, events: &[Event], plan: &Plan) -> String {
    let readers: Vec<Reader<'_>> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let mut text = format!("# {title}: the first {EVENTS} events.\n");
    for event in events {
        let row = readers[event.stream].read(&event.datum).unwrap();
        let key = String::from_utf8(event.key.clone()).unwrap();
        write!(text, "\n{} {key}\n", event.due_us).unwrap();
        event.datum.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        write!(text, "\n{row}\n").unwrap();
    }
    text
}

/// Compares the first events of a plan with the file of that name.
fn compare(name: &str, start: &str, plan: &Arc<Plan>) {
    // As many root events, and what follows by then.
    let mut found = events(plan, Options { count: Some(EVENTS), ..Options::default() });
    // Records that tell of the millions who pay have no place among the first payments.
    found.retain(|it| name != "payments" || plan.streams[it.stream].members().is_none());
    found.truncate(usize::try_from(EVENTS).unwrap());
    assert_eq!((found.len() as u64, plan.seed), (EVENTS, 42));
    let found = told(&format!("{name}, seed 42, start {start}"), &found, plan);
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
        std::fs::write(&path, &found).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = pinned.lines().zip(found.lines()).position(|(old, new)| old != new);
    assert!(
        pinned == found,
        "{path}, line {}: {ADVICE}",
        1 + differs.unwrap_or_else(|| pinned.lines().count().min(found.lines().count()))
    );
}

#[test]
fn the_first_payments_are_what_they_were() {
    compare("payments", START, &plan());
}

#[test]
fn the_first_events_of_the_market_are_what_they_were() {
    // An hour after the open in New York.
    let start = "2026-03-02T15:00:00Z";
    compare("market", start, &model("market", &[("start", start)]));
}

#[test]
fn the_first_orders_are_what_they_were() {
    compare("orders", START, &model("orders", &[("start", START)]));
}

#[test]
fn the_first_transfers_are_what_they_were() {
    compare("transfers", START, &model("transfers", &[("start", START)]));
}

#[test]
fn the_first_sessions_are_what_they_were() {
    compare("sessions", START, &model("sessions", &[("start", START)]));
}
