//! Counts of what was issued and what became of it, kept while a run goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge};

use super::latency::{Distribution, Quantiles};
use super::memory;
use super::metric::{Meters, Metric};
use super::watermark::{Mark, Watermark};
use crate::clock::Clock;
use crate::publish::{self, Outcome, Receipt, Receiver, Sink, Slice, Unacknowledged};
use crate::stream::pacer::Held;

/// Parts of a slice whose lag is looked at on its own; each counts as late as its first record.
const SLICE_PARTS: usize = 8;

/// Stands for "no slice is being handed over".
const NOTHING: i64 = i64::MAX;

/// Counts of a run. Receipts cost one lock a batch of them, slices one a slice.
#[derive(Debug)]
pub struct Tally {
    streams: Vec<Stream>,
    books: Mutex<Books>,
    meters: Meters,
    gauges: Gauges,
    clock: Clock,
    /// The intended time of the slice that is being handed over, or [`NOTHING`].
    offered_ns: AtomicI64,
    lag_ns: AtomicI64,
    due_us: AtomicI64,
    held: Arc<Held>,
    watermark: OnceLock<Watermark>,
}

#[derive(Debug)]
struct Stream {
    name: String,
    issued: AtomicU64,
    issued_meter: Counter,
    delivered_meter: Counter,
    sent_again_meter: Counter,
    already_there_meter: Counter,
    bytes_meter: Counter,
}

#[derive(Debug)]
struct Gauges {
    in_flight: Gauge,
    lag: Gauge,
    governed: Gauge,
    memory: Gauge,
    latency: Vec<Gauge>,
}

/// What receipts said, and how long things took.
#[derive(Debug, Default)]
struct Books {
    streams: Vec<Outcomes>,
    recent: Distribution,
    latency: Distribution,
    lag: Distribution,
}

/// What became of the events of one stream, as far as receipts say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Events that were acknowledged.
    pub delivered: u64,
    /// Bytes of key and value of those.
    pub bytes: u64,
    /// Those of the delivered that were written more than once.
    pub sent_again: u64,
    /// Events that the broker had already.
    pub already_there: u64,
    /// Events that were refused, by reason.
    pub failed: BTreeMap<String, u64>,
}

impl Outcomes {
    /// Events whose end is known.
    pub fn settled_count(&self) -> u64 {
        self.delivered + self.already_there + self.failed_count()
    }

    /// Events that were refused, for whatever reason.
    pub fn failed_count(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// A look at a run that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Events handed over.
    pub issued: u64,
    /// Events acknowledged.
    pub delivered: u64,
    /// Events that the broker had already.
    pub already_there: u64,
    /// Events refused.
    pub failed: u64,
    /// Bytes of key and value acknowledged.
    pub bytes: u64,
    /// How far the run is behind its schedule.
    pub lag: Duration,
    /// How long ceilings have held back what was due.
    pub governed: Duration,
    /// The latest due time that was handed over, in microseconds since the Unix epoch.
    pub due_us: Option<i64>,
    /// Latency of what was acknowledged since the last glance.
    pub latency: Option<Quantiles>,
}

impl Glance {
    /// Events handed over and without a receipt yet.
    pub fn in_flight(&self) -> u64 {
        self.issued.saturating_sub(self.delivered + self.already_there + self.failed)
    }
}

/// The counts of a run that is over.
#[derive(Clone, Debug)]
pub struct Total {
    /// A name, the number issued and the outcomes for each stream.
    pub streams: Vec<(String, u64, Outcomes)>,
    /// From intended time to acknowledgement.
    pub latency: Option<Quantiles>,
    /// How late events were handed over.
    pub lag: Option<Quantiles>,
    /// How long ceilings held back what was due.
    pub governed: Duration,
    /// The latest due time that was handed over, in microseconds since the Unix epoch.
    pub due_us: Option<i64>,
}

impl Tally {
    /// A tally of streams by name, in the order of the model.
    pub fn new(streams: &[String], meters: Meters, clock: Clock) -> Self {
        let counter = |metric, name: &String| meters.counter(metric, &[name]);
        let gauges = Gauges {
            in_flight: meters.gauge(Metric::InFlightEvents, &[]),
            lag: meters.gauge(Metric::LagSeconds, &[]),
            governed: meters.gauge(Metric::GovernedSeconds, &[]),
            memory: meters.gauge(Metric::MemoryBytes, &[]),
            latency: ["0.5", "0.99", "0.999", "1"]
                .map(|quantile| meters.gauge(Metric::LatencySeconds, &[quantile]))
                .into(),
        };
        let books = Books { streams: vec![Outcomes::default(); streams.len()], ..Books::default() };
        Self {
            streams: streams
                .iter()
                .map(|name| Stream {
                    name: name.clone(),
                    issued: AtomicU64::new(0),
                    issued_meter: counter(Metric::IssuedEvents, name),
                    delivered_meter: counter(Metric::DeliveredEvents, name),
                    sent_again_meter: counter(Metric::SentAgainEvents, name),
                    already_there_meter: counter(Metric::AlreadyThereEvents, name),
                    bytes_meter: counter(Metric::DeliveredBytes, name),
                })
                .collect(),
            books: Mutex::new(books),
            gauges,
            meters,
            clock,
            offered_ns: AtomicI64::new(NOTHING),
            lag_ns: AtomicI64::new(0),
            due_us: AtomicI64::new(i64::MIN),
            held: Arc::default(),
            watermark: OnceLock::new(),
        }
    }

