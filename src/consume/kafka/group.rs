//! A group of consumers: how far it has come in topics, and who is in it.

use std::ffi::CString;
use std::time::Duration;

use super::{Place, TRY_MS, partitions, refusal};
use crate::clock::Clock;
use crate::consume::lag::{Look, Members, Standing};
use crate::consume::{Error, Partition, Position};
use crate::publish::kafka::native::admin::Pending;
use crate::publish::kafka::native::consume::code::END_OF_PARTITION;
use crate::publish::kafka::native::consume::{Asked, BEGINNING};
use crate::publish::kafka::native::groups::{Described, Told, Which, code};
use crate::publish::kafka::native::{self, Client};
use crate::publish::kafka::{Complaints, Error as ClientError, Options, note};

/// How many milliseconds one wait for an answer lasts before complaints are looked at.
const WAIT_MS: i32 = 20;

/// How long the records that are read to learn their times are waited for, all together.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// Between two tries of what a broker that has just started does not answer yet.
const AGAIN: Duration = Duration::from_millis(100);

/// A group that is looked at again and again.
#[derive(Debug)]
pub struct Group {
    /// Reads, and belongs to no group: what it reads is never committed.
    client: Client,
    /// Belongs to the group, never joins it and never reads.
    onlooker: Client,
    options: Options,
    clock: Clock,
    name: String,
    name_c: CString,
    partitions: Vec<Partition>,
    places: Vec<Place>,
    /// The record that each partition's next one was found to be: from which offset on it was looked for,
    /// and its timestamp in milliseconds, if there is one.
    oldest: Vec<Option<(i64, Option<i64>)>>,
}

/// What is known of a partition without reading it.
#[derive(Clone, Copy, Debug)]
struct Marks {
    committed: Option<i64>,
    /// The offset of what the group reads next: nothing earlier is there.
    next: i64,
    end: i64,
}

impl Group {
    /// Finds the topics' partitions and looks once, as long as connecting may take. A group that nobody has
    /// come to yet is no error.
    ///
    /// # Errors
    ///
    /// Settings that are wrong, brokers that do not answer, topics that are not there, and no right to ask.
    pub fn open(
        options: &Options,
        topics: &[String],
        name: &str,
        clock: &Clock,
    ) -> Result<(Self, Look), Error> {
        let (partitions, places) = partitions(options, topics, clock)?;
        let configuration = options.of_glancer(partitions.len())?;
        let client = Client::consumer(configuration, topics);
        let client = client.map_err(|reason| options.refused(&reason))?;
        let name_c = CString::new(name).map_err(|_| options.refused("a zero byte in a group"))?;
        let onlooker = Client::consumer(options.of_onlooker(name)?, &[]);
        let onlooker = onlooker.map_err(|reason| options.refused(&reason))?;
        let mut group = Self {
            client,
            onlooker,
            options: options.clone(),
            clock: clock.clone(),
            name: name.to_owned(),
            name_c,
            oldest: vec![None; partitions.len()],
            partitions,
            places,
        };
        let began_ns = clock.now_ns();
        group.check_right()?;
        loop {
            let error = match group.look() {
                Ok(look) => return Ok((group, look)),
                Err(error) => error,
            };
            let again = matches!(&error, Error::TopicMissing { .. })
                || matches!(&error, Error::Kafka(ClientError::Ask { .. }));
            if !again || clock.since(began_ns) >= options.connect_timeout {
                return Err(error);
            }
            clock.sleep(AGAIN);
        }
    }

    /// Where the group stands now. Waits for the brokers for at most the options' `connect_timeout`.
    pub fn look(&mut self) -> Result<Look, Error> {
        let at_ns = self.clock.now_ns();
        let (marks, described) = self.ask().inspect_err(|_| {
            // A partition's leader may be another one by now, and the library would go on asking the former
            // one until it looks around by itself, minutes later.
            drop(self.client.metadata(TRY_MS));
        })?;
        self.read_oldest(&marks);
        let standings = self.partitions.iter().zip(&marks).zip(&self.oldest);
        let standings = standings.map(|((partition, marks), oldest)| {
            let behind = u64::try_from(marks.end - marks.next).unwrap_or(0);
            let known = oldest.filter(|(from, _)| *from == marks.next && behind > 0);
            let lag = match known {
                _ if behind == 0 => Some(Duration::ZERO),
                // What is left are no records, but marks of transactions.
                Some((_, None)) => Some(Duration::ZERO),
                Some((_, Some(ms))) => Some(lag(at_ns, ms)),
                None => None,
            };
            let committed = marks.committed.and_then(|offset| u64::try_from(offset).ok());
            let committed = committed.map(Position::of_offset);
            Standing { partition: partition.clone(), committed, behind, lag }
        });
        let each = described.members.into_iter().collect();
        let members = Members { is_moving: described.is_moving, each };
        Ok(Look { at_ns, standings: standings.collect(), members })
    }

    /// Asks all that is to be known, at the same time.
    fn ask(&self) -> Result<(Vec<Marks>, Described), Error> {
        let asked: Vec<Asked<'_>> = self
            .partitions
            .iter()
            .zip(&self.places)
            .map(|(partition, place)| Asked {
                topic: &partition.topic,
                partition: place.number,
                offset: BEGINNING,
            })
            .collect();
        let timeout_ms = self.timeout_ms();
        let firsts = self.client.offsets(&asked, Which::First, timeout_ms);
        // What is committed is asked before the end, so that the end is not before it.
        let committed = self.told(self.onlooker.committed(&asked, timeout_ms))?;
        let ends = self.client.offsets(&asked, Which::End, timeout_ms);
        let described = self.told(self.onlooker.members(&self.name_c, timeout_ms))?;
        let (firsts, ends) = (self.answer(&firsts)?, self.answer(&ends)?);
        let marks = asked.iter().map(|one| {
            let first = self.offset(&firsts, one)?;
            let committed = Some(self.offset(&committed, one)?).filter(|offset| *offset >= 0);
            let next = committed.unwrap_or(first).max(first);
            Ok(Marks { committed, next, end: self.offset(&ends, one)? })
        });
        Ok((marks.collect::<Result<_, Error>>()?, described))
    }

