//! A recorded record as Avro: its schema, how it is written, and how it is read without a copy.

use std::fmt::Write as _;

use super::{Header, Recorded};
use crate::encode::wire::{push_count, push_long};

/// The schema of a recorded record.
pub const SCHEMA: &str = r#"{
  "type": "record", "name": "Recorded", "namespace": "tidegate",
  "doc": "A record of a topic, as it lay there.",
  "fields": [
    { "name": "topic", "type": "string" },
    { "name": "partition", "type": ["null", "int"], "doc": "null: the topic has no partitions" },
    { "name": "position", "type": "string", "doc": "Kafka: the offset; Pulsar: ledger:entry:place" },
    { "name": "timestamp", "type": { "type": "long", "logicalType": "timestamp-millis" }, "doc": "-1: none" },
    { "name": "key", "type": ["null", "bytes"] },
    { "name": "headers", "type": { "type": "array", "items": {
      "type": "record", "name": "Header", "fields": [
        { "name": "name", "type": "string" },
        { "name": "value", "type": ["null", "bytes"] } ] } } },
    { "name": "value", "type": ["null", "bytes"], "doc": "with the framing that it had; null: a tombstone" }
  ] }"#;

/// A record as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lying<'a> {
    pub(super) topic: &'a [u8],
    pub(super) partition: Option<u32>,
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

/// Appends a record.
pub(super) fn push(out: &mut Vec<u8>, topic: &str, record: &Recorded<'_>, text: &mut String) {
    push_bytes(out, topic.as_bytes());
    match record.partition {
        None => out.push(0),
        Some(number) => {
            push_count(out, 1);
            push_long(out, i64::from(number));
        }
    }
    text.clear();
    if let Some(position) = record.position {
        // Writing to a string does not fail.
        _ = write!(text, "{position}");
    }
    push_bytes(out, text.as_bytes());
    push_long(out, record.timestamp_ms);
    push_optional(out, record.key);
    if !record.headers.is_empty() {
        push_count(out, record.headers.len());
        for (name, value) in record.headers {
            push_bytes(out, String::from_utf8_lossy(name).as_bytes());
            push_optional(out, *value);
        }
    }
    out.push(0);
    push_optional(out, record.value);
}

pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn push_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.push(0),
        Some(bytes) => {
            push_count(out, 1);
            push_bytes(out, bytes);
        }
    }
}

/// Takes the next record off the bytes, and puts its headers in the place of others; none if the bytes are
/// not what they should be.
pub(super) fn take<'a>(rest: &mut &'a [u8], headers: &mut Vec<Header<'a>>) -> Option<Lying<'a>> {
    let topic = bytes(rest)?;
    let partition = match long(rest)? {
        0 => None,
        1 => Some(u32::try_from(long(rest)?).ok()?),
        _ => return None,
    };
    let _position = bytes(rest)?;
    let timestamp_ms = long(rest)?;
    let key = optional(rest)?;
    headers.clear();
    loop {
        let mut count = long(rest)?;
        if count < 0 {
            // Other writers tell the size of a block of items, with the count below 0.
            long(rest)?;
            count = count.checked_neg()?;
        }
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let name = bytes(rest)?;
            headers.push((name, optional(rest)?));
        }
    }
    let value = optional(rest)?;
    Some(Lying { topic, partition, timestamp_ms, key, value })
}

/// A number as Avro writes it.
pub(super) fn long(rest: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

pub(super) fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(long(rest)?).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[expect(
    clippy::option_option,
    reason = "the outer one is what is damaged, the inner what is there"
)]
fn optional<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match long(rest)? {
        0 => Some(None),
        1 => bytes(rest).map(Some),
        _ => None,
    }
}
