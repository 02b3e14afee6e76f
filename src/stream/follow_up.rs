//! The rows of a stream that follows another: found from its root's ticks, step by step.

use std::ops::Range;
use std::sync::Arc;

use super::rows::{Above, Eras, Row, Rows, fill_inputs, low};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::cpu::{self, Context};
use crate::plan::arrival::{self, Place, position, tick_and_lane};
use crate::plan::compile::Gate;
use crate::plan::fill::Integer;
use crate::plan::follow_up::{self, CLASSES, FollowUp, class_of};
use crate::plan::traffic::{Segment, Traffic};
use crate::plan::{Origin, Plan, StreamPlan};

/// Room that is kept between batches.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    frame: Frame,
    eras: Eras,
    /// Ticks of the root, with the classes (as bits) that are looked for in them.
    ticks: Vec<(u64, u64)>,
    next: Rows,
}

/// The streams from a follow-up's root down to itself.
struct Chain<'a> {
    plan: &'a Plan,
    root: &'a StreamPlan,
    traffic: &'a Traffic,
    steps: Vec<&'a FollowUp>,
}

impl<'a> Chain<'a> {
    fn new(plan: &'a Plan, follow_up: &'a FollowUp) -> Option<Self> {
        let root = &plan.streams[follow_up.above[0]];
        let Origin::Root(traffic) = &root.origin else { return None };
        let between = follow_up.above[1..].iter().map(|&number| &plan.streams[number].origin);
        let mut steps: Vec<&FollowUp> = between
            .filter_map(|origin| match origin {
                Origin::FollowUp(follow_up) => Some(&**follow_up),
                Origin::Root(_) | Origin::Members(_) => None,
            })
            .collect();
        steps.push(follow_up);
        Some(Self { plan, root, traffic, steps })
    }
}

/// Puts the rows of some ticks into `rows`, in send order; `own` says which lanes are made here.
pub(super) fn rows(
    (plan, follow_up): (&Plan, &FollowUp),
    ticks: &Range<u64>,
    own: &dyn Fn(u32) -> bool,
    scratch: &mut Scratch,
    rows: &mut Rows,
) {
    rows.clear(0);
    let Some(chain) = Chain::new(plan, follow_up) else { return };
    let tick_us = plan.tick.length_us().unsigned_abs();
    ticks_above(&chain, ticks, &mut scratch.ticks);
    roots(&chain, &scratch.ticks, own, rows);
    for level in 0..chain.steps.len() {
        follow(&chain, level, ticks.start * tick_us..ticks.end * tick_us, scratch, rows);
    }
    rows.list.sort_unstable();
}

/// The ticks of the root that can lead to events in some ticks, with the classes that can.
fn ticks_above(chain: &Chain<'_>, wanted: &Range<u64>, ticks: &mut Vec<(u64, u64)>) {
    ticks.clear();
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for class in 0..CLASSES {
        below.clear();
        below.push(wanted.clone());
        for step in chain.steps.iter().rev() {
            above.clear();
            step.step.ticks_above(class, &below, &mut above);
            std::mem::swap(&mut below, &mut above);
        }
        ticks.extend(below.iter().cloned().flatten().map(|tick| (tick, 1 << class)));
    }
    ticks.sort_unstable();
    ticks.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 |= next.1;
        }
        same
    });
}

/// The root's events of these ticks and classes.
fn roots(chain: &Chain<'_>, ticks: &[(u64, u64)], own: &dyn Fn(u32) -> bool, rows: &mut Rows) {
    let (plan, key) = (chain.plan, chain.root.key);
    let tick_us = plan.tick.length_us().unsigned_abs();
    let mut known: Option<(i64, Arc<Segment>)> = None;
    for &(tick, classes) in ticks {
        let slot = cpu::slot_of(plan.start_us.saturating_add_unsigned(tick * tick_us));
        if known.as_ref().is_none_or(|(of, _)| *of != slot) {
            known = Some((slot, chain.traffic.segment(slot)));
        }
        let Some((_, segment)) = &known else { continue };
        let turn = follow_up::turn(key, tick);
        let classes = (0..CLASSES).filter(|class| classes & 1 << class != 0);
        let lanes = classes.flat_map(|class| follow_up::lanes_of(class, turn, plan.lanes));
        for lane in lanes.filter(|&lane| own(lane)) {
            // Nobody is active in the lanes beyond.
            let Some(mean) = segment.means.get(lane as usize) else { continue };
            let count = arrival::count(key, tick, lane, mean);
            let place = Place { key, tick, lane, tick_us };
            arrival::times(place, count, &mut |index, at_us| {
                let number = position(tick, lane, index);
                let time_us = tick * tick_us + u64::from(at_us);
                rows.list.push(Row { time_us, number, child: 0, above: 0, ordinal: 0 });
            });
        }
    }
}

