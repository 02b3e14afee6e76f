//! The only reader of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of wall-clock time that never runs backwards.
///
/// All times of the program are microseconds or nanoseconds since the Unix epoch, UTC. The system
/// clock is read once, when the clock is made; after that time advances monotonically, so that an
/// adjustment of the machine's clock in mid-run neither bunches nor delays events.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System { origin: Instant, origin_ns: i64 },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of time")]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let origin_ns = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        Self(Kind::System { origin: Instant::now(), origin_ns })
    }

    /// A clock that stands still until it is moved: for tests.
    pub fn manual(start_ns: i64) -> Self {
        Self(Kind::Manual(Arc::new(AtomicI64::new(start_ns))))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn now_ns(&self) -> i64 {
        match &self.0 {
            Kind::System { origin, origin_ns } => {
                let elapsed = i64::try_from(origin.elapsed().as_nanos()).unwrap_or(i64::MAX);
                origin_ns.saturating_add(elapsed)
            }
            Kind::Manual(now_ns) => now_ns.load(Ordering::SeqCst),
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn now_us(&self) -> i64 {
        self.now_ns().div_euclid(1_000)
    }

    /// How long ago a time was, in nanoseconds since the Unix epoch; nothing if it is ahead.
    pub fn since(&self, begin_ns: i64) -> Duration {
        Duration::from_nanos((self.now_ns() - begin_ns).max(0).unsigned_abs())
    }

    /// The time that is so far ahead, in nanoseconds since the Unix epoch.
    pub fn ahead_ns(&self, duration: Duration) -> i64 {
        self.now_ns().saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Lets `duration` go by: the thread sleeps, or a manual clock is moved on.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    pub fn sleep(&self, duration: Duration) {
        match &self.0 {
            Kind::System { .. } => std::thread::sleep(duration),
            Kind::Manual(now_ns) => {
                let step = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
                now_ns.fetch_add(step, Ordering::SeqCst);
            }
        }
    }
}
