//! Delivery reports become receipts, on a thread of their own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::{debug, error, warn};

use super::native::{Delivery, Event, code, reason};
use super::options::Options;
use super::problem::{self, Error};
use super::produce::{Parcel, Producer, slot_and_index};
use crate::clock::Clock;
use crate::publish::{Outcome, Receipt, Receiver};

/// How long a poll waits; as long as closing may take.
const POLL_MS: i32 = 50;

/// What the pacer's thread and the thread of the receipts share.
pub(super) struct Shared {
    pub(super) producer: Producer,
    pub(super) options: Options,
    /// The topics' names.
    pub(super) topics: Vec<String>,
    pub(super) receiver: Arc<dyn Receiver>,
    pub(super) clock: Clock,
    /// Why the sink takes no more.
    pub(super) stopped: OnceLock<Error>,
    /// Whether the thread is to end.
    pub(super) closing: AtomicBool,
}

/// Buffers that are used again for each batch of receipts.
#[derive(Default)]
pub(super) struct Buffers {
    deliveries: Vec<Delivery>,
    receipts: Vec<Receipt<'static>>,
    parcels: Vec<Parcel>,
}

impl Shared {
    /// Serves librdkafka's events until the sink closes.
    pub(super) fn serve(&self) {
        let mut buffers = Buffers::default();
        while !self.closing.load(Ordering::Acquire) {
            let mut deliveries = std::mem::take(&mut buffers.deliveries);
            match self.producer.client.poll(POLL_MS, &mut deliveries) {
                Event::Deliveries => self.settle(&deliveries, &mut buffers),
                Event::Error { fatal: true, text, .. } => self.stop_for_good(&text),
                Event::Error { text, .. } => {
                    warn!(error = %self.options.masked(&text), "Kafka connection");
                }
                Event::Log { level, text } if level <= 4 => {
                    warn!(line = %self.options.masked(&text), "librdkafka");
                }
                Event::Log { text, .. } => {
                    debug!(line = %self.options.masked(&text), "librdkafka");
                }
                Event::Nothing | Event::Other => {}
            }
            deliveries.clear();
            buffers.deliveries = deliveries;
        }
    }

    /// Counts what became of records, once each.
    pub(super) fn settle(&self, deliveries: &[Delivery], buffers: &mut Buffers) {
        let Buffers { receipts, parcels, .. } = buffers;
        receipts.clear();
        let now_ns = self.clock.now_ns();
        let mut ledger = self.producer.ledger();
        for run in deliveries.chunk_by(|a, b| a.opaque >> 32 == b.opaque >> 32) {
            let (slot, _) = slot_and_index(run[0].opaque);
            if let Some(parcel) = ledger.parcels.get(slot) {
                for delivery in run {
                    receipts.extend(self.receipt(parcel, delivery, now_ns));
                }
            }
            parcels.extend(ledger.parcels.settle(slot, run.len()));
        }
        if ledger.given_up {
            receipts.clear();
        } else {
            // The receiver is told while the ledger is locked, so that whoever sees that nothing
            // is open any more finds every record counted.
            self.receiver.receive(receipts);
            let given_up_count = deliveries.len() - receipts.len();
            ledger.open_count -= deliveries.len() as u64;
            ledger.unacknowledged_count += given_up_count as u64;
        }
        drop(ledger);
        self.producer.notify();
        // Arenas are freed here, where nobody waits for the ledger.
        parcels.clear();
    }

    /// The receipt for a record; none for one that was given up.
    fn receipt(
        &self,
        parcel: &Parcel,
        delivery: &Delivery,
        now_ns: i64,
    ) -> Option<Receipt<'static>> {
        let (_, index) = slot_and_index(delivery.opaque);
        let record = &parcel.held.batch().records[index];
        let outcome = match delivery.code {
            0 => Outcome::Delivered,
            code::PURGED_QUEUED | code::PURGED_SENT => return None,
            code => {
                self.fail(self.producer.routes.topic(record), delivery);
                Outcome::Failed(reason(code))
            }
        };
        let latency_ns = (now_ns - parcel.schedule.intended_ns(record.due_us)).max(0);
        let bytes = record.key_bytes + record.value_bytes;
        Some(Receipt { stream: record.stream, bytes, outcome, latency_ns, due_us: record.due_us })
    }

    /// Decides what a failure means for the records that follow.
    fn fail(&self, topic: usize, delivery: &Delivery) {
        let name = &self.topics[topic];
        match delivery.code {
            // The record itself cannot be taken, now or later; others can.
            code::TOO_LARGE
            | code::BAD_RECORD
            | code::BAD_MESSAGE
            | code::BAD_TIMESTAMP
            | code::UNKNOWN_PARTITION
            | code::STOPPED => {}
            // Later records of the partition are with librdkafka already and would pass this one.
            // It can give up all that it holds, not one partition.
            code::TIMED_OUT => self.stop(Error::Expired { topic: name.clone() }),
            code => {
                if self.producer.stopped.stop(topic, delivery.partition) {
                    let (partition, reason) = (delivery.partition, reason(code));
                    error!(topic = %name, partition, reason, "the partition stops: a record failed");
                }
            }
        }
    }

    fn stop_for_good(&self, text: &str) {
        let (code, text) =
            self.producer.client.fatal_error().unwrap_or((code::FATAL, text.to_owned()));
        self.stop(problem::fatal(code, &text, &self.options));
    }

    fn stop(&self, error: Error) {
        if self.stopped.set(error).is_ok() {
            if let Some(error) = self.stopped.get() {
                error!(%error, "the sink stops");
            }
            self.producer.client.purge();
        }
    }
}
