//! The control stream: when phases of scenarios begin and end.

use std::ops::Range;
use std::sync::Arc;

use apache_avro::types::Value;

use super::identity::{Cipher, Identity};
use super::scenario::{Occurrence, Phase, Scenarios};

/// Where the number of a phase begins in the number of an event; below it are its occurrence and, as
/// the lowest bit, whether it ends.
const PHASE_SHIFT: u32 = 48;

/// The begins and ends of phases.
#[derive(Debug)]
pub struct Control {
    /// The phases.
    pub scenarios: Arc<Scenarios>,
    /// The names of the streams, by number.
    pub streams: Vec<String>,
    /// What each phase has other fields of: streams and fields.
    pub fields: Vec<Vec<(String, String)>>,
    /// The number of its own stream.
    pub stream: u8,
    /// The model's name.
    pub model: String,
    /// The hash of what decides the events.
    pub hash: String,
    /// The seed.
    pub seed: u64,
    /// The start of model time, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// Seals identities.
    pub cipher: Cipher,
}

impl Control {
    /// Calls `event` with time and number of each begin and end in a window, both in microseconds since
    /// the start; in order of time.
    pub fn events(&self, window_us: &Range<u64>, event: &mut impl FnMut(u64, u64)) {
        let tick_us = self.scenarios.tick_us;
        if window_us.is_empty() || tick_us == 0 {
            return;
        }
        let ticks = window_us.start / tick_us..window_us.end.div_ceil(tick_us);
        let mut found = Vec::new();
        for (place, phase) in self.scenarios.phases.iter().enumerate() {
            // One that ends where the window begins does not hold in it.
            let ticks = ticks.start.saturating_sub(1)..ticks.end;
            for occurrence in phase.within(ticks) {
                let edges = [Some(occurrence.begin), occurrence.end];
                for (end, edge) in (0..).zip(edges) {
                    let Some(tick) = edge.and_then(|edge| u64::try_from(edge).ok()) else {
                        continue;
                    };
                    let time_us = tick * tick_us;
                    if window_us.contains(&time_us) {
                        let number = (place as u64) << PHASE_SHIFT | occurrence.number << 1 | end;
                        found.push((time_us, number));
                    }
                }
            }
        }
        found.sort_unstable();
        for (time_us, number) in found {
            event(time_us, number);
        }
    }

    /// How many events there are in all; none if phases come again and again.
    pub fn records_max(&self) -> Option<u64> {
        if self.scenarios.phases.iter().any(|phase| phase.place.repeat.is_some()) {
            return None;
        }
        let edges = self.scenarios.phases.iter().flat_map(|phase| {
            let occurrence = phase.occurrence(0);
            [Some(occurrence.begin), occurrence.end]
        });
        Some(edges.flatten().filter(|edge| *edge >= 0).count() as u64)
    }

    /// Which phase an event is of, which occurrence, and whether it is its end.
    fn open(&self, number: u64) -> Option<(&Phase, usize, Occurrence, bool)> {
        let place = usize::try_from(number >> PHASE_SHIFT).ok()?;
        let phase = self.scenarios.phases.get(place)?;
        let occurrence = phase.occurrence((number & ((1 << PHASE_SHIFT) - 1)) >> 1);
        Some((phase, place, occurrence, number & 1 == 1))
    }

    /// The key of an event: its scenario.
    pub fn key(&self, number: u64) -> &str {
        self.open(number).map_or("", |(phase, ..)| &phase.scenario)
    }

    /// The value of an event; none for a number that is no event's.
    pub fn value(&self, time_us: u64, number: u64) -> Option<Value> {
        let (phase, place, occurrence, ends) = self.open(number)?;
        let tick_us = self.scenarios.tick_us.cast_signed();
        let instant = |tick: i64| Value::TimestampMicros(self.start_us + tick * tick_us);
        let text = |text: &str| Value::String(text.to_owned());
        let identity = Identity { stream: self.stream, origin: 0, child: 0, number };
        let tick = time_us / self.scenarios.tick_us - u64::from(ends);
        let multipliers = self.streams.iter().enumerate().filter_map(|(number, name)| {
            let rate = self.scenarios.rate_in(phase, number, tick)?;
            Some(record([("stream", text(name)), ("times", Value::Double(rate))]))
        });
        let fields = self.fields[place].iter();
        let fields = fields
            .map(|(stream, field)| record([("stream", text(stream)), ("field", text(field))]));
        let end = match occurrence.end {
            Some(end) => Value::Union(1, Box::new(instant(end))),
            None => Value::Union(0, Box::new(Value::Null)),
        };
        let edge = if ends { Value::Enum(1, "end".into()) } else { Value::Enum(0, "begin".into()) };
        let uuid = uuid::Uuid::from_u128(self.cipher.seal(&identity));
        Some(record([
            ("event_id", Value::Uuid(uuid)),
            ("event_time", Value::TimestampMicros(self.start_us.saturating_add_unsigned(time_us))),
            ("edge", edge),
            ("scenario", text(&phase.scenario)),
            ("phase", text(&phase.name)),
            ("occurrence", Value::Long(occurrence.number.cast_signed())),
            ("begins_at", instant(occurrence.begin)),
            ("ends_at", end),
            ("multipliers", Value::Array(multipliers.collect())),
            ("fields", Value::Array(fields.collect())),
            ("model", text(&self.model)),
            ("model_hash", text(&self.hash)),
            ("seed", text(&self.seed.to_string())),
            ("start", Value::TimestampMicros(self.start_us)),
        ]))
    }
}

fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}
