//! Topics that are recorded, or sent again as they are.

use std::time::Duration;

use super::{Error, Fed, Feed, Header, Recorded, Take};
use crate::clock::Clock;
use crate::consume::merge::Merge;
use crate::consume::{Position, Source};

/// How long one wait for records lasts.
const PATIENCE: Duration = Duration::from_millis(200);

/// How far the clock must be beyond the end in time before silence is taken for the end, in milliseconds.
const GRACE_MS: i64 = 1_000;

/// Where reading topics ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// With what they hold when reading begins.
    Now,
    /// With the first record of each partition that is of this time or later, in milliseconds since the
    /// Unix epoch; never, if there is none.
    Time(Option<i64>),
}

/// Topics that are read.
#[derive(Debug)]
pub struct Topics {
    merge: Merge,
    names: Vec<String>,
    /// For each partition: the place of its topic, its number.
    partitions: Vec<(usize, Option<u32>)>,
    lasts: Vec<Option<Position>>,
    done: Vec<bool>,
    until: Until,
    clock: Clock,
}

impl Topics {
    /// Reads what a source has.
    pub fn new(source: Box<dyn Source>, until: Until, clock: Clock) -> Result<Self, Error> {
        let mut names: Vec<String> = Vec::new();
        let mut partitions = Vec::new();
        for partition in source.partitions() {
            if names.last() != Some(&partition.topic) {
                names.push(partition.topic.clone());
            }
            partitions.push((names.len() - 1, partition.number));
        }
        let mut merge = Merge::new(source, clock.clone());
        let lasts = merge.lasts()?;
        let done = match until {
            Until::Now => lasts.iter().map(Option::is_none).collect(),
            Until::Time(_) => vec![false; partitions.len()],
        };
        Ok(Self { merge, names, partitions, lasts, done, until, clock })
    }

    /// The last record of each partition when reading began.
    pub fn lasts(&self) -> &[Option<Position>] {
        &self.lasts
    }

    /// Ends with these records.
    pub fn end_with(&mut self, lasts: Vec<Option<Position>>) {
        self.done = lasts.iter().map(Option::is_none).collect();
        self.lasts = lasts;
    }
}

impl Feed for Topics {
    fn topics(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, take: &mut Take<'_>) -> Result<Fed, Error> {
        let Self { merge, partitions, lasts, done, until, .. } = self;
        if done.iter().all(|done| *done) {
            return Ok(Fed::End);
        }
        if let Some(run) = merge.next(PATIENCE)? {
            let (topic, partition) = partitions[run.partition];
            let mut headers: Vec<Header<'_>> = Vec::new();
            for record in &run.page.records[run.records.clone()] {
                let is_beyond = match until {
                    Until::Now => lasts[run.partition].is_none_or(|last| record.position > last),
                    Until::Time(time_ms) => {
                        time_ms.is_some_and(|time_ms| record.timestamp_ms >= time_ms)
                    }
                };
                done[run.partition] |= is_beyond
                    || lasts[run.partition] == Some(record.position) && *until == Until::Now;
                if is_beyond {
                    continue;
                }
                headers.clear();
                headers.extend(run.page.headers(record));
                take(&Recorded {
                    topic,
                    partition,
                    position: Some(record.position),
                    timestamp_ms: record.timestamp_ms,
                    key: run.page.key(record),
                    headers: &headers,
                    value: run.page.value(record),
                })?;
            }
        }
        let over = match until {
            Until::Now => true,
            Until::Time(time_ms) => {
                let now_ms = self.clock.now_us() / 1_000;
                time_ms.is_some_and(|time_ms| now_ms > time_ms.saturating_add(GRACE_MS))
            }
        };
        if over {
            for (done, at_end) in done.iter_mut().zip(merge.at_end()) {
                *done |= at_end;
            }
        }
        Ok(Fed::More)
    }
}
