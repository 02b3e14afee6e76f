//! Avro values as JSON.

pub mod write;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::ResolvedSchema;
use apache_avro::types::Value;
use serde_json::{Map, Number, Value as Json};

use super::avro::{Place, names};

/// Why a datum cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schema refers to what it does not define.
    #[error("the schema cannot be used to read datums")]
    Schema(#[source] Box<apache_avro::Error>),
    /// The bytes are no datum of the schema.
    #[error("{length} bytes are no datum of the schema")]
    Datum {
        /// How many bytes there are.
        length: usize,
        /// Where reading stopped.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// The bytes go on after the datum.
    #[error("a datum ends after {read} of {length} bytes")]
    Trailing {
        /// How many bytes the datum has.
        read: usize,
        /// How many bytes there are.
        length: usize,
    },
}

/// Reads Avro datums of one schema and says them in JSON.
///
/// Records keep the order of their fields, maps are sorted by key, unions are the bare value.
/// Decimals are text ("-12.30": a JSON number would be rounded by most readers); `bytes` and
/// `fixed` are lower-case hexadecimal; dates, times and timestamps are as in RFC 3339, timestamps in UTC with
/// `Z`, local timestamps without a zone, all with the digits of their unit; those outside the
/// years 1 to 9999 are numbers. Floats that are not finite are the text `NaN`, `inf` or `-inf`.
/// Durations are objects of `months`, `days` and `millis`.
pub struct Reader<'s> {
    schema: &'s Schema,
    datums: GenericDatumReader<'s>,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("schema", self.schema).finish_non_exhaustive()
    }
}

impl<'s> Reader<'s> {
    /// A reader of datums of `schema`.
    pub fn new(schema: &'s Schema) -> Result<Self, Error> {
        let source = |error| Error::Schema(Box::new(error));
        let resolved = ResolvedSchema::new(schema).map_err(source)?;
        let datums = GenericDatumReader::builder(schema)
            .resolved_writer_schemata(resolved)
            .build()
            .map_err(source)?;
        Ok(Self { schema, datums })
    }

    /// The value of a bare datum (without framing).
    pub fn read(&self, datum: &[u8]) -> Result<Json, Error> {
        let mut rest = datum;
        let value = self
            .datums
            .read_value(&mut rest)
            .map_err(|source| Error::Datum { length: datum.len(), source: Box::new(source) })?;
        if !rest.is_empty() {
            let read = datum.len() - rest.len();
            return Err(Error::Trailing { read, length: datum.len() });
        }
        Ok(say(&Place::root(self.schema, &names(self.schema)), value))
    }
}

pub(super) fn say(place: &Place<'_>, value: Value) -> Json {
    match (place.schema(), value) {
        (Ok(Schema::Union(union)), Value::Union(branch, value)) => {
            match union.variants().get(branch as usize) {
                Some(schema) => say(&place.branch(schema), *value),
                None => Json::Null,
            }
        }
        (Ok(Schema::Record(record)), Value::Record(values)) => {
            let fields = record.fields.iter().zip(values);
            let said = fields.map(|(field, (name, value))| (name, say(&place.field(field), value)));
            Json::Object(said.collect())
        }
        (Ok(Schema::Array(array)), Value::Array(items)) => {
            items.into_iter().map(|item| say(&place.item(&array.items), item)).collect()
        }
        (Ok(Schema::Map(map)), Value::Map(items)) => {
            let sorted: BTreeMap<_, _> = items.into_iter().collect();
            let said =
                sorted.into_iter().map(|(key, value)| (key, say(&place.value(&map.types), value)));
            Json::Object(said.collect())
        }
        (Ok(Schema::Decimal(schema)), Value::Decimal(decimal)) => {
            let bytes = Vec::<u8>::try_from(&decimal).unwrap_or_default();
            Json::String(decimal_text(&bytes, schema.scale))
        }
        (_, value) => simple(value),
    }
}

