//! What becomes of an event, by the plan's faults.

use std::sync::Arc;

use super::super::{Record, Route, Who};
use super::Deed;
use super::change::{Changed, Shape, Value, change};
use super::kept::Copy;
use crate::config::model::FaultKind;
use crate::plan::Plan;
use crate::plan::fault::{Draw, Fault};

/// What becomes of an event.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is sent as it is.
    Plain,
    /// It is not sent.
    Gone(Box<Deed>),
    /// It is sent at another time.
    Later(Box<Copy>),
    /// It is sent, and a copy of it too.
    Again(Box<Copy>),
    /// It is sent after the next event of its key, or at this time.
    Waits(Box<Copy>, i64),
    /// It is sent with other bytes.
    Changed(Box<Copy>),
}

/// Decides what becomes of events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'a> {
    pub(super) plan: &'a Plan,
    pub(super) routes: &'a [Route],
    pub(super) shapes: &'a [Shape],
}

/// An event that is looked at.
#[derive(Clone, Copy)]
struct Event<'a> {
    record: &'a Record,
    who: Who,
    arena: &'a [u8],
}

impl Event<'_> {
    fn deed(&self, fault: usize, kind: &FaultKind) -> Deed {
        let Record { due_us, stream, partition, .. } = *self.record;
        Deed {
            fault,
            kind: kind.name(),
            stream,
            who: self.who,
            due_us,
            shows_us: due_us,
            sent: false,
            partition,
            key: self.record.keyed.then(|| self.arena[self.record.key_range()].to_vec()),
            new_key: None,
            offsets: Vec::new(),
            value_bytes: (!self.record.tombstone).then_some(self.record.value_bytes),
            schema_id: None,
            overtaken_by: None,
            record: None,
            entry: None,
        }
    }

    /// The event with its own bytes, at a time.
    fn copy(&self, shows_us: i64, deed: Deed) -> Box<Copy> {
        let bytes = &self.arena[self.record.start as usize..self.record.value_range().end];
        Box::new(Copy {
            record: Record { due_us: shows_us, ..*self.record },
            bytes: Arc::from(bytes),
            who: self.who,
            deed: Deed { shows_us, sent: true, ..deed },
        })
    }
}

impl Judge<'_> {
    /// What becomes of an event.
    pub(super) fn fate(&self, record: &Record, who: Who, arena: &[u8]) -> Fate {
        let event = Event { record, who, arena };
        let faults = &self.plan.faults;
        if let Some((place, end_us)) = self.silence(record.stream, record.partition, record.due_us)
        {
            let kind = &faults.list[place].kind;
            let deed = event.deed(place, kind);
            return match kind {
                FaultKind::SilentPartition { released: true, .. } => {
                    Fate::Later(event.copy(end_us, deed))
                }
                _ => Fate::Gone(Box::new(deed)),
            };
        }
        let since_us = self.since_us(record.due_us);
        let drawn = |fault: &Fault| !matches!(fault.kind, FaultKind::SilentPartition { .. });
        for (place, fault) in faults.list.iter().enumerate().filter(|it| drawn(it.1)) {
            let asked = (record.stream, who.number, who.child);
            let Some(draw) = faults.draw(fault, asked, since_us) else { continue };
            if let Some(fate) = self.done(&event, (place, fault), &draw) {
                return fate;
            }
        }
        Fate::Plain
    }

    fn since_us(&self, due_us: i64) -> u64 {
        u64::try_from(due_us - self.plan.start_us).unwrap_or(0)
    }

    /// The silence of a partition at a time, and its end.
    fn silence(&self, stream: u16, partition: i32, due_us: i64) -> Option<(usize, i64)> {
        let since_us = self.since_us(due_us);
        let (place, end_us) = self.plan.faults.silence(stream, partition, since_us)?;
        Some((place, self.plan.start_us.saturating_add_unsigned(end_us)))
    }

    /// What becomes of an event by a fault that it draws; none if that cannot be done to it, or would
    /// break the silence of a partition.
    fn done(
        &self,
        event: &Event<'_>,
        (place, fault): (usize, &Fault),
        draw: &Draw,
    ) -> Option<Fate> {
        let Record { due_us, stream, partition, keyed, .. } = *event.record;
        let [_, word, ..] = draw.words(0);
        let delay = fault.delay.as_ref();
        let delay_us = delay.map_or(0, |delay| delay.value(word).max(0));
        let shows_us = due_us.saturating_add(delay_us);
        let is_heard = |at_us: i64| self.silence(stream, partition, at_us).is_none();
        let deed = || event.deed(place, &fault.kind);
        match &fault.kind {
            FaultKind::SilentPartition { .. } => None,
            FaultKind::Drop => Some(Fate::Gone(Box::new(deed()))),
            FaultKind::Duplicate { .. } => {
                is_heard(shows_us).then(|| Fate::Again(event.copy(shows_us, deed())))
            }
            FaultKind::Late { .. } => (delay_us > 0 && is_heard(shows_us))
                .then(|| Fate::Later(event.copy(shows_us, deed()))),
            FaultKind::Reorder { within_us } => {
                let until_us = due_us.saturating_add_unsigned(*within_us);
                (keyed && is_heard(until_us))
                    .then(|| Fate::Waits(event.copy(due_us, deed()), until_us))
            }
            kind => {
                let (record, arena) = (event.record, event.arena);
                let key = keyed.then(|| &arena[record.key_range()]);
                let value = (!record.tombstone).then(|| &arena[record.value_range()]);
                let shape = self.shapes[usize::from(stream)];
                let changed = change(kind, shape, (key, value), draw)?;
                self.changed(event, changed, deed()).map(Fate::Changed)
            }
        }
    }

    /// An event with what a fault made of its key and its value.
    fn changed(&self, event: &Event<'_>, changed: Changed, deed: Deed) -> Option<Box<Copy>> {
        let Changed { key, value, offsets, schema_id } = changed;
        let (mut record, arena) = (*event.record, event.arena);
        if let (Some(key), Some(all)) = (&key, self.routes[usize::from(record.stream)].partitions) {
            record.partition = self.routes[usize::from(record.stream)].hash.partition(key, all);
            if self.silence(record.stream, record.partition, record.due_us).is_some() {
                return None;
            }
        }
        let old = (&arena[record.key_range()], &arena[record.value_range()]);
        let new_value = match &value {
            Value::Kept => old.1,
            Value::Gone => &[],
            Value::New(value) => value,
        };
        let new_key = key.as_deref().unwrap_or(old.0);
        let bytes = [&arena[record.header_range()], new_key, new_value].concat();
        record.key_bytes = u32::try_from(new_key.len()).ok()?;
        record.value_bytes = u32::try_from(new_value.len()).ok()?;
        record.tombstone |= matches!(value, Value::Gone);
        let deed = Deed {
            sent: true,
            partition: record.partition,
            new_key: key,
            offsets,
            schema_id,
            value_bytes: (!record.tombstone).then_some(record.value_bytes),
            ..deed
        };
        Some(Box::new(Copy { record, bytes: Arc::from(bytes), who: event.who, deed }))
    }
}
