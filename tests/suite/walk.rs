//! Walks: what a kernel reads is what is written down, and it has the law of a random walk.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "moderate numbers become whole"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidegate::generate::column::{CHUNK_ROWS, Frame};
use tidegate::generate::cpu::{self, Context};
use tidegate::generate::philox::philox;
use tidegate::plan::normal;
use tidegate::plan::program::{Operand, Operation, Program, Register, Wide, input};
use tidegate::plan::walk::{END, Extreme, Factor, NODE_BITS, Pace, Trend, Walk};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::Options;

use crate::members::{read, rows};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// One standard deviation of a step.
const UNIT: f64 = 1_048_576.0;

/// Who is asked for, of which generation, and when.
type Asked = (u32, u32, i64);

/// The positions of walks, by one worker's kernel.
fn positions(walk: &Arc<Walk>, asked: &[Asked]) -> Vec<i64> {
    let [member, generation] = [7, 8].map(Register);
    let out = Wide { high: Register(9), low: Register(10) };
    let time_us = Operand::Wide(input::time(0));
    let generation_of = Some(generation);
    let walk = Arc::clone(walk);
    let operation = Operation::Walk { walk, member, generation: generation_of, time_us, out };
    let program = Program { operations: vec![operation], columns: 11, ..Program::default() };
    let mut frame = Frame::new(11, CHUNK_ROWS);
    let mut found = Vec::new();
    for asked in asked.chunks(CHUNK_ROWS) {
        frame.set_rows(asked.len());
        for (row, &(number, born, time_us)) in asked.iter().enumerate() {
            frame.column_mut(member)[row] = number;
            frame.column_mut(generation)[row] = born;
            let time_us = time_us.cast_unsigned();
            frame.column_mut(input::time(0).high)[row] = u32::try_from(time_us >> 32).unwrap();
            frame.column_mut(input::time(0).low)[row] =
                u32::try_from(time_us & 0xFFFF_FFFF).unwrap();
        }
        cpu::run(&program, &mut frame, Context { eras: &[] });
        let words = frame.column(out.high).iter().zip(frame.column(out.low));
        found.extend(
            words.map(|(&high, &low)| (u64::from(high) << 32 | u64::from(low)).cast_signed()),
        );
    }
    found
}

/// A position as the specification has it, one halving after the other.
fn specified(walk: &Walk, (member, generation, time_us): Asked) -> i64 {
    let step = time_us.cast_unsigned() / walk.step_us;
    let born = generation << NODE_BITS;
    let low = |number: u64| u32::try_from(number & 0xFFFF_FFFF).unwrap();
    let times = |word: u32, factor: Factor| factor.times(walk.deviates.value(word).into());
    let (mut a, mut b) = (0, times(philox(walk.key, [member, 0, born, END])[0], walk.end));
    for level in (1..=walk.levels).rev() {
        let bridge = walk.bridges[level as usize - 1];
        let pair = level.next_multiple_of(2);
        let node = step >> pair;
        let words = philox(walk.key, [member, low(node), low(node >> 32).wrapping_add(born), pair]);
        let word = if level == pair { 0 } else { 1 + (step >> level & 1) };
        let middle = (((a + b) * i128::from(bridge.pull)) >> 32)
            + times(words[usize::try_from(word).unwrap()], bridge.spread);
        if step >> (level - 1) & 1 == 1 { a = middle } else { b = middle }
    }
    i64::try_from(a).unwrap()
}

fn walk_of(step_us: i64, revert_us: Option<f64>) -> Arc<Walk> {
    Arc::new(Walk::new([17, 4], 0, step_us.cast_unsigned(), revert_us))
}

/// Words that look random, for choosing what to look at.
fn words(count: u32) -> impl Iterator<Item = [u32; 4]> {
    (0..count).map(|index| philox([9, 9], [index, 0, 0, 0]))
}

