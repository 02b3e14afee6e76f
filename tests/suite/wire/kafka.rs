//! Headers on their way through a Kafka, read back by another client.

use std::sync::Arc;
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::embedded::{Embedded, Topic};
use tidegate::encode::headers::Shape;
use tidegate::publish::kafka::{Kafka, Outlet};
use tidegate::publish::{Receiver, Schedule, Sink, Slice};
use tidegate::stream::{EventStream, Options, Route};

use super::{Header, events, plan_of};
use crate::brokers::topic;
use crate::kafka_sink::fixture::{Count, never, options};

const HEADERS: &str = r#"identity = "none"
headers = { trace = "traceparent", sent = "intended_time", note = { attribute = "note" } }"#;

#[test]
fn headers_arrive_as_they_were_encoded_and_the_intended_time_as_scheduled() {
    const EVENTS: u64 = 3_000;
    let topics = [Topic { name: "t".to_owned(), partitions: 1 }];
    let embedded = Embedded::start(&topics).unwrap();
    let servers = embedded.bootstrap_servers().to_owned();
    let plan = plan_of(HEADERS, ("", ""));
    let headers = plan.streams[0].compiled.headers.iter().map(Shape::of).collect();
    let outlet = Outlet { headers, ..Outlet::from("t") };
    let count = Arc::new(Count::default());
    let receiver: Arc<dyn Receiver> = Arc::<Count>::clone(&count);
    let mut sink =
        Kafka::connect(&options(&servers, &[]), &[outlet], receiver, Clock::system()).unwrap();
    let route = Route { partitions: Some(1), ..Route::default() };
    let asked = Options { count: Some(EVENTS), routes: vec![route], ..Options::default() };
    let mut stream = EventStream::start(Arc::clone(&plan), asked).unwrap();
    let (anchor_ns, begin_us) = (1_900_000_000_000_000_000, plan.start_us);
    let schedule = Schedule::Paced { anchor_ns, begin_us, speed: 10.0 };
    while let Some(batch) = stream.next_blocking() {
        let batch = Arc::new(batch.unwrap());
        let slice = Slice { records: 0..batch.records.len(), batch, schedule: schedule.clone() };
        sink.publish(&slice, &never).unwrap();
    }
    assert_eq!(sink.flush(Duration::from_mins(2), &never).unwrap().0, 0);
    assert_eq!(count.get().delivered, EVENTS);
    let mut without = 0;
    for (event, record) in events(&plan, EVENTS).iter().zip(topic::read(&servers, "t")) {
        assert_eq!(record.value.as_deref(), Some(&event.value[..]));
        assert_eq!(record.headers.len(), event.headers.len());
        for ((name, header), (found_name, found)) in event.headers.iter().zip(&record.headers) {
            assert_eq!(name, found_name);
            let found = String::from_utf8(found.clone().unwrap()).unwrap();
            match header {
                Header::Identity(_) => assert_eq!(name, "tidegate-id"),
                Header::Text(text) => assert_eq!(found, *text),
                Header::IntendedTime => {
                    let sent: jiff::Timestamp = found.parse().unwrap();
                    let since_us = sent.as_microsecond() - anchor_ns / 1_000;
                    assert_eq!(since_us, (event.due_us - begin_us) / 10, "{found}");
                }
            }
        }
        without += usize::from(event.text("note").is_none());
    }
    assert!((1_000..2_000).contains(&without), "{without}");
}
