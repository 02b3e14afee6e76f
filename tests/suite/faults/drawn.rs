//! Who faults are done to: the same whoever makes the events, and nobody else.

use std::collections::BTreeMap;

use tidegate::stream::digest::Digest;
use tidegate::stream::faults::Faulted;
use tidegate::stream::pacer::Source;
use tidegate::stream::{EventStream, Options, Shard, Who};

use super::{All, Record, SECOND_US, options, plan, read_text, sent};

/// One fault of each kind.
pub(crate) const ALL: &str = r#"
[faults.lossy]
kind = "drop"
share = 0.02
[faults.twice]
kind = "duplicate"
share = 0.02
[faults.twice_later]
kind = "duplicate"
share = 0.02
delay = { exponential = { mean = "2s" }, max = "9s" }
[faults.late]
kind = "late"
share = 0.02
delay = { lognormal = { median = "3s", sigma = 1 }, max = "12s" }
[faults.swapped]
kind = "reorder"
share = 0.05
within = "5s"
[faults.bits]
kind = "corrupt"
share = 0.02
bytes = 3
[faults.cut]
kind = "truncate"
share = 0.02
[faults.unknown]
kind = "unknown_schema"
share = 0.02
[faults.magic]
kind = "wrong_magic"
share = 0.02
[faults.gone]
kind = "tombstone"
share = 0.02
[faults.fat]
kind = "oversized"
share = 0.01
bytes = 2000
[faults.stranger]
kind = "wrong_key"
share = 0.02
[faults.crowd]
kind = "hot_key"
share = 0.05
key = "acct-hot"
streams = ["payments"]
phase = "storm"
[faults.silence]
kind = "silent_partition"
partition = 2
from = "10s"
until = "14s"
[faults.hole]
kind = "silent_partition"
partition = 1
from = "18s"
until = "19s"
then = "drop"
"#;

#[test]
fn threads_and_batches_change_nothing() {
    let plan = plan(ALL);
    let whole = sent(&plan, options(0..40 * SECOND_US));
    assert!(whole.deeds.len() > 1_000, "{}", whole.deeds.len());
    for (threads, batch_events) in [(3, 4_096), (1, 64), (2, 100_000)] {
        let options = Options { threads, batch_events, ..options(0..40 * SECOND_US) };
        assert!(sent(&plan, options) == whole, "{threads} threads, {batch_events} events");
    }
}

#[test]
fn a_run_begins_and_ends_anywhere() {
    let plan = plan(ALL);
    let whole = sent(&plan, options(0..40 * SECOND_US));
    for cut_us in [1, 9_999_999, 11_234_567, 18_500_000, 25_000_000] {
        let mut parts = sent(&plan, options(0..cut_us));
        let after = sent(&plan, options(cut_us..40 * SECOND_US));
        parts.records.extend(after.records);
        parts.deeds.extend(after.deeds);
        assert!(parts == whole, "cut at {cut_us}");
    }
}

#[test]
fn shards_add_up_to_the_whole() {
    let plan = plan(ALL);
    let key = |record: &Record| (record.due_us, record.stream, record.who, record.value.clone());
    let mut whole = sent(&plan, options(0..30 * SECOND_US));
    let mut parts = All::default();
    for index in 0..3 {
        let shard = Shard { index, count: 3 };
        let part = sent(&plan, Options { shard, ..options(0..30 * SECOND_US) });
        parts.records.extend(part.records);
        parts.deeds.extend(part.deeds);
    }
    for all in [&mut whole, &mut parts] {
        all.records.sort_by_key(key);
        all.deeds.sort_by_key(|deed| (deed.shows_us, deed.stream, deed.who));
    }
    assert!(parts == whole);
}

#[test]
fn each_kind_is_done_to_its_share_and_told_once() {
    let plan = plan(ALL);
    let all = sent(&plan, options(0..40 * SECOND_US));
    assert_eq!(all.entries().count(), all.deeds.len());
    let mut counts = BTreeMap::new();
    for deed in &all.deeds {
        *counts.entry((plan.faults.list[deed.fault].name.as_str(), deed.kind)).or_insert(0) += 1;
    }
    let kinds = [
        ("lossy", "drop"),
        ("twice", "duplicate"),
        ("twice_later", "duplicate"),
        ("late", "late"),
        ("swapped", "reorder"),
        ("swapped", "late"),
        ("bits", "corrupt"),
        ("cut", "truncate"),
        ("unknown", "unknown_schema"),
        ("magic", "wrong_magic"),
        ("gone", "tombstone"),
        ("fat", "oversized"),
        ("stranger", "wrong_key"),
        ("crowd", "hot_key"),
        ("silence", "silent_partition"),
        ("hole", "silent_partition"),
    ];
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        kinds
    });
    // 19,200 events or so, each hit by one fault at most.
    assert!((300..480).contains(&counts[&("lossy", "drop")]), "{counts:?}");
}

