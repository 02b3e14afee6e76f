//! Numbers at random: ranges, distributions, chances.

mod blend;

use std::sync::Arc;

use super::hint::is_wide;
use super::path::nearest;
use super::value::{Cell, Number, Value, power_of_ten};
use super::{Compiler, Site};
use crate::config::model::{Generator, MixturePart, Parameter, Shape};
use crate::config::{Span, Spanned};
use crate::plan::program::{Arithmetic, Operand, Operation, Register};
use crate::plan::quantile::{Curve, LIMIT, Quantile};
use crate::plan::steps::{self, Step, Steps};

pub use blend::Blend;

/// The random words of a distribution: a mixture whose parts are not all smooth draws the part first.
pub(super) fn words(parts: &[MixturePart]) -> u32 {
    if draws_part(parts) { 2 } else { 1 }
}

fn draws_part(parts: &[MixturePart]) -> bool {
    let blends = |shape: &Shape| {
        matches!(shape, Shape::Lognormal { .. } | Shape::Normal { .. } | Shape::Exponential { .. })
    };
    parts.len() > 1 && !parts.iter().all(|part| blends(&part.shape))
}

/// A distribution as the user wrote it.
struct Asked<'a> {
    parts: &'a [MixturePart],
    min: Option<f64>,
    max: Option<f64>,
    /// 10^digits.
    unit: f64,
    digits: u8,
    round: Option<f64>,
    /// The row that columns are read from.
    row: Option<Row>,
    span: &'a Span,
}

/// A row of a table.
#[derive(Clone, Copy)]
struct Row {
    table: usize,
    index: Register,
    count: usize,
}

impl Asked<'_> {
    fn rows(&self) -> usize {
        self.row.map_or(1, |row| row.count)
    }

    /// A smooth part's value in units, within `min` and `max`; a step beyond them, if it is rounded
    /// first.
    fn clamp(&self, x: f64) -> f64 {
        let (min, max) = (self.min.unwrap_or(-LIMIT), self.max.unwrap_or(LIMIT));
        let step = self.round.unwrap_or(0.0);
        x.max(min - step).min(max + step) * self.unit
    }
}

