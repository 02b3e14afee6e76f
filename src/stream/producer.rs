//! Makes one batch: arrivals, rows, bytes, in send order.

use std::ops::Range;
use std::sync::Arc;

use super::cut::Ranks;
use super::digest::Digest;
use super::ordinals::Ordinals;
use super::rows::{Eras, Row, Rows, fill_inputs, lane_of, low};
use super::{Batch, Error, Options, Record, Route, follow_up};
use crate::config::model::KeyFormat;
use crate::encode::row::{self, Key, Lengths, RowEncoder};
use crate::encode::wire::FRAMING_BYTES;
use crate::encode::{avro, partition};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::cpu::{self, Context};
use crate::plan::arrival::{Arrival, Arrivals};
use crate::plan::batch::{Job, Part};
use crate::plan::members::{Call, Members};
use crate::plan::traffic::{Segment, Traffic};
use crate::plan::{Origin, Plan, StreamPlan};

/// Everything that threads need to make batches; shared by all of them.
#[derive(Debug)]
pub struct Producer {
    plan: Arc<Plan>,
    options: Options,
    encoders: Vec<RowEncoder>,
    /// By stream; of streams that count nothing they stay empty.
    ordinals: Vec<Ordinals>,
    /// All lanes, and those that are made here.
    lanes: (Vec<u32>, Vec<u32>),
}

/// What one thread keeps between batches: room, and the segment that it was last in.
#[derive(Debug, Default)]
pub struct Worker {
    streams: Vec<Scratch>,
    room: Room,
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
    /// Which ticks the rows are of, if they follow other events.
    rows_of: Option<Range<u64>>,
}

