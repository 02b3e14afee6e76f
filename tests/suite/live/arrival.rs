//! What a reader finds in a topic who knows nothing of the library but the seed and the start.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tidegate::generate::philox;
use tidegate::plan::identity::Cipher;
use xxhash_rust::xxh3::xxh3_128;

use super::{LONG, Site, count, payments};
use crate::brokers::topic::{self, Record};
use crate::cli::{assert_exit, json};

/// What stands before each value: a zero, and the schema's id.
const FRAMING_BYTES: usize = 5;

/// Where the events of a topic come from, and where they hold what everyone looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) stream: &'static str,
    pub(super) seed: u64,
    /// In microseconds since the Unix epoch.
    pub(super) start_us: i64,
    pub(super) identity: &'static str,
    pub(super) time: &'static str,
}

/// The small model's stream.
pub(super) const SMALL: Origin = Origin {
    stream: "payments",
    seed: 7,
    start_us: 1_772_409_600_000_000,
    identity: "id",
    time: "at",
};

/// The stream of the payments model.
pub(super) const PAYMENTS: Origin = Origin {
    stream: "authorisations",
    seed: 42,
    start_us: 1_772_442_000_000_000,
    identity: "event_id",
    time: "event_time",
};

/// What a topic holds.
#[derive(Debug)]
pub(super) struct Arrived {
    /// How many records.
    pub(super) count: u64,
    /// The sum of their digests, as the report writes it.
    pub(super) digest: String,
    /// The numbers of the events, in order; each is there once.
    pub(super) numbers: Vec<u64>,
}

/// Reads a topic to its end, and checks framing, identities, and the order within each key.
pub(super) fn arrived(site: &Site, topic: &str, origin: Origin) -> Arrived {
    let [low, high] = philox::key(origin.seed, "identity", &origin.start_us.to_string());
    let cipher = Cipher::new(u64::from(high) << 32 | u64::from(low));
    let mut readers = BTreeMap::new();
    let mut last_of_key: BTreeMap<Vec<u8>, (i32, i64, u64)> = BTreeMap::new();
    let mut numbers = Vec::new();
    let mut sum = 0_u128;
    topic::for_each(&site.servers, topic, |record| {
        let value = record.value.as_deref().unwrap();
        let (framing, datum) = value.split_at(FRAMING_BYTES);
        assert_eq!(framing[0], 0, "the magic byte");
        let id = u32::from_be_bytes(framing[1..].try_into().unwrap());
        let reader = readers.entry(id).or_insert_with(|| reader(schema(&site.registry, id)));
        let mut rest = datum;
        let row = reader.read_value(&mut rest).unwrap();
        assert!(rest.is_empty(), "{row:?} has {} bytes behind it", rest.len());
        let Value::Uuid(uuid) = field(&row, origin.identity) else { panic!("{row:?}") };
        let Value::TimestampMicros(time_us) = field(&row, origin.time) else { panic!("{row:?}") };
        let number = cipher.open(uuid.as_u128()).unwrap().number;
        numbers.push(number);
        let key = record.key.unwrap();
        sum = sum.wrapping_add(digest(origin.stream, &key, datum));
        let place = (record.partition, *time_us, number);
        if let Some(before) = last_of_key.get(&key) {
            assert_eq!(before.0, place.0, "a key stays in its partition");
            assert!(*before < place, "{place:?} stands after {before:?}");
        }
        last_of_key.insert(key, place);
    });
    numbers.sort_unstable();
    let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "an event is there twice");
    Arrived { count: numbers.len() as u64, digest: format!("{sum:032x}"), numbers }
}

/// Asserts that a run's report and its topic tell the same, with nothing lost or doubled.
pub(super) fn assert_all_arrived(result: &serde_json::Value, arrived: &Arrived) {
    let issued = count(result, "issued");
    for (name, expected) in
        [("delivered", issued), ("failed", 0), ("shed", 0), ("unacknowledged", 0)]
    {
        assert_eq!(count(result, name), expected, "{name} in {result}");
    }
    assert_eq!(arrived.count, issued, "records in the topic");
    assert_eq!(result["digest"], arrived.digest.as_str());
}

/// A reader that lives as long as the tests: it refers to its schema.
fn reader(schema: Schema) -> GenericDatumReader<'static> {
    GenericDatumReader::builder(Box::leak(Box::new(schema))).build().unwrap()
}

/// A schema as the registry has it.
pub(super) fn schema(registry: &str, id: u32) -> Schema {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let answer = reqwest::get(format!("{registry}/schemas/ids/{id}")).await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    });
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    Schema::parse_str(answer["schema"].as_str().unwrap()).unwrap()
}

/// The digest of one event, by its definition.
pub(crate) fn digest(stream: &str, key: &[u8], datum: &[u8]) -> u128 {
    let mut bytes = Vec::new();
    for part in [stream.as_bytes(), key, datum] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    xxh3_128(&bytes)
}

fn field<'v>(row: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = row else { panic!("not a record: {row:?}") };
    &fields.iter().find(|(field, _)| field == name).unwrap().1
}

#[test]
fn the_report_of_a_run_is_what_a_stranger_finds_in_the_topic() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.arrival";
    let flags = format!("{} --start 2026-03-02T09:00:00Z --count 20000", payments(topic));
    let output = site.run(&format!("{flags} --speed max"));
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(count(&result, "issued"), 20_000);
    let arrived = arrived(&site, topic, PAYMENTS);
    assert_all_arrived(&result, &arrived);
    let mut bytes = 0;
    topic::for_each(&site.servers, topic, |record| {
        bytes += record.key.unwrap().len() + record.value.unwrap().len();
    });
    assert_eq!(count(&result, "bytes"), bytes as u64);
}

#[test]
fn keys_lie_in_the_partitions_that_other_clients_choose() {
    let Some(site) = Site::shared() else { return };
    let (ours, theirs) = ("live.partitions", "live.partitions.theirs");
    let flags = format!("{} --start 2026-03-02T09:00:00Z --count 2000", payments(ours));
    assert_exit(&site.run(&format!("{flags} --speed max")), 0);
    let records = topic::read(&site.servers, ours);
    // librdkafka's own murmur2, which is the one of Java's producers.
    topic::create(&site.servers, theirs, 12, &[]);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &site.servers)
        .set("partitioner", "murmur2")
        .create()
        .unwrap();
    for record in &records {
        let key = record.key.as_deref().unwrap();
        producer.send(BaseRecord::<[u8], [u8]>::to(theirs).key(key).payload(&[])).unwrap();
    }
    producer.flush(LONG).unwrap();
    let places = |records: Vec<Record>| -> BTreeMap<Vec<u8>, i32> {
        records.into_iter().map(|record| (record.key.unwrap(), record.partition)).collect()
    };
    let ours = places(records);
    assert_eq!(ours.values().collect::<std::collections::BTreeSet<_>>().len(), 12);
    assert_eq!(ours, places(topic::read(&site.servers, theirs)));
}
