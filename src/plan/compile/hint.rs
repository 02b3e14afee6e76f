//! What hints of a schema ask for beside the generators that a model names.

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;

use super::value::{Cell, Number, Value};
use super::{Compiler, Site};
use crate::config::Span;
use crate::config::model::{Counter, Form, Generator};
use crate::plan::fill::{Fill, Piece, Text};
use crate::plan::program::{Comparison, Operand, Operation, Target};

/// Half of the real numbers that a range has: 53 bits, as many as a double tells apart.
const REAL_HALF: i64 = 1 << 52;

/// Whether a range is more than one word reaches.
pub(super) fn is_wide(min: i64, max: i64) -> bool {
    max.abs_diff(min) >= 1 << 32
}

impl Compiler<'_> {
    /// What only hints ask for.
    pub(super) fn hinted(
        &mut self,
        generator: &Generator,
        (site, word): (Site, u32),
        span: &Span,
    ) -> Option<Cell> {
        match generator {
            Generator::Real { min, max } => Some(self.real_range((*min, *max), site, word)),
            Generator::Options(values) => Some(self.option_of(values, site, word)),
            Generator::Iteration { counter, digits, form } => {
                self.check_counted(site, span)?;
                let cell = self.within(0, |this| this.iteration(counter, (*digits, form), span))?;
                self.lift(&cell, span)
            }
            _ => None,
        }
    }

    /// The numbers of a counter over 10^`digits`, as numbers, booleans or texts.
    fn iteration(
        &mut self,
        counter: &Counter,
        (digits, form): (u8, &Form),
        span: &Span,
    ) -> Option<Cell> {
        let number = Number { scale: digits, ..self.counted(counter, span)? };
        let value = match form {
            Form::Number => Value::Number(number),
            Form::Boolean => {
                let one = Operand::Constant(1);
                Value::Boolean(self.compare(Comparison::Equal, number.operand, one))
            }
            Form::Text { prefix, suffix } => Value::Text(Text(vec![
                Piece::Literal(prefix.clone()),
                Piece::Decimal { value: number.integer(), scale: digits },
                Piece::Literal(suffix.clone()),
            ])),
        };
        Some(value.into())
    }

    /// Whole numbers from `min` to `max`, more than a word has: of two words.
    pub(super) fn wide_range(&mut self, (min, max): (i64, i64), site: Site, word: u32) -> Number {
        let words = [self.word(site, word), self.word(site, word + 1)];
        let out = self.wide();
        let size = u128::from(max.abs_diff(min)) + 1;
        self.emit(Operation::WideRange { words, size, base: min, out });
        Number { operand: Operand::Wide(out), min, max, scale: 0 }
    }

    /// One of some values.
    fn option_of(&mut self, values: &Arc<[Avro]>, site: Site, word: u32) -> Cell {
        let index = (values.len() > 1).then(|| {
            let word = self.word(site, word);
            let (size, out) = (values.len() as u64, self.register());
            self.emit(Operation::Range { word, size, base: 0, out: Target::Word(out) });
            out
        });
        Value::Options { index, values: Arc::clone(values) }.into()
    }

    /// Real numbers from `min` on, below `max`.
    fn real_range(&mut self, (min, max): (f64, f64), site: Site, word: u32) -> Cell {
        let number = self.wide_range((-REAL_HALF, REAL_HALF - 1), site, word);
        Value::Real { value: number.integer(), min, max }.into()
    }

    /// What fills a place with one of some values, null included.
    pub(super) fn options_fill(
        &mut self,
        cell: &Cell,
        schema: &Schema,
        span: &Span,
    ) -> Option<Fill> {
        let Value::Options { index, values } = &cell.value else { return None };
        if cell.present.is_some() {
            let what = "options with null among them belong in the schema";
            return self.refuse(span, what, &format!("make null one of the options of {schema:?}"));
        }
        Some(match index {
            Some(index) => Fill::Dictionary { index: *index, values: Arc::clone(values) },
            None => Fill::Constant(values.first()?.clone()),
        })
    }

    /// What fills a `float` or a `double`.
    pub(super) fn real_fill(&mut self, cell: &Cell, span: &Span) -> Option<Fill> {
        let Value::Real { value, min, max } = cell.value else {
            let number = self.number(cell, span)?;
            return Some(Fill::Real { value: number.integer(), scale: number.scale });
        };
        let (middle, step) = (min / 2.0 + max / 2.0, (max / 2.0 - min / 2.0) / REAL_HALF as f64);
        Some(Fill::Spread { value, middle, step, bounds: (min, max) })
    }
}