impl Compiler<'_> {
    /// A number or a yes, at random.
    pub(super) fn drawn(
        &mut self,
        generator: &Generator,
        (site, word): (Site, u32),
        span: &Span,
    ) -> Option<Cell> {
        match generator {
            Generator::Uniform { min, max, digits } => {
                let number = self.uniform((*min, *max), site, word);
                Some(Value::Number(Number { scale: *digits, ..number }).into())
            }
            Generator::Chance { probability, by } => {
                self.chance(probability, by.as_ref(), site, word)
            }
            distribution => self.distribution(distribution, (site, word), span),
        }
    }

    fn uniform(&mut self, (min, max): (i64, i64), site: Site, word: u32) -> Number {
        if is_wide(min, max) {
            return self.wide_range((min, max), site, word);
        }
        let size = max.abs_diff(min) + 1;
        let word = self.word(site, word);
        let (out, operand) = self.target(min, max);
        self.emit(Operation::Range { word, size, base: min, out });
        Number { operand, min, max, scale: 0 }
    }

    fn distribution(
        &mut self,
        generator: &Generator,
        (site, word): (Site, u32),
        span: &Span,
    ) -> Option<Cell> {
        let Generator::Distribution { parts, by, min, max, digits, round } = generator else {
            return None;
        };
        let mut row = None;
        let mut present = None;
        if let Some(by) = by {
            let cell = self.path(by, site)?;
            let Value::Row { table, index } = cell.value else {
                let what =
                    format!("`by` needs a row of a table, but this is {}", cell.value.kind());
                return self.refuse(&by.span, what, "name a value that is a row");
            };
            let count = self.source.world.model.tables[table].columns[0].cells.len();
            row = Some(Row { table, index, count });
            present = cell.present;
        }
        let (min, max, digits, round) = (*min, *max, *digits, *round);
        let unit = power_of_ten(digits) as f64;
        let asked = Asked { parts, min, max, unit, digits, round, row, span };
        let number = if draws_part(parts) {
            let weights: Vec<f64> = parts.iter().map(|part| part.weight).collect();
            let part = self.choose(site, word, &weights);
            let word = self.word(site, word + 1);
            self.drawn_part(&asked, part, word)?
        } else {
            let word = self.word(site, word);
            let all: Vec<&MixturePart> = parts.iter().collect();
            if is_stepped(&parts[0].shape) {
                self.stepped(&asked, &all, (word, asked.row.map(|row| row.index)))?
            } else {
                self.blended(&asked, &all, (word, asked.row.map(|row| row.index)))?
            }
        };
        let number = self.rounded(&asked, number)?;
        Some(Cell { value: Value::Number(number), present })
    }

    /// The value of the part that was drawn.
    fn drawn_part(&mut self, asked: &Asked<'_>, part: Register, word: Register) -> Option<Number> {
        let (stepped, smooth): (Vec<&MixturePart>, Vec<&MixturePart>) =
            asked.parts.iter().partition(|part| is_stepped(&part.shape));
        let from_steps = if stepped.is_empty() {
            None
        } else {
            let select = self.table_of(asked, part, true)?;
            Some(self.stepped(asked, &stepped, (word, Some(select)))?)
        };
        let from_curves = if smooth.is_empty() {
            None
        } else {
            let select = self.table_of(asked, part, false)?;
            let mut all: Option<Number> = None;
            let mut tables = Vec::new();
            for part in &smooth {
                for quantile in self.quantiles(asked, &[*part])? {
                    let number = self.bounded(asked, quantile.bounds())?;
                    all = Some(all.map_or(number, |all| widest(all, number)));
                    tables.push(quantile);
                }
            }
            Some(self.quantile(all?, tables.into(), (word, Some(select))))
        };
        match (from_steps, from_curves) {
            (Some(steps), Some(curves)) => {
                let is: Vec<i64> =
                    asked.parts.iter().map(|part| i64::from(is_stepped(&part.shape))).collect();
                let Operand::Unsigned(condition) = self.lookup(part, &is, 0).operand else {
                    return None;
                };
                self.select_number(condition, [steps, curves], asked.span)
            }
            (one, other) => one.or(other),
        }
    }

    /// The number of the table of a part and row, among the stepped parts or among the others.
    fn table_of(&mut self, asked: &Asked<'_>, part: Register, of_steps: bool) -> Option<Register> {
        let rows = i64::try_from(asked.rows()).ok()?;
        let mut next = 0;
        let firsts = asked.parts.iter().map(|part| {
            // What belongs to the others is not read.
            let first = if is_stepped(&part.shape) == of_steps { next } else { 0 };
            next += if is_stepped(&part.shape) == of_steps { rows } else { 0 };
            first
        });
        let firsts: Vec<i64> = firsts.collect();
        let first = self.lookup(part, &firsts, 0);
        let number = match asked.row {
            None => first,
            Some(row) => {
                let index = Number {
                    operand: Operand::Unsigned(row.index),
                    min: 0,
                    max: rows - 1,
                    scale: 0,
                };
                self.arithmetic(Arithmetic::Add, [first, index], 0, asked.span)?
            }
        };
        match number.operand {
            Operand::Unsigned(register) => Some(register),
            _ => None,
        }
    }

    /// A number of these bounds in units, if they can be.
    fn bounded(&mut self, asked: &Asked<'_>, (min, max): (i64, i64)) -> Option<Number> {
        if max as f64 >= LIMIT || min as f64 <= -LIMIT {
            let most = max.max(min.saturating_neg());
            let what = format!("values reach {most}, but the limit is 2^40 units");
            return self.refuse(asked.span, what, "set `min` and `max`, or fewer `digits`");
        }
        Some(Number { operand: Operand::Constant(0), min, max, scale: asked.digits })
    }

    fn quantile(
        &mut self,
        number: Number,
        tables: Arc<[Quantile]>,
        (word, select): (Register, Option<Register>),
    ) -> Number {
        let (out, operand) = self.target(number.min, number.max);
        self.emit(Operation::Quantile { word, tables, select, out });
        Number { operand, ..number }
    }

    /// Parts that have steps, one table each a row.
    fn stepped(
        &mut self,
        asked: &Asked<'_>,
        parts: &[&MixturePart],
        (word, select): (Register, Option<Register>),
    ) -> Option<Number> {
        let mut tables = Vec::with_capacity(parts.len() * asked.rows());
        let mut all: Option<Number> = None;
        for part in parts {
            for row in 0..asked.rows() {
                let steps = self.pieces(asked, part, row)?;
                let number = self.bounded(asked, steps.bounds())?;
                all = Some(all.map_or(number, |all| widest(all, number)));
                tables.push(steps);
            }
        }
        let number = all?;
        let (out, operand) = self.target(number.min, number.max);
        self.emit(Operation::Steps { word, tables: tables.into(), select, out });
        let number = Number { operand, ..number };
        // What has no steps is held between the two when its table is made.
        if asked.round.is_some() { Some(number) } else { self.pulled_in(asked, number) }
    }

    /// Between `min` and `max`.
    fn pulled_in(&mut self, asked: &Asked<'_>, mut number: Number) -> Option<Number> {
        if let Some(min) = asked.min.map(|min| in_units(min, asked.unit))
            && number.min < min
        {
            let pair = [number, Number::constant(min, asked.digits)];
            number = self.arithmetic(Arithmetic::Maximum, pair, asked.digits, asked.span)?;
        }
        if let Some(max) = asked.max.map(|max| in_units(max, asked.unit))
            && number.max > max
        {
            let pair = [number, Number::constant(max, asked.digits)];
            number = self.arithmetic(Arithmetic::Minimum, pair, asked.digits, asked.span)?;
        }
        Some(number)
    }

    fn pieces(&mut self, asked: &Asked<'_>, part: &MixturePart, row: usize) -> Option<Steps> {
        let table = asked.row.map(|row| row.table);
        match &part.shape {
            Shape::Uniform { min, max } => {
                let ends = [min, max].map(|end| self.parameter(end, table, row));
                let [Some(least), Some(most)] = ends else { return None };
                let [base, last] = [least, most].map(|end| in_units(end, asked.unit));
                let count = i128::from(last) - i128::from(base) + 1;
                let count = u64::try_from(count).ok().filter(|it| (1..=1 << 32).contains(it));
                let Some(count) = count else {
                    let what = format!("{least} to {most} is no range of 1 to 2^32 values");
                    let help = "write the least first, and narrow the range or set fewer `digits`";
                    return self.refuse(&min.span, what, help);
                };
                Some(Steps::new(&[Step { base, count, weight: 1.0 }], 1))
            }
            Shape::Zipf { count, exponent } => {
                let ends =
                    [self.parameter(count, table, row), self.parameter(exponent, table, row)];
                let [Some(members), Some(power)] = ends else { return None };
                let is_whole = members >= 1.0 && members <= f64::from(u32::MAX);
                if !is_whole || members.fract() != 0.0 {
                    let what =
                        format!("{members} is not a count, a whole number from 1 to 2^32 − 1");
                    return self.refuse(&count.span, what, "");
                }
                if !(0.0..=4.0).contains(&power) {
                    let what = format!("{power} is not an exponent, 0 to 4");
                    return self.refuse(&exponent.span, what, "");
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number of 32 bits"
                )]
                let steps = steps::zipf(members as u32, power);
                Some(Steps::new(&steps, power_of_ten(asked.digits)))
            }
            Shape::Histogram { edges, weights } => {
                let mut bins = Vec::with_capacity(weights.len());
                for (ends, weight) in edges.windows(2).zip(weights) {
                    let [base, end] = [ends[0], ends[1]].map(|end| in_units(end, asked.unit));
                    let count = (end - base).unsigned_abs();
                    if count > 1 << 32 {
                        let what = format!("{} to {} are more than 2^32 values", ends[0], ends[1]);
                        let help = "cut it into narrower bins, or set fewer `digits`";
                        return self.refuse(asked.span, what, help);
                    }
                    bins.push(Step { base, count, weight: *weight });
                }
                Some(Steps::new(&bins, 1))
            }
            _ => None,
        }
    }

    /// To the nearest multiple of `round`, and then back between `min` and `max`.
    fn rounded(&mut self, asked: &Asked<'_>, number: Number) -> Option<Number> {
        let Some(step) = asked.round.map(|step| in_units(step, asked.unit)) else {
            return Some(number);
        };
        let step = Number::constant(step, asked.digits);
        let steps = self.arithmetic(Arithmetic::Divide, [number, step], 0, asked.span)?;
        let pair = [steps, step];
        let number = self.arithmetic(Arithmetic::Multiply, pair, asked.digits, asked.span)?;
        self.pulled_in(asked, number)
    }

    fn curve(&mut self, part: &MixturePart, table: Option<usize>, row: usize) -> Option<Curve> {
        let mut read = |parameter: &Spanned<Parameter>, positive: bool| {
            let value = self.parameter(parameter, table, row)?;
            if positive && value <= 0.0 {
                let what = format!("{value} is not above 0 (row {})", row + 1);
                return self.refuse(&parameter.span, what, "");
            }
            Some(value)
        };
        Some(match &part.shape {
            Shape::Lognormal { median, sigma } => {
                Curve::Lognormal { median: read(median, true)?, sigma: read(sigma, true)? }
            }
            Shape::Normal { mean, sd } => {
                Curve::Normal { mean: read(mean, false)?, sd: read(sd, true)? }
            }
            Shape::Exponential { mean } => Curve::Exponential { mean: read(mean, true)? },
            Shape::Pareto { scale, shape } => {
                Curve::Pareto { scale: read(scale, true)?, shape: read(shape, true)? }
            }
            Shape::Uniform { .. } | Shape::Zipf { .. } | Shape::Histogram { .. } => return None,
        })
    }

    /// A parameter: the number, or that of a column in a row.
    fn parameter(
        &mut self,
        parameter: &Spanned<Parameter>,
        table: Option<usize>,
        row: usize,
    ) -> Option<f64> {
        let name = match &parameter.value {
            Parameter::Number(value) => return Some(*value),
            Parameter::Column(name) => name,
        };
        let span = &parameter.span;
        let Some(table) = table else {
            let what = format!("`{name}` is a column, but nothing says of which row");
            return self.refuse(span, what, "add `by`, the path to a row");
        };
        let table = &self.source.world.model.tables[table];
        let Some(column) = table.columns.iter().find(|column| column.name == *name) else {
            let known: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
            let what = format!("table `{}` has no column `{name}`", table.name);
            return self.refuse(span, what, &nearest(name, &known));
        };
        match column.cells[row].parse::<f64>() {
            Ok(value) if value.is_finite() => Some(value),
            _ => {
                let cell = &column.cells[row];
                let what =
                    format!("`{cell}` in row {} of column `{name}` is not a number", row + 1);
                self.refuse(span, what, "")
            }
        }
    }

    fn chance(
        &mut self,
        probability: &Spanned<Parameter>,
        by: Option<&Spanned<String>>,
        site: Site,
        word: u32,
    ) -> Option<Cell> {
        let threshold = match (&probability.value, by) {
            (Parameter::Number(_), _) | (_, None) => {
                let value = self.parameter(probability, None, 0)?;
                Operand::Constant(self.threshold(value, &probability.span)?)
            }
            (Parameter::Column(_), Some(by)) => {
                let cell = self.path(by, site)?;
                let Value::Row { table, index } = cell.value else {
                    let what =
                        format!("`by` needs a row of a table, but this is {}", cell.value.kind());
                    return self.refuse(&by.span, what, "name a value that is a row");
                };
                let rows = self.source.world.model.tables[table].columns[0].cells.len();
                let mut values = Vec::with_capacity(rows);
                for row in 0..rows {
                    let value = self.parameter(probability, Some(table), row)?;
                    values.push(self.threshold(value, &probability.span)?);
                }
                self.lookup(index, &values, 0).operand
            }
        };
        let word = self.word(site, word);
        let out = self.register();
        self.emit(Operation::Chance { word, threshold, out });
        Some(Value::Boolean(out).into())
    }

    /// A probability in units of 2^−31.
    pub(super) fn threshold(&mut self, probability: f64, span: &Span) -> Option<i64> {
        if !(0.0..=1.0).contains(&probability) {
            let what = format!("{probability} is not a probability, 0 to 1");
            return self.refuse(span, what, "");
        }
        #[expect(clippy::cast_possible_truncation, reason = "0 to 2^31")]
        let threshold = libm::round(probability * 2_147_483_648.0) as i64;
        Some(threshold)
    }
}

/// Whether values are drawn from steps, and not from a curve.
fn is_stepped(shape: &Shape) -> bool {
    matches!(shape, Shape::Uniform { .. } | Shape::Zipf { .. } | Shape::Histogram { .. })
}

/// Bounds that hold both.
fn widest(a: Number, b: Number) -> Number {
    Number { min: a.min.min(b.min), max: a.max.max(b.max), ..a }
}

/// A number in units of its last digit.
#[expect(clippy::cast_possible_truncation, reason = "clamped to 2^52")]
fn in_units(number: f64, unit: f64) -> i64 {
    const MOST: f64 = (1_u64 << 52) as f64;
    libm::round((number * unit).clamp(-MOST, MOST)) as i64
}
