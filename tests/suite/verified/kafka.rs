//! A consumer that writes on to Kafka, and what verifying finds of what it did.

use super::consumer::write_on;
use super::{FEW_KEYS, Site, assert_found, count};

#[test]
fn what_a_consumer_did_is_found_precisely() {
    let Some(site) = Site::shared() else { return };
    let (from, to) = ("verified.kafka.in", "verified.kafka.out");
    let result = site.run(from, &format!("{FEW_KEYS} --count 20000 --speed max"));
    let deeds = write_on(&site.servers, from, to);
    let report = site.verified(&format!("--from {to} --idle 2s"), 3);
    assert_eq!(report["clean"], false);
    assert_found(&site.found(), &deeds);
    let issued = count(&result, "issued");
    assert_eq!(count(&report, "expected"), issued);
    assert_eq!(count(&report, "delivered"), issued - deeds.dropped.len() as u64);
    // Two that were dropped may be neighbours.
    let ranges = count(&report["missing_ranges"], "count");
    assert!(ranges > 100 && ranges <= deeds.dropped.len() as u64, "{ranges}");
    // What is not minded does not count.
    let ignored = "--ignore missing,doubled,damaged,out_of_order";
    site.verified(&format!("--from {to} --idle 2s {ignored}"), 0);
}
