//! What comes after authorisations: every event has an earlier one that it agrees with.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tidegate::encode::json::Reader;
use tidegate::stream::{EventStream, Options, Route};

use super::population::Figure;
use crate::determinism;

const DAY_US: i64 = 86_400_000_000;
/// How many days are looked at.
const DAYS: i64 = 7;

/// An event of any stream; of a record that tells an end the row is null.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) stream: String,
    pub(super) at_us: i64,
    pub(super) key: String,
    pub(super) row: Value,
}

impl Event {
    pub(super) fn text(&self, field: &str) -> &str {
        self.row[field].as_str().unwrap_or_default()
    }

    pub(super) fn number(&self, field: &str) -> i64 {
        self.row[field].as_i64().unwrap()
    }
}

/// The events of some streams over so many days from a Monday on, of the model with more flags.
pub(super) fn events(flags: &[(&str, &str)], days: i64, streams: &[&str]) -> Vec<Event> {
    let plan = determinism::payments(flags);
    let readers: Vec<Reader<'_>> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let route = |skipped| Route { skipped, ..Route::default() };
    let routes = plan.streams.iter().map(|it| route(!streams.contains(&it.name.as_str())));
    let options = Options {
        window_us: 0..(days * DAY_US).unsigned_abs(),
        threads: 2,
        routes: routes.collect(),
        ..Options::default()
    };
    let mut stream = EventStream::start(Arc::clone(&plan), options).unwrap();
    let mut events = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        events.extend(batch.records.iter().map(|record| {
            let number = usize::from(record.stream);
            let row = if record.tombstone {
                Value::Null
            } else {
                readers[number].read(&batch.arena[record.value_range()]).unwrap()
            };
            let key = String::from_utf8_lossy(&batch.arena[record.key_range()]).into_owned();
            let stream = plan.streams[number].name.clone();
            let event = Event { stream, at_us: record.due_us, key, row };
            let account = event.text("account_id");
            // Records of cards and devices name an account too, and have keys of their own.
            let told = event.row.get("told_at").is_some();
            assert!(told || account.is_empty() || account == event.key, "{event:?}");
            event
        }));
    }
    events
}

/// A week of some 2,600 accounts, from a Monday on.
fn week() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let few = [("traffic.rate", "5000/day"), ("lanes", "1"), ("seed", "11")];
        events(&few, DAYS, &["authorisations", "reversals", "clearings", "second_clearings"])
    })
}

fn of(stream: &str) -> impl Iterator<Item = &'static Event> {
    week().iter().filter(move |event| event.stream == stream)
}

/// The events of a stream by their identities.
fn by_id(stream: &str) -> BTreeMap<&'static str, &'static Event> {
    of(stream).map(|event| (event.text("event_id"), event)).collect()
}

/// Refuses an event that differs from an earlier one in one of these fields.
pub(super) fn agrees(event: &Event, earlier: &Event, fields: &[&str]) {
    assert!(earlier.at_us < event.at_us, "{event:?} is not after {earlier:?}");
    for field in fields {
        assert_eq!(event.row[field], earlier.row[field], "{field}: {event:?} after {earlier:?}");
    }
}

/// A share of so many, within five deviations of a binomial.
pub(super) fn share(name: &str, found: usize, all: usize, expected: f64) -> Figure {
    let deviation = (expected * (1.0 - expected) / all as f64).sqrt();
    Figure {
        name: format!("{name}, of {all}"),
        found: found as f64 / all as f64,
        least: expected - 5.0 * deviation,
        greatest: expected + 5.0 * deviation,
    }
}

const OF_A_REVERSAL: [&str; 20] = [
    "processing_code",
    "acquirer_id",
    "card_token",
    "bin",
    "last4",
    "account_id",
    "customer_id",
    "merchant_id",
    "merchant_name_location",
    "terminal_id",
    "mcc",
    "amount_minor",
    "currency",
    "billing_amount_minor",
    "billing_currency",
    "conversion_rate",
    "approval_code",
    "pos_entry_mode",
    "recurring",
    "latitude",
];

const OF_A_CLEARING: [&str; 12] = [
    "rrn",
    "approval_code",
    "acquirer_id",
    "card_token",
    "account_id",
    "customer_id",
    "merchant_id",
    "terminal_id",
    "mcc",
    "currency",
    "billing_currency",
    "conversion_rate",
];

#[test]
fn every_reversal_takes_back_one_approved_payment_of_the_same_card_amount_and_terminal() {
    let payments = by_id("authorisations");
    let mut taken_back = BTreeMap::new();
    for event in of("reversals") {
        let original = payments[event.text("original_event_id")];
        agrees(event, original, &OF_A_REVERSAL);
        assert_eq!(original.text("response_code"), "00", "{original:?}");
        assert!(["0400", "0420"].contains(&event.text("mti")), "{event:?}");
        assert!((event.at_us - original.at_us) <= DAY_US / 2, "{event:?}");
        assert!(taken_back.insert(original.text("event_id"), event).is_none(), "{event:?}");
    }
    assert!(taken_back.len() > 300, "{}", taken_back.len());
}