#[test]
fn what_no_fault_is_done_to_stays_as_it_is() {
    let (with, without) = (plan(ALL), plan(""));
    let all = sent(&with, options(0..40 * SECOND_US));
    let hit: Vec<(u16, Who)> = {
        let mut hit: Vec<_> = all.deeds.iter().map(|deed| (deed.stream, deed.who)).collect();
        hit.sort_unstable();
        hit
    };
    assert!(hit.windows(2).all(|pair| pair[0] != pair[1]), "an event is hit twice");
    let is_hit = |record: &&Record| hit.binary_search(&(record.stream, record.who)).is_ok();
    let plain = sent(&without, options(0..40 * SECOND_US));
    // Of what is hit later than this all has come.
    let until_us = with.start_us + 25_000_000;
    let looked_at = |record: &&Record| record.due_us < until_us && !is_hit(record);
    let left: Vec<&Record> = all.events().filter(looked_at).collect();
    let expected: Vec<&Record> = plain.events().filter(looked_at).collect();
    assert!(left.len() > 7_000 && left == expected);
}

#[test]
fn a_fault_leaves_the_events_of_another_alone() {
    let lossy = "[faults.lossy]\nkind = \"drop\"\nshare = 0.05\n";
    let other = "[faults.bits]\nkind = \"corrupt\"\nshare = 0.05\n";
    let dropped = |faults: &str| -> Vec<Who> {
        let deeds = sent(&plan(faults), options(0..20 * SECOND_US)).deeds;
        deeds.iter().filter(|deed| deed.kind == "drop").map(|deed| deed.who).collect()
    };
    assert_eq!(dropped(lossy), dropped(&format!("{lossy}{other}")));
}

#[test]
fn the_digest_is_that_of_the_events_before_the_faults() {
    let digest = |faults: &str| {
        let options = Options { digest: true, ..options(0..20 * SECOND_US) };
        let mut faulted = Faulted::start(plan(faults), options).unwrap();
        let mut sum = Digest::default();
        while let Some(batch) = faulted.next() {
            sum.add(batch.unwrap().digest.unwrap());
        }
        sum
    };
    let mut plain = Digest::default();
    let options = Options { digest: true, ..options(0..20 * SECOND_US) };
    let mut events = EventStream::start(plan(""), options).unwrap();
    while let Some(batch) = events.next_blocking() {
        plain.add(batch.unwrap().digest.unwrap());
    }
    assert_eq!(digest(ALL), plain);
}

#[test]
fn a_count_is_of_the_events_that_are_made() {
    let plan = plan(ALL);
    let whole = sent(&plan, options(0..40 * SECOND_US));
    let counted = |threads, batch_events| {
        let options = Options { count: Some(5_000), threads, batch_events, ..options(0..u64::MAX) };
        sent(&plan, options)
    };
    let some = counted(1, 4_096);
    assert!(some == counted(2, 300));
    let last_us = some.records.last().unwrap().due_us;
    assert!(some.records[..] == whole.records[..some.records.len()]);
    assert!(whole.records[some.records.len()].due_us >= last_us);
}

#[test]
fn so_many_records_are_the_first_of_all() {
    let plan = plan(ALL);
    let whole = sent(&plan, options(0..20 * SECOND_US));
    for most in [1, 777, 3_000] {
        let options = Options { events_max: Some(most), ..options(0..20 * SECOND_US) };
        let some = sent(&plan, options);
        assert_eq!(some.records.len() as u64, most);
        assert!(some.records[..] == whole.records[..some.records.len()]);
        assert!(some.deeds[..] == whole.deeds[..some.deeds.len()]);
    }
}

#[test]
fn a_fault_holds_in_the_phases_of_its_scenario() {
    let storm =
        "rate = 2 } }, faults = { lossy = { kind = \"drop\", share = 0.5, phase = \"storm\" } } }";
    let plan = read_text(super::MODEL.replace("rate = 2 } } }", storm)).unwrap();
    let all = sent(&plan, options(0..40 * SECOND_US));
    let storm = plan.start_us + 20_000_000..plan.start_us + 30_000_000;
    assert!(all.deeds.len() > 3_000, "{}", all.deeds.len());
    assert!(all.deeds.iter().all(|deed| storm.contains(&deed.due_us)));
}
