//! Which rows are followed, by their draws and what gates ask of them.

use super::{Chain, Scratch, root_tick};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::cpu::{self, Context};
use crate::generate::philox::Many;
use crate::plan::compile::{Condition, Count};
use crate::plan::fill::Integer;
use crate::plan::follow_up::{FollowUp, LEVELS_MAX};
use crate::plan::program::Program;
use crate::stream::rows::{
    Above, Row, Rows, fill_children, fill_inputs, fill_levels, fill_numbers, low,
};

/// A condition of one of some steps.
pub(super) struct Passing<'a> {
    /// The place of the step.
    step: usize,
    pub(super) condition: &'a Condition,
}

impl<'a> Passing<'a> {
    /// The conditions of some steps.
    pub(super) fn of(steps: &'a [&'a FollowUp]) -> impl Iterator<Item = Self> {
        let gates = steps.iter().map(|step| &step.gate).enumerate();
        let conditions = gates.flat_map(|(step, gate)| {
            gate.iter().flat_map(|gate| &gate.conditions).map(move |condition| (step, condition))
        });
        conditions.map(|(step, condition)| Self { step, condition })
    }
}

/// Keeps the rows that the draws of some steps let follow, the rarest first.
pub(super) fn drawn(chain: &Chain<'_>, steps: &[&FollowUp], many: &mut Many, rows: &mut Rows) {
    let mut steps = steps.to_vec();
    steps.sort_by_key(|follow_up| follow_up.step.probability());
    for follow_up in steps.into_iter().filter(|it| it.is_phased() || it.step.is_rare()) {
        let mut kept = 0;
        let mut share = (None, follow_up.step.probability());
        for begin in (0..rows.list.len()).step_by(Many::ROWS) {
            let end = (begin + Many::ROWS).min(rows.list.len());
            let events = rows.list[begin..end].iter().map(|row| (row.number, row.child));
            follow_up.step.draw_many(events, many);
            for row in begin..end {
                if follow_up.is_phased() {
                    let tick = root_tick(chain, rows, &rows.list[row]);
                    if share.0 != Some(tick) {
                        share = (Some(tick), follow_up.share_at(tick));
                    }
                }
                rows.list[kept] = rows.list[row];
                kept += usize::from(u64::from(many.words(row - begin)[0]) < share.1);
            }
        }
        rows.list.truncate(kept);
    }
}

/// Keeps the rows for which a condition holds, with their times if it depends on them: before that
/// there are none.
///
/// The step of the condition follows the rows directly, or others that follow them one by one at the
/// times before its own.
pub(super) fn filter(
    chain: &Chain<'_>,
    Passing { step, condition }: &Passing<'_>,
    scratch: &mut Scratch,
    rows: &mut Rows,
) {
    let Scratch { frame, eras, times, .. } = scratch;
    make_room(frame, &condition.program);
    let levels = rows.levels + step;
    let mut kept = 0;
    for begin in (0..rows.list.len()).step_by(CHUNK_ROWS) {
        let end = (begin + CHUNK_ROWS).min(rows.list.len());
        let chunk = &rows.list[begin..end];
        fill_numbers(frame, chunk);
        let at = |place: usize, row: &Row, level: usize| match step.checked_sub(level + 1) {
            Some(before) => {
                let time_us = times.get(begin + place).map_or(0, |times| times[before]);
                Above { time_us, child: row.child }
            }
            None => rows.at(row, level - step),
        };
        if condition.timed {
            let known = (&mut *eras, Some(chain.traffic));
            fill_levels(frame, (chunk, levels, &at), known, chain.plan.start_us);
        } else {
            fill_children(frame, (chunk, levels, &at));
        }
        cpu::run(&condition.program, frame, Context { eras: &eras.list });
        let keep = frame.column(condition.keep);
        for (row, &keep) in (begin..end).zip(keep) {
            rows.list[kept] = rows.list[row];
            if condition.timed {
                times[kept] = times[row];
            }
            kept += usize::from(keep != 0);
        }
    }
    rows.list.truncate(kept);
    times.truncate(kept);
}

/// Replaces rows by those that follow them in one step, as many as its gate counts; their times are
/// the ones at `place`.
pub(super) fn advance(
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
        for which in 0..count.min(follow_up.count_max) {
            let child = row.child * follow_up.count_max + which;
            let time_us = times[place] + u64::from(which) * follow_up.apart_us;
            let number = row.number;
            next.list.push(Row { time_us, number, child, above, ordinal: 0 });
            next_times.push(*times);
        }
    };
    if let Some(count) = follow_up.gate.as_ref().and_then(|gate| gate.count.as_ref()) {
        make_room(frame, &count.program);
        let chunks = rows.list.chunks(CHUNK_ROWS).zip(times.chunks(CHUNK_ROWS));
        for (chunk, times) in chunks {
            let known = (&mut *eras, Some(chain.traffic));
            fill_inputs(frame, (rows, chunk, None), known, chain.plan.start_us);
            cpu::run(&count.program, frame, Context { eras: &eras.list });
            for (place, (row, times)) in chunk.iter().zip(times).enumerate() {
                let count = followers(count, frame, place);
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

/// Columns of one program are of no use to the next, but the room is.
fn make_room(frame: &mut Frame, program: &Program) {
    if frame.columns() < usize::from(program.columns) {
        *frame = Frame::new(usize::from(program.columns), CHUNK_ROWS);
    }
    frame.forget();
}

/// By how many events a row of a count is followed.
fn followers(count: &Count, frame: &Frame, row: usize) -> u32 {
    match count.value {
        Integer::Constant(count) => u32::try_from(count).unwrap_or(0),
        Integer::Unsigned(register) | Integer::Signed(register) => frame.column(register)[row],
        Integer::Wide(wide) | Integer::Offset { value: wide, .. } => frame.column(wide.low)[row],
    }
}
