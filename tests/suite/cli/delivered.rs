//! Runs against a real Kafka and a real registry, read back by a reader of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::types::Value;
use tidegate::encode::json::Reader;

use super::{Running, assert_exit, folder, json, pause, program, run, stderr, stdout};
use crate::brokers::topic::{self, Record};
use crate::brokers::{
    self,
    kafka::{KafkaServer, PASSWORD, USER},
};

/// What stands before each value: a zero, and the schema's id.
const FRAMING_BYTES: usize = 5;

/// The flags that point a run at these servers.
pub(super) fn there_with(servers: &str, registry: &str) -> Vec<String> {
    let words = ["-X", &format!("bootstrap.servers={servers}"), "--registry", registry];
    words.map(str::to_owned).into()
}

/// The values of a topic's records, read by the schema that they name.
pub(super) fn read_back(servers: &str, registry: &str, name: &str) -> Vec<Value> {
    let records = topic::read(servers, name);
    let Some(first) = records.first() else { return Vec::new() };
    let schema = schema_of(first, registry);
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
    let value = |record: &Record| {
        reader.read_value(&mut &record.value.as_ref().unwrap()[FRAMING_BYTES..]).unwrap()
    };
    records.iter().map(value).collect()
}

/// The flags that point a run of payments at these servers, and at a topic of its own.
fn there(servers: &str, registry: &str, topic: &str) -> Vec<String> {
    let words = [
        "-X",
        &format!("bootstrap.servers={servers}"),
        "--registry",
        registry,
        "--set",
        &format!("streams.authorisations.topic.name={topic}"),
    ];
    words.map(str::to_owned).into()
}

pub(super) fn words<'a>(first: &'a str, rest: &'a [String]) -> Vec<&'a str> {
    first.split(' ').chain(rest.iter().map(String::as_str)).collect()
}

/// The schema with which a value was written, as the registry has it.
fn schema_of(record: &Record, registry: &str) -> Schema {
    let value = record.value.as_ref().unwrap();
    assert_eq!(value[0], 0, "the magic byte");
    let id = u32::from_be_bytes(value[1..FRAMING_BYTES].try_into().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let url = format!("{registry}/schemas/ids/{id}");
        reqwest::get(url).await.unwrap().text().await.unwrap()
    });
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    Schema::parse_str(answer["schema"].as_str().unwrap()).unwrap()
}

pub(super) fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = value else { panic!("not a record: {value:?}") };
    &fields.iter().find(|(field, _)| field == name).unwrap().1
}

#[test]
fn every_payment_is_read_back_once_in_the_order_of_its_key_and_hangs_together() {
    let (Some(kafka), Some(registry)) = (brokers::kafka(), brokers::registry()) else { return };
    let (servers, url) = (kafka.bootstrap_servers(), registry.ccompat_url());
    let name = "cli.read.back";
    let folder = folder();
    let sent = "run payments --streams authorisations --to kafka --create-topics --start 2026-03-02T09:00:00Z --seed 7 \
                --duration 20s --speed 5 --json --digest";
    let output = run(folder.path(), &words(sent, &there(&servers, &url, name)));
    assert_exit(&output, 0);
    let result = json(&output);
    let records = topic::read(&servers, name);
    assert_eq!(records.len() as u64, result["delivered"].as_u64().unwrap());
    assert_eq!(result["issued"], result["delivered"]);
    assert!(records.len() > 5_000, "{result}");

    let schema = schema_of(&records[0], &url);
    let reader = Reader::new(&schema).unwrap();
    let mut identities = BTreeSet::new();
    let mut last_of_key: BTreeMap<Vec<u8>, (i32, i64)> = BTreeMap::new();
    let mut rows = Vec::new();
    for record in &records {
        let value = record.value.as_ref().unwrap();
        assert_eq!(value[..FRAMING_BYTES], records[0].value.as_ref().unwrap()[..FRAMING_BYTES]);
        let mut datum = &value[FRAMING_BYTES..];
        rows.push(reader.read(datum).unwrap());
        let value = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
            .build()
            .unwrap()
            .read_value(&mut datum)
            .unwrap();
        assert!(datum.is_empty());
        let Value::Uuid(identity) = field(&value, "event_id") else { panic!("{value:?}") };
        assert!(identities.insert(*identity), "{identity} is there twice");
        let Value::TimestampMicros(time_us) = field(&value, "event_time") else {
            panic!("{value:?}")
        };
        let key = record.key.clone().unwrap();
        if let Some((partition, before_us)) = last_of_key.insert(key, (record.partition, *time_us))
        {
            assert_eq!(partition, record.partition, "a key stays in its partition");
            assert!(before_us <= *time_us, "a key's events are in order");
        }
    }
    crate::payments::hang_together(&rows).unwrap();

    let again = "run payments --streams authorisations --to null --start 2026-03-02T09:00:00Z --seed 7 --duration 20s \
                 --speed max --json --digest --manifest none";
    let again = json(&run(folder.path(), &again.split_whitespace().collect::<Vec<_>>()));
    assert_eq!(again["digest"], result["digest"], "the sink changes no byte");
}

