//! Makes one batch: arrivals, rows, bytes, in send order.

mod control;
mod output;
mod roots;
mod telling;

use std::ops::Range;
use std::sync::Arc;

use self::output::{Output, Shape};
use super::cut::Ranks;
use super::deferrals::Deferrals;
use super::ordinals::Ordinals;
use super::rows::{Eras, Row, Rows, fill_inputs, low};
use super::stretches::Stretches;
use super::{Batch, Error, Options, Record, Route, Telling, follow_up, parts};
use crate::config::model::KeyFormat;
use crate::encode::avro;
use crate::encode::row::{self, Key, Lengths, RowEncoder};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::cpu::{self, Context};
use crate::plan::arrival::Arrival;
use crate::plan::batch::{Job, Part};
use crate::plan::follow_up::FollowUp;
use crate::plan::members::{Call, Members};
use crate::plan::traffic::{Segment, Traffic};
use crate::plan::{Origin, Plan, StreamPlan};

/// Everything that threads need to make batches; shared by all of them.
#[derive(Debug)]
pub struct Producer {
    plan: Arc<Plan>,
    options: Options,
    /// By stream; none for the control stream, which a library writes.
    encoders: Vec<Option<RowEncoder>>,
    /// By stream; of streams that count nothing they stay empty.
    ordinals: Vec<Ordinals>,
    /// By stream; those that follow others.
    stretches: Vec<Option<Stretches>>,
    /// All lanes, and those that are made here.
    lanes: (Vec<u32>, Vec<u32>),
}

/// What one thread keeps between batches: room, and the segment that it was last in.
#[derive(Debug, Default)]
pub struct Worker {
    streams: Vec<Scratch>,
    room: Room,
    /// Bytes of an event of the last batch, about.
    event_bytes: usize,
}

/// Room that all streams of a worker share, one after the other.
#[derive(Debug, Default)]
struct Room {
    eras: Eras,
    follow_up: follow_up::Scratch,
    lengths: Vec<Lengths>,
    encoder: avro::Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    /// The stream's number.
    stream: usize,
    frame: Frame,
    segment: Option<(i64, Arc<Segment>)>,
    /// A tick's events, in send order.
    arrivals: Vec<Arrival>,
    /// Which tick they are of; the jobs that each make a part of it share them.
    arrivals_of: Option<u64>,
    rows: Rows,
    /// What becomes of events of the job's window that phases keep away.
    deferrals: Deferrals,
    /// Which ticks the rows are of, if they follow other events.
    rows_of: Option<Range<u64>>,
    /// Which of the rows are the job's.
    own: Range<usize>,
}

/// A batch, and how it stands in the unsharded run.
#[derive(Debug)]
pub struct Made {
    /// The batch.
    pub batch: Batch,
    /// Where its records stand among all of the window's.
    pub ranks: Ranks,
}

/// What becomes of a job.
#[derive(Debug)]
pub enum Work {
    /// It is a batch.
    Made(Made),
    /// It is too large, and these together are the same.
    Cut(Vec<Job>),
}

/// An arena has room for this part more than its events took the last time.
const SPARE: usize = 16;

/// A job that has more than so many times the events of a batch is cut in two before all of its
/// events are found.
const BATCHES_FOUND_MAX: usize = 64;

impl Producer {
    /// Compiles the encoders for a plan's streams.
    pub fn new(plan: Arc<Plan>, options: Options) -> Result<Self, Error> {
        let route = |number: usize| options.routes.get(number).copied().unwrap_or_default();
        let encoders = plan
            .streams
            .iter()
            .enumerate()
            .map(|(number, stream)| encoder(stream, route(number)))
            .collect::<Result<_, _>>()?;
        let ordinals = plan.streams.iter().map(|_| Ordinals::default()).collect();
        let stretches = plan.streams.iter().map(|stream| {
            let follow_up = stream.follow_up()?;
            Stretches::new(&plan, follow_up, &options.window_us)
        });
        let stretches = stretches.collect();
        let shard = options.shard;
        let own = (0..plan.lanes).filter(|lane| lane % shard.count == shard.index).collect();
        let lanes = ((0..plan.lanes).collect(), own);
        Ok(Self { plan, options, encoders, ordinals, stretches, lanes })
    }

    fn route(&self, stream: usize) -> Route {
        self.options.routes.get(stream).copied().unwrap_or_default()
    }

    /// Makes a job's batch, however large it is.
    pub fn make(&self, worker: &mut Worker, job: &Job) -> Result<Made, Error> {
        let (ranks, _) = self.find(worker, job, usize::MAX)?;
        self.write(worker, job, ranks)
    }

