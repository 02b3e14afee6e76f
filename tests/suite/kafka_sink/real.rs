//! On a real Kafka: killed while it writes, and asked about its topics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::publish::kafka::topics::{self, Need, TimestampType, Topics};
use tidegate::publish::kafka::{Error, Timestamp};
use tidegate::publish::{Schedule, Sink, Slice};

use super::fixture::{
    Count, LONG, PLAIN, Shape, assert_once_in_order, batch, connect, never, options, whole,
};
use crate::brokers::kafka::{KafkaServer, Options as ServerOptions};
use crate::brokers::{self, topic};

/// How long a broker's return may take on a machine that also compiles.
const RETURN: Duration = Duration::from_mins(5);

#[test]
fn a_broker_killed_ten_times_has_every_event_once_and_in_order() {
    const KILLS: usize = 10;
    const PER_MS: u64 = 25;
    let Some(mut kafka) = KafkaServer::start(&ServerOptions::quick_to_return()) else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "killed", 4, &[]);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[]), "killed", &count);
    let (open, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let clock = Clock::system();
    let published = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let begin_ns = clock.now_ns();
            let mut next = 0;
            while !done.load(Ordering::SeqCst) {
                // 25,000 a second, however far the broker falls behind.
                let elapsed_ms = (clock.now_ns() - begin_ns).unsigned_abs() / 1_000_000;
                let due = (elapsed_ms * PER_MS).min(next + 1_000);
                if due < next + PER_MS {
                    clock.sleep(Duration::from_millis(1));
                    continue;
                }
                let taken = sink.publish(&whole(&batch(next..due, PLAIN)), &never).unwrap();
                next += u64::try_from(taken).unwrap();
                open.store(sink.in_flight(), Ordering::SeqCst);
            }
            assert_eq!(sink.flush(RETURN, &never).unwrap().0, 0);
            (next, sink)
        });
        for _ in 0..KILLS {
            let before = count.get().delivered;
            brokers::wait_for("records go through", RETURN, || {
                let flows = count.get().delivered > before + 5_000;
                (flows && open.load(Ordering::SeqCst) > 0).then_some(())
            });
            kafka.kill();
            kafka.start_again();
        }
        done.store(true, Ordering::SeqCst);
        publisher.join().unwrap().0
    });
    let counted = count.get();
    assert_eq!((counted.delivered, counted.failed.len()), (published, 0));
    assert_once_in_order(&servers, "killed", published);
}

#[test]
fn a_paused_broker_is_waited_for() {
    let Some(kafka) = KafkaServer::start(&ServerOptions::default()) else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "paused", 2, &[]);
    let count = Arc::new(Count::default());
    let shape = Shape { partitions: 2, ..PLAIN };
    let mut sink = connect(&options(&servers, &[("socket.timeout.ms", "1500")]), "paused", &count);
    sink.publish(&whole(&batch(0..1_000, shape)), &never).unwrap();
    kafka.pause();
    sink.publish(&whole(&batch(1_000..2_000, shape)), &never).unwrap();
    // Long enough for requests to time out and be sent again.
    Clock::system().sleep(Duration::from_secs(4));
    kafka.resume();
    sink.publish(&whole(&batch(2_000..3_000, shape)), &never).unwrap();
    assert_eq!(sink.flush(RETURN, &never).unwrap().0, 0);
    assert_eq!((count.get().delivered, count.get().failed.len()), (3_000, 0));
    assert_once_in_order(&servers, "paused", 3_000);
}

#[test]
fn missing_topics_are_made_when_asked_and_found_as_made() {
    let Some(kafka) = brokers::kafka() else { return };
    let options = options(&kafka.bootstrap_servers(), &[]);
    let topics = Topics::connect(&options, Clock::system()).unwrap();
    let config = [
        ("max.message.bytes", "5000"),
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "60000"),
    ];
    let need = Need {
        name: "made-by-us".to_owned(),
        partitions: Some(6),
        replicas: Some(1),
        config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Need::default()
    };
    assert_eq!(topics.inspect(&["made-by-us"]).unwrap()[0].partitions, None);
    let made = topics.create(std::slice::from_ref(&need)).unwrap();
    let state = &made[0];
    assert_eq!((state.partitions, state.record_bytes_max), (Some(6), Some(5_000)));
    assert_eq!(state.timestamps, Some(TimestampType::LogAppendTime));
    assert_eq!(state.retention_ms, Some(60_000));
    // Another wish for what is there changes nothing.
    let other = Need { partitions: Some(9), ..need };
    assert_eq!(topics.create(&[other]).unwrap()[0].partitions, Some(6));

    let bad = Need {
        name: "made-badly".to_owned(),
        config: vec![("max.message.bites".to_owned(), "1".to_owned())],
        ..Need::default()
    };
    let error = topics.create(&[bad]).unwrap_err();
    assert!(matches!(&error, Error::Create { topic, .. } if topic == "made-badly"), "{error}");
}

