//! Disputes: every step of a case follows the one before it, in time.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::afterwards::{Event, agrees, events, share};

const DAY_US: i64 = 86_400_000_000;

/// What all events of a case have in common.
const OF_A_CASE: [&str; 13] = [
    "dispute_id",
    "clearing_event_id",
    "arn",
    "scheme",
    "reason_code",
    "acquirer_id",
    "card_token",
    "account_id",
    "customer_id",
    "merchant_id",
    "mcc",
    "currency",
    "amount_minor",
];

/// How many days are looked at.
const DAYS: i64 = 9;
const HOUR_US: i64 = DAY_US / 24;

/// Nine days of some thousand accounts that dispute more than people do, and within hours where
/// people take days.
fn disputed() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let delay = |median, min, max| {
            format!("{{ lognormal = {{ median = '{median}h', sigma = 0.6 }}, min = '{min}h', max = '{max}h' }}")
        };
        let flags = [
            ("traffic.rate", "2000/day"),
            ("lanes", "1"),
            ("seed", "12"),
            ("streams.claims.probability", "0.9"),
            ("streams.claims.delay", &delay(18, 5, 50)),
            ("streams.chargebacks.delay", &delay(6, 1, 29)),
            ("streams.representments.delay", &delay(14, 1, 29)),
            ("streams.outcomes.delay", &delay(12, 1, 29)),
        ];
        let disputes = ["clearings", "claims", "chargebacks", "representments", "outcomes"];
        events(&flags, DAYS, &disputes)
    })
}

fn of(stream: &str) -> impl Iterator<Item = &'static Event> {
    disputed().iter().filter(move |event| event.stream == stream)
}

fn time_us(event: &Event, field: &str) -> i64 {
    let time: jiff::Timestamp = event.text(field).parse().unwrap();
    time.as_microsecond()
}

#[test]
fn every_claim_is_of_an_earlier_clearing_and_of_no_more_than_was_cleared() {
    let clearings: BTreeMap<&str, &Event> =
        of("clearings").map(|event| (event.text("event_id"), event)).collect();
    let mut found = 0;
    for event in of("claims") {
        let clearing = clearings[event.text("clearing_event_id")];
        let fields =
            ["arn", "acquirer_id", "card_token", "account_id", "customer_id", "merchant_id", "mcc"];
        agrees(event, clearing, &fields);
        assert_eq!(event.row["currency"], clearing.row["currency"]);
        let disputed = event.number("amount_minor");
        assert!((1..=clearing.number("amount_minor")).contains(&disputed), "{event:?}");
        let delay_us = event.at_us - clearing.at_us;
        assert!((5 * HOUR_US..=50 * HOUR_US).contains(&delay_us), "{delay_us}: {event:?}");
        let reason = event.text("reason_code");
        let fraud = match event.text("scheme") {
            "visa" => reason.starts_with("10."),
            _ => ["4837", "4870"].contains(&reason),
        };
        let others = ["12.", "13.", "4834", "4853"];
        assert!(fraud || others.iter().any(|start| reason.starts_with(start)), "{event:?}");
        let stage = if fraud { "fraud_report" } else { "claim" };
        assert_eq!(event.text("stage"), stage, "{event:?}");
        assert_ne!(event.text("mcc"), "6011", "cash is not disputed: {event:?}");
        found += 1;
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn every_step_of_a_dispute_comes_before_the_deadline_of_the_one_before() {
    let steps = [
        ("claims", "chargebacks", "chargeback"),
        ("chargebacks", "representments", "representment"),
        ("representments", "outcomes", "outcome"),
    ];
    for (before, stream, stage) in steps {
        let mut open: BTreeMap<&str, &Event> =
            of(before).map(|event| (event.text("event_id"), event)).collect();
        let mut found = 0;
        for event in of(stream) {
            let id = event.text("previous_event_id");
            let previous = open.remove(id).unwrap_or_else(|| panic!("nothing before {event:?}"));
            agrees(event, previous, &OF_A_CASE);
            assert!(event.at_us < time_us(previous, "due_time"), "{event:?} after {previous:?}");
            assert_eq!(event.text("stage"), stage);
            let last = stage == "outcome";
            assert_eq!(event.row["due_time"].is_null(), last, "{event:?}");
            let outcome = event.text("outcome");
            assert_eq!(["cardholder", "merchant"].contains(&outcome), last, "{event:?}");
            found += 1;
        }
        assert!(found > 100, "{found} of {stream}");
    }
}

#[test]
fn as_many_disputes_go_on_as_asked() {
    // Those whose next step lies before the end.
    let early = disputed().last().unwrap().at_us - 30 * HOUR_US;
    let next = |before: &str, stream: &str, expected: f64| {
        let early: Vec<&Event> = of(before).filter(|event| event.at_us < early).collect();
        let known: std::collections::BTreeSet<&str> =
            of(stream).map(|event| event.text("previous_event_id")).collect();
        let found = early.iter().filter(|event| known.contains(event.text("event_id"))).count();
        share(&format!("{stream} of {before}"), found, early.len(), expected)
    };
    super::expect_all(&[
        next("claims", "chargebacks", 0.8),
        next("chargebacks", "representments", 0.4),
        next("representments", "outcomes", 1.0),
    ])
    .unwrap();
}

#[test]
fn each_step_of_a_dispute_is_due_after_the_longest_time_that_it_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/payments.toml");
    let model: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    for stream in ["chargebacks", "representments", "outcomes"] {
        // The shortest deadline is 30 days.
        let longest = model["streams"][stream]["delay"]["max"].as_str().unwrap();
        let days: i64 = longest.strip_suffix('d').unwrap().parse().unwrap();
        assert!(days < 30, "{stream}: {longest}");
    }
    let due = disputed().iter().filter(|event| !event.row["due_time"].is_null());
    for event in due.filter(|event| event.stream != "clearings") {
        let days = (time_us(event, "due_time") - event.at_us) / DAY_US;
        assert!((30..=45).contains(&days), "{event:?}");
    }
}
