//! Reading Kafka's topics, without a group.

pub mod group;

use std::time::Duration;

use super::{Begin, Error, Given, Page, Partition, Position, Read, Source};
use crate::clock::Clock;
use crate::publish::kafka::native::consume::{Asked, BEGINNING, END, Message, code};
use crate::publish::kafka::native::{self, Client};
use crate::publish::kafka::topics::Topics;
use crate::publish::kafka::{Complaints, Options, note};

/// How many bytes of records may wait to be read, of all partitions together.
const QUEUED_BYTES: usize = 32 << 20;

/// A page is handed out when it has so many bytes.
const PAGE_BYTES: usize = 1 << 20;

/// How many milliseconds one question to a broker lasts.
const TRY_MS: i32 = 1_000;

/// Kafka's topics while they are read.
#[derive(Debug)]
pub struct Kafka {
    client: Client,
    options: Options,
    clock: Clock,
    partitions: Vec<Partition>,
    places: Vec<Place>,
}

/// Where a partition is, for the client.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The topic's place among those that are read.
    topic: usize,
    number: i32,
    /// Where the partition ended when its end was met last.
    end: Option<i64>,
    /// Where it ended when that was asked last: nothing before is its end.
    known_end: i64,
}

/// What a partition said that is no record.
enum Said {
    End,
    OutOfRange,
    Error(i32, String),
}

impl Kafka {
    /// Opens topics; waits for the brokers for at most the options' `connect_timeout`.
    ///
    /// # Errors
    ///
    /// Settings that are wrong, brokers that do not answer, topics that are not there or that we may not
    /// see.
    pub fn open(
        options: &Options,
        topics: &[String],
        begin: &Begin,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let (partitions, places) = partitions(options, topics, clock)?;
        let configuration = options.of_consumer(QUEUED_BYTES, partitions.len())?;
        let client = Client::consumer(configuration, topics);
        let client = client.map_err(|reason| options.refused(&reason))?;
        let (options, clock) = (options.clone(), clock.clone());
        let mut kafka = Self { client, options, clock, partitions, places };
        kafka.begin(begin)?;
        Ok(kafka)
    }

    /// Begins to read all partitions.
    fn begin(&mut self, begin: &Begin) -> Result<(), Error> {
        let firsts = self.ask_each(|client, asked| client.watermarks(asked, TRY_MS))?;
        for (partition, (first, _)) in self.partitions.iter_mut().zip(&firsts) {
            partition.expired = u64::try_from(*first).unwrap_or(0);
        }
        let offsets: Vec<i64> = match begin {
            Begin::Earliest => vec![BEGINNING; self.places.len()],
            Begin::Latest => vec![END; self.places.len()],
            Begin::At(time_ms) => {
                let mut offsets = self.offsets_at(*time_ms)?;
                for ((offset, marks), partition) in
                    offsets.iter_mut().zip(&firsts).zip(&mut self.partitions)
                {
                    // The end of now, and not of whenever the broker is asked again.
                    if *offset < 0 {
                        *offset = marks.1;
                    }
                    // Where an older record is there, none of that time has expired.
                    if *offset > marks.0 {
                        partition.expired = 0;
                    }
                }
                offsets
            }
            Begin::Positions(positions) => {
                let of = |partition: &Partition| {
                    let named = positions.iter().find(|(topic, number, _)| {
                        *topic == partition.topic && *number == partition.number
                    });
                    let offset = named.and_then(|(_, _, position)| position.offset());
                    offset.map_or(BEGINNING, |offset| i64::try_from(offset).unwrap_or(i64::MAX))
                };
                self.partitions.iter().map(of).collect()
            }
        };
        for (place, offset) in self.places.iter().zip(offsets) {
            let begun = self.client.start(place.topic, place.number, offset);
            begun.map_err(|code| self.lost(place, native::reason(code)))?;
        }
        Ok(())
    }

