//! Going on with a run that was killed: with neither gap nor double.
//!
//! All that was due before its last mark is acknowledged. What came after it may be in the topics or not:
//! the ends of the partitions are read, from the time at which the first of it was handed over, and
//! what is there is not sent again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apache_avro::Schema;

use super::{Error, Prepared, source};
use crate::config::model::IdentityPlace;
use crate::config::settings::Timestamp;
use crate::consume::address::{Address, Broker};
use crate::consume::merge::Merge;
use crate::consume::{Begin, Position};
use crate::manifest::progress::Progress;
use crate::manifest::{Manifest, Resumption};
use crate::observe::watermark::{Mark, Watermark};
use crate::plan::arrival::tick_and_lane;
use crate::plan::compile;
use crate::plan::identity::Identity;
use crate::publish::kafka::topics::{TimestampType, Topics};
use crate::publish::pulsar::Batcher;
use crate::stream::digest::Digest;
use crate::stream::pacer;
use crate::stream::{self, Batch, EventStream, Record, Telling};
use crate::verify::gap::Key;
use crate::verify::identify::{Identifier, Known, Place};

use super::request::Destination;
use super::window::rfc3339;

/// How long the ends of partitions must stand still: what a killed process left on its way may still come.
const STILL: Duration = Duration::from_secs(2);

/// How long that is waited for: others may send to the same topics.
const STILL_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at them.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long one wait for records lasts.
const WAIT: Duration = Duration::from_millis(20);

/// How much earlier than the first hand-over records are read, in microseconds: their times are ours, and
/// have whole milliseconds only.
const MARGIN_US: i64 = 1_000_000;

/// The same where brokers give the times: their clocks and ours differ by less.
const BROKERS_MARGIN_US: i64 = 3_600_000_000;

/// What becomes of the time that was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The schedule stays: what was missed is sent as fast as it goes.
    CatchUp,
    /// The schedule is moved: the run goes on as if no time had passed.
    Shift,
}

/// Where a run goes on.
#[derive(Clone, Debug)]
pub(super) struct Going {
    /// Up to where it had come for sure.
    pub(super) mark: Mark,
    /// What is there of what came after.
    there: BTreeSet<Key>,
    /// How many events were not sent again.
    pub(super) left_out: Arc<AtomicU64>,
}

impl Going {}

impl Prepared {
    /// Leaves it to brokers that deduplicate to know what is there: numbers follow from all that is sent.
    pub(super) fn leave_to_broker(
        &self,
        going: &mut Going,
        deduplicates: &[bool],
    ) -> Result<(), Error> {
        let by_broker = |stream: u8| deduplicates.get(usize::from(stream)) == Some(&true);
        going.there.retain(|key| !by_broker(key.stream()));
        let was_drained =
            self.request.repeats.as_ref().is_some_and(|it| it.manifest.result.is_some());
        if deduplicates.contains(&true) && was_drained && self.has_batches_by_key()? {
            return Err(Error::ResumeKeyBatches);
        }
        Ok(())
    }

    fn has_batches_by_key(&self) -> Result<bool, Error> {
        Ok(super::pulsar::checked_options(&self.configuration)?.batcher == Batcher::Key)
    }