fn simple(value: Value) -> Json {
    match value {
        Value::Boolean(value) => Json::Bool(value),
        Value::Int(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Float(value) => real(f64::from(value), value.to_string()),
        Value::Double(value) => real(value, value.to_string()),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Json::String(hex(&bytes)),
        Value::String(text) | Value::Enum(_, text) => Json::String(text),
        Value::Uuid(uuid) => Json::String(uuid.to_string()),
        Value::BigDecimal(decimal) => Json::String(decimal.to_plain_string()),
        Value::Date(days) => date(days),
        Value::TimeMillis(millis) => time(millis.into(), Unit::MILLIS),
        Value::TimeMicros(micros) => time(micros, Unit::MICROS),
        Value::TimestampMillis(millis) => timestamp(millis, Unit::MILLIS, "Z"),
        Value::TimestampMicros(micros) => timestamp(micros, Unit::MICROS, "Z"),
        Value::TimestampNanos(nanos) => timestamp(nanos, Unit::NANOS, "Z"),
        Value::LocalTimestampMillis(millis) => timestamp(millis, Unit::MILLIS, ""),
        Value::LocalTimestampMicros(micros) => timestamp(micros, Unit::MICROS, ""),
        Value::LocalTimestampNanos(nanos) => timestamp(nanos, Unit::NANOS, ""),
        Value::Duration(duration) => {
            let part = |number: u32| Json::from(number);
            Json::Object(Map::from_iter([
                ("months".to_owned(), part(duration.months().into())),
                ("days".to_owned(), part(duration.days().into())),
                ("millis".to_owned(), part(duration.millis().into())),
            ]))
        }
        // Null; all others have a schema of their kind, and were handled with it.
        _ => Json::Null,
    }
}

/// A float with the digits of its own precision; `text` is its shortest form.
fn real(value: f64, text: String) -> Json {
    let number = text.parse().ok().and_then(Number::from_f64);
    if value.is_finite() { number.map_or(Json::Null, Json::Number) } else { Json::String(text) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a `String` cannot fail.
        write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
    })
}

/// Two's complement, big-endian, divided by 10^`scale`.
fn decimal_text(bytes: &[u8], scale: usize) -> String {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    let mut magnitude = bytes.to_vec();
    if negative {
        for byte in &mut magnitude {
            *byte = !*byte;
        }
        for byte in magnitude.iter_mut().rev() {
            let (next, carry) = byte.overflowing_add(1);
            *byte = next;
            if !carry {
                break;
            }
        }
        if magnitude.iter().all(|&byte| byte == 0) {
            magnitude.insert(0, 1);
        }
    }
    let mut digits = Vec::new();
    while magnitude.iter().any(|&byte| byte != 0) || digits.len() <= scale {
        let mut remainder = 0;
        for byte in &mut magnitude {
            let value = remainder * 256 + u32::from(*byte);
            *byte = (value / 10).to_le_bytes()[0];
            remainder = value % 10;
        }
        digits.push(char::from_digit(remainder, 10).unwrap_or('0'));
    }
    let mut text = String::from(if negative { "-" } else { "" });
    for (place, digit) in digits.iter().enumerate().rev() {
        text.push(*digit);
        if place == scale && scale > 0 {
            text.push('.');
        }
    }
    text
}

/// A unit of time.
#[derive(Clone, Copy)]
struct Unit {
    /// How long it is.
    nanos: i128,
    /// How many digits of a second's fraction it has.
    digits: usize,
}

impl Unit {
    const MILLIS: Self = Self { nanos: 1_000_000, digits: 3 };
    const MICROS: Self = Self { nanos: 1_000, digits: 6 };
    const NANOS: Self = Self { nanos: 1, digits: 9 };
}

const DAY: Unit = Unit { nanos: 86_400_000_000_000, digits: 0 };

fn date(days: i32) -> Json {
    match civil(days.into(), DAY) {
        Some(date) => Json::String(date.strftime("%Y-%m-%d").to_string()),
        None => days.into(),
    }
}

fn time(value: i64, unit: Unit) -> Json {
    match civil(value, unit) {
        Some(time) if (0..DAY.nanos / unit.nanos).contains(&value.into()) => {
            Json::String(format!("{}{}", time.strftime("%H:%M:%S"), fraction(time, unit)))
        }
        _ => value.into(),
    }
}

fn timestamp(value: i64, unit: Unit, zone: &str) -> Json {
    match civil(value, unit) {
        Some(time) => {
            let seconds = time.strftime("%Y-%m-%dT%H:%M:%S");
            Json::String(format!("{seconds}{}{zone}", fraction(time, unit)))
        }
        None => value.into(),
    }
}

/// The date and time so many units after the Unix epoch, in the years 1 to 9999.
fn civil(value: i64, unit: Unit) -> Option<jiff::civil::DateTime> {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(value) * unit.nanos).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(instant);
    (1..=9_999).contains(&civil.year()).then_some(civil)
}

fn fraction(time: jiff::civil::DateTime, unit: Unit) -> String {
    let mut text = format!(".{:09}", time.subsec_nanosecond());
    text.truncate(1 + unit.digits);
    text
}

#[cfg(test)]
mod tests {
    use apache_avro::{Days, Decimal, Duration, Millis, Months};
    use serde_json::json;

    use super::*;

    fn said(schema: &str, value: Value) -> Json {
        let schema = Schema::parse_str(schema).unwrap();
        let datum = apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap();
        Reader::new(&schema).unwrap().read(&datum).unwrap()
    }

