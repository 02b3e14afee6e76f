//! Random schemas, a generator for each place of them, and what must then be there.

use std::ops::RangeInclusive;

use apache_avro::types::Value;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::model::{decoded, plan};
use crate::determinism::events;
use tidegate::stream::Options;

/// A place of a schema, how it is filled, and what may come of it.
#[derive(Clone, Debug)]
enum Shape {
    Null,
    Boolean,
    Int(i32, i32),
    Long(i32, u8),
    Real(u8),
    Choice(u8),
    Pattern(u8, u8),
    Bytes(u8, u8),
    Fixed(u8),
    Symbols(u8),
    Array(Box<Shape>, u8, u8),
    Map(Box<Shape>, u8),
    Record(Vec<Shape>),
    Optional(Box<Shape>),
    /// A long or a record of one kind, or null.
    Union(Box<Shape>),
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Null),
        Just(Shape::Boolean),
        (-99..0, 0..99).prop_map(|(min, max)| Shape::Int(min, max)),
        (any::<i32>(), any::<u8>()).prop_map(|(min, more)| Shape::Long(min / 2, more)),
        (0_u8..4).prop_map(Shape::Real),
        (1_u8..6).prop_map(Shape::Choice),
        (0_u8..4, 0_u8..30).prop_map(|(min, more)| Shape::Pattern(min, more)),
        (0_u8..4, 0_u8..9).prop_map(|(min, more)| Shape::Bytes(min, more)),
        (0_u8..20).prop_map(Shape::Fixed),
        (1_u8..5).prop_map(Shape::Symbols),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inner = inner.prop_map(Box::new);
        prop_oneof![
            (inner.clone(), 0_u8..3, 0_u8..3)
                .prop_map(|(item, min, more)| Shape::Array(item, min, more)),
            (inner.clone(), 0_u8..4).prop_map(|(item, most)| Shape::Map(item, most)),
            proptest::collection::vec(inner.clone().prop_map(|it| *it), 0..4)
                .prop_map(Shape::Record),
            inner.clone().prop_map(Shape::Optional),
            inner.prop_map(Shape::Union),
        ]
    })
}

/// Gives each named type a name of its own.
#[derive(Default)]
struct Names(u32);

impl Names {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("N{}", self.0)
    }
}

impl Shape {
    /// The schema of the place, and the generator.
    fn written(&self, names: &mut Names) -> (Json, String) {
        match self {
            Self::Null => (json!("null"), "\"null\"".to_owned()),
            Self::Boolean => (json!("boolean"), "{ chance = 0.5 }".to_owned()),
            Self::Int(min, max) => (json!("int"), format!("{{ uniform = [{min}, {max}] }}")),
            Self::Long(min, more) => {
                let max = i64::from(*min) + i64::from(*more);
                (json!("long"), format!("{{ uniform = [{min}, {max}] }}"))
            }
            Self::Real(digits) => {
                let how = format!("normal = {{ mean = 1, sd = 1 }}, digits = {digits}");
                (json!("double"), format!("{{ {how} }}"))
            }
            Self::Choice(count) => {
                let values: Vec<String> = (0..*count).map(|at| format!("\"v{at}\"")).collect();
                (json!("string"), format!("{{ choice = [{}] }}", values.join(", ")))
            }
            Self::Pattern(min, more) => {
                let max = min + more;
                (json!("string"), format!("{{ regex = \"x(-|[a-c]{{{min},{max}}}y?)\" }}"))
            }
            Self::Bytes(min, more) => {
                (json!("bytes"), format!("{{ bytes = [{min}, {}] }}", min + more))
            }
            Self::Fixed(size) => {
                let avro = json!({"type": "fixed", "name": names.next(), "size": size});
                (avro, format!("{{ bytes = {size} }}"))
            }
            Self::Symbols(count) => {
                let symbols: Vec<String> = (0..*count).map(|at| format!("S{at}")).collect();
                let avro = json!({"type": "enum", "name": names.next(), "symbols": symbols});
                (avro, format!("{{ uniform = [0, {}] }}", count - 1))
            }
            other => other.written_of_others(names),
        }
    }