    /// Looks where the run that is resumed goes on; none if none is.
    pub(super) fn going_on(&self) -> Result<Option<Going>, Error> {
        let (Some(_), Some(first)) = (self.request.resume, &self.request.repeats) else {
            return Ok(None);
        };
        if !self.plan.faults.list.is_empty() {
            return Err(Error::ResumeFaults);
        }
        let nowhere = self.sent().find(|number| {
            self.configuration.model.streams[*number].identity == IdentityPlace::Nowhere
        });
        if let Some(number) = nowhere {
            return Err(Error::NoIdentity { stream: self.plan.streams[number].name.clone() });
        }
        let unreadable = |source| Error::Progress { path: Progress::path(&first.path), source };
        let progress = Progress::read(&first.path).map_err(unreadable)?;
        let is_sent = |number: usize| self.sent().any(|sent| sent == number);
        if progress.is_none() && self.plan.snapshots().any(|(number, _)| is_sent(number)) {
            return Err(Error::ResumeSnapshot);
        }
        let begin = Progress {
            due_us: self.window.from_us,
            events: 0,
            counted: 0,
            handed_over_us: first.anchor_us()?,
        };
        let Progress { due_us, events, counted, handed_over_us } = progress.unwrap_or(begin);
        let handed_over_ns = handed_over_us.saturating_mul(1_000);
        let mark = Mark { due_us, events, counted, handed_over_ns };
        let there = self.there(&mark)?;
        tracing::info!(from = %rfc3339(due_us), events, there = there.len(), "the run goes on");
        Ok(Some(Going { mark, there, left_out: Arc::default() }))
    }

    /// The events after a mark that are in the topics.
    fn there(&self, mark: &Mark) -> Result<BTreeSet<Key>, Error> {
        let mut topics: Vec<String> = Vec::new();
        for stream in self.sent().map(|number| &self.plan.streams[number]) {
            if !topics.contains(&stream.topic.name) {
                topics.push(stream.topic.name.clone());
            }
        }
        let broker = match self.request.destination {
            Destination::Pulsar => Broker::Pulsar,
            _ => Broker::Kafka,
        };
        let address = Address { broker: Some(broker), servers: None, topics };
        // Where records carry the times of their events, nobody knows when they were written.
        let kafka = self.configuration.settings.kafka.as_ref();
        let by_event = kafka.is_some_and(|it| it.timestamp == Timestamp::Event);
        let margin_us = if self.times_are_brokers(broker, &address.topics)? {
            BROKERS_MARGIN_US
        } else {
            MARGIN_US
        };
        let since_us = mark.handed_over_ns / 1_000 - margin_us;
        let begin = if by_event && broker == Broker::Kafka {
            Begin::Earliest
        } else {
            Begin::At(since_us / 1_000)
        };
        let source = source::open(&address, &self.configuration, &begin, &self.clock)?;
        let mut merge = Merge::new(source, self.clock.clone());
        let ends = self.wait_until_still(&mut merge)?;
        let mut identifier = self.identifier(&merge);
        let mut there = BTreeSet::new();
        let mut read: Vec<Option<Position>> = vec![None; ends.len()];
        loop {
            while let Some(run) = merge.next(WAIT)? {
                let last = run.page.records[run.records.clone()].last();
                read[run.partition] = last.map(|record| record.position);
                for record in &run.page.records[run.records.clone()] {
                    let identity = identifier.identify(run.partition, run.page, record).ok();
                    let later = identity.filter(|identity| self.may_follow(identity, mark));
                    there.extend(later.map(Key::from));
                }
                if read.iter().zip(&ends).all(|(read, end)| end.is_some() && read >= end) {
                    return Ok(there);
                }
            }
            let up_to = read.iter().zip(&ends).map(|(read, end)| end.is_none() || read >= end);
            if merge.at_end().zip(up_to).all(|(at_end, up_to)| at_end || up_to) {
                return Ok(there);
            }
        }
    }

    /// Whether an event may be due after a mark, as far as its identity tells.
    fn may_follow(&self, identity: &Identity, mark: &Mark) -> bool {
        let stream = &self.plan.streams[usize::from(identity.stream)];
        let (tick, _) = tick_and_lane(identity.number);
        let end_us = (tick + 1).saturating_mul(self.plan.tick.length_us().unsigned_abs());
        let is_before = self.plan.start_us.saturating_add_unsigned(end_us) <= mark.due_us;
        !is_before || stream.traffic().is_none_or(|traffic| traffic.shape.defers)
    }

