//! Batches made by hand, a receiver that counts, and a reader that checks order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::config::secret::Text;
use tidegate::encode::headers;
use tidegate::publish::kafka::{Kafka, Options, Outlet};
use tidegate::publish::{Outcome, Receipt, Receiver, Schedule, Slice};
use tidegate::stream::{Batch, Record};

use crate::brokers::topic;

/// How many keys there are; key k goes to partition k mod partitions.
pub(crate) const KEYS: u64 = 50;

/// Ample for any wait that must end.
pub(crate) const LONG: Duration = Duration::from_mins(2);

/// What receipts said.
#[derive(Debug, Default)]
pub(crate) struct Count(Mutex<Counted>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) delivered: u64,
    pub(crate) already_there: u64,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) bytes: u64,
    pub(crate) latency_ns_max: i64,
}

impl Count {
    pub(crate) fn get(&self) -> Counted {
        self.0.lock().unwrap().clone()
    }
}

impl Receiver for Count {
    fn receive(&self, receipts: &[Receipt<'_>]) {
        let mut counted = self.0.lock().unwrap();
        for receipt in receipts {
            counted.bytes += u64::from(receipt.bytes);
            counted.latency_ns_max = counted.latency_ns_max.max(receipt.latency_ns);
            match receipt.outcome {
                Outcome::Delivered | Outcome::DeliveredAgain => counted.delivered += 1,
                Outcome::AlreadyThere => counted.already_there += 1,
                Outcome::Failed(reason) => {
                    *counted.failed.entry(reason.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

/// How records look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) partitions: u64,
    pub(crate) value_bytes: usize,
    pub(crate) identity: bool,
}

/// Four partitions, small values, no header.
pub(crate) const PLAIN: Shape = Shape { partitions: 4, value_bytes: 40, identity: false };

/// Records `numbers` of a stream: the key is `k<number mod KEYS>`, the value begins with
/// `<number>,`, the event is due a microsecond after its predecessor.
pub(crate) fn batch(numbers: Range<u64>, shape: Shape) -> Arc<Batch> {
    let (mut arena, mut records) = (Vec::new(), Vec::new());
    for number in numbers {
        let start = u32::try_from(arena.len()).unwrap();
        let key_number = number % KEYS;
        if shape.identity {
            arena.extend_from_slice(&u128::from(number).to_be_bytes());
        }
        let key = format!("k{key_number}");
        let mut value = format!("{number},");
        while value.len() < shape.value_bytes {
            value.push('.');
        }
        arena.extend_from_slice(key.as_bytes());
        arena.extend_from_slice(value.as_bytes());
        records.push(Record {
            due_us: i64::try_from(number).unwrap(),
            start,
            header_bytes: if shape.identity { 16 } else { 0 },
            key_bytes: u32::try_from(key.len()).unwrap(),
            value_bytes: u32::try_from(value.len()).unwrap(),
            partition: i32::try_from(key_number % shape.partitions).unwrap(),
            stream: u16::from(shape.identity),
            keyed: true,
            tombstone: false,
        });
    }
    let (arena, records) = (Arc::new(arena), Arc::new(records));
    Arc::new(Batch { window_us: 0..1, arena, records, ..Batch::default() })
}

/// All records of a batch, intended now.
pub(crate) fn whole(batch: &Arc<Batch>) -> Slice {
    let schedule = Schedule::Unpaced { released_ns: Clock::system().now_ns() };
    Slice { batch: Arc::clone(batch), records: 0..batch.records.len(), schedule }
}

/// Options for a broker, with more properties.
pub(crate) fn options(servers: &str, properties: &[(&str, &str)]) -> Options {
    let plain = |&(name, value): &(&str, &str)| (name.to_owned(), Text::Plain(value.to_owned()));
    let mut options = Options::default();
    options.properties.push(("bootstrap.servers".to_owned(), Text::Plain(servers.to_owned())));
    options.properties.extend(properties.iter().map(plain));
    options
}

/// A sink for two streams that go to `topic`: one without headers, and one with identities.
pub(crate) fn connect(options: &Options, topic: &str, count: &Arc<Count>) -> Kafka {
    let receiver: Arc<dyn Receiver> = Arc::<Count>::clone(count);
    let identity = headers::Shape { name: "tidegate-id".to_owned(), kind: headers::Kind::Identity };
    let outlets = [Outlet::from(topic), Outlet { headers: vec![identity], ..Outlet::from(topic) }];
    Kafka::connect(options, &outlets, receiver, Clock::system()).unwrap()
}

pub(crate) fn never() -> bool {
    false
}

/// Reads a topic back and checks that records 0 to `count` are there once, in order of each key.
pub(crate) fn assert_once_in_order(servers: &str, topic: &str, count: u64) {
    let records = topic::read(servers, topic);
    let mut last: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut seen = vec![0_u8; usize::try_from(count).unwrap()];
    for record in &records {
        let number = number(record.value.as_deref().unwrap());
        let key = record.key.clone().unwrap();
        assert_eq!(key, format!("k{}", number % KEYS).into_bytes());
        if let Some(before) = last.insert(key, number) {
            assert!(before < number, "{number} after {before} in partition {}", record.partition);
        }
        seen[usize::try_from(number).unwrap()] += 1;
    }
    let wrong = seen.iter().enumerate().find(|(_, times)| **times != 1);
    assert_eq!(wrong, None, "the first record that is not there exactly once, of {count}");
}

/// The number that a value begins with.
pub(crate) fn number(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).unwrap();
    text.split(',').next().unwrap().parse().unwrap()
}