    fn written_of_others(&self, names: &mut Names) -> (Json, String) {
        match self {
            Self::Array(item, min, more) => {
                let (avro, item) = item.written(names);
                let length = format!("[{min}, {}]", min + more);
                let avro = json!({"type": "array", "items": avro});
                (avro, format!("{{ array = {item}, length = {length} }}"))
            }
            Self::Map(item, most) => {
                let (avro, item) = item.written(names);
                let keys = "{ choice = [\"a\", \"b\", \"c\", \"d\"] }";
                let avro = json!({"type": "map", "values": avro});
                (avro, format!("{{ map = {item}, keys = {keys}, length = [0, {most}] }}"))
            }
            Self::Record(shapes) => {
                let name = names.next();
                let mut fields = Vec::new();
                let mut generators = Vec::new();
                for (at, shape) in shapes.iter().enumerate() {
                    let (avro, generator) = shape.written(names);
                    fields.push(json!({"name": format!("f{at}"), "type": avro}));
                    generators.push(format!("f{at} = {generator}"));
                }
                let avro = json!({"type": "record", "name": name, "fields": fields});
                (avro, format!("{{ record = {{ {} }} }}", generators.join(", ")))
            }
            Self::Optional(inner) => {
                let (avro, generator) = inner.written(names);
                match avro {
                    Json::Array(_) => (avro, generator),
                    Json::String(null) if null == "null" => (json!("null"), generator),
                    avro => {
                        let avro = json!(["null", avro]);
                        (avro, format!("{{ any = [\"null\", {{ value = {generator} }}] }}"))
                    }
                }
            }
            Self::Union(inner) => {
                let (avro, generator) = inner.written(names);
                let record = Self::Record(vec![Self::Boolean]).written(names);
                if matches!(&avro, Json::Array(_)) || avro == json!("null") {
                    return (avro, generator);
                }
                let branch = match &avro {
                    Json::String(name) => name.clone(),
                    Json::Object(it) => match &it["type"] {
                        Json::String(kind) if ["array", "map"].contains(&kind.as_str()) => {
                            kind.clone()
                        }
                        _ => it["name"].as_str().unwrap().to_owned(),
                    },
                    _ => unreachable!("unions are gone"),
                };
                let named = record.0["name"].as_str().unwrap();
                let generator = format!(
                    "{{ any = [{{ branch = \"{named}\", value = {} }}, {{ branch = \"{branch}\", weight = 2, value = {generator} }}, \"null\"] }}",
                    record.1
                );
                (json!([record.0, "null", avro]), generator)
            }
            _ => unreachable!("the others are written on their own"),
        }
    }

    /// Whether a value can have come of this.
    fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Optional(_) | Self::Union(_), Value::Union(_, inner)) => self.allows(inner),
            (Self::Optional(_) | Self::Union(_) | Self::Null, Value::Null)
            | (Self::Boolean, Value::Boolean(_))
            | (Self::Real(_), Value::Double(_)) => true,
            (Self::Int(min, max), Value::Int(value)) => (min..=max).contains(&value),
            (Self::Long(min, more), Value::Long(value)) => {
                (0..=i64::from(*more)).contains(&(value - i64::from(*min)))
            }
            (Self::Choice(count), Value::String(text)) => {
                (0..*count).any(|at| *text == format!("v{at}"))
            }
            (Self::Pattern(min, more), Value::String(text)) => {
                let max = usize::from(min + more) + 2;
                text == "x-" || (usize::from(*min) + 1..=max).contains(&text.len())
            }
            (Self::Bytes(min, more), Value::Bytes(bytes)) => {
                within(bytes.len(), *min..=*min + *more)
            }
            (Self::Fixed(size), Value::Fixed(given, bytes)) => {
                *given == usize::from(*size) && bytes.len() == *given
            }
            (Self::Symbols(count), Value::Enum(at, text)) => {
                *at < u32::from(*count) && *text == format!("S{at}")
            }
            (Self::Array(item, min, more), Value::Array(items)) => {
                within(items.len(), *min..=*min + *more) && items.iter().all(|it| item.allows(it))
            }
            (Self::Map(item, most), Value::Map(entries)) => {
                entries.len() <= usize::from(*most) && entries.values().all(|it| item.allows(it))
            }
            (Self::Record(shapes), Value::Record(fields)) => {
                shapes.len() == fields.len()
                    && shapes.iter().zip(fields).all(|(shape, (_, value))| shape.allows(value))
            }
            // The record beside the other branch of a union.
            (Self::Union(inner), Value::Record(fields)) => {
                matches!(&fields[..], [(_, Value::Boolean(_))]) || inner.allows(value)
            }
            (Self::Optional(inner) | Self::Union(inner), value) => inner.allows(value),
            _ => false,
        }
    }
}

fn within(length: usize, bounds: RangeInclusive<u8>) -> bool {
    u8::try_from(length).is_ok_and(|length| bounds.contains(&length))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the schema: what its generators say comes, and apache-avro reads it.
    #[test]
    fn any_schema_is_filled_as_its_generators_say(shapes in proptest::collection::vec(shape(), 1..4)) {
        let mut names = Names::default();
        let mut fields = vec![json!({"name": "id", "type": "string"})];
        let mut text = "[streams.s.fields]\nid = \"identity\"\n".to_owned();
        for (at, shape) in shapes.iter().enumerate() {
            let (avro, generator) = shape.written(&mut names);
            fields.push(json!({"name": format!("g{at}"), "type": avro}));
            text.extend([format!("g{at} = {generator}\n")]);
        }
        let plan = plan(&Json::Array(fields), &text);
        let options = Options { count: Some(300), ..Options::default() };
        for event in events(&plan, options) {
            let value = decoded(&plan.streams[0].schema, &event.datum);
            let Value::Record(fields) = &value else { panic!("{value:?}") };
            for (shape, (_, value)) in shapes.iter().zip(&fields[1..]) {
                prop_assert!(shape.allows(value), "{:?} is not of {:?}", value, shape);
            }
        }
    }
}
