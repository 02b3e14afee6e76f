//! Events that come later, twice, after one another, or not.

use std::collections::BTreeMap;

use tidegate::stream::Who;
use tidegate::stream::faults::Deed;

use super::{All, Record, SECOND_US, options, plan, sent};

fn of_kind<'a>(all: &'a All, kind: &'a str) -> impl Iterator<Item = &'a Deed> {
    all.deeds.iter().filter(move |deed| deed.kind == kind)
}

#[test]
fn a_duplicate_is_its_original_again() {
    let all = sent(
        &plan("[faults.twice]\nkind = \"duplicate\"\nshare = 0.1\ndelay = \"1500ms\""),
        options(0..20 * SECOND_US),
    );
    assert!(all.deeds.len() > 500, "{}", all.deeds.len());
    for deed in &all.deeds {
        let is_it = |record: &&Record| record.stream == deed.stream && record.who == deed.who;
        let both: Vec<&Record> = all.events().filter(is_it).collect();
        assert_eq!(both.len(), 2);
        assert_eq!(both[1].due_us - both[0].due_us, 1_500_000);
        assert_eq!(Record { due_us: both[0].due_us, ..both[1].clone() }, *both[0]);
    }
}

#[test]
fn a_late_event_comes_when_the_ledger_says() {
    let delay = "delay = { uniform = [\"1s\", \"4s\"] }";
    let all = sent(
        &plan(&format!("[faults.late]\nkind = \"late\"\nshare = 0.1\n{delay}")),
        options(0..20 * SECOND_US),
    );
    assert!(all.deeds.len() > 500, "{}", all.deeds.len());
    for deed in &all.deeds {
        let delay_us = deed.shows_us - deed.due_us;
        assert!((1_000_000..=4_000_000).contains(&delay_us), "{delay_us}");
    }
}

#[test]
fn a_reordered_event_comes_right_after_the_next_of_its_key() {
    let all = sent(
        &plan("[faults.swapped]\nkind = \"reorder\"\nshare = 0.1\nwithin = \"30s\""),
        options(0..60 * SECOND_US),
    );
    let due: BTreeMap<(u16, Who), i64> =
        all.deeds.iter().map(|deed| ((deed.stream, deed.who), deed.due_us)).collect();
    // What a reader counts: events that come after a later one of their key.
    let mut latest: BTreeMap<(u16, Vec<u8>), i64> = BTreeMap::new();
    let mut overtaken = 0;
    for record in all.events() {
        let key = (record.stream, record.key.clone().unwrap());
        let time_us = *due.get(&(record.stream, record.who)).unwrap_or(&record.due_us);
        let before = latest.entry(key).or_insert(i64::MIN);
        overtaken += usize::from(time_us < *before);
        *before = time_us.max(*before);
    }
    let reordered = of_kind(&all, "reorder").count();
    assert!(reordered > 1_000, "{reordered}");
    assert_eq!(overtaken, reordered);
    for deed in of_kind(&all, "late") {
        assert_eq!(deed.shows_us - deed.due_us, 30_000_000);
    }
}

#[test]
fn a_silent_partition_hears_nothing_until_it_hears_all() {
    let silence = "[faults.silence]\nkind = \"silent_partition\"\npartition = 2\nfrom = \"5s\"\nuntil = \"9s\"";
    let others = "[faults.stranger]\nkind = \"wrong_key\"\nshare = 0.1\n[faults.late]\nkind = \"late\"\nshare = 0.1\ndelay = \"2s\"";
    for then in ["", "then = \"drop\""] {
        let plan = plan(&format!("{silence}\n{then}\n{others}"));
        let all = sent(&plan, options(0..20 * SECOND_US));
        let silent = plan.start_us + 5_000_000..plan.start_us + 9_000_000;
        let in_it = |record: &&Record| record.partition == 2 && silent.contains(&record.due_us);
        assert_eq!(all.events().filter(in_it).count(), 0);
        let kept: Vec<&Deed> = of_kind(&all, "silent_partition").collect();
        assert!(kept.len() > 300, "{}", kept.len());
        let at_end = |record: &&Record| record.partition == 2 && record.due_us == silent.end;
        let released = all.events().filter(at_end).count();
        assert!(kept.iter().all(|deed| deed.sent == then.is_empty()));
        assert!(if then.is_empty() { released >= kept.len() } else { released < 3 });
        // They come in the order that they had.
        let times: Vec<i64> = kept.iter().map(|deed| deed.due_us).collect();
        assert!(times.len() > 1 && kept.iter().all(|deed| silent.contains(&deed.due_us)));
    }
}
