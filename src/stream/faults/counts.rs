//! How often each fault was done to what was issued.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::plan::Plan;

/// When a fault shows, which it is, what was done, and the stream of the event.
pub(super) type Mark = (i64, usize, &'static str, u16);

/// What faults did to what was issued; shared with whoever reports it.
#[derive(Debug)]
pub struct Counts {
    faults: Vec<String>,
    streams: Vec<String>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    done: Events,
    pending: Events,
}

/// How many events of a stream something was done to: by fault and by what was done.
type Events = BTreeMap<(usize, &'static str, u16), u64>;

/// How many events of a stream something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name of the fault.
    pub fault: String,
    /// What was done.
    pub kind: &'static str,
    /// The stream.
    pub stream: String,
    /// To how many events.
    pub events: u64,
}

impl Counts {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            faults: plan.faults.list.iter().map(|fault| fault.name.clone()).collect(),
            streams: plan.streams.iter().map(|stream| stream.name.clone()).collect(),
            told: Mutex::default(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, marks: impl Iterator<Item = Mark>) {
        count(&mut self.told().done, marks);
    }

    pub(super) fn end(&self, pending: impl Iterator<Item = Mark>) {
        let mut told = self.told();
        told.pending.clear();
        count(&mut told.pending, pending);
    }

    /// What was done so far, in the order of the faults and streams.
    pub fn done(&self) -> Vec<Count> {
        self.named(&self.told().done)
    }

    /// What was kept back at the end, and would have come after it.
    pub fn pending(&self) -> Vec<Count> {
        self.named(&self.told().pending)
    }

    fn named(&self, events: &Events) -> Vec<Count> {
        let named =
            |(&(fault, kind, stream), &events): (&(usize, &'static str, u16), &u64)| Count {
                fault: self.faults[fault].clone(),
                kind,
                stream: self.streams[usize::from(stream)].clone(),
                events,
            };
        events.iter().map(named).collect()
    }
}

fn count(events: &mut Events, marks: impl Iterator<Item = Mark>) {
    for (_, fault, kind, stream) in marks {
        *events.entry((fault, kind, stream)).or_default() += 1;
    }
}
