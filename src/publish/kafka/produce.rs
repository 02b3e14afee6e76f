//! Handing records to librdkafka without copying their values.
//!
//! librdkafka keeps pointers into the arena of a batch until it has reported on the record. The
//! arena is therefore held by a parcel, which leaves [`Ledger`] with its last report only, and the
//! client's threads end before the ledger is dropped (see [`Producer`]).

#![expect(unsafe_code, reason = "values stay where they are while librdkafka sends them")]

use std::collections::BTreeSet;
use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::types::RDKafkaRespErr as Code;

use super::native::{Client, Delivery, code, raw_code};
use super::options::Timestamp;
use crate::encode::headers::{Kind, Shape};
use crate::publish::{Schedule, Slice};
use crate::stream::Record;
use crate::stream::in_flight::{Held, Slab};

/// What librdkafka may do with a value: neither copy nor free it. Partitions are the records'.
const FLAGS: i32 = c::RD_KAFKA_MSG_F_PARTITION;

/// `RD_KAFKA_PARTITION_UA`: the call says no partition, since each record does.
const ANY_PARTITION: i32 = -1;

const _: () = assert!(size_of::<usize>() == 8, "slot and index share one pointer of 64 bits");

/// Records that wait for their receipts: what keeps their bytes, and when they were intended.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Keeps the arena.
    pub(super) held: Held,
    /// When its records were intended.
    pub(super) schedule: Schedule,
}

/// What is open between us and librdkafka.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What waits for receipts.
    pub(super) parcels: Slab<Parcel>,
    /// Records taken and not settled.
    pub(super) open_count: u64,
    /// Records that were given up.
    pub(super) unacknowledged_count: u64,
    /// Whether a flush has given up: later receipts count no more.
    pub(super) given_up: bool,
}

/// librdkafka's client and what it holds pointers to.
#[derive(Debug)]
pub(super) struct Producer {
    // Fields are dropped in this order: the client's threads end before the arenas go.
    pub(super) client: Client,
    ledger: Mutex<Ledger>,
    /// Signalled when records were settled.
    settled: Condvar,
    /// Where records go.
    pub(super) routes: Routes,
    /// Where they go no more.
    pub(super) stopped: Stopped,
    pub(super) timestamp: Timestamp,
}

/// The records of a slice on their way into librdkafka.
#[derive(Default)]
pub(super) struct Outgoing {
    slot: u32,
    /// The records' numbers in their batch, by topic and partition, in send order within each.
    pub(super) order: Vec<u32>,
    /// Where in `order` each topic's records end.
    groups: Vec<(usize, usize)>,
    /// The same records as librdkafka takes them, unless they go one by one.
    messages: Vec<c::rd_kafka_message_t>,
    /// How many of `order` were handed over.
    pub(super) next: usize,
    /// What librdkafka is told of one record: scratch space.
    pub(super) arguments: Vec<c::rd_kafka_vu_t>,
    /// For each topic and partition, how many records: scratch space.
    counts: Vec<u32>,
}

// SAFETY: the pointers in `messages` are into arenas that a ledger holds, whatever the thread; those in
// `arguments` are not read after the call that they were made for.
unsafe impl Send for Outgoing {}

/// Where the streams' records go.
#[derive(Debug)]
pub(super) struct Routes {
    /// The topic of each stream, by the stream's number.
    topic_of_stream: Vec<usize>,
    /// How many partitions each topic has.
    partitions: Vec<u32>,
    /// The number of each topic's first bucket (a partition, or none), and of the end.
    first_bucket: Vec<usize>,
    /// The headers of each stream's records: names, and what they hold.
    headers_of_stream: Vec<(Vec<CString>, Vec<Shape>)>,
}

impl Routes {
    /// Routes for the topics that the streams go to, the topics' partitions, and the streams' headers.
    pub(super) fn new(
        topic_of_stream: Vec<usize>,
        partitions: Vec<u32>,
        headers: impl Iterator<Item = Vec<Shape>>,
    ) -> Self {
        let mut first_bucket = vec![0];
        for &count in &partitions {
            first_bucket.push(first_bucket[first_bucket.len() - 1] + count as usize + 1);
        }
        let name = |shape: &Shape| CString::new(shape.name.as_str()).unwrap_or_default();
        let headers = headers.map(|shapes| (shapes.iter().map(name).collect(), shapes));
        Self { topic_of_stream, partitions, first_bucket, headers_of_stream: headers.collect() }
    }

    /// The headers of a record: names, and what they hold.
    pub(super) fn headers(&self, record: &Record) -> (&[CString], &[Shape]) {
        let (names, shapes) = &self.headers_of_stream[usize::from(record.stream)];
        (names, shapes)
    }

