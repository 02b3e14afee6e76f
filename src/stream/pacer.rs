//! The pacer: releases slices at their intended times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::digest::Digest;
use super::{Batch, EventStream};
use crate::clock::Clock;
use crate::publish::{Schedule, Sink, Slice};

/// Records of a slice, at most.
const SLICE_RECORDS: usize = 4_096;
/// The longest sleep, so that a signal is heard.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// How fast model time goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of model time in a second.
    Times(f64),
    /// As fast as it goes.
    Max,
}

/// How slices are released.
#[derive(Clone, Debug)]
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// How fast model time goes by.
    pub speed: Speed,
    /// When the window begins on the wall clock, in nanoseconds since the Unix epoch.
    pub anchor_ns: i64,
    /// Where the window begins, in microseconds of model time since the Unix epoch.
    pub begin_us: i64,
    /// How long receipts are waited for at the end.
    pub drain: Duration,
}

/// Stops the pacer from outside.
#[derive(Debug, Default)]
pub struct Control(AtomicU8);

impl Control {
    /// Nothing more is issued; receipts are waited for.
    pub fn drain(&self) {
        self.0.fetch_max(1, Ordering::SeqCst);
    }

    /// Nothing more is waited for.
    pub fn give_up(&self) {
        self.0.fetch_max(2, Ordering::SeqCst);
    }

    /// Whether nothing more is to be issued.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 1
    }

    /// Whether nothing more is to be waited for.
    pub fn is_giving_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 2
    }
}

/// What the pacer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The digest of what was issued, if batches carry digests.
    pub digest: Option<Digest>,
    /// Records without a receipt.
    pub unacknowledged: u64,
}

/// What stops the pacer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Generating.
    #[error(transparent)]
    Stream(#[from] super::Error),
    /// Publishing.
    #[error(transparent)]
    Publish(#[from] crate::publish::Error),
}

/// Releases all events, then waits for their receipts.
pub fn run(
    events: &mut EventStream,
    sink: &mut dyn Sink,
    options: &Options,
    control: &Control,
) -> (Outcome, Result<(), Error>) {
    let mut outcome = Outcome::default();
    let issued = issue(events, sink, options, control, &mut outcome);
    let give_up = || control.is_giving_up();
    match sink.flush(options.drain, &give_up) {
        Ok(unacknowledged) => outcome.unacknowledged = unacknowledged.0,
        Err(error) if issued.is_ok() => return (outcome, Err(error.into())),
        Err(_) => {}
    }
    (outcome, issued)
}

fn issue(
    events: &mut EventStream,
    sink: &mut dyn Sink,
    options: &Options,
    control: &Control,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    while !control.is_draining() {
        let Some(batch) = events.next_blocking() else { break };
        let batch = Arc::new(batch?);
        release(&batch, sink, options, control)?;
        if let Some(digest) = batch.digest {
            outcome.digest.get_or_insert_default().add(digest);
        }
    }
    Ok(())
}

fn release(
    batch: &Arc<Batch>,
    sink: &mut dyn Sink,
    options: &Options,
    control: &Control,
) -> Result<(), Error> {
    let mut next = 0;
    while next < batch.records.len() && !control.is_draining() {
        let now_ns = options.clock.now_ns();
        let schedule = match options.speed {
            Speed::Times(speed) => {
                Schedule::Paced { anchor_ns: options.anchor_ns, begin_us: options.begin_us, speed }
            }
            Speed::Max => Schedule::Unpaced { released_ns: now_ns },
        };
        let rest = &batch.records[next..];
        let due = rest.iter().take(SLICE_RECORDS);
        let count = due.take_while(|it| schedule.intended_ns(it.due_us) <= now_ns).count();
        if count == 0 {
            let wait_ns = schedule.intended_ns(rest[0].due_us) - now_ns;
            let wait = Duration::from_nanos(wait_ns.unsigned_abs().max(500_000));
            options.clock.sleep(wait.min(SLEEP_MAX));
            continue;
        }
        let slice = Slice { batch: Arc::clone(batch), records: next..next + count, schedule };
        let taken = sink.publish(&slice, &|| control.is_giving_up())?;
        next += taken;
        if taken < count {
            break;
        }
    }
    Ok(())
}
