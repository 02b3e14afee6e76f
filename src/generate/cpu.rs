//! The CPU's kernels: one an operation, each over whole columns.
//!
//! The specification of an operation is the doc comment of [`Operation`]; what these kernels compute
//! is what every other device must equal.

#![expect(
    clippy::inline_always,
    reason = "a kernel has the vectors' width of the function that it is inlined into"
)]

mod access;
mod list;
mod member;
mod walk;
mod wide;

use std::sync::Arc;

use super::column::{CHUNK_ROWS, Frame};
use super::inlined::inlined;
use super::philox;
use crate::plan::program::{
    Arithmetic, Comparison, Counter, Logic, Operand, Operation, Program, Register, Table, Target,
};
use crate::plan::traffic::Segment;
use crate::plan::zone::SLOT_US;
use access::{load, map, map_value, store, with_column, words_of, zip};

/// What holds for all rows of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The quarters of an hour that the rows, and the events which they follow, lie in.
    pub eras: &'a [Era],
}

/// A quarter of an hour.
#[derive(Clone, Debug)]
pub struct Era {
    /// Its number, counted from the Unix epoch.
    pub slot: i64,
    /// What holds in it; empty if no root event lies in it.
    pub segment: Arc<Segment>,
    /// The phases of scenarios that hold in this part of it, as a mask of their bits.
    pub phases: u32,
}

impl Context<'_> {
    /// What holds in the quarter of an hour of a root event.
    #[inline(always)]
    fn segment(&self, era: u32) -> &Segment {
        &self.eras[era as usize].segment
    }
}

/// Runs a program over the rows of a frame whose input columns are filled.
///
/// # Panics
///
/// If the frame has fewer columns than the program, or more rows than a chunk.
pub fn run(program: &Program, frame: &mut Frame, context: Context<'_>) {
    run_with_widest_vectors(program, frame, context);
    if !program.lists.is_empty() {
        list::run(program, frame, None, context);
    }
}

// Everything below is inlined here, so that each kernel is compiled for each width of vectors.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+bmi2",
    "x86_64+avx2+bmi2",
    "aarch64+neon"
))]
fn run_with_widest_vectors(program: &Program, frame: &mut Frame, context: Context<'_>) {
    for operation in &program.operations {
        step(operation, frame, context);
    }
}

#[inline(always)]
fn step(operation: &Operation, frame: &mut Frame, context: Context<'_>) {
    match operation {
        Operation::Random { key, counter, out } => random(frame, *key, *counter, *out),
        Operation::Range { word, size, base, out } => {
            map_value(frame, *word, *out, |word| base + range(word, *size));
        }
        Operation::WideRange { .. } | Operation::Wrap { .. } => wide::step(operation, frame),
        Operation::Choose { word, table, out } => map(frame, *word, *out, |w| table.choose(w)),
        Operation::ChooseBy { word, select, choices, out } => {
            zip(frame, [*select, *word], *out, |number, word| choices.choose(number, word));
        }
        Operation::Quantile { word, tables, select: None, out } => {
            let table = &tables[0];
            map_value(frame, *word, *out, |word| table.value(word));
        }
        Operation::Quantile { word, tables, select: Some(select), out } => {
            let mut values = [0; CHUNK_ROWS];
            let (words, rows) = (frame.column(*word), frame.column(*select));
            for ((value, &word), &row) in values.iter_mut().zip(words).zip(rows) {
                *value = tables[row as usize].value(word);
            }
            store(frame, *out, &values);
        }
        Operation::Steps { word, tables, select: None, out } => {
            let table = &tables[0];
            map_value(frame, *word, *out, |word| table.value(word));
        }
        Operation::Steps { word, tables, select: Some(select), out } => {
            let mut values = [0; CHUNK_ROWS];
            let (words, rows) = (frame.column(*word), frame.column(*select));
            for ((value, &word), &row) in values.iter_mut().zip(words).zip(rows) {
                *value = tables[row as usize].value(word);
            }
            store(frame, *out, &values);
        }
        Operation::Lookup { index, values: Table::Words(values), out: Target::Word(out) } => {
            let values = &values[..];
            map(frame, *index, *out, |index| values[index as usize]);
        }
        Operation::Lookup { index, values, out } => {
            map_value(frame, *index, *out, |index| values.value(index));
        }
        Operation::Phase { era, bit, out } => {
            map(frame, *era, *out, |era| context.eras[era as usize].phases >> bit & 1);
        }
        Operation::Not { word, out } => map(frame, *word, *out, |word| u32::from(word == 0)),
        Operation::Logic { logic, left, right, out } => match logic {
            Logic::And => zip(frame, [*left, *right], *out, |a, b| a & b),
            Logic::Or => zip(frame, [*left, *right], *out, |a, b| a | b),
        },
        Operation::Chance { .. }
        | Operation::Arithmetic { .. }
        | Operation::Compare { .. }
        | Operation::Select { .. }
        | Operation::Move { .. } => numeric(operation, frame),
        Operation::Walk { .. }
        | Operation::Trend { .. }
        | Operation::Extreme { .. }
        | Operation::Exponential { .. } => walk::step(operation, frame),
        _ => member::step(operation, frame, context),
    }
}