/// A batch, and how it stands in the unsharded run.
#[derive(Debug)]
pub struct Made {
    /// The batch.
    pub batch: Batch,
    /// Where its records stand among all of the window's.
    pub ranks: Ranks,
}

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
        let shard = options.shard;
        let own = (0..plan.lanes).filter(|lane| lane % shard.count == shard.index).collect();
        let lanes = ((0..plan.lanes).collect(), own);
        Ok(Self { plan, options, encoders, ordinals, lanes })
    }

    fn route(&self, stream: usize) -> Route {
        self.options.routes.get(stream).copied().unwrap_or_default()
    }

    /// Makes a job's batch.
    pub fn make(&self, worker: &mut Worker, job: &Job) -> Result<Made, Error> {
        for stream in worker.streams.len()..self.plan.streams.len() {
            worker.streams.push(Scratch { stream, ..Scratch::default() });
        }
        let mut output = Output::default();
        let Worker { streams, room } = worker;
        for scratch in streams {
            let sends = job.snapshot.is_none_or(|part| part.stream == scratch.stream);
            if sends && !self.route(scratch.stream).skipped {
                self.stream((scratch, &mut *room), job, &mut output)?;
            }
        }
        if self.plan.streams.len() > 1 {
            // Each stream is in order already; the sort is stable and merges runs.
            output.records.sort_by_key(|record| (record.due_us, record.stream));
        }
        let start_us = self.plan.start_us;
        let at = |since_us: u64| start_us.saturating_add_unsigned(since_us);
        let mut batch = Batch {
            window_us: at(job.window_us.start)..at(job.window_us.end),
            arena: Arc::new(output.arena),
            records: Arc::new(output.records),
            digest: None,
        };
        batch.digest = self.digest(&batch);
        Ok(Made { batch, ranks: output.ranks })
    }

    /// The digest of a batch's records, if digests are asked for.
    pub fn digest(&self, batch: &Batch) -> Option<Digest> {
        self.options.digest.then(|| {
            let mut sum = Digest::default();
            for record in batch.records.iter() {
                let stream = usize::from(record.stream);
                let plan = &self.plan.streams[stream];
                let route = self.route(stream);
                let mut key = &batch.arena[record.key_range()];
                if plan.key_format == KeyFormat::Avro && route.ids.key.is_some() {
                    key = key.get(FRAMING_BYTES..).unwrap_or_default();
                }
                let value = &batch.arena[record.value_range()];
                // A tombstone has no value, and no framing either.
                let datum = value.get(self.encoders[stream].framing_bytes()..);
                sum.add(Digest::of(&plan.name, key, datum.unwrap_or_default()));
            }
            sum
        })
    }

    /// Whether a stream has a rate of its own.
    pub(super) fn is_root(&self, stream: u16) -> bool {
        self.plan.streams[usize::from(stream)].is_root()
    }

    /// The instant that lies so many microseconds after the start.
    pub(super) fn instant_us(&self, since_us: u64) -> i64 {
        self.plan.start_us.saturating_add_unsigned(since_us)
    }

    /// Whether ranks in the unsharded run are needed to know where it ends.
    pub(super) fn counts(&self) -> Option<u64> {
        self.options.count
    }

    fn stream(
        &self,
        (scratch, room): (&mut Scratch, &mut Room),
        job: &Job,
        output: &mut Output,
    ) -> Result<(), Error> {
        let stream = &self.plan.streams[scratch.stream];
        if scratch.frame.columns() == 0 {
            let columns = usize::from(stream.compiled.program.columns);
            scratch.frame = Frame::new(columns, CHUNK_ROWS);
        }
        let mut rows = std::mem::take(&mut scratch.rows);
        let mut own = None;
        let traffic = match &stream.origin {
            Origin::Root(traffic) => {
                self.roots(scratch, traffic, job, (&mut rows, &mut output.ranks))?;
                Some(&**traffic)
            }
            Origin::FollowUp(follow_up) => {
                if scratch.rows_of.as_ref() != Some(&job.ticks) {
                    let own = |lane| self.is_own(lane);
                    let found = (&mut room.follow_up, &mut rows);
                    follow_up::rows((&self.plan, follow_up), &job.ticks, &own, found);
                    scratch.rows_of = Some(job.ticks.clone());
                }
                let before = |us: u64| rows.list.partition_point(|row| row.time_us < us);
                own = Some(before(job.window_us.start)..before(job.window_us.end));
                let Origin::Root(traffic) = &self.plan.streams[follow_up.above[0]].origin else {
                    return Ok(());
                };
                Some(&**traffic)
            }
            Origin::Members(members) => {
                rows.clear(0);
                self.members(members, job, (scratch.stream, &mut rows.list, &mut output.ranks));
                None
            }
        };
        let own = own.unwrap_or(0..rows.list.len());
        let made = self.rows((scratch, room), (&rows, own), traffic, output);
        scratch.rows = rows;
        made
    }

    /// The rows of a root stream, in send order.
    fn roots(
        &self,
        scratch: &mut Scratch,
        traffic: &Traffic,
        job: &Job,
        (rows, ranks): (&mut Rows, &mut Ranks),
    ) -> Result<(), Error> {
        let number = scratch.stream;
        let stream = &self.plan.streams[number];
        let tick_us = self.plan.tick.length_us().unsigned_abs();
        rows.clear(0);
        let mut ordinal = self.ordinal(number, traffic, job);
        for tick in job.ticks.clone() {
            let begin_us = tick * tick_us;
            let slot = cpu::slot_of(self.plan.start_us.saturating_add_unsigned(begin_us));
            if scratch.segment.as_ref().is_none_or(|(at, _)| *at != slot) {
                scratch.segment = Some((slot, traffic.segment(slot)));
            }
            let Some((_, segment)) = &scratch.segment else { continue };
            if scratch.arrivals_of != Some(tick) {
                self.arrive((stream, traffic), segment, tick, &mut scratch.arrivals)?;
                scratch.arrivals_of = Some(tick);
            }
            let arrivals = &scratch.arrivals;
            let before = |us: u64| {
                let since_us = us.saturating_sub(begin_us);
                arrivals.partition_point(|arrival| u64::from(arrival.at_us) < since_us)
            };
            let inside = before(job.window_us.start)..before(job.window_us.end);
            if self.options.count.is_some() {
                let own = |number: u64| self.is_own(lane_of(number));
                ranks.extend(number, begin_us, &arrivals[inside.clone()], own);
            }
            let ranked = (ordinal + inside.start as u64..).zip(&arrivals[inside]);
            let own = ranked.filter(|(_, arrival)| self.is_own(lane_of(arrival.number)));
            rows.list.extend(own.map(|(ordinal, arrival)| Row {
                time_us: begin_us + u64::from(arrival.at_us),
                number: arrival.number,
                child: 0,
                above: 0,
                ordinal,
            }));
            ordinal += arrivals.len() as u64;
        }
        if stream.compiled.program.ordinal.is_some() {
            self.ordinals[number].note(job.ticks.end, ordinal);
        }
        Ok(())
    }

    /// How many events of a stream come before a job's, if the stream counts.
    fn ordinal(&self, number: usize, traffic: &Traffic, job: &Job) -> u64 {
        let stream = &self.plan.streams[number];
        if stream.compiled.program.ordinal.is_none() {
            return 0;
        }
        self.ordinals[number].before(traffic, job.ticks.start)
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

    fn is_own(&self, lane: u32) -> bool {
        lane % self.options.shard.count == self.options.shard.index
    }

    /// The events of a tick, in send order. Only those of the shard, unless the place of each in the
    /// unsharded run is asked for.
    fn arrive(
        &self,
        (stream, traffic): (&StreamPlan, &Traffic),
        segment: &Segment,
        tick: u64,
        arrivals: &mut Vec<Arrival>,
    ) -> Result<(), Error> {
        arrivals.clear();
        if segment.is_idle() {
            // An exchange at night: nothing comes, whatever the draws would be.
            return Ok(());
        }
        let every = self.options.count.is_some() || stream.compiled.program.ordinal.is_some();
        let drawn = Arrivals::new(traffic, segment, tick);
        if let Some(events) = drawn.too_many() {
            let hours = tick as f64 * traffic.tick_us as f64 / 3.6e9;
            return Err(Error::Rate { stream: stream.name.clone(), hours, events });
        }
        let lanes = if every { &self.lanes.0 } else { &self.lanes.1 };
        drawn.each(lanes, &mut |_, arrival| arrivals.push(arrival));
        arrivals.sort_unstable();
        Ok(())
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
        let shape = Shape {
            members: stream.members(),
            stream: u16::try_from(scratch.stream).unwrap_or(u16::MAX),
            keyed: stream.compiled.key.is_some(),
            partitions: self.route(scratch.stream).partitions,
            start_us: self.plan.start_us,
        };
        room.eras.clear(&self.plan.scenarios);
        let ordinal = stream.compiled.program.ordinal;
        for chunk in rows.list[own].chunks(CHUNK_ROWS) {
            let eras = (&mut room.eras, traffic);
            fill_inputs(&mut scratch.frame, (rows, chunk, ordinal), eras, self.plan.start_us);
            let context = Context { eras: &room.eras.list };
            cpu::run(&stream.compiled.program, &mut scratch.frame, context);
            let start = output.arena.len();
            room.lengths.clear();
            self.encoders[scratch.stream]
                .encode(&scratch.frame, &mut room.encoder, &mut output.arena, &mut room.lengths)
                .map_err(|source| Error::Encode { stream: stream.name.clone(), source })?;
            output.note(&shape, chunk, start, &room.lengths);
        }
        Ok(())
    }
}

