//! What topics there are, whether they take what we send, and making those that are missing.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::ops::Range;
use std::time::Duration;

use super::native::admin::{Answer, Described, Entries, NewTopic, Patience, Pending};
use super::native::{Client, code};
use super::options::{Options, Timestamp};
use super::problem::{Complaints, Error};
use super::sink::{TRY_MS, note};
use crate::clock::Clock;

/// How long one wait for an answer lasts before complaints are looked at.
const WAIT_MS: i32 = 50;

/// A topic that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub name: String,
    /// Partitions, if it is to be made; the broker's default if none.
    pub partitions: Option<u32>,
    /// Replicas, if it is to be made; the broker's default if none.
    pub replicas: Option<u16>,
    /// Configuration, if it is to be made.
    pub config: Vec<(String, String)>,
    /// The event times of the run, in microseconds since the Unix epoch, if they are known.
    pub event_times_us: Option<Range<i64>>,
}

/// Who says which timestamp a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer.
    CreateTime,
    /// The broker, when it appends.
    LogAppendTime,
}

/// What there is of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// Its partitions; none if the topic is not there.
    pub partitions: Option<u32>,
    /// Whether we may write to it, if the broker tells.
    pub writable: Option<bool>,
    /// `max.message.bytes`, if the broker tells.
    pub record_bytes_max: Option<u64>,
    /// `message.timestamp.type`, if the broker tells.
    pub timestamps: Option<TimestampType>,
    /// `message.timestamp.before.max.ms`, if the broker tells.
    pub timestamp_before_max_ms: Option<i64>,
    /// `message.timestamp.after.max.ms`, if the broker tells.
    pub timestamp_after_max_ms: Option<i64>,
    /// `retention.ms`, if the broker tells; −1 keeps for ever.
    pub retention_ms: Option<i64>,
    /// Whether only the last record of a key is kept for good (`cleanup.policy`), if the broker tells.
    pub compacted: Option<bool>,
}

/// A connection for questions about topics.
#[derive(Debug)]
pub struct Topics {
    client: Client,
    options: Options,
    clock: Clock,
}

impl Topics {
    /// Makes the connection; a broker is reached with the first question.
    pub fn connect(options: &Options, clock: Clock) -> Result<Self, Error> {
        if options.servers().is_empty() {
            return Err(Error::NoServers);
        }
        let configuration = options.configuration(|_| true)?;
        let client = Client::new(configuration, &[]).map_err(|reason| options.refused(&reason))?;
        Ok(Self { client, options: options.clone(), clock })
    }

