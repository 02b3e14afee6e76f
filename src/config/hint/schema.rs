//! A schema beside its JSON: the types know what fits, the JSON has the hints and the places.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, RecordField, UuidSchema};

use super::HINTS;
use crate::config::input::Files;
use crate::config::raw::{Entry, Kind, Node};
use crate::config::reader::At;

/// A schema as its file has it.
#[derive(Debug)]
pub(in crate::config) struct SchemaFile {
    /// What it says.
    pub(in crate::config) schema: Schema,
    /// The same with places.
    pub(in crate::config) node: Node,
    /// Where files that it names are.
    pub(in crate::config) files: Files,
}

impl SchemaFile {
    /// The type at the top in words.
    pub(in crate::config) fn noun(&self) -> &'static str {
        Type { schema: &self.schema, node: &self.node }.noun()
    }
}

/// A type of the schema and its JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type<'s> {
    pub(super) schema: &'s Schema,
    pub(super) node: &'s Node,
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct TypeField<'s> {
    pub(super) name: &'s str,
    pub(super) ty: Type<'s>,
    /// Hints that stand beside the type, not in it.
    pub(super) hints: Option<At<'s>>,
    /// The default value.
    pub(super) default: Option<&'s Node>,
}

/// A type without what is around it, and all the hints on the way.
#[derive(Debug)]
pub(super) struct Shape<'s> {
    pub(super) ty: Type<'s>,
    pub(super) hints: Vec<At<'s>>,
}

/// All types of a schema.
#[derive(Debug)]
pub(super) struct Types<'s> {
    top: Type<'s>,
    named: BTreeMap<String, Type<'s>>,
    /// The names of logical types that do not hold where they stand, which Avro ignores.
    pub(super) ignored: Vec<&'s Node>,
}

impl<'s> Types<'s> {
    /// None: the JSON is another schema.
    pub(super) fn new(schema: &'s Schema, node: &'s Node) -> Option<Self> {
        let top = Type { schema, node };
        let mut types = Self { top, named: BTreeMap::new(), ignored: Vec::new() };
        types.collect(top)?;
        Some(types)
    }

    fn collect(&mut self, ty: Type<'s>) -> Option<()> {
        let ty = ty.inner();
        if let Schema::Ref { .. } = ty.schema {
            return Some(());
        }
        self.ignored.extend(ty.node.get("logicalType").filter(|name| is_ignored(ty.schema, name)));
        if let Some(name) = ty.schema.name() {
            self.named.insert(name.fullname(None), ty);
        }
        match ty.schema {
            Schema::Record(_) => {
                ty.fields()?.into_iter().try_for_each(|field| self.collect(field.ty))
            }
            Schema::Union(union) => {
                let branches = ty.branches();
                (branches.len() == union.variants().len()).then_some(())?;
                branches.into_iter().try_for_each(|branch| self.collect(branch))
            }
            Schema::Array(_) | Schema::Map(_) => self.collect(ty.item()?),
            _ => Some(()),
        }
    }

    pub(super) fn top(&self) -> Type<'s> {
        self.top
    }

    /// A type with the hints in it and around it; names are followed.
    pub(super) fn shape(&self, ty: Type<'s>, outer: Option<At<'s>>) -> Shape<'s> {
        let mut shape = Shape { ty, hints: outer.into_iter().collect() };
        loop {
            shape.hints.extend(hints_in(shape.ty.node));
            let inner = described(shape.ty.node);
            let named = match shape.ty.schema {
                Schema::Ref { name } => self.named.get(&name.fullname(None)),
                _ => None,
            };
            match (inner, named) {
                (Some(node), _) => shape.ty.node = node,
                (None, Some(named)) => shape.ty = *named,
                (None, None) => return shape,
            }
        }
    }
}

impl<'s> Type<'s> {
    /// Without tables around it that only say what the type is.
    fn inner(self) -> Self {
        let mut ty = self;
        while let Some(node) = described(ty.node) {
            ty.node = node;
        }
        ty
    }

