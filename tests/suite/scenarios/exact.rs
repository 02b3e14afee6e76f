//! Exact hours: as many events as the rules say, evenly spread.

use std::collections::BTreeMap;

use tidegate::stream::{Options, Shard};

use super::{HOUR_US, by_rule, hourly, only, orders, since_us};
use crate::determinism::{events, model};

#[test]
fn exact_hours_begin_at_the_start_wherever_it_is() {
    let expected = by_rule(800.0, 1.0, 30, |_| 1.0);
    for start in ["2026-03-29T00:37:20Z", "2026-10-25T01:59:50Z"] {
        assert_eq!(hourly(&model("orders", &[("start", start)]), 30), expected, "{start}");
    }
}

#[test]
fn floor_and_cap_bound_formulas_together_with_local_hours() {
    // 2 at noon in Paris, which is 11 in UTC, and from the fourth hour on three times as much.
    let mut hours = vec!["1"; 24];
    hours[12] = "2";
    let day = format!("{{ hours = [{}], normalise = false }}", hours.join(", "));
    let flags = [
        ("start", "2026-03-02T08:20:00Z"),
        ("curves.day", day.as_str()),
        ("curves.shop_day", "{ expression = \"if hour < 3 then 1 else 3\" }"),
        ("traffic.curves", "[\"day\", \"shop_day\"]"),
        ("traffic.zone", "Europe/Paris"),
        ("traffic.rate", "600/h"),
    ];
    let bounds = [("traffic.floor", "1.5"), ("traffic.cap", "4")];
    let with: Vec<(&str, &str)> = flags.into_iter().chain(bounds).collect();
    // From 8:20: the third hour has 20 minutes of noon, and the fourth 40.
    assert_eq!(hourly(&model("orders", &flags), 5), [600, 600, 800, 3_000, 1_800]);
    assert_eq!(hourly(&model("orders", &with), 5), [900, 900, 1_000, 2_200, 1_800]);
}

#[test]
fn exact_hours_are_evenly_spread() {
    let plan = orders(&[("traffic.rate", "20000/h"), ("tick", "1s")]);
    let times: Vec<u64> = events(&plan, only(&plan, &["orders"], 0..1))
        .iter()
        .map(|event| since_us(&plan, event))
        .collect();
    let apart = HOUR_US / times.len() as u64;
    for (place, time) in times.iter().enumerate() {
        let expected = apart * place as u64 + apart / 2;
        assert!(time.abs_diff(expected) <= 3_000, "{place}: {time}, not {expected}");
    }
}

#[test]
fn windows_of_exact_hours_differ_by_one_event_at_most() {
    let flat = ("curves.shop_day", "{ expression = \"1\" }");
    let busy = ("entities.customer.activity.mean", "50/day");
    let plan = orders(&[("traffic.rate", "10000/s"), flat, busy]);
    let window_us = 7_200_000_000..7_202_000_000;
    let options = Options { window_us, ..only(&plan, &["orders"], 2..3) };
    let mut windows = [0; 200];
    for event in events(&plan, options) {
        let place = (since_us(&plan, &event) - 7_200_000_000) / 10_000;
        windows[usize::try_from(place).unwrap()] += 1;
    }
    assert!(windows.iter().all(|count| (99..=101).contains(count)), "{windows:?}");
}

#[test]
fn exact_lanes_have_their_shares() {
    let plan = orders(&[("traffic.rate", "60000/h"), ("lanes", "8")]);
    let mut lanes = BTreeMap::new();
    for index in 0..8 {
        let shard = Shard { index, count: 8 };
        let options = Options { shard, ..only(&plan, &["orders"], 0..1) };
        lanes.insert(index, events(&plan, options).len() as f64);
    }
    let total: f64 = lanes.values().sum();
    let deviation: f64 = lanes.values().map(|n| (n - total / 8.0).powi(2) / (total / 8.0)).sum();
    // Chi-squared with 7 degrees of freedom, and shares that differ a bit: beyond 60 is no chance.
    assert!(deviation < 60.0, "{lanes:?}");
    assert!(total > 17_000.0, "{total}");
}
