//! JSON as Avro values: what [`super::Reader`] says, read back.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, UuidSchema};
use jiff::civil;
use serde_json::Value as Json;

use crate::encode::avro::{Error, Place, names};
use crate::encode::wire::{push_count, push_long};

/// Appends a JSON value as the schema has it.
///
/// A value fits the first branch of a union that takes it; a field that is missing has its default. Times
/// are texts as in RFC 3339 or numbers in their unit, `bytes` and `fixed` hexadecimal digits, decimals
/// texts or numbers.
pub fn write(schema: &Schema, value: &Json, out: &mut Vec<u8>) -> Result<(), Error> {
    push(out, &Place::root(schema, &names(schema)), value)
}

fn push(out: &mut Vec<u8>, place: &Place<'_>, value: &Json) -> Result<(), Error> {
    match (place.schema()?, value) {
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
        (Schema::Record(record), Json::Object(fields)) => {
            for field in &record.fields {
                let place = place.field(field);
                match fields.get(&field.name).or(field.default.as_ref()) {
                    Some(value) => push(out, &place, value)?,
                    None => return Err(place.misfit("nothing, and it has no default")),
                }
            }
            Ok(())
        }
        (Schema::Array(array), Json::Array(items)) => {
            if !items.is_empty() {
                push_count(out, items.len());
                for item in items {
                    push(out, &place.item(&array.items), item)?;
                }
            }
            out.push(0);
            Ok(())
        }
        (Schema::Map(map), Json::Object(items)) => {
            if !items.is_empty() {
                push_count(out, items.len());
                for (key, value) in items {
                    push_bytes(out, key.as_bytes());
                    push(out, &place.value(&map.types), value)?;
                }
            }
            out.push(0);
            Ok(())
        }
        (schema, value) => simple(out, schema, value).ok_or_else(|| misfit(place, value)),
    }
}

fn misfit(place: &Place<'_>, value: &Json) -> Error {
    place.misfit(&value.to_string())
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a value that has no others in it; none if it does not fit.
fn simple(out: &mut Vec<u8>, schema: &Schema, value: &Json) -> Option<()> {
    match (schema, value) {
        (Schema::Null, Json::Null) => {}
        (Schema::Boolean, Json::Bool(value)) => out.push(u8::from(*value)),
        (Schema::Float, value) => {
            #[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
            let real = real(value)? as f32;
            out.extend(real.to_le_bytes());
        }
        (Schema::Double, value) => out.extend(real(value)?.to_le_bytes()),
        (Schema::String, Json::String(text)) => push_bytes(out, text.as_bytes()),
        (Schema::Enum(schema), Json::String(symbol)) => {
            push_count(out, schema.symbols.iter().position(|known| known == symbol)?);
        }
        (Schema::Bytes, Json::String(text)) => push_bytes(out, &unhex(text)?),
        (Schema::Fixed(fixed), Json::String(text)) => {
            let bytes = unhex(text).filter(|bytes| bytes.len() == fixed.size)?;
            out.extend(bytes);
        }
        (Schema::Uuid(kind), Json::String(text)) => {
            let uuid = uuid::Uuid::try_parse(text).ok()?;
            match kind {
                UuidSchema::String => push_bytes(out, text.as_bytes()),
                UuidSchema::Bytes => push_bytes(out, uuid.as_bytes()),
                UuidSchema::Fixed(_) => out.extend(uuid.as_bytes()),
            }
        }
        (Schema::Duration(_), Json::Object(parts)) => {
            for name in ["months", "days", "millis"] {
                out.extend(u32::try_from(parts.get(name)?.as_u64()?).ok()?.to_le_bytes());
            }
        }
        (Schema::Decimal(schema), value) => decimal(out, schema, value)?,
        (schema, value) => push_long(out, whole(schema, value)?),
    }
    Some(())
}

/// A whole number, or a time in units of its type.
fn whole(schema: &Schema, value: &Json) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        let (min, max) = crate::config::integer_bounds(schema)?;
        return (min..=max).contains(&number).then_some(number);
    }
    let text = value.as_str()?;
    let since_midnight = |unit_ns: i64| {
        let time: civil::Time = text.parse().ok()?;
        let since = time.duration_since(civil::Time::midnight()).as_nanos();
        i64::try_from(since / i128::from(unit_ns)).ok()
    };
    let instant = |unit_ns: i64| {
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond().div_euclid(i128::from(unit_ns))).ok()
    };
    let local = |unit_ns: i64| {
        let time: civil::DateTime = text.parse().ok()?;
        let time = jiff::tz::Offset::UTC.to_timestamp(time).ok()?;
        i64::try_from(time.as_nanosecond().div_euclid(i128::from(unit_ns))).ok()
    };
    match schema {
        Schema::Date => {
            let date: civil::Date = text.parse().ok()?;
            let time = jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
            Some(time.as_second().div_euclid(86_400))
        }
        Schema::TimeMillis => since_midnight(1_000_000),
        Schema::TimeMicros => since_midnight(1_000),
        Schema::TimestampMillis => instant(1_000_000),
        Schema::TimestampMicros => instant(1_000),
        Schema::TimestampNanos => instant(1),
        Schema::LocalTimestampMillis => local(1_000_000),
        Schema::LocalTimestampMicros => local(1_000),
        Schema::LocalTimestampNanos => local(1),
        _ => None,
    }
}