    /// Whether the brokers say when records were written.
    fn times_are_brokers(&self, broker: Broker, topics: &[String]) -> Result<bool, Error> {
        if broker == Broker::Pulsar {
            return Ok(false);
        }
        let options = super::broker::checked_options(&self.configuration)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let states = Topics::connect(&options, self.clock.clone())?.inspect(&names)?;
        Ok(states.iter().any(|state| state.timestamps == Some(TimestampType::LogAppendTime)))
    }

    /// Waits until no partition grows any more.
    fn wait_until_still(&self, merge: &mut Merge) -> Result<Vec<Option<Position>>, Error> {
        let mut ends = merge.lasts()?;
        let began_ns = self.clock.now_ns();
        let mut since_ns = began_ns;
        while self.clock.since(since_ns) < STILL {
            if self.clock.since(began_ns) >= STILL_WITHIN {
                tracing::warn!("others send to the topics, whose ends do not stand still");
                break;
            }
            self.clock.sleep(LOOK_EVERY);
            let now = merge.lasts()?;
            if now != ends {
                ends = now;
                since_ns = self.clock.now_ns();
            }
        }
        Ok(ends)
    }

    fn identifier(&self, merge: &Merge) -> Identifier {
        let model = &self.configuration.model.streams;
        let sent: Vec<bool> = model.iter().map(|it| !self.request.skips(&it.name)).collect();
        let streams = model.iter().zip(&self.schemas).zip(&self.plan.streams).zip(&sent);
        let known = streams.filter(|(_, sent)| **sent).map(|(((model, written), plan), _)| {
            let field = model.identity_field();
            let schema: &Schema = &plan.schema;
            let field = field.map(|path| path.split('.').map(str::to_owned).collect());
            Known { id: written.value_id, schema, field }
        });
        let of_topic = |topic: &str| {
            let its = model.iter().zip(&sent).map(|(it, sent)| *sent && it.topic.name == topic);
            its.collect()
        };
        let masks = merge.partitions().iter().map(|it| of_topic(&it.topic)).collect();
        let cipher = compile::cipher(self.plan.seed, self.plan.start_us);
        Identifier::new((cipher, masks), Place::Anywhere, known, Box::new(|_| None))
    }

    /// What the stream of events is to make, if the run goes on.
    pub(super) fn rest(
        &self,
        going: Option<&Going>,
        mut options: stream::Options,
    ) -> Result<stream::Options, Error> {
        let Some(Going { mark, .. }) = going else { return Ok(options) };
        if let Some(count) = options.count {
            options.count = Some(count.saturating_sub(self.roots_before(mark, &options)?));
        }
        options.events_max = options.events_max.map(|most| most.saturating_sub(mark.events));
        options.window_us.start = (mark.due_us - self.plan.start_us).max(0).unsigned_abs();
        options.telling = Telling::Who { bytes_one_in: 1 };
        // It would be that of the rest.
        options.digest = false;
        Ok(options)
    }

    /// How many root events a count has counted before a mark.
    fn roots_before(&self, mark: &Mark, options: &stream::Options) -> Result<u64, Error> {
        if options.shard.count > 1 {
            return Err(Error::ResumeShardByCount);
        }
        let end_us = (mark.due_us - self.plan.start_us).max(0).unsigned_abs();
        let options = stream::Options {
            window_us: options.window_us.start..end_us.max(options.window_us.start),
            telling: Telling::Who { bytes_one_in: 0 },
            events_max: None,
            digest: false,
            ..options.clone()
        };
        let mut events = EventStream::start(Arc::clone(&self.plan), options)?;
        let mut roots = 0;
        while let Some(batch) = events.next_blocking().transpose()? {
            let is_root = |it: &&Record| self.plan.streams[usize::from(it.stream)].is_root();
            roots += batch.records.iter().filter(is_root).count() as u64;
        }
        Ok(roots)
    }

