//! Events of a key and partitions, against all records of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate::encode::partition::Hash;
use tidegate::plan::Plan;
use tidegate::stream::forecast::keys::Keys;
use tidegate::stream::forecast::{Asked, Forecast};
use tidegate::stream::{Options, Route, Shard};

use super::{HOUR_US, asked};
use crate::determinism::{START, events, model};

/// Events by key, of one stream in one share of the lanes.
fn counts(plan: &Arc<Plan>, asked: &Asked, stream: usize, shard: Shard) -> BTreeMap<Vec<u8>, u64> {
    let routes =
        (0..plan.streams.len()).map(|it| Route { skipped: it != stream, ..Route::default() });
    let (window_us, routes) = (asked.window_us.clone(), routes.collect());
    let mut counts = BTreeMap::new();
    for event in events(plan, Options { window_us, shard, routes, ..Options::default() }) {
        *counts.entry(event.key).or_default() += 1;
    }
    counts
}

/// That what is told of keys is what all records of those lanes come to.
fn assert_told(plan: &Arc<Plan>, asked: &Asked, keys: &Keys, stream: usize) {
    let shares = plan.lanes / keys.lanes;
    let window_us = asked.window_us.start..asked.window_us.start + keys.of_us;
    let asked = Asked { window_us, ..asked.clone() };
    let counts = counts(plan, &asked, stream, Shard { index: 0, count: shares });
    let mut sorted: Vec<u64> = counts.into_values().collect();
    sorted.sort_unstable();
    let at = |part: usize| sorted[(sorted.len() * part).div_ceil(100).max(1) - 1];
    let name = &plan.streams[stream].name;
    assert_eq!(keys.count, sorted.len() as u64, "{name}");
    assert_eq!([keys.median, keys.p99, keys.most], [at(50), at(99), at(100)], "{name}");
}

#[test]
fn keys_are_those_of_all_records_of_the_lanes_that_are_looked_at() {
    let plan = model("sessions", &[("start", START)]);
    let asked = asked(HOUR_US..HOUR_US + 120_000_000, 2);
    let forecast = Forecast::new(&plan, &asked).unwrap();
    for events_max in [u64::MAX, forecast.total() / 3] {
        let keys = Keys::of((&plan, &asked), &forecast, events_max).unwrap();
        for (stream, keys) in keys.iter().enumerate() {
            let Some(keys) = keys else { continue };
            assert_eq!(keys.lanes == plan.lanes, events_max == u64::MAX, "customers have lanes");
            assert_told(&plan, &asked, keys, stream);
        }
        assert!(keys[0].is_some());
    }
}

// People of many lanes are paid by one company, whose number is the key of their wages.
#[test]
fn of_keys_that_several_lanes_share_all_lanes_are_looked_at() {
    let plan = model("transfers", &[("start", START), ("entities.company.count", "4000")]);
    let (wages, _) = plan.stream("wages").unwrap();
    let asked = asked(0..HOUR_US, 2);
    let forecast = Forecast::new(&plan, &asked).unwrap();
    let keys = Keys::of((&plan, &asked), &forecast, 5_000).unwrap();
    let (roots, _) = plan.stream("transfers").unwrap();
    assert!(keys[roots].as_ref().unwrap().lanes < plan.lanes);
    let keys = keys[wages].as_ref().unwrap();
    assert_eq!(keys.lanes, plan.lanes);
    assert_told(&plan, &asked, keys, wages);
}

#[test]
fn partitions_are_as_full_as_all_records_make_them() {
    // 50 customers on 12 partitions.
    let plan = model(
        "orders",
        &[("start", START), ("entities.customer.activity.mean", "400/day"), ("lanes", "8")],
    );
    let (orders, _) = plan.stream("orders").unwrap();
    let mut asked = asked(0..12 * HOUR_US, 2);
    asked.routes = vec![Route { partitions: Some(12), ..Route::default() }; plan.streams.len()];
    let found = Forecast::new(&plan, &asked).unwrap();
    let found = found.streams[orders].as_ref().unwrap().records.as_ref().unwrap();
    let mut all = vec![0.0; 12];
    for (key, count) in counts(&plan, &asked, orders, Shard::WHOLE) {
        all[usize::try_from(Hash::Murmur2.partition(&key, 12)).unwrap()] += count as f64;
    }
    let total: f64 = all.iter().sum();
    for (share, events) in found.partitions.iter().zip(&all) {
        assert!((share - events / total).abs() < 0.025, "{:?} for {all:?}", found.partitions);
    }
    assert!(found.skew().unwrap() > 1.4, "{:?}", found.skew());
}
