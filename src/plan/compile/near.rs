//! Places near other places.

use std::sync::Arc;

use super::value::{Cell, Number, Value};
use super::{Compiler, Site};
use crate::config::model::{Near, Table};
use crate::config::{Span, Spanned};
use crate::plan::alias::Choices;
use crate::plan::near::{Place, ROWS_MAX, neighbours};
use crate::plan::program::{Operand, Operation, Register};
use crate::plan::world::row_weights;

impl Compiler<'_> {
    /// A row of a table near another row of it.
    pub(super) fn near(&mut self, near: &Near, (site, word): (Site, u32)) -> Option<Cell> {
        let (table, index, present) = self.place_of_row(near, site)?;
        let weight = near.weight.as_ref();
        let index = self.neighbour(near, (table, index), weight, (site, word))?;
        let Operand::Unsigned(index) = index.operand else { return None };
        Some(Cell { value: Value::Row { table, index }, present })
    }

    /// The row that something is to be near to.
    pub(super) fn place_of_row(
        &mut self,
        near: &Near,
        site: Site,
    ) -> Option<(usize, Register, Option<Register>)> {
        let cell = self.path(&near.to, site)?;
        let Value::Row { table, index } = cell.value else {
            let what = format!("`near` needs a row of a table, but this is {}", cell.value.kind());
            return self.refuse(&near.to.span, what, "name a value that is a row");
        };
        Some((table, index, cell.present))
    }

    /// The number of a row near another one, by a column of weights or the table's own.
    pub(super) fn neighbour(
        &mut self,
        near: &Near,
        (table, index): (usize, Register),
        weight: Option<&Spanned<String>>,
        (site, word): (Site, u32),
    ) -> Option<Number> {
        let table = &self.source.world.model.tables[table];
        let weights = match row_weights(table, weight.map(|weight| weight.value.as_str())) {
            Ok(weights) => weights,
            Err(what) => {
                let span = weight.map_or(&near.to.span, |weight| &weight.span);
                return self.refuse(span, what, "");
            }
        };
        let places = self.places(table, &near.to.span)?;
        let all = neighbours(&places, &weights, near.within_km);
        let own: Vec<Vec<f64>> =
            all.iter().map(|row| row.iter().map(|(_, weight)| *weight).collect()).collect();
        let own: Vec<&[f64]> = own.iter().map(Vec::as_slice).collect();
        let which: Vec<usize> = (0..own.len()).collect();
        let choices = Arc::new(Choices::new(&which, &own));
        let rows: Vec<i64> =
            all.iter().flatten().filter_map(|(row, _)| i64::try_from(*row).ok()).collect();
        let (word, out) = (self.word(site, word), self.register());
        self.emit(Operation::ChooseBy { word, select: index, choices, out });
        let number = self.lookup(out, &rows, 0);
        let max = i64::try_from(places.len()).unwrap_or(i64::MAX) - 1;
        Some(Number { min: 0, max, ..number })
    }

    /// Where the rows of a table lie.
    fn places(&mut self, table: &Table, span: &Span) -> Option<Vec<Place>> {
        let mut ends = Vec::new();
        for (name, most) in [("latitude", 90.0), ("longitude", 180.0)] {
            let Some(column) = table.columns.iter().find(|column| column.name == name) else {
                let what = format!("table `{}` has no column `{name}`", table.name);
                let help = "what is near is told by columns `latitude` and `longitude`, in degrees";
                return self.refuse(span, what, help);
            };
            let mut degrees = Vec::with_capacity(column.cells.len());
            for (row, cell) in column.cells.iter().enumerate() {
                match cell.trim().parse::<f64>() {
                    Ok(value) if value.abs() <= most => degrees.push(value),
                    _ => {
                        let (table, row) = (&table.name, row + 1);
                        let what = format!("`{cell}` in row {row} of table `{table}` is no {name}");
                        let help = format!("degrees from −{most} to {most}");
                        return self.refuse(span, what, &help);
                    }
                }
            }
            ends.push(degrees);
        }
        if ends[0].len() > ROWS_MAX {
            let (found, name) = (ends[0].len(), &table.name);
            let what = format!("table `{name}` has {found} places, but the limit is {ROWS_MAX}");
            return self.refuse(span, what, "use a smaller table for what is near");
        }
        Some(ends[0].iter().zip(&ends[1]).map(|(&north, &east)| [north, east]).collect())
    }
}
