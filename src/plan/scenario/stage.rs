//! From what was written of scenarios to phases in ticks.

use std::ops::RangeInclusive;

use jiff::civil::Time;
use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, ToSpan as _};

use super::{Phase, Place, Scenarios};
use crate::config::model::{self, Anchor, Edge, Model, Multiplier, Scenario};
use crate::config::{Mistake, Span, suggest};
use crate::generate::philox;
use crate::plan::compile::Override;

/// Phases that something asks for by a bit.
const BITS: u32 = 32;
/// The multipliers that a share of followed events can have.
const SHARE_RATES: RangeInclusive<f64> = 0.0..=1.0;

/// Puts the scenarios of a model on ticks of so many microseconds from its start.
pub fn stage(model: &Model, start_us: i64, tick_us: u64) -> Result<Scenarios, Vec<Mistake>> {
    let mut stage = Stage { model, start_us, tick_us, bits: 0, mistakes: Vec::new() };
    let phases = model.scenarios.iter().flat_map(|scenario| stage.scenario(scenario)).collect();
    if stage.mistakes.is_empty() {
        Ok(Scenarios { phases, tick_us, asked: stage.bits > 0 })
    } else {
        Err(stage.mistakes)
    }
}

/// What the phases of a model say of streams; `scenarios` are the same, on ticks.
pub fn overrides<'a>(model: &'a Model, scenarios: &Scenarios) -> Vec<Override<'a>> {
    let written = model.scenarios.iter().flat_map(|scenario| {
        scenario.phases.iter().map(move |phase| (scenario.name.as_str(), phase))
    });
    let found = written.zip(&scenarios.phases).filter_map(|((scenario, phase), staged)| {
        let (bit, names) = (staged.bit?, [scenario, phase.name.value.as_str()]);
        Some(Override { bit, names, of: phase })
    });
    found.collect()
}

struct Stage<'a> {
    model: &'a Model,
    start_us: i64,
    tick_us: u64,
    bits: u32,
    mistakes: Vec<Mistake>,
}

