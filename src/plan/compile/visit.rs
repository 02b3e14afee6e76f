//! Which columns operations, texts and fills read and write.

mod walk;

use crate::plan::fill::{Fill, Integer, Piece, Text};
use crate::plan::program::{Operand, Operation, Register, Target, Wide};

/// The registers that an operation reads, and those that it writes.
pub(super) fn registers(operation: &mut Operation) -> (Vec<Register>, Vec<Register>) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    visit(operation, &mut |register, written| {
        if written { writes.push(*register) } else { reads.push(*register) }
    });
    (reads, writes)
}

pub(super) fn visit_wide(wide: &mut Wide, written: bool, see: &mut dyn FnMut(&mut Register, bool)) {
    see(&mut wide.high, written);
    see(&mut wide.low, written);
}

pub(super) fn visit_operand(operand: &mut Operand, see: &mut dyn FnMut(&mut Register, bool)) {
    match operand {
        Operand::Constant(_) => {}
        Operand::Unsigned(register) | Operand::Signed(register) => see(register, false),
        Operand::Wide(wide) => visit_wide(wide, false, see),
    }
}

pub(super) fn visit_target(target: &mut Target, see: &mut dyn FnMut(&mut Register, bool)) {
    match target {
        Target::Word(register) => see(register, true),
        Target::Wide(wide) => visit_wide(wide, true, see),
    }
}

/// Shows each register of an operation, and whether it is written.
pub(super) fn visit(operation: &mut Operation, see: &mut dyn FnMut(&mut Register, bool)) {
    match operation {
        Operation::Random { counter, out, .. } => {
            see(&mut counter.low, false);
            for word in counter.high.iter_mut().chain(&mut counter.index) {
                see(word, false);
            }
            for out in out {
                see(out, true);
            }
        }
        Operation::Range { word, out, .. } => {
            see(word, false);
            visit_target(out, see);
        }
        Operation::Chance { word, threshold, out } => {
            see(word, false);
            visit_operand(threshold, see);
            see(out, true);
        }
        Operation::Choose { word, out, .. } | Operation::Not { word, out } => {
            see(word, false);
            see(out, true);
        }
        Operation::ChooseBy { word, select, out, .. } => {
            see(word, false);
            see(select, false);
            see(out, true);
        }
        Operation::Quantile { word, select, out, .. }
        | Operation::Steps { word, select, out, .. } => {
            see(word, false);
            if let Some(select) = select {
                see(select, false);
            }
            visit_target(out, see);
        }
        Operation::Lookup { index, out, .. } => {
            see(index, false);
            visit_target(out, see);
        }
        Operation::Actor { era, words, group, out, .. } => {
            see(era, false);
            for word in words {
                see(word, false);
            }
            see(group, true);
            see(out, true);
        }
        Operation::Member { words, given, group, out, .. } => {
            words.iter_mut().chain(given).for_each(|word| see(word, false));
            see(group, true);
            see(out, true);
        }
        Operation::Group { number, out, .. } | Operation::Parent { number, out, .. } => {
            see(number, false);
            see(out, true);
        }
        Operation::Child { word, number, out, .. } => {
            see(word, false);
            see(number, false);
            see(out, true);
        }
        Operation::Version { number, time, out, .. } => {
            see(number, false);
            visit_wide(time, false, see);
            see(out, true);
        }
        operation => visit_plain(operation, see),
    }
}

