//! One of several values, each of a kind of its own, and random bytes.

use std::sync::Arc;

use super::value::{Cell, Part, Value};
use super::{Compiler, Site};
use crate::config::model::Alternative;
use crate::config::{Span, Spanned};
use crate::plan::alias::Alias;
use crate::plan::program::{Operand, Operation, Register, Target};

impl<'a> Compiler<'a> {
    /// One of several values; those of one kind become one value.
    pub(super) fn any(
        &mut self,
        alternatives: &'a [Alternative],
        site: Site,
        word: u32,
        span: &Span,
    ) -> Option<Cell> {
        let weights: Vec<f64> = alternatives.iter().map(|one| one.weight).collect();
        let choice = self.word(site, word);
        let index = self.register();
        let table = Arc::new(Alias::new(&weights));
        self.emit(Operation::Choose { word: choice, table, out: index });
        let mut parts: Vec<Part> = Vec::new();
        let mut places = Vec::with_capacity(alternatives.len());
        for (number, one) in alternatives.iter().enumerate() {
            let cell = self.generate(&one.generator, site, word + 1)?;
            let same = parts.iter().position(|part| is_same(part, one, &cell));
            if let Some(same) = same {
                let is = self.is_one(index, number, alternatives.len())?;
                let before = parts[same].1.clone();
                parts[same].1 = self.select(is, &cell, &before, span)?;
            } else {
                parts.push((one.branch.clone(), cell));
            }
            places.push(i64::try_from(same.unwrap_or(parts.len() - 1)).ok()?);
        }
        self.joined(parts, index, &places)
    }

    /// One value if all are of one kind but for null, else all of them.
    fn joined(&mut self, mut parts: Vec<Part>, index: Register, places: &[i64]) -> Option<Cell> {
        let null = parts.iter().position(|part| matches!(part.1.value, Value::Null));
        let plain = parts.iter().all(|part| part.0.is_none());
        match (parts.len(), null) {
            (1, _) if plain => parts.pop().map(|part| part.1),
            (2, Some(null)) if plain => {
                let null = i64::try_from(null).ok()?;
                let there: Vec<_> = places.iter().map(|place| i64::from(*place != null)).collect();
                let there = self.word_of(index, &there)?;
                let (_, cell) =
                    parts.into_iter().find(|part| !matches!(part.1.value, Value::Null))?;
                let present = self.both(Some(there), cell.present);
                Some(Cell { value: cell.value, present })
            }
            _ => {
                let index = self.word_of(index, places)?;
                Some(Value::Any { index, cells: parts }.into())
            }
        }
    }

    /// 1 where the index is `number`, of `count`.
    fn is_one(&mut self, index: Register, number: usize, count: usize) -> Option<Register> {
        let is: Vec<_> = (0..count).map(|other| i64::from(other == number)).collect();
        self.word_of(index, &is)
    }

    /// Words, none below 0, by the index in a column.
    pub(super) fn word_of(&mut self, index: Register, values: &[i64]) -> Option<Register> {
        match self.lookup(index, values, 0).operand {
            Operand::Unsigned(word) => Some(word),
            _ => None,
        }
    }

    /// Random bytes.
    pub(super) fn bytes(&mut self, (min, max): (u16, u16), site: Site, word: u32) -> Cell {
        let count = u32::from(max).div_ceil(4);
        let words = (0..count).map(|at| self.word(site, word + at)).collect();
        let length = (min < max).then(|| {
            let word = self.word(site, word + count);
            let (size, base, out) = (u64::from(max - min) + 1, i64::from(min), self.register());
            self.emit(Operation::Range { word, size, base, out: Target::Word(out) });
            out
        });
        Value::Bytes { words, length, max: usize::from(max) }.into()
    }
}

/// Whether an alternative goes where a part goes.
fn is_same(part: &Part, one: &Alternative, cell: &Cell) -> bool {
    let branch = |branch: &Option<Spanned<String>>| branch.as_ref().map(|it| it.value.clone());
    let mergeable = !matches!(cell.value, Value::List(_) | Value::Record(_) | Value::Bytes { .. });
    branch(&part.0) == branch(&one.branch) && mergeable && part.1.value.kind() == cell.value.kind()
}
