//! A sink that counts and forgets.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, Outcome, Receipt, Receiver, Sink, Slice, Unacknowledged};
use crate::clock::Clock;

/// How many receipts are given at once.
const RECEIPT_CHUNK: usize = 4_096;

/// A sink that has delivered each record as soon as it is handed over.
///
/// The latency of its receipts is the lateness of the hand-over itself, which is what pacing is
/// measured by.
pub struct Null {
    receiver: Arc<dyn Receiver>,
    clock: Clock,
    receipts: Vec<Receipt<'static>>,
}

impl std::fmt::Debug for Null {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Null").finish_non_exhaustive()
    }
}

impl Null {
    /// A sink that tells `receiver`.
    pub fn new(receiver: Arc<dyn Receiver>, clock: Clock) -> Self {
        Self { receiver, clock, receipts: Vec::with_capacity(RECEIPT_CHUNK) }
    }
}

impl Sink for Null {
    fn publish(&mut self, slice: &Slice, _give_up: &dyn Fn() -> bool) -> Result<usize, Error> {
        let now_ns = self.clock.now_ns();
        for records in slice.batch.records[slice.records.clone()].chunks(RECEIPT_CHUNK) {
            self.receipts.clear();
            self.receipts.extend(records.iter().map(|record| Receipt {
                stream: record.stream,
                bytes: record.key_bytes + record.value_bytes,
                outcome: Outcome::Delivered,
                latency_ns: (now_ns - slice.schedule.intended_ns(record.due_us)).max(0),
                due_us: record.due_us,
            }));
            self.receiver.receive(&self.receipts);
        }
        Ok(slice.records.len())
    }

    fn flush(
        &mut self,
        _patience: Duration,
        _give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, Error> {
        Ok(Unacknowledged(0))
    }

    fn in_flight(&self) -> u64 {
        0
    }
}
