//! A safe cover of the part of librdkafka's C interface that the sink needs.
//!
//! rdkafka's own producers allocate for each record and take their receipts one by one; here
//! receipts come in batches, as events of one queue.

#![expect(unsafe_code, reason = "librdkafka is a C library")]

pub(crate) mod admin;
pub(super) mod configuration;
pub(crate) mod consume;
pub(crate) mod groups;
pub(super) mod raw_code;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, LazyLock};

use rdkafka::bindings as c;
use rdkafka::types::{RDKafkaRespErr as Code, RDKafkaType};

use configuration::Configuration;

/// The codes of librdkafka that decisions hang on.
pub(crate) mod code {
    use super::Code;

    /// Ours: the partition was stopped before.
    pub(in super::super) const STOPPED: i32 = i32::MIN;

    pub(in super::super) const QUEUE_FULL: i32 = Code::RD_KAFKA_RESP_ERR__QUEUE_FULL as i32;
    pub(in super::super) const TIMED_OUT: i32 = Code::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT as i32;
    pub(in super::super) const PURGED_QUEUED: i32 = Code::RD_KAFKA_RESP_ERR__PURGE_QUEUE as i32;
    pub(in super::super) const PURGED_SENT: i32 = Code::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT as i32;
    pub(in super::super) const FATAL: i32 = Code::RD_KAFKA_RESP_ERR__FATAL as i32;
    pub(in super::super) const AUTHENTICATION: i32 = Code::RD_KAFKA_RESP_ERR__AUTHENTICATION as i32;
    pub(in super::super) const SSL: i32 = Code::RD_KAFKA_RESP_ERR__SSL as i32;
    pub(in super::super) const ALL_BROKERS_DOWN: i32 =
        Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN as i32;
    pub(in super::super) const TOO_LARGE: i32 = Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE as i32;
    pub(in super::super) const BAD_RECORD: i32 = Code::RD_KAFKA_RESP_ERR_INVALID_RECORD as i32;
    pub(in super::super) const BAD_TIMESTAMP: i32 =
        Code::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP as i32;
    pub(in super::super) const BAD_MESSAGE: i32 = Code::RD_KAFKA_RESP_ERR_INVALID_MSG as i32;
    pub(in super::super) const UNKNOWN_TOPIC: i32 =
        Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32;
    pub(in super::super) const UNKNOWN_PARTITION: i32 =
        Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION as i32;
    pub(in super::super) const NOT_AUTHORISED: i32 =
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32;
    pub(in super::super) const CLUSTER_NOT_AUTHORISED: i32 =
        Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED as i32;
    pub(in super::super) const TOPIC_EXISTS: i32 =
        Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS as i32;

    /// Whether a code says that no broker could be asked.
    pub(crate) fn is_unreachable(code: i32) -> bool {
        let unreachable = [
            Code::RD_KAFKA_RESP_ERR__TIMED_OUT,
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            Code::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
        ];
        unreachable.iter().any(|&one| one as i32 == code)
    }
}

/// Length of librdkafka's buffers for error texts.
const TEXT_BYTES: usize = 512;

/// How many pointers to receipts are asked for at once.
const RECEIPT_CHUNK: usize = 512;

/// A client: its handle, its topics, and the one queue that all its events go to.
#[derive(Debug)]
pub(crate) struct Client {
    raw: NonNull<c::rd_kafka_t>,
    queue: NonNull<c::rd_kafka_queue_t>,
    topics: Vec<NonNull<c::rd_kafka_topic_t>>,
    /// Written by the certificate callback, which holds a pointer to it.
    certificate: Arc<AtomicI32>,
}

// SAFETY: librdkafka's handles may be used from any thread, at the same time.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// A receipt as librdkafka gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    /// What was given with the record.
    pub(super) opaque: u64,
    /// 0, or librdkafka's code.
    pub(super) code: i32,
    /// Where it went.
    pub(super) partition: i32,
}

/// What a poll of the queue brought.
#[derive(Debug)]
pub(crate) enum Event {
    /// Nothing within the time.
    Nothing,
    /// Receipts; they were appended to the vector.
    Deliveries,
    /// An error of the client as a whole.
    Error {
        /// librdkafka's code.
        code: i32,
        /// What it says.
        text: String,
        /// Whether the client does nothing any more.
        fatal: bool,
    },
    /// A line for the log; a lower level is graver, as in syslog.
    Log {
        /// 0 to 7.
        level: i32,
        /// What it says.
        text: String,
    },
    /// Something else that nobody waits for.
    Other,
}

