//! How kernels read and write columns.

use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::inlined::inlined;
use crate::plan::program::{Operand, Register, Target, Wide};

type Values = [i64; CHUNK_ROWS];

#[inline(always)]
pub(super) fn with_column(frame: &mut Frame, out: Register, fill: impl FnOnce(&Frame, &mut [u32])) {
    let mut column = frame.take(out);
    fill(frame, &mut column[..frame.rows()]);
    frame.put(out, column);
}

#[inline(always)]
pub(super) fn map(frame: &mut Frame, from: Register, out: Register, function: impl Fn(u32) -> u32) {
    with_column(
        frame,
        out,
        inlined!(|frame, column| {
            for (out, &word) in column.iter_mut().zip(frame.column(from)) {
                *out = function(word);
            }
        }),
    );
}

#[inline(always)]
pub(super) fn zip(
    frame: &mut Frame,
    [left, right]: [Register; 2],
    out: Register,
    function: impl Fn(u32, u32) -> u32,
) {
    with_column(
        frame,
        out,
        inlined!(|frame, column| {
            let pairs = frame.column(left).iter().zip(frame.column(right));
            for (out, (&left, &right)) in column.iter_mut().zip(pairs) {
                *out = function(left, right);
            }
        }),
    );
}

#[expect(clippy::cast_possible_truncation, reason = "the plan chose a target that holds the value")]
#[expect(clippy::cast_sign_loss, reason = "two's complement is meant")]
#[inline(always)]
pub(super) fn map_value(
    frame: &mut Frame,
    from: Register,
    out: Target,
    function: impl Fn(u32) -> i64,
) {
    match out {
        Target::Word(out) => map(frame, from, out, inlined!(|word| function(word) as u32)),
        Target::Wide(_) => {
            let mut values = [0; CHUNK_ROWS];
            for (value, &word) in values.iter_mut().zip(frame.column(from)) {
                *value = function(word);
            }
            store(frame, out, &values);
        }
    }
}

/// The lower words of an operand; a constant is spread out in `room`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the lower word is meant"
)]
#[inline(always)]
pub(super) fn words_of<'a>(
    frame: &'a Frame,
    operand: Operand,
    room: &'a mut [u32; CHUNK_ROWS],
) -> &'a [u32] {
    match operand {
        Operand::Constant(value) => {
            let words = &mut room[..frame.rows()];
            words.fill(value as u32);
            words
        }
        Operand::Unsigned(register)
        | Operand::Signed(register)
        | Operand::Wide(Wide { low: register, .. }) => frame.column(register),
    }
}

#[inline(always)]
pub(super) fn load(frame: &Frame, operand: Operand) -> Values {
    let mut values = [0; CHUNK_ROWS];
    let rows = frame.rows();
    match operand {
        Operand::Constant(value) => values[..rows].fill(value),
        Operand::Unsigned(register) => {
            for (value, &word) in values.iter_mut().zip(frame.column(register)) {
                *value = i64::from(word);
            }
        }
        Operand::Signed(register) => {
            for (value, &word) in values.iter_mut().zip(frame.column(register)) {
                *value = i64::from(word.cast_signed());
            }
        }
        Operand::Wide(Wide { high, low }) => {
            let pairs = frame.column(high).iter().zip(frame.column(low));
            for (value, (&high, &low)) in values.iter_mut().zip(pairs) {
                *value = (u64::from(high) << 32 | u64::from(low)).cast_signed();
            }
        }
    }
    values
}

#[expect(clippy::cast_possible_truncation, reason = "the plan chose a target that holds the value")]
#[expect(clippy::cast_sign_loss, reason = "two's complement is meant")]
#[inline(always)]
pub(super) fn store(frame: &mut Frame, target: Target, values: &Values) {
    match target {
        Target::Word(out) => {
            for (word, &value) in frame.column_mut(out).iter_mut().zip(values) {
                *word = value as u32;
            }
        }
        Target::Wide(Wide { high, low }) => {
            for (word, &value) in frame.column_mut(high).iter_mut().zip(values) {
                *word = (value >> 32) as u32;
            }
            for (word, &value) in frame.column_mut(low).iter_mut().zip(values) {
                *word = value as u32;
            }
        }
    }
}