    fn timeout_ms(&self) -> i32 {
        let timeout_ms = i32::try_from(self.options.connect_timeout.as_millis());
        timeout_ms.unwrap_or(i32::MAX).max(TRY_MS)
    }

    /// Refuses to begin where we may not ask about the group.
    fn check_right(&self) -> Result<(), Error> {
        let pending = self.client.may_describe(&self.name_c);
        let began_ns = self.clock.now_ns();
        // Without an answer in time, the first look says why.
        while self.clock.since(began_ns) < self.options.connect_timeout {
            match pending.wait(WAIT_MS) {
                Some(Ok(Err((code::NOT_AUTHORISED, _))) | Err((code::NOT_AUTHORISED, _))) => {
                    return Err(Error::GroupNotAuthorised { group: self.name.clone() });
                }
                Some(_) => break,
                None => {}
            }
        }
        Ok(())
    }

    /// What the onlooker was told, or what it complains of.
    fn told<T>(&self, answer: Result<T, i32>) -> Result<T, Error> {
        let mut complaints = Complaints::default();
        note(&self.onlooker, &self.options, &mut complaints);
        answer.map_err(|code| {
            let grave = complaints.grave().cloned();
            match grave {
                Some(grave) => grave.into(),
                None if native::code::is_unreachable(code) => {
                    complaints.unreachable(&self.options).into()
                }
                None => self.refused(code, self.any_topic(), native::reason(code)),
            }
        })
    }

    /// What is told of a partition.
    fn offset(&self, told: &[Told], asked: &Asked<'_>) -> Result<i64, Error> {
        let of = told.iter().find(|it| it.topic == asked.topic && it.partition == asked.partition);
        match of.map(|told| told.offset) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(self.refused(code, asked.topic, native::reason(code))),
            None => Err(self.refused(0, asked.topic, "nothing is told of a partition")),
        }
    }

    /// A topic to be named where an error is about no certain one.
    fn any_topic(&self) -> &str {
        self.partitions.first().map_or("", |partition| &partition.topic)
    }

    fn refused(&self, code: i32, topic: &str, reason: &str) -> Error {
        if code == code::NOT_AUTHORISED {
            return Error::GroupNotAuthorised { group: self.name.clone() };
        }
        let asked = || ClientError::Ask {
            what: "ask how far a group has come",
            reason: self.options.masked(reason),
        };
        refusal(code, topic).unwrap_or_else(|| asked().into())
    }

    /// Waits for an answer, which comes at the latest when its time is over.
    fn answer<T>(&self, pending: &Pending<'_, T>) -> Result<T, Error> {
        let mut complaints = Complaints::default();
        loop {
            let answer = pending.wait(WAIT_MS);
            note(&self.client, &self.options, &mut complaints);
            match answer {
                Some(Err((code, _))) if native::code::is_unreachable(code) => {
                    return Err(complaints.unreachable(&self.options).into());
                }
                Some(Err((code, reason))) => {
                    return Err(self.refused(code, self.any_topic(), &reason));
                }
                Some(Ok(answer)) => return Ok(answer),
                None => {}
            }
            if let Some(grave) = complaints.grave() {
                return Err(grave.clone().into());
            }
        }
    }

    /// Reads the first record of each partition that the group has not committed, where it is not known yet.
    fn read_oldest(&mut self, marks: &[Marks]) {
        let mut open: Vec<usize> = Vec::new();
        for (index, (place, marks)) in self.places.iter().zip(marks).enumerate() {
            // Where nothing was found there may be a record by now.
            let known = self.oldest[index];
            let is_known = known.is_some_and(|(from, ms)| from == marks.next && ms.is_some());
            if marks.end > marks.next && !is_known {
                self.oldest[index] = None;
                let begun = self.client.start(place.topic, place.number, marks.next);
                open.extend(begun.is_ok().then_some(index));
            }
        }
        let began_ns = self.clock.now_ns();
        while !open.is_empty() && self.clock.since(began_ns) < READ_WITHIN {
            open.retain(|&index| {
                let place = self.places[index];
                let mut found = None;
                self.client.read((place.topic, place.number), 0, |message| {
                    found = found.or(Some((message.code(), message.timestamp_ms())));
                });
                let Some((code, timestamp_ms)) = found else { return true };
                self.client.stop(place.topic, place.number);
                // After any other code it is asked for again with the next look.
                if code == 0 || code == END_OF_PARTITION {
                    let timestamp_ms = Some(timestamp_ms).filter(|ms| code == 0 && *ms >= 0);
                    self.oldest[index] = Some((marks[index].next, timestamp_ms));
                }
                false
            });
            if !open.is_empty() {
                self.clock.sleep(Duration::from_millis(2));
            }
        }
        for index in open {
            self.client.stop(self.places[index].topic, self.places[index].number);
        }
    }
}

/// How long ago a timestamp was at a moment; nothing if it was ahead.
pub(in crate::consume) fn lag(at_ns: i64, timestamp_ms: i64) -> Duration {
    let lag_ns = at_ns.saturating_sub(timestamp_ms.saturating_mul(1_000_000));
    Duration::from_nanos(lag_ns.max(0).unsigned_abs())
}