#[test]
fn what_is_read_is_what_is_specified_in_any_order_and_through_what_is_remembered() {
    for walk in [
        walk_of(SECOND_US, None),
        walk_of(1_000, None),
        walk_of(DAY_US, None),
        walk_of(SECOND_US, Some(90.0 * DAY_US as f64)),
        walk_of(1_000, Some(7_000.0)),
    ] {
        let last_us = 290 * 365 * DAY_US;
        let mut asked: Vec<Asked> = words(1_500)
            .map(|[member, generation, near, far]| {
                // Some near each other, so that windows are met again; some anywhere.
                let time_us = if near % 3 == 0 {
                    i64::from(far) * (last_us >> 32)
                } else {
                    600 * DAY_US + i64::from(far % 5_000_000) * 1_000
                };
                (member % 40 * 104_729, generation % 3, time_us)
            })
            .collect();
        asked.push((0, 0, 0));
        asked.push((u32::MAX, 1 << 20, last_us));
        let wanted: Vec<i64> = asked.iter().map(|it| specified(&walk, *it)).collect();
        assert_eq!(positions(&walk, &asked), wanted);
        asked.reverse();
        let mut back = positions(&walk, &asked);
        back.reverse();
        assert_eq!(back, wanted);
        assert_eq!(wanted[wanted.len() - 2], 0, "a walk begins at 0");
    }
}

/// The increments of so many members' walks from one step to another, in standard deviations.
fn increments(walk: &Arc<Walk>, members: u32, from: i64, to: i64) -> Vec<f64> {
    let asked: Vec<Asked> =
        (0..members).flat_map(|it| [from, to].map(|step| (it, 0, step * SECOND_US))).collect();
    let found = positions(walk, &asked);
    let deviation = ((to - from) as f64).sqrt() * UNIT;
    found.chunks(2).map(|pair| (pair[1] - pair[0]) as f64 / deviation).collect()
}

fn variance(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
}

#[test]
fn the_variance_of_an_increment_is_its_length_from_one_step_to_two_hundred_years() {
    let walk = walk_of(SECOND_US, None);
    let members = 20_000;
    let year = 31_557_600;
    for (from, to) in [
        (0, 1),
        (1_023, 1_024),
        (1_000_000_007, 1_000_000_008),
        (5, 7),
        (777, 792),
        (1_000, 4_600),
        (86_400, 172_800),
        (100_000_000, 100_086_400),
        (3 * year, 4 * year),
        (10 * year, 30 * year),
        (17, 200 * year),
    ] {
        let found = increments(&walk, members, from, to);
        let (mean, variance) = (found.iter().sum::<f64>() / found.len() as f64, variance(&found));
        // Four standard errors of each.
        assert!(mean.abs() < 4.0 / f64::from(members).sqrt(), "{from} to {to}: mean {mean}");
        let error = 4.0 * (2.0 / f64::from(members)).sqrt();
        assert!((variance - 1.0).abs() < error, "{from} to {to}: variance {variance}");
    }
}

/// The greatest distance between the shares of values below and what a law says.
fn kolmogorov(mut values: Vec<f64>, below: impl Fn(f64) -> f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let distance = values.iter().enumerate().map(|(rank, &value)| {
        let share = below(value);
        (share - rank as f64 / count).abs().max((share - (rank + 1) as f64 / count).abs())
    });
    distance.fold(0.0, f64::max)
}

#[test]
fn increments_are_normal_and_do_not_hang_on_each_other() {
    let walk = walk_of(SECOND_US, None);
    let members = 20_000;
    // 1.95 / √n is passed once in 1,000 times.
    let limit = 1.95 / f64::from(members).sqrt();
    for (from, to) in [(12_345, 12_346), (1_000, 87_400), (0, 31_557_600)] {
        let found = increments(&walk, members, from, to);
        let distance = kolmogorov(found, |z| normal::shares(z).0);
        assert!(distance < limit, "{from} to {to}: {distance}");
    }
    let limit = 4.0 / f64::from(members).sqrt();
    for [from, middle, to] in
        [[1_022, 1_024, 1_026], [3, 5, 7], [0, 86_400, 172_800], [511, 512, 900]]
    {
        let first = increments(&walk, members, from, middle);
        let second = increments(&walk, members, middle, to);
        let both: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
        let correlation = both / f64::from(members);
        assert!(correlation.abs() < limit, "{from}, {middle}, {to}: {correlation}");
    }
    // Nor do the walks of neighbours, nor those of one place.
    let of = |member, generation| {
        (0..members).map(move |it| (member, generation, i64::from(it) * DAY_US)).collect::<Vec<_>>()
    };
    let steps = |asked: &[Asked]| {
        let found = positions(&walk, asked);
        found
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / UNIT / 86_400_f64.sqrt())
            .collect::<Vec<_>>()
    };
    let first = steps(&of(7, 0));
    for other in [steps(&of(8, 0)), steps(&of(7, 1))] {
        let both: f64 = first.iter().zip(&other).map(|(a, b)| a * b).sum();
        assert!((both / first.len() as f64).abs() < limit, "{both}");
    }
}

