//! The plan: what is decided before the first event.

pub mod alias;
pub mod near;
pub mod normal;
pub mod quantile;
pub mod walk;
pub mod zone;
pub mod family;
pub mod ranks;
pub mod rota;
pub mod changing;
pub mod members;
pub mod population;
pub mod steps;
pub mod poisson;
pub mod arrival;
pub mod traffic;
pub mod identity;
pub mod program;
pub mod fill;
pub mod world;
pub mod compile;
pub mod batch;
mod busy;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::model::{
    self, Expression, ExpressionKind, Favourite, Field, Generator, HeaderValue, KeyFormat, Model,
    Near, Period, Tick, Topic, ValueFormat, Zone,
};
use crate::config::{Mistake, Span, Spanned};
use compile::Compiled;
use members::Members;
use population::Population;
use traffic::{HOURS, Traffic};
use world::World;
use zone::Zones;

/// Events that a lane may expect in a tick: so many that a position's 18 bits hold what chance adds.
const LANE_EVENTS_MAX: f64 = 250_000.0;
/// The latest instant of model time that can be written in nanoseconds: the year 2262.
const START_MAX_US: i64 = i64::MAX / 1_000;

/// A model, compiled: a pure function from positions to events.
#[derive(Debug)]
pub struct Plan {
    /// The model's name.
    pub name: String,
    /// Decides every random choice.
    pub seed: u64,
    /// The start of model time, on a tick, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// The length of a tick.
    pub tick: Tick,
    /// The number of lanes.
    pub lanes: u32,
    /// The streams, by number.
    pub streams: Vec<StreamPlan>,
    /// What can be run, but is worth a word; in the order of the file.
    pub warnings: Vec<Mistake>,
}

/// A stream, compiled.
#[derive(Debug)]
pub struct StreamPlan {
    /// Its name.
    pub name: String,
    /// The topic that it goes to.
    pub topic: Topic,
    /// The schema that values are written by.
    pub schema: apache_avro::Schema,
    /// The schema's text.
    pub schema_json: String,
    /// How the key is written.
    pub key_format: KeyFormat,
    /// How values are written.
    pub value_format: ValueFormat,
    /// Its program and what fills the schema.
    pub compiled: Compiled,
    /// How fast its events come.
    pub traffic: Traffic,
    /// The members that they come from, if it has no rate.
    pub members: Option<Members>,
    /// The key of its randomness.
    pub key: [u32; 2],
}

/// What a plan needs besides the model.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The moment that `start = "now"` stands for, in microseconds since the Unix epoch.
    pub now_us: i64,
    /// Schemas that take the place of the files' ones, by stream name.
    pub schemas: BTreeMap<String, String>,
}

