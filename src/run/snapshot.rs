//! The phase before a run: what the members of entities are like when it begins.

use std::sync::Arc;
use std::time::Duration;

use super::facts::Over;
use super::flow::{Flow, Then};
use super::signal::Signals;
use super::{Error, Finished, Listener, Prepared};
use crate::manifest::Place;
use crate::observe::report::{Counts, Stopped};
use crate::observe::tally::{Tally, Total, Watched};
use crate::stream::{self, EventStream, pacer};

/// What became of the snapshot.
pub(super) enum Told {
    /// All of it arrived, if there was one: the run follows, with the sink that is handed back.
    Whole(Watched, Option<Counts>),
    /// Not all of it was sent, or arrived.
    Cut(Cut),
}

/// A snapshot that is not all there.
pub(super) struct Cut {
    total: Total,
    stopped: Stopped,
    error: Option<Error>,
}

impl Prepared {
    /// When the window begins on the wall clock, if nothing comes before it.
    pub(super) fn anchor_us(&self) -> i64 {
        self.request.at.map_or_else(|| self.clock.now_us(), |at| at.0)
    }

    /// The records of the snapshot; none if there is none.
    pub(super) fn snapshot(&self, options: &stream::Options) -> Result<Option<EventStream>, Error> {
        let is_sent = |number: usize| !self.request.skips(&self.plan.streams[number].name);
        if !self.plan.snapshots().any(|(number, _)| is_sent(number)) {
            return Ok(None);
        }
        let options = stream::Options {
            snapshot: true,
            digest: false,
            count: None,
            events_max: None,
            ..options.clone()
        };
        Ok(Some(EventStream::start(Arc::clone(&self.plan), options)?))
    }

    /// Sends the snapshot as fast as it goes or as ceilings let it, and waits for all receipts.
    pub(super) async fn tell(
        &self,
        records: Option<EventStream>,
        sink: Watched,
        tally: &Tally,
        (signals, listener): (&mut Signals, &mut dyn Listener),
    ) -> Result<Told, Error> {
        let Some(records) = records else { return Ok(Told::Whole(sink, None)) };
        let speed = pacer::Speed::Max;
        let options = pacer::Options { speed, ..self.pacer_options(self.clock.now_us(), tally) };
        let flow = Flow::start_and(records, sink, options, Then::HandBack)?;
        let (ended, stopped) =
            self.looked_at(None, None).watch(flow, tally, (signals, listener)).await;
        let total = tally.start_over();
        let counts = Counts::of_total(&total);
        Ok(match (ended.sink, ended.error) {
            (Some(sink), None) if stopped == Stopped::End && !counts.lost_any() => {
                tracing::info!(records = counts.issued, "the snapshot is there");
                Told::Whole(sink, Some(counts))
            }
            (_, error) => Told::Cut(Cut { total, stopped, error }),
        })
    }

    /// A run that did not get beyond its snapshot.
    pub(super) fn without_run(&self, cut: Cut, tally: &Tally, place: Option<&Place>) -> Finished {
        let Cut { total, stopped, error } = cut;
        let over = Over {
            stopped,
            wall: Duration::ZERO,
            digest: None,
            deferrals: None,
            consumer: None,
            place,
        };
        let told = self.report(&total, &over);
        let mut report = self.report(&tally.total(), &over);
        let error = error.or_else(|| self.undelivered(&told));
        report.snapshot = Some(told.counts);
        Finished { report, error }
    }
}
