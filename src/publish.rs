//! Publishing: slices of batches go to a sink, receipts come back.
//!
//! Each sink offers the same four things: its options, connecting, publishing and flushing. A sink
//! takes slices of records that share one arena, never a record at a time.

pub mod kafka;
pub mod null;
pub mod pulsar;
pub mod stdout;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::stream::Batch;

/// Records of a batch that are released together.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The batch that holds them; a sink keeps it as long as it needs its bytes.
    pub batch: Arc<Batch>,
    /// Which of the batch's records.
    pub records: Range<usize>,
    /// The intended times of the records on the wall clock.
    pub schedule: Schedule,
}

/// How model time maps onto the wall clock.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// A record is intended at `anchor_ns` + (due − `begin_us`) / `speed`.
    Paced {
        /// The wall clock, in nanoseconds since the Unix epoch, when the window begins.
        anchor_ns: i64,
        /// The window's begin in model time, in microseconds since the Unix epoch.
        begin_us: i64,
        /// Seconds of model time in a second of wall time; above 0.
        speed: f64,
    },
    /// At a constant rate: root event n of the run, from 0, is intended at `anchor_ns` + n · `interval_ns`,
    /// and what is due between it and the next one with it.
    Even {
        /// The wall clock, in nanoseconds since the Unix epoch, when the first one goes.
        anchor_ns: i64,
        /// Wall time between two of them; above 0.
        interval_ns: f64,
        /// How many of them came before the batch.
        before: u64,
        /// When those of the batch are due, in microseconds since the Unix epoch, in order.
        due_us: Arc<[i64]>,
    },
    /// As fast as it goes: a record is intended when it is handed over, at `released_ns`.
    Unpaced {
        /// The wall clock at the hand-over, in nanoseconds since the Unix epoch.
        released_ns: i64,
    },
}

impl Schedule {
    /// The intended time of a record on the wall clock, in nanoseconds since the Unix epoch.
    #[expect(clippy::cast_possible_truncation, reason = "times within 292 years of the anchor")]
    pub fn intended_ns(&self, due_us: i64) -> i64 {
        match self {
            &Self::Paced { anchor_ns, begin_us, speed } => {
                let since_begin_us = due_us - begin_us;
                if speed.to_bits() == 1.0_f64.to_bits() {
                    anchor_ns + since_begin_us * 1_000
                } else {
                    anchor_ns + (since_begin_us as f64 * 1_000.0 / speed) as i64
                }
            }
            Self::Even { anchor_ns, interval_ns, before, due_us: roots } => {
                let inside = roots.partition_point(|root| *root <= due_us).saturating_sub(1);
                anchor_ns + ((before + inside as u64) as f64 * interval_ns) as i64
            }
            &Self::Unpaced { released_ns } => released_ns,
        }
    }
}

/// How a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The broker acknowledged it.
    Delivered,
    /// The broker acknowledged it, and it was written more than once: where nothing deduplicates, it may
    /// be there as often.
    DeliveredAgain,
    /// The broker had it already, and did not store it again.
    AlreadyThere,
    /// The broker refused it: a short, constant reason such as `message_too_large`.
    Failed(&'a str),
}

/// What became of one record.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// The number of the record's stream in the model.
    pub stream: u16,
    /// Bytes of key and value.
    pub bytes: u32,
    /// What that was.
    pub outcome: Outcome<'a>,
    /// From the intended time to the acknowledgement; 0 or more.
    pub latency_ns: i64,
    /// When the record was due, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
}

/// Who hears of receipts; called from a thread of the sink, in short calls.
pub trait Receiver: Send + Sync {
    /// Counts what became of some records.
    fn receive(&self, receipts: &[Receipt<'_>]);
}

/// What stopped a sink from going on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kafka sink.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The Pulsar sink.
    #[error(transparent)]
    Pulsar(#[from] pulsar::Error),
    /// The reader of a pipe is gone.
    #[error("{target} was closed by its reader")]
    ClosedPipe {
        /// What was written to.
        target: String,
    },
    /// Writing to a pipe or file.
    #[error("cannot write to {target}")]
    Write {
        /// Where to.
        target: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Records that a sink was given and did not get a receipt for, by the end of a flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unacknowledged(pub u64);

/// Where records go. All calls come from the pacer's thread.
pub trait Sink: Send {
    /// Hands over the slice's records in order; waits while the sink is full, for as long as
    /// `give_up` does not say true (asked at least every 100 ms). Returns how many were taken:
    /// all of them, or fewer if it gave up.
    ///
    /// Each record that was taken gets exactly one receipt, unless it stays unacknowledged.
    fn publish(&mut self, slice: &Slice, give_up: &dyn Fn() -> bool) -> Result<usize, Error>;

    /// Nothing that is due before `due_us`, in microseconds since the Unix epoch, will come: what waits
    /// for company up to then may go. Called again and again while there is nothing to publish; the
    /// error is what stopped the sink meanwhile.
    fn idle(&mut self, due_us: i64) -> Result<(), Error> {
        let _ = due_us;
        Ok(())
    }

    /// Waits until each record taken has its receipt, for at most `patience`, or until `give_up`
    /// says true; what is still open then is given up and counted.
    fn flush(
        &mut self,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, Error>;

    /// Records taken and without a receipt yet.
    fn in_flight(&self) -> u64;
}