impl Client {
    /// Makes a producer; connects in the background. The error is librdkafka's text.
    pub(super) fn new(configuration: Configuration, topics: &[String]) -> Result<Self, String> {
        Self::of_kind(RDKafkaType::RD_KAFKA_PRODUCER, configuration, topics)
    }

    /// Makes a consumer of no group; the same else.
    pub(crate) fn consumer(
        configuration: Configuration,
        topics: &[String],
    ) -> Result<Self, String> {
        Self::of_kind(RDKafkaType::RD_KAFKA_CONSUMER, configuration, topics)
    }

    fn of_kind(
        kind: RDKafkaType,
        configuration: Configuration,
        topics: &[String],
    ) -> Result<Self, String> {
        let (raw, certificate) = configuration.into_client(kind)?;
        // SAFETY: the handle is alive; the queue is given back in `drop`, before the handle.
        let queue = unsafe { c::rd_kafka_queue_get_main(raw.as_ptr()) };
        let queue = NonNull::new(queue).ok_or("librdkafka has no main queue")?;
        let mut client = Self { raw, queue, topics: Vec::new(), certificate };
        // SAFETY: both are alive. Without this, log lines would stay in a queue of their own.
        unsafe { c::rd_kafka_set_log_queue(raw.as_ptr(), queue.as_ptr()) };
        for topic in topics {
            let name = c_string(topic)?;
            // SAFETY: the name ends with a zero; no configuration of its own is handed over.
            let made =
                unsafe { c::rd_kafka_topic_new(raw.as_ptr(), name.as_ptr(), ptr::null_mut()) };
            let made = NonNull::new(made);
            client.topics.push(made.ok_or_else(|| format!("bad topic name `{topic}`"))?);
        }
        Ok(client)
    }

    /// The first thing that was wrong with the server's certificate, as OpenSSL's code; 0: nothing.
    pub(crate) fn certificate_error(&self) -> i32 {
        self.certificate.load(Ordering::SeqCst)
    }

    /// The handle, for the other parts of this cover.
    pub(super) fn raw(&self) -> *mut c::rd_kafka_t {
        self.raw.as_ptr()
    }

    /// A topic's handle, by its place in the list given to `new`.
    pub(super) fn topic(&self, index: usize) -> *mut c::rd_kafka_topic_t {
        self.topics[index].as_ptr()
    }

    /// Waits up to `timeout_ms` for one event; receipts are appended to `deliveries`.
    pub(crate) fn poll(&self, timeout_ms: i32, deliveries: &mut Vec<Delivery>) -> Event {
        // SAFETY: the queue is alive; an event is destroyed below, exactly once.
        let Some(event) =
            NonNull::new(unsafe { c::rd_kafka_queue_poll(self.queue.as_ptr(), timeout_ms) })
        else {
            return Event::Nothing;
        };
        // SAFETY: the event is alive until it is destroyed; all that is read of it is copied.
        unsafe {
            let kind = c::rd_kafka_event_type(event.as_ptr());
            let read = match kind {
                c::RD_KAFKA_EVENT_DR => {
                    read_deliveries(event, deliveries);
                    Event::Deliveries
                }
                c::RD_KAFKA_EVENT_ERROR => Event::Error {
                    code: raw_code::rd_kafka_event_error(event.as_ptr()),
                    text: text(c::rd_kafka_event_error_string(event.as_ptr())),
                    fatal: c::rd_kafka_event_error_is_fatal(event.as_ptr()) != 0,
                },
                c::RD_KAFKA_EVENT_LOG => read_log(event),
                _ => Event::Other,
            };
            c::rd_kafka_event_destroy(event.as_ptr());
            read
        }
    }

