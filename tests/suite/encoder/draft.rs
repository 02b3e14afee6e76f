//! Random schemas with fills for them and columns that fit.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "random words are cut"
)]

use std::sync::Arc;

use apache_avro::types::Value;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tidegate::encode::{Fill, Integer, Piece, Text};
use tidegate::generate::column::{Child, Frame, Register, Wide};

/// The form of a schema; what fills it is drawn from a seed.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// One of the types in [`Draft::simple`].
    Simple(u8),
    Record(Vec<Shape>),
    Union(Vec<Shape>),
    Optional(Box<Shape>, bool),
    Array(Box<Shape>),
    Map(Box<Shape>),
    /// A list of numbers linked by a named type, so many links long.
    Linked(u8),
}

/// How many simple types there are.
const SIMPLE: u8 = 30;

/// Schemas of all types, nested up to four deep.
pub(super) fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![8 => (0..SIMPLE).prop_map(Shape::Simple), 1 => (0_u8..4).prop_map(Shape::Linked)];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..7).prop_map(Shape::Record),
            1 => prop::collection::vec(inner.clone(), 1..5).prop_map(Shape::Union),
            2 => (inner.clone().prop_map(Box::new), any::<bool>())
                .prop_map(|(inner, first)| Shape::Optional(inner, first)),
            1 => inner.clone().prop_map(|inner| Shape::Array(Box::new(inner))),
            1 => inner.prop_map(|inner| Shape::Map(Box::new(inner))),
        ]
    })
}

/// Columns that are being drawn, from the root frame to the one that is open.
pub(super) struct Draft {
    state: u64,
    types: u32,
    frames: Vec<(Vec<Vec<u32>>, usize, Vec<Child>)>,
}

impl Draft {
    pub(super) fn new(seed: u64, rows: usize) -> Self {
        Self { state: seed, types: 0, frames: vec![(Vec::new(), rows, Vec::new())] }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random() % limit
    }

    fn word(&mut self, max: u32) -> u32 {
        let edges = [0, 1, 63, 64, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1];
        let word = match self.below(4) {
            0 => edges[self.below(8) as usize],
            1 => self.below(300) as u32,
            _ => self.random() as u32,
        };
        if max == u32::MAX { word } else { word % (max + 1) }
    }

    /// A column of words up to `max` in the open frame.
    pub(super) fn column(&mut self, max: u32) -> Register {
        let rows = self.frames.last().unwrap().1;
        let words = (0..rows).map(|_| self.word(max)).collect();
        let columns = &mut self.frames.last_mut().unwrap().0;
        columns.push(words);
        Register(u16::try_from(columns.len() - 1).unwrap())
    }

    fn wide(&mut self, high_max: u32) -> Wide {
        Wide { high: self.column(high_max), low: self.column(u32::MAX) }
    }

    /// The columns, as a frame.
    pub(super) fn frame(mut self) -> Frame {
        let (columns, rows, children) = self.frames.pop().unwrap();
        assert!(self.frames.is_empty(), "every list was closed");
        let mut frame = Frame::new(columns.len(), rows);
        frame.set_rows(rows);
        for (number, column) in columns.iter().enumerate() {
            frame.column_mut(Register(u16::try_from(number).unwrap())).copy_from_slice(column);
        }
        *frame.children_mut() = children;
        frame
    }

    /// Draws a list's items by `item`; gives the number of the child frame.
    fn list<T>(&mut self, item: impl FnOnce(&mut Self) -> T) -> (usize, T) {
        let rows = self.frames.last().unwrap().1;
        let mut starts = vec![0];
        for row in 0..rows {
            let more = [0, 0, 1, 2, 5][self.below(5) as usize];
            starts.push(starts[row] + more);
        }
        self.frames.push((Vec::new(), starts[rows] as usize, Vec::new()));
        let drawn = item(self);
        let outer = self.frames.len() - 1;
        let inner = self.frames.split_off(outer);
        let draft = Self { state: 0, types: 0, frames: inner };
        let children = &mut self.frames.last_mut().unwrap().2;
        children.push(Child { starts, frame: draft.frame(), ..Child::default() });
        (children.len() - 1, drawn)
    }

    fn name(&mut self) -> String {
        self.types += 1;
        format!("T{}", self.types)
    }

