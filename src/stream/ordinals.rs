//! Ordinals: how many events of a stream come before a tick, all lanes together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::config::model::Arrivals;
use crate::plan::traffic::Traffic;
use crate::plan::{arrival, exact};

/// Ticks whose ordinals are kept; threads are never that many jobs apart.
const KNOWN_MAX: usize = 4_096;

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
    pub(super) fn before(&self, traffic: &Traffic, tick: u64) -> u64 {
        if traffic.arrivals == Arrivals::Exact && !traffic.shape.defers {
            return exact::before(traffic, tick);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = known.range(..=tick).next_back().map(|(&tick, &count)| (tick, count));
        drop(known);
        let (from, count) = nearest.unwrap_or((0, 0));
        let count = count + arrival::count_within(traffic, from..tick);
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
