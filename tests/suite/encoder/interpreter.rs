//! The value that columns say, slowly: a second reading of what fills mean.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers are cut into words, and small ones counted"
)]

use std::collections::BTreeMap;

use apache_avro::schema::{NamesRef, ResolvedSchema, UuidSchema};
use apache_avro::types::Value;
use apache_avro::{Days, Decimal, Duration, Millis, Months, Schema};
use tidegate::encode::{Fill, Integer, Piece, Text};
use tidegate::generate::column::{Frame, Register, Wide};

pub(super) struct Interpreter<'s> {
    names: BTreeMap<String, &'s Schema>,
}

fn word(frame: &Frame, row: usize, register: Register) -> u32 {
    frame.column(register)[row]
}

fn integer(frame: &Frame, row: usize, value: Integer) -> i64 {
    let two = |value: Wide| {
        let (high, low) = (word(frame, row, value.high), word(frame, row, value.low));
        (i128::from(high) * (1 << 32) + i128::from(low)) as i64
    };
    match value {
        Integer::Constant(value) => value,
        Integer::Unsigned(register) => word(frame, row, register).into(),
        Integer::Signed(register) => i64::from(word(frame, row, register).cast_signed()),
        Integer::Wide(value) => two(value),
        Integer::Offset { base, value } => base.wrapping_add(two(value)),
    }
}

fn digits(value: i64, base: u8, width: u8, upper: bool) -> String {
    let mut digits = Vec::new();
    let mut rest = i128::from(value).abs();
    while rest > 0 {
        digits.push(char::from_digit((rest % i128::from(base)) as u32, base.into()).unwrap());
        rest /= i128::from(base);
    }
    while digits.len() < usize::from(width).max(1) {
        digits.push('0');
    }
    if value < 0 {
        digits.push('-');
    }
    let text: String = digits.iter().rev().collect();
    if upper { text.to_uppercase() } else { text }
}

fn piece(frame: &Frame, row: usize, piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Lookup { index, values, width } => {
            let text = &values[word(frame, row, *index) as usize];
            let Some(width) = *width else { return text.clone() };
            let mut characters: Vec<char> = text.chars().collect();
            characters.resize(width, ' ');
            characters.into_iter().collect()
        }
        Piece::Number { value, base, width, upper } => {
            digits(integer(frame, row, *value), *base, *width, *upper)
        }
        Piece::Either { condition, then, otherwise } => {
            let Text(pieces) = if word(frame, row, *condition) == 0 { otherwise } else { then };
            pieces.iter().map(|inner| self::piece(frame, row, inner)).collect()
        }
        Piece::Decimal { value, scale } => {
            let mut text = digits(integer(frame, row, *value), 10, *scale + 1, false);
            if *scale > 0 {
                text.insert(text.len() - usize::from(*scale), '.');
            }
            text
        }
        Piece::Characters { word: register, alphabet, count } => {
            characters(word(frame, row, *register), alphabet, u32::from(*count))
        }
        Piece::SomeCharacters { word: register, alphabet, count, length, before } => {
            let count = u32::from(*count).min(word(frame, row, *length).saturating_sub(*before));
            characters(word(frame, row, *register), alphabet, count)
        }
        Piece::Choice { index, texts } => {
            text(frame, row, &texts[word(frame, row, *index) as usize])
        }
        Piece::Uuid(words) => uuid(frame, row, *words).to_string(),
        Piece::LocalTime { instant_us, offset_minutes, digits } => {
            let instant = integer(frame, row, *instant_us);
            let offset = integer(frame, row, *offset_minutes);
            let zone = jiff::tz::Offset::from_seconds(i32::try_from(offset * 60).unwrap()).unwrap();
            let local = zone.to_datetime(jiff::Timestamp::from_microsecond(instant).unwrap());
            let fraction = format!(".{:06}", local.subsec_nanosecond() / 1_000);
            let fraction = if *digits == 0 { "" } else { &fraction[..=usize::from(*digits)] };
            let sign = if offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            let seconds = local.strftime("%Y-%m-%dT%H:%M:%S");
            format!("{seconds}{fraction}{sign}{hours:02}:{minutes:02}")
        }
    }
}

fn characters(word: u32, alphabet: &[char], count: u32) -> String {
    let mut rest = u64::from(word);
    let mut text = String::new();
    for _ in 0..count {
        let product = rest * alphabet.len() as u64;
        text.push(alphabet[(product / (1 << 32)) as usize]);
        rest = product % (1 << 32);
    }
    text
}

fn text(frame: &Frame, row: usize, text: &Text) -> String {
    text.0.iter().map(|part| piece(frame, row, part)).collect()
}

fn uuid(frame: &Frame, row: usize, words: [Register; 4]) -> uuid::Uuid {
    let bytes: Vec<u8> = words.iter().flat_map(|&w| word(frame, row, w).to_be_bytes()).collect();
    uuid::Uuid::from_slice(&bytes).unwrap()
}

fn number(schema: &Schema, value: i64) -> Value {
    let int = || i32::try_from(value).unwrap();
    match schema {
        Schema::Int => Value::Int(int()),
        Schema::Date => Value::Date(int()),
        Schema::TimeMillis => Value::TimeMillis(int()),
        Schema::Long => Value::Long(value),
        Schema::TimeMicros => Value::TimeMicros(value),
        Schema::TimestampMillis => Value::TimestampMillis(value),
        Schema::TimestampMicros => Value::TimestampMicros(value),
        Schema::TimestampNanos => Value::TimestampNanos(value),
        Schema::LocalTimestampMillis => Value::LocalTimestampMillis(value),
        Schema::LocalTimestampMicros => Value::LocalTimestampMicros(value),
        Schema::LocalTimestampNanos => Value::LocalTimestampNanos(value),
        Schema::Decimal(_) => Value::Decimal(Decimal::from(value.to_be_bytes())),
        other => unreachable!("{other:?} takes no whole number"),
    }
}

