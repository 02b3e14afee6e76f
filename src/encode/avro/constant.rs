//! Avro values that are known ahead, as bytes.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, UuidSchema};
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use super::Error;
use super::schema::{Place, limits};
use crate::encode::wire::{push_count, push_long};

/// Appends `value` as the schema at `place` has it.
///
/// Whole numbers fit every type that is written as one, and decimals as the unscaled value; a
/// string fits an enum that has such a symbol; a value that is no union fits the first branch of a
/// union that takes it.
pub(super) fn push(out: &mut Vec<u8>, place: &Place<'_>, value: &Value) -> Result<(), Error> {
    match (place.schema()?, value) {
        (Schema::Union(union), Value::Union(branch, value)) => {
            let schema =
                union.variants().get(*branch as usize).ok_or_else(|| misfit(place, value))?;
            push_long(out, i64::from(*branch));
            push(out, &place.branch(schema), value)
        }
        (Schema::Union(union), value) => {
            for (branch, schema) in union.variants().iter().enumerate() {
                let mut bytes = Vec::new();
                push_count(&mut bytes, branch);
                if push(&mut bytes, &place.branch(schema), value).is_ok() {
                    out.extend(bytes);
                    return Ok(());
                }
            }
            Err(misfit(place, value))
        }
        (Schema::Record(_) | Schema::Array(_) | Schema::Map(_), _) => compound(out, place, value),
        (schema, value) => {
            if let (Some(number), Some((min, max))) = (integer(value), limits(schema))
                && !(min..=max).contains(&number)
            {
                return Err(place.out_of_range(number, min, max));
            }
            out.extend(simple(schema, value).ok_or_else(|| misfit(place, value))?);
            Ok(())
        }
    }
}

fn misfit(place: &Place<'_>, value: &Value) -> Error {
    place.misfit(&format!("the constant {value:?}"))
}

/// The bytes of a value that has no others in it; none if it does not fit.
#[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
fn simple(schema: &Schema, value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match (schema, value) {
        (Schema::Null, Value::Null) => {}
        (Schema::Boolean, Value::Boolean(value)) => out.push(u8::from(*value)),
        (Schema::Float, value) => out.extend((real(value)? as f32).to_le_bytes()),
        (Schema::Double, value) => out.extend(real(value)?.to_le_bytes()),
        (Schema::Enum(schema), Value::String(symbol) | Value::Enum(_, symbol)) => {
            let index = schema.symbols.iter().position(|other| other == symbol)?;
            push_count(&mut out, index);
        }
        (Schema::BigDecimal, Value::BigDecimal(_)) => {
            let writer = GenericDatumWriter::builder(schema).build().ok()?;
            writer.write_value_ref(&mut out, value).ok()?;
        }
        (Schema::Decimal(schema), value) => return decimal(schema, value),
        (schema, value) => match (limits(schema), integer(value)) {
            (Some(_), Some(number)) => push_long(&mut out, number),
            _ => return bytes(schema, value),
        },
    }
    Some(out)
}

fn compound(out: &mut Vec<u8>, place: &Place<'_>, value: &Value) -> Result<(), Error> {
    match (place.schema()?, value) {
        (Schema::Record(schema), Value::Record(values)) if schema.fields.len() == values.len() => {
            for field in &schema.fields {
                let place = place.field(field);
                match values.iter().find(|(name, _)| *name == field.name) {
                    Some((_, value)) => push(out, &place, value)?,
                    None => return Err(place.misfit("no constant of that name")),
                }
            }
            Ok(())
        }
        (Schema::Array(schema), Value::Array(items)) => {
            if !items.is_empty() {
                push_count(out, items.len());
                for item in items {
                    push(out, &place.item(&schema.items), item)?;
                }
            }
            out.push(0);
            Ok(())
        }
        (Schema::Map(schema), Value::Map(items)) => {
            // The order of a `HashMap` is random, and the bytes must not be.
            let items: BTreeMap<_, _> = items.iter().collect();
            if !items.is_empty() {
                push_count(out, items.len());
                for (key, value) in items {
                    push_count(out, key.len());
                    out.extend(key.as_bytes());
                    push(out, &place.value(&schema.types), value)?;
                }
            }
            out.push(0);
            Ok(())
        }
        _ => Err(misfit(place, value)),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match *value {
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => Some(value.into()),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => Some(value),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match *value {
        Value::Float(value) => Some(value.into()),
        Value::Double(value) => Some(value),
        Value::Int(value) => Some(value.into()),
        Value::Long(value) => Some(value as f64),
        _ => None,
    }
}

/// A decimal's bytes, with their length before them if the schema has none.
fn decimal(schema: &DecimalSchema, value: &Value) -> Option<Vec<u8>> {
    let digits = match value {
        Value::Decimal(decimal) => Vec::<u8>::try_from(decimal).ok()?,
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => bytes.clone(),
        other => integer(other)?.to_be_bytes().to_vec(),
    };
    let digits = shortened(&digits);
    match &schema.inner {
        InnerDecimalSchema::Bytes => Some(prefixed(&digits)),
        InnerDecimalSchema::Fixed(fixed) => {
            let sign = if digits[0] < 0x80 { 0 } else { 0xff };
            let mut bytes = vec![sign; fixed.size.checked_sub(digits.len())?];
            bytes.extend(digits);
            Some(bytes)
        }
    }
}

/// Two's complement without the bytes at its front that only repeat the sign.
fn shortened(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    while let [first, second, ..] = *rest
        && (first == 0 && second < 0x80 || first == 0xff && second >= 0x80)
    {
        rest = &rest[1..];
    }
    if rest.is_empty() { vec![0] } else { rest.to_vec() }
}

/// The bytes of values that are text or bytes.
fn bytes(schema: &Schema, value: &Value) -> Option<Vec<u8>> {
    match (schema, value) {
        (Schema::String | Schema::Bytes, Value::String(text)) => Some(prefixed(text.as_bytes())),
        (Schema::Bytes, Value::Bytes(bytes) | Value::Fixed(_, bytes)) => Some(prefixed(bytes)),
        (Schema::Uuid(UuidSchema::String), Value::String(text)) => {
            uuid::Uuid::parse_str(text).is_ok().then(|| prefixed(text.as_bytes()))
        }
        (Schema::Uuid(UuidSchema::String) | Schema::String, Value::Uuid(uuid)) => {
            Some(prefixed(uuid.to_string().as_bytes()))
        }
        (Schema::Uuid(UuidSchema::Bytes) | Schema::Bytes, Value::Uuid(uuid)) => {
            Some(prefixed(uuid.as_bytes()))
        }
        (Schema::Uuid(UuidSchema::Bytes), Value::Bytes(bytes)) if bytes.len() == 16 => {
            Some(prefixed(bytes))
        }
        (Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Fixed(fixed), value) => {
            let bytes = match value {
                Value::Bytes(bytes) | Value::Fixed(_, bytes) => bytes.clone(),
                Value::String(text) => text.clone().into_bytes(),
                Value::Uuid(uuid) => uuid.as_bytes().to_vec(),
                _ => return None,
            };
            (bytes.len() == fixed.size).then_some(bytes)
        }
        (Schema::Duration(_), Value::Duration(duration)) => {
            Some(<[u8; 12]>::from(*duration).to_vec())
        }
        (Schema::Duration(_), Value::Bytes(bytes) | Value::Fixed(_, bytes)) => {
            (bytes.len() == 12).then(|| bytes.clone())
        }
        _ => None,
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    push_count(&mut out, bytes.len());
    out.extend(bytes);
    out
}
