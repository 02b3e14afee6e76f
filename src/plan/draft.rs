//! Streams on their way into the plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::curve::Curves;
use super::follow_up::{CHILDREN_MAX, Delays, FollowUp, Step};
use super::members::Members;
use super::population::Population;
use super::quantile::Curve;
use super::scenario::Scenarios;
use super::shape::{Factors, Shape};
use super::traffic::{self, Traffic};
use super::world::World;
use super::zone::Zones;
use super::{Inputs, LANE_EVENTS_MAX, Origin, StreamPlan, compile, rate_of};
use crate::config::model::{self, Changelog, CurveShape, Generator, Model, Snapshot, Tick, Zone};
use crate::config::{Mistake, Span, Spanned};

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
        let delays = delays(follows);
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

    fn traffic(&self, number: usize, actor: Option<usize>) -> Result<Traffic, Vec<Mistake>> {
        let stream = &self.model.streams[number];
        let of_model = self.model.traffic.as_ref();
        let written = stream.traffic.as_ref().or(of_model);
        let base_per_s = rate_of(self.model, stream, self.world);
        if base_per_s <= 0.0 {
            let what = format!("nothing says how fast events of `{}` come", stream.name);
            let help = Some("set `traffic.rate`, or `count` and `activity` of who acts".to_owned());
            return Err(vec![Mistake { span: stream.span.clone(), what, help }]);
        }
        let intensity = self.intensity(stream);
        let shapes = self.curves(written);
        let (floor, cap) = written.map_or((0.0, f64::INFINITY), |it| (it.floor, it.cap));
        let is_formula = |shape: &&CurveShape| matches!(shape, CurveShape::Formula(_));
        let (formulas, local): (Vec<_>, Vec<_>) = shapes.into_iter().partition(is_formula);
        let formulas: Vec<_> = formulas.into_iter().filter_map(CurveShape::formula).collect();
        let bounded = floor > 0.0 || cap.is_finite();
        let named = written.map_or(&[][..], |traffic| &traffic.curves);
        if let (false, true, Some(first)) = (formulas.is_empty(), bounded, named.first()) {
            let what =
                "`floor` and `cap` bound curves of local time, and one of these is a formula";
            let help = "bound it in the expression: \"max(0.5, min(3, …))\"";
            return Err(refused(&first.span, what.to_owned(), help));
        }
        let curves = Curves::new(local.into_iter().cloned().collect(), floor, cap);
        let population = actor.map(|actor| Arc::clone(&self.world.kinds[actor].actors));
        let zone = written.and_then(|traffic| traffic.zone.as_ref());
        let (zones, zone_of_group) = self.zones(zone, actor, population.as_deref())?;
        let tick_us = self.tick.length_us().unsigned_abs();
        let rate_per_hour = written.and_then(|traffic| traffic.rate_per_hour);
        let way = |traffic: Option<&model::Traffic>| traffic.and_then(|it| it.arrivals);
        let traffic = Traffic {
            key: compile::stream_key(self.world, stream),
            start_us: self.start_us,
            rate_per_s: base_per_s * intensity,
            rate_per_hour: rate_per_hour.unwrap_or(base_per_s * 3_600.0),
            intensity,
            arrivals: way(stream.traffic.as_ref()).or(way(of_model)).unwrap_or_default(),
            shape: Shape {
                formulas,
                scenarios: Arc::clone(&self.scenarios),
                stream: number,
                tick_us,
                defers: self.scenarios.phases.iter().any(|phase| phase.defers(number)),
            },
            curves,
            zones,
            zone_of_group,
            population,
            lanes: u32::from(self.model.lanes),
            tick_us,
            known: traffic::Known::default(),
            kept_bytes: traffic::KEPT_BYTES,
        };
        if let (true, Some(first)) = (traffic.shape.defers, self.model.scenarios.first())
            && traffic.arrivals == model::Arrivals::Exact
        {
            let what = format!(
                "a phase keeps events of `{}` away for later, but its hours are exact",
                stream.name
            );
            return Err(refused(&first.span, what, "set arrivals = \"poisson\""));
        }
        check_rate(self.model, &traffic, stream, named)?;
        Ok(traffic)
    }

    /// What the rate of a stream is multiplied by all along.
    fn intensity(&self, stream: &model::Stream) -> f64 {
        let mut traffic = stream.traffic.iter().chain(&self.model.traffic);
        let written = traffic.find_map(|traffic| traffic.intensity.as_ref());
        let brought = || self.model.scenarios.iter().filter_map(|it| it.intensity).product();
        written.map_or_else(brought, |intensity| intensity.value)
    }

    /// The curves that are named.
    fn curves(&self, written: Option<&model::Traffic>) -> Vec<&CurveShape> {
        let named = written.map_or(&[][..], |traffic| &traffic.curves);
        let shapes = named.iter().filter_map(|name| {
            let curve = self.model.curves.iter().find(|curve| curve.name == name.value)?;
            Some(&curve.shape)
        });
        shapes.collect()
    }

    /// The zones that curves are read in, and which of them each group of members lives by.
    fn zones(
        &self,
        zone: Option<&Spanned<Zone>>,
        actor: Option<usize>,
        population: Option<&Population>,
    ) -> Result<(Zones, Vec<usize>), Vec<Mistake>> {
        let groups = population.map_or(1, Population::groups);
        let Some(zone) = zone else {
            return Ok((Zones::new(["UTC"]).unwrap_or_default(), vec![0; groups]));
        };
        let refuse = |what: String, help: &str| {
            vec![Mistake { span: zone.span.clone(), what, help: Some(help.to_owned()) }]
        };
        let unknown = |name| {
            refuse(format!("`{name}` is not a time zone"), "use names such as Europe/Berlin")
        };
        let path = match &zone.value {
            Zone::Named(name) => {
                return Ok((Zones::new([name.as_str()]).map_err(unknown)?, vec![0; groups]));
            }
            Zone::Attribute(path) => path,
        };
        let found = actor.and_then(|actor| {
            let mut steps = path.split('.');
            let (entity, attribute, column) = (steps.next()?, steps.next()?, steps.next()?);
            let kinds = &self.world.kinds;
            let dealt = kinds[actor].dealt.iter().find(|dealt| {
                kinds[dealt.entity].entity.attributes[dealt.attribute].name == attribute
            })?;
            self.world.entity(entity)?;
            let generator = &kinds[dealt.entity].entity.attributes[dealt.attribute].generator;
            let Generator::Table { table, .. } = &generator.value else { return None };
            let table = &self.model.tables[self.world.table(&table.value)?];
            let column = table.columns.iter().find(|it| it.name == column)?;
            let rows = dealt.value_of_group.iter().filter_map(|row| usize::try_from(*row).ok());
            Some((Arc::clone(&column.cells), rows.collect::<Vec<_>>()))
        });
        let Some((cells, rows)) = found else {
            let what = format!("`{path}` does not lead to a zone of who acts");
            return Err(refuse(what, "name a column of a table that the family is dealt by"));
        };
        // Cities share zones: what holds in a zone is worked out once.
        let names: BTreeSet<&str> = cells.iter().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let number = |row: &usize| names.binary_search(&cells[*row].as_str()).ok();
        let zone_of_group = rows.iter().filter_map(number).collect();
        Ok((Zones::new(names.iter().copied()).map_err(unknown)?, zone_of_group))
    }
}

