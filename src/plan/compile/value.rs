//! What a compiled generator is: columns, and how to read them.

use std::sync::Arc;

use apache_avro::types::Value as Avro;

use super::Compiler;
use super::occasion::Occasion;
use crate::config::{Span, Spanned};
use crate::plan::fill::{Integer, Piece, Text};
use crate::plan::program::{Arithmetic, Logic, Operand, Operation, Register, Table, Target, input};

/// The most digits after the point: 10^18 is the greatest power of ten in 64 bits.
const SCALE_MAX: u8 = 18;
/// The longest time from the model's start to an event: 146 years keep clear of 64 bits in
/// nanoseconds.
pub(super) const LONGEST_US: i64 = i64::MAX / 2_000;

/// A value that may be null in some rows.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// The value where there is one.
    pub(super) value: Value,
    /// The column that is 0 where there is none. None: always there.
    pub(super) present: Option<Register>,
}

/// A value in columns.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Null in every row.
    Null,
    /// A whole number, divided by a power of ten.
    Number(Number),
    /// One of some texts.
    Dictionary { index: Register, cells: Arc<[String]> },
    /// The same text in every row.
    Literal(String),
    /// Text that is put together when it is written.
    Text(Text),
    /// A word that is 0 or 1.
    Boolean(Register),
    /// A row of a table.
    Row { table: usize, index: Register },
    /// A member of an entity.
    Member { entity: usize, number: Register },
    /// A favourite or a period of a member.
    Occasion(Occasion),
    /// Four words.
    Uuid([Register; 4]),
    /// The time of an event: the row's own, or of one that it follows.
    Time { level: u16 },
    /// A time that was worked out: microseconds since the Unix epoch.
    Instant(Number),
    /// A value of which parts have names.
    Parts(Arc<Parts>),
    /// Random bytes: the first of some words.
    Bytes {
        words: Vec<Register>,
        /// The column of their count. None: always `max`.
        length: Option<Register>,
        max: usize,
    },
    /// One of some values of the schema's type, by the number in a column. None: the first.
    Options { index: Option<Register>, values: Arc<[Avro]> },
    /// Real numbers between two, by the place between them.
    Real { value: Integer, min: f64, max: f64 },
    /// Fields.
    Record(Vec<(String, Cell)>),
    /// The items of a list.
    List(List),
    /// One of several values of different kinds, by the number in a column.
    Any { index: Register, cells: Vec<Part> },
}

/// A value of which parts have names: a person's name with the first and the last.
#[derive(Debug)]
pub(super) struct Parts {
    /// What it is where no part is named: none of these.
    pub(super) whole: Value,
    /// The parts.
    pub(super) parts: Vec<(&'static str, Value)>,
}

impl Parts {
    /// Whether there is such a part.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|(part, _)| *part == name)
    }
}

/// The branch of a union, if it is named, and what goes there.
pub(super) type Part = (Option<Spanned<String>>, Cell);

/// The items of an array or a map.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The scope that they are made in.
    pub(super) scope: usize,
    /// The keys, if it is a map.
    pub(super) key: Option<Text>,
    /// The items, or the values of a map.
    pub(super) item: Box<Cell>,
}

/// A number with the bounds that it cannot leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) operand: Operand,
    /// Before the division by 10^scale.
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) scale: u8,
}

impl Number {
    pub(super) fn constant(value: i64, scale: u8) -> Self {
        Self { operand: Operand::Constant(value), min: value, max: value, scale }
    }

    /// As the encoder reads it.
    pub(super) fn integer(&self) -> Integer {
        match self.operand {
            Operand::Constant(value) => Integer::Constant(value),
            Operand::Unsigned(register) => Integer::Unsigned(register),
            Operand::Signed(register) => Integer::Signed(register),
            Operand::Wide(wide) => Integer::Wide(wide),
        }
    }
}

impl Value {
    /// What people call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Number(Number { scale: 0, .. }) => "a whole number",
            Self::Number(_) => "a decimal number",
            Self::Dictionary { .. } | Self::Literal(_) | Self::Text(_) => "text",
            Self::Boolean(_) => "true or false",
            Self::Row { .. } => "a row of a table",
            Self::Member { .. } => "a member of an entity",
            Self::Occasion(_) => "a favourite or a period",
            Self::Uuid(_) => "an identity",
            Self::Time { .. } | Self::Instant(_) => "a time",
            Self::Parts(parts) => parts.whole.kind(),
            Self::Bytes { .. } => "bytes",
            Self::Options { .. } => "an option of a schema",
            Self::Real { .. } => "a real number",
            Self::Record(_) => "a record",
            Self::List(List { key: None, .. }) => "an array",
            Self::List(_) => "a map",
            Self::Any { .. } => "one of several kinds",
        }
    }

    /// Whether it is a time, which counts as microseconds where a number is needed.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Self::Time { .. } | Self::Instant(_))
    }

    /// Whether a number can stand in it.
    pub(super) fn is_counted(&self) -> bool {
        match self {
            Self::Text(text) => written_number(text).is_some(),
            Self::Number(_)
            | Self::Dictionary { .. }
            | Self::Literal(_)
            | Self::Member { .. }
            | Self::Occasion(_) => true,
            _ => false,
        }
    }

    /// Without the names of its parts.
    pub(super) fn whole(&self) -> &Self {
        match self {
            Self::Parts(parts) => &parts.whole,
            value => value,
        }
    }
}

