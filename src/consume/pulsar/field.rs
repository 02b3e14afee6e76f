//! The few fields of a message's metadata that a reader needs, read where they lie.
//!
//! Metadata is Protocol Buffers; there is some of it for each message of a batch, so it is read by hand and
//! nothing is allocated.

/// It is no Protocol Buffers message, or lacks what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, one after the other.
#[derive(Clone, Copy, Debug)]
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next field's number and value.
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.bytes(8)?),
            2 => {
                let count = self.varint()?;
                Value::Bytes(self.bytes(count)?)
            }
            5 => Value::Bytes(self.bytes(4)?),
            _ => return Err(Malformed),
        };
        Ok(Some((tag >> 3, value)))
    }
}

/// A message's properties, in their order.
#[derive(Clone, Debug)]
pub(super) struct Properties<'a> {
    fields: Fields<'a>,
    /// The field that holds each of them.
    number: u64,
}

impl<'a> Iterator for Properties<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Ok(Some((number, value))) = self.fields.next() {
            let (true, Value::Bytes(pair)) = (number == self.number, value) else { continue };
            let mut fields = Fields { rest: pair };
            let (mut name, mut text) = (&[][..], &[][..]);
            while let Ok(Some((number, Value::Bytes(bytes)))) = fields.next() {
                match number {
                    1 => name = bytes,
                    2 => text = bytes,
                    _ => {}
                }
            }
            return Some((name, Some(text)));
        }
        None
    }
}

/// What is said of one message: in its batch, or of an entry that is no batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct About<'a> {
    /// Its key, if it has one: text, or Base64.
    pub(super) key: Option<&'a [u8]>,
    /// Whether the key is Base64.
    pub(super) key_is_base64: bool,
    /// Whether it is a tombstone.
    pub(super) is_null: bool,
    /// Whether it was compacted away, though its batch is still there.
    pub(super) is_compacted_out: bool,
    /// How long its value is, in bytes.
    pub(super) value_bytes: usize,
    /// What has its properties, if there are any, and the number of their field.
    properties: Option<(&'a [u8], u64)>,
}

impl<'a> About<'a> {
    /// Reads the metadata of a message in a batch (`SingleMessageMetadata`).
    pub(super) fn of_single(metadata: &'a [u8]) -> Result<Self, Malformed> {
        let mut about = Self::default();
        let mut value_bytes = None;
        let mut key_is_null = false;
        let mut fields = Fields { rest: metadata };
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(_)) => about.properties = Some((metadata, 1)),
                (2, Value::Bytes(key)) => about.key = Some(key),
                (3, Value::Number(bytes)) => value_bytes = Some(bytes),
                (4, Value::Number(number)) => about.is_compacted_out = number != 0,
                (6, Value::Number(number)) => about.key_is_base64 = number != 0,
                (9, Value::Number(number)) => about.is_null = number != 0,
                (10, Value::Number(number)) => key_is_null = number != 0,
                _ => {}
            }
        }
        about.key = about.key.filter(|_| !key_is_null);
        // A negative number has its upper bits set.
        let value_bytes = value_bytes.and_then(|bytes| u32::try_from(bytes).ok());
        about.value_bytes = value_bytes.ok_or(Malformed)? as usize;
        Ok(about)
    }

    /// Its properties, in their order.
    pub(super) fn properties(&self) -> Properties<'a> {
        let (rest, number) = self.properties.unwrap_or_default();
        Properties { fields: Fields { rest }, number }
    }
}

/// A part of a message that is too large for one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// What all its parts have in common.
    pub(super) id: &'a [u8],
    /// Which part it is, from 0.
    pub(super) number: u64,
    /// How many parts there are.
    pub(super) count: u64,
}

/// What is said of an entry (`MessageMetadata`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    /// When it was published, in milliseconds since the Unix epoch.
    pub(super) publish_time_ms: i64,
    /// How it is compressed, by Pulsar's number; 0: it is not.
    pub(super) compression: u64,
    /// How long it is once it is decompressed, in bytes.
    pub(super) uncompressed_bytes: u64,
    /// How many messages it has; none: it is one message, and no batch.
    pub(super) batch_count: Option<u64>,
    /// Whether it is encrypted.
    pub(super) is_encrypted: bool,
    /// Which part of a message it is, if it is one.
    pub(super) chunk: Option<Chunk<'a>>,
    /// What is said of the message, if it is no batch.
    pub(super) about: About<'a>,
}

impl<'a> Metadata<'a> {
    /// Reads it.
    pub(super) fn read(metadata: &'a [u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        let mut published_ms = None;
        let mut key_is_null = false;
        let mut chunk = Chunk { id: &[], number: 0, count: 0 };
        let about = &mut read.about;
        let mut fields = Fields { rest: metadata };
        while let Some(field) = fields.next()? {
            match field {
                (3, Value::Number(at_ms)) => published_ms = i64::try_from(at_ms).ok(),
                (4, Value::Bytes(_)) => about.properties = Some((metadata, 4)),
                (6, Value::Bytes(key)) => about.key = Some(key),
                (8, Value::Number(kind)) => read.compression = kind,
                (9, Value::Number(bytes)) => read.uncompressed_bytes = bytes,
                (11, Value::Number(count)) => read.batch_count = Some(count),
                (13, Value::Bytes(_)) => read.is_encrypted = true,
                (17, Value::Number(number)) => about.key_is_base64 = number != 0,
                (25, Value::Number(number)) => about.is_null = number != 0,
                (26, Value::Bytes(id)) => chunk.id = id,
                (27, Value::Number(count)) => chunk.count = count,
                (29, Value::Number(number)) => chunk.number = number,
                (30, Value::Number(number)) => key_is_null = number != 0,
                _ => {}
            }
        }
        about.key = about.key.filter(|_| !key_is_null);
        read.publish_time_ms = published_ms.ok_or(Malformed)?;
        read.chunk = (chunk.count > 1).then_some(chunk);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};
    use prost::Message as _;
    use pulsar::message::proto::{
        EncryptionKeys, KeyValue, MessageMetadata, SingleMessageMetadata,
    };

