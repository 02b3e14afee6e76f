//! The sink: slices go in, receipts come out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::native::{Client, Delivery, Event, code};
use super::options::Options;
use super::problem::{self, Complaints, Error};
use super::produce::{Outgoing, Producer, Routes};
use super::receipts::{Buffers, Shared};
use crate::clock::Clock;
use crate::encode::headers::Shape;
use crate::publish::{self, Receiver, Sink, Slice, Unacknowledged};
use crate::stream::in_flight::{Held, InFlight};

/// The most records that are handed to librdkafka in one call.
const CHUNK_RECORDS: usize = 4_096;

/// How long a try to reach the brokers lasts before complaints are looked at.
pub(super) const TRY_MS: i32 = 250;

/// How long a new topic may be unknown to the broker that we ask.
const TOPIC_PATIENCE: Duration = Duration::from_secs(3);

/// How long librdkafka has to hand back what is given up. Shorter than a run waits for its sink.
pub(crate) const PURGE_PATIENCE: Duration = Duration::from_secs(1);

/// How often `give_up` is asked while waiting.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A sink that publishes to Kafka.
pub struct Kafka {
    shared: Arc<Shared>,
    in_flight: InFlight,
    /// The batch of the last slice, so that its next slice need not wait for room.
    held: Option<Held>,
    outgoing: Outgoing,
    refused: Vec<Delivery>,
    buffers: Buffers,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers = self.shared.options.servers();
        formatter.debug_struct("Kafka").field("servers", &servers).finish_non_exhaustive()
    }
}

/// Where a stream's records go.
#[derive(Clone, Debug, Default)]
pub struct Outlet {
    /// The topic.
    pub topic: String,
    /// The headers that its records have.
    pub headers: Vec<Shape>,
}

impl From<&str> for Outlet {
    /// A topic, and no headers.
    fn from(topic: &str) -> Self {
        Self { topic: topic.to_owned(), headers: Vec::new() }
    }
}

impl Kafka {
    /// Connects; waits for at most `options.connect_timeout`, so call it where waiting is allowed.
    ///
    /// `outlets` are those of the streams, by the stream's number in the model; the topics must be
    /// there (see [`super::topics`]).
    pub fn connect(
        options: &Options,
        outlets: &[Outlet],
        receiver: Arc<dyn Receiver>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let mut names: Vec<String> = Vec::new();
        let mut topic_of_stream = Vec::new();
        for Outlet { topic, .. } in outlets {
            let known = names.iter().position(|name| name == topic);
            topic_of_stream.push(known.unwrap_or(names.len()));
            if known.is_none() {
                names.push(topic.clone());
            }
        }
        let configuration = options.configuration(|_| true)?;
        let client =
            Client::new(configuration, &names).map_err(|reason| options.refused(&reason))?;
        let partitions = reach(&client, options, &names, &clock)?;
        // The event that tells of it may have come while we connected.
        if let Some((code, text)) = client.fatal_error() {
            return Err(problem::fatal(code, &text, options));
        }
        let routes = Routes::new(
            topic_of_stream,
            partitions,
            outlets.iter().map(|outlet| outlet.headers.clone()),
        );
        let shared = Arc::new(Shared {
            producer: Producer::new(client, routes, options.timestamp),
            options: options.clone(),
            topics: names,
            receiver,
            clock,
            stopped: OnceLock::new(),
            closing: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("kafka-receipts".to_owned());
        let thread = thread.spawn(move || serving.serve()).map_err(|error| Error::Ask {
            what: "start the thread for receipts",
            reason: error.to_string(),
        })?;
        Ok(Self {
            shared,
            in_flight: InFlight::new(options.in_flight_bytes_max),
            held: None,
            outgoing: Outgoing::default(),
            refused: Vec::new(),
            buffers: Buffers::default(),
            thread: Some(thread),
        })
    }

    /// Bytes of batches that wait for receipts.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight.bytes()
    }

    /// Why the sink takes no more, if so.
    pub fn stopped(&self) -> Option<&Error> {
        self.shared.stopped.get()
    }

    fn admit(&mut self, slice: &Slice, give_up: &dyn Fn() -> bool) -> Option<Held> {
        if let Some(held) = &self.held
            && Arc::ptr_eq(held.batch(), &slice.batch)
        {
            return Some(held.clone());
        }
        // The last batch must not stand in the way of this one.
        self.held = None;
        let over = || give_up() || self.shared.stopped.get().is_some();
        self.held = self.in_flight.admit(&slice.batch, &over);
        self.held.clone()
    }

    /// Hands over one chunk. What is left when `give_up` says true stays unacknowledged.
    fn hand_over(&mut self, slice: &Slice, held: &Held, give_up: &dyn Fn() -> bool) {
        let Self { shared, outgoing, refused, buffers, .. } = self;
        shared.producer.take(slice, held, outgoing, refused);
        loop {
            let all = shared.producer.send(slice, outgoing, refused);
            if !refused.is_empty() {
                shared.settle(refused, buffers);
                refused.clear();
            }
            if all {
                return;
            }
            if give_up() || shared.stopped.get().is_some() {
                let mut ledger = shared.producer.ledger();
                let left_count = outgoing.left_count() as u64;
                ledger.open_count -= left_count;
                ledger.unacknowledged_count += left_count;
                return;
            }
            // Room is made by the thread that takes receipts.
            shared.producer.wait(shared.producer.ledger(), ASK_EVERY);
        }
    }

    /// Waits until nothing is open, or until `over` says true.
    fn wait_until_settled(&self, over: &dyn Fn() -> bool) {
        loop {
            // Without lingering: nothing more will join what waits.
            self.shared.producer.client.flush(0);
            let ledger = self.shared.producer.ledger();
            if ledger.open_count == 0 || over() {
                return;
            }
            self.shared.producer.wait(ledger, ASK_EVERY);
        }
    }

    fn deadline(&self, patience: Duration) -> impl Fn() -> bool + use<> {
        let clock = self.shared.clock.clone();
        let end_ns = clock.ahead_ns(patience);
        move || clock.now_ns() >= end_ns
    }
}

impl Sink for Kafka {
    fn publish(
        &mut self,
        slice: &Slice,
        give_up: &dyn Fn() -> bool,
    ) -> Result<usize, publish::Error> {
        let mut taken_count = 0;
        while taken_count < slice.records.len() {
            if let Some(error) = self.shared.stopped.get() {
                return Err(error.clone().into());
            }
            let Some(held) = self.admit(slice, give_up) else { break };
            let start = slice.records.start + taken_count;
            let end = slice.records.end.min(start + CHUNK_RECORDS);
            let chunk = Slice { records: start..end, ..slice.clone() };
            self.hand_over(&chunk, &held, give_up);
            taken_count += end - start;
            if give_up() {
                break;
            }
        }
        if let Some(error) = self.shared.stopped.get() {
            return Err(error.clone().into());
        }
        Ok(taken_count)
    }