    /// The partition counts of the client's topics, in order (an error code for one that cannot be
    /// written to); or the code of what went wrong within the time.
    pub(crate) fn metadata(&self, timeout_ms: i32) -> Result<Vec<Result<u32, i32>>, i32> {
        let mut found: *const c::rd_kafka_metadata = ptr::null();
        // SAFETY: the handle is alive; what is found is read and destroyed here.
        unsafe {
            let failed = raw_code::rd_kafka_metadata(
                self.raw(),
                0,
                ptr::null_mut(),
                &raw mut found,
                timeout_ms,
            );
            if failed != 0 {
                return Err(failed);
            }
            let topics = (*found).topics.cast_const();
            let topic_count = usize::try_from((*found).topic_cnt).unwrap_or(0);
            let by_name: BTreeMap<String, Result<u32, i32>> = (0..topic_count)
                .map(|index| topics.add(index))
                .map(|topic| (text((*topic).topic), partitions(topic)))
                .collect();
            c::rd_kafka_metadata_destroy(found);
            let missing = Err(code::UNKNOWN_TOPIC);
            let names =
                self.topics.iter().map(|topic| text(c::rd_kafka_topic_name(topic.as_ptr())));
            Ok(names.map(|name| by_name.get(&name).copied().unwrap_or(missing)).collect())
        }
    }

    /// The number of any broker; or the code of what went wrong within the time.
    pub(super) fn any_broker(&self, timeout_ms: i32) -> Result<Option<i32>, i32> {
        let mut found: *const c::rd_kafka_metadata = ptr::null();
        // SAFETY: as in `metadata`.
        unsafe {
            let failed = raw_code::rd_kafka_metadata(
                self.raw(),
                0,
                ptr::null_mut(),
                &raw mut found,
                timeout_ms,
            );
            if failed != 0 {
                return Err(failed);
            }
            let brokers = slice_of((*found).brokers, (*found).broker_cnt);
            let first = brokers.first().map(|broker| broker.id);
            c::rd_kafka_metadata_destroy(found);
            Ok(first)
        }
    }

    /// Sends what waits without lingering, and waits up to `timeout_ms` for it.
    pub(super) fn flush(&self, timeout_ms: i32) {
        // SAFETY: the handle is alive. Whether all is sent is seen by counting receipts.
        unsafe { c::rd_kafka_flush(self.raw(), timeout_ms) };
    }

    /// Gives up all that waits and all that is sent and unanswered; receipts say so.
    pub(super) fn purge(&self) {
        let all = c::RD_KAFKA_PURGE_F_QUEUE
            | c::RD_KAFKA_PURGE_F_INFLIGHT
            | c::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the handle is alive.
        unsafe { c::rd_kafka_purge(self.raw(), all) };
    }

    /// The error after which the client does nothing any more, if there was one.
    pub(super) fn fatal_error(&self) -> Option<(i32, String)> {
        let mut buffer = [0; TEXT_BYTES];
        // SAFETY: the handle is alive; the buffer is as long as said.
        let code =
            unsafe { raw_code::rd_kafka_fatal_error(self.raw(), buffer.as_mut_ptr(), TEXT_BYTES) };
        (code != 0).then(|| (code, buffer_text(&buffer)))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: each handle is given back once, the client last; nothing uses them after.
        unsafe {
            for topic in &self.topics {
                c::rd_kafka_topic_destroy(topic.as_ptr());
            }
            c::rd_kafka_queue_destroy(self.queue.as_ptr());
            c::rd_kafka_destroy(self.raw());
        }
    }
}

/// A constant reason for a code: the library's name for it in lower case.
pub(crate) fn reason(code: i32) -> &'static str {
    static NAMES: LazyLock<BTreeMap<i32, String>> = LazyLock::new(|| {
        let mut descriptions = ptr::null();
        let mut count = 0;
        // SAFETY: gives a static table of `count` entries; some have no name.
        let table = unsafe {
            c::rd_kafka_get_err_descs(&raw mut descriptions, &raw mut count);
            std::slice::from_raw_parts(descriptions, count)
        };
        let named = table.iter().filter(|entry| !entry.name.is_null());
        let lower = |name| text(name).trim_start_matches('_').to_ascii_lowercase();
        named.map(|entry| (entry.code as i32, lower(entry.name))).collect()
    });
    if code == code::STOPPED {
        return "partition_stopped";
    }
    NAMES.get(&code).map_or("unknown", String::as_str)
}

