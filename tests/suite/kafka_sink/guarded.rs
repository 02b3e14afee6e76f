//! On listeners with SASL over TLS and with mutual TLS: each refusal has its own name.

use std::path::Path;
use std::sync::Arc;

use tidegate::clock::Clock;
use tidegate::config::secret::{Secret, Text};
use tidegate::publish::kafka::topics::{self, Need, Topics};
use tidegate::publish::kafka::{Error, Kafka, Options, Timestamp};
use tidegate::publish::{Receiver, Sink};

use super::fixture::{
    Count, LONG, PLAIN, assert_once_in_order, batch, connect, never, options, whole,
};
use crate::brokers::kafka::{KafkaServer, PASSWORD, STRANGER, USER};
use crate::brokers::{self, topic};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn sasl(kafka: &KafkaServer, mechanism: &str, user: &str, password: &str) -> Options {
    let properties = [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", user),
        ("ssl.ca.location", path(&kafka.certificates().authority)),
    ];
    let mut options = options(&kafka.sasl_ssl(), &properties);
    let secret = Text::Secret(Secret::new(password.to_owned()));
    options.properties.push(("sasl.password".to_owned(), secret));
    options
}

fn tls(kafka: &KafkaServer, servers: &str, more: &[(&str, &str)]) -> Options {
    let mut properties = vec![
        ("security.protocol", "SSL"),
        ("ssl.ca.location", path(&kafka.certificates().authority)),
    ];
    properties.extend_from_slice(more);
    options(servers, &properties)
}

/// The error of connecting, which the questions about topics must give too.
fn refusal(options: &Options) -> Error {
    let (count, clock) = (Arc::new(Count::default()), Clock::system());
    let connected = Kafka::connect(options, &["guarded-sink".into()], count, clock.clone());
    let error = connected.unwrap_err();
    let asked = Topics::connect(options, clock).unwrap().inspect(&["guarded-sink"]).unwrap_err();
    assert_eq!(std::mem::discriminant(&asked), std::mem::discriminant(&error), "{asked} / {error}");
    assert!(!format!("{error} {error:?} {asked}").contains(PASSWORD));
    error
}

fn assert_delivers(options: &Options, servers: &str, topic: &str) {
    let count = Arc::new(Count::default());
    let mut sink = connect(options, topic, &count);
    sink.publish(&whole(&batch(0..500, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!(count.get().delivered, 500, "{:?}", count.get());
    assert_once_in_order(servers, topic, 500);
}

#[test]
fn who_may_come_in_delivers() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    let servers = kafka.bootstrap_servers();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let name = format!("guarded-{mechanism}");
        topic::create(&servers, &name, 4, &[]);
        assert_delivers(&sasl(kafka, mechanism, USER, PASSWORD), &servers, &name);
    }
    topic::create(&servers, "guarded-mutual", 4, &[]);
    let certificates = kafka.certificates();
    let own = [
        ("ssl.certificate.location", path(&certificates.client)),
        ("ssl.key.location", path(&certificates.client_key)),
    ];
    assert_delivers(&tls(kafka, &kafka.mutual_tls(), &own), &servers, "guarded-mutual");
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let error = refusal(&sasl(kafka, mechanism, USER, "a-wrong-canary"));
        assert!(matches!(error, Error::Authentication { .. }), "{mechanism}: {error}");
        assert!(!format!("{error} {error:?}").contains("a-wrong-canary"));
    }
}

#[test]
fn certificates_that_are_not_good_are_told_apart() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    let certificates = kafka.certificates();
    let expired = refusal(&tls(kafka, &kafka.expired(), &[]));
    assert!(matches!(expired, Error::CertificateExpired { .. }), "{expired}");

    let other = [("ssl.ca.location", path(&certificates.other_authority))];
    let untrusted = refusal(&tls(kafka, &kafka.mutual_tls(), &other));
    assert!(matches!(untrusted, Error::CertificateUntrusted { .. }), "{untrusted}");

    let nameless = refusal(&tls(kafka, &kafka.mutual_tls(), &[]));
    assert!(matches!(nameless, Error::ClientCertificate { .. }), "{nameless}");

    // The system's authorities do not know this one.
    let probe = options(&kafka.mutual_tls(), &[("security.protocol", "SSL")]);
    let unknown = refusal(&probe);
    assert!(matches!(unknown, Error::CertificateUntrusted { .. }), "{unknown}");
}

#[test]
fn no_right_to_write_is_told_at_the_start() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "not-for-strangers", 4, &[]);
    let options = sasl(kafka, "SCRAM-SHA-256", STRANGER, PASSWORD);
    let asked = || {
        let states = Topics::connect(&options, Clock::system())?.inspect(&["not-for-strangers"])?;
        let need = Need { name: "not-for-strangers".to_owned(), ..Need::default() };
        topics::check(&states, &[need], Timestamp::HandOver, 0)
    };
    let refused = Error::NotAuthorised { topic: "not-for-strangers".to_owned() };
    assert_eq!(asked(), Err(refused.clone()), "may not see it");
    kafka.allow(STRANGER, "Describe", "not-for-strangers");
    assert_eq!(asked(), Err(refused), "may see it and not write");

    // Whoever does not ask, and may write nowhere, gets no idempotent producer: that shows while
    // connecting or just after.
    let count = Arc::new(Count::default());
    let receiver: Arc<dyn Receiver> = Arc::<Count>::clone(&count);
    let names = ["not-for-strangers".into()];
    let stopped = match Kafka::connect(&options, &names, receiver, Clock::system()) {
        Ok(mut sink) => {
            drop(sink.publish(&whole(&batch(0..100, PLAIN)), &never));
            let stopped = brokers::wait_for("it stops", LONG, || sink.stopped().cloned());
            // It may have stopped before it was given any.
            let unacknowledged = sink.flush(LONG, &never).unwrap().0;
            assert!([0, 100].contains(&unacknowledged), "{unacknowledged}");
            stopped
        }
        Err(error) => error,
    };
    assert!(matches!(stopped, Error::ProducerNotAuthorised { .. }), "{stopped}");
    assert_eq!(count.get().delivered, 0);

    // Whoever may write elsewhere hears it from each record.
    topic::create(&servers, "for-strangers", 1, &[]);
    kafka.allow(STRANGER, "Write", "for-strangers");
    let mut sink = connect(&options, "not-for-strangers", &count);
    sink.publish(&whole(&batch(0..100, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!(count.get().failed, [("topic_authorization_failed".to_owned(), 100)].into());

    let made = Topics::connect(&options, Clock::system()).unwrap();
    let need = Need { name: "new-for-strangers".to_owned(), ..Need::default() };
    let error = made.create(&[need]).unwrap_err();
    assert!(
        matches!(error, Error::CreateNotAuthorised { .. } | Error::NotAuthorised { .. }),
        "{error}"
    );

    kafka.allow(STRANGER, "Write", "not-for-strangers");
    assert_eq!(asked(), Ok(()));
    assert_delivers(&options, &servers, "not-for-strangers");
}

#[test]
fn a_listener_of_another_kind_is_told_within_the_bound() {
    let Some(kafka) = brokers::guarded_kafka() else { return };
    let mut plain = options(&kafka.sasl_ssl(), &[]);
    plain.connect_timeout = std::time::Duration::from_secs(3);
    let error = refusal(&plain);
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("listener?"), "{error}");
}
