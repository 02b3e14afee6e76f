//! The rows of a stream that follows another: found from its root's ticks, step by step.
//!
//! Most events of a root are not followed by those of a rare stream. So what is cheap is asked of all
//! of them first: a draw, then what hangs on which event it is alone. Only those that are left are
//! given their times, and what hangs on these is asked.

mod filter;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use self::filter::{Passing, advance, drawn, filter};
use super::rows::{Eras, Row, Rows};
use crate::generate::column::Frame;
use crate::generate::cpu;
use crate::generate::philox::Many;
use crate::plan::arrival::{self, Arrivals, position, tick_and_lane};
use crate::plan::follow_up::{self, CLASSES, FollowUp, LEVELS_MAX, Windows, class_of};
use crate::plan::traffic::{Segment, Traffic};
use crate::plan::{Origin, Plan, StreamPlan};

/// Room that is kept between batches.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    frame: Frame,
    eras: Eras,
    many: Many,
    /// Ticks of the root, with the class that is looked for in each.
    ticks: Vec<(u64, u32)>,
    places: Vec<Place>,
    next: Rows,
    /// When each row is followed, step by step.
    times: Vec<[u64; LEVELS_MAX]>,
    next_times: Vec<[u64; LEVELS_MAX]>,
}

/// A tick and lane of the root.
#[derive(Clone, Copy, Debug)]
struct Place {
    tick: u64,
    lane: u32,
    /// Which of the segments it lies in; then how many events it has.
    count: u32,
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
                Origin::Root(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => {
                    None
                }
            })
            .collect();
        steps.push(follow_up);
        Some(Self { plan, root, traffic, steps })
    }

    fn tick_us(&self) -> u64 {
        self.plan.tick.length_us().unsigned_abs()
    }
}

/// Steps that are taken together; only the last can be one to many.
struct Taken<'a> {
    steps: &'a [&'a FollowUp],
    windows: &'a mut [Windows],
    /// When what follows last must come.
    window_us: Range<u64>,
    /// Whether the rows are the root's, whose times nobody has worked out.
    of_root: bool,
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
    let tick_us = chain.tick_us();
    let mut windows: Vec<Windows> = chain.steps.iter().map(|_| Windows::default()).collect();
    ticks_above(&chain, ticks, &mut windows, &mut scratch.ticks);
    roots(&chain, own, scratch, rows);
    let mut steps = chain.steps.as_slice();
    let mut windows = windows.as_mut_slice();
    while !steps.is_empty() {
        // Up to a step of one to many it is known who follows, and when, before any gate is asked.
        let alone = steps.iter().take_while(|step| step.count_max == 1).count();
        let (now, later) = steps.split_at((alone + 1).min(steps.len()));
        // The last of several may come in time where the first comes too early.
        let spread_us = now.last().map_or(0, |step| step.spread_us());
        let begin_us = if later.is_empty() { ticks.start * tick_us } else { 0 };
        let begin_us = begin_us.saturating_sub(spread_us);
        let (windows_now, windows_later) = windows.split_at_mut(now.len());
        let taken = Taken {
            of_root: steps.len() == chain.steps.len(),
            steps: now,
            windows: windows_now,
            window_us: begin_us..ticks.end * tick_us,
        };
        follow(&chain, taken, scratch, rows);
        (steps, windows) = (later, windows_later);
    }
    if follow_up.apart_us > 0 {
        let window_us = ticks.start * tick_us..ticks.end * tick_us;
        rows.list.retain(|row| window_us.contains(&row.time_us));
    }
    rows.list.sort_unstable();
}

/// The ticks of the root that can lead to events in some ticks, with the class that can.
fn ticks_above(
    chain: &Chain<'_>,
    wanted: &Range<u64>,
    windows: &mut [Windows],
    ticks: &mut Vec<(u64, u32)>,
) {
    ticks.clear();
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for class in 0..CLASSES {
        below.clear();
        below.push(wanted.clone());
        for (step, windows) in chain.steps.iter().zip(&mut *windows).rev() {
            above.clear();
            if step.apart_us > 0 {
                step.first_ticks(&mut below);
            }
            step.step.ticks_above((class, windows), &below, &mut above);
            std::mem::swap(&mut below, &mut above);
        }
        ticks.extend(below.iter().cloned().flatten().map(|tick| (tick, class)));
    }
}

/// The root's events in these ticks of these classes; their times are not worked out, and `above` is
/// the place that each is in.
fn roots(chain: &Chain<'_>, own: &dyn Fn(u32) -> bool, scratch: &mut Scratch, rows: &mut Rows) {
    let (plan, key) = (chain.plan, chain.root.key);
    let tick_us = chain.tick_us();
    let Scratch { many, ticks, places, .. } = scratch;
    places.clear();
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    // Classes look back by different times, but again and again at the same few slots.
    let mut known: BTreeMap<i64, u32> = BTreeMap::new();
    let mut last = None;
    for ticks in ticks.chunks(Many::ROWS) {
        follow_up::turns(key, ticks.iter().map(|(tick, _)| *tick), many);
        for (row, &(tick, class)) in ticks.iter().enumerate() {
            let slot = cpu::slot_of(plan.start_us.saturating_add_unsigned(tick * tick_us));
            let count = match last {
                Some((known, number)) if known == slot => number,
                _ => *known.entry(slot).or_insert_with(|| {
                    segments.push(chain.traffic.segment(slot));
                    u32::try_from(segments.len() - 1).unwrap_or(u32::MAX)
                }),
            };
            last = Some((slot, count));
            let lanes = follow_up::lanes_of(class, many.words(row)[0], plan.lanes);
            let lanes = lanes.filter(|&lane| own(lane));
            places.extend(lanes.map(|lane| Place { tick, lane, count }));
        }
    }
    if !chain.traffic.is_plain() {
        return thinned_roots(chain, places, &segments, rows);
    }
    for (chunk, places) in places.chunks_mut(Many::ROWS).enumerate() {
        let counters = places.iter().map(|place| arrival::count_counter(place.tick, place.lane));
        many.draw(key, counters, 0);
        for (row, place) in places.iter_mut().enumerate() {
            let Place { tick, lane, count: segment } = *place;
            // Nobody is active in the lanes beyond.
            let mean = segments[segment as usize].mean(lane);
            place.count = mean.map_or(0, |mean| arrival::count_of(mean, many.words(row)));
            let above = u32::try_from(chunk * Many::ROWS + row).unwrap_or(u32::MAX);
            rows.list.extend((0..place.count).map(|index| {
                let number = position(tick, lane, index);
                Row { time_us: 0, number, child: 0, above, ordinal: 0 }
            }));
        }
    }
}

