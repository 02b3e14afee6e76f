//! Streams on their way into the plan.

mod traffic;

use std::sync::Arc;

use super::control::Control;
use super::fault::Ledger;
use super::follow_up::{CHILDREN_MAX, Delays, FollowUp, Step};
use super::members::Members;
use super::quantile::Curve;
use super::scenario::Scenarios;
use super::world::World;
use super::{Inputs, Origin, StreamPlan, compile};
use crate::config::model::{self, Changelog, Model, Snapshot, Tick};
use crate::config::{Mistake, Spanned};

/// Streams on their way into the plan.
pub(super) struct Draft<'a> {
    pub(super) model: &'a Model,
    pub(super) world: &'a World<'a>,
    /// By stream: itself, and those that it follows, up to its root.
    pub(super) chains: Vec<Vec<usize>>,
    pub(super) start_us: i64,
    pub(super) tick: Tick,
    pub(super) scenarios: Arc<Scenarios>,
    pub(super) overrides: Vec<compile::Override<'a>>,
}

impl Draft<'_> {
    /// All streams, those that are followed before those that follow them.
    pub(super) fn streams(
        &self,
        inputs: &Inputs,
        mut mistakes: Vec<Mistake>,
    ) -> Result<Vec<StreamPlan>, Vec<Mistake>> {
        let mut order: Vec<usize> = (0..self.chains.len()).collect();
        order.sort_by_key(|&number| self.chains[number].len());
        let mut made: Vec<Option<StreamPlan>> = Vec::new();
        made.resize_with(self.chains.len(), || None);
        for number in order {
            let above = self.chains[number].split_first().map(|(_, above)| above);
            if above.is_none_or(|above| above.iter().any(|&above| made[above].is_none())) {
                // It has mistakes, or what it follows.
                continue;
            }
            match self.compile(number, &made, inputs) {
                Ok(stream) => made[number] = Some(stream),
                Err(more) => mistakes.extend(more),
            }
        }
        mistakes.extend(self.attributes());
        mistakes.sort_by(|one, other| {
            (one.span.start, one.span.end, &one.what).cmp(&(
                other.span.start,
                other.span.end,
                &other.what,
            ))
        });
        mistakes.dedup();
        if mistakes.is_empty() { Ok(made.into_iter().flatten().collect()) } else { Err(mistakes) }
    }

    /// The mistakes in the attributes of all entities: those that nothing reads are checked all the same.
    fn attributes(&self) -> Vec<Mistake> {
        let Some(any) = self.model.streams.first() else { return Vec::new() };
        let of_entity = |entity: &model::Entity| {
            let span = entity.span.clone();
            let name = Spanned { value: entity.name.clone(), span };
            let changelog = Changelog { entity: name, snapshot: Snapshot::None };
            let stream = model::Stream {
                members: Some(model::MemberEvents::Changelog(changelog)),
                lets: Vec::new(),
                fields: Vec::new(),
                ..any.clone()
            };
            let levels = vec![compile::Level { stream: &stream, number: 0, children: 1 }];
            compile::attributes(&compile::Source {
                world: self.world,
                stream: &stream,
                schema: &apache_avro::Schema::Null,
                start_us: self.start_us,
                levels,
                overrides: &[],
            })
        };
        self.model.entities.iter().flat_map(of_entity).collect()
    }

    fn compile(
        &self,
        number: usize,
        made: &[Option<StreamPlan>],
        inputs: &Inputs,
    ) -> Result<StreamPlan, Vec<Mistake>> {
        let stream = &self.model.streams[number];
        let given = &stream.schema;
        let schema_json = match inputs.schemas.get(&stream.name) {
            Some(schema) => schema.clone(),
            None if given.value.json.is_empty() => self.derived(number)?,
            None => given.value.json.clone(),
        };
        let refuse = |what: String| vec![Mistake { span: given.span.clone(), what, help: None }];
        let schema = apache_avro::Schema::parse_str(&schema_json)
            .map_err(|error| refuse(format!("the schema cannot be read: {error}")))?;
        if number > usize::from(u8::MAX) {
            return Err(refuse("there are more than 256 streams".to_owned()));
        }
        if stream.control {
            return Ok(self.control(number, schema, schema_json));
        }
        if stream.ledger {
            let ledger = Ledger::new(self.model.seed, self.start_us, number.to_le_bytes()[0]);
            let origin = Origin::Ledger(Box::new(ledger));
            return Ok(self.told(number, (schema, schema_json), origin));
        }
        let chain = &self.chains[number];
        let mut own = self.levels(chain, made);
        let source = |levels| compile::Source {
            world: self.world,
            stream,
            schema: &schema,
            start_us: self.start_us,
            levels,
            overrides: &self.overrides,
        };
        let follow_up = match &stream.follows {
            Some(follows) => {
                let levels = self.levels(&chain[1..], made);
                let gate = compile::gate(&source(levels), stream, follows)?;
                let follow_up = self.follow_up(number, follows, gate, made)?;
                own[0].children = follow_up.children;
                Some(follow_up)
            }
            None => None,
        };
        let compiled = compile::compile(&source(own))?;
        let origin = match follow_up {
            Some(follow_up) => {
                let gate = follow_up.gate.as_ref().and_then(|gate| gate.actor);
                let root = made[follow_up.above[0]].as_ref();
                self.check_actor(stream, compiled.actor.or(gate), root)?;
                Origin::FollowUp(Box::new(follow_up))
            }
            None => match self.members(stream)? {
                Some(members) => Origin::Members(members),
                None => Origin::Root(Box::new(self.traffic(number, compiled.actor)?)),
            },
        };
        Ok(StreamPlan {
            name: stream.name.clone(),
            topic: stream.topic.clone(),
            key: compile::stream_key(self.world, stream),
            schema,
            schema_json,
            key_format: stream.key_format,
            value_format: stream.value_format,
            compiled,
            origin,
        })
    }

    /// The stream that tells of phases.
    fn control(&self, number: usize, schema: apache_avro::Schema, json: String) -> StreamPlan {
        let of_phase = |phase: &model::Phase| {
            phase.fields().map(|(of, field)| (of.value.clone(), field.value.clone())).collect()
        };
        let phases = self.model.scenarios.iter().flat_map(|scenario| &scenario.phases);
        let control = Control {
            scenarios: Arc::clone(&self.scenarios),
            streams: self.model.streams.iter().map(|stream| stream.name.clone()).collect(),
            fields: phases.map(of_phase).collect(),
            stream: number.to_le_bytes()[0],
            model: self.model.name.clone(),
            hash: self.model.hash.clone(),
            seed: self.model.seed,
            start_us: self.start_us,
            cipher: compile::cipher(self.model.seed, self.start_us),
        };
        self.told(number, (schema, json), Origin::Control(Box::new(control)))
    }

    /// A stream that tells of the run, which a library writes.
    fn told(
        &self,
        number: usize,
        (schema, schema_json): (apache_avro::Schema, String),
        origin: Origin,
    ) -> StreamPlan {
        let stream = &self.model.streams[number];
        StreamPlan {
            name: stream.name.clone(),
            topic: stream.topic.clone(),
            key: compile::stream_key(self.world, stream),
            schema,
            schema_json,
            key_format: stream.key_format,
            value_format: stream.value_format,
            compiled: compile::Compiled::keyed(),
            origin,
        }
    }

    /// The schema of a changelog that has none of its own.
    fn derived(&self, number: usize) -> Result<String, Vec<Mistake>> {
        compile::derive(&compile::Source {
            world: self.world,
            stream: &self.model.streams[number],
            schema: &apache_avro::Schema::Null,
            start_us: self.start_us,
            levels: self.levels(&[number], &[None]),
            overrides: &self.overrides,
        })
    }

    fn members(&self, stream: &model::Stream) -> Result<Option<Members>, Vec<Mistake>> {
        let Some(events) = &stream.members else { return Ok(None) };
        let Some(entity) = self.world.entity(&events.entity().value) else { return Ok(None) };
        let changing = &self.world.kinds[entity].changing;
        let members = Members::new(events, changing, self.world.model.seed, self.start_us);
        members.check(stream)?;
        Ok(Some(members))
    }

    /// The streams of a chain, as far as the compiler needs to know them.
    fn levels(&self, chain: &[usize], made: &[Option<StreamPlan>]) -> Vec<compile::Level<'_>> {
        let level = |&number: &usize| compile::Level {
            stream: &self.model.streams[number],
            number: number.to_le_bytes()[0],
            children: made.get(number).and_then(Option::as_ref).map_or(1, children),
        };
        chain.iter().map(level).collect()
    }

    /// Where the events of a stream that follows another come from.
    fn follow_up(
        &self,
        number: usize,
        follows: &model::Follows,
        gate: Option<compile::Gate>,
        made: &[Option<StreamPlan>],
    ) -> Result<FollowUp, Vec<Mistake>> {
        let stream = &self.model.streams[number];
        let parent = made[self.chains[number][1]].as_ref();
        let count_max = gate.as_ref().map_or(1, |gate| gate.count_max);
        let children = parent.map_or(1, children).saturating_mul(count_max.max(1));
        if children > CHILDREN_MAX {
            let what = format!(
                "up to {children} events would follow one root event, but the limit is {CHILDREN_MAX}"
            );
            let span = follows.count.as_ref().map_or(&stream.span, |count| &count.span);
            let help = Some("bound the counts with `max`".to_owned());
            return Err(vec![Mistake { span: span.clone(), what, help }]);
        }
        let key = compile::stream_key(self.world, stream);
        let probability = follows.probability.value;
        let tick_us = self.tick.length_us().unsigned_abs();
        let delays = delays(&follows.delay.value);
        let step = Step::new(key, probability, &delays, tick_us);
        // A delay of whole ticks ends inside the next one.
        let spread_us = u64::from(count_max.saturating_sub(1)) * follows.apart_us;
        let latest_us = delays.inverse_us(1.0) + spread_us + tick_us + parent.map_or(0, latest_us);
        let parent_rate = parent.map_or(0.0, StreamPlan::rate_per_s);
        let rate_per_s = parent_rate * probability * f64::from(count_max);
        let above = self.chains[number][1..].iter().rev().copied().collect();
        let is_phased = self.scenarios.is_of(number);
        let phased = is_phased.then(|| (Arc::clone(&self.scenarios), number));
        let apart_us = follows.apart_us;
        Ok(FollowUp {
            above,
            step,
            gate,
            count_max,
            apart_us,
            children,
            latest_us,
            rate_per_s,
            phased,
        })
    }

    /// Who acts in a follow-up must be who acts in its root.
    fn check_actor(
        &self,
        stream: &model::Stream,
        actor: Option<usize>,
        root: Option<&StreamPlan>,
    ) -> Result<(), Vec<Mistake>> {
        let acts = root.and_then(|root| root.compiled.actor);
        let Some(other) = actor.filter(|actor| acts != Some(*actor)) else { return Ok(()) };
        let what = format!(
            "`{}` acts here, but not in the root stream `{}`",
            self.world.kinds[other].entity.name,
            root.map_or("", |root| &root.name)
        );
        let help = Some("name it in a `let` of the root stream".to_owned());
        Err(vec![Mistake { span: stream.span.clone(), what, help }])
    }
}