    /// Makes a job's batch, or cuts the job if it has far more events than a batch should.
    pub fn make_or_cut(&self, worker: &mut Worker, job: &Job) -> Result<Work, Error> {
        let events = self.options.batch_events.max(1) as usize;
        let tick_us = self.plan.tick.length_us().unsigned_abs();
        let (ranks, is_whole) = self.find(worker, job, BATCHES_FOUND_MAX * events)?;
        if !is_whole {
            return Ok(Work::Cut(parts::halves(job, tick_us).into()));
        }
        if job.snapshot.is_none() {
            let own = worker.streams.iter().flat_map(|it| &it.rows.list[it.own.clone()]);
            let parts = parts::parts(job, own.map(|row| row.time_us), events, tick_us);
            if !parts.is_empty() {
                return Ok(Work::Cut(parts));
            }
        }
        self.write(worker, job, ranks).map(Work::Made)
    }

    /// Finds the rows of a job, and whether these are all: if it has two ticks or more and there are
    /// more rows than `rows_max`, the rest is left.
    fn find(
        &self,
        worker: &mut Worker,
        job: &Job,
        rows_max: usize,
    ) -> Result<(Ranks, bool), Error> {
        for stream in worker.streams.len()..self.plan.streams.len() {
            worker.streams.push(Scratch { stream, ..Scratch::default() });
        }
        let mut ranks = Ranks::default();
        let Worker { streams, room, .. } = worker;
        if job.snapshot.is_none() {
            self.begin_stretches(room, job);
        }
        let mut left = if job.ticks.end - job.ticks.start > 1 { rows_max } else { usize::MAX };
        for scratch in streams {
            let sends = job.snapshot.is_none_or(|part| part.stream == scratch.stream);
            scratch.own = 0..0;
            if sends && !self.route(scratch.stream).skipped {
                self.find_of((scratch, &mut *room), job, &mut ranks, left)?;
            }
            if scratch.own.len() > left {
                return Ok((ranks, false));
            }
            left -= scratch.own.len();
        }
        Ok((ranks, true))
    }

    /// Generates and encodes the rows that were found.
    fn write(&self, worker: &mut Worker, job: &Job, ranks: Ranks) -> Result<Made, Error> {
        let Worker { streams, room, event_bytes } = worker;
        let rows: usize = streams.iter().map(|scratch| scratch.own.len()).sum();
        // An arena that grows is copied again and again.
        let bytes = rows * *event_bytes;
        let has_bytes = self.has_bytes(job);
        let mut output = Output {
            arena: Vec::with_capacity(if has_bytes { bytes + bytes / SPARE } else { 0 }),
            records: Vec::with_capacity(rows),
            who: Vec::new(),
            ranks,
        };
        for scratch in streams.iter_mut().filter(|scratch| !scratch.own.is_empty()) {
            if self.options.telling != Telling::Bytes {
                output.name(&scratch.rows.list[scratch.own.clone()]);
            }
            if has_bytes {
                self.stream((scratch, &mut *room), &mut output)?;
            } else {
                let shape = self.shape(scratch.stream);
                output.note_times(&shape, &scratch.rows.list[scratch.own.clone()]);
            }
        }
        if has_bytes {
            *event_bytes = output.arena.len().checked_div(rows).unwrap_or(*event_bytes);
        }
        if self.plan.streams.len() > 1 {
            output.sort();
        }
        let start_us = self.plan.start_us;
        let at = |since_us: u64| start_us.saturating_add_unsigned(since_us);
        let mut batch = Batch {
            window_us: at(job.window_us.start)..at(job.window_us.end),
            arena: Arc::new(output.arena),
            records: Arc::new(output.records),
            who: output.who,
            there: 0,
            has_bytes,
            digest: None,
            deferrals: worker.streams.iter().fold(Deferrals::default(), |mut sum, of| {
                sum.add(of.deferrals);
                sum
            }),
        };
        batch.digest = self.digest(&batch);
        Ok(Made { batch, ranks: output.ranks })
    }

    /// Encodes rows of a stream that were found elsewhere: to see what its records are like.
    pub(super) fn encode(
        &self,
        worker: &mut Worker,
        stream: usize,
        rows: &Rows,
    ) -> Result<Vec<Record>, Error> {
        let Worker { streams, room, .. } = worker;
        streams.resize_with(self.plan.streams.len(), Scratch::default);
        let scratch = &mut streams[stream];
        scratch.stream = stream;
        let plan = &self.plan.streams[stream];
        if scratch.frame.columns() == 0 {
            scratch.frame = Frame::new(usize::from(plan.compiled.program.columns), CHUNK_ROWS);
        }
        let root = plan.follow_up().map_or(plan, |it| &self.plan.streams[it.above[0]]);
        let mut output = Output::default();
        let own = 0..rows.list.len();
        self.rows((scratch, room), (rows, own), root.traffic(), &mut output)?;
        Ok(output.records)
    }

