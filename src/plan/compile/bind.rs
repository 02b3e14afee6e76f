//! Binding: each place of the schema gets the value that fills it.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, RecordSchema, UuidSchema};
use apache_avro::types::Value as Avro;

use super::Compiler;
use super::path::nearest;
use super::time::{is_local, local_time};
use super::union::suiting;
use super::value::{Cell, List, Parts, Value};
use crate::config::{Span, integer_bounds};
use crate::plan::fill::Fill;
use crate::plan::program::Register;

/// The named types of a schema.
pub(super) fn types(schema: &Schema) -> BTreeMap<String, &Schema> {
    let mut types = BTreeMap::new();
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        let name = match schema {
            Schema::Record(record) => Some(&record.name),
            Schema::Enum(symbols) => Some(&symbols.name),
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed))
            | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Fixed(fixed), .. }) => {
                Some(&fixed.name)
            }
            _ => None,
        };
        if let Some(name) = name {
            types.insert(name.fullname(None), schema);
        }
        match schema {
            Schema::Record(record) => open.extend(record.fields.iter().map(|field| &field.schema)),
            Schema::Array(array) => open.push(&array.items),
            Schema::Map(map) => open.push(&map.types),
            Schema::Union(union) => open.extend(union.variants()),
            _ => {}
        }
    }
    types
}

/// A place in the schema, and the field of the model that fills it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    pub(super) span: &'a Span,
}

