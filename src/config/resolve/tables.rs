//! Tables: columns of text, from CSV or written inline.

use std::sync::Arc;

use super::super::model::{Column, Table};
use super::super::raw::{Kind, Node};
use super::super::reader::{At, Reader, Section};
use super::super::{Span, Spanned, suggest};

/// More rows than any lookup should have.
const ROWS_MAX: usize = 1 << 20;

/// How many bad rows of one file are told.
const BAD_ROWS_TOLD: usize = 5;

/// The cells of a table by row, and where each row stands.
#[derive(Debug, Default)]
struct Rows {
    header: Vec<String>,
    cells: Vec<Vec<String>>,
    spans: Vec<Span>,
}

/// `[tables.NAME]`.
pub(super) fn tables(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Table> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut tables = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a table", &entry.key, &entry.key_span);
        let Some(mut one) = reader.section(&at) else { continue };
        let rows = rows(reader, &mut one);
        let weight = one.get("weight").and_then(|at| reader.text(&at));
        reader.finish(one);
        let Some(rows) = rows else { continue };
        let columns: Vec<Column> = rows
            .header
            .iter()
            .enumerate()
            .map(|(index, name)| Column {
                name: name.clone(),
                cells: rows.cells.iter().map(|row| row[index].clone()).collect::<Arc<[_]>>(),
            })
            .collect();
        let span = entry.key_span.clone();
        let table = Table { name: entry.key.clone(), span, columns, weight };
        if let Some(weight) = &table.weight {
            check_weight(reader, &table, weight, &rows.spans);
        }
        tables.push(table);
    }
    tables
}

fn rows(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Rows> {
    let file = section.get("file");
    let inline = section.get("rows");
    match (file, inline) {
        (Some(at), None) => from_csv(reader, &at),
        (None, Some(at)) => from_list(reader, &at),
        (Some(_), Some(inline)) => {
            let what = format!("`{}` has both `file` and `rows`", section.path);
            reader.refuse(&inline.key_span, what, "keep one of them");
            None
        }
        (None, None) => {
            let what = format!("`{}` has no rows", section.path);
            reader.refuse(&section.span, what, "add `file = \"….csv\"` or `rows = [{ … }]`");
            None
        }
    }
}

fn from_csv(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Rows> {
    let (path, base, text) = reader.open(at, "table")?;
    let body = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let base = base + text.len() - body.len();
    let mut csv =
        csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(body.as_bytes());
    let mut rows = Rows::default();
    let mut bad_rows = 0;
    for record in csv.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let what = format!("`{}` is no CSV: {error}", path.display());
                reader.refuse(&at.node.span, what, "");
                return None;
            }
        };
        let start = record.position().map_or(0, csv::Position::byte);
        let span = line_at(body, base, usize::try_from(start).unwrap_or(0));
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if rows.header.is_empty() {
            rows.header = cells.iter().map(|name| name.trim().to_owned()).collect();
            check_header(reader, &rows.header, &span)?;
        } else if cells.len() == rows.header.len() {
            rows.cells.push(cells);
            rows.spans.push(span);
        } else {
            bad_rows += 1;
            if bad_rows <= BAD_ROWS_TOLD {
                let (found, wanted) = (cells.len(), rows.header.len());
                let noun = if found == 1 { "cell" } else { "cells" };
                let what = format!("this row has {found} {noun}, but the header has {wanted}");
                let help = if found > wanted {
                    "a comma inside a cell needs quotes around the cell"
                } else {
                    "every row has as many cells as the header; a cell may be empty"
                };
                reader.refuse(&span, what, help);
            }
        }
    }
    (bad_rows == 0 && check_size(reader, at, rows.cells.len())).then_some(rows)
}

fn line_at(text: &str, base: usize, start: usize) -> Span {
    let rest = text.get(start..).unwrap_or("");
    // The reader may stand before the line break that ends the row above.
    let skipped = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    let rest = &rest[skipped..];
    let bytes = rest.find(['\r', '\n']).unwrap_or(rest.len());
    base + start + skipped..base + start + skipped + bytes
}

