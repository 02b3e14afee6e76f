//! Reading partitions, each on its own, without a group.

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use rdkafka::bindings as c;
use rdkafka::types::RDKafkaRespErr as Code;

use super::{Client, c_string, raw_code, slice_of, text};

/// How many messages are taken at once.
const MESSAGES: usize = 1_024;

/// With the first record that there is.
pub(crate) const BEGINNING: i64 = -2;
/// With the first record that comes.
pub(crate) const END: i64 = -1;

/// The codes that reading decides by.
pub(crate) mod code {
    use super::Code;

    pub(crate) const END_OF_PARTITION: i32 = Code::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32;
    /// What is to be read is not there any more, or not yet.
    pub(crate) const OFFSET_OUT_OF_RANGE: i32 = Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32;
    pub(crate) const NOT_AUTHORISED: i32 =
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32;
    pub(crate) const UNKNOWN_TOPIC: i32 = Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32;
    pub(crate) const NO_SUCH_TOPIC: i32 = Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC as i32;
    pub(crate) const NO_SUCH_PARTITION: i32 = Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION as i32;
}

/// A message while librdkafka holds it: a record, or what went wrong.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    raw: *mut c::rd_kafka_message_t,
    _client: PhantomData<&'a Client>,
}

impl<'a> Message<'a> {
    /// 0, or librdkafka's code; then the value is its text.
    pub(crate) fn code(&self) -> i32 {
        // SAFETY: the message is alive. No reference is made to the whole, whose code may be unknown.
        unsafe { raw_code::read(&raw const (*self.raw).err) }
    }

    /// Where it lies in its partition.
    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: as above.
        unsafe { (*self.raw).offset }
    }

    /// Its timestamp, in milliseconds since the Unix epoch; −1 if it has none.
    pub(crate) fn timestamp_ms(&self) -> i64 {
        // SAFETY: as above; who made the timestamp is not asked.
        unsafe { c::rd_kafka_message_timestamp(self.raw, ptr::null_mut()) }
    }

    /// The key, if it has one.
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: as above; the bytes live as long as the message.
        unsafe { bytes((*self.raw).key, (*self.raw).key_len) }
    }

    /// The value, if it has one.
    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as above.
        unsafe { bytes((*self.raw).payload, (*self.raw).len) }
    }

    /// Names and values of its headers, in its order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut headers = ptr::null_mut();
        // SAFETY: as above; the headers are the message's and live as long as it.
        let failed = unsafe { raw_code::rd_kafka_message_headers(self.raw, &raw mut headers) };
        let mut index = 0;
        std::iter::from_fn(move || {
            if failed != 0 {
                return None;
            }
            let (mut name, mut value, mut size) = (ptr::null::<c_char>(), ptr::null(), 0);
            // SAFETY: what is given back lives as long as the message, and the name ends with a zero.
            unsafe {
                let (name, value) = (&raw mut name, &raw mut value);
                if raw_code::rd_kafka_header_get_all(headers, index, name, value, &raw mut size)
                    != 0
                {
                    return None;
                }
                index += 1;
                let name = std::ffi::CStr::from_ptr(*name).to_bytes();
                Some((name, bytes((*value).cast_mut(), size)))
            }
        })
    }
}

/// # Safety
/// `start` is null or points to so many bytes that live for `'a`.
unsafe fn bytes<'a>(start: *mut c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

/// A partition to ask about: the topic's name, the number, and what is asked or answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Client {
    /// Begins to read a partition of a topic, by its place in the list given to `consumer`.
    pub(crate) fn start(&self, topic: usize, partition: i32, offset: i64) -> Result<(), i32> {
        // SAFETY: the topic is alive.
        let failed = unsafe { c::rd_kafka_consume_start(self.topic(topic), partition, offset) };
        if failed == 0 {
            return Ok(());
        }
        // SAFETY: gives the code of this thread's last call.
        Err(unsafe { raw_code::rd_kafka_last_error() })
    }

    /// Reads a partition no more.
    pub(crate) fn stop(&self, topic: usize, partition: i32) {
        // SAFETY: the topic is alive; one that is not read is refused, which is no matter.
        unsafe { c::rd_kafka_consume_stop(self.topic(topic), partition) };
    }

    /// Gives `each` what lies ready of a partition, a thousand messages at most; waits for the first for
    /// at most `timeout_ms`.
    pub(crate) fn read(
        &self,
        (topic, partition): (usize, i32),
        timeout_ms: c_int,
        mut each: impl FnMut(&Message<'_>),
    ) {
        let mut messages: [*mut c::rd_kafka_message_t; MESSAGES] = [ptr::null_mut(); MESSAGES];
        // SAFETY: the topic is alive; at most MESSAGES pointers are written.
        let count = unsafe {
            c::rd_kafka_consume_batch(
                self.topic(topic),
                partition,
                timeout_ms,
                messages.as_mut_ptr(),
                MESSAGES,
            )
        };
        for &raw in &messages[..usize::try_from(count).unwrap_or(0)] {
            each(&Message { raw, _client: PhantomData });
            // SAFETY: the message is ours, and is destroyed once; nothing of it outlives `each`.
            unsafe { c::rd_kafka_message_destroy(raw) };
        }
    }

    /// The first offset that there is of a partition, and the one after its last.
    pub(crate) fn watermarks(
        &self,
        asked: &Asked<'_>,
        timeout_ms: c_int,
    ) -> Result<(i64, i64), i32> {
        let topic = c_string(asked.topic).map_err(|_| code::NO_SUCH_TOPIC)?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the client is alive; the name ends with a zero.
        let failed = unsafe {
            raw_code::rd_kafka_query_watermark_offsets(
                self.raw(),
                topic.as_ptr(),
                asked.partition,
                &raw mut low,
                &raw mut high,
                timeout_ms,
            )
        };
        if failed == 0 { Ok((low, high)) } else { Err(failed) }
    }

    /// Puts in the place of timestamps (milliseconds) the offset of the first record of that time or
    /// later; [`END`] if there is none.
    pub(crate) fn offsets_at(&self, asked: &mut [Asked<'_>], timeout_ms: c_int) -> Result<(), i32> {
        let count = c_int::try_from(asked.len()).unwrap_or(c_int::MAX);
        // SAFETY: the list is made, filled, read and destroyed here; the names are copied.
        unsafe {
            let list = c::rd_kafka_topic_partition_list_new(count);
            for one in asked.iter() {
                let Ok(topic) = c_string(one.topic) else { continue };
                let entry =
                    c::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), one.partition);
                (*entry).offset = one.offset;
            }
            let mut failed = raw_code::rd_kafka_offsets_for_times(self.raw(), list, timeout_ms);
            let entries = slice_of((*list).elems.cast_const(), (*list).cnt);
            for entry in entries {
                let code = raw_code::read(&raw const entry.err);
                failed = if failed == 0 { code } else { failed };
                let name = text(entry.topic);
                let of = asked
                    .iter_mut()
                    .find(|one| one.topic == name && one.partition == entry.partition);
                if let Some(of) = of {
                    of.offset = entry.offset;
                }
            }
            c::rd_kafka_topic_partition_list_destroy(list);
            if failed == 0 { Ok(()) } else { Err(failed) }
        }
    }
}
