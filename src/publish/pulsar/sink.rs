//! The sink: slices go in, receipts come out.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pulsar::message::proto::Schema;
use tokio::sync::mpsc;

use super::batch::{Message, Sent, put_property};
use super::channel::{At, Channel, Limits, first_id};
use super::client::Client;
use super::connection::Listener;
use super::drive::{self, Opened};
use super::options::{Batcher, Options, Routing};
use super::problem::{Error, Failure};
use super::shared::Shared;
use crate::clock::Clock;
use crate::encode::headers::{self, Shape, Value};
use crate::publish::{self, Outcome, Receiver, Sink, Slice, Unacknowledged};
use crate::stream::Record;

/// The most records that are taken in one go.
const CHUNK_RECORDS: usize = 4_096;

/// How long windows are in which messages are regrouped by their keys, in microseconds of model time.
const WINDOW_US: u64 = 100_000;

/// How often `give_up` is asked while waiting.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Where a stream's events go.
#[derive(Clone, Debug, Default)]
pub struct Outlet {
    /// The topic, as the user says it.
    pub topic: String,
    /// The topic's partitions; None: it is not partitioned.
    pub partitions: Option<u32>,
    /// What its producers are named; the partition is added.
    pub producer: String,
    /// The schema of its values, if Pulsar is to know it.
    pub schema: Option<Schema>,
    /// Whether keys are bytes and not text.
    pub binary_key: bool,
    /// The headers that its records have.
    pub headers: Vec<Shape>,
}

/// How sequence ids follow from model time.
#[derive(Clone, Copy, Debug)]
pub struct Numbering {
    /// When model time begins, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// The length of a tick in microseconds; above 0.
    pub tick_us: u64,
    /// When the run begins, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// Whether the run goes on where it was killed: what a topic that deduplicates has is not sent again.
    pub goes_on: bool,
}

impl Numbering {
    fn since_start_us(&self, time_us: i64) -> u64 {
        u64::try_from(time_us.saturating_sub(self.start_us)).unwrap_or(0)
    }

    /// The tick that a time lies in.
    fn tick(&self, time_us: i64) -> u64 {
        self.since_start_us(time_us) / self.tick_us
    }

    /// The window that a time lies in: equal parts of a tick, about as long as [`WINDOW_US`].
    fn window(&self, time_us: i64) -> u64 {
        let parts = (self.tick_us / WINDOW_US).max(1);
        self.since_start_us(time_us) / (self.tick_us / parts).max(1)
    }
}

/// A sink that publishes to Pulsar.
pub struct Pulsar {
    shared: Arc<Shared>,
    routes: Vec<Route>,
    numbering: Numbering,
    /// The window that came when others were ended last, while there was nothing to publish.
    ended: Option<u64>,
    /// The records of a chunk by channel: scratch space.
    by_channel: Vec<Vec<u32>>,
    thread: Option<JoinHandle<()>>,
}

/// Where a stream's records go.
#[derive(Debug)]
struct Route {
    /// The first of its channels.
    channel: usize,
    headers: Vec<Shape>,
    binary_key: bool,
    /// What a message takes beside its key, its value and its headers, in bytes, at most.
    overhead_bytes: usize,
}

impl std::fmt::Debug for Pulsar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let service = self.shared.options.service();
        formatter.debug_struct("Pulsar").field("service", &service).finish_non_exhaustive()
    }
}