#[test]
fn topics_are_told_made_when_asked_and_never_made_otherwise() {
    let (Some(kafka), Some(registry)) = (brokers::kafka(), brokers::registry()) else { return };
    let flags = there(&kafka.bootstrap_servers(), &registry.ccompat_url(), "cli.topics");
    let folder = folder();
    let missing = run(folder.path(), &words("topics payments", &flags));
    assert_exit(&missing, 1);
    assert!(stdout(&missing).contains("cli.topics "), "{}", stdout(&missing));
    let refused =
        run(folder.path(), &words("run payments --streams authorisations --count 1", &flags));
    assert_exit(&refused, 1);
    assert!(stderr(&refused).contains("--create-topics"), "{}", stderr(&refused));
    let made = run(folder.path(), &words("topics payments --create --json", &flags));
    assert_exit(&made, 0);
    assert_eq!(json(&made)["topics"][0]["created"], true);
    assert_eq!(json(&made)["topics"][0]["partitions"], 12);
    let there = run(folder.path(), &words("topics payments", &flags));
    assert_exit(&there, 0);
    assert!(stdout(&there).contains("there, 12 partitions"), "{}", stdout(&there));
    let sent = run(
        folder.path(),
        &words("run payments --streams authorisations --count 1 --quiet", &flags),
    );
    assert_exit(&sent, 0);
}

#[test]
fn the_first_signal_waits_for_a_silent_broker_and_the_second_gives_up_and_counts() {
    let options = brokers::kafka::Options::default();
    let Some(kafka) = KafkaServer::start(&options) else { return };
    let Some(registry) = brokers::registry() else { return };
    let flags = there(&kafka.bootstrap_servers(), &registry.ccompat_url(), "cli.silent");
    let folder = folder();
    let sent =
        "run payments --streams authorisations --to kafka --create-topics --json --manifest m.json";
    let mut running = Running::start(program(folder.path(), &words(sent, &flags)));
    super::wait_until("the manifest", || folder.path().join("m.json").exists());
    pause(Duration::from_secs(2));
    kafka.pause();
    pause(Duration::from_secs(1));
    running.signal("TERM");
    pause(Duration::from_secs(2));
    assert!(running.goes_on(), "the first signal waits for receipts");
    running.signal("TERM");
    let output = running.wait(Duration::from_secs(10));
    kafka.resume();
    assert_exit(&output, 1);
    let result = json(&output);
    assert_eq!(result["stopped"], "given_up");
    let count = |name: &str| result[name].as_u64().unwrap();
    assert!(count("delivered") > 300 && count("unacknowledged") > 100, "{result}");
    assert_eq!(count("issued"), count("delivered") + count("failed") + count("unacknowledged"));
    let manifest = std::fs::read(folder.path().join("m.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["result"], result);
}

#[test]
fn a_login_works_with_a_secret_from_outside_and_a_wrong_one_is_named_but_not_shown() {
    let (Some(kafka), Some(registry)) = (brokers::guarded_kafka(), brokers::registry()) else {
        return;
    };
    let folder = folder();
    let authority = kafka.certificates().authority.display().to_string();
    let flags = there(&kafka.sasl_ssl(), &registry.ccompat_url(), "cli.guarded");
    let model = super::MODEL.replace(
        "[sink.kafka]",
        &format!(
            "[sink.kafka]\n\"security.protocol\" = \"SASL_SSL\"\n\
             \"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = \"{USER}\"\n\
             \"sasl.password\" = {{ env = \"KAFKA_PASSWORD\" }}\n\
             \"ssl.ca.location\" = \"{authority}\""
        ),
    );
    std::fs::write(folder.path().join("model.toml"), model).unwrap();
    let sent = "run model.toml --count 100 --create-topics --json --log debug";
    let flags: Vec<String> =
        flags.iter().map(|flag| flag.replace("authorisations", "payments")).collect();
    for (password, code, told) in
        [(PASSWORD, 0, "the same again"), ("wr0ng-and-w0rse", 1, "refused the login")]
    {
        let mut command = program(folder.path(), &words(sent, &flags));
        let output = command.env("KAFKA_PASSWORD", password).output().unwrap();
        assert_exit(&output, code);
        let shown = stdout(&output) + &stderr(&output);
        assert!(shown.contains(told), "{shown}");
        assert!(!shown.contains(password), "{shown}");
    }
    assert_eq!(topic::read(&kafka.bootstrap_servers(), "cli.guarded").len(), 100);
}
