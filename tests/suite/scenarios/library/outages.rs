//! Outages: which payments fail and when, what is asked of them, and what comes back after.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::types::Value;

use super::super::records;
use super::{share, text, under, values};
use crate::determinism::{START, model};

/// Whether a European card of a scheme, by its BIN, is meant.
fn is_european_visa(record: &BTreeMap<String, Value>) -> bool {
    const EUROPE: [&str; 20] = [
        "DE", "FR", "IT", "ES", "NL", "AT", "IE", "PT", "FI", "GR", "GB", "CH", "SE", "DK", "PL",
        "CZ", "RO", "HU", "NO", "BE",
    ];
    text(&record["bin"]).unwrap().starts_with('4')
        && EUROPE.contains(&text(&record["card_country"]).unwrap())
}

fn is_lost(record: &BTreeMap<String, Value>) -> bool {
    ["91", "96"].contains(&text(&record["response_code"]).unwrap())
}

#[test]
fn of_a_scheme_in_europe_a_tenth_fails_a_third_at_the_peak_and_nothing_elsewhere() {
    // A Friday, as it was; 14:35 in London is half an hour after the start.
    let flags = [("start", "2026-03-06T14:05:00Z"), ("traffic.rate", "6000/h")];
    let own = [("traffic.scenario", "card_outage")];
    let plan = model("payments", &[&flags[..], &own[..]].concat());
    let all = values(&plan, "authorisations", 0..11);
    let hit: Vec<_> = all.iter().filter(|(_, it)| is_european_visa(it)).collect();
    assert!(hit.len() > 10_000, "{}", hit.len());
    let within = |from: f64, until: f64| -> Vec<_> {
        hit.iter().filter(|(at, _)| (from..until).contains(at)).copied().collect()
    };
    let lost = |from: f64, until: f64| share(&within(from, until), |(_, it)| is_lost(it));
    let outage = lost(0.5, 0.5 + 10.0 + 1.0 / 6.0);
    assert!((outage - 0.102).abs() < 0.015, "{outage}");
    let peak = lost(0.5 + 3.0 + 5.0 / 60.0, 0.5 + 3.0 + 55.0 / 60.0);
    assert!((peak - 0.35).abs() < 0.04, "{peak}");
    assert!(lost(0.0, 0.5) < 0.01 && lost(10.7, 11.0) < 0.01, "before and after nothing is out");
    let others: Vec<_> =
        all.iter().filter(|(_, it)| !text(&it["bin"]).unwrap().starts_with('4')).collect();
    let other = share(&others, |(_, it)| is_lost(it));
    assert!(other < 0.005, "{other} of other schemes");
    for (_, it) in &hit {
        let approved = text(&it["response_code"]) == Some("00");
        assert_eq!(approved, text(&it["approval_code"]).is_some(), "{it:?}");
    }
}

#[test]
fn one_bin_alone_degrades_and_all_else_is_as_ever() {
    let flags = [("start", START), ("traffic.rate", "20000/h")];
    let own = [("traffic.scenario", "issuer_degradation")];
    let base = model("payments", &flags);
    let plan = model("payments", &[&flags[..], &own[..]].concat());
    let [before, after] = [&base, &plan].map(|plan| records(plan, "authorisations", 0..2));
    assert!(before.keys().eq(after.keys()), "the same payments come");
    let is_bad = |it: &BTreeMap<String, Value>| text(&it["bin"]) == Some("55555555");
    let (mut bad, mut lost) = (0, 0);
    for (identity, record) in &after {
        if !is_bad(record) {
            assert_eq!(record, &before[identity]);
            continue;
        }
        let Value::TimestampMicros(at) = record["event_time"] else { panic!("no time") };
        let minute = (at - plan.start_us) / 60_000_000;
        if (50..110).contains(&minute) {
            bad += 1;
            lost += u32::from(is_lost(record));
        } else if !(30..120).contains(&minute) {
            assert_eq!(record, &before[identity]);
        }
    }
    let share = f64::from(lost) / f64::from(bad);
    assert!(bad > 200 && (share - 0.8).abs() < 0.06, "{lost} of {bad}");
}