fn real(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| match value.as_str()? {
        "NaN" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

/// Exact up to what 128 bits hold.
fn decimal(out: &mut Vec<u8>, schema: &DecimalSchema, value: &Json) -> Option<()> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let padding = schema.scale.checked_sub(fraction.len())?;
    let unscaled: i128 = format!("{whole}{fraction}{}", "0".repeat(padding)).parse().ok()?;
    let bytes = unscaled.to_be_bytes();
    let sign = if unscaled < 0 { 0xff } else { 0 };
    // The fewest bytes whose first bit is the sign.
    let fits = |start: usize| {
        bytes[..start].iter().all(|byte| *byte == sign) && bytes[start] & 0x80 == sign & 0x80
    };
    let start = (0..bytes.len()).rev().find(|start| fits(*start))?;
    match &schema.inner {
        InnerDecimalSchema::Bytes => push_bytes(out, &bytes[start..]),
        InnerDecimalSchema::Fixed(fixed) => {
            let padding = fixed.size.checked_sub(bytes.len() - start)?;
            out.extend(std::iter::repeat_n(sign, padding));
            out.extend(&bytes[start..]);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::super::Reader;
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"u","type":["null","string"]},
        {"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},
        {"name":"l","type":{"type":"long","logicalType":"local-timestamp-millis"}},
        {"name":"d","type":{"type":"int","logicalType":"date"}},
        {"name":"c","type":{"type":"int","logicalType":"time-millis"}},
        {"name":"m","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
        {"name":"b","type":{"type":"fixed","name":"F","size":2}},
        {"name":"i","type":{"type":"string","logicalType":"uuid"}},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
        {"name":"a","type":{"type":"array","items":"double"}},
        {"name":"n","type":{"type":"map","values":"int"}},
        {"name":"r","type":["null","R"],"default":null}]}"#;

    fn value() -> Json {
        json!({"u": "x", "t": "2026-11-21T08:31:02.345678Z", "l": "2026-11-21T08:31:02.345",
            "d": "2026-11-21", "c": "08:31:02.345", "m": "-12.30", "b": "00ff",
            "i": "6f9619ff-8b86-4011-b42d-00cf4fc964ff", "e": "B", "a": [1.5, "NaN"],
            "n": {"k": -3}, "r": null})
    }

    #[test]
    fn what_is_said_of_a_value_is_read_back() {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let mut inner = value();
        inner["u"] = Json::Null;
        let mut outer = value();
        outer["r"] = inner;
        let mut bytes = Vec::new();
        write(&schema, &outer, &mut bytes).unwrap();
        assert_eq!(Reader::new(&schema).unwrap().read(&bytes).unwrap(), outer);
    }

    #[test]
    fn a_missing_field_has_its_default_and_a_misfit_is_told_with_its_path() {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let mut given = value();
        given.as_object_mut().unwrap().remove("r");
        write(&schema, &given, &mut Vec::new()).unwrap();
        given["e"] = json!("C");
        let error = write(&schema, &given, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains('e') && error.contains("\"C\""), "{error}");
    }

    proptest! {
        #[test]
        fn decimals_come_back_as_they_were(unscaled in any::<i64>()) {
            let text = r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":0}"#;
            let schema = Schema::parse_str(text).unwrap();
            let mut bytes = Vec::new();
            write(&schema, &json!(unscaled.to_string()), &mut bytes).unwrap();
            let said = Reader::new(&schema).unwrap().read(&bytes).unwrap();
            assert_eq!(said, unscaled.to_string());
        }
    }
}
