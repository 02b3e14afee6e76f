//! Events whose bytes are others.

use std::collections::BTreeMap;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use tidegate::stream::faults::Deed;
use tidegate::stream::{Route, Who};

use super::{Record, SECOND_US, options, plan, sent};

/// What an event was, and what it is with a fault.
fn pairs(fault: &str) -> Vec<(Record, Record, Deed)> {
    let plain = sent(&plan(""), options(0..10 * SECOND_US));
    let made: BTreeMap<(u16, Who), &Record> =
        plain.events().map(|record| ((record.stream, record.who), record)).collect();
    let all =
        sent(&plan(&format!("[faults.some]\nshare = 0.1\n{fault}")), options(0..10 * SECOND_US));
    assert_eq!(all.events().count(), made.len());
    let mut deeds: BTreeMap<(u16, Who), &Deed> =
        all.deeds.iter().map(|deed| ((deed.stream, deed.who), deed)).collect();
    let mut pairs = Vec::new();
    for record in all.events() {
        let who = (record.stream, record.who);
        // Whoever compares finds just the ones that the ledger names.
        match deeds.remove(&who) {
            Some(deed) => {
                assert_ne!(record, made[&who]);
                pairs.push((made[&who].clone(), record.clone(), deed.clone()));
            }
            None => assert_eq!(record, made[&who]),
        }
    }
    assert!(deeds.is_empty() && pairs.len() > 250, "{}", pairs.len());
    pairs
}

fn value(record: &Record) -> &[u8] {
    record.value.as_deref().unwrap()
}

fn key(record: &Record) -> &str {
    std::str::from_utf8(record.key.as_deref().unwrap()).unwrap()
}

#[test]
fn corrupt_bytes_are_where_the_ledger_says() {
    for (was, is, deed) in pairs("kind = \"corrupt\"\nbytes = 2") {
        let (was, is) = (value(&was), value(&is));
        assert_eq!((was.len(), &was[..5]), (is.len(), &is[..5]));
        let differing = (0..was.len()).filter(|at| was[*at] != is[*at]);
        let told = deed.offsets.iter().map(|at| *at as usize);
        assert!(differing.eq(told) && deed.offsets.len() == 2);
    }
}

#[test]
fn a_truncated_value_is_the_begin_of_its_own() {
    for (was, is, deed) in pairs("kind = \"truncate\"") {
        assert!(value(&was).starts_with(value(&is)) && value(&is).len() >= 5);
        assert_eq!(deed.value_bytes.unwrap() as usize, value(&is).len());
    }
    for (was, is, _) in pairs("kind = \"truncate\"\nbytes = 4") {
        assert_eq!(value(&was).len() - value(&is).len(), 4);
    }
}

#[test]
fn framing_and_values_are_as_the_fault_says() {
    for (was, is, deed) in pairs("kind = \"unknown_schema\"\nid = 99") {
        assert_eq!(
            (&value(&is)[..5], &value(&is)[5..]),
            (&[0, 0, 0, 0, 99][..], &value(&was)[5..])
        );
        assert_eq!(deed.schema_id, Some(99));
    }
    for (was, is, _) in pairs("kind = \"wrong_magic\"") {
        assert_eq!((value(&is)[0], &value(&is)[1..]), (255, &value(&was)[1..]));
    }
    for (was, is, deed) in pairs("kind = \"tombstone\"") {
        assert_eq!((is.value, deed.value_bytes, is.key), (None, None, was.key));
    }
    for (was, is, _) in pairs("kind = \"oversized\"\nbytes = \"5kB\"") {
        assert!(value(&is).len() == 5_000 && value(&is).starts_with(value(&was)));
    }
}

#[test]
fn a_wrong_key_goes_to_its_own_partition() {
    let mut moved = 0;
    for (was, is, deed) in pairs("kind = \"wrong_key\"") {
        assert!(key(&is).starts_with("acct-") && key(&is).len() == key(&was).len());
        assert_eq!(deed.new_key, is.key);
        assert_eq!(is.partition, Route::default().hash.partition(key(&is).as_bytes(), 4));
        assert_eq!(is.value, was.value);
        moved += usize::from(is.partition != was.partition);
    }
    assert!(moved > 100, "{moved}");
    for (_, is, _) in pairs("kind = \"hot_key\"\nkey = \"acct-7\"") {
        assert_eq!(key(&is), "acct-7");
    }
}

#[test]
fn the_ledger_tells_what_was_done() {
    let plan = plan("[faults.crowd]\nkind = \"hot_key\"\nkey = \"acct-7\"\nshare = 0.1");
    let all = sent(&plan, options(0..10 * SECOND_US));
    let (_, stream) = plan.stream("faults").unwrap();
    assert_eq!(stream.topic.name, "run.faults");
    let reader = GenericDatumReader::builder(&stream.schema).build().unwrap();
    for (entry, deed) in all.entries().zip(&all.deeds) {
        assert_eq!(entry.key.as_deref(), Some(&b"crowd"[..]));
        let mut rest = &value(entry)[5..];
        let Value::Record(fields) = reader.read_value(&mut rest).unwrap() else { panic!() };
        let fields: BTreeMap<String, Value> = fields.into_iter().collect();
        let text = |text: &str| Value::String(text.to_owned());
        assert_eq!(fields["kind"], text("hot_key"));
        assert_eq!(fields["stream"], text(&plan.streams[usize::from(deed.stream)].name));
        assert_eq!(fields["due"], Value::TimestampMicros(deed.due_us));
        assert_eq!(fields["new_key"], Value::Union(1, Box::new(text("acct-7"))));
        assert!(rest.is_empty());
    }
}
