//! Batches made ahead, in parallel, and handed out in order.

mod jobs;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use self::jobs::Jobs;
use super::producer::{Made, Producer, Work, Worker};
use super::{Batch, Error};
use crate::plan::batch::{Batches, Job};

/// Threads that make batches, at most a few ahead of the reader.
#[derive(Debug)]
pub struct Ahead {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Events of the unsharded run that were handed out, if the run is to end after so many.
    issued: u64,
    /// How many events of the shard may still be handed out, if that is bounded.
    left: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    producer: Producer,
    batches: Batches,
    state: Mutex<State>,
    /// A batch was handed out, or the reader went away: threads look again.
    handed_out: Condvar,
    /// A batch was finished: the reader looks again.
    finished: Condvar,
}

#[derive(Debug)]
struct State {
    /// None: the end.
    jobs: Jobs<Option<Result<Made, Error>>>,
    closed: bool,
    waker: Option<Waker>,
}

impl Ahead {
    /// Starts the threads.
    pub fn start(producer: Producer, batches: Batches, threads: usize) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            producer,
            batches,
            state: Mutex::new(State {
                jobs: Jobs::new(2 * threads + 2),
                closed: false,
                waker: None,
            }),
            handed_out: Condvar::new(),
            finished: Condvar::new(),
        });
        let left = shared.producer.options().events_max;
        let mut ahead = Self { shared, threads: Vec::new(), issued: 0, left };
        if left == Some(0) {
            ahead.shared.close();
        }
        for number in 0..threads {
            let shared = Arc::clone(&ahead.shared);
            let thread = std::thread::Builder::new()
                .name(format!("generate-{number}"))
                .spawn(move || work(&shared))
                .map_err(Error::Thread)?;
            ahead.threads.push(thread);
        }
        Ok(ahead)
    }

    /// The digest of a batch's records, if digests are asked for.
    pub fn digest(&self, batch: &Batch) -> Option<super::digest::Digest> {
        self.shared.producer.digest(batch)
    }

    /// The next batch, waiting for it on this thread.
    pub fn next_blocking(&mut self) -> Option<Result<Batch, Error>> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let item = loop {
            if let Some(item) = state.take() {
                break item;
            }
            if state.closed {
                return None;
            }
            state = shared.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        shared.handed_out.notify_all();
        self.finish(item)
    }

    /// The next batch, if it is made.
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Result<Batch, Error>>> {
        let item = {
            let mut state = self.shared.lock();
            match state.take() {
                Some(item) => item,
                None if state.closed => return Poll::Ready(None),
                None => {
                    state.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        self.shared.handed_out.notify_all();
        Poll::Ready(self.finish(item))
    }

    /// Cuts a batch at the run's end.
    fn finish(&mut self, item: Option<Result<Made, Error>>) -> Option<Result<Batch, Error>> {
        let Some(result) = item else {
            self.shared.close();
            return None;
        };
        let Made { mut batch, mut ranks } = match result {
            Ok(made) => made,
            Err(error) => {
                self.shared.close();
                return Some(Err(error));
            }
        };
        if let Some(count) = self.shared.producer.options().count {
            let left = count.saturating_sub(self.issued);
            self.issued += ranks.total();
            if left == 0 {
                self.shared.close();
                return None;
            }
            if ranks.total() >= left {
                let producer = &self.shared.producer;
                let (own, last_us) = ranks.cut(left);
                let last_us = producer.instant_us(last_us);
                let mut roots = 0;
                batch.retain(|record| {
                    let root = producer.is_root(record.stream);
                    roots += usize::from(root);
                    if root { roots <= own } else { record.due_us <= last_us }
                });
                batch.window_us.end = last_us.saturating_add(1);
                batch.digest = self.shared.producer.digest(&batch);
            }
        }
        self.bound(&mut batch);
        Some(Ok(batch))
    }

    /// Leaves no more records in a batch than may be handed out; with the last of them all ends.
    fn bound(&mut self, batch: &mut Batch) {
        let Some(left) = &mut self.left else { return };
        let records = batch.records.len() as u64;
        if records > *left {
            let first = usize::try_from(*left).unwrap_or(usize::MAX);
            batch.records = Arc::new(batch.records[..first].to_vec());
            batch.digest = self.shared.producer.digest(batch);
        }
        *left = left.saturating_sub(records);
        if *left == 0 {
            self.shared.close();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.close();
        for thread in self.threads.drain(..) {
            // A panic was reported as the stream's last item; there is nobody left to tell here.
            drop(thread.join());
        }
    }
}

impl State {
    /// The next batch in order, if it is made. (The inner None is the end.)
    #[expect(clippy::option_option, reason = "the inner one is the end of the stream")]
    fn take(&mut self) -> Option<Option<Result<Made, Error>>> {
        if self.closed { None } else { self.jobs.take() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, so that a panic elsewhere does not harm it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.handed_out.notify_all();
        self.finished.notify_all();
    }

    fn deliver(&self, place: u64, item: Option<Result<Made, Error>>) {
        let waker = {
            let mut state = self.lock();
            state.jobs.finish(place, item);
            state.waker.take()
        };
        self.finished.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Leaves the parts of a job that is too large to whichever thread is free.
    fn leave(&self, place: u64, parts: Vec<Job>) {
        self.lock().jobs.cut(place, parts);
        self.handed_out.notify_all();
    }

    /// The next job and its place, when there is room for its batch; the end has a place too. None
    /// when the reader is gone.
    fn next_job(&self) -> Option<(u64, Option<Job>)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(begun) = state.jobs.begin(|number| self.batches.job(number)) {
                return Some(begun);
            }
            state = self.handed_out.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// How many batches may wait or be in the making, with so many threads.
pub fn room(threads: usize) -> u64 {
    2 * threads as u64 + 2
}

/// Reports a panic of its thread as the stream's end, so that the reader does not wait for ever.
struct Guard<'a> {
    shared: &'a Shared,
    place: u64,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.deliver(self.place, Some(Err(Error::Panicked)));
        }
    }
}

/// What is added to the niceness of threads that generate, so that the pacer and the broker's client
/// are never late because of batches that nobody waits for yet.
const NICENESS: i32 = 5;

fn work(shared: &Shared) {
    // On Linux this is the calling thread's alone. Where it is refused, all threads are alike.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "threads that generate keep their priority");
    }
    let mut worker = Worker::default();
    while let Some((place, job)) = shared.next_job() {
        let guard = Guard { shared, place };
        let Some(job) = job else {
            // Jobs of others may still turn out too large.
            shared.deliver(place, None);
            continue;
        };
        let done = shared.producer.make_or_cut(&mut worker, &job);
        drop(guard);
        match done {
            Ok(Work::Cut(parts)) => shared.leave(place, parts),
            Ok(Work::Made(made)) => shared.deliver(place, Some(Ok(made))),
            Err(error) => shared.deliver(place, Some(Err(error))),
        }
    }
}
