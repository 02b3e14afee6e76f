//! Generators: from what the user wrote to operations.

use std::sync::Arc;

use super::hint::is_wide;
use super::list::Written;
use super::member::Which;
use super::occasion::FAVOURITE_WORDS;
use super::path::nearest;
use super::value::{Cell, Number, Value, numbers};
use super::{Compiler, Owner, Site, distribution, pattern, words};
use crate::config::model::{Field, Generator, Scalar};
use crate::config::{Span, Spanned};
use crate::plan::alias::Alias;
use crate::plan::program::{Operation, Register};
use crate::plan::world::row_weights;

/// The random words that a generator takes.
///
/// The cases of a choice share theirs: no row has two of them.
pub(super) fn words(generator: &Generator) -> u32 {
    match generator {
        Generator::Choice(_)
        | Generator::Table { .. }
        | Generator::Near(_)
        | Generator::Chance { .. } => 1,
        Generator::Uniform { min, max, .. } => 1 + u32::from(is_wide(*min, *max)),
        Generator::Real { .. } => 2,
        Generator::Options(values) => u32::from(values.len() > 1),
        Generator::Distribution { parts, .. } => distribution::words(parts),
        Generator::Entity { near, .. } => 3 + u32::from(near.is_some()),
        Generator::Words(generator) => words::words(generator),
        Generator::Once { generator, .. } => words(&generator.value),
        Generator::Favourite(_) => FAVOURITE_WORDS,
        Generator::Habit { member, .. } => FAVOURITE_WORDS + words(&member.value),
        Generator::Regex { pattern, length } => pattern::words(pattern, *length),
        Generator::Record(fields) => fields.iter().map(|it| words(&it.generator.value)).sum(),
        Generator::Array { .. } | Generator::Map { .. } => {
            Written::of(generator).map_or(0, |written| written.words())
        }
        Generator::Any(alternatives) => {
            1 + alternatives.iter().map(|one| words(&one.generator.value)).max().unwrap_or(0)
        }
        Generator::Bytes { min, max } => u32::from(max.div_ceil(4)) + u32::from(min < max),
        Generator::By { cases, default, .. } => {
            let cases = cases.iter().map(|(_, case)| words(&case.value)).max();
            cases.unwrap_or(0).max(default.as_ref().map_or(0, |default| words(&default.value)))
        }
        Generator::When { then, otherwise, .. } => {
            let otherwise = otherwise.as_ref().map_or(0, |otherwise| words(&otherwise.value));
            words(&then.value).max(otherwise)
        }
        Generator::At { value, .. } => words(&value.value),
        Generator::Identity
        | Generator::Counter(_)
        | Generator::EventTime
        | Generator::Sibling
        | Generator::LocalTime { .. }
        | Generator::Period(_)
        | Generator::Constant(_)
        | Generator::Attribute { .. }
        | Generator::Walk(_)
        | Generator::Extreme { .. }
        | Generator::Template(_)
        | Generator::Token { .. }
        | Generator::Iteration { .. }
        | Generator::Expression(_) => 0,
    }
}

/// Fields one after the other, each with the first of its random words; the first of all is `first`.
pub(super) fn numbered<'f>(
    fields: impl IntoIterator<Item = &'f Field>,
    first: u32,
) -> impl Iterator<Item = (&'f Field, u32)> {
    fields.into_iter().scan(first, |next, field| {
        let word = *next;
        *next += words(&field.generator.value);
        Some((field, word))
    })
}

impl<'a> Compiler<'a> {
    /// Compiles a generator whose random words begin at `word`.
    pub(super) fn generate(
        &mut self,
        generator: &'a Spanned<Generator>,
        site: Site,
        word: u32,
    ) -> Option<Cell> {
        let span = &generator.span;
        match &generator.value {
            Generator::Identity
            | Generator::EventTime
            | Generator::Sibling
            | Generator::LocalTime { .. } => self.of_event(&generator.value, site, span),
            Generator::Constant(scalar) => Some(self.scalar(scalar)),
            Generator::Choice(values) => {
                let weights: Vec<f64> = values.iter().map(|(_, weight)| *weight).collect();
                let index = self.choose(site, word, &weights);
                let cells = values.iter().map(|(value, _)| value.clone()).collect();
                Some(Value::Dictionary { index, cells }.into())
            }
            Generator::Table { table, weight, column } => {
                self.row(table, weight.as_ref(), column.as_ref(), (site, word))
            }
            Generator::Uniform { .. }
            | Generator::Distribution { .. }
            | Generator::Chance { .. } => self.drawn(&generator.value, (site, word), span),
            Generator::Real { .. } | Generator::Options(_) | Generator::Iteration { .. } => {
                self.hinted(&generator.value, (site, word), span)
            }
            Generator::By { on, cases, default } => {
                self.by(on, (cases, default.as_deref()), site, word)
            }
            Generator::When { condition, then, otherwise } => {
                let cell = self.expression(&condition.value, site)?;
                let condition = self.condition(&cell, &condition.span)?;
                let then = self.generate(then, site, word)?;
                let otherwise = match otherwise {
                    Some(otherwise) => self.generate(otherwise, site, word)?,
                    None => Value::Null.into(),
                };
                self.select(condition, &then, &otherwise, span)
            }
            Generator::Entity { entity, with, anew, of, near, format } => {
                let (of, near) = (of.as_ref(), near.as_deref());
                let cell =
                    self.entity(entity, Which { with, anew: *anew, of, near }, (site, word))?;
                format.as_ref().map_or(Some(cell.clone()), |format| self.format(&cell, format))
            }
            Generator::Attribute { path, column, format } => {
                let cell = self.path(&with_column(path, column.as_ref()), site)?;
                format.as_ref().map_or(Some(cell.clone()), |format| self.format(&cell, format))
            }
            Generator::At { .. } | Generator::Extreme { .. } | Generator::Walk(_) => {
                self.over_time(generator, site, word)
            }
            Generator::Template(template) => self.template(template, site, span),
            Generator::Regex { pattern, length } => {
                self.regex((pattern, *length), site, word, span)
            }
            Generator::Token { base, length, of } => {
                self.token((*base, *length), of.as_ref(), site, span)
            }
            Generator::Expression(expression) => self.expression(expression, site),
            Generator::Words(generator) => self.words(generator, site, word, span),
            Generator::Near(_)
            | Generator::Once { .. }
            | Generator::Favourite(_)
            | Generator::Period(_)
            | Generator::Habit { .. } => self.occasional(&generator.value, (site, word)),
            composite => self.composite(composite, site, word, span),
        }
    }

