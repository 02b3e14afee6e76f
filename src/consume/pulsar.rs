//! Reading Pulsar's topics over our own connection.
//!
//! Each partition has a reader's subscription of its own, which the broker forgets when its connection ends;
//! nothing is acknowledged. A thread of its own keeps subscriptions open and takes entries in; whoever reads
//! takes them apart, straight into pages.
//!
//! What a namespace's policies take away (time to live, retention) is not there to be read. Marks of
//! transactions do not count as the last message with brokers from 3.0 on.
//! Of a topic that was terminated and loaded again a broker names no last message; only the end that reading
//! comes to tells.

mod drive;
mod entry;
mod feed;
mod field;
pub mod subscription;
mod unpack;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Begin, Error, Page, Partition, Position, Read, Source};
use crate::clock::Clock;
use crate::publish::pulsar::drive::runtime;
use crate::publish::pulsar::problem::Failure;
use crate::publish::pulsar::topics::{self, Need, State};
use crate::publish::pulsar::{self as client, Options};

use drive::Shared;
use feed::{Feed, Next, Start};
use unpack::{Fault, Unpacking};

/// How many bytes of all partitions wait to be read, about.
const HELD_BYTES: usize = 32 << 20;

/// How much before a time the broker is told to begin, in milliseconds: messages of several producers are
/// only about in the order of their times, and what comes before the time is left out by us.
const MARGIN_MS: i64 = 10_000;

/// Topics of Pulsar that are read.
pub struct Pulsar {
    shared: Arc<Shared>,
    options: Options,
    partitions: Vec<Partition>,
    /// By partition.
    readings: Vec<Reading>,
    clock: Clock,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Reading {
    unpacking: Unpacking,
    /// What came after the last page.
    fault: Option<Fault>,
}

impl std::fmt::Debug for Pulsar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let partitions = &self.partitions;
        formatter.debug_struct("Pulsar").field("partitions", partitions).finish_non_exhaustive()
    }
}

impl Pulsar {
    /// Subscribes to all partitions of topics; waits for at most `options.connect_timeout`, twice.
    pub fn open(
        options: &Options,
        topics: &[String],
        begin: &Begin,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let partitions = partitions(options, topics, clock)?;
        let room_bytes = HELD_BYTES / partitions.len().max(1);
        let mut readings = Vec::with_capacity(partitions.len());
        let mut feeds = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            let (start, from, from_ms) = start(begin, partition);
            let topic = full_name(options, partition);
            let names = (partition.topic.as_str(), topic, partition.to_string());
            feeds.push(Arc::new(Feed::new(names, (start, from), room_bytes, clock)));
            readings.push(Reading { unpacking: Unpacking::new(from, from_ms), fault: None });
        }
        let shared = Arc::new(Shared { feeds, close: Notify::new() });
        let runtime = runtime()?;
        let (driven, driving) = (Arc::clone(&shared), clock.clone());
        let connections = topics::client(options);
        let thread = std::thread::Builder::new().name("pulsar".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(drive::drive(driven, connections, driving));
            // A name that is being looked up is not worth the wait.
            runtime.shutdown_background();
        });
        let thread = thread.map_err(|error| client::Error::Ask {
            what: "start the thread of connections",
            reason: error.to_string(),
        })?;
        let source = Self {
            shared,
            options: options.clone(),
            partitions,
            readings,
            clock: clock.clone(),
            thread: Some(thread),
        };
        let end_ns = clock.ahead_ns(options.connect_timeout);
        for (place, feed) in source.shared.feeds.iter().enumerate() {
            let left_ns = (end_ns - clock.now_ns()).max(0);
            let opened = feed.wait_until_open(Duration::from_nanos(left_ns.unsigned_abs()));
            let timeout = options.connect_timeout;
            opened.map_err(|failure| source.error(place, failure, timeout))?;
        }
        Ok(source)
    }

    /// What keeps a partition from being read.
    fn error(&self, place: usize, failure: Failure, waited: Duration) -> Error {
        let feed = &self.shared.feeds[place];
        let error = match failure {
            Failure::Final(error) | Failure::Patience(error) => error,
            Failure::Again(reason) => client::Error::Unreachable {
                service: self.options.service(),
                waited_s: waited.as_secs(),
                last: self.options.masked(&reason),
            },
        };
        match error {
            client::Error::TopicGone { .. } => Error::Lost {
                partition: feed.shown.clone(),
                reason: "it is there no more: it was deleted".to_owned(),
            },
            // One of several partitions may be missing.
            client::Error::TopicMissing { .. } => Error::TopicMissing {
                topics: vec![match self.partitions[place].number {
                    Some(number) => format!("{}-partition-{number}", feed.asked),
                    None => feed.asked.clone(),
                }],
            },
            other => of_client(other, &feed.asked),
        }
    }

    /// Fills a page with what lies ready; says what there is if that is nothing.
    fn fill(&mut self, partition: usize, page: &mut Page) -> Result<Read, Error> {
        let feed = &self.shared.feeds[partition];
        let Reading { unpacking, fault } = &mut self.readings[partition];
        while fault.is_none() {
            let done = unpacking.go_on(page);
            if done.is_ok() && unpack::is_full(page) {
                return Ok(Read::Records);
            }
            let done = done.and_then(|()| match feed.next() {
                Next::Entry(entry) => unpacking.take(entry, page).map(|()| None),
                other => Ok(Some(other)),
            });
            match done {
                Ok(None) => {}
                Err(found) => *fault = Some(found),
                Ok(Some(_)) if !page.records.is_empty() => return Ok(Read::Records),
                Ok(Some(Next::End)) => return Ok(Read::End),
                Ok(Some(Next::Error(error))) => {
                    return Err(self.error(partition, Failure::Final(error), Duration::ZERO));
                }
                Ok(Some(Next::Nothing | Next::Entry(_))) => return Ok(Read::Nothing),
            }
        }
        if !page.records.is_empty() {
            return Ok(Read::Records);
        }
        let partition = feed.shown.clone();
        match fault.take() {
            Some(Fault { position, reason }) => {
                Err(Error::Unreadable { partition, position, reason })
            }
            None => Ok(Read::Nothing),
        }
    }
}

