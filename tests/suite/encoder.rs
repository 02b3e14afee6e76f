//! Whatever the schema, the fills and the columns: what the encoder writes, apache-avro reads.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers are cut into words"
)]

mod draft;
mod interpreter;
mod json;

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use proptest::prelude::*;
use serde_json::json;
use tidegate::config::model::ValueFormat;
use tidegate::encode::avro::{Encoder, Error, Scratch};
use tidegate::encode::row::{Key, Plan, RowEncoder};
use tidegate::encode::{Fill, Header, HeaderFill, Integer, Piece, Text, headers};
use tidegate::generate::column::{Child, Frame, Register, Wide};

use draft::{Draft, shape};
use interpreter::Interpreter;

fn frame_of(columns: &[&[u32]]) -> Frame {
    let rows = columns.first().map_or(1, |column| column.len());
    let mut frame = Frame::new(columns.len(), rows);
    frame.set_rows(rows);
    for (number, column) in columns.iter().enumerate() {
        frame.column_mut(Register(u16::try_from(number).unwrap())).copy_from_slice(column);
    }
    frame
}

fn encoded(schema: &Schema, fill: &Fill, frame: &Frame) -> Result<Vec<Vec<u8>>, Error> {
    let encoder = Encoder::compile(schema, fill)?;
    let (mut out, mut ends) = (vec![0xee; 3], Vec::new());
    encoder.encode(frame, &mut Scratch::default(), &mut out, &mut ends)?;
    let starts = std::iter::once(3).chain(ends.iter().copied());
    Ok(starts.zip(&ends).map(|(start, &end)| out[start..end].to_vec()).collect())
}

fn decoded(schema: &Schema, datum: &[u8]) -> Value {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let mut rest = datum;
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes stay behind {value:?}", rest.len());
    value
}

/// Encodes one value a row of a schema, checks each against the interpreter, gives the bytes.
fn checked(schema: &serde_json::Value, fill: &Fill, frame: &Frame) -> Vec<Vec<u8>> {
    let schema = Schema::parse(schema).unwrap();
    let datums = encoded(&schema, fill, frame).unwrap();
    assert_eq!(datums.len(), frame.rows());
    let interpreter = Interpreter::new(&schema);
    for (row, datum) in datums.iter().enumerate() {
        assert_eq!(decoded(&schema, datum), interpreter.value(&schema, fill, frame, row));
    }
    datums
}

