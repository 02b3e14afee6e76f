//! Faults: which events something is done to on purpose.
//!
//! Each decision is a function of the seed, the fault's name and who the event is: it does not depend
//! on other events, other faults, shards or where a run begins.

use std::ops::Range;

use super::draft;
use super::identity::{Cipher, Identity};
use super::quantile::Quantile;
use super::scenario::{Phase, Scenarios};
use crate::config::Mistake;
use crate::config::model::{self, FaultHold, FaultKind, Model};
use crate::generate::philox::{self, philox};

/// The block of the first words that are drawn for an event.
const SALT: u32 = 0xA007_0000;
/// How long events can be kept back, in microseconds.
const KEPT_US_MAX: u64 = 3_600_000_000;

/// What goes wrong on purpose.
#[derive(Debug, Default)]
pub struct Faults {
    /// In the order of the file. Silent partitions keep events away whatever else would be done to
    /// them; of the others, the first that an event draws is done to it.
    pub list: Vec<Fault>,
    /// How much later than it is due anything is sent at most, in microseconds.
    pub kept_us: u64,
    tick_us: u64,
}

/// One fault.
#[derive(Debug)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What is done.
    pub kind: FaultKind,
    /// To which share of the events.
    pub share: f64,
    /// How much later something is sent, in microseconds, if that is drawn.
    pub delay: Option<Quantile>,
    /// The key of its randomness.
    key: [u32; 2],
    /// Events that draw less are hit: the share in units of 2^−32.
    threshold: u64,
    /// By stream: whether it is done to its events.
    streams: Vec<bool>,
    hold: Hold,
}

#[derive(Debug)]
enum Hold {
    /// In microseconds since the start.
    Window(Range<u64>),
    Phase(Box<Phase>),
}

/// What is drawn for an event under a fault.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    key: [u32; 2],
    counter: [u32; 3],
}

impl Draw {
    /// The n-th four words; the first of block 0 decided that the event is hit.
    pub fn words(&self, block: u32) -> [u32; 4] {
        let [a, b, c] = self.counter;
        philox(self.key, [a, b, c, SALT + block])
    }
}

/// A random whole number below `count`, by a word.
pub fn below(word: u32, count: u32) -> u32 {
    low((u64::from(word) * u64::from(count)) >> 32)
}

impl Faults {
    /// What is drawn for an event that a fault, but a silence, is done to: `since_us` after the start it is due.
    pub fn draw(
        &self,
        fault: &Fault,
        (stream, number, child): (u16, u64, u16),
        since_us: u64,
    ) -> Option<Draw> {
        let is_its = fault.streams.get(usize::from(stream)).is_some_and(|is| *is);
        if !is_its || fault.end_us(since_us, self.tick_us).is_none() {
            return None;
        }
        let counter = [low(number), low(number >> 32), u32::from(stream) << 16 | u32::from(child)];
        let draw = Draw { key: fault.key, counter };
        (u64::from(draw.words(0)[0]) < fault.threshold).then_some(draw)
    }

    /// The silence of a partition of a stream's topic at a time since the start, if there is one: which
    /// fault it is, and when it ends.
    pub fn silence(&self, stream: u16, partition: i32, since_us: u64) -> Option<(usize, u64)> {
        let partition = u32::try_from(partition).ok()?;
        self.list.iter().enumerate().find_map(|(place, fault)| {
            let FaultKind::SilentPartition { partition: silent, .. } = fault.kind else {
                return None;
            };
            if silent != partition || !*fault.streams.get(usize::from(stream))? {
                return None;
            }
            Some((place, fault.end_us(since_us, self.tick_us)?))
        })
    }
}

impl Fault {
    /// When it ends, if it holds at a time, both in microseconds since the start.
    fn end_us(&self, since_us: u64, tick_us: u64) -> Option<u64> {
        match &self.hold {
            Hold::Window(window) => window.contains(&since_us).then_some(window.end),
            Hold::Phase(phase) => {
                let end = phase.at(since_us / tick_us.max(1))?.end;
                Some(end.map_or(u64::MAX, |end| end.cast_unsigned().saturating_mul(tick_us)))
            }
        }
    }

    /// How much later than due anything is sent at most, in microseconds.
    fn kept_us(&self, tick_us: u64) -> u64 {
        match &self.kind {
            FaultKind::Reorder { within_us } => *within_us,
            FaultKind::SilentPartition { released: true, .. } => match &self.hold {
                Hold::Window(window) => window.end - window.start,
                Hold::Phase(phase) => phase.length.unwrap_or(0).saturating_mul(tick_us),
            },
            _ => {
                let latest = self.delay.as_ref().map_or(0, |delay| delay.bounds().1);
                u64::try_from(latest).unwrap_or(0)
            }
        }
    }
}

