//! Runs write instructions over the rows of a frame, column by column.

#![expect(
    clippy::inline_always,
    reason = "what loops over rows do has the instructions of their function"
)]

use std::hint::select_unpredictable;
use std::ops::Range;

use super::Error;
use super::operation::{Layout, Need, Operation, Program};
use super::slots::{Lanes, Slots, index};
use crate::encode::Integer;
use crate::encode::wire::Writer;
use crate::generate::column::{Child, Frame, Register, Wide};
use crate::generate::inlined::inlined;

/// The columns of a frame that a program reads, in the order of its layout.
pub(in crate::encode) struct View<'f> {
    rows: usize,
    columns: Vec<&'f [u32]>,
    lists: Vec<List<'f>>,
}

struct List<'f> {
    starts: &'f [u32],
    items: View<'f>,
}

/// Buffers that an encoder writes rows in before it appends them to an arena; one a thread.
///
/// They grow to what a few hundred rows need, and are used again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) slots: Slots,
    /// A number for each lane, for the instruction at hand.
    pub(super) numbers: Vec<i64>,
    pub(super) others: Vec<i64>,
    /// Where the open text of each slot begins; texts do not lie in each other.
    pub(super) opened: Vec<u32>,
    marks: Vec<[u32; 2]>,
    spare: Vec<Vec<(u32, u32)>>,
}

impl<'f> View<'f> {
    /// Looks up what `layout` asks for.
    ///
    /// # Panics
    ///
    /// If the frame has not got it: our own bug.
    pub(in crate::encode) fn new(frame: &'f Frame, layout: &Layout) -> Self {
        let list = |(child, layout): &(usize, Layout)| {
            let Child { starts, frame, .. } = &frame.children()[*child];
            List { starts, items: Self::new(frame, layout) }
        };
        Self {
            rows: frame.rows(),
            columns: layout.registers.iter().map(|&register| frame.column(register)).collect(),
            lists: layout.lists.iter().map(list).collect(),
        }
    }

    #[inline(always)]
    pub(super) fn column(&self, register: Register) -> &'f [u32] {
        self.columns[usize::from(register.0)]
    }

    /// Puts the value of each lane into `numbers`.
    #[inline(always)]
    pub(super) fn load(&self, integer: Integer, lanes: Lanes<'_>, numbers: &mut Vec<i64>) {
        match integer {
            Integer::Constant(value) => lanes.collect(numbers, |_| value),
            Integer::Unsigned(register) => {
                let words = self.column(register);
                lanes.collect(numbers, |row| i64::from(words[row]));
            }
            Integer::Signed(register) => {
                let words = self.column(register);
                lanes.collect(numbers, |row| i64::from(words[row].cast_signed()));
            }
            Integer::Wide(value) => self.load_wide(0, value, lanes, numbers),
            Integer::Offset { base, value } => self.load_wide(base, value, lanes, numbers),
        }
    }

    #[inline(always)]
    fn load_wide(&self, base: i64, value: Wide, lanes: Lanes<'_>, numbers: &mut Vec<i64>) {
        let (high, low) = (self.column(value.high), self.column(value.low));
        lanes.collect(numbers, |row| {
            let value = u64::from(high[row]) << 32 | u64::from(low[row]);
            base.wrapping_add(value.cast_signed())
        });
    }

    /// How many bytes a row needs at most.
    fn bytes(&self, need: &Need, row: usize) -> usize {
        let lists = need.items.iter().map(|(list, need)| {
            let List { starts, items } = &self.lists[*list];
            (starts[row]..starts[row + 1])
                .map(|item| items.bytes(need, item as usize))
                .sum::<usize>()
        });
        need.bytes + lists.sum::<usize>()
    }
}

impl Program {
    /// Writes all rows of the frame that `view` shows; gives each one's bytes to `take`, with how
    /// many of them were written at its two marks.
    pub(in crate::encode) fn write(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        mut take: impl FnMut(&[u8], [u32; 2]),
    ) -> Result<(), Error> {
        let mut first = 0;
        while first < view.rows {
            let (count, bytes) = self.group(view, first);
            scratch.slots.begin(count, bytes);
            scratch.marks.clear();
            scratch.marks.resize(count, [0; 2]);
            scratch.opened.clear();
            scratch.opened.resize(count, 0);
            let mut run = Run { program: self, scratch };
            run.range(0..self.operations.len(), view, Lanes::All { first, count })?;
            for slot in 0..count {
                take(scratch.slots.written(slot), scratch.marks[slot]);
            }
            first += count;
        }
        Ok(())
    }

    /// How many rows from `first` on are written together, and how many bytes each may need.
    fn group(&self, view: &View<'_>, first: usize) -> (usize, usize) {
        let left = view.rows - first;
        if self.need.items.is_empty() {
            return (left.min(Slots::group(self.need.bytes)), self.need.bytes);
        }
        let mut bytes = view.bytes(&self.need, first);
        let mut count = 1;
        while count < left {
            let more = bytes.max(view.bytes(&self.need, first + count));
            if count >= Slots::group(more) {
                break;
            }
            bytes = more;
            count += 1;
        }
        (count, bytes)
    }
}

/// A group of rows that is being written.
pub(super) struct Run<'p, 's> {
    pub(super) program: &'p Program,
    pub(super) scratch: &'s mut Scratch,
}

