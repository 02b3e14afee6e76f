//! What the pacer's thread and the thread of the connections share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pulsar::message::proto::{CommandSendError, CommandSendReceipt, MessageIdData, ServerError};
use tokio::sync::Notify;
use tracing::{error, warn};

use super::batch::Sent;
use super::channel::{Channel, Place};
use super::connection::Listener;
use super::options::{Batcher, Options};
use super::problem::{Error, Failure, of_server};
use crate::clock::Clock;
use crate::publish::{Outcome, Receipt, Receiver};

/// What is open between us and Pulsar.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Messages taken and not settled.
    pub(super) open_count: u64,
    /// Bytes of those.
    pub(super) open_bytes: u64,
    /// Whether a flush has given up: later receipts count no more.
    pub(super) given_up: bool,
}

/// What both threads share.
pub(super) struct Shared {
    pub(super) options: Arc<Options>,
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) clock: Clock,
    /// Signalled when a batch stays open.
    pub(super) lingering: Notify,
    /// Signalled when the sink closes.
    pub(super) close: Notify,
    /// The largest message that the brokers take, with its metadata.
    message_bytes_max: AtomicUsize,
    receiver: Arc<dyn Receiver>,
    ledger: Mutex<Ledger>,
    /// Signalled when messages were settled.
    settled: Condvar,
    stopped: OnceLock<Error>,
}

impl Shared {
    /// Nothing is open yet.
    pub(super) fn new(
        options: Arc<Options>,
        channels: Vec<Arc<Channel>>,
        (receiver, clock): (Arc<dyn Receiver>, Clock),
    ) -> Self {
        Self {
            options,
            channels,
            clock,
            lingering: Notify::new(),
            close: Notify::new(),
            message_bytes_max: AtomicUsize::new(usize::MAX),
            receiver,
            ledger: Mutex::default(),
            settled: Condvar::new(),
            stopped: OnceLock::new(),
        }
    }

    /// What is open.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits up to `patience` for messages to be settled.
    pub(super) fn wait(&self, ledger: MutexGuard<'_, Ledger>, patience: Duration) {
        drop(self.settled.wait_timeout(ledger, patience));
    }

    /// Why the sink takes no more, if so.
    pub(super) fn stopped(&self) -> Option<&Error> {
        self.stopped.get()
    }

    /// The sink takes no more.
    pub(super) fn stop(&self, error: Error) {
        if self.stopped.set(error).is_ok() {
            if let Some(error) = self.stopped.get() {
                error!(%error, "the sink stops");
            }
            self.settled.notify_all();
        }
    }

    /// The largest batch, which may be one message.
    pub(super) fn batch_bytes_max(&self) -> usize {
        /// What a batch has beside its messages: names, versions, lengths.
        const OVERHEAD: usize = 10 << 10;
        self.message_bytes_max.load(Ordering::Acquire).saturating_sub(OVERHEAD)
    }

    /// What a message without a receipt takes, in bytes, about.
    pub(super) fn cost_bytes(&self, sent: &Sent) -> u64 {
        // Its metadata and what is remembered of it; that of a batch, which may hold no other.
        let overhead = match self.options.batcher {
            Batcher::Default => 64,
            Batcher::Key => 384,
        };
        u64::from(sent.bytes) + overhead
    }

    /// Counts what became of messages, once each.
    pub(super) fn count(&self, sent: &[Sent], outcome: Outcome<'static>) {
        self.count_and_stop(sent, outcome, None);
    }

    /// The same; then the sink takes no more, if there is an error.
    fn count_and_stop(&self, sent: &[Sent], outcome: Outcome<'static>, error: Option<Error>) {
        let now_ns = self.clock.now_ns();
        let receipts: Vec<Receipt<'_>> = sent
            .iter()
            .map(|sent| Receipt {
                stream: sent.stream,
                bytes: sent.bytes,
                outcome,
                latency_ns: (now_ns - sent.intended_ns).max(0),
                due_us: sent.due_us,
            })
            .collect();
        let mut ledger = self.ledger();
        if !ledger.given_up {
            // The receiver is told while the ledger is locked, so that whoever sees that nothing is
            // open any more finds every message counted.
            self.receiver.receive(&receipts);
            ledger.open_count -= receipts.len() as u64;
            ledger.open_bytes -= sent.iter().map(|sent| self.cost_bytes(sent)).sum::<u64>();
        }
        // Whoever sees that nothing is open any more sees why.
        if let Some(error) = error {
            self.stop(error);
        }
        drop(ledger);
        self.settled.notify_all();
    }
}

impl Listener for Shared {
    fn connected(&self, message_bytes_max: usize) {
        self.message_bytes_max.fetch_min(message_bytes_max, Ordering::AcqRel);
    }

    fn receipt(&self, channel: &Channel, receipt: &CommandSendReceipt) -> bool {
        match channel.settle(receipt.sequence_id) {
            Place::First(settled) => {
                let was_there = receipt.message_id.as_ref().is_some_and(is_nowhere);
                // Not what we sent before a connection broke: somebody else has sent it.
                let is_ours = settled.was_repeated || channel.knew(receipt.sequence_id);
                let is_swallowed = was_there && !is_ours;
                let swallowed = || Error::Swallowed { topic: channel.asked.clone() };
                let outcome = match (was_there, settled.was_repeated) {
                    (true, _) => Outcome::AlreadyThere,
                    (false, true) => Outcome::DeliveredAgain,
                    (false, false) => Outcome::Delivered,
                };
                self.count_and_stop(&settled.sent, outcome, is_swallowed.then(swallowed));
                true
            }
            Place::Past => true,
            Place::Ahead => false,
        }
    }

    fn refused(&self, channel: &Channel, refusal: &CommandSendError) -> bool {
        let reason = self.options.masked(&refusal.message);
        warn!(topic = %channel.topic, code = refusal.error, reason, "Pulsar refused messages");
        if refusal.error == i32::from(ServerError::NotAllowedError) {
            // The messages themselves; others can be taken.
            if let Place::First(settled) = channel.settle(refusal.sequence_id) {
                self.count(&settled.sent, Outcome::Failed("not_allowed"));
                return true;
            }
            return false;
        }
        let failure = of_server(refusal.error, &reason, &channel.asked, &channel.name);
        if let Failure::Final(error) = failure {
            self.stop(error);
        }
        // A new connection sends again what has no receipt.
        false
    }
}

/// Whether a receipt names no place in the topic: a topic that deduplicates had the messages already.
fn is_nowhere(id: &MessageIdData) -> bool {
    id.ledger_id == u64::MAX && id.entry_id == u64::MAX
}
