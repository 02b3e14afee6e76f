//! Runs write instructions over the rows of a frame.

use std::ops::Range;

use super::Error;
use super::digits::{hex, put_decimal, put_number};
use super::local_time;
use super::operation::{Layout, Letter, Operation, Program, Table};
use crate::encode::Integer;
use crate::encode::wire::Writer;
use crate::generate::column::{Child, Frame, Register};

/// The columns of a frame that a program reads, in the order of its layout.
pub(in crate::encode) struct View<'f> {
    columns: Vec<&'f [u32]>,
    lists: Vec<List<'f>>,
}

struct List<'f> {
    starts: &'f [u32],
    items: View<'f>,
}

/// How much the arena held after the identity and after the key of a row.
pub(in crate::encode) type Marks = [usize; 2];

/// A row that cannot be written: the number of the limit, and the value.
pub(in crate::encode) struct Refusal {
    limit: u32,
    value: i64,
}

impl<'f> View<'f> {
    /// Looks up what `layout` asks for.
    ///
    /// # Panics
    ///
    /// If the frame has not got it: our own bug.
    pub(in crate::encode) fn new(frame: &'f Frame, layout: &Layout) -> Self {
        let list = |(child, layout): &(usize, Layout)| {
            let Child { starts, frame } = &frame.children()[*child];
            List { starts, items: Self::new(frame, layout) }
        };
        Self {
            columns: layout.registers.iter().map(|&register| frame.column(register)).collect(),
            lists: layout.lists.iter().map(list).collect(),
        }
    }

    #[inline]
    fn word(&self, register: Register, row: usize) -> u32 {
        self.columns[usize::from(register.0)][row]
    }

    #[inline]
    fn integer(&self, integer: Integer, row: usize) -> i64 {
        let wide = |high, low| {
            (u64::from(self.word(high, row)) << 32 | u64::from(self.word(low, row))).cast_signed()
        };
        match integer {
            Integer::Constant(value) => value,
            Integer::Unsigned(register) => i64::from(self.word(register, row)),
            Integer::Signed(register) => i64::from(self.word(register, row).cast_signed()),
            Integer::Wide(value) => wide(value.high, value.low),
            Integer::Offset { base, value } => base.wrapping_add(wide(value.high, value.low)),
        }
    }
}

impl Program {
    /// Writes one row of the frame that `view` shows.
    #[inline]
    pub(in crate::encode) fn write(
        &self,
        view: &View<'_>,
        row: usize,
        writer: &mut Writer<'_>,
    ) -> Result<Marks, Refusal> {
        let mut run = Run { program: self, writer, marks: [0; 2], open: 0 };
        run.range(0..self.operations.len(), view, row)?;
        Ok(run.marks)
    }

    /// Says what was refused, as an error.
    pub(in crate::encode) fn explain(&self, refusal: &Refusal) -> Error {
        let limit = &self.limits[refusal.limit as usize];
        Error::OutOfRange {
            path: limit.path.clone(),
            avro: limit.avro.clone(),
            value: refusal.value,
            min: limit.min,
            max: limit.max,
        }
    }
}

struct Run<'p, 'w, 'a> {
    program: &'p Program,
    writer: &'w mut Writer<'a>,
    marks: Marks,
    /// Where the text that is open begins; texts do not lie in each other.
    open: usize,
}

