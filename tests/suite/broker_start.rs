//! The servers that the other tests lean on: they start, die and come back as promised.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use crate::brokers::kafka::{KafkaServer, Options, PASSWORD, STRANGER, USER};
use crate::brokers::{self, topic};

fn send(bootstrap_servers: &str, topic: &str, keys: std::ops::Range<u32>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    for number in keys {
        let key = number.to_string();
        let header = Header { key: "number", value: Some(key.as_bytes()) };
        let headers = OwnedHeaders::new().insert(header);
        producer.send(BaseRecord::to(topic).key(&key).payload("x").headers(headers)).unwrap();
    }
    producer.flush(Duration::from_mins(1)).unwrap();
}

#[test]
fn a_killed_broker_comes_back_with_its_records() {
    let Some(mut kafka) = KafkaServer::start(&Options::default()) else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "numbers", 3, &[("retention.ms", "-1")]);
    send(&servers, "numbers", 0..500);
    kafka.kill();
    kafka.start_again();
    send(&servers, "numbers", 500..1_000);
    let records = topic::read(&servers, "numbers");
    let mut keys: Vec<u32> = records
        .iter()
        .map(|record| {
            let key = record.key.as_deref().unwrap();
            assert_eq!(record.headers, [("number".to_owned(), Some(key.to_vec()))]);
            String::from_utf8_lossy(key).parse().unwrap()
        })
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..1_000).collect::<Vec<u32>>());
}

#[test]
fn a_paused_broker_keeps_silent_until_it_is_resumed() {
    let Some(kafka) = KafkaServer::start(&Options::default()) else { return };
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap_servers()).create().unwrap();
    let asked = |patience| consumer.fetch_metadata(None, Duration::from_secs(patience));
    kafka.pause();
    // A thread of it may still be about to stop.
    brokers::wait_for("it keeps silent", Duration::from_secs(20), || asked(1).err());
    kafka.resume();
    assert!(asked(60).is_ok());
}

/// What a client with these properties hears when it asks for a topic: nothing bad, or the first
/// error by name.
fn ask(bootstrap_servers: &str, topic: &str, properties: &[(&str, &str)]) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers).set("log_level", "0");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    let consumer: BaseConsumer = config.create().map_err(|error| error.to_string())?;
    // One broken connection may be chance, on a busy machine; three are a refusal.
    let mut broken = 0;
    brokers::wait_for("an answer or a refusal", Duration::from_mins(1), || {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_millis(500));
        if let Ok(metadata) = metadata {
            let error = metadata.topics()[0].error().map(RDKafkaErrorCode::from);
            return Some(error.map_or(Ok(()), |code| Err(format!("{code:?}"))));
        }
        let Some(Err(KafkaError::MessageConsumption(code))) = consumer.poll(Duration::ZERO) else {
            return None;
        };
        broken += i32::from(code == RDKafkaErrorCode::BrokerTransportFailure);
        let refused = match code {
            RDKafkaErrorCode::AllBrokersDown => false,
            RDKafkaErrorCode::BrokerTransportFailure => broken == 3,
            _ => true,
        };
        refused.then(|| Err(format!("{code:?}")))
    })
}

#[test]
fn guarded_listeners_let_in_who_may_come_in_and_nobody_else() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    topic::create(&kafka.bootstrap_servers(), "guarded", 1, &[]);
    let certificates = kafka.certificates();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (authority, other) = (path(&certificates.authority), path(&certificates.other_authority));
    let (client, key) = (path(&certificates.client), path(&certificates.client_key));
    let sasl = |mechanism, user, password, authority| {
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", mechanism),
            ("sasl.username", user),
            ("sasl.password", password),
            ("ssl.ca.location", authority),
        ];
        ask(&kafka.sasl_ssl(), "guarded", &properties)
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert_eq!(sasl(mechanism, USER, PASSWORD, &authority), Ok(()), "{mechanism}");
    }
    let refused = |error: &str| Err(error.to_owned());
    assert_eq!(sasl("PLAIN", USER, "wrong", &authority), refused("Authentication"));
    assert_eq!(sasl("PLAIN", USER, PASSWORD, &other), refused("SSL"));
    let stranger = || sasl("SCRAM-SHA-256", STRANGER, PASSWORD, &authority);
    assert_eq!(stranger(), refused("TopicAuthorizationFailed"));
    kafka.allow(STRANGER, "Describe", "guarded");
    assert_eq!(stranger(), Ok(()));

    let tls = [("security.protocol", "SSL"), ("ssl.ca.location", &authority)];
    let mutual =
        [tls[0], tls[1], ("ssl.certificate.location", &client), ("ssl.key.location", &key)];
    assert_eq!(ask(&kafka.mutual_tls(), "guarded", &mutual), Ok(()));
    // In TLS 1.3 the client is through before the broker refuses it: mostly it hears a hang-up.
    let nameless = ask(&kafka.mutual_tls(), "guarded", &tls);
    assert!(
        [refused("BrokerTransportFailure"), refused("SSL")].contains(&nameless),
        "{nameless:?}"
    );
    assert_eq!(ask(&kafka.expired(), "guarded", &tls), refused("SSL"));
}

#[test]
fn the_shared_servers_answer_whoever_asks() {
    if let Some(kafka) = brokers::kafka() {
        let answer = ask(&kafka.bootstrap_servers(), "nobody-made-it", &[]);
        assert_eq!(answer, Err("UnknownTopicOrPartition".to_owned()));
    }
    if let Some(registry) = brokers::registry() {
        assert!(registry.ccompat_url().starts_with("http://127.0.0.1:"));
    }
}