#[test]
fn a_walk_that_reverts_has_the_autocorrelation_of_its_time() {
    let revert_us = 40.0 * DAY_US as f64;
    let walk = walk_of(SECOND_US, Some(revert_us));
    let members = 20_000_u32;
    let rate = SECOND_US as f64 / revert_us;
    let sd = (1.0 / (2.0 * rate)).sqrt() * UNIT;
    let at = |day: f64| -> Vec<f64> {
        let time_us = (day * 86_400.0) as i64 * SECOND_US;
        let asked: Vec<Asked> = (0..members).map(|it| (it, 0, time_us)).collect();
        positions(&walk, &asked).iter().map(|&it| it as f64 / sd).collect()
    };
    let product = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / f64::from(members)
    };
    let error = 5.0 / f64::from(members).sqrt();
    // From 0 it spreads to its stationary law.
    for day in [1.0, 10.0, 40.0, 120.0, 20_000.0] {
        let found = at(day);
        let wanted = 1.0 - (-2.0 * day / 40.0_f64).exp();
        let variance = product(&found, &found);
        assert!((variance / wanted - 1.0).abs() < error * 1.5, "day {day}: {variance}, {wanted}");
    }
    let here = at(5_000.0);
    for lag in [0.01, 1.0, 10.0, 40.0, 80.0, 400.0] {
        let there = at(5_000.0 + lag);
        let (found, wanted) = (product(&here, &there), (-lag / 40.0_f64).exp());
        assert!((found - wanted).abs() < error, "{lag} days: {found}, {wanted}");
    }
}

#[test]
fn extremes_have_the_law_of_a_bridge() {
    // A step of one second, and a volatility that makes a step 2^20 units.
    let pace = Pace {
        step_us: 1_000_000,
        geometric: false,
        reverts: false,
        volatility: 31_557_600_f64.sqrt(),
        drift: 0.0,
    };
    let trend = Trend::new(&pace);
    let steps = 3_600_i64;
    let deviation = (steps as f64).sqrt() * UNIT;
    for end in [-1.5, 0.0, 0.4, 2.0] {
        let ends = [1 << 30, (1 << 30) + (end * deviation) as i64];
        let found: Vec<f64> = words(20_000)
            .map(|[word, ..]| {
                let surprise = -2.0 * ((f64::from(word) + 0.5) / 4_294_967_296.0).ln();
                let surprise = (surprise * 16_777_216.0) as u32;
                let high = trend.extreme(ends, steps, 1, Extreme { highest: true, surprise });
                let low = trend.extreme(ends, steps, 1, Extreme { highest: false, surprise });
                assert!(high >= ends[0].max(ends[1]) && low <= ends[0].min(ends[1]));
                assert!((high + low - ends[0] - ends[1]).abs() <= 1, "mirrored");
                (high - ends[0]) as f64 / deviation
            })
            .collect();
        // P(max > m) = exp(−2m(m − b)), Karatzas and Shreve, section 2.8.
        let below = |m: f64| 1.0 - (-2.0 * m * (m - end)).exp();
        let distance = kolmogorov(found, below);
        assert!(distance < 1.95 / 20_000_f64.sqrt(), "{end}: {distance}");
    }
}

