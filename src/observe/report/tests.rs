//! Tests of the end report.

use super::super::tally::Outcomes;
use super::*;

pub(in super::super) fn report() -> Report {
    let outcomes = Outcomes {
        delivered: 14_500,
        sent_again: 0,
        already_there: 0,
        bytes: 5_800_000,
        failed: BTreeMap::from([("message_too_large".to_owned(), 2)]),
    };
    let latency = Quantiles {
        p50: Duration::from_micros(5_100),
        p99: Duration::from_millis(11),
        p999: Duration::from_millis(20),
        max: Duration::from_millis(31),
    };
    let total = Total {
        streams: vec![("payments".to_owned(), 14_512, outcomes)],
        latency: Some(latency),
        lag: Some(Quantiles { max: Duration::from_micros(1_900), ..Quantiles::default() }),
        governed: Duration::from_millis(2_500),
        due_us: Some(29_990_000),
    };
    let about = About {
        subject: Subject::Model {
            model: "payments".into(),
            seed: 42,
            start: "2026-03-02T00:00:00Z".into(),
        },
        stopped: Stopped::Signal,
        wall: Duration::from_secs(30),
        scheduled: Some(Duration::from_secs(29)),
        governed: Some(total.governed),
        digest: None,
        deferrals: None,
        manifest: Some("runs/payments.json".into()),
        repeat: Some("tidegate run payments --seed 42".into()),
    };
    Report::new(&total, about, Some(64 << 20))
}

#[test]
fn what_was_issued_is_the_sum_of_what_became_of_it() {
    let report = report();
    let counts = &report.counts;
    assert_eq!(counts.unacknowledged, 10);
    assert_eq!(
        counts.issued,
        counts.delivered + counts.failed + counts.shed + counts.unacknowledged
    );
    assert!(counts.lost_any());
    assert_eq!(report.streams["payments"], report.counts);
}

#[test]
fn the_json_has_the_names_that_the_manual_gives() {
    let json = serde_json::to_value(report()).unwrap();
    for name in [
        "issued",
        "delivered",
        "sent_again",
        "already_there",
        "failed",
        "shed",
        "unacknowledged",
        "bytes",
        "failures",
        "model",
        "seed",
        "start",
        "stopped",
        "seconds",
        "digest",
        "manifest",
        "repeat",
        "streams",
        "rates",
        "latency_ms",
        "lag_ms",
        "governed_s",
        "memory_bytes_max",
        "broken",
    ] {
        assert!(json.get(name).is_some(), "{name} is missing from {json}");
    }
    assert_eq!(json["stopped"], "signal");
    assert_eq!(json["digest"], serde_json::Value::Null);
    assert_eq!(json["governed_s"], 2.5);
    assert_eq!(json["latency_ms"]["p99.9"], 20.0);
    assert_eq!(json["streams"]["payments"]["failures"]["message_too_large"], 2);
}

#[test]
fn people_read_counts_reasons_and_the_command_that_repeats_the_run() {
    insta::assert_snapshot!(report().to_string(), @r"
    payments: ended by a signal after 30 s
      issued           14,512
      delivered        14,500
      failed           2: 2 message_too_large
      unacknowledged   10
      rate             500/s intended, 483/s delivered, 188.8 KiB/s
      latency          p50 5.1 ms, p99 11.0 ms, p99.9 20.0 ms, max 31.0 ms
      behind schedule  p50 0 s, p99 0 s, p99.9 0 s, max 1.9 ms
      held by ceiling  2.50 s
      peak memory      64.0 MiB
      manifest         runs/payments.json
      the same again   tidegate run payments --seed 42
    ");
}