/// Operations on whole numbers.
#[inline(always)]
fn numeric(operation: &Operation, frame: &mut Frame) {
    match operation {
        Operation::Chance { word, threshold, out } => {
            let thresholds = load(frame, *threshold);
            with_column(
                frame,
                *out,
                inlined!(|frame, column| {
                    let words = frame.column(*word);
                    for ((out, &word), &threshold) in column.iter_mut().zip(words).zip(&thresholds)
                    {
                        *out = u32::from(i64::from(word >> 1) < threshold);
                    }
                }),
            );
        }
        Operation::Arithmetic {
            function: function @ (Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply),
            left: left @ (Operand::Unsigned(_) | Operand::Constant(_)),
            right: right @ (Operand::Unsigned(_) | Operand::Constant(_)),
            out: Target::Word(out),
        } => word_arithmetic(frame, *function, [*left, *right], *out),
        Operation::Arithmetic { function, left, right, out } => {
            let (mut a, b) = (load(frame, *left), load(frame, *right));
            let rows = frame.rows();
            arithmetic(*function, &mut a[..rows], &b[..rows]);
            store(frame, *out, &a);
        }
        Operation::Compare { comparison, left, right, out } => {
            let (a, b) = (load(frame, *left), load(frame, *right));
            let pairs = a.iter().zip(&b);
            with_column(
                frame,
                *out,
                inlined!(|_, column| {
                    for (out, (a, b)) in column.iter_mut().zip(pairs) {
                        *out = u32::from(match comparison {
                            Comparison::Equal => a == b,
                            Comparison::Less => a < b,
                            Comparison::LessOrEqual => a <= b,
                        });
                    }
                }),
            );
        }
        Operation::Select { condition, then, otherwise, out: Target::Word(out) } => {
            select_words(frame, *condition, [*then, *otherwise], *out);
        }
        Operation::Select { condition, then, otherwise, out } => {
            let (mut a, b) = (load(frame, *then), load(frame, *otherwise));
            let conditions = frame.column(*condition);
            for ((a, &b), &condition) in a.iter_mut().zip(&b).zip(conditions) {
                *a = if condition == 0 { b } else { *a };
            }
            store(frame, *out, &a);
        }
        Operation::Move { from, out } => {
            let values = load(frame, *from);
            store(frame, *out, &values);
        }
        _ => unreachable!("the other operations have kernels of their own"),
    }
}

/// A choice between numbers that fit a word.
#[inline(always)]
fn select_words(
    frame: &mut Frame,
    condition: Register,
    [then, otherwise]: [Operand; 2],
    out: Register,
) {
    with_column(
        frame,
        out,
        inlined!(|frame, column| {
            let mut room = [[0; CHUNK_ROWS]; 2];
            let [first, second] = &mut room;
            let (a, b) = (words_of(frame, then, first), words_of(frame, otherwise, second));
            let pairs = a.iter().zip(b).zip(frame.column(condition));
            for (out, ((&a, &b), &condition)) in column.iter_mut().zip(pairs) {
                // As `if`, it would become a gather of addresses.
                let mask = u32::from(condition == 0).wrapping_neg();
                *out = a ^ ((a ^ b) & mask);
            }
        }),
    );
}

/// A sum, difference or product that fits a word: it is that of the operands' lower words.
#[inline(always)]
fn word_arithmetic(
    frame: &mut Frame,
    function: Arithmetic,
    [left, right]: [Operand; 2],
    out: Register,
) {
    with_column(
        frame,
        out,
        inlined!(|frame, column| {
            let mut room = [[0; CHUNK_ROWS]; 2];
            let [first, second] = &mut room;
            let (a, b) = (words_of(frame, left, first), words_of(frame, right, second));
            let rows = column.iter_mut().zip(a.iter().zip(b));
            match function {
                Arithmetic::Add => rows.for_each(|(out, (a, b))| *out = a.wrapping_add(*b)),
                Arithmetic::Subtract => rows.for_each(|(out, (a, b))| *out = a.wrapping_sub(*b)),
                _ => rows.for_each(|(out, (a, b))| *out = a.wrapping_mul(*b)),
            }
        }),
    );
}

