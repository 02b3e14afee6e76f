//! How far a run has come for sure: all that was due before is acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::publish::{Outcome, Receipt, Slice};
use crate::stream::Batch;

/// The shortest time between two marks, in nanoseconds.
const MARK_EVERY_NS: i64 = 200_000_000;

/// Up to where a run is known to have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// All that was due before is acknowledged, in microseconds of model time since the Unix epoch; the begin of a
    /// tick.
    pub due_us: i64,
    /// How many events that is, in the order of sending.
    pub events: u64,
    /// How many of them an even pace counts.
    pub counted: u64,
    /// Nothing that was due later was handed over before this time of the wall clock, in nanoseconds since
    /// the Unix epoch.
    pub handed_over_ns: i64,
}

/// Learns what is handed over and acknowledged, and says up to where all is.
#[derive(Debug)]
pub struct Watermark {
    /// The begin of a tick, in microseconds since the Unix epoch, and the length of all.
    tick: (i64, i64),
    /// By stream: whether its events are those that an even pace counts.
    counts: Vec<bool>,
    epochs: Mutex<Epochs>,
}

#[derive(Debug)]
struct Epochs {
    /// What was handed over since each mark, up to the next: the earliest first.
    open: VecDeque<Epoch>,
    events: u64,
    counted: u64,
    /// The batch that is being handed over.
    batch: Option<Arc<Batch>>,
}

#[derive(Debug)]
struct Epoch {
    mark: Mark,
    /// Events without a receipt; those that failed stay.
    unsettled: u64,
}

