//! Batches: messages laid out one after the other, as the broker stores them.
//!
//! A message of a batch is `[length][SingleMessageMetadata][value]`; the metadata is written here
//! field by field, because there is one of it an event.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;

use super::options::Compression;

/// Field numbers of `SingleMessageMetadata` with their wire types: 0 a number, 2 bytes.
mod tag {
    pub(crate) const PROPERTY: u8 = 1 << 3 | 2;
    pub(crate) const KEY: u8 = 2 << 3 | 2;
    pub(crate) const VALUE_BYTES: u8 = 3 << 3;
    pub(crate) const EVENT_TIME: u8 = 5 << 3;
    pub(crate) const KEY_IS_BASE64: u8 = 6 << 3;
    pub(crate) const SEQUENCE_ID: u8 = 8 << 3;
    pub(crate) const IS_NULL: u8 = 9 << 3;
    /// Of a property: its name, its value.
    pub(crate) const NAME: u8 = 1 << 3 | 2;
    pub(crate) const TEXT: u8 = 2 << 3 | 2;
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    /// Its key.
    pub(crate) key: Option<&'a [u8]>,
    /// Whether keys are bytes, which travel as Base64.
    pub(crate) binary_key: bool,
    /// Its value; None: whom the key names is gone.
    pub(crate) value: Option<&'a [u8]>,
    /// Milliseconds since the Unix epoch.
    pub(crate) event_time_ms: Option<u64>,
    /// Where it stands in its producer's order.
    pub(crate) sequence_id: u64,
}

/// What a receipt needs to know of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When it was intended, in nanoseconds since the Unix epoch.
    pub(crate) intended_ns: i64,
    /// When it was due, in microseconds of model time since the Unix epoch.
    pub(crate) due_us: i64,
    /// Bytes of key and value.
    pub(crate) bytes: u32,
    /// The number of its stream.
    pub(crate) stream: u16,
}

/// Messages that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The messages.
    pub(crate) body: Vec<u8>,
    /// One for each.
    pub(crate) sent: Vec<Sent>,
    /// The first and the last sequence id.
    pub(crate) ids: (u64, u64),
    /// The key that all have, as text, if they have one in common.
    pub(crate) key: Option<Vec<u8>>,
    /// Whether that text is Base64.
    pub(crate) key_is_base64: bool,
    /// When the first one came, in nanoseconds since the Unix epoch.
    pub(crate) begun_ns: i64,
}

impl Batch {
    /// Adds a message, and what `properties` writes as its properties (see [`put_property`]).
    pub(crate) fn push(
        &mut self,
        message: &Message<'_>,
        sent: Sent,
        properties: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.sent.is_empty() {
            self.ids.0 = message.sequence_id;
        }
        self.ids.1 = message.sequence_id;
        self.sent.push(sent);
        let value = message.value.unwrap_or_default();
        self.body.reserve(value.len() + message.key.map_or(0, <[u8]>::len) + 64);
        let start = self.body.len();
        self.body.extend_from_slice(&[0; 4]);
        properties(&mut self.body);
        if let Some(key) = message.key {
            let key = text_of(key, message.binary_key);
            put_bytes(&mut self.body, tag::KEY, key.as_ref());
        }
        put_number(&mut self.body, tag::VALUE_BYTES, value.len() as u64);
        if let Some(at_ms) = message.event_time_ms {
            put_number(&mut self.body, tag::EVENT_TIME, at_ms);
        }
        if message.key.is_some() && message.binary_key {
            put_number(&mut self.body, tag::KEY_IS_BASE64, 1);
        }
        put_number(&mut self.body, tag::SEQUENCE_ID, message.sequence_id);
        if message.value.is_none() {
            put_number(&mut self.body, tag::IS_NULL, 1);
        }
        let length = self.body.len() - start - 4;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.body[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self.body.extend_from_slice(value);
    }

    /// Notes the key that all its messages have in common with this one.
    pub(crate) fn has_key_of(&mut self, message: &Message<'_>) {
        self.key = message.key.map(|key| text_of(key, message.binary_key).into_owned());
        self.key_is_base64 = message.key.is_some() && message.binary_key;
    }

    /// The number of messages.
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }
}

/// A key as text: keys that are bytes travel as Base64.
fn text_of(key: &[u8], is_binary: bool) -> Cow<'_, [u8]> {
    use base64::Engine as _;
    if is_binary {
        Cow::Owned(base64::engine::general_purpose::STANDARD.encode(key).into_bytes())
    } else {
        Cow::Borrowed(key)
    }
}