    use super::*;

    type Pairs = Vec<(String, String)>;

    fn pairs(pairs: &Pairs) -> Vec<KeyValue> {
        let pairs = pairs.iter().cloned();
        pairs.map(|(key, value)| KeyValue { key, value }).collect()
    }

    fn read(properties: Properties<'_>) -> Pairs {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        properties.map(|(name, value)| (text(name), text(value.unwrap()))).collect()
    }

    proptest! {
        #[test]
        fn a_message_of_a_batch_is_read_as_prost_writes_it(
            properties in prop::collection::vec(("[a-z]{0,9}", "\\PC{0,200}"), 0..4),
            key in any::<Option<String>>(),
            flags in any::<[Option<bool>; 4]>(),
            payload_size in 0..i32::MAX,
            (event_time, sequence_id) in any::<(Option<u64>, Option<u64>)>(),
            ordering_key in any::<Option<Vec<u8>>>(),
        ) {
            let [is_base64, is_null, key_is_null, is_compacted_out] = flags;
            let written = SingleMessageMetadata {
                properties: pairs(&properties),
                partition_key: key.clone(),
                payload_size,
                compacted_out: is_compacted_out,
                event_time,
                partition_key_b64_encoded: is_base64,
                ordering_key,
                sequence_id,
                null_value: is_null,
                null_partition_key: key_is_null,
            };
            let bytes = written.encode_to_vec();
            let about = About::of_single(&bytes).unwrap();
            let key = key.as_deref().filter(|_| key_is_null != Some(true)).map(str::as_bytes);
            assert_eq!(about.key, key);
            assert_eq!(about.key_is_base64, is_base64.unwrap_or(false));
            assert_eq!(about.is_null, is_null.unwrap_or(false));
            assert_eq!(about.is_compacted_out, is_compacted_out.unwrap_or(false));
            assert_eq!(i32::try_from(about.value_bytes), Ok(payload_size));
            assert_eq!(read(about.properties()), properties);
        }

        #[test]
        fn an_entry_is_read_as_prost_writes_it(
            properties in prop::collection::vec(("[a-z]{0,9}", "\\PC{0,200}"), 0..4),
            key in any::<Option<String>>(),
            flags in any::<[Option<bool>; 3]>(),
            publish_time in 0..u64::MAX / 2,
            compression in 0..5_i32,
            (uncompressed_size, num_messages_in_batch) in (any::<Option<u32>>(), any::<Option<u16>>()),
            (uuid, number, count) in (".{0,9}", 0..99_i32, 0..99_i32),
            is_encrypted: bool,
        ) {
            let [is_base64, is_null, key_is_null] = flags;
            let encryption = EncryptionKeys { key: "k".to_owned(), ..EncryptionKeys::default() };
            let written = MessageMetadata {
                producer_name: "somebody".to_owned(),
                sequence_id: u64::MAX,
                publish_time,
                properties: pairs(&properties),
                partition_key: key.clone(),
                replicate_to: vec!["elsewhere".to_owned()],
                compression: Some(compression),
                uncompressed_size,
                num_messages_in_batch: num_messages_in_batch.map(i32::from),
                encryption_keys: is_encrypted.then_some(encryption).into_iter().collect(),
                schema_version: Some(vec![0; 8]),
                partition_key_b64_encoded: is_base64,
                null_value: is_null,
                null_partition_key: key_is_null,
                uuid: Some(uuid.clone()),
                num_chunks_from_msg: Some(count),
                chunk_id: Some(number),
                ..MessageMetadata::default()
            };
            let bytes = written.encode_to_vec();
            let metadata = Metadata::read(&bytes).unwrap();
            let key = key.as_deref().filter(|_| key_is_null != Some(true)).map(str::as_bytes);
            assert_eq!(metadata.about.key, key);
            assert_eq!(metadata.about.key_is_base64, is_base64.unwrap_or(false));
            assert_eq!(metadata.about.is_null, is_null.unwrap_or(false));
            assert_eq!(metadata.publish_time_ms.cast_unsigned(), publish_time);
            assert_eq!(metadata.compression, u64::from(compression.unsigned_abs()));
            assert_eq!(metadata.uncompressed_bytes, u64::from(uncompressed_size.unwrap_or(0)));
            assert_eq!(metadata.batch_count, num_messages_in_batch.map(u64::from));
            assert_eq!(metadata.is_encrypted, is_encrypted);
            let (number, count) = (number.unsigned_abs().into(), count.unsigned_abs().into());
            let chunk = Chunk { id: uuid.as_bytes(), number, count };
            assert_eq!(metadata.chunk, (count > 1).then_some(chunk));
            assert_eq!(read(metadata.about.properties()), properties);
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes: Vec<u8>) {
            // Neither may panic.
            let single = About::of_single(&bytes).map(|about| about.properties().count());
            let entry = Metadata::read(&bytes).map(|metadata| metadata.about.properties().count());
            assert!(single.is_ok() || single == Err(Malformed));
            assert!(entry.is_ok() || entry == Err(Malformed));
        }
    }

    #[test]
    fn a_length_that_makes_no_sense_is_refused() {
        let negative =
            SingleMessageMetadata { payload_size: -1, ..SingleMessageMetadata::default() };
        assert_eq!(About::of_single(&negative.encode_to_vec()), Err(Malformed));
        assert_eq!(About::of_single(&[]), Err(Malformed));
    }
}
