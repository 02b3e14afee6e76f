//! Binding of lists, unions and bytes: places of the schema that hold more than one value.

use apache_avro::Schema;
use apache_avro::schema::{RecordSchema, UnionSchema, UuidSchema};
use apache_avro::types::Value as Avro;

use super::Compiler;
use super::bind::{Place, is_written, schema_name};
use super::occasion::{Occasion, Turn};
use super::path::nearest;
use super::time::{is_local, local_time};
use super::uuid::is_uuid;
use super::value::{Cell, List, Number, Part, Value, numbers};
use crate::config::{Spanned, integer_bounds};
use crate::plan::fill::{Fill, Integer};
use crate::plan::program::{Logic, Operand, Operation, Register, Target};

impl<'a> Compiler<'a> {
    /// What fills a record with fields that were made together.
    pub(super) fn record_fill(
        &mut self,
        record: &'a RecordSchema,
        fields: &[(String, Cell)],
        place: Place<'_>,
    ) -> Option<Fill> {
        for (name, _) in fields {
            if !record.fields.iter().any(|field| field.name == *name) {
                let known: Vec<_> = record.fields.iter().map(|field| field.name.clone()).collect();
                let what = format!("`{}` has no field `{name}` in the schema", place.path);
                self.refuse::<()>(place.span, what, &nearest(name, &known));
            }
        }
        let mut fills = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let path = format!("{}.{}", place.path, field.name);
            let Some((_, cell)) = fields.iter().find(|(name, _)| *name == field.name) else {
                let what = format!("the schema's field `{path}` has no source");
                self.refuse::<()>(place.span, what, &format!("add `{}` to the record", field.name));
                fills.push(None);
                continue;
            };
            fills.push(self.place(&field.schema, cell, Place { path: &path, span: place.span }));
        }
        fills.into_iter().collect::<Option<_>>().map(Fill::Record)
    }

    /// What fills an array or a map.
    pub(super) fn list_fill(
        &mut self,
        schema: &'a Schema,
        list: &List,
        place: Place<'_>,
    ) -> Option<Fill> {
        let child = self.place_of(self.scopes[list.scope].frame);
        let (path, items) = match schema {
            Schema::Array(array) => (format!("{}[]", place.path), &*array.items),
            Schema::Map(map) => (format!("{}{{}}", place.path), &*map.types),
            _ => return None,
        };
        let inner = Place { path: &path, span: place.span };
        let fill = self.within(list.scope, |this| this.place(items, &list.item, inner))?;
        Some(match &list.key {
            None => Fill::Array { child, item: Box::new(fill) },
            Some(key) => Fill::Map { child, key: key.clone(), value: Box::new(fill) },
        })
    }

    /// What fills a union with one of several values.
    pub(super) fn union_fill(
        &mut self,
        union: &'a UnionSchema,
        (index, cells): (Register, &[Part]),
        place: Place<'_>,
    ) -> Option<Fill> {
        let branches: Vec<&'a Schema> =
            union.variants().iter().map(|branch| self.resolved(branch)).collect();
        let null = branches.iter().position(|branch| matches!(branch, Schema::Null));
        let mut fills: Vec<Option<Fill>> = vec![None; branches.len()];
        let mut numbers = Vec::with_capacity(cells.len());
        let mut nulls: Option<Register> = None;
        for (number, (name, cell)) in cells.iter().enumerate() {
            let branch = self.branch(union, &branches, (name.as_ref(), cell), place)?;
            if fills[branch].is_some() {
                let schema = schema_name(branches[branch]);
                let what =
                    format!("two of these go to the same branch of `{}`: {schema}", place.path);
                return self.refuse(place.span, what, "name their branches: branch = \"long\"");
            }
            let inner = Cell { value: cell.value.clone(), present: None };
            fills[branch] = Some(match cell.value {
                Value::Null => Fill::Constant(Avro::Null),
                _ => self.fill(branches[branch], &inner, place)?,
            });
            numbers.push(i64::try_from(branch).ok()?);
            if let Some(present) = cell.present {
                let is: Vec<_> = (0..cells.len()).map(|one| i64::from(one == number)).collect();
                let is = self.word_of(index, &is)?;
                let absent = self.not(present);
                let absent = self.logic(Logic::And, is, absent);
                nulls = Some(match nulls {
                    Some(nulls) => self.logic(Logic::Or, nulls, absent),
                    None => absent,
                });
            }
        }
        let branch = self.word_of(index, &numbers)?;
        let branch = self.or_null(branch, nulls, null, place)?;
        if let (Some(_), Some(null)) = (nulls, null) {
            fills[null] = Some(Fill::Constant(Avro::Null));
        }
        Some(Fill::Union { branch, branches: fills })
    }

    /// The branch that a value goes to.
    fn branch(
        &mut self,
        union: &UnionSchema,
        branches: &[&Schema],
        (name, cell): (Option<&Spanned<String>>, &Cell),
        place: Place<'_>,
    ) -> Option<usize> {
        if let Some(name) = name {
            return self.branch_of(union, name);
        }
        let found = suiting(branches, &cell.value);
        if found.is_none() {
            let what = format!("`{}` has no branch for {}", place.path, cell.value.kind());
            return self.refuse(place.span, what, "use generators of the union's types");
        }
        found
    }

    /// The branch, or that of null where there is nothing.
    fn or_null(
        &mut self,
        branch: Register,
        nulls: Option<Register>,
        null: Option<usize>,
        place: Place<'_>,
    ) -> Option<Register> {
        let Some(condition) = nulls else { return Some(branch) };
        let Some(null) = null else {
            let what = format!("this can be null, but `{}` cannot", place.path);
            return self.refuse(place.span, what, "give it an `else`, or allow null in the schema");
        };
        let out = self.register();
        let then = Operand::Constant(i64::try_from(null).ok()?);
        let otherwise = Operand::Unsigned(branch);
        self.emit(Operation::Select { condition, then, otherwise, out: Target::Word(out) });
        Some(out)
    }

    /// The branch of a union with that name.
    fn branch_of(&mut self, union: &UnionSchema, name: &Spanned<String>) -> Option<usize> {
        let names: Vec<String> = union.variants().iter().map(branch_name).collect();
        let last = |full: &String| full.rsplit('.').next().is_some_and(|last| last == name.value);
        let found = names.iter().position(|full| *full == name.value);
        let found = found.or_else(|| names.iter().position(last));
        if found.is_none() {
            let what = format!("the union has no branch `{}`", name.value);
            return self.refuse(&name.span, what, &nearest(&name.value, &names));
        }
        found
    }

    /// What fills bytes.
    pub(super) fn bytes_fill(
        &mut self,
        schema: &Schema,
        (words, length, max): (&[Register], Option<Register>, usize),
        place: Place<'_>,
    ) -> Option<Fill> {
        let size = match schema {
            Schema::Fixed(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => Some(fixed.size),
            Schema::Uuid(UuidSchema::Bytes) => Some(16),
            _ => None,
        };
        let words = words.to_vec();
        match (size, length) {
            (None, Some(length)) => Some(Fill::Bytes { words, length }),
            (None, None) => Some(Fill::Words { words, length: max }),
            (Some(size), None) if size == max => Some(Fill::Words { words, length: max }),
            (Some(size), _) => {
                let what =
                    format!("`{}` takes {size} bytes, but this is another length", place.path);
                self.refuse(place.span, what, &format!("write {{ bytes = {size} }}"))
            }
        }
    }

    /// What fills a duration: a record of months, days and milliseconds.
    pub(super) fn duration_fill(
        &mut self,
        fields: &[(String, Cell)],
        place: Place<'_>,
    ) -> Option<Fill> {
        let known = ["months", "days", "millis"];
        if let Some((name, _)) = fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let known = known.map(str::to_owned);
            let what = format!("a duration has no field `{name}`");
            return self.refuse(place.span, what, &nearest(name, &known));
        }
        let mut parts = [Integer::Constant(0); 3];
        for (part, name) in parts.iter_mut().zip(known) {
            let Some((_, cell)) = fields.iter().find(|(field, _)| field == name) else { continue };
            let number = self.number(cell, place.span)?;
            let Number { min, max, scale, .. } = number;
            if cell.present.is_some() || scale > 0 || min < 0 || max > i64::from(u32::MAX) {
                let what = format!("`{name}` of a duration is a whole number, 0 to {}", u32::MAX);
                return self.refuse(place.span, what, "");
            }
            *part = number.integer();
        }
        let [months, days, millis] = parts;
        Some(Fill::Duration { months, days, millis })
    }
}