#[inline(always)]
fn arithmetic(function: Arithmetic, a: &mut [i64], b: &[i64]) {
    let pairs = a.iter_mut().zip(b);
    match function {
        Arithmetic::Add => pairs.for_each(|(a, &b)| *a = a.wrapping_add(b)),
        Arithmetic::Subtract => pairs.for_each(|(a, &b)| *a = a.wrapping_sub(b)),
        Arithmetic::Multiply => pairs.for_each(|(a, &b)| *a = a.wrapping_mul(b)),
        Arithmetic::Divide => pairs.for_each(|(a, &b)| *a = divide(*a, b)),
        Arithmetic::FloorTo => {
            pairs.for_each(|(a, &b)| {
                *a = a.checked_div_euclid(b).map_or(*a, |steps| steps.wrapping_mul(b));
            });
        }
        Arithmetic::Modulo => pairs.for_each(|(a, &b)| *a = modulo(*a, b)),
        Arithmetic::Minimum => pairs.for_each(|(a, &b)| *a = (*a).min(b)),
        Arithmetic::Maximum => pairs.for_each(|(a, &b)| *a = (*a).max(b)),
    }
}

/// a ÷ b to the nearest whole number, halves away from zero; 0 where b is 0.
#[inline(always)]
fn divide(a: i64, b: i64) -> i64 {
    // Most operands are small, and a division of 32 bits is several times faster.
    if let (Ok(a), Ok(b)) = (u32::try_from(a), u32::try_from(b)) {
        let (Some(quotient), Some(rest)) = (a.checked_div(b), a.checked_rem(b)) else { return 0 };
        return i64::from(quotient) + i64::from(rest >= b - rest);
    }
    let (Some(quotient), Some(rest)) = (a.checked_div(b), a.checked_rem(b)) else { return 0 };
    let (rest, half) = (rest.unsigned_abs(), b.unsigned_abs());
    let away = if (a < 0) == (b < 0) { 1 } else { -1 };
    if rest >= half - rest { quotient + away } else { quotient }
}

/// What is left of a ÷ b, never negative; 0 where b is 0.
#[inline(always)]
fn modulo(a: i64, b: i64) -> i64 {
    // As above: 32 bits where they do.
    if let (Ok(a), Ok(b)) = (u32::try_from(a), u32::try_from(b)) {
        return i64::from(a.checked_rem(b).unwrap_or(0));
    }
    if b == 0 { 0 } else { a.wrapping_rem_euclid(b) }
}

#[inline(always)]
fn random(frame: &mut Frame, key: [u32; 2], counter: Counter, out: [Register; 4]) {
    let mut columns = out.map(|register| frame.take(register));
    let rows = frame.rows();
    let zeros = [0; CHUNK_ROWS];
    let low = frame.column(counter.low);
    let high = counter.high.map_or(&zeros[..rows], |high| frame.column(high));
    let index = counter.index.map_or(&zeros[..rows], |index| frame.column(index));
    let [a, b, c, d] = &mut columns;
    philox::columns(
        key,
        [low, high, index],
        [counter.salt, counter.block],
        [&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]],
    );
    for (register, column) in out.into_iter().zip(columns) {
        frame.put(register, column);
    }
}

/// ⌊word·size / 2^32⌋.
#[inline(always)]
fn range(word: u32, size: u64) -> i64 {
    // Below 2^32, so that the sign bit stays clear.
    ((u64::from(word) * size) >> 32).cast_signed()
}

/// The quarter of an hour that an instant lies in.
pub fn slot_of(instant_us: i64) -> i64 {
    instant_us.div_euclid(SLOT_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_to_the_nearest_and_halves_away_from_zero() {
        for (a, b, quotient) in [
            (7, 2, 4),
            (5, 2, 3),
            (4, 3, 1),
            (-5, 2, -3),
            (5, -2, -3),
            (-4, 3, -1),
            (1 << 40, 3, 366_503_875_925),
            (i64::MAX, 1, i64::MAX),
            (1, 0, 0),
            (9, i64::MIN, 0),
        ] {
            assert_eq!(divide(a, b), quotient, "{a} / {b}");
        }
    }

    #[test]
    fn what_is_left_of_a_division_is_never_negative() {
        for (a, b, rest) in [
            (7, 2, 1),
            (-7, 2, 1),
            (7, -2, 1),
            (-1, 97, 96),
            ((1 << 40) + 5, 1 << 40, 5),
            (-5, 1 << 40, (1 << 40) - 5),
            (i64::MIN, -1, 0),
            (i64::MIN, i64::MIN, 0),
            (9, 0, 0),
        ] {
            assert_eq!(modulo(a, b), rest, "{a} mod {b}");
        }
    }

    #[test]
    fn random_columns_are_philox_row_by_row() {
        let mut frame = Frame::new(9, CHUNK_ROWS);
        frame.set_rows(100);
        for (row, word) in frame.column_mut(Register(1)).iter_mut().enumerate() {
            *word = u32::try_from(row).unwrap();
        }
        let counter = Counter { low: Register(1), high: None, salt: 7, index: None, block: 9 };
        let out = [5, 6, 7, 8].map(Register);
        random(&mut frame, [1, 2], counter, out);
        for row in 0..100 {
            let words = out.map(|register| frame.column(register)[row as usize]);
            assert_eq!(words, philox::philox([1, 2], [row, 0, 7, 9]));
        }
    }
}