    /// Asks about each partition, as long as connecting may take.
    fn ask_each<T>(
        &self,
        ask: impl Fn(&Client, &Asked<'_>) -> Result<T, i32>,
    ) -> Result<Vec<T>, Error> {
        let each = self.partitions.iter().map(|partition| {
            let asked = asked(partition, 0);
            self.insist(&partition.topic, || ask(&self.client, &asked))
        });
        each.collect()
    }

    fn offsets_at(&self, time_ms: i64) -> Result<Vec<i64>, Error> {
        let mut asked: Vec<Asked<'_>> =
            self.partitions.iter().map(|it| asked(it, time_ms)).collect();
        let topic = self.partitions.first().map(|it| it.topic.clone()).unwrap_or_default();
        let answer = std::cell::RefCell::new(&mut asked);
        self.insist(&topic, || {
            let asked = &mut **answer.borrow_mut();
            for one in asked.iter_mut() {
                one.offset = time_ms;
            }
            self.client.offsets_at(asked, TRY_MS)
        })?;
        Ok(asked.iter().map(|one| one.offset).collect())
    }

    /// Asks until there is an answer, or it is clear that there will be none.
    fn insist<T>(&self, topic: &str, ask: impl Fn() -> Result<T, i32>) -> Result<T, Error> {
        let began_ns = self.clock.now_ns();
        let mut complaints = Complaints::default();
        loop {
            let code = match ask() {
                Ok(answer) => return Ok(answer),
                Err(code) => code,
            };
            note(&self.client, &self.options, &mut complaints);
            if let Some(grave) = complaints.grave() {
                return Err(grave.clone().into());
            }
            if let Some(error) = refusal(code, topic) {
                return Err(error);
            }
            if self.clock.since(began_ns) >= self.options.connect_timeout {
                return Err(complaints.unreachable(&self.options).into());
            }
            self.clock.sleep(Duration::from_millis(20));
        }
    }

    /// Refuses to go on after a code that waiting does not cure.
    fn check(&self, code: i32, topic: &str) -> Result<(), Error> {
        match refusal(code, topic) {
            // A broker that has just started may not know its topics yet.
            Some(Error::TopicMissing { topics }) => {
                let asked = Topics::connect(&self.options, self.clock.clone())?;
                let states = asked.inspect(&[topic])?;
                let gone = states.iter().any(|state| state.partitions.is_none());
                if gone { Err(Error::TopicMissing { topics }) } else { Ok(()) }
            }
            other => other.map_or(Ok(()), Err),
        }
    }

    fn lost(&self, place: &Place, reason: &str) -> Error {
        let mut partitions = self.places.iter().zip(&self.partitions);
        let named = partitions.find(|(it, _)| it.topic == place.topic && it.number == place.number);
        let partition = named.map(|(_, partition)| partition.to_string()).unwrap_or_default();
        Error::Lost { partition, reason: self.options.masked(reason) }
    }

    /// Goes on with what is left of a partition whose next records were deleted meanwhile.
    fn go_on_after_expired(&mut self, partition: usize) -> Result<(), Error> {
        let place = self.places[partition];
        let asked = asked(&self.partitions[partition], 0);
        let ask = || self.client.watermarks(&asked, TRY_MS);
        let (first, _) = self.insist(asked.topic, ask)?;
        self.client.stop(place.topic, place.number);
        let begun = self.client.start(place.topic, place.number, first);
        begun.map_err(|code| self.lost(&place, native::reason(code)))?;
        self.partitions[partition].expired = u64::try_from(first).unwrap_or(0);
        Ok(())
    }
}

impl Source for Kafka {
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
        let place = &mut self.places[partition];
        let mut said = None;
        let mut timeout_ms = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        loop {
            let before = page.records.len();
            let mut came = 0;
            self.client.read((place.topic, place.number), timeout_ms, |message| {
                came += 1;
                match message.code() {
                    0 => {
                        put(message, page);
                        place.end = None;
                    }
                    code::END_OF_PARTITION => {
                        place.end = Some(message.offset());
                        said = Some(Said::End);
                    }
                    code::OFFSET_OUT_OF_RANGE => said = Some(Said::OutOfRange),
                    code => {
                        let text = message.value().map(String::from_utf8_lossy);
                        said = Some(Said::Error(code, text.unwrap_or_default().into_owned()));
                    }
                }
            });
            timeout_ms = 0;
            let more = page.records.len() > before && page.arena.len() < PAGE_BYTES;
            if came == 0 || said.is_some() || !more {
                break;
            }
        }
        match said {
            Some(Said::OutOfRange) => self.go_on_after_expired(partition)?,
            Some(Said::Error(code, text)) => {
                let name = native::reason(code);
                self.check(code, &self.partitions[partition].topic)?;
                let text = self.options.masked(&text);
                tracing::warn!(partition = %self.partitions[partition], name, %text, "Kafka");
            }
            Some(Said::End) | None => {}
        }
        let place = &self.places[partition];
        Ok(match (page.records.is_empty(), place.end) {
            (false, _) => Read::Records,
            (true, Some(end)) if end >= place.known_end => Read::End,
            (true, _) => Read::Nothing,
        })
    }

    fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error> {
        let marks = self.ask_each(|client, asked| client.watermarks(asked, TRY_MS))?;
        for (place, (_, next)) in self.places.iter_mut().zip(&marks) {
            place.known_end = *next;
        }
        let last = |(first, next): (i64, i64)| {
            let last = u64::try_from(next - 1).ok().filter(|_| next > first);
            last.map(Position::of_offset)
        };
        Ok(marks.into_iter().map(last).collect())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for place in &self.places {
            self.client.stop(place.topic, place.number);
        }
    }
}

/// The partitions of topics, all of which must be there.
fn partitions(
    options: &Options,
    topics: &[String],
    clock: &Clock,
) -> Result<(Vec<Partition>, Vec<Place>), Error> {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let states = Topics::connect(options, clock.clone())?.inspect(&names)?;
    let missing = states.iter().filter(|state| state.partitions.is_none());
    let missing: Vec<String> = missing.map(|state| state.name.clone()).collect();
    if !missing.is_empty() {
        return Err(Error::TopicMissing { topics: missing });
    }
    let (mut partitions, mut places) = (Vec::new(), Vec::new());
    for (topic, state) in states.iter().enumerate() {
        for number in 0..state.partitions.unwrap_or(0) {
            partitions.push(Partition {
                topic: state.name.clone(),
                number: Some(number),
                expired: 0,
                compacted: state.compacted.unwrap_or(false),
            });
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            places.push(Place { topic, number, end: None, known_end: 0 });
        }
    }
    Ok((partitions, places))
}

fn put(message: &Message<'_>, page: &mut Page) {
    let offset = u64::try_from(message.offset()).unwrap_or(0);
    let given = Given {
        position: Position::of_offset(offset),
        timestamp_ms: message.timestamp_ms(),
        key: message.key(),
        value: message.value(),
    };
    page.push(&given, message.headers());
}

fn asked(partition: &Partition, offset: i64) -> Asked<'_> {
    let number = partition.number.and_then(|number| i32::try_from(number).ok());
    Asked { topic: &partition.topic, partition: number.unwrap_or(i32::MAX), offset }
}

/// The error for a code that waiting does not cure.
fn refusal(code: i32, topic: &str) -> Option<Error> {
    let topic = topic.to_owned();
    match code {
        code::NOT_AUTHORISED => {
            let way_out = "the user needs the ACL operation READ on it";
            Some(Error::NotAuthorised { topic, way_out })
        }
        code::UNKNOWN_TOPIC | code::NO_SUCH_TOPIC | code::NO_SUCH_PARTITION => {
            Some(Error::TopicMissing { topics: vec![topic] })
        }
        _ => None,
    }
}
