//! Changelogs: what events refer to has a record that agrees with them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::afterwards::{Event, agrees, events};

/// The records of a changelog by key: what does not change in them is the same in all of one key.
fn by_key<'a>(events: &'a [Event], stream: &str, key: &str) -> BTreeMap<&'a str, &'a Event> {
    let records = events.iter().filter(|event| event.stream == stream && !event.row.is_null());
    records.map(|event| (event.text(key), event)).collect()
}

#[test]
fn whoever_and_whatever_a_payment_names_has_a_record_that_agrees_with_it() {
    let logs = ["customer", "account", "card", "device", "merchant"];
    let snapshots = logs.map(|log| format!("entities.{log}.changelog.snapshot"));
    let mut flags = vec![("traffic.rate", "2000/day"), ("lanes", "1"), ("seed", "13")];
    flags.extend(snapshots.iter().map(|flag| (flag.as_str(), "spread 1d")));
    let streams = [&logs[..], &["authorisations"]].concat();
    let events = events(&flags, 2, &streams);
    let told: Vec<_> = logs
        .iter()
        .zip(["customer_id", "account_id", "card_token", "device_id", "merchant_id"])
        .map(|(stream, key)| (key, by_key(&events, stream, key)))
        .collect();
    let (mut found, mut devices) = (0, 0);
    for event in events.iter().filter(|event| event.stream == "authorisations") {
        if event.text("account_id").is_empty() {
            continue;
        }
        for (key, records) in &told {
            let name = event.text(key);
            if name.is_empty() {
                continue;
            }
            let record = records.get(name).unwrap_or_else(|| panic!("no {key}: {event:?}"));
            for field in ["account_id", "customer_id", "bin", "last4", "mcc", "acquirer_id"] {
                if record.row.get(field).is_some() {
                    assert_eq!(
                        record.row[field], event.row[field],
                        "{field}: {record:?} {event:?}"
                    );
                }
            }
            let country = if *key == "merchant_id" { "merchant_country" } else { "card_country" };
            if record.row.get("country").is_some() {
                assert_eq!(record.row["country"], event.row[country], "{record:?} {event:?}");
            }
            if *key == "account_id" {
                assert_eq!(record.row["currency"], event.row["billing_currency"], "{event:?}");
            }
            if *key == "merchant_id" {
                let shown = event.text("merchant_name_location");
                assert!(shown.starts_with(record.text("name")), "{record:?} {event:?}");
                assert_eq!(shown[25..38].trim_end(), record.text("city").trim_end(), "{event:?}");
            }
            devices += usize::from(*key == "device_id");
        }
        found += 1;
    }
    assert!(found > 3_000 && devices > 100, "{found} payments, {devices} devices");
}

/// What is told of one card.
#[derive(Debug, Default)]
struct Life<'a> {
    records: Vec<&'a Event>,
    /// When it ends, if it does: the last microsecond in which it is valid.
    end_us: Option<i64>,
}

impl<'a> Life<'a> {
    /// How the card is at a time at which it is valid.
    fn at(&self, at_us: i64) -> &'a Event {
        assert!(self.end_us.is_none_or(|end| at_us <= end), "at {at_us}: over: {self:?}");
        let record = self.records.iter().rev().find(|record| record.at_us <= at_us);
        assert!(record.is_some(), "at {at_us}: not there yet: {self:?}");
        record.unwrap()
    }
}

/// Lives of cards by their tokens, as `payments.cards` tells them.
fn lives(events: &[Event]) -> BTreeMap<&str, Life<'_>> {
    let mut lives: BTreeMap<&str, Life<'_>> = BTreeMap::new();
    let mut records: Vec<&Event> = events.iter().filter(|event| event.stream == "card").collect();
    records.sort_by_key(|record| record.at_us);
    for record in records {
        let life = lives.entry(&record.key).or_default();
        assert_eq!(life.end_us, None, "told of after its end: {record:?}");
        if record.row.is_null() {
            life.end_us = Some(record.at_us);
        } else {
            assert_eq!(record.key, record.text("card_token"), "{record:?}");
            life.records.push(record);
        }
    }
    lives
}