/// The same where not every event comes that could: then each one's time is known as well.
fn thinned_roots(chain: &Chain<'_>, places: &[Place], segments: &[Arc<Segment>], rows: &mut Rows) {
    let tick_us = chain.tick_us();
    // The lanes of a tick's class come one after the other.
    for places in places.chunk_by(|one, other| (one.tick, one.count) == (other.tick, other.count)) {
        let Place { tick, count: segment, .. } = places[0];
        let mut lanes: Vec<u32> = places.iter().map(|place| place.lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let segment = &segments[segment as usize];
        Arrivals::new(chain.traffic, segment, tick).each(&lanes, &mut |_, arrival| {
            let time_us = tick * tick_us + u64::from(arrival.at_us);
            let number = arrival.number;
            rows.list.push(Row { time_us, number, child: 0, above: 0, ordinal: 0 });
        });
    }
}

/// Replaces rows by those that follow them, step by step.
fn follow(chain: &Chain<'_>, mut taken: Taken<'_>, scratch: &mut Scratch, rows: &mut Rows) {
    drawn(chain, taken.steps, &mut scratch.many, rows);
    let mut conditions: Vec<Passing<'_>> = Passing::of(taken.steps).collect();
    conditions.sort_by_key(|passing| (passing.condition.timed, passing.condition.cost));
    let untimed = conditions.partition_point(|passing| !passing.condition.timed);
    scratch.eras.clear(&chain.plan.scenarios);
    scratch.times.clear();
    for passing in &conditions[..untimed] {
        filter(chain, passing, scratch, rows);
    }
    if taken.of_root && chain.traffic.is_plain() {
        root_times(chain, &scratch.places, rows);
    }
    times(chain, &mut taken, scratch, rows);
    for passing in &conditions[untimed..] {
        filter(chain, passing, scratch, rows);
    }
    for (place, step) in taken.steps.iter().enumerate() {
        advance(chain, (step, place), scratch, rows);
    }
}

/// When the rows come, which are events of the root in some places, one place after the other.
fn root_times(chain: &Chain<'_>, places: &[Place], rows: &mut Rows) {
    let (key, tick_us) = (chain.root.key, chain.tick_us());
    let mut list = rows.list.iter_mut().peekable();
    while let Some(row) = list.peek() {
        let of = row.above;
        let Place { tick, lane, count } = places[of as usize];
        let place = arrival::Place { key, tick, lane, tick_us };
        arrival::times(place, count, &mut |index, at_us| {
            let number = position(tick, lane, index);
            if let Some(row) = list.next_if(|row| row.above == of && row.number == number) {
                row.time_us = tick * tick_us + u64::from(at_us);
                row.above = 0;
            }
        });
    }
}

/// The tick that the root of a row comes in.
fn root_tick(chain: &Chain<'_>, rows: &Rows, row: &Row) -> u64 {
    if !chain.traffic.shape.defers {
        return tick_and_lane(row.number).0;
    }
    // It may have been due in another.
    let root = rows.at(row, rows.levels);
    root.time_us / chain.tick_us()
}

/// When rows are followed, step by step; those whose last time is not asked for go.
fn times(chain: &Chain<'_>, taken: &mut Taken<'_>, scratch: &mut Scratch, rows: &mut Rows) {
    let Scratch { many, times, .. } = scratch;
    let (key, lanes) = (chain.root.key, chain.plan.lanes);
    times.resize(rows.list.len(), [0; LEVELS_MAX]);
    let mut classes = [0; Many::ROWS];
    for (chunk, times) in rows.list.chunks(Many::ROWS).zip(times.chunks_mut(Many::ROWS)) {
        follow_up::turns(key, chunk.iter().map(|row| root_tick(chain, rows, row)), many);
        let rows = chunk;
        for (place, row) in rows.iter().enumerate() {
            let lane = tick_and_lane(row.number).1;
            classes[place] = class_of(many.words(place)[0], lane, lanes);
        }
        let steps = taken.steps.iter().zip(&mut *taken.windows);
        for (step, (follow_up, windows)) in steps.enumerate() {
            let events = rows.iter().map(|row| (row.number, row.child));
            follow_up.step.draw_many(events, many);
            for (place, (row, times)) in rows.iter().zip(&mut *times).enumerate() {
                let [_, draw @ .., _] = many.words(place);
                let at_us = step.checked_sub(1).map_or(row.time_us, |before| times[before]);
                times[step] = follow_up.step.time_us((classes[place], windows), draw, at_us);
            }
        }
    }
    let last = taken.steps.len() - 1;
    let mut kept = 0;
    for place in 0..times.len() {
        (rows.list[kept], times[kept]) = (rows.list[place], times[place]);
        kept += usize::from(taken.window_us.contains(&times[place][last]));
    }
    rows.list.truncate(kept);
    times.truncate(kept);
}
