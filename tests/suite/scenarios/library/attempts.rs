//! Tries after a refusal: what may be tried again, how often, and how it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apache_avro::types::Value;
use tidegate::plan::Plan;

use super::{share, text, values, whole};
use crate::determinism::model;

/// What the schemes forbid to try again.
const NEVER: [&str; 11] = ["04", "07", "12", "15", "41", "43", "46", "57", "R0", "R1", "R3"];
const STREAMS: [&str; 3] = ["second_attempts", "third_attempts", "fourth_attempts"];

type Event = (f64, BTreeMap<String, Value>);

/// The tries of each payment by its identity, the first one included, in order.
fn tries(plan: &Arc<Plan>, hours: u64) -> Vec<Vec<Event>> {
    let id = |record: &BTreeMap<String, Value>, name: &str| -> String {
        match &record[name] {
            Value::Union(_, inner) => format!("{inner:?}"),
            other => format!("{other:?}"),
        }
    };
    let first = values(plan, "authorisations", 0..hours);
    let mut all: BTreeMap<String, Vec<Event>> =
        first.into_iter().map(|event| (id(&event.1, "event_id"), vec![event])).collect();
    for stream in STREAMS {
        for event in values(plan, stream, 0..hours) {
            let original = id(&event.1, "original_event_id");
            all.get_mut(&original).unwrap().push(event);
        }
    }
    all.into_values().collect()
}

fn code(event: &Event) -> &str {
    text(&event.1["response_code"]).unwrap()
}

fn payments(flags: &[(&str, &str)]) -> Arc<Plan> {
    let own = [("start", "2026-03-02T14:00:00Z"), ("traffic.rate", "20000/h")];
    model("payments", &[&own[..], flags].concat())
}

#[test]
fn what_is_tried_again_is_the_same_payment_until_it_is_approved_and_never_where_it_must_not_be() {
    let all = tries(&payments(&[]), 3);
    let mut seen = [0; 5];
    for tries in &all {
        seen[tries.len()] += 1;
        for (place, pair) in (2..).zip(tries.windows(2)) {
            let [before, after] = pair else { unreachable!("two") };
            let (code, number) = (code(before), whole(&after.1["attempt_no"]));
            assert!(["51", "91", "96"].contains(&code) && !NEVER.contains(&code), "{code}");
            assert_eq!(number, place);
            let apart_s = (after.0 - before.0) * 3_600.0;
            assert!((4.9..601.0).contains(&apart_s), "{apart_s}");
            for name in [
                "card_token",
                "account_id",
                "customer_id",
                "merchant_id",
                "terminal_id",
                "mcc",
                "amount_minor",
                "currency",
                "billing_amount_minor",
                "conversion_rate",
                "pos_entry_mode",
                "device_id",
                "ip",
            ] {
                assert_eq!(before.1[name], after.1[name], "{name}");
            }
            for name in ["stan", "rrn", "event_id"] {
                assert_ne!(before.1[name], after.1[name], "{name}");
            }
        }
        for it in tries {
            assert_eq!(code(it) == "00", text(&it.1["approval_code"]).is_some());
        }
    }
    // Up to the end of the hours some are still to come.
    let can: Vec<_> = all
        .iter()
        .filter(|it| it[0].0 < 2.8 && ["51", "91", "96"].contains(&code(&it[0])))
        .collect();
    let again = share(&can, |tries| tries.len() > 1);
    assert!(can.len() > 500 && (again - 0.1).abs() < 0.04, "{again} of {}", can.len());
    assert!(seen[2] > 20 && seen[3] > 5 && seen[4] > 0, "{seen:?}");
}

#[test]
fn in_an_outage_more_is_tried_again_and_fails_until_it_is_over() {
    let plan = payments(&[("traffic.scenario", "issuer_degradation")]);
    let all = tries(&plan, 3);
    let bad: Vec<_> = all.iter().filter(|it| text(&it[0].1["bin"]) == Some("55555555")).collect();
    let minutes = |event: &Event| event.0 * 60.0;
    let lost: Vec<_> = bad
        .iter()
        .filter(|it| {
            (50.0..110.0).contains(&minutes(&it[0])) && ["91", "96"].contains(&code(&it[0]))
        })
        .collect();
    let again = share(&lost, |tries| tries.len() > 1);
    assert!(lost.len() > 200 && (again - 0.75).abs() < 0.07, "{again} of {}", lost.len());
    // The gateway's state at the time of the try itself decides.
    let tried: Vec<&Event> = bad.iter().flat_map(|it| &it[1..]).collect();
    let during: Vec<_> = tried.iter().filter(|it| (50.0..110.0).contains(&minutes(it))).collect();
    let fails = share(&during, |it| code(it) != "00");
    // Eight of ten are lost, and 15 % of the others fail on their own.
    assert!(during.len() > 100 && (fails - 0.83).abs() < 0.08, "{fails} of {}", during.len());
    let most = all.iter().map(Vec::len).max();
    assert_eq!(most, Some(4));
    let ids: BTreeSet<String> =
        all.iter().flatten().map(|it| format!("{:?}", it.1["event_id"])).collect();
    assert_eq!(ids.len(), all.iter().map(Vec::len).sum::<usize>());
}
