//! Finds a field in Avro datums without decoding the rest.

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, UuidSchema};

use super::schema::{Names, names};

/// How deep types may be inside each other; people write less than ten.
const DEPTH_MAX: usize = 64;

/// How deep in records fields are looked for.
const FOUND_DEPTH_MAX: usize = 6;

/// Finds one field in datums of one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finder {
    steps: Vec<Step>,
}

/// On the way to the field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Passes what stands before it.
    Pass(Shape),
    /// Goes into a union by the branch that leads on; in others the field is not there.
    Branch(usize),
    /// Text or bytes, with their length before them.
    Prefixed,
    /// So many bytes.
    Fixed(usize),
}

/// How long a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Bytes(usize),
    Varint,
    Prefixed,
    Sequence(Vec<Shape>),
    Union(Vec<Shape>),
    /// Items of an array or entries of a map.
    Blocks(Box<Shape>),
}

impl Finder {
    /// Finds the field at a path of names; none if no datum can have one there that is text, bytes or
    /// fixed. Unions on the way must have one branch only that is not null.
    pub fn new(schema: &Schema, path: &[&str]) -> Option<Self> {
        let names = names(schema);
        let mut steps = Vec::new();
        let leaf = lead(schema, path, &names, &mut steps)?;
        steps.push(leaf);
        Some(Self { steps })
    }

    /// The bytes of the field; none where the datum does not have it, or is cut.
    #[inline]
    pub fn find<'d>(&self, datum: &'d [u8]) -> Option<&'d [u8]> {
        let mut rest = datum;
        for step in &self.steps {
            match step {
                Step::Pass(shape) => pass(shape, &mut rest)?,
                Step::Branch(branch) if varint(&mut rest)? == *branch as u64 * 2 => {}
                Step::Branch(_) => return None,
                Step::Prefixed => return prefixed(&mut rest),
                Step::Fixed(bytes) => return rest.get(..*bytes),
            }
        }
        None
    }
}

/// The paths of all fields, through records, that are text or may hold 16 bytes; in order.
pub fn texts(schema: &Schema) -> Vec<Vec<String>> {
    let names = names(schema);
    let mut found = Vec::new();
    collect(schema, &names, &mut Vec::new(), &mut found);
    found
}

fn collect(
    schema: &Schema,
    names: &Names<'_>,
    path: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    if path.len() >= FOUND_DEPTH_MAX {
        return;
    }
    match followed(schema, names) {
        Some(Schema::Record(record)) => {
            for field in &record.fields {
                path.push(field.name.clone());
                collect(&field.schema, names, path, found);
                path.pop();
            }
        }
        Some(Schema::Union(union)) => {
            if let Some((_, only)) = only_branch(union.variants()) {
                collect(only, names, path, found);
            }
        }
        Some(schema) if leaf_of(schema).is_some() => found.push(path.clone()),
        _ => {}
    }
}

/// The type that a reference names, or the type itself.
fn followed<'s>(schema: &'s Schema, names: &Names<'s>) -> Option<&'s Schema> {
    match schema {
        Schema::Ref { name } => names.get(&name.fullname(None)).copied(),
        other => Some(other),
    }
}

fn only_branch(variants: &[Schema]) -> Option<(usize, &Schema)> {
    let mut others = variants.iter().enumerate().filter(|(_, it)| **it != Schema::Null);
    let only = others.next()?;
    others.next().is_none().then_some(only)
}

fn leaf_of(schema: &Schema) -> Option<Step> {
    match schema {
        Schema::String | Schema::Bytes | Schema::Uuid(UuidSchema::String | UuidSchema::Bytes) => {
            Some(Step::Prefixed)
        }
        Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Fixed(fixed) if fixed.size == 16 => {
            Some(Step::Fixed(16))
        }
        _ => None,
    }
}

