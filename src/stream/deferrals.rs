//! Deferrals: what becomes of the events that phases of scenarios keep away.

use serde::Serialize;

/// Events that phases keep away: in the end as many are deferred as are released and abandoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deferrals {
    /// Events that did not come when they were due.
    pub deferred: u64,
    /// Events that came later.
    pub released: u64,
    /// Events that never come, by when they were due.
    pub abandoned: u64,
}

impl Deferrals {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.deferred += other.deferred;
        self.released += other.released;
        self.abandoned += other.abandoned;
    }

    /// Events that are still to come.
    pub fn pending(&self) -> u64 {
        self.deferred.saturating_sub(self.released + self.abandoned)
    }
}
