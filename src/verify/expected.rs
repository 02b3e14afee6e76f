//! The events of a run, made again in send order.

use std::sync::Arc;

use crate::plan::Plan;
use crate::publish::Schedule;
use crate::stream::pacer::Speed;
use crate::stream::{self, Batch, EventStream, Options};

/// What was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The events.
    pub plan: Arc<Plan>,
    /// Which of them, and what is told of each.
    pub options: Options,
    /// Whether what is told of members before the run was sent too.
    pub snapshot: bool,
    /// How many events were issued; none if nobody knows yet.
    pub issued: Option<u64>,
    /// How fast they were sent.
    pub speed: Speed,
    /// When the window began on the wall clock, in nanoseconds since the Unix epoch.
    pub anchor_ns: i64,
    /// Where it begins in model time, in microseconds since the Unix epoch.
    pub begin_us: i64,
}

/// The events that were sent, batch by batch.
#[derive(Debug)]
pub struct Expected {
    snapshot: Option<EventStream>,
    events: EventStream,
    left: Option<u64>,
    speed: Speed,
    anchor_ns: i64,
    begin_us: i64,
    /// How many records the snapshot had.
    told_before: u64,
    /// How many events were given out, without those.
    given_out: u64,
    /// Up to where in model time all was given out, in microseconds since the Unix epoch.
    until_us: i64,
    /// How many of the events that the rate counts came before.
    counted: u64,
    is_over: bool,
}

impl Expected {
    /// Begins to make the events.
    pub fn start(sent: &Sent) -> Result<Self, stream::Error> {
        let Sent { plan, options, .. } = sent;
        let snapshot = sent.snapshot.then(|| {
            let options = Options { snapshot: true, digest: false, count: None, ..options.clone() };
            EventStream::start(Arc::clone(plan), options)
        });
        Ok(Self {
            snapshot: snapshot.transpose()?,
            events: EventStream::start(Arc::clone(plan), options.clone())?,
            left: sent.issued,
            speed: sent.speed.clone(),
            anchor_ns: sent.anchor_ns,
            begin_us: sent.begin_us,
            told_before: 0,
            until_us: i64::MIN,
            given_out: 0,
            counted: 0,
            is_over: false,
        })
    }

    /// Says how many events were issued, once that is known; more may have been given out already.
    pub fn issued(&mut self, issued: u64) {
        self.left = Some(issued.saturating_sub(self.given_out));
    }

    /// The rank after the last of so many events of the run, which come after the snapshot's records.
    pub fn rank_after(&self, issued: u64) -> u64 {
        self.told_before.saturating_add(issued)
    }

    /// How many events were given out, without the snapshot's records.
    pub fn given_out(&self) -> u64 {
        self.given_out
    }

    /// Up to where in model time all was given out, in microseconds since the Unix epoch.
    pub fn until_us(&self) -> i64 {
        self.until_us
    }

    /// Whether all were given out.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next events, and when they were intended, if that is known; none at the end.
    pub fn next_batch(&mut self) -> Result<Option<(Batch, Option<Schedule>)>, stream::Error> {
        if let Some(records) = &mut self.snapshot {
            match records.next_blocking().transpose()? {
                // They go as fast as it goes, whatever the run's pace.
                Some(batch) => {
                    self.told_before += batch.records.len() as u64;
                    return Ok(Some((batch, None)));
                }
                None => self.snapshot = None,
            }
        }
        if self.is_over || self.left == Some(0) {
            self.is_over = true;
            return Ok(None);
        }
        let Some(mut batch) = self.events.next_blocking().transpose()? else {
            self.is_over = true;
            return Ok(None);
        };
        if let Some(left) = &mut self.left {
            let mut room = *left;
            if room < batch.records.len() as u64 {
                batch.retain(|_| {
                    let stays = room > 0;
                    room = room.saturating_sub(1);
                    stays
                });
            }
            *left -= batch.records.len() as u64;
        }
        self.until_us = batch.window_us.end;
        self.given_out += batch.records.len() as u64;
        let schedule = self.schedule(&batch);
        Ok(Some((batch, schedule)))
    }

    fn schedule(&mut self, batch: &Batch) -> Option<Schedule> {
        let (anchor_ns, begin_us) = (self.anchor_ns, self.begin_us);
        match &self.speed {
            &Speed::Times(speed) => Some(Schedule::Paced { anchor_ns, begin_us, speed }),
            Speed::Even { interval_ns, counts } => {
                let is_counted = |stream: u16| counts.get(usize::from(stream)) == Some(&true);
                let counted = batch.records.iter().filter(|record| is_counted(record.stream));
                let due_us: Arc<[i64]> = counted.map(|record| record.due_us).collect();
                let before = self.counted;
                self.counted += due_us.len() as u64;
                Some(Schedule::Even { anchor_ns, interval_ns: *interval_ns, before, due_us })
            }
            Speed::Max => None,
        }
    }
}
