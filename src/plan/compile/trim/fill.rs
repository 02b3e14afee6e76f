//! The registers that the encoder reads.

use crate::plan::fill::{Fill, Integer, Piece, Text};
use crate::plan::program::Register;

fn visit_integer(integer: &mut Integer, see: &mut dyn FnMut(&mut Register)) {
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
pub(in crate::plan::compile) fn visit_text(text: &mut Text, see: &mut dyn FnMut(&mut Register)) {
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
        Fill::Integer(integer) | Fill::Real { value: integer, .. } => visit_integer(integer, see),
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
