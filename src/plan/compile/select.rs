//! One of two values, row by row.

use std::sync::Arc;

use super::Compiler;
use super::value::{Cell, Number, Parts, Value};
use crate::config::Span;
use crate::plan::fill::{Piece, Text};
use crate::plan::program::{Arithmetic, Logic, Operand, Operation, Register, Target};

impl Compiler<'_> {
    /// `then` where the condition is 1, else `otherwise`.
    pub(super) fn select(
        &mut self,
        condition: Register,
        then: &Cell,
        otherwise: &Cell,
        span: &Span,
    ) -> Option<Cell> {
        let value = match (&then.value, &otherwise.value) {
            (Value::Null, Value::Null) => return Some(Value::Null.into()),
            (value, Value::Null) => {
                let present = self.both(Some(condition), then.present);
                return Some(Cell { value: value.clone(), present });
            }
            (Value::Null, value) => {
                let not = self.not(condition);
                let present = self.both(Some(not), otherwise.present);
                return Some(Cell { value: value.clone(), present });
            }
            (then, otherwise) => self.select_value(condition, then, otherwise, span)?,
        };
        let present = self.select_present(condition, then.present, otherwise.present);
        Some(Cell { value, present })
    }

    fn select_present(
        &mut self,
        condition: Register,
        then: Option<Register>,
        otherwise: Option<Register>,
    ) -> Option<Register> {
        match (then, otherwise) {
            (None, None) => None,
            (Some(then), None) => {
                let not = self.not(condition);
                Some(self.logic(Logic::Or, not, then))
            }
            (None, Some(otherwise)) => Some(self.logic(Logic::Or, condition, otherwise)),
            (Some(then), Some(otherwise)) => Some(self.select_word(condition, then, otherwise)),
        }
    }

    pub(super) fn not(&mut self, word: Register) -> Register {
        let out = self.register();
        self.emit(Operation::Not { word, out });
        out
    }

    pub(super) fn select_word(
        &mut self,
        condition: Register,
        then: Register,
        otherwise: Register,
    ) -> Register {
        let out = self.register();
        let (then, otherwise) = (Operand::Unsigned(then), Operand::Unsigned(otherwise));
        self.emit(Operation::Select { condition, then, otherwise, out: Target::Word(out) });
        out
    }

    fn select_value(
        &mut self,
        condition: Register,
        then: &Value,
        otherwise: &Value,
        span: &Span,
    ) -> Option<Value> {
        match (then, otherwise) {
            (Value::Boolean(a), Value::Boolean(b)) => {
                Some(Value::Boolean(self.select_word(condition, *a, *b)))
            }
            (Value::Row { table: a, index: x }, Value::Row { table: b, index: y }) if a == b => {
                Some(Value::Row { table: *a, index: self.select_word(condition, *x, *y) })
            }
            (Value::Member { entity: a, number: x }, Value::Member { entity: b, number: y })
                if a == b =>
            {
                let number = self.select_word(condition, *x, *y);
                if let (Some(g), Some(h)) = (self.generation(*a, *x), self.generation(*a, *y)) {
                    let generation = self.select_word(condition, g, h);
                    self.generations.insert((*a, number), generation);
                }
                Some(Value::Member { entity: *a, number })
            }
            (Value::Uuid(a), Value::Uuid(b)) => {
                let word = |place: usize| self.select_word(condition, a[place], b[place]);
                Some(Value::Uuid([0, 1, 2, 3].map(word)))
            }
            (
                Value::Dictionary { .. } | Value::Literal(_),
                Value::Dictionary { .. } | Value::Literal(_),
            ) => self.select_dictionary(condition, then, otherwise),
            (Value::Record(a), Value::Record(b)) if same_names(a, b) => {
                let mut fields = Vec::with_capacity(a.len());
                for ((name, then), (_, otherwise)) in a.iter().zip(b) {
                    fields.push((name.clone(), self.select(condition, then, otherwise, span)?));
                }
                Some(Value::Record(fields))
            }
            (Value::Time { level: a }, Value::Time { level: b }) if a == b => Some(then.clone()),
            (Value::Number(_) | Value::Time { .. } | Value::Instant(_), _)
            | (_, Value::Number(_) | Value::Time { .. } | Value::Instant(_)) => {
                let is_time = then.is_time() || otherwise.is_time();
                let then = self.number(&then.clone().into(), span)?;
                let otherwise = self.number(&otherwise.clone().into(), span)?;
                let number = self.select_number(condition, [then, otherwise], span)?;
                Some(if is_time { Value::Instant(number) } else { Value::Number(number) })
            }
            (Value::Parts(a), Value::Parts(b)) => self.select_parts(condition, [a, b], span),
            (Value::Parts(_), _) | (_, Value::Parts(_)) => {
                self.select_value(condition, then.whole(), otherwise.whole(), span)
            }
            _ if textual(then) && textual(otherwise) => {
                let then = self.text_of(&then.clone().into(), None, span)?;
                let otherwise = self.text_of(&otherwise.clone().into(), None, span)?;
                Some(Value::Text(Text(vec![Piece::Either { condition, then, otherwise }])))
            }
            _ => {
                let what =
                    format!("this is {} or {}: one kind is needed", then.kind(), otherwise.kind());
                self.refuse(span, what, "make both the same kind")
            }
        }
    }

    /// The parts that both have.
    fn select_parts(
        &mut self,
        condition: Register,
        [then, otherwise]: [&Parts; 2],
        span: &Span,
    ) -> Option<Value> {
        let whole = self.select_value(condition, &then.whole, &otherwise.whole, span)?;
        let mut parts = Vec::new();
        for (name, value) in &then.parts {
            if let Some((_, other)) = otherwise.parts.iter().find(|(other, _)| other == name) {
                parts.push((*name, self.select_value(condition, value, other, span)?));
            }
        }
        Some(Value::Parts(Arc::new(Parts { whole, parts })))
    }

    pub(super) fn select_number(
        &mut self,
        condition: Register,
        pair: [Number; 2],
        span: &Span,
    ) -> Option<Number> {
        let [then, otherwise] = self.align(pair, span)?;
        let (min, max) = (then.min.min(otherwise.min), then.max.max(otherwise.max));
        let (out, operand) = self.target(min, max);
        let scale = then.scale;
        let (then, otherwise) = (then.operand, otherwise.operand);
        self.emit(Operation::Select { condition, then, otherwise, out });
        Some(Number { operand, min, max, scale })
    }

    /// The two dictionaries one after the other, and an index into both.
    fn select_dictionary(
        &mut self,
        condition: Register,
        then: &Value,
        otherwise: &Value,
    ) -> Option<Value> {
        let (first, first_cells) = dictionary(then)?;
        let (second, second_cells) = dictionary(otherwise)?;
        let same = Arc::ptr_eq(&first_cells, &second_cells);
        let (base, cells) = if same {
            (0, first_cells)
        } else {
            let cells = first_cells.iter().chain(second_cells.iter()).cloned().collect();
            (i64::try_from(first_cells.len()).ok()?, cells)
        };
        let second = match second {
            Operand::Constant(value) => Operand::Constant(value + base),
            operand if base == 0 => operand,
            operand => {
                let out = self.register();
                self.emit(Operation::Arithmetic {
                    function: Arithmetic::Add,
                    left: operand,
                    right: Operand::Constant(base),
                    out: Target::Word(out),
                });
                Operand::Unsigned(out)
            }
        };
        let out = self.register();
        let (then, otherwise) = (first, second);
        self.emit(Operation::Select { condition, then, otherwise, out: Target::Word(out) });
        Some(Value::Dictionary { index: out, cells })
    }
}

fn same_names(a: &[(String, Cell)], b: &[(String, Cell)]) -> bool {
    a.iter().map(|(name, _)| name).eq(b.iter().map(|(name, _)| name))
}

/// An index and what it points into.
fn dictionary(value: &Value) -> Option<(Operand, Arc<[String]>)> {
    match value {
        Value::Dictionary { index, cells } => Some((Operand::Unsigned(*index), Arc::clone(cells))),
        Value::Literal(text) => Some((Operand::Constant(0), Arc::from([text.clone()]))),
        _ => None,
    }
}

fn textual(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::Literal(_) | Value::Dictionary { .. } | Value::Uuid(_))
}
