//! Whole numbers that the types of Avro hold.

use apache_avro::Schema;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The least and the greatest number of a type that holds whole numbers; none for the others.
pub(crate) fn integer_bounds(schema: &Schema) -> Option<(i64, i64)> {
    match schema {
        Schema::Int | Schema::Date => Some((i32::MIN.into(), i32::MAX.into())),
        // Since midnight.
        Schema::TimeMillis => Some((0, DAY_MS - 1)),
        Schema::TimeMicros => Some((0, DAY_MS * 1_000 - 1)),
        Schema::Long
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}