const SCHEMA: &str = r#"{"type":"record","name":"Quote","fields":[
    {"name":"at","type":"long"},
    {"name":"number","type":"string"},
    {"name":"listing","type":"double"},
    {"name":"price","type":"double"},
    {"name":"level","type":"double"},
    {"name":"spread","type":"double"},
    {"name":"before","type":"double"},
    {"name":"today","type":"double"},
    {"name":"tomorrow","type":"double"},
    {"name":"high","type":"double"},
    {"name":"low","type":"double"}]}"#;

const MODEL: &str = r#"
seed  = 6
start = "2026-03-09T09:30:00Z"
lanes = 4
[traffic]
rate = "10/h"
[entities.symbol]
count = 50
[entities.symbol.attributes]
listing = { lognormal = { median = 40, sigma = 0.8 }, digits = 2, min = 1, max = 900 }
sigma   = { uniform = [20, 60] }
yearly  = { expression = "ratio(sigma, 100, 2)" }
price   = { walk = { start = "listing", volatility = "yearly", drift = "5%/y" }, digits = 4, min = 0.01 }
level   = { walk = { kind = "arithmetic", start = 15, volatility = "2/d", step = "10m" }, digits = 1 }
spread  = { walk = { start = 0.2, volatility = "10%/d", revert = "5d" }, digits = 6 }
[streams.quotes]
topic  = "quotes"
schema = "Quote.avsc"
[streams.quotes.fields]
at       = "event_time"
number   = { attribute = "symbol" }
listing  = { attribute = "symbol.listing" }
price    = { attribute = "symbol.price" }
level    = { attribute = "symbol.level" }
spread   = { attribute = "symbol.spread" }
before   = { attribute = "symbol.price", at = "-300d" }
today    = { attribute = "symbol.price", at = { floor = "1d", zone = "America/New_York" } }
tomorrow = { attribute = "symbol.price", at = { floor = "1d", zone = "America/New_York", plus = "1d" } }
high     = { highest_of = "symbol.price", from = { floor = "1d", zone = "America/New_York" }, to = { floor = "1d", zone = "America/New_York", plus = "1d" } }
low      = { lowest_of = "symbol.price", from = { floor = "1d", zone = "America/New_York" }, to = { floor = "1d", zone = "America/New_York", plus = "1d" } }
"#;

fn quotes(days: i64) -> Vec<Value> {
    let configuration = read(MODEL, &[("Quote.avsc", SCHEMA)]).unwrap();
    let plan = Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap());
    let window_us = 0..(days * DAY_US).cast_unsigned();
    let found = rows(&plan, Options { window_us, ..Options::default() });
    found.into_iter().map(|(_, row)| row).collect()
}

fn number(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap()
}

#[test]
fn a_day_opens_where_the_day_before_closed_and_stays_between_its_extremes() {
    let rows = quotes(60);
    assert!(rows.len() > 13_000, "{}", rows.len());
    let mut days: BTreeMap<(u64, i64), [f64; 4]> = BTreeMap::new();
    for row in &rows {
        let bar = ["today", "high", "low", "tomorrow"].map(|field| number(row, field));
        let [open, high, low, close] = bar;
        assert!(low <= open.min(close) && high >= open.max(close), "{row}");
        assert_eq!(row["before"], row["listing"], "{row}");
        // Summer time, from the 8th of March on.
        let local_us = row["at"].as_i64().unwrap() - 4 * 3_600 * SECOND_US;
        let day = local_us.div_euclid(DAY_US);
        let known = days
            .entry((row["number"].as_str().unwrap().parse::<u64>().unwrap(), day))
            .or_insert(bar);
        assert!(known.iter().zip(bar).all(|(a, b)| (a - b).abs() < 1e-9), "{row}");
    }
    let mut pairs = 0;
    for (&(symbol, day), &[.., close]) in &days {
        if let Some(&[open, ..]) = days.get(&(symbol, day + 1)) {
            assert!((open - close).abs() < 1e-9, "symbol {symbol}, day {day}: {close}, {open}");
            pairs += 1;
        }
    }
    assert!(pairs > 2_000, "{pairs}");
}

