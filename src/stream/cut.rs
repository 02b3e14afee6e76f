//! Where a run of a given number of events ends.

use crate::plan::arrival::Arrival;

/// The times and streams of all events of a batch's window, and which of them are in the batch.
///
/// Kept only where a run is to end after so many events of the unsharded run.
#[derive(Debug, Default)]
pub struct Ranks {
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time_us: u64,
    stream: usize,
    place: u64,
    own: bool,
}

impl Ranks {
    /// Adds a tick's events of a stream, in send order; `own` says which are in the batch.
    pub fn extend(
        &mut self,
        stream: usize,
        begin_us: u64,
        arrivals: &[Arrival],
        own: impl Fn(u64) -> bool,
    ) {
        self.events.extend(arrivals.iter().map(|arrival| Event {
            time_us: begin_us + u64::from(arrival.at_us),
            stream,
            place: arrival.number,
            own: own(arrival.number),
        }));
    }

    /// Adds an event of a stream.
    pub fn push(&mut self, stream: usize, time_us: u64, place: u64, own: bool) {
        self.events.push(Event { time_us, stream, place, own });
    }

    /// How many events there are, those of other shards included.
    pub fn total(&self) -> u64 {
        self.events.len() as u64
    }

    /// How many of the batch's root records are among the first `count` of all events, and when the
    /// last of these comes, in microseconds since the start.
    pub fn cut(&mut self, count: u64) -> (usize, u64) {
        self.events.sort();
        let first =
            &self.events[..usize::try_from(count).unwrap_or(usize::MAX).min(self.events.len())];
        let own = first.iter().filter(|event| event.own).count();
        (own, first.last().map_or(0, |event| event.time_us))
    }
}
