//! The instructions that write one value a row.

#![expect(
    clippy::inline_always,
    reason = "what loops over rows do has the instructions of their function"
)]

use std::io::Write as _;

use super::digits::{Base36, Decimal, Hex, Radix, Style, hex, put_decimal, put_number, put_signed};
use super::execute::{Run, Scratch, View};
use super::local_time;
use super::operation::{Before, Letter, LocalTime, Operation, Spread, Table};
use super::slots::{Lanes, Slots};
use crate::encode::Integer;
use crate::encode::wire::Writer;
use crate::generate::column::Register;
use crate::generate::inlined::inlined;

// Everything below is inlined here, so that each loop is compiled for each set of instructions.
#[multiversion::multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt"))]
fn value(run: &mut Run<'_, '_>, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
    run.any(operation, view, lanes);
}

impl Run<'_, '_> {
    /// Does an instruction that writes one value a row.
    pub(super) fn value(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        value(self, operation, view, lanes);
    }

    #[inline(always)]
    fn any(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, opened, .. } = &mut *self.scratch;
        match operation {
            Operation::Constant { start, bytes } => {
                constant(slots, lanes, &self.program.pool[*start as usize..], *bytes as usize);
            }
            Operation::Lookup { index, table } => {
                let index = view.column(*index);
                entries(slots, lanes, table, |row, _| index[row] as usize);
            }
            Operation::OptionalLookup { present, index, table } => {
                let (present, index) = (view.column(*present), view.column(*index));
                entries(slots, lanes, table, |row, count| {
                    if present[row] == 0 { count - 1 } else { index[row] as usize }
                });
            }
            Operation::Boolean(register) => {
                let words = view.column(*register);
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| writer.put_byte(u8::from(words[row] != 0))),
                );
            }
            Operation::Open => {
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        opened[lane] = super::slots::index(writer.open());
                    }),
                );
            }
            Operation::Close => {
                slots.each(lanes, inlined!(|writer, lane, _| writer.close(opened[lane] as usize)));
            }
            Operation::LocalTime(time) => self.local_time(time, view, lanes),
            other => self.words(other, view, lanes),
        }
    }

    /// Does an instruction that writes random words, and those below.
    #[inline(always)]
    fn words(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, .. } = &mut *self.scratch;
        match operation {
            Operation::Word { word, bytes } => {
                let (words, bytes) = (view.column(*word), usize::from(*bytes));
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| writer.put(&words[row].to_be_bytes(), bytes)),
                );
            }
            Operation::WordUpTo { word, length, before } => {
                let (words, lengths) = (view.column(*word), view.column(*length));
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| {
                        let bytes = lengths[row].saturating_sub(*before).min(4) as usize;
                        writer.put(&words[row].to_be_bytes(), bytes);
                    }),
                );
            }
            Operation::Words(words) => {
                for &word in words {
                    let words = view.column(word);
                    slots.each(
                        lanes,
                        inlined!(|writer, _, row| writer.put(&words[row].to_be_bytes(), 4)),
                    );
                }
            }
            Operation::Characters { word, count, alphabet } => {
                let words = view.column(*word);
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| {
                        put_characters(writer, words[row], *count, alphabet);
                    }),
                );
            }
            Operation::SomeCharacters { word, count, alphabet, length, before } => {
                let (words, lengths) = (view.column(*word), view.column(*length));
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| {
                        let left = lengths[row].saturating_sub(*before).min(u32::from(*count));
                        put_characters(writer, words[row], left.to_le_bytes()[0], alphabet);
                    }),
                );
            }
            Operation::Uuid(words) => {
                let words = words.map(|word: Register| view.column(word));
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| put_uuid(writer, words.map(|word| word[row]))),
                );
            }
            other => self.of_json(other, view, lanes),
        }
    }

    /// Does an instruction that only JSON has, and those that write numbers.
    #[inline(always)]
    fn of_json(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, opened, .. } = &mut *self.scratch;
        match operation {
            Operation::Truth(register) => {
                let words = view.column(*register);
                slots.each(
                    lanes,
                    inlined!(|writer, _, row| match words[row] {
                        0 => writer.put(b"false", 5),
                        _ => writer.put(b"true", 4),
                    }),
                );
            }
            Operation::OpenHex => {
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        opened[lane] = super::slots::index(writer.position());
                    }),
                );
            }
            Operation::CloseHex { .. } => {
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| writer.spell_hex(opened[lane] as usize)),
                );
            }
            other => self.number(other, view, lanes),
        }
    }

    #[inline(always)]
    fn local_time(&mut self, time: &LocalTime, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, numbers, others, .. } = &mut *self.scratch;
        view.load(time.instant_us, lanes, numbers);
        view.load(time.offset_minutes, lanes, others);
        slots.each(
            lanes,
            inlined!(|writer, lane, _| {
                local_time::put(writer, numbers[lane], others[lane], time.digits);
            }),
        );
    }

    #[inline(always)]
    fn number(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, numbers, .. } = &mut *self.scratch;
        let mut load = |value: Integer| view.load(value, lanes, numbers);
        match operation {
            Operation::Long(value) => {
                load(*value);
                slots.each(lanes, inlined!(|writer, lane, _| writer.put_long(numbers[lane])));
            }
            Operation::Number { value, style, before } => {
                load(*value);
                put_numbers((slots, lanes), numbers, *style, *before);
            }
            Operation::Decimal { value, scale } => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| put_decimal(writer, numbers[lane], *scale)),
                );
            }
            Operation::DecimalBytes(value) => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        let (block, used) = shortest(numbers[lane]);
                        writer.put_byte(used.to_le_bytes()[0] << 1);
                        writer.put(&block, used);
                    }),
                );
            }
            Operation::DecimalFixed { value, size } => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| put_fixed(writer, numbers[lane], *size)),
                );
            }
            Operation::Stamp { value, stamp } => {
                load(*value);
                slots.each(lanes, inlined!(|writer, lane, _| stamp.put(writer, numbers[lane])));
            }
            Operation::LittleEndian(value) => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        writer.put(&numbers[lane].to_le_bytes(), 4);
                    }),
                );
            }
            other => self.real(other, view, lanes),
        }
    }

    /// Does an instruction that writes a number with a fraction.
    #[inline(always)]
    fn real(&mut self, operation: &Operation, view: &View<'_>, lanes: Lanes<'_>) {
        let Scratch { slots, numbers, .. } = &mut *self.scratch;
        let mut load = |value: Integer| view.load(value, lanes, numbers);
        match operation {
            #[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
            Operation::Float { value, divisor } => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        let quotient = (numbers[lane] as f64 / divisor) as f32;
                        writer.put(&quotient.to_le_bytes(), 4);
                    }),
                );
            }
            Operation::Double { value, divisor } => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| {
                        let quotient = numbers[lane] as f64 / divisor;
                        writer.put(&quotient.to_le_bytes(), 8);
                    }),
                );
            }
            Operation::Spread { value, spread } => {
                load(*value);
                slots.each(
                    lanes,
                    inlined!(|writer, lane, _| put_spread(writer, numbers[lane], spread)),
                );
            }
            other => unreachable!("{other:?} writes no number"),
        }
    }
}

