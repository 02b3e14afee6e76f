//! What phases keep away: it comes later, or never, event by event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apache_avro::types::Value;
use tidegate::stream::deferrals::Deferrals;
use tidegate::stream::{EventStream, Options};

use super::{HOUR_US, hourly, only, orders, records};
use crate::determinism::events;

#[test]
fn what_a_phase_keeps_away_of_exact_hours_comes_exactly() {
    let scenario = "{ phases = { down = { from = 1, until = 2, rate = 0.2, \
                    defer = { released = 0.75, over = \"1h\", shape = \"even\" } } } }";
    let flat = ("curves.shop_day", "{ expression = \"1\" }");
    let plan = orders(&[("traffic.rate", "1000/h"), flat, ("traffic.scenario", scenario)]);
    // 800 are kept away, and 600 of them come with the third hour's own.
    assert_eq!(hourly(&plan, 4), [1_000, 200, 1_600, 1_000]);
    let seen: BTreeSet<Vec<u8>> =
        events(&plan, only(&plan, &["orders"], 0..4)).into_iter().map(|it| it.datum).collect();
    assert_eq!(seen.len(), 3_800, "each event is one of its own");
    let items = records(&plan, "order_items", 0..4);
    let lines: i64 = records(&plan, "orders", 0..4)
        .values()
        .map(|order| match order["line_count"] {
            Value::Int(lines) => i64::from(lines),
            ref other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(items.len(), usize::try_from(lines).unwrap());
}

#[test]
fn what_was_kept_away_comes_when_nothing_else_does() {
    // The exchange closes at two, and what the outage kept away is settled in the hour after.
    let mut hours = vec!["0"; 24];
    (hours[0], hours[1]) = ("1", "1");
    let day = format!("{{ hours = [{}], normalise = false }}", hours.join(", "));
    let scenario = "{ phases = { down = { from = 1, until = 2, rate = 0, \
                    defer = { released = 1, over = \"1h\" } } } }";
    for arrivals in ["exact", "poisson"] {
        let base = [
            ("traffic.rate", "1000/h"),
            ("traffic.arrivals", arrivals),
            ("curves.shop_day", day.as_str()),
        ];
        let mut with = base.to_vec();
        with.push(("traffic.scenario", scenario));
        let (base, with) = (hourly(&orders(&base), 4), hourly(&orders(&with), 4));
        assert!(base[1] > 900 && base[2..] == [0, 0], "{arrivals}: {base:?}");
        assert_eq!(with, [base[0], 0, base[1], 0], "{arrivals}");
    }
}

#[test]
fn what_a_phase_keeps_away_comes_later_or_never() {
    let flags = [("traffic.rate", "6000/h"), ("traffic.arrivals", "poisson"), ("tick", "1s")];
    let scenario = "{ phases = { down = { from = 1, until = 2, rate = 0.2, \
                    defer = { released = 0.7, over = \"90m\" } } } }";
    let mut with: Vec<(&str, &str)> = flags.to_vec();
    with.push(("traffic.scenario", scenario));
    let (base, plan) = (orders(&flags), orders(&with));
    let start_us = plan.start_us;
    let [before, after] = [&base, &plan].map(|plan| records(plan, "orders", 0..4));
    let hours = |record: &BTreeMap<String, Value>| {
        let Value::TimestampMicros(at) = record["event_time"] else { unreachable!("a time") };
        (at - start_us) as f64 / HOUR_US as f64
    };
    let (mut sent, mut released, mut all, mut gone) = (0, Vec::new(), 0, 0);
    for (identity, record) in &before {
        let due = hours(record);
        let Some(found) = after.get(identity) else {
            assert!((1.0..2.0).contains(&due), "an event outside the phase is gone");
            all += 1;
            gone += 1;
            continue;
        };
        let comes = hours(found);
        for name in ["customer_id", "total_minor", "channel", "status"] {
            assert_eq!(record[name], found[name], "{name} is the same whenever it comes");
        }
        if (1.0..2.0).contains(&due) {
            all += 1;
            if comes > due {
                assert!((2.0..3.5).contains(&comes), "{comes}");
                released.push((due, comes));
            } else {
                sent += 1;
            }
        } else {
            assert_eq!(record, found);
        }
    }
    assert_eq!(after.keys().filter(|identity| !before.contains_key(*identity)).count(), 0);
    released.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert!(released.is_sorted_by(|one, other| one.1 <= other.1), "who was first comes first");
    let (all, sent) = (f64::from(all), f64::from(sent));
    assert!((sent / all - 0.2).abs() < 0.03, "{sent} of {all}");
    assert!((released.len() as f64 / all - 0.56).abs() < 0.03, "{} of {all}", released.len());
    // A rate that falls to a twentieth: two thirds come in the first third of the time.
    let early = released.iter().filter(|(_, comes)| *comes < 2.5).count() as f64;
    assert!((early / released.len() as f64 - 0.665).abs() < 0.05, "{early}");
    for cut in [2 * HOUR_US, 2 * HOUR_US + 123_456_789, HOUR_US + 1] {
        let mut sum = Deferrals::default();
        for window_us in [0..cut, cut..4 * HOUR_US] {
            let options = Options { window_us, ..only(&plan, &["orders"], 0..4) };
            let mut stream = EventStream::start(Arc::clone(&plan), options).unwrap();
            while let Some(batch) = stream.next_blocking() {
                sum.add(batch.unwrap().deferrals);
            }
        }
        let kept_away = released.len() as u64 + gone;
        let deferrals =
            Deferrals { deferred: kept_away, released: released.len() as u64, abandoned: gone };
        assert_eq!((sum, sum.pending()), (deferrals, 0));
    }
    let items = records(&plan, "order_items", 0..4);
    let told: BTreeSet<String> =
        items.values().map(|item| format!("{:?}", item["customer_id"])).collect();
    let asked = after.values().map(|order| format!("{:?}", order["customer_id"])).collect();
    assert_eq!(told, asked, "what follows a released order comes too");
}