/// When the event that follows a row by the first of some steps comes, if those that follow that one
/// can come at a time in `window_us`, as far as this is known without gates: up to the first gate
/// that decides how many follow.
fn time_us(steps: &[&FollowUp], class: u32, row: &Row, window_us: &Range<u64>) -> Option<u64> {
    let mut first_us = None;
    let mut time_us = row.time_us;
    for (number, step) in steps.iter().enumerate() {
        time_us = step.step.time_us(class, row.number, row.child, time_us)?;
        first_us.get_or_insert(time_us);
        if time_us >= window_us.end {
            return None;
        }
        if number + 1 < steps.len() && step.count_max != 1 {
            return first_us;
        }
    }
    first_us.filter(|_| time_us >= window_us.start)
}

/// Replaces rows by those that follow them, as far as these can lead to events in `window_us`: gates
/// are dear, and of rare events at the end of a chain only those are asked that lead to one.
fn follow(
    chain: &Chain<'_>,
    level: usize,
    window_us: Range<u64>,
    scratch: &mut Scratch,
    rows: &mut Rows,
) {
    let (key, follow_up) = (chain.root.key, chain.steps[level]);
    let mut times = Vec::with_capacity(rows.list.len());
    let mut turned = None;
    rows.list.retain(|row| {
        let (tick, lane) = tick_and_lane(row.number);
        // Rows come tick by tick.
        let turn = match turned {
            Some((known, turn)) if known == tick => turn,
            _ => follow_up::turn(key, tick),
        };
        turned = Some((tick, turn));
        let class = class_of(turn, lane, chain.plan.lanes);
        let time = time_us(&chain.steps[level..], class, row, &window_us);
        times.extend(time);
        time.is_some()
    });
    let next = &mut scratch.next;
    next.clear(rows.levels + 1);
    let mut add = |row: &Row, time_us: u64, count: u32| {
        let above = low(next.above.len() as u64);
        next.above.push(Above { time_us: row.time_us, child: row.child });
        next.above.extend_from_slice(rows.above(row));
        for child in 0..count.min(follow_up.count_max) {
            let child = row.child * follow_up.count_max + child;
            next.list.push(Row { time_us, number: row.number, child, above, ordinal: 0 });
        }
    };
    let Some(gate) = &follow_up.gate else {
        for (row, &time_us) in rows.list.iter().zip(&times) {
            add(row, time_us, 1);
        }
        std::mem::swap(rows, next);
        return;
    };
    // Columns of one gate are of no use to the next, but the room is.
    if scratch.frame.columns() < usize::from(gate.program.columns) {
        scratch.frame = Frame::new(usize::from(gate.program.columns), CHUNK_ROWS);
    }
    scratch.eras.clear();
    let chunks = rows.list.chunks(CHUNK_ROWS).zip(times.chunks(CHUNK_ROWS));
    for (chunk, times) in chunks {
        let (frame, eras) = (&mut scratch.frame, &mut scratch.eras);
        fill_inputs(frame, (rows, chunk, None), (eras, Some(chain.traffic)), chain.plan.start_us);
        cpu::run(&gate.program, frame, Context { eras: &scratch.eras.list });
        for (place, (row, &time_us)) in chunk.iter().zip(times).enumerate() {
            add(row, time_us, followers(gate, &scratch.frame, place));
        }
    }
    std::mem::swap(rows, next);
}

/// By how many events a row of a gate is followed.
fn followers(gate: &Gate, frame: &Frame, row: usize) -> u32 {
    if gate.keep.is_some_and(|keep| frame.column(keep)[row] == 0) {
        return 0;
    }
    match gate.count {
        Integer::Constant(count) => u32::try_from(count).unwrap_or(0),
        Integer::Unsigned(register) | Integer::Signed(register) => frame.column(register)[row],
        Integer::Wide(wide) | Integer::Offset { value: wide, .. } => frame.column(wide.low)[row],
    }
}
