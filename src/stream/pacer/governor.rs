//! The governor: ceilings in events and bytes a second, whatever the schedule says.
//!
//! A token bucket for each ceiling. It fills at the ceiling's rate and holds [`BURST`] of it; a
//! record goes while it is not in debt, and is paid for then, however large it is. So in any time t
//! no more goes than ceiling · (t + burst) and one record. What is held back stays as late as it is:
//! a ceiling moves no intended time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::Record;

/// How much of its rate a bucket holds: enough that a thread which wakes up late loses nothing.
const BURST: Duration = Duration::from_millis(5);

/// Stands for "nothing is held".
const NOTHING: i64 = i64::MAX;

/// What may be released in a second, at most; none: no such ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// Events; above 0.
    pub events_per_s: Option<f64>,
    /// Bytes of key and value; above 0.
    pub bytes_per_s: Option<f64>,
}

/// How long ceilings have held back events that were due, for those who look on.
#[derive(Debug)]
pub struct Held {
    total_ns: AtomicU64,
    intended_ns: AtomicI64,
}

impl Default for Held {
    fn default() -> Self {
        Self { total_ns: AtomicU64::new(0), intended_ns: AtomicI64::new(NOTHING) }
    }
}

impl Held {
    /// The time in which something was due and a ceiling held it.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.total_ns.load(Ordering::Relaxed))
    }

    /// The intended time of what is held now, in nanoseconds since the Unix epoch.
    pub fn intended_ns(&self) -> Option<i64> {
        Some(self.intended_ns.load(Ordering::Relaxed)).filter(|time_ns| *time_ns != NOTHING)
    }

    /// A new beginning, for the phases of a run.
    pub fn start_over(&self) {
        self.total_ns.store(0, Ordering::Relaxed);
    }

    /// Something intended for `intended_ns` is held while `wait` lasts, which says how long it took.
    pub fn during(&self, intended_ns: i64, wait: impl FnOnce() -> Duration) {
        self.intended_ns.store(intended_ns, Ordering::Relaxed);
        let waited_ns = u64::try_from(wait().as_nanos()).unwrap_or(u64::MAX);
        self.total_ns.fetch_add(waited_ns, Ordering::Relaxed);
        self.intended_ns.store(NOTHING, Ordering::Relaxed);
    }
}

/// Ceilings at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Governor {
    events: Bucket,
    bytes: Bucket,
    filled_ns: i64,
}

impl Governor {
    /// A governor whose buckets are full at `now_ns`; none if there is no ceiling.
    pub(super) fn new(ceilings: Ceilings, now_ns: i64) -> Option<Self> {
        let Ceilings { events_per_s, bytes_per_s } = ceilings;
        (events_per_s.is_some() || bytes_per_s.is_some()).then(|| Self {
            events: Bucket::new(events_per_s),
            bytes: Bucket::new(bytes_per_s),
            filled_ns: now_ns,
        })
    }

    /// How many of the first of these records may go now.
    pub(super) fn admits(&mut self, records: &[Record], now_ns: i64) -> usize {
        let since_ns = (now_ns - self.filled_ns).max(0) as f64;
        self.filled_ns = self.filled_ns.max(now_ns);
        self.events.fill(since_ns);
        self.bytes.fill(since_ns);
        let mut rest = *self;
        let goes = |record: &&Record| {
            let is_admitted = rest.wait_ns() == 0;
            rest.take(std::slice::from_ref(*record));
            is_admitted
        };
        records.iter().take_while(goes).count()
    }

    /// How long until the next record may go, in nanoseconds.
    pub(super) fn wait_ns(&self) -> i64 {
        self.events.wait_ns().max(self.bytes.wait_ns())
    }

    /// Pays for records that went.
    pub(super) fn take(&mut self, records: &[Record]) {
        self.events.level -= records.len() as f64;
        self.bytes.level -= records.iter().map(bytes).sum::<f64>();
    }
}

/// Bytes of key and value, as the report counts them.
fn bytes(record: &Record) -> f64 {
    f64::from(record.key_bytes) + f64::from(record.value_bytes)
}

/// A token bucket; below 0 it is in debt.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_ns: f64,
    room: f64,
    level: f64,
}

impl Bucket {
    /// A full bucket; without a rate, one that is never empty.
    fn new(per_s: Option<f64>) -> Self {
        let per_ns = per_s.map_or(f64::INFINITY, |per_s| per_s / 1e9);
        let room = per_ns * BURST.as_nanos() as f64;
        Self { per_ns, room, level: room }
    }

    fn fill(&mut self, since_ns: f64) {
        if self.room.is_finite() {
            self.level = (self.level + self.per_ns * since_ns).min(self.room);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "too long for an i64 is as long as it goes"
    )]
    fn wait_ns(&self) -> i64 {
        if self.level >= 0.0 { 0 } else { (-self.level / self.per_ns).ceil() as i64 }
    }
}
