//! Binding: each place of the schema gets the value that fills it.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, RecordSchema, UuidSchema};
use apache_avro::types::Value as Avro;

use super::Compiler;
use super::path::nearest;
use super::value::{Cell, Number, Parts, Value, numbers};
use crate::config::Span;
use crate::plan::fill::{Fill, Integer};
use crate::plan::program::{Arithmetic, Operand, Wide, input};

/// A place in the schema, and the field of the model that fills it.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    span: &'a Span,
}

impl Compiler<'_> {
    /// What fills the whole schema; mistakes are noted field by field.
    pub(super) fn bind(&mut self) -> Option<Fill> {
        let source = self.source;
        let Schema::Record(record) = source.schema else {
            let what = "the schema's top is not a record";
            return self.refuse(&source.stream.schema.span, what, "wrap it in a record");
        };
        let mut used = Vec::new();
        let fill = self.record(record, "", &mut used);
        for field in &source.stream.fields {
            if !used.contains(&field.name.value) {
                let mut known = Vec::new();
                field_names(record, "", &mut known);
                let what = format!("the schema has no field `{}`", field.name.value);
                let help = nearest(&field.name.value, &known);
                self.refuse::<()>(&field.name.span, what, &help);
            }
        }
        fill
    }

    fn record(
        &mut self,
        record: &RecordSchema,
        prefix: &str,
        used: &mut Vec<String>,
    ) -> Option<Fill> {
        let mut fills = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let path = format!("{prefix}{}", field.name);
            fills.push(self.field(&field.schema, &path, used));
        }
        fills.into_iter().collect::<Option<_>>().map(Fill::Record)
    }

    fn field(&mut self, schema: &Schema, path: &str, used: &mut Vec<String>) -> Option<Fill> {
        let stream = self.source.stream;
        if let Some(field) = stream.fields.iter().find(|field| field.name.value == path) {
            used.push(path.to_owned());
            let cell = self.named(path, &field.name.span)?;
            let place = Place { path, span: &field.generator.span };
            return self.place(schema, &cell, place);
        }
        if let Schema::Record(record) = schema {
            return self.record(record, &format!("{path}."), used);
        }
        let what = format!("the schema's field `{path}` has no source");
        let help = format!("add `{path}` to [streams.{}.fields]", stream.name);
        self.refuse(&stream.span, what, &help)
    }

    /// What fills a place with a cell, null included.
    fn place(&mut self, schema: &Schema, cell: &Cell, place: Place<'_>) -> Option<Fill> {
        if let (Schema::Record(record), Value::Parts(parts)) = (schema, &cell.value)
            && cell.present.is_none()
        {
            return self.record_of(record, parts, place);
        }
        let cell = &cell.clone().whole();
        let Schema::Union(union) = schema else {
            if cell.present.is_some() || matches!(cell.value, Value::Null) {
                let what = format!("this can be null, but `{}` cannot", place.path);
                return self.refuse(
                    place.span,
                    what,
                    "give it an `else`, or allow null in the schema",
                );
            }
            return self.fill(schema, cell, place);
        };
        let null = union.variants().iter().position(|branch| matches!(branch, Schema::Null));
        if let Value::Null = cell.value {
            return match null {
                Some(_) => Some(Fill::Constant(Avro::Null)),
                None => self.refuse(place.span, format!("`{}` cannot be null", place.path), ""),
            };
        }
        let present = match (cell.present, null) {
            (Some(_), None) => {
                let what = format!("this can be null, but `{}` cannot", place.path);
                return self.refuse(
                    place.span,
                    what,
                    "give it an `else`, or allow null in the schema",
                );
            }
            (Some(present), Some(_)) => present,
            (None, _) => self.constant(1),
        };
        let fits = |branch: &&(usize, &Schema)| suits(branch.1, &cell.value);
        let branches: Vec<_> = union.variants().iter().enumerate().collect();
        let Some(&(branch, schema)) = branches.iter().find(fits) else {
            let what = format!("`{}` has no branch for {}", place.path, cell.value.kind());
            return self.refuse(place.span, what, "use a generator of one of the union's types");
        };
        let inner = Cell { value: cell.value.clone(), present: None };
        let value = Box::new(self.fill(schema, &inner, place)?);
        Some(Fill::Optional { present, branch, value })
    }

    /// A record whose fields are called like the parts of a value.
    fn record_of(
        &mut self,
        record: &RecordSchema,
        parts: &Parts,
        place: Place<'_>,
    ) -> Option<Fill> {
        let mut fills = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let path = &format!("{}.{}", place.path, field.name);
            let value = self.part(parts, &field.name, place.span)?;
            let place = Place { path, span: place.span };
            fills.push(self.place(&field.schema, &value.into(), place)?);
        }
        Some(Fill::Record(fills))
    }

    fn fill(&mut self, schema: &Schema, cell: &Cell, place: Place<'_>) -> Option<Fill> {
        match (schema, &cell.value) {
            (Schema::Enum(symbols), Value::Dictionary { .. } | Value::Literal(_)) => {
                let find = |text: &String| {
                    let at = symbols.symbols.iter().position(|symbol| symbol == text)?;
                    Some(Avro::Enum(u32::try_from(at).ok()?, text.clone()))
                };
                self.dictionary(&cell.value, find, place)
            }
            (Schema::Boolean, Value::Boolean(word)) => Some(Fill::Boolean(*word)),
            (Schema::Boolean, Value::Dictionary { .. } | Value::Literal(_)) => {
                let find = |text: &String| text.parse().ok().map(Avro::Boolean);
                self.dictionary(&cell.value, find, place)
            }
            (Schema::Uuid(_) | Schema::String | Schema::Bytes, Value::Uuid(words)) => {
                Some(Fill::Uuid(*words))
            }
            (Schema::Fixed(fixed), Value::Uuid(words)) if fixed.size == 16 => {
                Some(Fill::Uuid(*words))
            }
            (Schema::String | Schema::Bytes | Schema::Uuid(UuidSchema::String), value)
                if !matches!(value, Value::Boolean(_) | Value::Row { .. }) =>
            {
                self.text_of(cell, None, place.span).map(Fill::Text)
            }
            (Schema::Decimal(decimal), _) => self.decimal(decimal, cell, place),
            (Schema::Float | Schema::Double, _) => {
                let number = self.number(cell, place.span)?;
                Some(Fill::Real { value: number.integer(), scale: number.scale })
            }
            (_, Value::Time) => self.time(schema, place),
            (_, Value::Number(_) | Value::Dictionary { .. } | Value::Literal(_))
                if whole(schema).is_some() =>
            {
                let number = self.number(cell, place.span)?;
                self.whole_number(schema, number, place)
            }
            (schema, value) => {
                let what = format!(
                    "`{}` is {}, but this is {}",
                    place.path,
                    schema_name(schema),
                    value.kind()
                );
                self.refuse(place.span, what, "use a generator of that type")
            }
        }
    }

    fn dictionary(
        &mut self,
        value: &Value,
        find: impl Fn(&String) -> Option<Avro>,
        place: Place<'_>,
    ) -> Option<Fill> {
        let cells = match value {
            Value::Dictionary { cells, .. } => cells.to_vec(),
            Value::Literal(text) => vec![text.clone()],
            _ => return None,
        };
        if let Some(cell) = cells.iter().find(|cell| find(cell).is_none()) {
            let what = format!("`{}` cannot hold the value `{cell}`", place.path);
            return self.refuse(place.span, what, "use values that the schema knows");
        }
        let values: Vec<_> = cells.iter().filter_map(find).collect();
        Some(match value {
            Value::Dictionary { index, .. } => {
                Fill::Dictionary { index: *index, values: values.into() }
            }
            _ => Fill::Constant(values.into_iter().next()?),
        })
    }

    fn whole_number(&mut self, schema: &Schema, number: Number, place: Place<'_>) -> Option<Fill> {
        let limit = whole(schema)?;
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
            return self.refuse(place.span, what, "bound it with `min` and `max`, or use a long");
        }
        Some(Fill::Integer(number.integer()))
    }

    fn decimal(&mut self, decimal: &DecimalSchema, cell: &Cell, place: Place<'_>) -> Option<Fill> {
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
            let what = format!("this reaches {digits}, more than `{}` has digits", place.path);
            return self.refuse(place.span, what, "bound it with min(…)");
        }
        Some(Fill::Integer(number.integer()))
    }

    /// The event's time in the unit of the schema.
    fn time(&mut self, schema: &Schema, place: Place<'_>) -> Option<Fill> {
        let base = self.source.start_us;
        let micros = Integer::Offset { base, value: input::TIME };
        match schema {
            Schema::TimestampMicros | Schema::LocalTimestampMicros | Schema::Long => {
                Some(Fill::Integer(micros))
            }
            Schema::TimestampMillis | Schema::LocalTimestampMillis => {
                self.scaled_time(Arithmetic::FloorTo, 1_000, place)
            }
            Schema::TimestampNanos | Schema::LocalTimestampNanos => {
                self.scaled_time(Arithmetic::Multiply, 1_000, place)
            }
            schema => {
                let what = format!("`{}` is {}, not a time", place.path, schema_name(schema));
                self.refuse(place.span, what, "use timestamp-micros, timestamp-millis or string")
            }
        }
    }

    fn scaled_time(&mut self, function: Arithmetic, factor: i64, place: Place<'_>) -> Option<Fill> {
        // Times of 146 years after the start keep clear of 64 bits in nanoseconds.
        let max = i64::MAX / 2_000;
        let operand = Operand::Wide(Wide { ..input::TIME });
        let time = Number { operand, min: 0, max, scale: 0 };
        let start = Number::constant(self.source.start_us, 0);
        let time = self.arithmetic(Arithmetic::Add, [time, start], 0, place.span)?;
        let factor = Number::constant(factor, 0);
        let scaled = self.arithmetic(function, [time, factor], 0, place.span)?;
        let scaled = if function == Arithmetic::FloorTo {
            self.arithmetic(Arithmetic::Divide, [scaled, factor], 0, place.span)?
        } else {
            scaled
        };
        Some(Fill::Integer(scaled.integer()))
    }
}