#[test]
fn instant_payments_fail_and_banks_ask_again_and_again_every_15_seconds() {
    let few = [("entities.person.count", "100000"), ("entities.company.count", "10000")];
    // 11:40 in Kolkata is ten minutes after the start.
    let start = [("start", "2026-04-12T06:00:00Z"), ("traffic.scenario", "upi_outage")];
    let plan = model("transfers", &[&start[..], &few[..]].concat());
    let all = values(&plan, "transfers", 0..6);
    let settled = |from: f64, until: f64, method: &str| {
        let some: Vec<_> = all
            .iter()
            .filter(|(at, it)| {
                (from..until).contains(at) && text(&it["instrument"]) == Some(method)
            })
            .collect();
        assert!(some.len() > 300, "{}", some.len());
        share(&some, |(_, it)| ["ACSC", "ACSP"].contains(&text(&it["status"]).unwrap()))
    };
    let begin = 1.0 / 6.0;
    let [half, most] =
        [(begin, begin + 2.0), (begin + 2.0, begin + 5.0)].map(|(a, b)| settled(a, b, "instant"));
    assert!((half - 0.49).abs() < 0.05 && (most - 0.78).abs() < 0.04, "{half}, {most}");
    assert!(settled(begin, begin + 5.0, "credit") > 0.94, "the other rail is as ever");
    assert!(settled(begin + 5.0, 6.0, "instant") > 0.93, "it is over");
    let requests = values(&plan, "requests", 0..6);
    let pending = share(&all, |(_, it)| text(&it["status"]) == Some("PDNG")) * all.len() as f64;
    assert!(requests.len() as f64 > 6.0 * pending, "{} for {pending}", requests.len());
    let mut asked: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (at, request) in &requests {
        asked.entry(format!("{:?}", request["original_event_id"])).or_default().push(*at);
    }
    let several: Vec<_> = asked.values().filter(|times| times.len() > 5).collect();
    assert!(several.len() > 100, "{}", several.len());
    for times in several {
        assert!(times.len() <= 30);
        for pair in times.windows(2) {
            let apart_s = (pair[1] - pair[0]) * 3_600.0;
            assert!((apart_s - 15.0).abs() < 0.001, "{apart_s}");
        }
    }
    let answered: Vec<_> = values(&plan, "reports", 0..6)
        .iter()
        .map(|(_, it)| format!("{:?}", it["original_event_id"]))
        .collect();
    assert_eq!(answered.iter().collect::<BTreeSet<_>>().len(), answered.len(), "one answer each");
}

#[test]
fn what_is_kept_away_comes_in_the_two_hours_after_or_never() {
    let flags = [("traffic.rate", "6000/h"), ("traffic.arrivals", "poisson"), ("tick", "1s")];
    let (base, plan) = (under("baseline", "orders", &flags), under("backlog", "orders", &flags));
    let hours = |plan| -> BTreeMap<String, f64> {
        let all = values(plan, "orders", 0..6);
        all.into_iter().map(|(at, it)| (format!("{:?}", it["order_id"]), at)).collect()
    };
    let (before, after) = (hours(&base), hours(&plan));
    assert!(after.keys().all(|it| before.contains_key(it)), "nothing comes that was not due");
    let (mut due, mut sent, mut released, mut abandoned) = (0, 0, 0, 0);
    for (order, at) in &before {
        let comes = after.get(order);
        if !(1.0..3.0).contains(at) {
            assert_eq!(comes, Some(at));
            continue;
        }
        due += 1;
        match comes {
            None => abandoned += 1,
            Some(comes) if comes <= at => sent += 1,
            Some(comes) => {
                assert!((3.0..5.0).contains(comes), "{at} comes at {comes}");
                released += 1;
            }
        }
    }
    assert_eq!(due, sent + released + abandoned);
    let part = |of: i32, all: i32| f64::from(of) / f64::from(all);
    assert!((part(sent, due) - 0.05).abs() < 0.01, "{sent} of {due}");
    assert!((part(released, released + abandoned) - 0.7).abs() < 0.02, "{released}, {abandoned}");
}