impl Cell {
    /// Without the names of its parts.
    pub(super) fn whole(self) -> Self {
        Self { value: self.value.whole().clone(), present: self.present }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        Self { value, present: None }
    }
}

impl Compiler<'_> {
    /// A target, and the operand that reads it, for numbers within bounds.
    pub(super) fn target(&mut self, min: i64, max: i64) -> (Target, Operand) {
        if min >= 0 && max <= i64::from(u32::MAX) {
            let out = self.register();
            (Target::Word(out), Operand::Unsigned(out))
        } else if min >= i64::from(i32::MIN) && max <= i64::from(i32::MAX) {
            let out = self.register();
            (Target::Word(out), Operand::Signed(out))
        } else {
            let out = self.wide();
            (Target::Wide(out), Operand::Wide(out))
        }
    }

    /// The result of an operation on numbers; bounds beyond 64 bits are a mistake.
    pub(super) fn arithmetic(
        &mut self,
        function: Arithmetic,
        [left, right]: [Number; 2],
        scale: u8,
        span: &Span,
    ) -> Option<Number> {
        if scale > SCALE_MAX {
            return self.too_fine(scale, span);
        }
        let (min, max) = bounds(function, &left, &right);
        let (Ok(min), Ok(max)) = (i64::try_from(min), i64::try_from(max)) else {
            let what = format!("this can reach {max}, but the limit is {} (64 bits)", i64::MAX);
            return self.refuse(span, what, "bound a part of it with min(…), or round it earlier");
        };
        let (out, operand) = self.target(min, max);
        let (left, right) = (left.operand, right.operand);
        self.emit(Operation::Arithmetic { function, left, right, out });
        Some(Number { operand, min, max, scale })
    }

    fn too_fine<T>(&mut self, scale: u8, span: &Span) -> Option<T> {
        let what = format!("this has {scale} digits after the point, but the limit is {SCALE_MAX}");
        self.refuse(span, what, "round a part of it with round(…, digits)")
    }

    /// The same number with more digits after the point.
    pub(super) fn rescale(&mut self, number: Number, scale: u8, span: &Span) -> Option<Number> {
        if number.scale >= scale {
            return Some(number);
        }
        if scale > SCALE_MAX {
            return self.too_fine(scale, span);
        }
        let factor = power_of_ten(scale - number.scale);
        if let Operand::Constant(value) = number.operand
            && let Some(value) = value.checked_mul(factor)
        {
            return Some(Number::constant(value, scale));
        }
        self.arithmetic(Arithmetic::Multiply, [number, Number::constant(factor, 0)], scale, span)
    }

    /// Two numbers with as many digits after the point as the one that has more.
    pub(super) fn align(&mut self, pair: [Number; 2], span: &Span) -> Option<[Number; 2]> {
        let scale = pair[0].scale.max(pair[1].scale);
        Some([self.rescale(pair[0], scale, span)?, self.rescale(pair[1], scale, span)?])
    }

    /// A cell read as a number.
    pub(super) fn number(&mut self, cell: &Cell, span: &Span) -> Option<Number> {
        match cell.value.whole() {
            Value::Number(number) | Value::Instant(number) => Some(*number),
            Value::Member { entity, number } => Some(self.member_number(*entity, *number)),
            Value::Text(text) if written_number(text).is_some() => written_number(text),
            Value::Occasion(Occasion { turn: Some(turn), .. }) => Some(turn.which),
            Value::Dictionary { index, cells } => match numbers(cells) {
                Ok((values, scale)) => Some(self.lookup(*index, &values, scale)),
                Err(cell) => {
                    let what =
                        format!("`{cell}` is one of the values here, but a number is needed");
                    self.refuse(span, what, "")
                }
            },
            Value::Literal(text) => match numbers(std::slice::from_ref(text)) {
                Ok((values, scale)) => Some(Number::constant(values[0], scale)),
                Err(text) => self.refuse(span, format!("`{text}` is not a number"), ""),
            },
            Value::Time { level } => {
                let base = Number::constant(self.source.start_us, 0);
                let (operand, max) = (Operand::Wide(input::time(*level)), LONGEST_US);
                let time = Number { operand, min: 0, max, scale: 0 };
                self.arithmetic(Arithmetic::Add, [time, base], 0, span)
            }
            other => {
                let what = format!("a number is needed, but this is {}", other.kind());
                self.refuse(span, what, "")
            }
        }
    }

    /// Numbers by the index in a column.
    pub(super) fn lookup(&mut self, index: Register, values: &[i64], scale: u8) -> Number {
        let min = values.iter().copied().min().unwrap_or(0);
        let max = values.iter().copied().max().unwrap_or(0);
        let (out, operand) = self.target(min, max);
        self.emit(Operation::Lookup { index, values: Table::new(values), out });
        Number { operand, min, max, scale }
    }

    /// A cell read as a condition: 1 where it is true, 0 where it is false or null.
    pub(super) fn condition(&mut self, cell: &Cell, span: &Span) -> Option<Register> {
        let Value::Boolean(word) = cell.value else {
            let what = format!("a condition is needed, but this is {}", cell.value.kind());
            return self.refuse(span, what, "compare it with something: `… == 'value'`");
        };
        Some(self.both(Some(word), cell.present).unwrap_or(word))
    }

    /// 1 where both columns are; None stands for a column that is always 1.
    pub(super) fn both(
        &mut self,
        left: Option<Register>,
        right: Option<Register>,
    ) -> Option<Register> {
        match (left, right) {
            (Some(left), Some(right)) if left != right => Some(self.logic(Logic::And, left, right)),
            (left, right) => left.or(right),
        }
    }

    pub(super) fn logic(&mut self, logic: Logic, left: Register, right: Register) -> Register {
        let out = self.register();
        self.emit(Operation::Logic { logic, left, right, out });
        out
    }
}