    /// Whether a record has no headers.
    fn is_plain(&self, record: &Record) -> bool {
        let (_, shapes) = self.headers(record);
        shapes.is_empty() || record.header_bytes == 0 && shapes[0].kind == Kind::Own
    }

    /// The topic of a record.
    pub(super) fn topic(&self, record: &Record) -> usize {
        self.topic_of_stream[usize::from(record.stream)]
    }

    /// Whether librdkafka can take a record for this partition.
    ///
    /// It loses count of a record for a partition that is not there (2.12.1), so we ask first.
    fn has(&self, record: &Record) -> bool {
        record.partition < 0
            || record.partition.cast_unsigned() < self.partitions[self.topic(record)]
    }

    fn bucket(&self, record: &Record) -> usize {
        self.first_bucket[self.topic(record)] + usize::try_from(record.partition + 1).unwrap_or(0)
    }

    fn bucket_count(&self) -> usize {
        self.first_bucket[self.partitions.len()]
    }
}

/// Partitions that take no more records, since one of theirs failed.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    any: AtomicBool,
    partitions: Mutex<BTreeSet<(usize, i32)>>,
}

impl Stopped {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(usize, i32)>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops a partition; true if it went on until now.
    pub(super) fn stop(&self, topic: usize, partition: i32) -> bool {
        let new = self.lock().insert((topic, partition));
        self.any.store(true, Ordering::Release);
        new
    }

    fn has(&self, topic: usize, partition: i32) -> bool {
        self.any.load(Ordering::Acquire) && self.lock().contains(&(topic, partition))
    }
}

impl Outgoing {
    /// Puts the slice's records into the order of topics and partitions; those that `refuse` has a
    /// code for are left out.
    fn sort(&mut self, slice: &Slice, routes: &Routes, refuse: impl Fn(&Record) -> Option<i32>) {
        self.counts.clear();
        self.counts.resize(routes.bucket_count() + 1, 0);
        let records = &slice.batch.records[slice.records.clone()];
        for record in records.iter().filter(|record| refuse(record).is_none()) {
            self.counts[routes.bucket(record) + 1] += 1;
        }
        for bucket in 0..routes.bucket_count() {
            self.counts[bucket + 1] += self.counts[bucket];
        }
        self.groups.clear();
        for (topic, &end_bucket) in routes.first_bucket[1..].iter().enumerate() {
            self.groups.push((topic, self.counts[end_bucket] as usize));
        }
        self.order.clear();
        self.order.resize(self.counts[routes.bucket_count()] as usize, 0);
        for (index, record) in slice.records.clone().zip(records) {
            if refuse(record).is_none() {
                let place = &mut self.counts[routes.bucket(record)];
                self.order[*place as usize] = index_word(index);
                *place += 1;
            }
        }
        self.next = 0;
    }

    /// How many records still wait to be handed over.
    pub(super) fn left_count(&self) -> usize {
        self.order.len() - self.next
    }

    pub(super) fn opaque(&self, index: u32) -> u64 {
        opaque(self.slot, index)
    }
}

impl Producer {
    /// A producer around a client, with nothing open.
    pub(super) fn new(client: Client, routes: Routes, timestamp: Timestamp) -> Self {
        let (ledger, settled, stopped) = (Mutex::default(), Condvar::new(), Stopped::default());
        Self { client, ledger, settled, routes, stopped, timestamp }
    }

    /// What is open.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits up to `timeout` for records to be settled.
    pub(super) fn wait(&self, ledger: MutexGuard<'_, Ledger>, timeout: Duration) {
        drop(self.settled.wait_timeout(ledger, timeout));
    }

    /// Says that records were settled.
    pub(super) fn notify(&self) {
        self.settled.notify_all();
    }