/// The first of some branches that is of the kind of a value and holds all of it; else an enum that a
/// number counts, else text.
pub(super) fn suiting(branches: &[&Schema], value: &Value) -> Option<usize> {
    let symbols = |schema: &&Schema| match (schema, value) {
        (Schema::Enum(symbols), Value::Number(number)) => {
            let count = i64::try_from(symbols.symbols.len()).unwrap_or(i64::MAX);
            number.scale == 0 && number.min >= 0 && number.max < count
        }
        _ => false,
    };
    let written = |schema: &&Schema| match schema {
        Schema::String | Schema::Bytes => is_written(value),
        Schema::Uuid(UuidSchema::String) => match value {
            Value::Dictionary { cells, .. } => cells.iter().all(|cell| is_uuid(cell)),
            _ => false,
        },
        _ => false,
    };
    let first = |suits: &dyn Fn(&&Schema) -> bool| branches.iter().position(suits);
    let found = first(&|schema| suits(schema, value) && holds(schema, value));
    let found = found.or_else(|| first(&symbols)).or_else(|| first(&written));
    let found = found.or_else(|| first(&|schema| suits(schema, value)));
    found.or_else(|| first(&|schema| counts(schema, value)))
}

/// Whether a branch of whole numbers holds all of a number.
fn holds(schema: &Schema, value: &Value) -> bool {
    let Some((min, max)) = integer_bounds(schema) else { return true };
    match value {
        Value::Number(number)
        | Value::Occasion(Occasion { turn: Some(Turn { which: number, .. }), .. }) => {
            min <= number.min && number.max <= max
        }
        Value::Dictionary { cells, .. } => match numbers(cells) {
            Ok((values, 0)) => values.iter().all(|value| (min..=max).contains(value)),
            _ => false,
        },
        _ => true,
    }
}

