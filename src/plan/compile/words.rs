//! Values that people know, put together from tables of words, digits and check digits.

mod address;
mod number;
mod person;
mod place;

use std::sync::Arc;

use super::value::{Cell, Number, Parts, Value};
use super::{Compiler, Site};
use crate::config::model::{WordKind, Words};
use crate::config::words;
use crate::config::{Span, Spanned};
use crate::plan::alias::{Alias, Choices};
use crate::plan::fill::{Integer, Piece, Text};
use crate::plan::program::{Operand, Operation, Register};

/// The random words that a generator takes.
pub(super) fn words(generator: &Words) -> u32 {
    match generator {
        Words::Listed { kind, .. } => match kind {
            WordKind::PersonName | WordKind::Company | WordKind::Street => 2,
            WordKind::UserAgent | WordKind::Country | WordKind::Currency | WordKind::City => 1,
            WordKind::Phone => 1 + number::PHONE_GROUPS,
            WordKind::Iban => 1 + number::IBAN_GROUPS,
            WordKind::Pan => 4,
        },
        Words::Email { of: Some(_) } | Words::Coordinates { .. } => 2,
        Words::Email { of: None } | Words::Uuid => 4,
        Words::Product | Words::Ipv4(_) => 3,
        Words::Lorem(count) => *count,
        Words::Hash(digits) => digits.div_ceil(address::DIGITS_A_WORD),
        Words::Ipv6 | Words::Mac => 6,
    }
}

/// Rows of a table of words, one of which is drawn.
#[derive(Debug)]
struct Rows {
    table: &'static str,
    /// The numbers of the rows in the table.
    numbers: Vec<usize>,
    /// Which of them.
    index: Register,
    /// The column that is 0 where the code that decides is null.
    present: Option<Register>,
}

impl Rows {
    /// The cells of a column.
    fn cells(&self, column: &str) -> Arc<[String]> {
        let cells = words::column(self.table, column);
        self.numbers.iter().map(|&row| cells[row].clone()).collect()
    }

    /// A column as a value.
    fn column(&self, column: &str) -> Value {
        Value::Dictionary { index: self.index, cells: self.cells(column) }
    }