impl Stage<'_> {
    fn refuse<T>(&mut self, span: &Span, what: String, help: &str) -> Option<T> {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.mistakes.push(Mistake { span: span.clone(), what, help });
        None
    }

    fn scenario(&mut self, scenario: &Scenario) -> Vec<Phase> {
        let anchor_us = match scenario.anchor {
            Anchor::Start(after_us) => self.start_us.saturating_add_unsigned(after_us),
            Anchor::At(at_us) => at_us,
            Anchor::Clock(since_midnight_us) => {
                next_time_of_day(self.start_us, since_midnight_us, &scenario.zone)
                    .unwrap_or(self.start_us)
            }
        };
        let phases = scenario.phases.iter();
        let edges: Vec<(u64, Option<u64>)> =
            phases.map(|phase| edges_us(phase, anchor_us, &scenario.zone)).collect();
        let tick_us = self.tick_us;
        let ticks = |us: u64| (us + tick_us / 2) / tick_us;
        let longest = edges.iter().map(|(from, until)| until.unwrap_or(*from)).max().unwrap_or(0);
        let place = Place {
            anchor: signed_ticks(anchor_us.saturating_sub(self.start_us), self.tick_us),
            repeat: scenario.repeat_us.map(ticks),
            room: scenario.within_us.map(|within| ticks(within).saturating_sub(ticks(longest))),
            key: philox::key(self.model.seed, "scenario", &scenario.name),
        };
        let mut staged = Vec::new();
        for (phase, (from_us, until_us)) in scenario.phases.iter().zip(edges) {
            let (from, until) = (ticks(from_us), until_us.map(ticks));
            if until.is_some_and(|until| until <= from) {
                let what = format!(
                    "the phase `{}` is shorter than half a tick of {} ms",
                    phase.name.value,
                    self.tick_us / 1_000
                );
                self.refuse::<()>(
                    &phase.name.span,
                    what,
                    "set tick = \"100ms\", or let it be longer",
                );
                continue;
            }
            let rates = self.rates(phase);
            self.check_fields(phase);
            self.check_lets(phase);
            self.check_attributes(phase);
            let asks = |of: &model::StreamPhase| {
                of.when.is_some() || of.count.is_some() || !of.fields.is_empty()
            };
            let is_asked = phase.streams.iter().any(asks) || !phase.entities.is_empty();
            let bit = is_asked.then(|| {
                self.bits += 1;
                self.bits - 1
            });
            if bit.is_some_and(|bit| bit >= BITS) {
                let what = format!("more than {BITS} phases say what events are like");
                self.refuse::<()>(&phase.name.span, what, "use fewer scenarios at once");
            }
            staged.push(Phase {
                scenario: scenario.name.clone(),
                name: phase.name.value.clone(),
                from,
                length: until.map(|until| until - from),
                place: place.clone(),
                rates,
                deferral: phase.deferral.as_ref().map(|deferral| deferral.value),
                bit,
            });
        }
        staged
    }

    /// The multiplier of each stream.
    fn rates(&mut self, phase: &model::Phase) -> Vec<Option<Multiplier>> {
        let of_all = phase.rate.as_ref().map(|rate| rate.value.clone());
        let streams = self.model.streams.iter();
        let mut rates: Vec<Option<Multiplier>> =
            streams.map(|stream| of_all.clone().filter(|_| stream.has_rate())).collect();
        for one in &phase.streams {
            let found = self.model.streams.iter().position(|it| it.name == one.stream.value);
            let Some(number) = found else {
                let known = self.model.streams.iter().map(|stream| stream.name.as_str());
                let help = suggest::way_out(&one.stream.value, known).unwrap_or_default();
                let what = format!(
                    "the phase `{}` names the stream `{}`, which the model has not",
                    phase.name.value, one.stream.value
                );
                self.refuse::<()>(&one.stream.span, what, &help);
                continue;
            };
            let stream = &self.model.streams[number];
            let only_follows = [
                ("when", one.when.as_ref().map(|when| &when.span)),
                ("count", one.count.as_ref().map(|count| &count.span)),
            ];
            for (key, span) in only_follows {
                if let (Some(span), None) = (span, &stream.follows) {
                    let what = format!("`{key}` is for streams that follow another");
                    self.refuse::<()>(span, what, "leave it out");
                }
            }
            let Some(rate) = &one.rate else { continue };
            if stream.follows.is_none() && !stream.has_rate() {
                let what = format!("`{}` has no rate: it tells of members or phases", stream.name);
                self.refuse::<()>(&rate.span, what, "leave it out");
            }
            if let (Some(follows), Multiplier::Constant(times)) = (&stream.follows, &rate.value)
                && !SHARE_RATES.contains(&(follows.probability.value * times))
            {
                let what = format!(
                    "{times} times the share of {} that `{}` follows is more than all",
                    follows.probability.value, stream.name
                );
                let help = "say by how many events one is followed: count = 3";
                self.refuse::<()>(&rate.span, what, help);
            }
            rates[number] = Some(rate.value.clone());
        }
        rates
    }

    /// Fields that it says something of are there.
    fn check_fields(&mut self, phase: &model::Phase) {
        for (stream, field) in phase.fields() {
            let found = self.model.streams.iter().find(|it| it.name == stream.value);
            let Some(of) = found else { continue };
            let names = of.lets.iter().chain(&of.fields).map(|field| field.name.value.as_str());
            if names.clone().all(|name| name != field.value) {
                let help = suggest::way_out(&field.value, names).unwrap_or_default();
                let what = format!(
                    "the phase `{}` names `{}`, which is no field of `{}`",
                    phase.name.value, field.value, stream.value
                );
                self.refuse::<()>(&field.span, what, &help);
            }
        }
    }

    /// Its own values have names of their own.
    fn check_lets(&mut self, phase: &model::Phase) {
        for of in &phase.streams {
            let Some(stream) = self.model.streams.iter().find(|it| it.name == of.stream.value)
            else {
                continue;
            };
            for own in &of.lets {
                let name = &own.name.value;
                if stream.lets.iter().chain(&stream.fields).any(|it| it.name.value == *name) {
                    let what = format!("`{}` has a value `{name}` already", stream.name);
                    let help = "say in `fields` what it holds, or take another name";
                    self.refuse::<()>(&own.name.span, what, help);
                }
            }
        }
    }

    /// Attributes that it says something of are there, and nobody is dealt out by them.
    fn check_attributes(&mut self, phase: &model::Phase) {
        for of in &phase.entities {
            let entities = &self.model.entities;
            let Some(entity) = entities.iter().find(|it| it.name == of.entity.value) else {
                let known = entities.iter().map(|entity| entity.name.as_str());
                let help = suggest::way_out(&of.entity.value, known).unwrap_or_default();
                let what = format!(
                    "the phase `{}` names the entity `{}`, which the model has not",
                    phase.name.value, of.entity.value
                );
                self.refuse::<()>(&of.entity.span, what, &help);
                continue;
            };
            for said in &of.attributes {
                let name = &said.name.value;
                match entity.attributes.iter().find(|it| it.name == *name) {
                    Some(found) if found.dealt => {
                        let what = format!("members are dealt out by `{name}` for good");
                        let help = "say something of an attribute that is not dealt";
                        self.refuse::<()>(&said.name.span, what, help);
                    }
                    Some(_) => {}
                    None => {
                        let known = entity.attributes.iter().map(|it| it.name.as_str());
                        let help = suggest::way_out(name, known).unwrap_or_default();
                        let what = format!(
                            "the phase `{}` names `{name}`, which is no attribute of `{}`",
                            phase.name.value, entity.name
                        );
                        self.refuse::<()>(&said.name.span, what, &help);
                    }
                }
            }
        }
    }
}

/// The begin and the end of a phase, in microseconds after its scenario's anchor.
fn edges_us(phase: &model::Phase, anchor_us: i64, zone: &str) -> (u64, Option<u64>) {
    let edge = |edge: Edge, after_us: u64| match edge {
        Edge::After(us) => us,
        Edge::Clock(since_midnight_us) => {
            let from_us = anchor_us.saturating_add_unsigned(after_us);
            let at_us = next_time_of_day(from_us, since_midnight_us, zone).unwrap_or(from_us);
            u64::try_from(at_us.saturating_sub(anchor_us)).unwrap_or(0)
        }
    };
    let from_us = edge(phase.from, 0);
    (from_us, phase.until.map(|until| edge(until, from_us + 1)))
}

/// The first such time of day at or after an instant.
fn next_time_of_day(from_us: i64, since_midnight_us: u64, zone: &str) -> Option<i64> {
    // The database that is compiled in: a machine's own may be of another year.
    let zone = TimeZoneDatabase::bundled().get(zone).ok()?;
    let from = Timestamp::from_microsecond(from_us).ok()?.to_zoned(zone);
    let minutes = since_midnight_us / 60_000_000;
    let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
    let today = from.with().time(Time::new(hour, minute, 0, 0).ok()?).build().ok()?;
    let next = if today >= from { today } else { today.checked_add(1.day()).ok()? };
    Some(next.timestamp().as_microsecond())
}

fn signed_ticks(us: i64, tick_us: u64) -> i64 {
    let tick_us = tick_us.cast_signed();
    (us + tick_us / 2).div_euclid(tick_us)
}