/// Writes a number for each lane; the loops are compiled for the usual bases.
#[inline(always)]
fn put_numbers(to: (&mut Slots, Lanes<'_>), numbers: &[i64], style: Style, before: Before) {
    match (style.base, style.upper) {
        (10, _) => put_in::<Decimal>(to, numbers, style, before),
        (16, false) => put_in::<Hex<false>>(to, numbers, style, before),
        (36, false) => put_in::<Base36<false>>(to, numbers, style, before),
        (36, true) => put_in::<Base36<true>>(to, numbers, style, before),
        _ => each_number(
            to,
            before,
            inlined!(|writer, lane| put_number(writer, numbers[lane], style)),
        ),
    }
}

#[inline(always)]
fn put_in<R: Radix>(to: (&mut Slots, Lanes<'_>), numbers: &[i64], style: Style, before: Before) {
    let width = usize::from(style.width);
    each_number(to, before, inlined!(|writer, lane| put_signed::<R>(writer, numbers[lane], width)));
}

/// Writes what stands before a number, the number, and the length of both if it is asked for.
#[inline(always)]
fn each_number(
    (slots, lanes): (&mut Slots, Lanes<'_>),
    before: Before,
    number: impl Fn(&mut Writer<'_>, usize),
) {
    let used = usize::from(before.used);
    slots.each(
        lanes,
        inlined!(|writer, lane, _| {
            let start = writer.position();
            writer.put(&before.bytes, used);
            number(writer, lane);
            if before.is_prefixed {
                writer.close(start);
            }
        }),
    );
}

#[inline(always)]
fn constant(slots: &mut Slots, lanes: Lanes<'_>, bytes: &[u8], used: usize) {
    match (bytes.first_chunk::<16>(), bytes.first_chunk::<32>()) {
        (Some(block), _) if used <= 16 => {
            slots.each(lanes, inlined!(|writer, _, _| writer.put(block, used)));
        }
        (_, Some(block)) if used <= 32 => {
            slots.each(lanes, inlined!(|writer, _, _| writer.put(block, used)));
        }
        _ => slots.each(lanes, inlined!(|writer, _, _| writer.put_slice(&bytes[..used]))),
    }
}

#[inline(always)]
fn entries(
    slots: &mut Slots,
    lanes: Lanes<'_>,
    table: &Table,
    index: impl Fn(usize, usize) -> usize,
) {
    match table {
        Table::Slots16(entries) => from_slots(slots, lanes, entries, index),
        Table::Slots32(entries) => from_slots(slots, lanes, entries, index),
        Table::Slots64(entries) => from_slots(slots, lanes, entries, index),
        Table::Long(entries) => slots.each(
            lanes,
            inlined!(|writer, _, row| {
                writer.put_slice(&entries[index(row, entries.len())]);
            }),
        ),
    }
}

#[inline(always)]
fn from_slots<const N: usize>(
    slots: &mut Slots,
    lanes: Lanes<'_>,
    entries: &[[u8; N]],
    index: impl Fn(usize, usize) -> usize,
) {
    slots.each(
        lanes,
        inlined!(|writer, _, row| {
            let entry = &entries[index(row, entries.len())];
            writer.put(entry, usize::from(entry[N - 1]));
        }),
    );
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a product is split into its words")]
fn put_characters(writer: &mut Writer<'_>, word: u32, count: u8, alphabet: &[Letter]) {
    let mut word = word;
    for _ in 0..count {
        let product = u64::from(word) * alphabet.len() as u64;
        let letter = &alphabet[(product >> 32) as usize];
        writer.put(letter, usize::from(letter[7]));
        word = product as u32;
    }
}

#[inline(always)]
fn put_uuid(writer: &mut Writer<'_>, words: [u32; 4]) {
    let [a, b, c, d] = words.map(hex);
    let dash = u64::from(b'-');
    writer.put(&a.to_le_bytes(), 8);
    writer.put(&(dash | b << 8).to_le_bytes(), 5);
    writer.put(&(dash | b >> 32 << 8).to_le_bytes(), 5);
    writer.put(&(dash | c << 8).to_le_bytes(), 5);
    writer.put(&(dash | c >> 32 << 8).to_le_bytes(), 5);
    writer.put(&d.to_le_bytes(), 8);
}

/// A real number, as a `float` or a `double`, or the digits of one.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
fn put_spread(writer: &mut Writer<'_>, number: i64, spread: &Spread) {
    let (least, most) = spread.bounds;
    let value = number as f64 * spread.step + spread.middle;
    let double = value.clamp(least, most);
    let single = (value as f32).clamp(least as f32, most as f32);
    match (spread.is_text, spread.is_single) {
        (false, true) => writer.put(&single.to_le_bytes(), 4),
        (false, false) => writer.put(&double.to_le_bytes(), 8),
        (true, is_single) => {
            let mut room = [0; 32];
            let mut rest = &mut room[..];
            // The shortest digits that are read as the same number; they fit.
            let written =
                if is_single { write!(rest, "{single:?}") } else { write!(rest, "{double:?}") };
            let left = if written.is_ok() { rest.len() } else { 0 };
            writer.put_slice(&room[..32 - left]);
        }
    }
}

/// The shortest two's complement of a number, big-endian, and its length.
#[inline(always)]
fn shortest(value: i64) -> ([u8; 8], usize) {
    let bits = 65 - (value ^ value >> 63).leading_zeros() as usize;
    let used = bits.div_ceil(8);
    ((value << (64 - 8 * used)).to_be_bytes(), used)
}

/// Two's complement in `size` bytes, big-endian.
#[inline(always)]
fn put_fixed(writer: &mut Writer<'_>, value: i64, size: u32) {
    let sign = if value < 0 { 0xff } else { 0 };
    for _ in 8..size {
        writer.put_byte(sign);
    }
    let used = (size as usize).min(8);
    writer.put(&(value << (64 - 8 * used)).to_be_bytes(), used);
}
