//! Who the events are: identities that open, lanes, and the order of both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate::encode::headers::{self, Shape};
use tidegate::encode::json::Reader;
use tidegate::generate::philox;
use tidegate::plan::arrival::tick_and_lane;
use tidegate::plan::identity::{Cipher, Identity};
use tidegate::stream::{EventStream, Options, Shard, Telling};

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

/// What verifying stands on: who is told beside an event is who the event itself says it is, and the
/// same is told without its bytes.
#[test]
fn batches_tell_who_their_events_are_with_and_without_bytes() {
    let plan = plan();
    let cipher = cipher(plan.seed, plan.start_us);
    let readers: Vec<_> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let shapes: Vec<Vec<Shape>> = plan
        .streams
        .iter()
        .map(|stream| stream.compiled.headers.iter().map(Shape::of).collect())
        .collect();
    let told = |bytes_one_in, count| {
        let telling = Telling::Who { bytes_one_in };
        let shard = Shard { index: 1, count: 2 };
        let mut options = Options { telling, shard, count, threads: 2, ..Options::default() };
        options.window_us = 3_600 * SECOND_US..3_620 * SECOND_US;
        let mut stream = EventStream::start(std::sync::Arc::clone(&plan), options).unwrap();
        let mut all = Vec::new();
        while let Some(batch) = stream.next_blocking() {
            let batch = batch.unwrap();
            assert_eq!(batch.records.len(), batch.who.len());
            for (record, who) in batch.records.iter().zip(&batch.who) {
                all.push((record.due_us, record.stream, *who));
                let value = &batch.arena[record.value_range()];
                let row = batch.has_bytes.then(|| readers[usize::from(record.stream)].read(value));
                let Some(Ok(row)) = row.filter(|_| !record.tombstone) else { continue };
                let header = headers::read(
                    &shapes[usize::from(record.stream)],
                    &batch.arena[record.header_range()],
                );
                let header = header.into_iter().find_map(|(_, value)| match value {
                    headers::Value::Identity(bytes) => {
                        Some(u128::from_be_bytes(bytes.try_into().unwrap()))
                    }
                    _ => None,
                });
                let sealed = header.unwrap_or_else(|| uuid(&row));
                let identity = cipher.open(sealed).unwrap();
                assert_eq!((u16::from(identity.stream), identity.origin), (record.stream, 0));
                assert_eq!((identity.number, identity.child), (who.number, who.child), "{row}");
            }
        }
        all
    };
    let whole = told(1, None);
    assert!(whole.len() > 1_000, "{}", whole.len());
    assert!(whole.iter().any(|(_, stream, _)| *stream > 0), "streams that follow are there");
    assert_eq!(told(0, None), whole);
    assert_eq!(told(3, None), whole);
    assert_eq!(told(0, Some(2_000)), told(1, Some(2_000)));
    let distinct: BTreeSet<_> = whole.iter().map(|(_, stream, who)| (stream, who)).collect();
    assert_eq!(distinct.len(), whole.len());
}
