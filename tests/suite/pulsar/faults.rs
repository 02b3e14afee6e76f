//! What goes wrong on the way, and what it comes to.

use std::time::Duration;

use super::arrival::assert_all_once;
use super::reader::read;
use super::{LONG, Site, small};
use crate::brokers::pulsar::PulsarServer;
use crate::cli::{Running, assert_exit, json, pause, stderr, stdout};

#[test]
fn a_broker_killed_in_mid_run_has_every_event_once_if_it_deduplicates() {
    let settings = [("brokerDeduplicationEnabled", "true")];
    let Some(server) = PulsarServer::start(&settings) else { return };
    let site = Site::at(&server);
    let flags = format!("{} --create-topics --rate 5000/s --for 15s", small("killed"));
    let running = Running::start(site.command(&flags));
    pause(Duration::from_secs(5));
    server.kill();
    server.start_again();
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    let count = |name: &str| result[name].as_u64().unwrap();
    assert!(count("issued") > 50_000, "{result}");
    assert_eq!(count("issued"), count("delivered") + count("already_there"), "{result}");
    let messages = read(&server.service_url(), "persistent://public/default/killed");
    assert_all_once(&result, &messages);
    // The same once more would be swallowed.
    let again = format!("{} --rate 5000/s --count 100", small("killed"));
    let output = site.run(&again);
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("deduplicates") && told.contains("producerName"), "{told}");
}

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