    /// Takes a slice, whose batch is held until each of its records is settled, and makes it ready
    /// for [`Producer::send`]. Records that cannot be sent come back in `refused`.
    pub(super) fn take(
        &self,
        slice: &Slice,
        held: &Held,
        outgoing: &mut Outgoing,
        refused: &mut Vec<Delivery>,
    ) {
        assert!(Arc::ptr_eq(&slice.batch, held.batch()), "what is sent must be what is held");
        let parcel = Parcel { held: held.clone(), schedule: slice.schedule.clone() };
        {
            let mut ledger = self.ledger();
            outgoing.slot = ledger.parcels.insert(slice.records.len(), parcel);
            ledger.open_count += slice.records.len() as u64;
        }
        let records = &slice.batch.records;
        outgoing.sort(slice, &self.routes, |record| self.refusal(record));
        if outgoing.order.len() < slice.records.len() {
            for index in slice.records.clone() {
                if let Some(code) = self.refusal(&records[index]) {
                    let opaque = outgoing.opaque(index_word(index));
                    let partition = records[index].partition;
                    refused.push(Delivery { opaque, code, partition });
                }
            }
        }
        outgoing.messages.clear();
        let mut slice_records = records[slice.records.clone()].iter();
        let plain = slice_records.all(|record| self.routes.is_plain(record));
        if plain && self.timestamp == Timestamp::HandOver {
            let (arena, slot) = (slice.batch.arena.as_slice(), outgoing.slot);
            outgoing.messages.extend(
                outgoing
                    .order
                    .iter()
                    .map(|&index| message(&records[index as usize], arena, opaque(slot, index))),
            );
        }
    }

    fn refusal(&self, record: &Record) -> Option<i32> {
        if !self.routes.has(record) {
            return Some(code::UNKNOWN_PARTITION);
        }
        self.stopped.has(self.routes.topic(record), record.partition).then_some(code::STOPPED)
    }

    /// Hands over as much as fits, in order; false when librdkafka's queue is full. Records that it
    /// refuses come back in `refused`.
    pub(super) fn send(
        &self,
        slice: &Slice,
        outgoing: &mut Outgoing,
        refused: &mut Vec<Delivery>,
    ) -> bool {
        for group in 0..outgoing.groups.len() {
            let (topic, end) = outgoing.groups[group];
            if outgoing.next >= end {
                continue;
            }
            let all = if outgoing.messages.is_empty() {
                self.send_singly(slice, topic, end, (outgoing, refused))
            } else {
                self.send_together(topic, end, (outgoing, refused))
            };
            if !all {
                return false;
            }
        }
        true
    }

    fn send_together(
        &self,
        topic: usize,
        end: usize,
        (outgoing, refused): (&mut Outgoing, &mut Vec<Delivery>),
    ) -> bool {
        let messages = &mut outgoing.messages[outgoing.next..end];
        let count = i32::try_from(messages.len());
        assert!(count.is_ok(), "a slice is handed over in chunks");
        // SAFETY: keys are copied; values lie in the arena of a batch that the ledger holds until
        // each of its records is settled, which librdkafka's report (or refusal, below) does.
        let taken_count = unsafe {
            c::rd_kafka_produce_batch(
                self.client.topic(topic),
                ANY_PARTITION,
                FLAGS,
                messages.as_mut_ptr(),
                count.unwrap_or(0),
            )
        };
        if usize::try_from(taken_count) == Ok(messages.len()) {
            outgoing.next = end;
            return true;
        }
        // From the first that finds the queue full, all are left over; any other is refused alone.
        for message in messages.iter() {
            // A topic's error is the broker's, so its code may be one that the enum lacks.
            // SAFETY: the field is one of a message of ours.
            match unsafe { raw_code::read(&raw const message.err) } {
                0 => {}
                code::QUEUE_FULL => return false,
                code => refused.push(Delivery {
                    opaque: message._private as u64,
                    code,
                    partition: message.partition,
                }),
            }
            outgoing.next += 1;
        }
        true
    }
}

/// A record as librdkafka takes it; its pointers are into `arena`.
pub(super) fn message(record: &Record, arena: &[u8], opaque: u64) -> c::rd_kafka_message_t {
    let (key, value) = (&arena[record.key_range()], &arena[record.value_range()]);
    let pointer = |bytes: &[u8]| bytes.as_ptr().cast_mut().cast::<c_void>();
    c::rd_kafka_message_t {
        err: Code::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: record.partition,
        payload: if record.tombstone { ptr::null_mut() } else { pointer(value) },
        len: value.len(),
        key: if record.keyed { pointer(key) } else { ptr::null_mut() },
        key_len: if record.keyed { key.len() } else { 0 },
        offset: 0,
        _private: ptr::without_provenance_mut(usize::try_from(opaque).unwrap_or(usize::MAX)),
    }
}

/// What travels with a record through librdkafka.
fn opaque(slot: u32, index: u32) -> u64 {
    u64::from(slot) << 32 | u64::from(index)
}

/// The slot and the number in the batch that [`opaque`] put together.
pub(super) fn slot_and_index(opaque: u64) -> (u32, usize) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    ((opaque >> 32) as u32, opaque as u32 as usize)
}

fn index_word(index: usize) -> u32 {
    let word = u32::try_from(index);
    assert!(word.is_ok(), "a batch has fewer than 2^32 records");
    word.unwrap_or(u32::MAX)
}