    /// A schema of a shape, and what fills it.
    pub(super) fn place(&mut self, shape: &Shape) -> (Json, Fill) {
        match shape {
            Shape::Simple(kind) => self.simple(*kind),
            Shape::Record(shapes) => {
                let name = self.name();
                let (mut fields, mut fills) = (Vec::new(), Vec::new());
                for (number, shape) in shapes.iter().enumerate() {
                    let (schema, fill) = self.place(shape);
                    fields.push(json!({"name": format!("f{number}"), "type": schema}));
                    fills.push(fill);
                }
                (json!({"type": "record", "name": name, "fields": fields}), Fill::Record(fills))
            }
            Shape::Union(shapes) => self.union(shapes),
            Shape::Optional(shape, null_first) => {
                let (schema, fill) = self.place(shape);
                if schema == "null" || schema.is_array() {
                    return (schema, fill);
                }
                let present = self.column(1);
                let value = Box::new(fill);
                if *null_first {
                    (json!(["null", schema]), Fill::Optional { present, branch: 1, value })
                } else {
                    (json!([schema, "null"]), Fill::Optional { present, branch: 0, value })
                }
            }
            Shape::Array(shape) => {
                let (child, (items, item)) = self.list(|draft| draft.place(shape));
                let item = Box::new(item);
                (json!({"type": "array", "items": items}), Fill::Array { child, item })
            }
            Shape::Map(shape) => {
                let (child, (key, (values, value))) = self.list(|draft| {
                    // No key twice: each item has its own number.
                    let number = draft.column(0);
                    let (columns, rows, _) = draft.frames.last_mut().unwrap();
                    columns[usize::from(number.0)] = (0..u32::try_from(*rows).unwrap()).collect();
                    let value = Integer::Unsigned(number);
                    let number = Piece::Number { value, base: 10, width: 0, upper: false };
                    let text = Text(vec![draft.piece(), Piece::Literal("#".to_owned()), number]);
                    (text, draft.place(shape))
                });
                let value = Box::new(value);
                (json!({"type": "map", "values": values}), Fill::Map { child, key, value })
            }
            Shape::Linked(links) => {
                let name = self.name();
                let schema = json!({"type": "record", "name": name, "namespace": "x.y", "fields": [
                    {"name": "value", "type": "long"}, {"name": "next", "type": ["null", name]}]});
                let mut next = Fill::Constant(Value::Null);
                for _ in 0..*links {
                    let value = self.integer(i64::MIN, i64::MAX);
                    let value = Box::new(Fill::Record(vec![Fill::Integer(value), next]));
                    next = Fill::Optional { present: self.column(1), branch: 1, value };
                }
                let value = self.integer(i64::MIN, i64::MAX);
                (schema, Fill::Record(vec![Fill::Integer(value), next]))
            }
        }
    }

