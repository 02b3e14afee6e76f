//! Watching who reads what a run sends, while it goes on and until that has caught up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::request::{Destination, Request};
use super::signal::Signals;
use super::{Error, Listener, Prepared, Ready, broker, pulsar, topic};
use crate::clock::Clock;
use crate::consume::lag::{Watcher, Who};
use crate::observe::consumer::{Consumer, Gauges, Kind, Standing};
use crate::observe::metric::Meters;
use crate::observe::progress::View;

/// Between two looks whether the consumer has caught up.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Between two views while it catches up.
const GLANCE_EVERY: Duration = Duration::from_secs(1);

/// Who is watched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// What kind of reader.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Between two looks.
    pub every: Duration,
    /// How long it is watched after the run's end, if it has not caught up before.
    pub catch_up: Duration,
}

impl Watch {
    /// Between two looks, unless something else is asked for.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// Refuses a kind of reader that there is not where events go.
    fn check(&self, destination: Destination) -> Result<(), Error> {
        match (self.kind, destination) {
            (Kind::Group, Destination::Kafka) | (Kind::Subscription, Destination::Pulsar) => Ok(()),
            (Kind::Group, Destination::Pulsar) => Err(Error::GroupOfPulsar),
            (Kind::Subscription, Destination::Kafka) => Err(Error::SubscriptionOfKafka),
            (kind, _) => Err(Error::ConsumerOfNothing { kind, sink: destination.name() }),
        }
    }
}

/// Refuses what can be watched nowhere, and conditions on what is not watched.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    if let Some(watch) = &request.consumer {
        return watch.check(request.destination);
    }
    let about = request.conditions.iter().find(|condition| condition.is_about_consumer());
    about.map_or(Ok(()), |condition| {
        Err(Error::ConditionOfNoConsumer { condition: condition.to_string() })
    })
}

/// A consumer that is watched.
#[derive(Debug)]
pub(super) struct Follower {
    watch: Watch,
    watcher: Watcher,
    gauges: Gauges,
    clock: Clock,
}

impl Prepared {
    /// Begins to watch the consumer that is asked for, if one is; the topics must be there.
    pub(super) async fn follow(self: Arc<Self>, meters: Meters) -> Result<Option<Follower>, Error> {
        let Some(watch) = self.request.consumer.clone() else { return Ok(None) };
        let (clock, name) = (self.clock.clone(), watch.name.clone());
        let who = match watch.kind {
            Kind::Group => Who::Group(broker::checked_options(&self.configuration)?, name),
            Kind::Subscription => {
                Who::Subscription(Box::new(pulsar::checked_options(&self.configuration)?), name)
            }
        };
        let skips = |stream: &str| self.request.skips(stream);
        let topics = topic::needed(&self.configuration.model, &skips).into_iter();
        let topics: Vec<String> = topics.map(|topic| topic.name.clone()).collect();
        let watcher = tokio::task::spawn_blocking(move || {
            Watcher::start(&who, &topics, watch.every, &clock).map(|watcher| (watcher, watch))
        });
        let (watcher, watch) = watcher.await.map_err(|_| Error::Panicked)??;
        let history = watcher.history();
        let gauges = Gauges::new(&meters, history.tracks.iter().map(|track| &track.partition));
        Ok(Some(Follower { watch, watcher, gauges, clock: self.clock.clone() }))
    }
}

impl Follower {
    fn standing(&self) -> Standing {
        let history = self.watcher.history();
        self.gauges.set(&history);
        Standing { kind: self.watch.kind, has_come: history.has_come(), now: history.now }
    }

    /// Waits until the consumer has caught up with a run that ended at `end_ns`, or the time for that is over, or
    /// a signal comes; says how long after the end that was.
    async fn catch_up(
        &self,
        end_ns: i64,
        signals: &mut Signals,
        mut tell: impl FnMut(Standing, i64),
    ) -> Option<Duration> {
        let mut told_ns = end_ns;
        loop {
            let (standing, now_ns) = (self.standing(), self.clock.now_ns());
            let Standing { has_come, now, .. } = standing;
            // A look that began before the end knows nothing of what came last.
            if has_come && now.behind == 0 && now.at_ns >= end_ns {
                return Some(Duration::from_nanos((now.at_ns - end_ns).unsigned_abs()));
            }
            if self.clock.since(end_ns) >= self.watch.catch_up {
                return None;
            }
            if self.clock.since(told_ns) >= GLANCE_EVERY {
                told_ns = now_ns;
                tell(standing, now_ns);
            }
            tokio::select! {
                () = signals.next() => return None,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    /// The error for one that was never seen.
    pub(super) fn never_came(consumer: &Consumer) -> Option<Error> {
        let (kind, name) = (consumer.kind, consumer.name.clone());
        (!consumer.has_come).then_some(Error::ConsumerNeverCame { kind, name })
    }
}

/// Who hears how a run goes, and with it how far its consumer is behind.
pub(super) struct Beside<'a> {
    listener: &'a mut dyn Listener,
    follower: Option<&'a Follower>,
    last: Option<View>,
}

impl fmt::Debug for Beside<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Beside").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<'a> Beside<'a> {
    /// Tells `listener` of both.
    pub(super) fn new(listener: &'a mut dyn Listener, follower: Option<&'a Follower>) -> Self {
        Self { listener, follower, last: None }
    }

    /// What is told of the consumer, of a run that ended just now: once it has caught up, if it `may` be waited
    /// for.
    pub(super) async fn conclude(&mut self, signals: &mut Signals, may: bool) -> Option<Consumer> {
        let follower = self.follower?;
        let watch = &follower.watch;
        let mut caught_up = None;
        if may && !watch.catch_up.is_zero() {
            self.listener.catching_up(watch.catch_up);
            let end_ns = follower.clock.now_ns();
            let (listener, last) = (&mut *self.listener, self.last);
            let tell = |standing, now_ns| {
                if let Some(view) = last {
                    listener.glance(&View { consumer: Some(standing), ..view }, now_ns);
                }
            };
            caught_up = follower.catch_up(end_ns, signals, tell).await;
        }
        let history = follower.watcher.history();
        Some(Consumer::new(watch.kind, &watch.name, &history, caught_up))
    }
}

impl super::Watcher for Beside<'_> {
    fn glance(&mut self, view: &View, now_ns: i64) {
        let view = View { consumer: self.follower.map(Follower::standing), ..*view };
        self.last = Some(view);
        self.listener.glance(&view, now_ns);
    }

    fn stopping(&mut self, patience: Duration) {
        self.listener.stopping(patience);
    }
}

impl Listener for Beside<'_> {
    fn ready(&mut self, ready: &Ready) {
        self.listener.ready(ready);
    }

    fn catching_up(&mut self, patience: Duration) {
        self.listener.catching_up(patience);
    }
}