/// # Safety
/// `event` is alive and holds delivery reports.
unsafe fn read_deliveries(event: NonNull<c::rd_kafka_event_t>, deliveries: &mut Vec<Delivery>) {
    let mut messages: [*const c::rd_kafka_message_t; RECEIPT_CHUNK] = [ptr::null(); RECEIPT_CHUNK];
    loop {
        // SAFETY: at most RECEIPT_CHUNK pointers are written; what they point to lives as long
        // as the event.
        let count = unsafe {
            c::rd_kafka_event_message_array(event.as_ptr(), messages.as_mut_ptr(), RECEIPT_CHUNK)
        };
        deliveries.extend(messages[..count].iter().map(|&message| {
            // SAFETY: as above.
            unsafe { delivery(message) }
        }));
        if count < RECEIPT_CHUNK {
            return;
        }
    }
}

/// # Safety
/// `message` is alive.
unsafe fn delivery(message: *const c::rd_kafka_message_t) -> Delivery {
    // SAFETY: as the caller says. No reference is made to the whole, whose code may be unknown.
    unsafe {
        Delivery {
            opaque: (*message)._private as u64,
            code: raw_code::read(&raw const (*message).err),
            partition: (*message).partition,
        }
    }
}

/// # Safety
/// `event` is alive and holds a log line.
unsafe fn read_log(event: NonNull<c::rd_kafka_event_t>) -> Event {
    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the texts live as long as the event, and are copied.
    unsafe {
        c::rd_kafka_event_log(event.as_ptr(), &raw mut facility, &raw mut line, &raw mut level);
        Event::Log { level, text: format!("{}: {}", text(facility), text(line)) }
    }
}

/// # Safety
/// `topic` is alive.
unsafe fn partitions(topic: *const c::rd_kafka_metadata_topic) -> Result<u32, i32> {
    // SAFETY: as in `delivery`.
    let (code, count) =
        unsafe { (raw_code::read(&raw const (*topic).err), (*topic).partition_cnt) };
    let count = u32::try_from(count).unwrap_or(0);
    if code == 0 && count > 0 { Ok(count) } else { Err(code) }
}

/// # Safety
/// `first` points to `count` values that live for `'a`, unless `count` is 0.
unsafe fn slice_of<'a, T>(first: *const T, count: c_int) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: as the caller says.
        Ok(count) if count > 0 => unsafe { std::slice::from_raw_parts(first, count) },
        _ => &[],
    }
}

/// A copy of a text that ends with a zero; nothing for a null pointer.
fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's texts end with a zero.
    unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
}

fn buffer_text(buffer: &[c_char; TEXT_BYTES]) -> String {
    // SAFETY: librdkafka ends what it writes with a zero, and the buffer began as zeros.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

fn c_string(value: &str) -> Result<CString, String> {
    CString::new(value).map_err(|_| "a zero byte cannot be given to Kafka".to_owned())
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;

    /// No code of Kafka, nor of the library.
    const CODE_OF_TOMORROW: i32 = 9_999;

    #[test]
    fn a_receipt_with_a_code_that_the_library_does_not_know_keeps_it() {
        let mut message = MaybeUninit::<c::rd_kafka_message_t>::zeroed();
        let message = message.as_mut_ptr();
        // SAFETY: all fields may be zero; none is read as more than it is.
        let read = unsafe {
            (&raw mut (*message).err).cast::<i32>().write(CODE_OF_TOMORROW);
            (*message).partition = 7;
            (*message)._private = ptr::without_provenance_mut(5);
            delivery(message)
        };
        assert_eq!((read.opaque, read.code, read.partition), (5, CODE_OF_TOMORROW, 7));
        assert_eq!(reason(read.code), "unknown");
    }

    #[test]
    fn a_topic_with_a_code_that_the_library_does_not_know_keeps_it() {
        let mut topic = MaybeUninit::<c::rd_kafka_metadata_topic>::zeroed();
        let topic = topic.as_mut_ptr();
        // SAFETY: as above.
        unsafe {
            (*topic).partition_cnt = 3;
            assert_eq!(partitions(topic), Ok(3));
            (&raw mut (*topic).err).cast::<i32>().write(CODE_OF_TOMORROW);
            assert_eq!(partitions(topic), Err(CODE_OF_TOMORROW));
        }
    }
}