    fn union(&mut self, shapes: &[Shape]) -> (Json, Fill) {
        let (mut schemas, mut branches, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for shape in shapes {
            let (schema, fill) = self.place(shape);
            let kind = match &schema {
                // A union holds no union, and each type without a name once.
                Json::Array(_) => continue,
                Json::Object(object) if object.contains_key("name") => object["name"].to_string(),
                Json::Object(object) => object["type"].to_string(),
                other => other.to_string(),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
                schemas.push(schema);
                branches.push(Some(fill));
            }
        }
        let branch = self.column(u32::try_from(branches.len().max(1) - 1).unwrap());
        if schemas.is_empty() {
            return (json!("null"), Fill::Constant(Value::Null));
        }
        if schemas.len() < 64 && self.below(2) == 0 {
            let name = self.name();
            schemas.push(json!({"type": "fixed", "name": name, "size": 5}));
            branches.push(None);
        }
        (json!(schemas), Fill::Union { branch, branches })
    }

    /// A number within limits.
    fn integer(&mut self, min: i64, max: i64) -> Integer {
        let words_fit = min <= 0 && max >= u32::MAX.into();
        match self.below(6) {
            0 => Integer::Constant([min, max, min.max(0)][self.below(3) as usize]),
            1 | 2 if words_fit => Integer::Unsigned(self.column(u32::MAX)),
            3 if words_fit && min <= i32::MIN.into() => Integer::Signed(self.column(u32::MAX)),
            4 if min == i64::MIN && max == i64::MAX => Integer::Wide(self.wide(u32::MAX)),
            5 if min <= 0 && max >= 1 << 40 => {
                Integer::Offset { base: max / 2, value: self.wide(((max >> 33) - 1) as u32) }
            }
            _ if min <= i32::MIN.into() && max >= i32::MAX.into() => {
                Integer::Signed(self.column(u32::MAX))
            }
            _ => {
                let max = u32::try_from(max.max(0)).unwrap_or(u32::MAX);
                Integer::Unsigned(self.column(max))
            }
        }
    }

    fn strings(&mut self) -> Arc<[String]> {
        let longest = [3, 14, 15, 16, 31, 32, 63, 64, 200][self.below(9) as usize];
        let string = |draft: &mut Self| {
            let length = draft.below(longest + 1) as usize;
            "añb€c😀".chars().cycle().skip(length % 6).take(length).collect()
        };
        (0..=self.below(4)).map(|_| string(self)).collect()
    }

    fn piece(&mut self) -> Piece {
        match self.below(11) {
            0 => Piece::Literal("lit-é".to_owned()),
            1 | 2 => {
                let values = self.strings();
                let index = self.column(u32::try_from(values.len() - 1).unwrap());
                let width = [None, Some(0), Some(7), Some(40)][self.below(4) as usize];
                Piece::Lookup { index, values, width }
            }
            3 => {
                let base = [2, 10, 16, 36, 36, 10, 7][self.below(7) as usize];
                let width = [0, 1, 6, 10, 12, 70][self.below(6) as usize];
                let upper = self.below(2) == 0;
                Piece::Number { value: self.integer(i64::MIN, i64::MAX), base, width, upper }
            }
            4 => {
                let scale = [0, 2, 18, 19, 25][self.below(5) as usize];
                Piece::Decimal { value: self.integer(i64::MIN, i64::MAX), scale }
            }
            5 => {
                let alphabet: Arc<[char]> =
                    ["x", "0123456789", "aé€😀"][self.below(3) as usize].chars().collect();
                let count = self.below(20) as u8;
                Piece::Characters { word: self.column(u32::MAX), alphabet, count }
            }
            8 => {
                let (then, otherwise) = (self.short_text(), self.short_text());
                Piece::Either { condition: self.column(1), then, otherwise }
            }
            9 => {
                let alphabet: Arc<[char]> =
                    ["x", "aé€😀"][self.below(2) as usize].chars().collect();
                let (count, before) = (self.below(20) as u8, self.below(9) as u32);
                let (word, length) = (self.column(u32::MAX), self.column(30));
                Piece::SomeCharacters { word, alphabet, count, length, before }
            }
            10 => {
                let texts = vec![self.short_text(), self.short_text(), Text::default()];
                Piece::Choice { index: self.column(2), texts }
            }
            6 => Piece::Uuid([0; 4].map(|_: u32| self.column(u32::MAX))),
            _ => {
                let instant_us = match self.below(2) {
                    0 => Integer::Constant(-1),
                    _ => Integer::Offset { base: 1_700_000_000_000_000, value: self.wide(1 << 10) },
                };
                let offset_minutes = match self.below(2) {
                    0 => Integer::Constant(-210),
                    _ => Integer::Unsigned(self.column(14 * 60)),
                };
                let digits = [0, 3, 6][self.below(3) as usize];
                Piece::LocalTime { instant_us, offset_minutes, digits }
            }
        }
    }

    fn short_text(&mut self) -> Text {
        Text((0..self.below(3)).map(|_| self.piece()).collect())
    }

    fn text(&mut self) -> Text {
        Text((0..self.below(5)).map(|_| self.piece()).collect())
    }

    fn words(&mut self, length: usize) -> Fill {
        let words = (0..length.div_ceil(4)).map(|_| self.column(u32::MAX)).collect();
        Fill::Words { words, length }
    }

    fn number(&mut self, base: &str, logical: &str, (min, max): (i64, i64)) -> (Json, Fill) {
        let fill = Fill::Integer(self.integer(min, max));
        (json!({"type": base, "logicalType": logical}), fill)
    }

    fn decimal(&mut self, size: Option<usize>) -> (Json, Fill) {
        let digits: u32 = [1, 4, 9, 18, 30][self.below(5) as usize];
        let (digits, half) = match size {
            Some(size) if size < 8 => (digits.min(size as u32 * 2), 1_i64 << (8 * size - 1)),
            _ => (digits.min(18), i64::MAX),
        };
        let power = 10_i64.pow(digits.min(18));
        let fill = Fill::Integer(self.integer((1 - power).max(-half), (power - 1).min(half - 1)));
        let mut schema = json!({"type": "bytes", "logicalType": "decimal", "precision": digits});
        if let Some(size) = size {
            schema["type"] = json!("fixed");
            schema["name"] = json!(self.name());
            schema["size"] = json!(size);
        }
        (schema, fill)
    }

    fn simple(&mut self, kind: u8) -> (Json, Fill) {
        let long = (i64::MIN, i64::MAX);
        let int = (i32::MIN.into(), i32::MAX.into());
        match kind {
            0 => (json!("null"), Fill::Constant(Value::Null)),
            1 => (json!("boolean"), Fill::Boolean(self.column(1))),
            2 => (json!("int"), Fill::Integer(self.integer(int.0, int.1))),
            3 => self.number("int", "date", int),
            4 => self.number("int", "time-millis", (0, 86_399_999)),
            5 => self.number("long", "time-micros", (0, 86_399_999_999)),
            6 => self.number("long", "timestamp-millis", long),
            7 => self.number("long", "timestamp-micros", long),
            8 => self.number("long", "timestamp-nanos", long),
            9 => self.number("long", "local-timestamp-millis", long),
            10 => self.number("long", "local-timestamp-micros", long),
            11 => self.number("long", "local-timestamp-nanos", long),
            12 => (json!("long"), Fill::Integer(self.integer(long.0, long.1))),
            13 | 14 => {
                let scale = self.below(23) as u8;
                let value = self.integer(long.0, long.1);
                (json!(["float", "double"][usize::from(kind) - 13]), Fill::Real { value, scale })
            }
            15 | 16 => (json!("string"), Fill::Text(self.text())),
            17 => (json!("bytes"), Fill::Text(self.text())),
            _ => self.sized(kind),
        }
    }

    fn sized(&mut self, kind: u8) -> (Json, Fill) {
        let four = |draft: &mut Self| Fill::Uuid([0; 4].map(|_: u32| draft.column(u32::MAX)));
        match kind {
            18 => {
                let length = self.below(20) as usize;
                if self.below(2) == 0 {
                    return (json!("bytes"), self.words(length));
                }
                let words = (0..length.div_ceil(4)).map(|_| self.column(u32::MAX)).collect();
                let length = self.column(length as u32);
                (json!("bytes"), Fill::Bytes { words, length })
            }
            19 => {
                let length = self.below(20) as usize;
                let name = self.name();
                (json!({"type": "fixed", "name": name, "size": length}), self.words(length))
            }
            20 => (json!("string"), four(self)),
            21 => (json!({"type": "string", "logicalType": "uuid"}), four(self)),
            22 => {
                let name = self.name();
                let mut schema = json!({"type": "fixed", "name": name, "size": 16});
                if self.below(2) == 0 {
                    schema["logicalType"] = json!("uuid");
                }
                (schema, four(self))
            }
            23 => {
                let text = Text(vec![Piece::Uuid([0; 4].map(|_: u32| self.column(u32::MAX)))]);
                (json!({"type": "string", "logicalType": "uuid"}), Fill::Text(text))
            }
            24 => self.decimal(None),
            25 => {
                let size = 1 + self.below(12) as usize;
                self.decimal(Some(size))
            }
            26 => {
                let name = self.name();
                let mut part = || self.integer(0, u32::MAX.into());
                let fill = Fill::Duration { months: part(), days: part(), millis: part() };
                let schema =
                    json!({"type": "fixed", "name": name, "size": 12, "logicalType": "duration"});
                (schema, fill)
            }
            27 => {
                let values: Arc<[Value]> =
                    ["A", "B", "C"].map(|s| Value::String(s.to_owned())).into();
                let name = self.name();
                let schema = json!({"type": "enum", "name": name, "symbols": ["C", "X", "A", "B"]});
                (schema, Fill::Dictionary { index: self.column(2), values })
            }
            28 => {
                let index = self.column(1);
                let of = |branch, value| Value::Union(branch, Box::new(value));
                let values = [of(0, Value::Long(-3)), of(1, Value::String("é".repeat(40)))];
                (json!(["long", "string"]), Fill::Dictionary { index, values: values.into() })
            }
            _ => {
                let values: Arc<[Value]> =
                    self.strings().iter().cloned().map(Value::String).collect();
                let index = self.column(u32::try_from(values.len() - 1).unwrap());
                (json!("string"), Fill::Dictionary { index, values })
            }
        }
    }
}