/// The most events of a stream that come from one root event.
fn children(stream: &StreamPlan) -> u32 {
    match &stream.origin {
        Origin::Root(_) | Origin::Members(_) => 1,
        Origin::FollowUp(follow_up) => follow_up.children,
    }
}

/// How long after its root event one of a stream comes at the latest.
fn latest_us(stream: &StreamPlan) -> u64 {
    match &stream.origin {
        Origin::Root(_) | Origin::Members(_) => 0,
        Origin::FollowUp(follow_up) => follow_up.latest_us,
    }
}

/// The delays of a follow-up.
fn delays(follows: &model::Follows) -> Delays {
    let delay = &follows.delay.value;
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

fn refused(span: &Span, what: String, help: &str) -> Vec<Mistake> {
    vec![Mistake { span: span.clone(), what, help: Some(help.to_owned()) }]
}

/// Whether the greatest rate that is seen ahead fits into the ticks of lanes.
fn check_rate(
    model: &Model,
    traffic: &Traffic,
    stream: &model::Stream,
    named: &[Spanned<String>],
) -> Result<(), Vec<Mistake>> {
    let greatest = traffic.curves.greatest();
    if let (true, Some(first)) = (greatest <= 0.0, named.first()) {
        let what = "these curves together are 0 in every hour, so that nothing would come";
        let help = "use curves that have an hour above 0 in common";
        return Err(refused(&first.span, what.to_owned(), help));
    }
    let tick_s = traffic.tick_us as f64 / 1e6;
    let mut most: f64 = 1.0;
    for tick in traffic.shape.looks() {
        let factors = traffic.shape.at(tick);
        let Factors { base, scenario } = factors;
        let bad = |factor: f64| factor < 0.0 || !factor.is_finite();
        let (of, value, place) = if bad(base) {
            ("curves", base, named.first().map_or(&stream.span, |first| &first.span))
        } else if bad(scenario) {
            let first = model.scenarios.first();
            ("scenarios", scenario, first.map_or(&stream.span, |first| &first.span))
        } else {
            most = most.max(factors.product());
            continue;
        };
        let hours = tick as f64 * tick_s / 3_600.0;
        let what = format!(
            "the {of} of `{}` come to {value} after {hours:.2} hours, but must be from 0 up and finite",
            stream.name
        );
        return Err(refused(place, what, "bound the expression: \"max(0, min(100, …))\""));
    }
    let lanes = f64::from(traffic.lanes);
    let share = traffic.population.as_ref().map_or(1.0 / lanes, |all| all.greatest_lane());
    let events = traffic.rate_per_s * greatest * most * share * tick_s;
    let limit = if traffic.shape.is_flat() { LANE_EVENTS_MAX } else { LANE_EVENTS_MAX / 2.0 };
    if events > limit {
        let what = format!(
            "a lane would have up to {events:.0} events in a tick, but the limit is {limit}"
        );
        let help = "raise `lanes`, set a shorter `tick` or lower the rate";
        return Err(refused(&stream.span, what, help));
    }
    Ok(())
}