impl<'a> Compiler<'a> {
    /// The type that a schema refers to, or itself.
    pub(super) fn resolved(&self, schema: &'a Schema) -> &'a Schema {
        match schema {
            Schema::Ref { name } => self.types.get(&name.fullname(None)).copied().unwrap_or(schema),
            schema => schema,
        }
    }

    /// What fills the whole schema; mistakes are noted field by field.
    pub(super) fn bind(&mut self) -> Option<Fill> {
        let source = self.source;
        let Schema::Record(record) = source.schema else {
            let what = "the schema's top is not a record";
            return self.refuse(&source.stream.schema.span, what, "wrap it in a record");
        };
        let mut used = Vec::new();
        let fill = self.field(source.schema, "", &mut used);
        for field in &source.stream.fields {
            if !used.contains(&field.name.value) {
                if let Some((what, help)) = inside(record, &field.name.value) {
                    self.refuse::<()>(&field.name.span, what, &help);
                    continue;
                }
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
        record: &'a RecordSchema,
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

    fn field(&mut self, schema: &'a Schema, path: &str, used: &mut Vec<String>) -> Option<Fill> {
        let stream = self.source.stream;
        let schema = self.resolved(schema);
        if let Some(field) = stream.fields.iter().find(|field| field.name.value == path) {
            used.push(path.to_owned());
            let cell = self.named(path, &field.name.span)?;
            let place = Place { path, span: &field.generator.span };
            return self.place(schema, &cell, place);
        }
        if let Schema::Record(record) = schema {
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            return self.record(record, &prefix, used);
        }
        let what = format!("the schema's field `{path}` has no source");
        let help = format!("add `{path}` to [streams.{}.fields]", stream.name);
        self.refuse(&stream.span, what, &help)
    }

    /// What fills a place with a cell, null included.
    pub(super) fn place(
        &mut self,
        schema: &'a Schema,
        cell: &Cell,
        place: Place<'_>,
    ) -> Option<Fill> {
        let schema = self.resolved(schema);
        if let Value::Options { .. } = cell.value {
            return self.options_fill(cell, schema, place.span);
        }
        if let (Schema::Null, Value::Null) = (schema, &cell.value) {
            return Some(Fill::Constant(Avro::Null));
        }
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
        if let Value::Any { index, cells } = &cell.value {
            return self.union_fill(union, (*index, cells), place);
        }
        let null = union.variants().iter().position(|branch| matches!(branch, Schema::Null));
        if let Value::Null = cell.value {
            return match null {
                Some(_) => Some(Fill::Constant(Avro::Null)),
                None => self.refuse(place.span, format!("`{}` cannot be null", place.path), ""),
            };
        }
        if let (Some(_), None) = (cell.present, null) {
            let what = format!("this can be null, but `{}` cannot", place.path);
            let help = "give it an `else`, or allow null in the schema";
            return self.refuse(place.span, what, help);
        }
        let branches = union.variants().iter().map(|branch| self.resolved(branch));
        let branches: Vec<&'a Schema> = branches.collect();
        let Some(branch) = suiting(&branches, &cell.value) else {
            let what = format!("`{}` has no branch for {}", place.path, cell.value.kind());
            return self.refuse(place.span, what, "use a generator of one of the union's types");
        };
        let inner = Cell { value: cell.value.clone(), present: None };
        let value = self.fill(branches[branch], &inner, place)?;
        if null.is_none() {
            let mut fills = vec![None; branches.len()];
            fills[branch] = Some(value);
            let branch = self.constant(u32::try_from(branch).ok()?);
            return Some(Fill::Union { branch, branches: fills });
        }
        let present = cell.present.unwrap_or_else(|| self.constant(1));
        Some(Fill::Optional { present, branch, value: Box::new(value) })
    }

    /// A record whose fields are called like the parts of a value.
    fn record_of(
        &mut self,
        record: &'a RecordSchema,
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

    pub(super) fn fill(
        &mut self,
        schema: &'a Schema,
        cell: &Cell,
        place: Place<'_>,
    ) -> Option<Fill> {
        match (schema, &cell.value) {
            (Schema::Record(record), Value::Parts(parts)) => self.record_of(record, parts, place),
            (_, Value::Parts(_)) => self.fill(schema, &cell.clone().whole(), place),
            (Schema::Record(record), Value::Record(fields)) => {
                self.record_fill(record, fields, place)
            }
            (Schema::Duration(_), Value::Record(fields)) => self.duration_fill(fields, place),
            (Schema::Array(_), Value::List(list @ List { key: None, .. }))
            | (Schema::Map(_), Value::List(list @ List { key: Some(_), .. })) => {
                self.list_fill(schema, list, place)
            }
            (
                Schema::Bytes | Schema::Fixed(_) | Schema::Uuid(_),
                Value::Bytes { words, length, max },
            ) if !matches!(schema, Schema::Uuid(UuidSchema::String)) => {
                self.bytes_fill(schema, (words, *length, *max), place)
            }
            (Schema::Enum(symbols), Value::Dictionary { .. } | Value::Literal(_)) => {
                let find = |text: &String| {
                    let at = symbols.symbols.iter().position(|symbol| symbol == text)?;
                    Some(Avro::Enum(u32::try_from(at).ok()?, text.clone()))
                };
                self.dictionary(&cell.value, find, place)
            }
            (Schema::Record(record), Value::Row { table, index }) => {
                self.row_record(record, (*table, *index), place)
            }
            (Schema::Enum(symbols), Value::Number(number)) => {
                self.symbol(&symbols.symbols, *number, place)
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
            (Schema::String | Schema::Bytes, value) if is_written(value) => {
                self.text_of(cell, None, place.span).map(Fill::Text)
            }
            (Schema::Uuid(UuidSchema::String), value) if is_written(value) => {
                self.uuid_text(cell, place)
            }
            (_, Value::Options { .. }) => self.options_fill(cell, schema, place.span),
            (Schema::Decimal(decimal), _) => self.decimal(decimal, cell, place),
            (Schema::Float | Schema::Double, _) => self.real_fill(cell, place.span),
            (_, Value::Time { level }) => self.time(schema, *level, place),
            (_, Value::Instant(number)) => self.instant(schema, *number, place),
            (_, Value::Text(text)) if local_time(text).is_some() && is_local(schema) => {
                self.local_instant(schema, text, place)
            }
            (_, value) if integer_bounds(schema).is_some() && value.is_counted() => {
                let number = self.number(cell, place.span)?;
                self.whole_number(schema, number, place)
            }
            (schema, value) => {
                let (is, kind) = (schema_name(schema), value.kind());
                let what = format!("`{}` is {is}, but this is {kind}", place.path);
                self.refuse(place.span, what, "use a generator of that type")
            }
        }
    }

    /// A record that takes the columns of a row by their names.
    fn row_record(
        &mut self,
        record: &'a RecordSchema,
        (table, index): (usize, Register),
        place: Place<'_>,
    ) -> Option<Fill> {
        let mut fills = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let path = format!("{}.{}", place.path, field.name);
            let column = self.column(table, index, &field.name, place.span);
            let place = Place { path: &path, ..place };
            fills.push(column.and_then(|value| self.place(&field.schema, &value.into(), place)));
        }
        fills.into_iter().collect::<Option<_>>().map(Fill::Record)
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
}

/// Whether a value can be written as text.
pub(super) fn is_written(value: &Value) -> bool {
    !matches!(
        value,
        Value::Boolean(_)
            | Value::Row { .. }
            | Value::Bytes { .. }
            | Value::Record(_)
            | Value::List(_)
            | Value::Any { .. }
    )
}

pub(super) fn schema_name(schema: &Schema) -> String {
    match schema {
        Schema::Ref { name } => format!("a {}", name.name()),
        Schema::Record(_) => "a record".to_owned(),
        Schema::Enum(_) => "an enum".to_owned(),
        Schema::Array(_) => "an array".to_owned(),
        Schema::Map(_) => "a map".to_owned(),
        Schema::Fixed(fixed) => format!("fixed bytes ({})", fixed.size),
        Schema::Union(_) => "a union".to_owned(),
        Schema::Decimal(_) => "a decimal".to_owned(),
        Schema::Uuid(_) => "a uuid".to_owned(),
        Schema::Duration(_) => "a duration".to_owned(),
        other => {
            let mut name = String::new();
            for letter in format!("{other:?}").chars() {
                if letter.is_uppercase() && !name.is_empty() {
                    name.push('-');
                }
                name.extend(letter.to_lowercase());
            }
            format!("of type {name}")
        }
    }
}

/// Why a field has no name of its own, and how it is filled: it is inside of what is made whole.
fn inside(record: &RecordSchema, path: &str) -> Option<(String, String)> {
    let mut record = record;
    let mut before = String::new();
    for name in path.split('.') {
        let field = record.fields.iter().find(|field| field.name == name)?;
        before = if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
        let (is, whole) = match &field.schema {
            Schema::Record(inner) => {
                record = inner;
                continue;
            }
            Schema::Union(_) => ("a union", "{ record = { … } }"),
            Schema::Array(_) => ("an array", "{ array = { record = { … } }, length = … }"),
            Schema::Map(_) => ("a map", "{ map = …, keys = …, length = … }"),
            _ => return None,
        };
        (before != path).then_some(())?;
        let what = format!("`{before}` is {is}: what is inside has no field of its own");
        return Some((what, format!("make it whole: {before} = {whole}")));
    }
    None
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