impl Source for Pulsar {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn read(
        &mut self,
        partition: usize,
        page: &mut Page,
        patience: Duration,
    ) -> Result<Read, Error> {
        page.clear();
        let begin_ns = self.clock.now_ns();
        loop {
            let read = self.fill(partition, page)?;
            let waited = self.clock.since(begin_ns);
            if read != Read::Nothing || waited >= patience {
                return Ok(read);
            }
            self.shared.feeds[partition].wait_for_more(patience.saturating_sub(waited));
        }
    }

    fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error> {
        let patience = self.options.operation_timeout;
        let end_ns = self.clock.ahead_ns(patience);
        let questions: Vec<u64> = self.shared.feeds.iter().map(|feed| feed.ask()).collect();
        let feeds = self.shared.feeds.iter().zip(questions);
        let lasts = feeds.enumerate().map(|(place, (feed, question))| {
            let left_ns = (end_ns - self.clock.now_ns()).max(0);
            let last = feed.last(question, Duration::from_nanos(left_ns.unsigned_abs()));
            last.map_err(|failure| self.error(place, failure, patience))
        });
        lasts.collect()
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

/// The full name of a partition.
fn full_name(options: &Options, partition: &Partition) -> String {
    let topic = options.topic(&partition.topic);
    match partition.number {
        Some(number) => format!("{topic}-partition-{number}"),
        None => topic,
    }
}

/// The partitions of topics, all of which must be there.
fn partitions(
    options: &Options,
    topics: &[String],
    clock: &Clock,
) -> Result<Vec<Partition>, Error> {
    let need = |name: &String| Need { name: name.clone(), partitions: None };
    let needs: Vec<Need> = topics.iter().map(need).collect();
    if let Some(topic) = topics.iter().find(|topic| topic.starts_with("non-persistent://")) {
        let reason = "it is not persistent: nothing of it is kept to be read".to_owned();
        return Err(client::Error::Refused { topic: topic.clone(), reason }.into());
    }
    let found = topics::look(options, &needs, false, clock);
    let found = found.map_err(|error| {
        let topic = match &error {
            client::Error::NotAuthorised { topic, .. } => topic.clone(),
            _ => String::new(),
        };
        of_client(error, &topic)
    })?;
    let states = || topics.iter().zip(found.iter().map(|found| found.state));
    let missing = states().filter(|(_, state)| *state == State::Missing);
    let missing: Vec<String> = missing.map(|(topic, _)| topic.clone()).collect();
    if !missing.is_empty() {
        return Err(Error::TopicMissing { topics: missing });
    }
    let partition = |topic: &String, number| Partition {
        topic: topic.clone(),
        number,
        expired: 0,
        compacted: false,
    };
    let of_topic = |(topic, state): (&String, State)| -> Vec<Partition> {
        match state.partitions() {
            Some(count) => (0..count).map(|number| partition(topic, Some(number))).collect(),
            None => vec![partition(topic, None)],
        }
    };
    Ok(states().flat_map(of_topic).collect())
}

/// Where a partition begins: for the broker, and which records are handed out then.
fn start(begin: &Begin, partition: &Partition) -> (Start, Option<Position>, Option<i64>) {
    match begin {
        Begin::Earliest => (Start::Earliest, None, None),
        Begin::Latest => (Start::Latest, None, None),
        Begin::At(at_ms) => (Start::At(at_ms.saturating_sub(MARGIN_MS)), None, Some(*at_ms)),
        Begin::Positions(positions) => {
            let of = |(topic, number, _): &&(String, Option<u32>, Position)| {
                (topic, number) == (&partition.topic, &partition.number)
            };
            let found = positions.iter().find(of).map(|(_, _, position)| *position);
            match found.and_then(|position| Some((position, position.message()?))) {
                Some((position, (ledger, entry, _))) => {
                    let id = (ledger.cast_signed(), entry.cast_signed());
                    (Start::With(id), Some(position), None)
                }
                None => (Start::Earliest, None, None),
            }
        }
    }
}

/// What an error means for who reads.
fn of_client(error: client::Error, topic: &str) -> Error {
    match error {
        client::Error::NotAuthorised { .. } => Error::NotAuthorised {
            topic: topic.to_owned(),
            way_out: "the role needs `consume` on it",
        },
        client::Error::TopicMissing { topics } => Error::TopicMissing { topics },
        other => other.into(),
    }
}
