//! Runs that cannot be: each tells its own error and exits with 1.

use std::path::Path;
use std::process::Command;

use super::{LONG, Site, count, small};
use crate::brokers::kafka::{KafkaServer, PASSWORD, STRANGER, USER};
use crate::brokers::{self, topic};
use crate::cli::{Running, assert_exit, json, now, stderr};

/// Runs a command that is to fail with 1, and returns what it told.
fn refused(command: Command) -> String {
    let output = Running::start(command).wait(LONG);
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(!told.contains(PASSWORD) && !told.contains("panicked"), "{told}");
    told
}

fn assert_tells(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "`{word}` is not in: {told}");
    }
}

#[test]
fn a_kafka_that_is_not_there_is_named_within_the_bound() {
    let Some(registry) = brokers::registry() else { return };
    let registry = registry.ccompat_url();
    let servers = format!("127.0.0.1:{}", brokers::free_port());
    let site = Site { servers, registry, folder: crate::cli::folder() };
    let began = now();
    let told = refused(site.command(&format!("{} --count 1", small("live.nowhere"))));
    assert_tells(&told, &[&site.servers, "did not answer within 10 s"]);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let set = "--set run.connect_timeout=1s";
    let began = now();
    let told = refused(site.command(&format!("{} --count 1 {set}", small("live.nowhere"))));
    assert_tells(&told, &[&site.servers, "did not answer within 1 s"]);
    assert!(began.elapsed().as_secs() < 9, "{:?}", began.elapsed());
}

#[test]
fn a_registry_that_is_not_there_is_named_within_the_bound() {
    let Some(kafka) = brokers::kafka() else { return };
    let registry = format!("http://127.0.0.1:{}", brokers::free_port());
    let servers = kafka.bootstrap_servers();
    let site = Site { servers, registry, folder: crate::cli::folder() };
    for (set, within) in [("", "10s"), ("--set registry.timeout=1s", "1s")] {
        let began = now();
        let told = refused(site.command(&format!("{} --count 1 {set}", small("live.nowhere"))));
        assert_tells(&told, &[&site.registry, "did not answer", within]);
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}

#[test]
fn records_larger_than_their_topic_takes_are_told() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.large";
    topic::create(&site.servers, topic, 3, &[("max.message.bytes", "150")]);
    let output = site.run(&format!("{} --count 100 --speed max", small(topic)));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert_tells(&told, &["100 of 100 events", topic, "so large", "max.message.bytes"]);
    assert_eq!(json(&output)["failures"]["msg_size_too_large"], 100);
}

#[test]
fn a_schema_that_breaks_its_subject_is_refused() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.schema";
    let flags = format!("{} --count 10 --speed max", small(topic));
    assert_exit(&site.run(&flags), 0);
    put(&format!("{}/config/{topic}-value", site.registry), r#"{"compatibility":"BACKWARD"}"#);
    let file = site.path().join("payment.avsc");
    let schema = std::fs::read_to_string(&file).unwrap();
    let broken = schema.replace("\"amount\", \"type\": \"long\"", "\"amount\", \"type\": \"int\"");
    assert_ne!(broken, schema);
    std::fs::write(&file, broken).unwrap();
    let told = refused(site.command(&flags));
    assert_tells(&told, &["incompatible", &format!("{topic}-value"), "latest"]);
}

fn put(url: &str, body: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = reqwest::Client::new().put(url).body(body);
        let request = request.header("Content-Type", "application/vnd.schemaregistry.v1+json");
        request.send().await.unwrap().error_for_status().unwrap();
    });
}

/// A guarded Kafka as a user of one of its listeners comes to it.
struct Guarded {
    site: Site,
    kafka: &'static KafkaServer,
}

impl Guarded {
    fn shared() -> Option<Self> {
        let kafka = brokers::guarded_kafka()?;
        Some(Self { site: Site::at(kafka)?, kafka })
    }

    fn command(&self, topic: &str, properties: &[(&str, &str)]) -> Command {
        let mut command = self.site.command(&format!("{} --count 200 --speed max", small(topic)));
        for (name, value) in properties {
            command.arg("-X").arg(format!("{name}={value}"));
        }
        command
    }

