//! Runs that go on, and runs that were killed.

use std::time::Duration;

use super::{LONG, Site, count};
use crate::brokers;
use crate::cli::{Running, assert_exit, json, pause};

#[test]
fn a_run_is_verified_while_it_goes_on() {
    let Some(site) = Site::shared() else { return };
    let words = "run model.toml --to kafka --create-topics --set streams.payments.topic.name=verified.live \
                 --manifest run.json --for 8s";
    let run = Running::start(site.command(words));
    brokers::wait_for("the manifest", LONG, || site.path().join("run.json").exists().then_some(()));
    let verify = Running::start(site.command("verify run.json --until-complete --timeout 4m"));
    let result = run.wait(LONG);
    assert_exit(&result, 0);
    let output = verify.wait(LONG);
    assert_exit(&output, 0);
    let report = json(&output);
    assert_eq!(count(&report, "delivered"), count(&json(&result), "issued"));
    assert_eq!((&report["stopped"], &report["sent_is_known"]), (&"end".into(), &true.into()));
    let p50 = report["latency_ms"]["p50"].as_f64().unwrap();
    assert!(p50 > 0.0, "events are there after they were intended: {report}");
}

#[test]
fn of_a_killed_run_only_what_was_surely_sent_is_looked_for() {
    let Some(site) = Site::shared() else { return };
    let words = "run model.toml --to kafka --create-topics --set streams.payments.topic.name=verified.killed \
                 --manifest run.json";
    let run = Running::start(site.command(words));
    pause(Duration::from_secs(6));
    run.signal("KILL");
    drop(run.wait(LONG));
    let output = site.verify("--idle 3s");
    let report = json(&output);
    assert_eq!((&report["stopped"], &report["sent_is_known"]), (&"idle".into(), &false.into()));
    assert!(count(&report, "delivered") > 1_000, "{report}");
    assert_eq!((count(&report, "doubled"), count(&report, "foreign")), (0, 0));
    // What was on its way to one partition may be lost while another one has later events.
    let missing = count(&report, "missing");
    assert!(missing < 2_000, "{report}");
    assert_eq!(output.status.code(), Some(if missing == 0 { 0 } else { 3 }));
}
