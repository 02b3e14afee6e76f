//! On librdkafka's mock cluster, whose errors can be chosen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tidegate::clock::Clock;
use tidegate::embedded::{Embedded, Topic};
use tidegate::publish::kafka::topics::{self, Need, Topics};
use tidegate::publish::kafka::{Error, Kafka, Outlet, Timestamp};
use tidegate::publish::{Schedule, Sink, Slice};

use super::fixture::{
    Count, LONG, PLAIN, Shape, assert_once_in_order, batch, connect, never, options, whole,
};
use crate::brokers::topic;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(topic: &str, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, partitions, 1).unwrap();
    cluster
}

#[test]
fn every_record_arrives_once_and_in_order() {
    let topics = [Topic { name: "t".to_owned(), partitions: 4 }];
    let embedded = Embedded::start(&topics).unwrap();
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(embedded.bootstrap_servers(), &[]), "t", &count);
    for start in (0..20_000).step_by(1_000) {
        // Half a batch at a time: a batch is handed over in slices.
        let all = whole(&batch(start..start + 1_000, PLAIN));
        for records in [0..300, 300..1_000] {
            let slice = Slice { records, ..all.clone() };
            assert_eq!(sink.publish(&slice, &never).unwrap(), slice.records.len());
        }
    }
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let counted = count.get();
    assert_eq!((counted.delivered, counted.failed.len()), (20_000, 0));
    assert_eq!(sink.in_flight(), 0);
    // The last arenas are freed just after the last receipt is counted.
    crate::brokers::wait_for("arenas are freed", LONG, || {
        (sink.in_flight_bytes() == 0).then_some(())
    });
    assert_once_in_order(embedded.bootstrap_servers(), "t", 20_000);
}

#[test]
fn streams_that_go_to_different_topics_keep_apart() {
    let cluster = cluster("a", 4);
    cluster.create_topic("b", 2, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let outlets = ["a", "b", "a"].map(Outlet::from);
    let receiver: Arc<dyn tidegate::publish::Receiver> = Arc::<Count>::clone(&count);
    let mut sink =
        Kafka::connect(&options(&servers, &[]), &outlets, receiver, Clock::system()).unwrap();
    let mut mixed = batch(0..900, Shape { partitions: 2, ..PLAIN });
    let records = Arc::make_mut(&mut Arc::make_mut(&mut mixed).records);
    for (number, record) in records.iter_mut().enumerate() {
        record.stream = u16::try_from(number % 3).unwrap();
    }
    assert_eq!(sink.publish(&whole(&mixed), &never).unwrap(), 900);
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!(topic::read(&servers, "a").len(), 600);
    let b = topic::read(&servers, "b");
    let numbers: Vec<u64> =
        b.iter().map(|it| super::fixture::number(it.value.as_deref().unwrap())).collect();
    assert_eq!(numbers.len(), 300);
    assert!(numbers.iter().all(|number| number % 3 == 1));
}

#[test]
fn identities_travel_as_headers_and_event_times_as_timestamps() {
    let cluster = cluster("t", 4);
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let mut options = options(&servers, &[]);
    options.timestamp = Timestamp::Event;
    let mut sink = connect(&options, "t", &count);
    let shape = Shape { identity: true, ..PLAIN };
    let mut timed = batch(0..200, shape);
    let records = Arc::make_mut(&mut Arc::make_mut(&mut timed).records);
    for record in records.iter_mut() {
        record.due_us = 1_700_000_000_000_000 + record.due_us * 1_000;
    }
    sink.publish(&whole(&timed), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_once_in_order(&servers, "t", 200);
    for record in topic::read(&servers, "t") {
        let number = super::fixture::number(record.value.as_deref().unwrap());
        let identity = u128::from(number).to_be_bytes().to_vec();
        assert_eq!(record.headers, [("tidegate-id".to_owned(), Some(identity))]);
        assert_eq!(record.timestamp_ms, 1_700_000_000_000 + i64::try_from(number).unwrap());
    }
}

#[test]
fn latency_is_measured_from_the_intended_time() {
    let cluster = cluster("t", 4);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&cluster.bootstrap_servers(), &[]), "t", &count);
    // Intended two seconds ago, and at four times the speed of model time.
    let anchor_ns = Clock::system().now_ns() - 2_000_000_000;
    let schedule = Schedule::Paced { anchor_ns, begin_us: 0, speed: 4.0 };
    sink.publish(&Slice { schedule, ..whole(&batch(0..10, PLAIN)) }, &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let latency_ns = count.get().latency_ns_max;
    assert!((2_000_000_000..60_000_000_000).contains(&latency_ns), "{latency_ns}");
}

#[test]
fn errors_that_pass_lose_and_double_nothing() {
    let cluster = cluster("t", 4);
    let servers = cluster.bootstrap_servers();
    let passing = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    ];
    cluster.request_errors(RDKafkaApiKey::Produce, &passing);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[]), "t", &count);
    for start in (0..5_000).step_by(500) {
        sink.publish(&whole(&batch(start..start + 500, PLAIN)), &never).unwrap();
        Clock::system().sleep(Duration::from_millis(20));
    }
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!((count.get().delivered, count.get().failed.len()), (5_000, 0));
    assert_once_in_order(&servers, "t", 5_000);
}