/// Adds the steps that lead to the field, and gives the last.
fn lead(schema: &Schema, path: &[&str], names: &Names<'_>, steps: &mut Vec<Step>) -> Option<Step> {
    match (followed(schema, names)?, path) {
        (Schema::Union(union), path) => {
            let (branch, only) = only_branch(union.variants())?;
            steps.push(Step::Branch(branch));
            lead(only, path, names, steps)
        }
        (Schema::Record(record), [name, below @ ..]) => {
            let place = record.fields.iter().position(|field| field.name == *name)?;
            let mut before = Vec::new();
            for field in &record.fields[..place] {
                before.push(shape(&field.schema, names, 0)?);
            }
            steps.extend(joined(before).map(Step::Pass));
            lead(&record.fields[place].schema, below, names, steps)
        }
        (schema, []) => leaf_of(schema),
        _ => None,
    }
}

/// Shapes one after the other as one.
fn joined(shapes: Vec<Shape>) -> Option<Shape> {
    let mut all: Vec<Shape> = Vec::new();
    for shape in shapes {
        match (all.last_mut(), shape) {
            (Some(Shape::Bytes(sum)), Shape::Bytes(more)) => *sum += more,
            (_, Shape::Sequence(inner)) => all.extend(inner),
            (_, shape) => all.push(shape),
        }
    }
    if all.len() < 2 { all.pop() } else { Some(Shape::Sequence(all)) }
}

fn shape(schema: &Schema, names: &Names<'_>, depth: usize) -> Option<Shape> {
    if depth > DEPTH_MAX {
        // A type inside of itself: its length cannot be written down.
        return None;
    }
    let inner = |schema: &Schema| shape(schema, names, depth + 1);
    let fixed = |bytes: usize| Some(Shape::Bytes(bytes));
    match followed(schema, names)? {
        Schema::Null => fixed(0),
        Schema::Boolean => fixed(1),
        Schema::Float => fixed(4),
        Schema::Double => fixed(8),
        Schema::Fixed(schema)
        | Schema::Duration(schema)
        | Schema::Uuid(UuidSchema::Fixed(schema)) => fixed(schema.size),
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Fixed(schema) => fixed(schema.size),
            InnerDecimalSchema::Bytes => Some(Shape::Prefixed),
        },
        Schema::Bytes | Schema::String | Schema::BigDecimal | Schema::Uuid(_) => {
            Some(Shape::Prefixed)
        }
        Schema::Array(array) => Some(Shape::Blocks(Box::new(inner(&array.items)?))),
        Schema::Map(map) => {
            let entry = vec![Shape::Prefixed, inner(&map.types)?];
            Some(Shape::Blocks(Box::new(Shape::Sequence(entry))))
        }
        Schema::Union(union) => {
            union.variants().iter().map(inner).collect::<Option<_>>().map(Shape::Union)
        }
        Schema::Record(record) => {
            let fields = record.fields.iter().map(|field| inner(&field.schema));
            let fields: Vec<Shape> = fields.collect::<Option<_>>()?;
            Some(joined(fields).unwrap_or(Shape::Bytes(0)))
        }
        Schema::Ref { .. } => None,
        // All others are whole numbers.
        _ => Some(Shape::Varint),
    }
}

fn pass(shape: &Shape, rest: &mut &[u8]) -> Option<()> {
    match shape {
        Shape::Bytes(bytes) => *rest = rest.get(*bytes..)?,
        Shape::Varint => {
            varint(rest)?;
        }
        Shape::Prefixed => {
            prefixed(rest)?;
        }
        Shape::Sequence(shapes) => {
            for shape in shapes {
                pass(shape, rest)?;
            }
        }
        Shape::Union(branches) => {
            let branch = usize::try_from(varint(rest)? / 2).ok()?;
            pass(branches.get(branch)?, rest)?;
        }
        Shape::Blocks(item) => loop {
            match long(rest)? {
                0 => break,
                count if count < 0 => {
                    // The block's length in bytes follows.
                    let bytes = usize::try_from(long(rest)?).ok()?;
                    *rest = rest.get(bytes..)?;
                }
                count => {
                    for _ in 0..count {
                        pass(item, rest)?;
                    }
                }
            }
        },
    }
    Some(())
}