    fn logical(base: &str, name: &str, value: Value) -> Json {
        said(&format!(r#"{{"type":"{base}","logicalType":"{name}"}}"#), value)
    }

    #[test]
    fn times_are_said_as_in_the_standard() {
        let micros = 1_795_249_862_345_678;
        let day = Value::Date(20_778);
        assert_eq!(logical("int", "date", day), "2026-11-21");
        assert_eq!(logical("int", "date", Value::Date(i32::MAX)), i32::MAX);
        assert_eq!(logical("int", "date", Value::Date(-719_162)), "0001-01-01");
        assert_eq!(logical("int", "time-millis", Value::TimeMillis(86_399_999)), "23:59:59.999");
        assert_eq!(logical("long", "time-micros", Value::TimeMicros(1)), "00:00:00.000001");
        let text = "2026-11-21T08:31:02.345678";
        let value = Value::TimestampMicros(micros);
        assert_eq!(logical("long", "timestamp-micros", value), format!("{text}Z"));
        let value = Value::LocalTimestampMicros(micros);
        assert_eq!(logical("long", "local-timestamp-micros", value), text);
        let value = Value::TimestampMillis(micros / 1_000);
        assert_eq!(logical("long", "timestamp-millis", value), "2026-11-21T08:31:02.345Z");
        let value = Value::TimestampNanos(-1);
        assert_eq!(logical("long", "timestamp-nanos", value), "1969-12-31T23:59:59.999999999Z");
        let value = Value::TimestampMicros(i64::MIN);
        assert_eq!(logical("long", "timestamp-micros", value), i64::MIN);
    }

    #[test]
    fn decimals_are_exact_text() {
        let schema = r#"{"type":"bytes","logicalType":"decimal","precision":40,"scale":2}"#;
        for (bytes, text) in [
            (vec![0], "0.00"),
            (vec![0xff], "-0.01"),
            (vec![0x80], "-1.28"),
            (vec![0x04, 0xd2], "12.34"),
            (i64::MIN.to_be_bytes().to_vec(), "-92233720368547758.08"),
            // 2^127 − 1, from `i128::MAX`.
            (i128::MAX.to_be_bytes().to_vec(), "1701411834604692317316873037158841057.27"),
        ] {
            assert_eq!(said(schema, Value::Decimal(Decimal::from(bytes))), text);
        }
        assert_eq!(decimal_text(&[], 0), "0");
        assert_eq!(decimal_text(&[0xff, 0x00], 0), "-256");
    }

    #[test]
    fn records_keep_the_order_of_their_fields() {
        let schema = r#"{"type":"record","name":"R","fields":[
            {"name":"z","type":["null","string"]},{"name":"a","type":{"type":"map","values":"int"}},
            {"name":"m","type":"bytes"},
            {"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"r","type":["null","R"]}]}"#;
        let record = |z, r| {
            let map = [("k2".to_owned(), Value::Int(2)), ("k1".to_owned(), Value::Int(1))];
            Value::Record(vec![
                ("z".to_owned(), z),
                ("a".to_owned(), Value::Map(map.into_iter().collect())),
                ("m".to_owned(), Value::Bytes(vec![0, 0xab])),
                ("f".to_owned(), Value::Float(0.1)),
                ("d".to_owned(), Value::Double(f64::NAN)),
                ("r".to_owned(), r),
            ])
        };
        let null = || Value::Union(0, Box::new(Value::Null));
        let text = Value::Union(1, Box::new(Value::String("x".to_owned())));
        let inner = Value::Union(1, Box::new(record(null(), null())));
        let said = serde_json::to_string(&said(schema, record(text, inner))).unwrap();
        let rest = r#""a":{"k1":1,"k2":2},"m":"00ab","f":0.1,"d":"NaN""#;
        assert_eq!(said, format!(r#"{{"z":"x",{rest},"r":{{"z":null,{rest},"r":null}}}}"#));
    }

    #[test]
    fn durations_and_uuids_are_readable() {
        let duration = Duration::new(Months::new(1), Days::new(2), Millis::new(u32::MAX));
        let schema = r#"{"type":"fixed","size":12,"name":"d","logicalType":"duration"}"#;
        let expected = json!({"months": 1, "days": 2, "millis": u32::MAX});
        assert_eq!(said(schema, Value::Duration(duration)), expected);
        let uuid = uuid::Uuid::from_u128(5);
        assert_eq!(logical("string", "uuid", Value::Uuid(uuid)), uuid.to_string());
    }

    #[test]
    fn bytes_that_are_no_datum_are_refused() {
        let schema = Schema::parse_str(r#""boolean""#).unwrap();
        let reader = Reader::new(&schema).unwrap();
        assert!(matches!(reader.read(&[7]), Err(Error::Datum { length: 1, .. })));
        assert!(matches!(reader.read(&[1, 1]), Err(Error::Trailing { read: 1, length: 2 })));
    }
}
