//! Verifying a run: its events are made again and looked for in topics, until it is clear what came.

mod known;
mod open;

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Error;
use super::signal::Signals;
use crate::clock::Clock;
use crate::consume::Begin;
use crate::consume::address::Address;
use crate::consume::merge::Merge;
use crate::manifest::Manifest;
use crate::observe::memory;
use crate::verify::check::Checker;
use crate::verify::identify::Place;
use crate::verify::report::{About, Report, Stopped};

pub use known::Known;

/// Between two looks at the manifest, and two words to the listener.
const GLANCE_EVERY: Duration = Duration::from_secs(1);

/// How long one wait for records lasts, so that signals and the clock are looked at.
const WAIT: Duration = Duration::from_millis(100);

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Where the records are; empty: in the run's own topics.
    pub sources: Vec<Address>,
    /// The streams whose events should be there; empty: those of the run's topics that are read, or all
    /// that the run sent, if that is one.
    pub streams: Vec<String>,
    /// Where the records have the identity.
    pub place: Place,
    /// One in so many stretches of time is compared with what was sent; 0: none.
    pub compared_one_in: u32,
    /// Says in the words of the model which events the consumer passes on.
    pub filter: Option<String>,
    /// Read until all is there, however long that takes.
    pub until_complete: bool,
    /// Read no longer than that.
    pub timeout: Option<Duration>,
    /// How long nothing may come before it is taken that nothing more will.
    pub idle: Duration,
    /// Records older than that, in microseconds since the Unix epoch, are passed over.
    pub since_us: Option<i64>,
    /// Where each finding goes.
    pub findings: Option<PathBuf>,
}

/// Who hears how it goes.
pub trait Listener {
    /// All is open.
    fn ready(&mut self, topics: &[String]);
    /// About once a second.
    fn glance(&mut self, view: &View);
}

/// How verifying goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Records that were looked at.
    pub records: u64,
    /// A second, lately.
    pub records_per_s: f64,
    /// Events that are there.
    pub delivered: u64,
    /// Events before the latest that is there, and that are not there yet.
    pub outstanding: u64,
    /// Things that are wrong, without what may still come.
    pub wrong: u64,
    /// Whether the run is over.
    pub is_over: bool,
    /// The wall clock, in nanoseconds since the Unix epoch.
    pub now_ns: i64,
}

/// Verifies a run.
///
/// # Errors
///
/// What kept it from being verified.
pub fn verify(known: Known, ask: Ask, listener: &mut dyn Listener) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("verify")
        .enable_all()
        .build()
        .map_err(|source| Error::System { what: "start the threads of verify", source })?;
    let mut signals = runtime.block_on(async {
        Signals::take().map_err(|source| Error::System { what: "listen for signals", source })
    })?;
    let (stop, stopped) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        signals.next().await;
        if stop.send(()).is_err() {
            tracing::debug!("a signal came when all was over");
        }
    });
    let mut verifying = Verifying::open(known, ask, runtime.handle())?;
    let outcome = verifying.read(listener, &|| stopped.try_recv().is_ok());
    let stopped = outcome?;
    let report = verifying.conclude(stopped);
    runtime.shutdown_background();
    report
}

/// A run while it is verified.
struct Verifying {
    known: Known,
    ask: Ask,
    clock: Clock,
    began_ns: i64,
    merge: Merge,
    checker: Checker,
    /// Whether all topics are those that the run itself sent to.
    is_own: bool,
    /// Whether it is known how many events were issued.
    is_over: bool,
    /// Since when nothing came, on the wall clock.
    idle_since_ns: i64,
}

impl Verifying {
    fn open(known: Known, ask: Ask, handle: &Handle) -> Result<Self, Error> {
        let clock = Clock::system();
        let opened = open::open(&known, &ask, handle, &clock)?;
        let is_over = opened.task.sent.issued.is_some();
        let is_own = opened.task.partitions.iter().all(|read| read.is_own);
        let folder = std::env::temp_dir();
        let checker = Checker::start(opened.task, &folder, ask.findings.as_deref())?;
        let now_ns = clock.now_ns();
        Ok(Self {
            merge: Merge::new(opened.source, clock.clone()),
            began_ns: now_ns,
            idle_since_ns: now_ns,
            known,
            ask,
            clock,
            checker,
            is_own,
            is_over,
        })
    }

