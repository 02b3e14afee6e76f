//! The hint `options`: values that are known ahead, as JSON or in a file.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use super::Walk;
use super::schema::{Shape, Type};
use crate::config::model::{Generator, Scalar};
use crate::config::raw::{Kind, Node};
use crate::config::reader::At;
use crate::config::source::PieceKind;
use crate::config::{Span, json};

/// Bytes of an option that a message shows.
const SHOWN_MAX: usize = 40;
/// More values than options should have.
const OPTIONS_MAX: usize = 65_536;

impl<'w> Walk<'w, '_> {
    /// `["a", "b"]` or `{ "file": "names.json", "encoding": "json" }`.
    pub(super) fn options(&mut self, ty: Type<'w>, at: &At<'w>) -> Option<Generator> {
        let values = match &at.node.kind {
            Kind::List(nodes) => self.values(ty, nodes)?,
            Kind::Table(_) => self.values_of_file(ty, at)?,
            _ => {
                self.reader.wrong_type(at, "a list, or a table with `file` and `encoding`");
                return None;
            }
        };
        if values.is_empty() || values.len() > OPTIONS_MAX {
            let what = format!("`{}` has {} values", at.path, values.len());
            self.reader.refuse(&at.node.span, what, &format!("1 to {OPTIONS_MAX} fit"));
            return None;
        }
        Some(generator(ty.schema, values))
    }

    /// The options of a map's keys.
    pub(super) fn keys_of(&mut self, at: &At<'w>) -> Option<Generator> {
        let text = Type { schema: &Schema::String, node: at.node };
        self.options(text, at)
    }

    fn values(&mut self, ty: Type<'w>, nodes: &[Node]) -> Option<Vec<Value>> {
        let values: Vec<_> = nodes.iter().map(|node| self.value(ty, node)).collect();
        values.into_iter().collect()
    }

    /// A value of a type, as JSON has it: Avro's own JSON, or without the names of branches.
    fn value(&mut self, ty: Type<'w>, node: &Node) -> Option<Value> {
        let before = self.reader.mistakes.len();
        let value = self.value_inside(ty, node);
        if value.is_none() && self.reader.mistakes.len() == before {
            let written = self.reader.source.text(&node.span).unwrap_or("this");
            let written = if written.len() > SHOWN_MAX { node.noun() } else { written };
            let what = format!("{written} does not fit {}", ty.noun());
            self.reader.refuse(&node.span, what, wanted(ty.schema));
        }
        value
    }

    fn value_inside(&mut self, ty: Type<'w>, node: &Node) -> Option<Value> {
        let Shape { ty, .. } = self.types.shape(ty, None);
        match (ty.schema, &node.kind) {
            (Schema::Union(_), _) => self.branch_value(ty, node),
            (Schema::Null, Kind::Null) => Some(Value::Null),
            (Schema::Boolean, Kind::Boolean(value)) => Some(Value::Boolean(*value)),
            (Schema::String | Schema::Uuid(_), Kind::Text { value, .. }) => text(ty.schema, value),
            (Schema::Enum(symbols), Kind::Text { value, .. }) => {
                symbols.symbols.contains(value).then(|| Value::String(value.clone()))
            }
            (Schema::Bytes | Schema::Decimal(_), Kind::Text { value, .. }) => {
                latin(value).map(Value::Bytes)
            }
            (Schema::Fixed(fixed) | Schema::Duration(fixed), Kind::Text { value, .. }) => {
                let bytes = latin(value).filter(|bytes| bytes.len() == fixed.size)?;
                Some(Value::Fixed(fixed.size, bytes))
            }
            (Schema::Float | Schema::Double, Kind::Integer(_) | Kind::Real(_)) => {
                let text = self.reader.source.text(&node.span)?;
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double)
            }
            (_, Kind::Integer(_) | Kind::Real(_)) => self.whole(ty, node),
            (Schema::Array(_), Kind::List(nodes)) => {
                let item = ty.item()?;
                self.values(item, nodes).map(Value::Array)
            }
            (Schema::Map(_), Kind::Table(entries)) => {
                let item = ty.item()?;
                let values = entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), self.value(item, &entry.node)?)));
                values.collect::<Option<_>>().map(Value::Map)
            }
            (Schema::Record(_), Kind::Table(_)) => self.record_value(ty, node),
            _ => None,
        }
    }

    /// A whole number, or the unscaled one of a decimal.
    fn whole(&mut self, ty: Type<'w>, node: &Node) -> Option<Value> {
        let at = At { path: "options".to_owned(), key_span: node.span.clone(), node };
        let decimal = self.decimal(&at)?;
        let (min, max, digits) = super::numbers::whole_bounds(ty.schema)?;
        let value = decimal.at(digits).and_then(|value| i64::try_from(value).ok())?;
        (min..=max).contains(&value).then_some(Value::Long(value))
    }

    fn record_value(&mut self, ty: Type<'w>, node: &Node) -> Option<Value> {
        let fields = ty.fields()?;
        for entry in node.entries()? {
            if !fields.iter().any(|field| field.name == entry.key) {
                let what = format!("the record has no field `{}`", entry.key);
                let names = fields.iter().map(|field| field.name);
                let help = crate::config::suggest::way_out(&entry.key, names);
                self.reader.refuse(&entry.key_span, what, &help.unwrap_or_default());
            }
        }
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(given) = node.get(field.name).or(field.default) else {
                let what = format!("the field `{}` has no value, and no default", field.name);
                self.reader.refuse(&node.span, what, &format!("add \"{}\"", field.name));
                continue;
            };
            if let Some(value) = self.value(field.ty, given) {
                values.push((field.name.to_owned(), value));
            }
        }
        (values.len() == ty.fields()?.len()).then_some(Value::Record(values))
    }

    /// The first branch that takes the value, which may stand in a table with the branch's name.
    fn branch_value(&mut self, ty: Type<'w>, node: &Node) -> Option<Value> {
        let branches = ty.branches();
        let before = self.reader.mistakes.len();
        let numbered = || (0_u32..).zip(branches.iter().copied());
        if let Some([entry]) = node.entries() {
            let named = numbered().find(|(_, branch)| branch.name() == entry.key);
            if let Some((number, branch)) = named
                && let Some(value) = self.value(branch, &entry.node)
            {
                return Some(Value::Union(number, Box::new(value)));
            }
            self.reader.mistakes.truncate(before);
        }
        for (number, branch) in numbered() {
            if let Some(value) = self.value(branch, node) {
                return Some(Value::Union(number, Box::new(value)));
            }
            self.reader.mistakes.truncate(before);
        }
        None
    }

    fn values_of_file(&mut self, ty: Type<'w>, at: &At<'w>) -> Option<Vec<Value>> {
        let mut section = self.reader.section(at)?;
        let help = "name the file, which is looked for beside the schema: \"file\": \"names.json\"";
        let file = self.reader.require(&mut section, "file", help);
        let help = "say what it holds: \"encoding\": \"json\", or \"binary\"";
        let encoding = self.reader.require(&mut section, "encoding", help);
        self.reader.finish(section);
        let known = [("json", false), ("binary", true)];
        let binary = encoding.and_then(|at| self.reader.one_of(&at, &known));
        let file_at = file?;
        let name = self.reader.text(&file_at)?;
        let (path, bytes) = self.file.files.read_bytes(&name.value);
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(reason) => {
                let what = format!("cannot read the options `{}`: {reason}", path.display());
                self.reader.refuse(&name.span, what, "the path counts from the schema's directory");
                return None;
            }
        };
        let called = path.display().to_string();
        let kind = PieceKind::File { path, built_in: self.file.files.are_built_in() };
        if binary? {
            self.reader.source.add_bytes(kind, called, bytes.clone());
            return self.binary(ty, &bytes, &name.span);
        }
        let Ok(text) = String::from_utf8(bytes) else {
            let what = format!("the options `{called}` are not UTF-8 text");
            self.reader.refuse(&name.span, what, "\"encoding\": \"binary\" is Avro's own");
            return None;
        };
        let base = self.reader.source.add(kind, called.clone(), text.clone());
        let nodes = match json::parse_all(&text, base) {
            Ok(nodes) => nodes,
            Err(mistake) => {
                self.reader.mistakes.push(mistake);
                return None;
            }
        };
        match &nodes[..] {
            // A list of options, unless an option is a list.
            [Node { kind: Kind::List(inner), .. }] if !matches!(ty.schema, Schema::Array(_)) => {
                self.values(ty, inner)
            }
            [Node { kind: Kind::Table(_), span }]
                if !matches!(ty.schema, Schema::Record(_) | Schema::Map(_) | Schema::Union(_)) =>
            {
                let what = format!("the options `{called}` are an object, but must be an array");
                self.reader.refuse(&(span.start..span.start + 1), what, "write [\"a\", \"b\"]");
                None
            }
            nodes => self.values(ty, nodes),
        }
    }

    /// Values in Avro's own encoding, one after the other.
    fn binary(&mut self, ty: Type<'w>, bytes: &[u8], span: &Span) -> Option<Vec<Value>> {
        let mut rest = bytes;
        let mut values = Vec::new();
        let schemata = vec![&self.file.schema];
        let reader = GenericDatumReader::builder(ty.schema).writer_schemata(schemata).ok()?;
        let reader = reader.build().ok()?;
        while !rest.is_empty() {
            match reader.read_value(&mut rest) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let at = bytes.len() - rest.len();
                    let what = format!("the options have no value at byte {at}: {error}");
                    self.reader.refuse(span, what, "they are the type's values in Avro's encoding");
                    return None;
                }
            }
        }
        Some(values)
    }
}

