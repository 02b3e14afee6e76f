//! Fields in Avro values, found by a dotted path.

use apache_avro::Schema;
use apache_avro::types::Value;

use super::avro::{Place, names};

/// A path from the top of a value to a field: `customer.address.city`. Items of arrays need no part of their own;
/// in a map a part is a key, or `*` for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    parts: Vec<String>,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The field itself, be it a union.
    Field,
    /// What is no union, array or map in it, null left out.
    Inside,
}

/// Changes what a path leads to; it has this schema.
pub type Change<'a> = dyn FnMut(&Schema, &mut Value) + 'a;

impl Path {
    /// Reads a path.
    pub fn new(text: &str) -> Self {
        let parts = text.split('.').map(|part| part.trim_end_matches("[]").to_owned());
        Self { text: text.to_owned(), parts: parts.collect() }
    }

    /// The path to the whole value.
    pub fn whole() -> Self {
        Self { text: String::new(), parts: Vec::new() }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its parts.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Tells what it leads to in a schema, with its type in words: nothing if no field has it, several things
    /// if there are unions.
    pub fn find(&self, schema: &Schema, depth: Depth, found: &mut dyn FnMut(&Schema, String)) {
        seek(&Place::root(schema, &names(schema)), &self.parts, depth, found);
    }

    /// Changes what it leads to in a value of a schema.
    pub fn each(&self, schema: &Schema, value: &mut Value, depth: Depth, change: &mut Change<'_>) {
        walk(&Place::root(schema, &names(schema)), value, &self.parts, depth, change);
    }
}

/// All paths of a schema's fields, through unions and arrays; of maps `*`.
pub fn all(schema: &Schema) -> Vec<String> {
    let mut paths = Vec::new();
    list(&Place::root(schema, &names(schema)), "", &mut paths);
    paths
}

/// How deep paths are listed: a record may hold its own kind.
const PARTS_MAX: usize = 8;

fn list(place: &Place<'_>, path: &str, paths: &mut Vec<String>) {
    let below =
        |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    match place.schema() {
        Ok(Schema::Record(record)) if path.split('.').count() < PARTS_MAX => {
            for field in &record.fields {
                let path = below(&field.name);
                list(&place.field(field), &path, paths);
                paths.push(path);
            }
        }
        Ok(Schema::Union(union)) => {
            union.variants().iter().for_each(|schema| list(&place.branch(schema), path, paths));
        }
        Ok(Schema::Array(array)) => list(&place.item(&array.items), path, paths),
        Ok(Schema::Map(map)) => list(&place.value(&map.types), &below("*"), paths),
        _ => {}
    }
}

fn seek(place: &Place<'_>, parts: &[String], depth: Depth, found: &mut dyn FnMut(&Schema, String)) {
    let Ok(schema) = place.schema() else { return };
    match (schema, parts.split_first()) {
        (schema, None) if depth == Depth::Field => found(schema, place.avro()),
        (Schema::Union(union), _) => {
            let branches = union.variants().iter();
            branches.for_each(|schema| seek(&place.branch(schema), parts, depth, found));
        }
        (Schema::Array(array), _) => seek(&place.item(&array.items), parts, depth, found),
        (Schema::Map(map), None) => seek(&place.value(&map.types), parts, depth, found),
        (Schema::Map(map), Some((_, rest))) => {
            seek(&place.value(&map.types), rest, depth, found);
        }
        (Schema::Record(record), Some((name, rest))) => {
            let field = record.fields.iter().find(|field| field.name == *name);
            if let Some(field) = field {
                seek(&place.field(field), rest, depth, found);
            }
        }
        (Schema::Null, None) | (_, Some(_)) => {}
        (schema, None) => found(schema, place.avro()),
    }
}

fn walk(
    place: &Place<'_>,
    value: &mut Value,
    parts: &[String],
    depth: Depth,
    change: &mut Change<'_>,
) {
    let Ok(schema) = place.schema() else { return };
    match (schema, value, parts.split_first()) {
        (schema, value, None) if depth == Depth::Field => change(schema, value),
        (Schema::Union(union), Value::Union(branch, value), _) => {
            if let Some(schema) = union.variants().get(*branch as usize) {
                walk(&place.branch(schema), value, parts, depth, change);
            }
        }
        (Schema::Array(array), Value::Array(items), _) => {
            let place = place.item(&array.items);
            for item in items {
                walk(&place, item, parts, depth, change);
            }
        }
        (Schema::Map(map), Value::Map(items), parts_left) => {
            let place = place.value(&map.types);
            let (key, rest) = parts_left.map_or(("*", parts), |(key, rest)| (key, rest));
            for (_, value) in items.iter_mut().filter(|(name, _)| key == "*" || *name == key) {
                walk(&place, value, rest, depth, change);
            }
        }
        (Schema::Record(record), Value::Record(values), Some((name, rest))) => {
            let mut fields = record.fields.iter().zip(values);
            if let Some((field, (_, value))) = fields.find(|(field, _)| field.name == *name) {
                walk(&place.field(field), value, rest, depth, change);
            }
        }
        (Schema::Null, _, None) | (_, _, Some(_)) => {}
        (schema, value, None) => change(schema, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":["null","string"]},
        {"name":"items","type":{"type":"array","items":{"type":"record","name":"I","fields":[
            {"name":"price","type":"long"},{"name":"inner","type":["null","I"]}]}}},
        {"name":"m","type":{"type":"map","values":"int"}}]}"#;

    fn found(path: &str, depth: Depth) -> Vec<String> {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let mut all = Vec::new();
        Path::new(path).find(&schema, depth, &mut |_, avro| all.push(avro));
        all
    }

    #[test]
    fn a_path_leads_through_unions_arrays_and_maps() {
        assert_eq!(found("a", Depth::Field), ["union of null, string"]);
        assert_eq!(found("a", Depth::Inside), ["string"]);
        assert_eq!(found("items[].price", Depth::Inside), ["long"]);
        assert_eq!(found("items.inner.inner.price", Depth::Inside), ["long"]);
        assert_eq!(found("m.*", Depth::Inside), ["int"]);
        assert_eq!(found("m.key", Depth::Inside), ["int"]);
        for nothing in ["b", "a.b", "items.cost", ""] {
            assert!(found(nothing, Depth::Inside).is_empty(), "{nothing}");
        }
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let all = all(&schema);
        assert!(all.contains(&"items.inner.price".to_owned()), "{all:?}");
    }

    #[test]
    fn what_a_path_leads_to_is_changed_and_nothing_else() {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let item = |price| {
            let inner = Value::Union(0, Box::new(Value::Null));
            Value::Record(vec![("price".into(), Value::Long(price)), ("inner".into(), inner)])
        };
        let mut value = Value::Record(vec![
            ("a".into(), Value::Union(1, Box::new(Value::String("x".into())))),
            ("items".into(), Value::Array(vec![item(1), item(2)])),
            ("m".into(), Value::Map([("k".to_owned(), Value::Int(3))].into())),
        ]);
        let mut seen = Vec::new();
        for path in ["items.price", "m.*", "a", "m.other"] {
            Path::new(path).each(&schema, &mut value, Depth::Inside, &mut |_, value| {
                seen.push(std::mem::replace(value, Value::Int(0)));
            });
        }
        let expected =
            [Value::Long(1), Value::Long(2), Value::Int(3), Value::String("x".to_owned())];
        assert_eq!(seen, expected);
    }
}