    /// What there is of each topic, in the order of `names`; waits for at most the options'
    /// `connect_timeout`. Topics are not made by asking.
    pub fn inspect(&self, names: &[&str]) -> Result<Vec<TopicState>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        let asked = c_names(&unique)?;
        let patience = self.patience(Some(self.any_broker()?));
        let pending = self.client.describe_topics(&asked, patience);
        let described = self.answer(&pending, "ask about topics")?;
        let mut states = Vec::new();
        for (name, answer) in unique.iter().zip(described) {
            states.push(state(name, answer)?);
        }
        self.add_configs(&mut states, patience)?;
        let known = |name: &&str| states.iter().find(|state| state.name == *name).cloned();
        Ok(names.iter().filter_map(known).collect())
    }

    /// The number of a broker that answers.
    fn any_broker(&self) -> Result<i32, Error> {
        let late = self.deadline();
        let mut complaints = Complaints::default();
        loop {
            let answer = self.client.any_broker(TRY_MS);
            note(&self.client, &self.options, &mut complaints);
            if let Ok(Some(broker)) = answer {
                return Ok(broker);
            }
            if let Some(grave) = complaints.grave() {
                return Err(grave.clone());
            }
            if late() {
                return Err(complaints.unreachable(&self.options));
            }
            self.clock.sleep(Duration::from_millis(20));
        }
    }

    /// Makes those of `needs` that `inspect` does not find, never alters or deletes, and waits until
    /// all are there. Returns what there is then.
    pub fn create(&self, needs: &[Need]) -> Result<Vec<TopicState>, Error> {
        let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
        let before = self.inspect(&names)?;
        let there = |name: &str| {
            before.iter().any(|state| state.name == name && state.partitions.is_some())
        };
        let missing: Vec<&Need> = needs.iter().filter(|need| !there(&need.name)).collect();
        if missing.is_empty() {
            return Ok(before);
        }
        let wanted: Vec<NewTopic<'_>> = missing.iter().map(|need| new_topic(need)).collect();
        let failed = |topic: &str, reason: &str| Error::Create {
            topic: topic.to_owned(),
            reason: self.options.masked(reason),
        };
        let pending = self.client.create_topics(&wanted, self.patience(None));
        let pending = pending.map_err(|reason| failed(&missing[0].name, &reason))?;
        for (topic, answer) in self.answer(&pending, "create topics")? {
            match answer {
                Ok(()) => {}
                Err((code::NOT_AUTHORISED | code::CLUSTER_NOT_AUTHORISED, _)) => {
                    return Err(Error::CreateNotAuthorised { topic });
                }
                Err((_, reason)) => return Err(failed(&topic, &reason)),
            }
        }
        self.wait_for(&names)
    }

    /// Asks until all topics are there, for as long as connecting may take.
    fn wait_for(&self, names: &[&str]) -> Result<Vec<TopicState>, Error> {
        let late = self.deadline();
        loop {
            let states = self.inspect(names)?;
            let missing = states.iter().filter(|state| state.partitions.is_none());
            let topics: Vec<String> = missing.map(|state| state.name.clone()).collect();
            if topics.is_empty() {
                return Ok(states);
            }
            if late() {
                return Err(Error::TopicMissing { topics });
            }
            self.clock.sleep(Duration::from_millis(50));
        }
    }

    /// Adds what the topics' configurations say, as far as the broker tells.
    fn add_configs(&self, states: &mut [TopicState], patience: Patience) -> Result<(), Error> {
        let mut there: Vec<&mut TopicState> =
            states.iter_mut().filter(|state| state.partitions.is_some()).collect();
        if there.is_empty() {
            return Ok(());
        }
        let asked = c_names(there.iter().map(|state| &state.name))?;
        let pending = self.client.describe_configs(&asked, patience);
        let Ok(answers) = self.answer(&pending, "ask for the topics' configuration") else {
            // The right to describe a topic's configuration is not needed to write to it, and the
            // embedded broker does not know the question.
            return Ok(());
        };
        for (state, answer) in there.iter_mut().zip(answers) {
            if let Ok(entries) = answer {
                add_config(state, &entries);
            }
        }
        Ok(())
    }

    fn answer<T>(&self, pending: &Pending<'_, T>, what: &'static str) -> Result<T, Error> {
        let late = self.deadline();
        let mut complaints = Complaints::default();
        loop {
            let answer = pending.wait(WAIT_MS);
            note(&self.client, &self.options, &mut complaints);
            match answer {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err((code, reason))) if !late() && !code::is_unreachable(code) => {
                    return Err(Error::Ask { what, reason: self.options.masked(&reason) });
                }
                Some(Err(_)) => return Err(complaints.unreachable(&self.options)),
                None => {}
            }
            if let Some(grave) = complaints.grave() {
                return Err(grave.clone());
            }
            if late() {
                return Err(complaints.unreachable(&self.options));
            }
        }
    }

    fn patience(&self, broker: Option<i32>) -> Patience {
        Patience { broker, timeout_ms: self.patience_ms() }
    }

    fn patience_ms(&self) -> i32 {
        i32::try_from(self.options.connect_timeout.as_millis()).unwrap_or(i32::MAX)
    }

    fn deadline(&self) -> impl Fn() -> bool {
        let begin_ns = self.clock.now_ns();
        let patience_ns = i64::from(self.patience_ms()) * 1_000_000;
        move || self.clock.now_ns() - begin_ns >= patience_ns
    }
}