impl Plan {
    /// Compiles a model.
    ///
    /// # Errors
    ///
    /// All mistakes that only show when names are followed, types are fitted and numbers are
    /// multiplied, in the order of the file.
    pub fn compile(model: &Model, inputs: &Inputs) -> Result<Self, Vec<Mistake>> {
        let world = World::new(model, &rates(model))?;
        let fastest = roots(model).map(|stream| rate_of(model, stream, &world)).fold(0.0, f64::max);
        let tick = model.tick.unwrap_or_else(|| tick_for(fastest / f64::from(model.lanes)));
        let given_us = match model.start {
            model::Start::Now => inputs.now_us,
            model::Start::At(start_us) => start_us,
        };
        let start_us =
            given_us.clamp(0, START_MAX_US).div_euclid(tick.length_us()) * tick.length_us();
        let mut mistakes = Vec::new();
        let mut streams = Vec::new();
        for (number, stream) in model.streams.iter().enumerate() {
            let draft = Draft { model, world: &world, stream, number, start_us, tick };
            match draft.compile(inputs.schemas.get(&stream.name)) {
                Ok(stream) => streams.push(stream),
                Err(more) => mistakes.extend(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut warnings = busy::warnings(&world, &streams);
        warnings.extend(streams.iter_mut().flat_map(|it| it.compiled.warnings.drain(..)));
        warnings.sort_by_key(|warning| (warning.span.start, warning.span.end));
        let (name, lanes) = (model.name.clone(), u32::from(model.lanes));
        Ok(Self { name, seed: model.seed, start_us, tick, lanes, streams, warnings })
    }

    /// The stream of that name, and its number.
    pub fn stream(&self, name: &str) -> Option<(usize, &StreamPlan)> {
        self.streams.iter().enumerate().find(|(_, stream)| stream.name == name)
    }

    /// The streams that tell of members before the run, by number.
    pub fn snapshots(&self) -> impl Iterator<Item = (usize, &Members)> {
        let streams = self.streams.iter().enumerate();
        let members = streams.filter_map(|(number, it)| Some((number, it.members.as_ref()?)));
        members.filter(|(_, members)| members.snapshot_count().is_some())
    }

    /// How many ticks positions can number.
    pub fn ticks_max(&self) -> u64 {
        let tick_us = self.tick.length_us().unsigned_abs();
        let of = |stream: &StreamPlan| {
            let members = stream.members.as_ref().map_or(u64::MAX, Members::numbered_us);
            stream.compiled.ticks_max.min(members / tick_us)
        };
        self.streams.iter().map(of).min().unwrap_or(1 << 36)
    }

    /// The rate of all streams together, before curves, in events a second.
    pub fn rate_per_s(&self) -> f64 {
        self.streams.iter().map(|stream| stream.traffic.rate_per_s).sum()
    }
}

/// One stream on its way into the plan.
struct Draft<'a> {
    model: &'a Model,
    world: &'a World<'a>,
    stream: &'a model::Stream,
    number: usize,
    start_us: i64,
    tick: Tick,
}

impl Draft<'_> {
    fn compile(&self, schema: Option<&String>) -> Result<StreamPlan, Vec<Mistake>> {
        let given = &self.stream.schema;
        let schema_json = match schema {
            Some(schema) => schema.clone(),
            None if given.value.json.is_empty() => self.derived()?,
            None => given.value.json.clone(),
        };
        let refuse = |what: String| vec![Mistake { span: given.span.clone(), what, help: None }];
        let schema = apache_avro::Schema::parse_str(&schema_json)
            .map_err(|error| refuse(format!("the schema cannot be read: {error}")))?;
        let number = u8::try_from(self.number)
            .map_err(|_| refuse("there are more than 256 streams".to_owned()))?;
        let source = compile::Source {
            world: self.world,
            stream: self.stream,
            number,
            schema: &schema,
            start_us: self.start_us,
        };
        let compiled = compile::compile(&source)?;
        let key = compile::stream_key(&source);
        let members = self.members()?;
        let traffic = match &members {
            Some(members) => self.no_traffic(members),
            None => self.traffic(compiled.actor)?,
        };
        Ok(StreamPlan {
            name: self.stream.name.clone(),
            topic: self.stream.topic.clone(),
            schema,
            schema_json,
            key_format: self.stream.key_format,
            value_format: self.stream.value_format,
            compiled,
            traffic,
            members,
            key,
        })
    }

    /// The schema of a changelog that has none of its own.
    fn derived(&self) -> Result<String, Vec<Mistake>> {
        let nothing = apache_avro::Schema::Null;
        compile::derive(&compile::Source {
            world: self.world,
            stream: self.stream,
            number: 0,
            schema: &nothing,
            start_us: self.start_us,
        })
    }

    fn members(&self) -> Result<Option<Members>, Vec<Mistake>> {
        let Some(events) = &self.stream.members else { return Ok(None) };
        let Some(entity) = self.world.entity(&events.entity().value) else { return Ok(None) };
        let changing = &self.world.kinds[entity].changing;
        let members = Members::new(events, changing, self.world.model.seed, self.start_us);
        members.check(self.stream)?;
        Ok(Some(members))
    }

    fn no_traffic(&self, members: &Members) -> Traffic {
        Traffic {
            rate_per_s: members.rate_per_s(),
            curve: None,
            zones: Zones::default(),
            zone_of_group: vec![0],
            population: None,
            lanes: u32::from(self.model.lanes),
            tick_us: self.tick.length_us().unsigned_abs(),
        }
    }

    fn traffic(&self, actor: Option<usize>) -> Result<Traffic, Vec<Mistake>> {
        let written = self.stream.traffic.as_ref().or(self.model.traffic.as_ref());
        let rate_per_s = rate_of(self.model, self.stream, self.world);
        if rate_per_s <= 0.0 {
            let what = format!("nothing says how fast events of `{}` come", self.stream.name);
            let help = Some("set `traffic.rate`, or `count` and `activity` of who acts".to_owned());
            return Err(vec![Mistake { span: self.stream.span.clone(), what, help }]);
        }
        let refuse = |span: &Span, what: String, help: &str| {
            vec![Mistake { span: span.clone(), what, help: Some(help.to_owned()) }]
        };
        let curve = written.filter(|traffic| !traffic.curves.is_empty()).map(|traffic| {
            let mut product = Box::new([1.0; HOURS]);
            for name in &traffic.curves {
                let curve = self.model.curves.iter().find(|curve| curve.name == name.value);
                for (hour, value) in product.iter_mut().enumerate() {
                    *value *= curve.map_or(1.0, |curve| curve.hours[hour % curve.hours.len()]);
                }
            }
            product
        });
        let greatest =
            curve.as_ref().map_or(1.0, |curve| curve.iter().copied().fold(0.0, f64::max));
        if let (true, Some(first)) = (greatest <= 0.0, written.and_then(|it| it.curves.first())) {
            let what = "these curves together are 0 in every hour, so that nothing would come";
            let help = "use curves that have an hour above 0 in common";
            return Err(refuse(&first.span, what.to_owned(), help));
        }
        let population = actor.map(|actor| Arc::clone(&self.world.kinds[actor].actors));
        let lanes = u32::from(self.model.lanes);
        let share = population.as_ref().map_or(1.0 / f64::from(lanes), |all| all.greatest_lane());
        let most = rate_per_s * greatest * share * self.tick.length_us() as f64 / 1e6;
        if most > LANE_EVENTS_MAX {
            let what = format!(
                "a lane would have up to {most:.0} events in a tick, but the limit is {LANE_EVENTS_MAX}"
            );
            let help = "raise `lanes`, set a shorter `tick` or lower the rate";
            return Err(refuse(&self.stream.span, what, help));
        }
        let zone = written.and_then(|traffic| traffic.zone.as_ref());
        let (zones, zone_of_group) = self.zones(zone, actor, population.as_deref())?;
        Ok(Traffic {
            rate_per_s,
            curve,
            zones,
            zone_of_group,
            population,
            lanes,
            tick_us: self.tick.length_us().unsigned_abs(),
        })
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
        Ok((Zones::new(cells.iter().map(String::as_str)).map_err(unknown)?, rows))
    }
}

/// The shortest tick that has an event in each lane.
fn tick_for(rate_of_lane: f64) -> Tick {
    [Tick::Tenth, Tick::Second]
        .into_iter()
        .find(|tick| rate_of_lane * tick.length_us() as f64 / 1e6 >= 1.0)
        .unwrap_or(Tick::TenSeconds)
}

/// The streams with a rate.
fn roots(model: &Model) -> impl Iterator<Item = &model::Stream> {
    model.streams.iter().filter(|stream| stream.members.is_none())
}

/// The rates that are written down, by the entity that acts.
fn rates(model: &Model) -> BTreeMap<&str, f64> {
    let mut rates = BTreeMap::new();
    for stream in roots(model) {
        let written = stream.traffic.as_ref().or(model.traffic.as_ref());
        let Some(rate) = written.and_then(|traffic| traffic.rate_per_s.as_ref()) else { continue };
        if let Some(actor) = actor_of(model, stream) {
            *rates.entry(actor).or_insert(0.0) += rate.value;
        }
    }
    rates
}

/// The rate of a stream: as written, or what its members' activity comes to.
fn rate_of(model: &Model, stream: &model::Stream, world: &World<'_>) -> f64 {
    let written = stream.traffic.as_ref().or(model.traffic.as_ref());
    if let Some(rate) = written.and_then(|traffic| traffic.rate_per_s.as_ref()) {
        return rate.value;
    }
    let kind = actor_of(model, stream).and_then(|actor| Some(&world.kinds[world.entity(actor)?]));
    kind.map_or(0.0, |kind| {
        let activity = kind.entity.activity.as_ref();
        let mean = activity.and_then(|activity| activity.mean_per_s.as_ref());
        mean.map_or(0.0, |mean| mean.value * kind.count as f64)
    })
}

/// The entity that acts in a stream: the first with an activity that a field picks.
fn actor_of<'a>(model: &'a Model, stream: &'a model::Stream) -> Option<&'a str> {
    let mut named = Vec::new();
    for Field { generator, .. } in stream.lets.iter().chain(&stream.fields) {
        entities_of(&generator.value, &mut named);
    }
    for header in &stream.headers {
        if let HeaderValue::Generator(generator) = &header.value {
            entities_of(&generator.value, &mut named);
        }
    }
    let acts = |name: &&str| {
        model.entities.iter().any(|entity| entity.name == **name && entity.activity.is_some())
    };
    named.into_iter().find(acts)
}

fn entities_of<'a>(generator: &'a Generator, named: &mut Vec<&'a str>) {
    let first = |path: &'a Spanned<String>| path.value.split('.').next();
    match generator {
        Generator::Entity { entity, with, of: None, near: None, .. } if with.is_empty() => {
            named.push(&entity.value);
        }
        Generator::Entity { of: Some(path), .. }
        | Generator::Attribute { path, .. }
        | Generator::LocalTime { zone: path }
        | Generator::Extreme { path, .. }
        | Generator::Token { of: Some(path), .. } => named.extend(first(path)),
        Generator::By { on, cases, default } => {
            named.extend(first(on));
            let cases = cases.iter().map(|(_, case)| case);
            for case in cases.chain(default.as_deref()) {
                entities_of(&case.value, named);
            }
        }
        Generator::When { condition, then, otherwise } => {
            paths_of(&condition.value, named);
            for case in std::iter::once(then).chain(otherwise) {
                entities_of(&case.value, named);
            }
        }
        Generator::Template(template) => {
            let paths = template.split('{').skip(1);
            named.extend(paths.filter_map(|path| path.split(['.', ':', '}']).next()));
        }
        Generator::At { value, .. } => entities_of(&value.value, named),
        Generator::Expression(expression) => paths_of(expression, named),
        Generator::Near(Near { to: path, .. })
        | Generator::Favourite(Favourite { of: path, .. })
        | Generator::Period(Period { of: path, .. })
        | Generator::Habit { favourite: Favourite { of: path, .. }, .. } => {
            named.extend(first(path));
        }
        Generator::Once { on, generator } => {
            named.extend(first(on));
            // A member that is drawn once is not the row's pick.
            if !matches!(generator.value, Generator::Entity { .. }) {
                entities_of(&generator.value, named);
            }
        }
        composite => parts_of(composite, named),
    }
}