impl Watermark {
    /// Begins at `mark`.
    pub fn new(mark: Mark, tick: (i64, i64), counts: Vec<bool>) -> Self {
        let open = VecDeque::from([Epoch { mark, unsettled: 0 }]);
        let Mark { events, counted, .. } = mark;
        Self { tick, counts, epochs: Mutex::new(Epochs { open, events, counted, batch: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what is about to be handed over.
    pub fn offer(&self, slice: &Slice, now_ns: i64) {
        let mut epochs = self.lock();
        let is_new = epochs.batch.as_ref().is_none_or(|batch| !Arc::ptr_eq(batch, &slice.batch));
        if is_new {
            let due_us = slice.batch.window_us.start;
            let last = epochs.open.back().map(|epoch| epoch.mark);
            // A mark lies where a tick begins, so that whoever begins there numbers events as before.
            let is_tick = (due_us - self.tick.0) % self.tick.1 == 0;
            let is_due = last.is_none_or(|last| {
                due_us > last.due_us && now_ns - last.handed_over_ns >= MARK_EVERY_NS
            });
            if is_tick && is_due {
                let Epochs { events, counted, .. } = *epochs;
                let mark = Mark { due_us, events, counted, handed_over_ns: now_ns };
                epochs.open.push_back(Epoch { mark, unsettled: 0 });
            }
            epochs.events += u64::from(slice.batch.there);
            epochs.batch = Some(Arc::clone(&slice.batch));
        }
        let records = &slice.batch.records[slice.records.clone()];
        let counted = |stream: u16| self.counts.get(usize::from(stream)) == Some(&true);
        epochs.counted += records.iter().filter(|record| counted(record.stream)).count() as u64;
        epochs.events += records.len() as u64;
        if let Some(epoch) = epochs.open.back_mut() {
            epoch.unsettled += records.len() as u64;
        }
    }

    /// Learns what became of events.
    pub fn settle(&self, receipts: &[Receipt<'_>]) {
        let mut epochs = self.lock();
        for receipt in receipts {
            if matches!(receipt.outcome, Outcome::Failed(_)) {
                continue;
            }
            let after = epochs.open.partition_point(|epoch| epoch.mark.due_us <= receipt.due_us);
            if let Some(epoch) = after.checked_sub(1).and_then(|place| epochs.open.get_mut(place)) {
                epoch.unsettled = epoch.unsettled.saturating_sub(1);
            }
        }
    }

    /// Up to where all is acknowledged.
    pub fn mark(&self) -> Option<Mark> {
        let mut epochs = self.lock();
        while epochs.open.len() > 1 && epochs.open.front().is_some_and(|it| it.unsettled == 0) {
            epochs.open.pop_front();
        }
        epochs.open.front().map(|epoch| epoch.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Schedule;
    use crate::stream::Record;

    const SECOND_NS: i64 = 1_000_000_000;

    fn batch(window_us: std::ops::Range<i64>, dues_us: &[i64]) -> Arc<Batch> {
        let record = |due_us: &i64| Record {
            due_us: *due_us,
            start: 0,
            header_bytes: 0,
            key_bytes: 0,
            value_bytes: 0,
            partition: 0,
            stream: 0,
            keyed: false,
            tombstone: false,
        };
        let records = Arc::new(dues_us.iter().map(record).collect());
        Arc::new(Batch { window_us, records, ..Batch::default() })
    }

    fn slice(batch: &Arc<Batch>) -> Slice {
        let records = 0..batch.records.len();
        Slice { batch: Arc::clone(batch), records, schedule: Schedule::Unpaced { released_ns: 0 } }
    }

    fn settle(watermark: &Watermark, due_us: i64, outcome: Outcome<'static>) {
        watermark.settle(&[Receipt { stream: 0, bytes: 1, outcome, latency_ns: 0, due_us }]);
    }

    #[test]
    fn the_mark_moves_when_all_before_it_is_acknowledged_in_whatever_order() {
        let begin = Mark { due_us: 0, events: 0, counted: 0, handed_over_ns: 0 };
        let watermark = Watermark::new(begin, (0, 100), vec![true]);
        let batches =
            [batch(0..100, &[10, 20]), batch(100..200, &[100, 150]), batch(200..300, &[250])];
        for (batch, now_ns) in batches.iter().zip([0, SECOND_NS, 2 * SECOND_NS]) {
            watermark.offer(&slice(batch), now_ns);
        }
        assert_eq!(watermark.mark(), Some(begin));
        settle(&watermark, 20, Outcome::Delivered);
        settle(&watermark, 150, Outcome::AlreadyThere);
        settle(&watermark, 100, Outcome::DeliveredAgain);
        assert_eq!(watermark.mark(), Some(begin), "10 is open");
        settle(&watermark, 10, Outcome::Delivered);
        let last = Mark { due_us: 200, events: 4, counted: 4, handed_over_ns: 2 * SECOND_NS };
        assert_eq!(watermark.mark(), Some(last));
        settle(&watermark, 250, Outcome::Failed("no"));
        assert_eq!(watermark.mark(), Some(last));
    }

    #[test]
    fn what_failed_holds_the_mark() {
        let begin = Mark { due_us: 0, events: 7, counted: 0, handed_over_ns: 0 };
        let watermark = Watermark::new(begin, (0, 100), vec![false]);
        watermark.offer(&slice(&batch(0..100, &[10])), 0);
        watermark.offer(&slice(&batch(100..200, &[110])), SECOND_NS);
        settle(&watermark, 10, Outcome::Failed("no"));
        settle(&watermark, 110, Outcome::Delivered);
        assert_eq!(watermark.mark(), Some(begin));
    }

    #[test]
    fn a_mark_lies_where_a_tick_begins_and_counts_what_was_there_before() {
        let begin = Mark { due_us: 0, events: 0, counted: 0, handed_over_ns: 0 };
        let watermark = Watermark::new(begin, (0, 100), vec![true]);
        let halves = [batch(0..50, &[10]), batch(50..100, &[60]), batch(100..150, &[110])];
        let halves = halves.map(|half| Arc::new(Batch { there: 5, ..Batch::clone(&half) }));
        for (half, now_ns) in halves.iter().zip([SECOND_NS, 2 * SECOND_NS, 3 * SECOND_NS]) {
            watermark.offer(&slice(half), now_ns);
        }
        settle(&watermark, 10, Outcome::Delivered);
        settle(&watermark, 60, Outcome::Delivered);
        let mark = watermark.mark().unwrap();
        assert_eq!((mark.due_us, mark.events, mark.counted), (100, 12, 2));
    }
}
