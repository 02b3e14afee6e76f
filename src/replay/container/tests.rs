//! What any Avro reader sees in a file, and what is left of one that is damaged.

use std::io::Write as _;

use apache_avro::types::Value;
use proptest::prelude::{any, prop_assert, proptest};

use super::*;
use crate::consume::Position;
use crate::replay::{Header, wire};

fn record<'a>(number: u64, value: &'a [u8], headers: &'a [Header<'a>]) -> Recorded<'a> {
    Recorded {
        topic: 0,
        partition: Some(3),
        position: Some(Position::of_offset(number)),
        timestamp_ms: 1_772_409_600_000,
        key: (!number.is_multiple_of(3)).then_some(b"key"),
        headers,
        value: (!number.is_multiple_of(5)).then_some(value),
    }
}

/// A file of so many records, in blocks of a hundred.
fn written(path: &Path, count: u64) {
    let mut writer = Writer::create(path, &["t".to_owned()]).unwrap();
    let headers: [Header<'_>; 2] = [(b"a", Some(b"1")), (b"b", None)];
    for number in 0..count {
        writer.push("t", &record(number, &number.to_be_bytes().repeat(9), &headers)).unwrap();
        if number % 100 == 99 {
            writer.end_block().unwrap();
        }
    }
    writer.finish().unwrap();
}

/// All values, and what could not be read.
fn read(path: &Path) -> (Vec<Option<Vec<u8>>>, Vec<Damage>) {
    let mut reader = Reader::open(path).unwrap();
    let (mut values, mut data) = (Vec::new(), Vec::new());
    while reader.next(&mut data).unwrap() {
        let (mut rest, mut headers) = (data.as_slice(), Vec::new());
        while !rest.is_empty() {
            let lying = wire::take(&mut rest, &mut headers).unwrap();
            assert_eq!(headers, [(&b"a"[..], Some(&b"1"[..])), (&b"b"[..], None)]);
            values.push(lying.value.map(<[u8]>::to_vec));
        }
    }
    (values, reader.damages().to_vec())
}

#[test]
fn any_avro_reader_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.avro");
    written(&path, 1_000);
    let reader = apache_avro::Reader::new(File::open(&path).unwrap()).unwrap();
    let all: Vec<Value> = reader.map(Result::unwrap).collect();
    assert_eq!(all.len(), 1_000);
    let Value::Record(fields) = &all[7] else { panic!("{:?}", all[7]) };
    let optional = |value: &[u8]| Value::Union(1, Box::new(Value::Bytes(value.to_vec())));
    let header = |name: &str, value| {
        Value::Record(vec![("name".into(), Value::String(name.into())), ("value".into(), value)])
    };
    let none = || Value::Union(0, Box::new(Value::Null));
    let expected: [(&str, Value); 7] = [
        ("topic", Value::String("t".into())),
        ("partition", Value::Union(1, Box::new(Value::Int(3)))),
        ("position", Value::String("7".into())),
        ("timestamp", Value::TimestampMillis(1_772_409_600_000)),
        ("key", optional(b"key")),
        ("headers", Value::Array(vec![header("a", optional(b"1")), header("b", none())])),
        ("value", optional(&7_u64.to_be_bytes().repeat(9))),
    ];
    assert_eq!(*fields, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn what_other_tools_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("a.avro"), folder.path().join("b.avro"));
    written(&ours, 250);
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    for value in apache_avro::Reader::new(File::open(&ours).unwrap()).unwrap() {
        writer.append_value(value.unwrap()).unwrap();
    }
    std::fs::write(&theirs, writer.into_inner().unwrap()).unwrap();
    assert_eq!(read(&theirs), read(&ours));
    assert_eq!(Reader::open(&theirs).unwrap().topics(), None);
}

#[test]
fn a_file_that_is_cut_gives_its_whole_blocks_and_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.avro");
    written(&path, 1_000);
    let whole = std::fs::read(&path).unwrap();
    let (all, damages) = read(&path);
    assert_eq!((all.len(), damages.len()), (1_000, 0));
    let cut = whole.len() - 100;
    std::fs::write(&path, &whole[..cut]).unwrap();
    let (values, damages) = read(&path);
    assert_eq!(values, all[..900]);
    let [damage] = &damages[..] else { panic!("{damages:?}") };
    assert_eq!((damage.records, damage.to), (900, cut as u64));
    assert!(damage.from < damage.to && damage.to_string().contains("cut off"), "{damage}");
    // Not even the header.
    std::fs::write(&path, &whole[..50]).unwrap();
    let (values, damages) = read(&path);
    assert_eq!((values.len(), damages.len()), (0, 1));
}

#[test]
fn what_is_no_recording_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.avro");
    File::create(&path).unwrap().write_all(b"not a container of anything").unwrap();
    let error = Reader::open(&path).unwrap_err().to_string();
    assert!(error.contains("a.avro is no recording"), "{error}");
    let schema = Schema::parse_str("\"string\"").unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    writer.append_value("x").unwrap();
    std::fs::write(&path, writer.into_inner().unwrap()).unwrap();
    let error = Reader::open(&path).unwrap_err().to_string();
    assert!(error.contains("tidegate.Recorded"), "{error}");
}

proptest! {
    // Whichever bit is wrong, at most the block that it lies in is lost, and no wrong record is given.
    #[test]
    fn a_wrong_bit_costs_one_block_at_most(place in any::<proptest::sample::Index>(), bit in 0..8_u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.avro");
        written(&path, 500);
        let (all, _) = read(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let header = bytes.windows(16).position(|it| it == &bytes[bytes.len() - 16..]).unwrap() + 16;
        let at = header + place.index(bytes.len() - header);
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let (values, damages) = read(&path);
        // How many records a block has is not needed to read them.
        prop_assert!(damages.len() == 1 || values.len() == all.len(), "{damages:?}");
        // A wrong mark between blocks takes the block before it and, being no mark, the one behind.
        let lost = all.len() - values.len();
        prop_assert!([0, 100, 200].contains(&lost), "{lost} records are lost");
        prop_assert!(values.iter().all(|value| all.contains(value)));
    }
}