impl Pulsar {
    /// Connects; waits for at most `options.connect_timeout`, so call it where waiting is allowed.
    ///
    /// `outlets` are those of the streams, by the stream's number in the model; the topics must be there.
    pub fn connect(
        options: &Arc<Options>,
        outlets: &[Option<Outlet>],
        numbering: Numbering,
        (receiver, clock): (Arc<dyn Receiver>, Clock),
    ) -> Result<Self, Error> {
        let mut channels = Vec::new();
        let mut routes = Vec::new();
        for (number, outlet) in outlets.iter().enumerate() {
            let topic = outlet.as_ref().map(|outlet| &outlet.topic);
            let of = |other: &Option<Outlet>| other.as_ref().map(|outlet| &outlet.topic) == topic;
            let before = outlets[..number].iter().position(of).filter(|_| topic.is_some());
            // Streams that share a topic share its producers, and so one send order.
            let first = before.map_or(channels.len(), |before: usize| {
                let route: &Route = &routes[before];
                route.channel
            });
            if let (Some(outlet), None) = (outlet, before) {
                let topic = options.topic(&outlet.topic);
                for partition in 0..outlet.partitions.unwrap_or(1) {
                    let topic = match outlet.partitions {
                        Some(_) => format!("{topic}-partition-{partition}"),
                        None => topic.clone(),
                    };
                    channels.push(Channel::new(
                        channels.len() as u64,
                        (&outlet.topic, topic),
                        format!("{}/{partition}", outlet.producer),
                        outlet.schema.clone(),
                    ));
                }
            }
            let outlet = outlet.clone().unwrap_or_default();
            let names = outlet.headers.iter().map(|shape| shape.name.len() + 32).sum::<usize>();
            routes.push(Route {
                channel: first,
                binary_key: outlet.binary_key,
                headers: outlet.headers,
                overhead_bytes: 64 + names,
            });
        }
        let by_channel = vec![Vec::new(); channels.len()];
        let shared =
            Arc::new(Shared::new(Arc::clone(options), channels, (receiver, clock.clone())));
        let (opened, from_channels) = mpsc::unbounded_channel();
        let listener: Arc<dyn Listener> = Arc::<Shared>::clone(&shared);
        let client = Arc::new(Client::new(Arc::clone(options), listener));
        let driven = Arc::clone(&shared);
        let runtime = drive::runtime()?;
        let thread = std::thread::Builder::new().name("pulsar".to_owned());
        let thread = thread
            .spawn(move || {
                runtime.block_on(drive::drive(driven, client, opened));
                // A name that is being looked up is not worth the wait.
                runtime.shutdown_background();
            })
            .map_err(|error| Error::Ask {
                what: "start the thread of connections",
                reason: error.to_string(),
            })?;
        let thread = Some(thread);
        let sink = Self { shared, routes, numbering, ended: None, by_channel, thread };
        sink.wait_until_open(from_channels)?;
        Ok(sink)
    }

    /// By stream: whether its topic deduplicates and has messages of the run that goes on, so that what it
    /// has is left out.
    pub fn deduplicates(&self) -> Vec<bool> {
        let channels = &self.shared.channels;
        let of_route = |route: &Route| {
            let Some(first) = channels.get(route.channel) else { return false };
            channels.iter().any(|channel| channel.asked == first.asked && channel.goes_on())
        };
        self.routes.iter().map(of_route).collect()
    }

    /// Waits until every channel has its producer.
    fn wait_until_open(&self, mut opened: mpsc::UnboundedReceiver<Opened>) -> Result<(), Error> {
        let Shared { options, clock, channels, .. } = &*self.shared;
        let begin_ns = clock.now_ns();
        let first = first_id(self.numbering.tick(self.numbering.from_us));
        let mut last = Failure::Again("no answer".to_owned());
        let mut open = 0;
        while open < channels.len() {
            if let Some(error) = self.shared.stopped() {
                return Err(error.clone());
            }
            let waited = clock.since(begin_ns);
            if waited >= options.connect_timeout {
                return Err(match last {
                    Failure::Again(reason) => Error::Unreachable {
                        service: options.service(),
                        waited_s: waited.as_secs(),
                        last: options.masked(&reason),
                    },
                    Failure::Patience(error) | Failure::Final(error) => error,
                });
            }
            match opened.try_recv() {
                Ok(Opened::Producer { channel, last_sequence_id }) => {
                    open += 1;
                    let last = u64::try_from(last_sequence_id).ok().filter(|last| *last >= first);
                    if let (Some(last), true) = (last, self.numbering.goes_on) {
                        channels[channel].goes_on_after(last);
                    } else if last.is_some() {
                        let Channel { name, asked, .. } = &*channels[channel];
                        return Err(Error::SequenceBehind {
                            name: name.clone(),
                            topic: asked.clone(),
                            last: last_sequence_id,
                            first,
                        });
                    }
                }
                Ok(Opened::NotYet(failure)) => last = failure,
                Err(_) => clock.sleep(Duration::from_millis(2)),
            }
        }
        Ok(())
    }