    /// Reads until there is nothing more to come, or to be waited for.
    fn read(
        &mut self,
        listener: &mut dyn Listener,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Stopped, Error> {
        let topics: Vec<String> =
            self.merge.partitions().iter().map(|it| it.topic.clone()).collect();
        listener.ready(&topics);
        // From here on the end is that of now, or later.
        self.merge.lasts()?;
        let mut glanced_ns = self.clock.now_ns();
        let mut records = 0;
        let mut passes = 0_u32;
        loop {
            let came = match self.merge.next(WAIT)? {
                Some(run) => {
                    self.checker.take(&run)?;
                    true
                }
                None => false,
            };
            passes = passes.wrapping_add(1);
            // The clock is not asked for each of many short runs of records.
            if came && !passes.is_multiple_of(16) {
                continue;
            }
            let now_ns = self.clock.now_ns();
            if came {
                self.idle_since_ns = now_ns;
            } else if let Some(stopped) = self.is_done()? {
                return Ok(stopped);
            }
            if is_stopped() {
                return Ok(Stopped::Signal);
            }
            if self.ask.timeout.is_some_and(|timeout| self.clock.since(self.began_ns) >= timeout) {
                return Ok(Stopped::Timeout);
            }
            let since = self.clock.since(glanced_ns);
            if since >= GLANCE_EVERY {
                glanced_ns = now_ns;
                let per_s = (self.checker.records() - records) as f64 / since.as_secs_f64();
                records = self.checker.records();
                listener.glance(&self.view(per_s));
                self.look_at_the_run()?;
            }
        }
    }

    /// Whether nothing more is to come, when nothing came for a moment.
    fn is_done(&mut self) -> Result<Option<Stopped>, Error> {
        let at_end = self.merge.at_end().all(|at_end| at_end);
        if !at_end {
            return Ok(None);
        }
        let is_idle = self.clock.since(self.idle_since_ns) >= self.ask.idle;
        if self.is_over && self.checker.is_complete()? {
            return Ok(Some(Stopped::End));
        }
        if self.ask.until_complete {
            return Ok(None);
        }
        // What the run sent to its own topics is there when it is over; others may take their time.
        let is_done = (self.is_over && self.is_own) || is_idle;
        Ok(is_done.then_some(if self.is_over { Stopped::End } else { Stopped::Idle }))
    }

    /// Looks whether the run has ended meanwhile.
    fn look_at_the_run(&mut self) -> Result<(), Error> {
        let Known { manifest: Some(path), .. } = &self.known else { return Ok(()) };
        if self.is_over {
            return Ok(());
        }
        // It is replaced as a whole, and may be gone for good: then nobody says how it ended.
        let Ok(manifest) = Manifest::read(path) else { return Ok(()) };
        let Some(issued) = manifest.issued() else { return Ok(()) };
        self.is_over = true;
        self.checker.issued(issued);
        self.merge.lasts()?;
        Ok(())
    }

    fn view(&self, records_per_s: f64) -> View {
        let findings = self.checker.findings();
        let sum = findings.sum();
        let foreign: u64 = findings.foreign.iter().map(|(_, count)| count).sum();
        View {
            records: self.checker.records(),
            records_per_s,
            delivered: sum.delivered,
            outstanding: self.checker.outstanding(),
            wrong: sum.wrong() + foreign,
            is_over: self.is_over,
            now_ns: self.clock.now_ns(),
        }
    }

    fn conclude(self, stopped: Stopped) -> Result<Report, Error> {
        let partitions = self.merge.partitions().to_vec();
        let conclusion = self.checker.conclude()?;
        let about = About {
            model: self.known.configuration.model.name.clone(),
            manifest: self.known.manifest.as_ref().map(|path| path.display().to_string()),
            stopped,
            wall: self.clock.since(self.began_ns),
            peak_bytes: memory::resident_bytes().map(|resident| resident.peak),
        };
        Ok(Report::new(about, &partitions, &self.known.names(), conclusion))
    }
}

/// Where reading begins: with a margin for clocks that differ.
fn begin(known: &Known, since_us: Option<i64>) -> Begin {
    const MARGIN_US: i64 = 60_000_000;
    match (since_us, known.begun_us) {
        (Some(since_us), _) => Begin::At(since_us / 1_000),
        (None, Some(begun_us)) => Begin::At((begun_us - MARGIN_US) / 1_000),
        (None, None) => Begin::Earliest,
    }
}