    /// Whether a stream has a rate of its own.
    pub(super) fn is_root(&self, stream: u16) -> bool {
        self.plan.streams[usize::from(stream)].is_root()
    }

    /// The instant that lies so many microseconds after the start.
    pub(super) fn instant_us(&self, since_us: u64) -> i64 {
        self.plan.start_us.saturating_add_unsigned(since_us)
    }

    /// What part of the plan is made.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Finds the rows of a stream; of a root stream no more than are to be looked at, and one tick's.
    fn find_of(
        &self,
        (scratch, room): (&mut Scratch, &mut Room),
        job: &Job,
        ranks: &mut Ranks,
        rows_max: usize,
    ) -> Result<(), Error> {
        let stream = &self.plan.streams[scratch.stream];
        let mut rows = std::mem::take(&mut scratch.rows);
        scratch.own = match &stream.origin {
            Origin::Root(traffic) => {
                self.roots(scratch, traffic, job, (&mut rows, ranks, rows_max))?;
                0..rows.list.len()
            }
            Origin::FollowUp(follow_up) => {
                self.follow_ups((scratch, room), follow_up, job, &mut rows)
            }
            Origin::Control(control) => {
                rows.clear(0);
                if self.is_own(0) && job.snapshot.is_none() {
                    control.events(&job.window_us, &mut |time_us, number| {
                        rows.list.push(Row { time_us, number, child: 0, above: 0, ordinal: 0 });
                    });
                }
                0..rows.list.len()
            }
            Origin::Ledger(_) => {
                rows.clear(0);
                0..0
            }
            Origin::Members(members) => {
                rows.clear(0);
                self.members(members, job, (scratch.stream, &mut rows.list, ranks));
                0..rows.list.len()
            }
        };
        scratch.rows = rows;
        Ok(())
    }

    /// Finds rows that follow others; returns which of them are the job's.
    fn follow_ups(
        &self,
        (scratch, room): (&mut Scratch, &mut Room),
        follow_up: &FollowUp,
        job: &Job,
        rows: &mut Rows,
    ) -> Range<usize> {
        let stretches = self.stretches[scratch.stream].as_ref();
        if let Some((stretches, over)) =
            stretches.and_then(|all| Some((all, all.over(&job.ticks)?)))
        {
            scratch.rows_of = None;
            rows.clear(0);
            for stretch in over {
                let found = stretches.rows(&stretch, |ticks, rows| {
                    self.find_follow_ups(follow_up, ticks, (room, rows));
                });
                rows.add(found, &job.window_us);
            }
            return 0..rows.list.len();
        }
        if scratch.rows_of.as_ref() != Some(&job.ticks) {
            self.find_follow_ups(follow_up, &job.ticks, (room, rows));
            scratch.rows_of = Some(job.ticks.clone());
        }
        let before = |us: u64| rows.list.partition_point(|row| row.time_us < us);
        before(job.window_us.start)..before(job.window_us.end)
    }

    fn find_follow_ups(
        &self,
        follow_up: &FollowUp,
        ticks: &Range<u64>,
        (room, rows): (&mut Room, &mut Rows),
    ) {
        let own = |lane| self.is_own(lane);
        follow_up::rows((&self.plan, follow_up), ticks, &own, (&mut room.follow_up, rows));
    }

    /// Begins with stretches of the job that no other thread has begun with, so that threads which
    /// come to new ones at the same time share them.
    fn begin_stretches(&self, room: &mut Room, job: &Job) {
        for (number, all) in self.stretches.iter().enumerate() {
            let Origin::FollowUp(follow_up) = &self.plan.streams[number].origin else { continue };
            let Some(all) = all.as_ref().filter(|_| !self.route(number).skipped) else { continue };
            for stretch in all.over(&job.ticks).unwrap_or_default() {
                if stretch.begin() {
                    all.rows(&stretch, |ticks, rows| {
                        self.find_follow_ups(follow_up, ticks, (room, rows));
                    });
                }
            }
        }
    }

