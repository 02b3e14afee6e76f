//! JSON that is written from columns says what a reader of the Avro datum says.

use apache_avro::Schema;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tidegate::config::model::ValueFormat;
use tidegate::encode::avro::Scratch;
use tidegate::encode::json::Reader;
use tidegate::encode::row::{Plan, RowEncoder};
use tidegate::encode::{Fill, Integer, Piece, Text};
use tidegate::generate::column::{Frame, Register, Wide};

use super::draft::{Draft, shape};
use super::{encoded, frame_of};

/// The JSON of all rows.
fn written(schema: &Schema, fill: &Fill, frame: &Frame) -> Vec<String> {
    let format = ValueFormat::Json;
    // An id is no part of JSON.
    let plan = Plan { headers: &[], key: None, format, schema_id: Some(7), schema, fill };
    let encoder = RowEncoder::compile(&plan).unwrap();
    assert_eq!(encoder.framing_bytes(), 0);
    let (mut arena, mut lengths) = (Vec::new(), Vec::new());
    encoder.encode(frame, &mut Scratch::default(), &mut arena, &mut lengths).unwrap();
    let mut rest = arena.as_slice();
    let rows = lengths.iter().map(|length| {
        let (row, after) = rest.split_at(length.value as usize);
        rest = after;
        String::from_utf8(row.to_vec()).unwrap()
    });
    rows.collect()
}

/// Whether both say the same; numbers with a fraction need only come out as the same float.
fn same(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::Number(ours), Json::Number(theirs)) => {
            let (a, b) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            #[expect(clippy::float_cmp, reason = "whole numbers, and what a float holds")]
            let equal = ours == theirs
                || !theirs.is_i64() && (a as f32 == b as f32 || (a - b).abs() <= 1e-15 * b.abs());
            equal
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Json::Object(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, a)| theirs.get(key).is_some_and(|b| same(a, b)))
        }
        (ours, theirs) => ours == theirs,
    }
}

fn assert_same(schema: &Schema, fill: &Fill, frame: &Frame) -> Vec<String> {
    let rows = written(schema, fill, frame);
    let datums = encoded(schema, fill, frame).unwrap();
    assert_eq!(rows.len(), datums.len());
    let reader = Reader::new(schema).unwrap();
    for (row, datum) in rows.iter().zip(&datums) {
        let ours: Result<Json, _> = serde_json::from_str(row);
        assert!(ours.is_ok(), "{ours:?}: {row}");
        let ours = ours.unwrap();
        let theirs = reader.read(datum).unwrap();
        assert!(same(&ours, &theirs), "{row}\n{theirs}\nof {fill:?}");
    }
    rows
}

proptest! {
    /// Whatever the schema and the columns.
    #[test]
    fn any_row_is_said_as_its_datum_is_read(shape in shape(), seed: u64, rows in 0_usize..40) {
        let mut draft = Draft::new(seed, rows);
        let (schema, fill) = draft.place(&shape);
        assert_same(&Schema::parse(&schema).unwrap(), &fill, &draft.frame());
    }

    /// Every date and time, those that no calendar has too.
    #[test]
    fn any_time_is_said_as_in_the_standard(values in proptest::collection::vec(any::<i64>(), 64)) {
        for (base, name, bits) in [
            ("int", "date", 32), ("int", "time-millis", 0), ("long", "time-micros", 0),
            ("long", "timestamp-millis", 64), ("long", "timestamp-micros", 64),
            ("long", "timestamp-nanos", 64), ("long", "local-timestamp-millis", 64),
            ("long", "local-timestamp-micros", 64), ("long", "local-timestamp-nanos", 64),
        ] {
            let schema = Schema::parse(&json!({ "type": base, "logicalType": name })).unwrap();
            for shift in [0, 8, 16, 24, 32] {
                let values: Vec<i64> = values.iter().map(|value| match bits {
                    0 => (value >> shift).rem_euclid(86_400_000),
                    32 => i64::from((value >> 32) as i32 >> (shift / 4)),
                    _ => value >> shift,
                }).collect();
                let high: Vec<u32> = values.iter().map(|value| (value >> 32) as u32).collect();
                let low: Vec<u32> = values.iter().map(|value| *value as u32).collect();
                let fill = if bits == 32 {
                    Fill::Integer(Integer::Signed(Register(1)))
                } else {
                    Fill::Integer(Integer::Wide(Wide { high: Register(0), low: Register(1) }))
                };
                assert_same(&schema, &fill, &frame_of(&[&high, &low]));
            }
        }
    }
}