#[test]
fn a_broker_that_goes_away_and_comes_back_loses_nothing() {
    let cluster = cluster("t", 4);
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[]), "t", &count);
    for start in (0..10_000).step_by(500) {
        match start {
            2_000 => cluster.broker_down(1).unwrap(),
            7_000 => cluster.broker_up(1).unwrap(),
            _ => {}
        }
        sink.publish(&whole(&batch(start..start + 500, PLAIN)), &never).unwrap();
        Clock::system().sleep(Duration::from_millis(50));
    }
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!((count.get().delivered, count.get().failed.len()), (10_000, 0));
    assert_once_in_order(&servers, "t", 10_000);
}

#[test]
fn a_record_that_is_too_large_fails_alone() {
    let cluster = cluster("t", 4);
    let count = Arc::new(Count::default());
    let options = options(&cluster.bootstrap_servers(), &[("message.max.bytes", "2000")]);
    let mut sink = connect(&options, "t", &count);
    sink.publish(&whole(&batch(0..100, PLAIN)), &never).unwrap();
    let large = Shape { value_bytes: 3_000, ..PLAIN };
    sink.publish(&whole(&batch(100..103, large)), &never).unwrap();
    sink.publish(&whole(&batch(103..200, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let counted = count.get();
    assert_eq!(counted.delivered, 197);
    assert_eq!(counted.failed, [("msg_size_too_large".to_owned(), 3)].into());
}

#[test]
fn a_partition_that_is_not_there_fails_its_records() {
    let cluster = cluster("t", 2);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&cluster.bootstrap_servers(), &[]), "t", &count);
    sink.publish(&whole(&batch(0..100, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let counted = count.get();
    assert_eq!((counted.delivered, counted.failed["unknown_partition"]), (52, 48));
}

#[test]
fn a_refused_partition_stops_and_the_others_go_on() {
    let cluster = cluster("t", 2);
    // A missing right would stop the whole topic, in librdkafka itself.
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS;
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[]), "t", &count);
    let shape = Shape { partitions: 1, ..PLAIN };
    cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]);
    sink.publish(&whole(&batch(0..10, shape)), &never).unwrap();
    crate::brokers::wait_for("the refusal", LONG, || {
        count.get().failed.contains_key("invalid_required_acks").then_some(())
    });
    // Key k0 goes to partition 0, which stopped; k1 to partition 1.
    sink.publish(&whole(&batch(50..100, Shape { partitions: 2, ..PLAIN })), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let counted = count.get();
    assert_eq!(counted.failed["invalid_required_acks"], 10, "{counted:?}");
    assert_eq!(counted.failed["partition_stopped"], 25);
    assert_eq!(counted.delivered, 25);
}

#[test]
fn a_flush_that_gives_up_counts_what_is_unacknowledged() {
    let cluster = cluster("t", 4);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&cluster.bootstrap_servers(), &[]), "t", &count);
    sink.publish(&whole(&batch(0..1_000, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    cluster.broker_down(1).unwrap();
    sink.publish(&whole(&batch(1_000..3_000, PLAIN)), &never).unwrap();
    assert_eq!(sink.in_flight(), 2_000);
    assert_eq!(sink.flush(Duration::from_millis(300), &never).unwrap().0, 2_000);
    assert_eq!((count.get().delivered, sink.in_flight()), (1_000, 0));

    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    sink.publish(&whole(&batch(3_000..3_500, PLAIN)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &|| true).unwrap().0, 500);
    assert!(clock.now_ns() - begin_ns < 20_000_000_000, "giving up took too long");
}

#[test]
fn an_expired_record_stops_the_run_and_nothing_passes_it() {
    let cluster = cluster("t", 4);
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[("message.timeout.ms", "1000")]), "t", &count);
    cluster.broker_down(1).unwrap();
    let mut start = 0;
    let error = crate::brokers::wait_for("the sink stops", LONG, || {
        start += 10;
        sink.publish(&whole(&batch(start - 10..start, PLAIN)), &never).err()
    });
    let expired = Error::Expired { topic: "t".to_owned() };
    assert_eq!(error.to_string(), expired.to_string());
    cluster.broker_up(1).unwrap();
    let lost = sink.flush(LONG, &never).unwrap().0;
    let counted = count.get();
    let failed: u64 = counted.failed.values().sum();
    assert_eq!(counted.delivered, 0);
    // The last publish may or may not have taken its ten.
    assert!([start, start - 10].contains(&(failed + lost)), "{failed} + {lost} of {start}");
    assert!(topic::read(&servers, "t").is_empty());
}

