//! What goes wrong on the way, and what it comes to.

use std::time::Duration;

use super::{LONG, Site, small};
use crate::cli::{Running, assert_exit, json, pause, stderr, stdout};

#[test]
fn what_is_not_there_is_named() {
    let Some(site) = Site::shared() else { return };
    let output = site.run(&format!("{} --count 10", small("nowhere")));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("no such topic: `nowhere`; create with `--create-topics`"), "{told}");
    let service = format!("serviceUrl={}", site.server.service_url());
    let web = format!("webServiceUrl={}", site.server.web_url());
    let topics = |more: &[&str]| {
        let words = ["topics", "model.toml", "--to", "pulsar", "-X", &service, "-X", &web];
        crate::cli::run(site.folder.path(), &[&words, more].concat())
    };
    let output = topics(&[]);
    assert_exit(&output, 1);
    assert!(stdout(&output).contains("test.payments  missing: create it"), "{output:?}");
    let output = topics(&["--create"]);
    assert_exit(&output, 0);
    assert!(stdout(&output).contains("test.payments  created, 3 partitions"), "{output:?}");
    let mut command =
        crate::cli::program(site.folder.path(), &["run", "model.toml", "--to", "pulsar"]);
    command.args(["-X", "serviceUrl=pulsar://127.0.0.1:1", "--set", "run.connect_timeout=2s"]);
    let output = Running::start(command).wait(LONG);
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("Pulsar at pulsar://127.0.0.1:1 did not answer within"), "{told}");
}

#[test]
fn a_schema_that_does_not_go_with_the_topics_is_refused_with_the_brokers_reason() {
    let Some(site) = Site::shared() else { return };
    let output = site.run(&format!("{} --create-topics --count 10 --speed max", small("schema")));
    assert_exit(&output, 0);
    let path = site.folder.path().join("payment.avsc");
    let schema = std::fs::read_to_string(&path).unwrap();
    // What was text is a number.
    let other = schema
        .replace(r#""name": "amount", "type": "long""#, r#""name": "amount", "type": "string""#);
    assert_ne!(schema, other);
    std::fs::write(&path, other).unwrap();
    let model = std::fs::read_to_string(site.folder.path().join("model.toml")).unwrap();
    let model = model.replace(
        "{ lognormal = { median = 2200, sigma = 1.3 }, min = 1, max = 1000000 }",
        "{ choice = { much = 0.5, little = 0.5 } }",
    );
    std::fs::write(site.folder.path().join("model.toml"), model).unwrap();
    let output = site.run(&format!("{} --count 10 --speed max", small("schema")));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("the topic `schema` refuses the schema: "), "{told}");
}

/// Asserts that a run which began well ends with an error that is told, all events counted.
fn assert_stopped(running: Running, words: &str) {
    let output = running.wait(LONG);
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains(words), "{told}");
    let result = json(&output);
    let count = |name: &str| result[name].as_u64().unwrap();
    assert!(count("delivered") > 0, "{result}");
    assert_eq!(
        count("issued"),
        count("delivered") + count("failed") + count("unacknowledged"),
        "{result}"
    );
}

#[test]
fn a_topic_that_is_deleted_in_mid_run_ends_the_run_and_is_not_made_again() {
    let Some(site) = Site::shared() else { return };
    let flags = format!("{} --create-topics --rate 2000/s --for 60s", small("deleted"));
    let running = Running::start(site.command(&flags));
    let path = "/admin/v2/persistent/public/default";
    site.wait_for_messages(&format!("{path}/deleted/partitioned-stats"));
    site.server.must("DELETE", &format!("{path}/deleted/partitions?force=true"), "");
    assert_stopped(running, "the topic `deleted` is there no more: it was deleted while this run");
    for listed in [path.to_owned(), format!("{path}/partitioned")] {
        let topics = String::from_utf8(site.server.must("GET", &listed, "")).unwrap();
        assert!(!topics.contains("deleted"), "{topics}");
    }
}

