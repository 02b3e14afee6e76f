//! Rows: who the events of a batch are and what they follow, before their columns are filled.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::generate::column::Frame;
use crate::generate::cpu::{self, Era};
use crate::plan::arrival::{INDEX_BITS, LANE_BITS, tick_and_lane};
use crate::plan::follow_up::CHILD_SHIFT;
use crate::plan::program::{Register, Wide, input};
use crate::plan::scenario::Scenarios;
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

    /// Adds those of other rows that come in a window, in microseconds since the start.
    pub(super) fn add(&mut self, others: &Self, window_us: &Range<u64>) {
        self.levels = others.levels;
        let before = |us: u64| others.list.partition_point(|row| row.time_us < us);
        for row in &others.list[before(window_us.start)..before(window_us.end)] {
            let above = low(self.above.len() as u64);
            self.above.extend_from_slice(others.above(row));
            self.list.push(Row { above, ..*row });
        }
    }

    /// The row itself at level 0, what it follows at level 1, and so on.
    pub(super) fn at(&self, row: &Row, level: usize) -> Above {
        match level.checked_sub(1) {
            None => Above { time_us: row.time_us, child: row.child },
            Some(above) => self.above(row)[above],
        }
    }

    /// What a row follows, the nearest first.
    pub(super) fn above(&self, row: &Row) -> &[Above] {
        &self.above[row.above as usize..][..self.levels]
    }
}

/// The quarters of an hour that rows and what they follow lie in, cut where phases begin and end.
#[derive(Debug, Default)]
pub(super) struct Eras {
    pub(super) list: Vec<Era>,
    places: BTreeMap<Key, u32>,
    empty: Arc<Segment>,
    last: Option<(Key, u32)>,
    phases: Phases,
}

/// The quarter of an hour that a time lies in, the phases that hold, and the quarter whose weights
/// decide who acts: another one, where an event comes later than it was due.
type Key = (i64, u32, i64);

/// Which phases hold, and from when to when in ticks it stays so.
#[derive(Debug, Default)]
struct Phases {
    scenarios: Arc<Scenarios>,
    mask: u32,
    known: Range<u64>,
}

impl Phases {
    /// The phases that hold at a time after the start.
    #[inline]
    fn at(&mut self, time_us: u64) -> u32 {
        if !self.scenarios.asked {
            return 0;
        }
        let tick = time_us / self.scenarios.tick_us;
        if !self.known.contains(&tick) {
            self.mask = self.scenarios.mask(tick);
            self.known = tick..self.scenarios.mask_until(tick);
        }
        self.mask
    }
}

impl Eras {
    pub(super) fn clear(&mut self, scenarios: &Arc<Scenarios>) {
        self.list.clear();
        self.places.clear();
        self.last = None;
        self.phases = Phases { scenarios: Arc::clone(scenarios), ..Phases::default() };
    }

    /// The number of the era of a time after the start; `due` is the quarter that the event was due in,
    /// if it is another.
    fn of(&mut self, start_us: i64, time_us: u64, due: Option<i64>) -> u32 {
        let slot = cpu::slot_of(start_us.saturating_add_unsigned(time_us));
        let era = (slot, self.phases.at(time_us), due.unwrap_or(slot));
        if let Some((known, place)) = self.last
            && known == era
        {
            return place;
        }
        let place = *self.places.entry(era).or_insert_with(|| {
            self.list.push(Era { slot, segment: Arc::clone(&self.empty), phases: era.1 });
            low(self.list.len() as u64 - 1)
        });
        self.last = Some((era, place));
        place
    }

    /// The number of the era of a root event.
    fn of_root(&mut self, start_us: i64, time_us: u64, (traffic, row): (&Traffic, &Row)) -> u32 {
        let due = traffic.shape.defers.then(|| traffic.slot_of(tick_and_lane(row.number).0));
        let place = self.of(start_us, time_us, due);
        let era = &mut self.list[place as usize];
        if era.segment.is_empty() {
            era.segment = traffic.segment(due.unwrap_or(era.slot));
        }
        place
    }
}

/// Fills the input columns of a frame with a chunk of rows.
pub(super) fn fill_inputs(
    frame: &mut Frame,
    (rows, chunk, ordinal): (&Rows, &[Row], Option<Wide>),
    known: (&mut Eras, Option<&Traffic>),
    start_us: i64,
) {
    fill_numbers(frame, chunk);
    if let Some(Wide { high, low: lower }) = ordinal {
        fill(frame, high, chunk, |_, row| low(row.ordinal >> 32));
        fill(frame, lower, chunk, |_, row| low(row.ordinal));
    }
    let at = |_, row: &Row, level: usize| rows.at(row, level);
    fill_levels(frame, (chunk, rows.levels, &at), known, start_us);
}

/// Who the rows are.
pub(super) fn fill_numbers(frame: &mut Frame, chunk: &[Row]) {
    frame.set_rows(chunk.len());
    fill(frame, input::NUMBER.high, chunk, |_, row| low(row.number >> 32));
    fill(frame, input::NUMBER.low, chunk, |_, row| low(row.number));
    fill(frame, input::LANE, chunk, |_, row| lane_of(row.number));
}

/// When the rows come, and which of those that follow from one event they are; the same of what they
/// follow, up to the root at level `levels`. `at` knows both by a row's place, the row and the level.
pub(super) fn fill_levels(
    frame: &mut Frame,
    (chunk, levels, at): (&[Row], usize, &impl Fn(usize, &Row, usize) -> Above),
    (eras, traffic): (&mut Eras, Option<&Traffic>),
    start_us: i64,
) {
    for level in 0..=levels {
        let register = register_of(level);
        fill(frame, input::time(register).high, chunk, |place, row| {
            low(at(place, row, level).time_us >> 32)
        });
        fill(frame, input::time(register).low, chunk, |place, row| {
            low(at(place, row, level).time_us)
        });
        fill(frame, input::child(register), chunk, |place, row| {
            at(place, row, level).child << CHILD_SHIFT
        });
        fill(frame, input::era(register), chunk, |place, row| {
            let time_us = at(place, row, level).time_us;
            match traffic.filter(|_| level == levels) {
                Some(traffic) => eras.of_root(start_us, time_us, (traffic, row)),
                None => eras.of(start_us, time_us, None),
            }
        });
    }
}

/// Only which of those that follow from one event the rows are, and what they follow.
pub(super) fn fill_children(
    frame: &mut Frame,
    (chunk, levels, at): (&[Row], usize, &impl Fn(usize, &Row, usize) -> Above),
) {
    for level in 0..=levels {
        fill(frame, input::child(register_of(level)), chunk, |place, row| {
            at(place, row, level).child << CHILD_SHIFT
        });
    }
}

fn fill(
    frame: &mut Frame,
    register: Register,
    chunk: &[Row],
    mut word: impl FnMut(usize, &Row) -> u32,
) {
    for (place, (out, row)) in frame.column_mut(register).iter_mut().zip(chunk).enumerate() {
        *out = word(place, row);
    }
}

fn register_of(level: usize) -> u16 {
    u16::try_from(level).unwrap_or(u16::MAX)
}

/// The lane of a position.
pub(super) fn lane_of(number: u64) -> u32 {
    low(number >> INDEX_BITS) & ((1 << LANE_BITS) - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
pub(super) const fn low(value: u64) -> u32 {
    value as u32
}