/// The number that a text of nothing else writes in digits.
fn written_number(text: &Text) -> Option<Number> {
    let [Piece::Number { value, base: 10, .. }] = text.0[..] else { return None };
    let (operand, min, max) = match value {
        Integer::Constant(value) => (Operand::Constant(value), value, value),
        Integer::Unsigned(word) => (Operand::Unsigned(word), 0, i64::from(u32::MAX)),
        Integer::Signed(word) => (Operand::Signed(word), i64::from(i32::MIN), i64::from(i32::MAX)),
        Integer::Wide(wide) => (Operand::Wide(wide), i64::MIN, i64::MAX),
        Integer::Offset { .. } => return None,
    };
    Some(Number { operand, min, max, scale: 0 })
}

/// 10 to a power of at most 18.
pub(super) fn power_of_ten(power: u8) -> i64 {
    10_i64.pow(u32::from(power.min(SCALE_MAX)))
}

/// Texts as numbers with the same count of digits after the point, or the first that is none.
pub(super) fn numbers(cells: &[String]) -> Result<(Vec<i64>, u8), String> {
    let digits_after = |cell: &String| cell.split_once('.').map_or(0, |(_, after)| after.len());
    let scale = cells.iter().map(digits_after).max().unwrap_or(0);
    let parse = |cell: &String| {
        let (whole, after) = cell.split_once('.').unwrap_or((cell, ""));
        let plain = whole.strip_prefix('-').unwrap_or(whole);
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let sound = !plain.is_empty() && all_digits(plain) && all_digits(after) && scale <= 9;
        let padded = format!("{whole}{after:0<scale$}");
        sound.then(|| padded.parse().ok()).flatten().ok_or_else(|| cell.clone())
    };
    let values = cells.iter().map(parse).collect::<Result<_, _>>()?;
    Ok((values, u8::try_from(scale).unwrap_or(9)))
}

/// The least and greatest result of an operation.
fn bounds(function: Arithmetic, left: &Number, right: &Number) -> (i128, i128) {
    let [a, b] = [left, right].map(|it| [i128::from(it.min), i128::from(it.max)]);
    let greatest = a[0].abs().max(a[1].abs());
    match function {
        Arithmetic::Add => (a[0] + b[0], a[1] + b[1]),
        Arithmetic::Subtract => (a[0] - b[1], a[1] - b[0]),
        Arithmetic::Multiply => {
            let ends = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]];
            ends.iter()
                .fold((i128::MAX, i128::MIN), |(min, max), &end| (min.min(end), max.max(end)))
        }
        Arithmetic::Divide if a[0] >= 0 && b[0] > 0 => {
            ((2 * a[0] + b[1]) / (2 * b[1]), (2 * a[1] + b[0]) / (2 * b[0]))
        }
        Arithmetic::Divide if b[0] > 0 => (-(a[0].abs() / b[0] + 1), a[1].max(0) / b[0] + 1),
        Arithmetic::Divide => (-greatest, greatest),
        Arithmetic::FloorTo if b[0] == b[1] && b[0] > 0 => {
            (a[0].div_euclid(b[0]) * b[0], a[1].div_euclid(b[0]) * b[0])
        }
        Arithmetic::FloorTo if a[0] >= 0 => (0, a[1]),
        Arithmetic::FloorTo => (a[0] - b[0].abs().max(b[1].abs()), a[1]),
        Arithmetic::Modulo if a[0] >= 0 && b[0] > 0 => (0, a[1].min(b[1] - 1)),
        Arithmetic::Modulo => (0, (b[0].abs().max(b[1].abs()) - 1).max(0)),
        Arithmetic::Minimum => (a[0].min(b[0]), a[1].min(b[1])),
        Arithmetic::Maximum => (a[0].max(b[0]), a[1].max(b[1])),
    }
}