impl Run<'_, '_, '_> {
    fn range(&mut self, range: Range<usize>, view: &View<'_>, row: usize) -> Result<(), Refusal> {
        let mut at = range.start;
        while at < range.end {
            let operation = &self.program.operations[at];
            at += 1;
            match operation {
                Operation::Optional { present, null, end } => {
                    if view.word(*present, row) == 0 {
                        self.writer.put_byte(*null);
                        at = *end as usize;
                    }
                }
                Operation::Union { branch, targets } => {
                    at = targets[view.word(*branch, row) as usize] as usize;
                }
                Operation::Jump(target) => at = *target as usize,
                Operation::List { list, end } => {
                    let list = &view.lists[*list as usize];
                    self.list(at..*end as usize, list, row)?;
                    at = *end as usize;
                }
                Operation::Mark(mark) => {
                    self.marks[usize::from(*mark)] = self.writer.position();
                }
                Operation::Check { value, limit } => {
                    let value = view.integer(*value, row);
                    let bounds = &self.program.limits[*limit as usize];
                    if value < bounds.min || value > bounds.max {
                        return Err(Refusal { limit: *limit, value });
                    }
                }
                Operation::Never { limit } => {
                    return Err(Refusal { limit: *limit, value: 0 });
                }
                value => self.value(value, view, row),
            }
        }
        Ok(())
    }

    fn list(&mut self, body: Range<usize>, list: &List<'_>, row: usize) -> Result<(), Refusal> {
        let items = list.starts[row]..list.starts[row + 1];
        if !items.is_empty() {
            self.writer.put_long(i64::from(items.end - items.start));
            for item in items {
                self.range(body.clone(), &list.items, item as usize)?;
            }
        }
        self.writer.put_byte(0);
        Ok(())
    }

    #[inline]
    fn value(&mut self, operation: &Operation, view: &View<'_>, row: usize) {
        match operation {
            Operation::Constant { start, bytes } => self.constant(*start, *bytes),
            Operation::Lookup { index, table } => {
                self.entry(table, |_| view.word(*index, row) as usize);
            }
            Operation::OptionalLookup { present, index, table } => {
                let present = view.word(*present, row) != 0;
                let index = view.word(*index, row) as usize;
                self.entry(table, |entries| if present { index } else { entries - 1 });
            }
            Operation::Boolean(register) => {
                self.writer.put_byte(u8::from(view.word(*register, row) != 0));
            }
            Operation::Long(value) => self.writer.put_long(view.integer(*value, row)),
            Operation::Open => self.open = self.writer.open(),
            Operation::Close => self.writer.close(self.open),
            Operation::Number { value, style } => {
                put_number(self.writer, view.integer(*value, row), *style);
            }
            Operation::Characters { word, count, alphabet } => {
                self.characters(view.word(*word, row), *count, alphabet);
            }
            Operation::Uuid(words) => self.uuid(words.map(|word| view.word(word, row))),
            Operation::LocalTime(time) => {
                let instant_us = view.integer(time.instant_us, row);
                let offset_minutes = view.integer(time.offset_minutes, row);
                local_time::put(self.writer, instant_us, offset_minutes, time.digits);
            }
            Operation::Words(words) => {
                for word in words {
                    self.writer.put(view.word(*word, row).to_be_bytes(), 4);
                }
            }
            other => self.binary(other, view, row),
        }
    }

    /// The values that are rare enough to be called.
    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
    fn binary(&mut self, operation: &Operation, view: &View<'_>, row: usize) {
        match operation {
            Operation::Float { value, divisor } => {
                let value = (view.integer(*value, row) as f64 / divisor) as f32;
                self.writer.put(value.to_le_bytes(), 4);
            }
            Operation::Double { value, divisor } => {
                let value = view.integer(*value, row) as f64 / divisor;
                self.writer.put(value.to_le_bytes(), 8);
            }
            Operation::DecimalBytes(value) => {
                let (block, used) = shortest(view.integer(*value, row));
                self.writer.put_byte(used.to_le_bytes()[0] << 1);
                self.writer.put(block, used);
            }
            Operation::DecimalFixed { value, size } => {
                let value = view.integer(*value, row);
                let sign = if value < 0 { 0xff } else { 0 };
                for _ in 8..*size {
                    self.writer.put_byte(sign);
                }
                let used = (*size as usize).min(8);
                self.writer.put((value << (64 - 8 * used)).to_be_bytes(), used);
            }
            Operation::Word { word, bytes } => {
                self.writer.put(view.word(*word, row).to_be_bytes(), usize::from(*bytes));
            }
            Operation::LittleEndian(value) => {
                let [a, b, c, d, ..] = view.integer(*value, row).to_le_bytes();
                self.writer.put([a, b, c, d], 4);
            }
            Operation::Decimal { value, scale } => {
                put_decimal(self.writer, view.integer(*value, row), *scale);
            }
            other => unreachable!("{other:?} is handled by the callers"),
        }
    }

    #[inline]
    fn constant(&mut self, start: u32, bytes: u32) {
        let (start, bytes) = (start as usize, bytes as usize);
        let rest = &self.program.pool[start..];
        match (rest.first_chunk::<16>(), rest.first_chunk::<32>()) {
            (Some(block), _) if bytes <= 16 => self.writer.put_from(block, bytes),
            (_, Some(block)) if bytes <= 32 => self.writer.put_from(block, bytes),
            _ => self.writer.put_slice(&rest[..bytes]),
        }
    }

    #[inline]
    fn entry(&mut self, table: &Table, index: impl FnOnce(usize) -> usize) {
        match table {
            Table::Slots16(slots) => self.slot(&slots[index(slots.len())]),
            Table::Slots32(slots) => self.slot(&slots[index(slots.len())]),
            Table::Slots64(slots) => self.slot(&slots[index(slots.len())]),
            Table::Long(entries) => self.writer.put_slice(&entries[index(entries.len())]),
        }
    }

    #[inline]
    fn slot<const N: usize>(&mut self, slot: &[u8; N]) {
        self.writer.put_from(slot, usize::from(slot[N - 1]));
    }

    #[inline]
    fn characters(&mut self, word: u32, count: u8, alphabet: &[Letter]) {
        let mut word = word;
        for _ in 0..count {
            let product = u64::from(word) * alphabet.len() as u64;
            let letter = &alphabet[(product >> 32) as usize];
            let [a, b, c, d, .., length] = *letter;
            self.writer.put([a, b, c, d], usize::from(length));
            word = (product & 0xffff_ffff) as u32;
        }
    }

    #[inline]
    fn uuid(&mut self, words: [u32; 4]) {
        let [a, b, c, d] = words.map(hex);
        let dash = u64::from(b'-');
        self.writer.put(a.to_le_bytes(), 8);
        self.writer.put((dash | b << 8).to_le_bytes(), 5);
        self.writer.put((dash | b >> 32 << 8).to_le_bytes(), 5);
        self.writer.put((dash | c << 8).to_le_bytes(), 5);
        self.writer.put((dash | c >> 32 << 8).to_le_bytes(), 5);
        self.writer.put(d.to_le_bytes(), 8);
    }
}

/// The shortest two's complement of a number, big-endian, and its length.
#[inline]
fn shortest(value: i64) -> ([u8; 8], usize) {
    let bits = 65 - (value ^ value >> 63).leading_zeros() as usize;
    let used = bits.div_ceil(8);
    ((value << (64 - 8 * used)).to_be_bytes(), used)
}
