//! A payment record of 39 fields: its schema, its fills, columns of it, and a serde struct.

use std::sync::Arc;

use apache_avro::types::Value;
use apache_avro::{Decimal, Schema};
use serde::Serialize;
use tidegate::encode::avro::{Encoder, Scratch};
use tidegate::encode::{Fill, Integer, Piece, Text};
use tidegate::generate::column::{CHUNK_ROWS, Frame, Register, Wide};

/// All that both sides need.
pub(crate) struct Sample {
    pub schema: Schema,
    pub fill: Fill,
    pub frame: Frame,
    pub rows: Vec<Payment>,
}

#[derive(Clone, Copy)]
enum Kind {
    Uuid,
    Timestamp,
    LocalTime,
    Code(&'static [&'static str]),
    Digits { width: u8 },
    Token { base: u8, width: u8, literal: &'static str },
    Member(&'static str),
    Names,
    Long,
    Flag,
    Int,
    Decimal,
    Double,
    Characters(u8),
    Address,
}

use Kind::{
    Address, Characters, Code, Decimal as Exact, Digits, Double, Flag, Int, LocalTime, Long,
    Member, Names, Timestamp, Token, Uuid,
};

const COUNTRIES: &[&str] = &["DE", "FR", "GB", "US", "JP", "SE", "PL", "CH"];
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "JPY", "SEK", "PLN"];

/// Name, kind, and how many of 256 rows have a value (0: the field is not optional).
const FIELDS: [(&str, Kind, u32); 39] = [
    ("event_id", Uuid, 0),
    ("event_time", Timestamp, 0),
    ("local_time", LocalTime, 0),
    ("mti", Code(&["0100", "0120"]), 0),
    ("processing_code", Code(&["000000", "010000", "200000"]), 0),
    ("stan", Digits { width: 6 }, 0),
    ("rrn", Token { base: 36, width: 12, literal: "" }, 0),
    ("acquirer_id", Code(&["400012", "400013", "400099", "512345"]), 0),
    ("card_token", Token { base: 16, width: 16, literal: "tok_" }, 0),
    ("bin", Code(&["41111111", "55555555", "37828224", "40128888"]), 0),
    ("last4", Digits { width: 4 }, 0),
    ("account_id", Member("acct-"), 255),
    ("customer_id", Member("cust-"), 255),
    ("merchant_id", Member("mrch-"), 0),
    ("merchant_name_location", Names, 0),
    ("terminal_id", Digits { width: 8 }, 0),
    ("mcc", Code(&["5411", "5812", "5999", "6011", "5542", "4111"]), 0),
    ("merchant_country", Code(COUNTRIES), 0),
    ("card_country", Code(COUNTRIES), 0),
    ("amount_minor", Long, 0),
    ("currency", Code(CURRENCIES), 0),
    ("billing_amount_minor", Long, 0),
    ("billing_currency", Code(CURRENCIES), 0),
    ("conversion_rate", Exact, 40),
    ("pos_entry_mode", Code(&["051", "071", "812", "901", "101"]), 0),
    ("cardholder_verification", Code(&["none", "pin", "signature", "device"]), 0),
    ("recurring", Flag, 0),
    ("response_code", Code(&["00", "05", "51", "54", "91"]), 0),
    ("approval_code", Characters(6), 246),
    ("cvv_result", Code(&["M", "N", "P"]), 60),
    ("avs_result", Code(&["Y", "N", "Z"]), 60),
    ("eci", Code(&["05", "06", "07"]), 60),
    ("three_ds_result", Code(&["Y", "A", "N"]), 60),
    ("device_id", Token { base: 16, width: 16, literal: "" }, 60),
    ("ip", Address, 60),
    ("latitude", Double, 196),
    ("longitude", Double, 196),
    ("attempt_no", Int, 0),
    ("original_event_id", Uuid, 3),
];

macro_rules! payment {
    ($($name:ident: $type:ty = $from:ident,)*) => {
        /// The record as a program that uses serde would hold it.
        #[derive(Serialize)]
        pub(crate) struct Payment { $($name: $type,)* }

        impl Payment {
            fn from(value: Value) -> Self {
                let Value::Record(fields) = value else { unreachable!("a record was written") };
                let mut fields = fields.into_iter().map(|(_, value)| value);
                Self { $($name: $from(fields.next()),)* }
            }
        }
    };
}