/// The entities that the parts of a value name.
fn parts_of<'a>(generator: &'a Generator, named: &mut Vec<&'a str>) {
    let mut part = |part: &'a Spanned<Generator>| entities_of(&part.value, named);
    match generator {
        Generator::Record(fields) => fields.iter().for_each(|field| part(&field.generator)),
        Generator::Any(all) => all.iter().for_each(|one| part(&one.generator)),
        Generator::Array { item, length } => {
            part(length);
            part(item);
        }
        Generator::Map { key, value, length } => {
            part(length);
            part(key);
            part(value);
        }
        _ => {}
    }
}

fn paths_of<'a>(expression: &'a Expression, named: &mut Vec<&'a str>) {
    match &expression.kind {
        ExpressionKind::Path(path) => named.extend(path.split('.').next()),
        ExpressionKind::Not(inner)
        | ExpressionKind::Negate(inner)
        | ExpressionKind::In { value: inner, .. } => paths_of(inner, named),
        ExpressionKind::Binary { left, right, .. } => {
            paths_of(left, named);
            paths_of(right, named);
        }
        ExpressionKind::If { condition, then, otherwise } => {
            for part in [condition, then, otherwise] {
                paths_of(part, named);
            }
        }
        ExpressionKind::Call { arguments, .. } => {
            for argument in arguments {
                paths_of(argument, named);
            }
        }
        ExpressionKind::Number { .. } | ExpressionKind::Text(_) | ExpressionKind::Boolean(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_has_an_event_in_each_lane_if_it_can() {
        assert_eq!(tick_for(500.0 / 64.0), Tick::Second);
        assert_eq!(tick_for(50_000.0 / 64.0), Tick::Tenth);
        assert_eq!(tick_for(0.001), Tick::TenSeconds);
    }
}
