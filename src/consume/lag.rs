//! How far others are behind with reading topics: looked at again and again, from a thread of its own.
//!
//! The lag in time is the age of the oldest record that is not committed (Pulsar: acknowledged), by the record's
//! own timestamp: for topics that we write, the wall clock at hand-over, unless `timestamp = "event"` puts
//! event times there. So it compares the clocks of two machines where another one writes the topic.

pub mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::kafka::group::{Group, lag};
use super::pulsar::subscription::Subscription;
use super::{Error, Partition, Position};
use crate::clock::Clock;
use crate::publish::{kafka, pulsar};

use history::{History, Now};

/// How long the thread is waited for when watching ends; a broker may keep it waiting for longer.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Who is watched.
#[derive(Clone, Debug)]
pub enum Who {
    /// A group of Kafka, by its name.
    Group(kafka::Options, String),
    /// A subscription of Pulsar, by its name.
    Subscription(Box<pulsar::Options>, String),
}

/// Where a partition's reader stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The partition.
    pub partition: Partition,
    /// With what lies here or later begins what is not committed; none if nothing is committed. Then
    /// what is not committed begins with the first record that there is.
    pub committed: Option<Position>,
    /// How much is not committed: records of Kafka (by their offsets, so that gaps of compacted topics and marks
    /// of transactions count), entries of Pulsar.
    pub behind: u64,
    /// The age of the oldest record of that; none if it could not be learnt.
    pub lag: Option<Duration>,
}

/// Who reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Whether partitions are being divided anew.
    pub is_moving: bool,
    /// Their names, each with what the broker says of the partitions that it has.
    pub each: BTreeMap<String, Vec<u8>>,
}

/// What a look sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When it began, in nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// By partition, always the same ones.
    pub standings: Vec<Standing>,
    /// Who reads.
    pub members: Members,
}

/// What looks.
#[derive(Debug)]
enum Eye {
    Group(Box<Group>),
    Subscription(Box<Subscription>),
}

impl Eye {
    /// Looks for the first time, so that what cannot be is told at once.
    fn open(who: &Who, topics: &[String], clock: &Clock) -> Result<(Self, Look), Error> {
        match who {
            Who::Group(options, name) => {
                let (group, look) = Group::open(options, topics, name, clock)?;
                Ok((Self::Group(Box::new(group)), look))
            }
            Who::Subscription(options, name) => {
                let subscription = Subscription::open(options, topics, name, clock)?;
                let look = of_subscription(&subscription, clock)?;
                Ok((Self::Subscription(Box::new(subscription)), look))
            }
        }
    }

    fn look(&mut self, clock: &Clock) -> Result<Look, Error> {
        match self {
            Self::Group(group) => group.look(),
            Self::Subscription(subscription) => of_subscription(subscription, clock),
        }
    }
}

/// A partition that does not have the subscription keeps nothing for it, so that nothing is behind there.
fn of_subscription(subscription: &Subscription, clock: &Clock) -> Result<Look, Error> {
    let at_ns = clock.now_ns();
    let found = subscription.look()?;
    let mut each: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let standings = subscription.partitions().iter().zip(found).map(|(partition, found)| {
        let Ok(found) = found else {
            let (partition, lag) = (partition.clone(), Some(Duration::ZERO));
            return Standing { partition, committed: None, behind: 0, lag };
        };
        for name in found.consumer_names.into_iter().collect::<BTreeSet<_>>() {
            each.entry(name).or_default().extend(partition.to_string().into_bytes());
        }
        Standing {
            partition: found.partition,
            committed: Some(found.next),
            behind: found.backlog_entries,
            lag: match (found.backlog_entries, found.oldest_ms) {
                (0, _) => Some(Duration::ZERO),
                (_, oldest_ms) => oldest_ms.map(|oldest_ms| lag(at_ns, oldest_ms)),
            },
        }
    });
    let standings = standings.collect();
    Ok(Look { at_ns, standings, members: Members { is_moving: false, each } })
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    history: History,
    stop: bool,
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until `over` holds.
    fn wait(&self, patience: Duration, over: impl Fn(&State) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), patience, |state| !over(state));
        over(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Watcher {
    /// Looks once, then again `every` so often. That nobody has come yet is no error; see
    /// [`History::has_come`].
    ///
    /// # Errors
    ///
    /// What keeps the first look from seeing anything: settings that are wrong, brokers that do not answer, topics
    /// that are not there, no right to ask. Of a later look that is counted.
    pub fn start(
        who: &Who,
        topics: &[String],
        every: Duration,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let (mut eye, first) = Eye::open(who, topics, clock)?;
        let mut history = History::new(first.at_ns);
        history.note(&first);
        let state = Mutex::new(State { history, stop: false, ended: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let (seen, clock) = (Arc::clone(&shared), clock.clone());
        let thread = std::thread::Builder::new().name("lag".to_owned());
        let thread = thread.spawn(move || {
            // A look that takes long is followed by the next one at once.
            let mut next_ns = clock.ahead_ns(every);
            loop {
                let left_ns = (next_ns - clock.now_ns()).max(0).unsigned_abs();
                if seen.wait(Duration::from_nanos(left_ns), |state| state.stop) {
                    break;
                }
                next_ns = clock.ahead_ns(every);
                let looked = eye.look(&clock);
                let mut state = seen.state();
                match looked {
                    Ok(look) => state.history.note(&look),
                    Err(error) => {
                        tracing::debug!(%error, "the consumer could not be looked at");
                        state.history.miss(error.to_string());
                    }
                }
            }
            drop(eye);
            seen.state().ended = true;
            seen.changed.notify_all();
        });
        Ok(Self { shared, thread: Some(thread.map_err(Error::Thread)?) })
    }

    /// How it stands as of the last look that saw something.
    pub fn now(&self) -> Now {
        self.shared.state().history.now
    }

    /// All that was seen so far.
    pub fn history(&self) -> History {
        self.shared.state().history.clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
        let has_ended = self.shared.wait(LEAVE_WITHIN, |state| state.ended);
        let thread = self.thread.take().filter(|_| has_ended);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches who reads ended by a panic");
        }
    }
}