#[test]
fn a_full_queue_waits_and_keeps_the_order() {
    let cluster = cluster("t", 4);
    let servers = cluster.bootstrap_servers();
    let count = Arc::new(Count::default());
    let full = [("queue.buffering.max.messages", "100"), ("linger.ms", "1")];
    let mut sink = connect(&options(&servers, &full), "t", &count);
    sink.publish(&whole(&batch(0..5_000, PLAIN)), &never).unwrap();
    // Headers go another way.
    let shape = Shape { identity: true, ..PLAIN };
    sink.publish(&whole(&batch(5_000..6_000, shape)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!((count.get().delivered, count.get().failed.len()), (6_000, 0));
    assert_once_in_order(&servers, "t", 6_000);
}

#[test]
fn a_full_queue_gives_up_when_told_and_counts_the_rest() {
    let cluster = cluster("t", 4);
    cluster.broker_down(1).unwrap();
    cluster.broker_up(1).unwrap();
    let count = Arc::new(Count::default());
    let full = [("queue.buffering.max.messages", "100")];
    let mut sink = connect(&options(&cluster.bootstrap_servers(), &full), "t", &count);
    cluster.broker_down(1).unwrap();
    let give_up = AtomicBool::new(false);
    let asked = || give_up.swap(true, Ordering::SeqCst);
    let taken = sink.publish(&whole(&batch(0..1_000, PLAIN)), &asked).unwrap();
    assert_eq!(taken, 1_000);
    assert_eq!(sink.in_flight(), 100);
    assert_eq!(sink.flush(LONG, &|| true).unwrap().0, 1_000);
    assert_eq!(count.get().delivered, 0);
}

#[test]
fn bytes_in_flight_stay_within_the_bound() {
    let cluster = cluster("t", 4);
    let count = Arc::new(Count::default());
    let mut options = options(&cluster.bootstrap_servers(), &[]);
    options.in_flight_bytes_max = 1_000_000;
    let mut sink = connect(&options, "t", &count);
    cluster.broker_down(1).unwrap();
    let give_up = AtomicBool::new(false);
    let mut taken = 0;
    while !give_up.load(Ordering::SeqCst) {
        // Asked only while there is no room.
        let asked = || give_up.swap(true, Ordering::SeqCst);
        let slice = whole(&batch(taken..taken + 100, PLAIN));
        taken += u64::try_from(sink.publish(&slice, &asked).unwrap()).unwrap();
        // The publish itself asks once after each chunk.
        if slice.records.len() == 100 && sink.in_flight_bytes() < 950_000 {
            give_up.store(false, Ordering::SeqCst);
        }
        assert!(sink.in_flight_bytes() <= 1_000_000, "{}", sink.in_flight_bytes());
    }
    assert!(taken > 500, "{taken}");
    cluster.broker_up(1).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    assert_eq!(count.get().delivered, taken);
}

#[test]
fn a_missing_topic_is_named_with_the_way_out() {
    let topics = [Topic { name: "there".to_owned(), partitions: 3 }];
    let embedded = Embedded::start(&topics).unwrap();
    let options = options(embedded.bootstrap_servers(), &[]);
    let asked = Topics::connect(&options, Clock::system()).unwrap();
    let states = asked.inspect(&["there", "not-there"]).unwrap();
    let partitions: Vec<Option<u32>> = states.iter().map(|state| state.partitions).collect();
    assert_eq!(partitions, [Some(3), None], "asking makes no topic");
    let need = |name: &str| Need { name: name.to_owned(), ..Need::default() };
    let needs = [need("there"), need("not-there")];
    let error = topics::check(&states, &needs, Timestamp::HandOver, 0).unwrap_err();
    assert_eq!(error, Error::TopicMissing { topics: vec!["not-there".to_owned()] });
    assert!(error.to_string().contains("--create-topics"));
}

#[test]
fn nobody_there_is_told_within_the_bound() {
    let clock = Clock::system();
    let mut options = options("127.0.0.1:9", &[]);
    options.connect_timeout = Duration::from_secs(2);
    let count: Arc<Count> = Arc::default();
    let begin_ns = clock.now_ns();
    let error = Kafka::connect(&options, &["t".into()], count, clock.clone()).unwrap_err();
    let waited_ns = clock.now_ns() - begin_ns;
    assert!((2_000_000_000..6_000_000_000).contains(&waited_ns), "{waited_ns}");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:9") && text.contains("refused"), "{text}");
    let asked = Topics::connect(&options, clock).unwrap().inspect(&["t"]).unwrap_err();
    assert!(matches!(asked, Error::Unreachable { .. }), "{asked}");
}