/// Writes a property.
pub(crate) fn put_property(into: &mut Vec<u8>, name: &str, value: &[u8]) {
    let part = |bytes: &[u8]| 1 + varint_bytes(bytes.len() as u64) + bytes.len();
    into.push(tag::PROPERTY);
    put_varint(into, (part(name.as_bytes()) + part(value)) as u64);
    put_bytes(into, tag::NAME, name.as_bytes());
    put_bytes(into, tag::TEXT, value);
}

fn put_bytes(into: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    into.push(tag);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn put_number(into: &mut Vec<u8>, tag: u8, number: u64) {
    into.push(tag);
    put_varint(into, number);
}

fn put_varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 1 << 7 {
        into.push(number.to_le_bytes()[0] | 1 << 7);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

fn varint_bytes(number: u64) -> usize {
    (number.max(1).ilog2() / 7 + 1) as usize
}

/// A batch's messages as they are sent.
///
/// # Panics
///
/// If a compressor refuses to write to memory: our own bug.
pub(crate) fn compressed(body: Vec<u8>, by: Compression) -> Bytes {
    let done = match by {
        Compression::None => Ok(body),
        Compression::Lz4 => lz4::block::compress(&body, None, false),
        Compression::Zlib => zlib(&body),
        Compression::Zstd => zstd::bulk::compress(&body, zstd::DEFAULT_COMPRESSION_LEVEL),
        Compression::Snappy => {
            snap::raw::Encoder::new().compress_vec(&body).map_err(std::io::Error::other)
        }
    };
    assert!(done.is_ok(), "memory can be written to: {done:?}");
    Bytes::from(done.unwrap_or_default())
}

fn zlib(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let level = flate2::Compression::default();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use pulsar::message::proto::{KeyValue, SingleMessageMetadata};

    use super::*;

    const SENT: Sent = Sent { intended_ns: 0, due_us: 0, bytes: 0, stream: 0 };

    fn read(mut body: &[u8]) -> Vec<(SingleMessageMetadata, Vec<u8>)> {
        let mut messages = Vec::new();
        while !body.is_empty() {
            let length = u32::from_be_bytes(*body.first_chunk().unwrap()) as usize;
            let metadata = SingleMessageMetadata::decode(&body[4..4 + length]).unwrap();
            let end = 4 + length + usize::try_from(metadata.payload_size).unwrap();
            messages.push((metadata, body[4 + length..end].to_vec()));
            body = &body[end..];
        }
        messages
    }

    #[test]
    fn what_is_written_by_hand_is_read_by_prost() {
        let mut batch = Batch::default();
        let message = Message {
            key: Some(b"acct-1"),
            binary_key: false,
            value: Some(b"value"),
            event_time_ms: Some(1_772_442_000_000),
            sequence_id: (1 << 63) - 1,
        };
        batch.push(&message, SENT, |into| put_property(into, "tidegate-id", b"0a"));
        let gone =
            Message { value: None, sequence_id: 1 << 27, binary_key: true, ..message.clone() };
        batch.push(&gone, SENT, |_| ());
        let bare = Message { key: None, event_time_ms: None, sequence_id: 200, ..message };
        batch.push(&bare, SENT, |_| ());
        let seen = read(&batch.body);
        let first = SingleMessageMetadata {
            properties: vec![KeyValue { key: "tidegate-id".to_owned(), value: "0a".to_owned() }],
            partition_key: Some("acct-1".to_owned()),
            payload_size: 5,
            event_time: Some(1_772_442_000_000),
            sequence_id: Some((1 << 63) - 1),
            ..SingleMessageMetadata::default()
        };
        assert_eq!(seen[0], (first.clone(), b"value".to_vec()));
        let second = SingleMessageMetadata {
            properties: Vec::new(),
            partition_key: Some("YWNjdC0x".to_owned()),
            partition_key_b64_encoded: Some(true),
            payload_size: 0,
            sequence_id: Some(1 << 27),
            null_value: Some(true),
            ..first
        };
        assert_eq!(seen[1], (second, Vec::new()));
        assert_eq!(seen[2].0.sequence_id, Some(200));
        assert_eq!((seen[2].0.partition_key.as_ref(), seen[2].0.event_time), (None, None));
        assert_eq!((batch.len(), batch.ids), (3, ((1 << 63) - 1, 200)));
    }

    #[test]
    fn the_length_of_a_number_is_known_before_it_is_written() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            assert_eq!(bytes.len(), varint_bytes(number), "{number}");
        }
    }
}