    /// Generates and encodes the rows of a stream.
    fn stream(
        &self,
        (scratch, room): (&mut Scratch, &mut Room),
        output: &mut Output,
    ) -> Result<(), Error> {
        let stream = &self.plan.streams[scratch.stream];
        if scratch.frame.columns() == 0 {
            let columns = usize::from(stream.compiled.program.columns);
            scratch.frame = Frame::new(columns, CHUNK_ROWS);
        }
        let root = stream.follow_up().map_or(scratch.stream, |follow_up| follow_up.above[0]);
        let traffic = match &self.plan.streams[root].origin {
            Origin::Root(traffic) => Some(&**traffic),
            Origin::FollowUp(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => {
                None
            }
        };
        let rows = std::mem::take(&mut scratch.rows);
        let own = scratch.own.clone();
        let made = self.rows((scratch, room), (&rows, own), traffic, output);
        scratch.rows = rows;
        made
    }

    /// The rows of a stream of members, in send order.
    fn members(
        &self,
        members: &Members,
        job: &Job,
        (stream, rows, ranks): (usize, &mut Vec<Row>, &mut Ranks),
    ) {
        let row = |Call { number, time_us, .. }: Call| Row {
            time_us,
            number,
            child: 0,
            above: 0,
            ordinal: 0,
        };
        let own = |lane: u32| self.is_own(lane);
        if let Some(Part { part, parts, .. }) = job.snapshot {
            let at_us = job.window_us.start;
            members.snapshot(&own, (part, parts), at_us, &mut |call| rows.push(row(call)));
        } else if self.options.count.is_some() && matches!(members, Members::RollCall(_)) {
            members.events(&|_| true, &job.window_us, &mut |call| {
                let own = own(low(call.number >> 32) % self.plan.lanes);
                ranks.push(stream, call.time_us, call.number, own);
                if own {
                    rows.push(row(call));
                }
            });
        } else {
            members.events(&own, &job.window_us, &mut |call| rows.push(row(call)));
        }
        if job.snapshot.is_none() {
            rows.sort_unstable();
        }
    }

    /// What all records of a stream share.
    fn shape(&self, number: usize) -> Shape<'_> {
        let stream = &self.plan.streams[number];
        Shape {
            members: stream.members(),
            stream: u16::try_from(number).unwrap_or(u16::MAX),
            keyed: stream.compiled.key.is_some(),
            partitions: self.route(number).partitions,
            hash: self.route(number).hash,
            start_us: self.plan.start_us,
        }
    }

    fn is_own(&self, lane: u32) -> bool {
        lane % self.options.shard.count == self.options.shard.index
    }

    /// Generates and encodes rows, chunk by chunk.
    fn rows(
        &self,
        (scratch, room): (&mut Scratch, &mut Room),
        (rows, own): (&Rows, Range<usize>),
        traffic: Option<&Traffic>,
        output: &mut Output,
    ) -> Result<(), Error> {
        let stream = &self.plan.streams[scratch.stream];
        let shape = self.shape(scratch.stream);
        room.eras.clear(&self.plan.scenarios);
        let ordinal = stream.compiled.program.ordinal;
        let Some(encoder) = &self.encoders[scratch.stream] else {
            let Origin::Control(control) = &stream.origin else { return Ok(()) };
            let written = (&stream.schema, self.route(scratch.stream).ids.value);
            return control::write(control, written, (&shape, &rows.list[own]), output);
        };
        for chunk in rows.list[own].chunks(CHUNK_ROWS) {
            let eras = (&mut room.eras, traffic);
            fill_inputs(&mut scratch.frame, (rows, chunk, ordinal), eras, self.plan.start_us);
            let context = Context { eras: &room.eras.list };
            cpu::run(&stream.compiled.program, &mut scratch.frame, context);
            let start = output.arena.len();
            room.lengths.clear();
            encoder
                .encode(&scratch.frame, &mut room.encoder, &mut output.arena, &mut room.lengths)
                .map_err(|source| Error::Encode { stream: stream.name.clone(), source })?;
            output.note(&shape, chunk, start, &room.lengths);
        }
        Ok(())
    }
}

fn encoder(stream: &StreamPlan, route: Route) -> Result<Option<RowEncoder>, Error> {
    if matches!(stream.origin, Origin::Control(_) | Origin::Ledger(_)) {
        return Ok(None);
    }
    let key = stream.compiled.key.as_ref().map(|text| match stream.key_format {
        KeyFormat::String => Key::Text(text.clone()),
        KeyFormat::Avro => Key::Avro { text: text.clone(), schema_id: route.ids.key },
    });
    RowEncoder::compile(&row::Plan {
        headers: &stream.compiled.headers,
        key: key.as_ref(),
        format: stream.value_format,
        schema_id: route.ids.value,
        schema: &stream.schema,
        fill: &stream.compiled.fill,
    })
    .map(Some)
    .map_err(|source| Error::Encode { stream: stream.name.clone(), source })
}
