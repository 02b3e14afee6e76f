//! Numbers that have a form: of telephones, accounts and cards.

use super::{Group, Rows, number_piece, text, word_of};
use crate::config::Span;
use crate::plan::compile::value::{Cell, Number};
use crate::plan::compile::{Compiler, Site};
use crate::plan::fill::Piece;
use crate::plan::program::Arithmetic;

/// Words for the digits of a telephone number: five at most.
pub(super) const PHONE_GROUPS: u32 = 2;
/// Words for the digits of an account: twelve at most.
pub(super) const IBAN_GROUPS: u32 = 4;

/// What the check digits of an IBAN are the remainder by (ISO 7064, MOD 97-10).
const IBAN_MODULUS: i64 = 97;
/// Digits of a card number after the first eight: some of its own, two, three, and the check digit.
const CARD_DIGITS: usize = 8 + 2 + 3 + 1;

impl Compiler<'_> {
    pub(super) fn phone(&mut self, rows: &Rows, (site, word): (Site, u32)) -> Cell {
        let prefixes = rows.cells("prefix");
        let groups = self.drawn_digits(rows.index, &counts(rows), site, word + 1);
        let mut pieces = vec![rows.piece(|row| format!("+{}", prefixes[row]))];
        pieces.extend(groups.into_iter().map(|group| group.piece));
        rows.cell(text(pieces), rows.parts(&["country"]))
    }

    pub(super) fn iban(
        &mut self,
        rows: &Rows,
        (site, word): (Site, u32),
        span: &Span,
    ) -> Option<Cell> {
        let (countries, banks) = (rows.cells("country"), rows.cells("bank"));
        let groups = self.drawn_digits(rows.index, &counts(rows), site, word + 1);
        let of_banks: Vec<i64> = banks.iter().map(|bank| remainder(bank)).collect();
        let mut sum = self.lookup(rows.index, &of_banks, 0);
        for Group { value, factor, .. } in &groups {
            sum = self.shifted(sum, *factor, *value, span)?;
        }
        // The country and two zeros stand last: six digits, as a letter counts as two.
        let ends: Vec<i64> = countries.iter().map(|it| remainder(&format!("{it}00"))).collect();
        let ends = self.lookup(rows.index, &ends, 0);
        sum = self.shifted(sum, Number::constant(1_000_000, 0), ends, span)?;
        let modulus = Number::constant(IBAN_MODULUS, 0);
        sum = self.arithmetic(Arithmetic::Modulo, [sum, modulus], 0, span)?;
        let whole = Number::constant(IBAN_MODULUS + 1, 0);
        let check = self.arithmetic(Arithmetic::Subtract, [whole, sum], 0, span)?;
        let mut pieces = vec![
            rows.piece(|row| countries[row].clone()),
            number_piece(check.integer(), 2),
            rows.piece(|row| banks[row].clone()),
        ];
        pieces.extend(groups.into_iter().map(|group| group.piece));
        Some(rows.cell(text(pieces), rows.parts(&["country", "bank"])))
    }

    /// What is left of sum · factor + value by 97, or a number that leaves the same.
    fn shifted(
        &mut self,
        sum: Number,
        factor: Number,
        value: Number,
        span: &Span,
    ) -> Option<Number> {
        let reaches = |sum: Number| i128::from(sum.max) * i128::from(factor.max);
        // Words of 32 bits are the fastest.
        let sum = if reaches(sum) + i128::from(value.max) > i128::from(u32::MAX) {
            let modulus = Number::constant(IBAN_MODULUS, 0);
            self.arithmetic(Arithmetic::Modulo, [sum, modulus], 0, span)?
        } else {
            sum
        };
        let product = self.arithmetic(Arithmetic::Multiply, [sum, factor], 0, span)?;
        self.arithmetic(Arithmetic::Add, [product, value], 0, span)
    }

    pub(super) fn pan(
        &mut self,
        rows: &Rows,
        (site, word): (Site, u32),
        span: &Span,
    ) -> Option<Cell> {
        let bins = rows.cells("bin");
        let lengths: Vec<usize> =
            rows.cells("length").iter().filter_map(|length| length.parse().ok()).collect();
        let own: Vec<usize> = lengths.iter().map(|length| length - CARD_DIGITS).collect();
        let middle = self.drawn_digits(rows.index, &own, site, word + 1);
        let (two, three) = (self.below(100, site, word + 2), self.below(1_000, site, word + 3));
        let of_bins: Vec<i64> =
            bins.iter().zip(&lengths).map(|(bin, length)| luhn(bin, length - bin.len())).collect();
        let mut sum = self.lookup(rows.index, &of_bins, 0);
        for (number, after) in
            middle.iter().map(|group| (group.value, 6)).chain([(two, 4), (three, 1)])
        {
            let values: Vec<i64> =
                (0..=number.max).map(|value| luhn(&value.to_string(), after)).collect();
            let own = self.lookup(word_of(number), &values, 0);
            sum = self.arithmetic(Arithmetic::Add, [sum, own], 0, span)?;
        }
        let checks: Vec<i64> = (0..=sum.max).map(|sum| (10 - sum % 10) % 10).collect();
        let check = self.lookup(word_of(sum), &checks, 0);
        let last4 = [number_piece(three.integer(), 3), number_piece(check.integer(), 1)];
        let mut pieces = vec![rows.piece(|row| bins[row].clone())];
        pieces.extend(middle.into_iter().map(|group| group.piece));
        pieces.push(number_piece(two.integer(), 2));
        pieces.extend(last4.clone());
        let hidden = |row: usize| format!("{}{}", &bins[row][..6], "*".repeat(lengths[row] - 10));
        let masked: Vec<Piece> = [rows.piece(hidden)].into_iter().chain(last4.clone()).collect();
        let mut parts = rows.parts(&["bin", "scheme"]);
        parts.push(("last4", text(last4.to_vec())));
        parts.push(("masked", text(masked)));
        Some(rows.cell(text(pieces), parts))
    }
}

/// How many digits are drawn, by row.
fn counts(rows: &Rows) -> Vec<usize> {
    rows.cells("digits").iter().filter_map(|count| count.parse().ok()).collect()
}

/// What a text leaves by 97 where a letter counts as two digits, A as 10.
fn remainder(text: &str) -> i64 {
    text.chars().filter_map(|letter| letter.to_digit(36)).fold(0, |sum, digit| {
        (sum * if digit < 10 { 10 } else { 100 } + i64::from(digit)) % IBAN_MODULUS
    })
}

/// What digits add to Luhn's sum (ISO/IEC 7812) where `after` digits follow them, the check digit
/// included.
fn luhn(digits: &str, after: usize) -> i64 {
    let places = digits.chars().rev().filter_map(|digit| digit.to_digit(10)).zip(after..);
    places
        .map(|(digit, after)| match after % 2 {
            0 => i64::from(digit),
            _ => i64::from(2 * digit / 10 + 2 * digit % 10),
        })
        .sum()
}
