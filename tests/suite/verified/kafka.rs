//! Consumers that write on to Kafka, and what verifying finds of what they did.

use super::consumer::write_on;
use super::*;

/// A hundred accounts, so that each has many events.
const FEW_KEYS: &str = "--set entities.account.activity.mean=36000/h";

#[test]
fn what_a_consumer_did_is_found_precisely() {
    let Some(site) = Site::shared() else { return };
    let (from, to) = ("verified.kafka.in", "verified.kafka.out");
    let result = site.run(from, &format!("{FEW_KEYS} --count 20000 --speed max"));
    let deeds = write_on(&site.servers, from, to);
    let report = site.verified(&format!("--from {to} --idle 2s"), 3);
    assert_eq!(report["clean"], false);
    let found = site.found();
    let found = |kind: &str| found.get(kind).cloned().unwrap_or_default();
    assert!(deeds.dropped.len() > 100 && deeds.swapped.len() > 100, "{}", deeds.swapped.len());
    assert_eq!(found("missing"), deeds.dropped);
    assert_eq!(found("doubled"), deeds.doubled);
    assert_eq!(found("damaged"), deeds.altered);
    assert_eq!(found("foreign"), Vec::<String>::new());
    let issued = count(&result, "issued");
    assert_eq!(count(&report, "expected"), issued);
    assert_eq!(count(&report, "delivered"), issued - deeds.dropped.len() as u64);
    // Of those that were written last, those are out of order whose keys had later events.
    let out_of_order = found("out_of_order");
    assert!(deeds.swapped.iter().all(|id| out_of_order.contains(id)));
    let known = |id: &String| deeds.swapped.contains(id) || deeds.delayed.contains(id);
    assert!(out_of_order.iter().all(known), "{out_of_order:?}");
    // What is not minded does not count.
    let ignored = "--ignore missing,doubled,damaged,out_of_order";
    site.verified(&format!("--from {to} --idle 2s {ignored}"), 0);
}