#[test]
fn every_clearing_is_of_an_approved_and_unreversed_payment_one_to_three_days_before() {
    let payments = by_id("authorisations");
    let reversed: Vec<&str> = of("reversals").map(|it| it.text("original_event_id")).collect();
    let mut cleared: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in of("clearings").chain(of("second_clearings")) {
        let original = payments[event.text("original_event_id")];
        agrees(event, original, &OF_A_CLEARING);
        assert_eq!(event.row["authorised_amount_minor"], original.row["amount_minor"]);
        assert_eq!(original.text("response_code"), "00", "{original:?}");
        assert!(!reversed.contains(&original.text("event_id")), "{event:?}");
        let delay_us = event.at_us - original.at_us;
        assert!((DAY_US..=3 * DAY_US).contains(&delay_us), "{delay_us} µs: {event:?}");
        billed(event);
        cleared.entry(original.text("event_id")).or_default().push(event);
    }
    let end_us = week().last().unwrap().at_us;
    let mut parcels = 0;
    for (original, events) in cleared {
        let count = events[0].number("sequence_count");
        let amounts: i64 = events.iter().map(|event| event.number("amount_minor")).sum();
        assert!(events.iter().all(|event| event.number("amount_minor") > 0), "{events:?}");
        if count == 1 {
            assert_eq!(events.len(), 1, "{events:?}");
            settled(payments[original], amounts);
        } else if events.len() == 2 {
            let numbers: Vec<i64> = events.iter().map(|it| it.number("sequence_no")).collect();
            assert_eq!((count, numbers), (2, vec![1, 2]), "{events:?}");
            assert_eq!(amounts, payments[original].number("amount_minor"), "{events:?}");
            parcels += 1;
        } else {
            assert!(events[0].at_us + DAY_US > end_us, "no second parcel: {events:?}");
        }
    }
    assert!(parcels > 100, "{parcels}");
}

/// What the cardholder is billed follows from the amount and the rate.
fn billed(event: &Event) {
    let amount = event.number("amount_minor");
    let expected = event.row["conversion_rate"].as_str().map_or(amount, |rate| {
        let rate = super::reference::scaled(rate, 6).unwrap();
        let product = i128::from(amount) * i128::from(rate);
        i64::try_from((2 * product + 1_000_000) / 2_000_000).unwrap()
    });
    assert_eq!(event.number("billing_amount_minor"), expected, "{event:?}");
}

/// What may be cleared, in one part, of a payment.
fn settled(payment: &Event, cleared: i64) {
    let held = payment.number("amount_minor");
    let present = !payment.row["latitude"].is_null();
    let holds = match payment.text("mcc") {
        "5542" => cleared <= held,
        "5812" | "5813" if present => cleared >= held && cleared * 100 <= held * 121 + 100,
        "7011" if present => cleared >= held && cleared * 100 <= held * 130 + 100,
        _ => cleared == held,
    };
    assert!(holds, "{cleared} cleared: {payment:?}");
}

#[test]
fn as_many_payments_are_reversed_and_cleared_as_asked() {
    // Those whose clearing and reversal lie before the end.
    let early = week()[0].at_us + (DAYS - 3) * DAY_US;
    let approved: Vec<&Event> = of("authorisations")
        .filter(|event| event.at_us < early && event.text("response_code") == "00")
        .collect();
    let originals = |stream| {
        let of = of(stream).map(|event| event.text("original_event_id"));
        of.collect::<std::collections::BTreeSet<&str>>()
    };
    let count = |stream| {
        let originals = originals(stream);
        approved.iter().filter(|event| originals.contains(event.text("event_id"))).count()
    };
    let payments = by_id("authorisations");
    let hours = |event: &Event| {
        let original = payments[event.text("original_event_id")];
        (original.at_us < early).then(|| (event.at_us - original.at_us) as f64 / 3.6e9)
    };
    let mut delays: Vec<f64> = of("clearings").filter_map(hours).collect();
    delays.sort_by(f64::total_cmp);
    let median = delays[delays.len() / 2];
    let differs = |mcc: &'static str| {
        let of = of("clearings").filter(|event| event.text("mcc") == mcc);
        of.filter(|it| it.row["amount_minor"] != it.row["authorised_amount_minor"]).count()
    };
    let all = |mcc: &'static str| of("clearings").filter(|event| event.text("mcc") == mcc).count();
    super::expect_all(&[
        share("reversed of approved", count("reversals"), approved.len(), 0.015),
        share("cleared of approved", count("clearings"), approved.len(), 0.975),
        Figure {
            name: "median hours to the clearing".to_owned(),
            found: median,
            least: 35.0,
            greatest: 37.0,
        },
        Figure {
            name: "pumps that clear another amount".to_owned(),
            found: differs("5542") as f64 / all("5542") as f64,
            least: 0.55,
            greatest: 0.95,
        },
        Figure {
            name: "restaurants that are tipped".to_owned(),
            found: differs("5812") as f64 / all("5812") as f64,
            least: 0.30,
            greatest: 0.70,
        },
    ])
    .unwrap();
}