#[test]
fn a_topic_that_is_terminated_in_mid_run_ends_the_run() {
    let Some(site) = Site::shared() else { return };
    let path = "/admin/v2/persistent/public/default/terminated";
    site.server.must("PUT", path, "");
    let flags = format!("{} --rate 2000/s --for 60s", small("terminated"));
    let running = Running::start(site.command(&flags));
    site.wait_for_messages(&format!("{path}/stats"));
    site.server.must("POST", &format!("{path}/terminate"), "");
    assert_stopped(running, "the topic `terminated` was terminated: it takes no more messages");
}

#[test]
fn a_backlog_that_is_too_large_ends_the_run_after_a_bounded_wait() {
    let Some(site) = Site::shared() else { return };
    for (policy, namespace) in [("producer_request_hold", "held"), ("producer_exception", "thrown")]
    {
        site.server.make_namespace(namespace, false);
        let quota = format!(r#"{{"limitSize":500000,"policy":"{policy}"}}"#);
        let path = format!("/admin/v2/namespaces/public/{namespace}/backlogQuota");
        site.server.must("POST", &format!("{path}?backlogQuotaType=destination_storage"), &quota);
        let topic = format!("/admin/v2/persistent/public/{namespace}/full");
        site.server.must("PUT", &topic, "");
        site.server.must("PUT", &format!("{topic}/subscription/nobody"), "");
        let flags = format!("{} -X namespace={namespace} --rate 5000/s --for 60s", small("full"));
        let flags = format!("{flags} --set run.connect_timeout=4s");
        let running = Running::start(site.command(&flags));
        let words = "the topic `full` takes no more: its namespace's backlog quota is exceeded";
        assert_stopped(running, words);
        // From the beginning it is the same error.
        let output = site.run(&flags);
        assert_exit(&output, 1);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_message_without_a_receipt_ends_the_run_once_its_timeout_is_over() {
    let Some(server) = crate::brokers::pulsar::PulsarServer::start(&[]) else { return };
    let site = Site::at(&server);
    let flags = "--create-topics --rate 1000/s --for 60s -X sendTimeoutMs=2000";
    let running = Running::start(site.command(&format!("{} {flags}", small("late"))));
    let flags = "--create-topics --rate 1000/s --for 60s --drain 3s";
    let patient = Running::start(site.command(&format!("{} {flags}", small("drained"))));
    for topic in ["late", "drained"] {
        let path = format!("/admin/v2/persistent/public/default/{topic}/partitioned-stats");
        site.wait_for_messages(&path);
    }
    pause(Duration::from_secs(1));
    server.pause();
    pause(Duration::from_secs(1));
    assert_stopped(running, "a message to the topic `late` had no receipt within `sendTimeoutMs`");
    // Without that timeout only the end of the drain gives up.
    patient.signal("TERM");
    let output = patient.wait(LONG);
    assert_exit(&output, 1);
    let result = json(&output);
    assert_eq!(result["stopped"], "given_up", "{result}");
    assert!(result["unacknowledged"].as_u64().unwrap() > 500, "{result}");
    server.resume();
}

#[test]
fn two_runs_of_one_name_do_not_send_to_one_topic() {
    let Some(site) = Site::shared() else { return };
    let flags = format!("{} --create-topics --rate 1000/s --for 20s", small("taken"));
    let first = Running::start(site.command(&flags));
    site.wait_for_messages("/admin/v2/persistent/public/default/taken/partitioned-stats");
    let output = site.run(&format!("{flags} --set run.connect_timeout=2s"));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("is connected to the topic `taken` already"), "{told}");
    assert!(told.contains("set `producerName`"), "{told}");
    assert_exit(&first.wait(LONG), 0);
}

#[test]
fn partitions_that_pulsar_deleted_are_made_again_when_that_is_asked_for() {
    let Some(site) = Site::shared() else { return };
    let path = "/admin/v2/persistent/public/default/unused";
    site.server.must("PUT", &format!("{path}/partitions"), "2");
    for partition in 0..2 {
        site.server.must("DELETE", &format!("{path}-partition-{partition}"), "");
    }
    let flags = format!("{} --count 100 --speed max", small("unused"));
    let output = site.run(&flags);
    assert_exit(&output, 1);
    assert!(stderr(&output).contains("no such topic: `unused`"), "{}", stderr(&output));
    let output = site.run(&format!("{flags} --create-topics"));
    assert_exit(&output, 0);
    assert_eq!(json(&output)["delivered"], 100);
}
