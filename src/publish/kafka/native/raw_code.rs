//! Codes of librdkafka as plain numbers.
//!
//! A broker newer than the library sends codes that the enum of the bindings lacks, and librdkafka
//! passes them on. A value of the enum must never hold one, so functions that return broker codes
//! are declared here with the number that they return in C, and fields are read by pointer.

use std::ffi::{c_char, c_int, c_void};

use rdkafka::bindings as c;
use rdkafka::types::RDKafkaRespErr as Code;

// SAFETY: as in the bindings of the library that is linked, but for what they return: a C enum
// with negative values, which is an `int`.
unsafe extern "C" {
    pub(in super::super) fn rd_kafka_event_error(event: *mut c::rd_kafka_event_t) -> c_int;
    pub(in super::super) fn rd_kafka_error_code(error: *const c::rd_kafka_error_t) -> c_int;
    pub(in super::super) fn rd_kafka_metadata(
        client: *mut c::rd_kafka_t,
        all_topics: c_int,
        only_topic: *mut c::rd_kafka_topic_t,
        found: *mut *const c::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_fatal_error(
        client: *mut c::rd_kafka_t,
        text: *mut c_char,
        text_size: usize,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_topic_result_error(
        result: *const c::rd_kafka_topic_result_t,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_last_error() -> c_int;
    pub(in super::super) fn rd_kafka_message_headers(
        message: *const c::rd_kafka_message_t,
        headers: *mut *mut c::rd_kafka_headers_t,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_header_get_all(
        headers: *const c::rd_kafka_headers_t,
        index: usize,
        name: *mut *const c_char,
        value: *mut *const c_void,
        size: *mut usize,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_query_watermark_offsets(
        client: *mut c::rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_offsets_for_times(
        client: *mut c::rd_kafka_t,
        offsets: *mut c::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_committed(
        client: *mut c::rd_kafka_t,
        partitions: *mut c::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_list_groups(
        client: *mut c::rd_kafka_t,
        group: *const c_char,
        found: *mut *const c::rd_kafka_group_list,
        timeout_ms: c_int,
    ) -> c_int;
    pub(in super::super) fn rd_kafka_ConfigResource_error(
        resource: *const c::rd_kafka_ConfigResource_t,
    ) -> c_int;
}

/// The number in a field of one of librdkafka's structures.
///
/// # Safety
/// `field` points to such a field, of a structure that is alive.
pub(in super::super) unsafe fn read(field: *const Code) -> i32 {
    // SAFETY: as the caller says; the enum is laid out as the number.
    unsafe { field.cast::<i32>().read() }
}