#[inline]
fn prefixed<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let bytes = usize::try_from(long(rest)?).ok()?;
    let (here, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    Some(here)
}

#[inline]
fn long(rest: &mut &[u8]) -> Option<i64> {
    let raw = varint(rest)?;
    Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// A varint as it stands, zigzag not undone.
#[inline]
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (place, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *rest = &rest[place + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use apache_avro::types::Value;
    use apache_avro::writer::datum::GenericDatumWriter;

    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"n","type":"long"},{"name":"d","type":"double"},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
        {"name":"u","type":["null","string",{"type":"fixed","name":"F","size":3}]},
        {"name":"list","type":{"type":"array","items":["null","F"]}},
        {"name":"map","type":{"type":"map","values":"bytes"}},
        {"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
        {"name":"in","type":["null",{"type":"record","name":"I","fields":[
            {"name":"b","type":"boolean"},
            {"name":"id","type":{"type":"string","logicalType":"uuid"}}]}]},
        {"name":"raw","type":{"type":"fixed","name":"G","size":16}},
        {"name":"last","type":"string"}]}"#;

    fn written(inner: bool, number: i64) -> Vec<u8> {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let union = |branch, value| Value::Union(branch, Box::new(value));
        let fixed = |byte: u8| Value::Fixed(3, vec![byte; 3]);
        let id = Value::Uuid(uuid::Uuid::from_u128(7));
        let record = Value::Record(vec![("b".into(), Value::Boolean(true)), ("id".into(), id)]);
        let inner = if inner { union(1, record) } else { union(0, Value::Null) };
        let fields = [
            ("n", Value::Long(number)),
            ("d", Value::Double(0.5)),
            ("e", Value::Enum(1, "B".into())),
            ("u", union(2, fixed(9))),
            ("list", Value::Array(vec![union(0, Value::Null), union(1, fixed(1))])),
            ("map", Value::Map([("k".to_owned(), Value::Bytes(vec![1, 2]))].into())),
            ("dec", Value::Decimal(vec![1, 2, 3].into())),
            ("in", inner),
            ("raw", Value::Fixed(16, (0..16).collect())),
            ("last", Value::String("end".into())),
        ];
        let value = Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into());
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        writer.write_value_to_vec(value).unwrap()
    }

    #[test]
    fn a_field_is_found_behind_values_of_every_kind() {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let find = |path: &[&str], datum: &[u8]| {
            Finder::new(&schema, path).unwrap().find(datum).map(<[u8]>::to_vec)
        };
        for number in [0, -1, i64::MAX, i64::MIN] {
            let datum = written(true, number);
            let id = uuid::Uuid::from_u128(7).to_string();
            assert_eq!(find(&["in", "id"], &datum), Some(id.into_bytes()));
            assert_eq!(find(&["raw"], &datum), Some((0..16).collect()));
            assert_eq!(find(&["last"], &datum), Some(b"end".to_vec()));
            for cut in 0..datum.len() {
                assert_eq!(find(&["last"], &datum[..cut]), None, "cut at {cut}");
            }
        }
        assert_eq!(find(&["in", "id"], &written(false, 1)), None);
    }

    #[test]
    fn paths_that_lead_nowhere_are_none() {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        for path in [&["no"][..], &["in"], &["in", "b"], &["n"], &["last", "more"], &[]] {
            assert_eq!(Finder::new(&schema, path), None, "{path:?}");
        }
        let found: Vec<String> = texts(&schema).iter().map(|path| path.join(".")).collect();
        assert_eq!(found, ["in.id", "raw", "last"]);
    }

    #[test]
    fn a_type_inside_of_itself_does_not_hang() {
        let schema = r#"{"type":"record","name":"L","fields":[
            {"name":"id","type":"string"},{"name":"next","type":["null","L"]},{"name":"z","type":"string"}]}"#;
        let schema = Schema::parse_str(schema).unwrap();
        assert!(Finder::new(&schema, &["id"]).is_some());
        assert_eq!(Finder::new(&schema, &["z"]), None);
        assert_eq!(texts(&schema)[0], ["id"]);
    }
}
