//! Rows that take nothing but the processor: encoding, and generating before it.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tidegate::encode::avro::{Encoder, Scratch};
use tidegate::generate::column::Frame;
use tidegate::plan::Plan;
use tidegate::plan::batch::{Batches, Job};
use tidegate::stream::producer::{Producer, Worker};
use tidegate::stream::{EventStream, Options};

use crate::models;
use crate::payments;
use crate::peer::Peer;
use crate::row::Row;
use crate::turns::{self, Turns};

/// Our encoder alone against apache-avro's alone.
pub(crate) fn encode() -> Result<Vec<Row>> {
    let plan = payments::plan()?;
    let job = first_job(&plan)?;
    let frames = payments::frames(&plan, &job);
    let datums = datums(&plan, &job)?;
    let mut peer = Peer::new(&plan.streams[0].schema, &datums)?;

    let mut ours = Ours::new(&plan)?;
    ours.encode(&frames)?;
    ensure!(ours.out == datums, "the columns must be those of the stream");
    let turns = turns::take(
        || turns::rate_of_thread(|| ours.encode(&frames)),
        || turns::rate_of_thread(|| peer.encode()),
    )?;
    let bytes = datums.len() / peer.encode()?;
    Ok(vec![Row {
        what: "encode alone, one thread, against `apache-avro`'s `write_avro_datum_ref` on the same records",
        at_least: "5 ×",
        measured: format!("{}; {}, {bytes} bytes", turns.ratios, turns.times()),
        verdict: turns.ratios.reaches(5.0),
    }])
}

/// Generating and encoding against apache-avro's encoder alone.
pub(crate) fn generate() -> Result<Vec<Row>> {
    let plan = payments::plan()?;
    let datums = datums(&plan, &first_job(&plan)?)?;
    let mut peer = Peer::new(&plan.streams[0].schema, &datums)?;
    let mut work = Work::new(&plan)?;
    let turns = turns::take(
        || turns::rate_of_thread(|| work.next()),
        || turns::rate_of_thread(|| peer.encode()),
    )?;
    Ok(vec![Row {
        what: "generate + encode, one thread, against that encoder alone",
        at_least: "2.5 ×",
        measured: format!("{}; {}", turns.ratios, turns.times()),
        verdict: turns.ratios.reaches(2.5),
    }])
}

/// Two threads against one.
pub(crate) fn threads() -> Result<Vec<Row>> {
    let plan = payments::plan()?;
    let on = |threads: usize| {
        let plan = &plan;
        move || {
            let mut stream =
                EventStream::start(Arc::clone(plan), payments::options(plan, threads))?;
            turns::rate(|| Ok(stream.next_blocking().context("the window is over")??.records.len()))
        }
    };
    let turns: Turns = turns::take(on(2), on(1))?;
    Ok(vec![Row {
        what: "two threads against one, generate + encode",
        at_least: "1.8 ×",
        measured: format!("{}; {}", turns.ratios, turns.rates()),
        verdict: turns.ratios.reaches(1.8),
    }])
}

/// The compiled encoder and its room.
struct Ours {
    encoder: Encoder,
    scratch: Scratch,
    out: Vec<u8>,
    ends: Vec<usize>,
}

impl Ours {
    fn new(plan: &Plan) -> Result<Self> {
        let stream = &plan.streams[0];
        let encoder = Encoder::compile(&stream.schema, &stream.compiled.fill)?;
        Ok(Self { encoder, scratch: Scratch::default(), out: Vec::new(), ends: Vec::new() })
    }

    /// Writes all rows, over those of the last time; returns how many.
    fn encode(&mut self, frames: &[Frame]) -> Result<usize> {
        self.out.clear();
        self.ends.clear();
        for frame in frames {
            self.encoder.encode(frame, &mut self.scratch, &mut self.out, &mut self.ends)?;
        }
        Ok(self.ends.len())
    }
}

/// Batch after batch of the model's events, on this thread.
pub(crate) struct Work {
    producer: Producer,
    worker: Worker,
    jobs: Vec<Job>,
    next: usize,
}

impl Work {
    /// All jobs of the payments' window.
    pub(crate) fn new(plan: &Arc<Plan>) -> Result<Self> {
        Self::with(plan, &payments::batches(plan), payments::options(plan, 1))
    }

    /// All jobs of a window, with all streams.
    pub(crate) fn of(plan: &Arc<Plan>, window_us: Range<u64>) -> Result<Self> {
        let options = Options { window_us: window_us.clone(), ..Options::default() };
        Self::with(plan, &models::batches(plan, window_us), options)
    }

    fn with(plan: &Arc<Plan>, batches: &Batches, options: Options) -> Result<Self> {
        let jobs: Vec<Job> = (0..).map_while(|number| batches.job(number)).collect();
        let producer = Producer::new(Arc::clone(plan), options)?;
        Ok(Self { producer, worker: Worker::default(), jobs, next: 0 })
    }

    /// Makes the next batch, the first one after the last; returns how many events it has.
    pub(crate) fn next(&mut self) -> Result<usize> {
        let job = &self.jobs[self.next % self.jobs.len()];
        self.next += 1;
        Ok(self.producer.make(&mut self.worker, job)?.batch.records.len())
    }
}

fn first_job(plan: &Plan) -> Result<Job> {
    payments::batches(plan).job(0).context("the window has a first batch")
}

/// What the stream writes for a job: bare datums, one after the other.
fn datums(plan: &Arc<Plan>, job: &Job) -> Result<Vec<u8>> {
    let producer = Producer::new(Arc::clone(plan), payments::options(plan, 1))?;
    let batch = producer.make(&mut Worker::default(), job)?.batch;
    let values = batch.records.iter().map(|record| &batch.arena[record.value_range()]);
    Ok(values.collect::<Vec<_>>().concat())
}
