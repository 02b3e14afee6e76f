//! Binding of numbers: whole ones, decimals, and places among symbols.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema};
use apache_avro::types::Value as Avro;

use super::Compiler;
use super::bind::Place;
use super::value::{Cell, Number};
use crate::config::integer_bounds;
use crate::config::model::{Field, Generator};
use crate::plan::fill::Fill;
use crate::plan::program::{Operand, Operation, Target};

impl Compiler<'_> {
    /// The symbol at a place, counted from 0.
    pub(super) fn symbol(
        &mut self,
        symbols: &[String],
        number: Number,
        place: Place<'_>,
    ) -> Option<Fill> {
        let count = i64::try_from(symbols.len()).unwrap_or(i64::MAX);
        if number.scale > 0 || number.min < 0 || number.max >= count {
            let Number { min, max, .. } = number;
            let (path, last) = (place.path, count - 1);
            let what =
                format!("this goes from {min} to {max}, but `{path}` has the symbols 0 to {last}");
            return self.refuse(place.span, what, "use whole numbers from 0, or the symbols");
        }
        let symbol =
            |(at, text): (usize, &String)| Some(Avro::Enum(u32::try_from(at).ok()?, text.clone()));
        let values: Vec<_> = symbols.iter().enumerate().filter_map(symbol).collect();
        match number.operand {
            Operand::Unsigned(index) => Some(Fill::Dictionary { index, values: values.into() }),
            Operand::Constant(index) => {
                let value = values.into_iter().nth(usize::try_from(index).ok()?)?;
                Some(Fill::Constant(value))
            }
            from => {
                let index = self.register();
                self.emit(Operation::Move { from, out: Target::Word(index) });
                Some(Fill::Dictionary { index, values: values.into() })
            }
        }
    }

    pub(super) fn whole_number(
        &mut self,
        schema: &Schema,
        number: Number,
        place: Place<'_>,
    ) -> Option<Fill> {
        let limit = integer_bounds(schema)?;
        if number.scale > 0 {
            let what = format!(
                "`{}` holds whole numbers, but this has {} digits after the point",
                place.path, number.scale
            );
            return self.refuse(
                place.span,
                what,
                "use round(…), or a decimal or double in the schema",
            );
        }
        if number.min < limit.0 || number.max > limit.1 {
            let what = format!(
                "this goes from {} to {}, but `{}` holds {} to {}",
                number.min, number.max, place.path, limit.0, limit.1
            );
            let of_field = |field: &&Field| field.name.value == place.path;
            let field = self.source.stream.fields.iter().find(of_field);
            let help = match field.map(|field| &field.generator.value) {
                Some(Generator::Counter(_)) => "let it begin again: `restart`, or use a long",
                _ => "bound it with `min` and `max`, or use a long",
            };
            return self.refuse(place.span, what, help);
        }
        Some(Fill::Integer(number.integer()))
    }

    pub(super) fn decimal(
        &mut self,
        decimal: &DecimalSchema,
        cell: &Cell,
        place: Place<'_>,
    ) -> Option<Fill> {
        let number = self.number(cell, place.span)?;
        let scale = u8::try_from(decimal.scale).unwrap_or(u8::MAX);
        if number.scale > scale {
            let what = format!(
                "this has {} digits after the point, but `{}` holds {scale}",
                number.scale, place.path
            );
            return self.refuse(place.span, what, "use round(…, digits)");
        }
        let number = self.rescale(number, scale, place.span)?;
        let digits = number.max.unsigned_abs().max(number.min.unsigned_abs());
        let fits = usize::try_from(digits.checked_ilog10().map_or(1, |log| log + 1))
            .is_ok_and(|digits| digits <= decimal.precision);
        let bytes = match &decimal.inner {
            InnerDecimalSchema::Bytes => usize::MAX,
            InnerDecimalSchema::Fixed(fixed) => fixed.size,
        };
        let room = bytes >= 8 || digits < 1 << (8 * bytes - 1);
        if !fits || !room {
            let reaches = with_point(digits, scale);
            let what = if fits {
                let holds = with_point((1 << (8 * bytes - 1)) - 1, scale);
                format!(
                    "this reaches {reaches}, but the {bytes} bytes of `{}` hold {holds}",
                    place.path
                )
            } else {
                let (path, held) = (place.path, decimal.precision);
                format!(
                    "this reaches {reaches}, but `{path}` holds {held} digits, {scale} of them after the point"
                )
            };
            return self.refuse(place.span, what, "bound it with `max`, or with min(…)");
        }
        Some(Fill::Integer(number.integer()))
    }
}

/// A number with so many digits after the point.
fn with_point(digits: u64, scale: u8) -> String {
    let scale = usize::from(scale);
    let text = format!("{digits:0>width$}", width = scale + 1);
    let (whole, after) = text.split_at(text.len() - scale);
    if scale == 0 { text } else { format!("{whole}.{after}") }
}