/// The most events of a stream that come from one root event.
fn children(stream: &StreamPlan) -> u32 {
    match &stream.origin {
        Origin::Root(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => 1,
        Origin::FollowUp(follow_up) => follow_up.children,
    }
}

/// How long after its root event one of a stream comes at the latest.
fn latest_us(stream: &StreamPlan) -> u64 {
    match &stream.origin {
        Origin::Root(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => 0,
        Origin::FollowUp(follow_up) => follow_up.latest_us,
    }
}

/// The delays of a follow-up, or of a fault.
pub(super) fn delays(delay: &model::Delay) -> Delays {
    let number = |parameter: &Spanned<model::Parameter>| match parameter.value {
        model::Parameter::Number(value) => value,
        // The configuration takes durations only.
        model::Parameter::Column(_) => 0.0,
    };
    let curve = |part: &model::MixturePart| {
        let curve = match &part.shape {
            model::Shape::Lognormal { median, sigma } => {
                Curve::Lognormal { median: number(median), sigma: number(sigma) }
            }
            model::Shape::Normal { mean, sd } => {
                Curve::Normal { mean: number(mean), sd: number(sd) }
            }
            model::Shape::Exponential { mean } => Curve::Exponential { mean: number(mean) },
            model::Shape::Pareto { scale, shape } => {
                Curve::Pareto { scale: number(scale), shape: number(shape) }
            }
            // The configuration takes no others.
            model::Shape::Uniform { .. }
            | model::Shape::Zipf { .. }
            | model::Shape::Histogram { .. } => return None,
        };
        Some((part.weight, curve))
    };
    let parts = delay.parts.iter().filter_map(curve).collect();
    Delays { parts, min_s: delay.min_s, max_s: delay.max_s }
}