/// Six days in which a card lives for five, and every fifth is blocked for two.
fn renewed() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let flags = [
            ("traffic.rate", "2000/day"),
            ("lanes", "1"),
            ("seed", "14"),
            ("entities.card.lifetime", "5d"),
            ("entities.card.changelog.snapshot", "spread 1s"),
            (
                "entities.card.attributes.status",
                "{ choice = { active = 0.8, blocked = 0.2 }, changes = '2d' }",
            ),
            ("streams.claims.probability", "0.9"),
            ("streams.claims.delay", "1d"),
        ];
        events(&flags, 6, &["card", "authorisations", "reversals", "clearings", "claims"])
    })
}

#[test]
fn a_card_that_ends_has_a_successor_on_its_account_with_a_token_of_its_own() {
    let lives = lives(renewed());
    let births: BTreeMap<(i64, &str), &str> = lives
        .iter()
        .map(|(token, life)| ((life.records[0].at_us, life.records[0].text("account_id")), *token))
        .collect();
    let (mut ended, mut same_number) = (0, 0);
    for (token, life) in &lives {
        let Some(end_us) = life.end_us else { continue };
        let last = life.at(end_us);
        let successor = births.get(&(end_us + 1, last.text("account_id")));
        let successor = successor.unwrap_or_else(|| panic!("no successor: {life:?}"));
        assert_ne!(token, successor);
        let first = lives[successor].records[0];
        for field in ["account_id", "bin", "funding"] {
            assert_eq!(last.row[field], first.row[field], "{field}: {last:?} {first:?}");
        }
        same_number += usize::from(last.row["last4"] == first.row["last4"]);
        ended += 1;
    }
    // Some 1,300 places, each of which changes hands once in five days.
    assert!((1_450..1_700).contains(&ended), "{ended} ends");
    assert!(same_number < 5, "{same_number} of {ended} kept their last four digits");
}

#[test]
fn a_payment_carries_the_card_of_that_time_and_all_that_follows_it_the_same() {
    let lives = lives(renewed());
    let first_us = lives.values().map(|life| life.records[0].at_us).min().unwrap();
    let second_us = first_us + 1_000_000;
    let (mut old, mut new, mut blocked) = (0, 0, 0);
    let mut payments = BTreeMap::new();
    for event in renewed().iter().filter(|event| event.stream == "authorisations") {
        payments.insert(event.text("event_id"), event);
        // Numbers that belong to nobody; and cards of which nothing was told yet.
        if event.text("account_id").is_empty() || event.at_us < second_us {
            continue;
        }
        let life = &lives[event.text("card_token")];
        let card = life.at(event.at_us);
        for field in ["account_id", "bin", "last4"] {
            assert_eq!(card.row[field], event.row[field], "{field}: {card:?} {event:?}");
        }
        let refused = event.text("response_code") == "62";
        assert_eq!(card.text("status") == "blocked", refused, "{card:?} {event:?}");
        old += usize::from(life.end_us.is_some());
        new += usize::from(life.records[0].at_us >= second_us);
        blocked += usize::from(refused);
    }
    assert!(old > 3_000 && new > 3_000, "{old} with cards that end, {new} with their successors");
    assert!((1_800..3_000).contains(&blocked), "{blocked} of {} refused", payments.len());

    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    let mut clearings = BTreeMap::new();
    for event in renewed() {
        let original = match event.stream.as_str() {
            "reversals" | "clearings" => {
                clearings.insert(event.text("event_id"), event);
                payments[event.text("original_event_id")]
            }
            "claims" => clearings[event.text("clearing_event_id")],
            _ => continue,
        };
        agrees(event, original, &["card_token", "account_id"]);
        let over = lives[event.text("card_token")].end_us.is_some_and(|end| end < event.at_us);
        *kept.entry(&event.stream).or_default() += usize::from(over);
    }
    let kept = ["clearings", "claims"].map(|stream| kept[stream]);
    assert!(kept.iter().all(|count| *count > 20), "{kept:?} follow after their card's end");
}