    /// Columns as parts.
    fn parts(&self, columns: &[&'static str]) -> Vec<(&'static str, Value)> {
        columns.iter().map(|&column| (column, self.column(column))).collect()
    }

    /// Text by the row.
    fn piece(&self, text: impl Fn(usize) -> String) -> Piece {
        let values = (0..self.numbers.len()).map(text).collect();
        Piece::Lookup { index: self.index, values, width: None }
    }

    /// A value whose parts have names.
    fn cell(&self, whole: Value, parts: Vec<(&'static str, Value)>) -> Cell {
        Cell { value: with_parts(whole, parts), present: self.present }
    }
}

fn with_parts(whole: Value, parts: Vec<(&'static str, Value)>) -> Value {
    Value::Parts(Arc::new(Parts { whole, parts }))
}

/// What a kind is drawn by.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    kind: WordKind,
    of: &'a [String],
    by: Option<&'a Spanned<String>>,
}

/// Digits of which each row has a count of its own.
#[derive(Debug)]
struct Group {
    piece: Piece,
    /// The number that they are.
    value: Number,
    /// Ten to the power of their count.
    factor: Number,
}

impl Compiler<'_> {
    /// A value that people know.
    pub(super) fn words(
        &mut self,
        generator: &Words,
        site: Site,
        word: u32,
        span: &Span,
    ) -> Option<Cell> {
        match generator {
            Words::Listed { kind, of, by } => {
                let wanted = Wanted { kind: *kind, of, by: by.as_ref() };
                self.listed(wanted, (site, word), span)
            }
            Words::Email { of } => self.email(of.as_ref(), (site, word)),
            Words::Coordinates { near, within_km } => {
                self.coordinates(near, *within_km, (site, word))
            }
            Words::Product => Some(self.product(site, word).into()),
            Words::Lorem(count) => Some(self.lorem(*count, site, word).into()),
            Words::Hash(digits) => Some(self.hash(*digits, site, word).into()),
            Words::Uuid => self.random_uuid(site, word, span).map(Into::into),
            Words::Ipv4(network) => Some(self.ipv4(*network, site, word).into()),
            Words::Ipv6 => Some(self.ipv6(site, word).into()),
            Words::Mac => Some(self.mac(site, word).into()),
        }
    }

    fn listed(&mut self, wanted: Wanted<'_>, draw: (Site, u32), span: &Span) -> Option<Cell> {
        let (table, key) = words::source(wanted.kind);
        let rows = self.rows(wanted, table, key, draw)?;
        match wanted.kind {
            WordKind::PersonName => self.person_name(wanted, &rows, draw),
            WordKind::Company => self.company(wanted, &rows, draw),
            WordKind::Street => Some(self.street(&rows, draw)),
            WordKind::Phone => Some(self.phone(&rows, draw)),
            WordKind::Iban => self.iban(&rows, draw, span),
            WordKind::Pan => self.pan(&rows, draw, span),
            WordKind::UserAgent => {
                let parts = rows.parts(&["agent", "device", "browser", "system"]);
                Some(rows.cell(rows.column("agent"), parts))
            }
            WordKind::Country => {
                let parts = rows.parts(&["code", "code3", "number", "name", "currency"]);
                Some(rows.cell(rows.column("code"), parts))
            }
            WordKind::Currency => {
                Some(rows.cell(rows.column("code"), rows.parts(&["code", "digits"])))
            }
            WordKind::City => {
                let parts = rows.parts(&["name", "country", "latitude", "longitude", "zone"]);
                Some(rows.cell(rows.column("name"), parts))
            }
        }
    }

    /// Draws a row by the weights of a table, among the rows of the codes that are wanted.
    fn rows(
        &mut self,
        wanted: Wanted<'_>,
        table: &'static str,
        key: &'static str,
        (site, word): (Site, u32),
    ) -> Option<Rows> {
        let named: Vec<&str> = wanted.of.iter().map(String::as_str).collect();
        let mut cases = vec![of_codes(table, key, &named)];
        let mut present = None;
        let mut select = None;
        if let Some(by) = wanted.by {
            let cell = self.path(by, site)?.whole();
            let (index, cells) = self.codes_by(&cell, by)?;
            let mut codes: Vec<&str> = Vec::new();
            let mut which = Vec::with_capacity(cells.len());
            for cell in cells.iter() {
                let Some(code) = words::code_of(wanted.kind, cell) else {
                    which.push(0);
                    continue;
                };
                let place = codes.iter().position(|known| *known == code);
                which.push(place.unwrap_or(codes.len()) + 1);
                if place.is_none() {
                    codes.push(code);
                    cases.push(of_codes(table, key, &[code]));
                }
            }
            if codes.is_empty() {
                let known = words::column(table, key);
                let what = format!("none of the values of `{}` is a code here", by.value);
                let shown = cells.first().map_or("", String::as_str);
                let first = known.first().map_or("", String::as_str);
                let help =
                    format!("lead to codes such as `{first}`, not to values such as `{shown}`");
                return self.refuse(&by.span, what, &help);
            }
            present = cell.present;
            select = Some((index, which));
        }
        let (word, index) = (self.word(site, word), self.register());
        let weights: Vec<Vec<f64>> =
            cases.iter().map(|rows| rows.iter().map(|row| row.1).collect()).collect();
        if let Some((select, which)) = select {
            let weights: Vec<&[f64]> = weights.iter().map(Vec::as_slice).collect();
            let choices = Arc::new(Choices::new(&which, &weights));
            self.emit(Operation::ChooseBy { word, select, choices, out: index });
        } else {
            let alias = Arc::new(Alias::new(&weights[0]));
            self.emit(Operation::Choose { word, table: alias, out: index });
        }
        let numbers = cases.into_iter().flatten().map(|row| row.0).collect();
        Some(Rows { table, numbers, index, present })
    }

    /// The codes that `by` leads to.
    fn codes_by(&mut self, cell: &Cell, by: &Spanned<String>) -> Option<(Register, Arc<[String]>)> {
        match &cell.value {
            Value::Dictionary { index, cells } => Some((*index, Arc::clone(cells))),
            Value::Literal(text) => Some((self.constant(0), Arc::from([text.clone()]))),
            other => {
                let what = format!("`by` needs one of some texts, but this is {}", other.kind());
                self.refuse(&by.span, what, "name a choice or a column of codes")
            }
        }
    }

    /// A number from 0 below `size`.
    fn below(&mut self, size: u64, site: Site, word: u32) -> Number {
        let word = self.word(site, word);
        let max = i64::try_from(size - 1).unwrap_or(i64::MAX);
        let (out, operand) = self.target(0, max);
        self.emit(Operation::Range { word, size, base: 0, out });
        Number { operand, min: 0, max, scale: 0 }
    }

    /// One of some texts, each alike likely or by weight.
    fn one_of(&mut self, weights: &[f64], site: Site, word: u32) -> Register {
        let word = self.word(site, word);
        let out = self.register();
        self.emit(Operation::Choose { word, table: Arc::new(Alias::new(weights)), out });
        out
    }

    /// As many digits as each row has, by three a word.
    fn drawn_digits(
        &mut self,
        index: Register,
        counts: &[usize],
        site: Site,
        mut word: u32,
    ) -> Vec<Group> {
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut groups = Vec::new();
        for before in (0..most).step_by(3) {
            let own: Vec<usize> =
                counts.iter().map(|count| count.saturating_sub(before).min(3)).collect();
            let mut lengths = own.clone();
            lengths.sort_unstable();
            lengths.dedup();
            groups.push(match lengths[..] {
                [length] => self.same_digits(length, site, word),
                _ => self.own_digits(index, (&own, &lengths), site, word),
            });
            word += 1;
        }
        groups
    }

    fn same_digits(&mut self, length: usize, site: Site, word: u32) -> Group {
        let size = power(length);
        let value = self.below(size, site, word);
        #[expect(clippy::cast_possible_truncation, reason = "at most three digits")]
        let width = length as u8;
        let piece = Piece::Number { value: value.integer(), base: 10, width, upper: false };
        let factor = Number::constant(i64::try_from(size).unwrap_or(1), 0);
        Group { piece, value, factor }
    }

    fn own_digits(
        &mut self,
        select: Register,
        (own, lengths): (&[usize], &[usize]),
        site: Site,
        word: u32,
    ) -> Group {
        let place = |length| lengths.iter().position(|known| *known == length).unwrap_or(0);
        let which: Vec<usize> = own.iter().map(|&length| place(length)).collect();
        let all: Vec<(usize, u64)> = lengths
            .iter()
            .flat_map(|&length| (0..power(length)).map(move |value| (length, value)))
            .collect();
        let even: Vec<Vec<f64>> = lengths
            .iter()
            .map(|&length| all.iter().filter(|it| it.0 == length).map(|_| 1.0).collect())
            .collect();
        let even: Vec<&[f64]> = even.iter().map(Vec::as_slice).collect();
        let (word, out) = (self.word(site, word), self.register());
        let choices = Arc::new(Choices::new(&which, &even));
        self.emit(Operation::ChooseBy { word, select, choices, out });
        let text = |&(length, value): &(usize, u64)| match length {
            0 => String::new(),
            _ => format!("{value:0length$}"),
        };
        let values = all.iter().map(text).collect();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let numbers: Vec<i64> = all.iter().map(|&(_, value)| number(value)).collect();
        let factors: Vec<i64> = all.iter().map(|&(length, _)| number(power(length))).collect();
        Group {
            piece: Piece::Lookup { index: out, values, width: None },
            value: self.lookup(out, &numbers, 0),
            factor: self.lookup(out, &factors, 0),
        }
    }
}

/// The rows of these codes, or of all, with their weights. What is named is drawn, even if it weighs
/// nothing among all.
fn of_codes(table: &str, key: &str, codes: &[&str]) -> Vec<(usize, f64)> {
    let weights = words::column(table, "weight").iter();
    let all = words::column(table, key).iter().zip(weights).enumerate();
    let wanted = all.filter(|(_, (code, _))| codes.is_empty() || codes.contains(&code.as_str()));
    let rows: Vec<(usize, f64)> =
        wanted.map(|(row, (_, weight))| (row, weight.parse().unwrap_or_default())).collect();
    let weighty = rows.iter().any(|(_, weight)| *weight > 0.0);
    let drawn = rows.into_iter().filter(|(_, weight)| !weighty || *weight > 0.0);
    drawn.map(|(row, weight)| (row, if weighty { weight } else { 1.0 })).collect()
}

/// The column of a number from 0 to 2^32 − 1.
fn word_of(number: Number) -> Register {
    match number.operand {
        Operand::Unsigned(register) => register,
        other => unreachable!("a number from {} to {} is {other:?}", number.min, number.max),
    }
}

/// 10 to a power of at most 3.
fn power(digits: usize) -> u64 {
    [1, 10, 100, 1_000][digits.min(3)]
}

/// A number as text of at least `width` digits.
fn number_piece(value: Integer, width: u8) -> Piece {
    Piece::Number { value, base: 10, width, upper: false }
}

fn literal(text: &str) -> Piece {
    Piece::Literal(text.to_owned())
}

fn text(pieces: Vec<Piece>) -> Value {
    Value::Text(Text(pieces))
}