/// What all records of a chunk share.
struct Shape<'a> {
    members: Option<&'a Members>,
    stream: u16,
    keyed: bool,
    partitions: Option<u32>,
    start_us: i64,
}

#[derive(Debug, Default)]
struct Output {
    arena: Vec<u8>,
    records: Vec<Record>,
    ranks: Ranks,
}

impl Output {
    fn note(&mut self, shape: &Shape<'_>, rows: &[Row], mut start: usize, lengths: &[Lengths]) {
        for (row, lengths) in rows.iter().zip(lengths) {
            let mut record = Record {
                due_us: shape.start_us.saturating_add_unsigned(row.time_us),
                start: low(start as u64),
                header_bytes: lengths.headers,
                key_bytes: lengths.key,
                value_bytes: lengths.value,
                partition: -1,
                stream: shape.stream,
                keyed: shape.keyed,
                tombstone: shape.members.is_some_and(|members| members.is_tombstone(row.number)),
            };
            if let Some(partitions) = shape.partitions {
                record.partition = if shape.keyed {
                    partition::of_key(&self.arena[record.key_range()], partitions)
                } else {
                    // Without a key events are spread evenly, by who they are (Fibonacci hashing).
                    let hash = row.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                    low((hash * u64::from(partitions)) >> 32).cast_signed()
                };
            }
            start = record.value_range().end;
            if record.tombstone {
                record.value_bytes = 0;
            }
            self.records.push(record);
        }
    }
}

fn encoder(stream: &StreamPlan, route: Route) -> Result<RowEncoder, Error> {
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
    .map_err(|source| Error::Encode { stream: stream.name.clone(), source })
}
