//! Kernels on walks: where they are, how far that is, and the value.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "words are cut out of longer ones"
)]

use super::access::{load, store};
use crate::generate::column::{CHUNK_ROWS, Frame, Window};
use crate::generate::philox;
use crate::plan::program::{Operand, Operation, Register, Target, Wide};
use crate::plan::walk::{END, Extreme, Factor, NODE_BITS, Walk};

/// Operations on walks.
#[inline(always)]
pub(super) fn step(operation: &Operation, frame: &mut Frame) {
    match operation {
        Operation::Walk { walk, member, generation, time_us, out } => {
            position(walk, frame, (*member, *generation), *time_us, *out);
        }
        Operation::Trend { trend, position, time_us, volatility, drift, out } => {
            let rows = frame.rows();
            let mut values = load(frame, Operand::Wide(*position));
            let times = load(frame, *time_us);
            let (volatilities, drifts) = (load(frame, *volatility), load(frame, *drift));
            for row in 0..rows {
                let steps = trend.steps(times[row]);
                values[row] = trend.value(values[row], steps, volatilities[row], drifts[row]);
            }
            store(frame, Target::Wide(*out), &values);
        }
        Operation::Extreme { trend, ends, times_us, volatility, surprise, highest, out } => {
            let rows = frame.rows();
            let [mut values, others] = ends.map(|end| load(frame, Operand::Wide(end)));
            let times = times_us.map(|time_us| load(frame, time_us));
            let volatilities = load(frame, *volatility);
            let surprises = frame.column(*surprise);
            for row in 0..rows {
                let steps = trend.steps(times[1][row]) - trend.steps(times[0][row]);
                let extreme = Extreme { highest: *highest, surprise: surprises[row] };
                let ends = [values[row], others[row]];
                values[row] = trend.extreme(ends, steps.max(0), volatilities[row], extreme);
            }
            store(frame, Target::Wide(*out), &values);
        }
        Operation::Exponential { table, start, trend, out } => {
            let rows = frame.rows();
            let mut values = load(frame, *start);
            let trends = load(frame, Operand::Wide(*trend));
            for (value, &trend) in values[..rows].iter_mut().zip(&trends[..rows]) {
                *value = table.value(*value, trend);
            }
            store(frame, *out, &values);
        }
        _ => unreachable!("the other operations have kernels of their own"),
    }
}

/// Members with the steps asked for, and the intervals that these lie in.
struct Descent {
    members: [u32; CHUNK_ROWS],
    /// Of the members' counters, shifted into place.
    generations: [u32; CHUNK_ROWS],
    steps: [u64; CHUNK_ROWS],
    ends: [[i64; CHUNK_ROWS]; 2],
    rows: usize,
}

impl Descent {
    fn new(rows: usize) -> Self {
        Self {
            members: [0; CHUNK_ROWS],
            generations: [0; CHUNK_ROWS],
            steps: [0; CHUNK_ROWS],
            ends: [[0; CHUNK_ROWS]; 2],
            rows,
        }
    }
}

/// Where members' walks are.
#[inline(always)]
fn position(
    walk: &Walk,
    frame: &mut Frame,
    (member, generation): (Register, Option<Register>),
    time_us: Operand,
    out: Wide,
) {
    let rows = frame.rows();
    let mut asked = Descent::new(rows);
    asked.members[..rows].copy_from_slice(frame.column(member));
    if let Some(generation) = generation {
        let generations = asked.generations.iter_mut().zip(frame.column(generation));
        generations.for_each(|(shifted, &it)| *shifted = it << NODE_BITS);
    }
    let times = load(frame, time_us);
    let last = (1 << walk.levels) - 1;
    for (step, time_us) in asked.steps.iter_mut().zip(&times[..rows]) {
        *step = (time_us.max(&0).unsigned_abs() / walk.step_us).min(last);
    }
    let window_levels = walk.window_levels();
    if window_levels < walk.levels {
        let windows = frame.windows_mut(walk.number);
        enter(walk, &mut asked, windows, window_levels);
    } else {
        whole(walk, &mut asked);
    }
    descend(walk, &mut asked, window_levels, 0);
    store(frame, Target::Wide(out), &asked.ends[0]);
}

