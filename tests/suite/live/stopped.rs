//! Runs on a real Kafka that are told to stop.

use std::time::Duration;

use super::arrival::{SMALL, arrived, assert_all_arrived};
use super::{LONG, Site, count, small};
use crate::brokers::kafka::{KafkaServer, Options};
use crate::cli::{Running, assert_exit, json, pause, program, stderr, wait_until};

#[test]
fn a_run_that_is_told_to_stop_delivers_what_it_issued_and_says_how_to_repeat_it() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.drained";
    let running =
        Running::start(site.command(&format!("{} --manifest m.json --rate 5000/s", small(topic))));
    wait_until("the manifest", || site.path().join("m.json").exists());
    pause(Duration::from_secs(2));
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(result["stopped"], "signal");
    assert!(count(&result, "issued") > 2_000, "{result}");
    assert_all_arrived(&result, &arrived(&site, topic, SMALL));
    let repeat = result["repeat"].as_str().unwrap();
    assert!(repeat.contains(&format!("--count {}", count(&result, "issued"))), "{repeat}");
    let again = repeat.replace("--to kafka", "--to null --speed max --json --quiet");
    assert_ne!(again, repeat);
    let again: Vec<&str> = again.split_whitespace().skip(1).collect();
    let again = program(site.path(), &again).output().unwrap();
    assert_exit(&again, 0);
    assert_eq!(json(&again)["digest"], result["digest"], "{repeat}");
}

#[test]
fn a_drain_that_takes_too_long_gives_up_and_counts_what_it_left() {
    let Some(kafka) = KafkaServer::start(&Options::default()) else { return };
    let Some(site) = Site::at(&kafka) else { return };
    let topic = "live.left";
    let flags = format!("{} --manifest m.json --rate 5000/s --drain 2s", small(topic));
    let running = Running::start(site.command(&flags));
    wait_until("the manifest", || site.path().join("m.json").exists());
    pause(Duration::from_secs(2));
    kafka.pause();
    pause(Duration::from_secs(1));
    running.signal("TERM");
    let output = running.wait(Duration::from_secs(20));
    kafka.resume();
    assert_exit(&output, 1);
    let result = json(&output);
    assert_eq!(result["stopped"], "given_up");
    assert!(stderr(&output).contains("have no receipt"), "{}", stderr(&output));
    let [issued, delivered, failed, left] =
        ["issued", "delivered", "failed", "unacknowledged"].map(|name| count(&result, name));
    assert!(delivered > 1_000 && left > 500, "{result}");
    assert_eq!(issued, delivered + failed + left, "{result}");
    // What was acknowledged is there; of what was left nobody knows.
    let arrived = arrived(&site, topic, SMALL);
    assert!((delivered..=issued).contains(&arrived.count), "{} of {result}", arrived.count);
}