proptest! {
    /// Our bytes are what apache-avro reads as the value that the columns say.
    #[test]
    fn any_row_of_any_schema_is_read_back(shape in shape(), seed: u64, rows in 0_usize..40) {
        let mut draft = Draft::new(seed, rows);
        let (schema, fill) = draft.place(&shape);
        checked(&schema, &fill, &draft.frame());
    }

    /// Headers, key and framed value lie one after the other, and the value is the bare datum.
    #[test]
    fn a_record_is_headers_key_and_value(
        shape in shape(),
        seed: u64,
        parts: (bool, bool, bool, bool),
        ids: (u32, u32),
    ) {
        let (with_identity, with_key, avro_key, framed) = parts;
        let mut draft = Draft::new(seed, 9);
        let mut words = [0; 4].map(|_: u32| draft.column(u32::MAX));
        words[3] = draft.column(1);
        let number = Piece::Number { value: Integer::Unsigned(words[0]), base: 10, width: 0, upper: false };
        let text = Text(vec![Piece::Literal("acct-".to_owned()), number]);
        let (schema, fill) = draft.place(&shape);
        let (schema, frame) = (Schema::parse(&schema).unwrap(), draft.frame());
        let key = if avro_key {
            Key::Avro { text: text.clone(), schema_id: framed.then_some(ids.1) }
        } else {
            Key::Text(text.clone())
        };
        let header = |value| Header { name: "h".to_owned(), value };
        let headers = if with_identity {
            vec![
                header(HeaderFill::Identity(words)),
                header(HeaderFill::IntendedTime),
                header(HeaderFill::Text { text: text.clone(), present: None }),
                header(HeaderFill::Text { text: text.clone(), present: Some(words[3]) }),
            ]
        } else {
            Vec::new()
        };
        let shapes: Vec<headers::Shape> = headers.iter().map(headers::Shape::of).collect();
        let encoder = RowEncoder::compile(&Plan {
            headers: &headers,
            key: with_key.then_some(&key),
            format: ValueFormat::Avro,
            schema_id: framed.then_some(ids.0),
            schema: &schema,
            fill: &fill,
        })
        .unwrap();
        let (mut arena, mut lengths) = (vec![1, 2], Vec::new());
        encoder.encode(&frame, &mut Scratch::default(), &mut arena, &mut lengths).unwrap();
        let mut rest = &arena[2..];
        for (row, datum) in encoded(&schema, &fill, &frame).unwrap().iter().enumerate() {
            let (block, after) = rest.split_at(lengths[row].headers as usize);
            let (key, after) = after.split_at(lengths[row].key as usize);
            let (value, after) = after.split_at(lengths[row].value as usize);
            rest = after;
            let word = |register| frame.column(register)[row];
            let expected: Vec<u8> = words.iter().flat_map(|&w| word(w).to_be_bytes()).collect();
            let said = format!("acct-{}", word(words[0]));
            let mut wanted = Vec::new();
            if with_identity {
                wanted.extend([
                    (0, headers::Value::Identity(&expected)),
                    (1, headers::Value::IntendedTime),
                    (2, headers::Value::Text(said.as_bytes())),
                ]);
                if word(words[3]) != 0 {
                    wanted.push((3, headers::Value::Text(said.as_bytes())));
                }
            }
            let read: Vec<_> = headers::read(&shapes, block).collect();
            prop_assert_eq!(read, wanted);
            prop_assert!(with_identity || block.is_empty());
            let mut expected = Vec::new();
            if with_key && avro_key {
                if framed {
                    expected.push(0);
                    expected.extend(ids.1.to_be_bytes());
                }
                expected.push(u8::try_from(said.len() * 2).unwrap());
            }
            if with_key {
                expected.extend(said.as_bytes());
            }
            prop_assert_eq!(key, expected);
            let (framing, bare) = value.split_at(encoder.framing_bytes());
            prop_assert_eq!(framing.is_empty(), !framed);
            prop_assert!(!framed || framing == [&[0], &ids.0.to_be_bytes()[..]].concat());
            prop_assert_eq!(bare, &datum[..]);
        }
        prop_assert!(rest.is_empty());
    }
}

const EDGES: [i64; 12] =
    [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN, 1 << 55, (1 << 55) - 1, -(1 << 55) - 1];

fn wide(values: &[i64]) -> (Frame, Integer) {
    let high: Vec<_> = values.iter().map(|value| (value >> 32) as u32).collect();
    let low: Vec<_> = values.iter().map(|&value| value as u32).collect();
    let value = Integer::Wide(Wide { high: Register(0), low: Register(1) });
    (frame_of(&[&high, &low]), value)
}

#[test]
fn longs_at_the_edges_are_read_back() {
    let (frame, value) = wide(&EDGES);
    let datums = checked(&json!("long"), &Fill::Integer(value), &frame);
    assert_eq!(datums[8].len(), 10, "the least long takes ten bytes");
    checked(&json!("double"), &Fill::Real { value, scale: 3 }, &frame);
    let signed = Integer::Signed(Register(0));
    let ints = frame_of(&[&[0, 1, u32::MAX, 0x7fff_ffff, 0x8000_0000]]);
    checked(&json!("int"), &Fill::Integer(signed), &ints);
    checked(&json!("float"), &Fill::Real { value: signed, scale: 0 }, &ints);
    checked(&json!("long"), &Fill::Integer(Integer::Unsigned(Register(0))), &ints);
}