impl<'s> Interpreter<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        let resolved = ResolvedSchema::new(schema).unwrap();
        let names: &NamesRef<'s> = resolved.get_names();
        let names = names.iter().map(|(name, &schema)| (name.fullname(None), schema));
        Self { names: names.collect() }
    }

    pub(super) fn value(&self, schema: &Schema, fill: &Fill, frame: &Frame, row: usize) -> Value {
        if let Schema::Ref { name } = schema {
            return self.value(self.names[&name.fullname(None)], fill, frame, row);
        }
        match (fill, schema) {
            (Fill::Constant(value), _) => constant(schema, value),
            (Fill::Dictionary { index, values }, _) => {
                constant(schema, &values[word(frame, row, *index) as usize])
            }
            (Fill::Record(fills), Schema::Record(record)) => {
                let fields = record.fields.iter().zip(fills).map(|(field, fill)| {
                    (field.name.clone(), self.value(&field.schema, fill, frame, row))
                });
                Value::Record(fields.collect())
            }
            (Fill::Boolean(register), _) => Value::Boolean(word(frame, row, *register) != 0),
            (Fill::Integer(value), _) => number(schema, integer(frame, row, *value)),
            (Fill::Real { value, scale }, _) => {
                let quotient = integer(frame, row, *value) as f64 / 10_f64.powi((*scale).into());
                match schema {
                    Schema::Float => Value::Float(quotient as f32),
                    _ => Value::Double(quotient),
                }
            }
            (Fill::Union { branch, branches }, Schema::Union(union)) => {
                let branch = word(frame, row, *branch) as usize;
                let fill = branches[branch].as_ref().unwrap();
                let value = self.value(&union.variants()[branch], fill, frame, row);
                Value::Union(branch as u32, Box::new(value))
            }
            (Fill::Optional { present, branch, value }, Schema::Union(union)) => {
                let null = union.variants().iter().position(|other| *other == Schema::Null);
                if word(frame, row, *present) == 0 {
                    return Value::Union(null.unwrap() as u32, Box::new(Value::Null));
                }
                let value = self.value(&union.variants()[*branch], value, frame, row);
                Value::Union(*branch as u32, Box::new(value))
            }
            (Fill::Array { child, item }, Schema::Array(array)) => {
                let child = &frame.children()[*child];
                let items = child.starts[row] as usize..child.starts[row + 1] as usize;
                let value = |item_row| self.value(&array.items, item, &child.frame, item_row);
                Value::Array(items.map(value).collect())
            }
            (Fill::Map { child, key, value }, Schema::Map(map)) => {
                let child = &frame.children()[*child];
                let items = child.starts[row] as usize..child.starts[row + 1] as usize;
                let entry = |row| {
                    let value = self.value(&map.types, value, &child.frame, row);
                    (text(&child.frame, row, key), value)
                };
                Value::Map(items.map(entry).collect())
            }
            _ => bytes(fill, schema, frame, row),
        }
    }
}

fn constant(schema: &Schema, value: &Value) -> Value {
    match (schema, value) {
        (Schema::Enum(schema), Value::String(symbol)) => {
            let index = schema.symbols.iter().position(|other| other == symbol);
            Value::Enum(index.unwrap() as u32, symbol.clone())
        }
        (Schema::Union(union), Value::Union(branch, value)) => {
            let value = constant(&union.variants()[*branch as usize], value);
            Value::Union(*branch, Box::new(value))
        }
        (Schema::Union(union), Value::Null) => {
            let null = union.variants().iter().position(|other| *other == Schema::Null);
            Value::Union(null.unwrap() as u32, Box::new(Value::Null))
        }
        _ => value.clone(),
    }
}

fn bytes(fill: &Fill, schema: &Schema, frame: &Frame, row: usize) -> Value {
    let bytes = match fill {
        Fill::Duration { months, days, millis } => {
            let part = |value| u32::try_from(integer(frame, row, value)).unwrap();
            return Value::Duration(Duration::new(
                Months::new(part(*months)),
                Days::new(part(*days)),
                Millis::new(part(*millis)),
            ));
        }
        Fill::Text(said) => match schema {
            Schema::String => return Value::String(text(frame, row, said)),
            _ => text(frame, row, said).into_bytes(),
        },
        Fill::Uuid(words) => match schema {
            Schema::String => return Value::String(uuid(frame, row, *words).to_string()),
            _ => uuid(frame, row, *words).as_bytes().to_vec(),
        },
        Fill::Bytes { words, length } => {
            let bytes: Vec<u8> =
                words.iter().flat_map(|&w| word(frame, row, w).to_be_bytes()).collect();
            bytes[..word(frame, row, *length) as usize].to_vec()
        }
        Fill::Words { words, length } => {
            let all = words.iter().flat_map(|&w| word(frame, row, w).to_be_bytes());
            all.take(*length).collect()
        }
        other => unreachable!("{other:?} does not fit {schema:?}"),
    };
    match schema {
        Schema::Bytes => Value::Bytes(bytes),
        Schema::Fixed(fixed) => Value::Fixed(fixed.size, bytes),
        Schema::Uuid(UuidSchema::String) if bytes.len() == 36 => {
            Value::Uuid(uuid::Uuid::try_parse_ascii(&bytes).unwrap())
        }
        Schema::Uuid(_) => Value::Uuid(uuid::Uuid::from_slice(&bytes).unwrap()),
        other => unreachable!("{fill:?} does not fit {other:?}"),
    }
}