/// Checks that the topics take what a run sends; `now_us` is the wall clock, in microseconds since
/// the Unix epoch. `states` are those that [`Topics::inspect`] gave for the names of `needs`.
///
/// Sizes of records are not looked at: they are known once a record is made, and one that is too
/// large for its topic then fails alone, as `msg_size_too_large`.
pub fn check(
    states: &[TopicState],
    needs: &[Need],
    timestamp: Timestamp,
    now_us: i64,
) -> Result<(), Error> {
    let missing = states.iter().filter(|state| state.partitions.is_none());
    let topics: Vec<String> = missing.map(|state| state.name.clone()).collect();
    if !topics.is_empty() {
        return Err(Error::TopicMissing { topics });
    }
    for need in needs {
        let Some(state) = states.iter().find(|state| state.name == need.name) else { continue };
        if state.writable == Some(false) {
            return Err(Error::NotAuthorised { topic: need.name.clone() });
        }
        if timestamp == Timestamp::Event && state.timestamps == Some(TimestampType::CreateTime) {
            check_times(state, need, now_us)?;
        }
    }
    Ok(())
}

fn check_times(state: &TopicState, need: &Need, now_us: i64) -> Result<(), Error> {
    let Some(times) = &need.event_times_us else { return Ok(()) };
    let age_ms = (now_us - times.start) / 1_000;
    let ahead_ms = (times.end - now_us) / 1_000;
    let older = (age_ms, "older");
    let limits = [
        (state.timestamp_before_max_ms, "message.timestamp.before.max.ms", "refuses", older),
        (
            state.timestamp_after_max_ms,
            "message.timestamp.after.max.ms",
            "refuses",
            (ahead_ms, "further ahead"),
        ),
        (state.retention_ms.filter(|&ms| ms >= 0), "retention.ms", "soon deletes", older),
    ];
    for (limit_ms, setting, verdict, (given_ms, direction)) in limits {
        if let Some(limit_ms) = limit_ms
            && given_ms > limit_ms
        {
            let topic = need.name.clone();
            return Err(Error::TimestampRefused {
                topic,
                verdict,
                direction,
                limit_ms,
                setting,
                given_ms,
            });
        }
    }
    Ok(())
}

fn state(name: &str, answer: Answer<Described>) -> Result<TopicState, Error> {
    let (partitions, writable) = match answer {
        Ok(described) => (Some(described.partitions), described.writable),
        Err((code::UNKNOWN_TOPIC, _)) => (None, None),
        Err((code::NOT_AUTHORISED, _)) => {
            return Err(Error::NotAuthorised { topic: name.to_owned() });
        }
        Err((_, reason)) => return Err(Error::Ask { what: "ask about topics", reason }),
    };
    Ok(TopicState {
        name: name.to_owned(),
        partitions,
        writable,
        record_bytes_max: None,
        timestamps: None,
        timestamp_before_max_ms: None,
        timestamp_after_max_ms: None,
        retention_ms: None,
        compacted: None,
    })
}

fn add_config(state: &mut TopicState, entries: &Entries) {
    for (name, value) in entries {
        match name.as_str() {
            "max.message.bytes" => state.record_bytes_max = value.parse().ok(),
            "message.timestamp.before.max.ms" => state.timestamp_before_max_ms = value.parse().ok(),
            "message.timestamp.after.max.ms" => state.timestamp_after_max_ms = value.parse().ok(),
            "cleanup.policy" => state.compacted = Some(value.contains("compact")),
            "retention.ms" => state.retention_ms = value.parse().ok(),
            "message.timestamp.type" => {
                state.timestamps = match value.as_str() {
                    "LogAppendTime" => Some(TimestampType::LogAppendTime),
                    _ => Some(TimestampType::CreateTime),
                }
            }
            _ => {}
        }
    }
}

fn new_topic(need: &Need) -> NewTopic<'_> {
    NewTopic {
        name: &need.name,
        partitions: need.partitions.map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX)),
        replicas: need.replicas.map_or(-1, i32::from),
        config: &need.config,
    }
}

fn c_names<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Vec<CString>, Error> {
    let bad = |_| Error::Ask {
        what: "ask about topics",
        reason: "a topic's name has a zero byte".to_owned(),
    };
    names.into_iter().map(|name| CString::new(name.as_ref()).map_err(bad)).collect()
}