payment! {
    event_id: String = text, event_time: i64 = long, local_time: String = text,
    mti: String = text, processing_code: String = text, stan: String = text,
    rrn: String = text, acquirer_id: String = text, card_token: String = text,
    bin: String = text, last4: String = text, account_id: Option<String> = some_text,
    customer_id: Option<String> = some_text, merchant_id: String = text,
    merchant_name_location: String = text, terminal_id: String = text, mcc: String = text,
    merchant_country: String = text, card_country: String = text, amount_minor: i64 = long,
    currency: String = text, billing_amount_minor: i64 = long, billing_currency: String = text,
    conversion_rate: Option<Decimal> = some_decimal, pos_entry_mode: String = text,
    cardholder_verification: String = text, recurring: bool = flag, response_code: String = text,
    approval_code: Option<String> = some_text, cvv_result: Option<String> = some_text,
    avs_result: Option<String> = some_text, eci: Option<String> = some_text,
    three_ds_result: Option<String> = some_text, device_id: Option<String> = some_text,
    ip: Option<String> = some_text, latitude: Option<f64> = some_double,
    longitude: Option<f64> = some_double, attempt_no: i32 = int,
    original_event_id: Option<String> = some_text,
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        Some(Value::Uuid(uuid)) => uuid.to_string(),
        other => unreachable!("{other:?} is no text"),
    }
}

fn long(value: Option<Value>) -> i64 {
    match value {
        Some(Value::Long(value) | Value::TimestampMicros(value)) => value,
        other => unreachable!("{other:?} is no long"),
    }
}

fn int(value: Option<Value>) -> i32 {
    match value {
        Some(Value::Int(value)) => value,
        other => unreachable!("{other:?} is no int"),
    }
}

fn flag(value: Option<Value>) -> bool {
    match value {
        Some(Value::Boolean(value)) => value,
        other => unreachable!("{other:?} is no boolean"),
    }
}

fn some(value: Option<Value>) -> Option<Value> {
    match value {
        Some(Value::Union(_, value)) if *value == Value::Null => None,
        Some(Value::Union(_, value)) => Some(*value),
        other => unreachable!("{other:?} is no union"),
    }
}

fn some_text(value: Option<Value>) -> Option<String> {
    some(value).map(|value| text(Some(value)))
}

fn some_double(value: Option<Value>) -> Option<f64> {
    match some(value)? {
        Value::Double(value) => Some(value),
        other => unreachable!("{other:?} is no double"),
    }
}

fn some_decimal(value: Option<Value>) -> Option<Decimal> {
    match some(value)? {
        Value::Decimal(decimal) => Some(decimal),
        other => unreachable!("{other:?} is no decimal"),
    }
}

/// Columns of random words, as they are asked for.
#[derive(Default)]
struct Columns {
    columns: Vec<Vec<u32>>,
    state: u64,
}

impl Columns {
    fn next(&mut self) -> u32 {
        // Splitmix64: the figures only have to look like traffic.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) as u32 ^ (mixed >> 7) as u32
    }

    fn add(&mut self, word: impl Fn(u32) -> u32) -> Register {
        let column = (0..CHUNK_ROWS).map(|_| word(self.next())).collect();
        self.columns.push(column);
        Register(u16::try_from(self.columns.len() - 1).expect("few columns"))
    }

    fn below(&mut self, limit: u32) -> Register {
        self.add(|word| word % limit)
    }

    fn wide(&mut self, high: u32) -> Wide {
        Wide { high: self.below(high), low: self.add(|word| word) }
    }

    fn frame(self) -> Frame {
        let mut frame = Frame::new(self.columns.len(), CHUNK_ROWS);
        frame.set_rows(CHUNK_ROWS);
        for (number, column) in self.columns.into_iter().enumerate() {
            let register = Register(u16::try_from(number).expect("few columns"));
            frame.column_mut(register).copy_from_slice(&column);
        }
        frame
    }
}

fn number(value: Integer, base: u8, width: u8) -> Piece {
    Piece::Number { value, base, width, upper: base == 36 }
}

