//! The JSON Schema of the model file, for editors.

use serde_json::{Map, Value, json};

use super::generators::{BESIDE, BESIDE_OF_ATTRIBUTES, Form, bare_forms, forms, telling};

/// All but the generators.
const BASE: &str = include_str!("schema/model.json");

/// The JSON Schema (draft 2020-12) of a model file.
///
/// What only the program can know (whether a name is there, whether numbers agree) is not in it.
///
/// # Panics
///
/// If a part that is compiled in is no JSON: our own bug, which a test finds.
pub fn json_schema() -> Value {
    let mut schema = parsed(BASE);
    let definitions = &mut schema["$defs"];
    definitions["generator"] = generator(&[]);
    definitions["attribute"] = generator(BESIDE_OF_ATTRIBUTES);
    definitions["field"] = field();
    schema
}

/// A bare name, or one of the tables.
fn generator(also: &[&str]) -> Value {
    let bare = bare_forms().map(|(name, gives)| json!({ "const": name, "description": gives }));
    let tables = forms().map(|form| table(form, also));
    json!({ "anyOf": bare.chain(tables).collect::<Vec<_>>() })
}

fn table(form: &Form, also: &[&str]) -> Value {
    let mut properties = Map::new();
    properties.insert(form.key.to_owned(), parsed(form.shape));
    for key in form.beside.iter().chain(&["once", "when", "else"]).chain(also) {
        properties.insert((*key).to_owned(), shape_beside(key));
    }
    json!({
        "type": "object",
        "description": form.gives,
        "properties": properties,
        "required": [form.key],
        "additionalProperties": false,
    })
}

fn shape_beside(key: &str) -> Value {
    let found = BESIDE.iter().find(|(name, _)| *name == key);
    assert!(found.is_some(), "`{key}` stands beside a generator, but has no shape");
    found.map_or(Value::Null, |(_, shape)| parsed(shape))
}

/// A generator, or a table of the fields inside a field: it has none of the keys that tell one.
fn field() -> Value {
    let generator = json!({ "$ref": "#/$defs/generator" });
    let fields = json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/field" } });
    json!({
        "if": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "not": { "enum": telling().collect::<Vec<_>>() } },
        },
        "then": { "anyOf": [fields, generator] },
        "else": generator,
    })
}

fn parsed(text: &str) -> Value {
    let read = serde_json::from_str(text);
    assert!(read.is_ok(), "`{text}` is no JSON: {read:?}");
    read.unwrap_or_default()
}
