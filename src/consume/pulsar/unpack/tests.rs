//! Unpacking: what the sink lays out, what makes no sense, and where it begins.

use bytes::{Buf as _, BufMut as _, BytesMut};
use proptest::prelude::{any, proptest};
use prost::Message as _;
use pulsar::message::proto::{
    CommandSend, CompressionType, EncryptionKeys, KeyValue, MessageMetadata, SingleMessageMetadata,
};

use super::*;
use crate::publish::pulsar::batch::{self, Batch as Written, Message, Sent, put_property};
use crate::publish::pulsar::frame;
use crate::publish::pulsar::options::Compression;

const ID: Id = (7, 3);

type Read = (Position, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);

/// What a frame has after its command.
fn rest(metadata: &MessageMetadata, body: impl Into<Bytes>) -> Bytes {
    let mut bytes = frame::messages(CommandSend::default(), metadata, body.into()).bytes();
    bytes.advance(4);
    let length = bytes.get_u32() as usize;
    bytes.advance(length);
    bytes.copy_to_bytes(bytes.remaining())
}

fn metadata() -> MessageMetadata {
    MessageMetadata {
        producer_name: "somebody".to_owned(),
        publish_time: 1_000,
        ..MessageMetadata::default()
    }
}

/// A batch's metadata.
fn batched(count: i32) -> MessageMetadata {
    MessageMetadata { num_messages_in_batch: Some(count), ..metadata() }
}

fn single_message(about: &SingleMessageMetadata, value: &[u8]) -> Vec<u8> {
    let payload_size = i32::try_from(value.len()).unwrap();
    let about = SingleMessageMetadata { payload_size, ..about.clone() }.encode_to_vec();
    let mut bytes = BytesMut::new();
    bytes.put_u32(u32::try_from(about.len()).unwrap());
    bytes.put_slice(&about);
    bytes.put_slice(value);
    bytes.to_vec()
}

fn take(unpacking: &mut Unpacking, id: Id, rest: Bytes, page: &mut Page) -> Result<(), Fault> {
    unpacking.take(Entry::new(id, rest), page)?;
    unpacking.go_on(page)
}

fn all(page: &Page) -> Vec<Read> {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let records = page.records.iter().map(|record| {
        let headers = page.headers(record);
        let headers = headers.map(|(name, value)| (name.to_vec(), value.unwrap().to_vec()));
        (record.position, own(page.key(record)), own(page.value(record)), headers.collect())
    });
    records.collect()
}

fn read(rest: Bytes) -> Result<Vec<Read>, String> {
    let mut page = Page::default();
    let taken = take(&mut Unpacking::default(), ID, rest, &mut page);
    taken.map_err(|fault| fault.reason).map(|()| all(&page))
}

fn key_and_value(key: &str, value: &str) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    (Some(key.as_bytes().to_vec()), Some(value.as_bytes().to_vec()))
}

#[test]
fn what_the_sink_lays_out_is_read_however_it_is_compressed() {
    let mut written = Written::default();
    let message = Message {
        key: Some(b"acct-1"),
        binary_key: false,
        value: Some(b"a value a value a value"),
        event_time_ms: Some(1_772_442_000_000),
        sequence_id: (1 << 63) - 1,
    };
    let sent = Sent { intended_ns: 0, due_us: 0, bytes: 0, stream: 0 };
    written.push(&message, sent, |into| {
        put_property(into, "tidegate-id", b"0a");
        put_property(into, "", b"");
    });
    let gone = Message { key: Some(&[0, 255]), binary_key: true, value: None, ..message.clone() };
    written.push(&gone, sent, |_| ());
    written.push(&Message { key: None, value: Some(b""), ..message }, sent, |_| ());
    let (key, value) = key_and_value("acct-1", "a value a value a value");
    let headers = vec![(b"tidegate-id".to_vec(), b"0a".to_vec()), (Vec::new(), Vec::new())];
    let expected = [
        (position(ID, 0), key, value, headers),
        (position(ID, 1), Some(vec![0, 255]), None, Vec::new()),
        (position(ID, 2), None, Some(Vec::new()), Vec::new()),
    ];
    for (by, kind) in [
        (Compression::None, CompressionType::None),
        (Compression::Lz4, CompressionType::Lz4),
        (Compression::Zlib, CompressionType::Zlib),
        (Compression::Zstd, CompressionType::Zstd),
        (Compression::Snappy, CompressionType::Snappy),
    ] {
        let metadata = MessageMetadata {
            compression: Some(kind.into()),
            uncompressed_size: u32::try_from(written.body.len()).ok(),
            ..batched(3)
        };
        let body = batch::compressed(written.body.clone(), by);
        assert_eq!(read(rest(&metadata, body)).unwrap(), expected, "{by:?}");
        if by != Compression::None {
            let wrong = MessageMetadata { uncompressed_size: Some(5), ..metadata.clone() };
            let body = batch::compressed(written.body.clone(), by);
            assert!(read(rest(&wrong, body)).is_err(), "{by:?}");
            assert!(read(rest(&metadata, "no such thing")).is_err(), "{by:?}");
        }
    }
}