fn lookup(columns: &mut Columns, values: Vec<String>, width: Option<usize>) -> Piece {
    let index = columns.below(u32::try_from(values.len()).expect("few values"));
    Piece::Lookup { index, values: Arc::from(values), width }
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

/// Micros of an instant in November 2026 that lies a little after a start.
fn instant(columns: &mut Columns) -> Integer {
    Integer::Offset { base: 1_795_250_000_000_000, value: columns.wide(1) }
}

fn fill(columns: &mut Columns, kind: Kind) -> Fill {
    let pieces = match kind {
        Uuid => return Fill::Uuid([0; 4].map(|_: u32| columns.add(|word| word))),
        Timestamp => return Fill::Integer(instant(columns)),
        Long => return Fill::Integer(Integer::Unsigned(columns.below(20_000))),
        Int => return Fill::Integer(Integer::Signed(columns.below(4))),
        Flag => return Fill::Boolean(columns.below(2)),
        Exact => return Fill::Integer(Integer::Unsigned(columns.below(2_000_000))),
        Double => {
            let value = Integer::Signed(columns.below(900_000));
            return Fill::Real { value, scale: 4 };
        }
        LocalTime => {
            let offset_minutes = Integer::Signed(columns.add(|word| word % 24 * 30));
            let instant_us = instant(columns);
            vec![Piece::LocalTime { instant_us, offset_minutes, digits: 0 }]
        }
        Code(values) => vec![lookup(columns, strings(values), None)],
        Digits { width } => {
            let limit = 10_u32.pow(width.into());
            vec![number(Integer::Unsigned(columns.below(limit)), 10, width)]
        }
        Token { base, width, literal } => {
            let value = Integer::Wide(columns.wide(1 << 29));
            vec![Piece::Literal(literal.to_owned()), number(value, base, width)]
        }
        Member(literal) => {
            let value = Integer::Unsigned(columns.below(20_000_000));
            vec![Piece::Literal(literal.to_owned()), number(value, 10, 10)]
        }
        Names => {
            let names = (0..2_000).map(|n| format!("Merchant number {n}")).collect();
            let cities = (0..100).map(|n| format!("CITY {n}")).collect();
            let countries = strings(COUNTRIES);
            vec![
                lookup(columns, names, Some(25)),
                lookup(columns, cities, Some(13)),
                lookup(columns, countries, Some(2)),
            ]
        }
        Characters(count) => {
            let alphabet = ('0'..='9').chain('A'..='Z').collect();
            vec![Piece::Characters { word: columns.add(|word| word), alphabet, count }]
        }
        Address => {
            let mut pieces = vec![Piece::Literal("203.0.113.".to_owned())];
            pieces.push(number(Integer::Unsigned(columns.below(256)), 10, 0));
            pieces
        }
    };
    Fill::Text(Text(pieces))
}

fn avro(kind: Kind) -> &'static str {
    match kind {
        Uuid => r#"{"type":"string","logicalType":"uuid"}"#,
        Timestamp => r#"{"type":"long","logicalType":"timestamp-micros"}"#,
        Long => r#""long""#,
        Int => r#""int""#,
        Flag => r#""boolean""#,
        Double => r#""double""#,
        Exact => r#"{"type":"bytes","logicalType":"decimal","precision":18,"scale":6}"#,
        _ => r#""string""#,
    }
}

/// A chunk of payments, for both sides.
pub(crate) fn sample() -> Sample {
    let mut columns = Columns::default();
    let mut fills = Vec::new();
    let mut fields = Vec::new();
    for (name, kind, present) in FIELDS {
        let value = fill(&mut columns, kind);
        if present == 0 {
            fields.push(format!(r#"{{"name":"{name}","type":{}}}"#, avro(kind)));
            fills.push(value);
        } else {
            fields.push(format!(r#"{{"name":"{name}","type":["null",{}]}}"#, avro(kind)));
            let present = columns.add(|word| u32::from(word % 256 < present));
            fills.push(Fill::Optional { present, branch: 1, value: Box::new(value) });
        }
    }
    let fields = fields.join(",");
    let text = format!(r#"{{"type":"record","name":"Payment","fields":[{fields}]}}"#);
    let schema = Schema::parse_str(&text).expect("the schema is well-formed");
    let (fill, frame) = (Fill::Record(fills), columns.frame());
    let rows = decoded(&schema, &fill, &frame);
    Sample { schema, fill, frame, rows }
}

fn decoded(schema: &Schema, fill: &Fill, frame: &Frame) -> Vec<Payment> {
    let encoder = Encoder::compile(schema, fill).expect("the fills fit the schema");
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    encoder
        .encode(frame, &mut Scratch::default(), &mut out, &mut ends)
        .expect("all values are in range");
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema)
        .build()
        .expect("the schema refers to what it defines");
    let mut start = 0;
    let row = |end| {
        let value = reader.read_value(&mut &out[start..end]).expect("what we write can be read");
        start = end;
        Payment::from(value)
    };
    ends.into_iter().map(row).collect()
}