    /// Keeps a mark of how far all is acknowledged, from now on.
    ///
    /// # Panics
    ///
    /// If one is kept already: our own bug.
    pub fn mark_with(&self, watermark: Watermark) {
        let first = self.watermark.set(watermark).is_ok();
        assert!(first, "a run has one mark");
    }

    /// How far all is acknowledged, if that is kept.
    pub fn mark(&self) -> Option<Mark> {
        self.watermark.get()?.mark()
    }

    /// What the pacer tells of its ceilings.
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held)
    }

    /// Looks at the run, and sets the gauges to what it sees. To be called about once a second: the
    /// latency is that of what was acknowledged since the last call.
    pub fn glance(&self) -> Glance {
        let issued = self.issued();
        let mut books = self.books();
        let latency = books.recent.quantiles();
        let Books { recent, latency: whole, .. } = &mut *books;
        whole.take(recent);
        let glance = Glance {
            issued,
            delivered: books.streams.iter().map(|stream| stream.delivered).sum(),
            already_there: books.streams.iter().map(|stream| stream.already_there).sum(),
            failed: books.streams.iter().map(Outcomes::failed_count).sum(),
            bytes: books.streams.iter().map(|stream| stream.bytes).sum(),
            lag: self.lag(),
            governed: self.held.total(),
            due_us: self.due_us(),
            latency,
        };
        drop(books);
        self.gauges.in_flight.set(glance.in_flight() as f64);
        self.gauges.lag.set(glance.lag.as_secs_f64());
        self.gauges.governed.set(glance.governed.as_secs_f64());
        if let Some(resident) = memory::resident_bytes() {
            self.gauges.memory.set(resident.now as f64);
        }
        if let Some(latency) = latency {
            for (gauge, (_, time)) in self.gauges.latency.iter().zip(latency.named()) {
                gauge.set(time.as_secs_f64());
            }
        }
        glance
    }

    /// The counts so far; after the last receipt, those of the run.
    pub fn total(&self) -> Total {
        let mut books = self.books();
        let Books { recent, latency, .. } = &mut *books;
        latency.take(recent);
        let streams = self.streams.iter().zip(&books.streams);
        Total {
            streams: streams
                .map(|(stream, outcomes)| {
                    // A slice is counted once it is handed over, and may have receipts before.
                    let settled = outcomes.settled_count();
                    let issued = stream.issued.load(Ordering::Acquire).max(settled);
                    (stream.name.clone(), issued, outcomes.clone())
                })
                .collect(),
            latency: books.latency.quantiles(),
            lag: books.lag.quantiles(),
            governed: self.held.total(),
            due_us: self.due_us(),
        }
    }

    /// The counts so far, and a new beginning for what follows: for the phases of a run. Nothing
    /// may be in flight.
    pub fn start_over(&self) -> Total {
        let total = self.total();
        for stream in &self.streams {
            stream.issued.store(0, Ordering::Release);
        }
        self.due_us.store(i64::MIN, Ordering::Relaxed);
        self.lag_ns.store(0, Ordering::Relaxed);
        self.held.start_over();
        let mut books = self.books();
        let streams = vec![Outcomes::default(); self.streams.len()];
        *books = Books { streams, ..Books::default() };
        total
    }

    fn issued(&self) -> u64 {
        self.streams.iter().map(|stream| stream.issued.load(Ordering::Acquire)).sum()
    }

    fn due_us(&self) -> Option<i64> {
        Some(self.due_us.load(Ordering::Relaxed)).filter(|due_us| *due_us != i64::MIN)
    }

    /// How late the last hand-over was, or, if one is waiting for the sink or held by a ceiling, how
    /// late that one is.
    fn lag(&self) -> Duration {
        let held_ns = self.held.intended_ns().unwrap_or(NOTHING);
        let offered_ns = self.offered_ns.load(Ordering::Relaxed).min(held_ns);
        let waiting_ns =
            if offered_ns == NOTHING { 0 } else { self.clock.now_ns().saturating_sub(offered_ns) };
        let lag_ns = waiting_ns.max(self.lag_ns.load(Ordering::Relaxed));
        Duration::from_nanos(u64::try_from(lag_ns).unwrap_or(0))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_issued(&self, slice: &Slice, taken: usize) {
        let records = &slice.batch.records[slice.records.clone()][..taken];
        let Some(last) = records.last() else { return };
        for run in records.chunk_by(|a, b| a.stream == b.stream) {
            let stream = &self.streams[usize::from(run[0].stream)];
            stream.issued.fetch_add(run.len() as u64, Ordering::AcqRel);
            stream.issued_meter.increment(run.len() as u64);
        }
        let now_ns = self.clock.now_ns();
        let lag_ns = |due_us: i64| now_ns - slice.schedule.intended_ns(due_us);
        self.lag_ns.store(lag_ns(last.due_us), Ordering::Relaxed);
        self.due_us.fetch_max(last.due_us, Ordering::Relaxed);
        let mut books = self.books();
        // After a pause a slice is long, and its first records are later than its last.
        for part in records.chunks(taken.div_ceil(SLICE_PARTS)) {
            books.lag.record(lag_ns(part[0].due_us), part.len() as u64);
        }
    }

    /// How many of a slice's records a sink took before it failed: those that it gave receipts for
    /// or up, and that are not counted yet.
    fn taken_before_failure(&self, unacknowledged: u64) -> u64 {
        let settled: u64 = self.books().streams.iter().map(Outcomes::settled_count).sum();
        (settled + unacknowledged).saturating_sub(self.issued())
    }
}