#[test]
fn an_entry_that_is_no_batch_is_one_message() {
    let metadata = MessageMetadata {
        properties: vec![KeyValue { key: "a".to_owned(), value: "1".to_owned() }],
        partition_key: Some("k".to_owned()),
        ..metadata()
    };
    let (key, value) = key_and_value("k", "v");
    let headers = vec![(b"a".to_vec(), b"1".to_vec())];
    assert_eq!(read(rest(&metadata, "v")).unwrap(), [(position(ID, 0), key, value, headers)]);
    let gone = MessageMetadata { null_value: Some(true), ..metadata };
    assert_eq!(read(rest(&gone, "")).unwrap()[0].2, None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let told = |rest: Bytes| read(rest).unwrap_err();
    let good = rest(&metadata(), "value");
    let mut bytes = good.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(told(bytes.into()).starts_with("its checksum is another one"));
    assert_eq!(told(Bytes::new()), "it is shorter than it says");
    let keys = vec![EncryptionKeys { key: "k".to_owned(), ..EncryptionKeys::default() }];
    let encrypted = MessageMetadata { encryption_keys: keys, ..metadata() };
    assert!(told(rest(&encrypted, "?")).starts_with("it is encrypted"));
    assert!(told(rest(&batched(70_000), "?")).contains("more than 65536 messages"));
    assert_eq!(told(rest(&batched(1), "?")), "what is said of it in its batch is damaged");
    let large = MessageMetadata {
        compression: Some(CompressionType::Lz4.into()),
        uncompressed_size: Some(u32::MAX),
        ..metadata()
    };
    assert!(told(rest(&large, "?")).contains("more than the 268435456 that we take"));
    let key = MessageMetadata {
        partition_key: Some("!".to_owned()),
        partition_key_b64_encoded: Some(true),
        ..metadata()
    };
    assert!(told(rest(&key, "v")).starts_with("its key is said to be Base64, and is not"));
}

#[test]
fn a_batch_is_gone_on_with_in_its_middle_and_where_a_page_was_full() {
    let about = SingleMessageMetadata::default();
    let body = single_message(&about, &vec![1; 300 << 10]).repeat(5);
    let from = position(ID, 1);
    let mut unpacking = Unpacking::new(Some(from), None);
    let mut page = Page::default();
    // What comes before the position is left out, a whole entry too.
    take(&mut unpacking, (7, 2), rest(&batched(5), body.clone()), &mut page).unwrap();
    assert!(page.records.is_empty());
    take(&mut unpacking, ID, rest(&batched(5), body), &mut page).unwrap();
    let places = |page: &Page| -> Vec<u16> {
        page.records.iter().map(|record| record.position.message().unwrap().2).collect()
    };
    assert_eq!(places(&page), [1, 2, 3, 4]);
    page.clear();
    unpacking.go_on(&mut page).unwrap();
    assert!(page.records.is_empty());
    // A page of a megabyte or more is full.
    let body = single_message(&about, &vec![1; 600 << 10]).repeat(5);
    take(&mut unpacking, (7, 4), rest(&batched(5), body), &mut page).unwrap();
    assert_eq!(places(&page), [0, 1]);
    page.clear();
    unpacking.go_on(&mut page).unwrap();
    assert_eq!(places(&page), [2, 3]);
}

#[test]
fn nothing_is_handed_out_before_its_time_and_all_from_then_on() {
    let mut unpacking = Unpacking::new(None, Some(1_000));
    let mut page = Page::default();
    for (entry, publish_time) in [(0, 998), (1, 999), (2, 1_000), (3, 999)] {
        let metadata = MessageMetadata { publish_time, ..metadata() };
        take(&mut unpacking, (1, entry), rest(&metadata, "v"), &mut page).unwrap();
    }
    let times: Vec<i64> = page.records.iter().map(|record| record.timestamp_ms).collect();
    assert_eq!(times, [1_000, 999]);
}

#[test]
fn what_was_compacted_away_is_left_out() {
    let there = SingleMessageMetadata::default();
    let gone = SingleMessageMetadata { compacted_out: Some(true), ..there.clone() };
    let body = [single_message(&gone, b"1"), single_message(&there, b"2")].concat();
    let seen = read(rest(&batched(2), body)).unwrap();
    assert_eq!(seen, [(position(ID, 1), None, Some(b"2".to_vec()), Vec::new())]);
}

#[test]
fn parts_of_messages_are_put_together_though_others_come_between() {
    let part = |id: &str, number: i32| MessageMetadata {
        uuid: Some(id.to_owned()),
        num_chunks_from_msg: Some(2),
        chunk_id: Some(number),
        partition_key: Some(id.to_owned()),
        ..metadata()
    };
    let mut unpacking = Unpacking::default();
    let mut page = Page::default();
    for (entry, (id, number, bytes)) in
        (0..).zip([("a", 0, "a0"), ("b", 0, "b0"), ("a", 0, "A0"), ("c", 1, "c1"), ("a", 1, "a1")])
    {
        take(&mut unpacking, (1, entry), rest(&part(id, number), bytes), &mut page).unwrap();
    }
    take(&mut unpacking, (1, 9), rest(&part("b", 0), "B0"), &mut page).unwrap();
    take(&mut unpacking, (1, 10), rest(&part("b", 1), "b1"), &mut page).unwrap();
    let seen = all(&page).into_iter().map(|(at, key, value, _)| (at, key, value));
    let whole = |entry, key, value| {
        let (key, value) = key_and_value(key, value);
        (position((1, entry), 0), key, value)
    };
    assert_eq!(seen.collect::<Vec<_>>(), [whole(4, "a", "A0a1"), whole(10, "b", "B0b1")]);
}

proptest! {
    #[test]
    fn whatever_comes_is_unpacked_or_refused(
        bytes in any::<Vec<u8>>(),
        (count, cut) in (0..9_i32, 0..40_usize),
    ) {
        // None of them may panic.
        drop(read(Bytes::from(bytes.clone())));
        drop(read(rest(&batched(count), bytes)));
        let body = single_message(&SingleMessageMetadata::default(), b"value").repeat(4);
        drop(read(rest(&batched(count), body[..cut.min(body.len())].to_vec())));
    }
}