/// Whether a branch takes a value as a number, though that is not its kind.
fn counts(schema: &Schema, value: &Value) -> bool {
    let real = matches!(schema, Schema::Float | Schema::Double | Schema::Decimal(_));
    match value {
        Value::Member { .. } => real || integer_bounds(schema).is_some(),
        Value::Time { .. } | Value::Instant(_) => real,
        Value::Text(text) => local_time(text).is_some() && is_local(schema),
        _ => false,
    }
}

/// Whether a branch of a union is of the kind of a value.
fn suits(schema: &Schema, value: &Value) -> bool {
    let numeric = integer_bounds(schema).is_some()
        || matches!(schema, Schema::Float | Schema::Double | Schema::Decimal(_));
    match value {
        Value::Number(Number { scale: 0, .. }) | Value::Occasion(_) => numeric,
        Value::Number(_) => numeric && integer_bounds(schema).is_none(),
        Value::Boolean(_) => matches!(schema, Schema::Boolean),
        Value::Dictionary { cells, .. } => {
            matches!(schema, Schema::String | Schema::Enum(_) | Schema::Bytes)
                || numeric && numbers(cells).is_ok()
                || matches!(schema, Schema::Boolean)
                    && cells.iter().all(|cell| matches!(cell.as_str(), "true" | "false"))
        }
        Value::Literal(_) | Value::Text(_) => {
            matches!(schema, Schema::String | Schema::Enum(_) | Schema::Bytes | Schema::Uuid(_))
        }
        Value::Uuid(_) => {
            matches!(schema, Schema::Uuid(_) | Schema::String | Schema::Fixed(_) | Schema::Bytes)
        }
        Value::Time { .. } | Value::Instant(_) => matches!(
            schema,
            Schema::TimestampMicros
                | Schema::TimestampMillis
                | Schema::TimestampNanos
                | Schema::LocalTimestampMicros
                | Schema::LocalTimestampMillis
                | Schema::LocalTimestampNanos
                | Schema::Date
                | Schema::TimeMillis
                | Schema::TimeMicros
                | Schema::Long
        ),
        Value::Member { .. } => matches!(schema, Schema::String),
        Value::Bytes { length, max, .. } => match schema {
            Schema::Bytes => true,
            Schema::Fixed(fixed) => length.is_none() && fixed.size == *max,
            _ => false,
        },
        Value::Record(fields) => match schema {
            Schema::Record(record) => {
                let has = |name: &str| fields.iter().any(|(field, _)| field == name);
                record.fields.len() == fields.len()
                    && record.fields.iter().all(|field| has(&field.name))
            }
            Schema::Duration(_) => true,
            _ => false,
        },
        Value::Parts(parts) => match schema {
            Schema::Record(record) => record.fields.iter().all(|field| parts.has(&field.name)),
            schema => suits(schema, &parts.whole),
        },
        Value::List(List { key, .. }) => match schema {
            Schema::Array(_) => key.is_none(),
            Schema::Map(_) => key.is_some(),
            _ => false,
        },
        Value::Null => matches!(schema, Schema::Null),
        Value::Row { .. } => matches!(schema, Schema::Record(_)),
        Value::Real { .. } => matches!(schema, Schema::Float | Schema::Double),
        Value::Options { .. } => !matches!(schema, Schema::Null),
        Value::Any { .. } => false,
    }
}

/// The name of a branch: its type, or the full name of a named type.
fn branch_name(schema: &Schema) -> String {
    match schema {
        Schema::Ref { name } => name.fullname(None),
        Schema::Record(record) => record.name.fullname(None),
        Schema::Enum(symbols) => symbols.name.fullname(None),
        Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
            fixed.name.fullname(None)
        }
        Schema::Null => "null".to_owned(),
        Schema::Boolean => "boolean".to_owned(),
        Schema::Float => "float".to_owned(),
        Schema::Double => "double".to_owned(),
        Schema::Array(_) => "array".to_owned(),
        Schema::Map(_) => "map".to_owned(),
        Schema::String | Schema::Uuid(UuidSchema::String) => "string".to_owned(),
        Schema::Bytes | Schema::Uuid(UuidSchema::Bytes) => "bytes".to_owned(),
        Schema::Int | Schema::Date | Schema::TimeMillis => "int".to_owned(),
        Schema::Decimal(decimal) => match &decimal.inner {
            apache_avro::schema::InnerDecimalSchema::Bytes => "bytes".to_owned(),
            apache_avro::schema::InnerDecimalSchema::Fixed(fixed) => fixed.name.fullname(None),
        },
        _ => "long".to_owned(),
    }
}