#[test]
fn batches_fit_a_topic_that_takes_small_ones_only() {
    let Some(kafka) = brokers::kafka() else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "small", 4, &[("max.message.bytes", "3000")]);
    let options = options(&servers, &[("linger.ms", "100")]);
    let states = Topics::connect(&options, Clock::system()).unwrap().inspect(&["small"]).unwrap();
    let count = Arc::new(Count::default());
    let mut sink = connect(&options.fitted(&states), "small", &count);
    sink.publish(&whole(&batch(0..2_000, PLAIN)), &never).unwrap();
    let large = Shape { value_bytes: 3_100, ..PLAIN };
    sink.publish(&whole(&batch(2_000..2_010, large)), &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let counted = count.get();
    assert_eq!(counted.delivered, 2_000, "{counted:?}");
    assert_eq!(counted.failed, [("msg_size_too_large".to_owned(), 10)].into());
    assert_once_in_order(&servers, "small", 2_000);
}

#[test]
fn event_times_that_a_topic_would_refuse_or_delete_are_told_at_the_start() {
    let Some(kafka) = brokers::kafka() else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "timed", 1, &[("message.timestamp.before.max.ms", "86400000")]);
    let asked = Topics::connect(&options(&servers, &[]), Clock::system()).unwrap();
    let states = asked.inspect(&["timed"]).unwrap();
    let now_us = 1_900_000_000_000_000;
    let hours = 3_600_000_000;
    let check = |from_us: i64, to_us: i64, timestamp| {
        let event_times_us = Some(now_us + from_us..now_us + to_us);
        let need = Need { name: "timed".to_owned(), event_times_us, ..Need::default() };
        topics::check(&states, &[need], timestamp, now_us)
    };
    let setting = |result: Result<(), Error>| match result {
        Err(Error::TimestampRefused { setting, .. }) => setting,
        other => panic!("{other:?}"),
    };
    assert_eq!(check(-hours, 0, Timestamp::Event), Ok(()));
    let ahead = check(0, 2 * hours, Timestamp::Event);
    assert_eq!(setting(ahead), "message.timestamp.after.max.ms");
    let old = check(-30 * hours, 0, Timestamp::Event);
    assert_eq!(setting(old), "message.timestamp.before.max.ms");
    assert_eq!(check(-30 * hours, 2 * hours, Timestamp::HandOver), Ok(()));

    topic::create(&servers, "short-lived", 1, &[("retention.ms", "1000")]);
    let states = asked.inspect(&["short-lived"]).unwrap();
    let event_times_us = Some(now_us - hours..now_us);
    let need = Need { name: "short-lived".to_owned(), event_times_us, ..Need::default() };
    let soon = topics::check(&states, &[need], Timestamp::Event, now_us);
    assert_eq!(setting(soon), "retention.ms");
}

#[test]
fn a_hundred_thousand_events_arrive_with_the_time_of_their_hand_over() {
    let Some(kafka) = brokers::kafka() else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "handed-over", 4, &[]);
    let count = Arc::new(Count::default());
    let mut sink = connect(&options(&servers, &[]), "handed-over", &count);
    let clock = Clock::system();
    let begin_ms = clock.now_ns() / 1_000_000;
    let all = batch(0..100_000, Shape { value_bytes: 300, ..PLAIN });
    let schedule = Schedule::Unpaced { released_ns: clock.now_ns() };
    sink.publish(&Slice { schedule, ..whole(&all) }, &never).unwrap();
    assert_eq!(sink.flush(LONG, &never).unwrap().0, 0);
    let end_ms = clock.now_ns() / 1_000_000;
    assert_once_in_order(&servers, "handed-over", 100_000);
    let records = topic::read(&servers, "handed-over");
    let outside = records.iter().find(|it| !(begin_ms - 1..=end_ms + 1).contains(&it.timestamp_ms));
    assert_eq!(outside, None);
}
