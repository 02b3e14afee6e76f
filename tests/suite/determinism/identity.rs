//! Who the events are: identities that open, lanes, and the order of both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate::encode::json::Reader;
use tidegate::generate::philox;
use tidegate::plan::arrival::tick_and_lane;
use tidegate::plan::identity::{Cipher, Identity};

use super::{Event, SECOND_US, events, only_authorisations, plan, window};

/// The cipher that whoever knows the model has.
fn cipher(seed: u64, start_us: i64) -> Cipher {
    let [low, high] = philox::key(seed, "identity", &start_us.to_string());
    Cipher::new(u64::from(high) << 32 | u64::from(low))
}

fn uuid(row: &Value) -> u128 {
    let text = row["event_id"].as_str().unwrap();
    text.parse::<uuid::Uuid>().unwrap().as_u128()
}

/// Events with the rows that they hold.
fn rows() -> Vec<(Event, Value)> {
    let plan = plan();
    let reader = Reader::new(&plan.streams[0].schema).unwrap();
    let all = events(&plan, only_authorisations(&plan, window(0..20 * SECOND_US)));
    assert!(all.len() > 1_000, "{}", all.len());
    all.into_iter().map(|event| (reader.read(&event.datum).unwrap(), event)).map(swap).collect()
}

fn swap<A, B>((a, b): (A, B)) -> (B, A) {
    (b, a)
}

#[test]
fn every_identity_opens_to_its_stream_and_to_the_tick_of_its_time() {
    let plan = plan();
    let cipher = cipher(plan.seed, plan.start_us);
    let tick_us = plan.tick.length_us();
    let mut indices: BTreeMap<(u64, u32), Vec<u64>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let rows = rows();
    for (event, row) in &rows {
        let uuid = uuid(row);
        let Identity { stream, origin, child, number } = cipher.open(uuid).unwrap();
        assert_eq!((stream, origin, child), (0, 0, 0));
        let (tick, lane) = tick_and_lane(number);
        let expected = (event.due_us - plan.start_us).div_euclid(tick_us);
        assert_eq!(i64::try_from(tick).unwrap(), expected, "{row}");
        assert!(lane < plan.lanes);
        assert!(seen.insert(uuid), "{row} is there twice");
        indices.entry((tick, lane)).or_default().push(number & ((1 << 18) - 1));
    }
    for (place, indices) in indices {
        assert!(indices.iter().copied().eq(0..indices.len() as u64), "{place:?}: {indices:?}");
    }
    let other = super::payments(&[("seed", "43")]);
    for (seed, start_us) in [(other.seed, plan.start_us), (plan.seed, plan.start_us + tick_us)] {
        let foreign = self::cipher(seed, start_us);
        assert!(rows.iter().all(|(_, row)| foreign.open(uuid(row)).is_none()));
    }
}

#[test]
fn events_are_in_send_order() {
    let cipher = cipher(plan().seed, plan().start_us);
    let rows = rows();
    let place = |(event, row): &(Event, Value)| {
        let identity = cipher.open(uuid(row)).unwrap();
        (event.due_us, identity.stream, identity.origin, identity.number, identity.child)
    };
    assert!(rows.is_sorted_by(|a, b| place(a) < place(b)));
    for (event, row) in &rows {
        let time: jiff::Timestamp = row["event_time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.as_microsecond(), event.due_us, "{row}");
    }
}

#[test]
fn a_family_stays_in_one_lane_and_in_order() {
    let cipher = cipher(plan().seed, plan().start_us);
    let lanes = u64::from(plan().lanes);
    let mut last_of_lane: BTreeMap<u32, u64> = BTreeMap::new();
    let mut lane_of_key: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let mut members = 0;
    for (event, row) in rows() {
        let number = cipher.open(uuid(&row)).unwrap().number;
        let (_, lane) = tick_and_lane(number);
        if let Some(before) = last_of_lane.insert(lane, number) {
            assert!(before < number, "lane {lane}: {number} after {before}");
        }
        let known = *lane_of_key.entry(event.key).or_insert(lane);
        assert_eq!(known, lane, "a key has one lane: {row}");
        for (field, begin) in [("account_id", "acct-"), ("customer_id", "cust-")] {
            let Some(text) = row[field].as_str() else { continue };
            let member: u64 = text.strip_prefix(begin).unwrap().parse().unwrap();
            assert_eq!(member % lanes, u64::from(lane), "{text}");
            members += 1;
        }
    }
    assert!(members > 1_000, "{members}");
}
