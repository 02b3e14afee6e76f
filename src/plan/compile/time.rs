//! Times in the units of a schema.

use apache_avro::Schema;

use super::Compiler;
use super::bind::{Place, schema_name};
use super::value::{Number, Value};
use crate::config::integer_bounds;
use crate::plan::fill::{Fill, Integer, Piece, Text};
use crate::plan::program::{Arithmetic, Operand, Wide, input};

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;
/// Zones are less than a day from UTC.
const OFFSET_MINUTES_MAX: i64 = 1_440;

impl Compiler<'_> {
    /// The event's time in the unit of the schema.
    pub(super) fn time(&mut self, schema: &Schema, level: u16, place: Place<'_>) -> Option<Fill> {
        match schema {
            Schema::TimestampMicros | Schema::LocalTimestampMicros | Schema::Long => {
                let (base, value) = (self.source.start_us, input::time(level));
                Some(Fill::Integer(Integer::Offset { base, value }))
            }
            schema => {
                let number = self.number(&Value::Time { level }.into(), place.span)?;
                self.instant(schema, number, place)
            }
        }
    }

    /// Microseconds since the Unix epoch in the unit of the schema.
    pub(super) fn instant(
        &mut self,
        schema: &Schema,
        number: Number,
        place: Place<'_>,
    ) -> Option<Fill> {
        let number = match schema {
            Schema::TimestampMicros | Schema::LocalTimestampMicros | Schema::Long => number,
            Schema::TimestampMillis | Schema::LocalTimestampMillis => {
                self.units(number, 1_000, place)?
            }
            Schema::TimestampNanos | Schema::LocalTimestampNanos => {
                let thousand = Number::constant(1_000, 0);
                let function = Arithmetic::Multiply;
                self.arithmetic(function, [number, thousand], number.scale, place.span)?
            }
            Schema::Date => self.units(number, DAY_US, place)?,
            Schema::TimeMicros | Schema::TimeMillis => {
                let day = self.rescale(Number::constant(DAY_US, 0), number.scale, place.span)?;
                let function = Arithmetic::Modulo;
                let time = self.arithmetic(function, [number, day], number.scale, place.span)?;
                let unit_us = if matches!(schema, Schema::TimeMicros) { 1 } else { 1_000 };
                self.units(time, unit_us, place)?
            }
            schema => {
                let what = format!("`{}` is {}, not a time", place.path, schema_name(schema));
                return self.refuse(
                    place.span,
                    what,
                    "use timestamp-micros, timestamp-millis or string",
                );
            }
        };
        self.whole_number(schema, number, place)
    }

    /// Whole units of so many microseconds; what is left of one does not count.
    fn units(&mut self, number: Number, unit_us: i64, place: Place<'_>) -> Option<Number> {
        let unit = Number::constant(unit_us, 0);
        let unit = self.rescale(unit, number.scale, place.span)?;
        let floor = Arithmetic::FloorTo;
        let floored = self.arithmetic(floor, [number, unit], number.scale, place.span)?;
        self.arithmetic(Arithmetic::Divide, [floored, unit], 0, place.span)
    }

    /// A local time as what a clock there shows, in the unit of the schema.
    pub(super) fn local_instant(
        &mut self,
        schema: &Schema,
        text: &Text,
        place: Place<'_>,
    ) -> Option<Fill> {
        let (base, value, offset) = local_time(text)?;
        let (min, max) = (-OFFSET_MINUTES_MAX, OFFSET_MINUTES_MAX);
        let offset = Number { operand: offset, min, max, scale: 0 };
        let minute = Number::constant(MINUTE_US, 0);
        let offset = self.arithmetic(Arithmetic::Multiply, [offset, minute], 0, place.span)?;
        let max = super::value::LONGEST_US;
        let time = Number { operand: Operand::Wide(value), min: 0, max, scale: 0 };
        let start = Number::constant(base, 0);
        let time = self.arithmetic(Arithmetic::Add, [time, start], 0, place.span)?;
        let time = self.arithmetic(Arithmetic::Add, [time, offset], 0, place.span)?;
        self.instant(schema, time, place)
    }
}

/// The start, the time since and the minutes east of UTC, if a text is a local time alone.
pub(super) fn local_time(text: &Text) -> Option<(i64, Wide, Operand)> {
    match text.0[..] {
        [
            Piece::LocalTime {
                instant_us: Integer::Offset { base, value },
                offset_minutes: Integer::Signed(offset),
                ..
            },
        ] => Some((base, value, Operand::Signed(offset))),
        _ => None,
    }
}

/// Whether a schema holds what a clock shows, wherever it is.
pub(super) fn is_local(schema: &Schema) -> bool {
    let moments =
        [Schema::TimestampMillis, Schema::TimestampMicros, Schema::TimestampNanos, Schema::Long];
    let is_whole = integer_bounds(schema).is_some() && !matches!(schema, Schema::Int);
    is_whole && !moments.contains(schema)
}