    /// The fields, if it is a record.
    pub(super) fn fields(self) -> Option<Vec<TypeField<'s>>> {
        let Schema::Record(record) = self.schema else { return None };
        let Kind::List(nodes) = &self.node.get("fields")?.kind else { return None };
        if nodes.len() != record.fields.len() {
            return None;
        }
        let field = |(field, node): (&'s RecordField, &'s Node)| {
            Some(TypeField {
                name: &field.name,
                ty: Type { schema: &field.schema, node: node.get("type")? },
                hints: hints_in(node),
                default: node.get("default"),
            })
        };
        record.fields.iter().zip(nodes).map(field).collect()
    }

    /// The branches, if it is a union.
    pub(super) fn branches(self) -> Vec<Self> {
        let (Schema::Union(union), Kind::List(nodes)) = (self.schema, &self.node.kind) else {
            return Vec::new();
        };
        let branches = union.variants().iter().zip(nodes);
        branches.map(|(schema, node)| Self { schema, node }).collect()
    }

    /// What an item of the array or a value of the map is.
    pub(super) fn item(self) -> Option<Self> {
        match self.schema {
            Schema::Array(array) => {
                Some(Self { schema: &array.items, node: self.node.get("items")? })
            }
            Schema::Map(map) => Some(Self { schema: &map.types, node: self.node.get("values")? }),
            _ => None,
        }
    }

    /// What Avro calls it: its full name if it has one, else its type without a logical type.
    pub(super) fn name(self) -> String {
        if let Some(name) = self.schema.name() {
            return name.fullname(None);
        }
        let name = match self.schema {
            Schema::Null => "null",
            Schema::Boolean => "boolean",
            Schema::Int | Schema::Date | Schema::TimeMillis => "int",
            Schema::Float => "float",
            Schema::Double => "double",
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => "bytes",
            Schema::Decimal(decimal) if matches!(decimal.inner, InnerDecimalSchema::Bytes) => {
                "bytes"
            }
            Schema::String | Schema::Uuid(_) => "string",
            Schema::Array(_) => "array",
            Schema::Map(_) => "map",
            _ => "long",
        };
        name.to_owned()
    }

    /// The type in words.
    pub(super) fn noun(self) -> &'static str {
        match self.schema {
            Schema::Null => "null",
            Schema::Boolean => "a boolean",
            Schema::Int => "an int",
            Schema::Long => "a long",
            Schema::Float => "a float",
            Schema::Double => "a double",
            Schema::Bytes => "bytes",
            Schema::String => "a string",
            Schema::Array(_) => "an array",
            Schema::Map(_) => "a map",
            Schema::Union(_) => "a union",
            Schema::Record(_) => "a record",
            Schema::Enum(_) => "an enum",
            Schema::Fixed(_) => "a fixed",
            Schema::Decimal(_) | Schema::BigDecimal => "a decimal",
            Schema::Uuid(_) => "a uuid",
            Schema::Duration(_) => "a duration",
            Schema::Date => "a date",
            Schema::TimeMillis | Schema::TimeMicros => "a time of day",
            _ => "a timestamp",
        }
    }
}

/// Whether a type is a plain one, though Avro knows a logical type of that name.
fn is_ignored(schema: &Schema, name: &Node) -> bool {
    const KNOWN: [&str; 13] = [
        "decimal",
        "big-decimal",
        "uuid",
        "duration",
        "date",
        "time-millis",
        "time-micros",
        "timestamp-millis",
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
    ];
    let is_known =
        matches!(&name.kind, Kind::Text { value, .. } if KNOWN.contains(&value.as_str()));
    let is_plain = matches!(
        schema,
        Schema::Boolean
            | Schema::Int
            | Schema::Long
            | Schema::Float
            | Schema::Double
            | Schema::Bytes
            | Schema::String
            | Schema::Fixed(_)
            | Schema::Enum(_)
            | Schema::Array(_)
            | Schema::Map(_)
            | Schema::Record(_)
    );
    is_known && is_plain
}

/// What a table says that the type is, if it says nothing but that.
fn described(node: &Node) -> Option<&Node> {
    let inner = node.get("type")?;
    matches!(inner.kind, Kind::Table(_) | Kind::List(_)).then_some(inner)
}

/// The hints right in a table.
fn hints_in(node: &Node) -> Option<At<'_>> {
    let found = |entry: &&Entry| entry.key == HINTS;
    let entry = node.entries()?.iter().find(found)?;
    Some(At { path: HINTS.to_owned(), key_span: entry.key_span.clone(), node: &entry.node })
}
