//! Ordinals: how many events of a stream come before a tick, all lanes together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::generate::cpu;
use crate::plan::arrival;
use crate::plan::traffic::Traffic;

/// Ticks whose ordinals are kept; threads are never that many jobs apart.
const KNOWN_MAX: usize = 4_096;

/// What the counts of a stream's ticks depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) traffic: &'a Traffic,
    pub(super) key: [u32; 2],
    pub(super) start_us: i64,
}

/// How many events come before some ticks; shared by the threads that make a stream.
///
/// A count is a function of the model: the table only saves walking there again, so that it makes no
/// difference who asks first.
#[derive(Debug, Default)]
pub(super) struct Ordinals {
    known: Mutex<BTreeMap<u64, u64>>,
}

impl Ordinals {
    /// How many events come before a tick: those before the nearest tick that is known, and those
    /// from there on, counted.
    pub(super) fn before(&self, counted: Counted<'_>, tick: u64) -> u64 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = known.range(..=tick).next_back().map(|(&tick, &count)| (tick, count));
        drop(known);
        let (from, mut count) = nearest.unwrap_or((0, 0));
        let mut segment = None;
        for tick in from..tick {
            let begin_us = tick * counted.traffic.tick_us;
            let slot = cpu::slot_of(counted.start_us.saturating_add_unsigned(begin_us));
            if segment.as_ref().is_none_or(|(at, _)| *at != slot) {
                segment = Some((slot, counted.traffic.segment(slot)));
            }
            let Some((_, segment)) = &segment else { continue };
            for (lane, mean) in segment.means() {
                count += u64::from(arrival::count(counted.key, tick, lane, mean));
            }
        }
        self.note(tick, count);
        count
    }

    /// Keeps how many events come before a tick.
    pub(super) fn note(&self, tick: u64, count: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(tick, count);
        while known.len() > KNOWN_MAX {
            known.pop_first();
        }
    }
}
