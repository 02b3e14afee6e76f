//! Looking at a run while it goes on, and passing on what stops it.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::Watcher;
use super::flow::{Ended, Flow};
use super::signal::Signals;
use crate::clock::Clock;
use crate::manifest::progress::Progress;
use crate::observe::progress::{self, Goal};
use crate::observe::report::Stopped;
use crate::observe::tally::{Glance, Tally};
use crate::observe::watermark::Mark;
use crate::publish::kafka;

/// Between two looks at the counts.
const GLANCE_EVERY: Duration = Duration::from_secs(1);

/// The lag that is worth a word in the log.
const BEHIND_ABOVE: Duration = Duration::from_secs(1);

/// The lag below which a run that was behind has caught up.
const CAUGHT_UP_BELOW: Duration = Duration::from_millis(100);

/// How long the sink has to give up. A write to a pipe that nobody reads cannot be called off.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(2);

const _: () = assert!(
    kafka::PURGE_PATIENCE.as_millis() < GIVE_UP_WITHIN.as_millis(),
    "what Kafka gives up is counted before the run leaves it behind"
);

/// A run that is looked at.
#[derive(Debug)]
pub(super) struct Looked<'a> {
    /// Where it is to end.
    pub(super) goal: Goal,
    /// Its clock.
    pub(super) clock: &'a Clock,
    /// How long receipts are waited for.
    pub(super) drain: Duration,
    /// After how much wall time it ends, if that says so.
    pub(super) wall: Option<Duration>,
    /// Its manifest, beside which is written how far it has come.
    pub(super) manifest: Option<&'a Path>,
}

impl Looked<'_> {
    /// Looks at the run until it is over; passes on signals and the end of wall time.
    pub(super) async fn watch(
        &self,
        mut flow: Flow,
        tally: &Tally,
        (signals, watcher): (&mut Signals, &mut dyn Watcher),
    ) -> (Ended, Stopped) {
        let Self { clock, drain, wall, .. } = *self;
        let mut progress = progress::Progress::new(self.goal, clock.now_ns());
        let mut glances = tokio::time::interval(GLANCE_EVERY);
        glances.tick().await;
        let wall_over = tokio::time::sleep(wall.unwrap_or_default());
        tokio::pin!(wall_over);
        let mut wall_is_open = wall.is_some();
        let left_behind = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(left_behind);
        let (mut signalled, mut stopping, mut is_behind) = (false, false, false);
        loop {
            tokio::select! {
                ended = flow.ended() => {
                    let stopped = match &ended.error {
                        Some(_) => Stopped::Error,
                        None if ended.outcome.is_none_or(|it| it.unacknowledged > 0) => {
                            Stopped::GivenUp
                        }
                        None if signalled => Stopped::Signal,
                        None => Stopped::End,
                    };
                    return (ended, stopped);
                }
                () = signals.next() => {
                    let within = if signalled {
                        flow.give_up();
                        GIVE_UP_WITHIN
                    } else {
                        flow.drain();
                        watcher.stopping(drain);
                        drain + GIVE_UP_WITHIN
                    };
                    left_behind.as_mut().reset(Instant::now() + within);
                    (signalled, stopping) = (true, true);
                }
                () = &mut wall_over, if wall_is_open => {
                    wall_is_open = false;
                    flow.drain();
                    left_behind.as_mut().reset(Instant::now() + drain + GIVE_UP_WITHIN);
                    stopping = true;
                }
                () = &mut left_behind, if stopping => return (flow.left(), Stopped::GivenUp),
                _ = glances.tick() => {
                    let now_ns = clock.now_ns();
                    let glance = tally.glance();
                    is_behind = tell_of_lag(&glance, is_behind);
                    self.note_progress(tally);
                    watcher.glance(&progress.view(glance, now_ns), now_ns);
                }
            }
        }
    }
}

impl Looked<'_> {
    /// Writes how far the run has come, from where it goes on if it is killed.
    pub(super) fn note_progress(&self, tally: &Tally) {
        let (Some(manifest), Some(mark)) = (self.manifest, tally.mark()) else { return };
        let Mark { due_us, events, counted, handed_over_ns } = mark;
        let handed_over_us = handed_over_ns.div_euclid(1_000);
        let progress = Progress { due_us, events, counted, handed_over_us };
        if let Err(error) = progress.write(manifest) {
            tracing::warn!(%error, "how far the run has come cannot be written beside its manifest");
        }
    }
}

/// Logs when a run falls behind its schedule, and when it has caught up; says whether it is behind.
fn tell_of_lag(glance: &Glance, was_behind: bool) -> bool {
    let lag_ms = glance.lag.as_secs_f64() * 1e3;
    let (in_flight, governed_s) = (glance.in_flight(), glance.governed.as_secs_f64());
    let is_behind = glance.lag > if was_behind { CAUGHT_UP_BELOW } else { BEHIND_ABOVE };
    match (was_behind, is_behind) {
        (false, true) => tracing::warn!(lag_ms, in_flight, governed_s, "behind schedule"),
        (true, false) => {
            tracing::info!(lag_ms, in_flight, governed_s, "caught up with the schedule");
        }
        _ => {}
    }
    is_behind
}
