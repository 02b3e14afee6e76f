//! Places in an Avro schema, and what fits them.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, RecordField, UuidSchema};

use super::Error;
use crate::config::integer_bounds;

/// The named types of a schema.
pub(in crate::encode) type Names<'s> = BTreeMap<String, &'s Schema>;

/// All named types that a schema defines.
pub(in crate::encode) fn names(schema: &Schema) -> Names<'_> {
    let mut names = Names::new();
    collect(schema, &mut names);
    names
}

fn collect<'s>(schema: &'s Schema, names: &mut Names<'s>) {
    let mut add = |name: &Name| names.insert(name.fullname(None), schema).is_none();
    match schema {
        Schema::Record(record) if add(&record.name) => {
            record.fields.iter().for_each(|field| collect(&field.schema, names));
        }
        Schema::Array(array) => collect(&array.items, names),
        Schema::Map(map) => collect(&map.types, names),
        Schema::Union(union) => {
            union.variants().iter().for_each(|schema| collect(schema, names));
        }
        Schema::Enum(schema) => {
            add(&schema.name);
        }
        Schema::Fixed(fixed)
        | Schema::Duration(fixed)
        | Schema::Uuid(UuidSchema::Fixed(fixed))
        | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Fixed(fixed), .. }) => {
            add(&fixed.name);
        }
        _ => {}
    }
}

/// A place in a schema.
#[derive(Clone)]
pub(in crate::encode) struct Place<'s> {
    path: String,
    schema: &'s Schema,
    names: &'s Names<'s>,
}

impl<'s> Place<'s> {
    /// The whole schema.
    pub(in crate::encode) fn root(schema: &'s Schema, names: &'s Names<'s>) -> Self {
        Self { path: String::new(), schema, names }
    }

    /// A place that is not in the user's schema, for keys.
    pub(in crate::encode) fn named(path: &str, schema: &'s Schema, names: &'s Names<'s>) -> Self {
        Self { path: path.to_owned(), schema, names }
    }

    /// The schema here; references are followed.
    pub(in crate::encode) fn schema(&self) -> Result<&'s Schema, Error> {
        match self.schema {
            Schema::Ref { name } => {
                let name = name.fullname(None);
                self.names
                    .get(&name)
                    .copied()
                    .ok_or_else(|| Error::UnknownType { path: self.path(), name })
            }
            other => Ok(other),
        }
    }

    /// A field of the record here.
    pub(in crate::encode) fn field(&self, field: &'s RecordField) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.below(format!("{}{dot}{}", self.path, field.name), &field.schema)
    }

    /// The items of the array here.
    pub(in crate::encode) fn item(&self, schema: &'s Schema) -> Self {
        self.below(format!("{}[]", self.path), schema)
    }

    /// The values of the map here.
    pub(in crate::encode) fn value(&self, schema: &'s Schema) -> Self {
        self.below(format!("{}{{}}", self.path), schema)
    }

    /// A branch of the union here.
    pub(in crate::encode) fn branch(&self, schema: &'s Schema) -> Self {
        self.below(self.path.clone(), schema)
    }

    fn below(&self, path: String, schema: &'s Schema) -> Self {
        Self { path, schema, names: self.names }
    }

    /// The place in words: a dotted path.
    pub(super) fn path(&self) -> String {
        if self.path.is_empty() { "(the whole value)".to_owned() } else { self.path.clone() }
    }

    /// The Avro type here in words.
    pub(in crate::encode) fn avro(&self) -> String {
        self.schema().map_or_else(|_| "unknown".to_owned(), describe)
    }

    /// Something was given that does not fit here.
    pub(in crate::encode) fn misfit(&self, given: &str) -> Error {
        Error::Misfit { path: self.path(), avro: self.avro(), given: given.to_owned() }
    }

    /// So many bytes were given that do not fit here.
    pub(super) fn length(&self, expected: usize, (min, max): (usize, usize)) -> Error {
        Error::Length { path: self.path(), avro: self.avro(), expected, min, max }
    }

    /// A number that the type here cannot hold.
    pub(super) fn out_of_range(&self, value: i64, min: i64, max: i64) -> Error {
        Error::OutOfRange { path: self.path(), avro: self.avro(), value, min, max }
    }
}

/// A schema's type in words, as an Avro schema names it.
pub(super) fn describe(schema: &Schema) -> String {
    let text = match schema {
        Schema::Null => "null",
        Schema::Boolean => "boolean",
        Schema::Int => "int",
        Schema::Long => "long",
        Schema::Float => "float",
        Schema::Double => "double",
        Schema::Bytes => "bytes",
        Schema::String => "string",
        Schema::Array(_) => "array",
        Schema::Map(_) => "map",
        Schema::BigDecimal => "big-decimal",
        Schema::Date => "date",
        Schema::TimeMillis => "time-millis",
        Schema::TimeMicros => "time-micros",
        Schema::TimestampMillis => "timestamp-millis",
        Schema::TimestampMicros => "timestamp-micros",
        Schema::TimestampNanos => "timestamp-nanos",
        Schema::LocalTimestampMillis => "local-timestamp-millis",
        Schema::LocalTimestampMicros => "local-timestamp-micros",
        Schema::LocalTimestampNanos => "local-timestamp-nanos",
        Schema::Uuid(UuidSchema::String) => "uuid (string)",
        Schema::Uuid(UuidSchema::Bytes) => "uuid (bytes)",
        Schema::Uuid(UuidSchema::Fixed(_)) => "uuid (fixed)",
        Schema::Duration(_) => "duration",
        Schema::Record(schema) => return format!("record {}", schema.name.fullname(None)),
        Schema::Enum(schema) => return format!("enum {}", schema.name.fullname(None)),
        Schema::Fixed(schema) => return format!("fixed of {} bytes", schema.size),
        Schema::Decimal(schema) => {
            return format!("decimal({}, {})", schema.precision, schema.scale);
        }
        Schema::Union(union) => {
            let branches: Vec<_> = union.variants().iter().map(describe).collect();
            return format!("union of {}", branches.join(", "));
        }
        Schema::Ref { name } => return name.fullname(None),
    };
    text.to_owned()
}

/// The least and the greatest number that a type takes; none for types that take no numbers.
///
/// Of decimals the unscaled value is meant.
pub(super) fn limits(schema: &Schema) -> Option<(i64, i64)> {
    match schema {
        Schema::Decimal(decimal) => {
            let precision = u32::try_from(decimal.precision).unwrap_or(u32::MAX);
            let (min, max) = match 10_i64.checked_pow(precision) {
                Some(power) => (1 - power, power - 1),
                None => (i64::MIN, i64::MAX),
            };
            match &decimal.inner {
                InnerDecimalSchema::Fixed(fixed) if fixed.size == 0 => None,
                InnerDecimalSchema::Fixed(fixed) if fixed.size < 8 => {
                    let half = 1_i64 << (8 * fixed.size - 1);
                    Some((min.max(-half), max.min(half - 1)))
                }
                _ => Some((min, max)),
            }
        }
        other => integer_bounds(other),
    }
}