/// The operations that are arithmetic, and those on who a row is.
pub(super) fn visit_plain(operation: &mut Operation, see: &mut dyn FnMut(&mut Register, bool)) {
    match operation {
        Operation::Arithmetic { left, right, out, .. } => {
            visit_operand(left, see);
            visit_operand(right, see);
            visit_target(out, see);
        }
        Operation::Compare { left, right, out, .. } => {
            visit_operand(left, see);
            visit_operand(right, see);
            see(out, true);
        }
        Operation::Logic { left, right, out, .. } => {
            see(left, false);
            see(right, false);
            see(out, true);
        }
        Operation::Select { condition, then, otherwise, out } => {
            see(condition, false);
            visit_operand(then, see);
            visit_operand(otherwise, see);
            visit_target(out, see);
        }
        Operation::Move { from, out } => {
            visit_operand(from, see);
            visit_target(out, see);
        }
        Operation::Phase { era, out, .. } => {
            see(era, false);
            see(out, true);
        }
        Operation::Offset { era, zone, out, .. } => {
            see(era, false);
            see(zone, false);
            see(out, true);
        }
        Operation::Walk { .. }
        | Operation::Trend { .. }
        | Operation::Extreme { .. }
        | Operation::Exponential { .. } => walk::visit(operation, see),
        Operation::Identity { child, out, .. } => {
            see(child, false);
            for out in out {
                see(out, true);
            }
        }
        Operation::Permute { number: Wide { high, low }, out, .. }
        | Operation::Wrap { number: Wide { high, low }, out, .. }
        | Operation::WideRange { words: [high, low], out, .. } => {
            see(high, false);
            see(low, false);
            visit_wide(out, true, see);
        }
        _ => unreachable!("the other operations are visited before"),
    }
}

pub(super) fn visit_integer(integer: &mut Integer, see: &mut dyn FnMut(&mut Register)) {
    match integer {
        Integer::Constant(_) => {}
        Integer::Unsigned(register) | Integer::Signed(register) => see(register),
        Integer::Wide(wide) | Integer::Offset { value: wide, .. } => {
            see(&mut wide.high);
            see(&mut wide.low);
        }
    }
}

/// Shows each register of a text.
pub(super) fn visit_text(text: &mut Text, see: &mut dyn FnMut(&mut Register)) {
    for piece in &mut text.0 {
        match piece {
            Piece::Literal(_) => {}
            Piece::Lookup { index, .. } => see(index),
            Piece::Number { value, .. } | Piece::Decimal { value, .. } => visit_integer(value, see),
            Piece::Characters { word, .. } => see(word),
            Piece::SomeCharacters { word, length, .. } => {
                see(word);
                see(length);
            }
            Piece::Choice { index, texts } => {
                see(index);
                for text in texts {
                    visit_text(text, see);
                }
            }
            Piece::Either { condition, then, otherwise } => {
                see(condition);
                visit_text(then, see);
                visit_text(otherwise, see);
            }
            Piece::Uuid(words) => words.iter_mut().for_each(&mut *see),
            Piece::LocalTime { instant_us, offset_minutes, .. } => {
                visit_integer(instant_us, see);
                visit_integer(offset_minutes, see);
            }
        }
    }
}

pub(super) fn visit_fill(fill: &mut Fill, see: &mut dyn FnMut(&mut Register)) {
    match fill {
        // The items of lists have columns of their own.
        Fill::Constant(_) | Fill::Array { .. } | Fill::Map { .. } => {}
        Fill::Record(fills) => fills.iter_mut().for_each(|fill| visit_fill(fill, see)),
        Fill::Dictionary { index: register, .. } | Fill::Boolean(register) => see(register),
        Fill::Integer(integer)
        | Fill::Real { value: integer, .. }
        | Fill::Spread { value: integer, .. } => visit_integer(integer, see),
        Fill::Text(text) => visit_text(text, see),
        Fill::Uuid(words) => words.iter_mut().for_each(see),
        Fill::Words { words, .. } => words.iter_mut().for_each(see),
        Fill::Bytes { words, length } => words.iter_mut().chain([length]).for_each(see),
        Fill::Duration { months, days, millis } => {
            for integer in [months, days, millis] {
                visit_integer(integer, see);
            }
        }
        Fill::Union { branch, branches } => {
            see(branch);
            for fill in branches.iter_mut().flatten() {
                visit_fill(fill, see);
            }
        }
        Fill::Optional { present, value, .. } => {
            see(present);
            visit_fill(value, see);
        }
    }
}