    /// Adds the records of a chunk to their channels.
    fn add(&mut self, slice: &Slice) {
        let Self { shared, routes, numbering, by_channel, .. } = self;
        let records = &slice.batch.records[slice.records.clone()];
        let mut too_large = Vec::new();
        let bytes_max = shared.batch_bytes_max();
        for (index, record) in (0..).zip(records) {
            let route = &routes[usize::from(record.stream)];
            if route.bytes_of(record) > bytes_max {
                too_large.push(sent(record, slice.schedule.intended_ns(record.due_us)));
                continue;
            }
            by_channel[route.channel_of(record, shared.options.routing)].push(index);
        }
        let (limits, event_time) = (limits(shared), shared.options.event_time);
        let now_ns = shared.clock.now_ns();
        let batcher = shared.options.batcher;
        let by_key = batcher == Batcher::Key;
        let mut lingers = false;
        {
            // Before the first of them can have its receipt.
            let mut ledger = shared.ledger();
            ledger.open_count += records.len() as u64;
            ledger.open_bytes +=
                records.iter().map(|record| shared.cost_bytes(&sent(record, 0))).sum::<u64>();
        }
        if !too_large.is_empty() {
            shared.count(&too_large, Outcome::Failed("message_too_large"));
        }
        for (channel, indices) in shared.channels.iter().zip(by_channel) {
            if indices.is_empty() {
                continue;
            }
            let mut there = Vec::new();
            let mut adding = channel.begin(batcher);
            for index in indices.drain(..) {
                let record = &records[index as usize];
                let route = &routes[usize::from(record.stream)];
                let arena = &slice.batch.arena;
                let intended_ns = slice.schedule.intended_ns(record.due_us);
                let message = Message {
                    key: record.keyed.then(|| &arena[record.key_range()]),
                    binary_key: route.binary_key,
                    value: (!record.tombstone).then(|| &arena[record.value_range()]),
                    event_time_ms: event_time
                        .then(|| u64::try_from(record.due_us / 1_000).unwrap_or(0)),
                    sequence_id: 0,
                };
                let properties = |into: &mut Vec<u8>| {
                    let block = &arena[record.header_range()];
                    put_properties(into, &route.headers, block, intended_ns);
                };
                let window = if by_key { numbering.window(record.due_us) } else { 0 };
                let at = At { tick: numbering.tick(record.due_us), window, now_ns };
                let sent = sent(record, intended_ns);
                if !adding.push(at, limits, (message, sent), properties) {
                    there.push(sent);
                }
            }
            lingers |= adding.end(limits);
            if !there.is_empty() {
                shared.count(&there, Outcome::AlreadyThere);
            }
        }
        if lingers {
            shared.lingering.notify_one();
        }
        if let (true, Some(last)) = (by_key, records.last()) {
            self.end_windows(Some(self.numbering.window(last.due_us)));
        }
    }

    /// Ends the windows that are over when messages of this one come; None: all.
    fn end_windows(&self, latest: Option<u64>) {
        let (limits, now_ns) = (limits(&self.shared), self.shared.clock.now_ns());
        self.shared.channels.iter().for_each(|channel| channel.end_window(latest, limits, now_ns));
    }

    /// Waits for room; false if `give_up` said true meanwhile, or the sink stopped.
    fn wait_for_room(&self, give_up: &dyn Fn() -> bool) -> bool {
        loop {
            let ledger = self.shared.ledger();
            if ledger.open_bytes < self.shared.options.in_flight_bytes_max {
                return true;
            }
            let open_count = ledger.open_count;
            drop(ledger);
            // Only what comes next ends windows.
            let held = self.shared.channels.iter().map(|channel| channel.held_count());
            if held.sum::<u64>() == open_count {
                return true;
            }
            let ledger = self.shared.ledger();
            self.shared.wait(ledger, ASK_EVERY);
            if give_up() || self.shared.stopped().is_some() {
                return false;
            }
        }
    }
}