    /// What each event has of its own.
    fn of_event(&mut self, generator: &Generator, site: Site, span: &Span) -> Option<Cell> {
        match (generator, site.owner) {
            (_, Owner::Member { .. }) => {
                self.refuse(span, "members have no event and no time", "use it in a stream")
            }
            (_, Owner::Occasion) => {
                self.refuse(span, "each event has its own", "use it without `once`")
            }
            (Generator::Identity, Owner::Event) if self.frame() > 0 => {
                let what = "the items of a list have no identity of their own";
                self.refuse(span, what, "name a field or `let` that is the event's identity")
            }
            (Generator::Identity, Owner::Event) => Some(Value::Uuid(self.identity()).into()),
            (Generator::LocalTime { zone }, Owner::Event) => self.local_time(zone),
            (Generator::Sibling, Owner::Event) => self.sibling(span),
            _ => Some(Value::Time { level: self.level() }.into()),
        }
    }

    pub(super) fn scalar(&mut self, scalar: &Scalar) -> Cell {
        let value = match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Boolean(self.constant(u32::from(*value))),
            Scalar::Integer(value) => Value::Number(Number::constant(*value, 0)),
            Scalar::Real(value) => match numbers(&[value.to_string()]) {
                Ok((values, scale)) => Value::Number(Number::constant(values[0], scale)),
                // Too fine or too great for a decimal: text, which no number takes.
                Err(text) => Value::Literal(text),
            },
            Scalar::Text(text) => Value::Literal(text.clone()),
        };
        value.into()
    }

    pub(super) fn choose(&mut self, site: Site, word: u32, weights: &[f64]) -> Register {
        let word = self.word(site, word);
        let out = self.register();
        let table = Arc::new(Alias::new(weights));
        self.emit(Operation::Choose { word, table, out });
        out
    }

    /// A row of a table, or one of its columns.
    fn row(
        &mut self,
        name: &Spanned<String>,
        weight: Option<&Spanned<String>>,
        column: Option<&Spanned<String>>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let model = self.source.world.model;
        let Some(table) = self.source.world.table(&name.value) else {
            let known: Vec<_> = model.tables.iter().map(|table| table.name.clone()).collect();
            let what = format!("there is no table `{}`", name.value);
            return self.refuse(&name.span, what, &nearest(&name.value, &known));
        };
        let by = weight.map(|weight| weight.value.as_str());
        let weights = match row_weights(&model.tables[table], by) {
            Ok(weights) => weights,
            Err(what) => {
                let span = weight.map_or(&name.span, |weight| &weight.span);
                return self.refuse(span, what, "");
            }
        };
        let index = self.choose(site, word, &weights);
        match column {
            Some(column) => self.column(table, index, &column.value, &column.span).map(Into::into),
            None => Some(Value::Row { table, index }.into()),
        }
    }

    /// The value of an attribute that members are dealt by, from its number.
    pub(super) fn dealt_value(
        &mut self,
        generator: &Spanned<Generator>,
        index: Register,
    ) -> Option<Cell> {
        match &generator.value {
            Generator::Choice(values) => {
                let cells = values.iter().map(|(value, _)| value.clone()).collect();
                Some(Value::Dictionary { index, cells }.into())
            }
            Generator::Table { table, column, .. } => {
                let number = self.source.world.table(&table.value)?;
                match column {
                    Some(column) => {
                        self.column(number, index, &column.value, &column.span).map(Into::into)
                    }
                    None => Some(Value::Row { table: number, index }.into()),
                }
            }
            _ => self.refuse(&generator.span, "members cannot be dealt by this", ""),
        }
    }

    fn local_time(&mut self, zone: &Spanned<String>) -> Option<Cell> {
        let (offset, present) = self.offset(zone, self.event_site())?;
        Some(Cell { value: self.local_time_text(offset), present })
    }
}

/// A path with one more step.
fn with_column(path: &Spanned<String>, column: Option<&Spanned<String>>) -> Spanned<String> {
    let Some(column) = column else { return path.clone() };
    let value = format!("{}.{}", path.value, column.value);
    Spanned { value, span: path.span.start..column.span.end }
}
