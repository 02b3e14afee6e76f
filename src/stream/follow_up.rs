//! The rows of a stream that follows another: found from its root's ticks, step by step.

use std::ops::Range;
use std::sync::Arc;

use super::rows::{Above, Eras, Row, Rows, fill_inputs, low};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::cpu::{self, Context};
use crate::plan::arrival::{self, Place, position, tick_and_lane};
use crate::plan::compile::Gate;
use crate::plan::fill::Integer;
use crate::plan::follow_up::{self, CLASSES, FollowUp, LEVELS_MAX, class_of};
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
    /// When each row is followed, step by step.
    times: Vec<[u64; LEVELS_MAX]>,
    next_times: Vec<[u64; LEVELS_MAX]>,
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
    (scratch, rows): (&mut Scratch, &mut Rows),
) {
    rows.clear(0);
    let Some(chain) = Chain::new(plan, follow_up) else { return };
    let tick_us = plan.tick.length_us().unsigned_abs();
    ticks_above(&chain, ticks, &mut scratch.ticks);
    roots(&chain, &scratch.ticks, own, rows);
    let mut steps = chain.steps.as_slice();
    while !steps.is_empty() {
        // Up to a step of one to many it is known who follows, and when, before any gate is asked.
        let alone = steps.iter().take_while(|step| step.count_max == 1).count();
        let (now, later) = steps.split_at((alone + 1).min(steps.len()));
        let begin_us = if later.is_empty() { ticks.start * tick_us } else { 0 };
        follow(&chain, now, begin_us..ticks.end * tick_us, scratch, rows);
        steps = later;
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
            let Some(mean) = segment.mean(lane) else { continue };
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

/// Replaces rows by those that follow them, step by step, at times in `window_us` after the last.
///
/// Only the last step can be one to many.
fn follow(
    chain: &Chain<'_>,
    steps: &[&FollowUp],
    window_us: Range<u64>,
    scratch: &mut Scratch,
    rows: &mut Rows,
) {
    let key = chain.root.key;
    let times = &mut scratch.times;
    times.clear();
    let mut turned = None;
    rows.list.retain(|row| {
        let mut draws = [[0; 2]; LEVELS_MAX];
        for (draw, step) in draws.iter_mut().zip(steps) {
            match step.step.draw(row.number, row.child) {
                Some(drawn) => *draw = drawn,
                None => return false,
            }
        }
        let (tick, lane) = tick_and_lane(row.number);
        // Rows come tick by tick.
        let turn = match turned {
            Some((known, turn)) if known == tick => turn,
            _ => follow_up::turn(key, tick),
        };
        turned = Some((tick, turn));
        let class = class_of(turn, lane, chain.plan.lanes);
        let (mut row_times, mut at_us) = ([0; LEVELS_MAX], row.time_us);
        for ((time, draw), step) in row_times.iter_mut().zip(draws).zip(steps) {
            at_us = step.step.time_us(class, draw, at_us);
            *time = at_us;
        }
        let is_inside = window_us.contains(&at_us);
        if is_inside {
            times.push(row_times);
        }
        is_inside
    });
    for (place, step) in steps.iter().enumerate() {
        pass(chain, (step, place), scratch, rows);
    }
}

/// Replaces rows by those that follow them in one step, if its gate is open; their times are the ones
/// at `place`.
fn pass(
    chain: &Chain<'_>,
    (follow_up, place): (&FollowUp, usize),
    scratch: &mut Scratch,
    rows: &mut Rows,
) {
    let Scratch { frame, eras, next, times, next_times, .. } = scratch;
    next.clear(rows.levels + 1);
    next_times.clear();
    let mut add = |row: &Row, times: &[u64; LEVELS_MAX], count: u32| {
        let above = low(next.above.len() as u64);
        next.above.push(Above { time_us: row.time_us, child: row.child });
        next.above.extend_from_slice(rows.above(row));
        for child in 0..count.min(follow_up.count_max) {
            let child = row.child * follow_up.count_max + child;
            let (time_us, number) = (times[place], row.number);
            next.list.push(Row { time_us, number, child, above, ordinal: 0 });
            next_times.push(*times);
        }
    };
    if let Some(gate) = &follow_up.gate {
        // Columns of one gate are of no use to the next, but the room is.
        if frame.columns() < usize::from(gate.program.columns) {
            *frame = Frame::new(usize::from(gate.program.columns), CHUNK_ROWS);
        }
        frame.forget();
        eras.clear();
        let chunks = rows.list.chunks(CHUNK_ROWS).zip(times.chunks(CHUNK_ROWS));
        for (chunk, times) in chunks {
            let known = (&mut *eras, Some(chain.traffic));
            fill_inputs(frame, (rows, chunk, None), known, chain.plan.start_us);
            cpu::run(&gate.program, frame, Context { eras: &eras.list });
            for (place, (row, times)) in chunk.iter().zip(times).enumerate() {
                let count = followers(gate, frame, place);
                if count > 0 {
                    add(row, times, count);
                }
            }
        }
    } else {
        for (row, times) in rows.list.iter().zip(times.iter()) {
            add(row, times, 1);
        }
    }
    std::mem::swap(rows, next);
    std::mem::swap(times, next_times);
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