/// The ends of the windows: those that are remembered, and the others by a descent of their own.
#[inline(always)]
fn enter(walk: &Walk, asked: &mut Descent, windows: &mut [Window], window_levels: u32) {
    // Neighbours in number do not get in each other's way, nor do a member's windows.
    const STRIDE: u64 = 0x9E37_79B9;
    let mask = windows.len() - 1;
    // A window of a member of one generation: no step has more than 44 bits.
    let number = |generation: u32, step: u64| u64::from(generation) << 32 | step >> window_levels;
    let place = |member: u32, window: u64| {
        u64::from(member).wrapping_add(window.wrapping_mul(STRIDE)) as usize & mask
    };
    let mut missing = Descent::new(0);
    let mut rows = [0_u16; CHUNK_ROWS];
    for row in 0..asked.rows {
        let (member, step) = (asked.members[row], asked.steps[row]);
        let number = number(asked.generations[row], step);
        let known = &windows[place(member, number)];
        if known.member == member && known.number == number {
            [asked.ends[0][row], asked.ends[1][row]] = known.ends;
        } else {
            missing.members[missing.rows] = member;
            missing.generations[missing.rows] = asked.generations[row];
            missing.steps[missing.rows] = step;
            rows[missing.rows] = row as u16;
            missing.rows += 1;
        }
    }
    if missing.rows == 0 {
        return;
    }
    whole(walk, &mut missing);
    descend(walk, &mut missing, walk.levels, window_levels);
    for (index, &row) in rows[..missing.rows].iter().enumerate() {
        let row = usize::from(row);
        let member = asked.members[row];
        let number = number(asked.generations[row], asked.steps[row]);
        let ends = [missing.ends[0][index], missing.ends[1][index]];
        [asked.ends[0][row], asked.ends[1][row]] = ends;
        windows[place(member, number)] = Window { member, number, ends };
    }
}

/// The ends of the whole walk.
#[inline(always)]
fn whole(walk: &Walk, asked: &mut Descent) {
    let rows = asked.rows;
    let zeros = [0; CHUNK_ROWS];
    let mut words = [[0; CHUNK_ROWS]; 4];
    let counter = [&asked.members[..rows], &zeros, &asked.generations];
    random(walk.key, counter, [0, END], &mut words);
    asked.ends[0][..rows].fill(0);
    for (end, &word) in asked.ends[1][..rows].iter_mut().zip(&words[0]) {
        *end = spread(walk.deviates.value(word), walk.end);
    }
}

/// Halves intervals of 2^from steps until they have 2^to.
#[inline(always)]
fn descend(walk: &Walk, asked: &mut Descent, from: u32, to: u32) {
    let rows = asked.rows;
    let mut nodes = [[0; CHUNK_ROWS]; 2];
    let mut words = [[0; CHUNK_ROWS]; 4];
    for level in (to + 2..=from).rev().step_by(2) {
        let [low, high] = &mut nodes;
        let counters = low.iter_mut().zip(high).zip(asked.steps.iter().zip(&asked.generations));
        for ((low, high), (&step, &generation)) in counters.take(rows) {
            let node = step >> level;
            *low = node as u32;
            *high = ((node >> 32) as u32).wrapping_add(generation);
        }
        let counter = [&asked.members[..rows], &nodes[0], &nodes[1]];
        random(walk.key, counter, [0, level], &mut words);
        let (upper, lower) = (walk.bridges[level as usize - 1], walk.bridges[level as usize - 2]);
        let [first, second] = &mut asked.ends;
        let ends = first.iter_mut().zip(second).zip(&asked.steps).take(rows);
        let drawn = words[0].iter().zip(&words[1]).zip(&words[2]);
        for (((a, b), &step), ((&middle, &left), &right)) in ends.zip(drawn) {
            let half = step >> (level - 1) & 1 == 1;
            let mid = pull(*a + *b, upper.pull) + spread(walk.deviates.value(middle), upper.spread);
            (*a, *b) = if half { (mid, *b) } else { (*a, mid) };
            let quarter = step >> (level - 2) & 1 == 1;
            let word = if half { right } else { left };
            let mid = pull(*a + *b, lower.pull) + spread(walk.deviates.value(word), lower.spread);
            (*a, *b) = if quarter { (mid, *b) } else { (*a, mid) };
        }
    }
}

/// ⌊sum·pull / 2^32⌋, by halves: the product has up to 78 bits.
#[inline(always)]
fn pull(sum: i64, pull: u32) -> i64 {
    let pull = i64::from(pull);
    (sum >> 32) * pull + ((((sum & 0xFFFF_FFFF) as u64 * pull as u64) >> 32) as i64)
}

/// ⌊deviate·mantissa / 2^shift⌋; the product has up to 59 bits.
#[inline(always)]
fn spread(deviate: i64, factor: Factor) -> i64 {
    (deviate * i64::from(factor.mantissa)) >> factor.shift
}

#[inline(always)]
fn random(
    key: [u32; 2],
    [low, high, index]: [&[u32]; 3],
    constants: [u32; 2],
    words: &mut [[u32; CHUNK_ROWS]; 4],
) {
    let rows = low.len();
    let [a, b, c, d] = words;
    let out = [&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]];
    philox::columns(key, [low, &high[..rows], &index[..rows]], constants, out);
}