impl Route {
    /// How long a record's message becomes, at most.
    fn bytes_of(&self, record: &Record) -> usize {
        // Base64 makes four bytes of three, and hexadecimal two of one.
        let (key, headers) = (record.key_bytes.div_ceil(3) * 4, record.header_bytes * 2);
        key as usize + headers as usize + record.value_bytes as usize + self.overhead_bytes
    }

    /// The channel of a record.
    fn channel_of(&self, record: &Record, routing: Routing) -> usize {
        let place = match u32::try_from(record.partition) {
            Ok(partition) if record.keyed || routing == Routing::RoundRobin => u64::from(partition),
            _ => 0,
        };
        self.channel + usize::try_from(place).unwrap_or(0)
    }
}

fn limits(shared: &Shared) -> Limits {
    let Options { batch_messages_max: messages, batch_bytes_max: bytes, .. } = *shared.options;
    Limits { messages, bytes: bytes.min(shared.batch_bytes_max()) }
}

/// What a receipt needs to know of a record.
fn sent(record: &Record, intended_ns: i64) -> Sent {
    let bytes = record.key_bytes + record.value_bytes;
    Sent { intended_ns, due_us: record.due_us, bytes, stream: record.stream }
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).collect()
}

/// Text as it is, and other bytes as hexadecimal digits: properties are text.
fn text(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Cow::Borrowed(bytes),
        Err(_) => Cow::Owned(hexadecimal(bytes)),
    }
}

fn put_properties(into: &mut Vec<u8>, shapes: &[Shape], block: &[u8], intended_ns: i64) {
    for (number, value) in headers::read(shapes, block) {
        let name = &shapes[number].name;
        match value {
            // Properties are text.
            Value::Identity(bytes) => {
                put_property(into, name, &hexadecimal(bytes));
            }
            Value::Text(text) => put_property(into, name, text),
            Value::IntendedTime => put_property(into, name, &headers::intended_time(intended_ns)),
            Value::Own(name, value) => {
                let name = name.to_string_lossy();
                put_property(into, &name, &text(value.unwrap_or_default()));
            }
        }
    }
}

impl Sink for Pulsar {
    fn publish(
        &mut self,
        slice: &Slice,
        give_up: &dyn Fn() -> bool,
    ) -> Result<usize, publish::Error> {
        let mut taken_count = 0;
        while taken_count < slice.records.len() {
            if !self.wait_for_room(give_up) {
                break;
            }
            let start = slice.records.start + taken_count;
            let end = slice.records.end.min(start + CHUNK_RECORDS);
            self.add(&Slice { records: start..end, ..slice.clone() });
            taken_count += end - start;
        }
        match self.shared.stopped() {
            Some(error) => Err(error.clone().into()),
            None => Ok(taken_count),
        }
    }

    fn idle(&mut self, due_us: i64) -> Result<(), publish::Error> {
        if let Some(error) = self.shared.stopped() {
            return Err(error.clone().into());
        }
        let latest = self.numbering.window(due_us);
        if self.shared.options.batcher == Batcher::Key && self.ended != Some(latest) {
            self.ended = Some(latest);
            self.end_windows(Some(latest));
        }
        Ok(())
    }

    fn flush(
        &mut self,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, publish::Error> {
        let end_ns = self.shared.clock.ahead_ns(patience);
        let mut ledger = loop {
            let ledger = self.shared.ledger();
            let late = self.shared.clock.now_ns() >= end_ns;
            if ledger.open_count == 0 || self.shared.stopped().is_some() || late || give_up() {
                break ledger;
            }
            self.shared.wait(ledger, Duration::from_millis(1));
            self.end_windows(None);
            for channel in &self.shared.channels {
                channel.seal();
            }
        };
        ledger.given_up |= ledger.open_count > 0;
        match self.shared.stopped() {
            // What is open stays in flight.
            Some(error) => Err(error.clone().into()),
            None => Ok(Unacknowledged(std::mem::take(&mut ledger.open_count))),
        }
    }

    fn in_flight(&self) -> u64 {
        self.shared.ledger().open_count
    }
}

impl Drop for Pulsar {
    fn drop(&mut self) {
        self.shared.close.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the connections ended by a panic");
        }
    }
}