/// Whether a branch of a union is of the kind of a value.
fn suits(schema: &Schema, value: &Value) -> bool {
    let numeric = whole(schema).is_some()
        || matches!(schema, Schema::Float | Schema::Double | Schema::Decimal(_));
    match value {
        Value::Number(Number { scale: 0, .. }) => numeric,
        Value::Number(_) => numeric && whole(schema).is_none(),
        Value::Boolean(_) => matches!(schema, Schema::Boolean),
        Value::Dictionary { cells, .. } => {
            matches!(schema, Schema::String | Schema::Enum(_) | Schema::Bytes)
                || numeric && numbers(cells).is_ok()
        }
        Value::Literal(_) | Value::Text(_) => {
            matches!(schema, Schema::String | Schema::Enum(_) | Schema::Bytes | Schema::Uuid(_))
        }
        Value::Uuid(_) => {
            matches!(schema, Schema::Uuid(_) | Schema::String | Schema::Fixed(_) | Schema::Bytes)
        }
        Value::Time => matches!(
            schema,
            Schema::TimestampMicros
                | Schema::TimestampMillis
                | Schema::TimestampNanos
                | Schema::LocalTimestampMicros
                | Schema::LocalTimestampMillis
                | Schema::LocalTimestampNanos
                | Schema::Long
        ),
        Value::Member { .. } => matches!(schema, Schema::String),
        Value::Row { .. } | Value::Null | Value::Parts(_) => false,
    }
}

/// The bounds of a schema that holds whole numbers.
fn whole(schema: &Schema) -> Option<(i64, i64)> {
    match schema {
        Schema::Int | Schema::Date | Schema::TimeMillis => {
            Some((i64::from(i32::MIN), i64::from(i32::MAX)))
        }
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn schema_name(schema: &Schema) -> String {
    match schema {
        Schema::Ref { name } => format!("a {}", name.name()),
        Schema::Record(_) => "a record".to_owned(),
        Schema::Enum(_) => "an enum".to_owned(),
        Schema::Array(_) => "an array".to_owned(),
        Schema::Map(_) => "a map".to_owned(),
        Schema::Fixed(fixed) => format!("fixed bytes ({})", fixed.size),
        other => format!("of type {}", format!("{other:?}").to_lowercase()),
    }
}

fn field_names(record: &RecordSchema, prefix: &str, names: &mut Vec<String>) {
    for field in &record.fields {
        let path = format!("{prefix}{}", field.name);
        if let Schema::Record(inner) = &field.schema {
            field_names(inner, &format!("{path}."), names);
        }
        names.push(path);
    }
}
