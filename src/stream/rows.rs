//! Rows: who the events of a batch are and what they follow, before their columns are filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::generate::column::Frame;
use crate::generate::cpu::{self, Era};
use crate::plan::arrival::{INDEX_BITS, LANE_BITS};
use crate::plan::follow_up::CHILD_SHIFT;
use crate::plan::program::{Register, Wide, input};
use crate::plan::traffic::{Segment, Traffic};

/// Who an event is, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// Microseconds since the plan's start.
    pub(super) time_us: u64,
    /// The position of its root event.
    pub(super) number: u64,
    /// Which of the events that follow from it in its stream.
    pub(super) child: u32,
    /// Where what it follows begins in [`Rows::above`].
    pub(super) above: u32,
    /// How many events come before it, if the stream counts.
    pub(super) ordinal: u64,
}

/// An event that a row follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Above {
    pub(super) time_us: u64,
    pub(super) child: u32,
}

/// Rows of one stream.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) list: Vec<Row>,
    /// For each row the events that it follows, the nearest first.
    pub(super) above: Vec<Above>,
    /// How many events each row follows.
    pub(super) levels: usize,
}

impl Rows {
    pub(super) fn clear(&mut self, levels: usize) {
        self.list.clear();
        self.above.clear();
        self.levels = levels;
    }

    /// What a row follows, the nearest first.
    pub(super) fn above(&self, row: &Row) -> &[Above] {
        &self.above[row.above as usize..][..self.levels]
    }
}

/// The quarters of an hour that rows and what they follow lie in.
#[derive(Debug, Default)]
pub(super) struct Eras {
    pub(super) list: Vec<Era>,
    places: BTreeMap<i64, u32>,
    empty: Arc<Segment>,
    last: Option<(i64, u32)>,
}

impl Eras {
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.places.clear();
        self.last = None;
    }

    /// The number of the era of an instant.
    fn of(&mut self, instant_us: i64) -> u32 {
        let slot = cpu::slot_of(instant_us);
        if let Some((known, place)) = self.last
            && known == slot
        {
            return place;
        }
        let place = *self.places.entry(slot).or_insert_with(|| {
            self.list.push(Era { slot, segment: Arc::clone(&self.empty) });
            low(self.list.len() as u64 - 1)
        });
        self.last = Some((slot, place));
        place
    }

    /// The number of the era of a root event.
    fn of_root(&mut self, instant_us: i64, traffic: &Traffic) -> u32 {
        let place = self.of(instant_us);
        let era = &mut self.list[place as usize];
        if era.segment.is_empty() {
            era.segment = traffic.segment(era.slot);
        }
        place
    }
}

/// Fills the input columns of a frame with a chunk of rows.
pub(super) fn fill_inputs(
    frame: &mut Frame,
    (rows, chunk, ordinal): (&Rows, &[Row], Option<Wide>),
    (eras, traffic): (&mut Eras, Option<&Traffic>),
    start_us: i64,
) {
    frame.set_rows(chunk.len());
    let mut fill = |register: Register, word: &mut dyn FnMut(&Row) -> u32| {
        for (out, row) in frame.column_mut(register).iter_mut().zip(chunk) {
            *out = word(row);
        }
    };
    fill(input::NUMBER.high, &mut |row| low(row.number >> 32));
    fill(input::NUMBER.low, &mut |row| low(row.number));
    fill(input::LANE, &mut |row| lane_of(row.number));
    if let Some(Wide { high, low: lower }) = ordinal {
        fill(high, &mut |row| low(row.ordinal >> 32));
        fill(lower, &mut |row| low(row.ordinal));
    }
    for level in 0..=rows.levels {
        let at = |row: &Row| match level.checked_sub(1) {
            None => Above { time_us: row.time_us, child: row.child },
            Some(above) => rows.above(row)[above],
        };
        let register = u16::try_from(level).unwrap_or(u16::MAX);
        fill(input::time(register).high, &mut |row| low(at(row).time_us >> 32));
        fill(input::time(register).low, &mut |row| low(at(row).time_us));
        fill(input::child(register), &mut |row| at(row).child << CHILD_SHIFT);
        fill(input::era(register), &mut |row| {
            let instant_us = start_us.saturating_add_unsigned(at(row).time_us);
            match traffic.filter(|_| level == rows.levels) {
                Some(traffic) => eras.of_root(instant_us, traffic),
                None => eras.of(instant_us),
            }
        });
    }
}

/// The lane of a position.
pub(super) fn lane_of(number: u64) -> u32 {
    low(number >> INDEX_BITS) & ((1 << LANE_BITS) - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
pub(super) const fn low(value: u64) -> u32 {
    value as u32
}