    /// When the window begins on the wall clock: of a run that goes on, so that the rest comes in time.
    fn resumed_anchor_us(&self, going: &Going) -> Result<i64, Error> {
        let Some(first) = &self.request.repeats else { return Ok(self.anchor_us()) };
        let then_us = first.last_anchor_us()?;
        match (self.request.resume, self.pacer_speed()) {
            (Some(Resume::Shift), speed) => {
                let passed_us = match speed {
                    pacer::Speed::Times(speed) => {
                        (going.mark.due_us - self.window.from_us) as f64 / speed
                    }
                    pacer::Speed::Even { interval_ns, .. } => {
                        going.mark.counted as f64 * interval_ns / 1e3
                    }
                    pacer::Speed::Max => 0.0,
                };
                #[expect(clippy::cast_possible_truncation, reason = "times of this age")]
                let passed_us = passed_us as i64;
                Ok(self.clock.now_us() - passed_us)
            }
            _ => Ok(then_us),
        }
    }

    /// What marks how far the run has come.
    pub(super) fn watermark(&self, going: Option<&Going>, anchor_us: i64) -> Watermark {
        let counts = match self.pacer_speed() {
            pacer::Speed::Even { counts, .. } => counts.to_vec(),
            _ => Vec::new(),
        };
        let begin = Mark {
            due_us: self.window.from_us,
            events: 0,
            counted: 0,
            handed_over_ns: anchor_us.min(self.clock.now_us()).saturating_mul(1_000),
        };
        let mark = going.map_or(begin, |going| going.mark);
        Watermark::new(mark, (self.plan.start_us, self.plan.tick.length_us()), counts)
    }

    /// When the window begins on the wall clock, and the manifest: of a run that goes on, its own.
    pub(super) fn recorded(&self, going: Option<&Going>) -> Result<(i64, Manifest), Error> {
        let (Some(going), Some(first)) = (going, &self.request.repeats) else {
            let anchor_us = self.anchor_us();
            return Ok((anchor_us, self.manifest(anchor_us)));
        };
        let anchor_us = self.resumed_anchor_us(going)?;
        let mut manifest = first.manifest.clone();
        manifest.result = None;
        manifest.resumed.push(Resumption {
            from: rfc3339(going.mark.due_us),
            before: going.mark.events,
            // Known at the end.
            there: 0,
            anchor: rfc3339(anchor_us),
        });
        Ok((anchor_us, manifest))
    }
}

/// The rest of a run's events, without those that are there already.
pub(super) struct Rest {
    events: Box<dyn pacer::Source + Send>,
    there: BTreeSet<Key>,
    left_out: Arc<AtomicU64>,
    /// Those left out whose batches were left out as a whole.
    carried: u32,
}

impl Rest {
    pub(super) fn new(events: Box<dyn pacer::Source + Send>, going: Going) -> Self {
        Self { events, there: going.there, left_out: going.left_out, carried: 0 }
    }
}

impl pacer::Source for Rest {
    fn next(&mut self) -> Option<Result<Batch, stream::Error>> {
        let mut batch = match self.events.next()? {
            Ok(batch) if !self.there.is_empty() || self.carried > 0 => batch,
            other => return Some(other),
        };
        let who = batch.who.clone();
        let mut who = who.iter();
        let before = batch.records.len();
        let there = &mut self.there;
        batch.retain(|record| {
            let key = who
                .next()
                .map(|who| Key::new(record.stream.to_le_bytes()[0], who.child, who.number));
            !key.is_some_and(|key| there.remove(&key))
        });
        let left_out = u32::try_from(before - batch.records.len()).unwrap_or(u32::MAX);
        self.left_out.fetch_add(u64::from(left_out), Ordering::Relaxed);
        batch.there = left_out + self.carried;
        self.carried = if batch.records.is_empty() { batch.there } else { 0 };
        Some(Ok(batch))
    }

    fn digest(&self, batch: &Batch) -> Option<Digest> {
        self.events.digest(batch)
    }
}