#[test]
fn decimals_of_each_length_are_the_shortest() {
    let schema = json!({"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 3});
    let mut values = EDGES.to_vec();
    for bits in 0..63 {
        values.extend([1 << bits, (1 << bits) - 1, -(1 << bits), -(1 << bits) - 1]);
    }
    let (frame, value) = wide(&values);
    for (datum, value) in checked(&schema, &Fill::Integer(value), &frame).iter().zip(&values) {
        let all = value.to_be_bytes();
        let shortest = (1..=8).find(|&length| {
            let (front, rest) = all.split_at(8 - length);
            let sign = if rest[0] < 0x80 { 0 } else { 0xff };
            front.iter().all(|&byte| byte == sign)
        });
        assert_eq!(datum.len(), 1 + shortest.unwrap(), "{value}");
    }
    let fixed = json!({"type": "fixed", "size": 13, "name": "f", "logicalType": "decimal", "precision": 30});
    checked(&fixed, &Fill::Integer(value), &frame);
}

#[test]
fn empty_lists_and_texts_are_read_back() {
    let mut frame = frame_of(&[&[0, 1, 2]]);
    let items =
        || Child { starts: vec![0, 0, 2, 2], frame: frame_of(&[&[7, 8]]), ..Child::default() };
    frame.children_mut().extend([items(), items()]);
    let number = Integer::Unsigned(Register(0));
    let array = Fill::Array { child: 0, item: Box::new(Fill::Integer(number)) };
    let schema = json!({"type": "array", "items": "long"});
    assert_eq!(checked(&schema, &array, &frame), [vec![0], vec![4, 14, 16, 0], vec![0]]);
    let digits = Piece::Number { value: number, base: 10, width: 1, upper: false };
    let value = Box::new(Fill::Constant(Value::Null));
    let map = Fill::Map { child: 1, key: Text(vec![digits]), value };
    let schema = json!({"type": "map", "values": "null"});
    assert_eq!(checked(&schema, &map, &frame)[1], [4, 2, b'7', 2, b'8', 0]);
    let empty = Text::default();
    assert_eq!(checked(&json!("string"), &Fill::Text(empty.clone()), &frame)[0], [0]);
    let fixed = json!({"type": "fixed", "size": 0, "name": "f"});
    assert!(checked(&fixed, &Fill::Text(empty), &frame)[0].is_empty());
}

#[test]
fn long_texts_get_a_long_length() {
    let values: Arc<[String]> = ["x".repeat(70), String::new(), "é".repeat(9_000)].into();
    let lookup = |width| Piece::Lookup { index: Register(0), values: Arc::clone(&values), width };
    let number =
        Piece::Number { value: Integer::Unsigned(Register(0)), base: 7, width: 80, upper: true };
    let frame = frame_of(&[&[0, 1, 2, 1]]);
    for pieces in [
        vec![lookup(None)],
        vec![lookup(None), lookup(None)],
        vec![lookup(Some(63))],
        vec![lookup(Some(64)), number, lookup(Some(0))],
    ] {
        checked(&json!("string"), &Fill::Text(Text(pieces)), &frame);
    }
}

#[test]
fn rows_too_long_to_be_written_together_are_read_back() {
    let values: Arc<[String]> = ["x".repeat(100_000), String::new(), "y".repeat(9)].into();
    let index: Vec<u32> = (0..300).map(|row| row * 7 % 3).collect();
    let mut frame = frame_of(&[&index]);
    let lookup = Piece::Lookup { index: Register(0), values, width: None };
    let text = Fill::Text(Text(vec![lookup, Piece::Literal("z".to_owned())]));
    checked(&json!("string"), &text, &frame);
    let mut starts = vec![0];
    starts.extend((0..300).map(|row| if row < 150 { row } else { 90_000 + row }));
    let items: Vec<u32> = (0..100_000_u32).map(|item| item.wrapping_mul(0x9e37_79b9)).collect();
    frame.children_mut().push(Child { starts, frame: frame_of(&[&items]), ..Child::default() });
    let item = Box::new(Fill::Integer(Integer::Signed(Register(0))));
    let array = Fill::Array { child: 0, item };
    checked(&json!({"type": "array", "items": "int"}), &array, &frame);
}

#[test]
fn a_number_that_its_type_cannot_hold_is_refused() {
    let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2});
    let time = json!({"type": "int", "logicalType": "time-millis"});
    let cases = [
        (json!("int"), i64::from(i32::MIN), i64::from(i32::MAX)),
        (json!({"type": "int", "logicalType": "date"}), i32::MIN.into(), i32::MAX.into()),
        (decimal, -9_999, 9_999),
        (time, 0, 86_399_999),
    ];
    for (schema, min, max) in cases {
        let schema = json!({"type": "record", "name": "R", "fields": [
            {"name": "a", "type": {"type": "record", "name": "S", "fields": [
                {"name": "b", "type": schema}]}}]});
        let record = |fill| Fill::Record(vec![Fill::Record(vec![fill])]);
        let schema = Schema::parse(&schema).unwrap();
        for (value, good) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            let (frame, source) = wide(&[0, value, 0]);
            let columns = encoded(&schema, &record(Fill::Integer(source)), &frame);
            let constant = Fill::Integer(Integer::Constant(value));
            let constant = encoded(&schema, &record(constant), &frame);
            for result in [columns.map(|_| ()), constant.map(|_| ())] {
                match result {
                    Ok(()) => assert!(good, "{value} in {schema:?}"),
                    Err(error) => {
                        assert!(!good, "{error}");
                        let text = error.to_string();
                        assert!(text.contains("`a.b`"), "{text}");
                        assert!(text.contains(&format!("a value is {value}")), "{text}");
                        assert!(text.contains(&format!("{min} to {max}")), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_refused_batch_leaves_the_arena_as_it_was() {
    let (frame, value) = wide(&[1, 1 << 40]);
    let encoder = Encoder::compile(&Schema::Int, &Fill::Integer(value)).unwrap();
    let (mut out, mut ends) = (vec![1, 2, 3], vec![3]);
    assert!(encoder.encode(&frame, &mut Scratch::default(), &mut out, &mut ends).is_err());
    assert_eq!((out, ends), (vec![1, 2, 3], vec![3]));
}

#[test]
fn a_fill_that_does_not_fit_is_refused_with_its_place() {
    let schema = json!({"type": "record", "name": "R", "fields": [
        {"name": "tags", "type": {"type": "array", "items":
            {"type": "map", "values": ["null", {"type": "fixed", "name": "F", "size": 3}]}}}]});
    let schema = Schema::parse(&schema).unwrap();
    let place = |fill: Fill| {
        let present = Register(0);
        let value = Box::new(Fill::Optional { present, branch: 1, value: Box::new(fill) });
        let map = Fill::Map { child: 0, key: Text::default(), value };
        Fill::Record(vec![Fill::Array { child: 0, item: Box::new(map) }])
    };
    let refused = |fill| Encoder::compile(&schema, &place(fill)).unwrap_err().to_string();
    assert_eq!(
        refused(Fill::Boolean(Register(0))),
        "`tags[]{}` is fixed of 3 bytes in the schema, which true or false does not fit"
    );
    assert_eq!(
        refused(Fill::Text(Text(vec![Piece::Literal("four".to_owned())]))),
        "`tags[]{}` is fixed of 3 bytes in the schema, which takes 3 bytes, but 4 to 4 are given"
    );
    let none = Encoder::compile(&schema, &Fill::Record(vec![])).unwrap_err();
    assert_eq!(
        none.to_string(),
        "`(the whole value)` has 1 fields in the schema, but 0 are filled"
    );
    let symbol = Schema::parse_str(r#"{"type":"enum","name":"E","symbols":["A"]}"#).unwrap();
    let other = Fill::Constant(Value::String("B".to_owned()));
    assert!(Encoder::compile(&symbol, &other).is_err());
    let values = Arc::from([]);
    let empty = Encoder::compile(&symbol, &Fill::Dictionary { index: Register(0), values });
    assert!(matches!(empty, Err(Error::Impossible { .. })));
}

#[test]
fn constants_of_all_types_are_read_back() {
    let schema = json!({"type": "record", "name": "R", "fields": [
        {"name": "u", "type": ["null", "string", "long"]},
        {"name": "m", "type": {"type": "map", "values": "int"}},
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "b", "type": {"type": "bytes", "logicalType": "big-decimal"}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "f", "type": {"type": "fixed", "name": "F", "size": 2}},
        {"name": "x", "type": "float"}]});
    let schema = Schema::parse(&schema).unwrap();
    let big: apache_avro::BigDecimal = "-12.50".parse().unwrap();
    let map = [("b".to_owned(), Value::Int(2)), ("a".to_owned(), Value::Int(1))];
    let given = Value::Record(vec![
        ("u".to_owned(), Value::Long(5)),
        ("m".to_owned(), Value::Map(map.into_iter().collect())),
        ("d".to_owned(), Value::Long(-300)),
        ("b".to_owned(), Value::BigDecimal(big)),
        ("e".to_owned(), Value::String("B".to_owned())),
        ("f".to_owned(), Value::Bytes(vec![1, 2])),
        ("x".to_owned(), Value::Double(0.5)),
    ]);
    let datum = &encoded(&schema, &Fill::Constant(given.clone()), &frame_of(&[])).unwrap()[0];
    let Value::Record(mut expected) = given else { unreachable!() };
    expected[0].1 = Value::Union(2, Box::new(Value::Long(5)));
    expected[2].1 = Value::Decimal(apache_avro::Decimal::from((-300_i64).to_be_bytes()));
    expected[4].1 = Value::Enum(1, "B".to_owned());
    expected[5].1 = Value::Fixed(2, vec![1, 2]);
    expected[6].1 = Value::Float(0.5);
    assert_eq!(decoded(&schema, datum), Value::Record(expected));
}