/// Puts the faults of a model onto the model's ticks.
pub fn stage(model: &Model, scenarios: &Scenarios) -> Result<Faults, Vec<Mistake>> {
    let tick_us = scenarios.tick_us;
    let mut faults = Faults { list: Vec::new(), kept_us: 0, tick_us };
    let mut mistakes = Vec::new();
    for fault in &model.faults {
        let hold = match &fault.hold {
            FaultHold::Window { from_us, until_us } => {
                Hold::Window(*from_us..until_us.as_ref().map_or(u64::MAX, |until| until.value))
            }
            FaultHold::Phase { scenario, phase } => {
                let is_it = |it: &&Phase| {
                    it.name == phase.value
                        && scenario.as_ref().is_none_or(|name| *name == it.scenario)
                };
                // One that is not there was refused before.
                let Some(found) = scenarios.phases.iter().find(is_it) else { continue };
                Hold::Phase(Box::new(found.clone()))
            }
        };
        let staged = staged(model, fault, hold);
        let kept_us = staged.kept_us(tick_us);
        let is_released = matches!(fault.kind, FaultKind::SilentPartition { released: true, .. });
        let endless = match &staged.hold {
            Hold::Phase(phase) => phase.length.is_none(),
            Hold::Window(_) => false,
        };
        if is_released && (endless || kept_us > KEPT_US_MAX) {
            let name = &fault.name.value;
            let what = format!(
                "the silence of `{name}` is longer than an hour, the most that events are kept back"
            );
            let help = Some("let it be shorter, or set then = \"drop\"".to_owned());
            mistakes.push(Mistake { span: fault.name.span.clone(), what, help });
        }
        faults.kept_us = faults.kept_us.max(kept_us);
        faults.list.push(staged);
    }
    if mistakes.is_empty() { Ok(faults) } else { Err(mistakes) }
}

fn staged(model: &Model, fault: &model::Fault, hold: Hold) -> Fault {
    let all = &model.streams;
    let named = |stream: &model::Stream| {
        fault.streams.is_empty() || fault.streams.iter().any(|it| it.value == stream.name)
    };
    let delay = match &fault.kind {
        FaultKind::Duplicate { delay } | FaultKind::Late { delay } => {
            let delays = draft::delays(delay);
            Some(Quantile::new(|p, _| delays.inverse_us(p) as f64))
        }
        _ => None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is at most 1"
    )]
    let threshold = libm::ceil(fault.share * libm::exp2(32.0)) as u64;
    Fault {
        name: fault.name.value.clone(),
        kind: fault.kind.clone(),
        share: fault.share,
        delay,
        key: philox::key(model.seed, "fault", &fault.name.value),
        threshold,
        streams: all.iter().map(|stream| named(stream) && !stream.tells()).collect(),
        hold,
    }
}

/// The stream that tells of faults.
#[derive(Debug)]
pub struct Ledger {
    /// Its number.
    pub stream: u8,
    /// Seals identities.
    pub cipher: Cipher,
    key: [u32; 2],
}

impl Ledger {
    /// The ledger of a model with this seed and start.
    pub(super) fn new(seed: u64, start_us: i64, stream: u8) -> Self {
        let cipher = super::compile::cipher(seed, start_us);
        Self { stream, cipher, key: philox::key(seed, "fault", "") }
    }

    /// The number of the entry that tells what was done to an event; its child is the event's.
    ///
    /// Numbers of events of several streams become ones that do not meet but once in 2^64.
    pub fn number(&self, stream: u16, number: u64, child: u16) -> u64 {
        let counter = [low(number), low(number >> 32), u32::from(stream) << 16 | u32::from(child)];
        let [a, b, c] = counter;
        let [high, low, ..] = philox(self.key, [a, b, c, SALT]);
        u64::from(high) << 32 | u64::from(low)
    }

    /// The identity of an event as a UUID.
    pub fn uuid(&self, stream: u8, number: u64, child: u16) -> u128 {
        self.cipher.seal(&Identity { stream, origin: 0, child, number })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(value: u64) -> u32 {
    value as u32
}

/// What is drawn for some event.
#[cfg(test)]
pub fn draw_for_tests(number: u32) -> Draw {
    Draw { key: [1, 2], counter: [number, 0, 0] }
}