#[test]
fn the_last_and_first_moments_of_the_calendar_are_said() {
    let schema = Schema::parse(&json!({ "type": "long", "logicalType": "timestamp-millis" }));
    let schema = schema.unwrap();
    for (millis, said) in [
        (0, "\"1970-01-01T00:00:00.000Z\""),
        (-1, "\"1969-12-31T23:59:59.999Z\""),
        (-62_135_596_800_000, "\"0001-01-01T00:00:00.000Z\""),
        (-62_135_596_800_001, "-62135596800001"),
        (253_402_207_200_999, "\"9999-12-30T22:00:00.999Z\""),
        (253_402_207_201_000, "253402207201000"),
    ] {
        for fill in [
            Fill::Integer(Integer::Constant(millis)),
            Fill::Integer(Integer::Offset {
                base: millis - 5,
                value: Wide { high: Register(0), low: Register(1) },
            }),
        ] {
            let rows = assert_same(&schema, &fill, &frame_of(&[&[0], &[5]]));
            assert_eq!(rows, [said]);
        }
    }
}

#[test]
fn text_is_escaped_wherever_it_comes_from() {
    let schema = Schema::parse(&json!({ "type": "record", "name": "R", "fields": [
        { "name": "t", "type": "string" }, { "name": "b", "type": "bytes" },
        { "name": "m", "type": ["null", "string"] },
    ] }))
    .unwrap();
    let wild = "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}é€\u{1f600}";
    let index = Register(0);
    let values = || [wild.to_owned(), "plain".to_owned()].into();
    let text = Text(vec![
        Piece::Literal(wild.to_owned()),
        Piece::Lookup { index, values: values(), width: None },
        Piece::Lookup { index, values: values(), width: Some(7) },
        Piece::Characters { word: Register(1), alphabet: wild.chars().collect(), count: 5 },
        Piece::Either {
            condition: index,
            then: Text(vec![Piece::Literal("\"".to_owned())]),
            otherwise: Text(Vec::new()),
        },
    ]);
    let fill = Fill::Record(vec![
        Fill::Text(text.clone()),
        Fill::Text(text),
        Fill::Optional {
            present: index,
            branch: 1,
            value: Box::new(Fill::Text(Text(vec![Piece::Lookup {
                index,
                values: values(),
                width: None,
            }]))),
        },
    ]);
    let words = [0, u32::MAX, 0x1234_5678, 0x9abc_def0, 0xdead_beef, 7];
    let rows = assert_same(&schema, &fill, &frame_of(&[&[0, 1, 0, 1, 0, 1], &words]));
    assert!(rows[0].contains(r"\u0000") && rows[0].contains(r#"\"\\"#), "{}", rows[0]);
    assert!(rows[0].ends_with("\"m\":null}") && rows[1].ends_with("\"m\":\"plain\"}"), "{rows:?}");
}

// What was drawn as 12.30 is written so, whatever a `float` makes of it.
#[test]
fn decimals_keep_the_digits_that_were_drawn() {
    for name in ["float", "double"] {
        let schema = Schema::parse(&json!(name)).unwrap();
        let fill = Fill::Real { value: Integer::Unsigned(Register(0)), scale: 2 };
        let rows = assert_same(&schema, &fill, &frame_of(&[&[0, 5, 1_230, u32::MAX]]));
        assert_eq!(rows, ["0.00", "0.05", "12.30", "42949672.95"]);
    }
}