    fn idle(&mut self, _due_us: i64) -> Result<(), publish::Error> {
        self.shared.stopped.get().map_or(Ok(()), |error| Err(error.clone().into()))
    }

    fn flush(
        &mut self,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, publish::Error> {
        self.held = None;
        let late = self.deadline(patience);
        self.wait_until_settled(&|| give_up() || late());
        if self.in_flight() > 0 {
            self.shared.producer.client.purge();
            let late = self.deadline(PURGE_PATIENCE);
            self.wait_until_settled(&late);
        }
        let mut ledger = self.shared.producer.ledger();
        ledger.given_up |= ledger.open_count > 0;
        let count = ledger.open_count + ledger.unacknowledged_count;
        (ledger.open_count, ledger.unacknowledged_count) = (0, 0);
        Ok(Unacknowledged(count))
    }

    fn in_flight(&self) -> u64 {
        self.shared.producer.ledger().open_count
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for receipts ended by a panic");
        }
    }
}

/// Waits until a broker tells the topics' partitions, within the options' time.
fn reach(
    client: &Client,
    options: &Options,
    topics: &[String],
    clock: &Clock,
) -> Result<Vec<u32>, Error> {
    let begin_ns = clock.now_ns();
    let waited = || clock.since(begin_ns);
    let mut complaints = Complaints::default();
    loop {
        let answer = client.metadata(TRY_MS);
        note(client, options, &mut complaints);
        match answer {
            Ok(found) => {
                let counts: Vec<u32> = found.iter().filter_map(|count| count.ok()).collect();
                if counts.len() == topics.len() {
                    return Ok(counts);
                }
                if let Some(error) = refusal(&found, topics, waited() >= TOPIC_PATIENCE) {
                    return Err(error);
                }
            }
            Err(_) => {
                if let Some(grave) = complaints.grave() {
                    return Err(grave.clone());
                }
            }
        }
        if waited() >= options.connect_timeout {
            return Err(complaints.unreachable(options));
        }
        clock.sleep(Duration::from_millis(20));
    }
}

/// Takes what the client complains of while it connects.
pub(crate) fn note(client: &Client, options: &Options, complaints: &mut Complaints) {
    let mut none = Vec::new();
    loop {
        match client.poll(0, &mut none) {
            Event::Nothing => return,
            Event::Error { code, text, .. } => {
                complaints.note(code, &text, client.certificate_error(), options);
            }
            Event::Log { text, .. } => {
                complaints.note_line(&text, options);
                tracing::debug!(line = %options.masked(&text), "librdkafka, connecting");
            }
            Event::Deliveries | Event::Other => {}
        }
    }
}

fn refusal(found: &[Result<u32, i32>], topics: &[String], patient: bool) -> Option<Error> {
    let with = |code| {
        let both = found.iter().zip(topics);
        both.filter(move |(count, _)| **count == Err(code)).map(|(_, topic)| topic.clone())
    };
    if let Some(topic) = with(code::NOT_AUTHORISED).next() {
        return Some(Error::NotAuthorised { topic });
    }
    let missing: Vec<String> = with(code::UNKNOWN_TOPIC).collect();
    (patient && !missing.is_empty()).then_some(Error::TopicMissing { topics: missing })
}
