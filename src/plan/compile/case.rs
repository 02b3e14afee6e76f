//! Cases: a value that another one decides how to draw.

use std::sync::Arc;

use super::occasion::{Occasion, Turn};
use super::path::nearest;
use super::value::{Cell, Number, Value};
use super::{Compiler, Site};
use crate::config::model::{Generator, Scalar};
use crate::config::{Span, Spanned};
use crate::plan::alias::Choices;
use crate::plan::program::{Arithmetic, Operand, Operation, Register};
use crate::plan::world::row_weights;

/// The most whole numbers that cases tell apart.
const NUMBERS_MAX: u64 = 4_096;

/// The cases of a `by`, and what holds for all other values.
pub(super) type Cases<'a> =
    (&'a [(Spanned<String>, Spanned<Generator>)], Option<&'a Spanned<Generator>>);

/// A case that one random word decides: its values, and what they weigh.
struct Draw {
    values: Vec<String>,
    weights: Vec<f64>,
    /// The table, if the values are its rows.
    rows: Option<usize>,
}

impl<'a> Compiler<'a> {
    /// The case of a text value, or the default.
    pub(super) fn by(
        &mut self,
        on: &Spanned<String>,
        (cases, default): Cases<'a>,
        site: Site,
        word: u32,
    ) -> Option<Cell> {
        let cell = self.path(on, site)?.whole();
        let (index, cells) = self.known_values(&cell.value, &on.span)?;
        let (index, cells) = (&index, &cells);
        let known = |value: &String| cells.contains(value);
        for (case, _) in cases.iter().filter(|(case, _)| !known(&case.value)) {
            let what = format!("`{}` never has the value `{}`", on.value, case.value);
            self.refuse::<()>(&case.span, what, &nearest(&case.value, cells));
        }
        let uncovered = |cell: &&String| !cases.iter().any(|(case, _)| case.value == **cell);
        if let (None, Some(value)) = (default, cells.iter().find(uncovered)) {
            let what = format!("the value `{value}` of `{}` has no case", on.value);
            return self.refuse(&on.span, what, "add it, or a `default`");
        }
        let default_draw = default.map(|default| &default.value);
        if let Some(draws) = self.draws(cases, default_draw) {
            let (values, choices) = joined(&draws, cells, cases);
            let (select, word) = (*index, self.word(site, word));
            let index = self.register();
            let choices = Arc::new(choices);
            self.emit(Operation::ChooseBy { word, select, choices, out: index });
            let value = match draws[0].rows {
                Some(table) => {
                    let rows: Vec<_> = values.iter().filter_map(|row| row.parse().ok()).collect();
                    let Operand::Unsigned(index) = self.lookup(index, &rows, 0).operand else {
                        return None;
                    };
                    Value::Row { table, index }
                }
                None => Value::Dictionary { index, cells: values.into() },
            };
            return Some(Cell { value, present: cell.present });
        }
        let mut compiled = Vec::new();
        for (case, generator) in cases {
            let result = self.generate(generator, site, word)?;
            let is: Vec<_> = cells.iter().map(|cell| i64::from(*cell == case.value)).collect();
            compiled.push((is, result, &generator.span));
        }
        let mut result = match default {
            Some(default) => self.generate(default, site, word)?,
            None => compiled.pop()?.1,
        };
        for (is, case, span) in compiled.into_iter().rev() {
            let Operand::Unsigned(condition) = self.lookup(*index, &is, 0).operand else {
                return None;
            };
            result = self.select(condition, &case, &result, span)?;
        }
        let present = self.both(result.present, cell.present);
        Some(Cell { value: result.value, present })
    }

    /// Which of some values it is, and these as texts: `true` and `false`, or whole numbers.
    fn known_values(&mut self, value: &Value, span: &Span) -> Option<(Register, Arc<[String]>)> {
        match value {
            Value::Dictionary { index, cells } => Some((*index, Arc::clone(cells))),
            Value::Boolean(word) => Some((*word, ["false", "true"].map(str::to_owned).into())),
            Value::Number(number)
            | Value::Occasion(Occasion { turn: Some(Turn { which: number, .. }), .. })
                if number.scale == 0 && number.max.abs_diff(number.min) < NUMBERS_MAX =>
            {
                let least = Number::constant(number.min, 0);
                let place = self.arithmetic(Arithmetic::Subtract, [*number, least], 0, span)?;
                let cells = (number.min..=number.max).map(|value| value.to_string()).collect();
                let Operand::Unsigned(index) = place.operand else { return None };
                Some((index, cells))
            }
            other => {
                let what =
                    format!("`by` needs one of some known values, but this is {}", other.kind());
                let help = format!(
                    "name a choice, a column, true or false, or a whole number of at most {NUMBERS_MAX}"
                );
                self.refuse(span, what, &help)
            }
        }
    }

    /// The cases (and the default, last) as weighted texts, if all of them are just that.
    fn draws(
        &self,
        cases: &[(Spanned<String>, Spanned<Generator>)],
        default: Option<&Generator>,
    ) -> Option<Vec<Draw>> {
        let all = cases.iter().map(|(_, case)| &case.value).chain(default);
        let draws: Vec<Draw> = all.map(|generator| self.draw(generator)).collect::<Option<_>>()?;
        let rows = draws.first()?.rows;
        draws.iter().all(|draw| draw.rows == rows).then_some(draws)
    }

    fn draw(&self, generator: &Generator) -> Option<Draw> {
        match generator {
            Generator::Constant(Scalar::Text(text)) => {
                Some(Draw { values: vec![text.clone()], weights: vec![1.0], rows: None })
            }
            Generator::Choice(values) => {
                let (values, weights) = values.iter().cloned().unzip();
                Some(Draw { values, weights, rows: None })
            }
            Generator::Table { table, weight, column } => {
                let number = self.source.world.table(&table.value)?;
                let table = &self.source.world.model.tables[number];
                let by = weight.as_ref().map(|weight| weight.value.as_str());
                let weights = row_weights(table, by).ok()?;
                let Some(column) = column else {
                    let values = (0..weights.len()).map(|row| row.to_string()).collect();
                    return Some(Draw { values, weights, rows: Some(number) });
                };
                let column = table.columns.iter().find(|it| it.name == column.value)?;
                Some(Draw { values: column.cells.to_vec(), weights, rows: None })
            }
            _ => None,
        }
    }
}

/// All values of all cases one after the other, and which of them each text of `on` draws from.
fn joined(
    draws: &[Draw],
    cells: &[String],
    cases: &[(Spanned<String>, Spanned<Generator>)],
) -> (Vec<String>, Choices) {
    let values = draws.iter().flat_map(|draw| draw.values.iter().cloned()).collect();
    let weights: Vec<&[f64]> = draws.iter().map(|draw| draw.weights.as_slice()).collect();
    let which = |cell: &String| {
        let case = cases.iter().position(|(case, _)| case.value == *cell);
        case.unwrap_or(draws.len() - 1)
    };
    let which: Vec<usize> = cells.iter().map(which).collect();
    (values, Choices::new(&which, &weights))
}