impl Run<'_, '_> {
    fn range(
        &mut self,
        range: Range<usize>,
        view: &View<'_>,
        lanes: Lanes<'_>,
    ) -> Result<(), Error> {
        if lanes.count() == 0 {
            return Ok(());
        }
        let mut at = range.start;
        while at < range.end {
            let operation = &self.program.operations[at];
            at += 1;
            match operation {
                Operation::Optional { present, null, some, end } => {
                    let words = view.column(*present);
                    let end = *end as usize;
                    self.scratch.slots.each(lanes, |writer, _, row| {
                        let block = select_unpredictable(words[row] == 0, null, some);
                        writer.put(&block.bytes, usize::from(block.used));
                    });
                    self.chosen(at..end, view, lanes, |row| words[row] != 0)?;
                    at = end;
                }
                Operation::Union { branch, branches, end } => {
                    let words = view.column(*branch);
                    let mut taken = 0;
                    for (number, range) in branches.iter().enumerate() {
                        let Some(range) = range else { continue };
                        let number = index(number);
                        taken +=
                            self.chosen(range.clone(), view, lanes, |row| words[row] == number)?;
                    }
                    assert!(
                        taken == lanes.count(),
                        "a row took a branch of a union that nothing fills"
                    );
                    at = *end as usize;
                }
                Operation::List { list, end } => {
                    let end = *end as usize;
                    self.list(at..end, &view.lists[*list as usize], lanes)?;
                    at = end;
                }
                Operation::Items { list, brackets, end } => {
                    let end = *end as usize;
                    let [open, close] = *brackets;
                    self.scratch.slots.each(lanes, inlined!(|writer, _, _| writer.put_byte(open)));
                    self.items(at..end, &view.lists[*list as usize], lanes, Some(b','))?;
                    self.scratch.slots.each(lanes, inlined!(|writer, _, _| writer.put_byte(close)));
                    at = end;
                }
                Operation::Mark(mark) => {
                    let Scratch { slots, marks, .. } = &mut *self.scratch;
                    lanes.each(|_, slot, _| {
                        marks[slot as usize][usize::from(*mark)] = slots.position(slot);
                    });
                }
                Operation::Check { value, limit } => self.check(*value, *limit, view, lanes)?,
                other => self.value(other, view, lanes),
            }
        }
        Ok(())
    }

    /// Does instructions for the lanes whose row is chosen; says how many these are.
    fn chosen(
        &mut self,
        range: Range<usize>,
        view: &View<'_>,
        lanes: Lanes<'_>,
        choose: impl Fn(usize) -> bool,
    ) -> Result<usize, Error> {
        let mut chosen = self.scratch.spare.pop().unwrap_or_default();
        chosen.clear();
        chosen.resize(lanes.count(), (0, 0));
        let mut count = 0;
        lanes.each(|_, slot, row| {
            // Written always and counted if chosen: no branch to mispredict.
            chosen[count] = (slot, row);
            count += usize::from(choose(row as usize));
        });
        self.range(range, view, Lanes::Some(&chosen[..count]))?;
        self.scratch.spare.push(chosen);
        Ok(count)
    }

    /// Writes a list as one block of Avro.
    fn list(
        &mut self,
        range: Range<usize>,
        list: &List<'_>,
        lanes: Lanes<'_>,
    ) -> Result<(), Error> {
        let starts = list.starts;
        let length = |row: usize| starts[row + 1] - starts[row];
        self.scratch
            .slots
            .each(lanes, inlined!(|writer, _, row| writer.put_long(length(row).into())));
        self.items(range, list, lanes, None)?;
        let zero = |writer: &mut Writer<'_>, _, row| writer.put(&[0], usize::from(length(row) > 0));
        self.scratch.slots.each(lanes, zero);
        Ok(())
    }

    /// Writes the items of a list, with something between two of them.
    fn items(
        &mut self,
        range: Range<usize>,
        list: &List<'_>,
        lanes: Lanes<'_>,
        between: Option<u8>,
    ) -> Result<(), Error> {
        let starts = list.starts;
        let length = |row: u32| starts[row as usize + 1] - starts[row as usize];
        let mut rows = self.scratch.spare.pop().unwrap_or_default();
        rows.clear();
        lanes.each(|_, slot, row| {
            if length(row) > 0 {
                rows.push((slot, row));
            }
        });
        // The first items of all rows, then the second ones, and so on.
        let mut items = self.scratch.spare.pop().unwrap_or_default();
        let mut item = 0;
        while !rows.is_empty() {
            if let Some(between) = between.filter(|_| item > 0) {
                let put = |writer: &mut Writer<'_>, _, _| writer.put_byte(between);
                self.scratch.slots.each(Lanes::Some(&rows), put);
            }
            items.clear();
            items.extend(rows.iter().map(|&(slot, row)| (slot, starts[row as usize] + item)));
            self.range(range.clone(), &list.items, Lanes::Some(&items))?;
            item += 1;
            rows.retain(|&(_, row)| length(row) > item);
        }
        self.scratch.spare.extend([rows, items]);
        Ok(())
    }

    fn check(
        &mut self,
        value: Integer,
        limit: u32,
        view: &View<'_>,
        lanes: Lanes<'_>,
    ) -> Result<(), Error> {
        let limit = &self.program.limits[limit as usize];
        view.load(value, lanes, &mut self.scratch.numbers);
        let inside = limit.min..=limit.max;
        match self.scratch.numbers.iter().find(|number| !inside.contains(number)) {
            None => Ok(()),
            Some(&value) => Err(Error::OutOfRange {
                path: limit.path.clone(),
                avro: limit.avro.clone(),
                value,
                min: limit.min,
                max: limit.max,
            }),
        }
    }
}