    fn sasl(&self, topic: &str, user: &str, password: &str) -> Command {
        let (servers, authority) = (self.kafka.sasl_ssl(), &self.kafka.certificates().authority);
        self.command(
            topic,
            &[
                ("bootstrap.servers", &servers),
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.username", user),
                ("sasl.password", password),
                ("ssl.ca.location", text(authority)),
            ],
        )
    }

    fn tls(&self, topic: &str, servers: &str, more: &[(&str, &str)]) -> Command {
        let mut properties = vec![("bootstrap.servers", servers), ("security.protocol", "SSL")];
        properties.extend_from_slice(more);
        self.command(topic, &properties)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn who_may_come_in_delivers_through_the_program() {
    let Some(guarded) = Guarded::shared() else { return };
    let certificates = guarded.kafka.certificates();
    let servers = guarded.kafka.mutual_tls();
    let own = [
        ("ssl.ca.location", text(&certificates.authority)),
        ("ssl.certificate.location", text(&certificates.client)),
        ("ssl.key.location", text(&certificates.client_key)),
    ];
    let commands = [
        ("live.password", guarded.sasl("live.password", USER, PASSWORD)),
        ("live.certificate", guarded.tls("live.certificate", &servers, &own)),
    ];
    for (topic, command) in commands {
        let output = Running::start(command).wait(LONG);
        assert_exit(&output, 0);
        assert_eq!(count(&json(&output), "delivered"), 200);
        assert_eq!(topic::read(&guarded.site.servers, topic).len(), 200, "{topic}");
    }
}

#[test]
fn a_wrong_password_is_told_and_not_shown_by_the_program() {
    let Some(guarded) = Guarded::shared() else { return };
    let told = refused(guarded.sasl("live.login", USER, "a-wrong-canary"));
    assert_tells(&told, &["refused the login", &guarded.kafka.sasl_ssl(), "sasl.password"]);
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn certificates_that_are_not_good_are_told_apart_by_the_program() {
    let Some(guarded) = Guarded::shared() else { return };
    let certificates = guarded.kafka.certificates();
    let trusted = ("ssl.ca.location", text(&certificates.authority));
    let other = ("ssl.ca.location", text(&certificates.other_authority));
    let (mutual, expired) = (guarded.kafka.mutual_tls(), guarded.kafka.expired());
    let refused =
        |servers: &str, authority| refused(guarded.tls("live.tls", servers, &[authority]));
    assert_tells(&refused(&mutual, other), &["is not trusted", &mutual, "ssl.ca.location"]);
    assert_tells(&refused(&expired, trusted), &["has expired", &expired]);
    assert_tells(&refused(&mutual, trusted), &["wants a certificate", "ssl.key.location"]);
}

#[test]
fn no_right_to_write_is_told_before_the_first_event() {
    let Some(guarded) = Guarded::shared() else { return };
    let topic = "live.forbidden";
    topic::create(&guarded.site.servers, topic, 3, &[]);
    let told = refused(guarded.sasl(topic, STRANGER, PASSWORD));
    assert_tells(&told, &["not authorised", topic, "WRITE"]);
    assert_eq!(topic::read(&guarded.site.servers, topic), []);
    let told = refused(guarded.sasl("live.forbidden.new", STRANGER, PASSWORD));
    assert_tells(&told, &["not authorised", "live.forbidden.new"]);
}

#[test]
fn no_right_to_ask_about_a_group_is_told_before_the_first_event() {
    let Some(guarded) = Guarded::shared() else { return };
    let topic = "live.unasked";
    topic::create(&guarded.site.servers, topic, 3, &[]);
    guarded.kafka.allow(STRANGER, "Write", topic);
    let mut command = guarded.sasl(topic, STRANGER, PASSWORD);
    let told = refused({
        command.args(["--group", "live.unasked.detector"]);
        command
    });
    let words = ["not authorised to ask about the group `live.unasked.detector`", "DESCRIBE"];
    assert_tells(&told, &words);
    assert_eq!(topic::read(&guarded.site.servers, topic), []);
}