fn check_header(reader: &mut Reader<'_>, header: &[String], span: &Span) -> Option<()> {
    for (index, name) in header.iter().enumerate() {
        if name.is_empty() {
            let what = format!("column {} has no name", index + 1);
            reader.refuse(span, what, "the first line names the columns");
            return None;
        }
        if header[..index].contains(name) {
            reader.refuse(span, format!("two columns are named `{name}`"), "");
            return None;
        }
    }
    Some(())
}

fn check_size(reader: &mut Reader<'_>, at: &At<'_>, rows: usize) -> bool {
    if rows == 0 {
        reader.refuse(&at.node.span, format!("`{}` has no rows", at.path), "");
    } else if rows > ROWS_MAX {
        let what = format!("`{}` has {rows} rows, but at most {ROWS_MAX} fit", at.path);
        reader.refuse(&at.node.span, what, "");
    }
    (1..=ROWS_MAX).contains(&rows)
}

fn from_list(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Rows> {
    let items = reader.list(at)?;
    let mut rows = Rows::default();
    let mut good = check_size(reader, at, items.len());
    for item in &items {
        let Some(section) = reader.section(item) else {
            good = false;
            continue;
        };
        let mut names: Vec<String> = section.all().map(|(entry, _)| entry.key.clone()).collect();
        if rows.header.is_empty() {
            rows.header.clone_from(&names);
        }
        let mut wanted = rows.header.clone();
        names.sort();
        wanted.sort();
        if names != wanted {
            let what = format!("`{}` has other columns than the first row", item.path);
            let help = format!("every row has: {}", rows.header.join(", "));
            reader.refuse(&item.node.span, what, &help);
            good = false;
            continue;
        }
        let mut cells = vec![String::new(); rows.header.len()];
        for (entry, at) in section.all() {
            let index = rows.header.iter().position(|name| *name == entry.key);
            match (index, cell(reader, &at)) {
                (Some(index), Some(cell)) => cells[index] = cell,
                _ => good = false,
            }
        }
        rows.cells.push(cells);
        rows.spans.push(item.node.span.clone());
    }
    good.then_some(rows)
}

fn cell(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let Node { kind, span } = at.node;
    match kind {
        // As written: 0.10 has two digits.
        Kind::Integer(_) | Kind::Real(_) | Kind::Boolean(_) => {
            reader.source.text(span).map(|written| written.replace('_', ""))
        }
        _ => reader.text(at).map(|text| text.value),
    }
}

/// Checks a column of weights; the rows' own places are used if they are known.
pub(super) fn check_weight(
    reader: &mut Reader<'_>,
    table: &Table,
    weight: &Spanned<String>,
    rows: &[Span],
) {
    let names = table.columns.iter().map(|column| column.name.as_str());
    let Some(column) = table.columns.iter().find(|column| column.name == weight.value) else {
        let what = format!("no column `{}` in the table `{}`", weight.value, table.name);
        let help = suggest::way_out(&weight.value, names);
        reader.refuse(&weight.span, what, &help.unwrap_or_default());
        return;
    };
    let mut weights = Vec::with_capacity(column.cells.len());
    for (index, cell) in column.cells.iter().enumerate() {
        match cell.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => weights.push(number),
            _ => {
                let what = format!(
                    "`{cell}` in column `{}` of table `{}`, row {}, is no weight",
                    column.name,
                    table.name,
                    index + 1
                );
                let span = rows.get(index).unwrap_or(&weight.span);
                reader.refuse(span, what, "weights are numbers from 0 up");
                return;
            }
        }
    }
    let path = format!("column `{}` of table `{}`", column.name, table.name);
    if weights.iter().all(|weight| *weight == 0.0) {
        reader.refuse(&weight.span, format!("{path} has only weights of 0"), "");
    }
}