impl Receiver for Tally {
    fn receive(&self, receipts: &[Receipt<'_>]) {
        if let Some(watermark) = self.watermark.get() {
            watermark.settle(receipts);
        }
        let mut books = self.books();
        let books = &mut *books;
        for run in receipts.chunk_by(|a, b| a.stream == b.stream) {
            let index = usize::from(run[0].stream);
            let (mut delivered, mut again, mut there, mut bytes) = (0, 0, 0, 0);
            for receipt in run {
                match receipt.outcome {
                    Outcome::Delivered | Outcome::DeliveredAgain => {
                        let is_again = receipt.outcome == Outcome::DeliveredAgain;
                        again += u64::from(is_again);
                        delivered += 1;
                        bytes += u64::from(receipt.bytes);
                        books.recent.record(receipt.latency_ns, 1);
                    }
                    Outcome::AlreadyThere => there += 1,
                    Outcome::Failed(reason) => {
                        let failed = &mut books.streams[index].failed;
                        match failed.get_mut(reason) {
                            Some(count) => *count += 1,
                            None => _ = failed.insert(reason.to_owned(), 1),
                        }
                        let stream = self.streams[index].name.as_str();
                        self.meters.counter(Metric::FailedEvents, &[stream, reason]).increment(1);
                    }
                }
            }
            let outcomes = &mut books.streams[index];
            outcomes.delivered += delivered;
            outcomes.sent_again += again;
            outcomes.already_there += there;
            outcomes.bytes += bytes;
            let stream = &self.streams[index];
            stream.delivered_meter.increment(delivered);
            stream.sent_again_meter.increment(again);
            stream.already_there_meter.increment(there);
            stream.bytes_meter.increment(bytes);
        }
    }
}

/// A sink of which a [`Tally`] learns what it was given.
pub struct Watched {
    sink: Box<dyn Sink>,
    tally: Arc<Tally>,
    /// The slice that the sink failed at: how much of it was taken shows when all is settled.
    failed: Option<Slice>,
}

impl Watched {
    /// Watches `sink`, whose receipts go to the same `tally`.
    pub fn new(sink: Box<dyn Sink>, tally: Arc<Tally>) -> Self {
        Self { sink, tally, failed: None }
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watched").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl Sink for Watched {
    fn publish(
        &mut self,
        slice: &Slice,
        give_up: &dyn Fn() -> bool,
    ) -> Result<usize, publish::Error> {
        if let Some(first) = slice.batch.records[slice.records.clone()].first() {
            let intended_ns = slice.schedule.intended_ns(first.due_us);
            self.tally.offered_ns.store(intended_ns, Ordering::Relaxed);
        }
        if let Some(watermark) = self.tally.watermark.get() {
            watermark.offer(slice, self.tally.clock.now_ns());
        }
        let result = self.sink.publish(slice, give_up);
        self.tally.offered_ns.store(NOTHING, Ordering::Relaxed);
        match &result {
            Ok(taken) => self.tally.count_issued(slice, *taken),
            Err(_) => self.failed = Some(slice.clone()),
        }
        result
    }

    fn idle(&mut self, due_us: i64) -> Result<(), publish::Error> {
        self.sink.idle(due_us)
    }

    fn flush(
        &mut self,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, publish::Error> {
        let flushed = self.sink.flush(patience, give_up);
        let unacknowledged = match &flushed {
            Ok(unacknowledged) => unacknowledged.0,
            Err(_) => self.sink.in_flight(),
        };
        if let Some(slice) = self.failed.take() {
            let taken = self.tally.taken_before_failure(unacknowledged);
            let taken = usize::try_from(taken).unwrap_or(usize::MAX).min(slice.records.len());
            self.tally.count_issued(&slice, taken);
        }
        flushed
    }

    fn in_flight(&self) -> u64 {
        self.sink.in_flight()
    }
}

#[cfg(test)]
mod tests;