#[test]
fn the_returns_of_a_day_have_the_volatility_that_is_written() {
    let configuration = read(MODEL, &[("Quote.avsc", SCHEMA)]).unwrap();
    assert!(configuration.model.entities[0].attributes.len() == 6);
    let rows = quotes(200);
    // By symbol and day: the standard score of the logarithm of close by open, and of the level.
    let mut squares = BTreeMap::new();
    let mut levels: BTreeMap<u64, (i64, f64)> = BTreeMap::new();
    let mut steps = Vec::new();
    for row in &rows {
        let symbol = row["number"].as_str().unwrap().parse::<u64>().unwrap();
        let day = row["at"].as_i64().unwrap().div_euclid(DAY_US);
        squares
            .entry((symbol, day))
            .or_insert_with(|| (number(row, "tomorrow") / number(row, "today")).ln());
        let at = row["at"].as_i64().unwrap() / (600 * SECOND_US);
        if let Some((before, level)) = levels.insert(symbol, (at, number(row, "level")))
            && at > before
        {
            let sd = 2.0 * ((at - before) as f64 / 144.0).sqrt();
            steps.push((number(row, "level") - level) / sd);
        }
    }
    // The volatility of all symbols together: the mean square of 20 % to 60 %, 41 equal parts.
    let mean_square: f64 = squares.values().map(|it| it * it).sum::<f64>() / squares.len() as f64;
    let yearly = (mean_square * 365.25).sqrt();
    assert!((yearly - 0.418).abs() < 0.03, "{yearly} a year, from {} days", squares.len());
    let found = variance(&steps);
    assert!((found - 1.0).abs() < 0.03, "{found} of {}", steps.len());
    // A walk that reverts stays near where it began: sd 10 % · √(5 / 2) of the logarithm.
    let far: Vec<f64> = rows
        .iter()
        .filter(|row| row["at"].as_i64().unwrap() > rows[0]["at"].as_i64().unwrap() + 30 * DAY_US)
        .map(|row| (number(row, "spread") / 0.2).ln() / (0.1 * 2.5_f64.sqrt()))
        .collect();
    let found = variance(&far);
    assert!((found - 1.0).abs() < 0.15, "{found}");
}

#[test]
fn a_walk_that_cannot_be_made_is_refused_with_a_way_out() {
    for (old, new, told) in [
        ("drift = \"5%/y\"", "drift = \"5 apples\"", "cannot be read as an amount in a time"),
        ("volatility = \"yearly\"", "volatility = -0.1", "is below 0"),
        ("volatility = \"yearly\"", "volatility = \"200000%/y\"", "the limit is 1000"),
        ("start = \"listing\", volatility", "start = -1, volatility", "must be above 0"),
        ("step = \"10m\"", "step = \"10us\"", "a step has 1 ms to 366 days"),
        ("revert = \"5d\"", "revert = \"1ms\"", "is shorter than a step"),
        (
            "{ highest_of = \"symbol.price\"",
            "{ highest_of = \"symbol.listing\"",
            "does not lead to a walk",
        ),
        ("{ highest_of = \"symbol.price\"", "{ highest_of = \"symbol.spread\"", "no known law"),
        ("at = \"-300d\"", "at = \"5000\"", "is no time of at most 366 days"),
        (
            "{ floor = \"1d\", zone = \"America/New_York\" } }\ntomorrow",
            "{ zone = \"America/New_York\" } }\ntomorrow",
            "decides nothing without a `floor`",
        ),
        (
            "{ attribute = \"symbol.level\" }",
            "{ walk = { start = 1, volatility = 1 } }",
            "a walk belongs to a member",
        ),
        (
            "revert = \"5d\" }, digits = 6",
            "revert = \"5d\" }, digits = 6, changes = \"1d\"",
            "a walk changes all the time",
        ),
    ] {
        let text = MODEL.replacen(old, new, 1);
        assert_ne!(text, MODEL, "{old}");
        let refused = match read(&text, &[("Quote.avsc", SCHEMA)]) {
            Err(refused) => refused.to_string(),
            Ok(read) => {
                let mistakes = Plan::compile(&read.model, &Inputs::default()).unwrap_err();
                mistakes.iter().map(|it| it.what.clone() + "\n").collect()
            }
        };
        assert!(refused.contains(told), "{new}: {refused}");
    }
}
