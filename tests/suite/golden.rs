//! The first events of each model, pinned: who repeats a run of last year gets last year's bytes.

use std::fmt::Write as _;
use std::path::Path;

use tidegate::encode::json::Reader;
use tidegate::stream::Options;

use crate::determinism::{Event, START, events, plan};

/// How many events are pinned.
const EVENTS: u64 = 20;

const ADVICE: &str = "the bytes of every run of this model have changed, and with them what users \
                      repeat. If that is meant: TIDEGATE_RENEW=1 cargo test --test suite golden, \
                      look at the difference, and say so in the commit and in the changelog";

/// One paragraph an event: due and key, the datum in hexadecimal, the datum in JSON.
fn told(events: &[Event], reader: &Reader<'_>) -> String {
    let mut text = format!("# payments, seed 42, start {START}: the first {EVENTS} events.\n");
    for event in events {
        let row = reader.read(&event.datum).unwrap();
        let key = String::from_utf8(event.key.clone()).unwrap();
        write!(text, "\n{} {key}\n", event.due_us).unwrap();
        event.datum.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        write!(text, "\n{row}\n").unwrap();
    }
    text
}

#[test]
fn the_first_payments_are_what_they_were() {
    let plan = plan();
    let reader = Reader::new(&plan.streams[0].schema).unwrap();
    let found = events(&plan, Options { count: Some(EVENTS), ..Options::default() });
    assert_eq!((found.len() as u64, plan.seed), (EVENTS, 42));
    let found = told(&found, &reader);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/payments.txt");
    if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
        std::fs::write(&path, &found).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = pinned.lines().zip(found.lines()).position(|(old, new)| old != new);
    assert!(
        pinned == found,
        "{}, line {}: {ADVICE}",
        path.display(),
        1 + differs.unwrap_or_else(|| pinned.lines().count().min(found.lines().count()))
    );
}