/// What draws one of the values, all alike likely.
fn generator(schema: &Schema, values: Vec<Value>) -> Generator {
    let texts: Option<Vec<String>> = match schema {
        Schema::String | Schema::Enum(_) | Schema::Boolean => values.iter().map(as_text).collect(),
        schema if super::numbers::whole_bounds(schema).is_some_and(|(.., digits)| digits == 0) => {
            values.iter().map(as_text).collect()
        }
        _ => None,
    };
    match texts {
        Some(texts) if texts.len() == 1 => Generator::Constant(match &values[0] {
            Value::Boolean(value) => Scalar::Boolean(*value),
            Value::Long(value) => Scalar::Integer(*value),
            _ => Scalar::Text(texts.concat()),
        }),
        Some(texts) => Generator::Choice(texts.into_iter().map(|text| (text, 1.0)).collect()),
        None => Generator::Options(values.into()),
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) | Value::Enum(_, text) => Some(text.clone()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => {
            Some(value.to_string())
        }
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => Some(value.to_string()),
        _ => None,
    }
}

/// An array or a map without items.
pub(super) fn empty_list(ty: Type<'_>) -> Generator {
    let empty = match ty.schema {
        Schema::Map(_) => Value::Map(std::iter::empty().collect()),
        _ => Value::Array(Vec::new()),
    };
    Generator::Options([empty].into())
}

fn text(schema: &Schema, value: &str) -> Option<Value> {
    match schema {
        Schema::Uuid(_) => uuid::Uuid::parse_str(value).ok().map(Value::Uuid),
        _ => Some(Value::String(value.to_owned())),
    }
}

/// Bytes as Avro's JSON has them: a character each.
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}

/// How a value of a type is written.
fn wanted(schema: &Schema) -> &'static str {
    match schema {
        Schema::Enum(_) => "options of an enum are among its symbols",
        Schema::Bytes | Schema::Fixed(_) | Schema::Duration(_) => {
            "write text with a character below U+0100 for each byte"
        }
        Schema::Uuid(_) => "write its 36 characters",
        Schema::Union(_) => "write a value of one of its branches",
        _ => "",
    }
}
