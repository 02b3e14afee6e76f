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
pub mod curve;
mod bases;
pub mod population;
pub mod steps;
pub mod poisson;
pub mod scenario;
pub mod control;
pub mod fault;
pub mod shape;
pub mod exact;
pub mod arrival;
pub mod traffic;
pub mod identity;
pub mod program;
pub mod fill;
pub mod world;
pub mod compile;
pub mod follow_up;
mod chain;
mod draft;
pub mod batch;
mod busy;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::model::{
    self, Expression, ExpressionKind, Favourite, Field, Generator, HeaderValue, KeyFormat, Model,
    Near, Period, Tick, Topic, ValueFormat,
};
use crate::config::{Mistake, Spanned};
use compile::Compiled;
use control::Control;
use fault::{Faults, Ledger};
use follow_up::FollowUp;
use members::Members;
use scenario::Scenarios;
use traffic::Traffic;
use world::World;

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
    /// The scenarios that hold.
    pub scenarios: Arc<Scenarios>,
    /// What goes wrong on purpose.
    pub faults: Faults,
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
    /// Where its events come from.
    pub origin: Origin,
    /// The key of its randomness.
    pub key: [u32; 2],
}

/// Where the events of a stream come from.
#[derive(Debug)]
pub enum Origin {
    /// A stream with a rate of its own.
    Root(Box<Traffic>),
    /// A stream that follows another.
    FollowUp(Box<FollowUp>),
    /// The members that its events come from.
    Members(Members),
    /// The phases that it tells of.
    Control(Box<Control>),
    /// What faults did, which only whoever does it knows.
    Ledger(Box<Ledger>),
}

impl StreamPlan {
    /// The members that its events come from, if they do.
    pub fn members(&self) -> Option<&Members> {
        match &self.origin {
            Origin::Members(members) => Some(members),
            Origin::Root(_) | Origin::FollowUp(_) | Origin::Control(_) | Origin::Ledger(_) => None,
        }
    }

    /// How fast its events come and who acts, if it has a rate of its own.
    pub fn traffic(&self) -> Option<&Traffic> {
        match &self.origin {
            Origin::Root(traffic) => Some(traffic),
            Origin::FollowUp(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => {
                None
            }
        }
    }

    /// Whether its events come at a rate or once a period: those that a count and a pace go by.
    pub fn is_root(&self) -> bool {
        matches!(self.origin, Origin::Root(_) | Origin::Members(Members::RollCall(_)))
    }

    /// Where its events come from, if they follow those of another stream.
    pub fn follow_up(&self) -> Option<&FollowUp> {
        match &self.origin {
            Origin::FollowUp(follow_up) => Some(follow_up),
            Origin::Root(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => None,
        }
    }

    /// Events a second before curves; of follow-ups, if every gate is open.
    pub fn rate_per_s(&self) -> f64 {
        match &self.origin {
            Origin::Root(traffic) => traffic.rate_per_s,
            Origin::FollowUp(follow_up) => follow_up.rate_per_s,
            Origin::Members(members) => members.rate_per_s(),
            Origin::Control(_) | Origin::Ledger(_) => 0.0,
        }
    }
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
        let rates = rates(model);
        let world = World::new(model, &rates)?;
        let fastest = roots(model).map(|stream| rate_of(model, stream, &world)).fold(0.0, f64::max);
        let tick = model.tick.unwrap_or_else(|| tick_for(fastest / f64::from(model.lanes)));
        let given_us = match model.start {
            model::Start::Now => inputs.now_us,
            model::Start::At(start_us) => start_us,
        };
        let start_us =
            given_us.clamp(0, START_MAX_US).div_euclid(tick.length_us()) * tick.length_us();
        let mut mistakes = Vec::new();
        let chains = chain::chains(model, &mut mistakes);
        let tick_us = tick.length_us().unsigned_abs();
        let scenarios = match scenario::stage(model, start_us, tick_us) {
            Ok(scenarios) => Arc::new(scenarios),
            Err(more) => {
                mistakes.extend(more);
                Arc::default()
            }
        };
        let draft = draft::Draft {
            model,
            world: &world,
            chains,
            start_us,
            tick,
            overrides: scenario::overrides(model, &scenarios),
            scenarios: Arc::clone(&scenarios),
        };
        let faults = match fault::stage(model, &scenarios) {
            Ok(faults) => faults,
            Err(more) => {
                mistakes.extend(more);
                Faults::default()
            }
        };
        let mut streams = draft.streams(inputs, mistakes)?;
        let mut warnings = busy::warnings(&world, &streams, &rates);
        warnings.extend(streams.iter_mut().flat_map(|it| it.compiled.warnings.drain(..)));
        warnings.sort_by_key(|warning| (warning.span.start, warning.span.end));
        let (name, lanes) = (model.name.clone(), u32::from(model.lanes));
        let seed = model.seed;
        Ok(Self { name, seed, start_us, tick, lanes, streams, scenarios, faults, warnings })
    }

    /// Whether phases of scenarios keep events away for later.
    pub fn defers(&self) -> bool {
        let defers = |stream: &StreamPlan| match &stream.origin {
            Origin::Root(traffic) => traffic.shape.defers,
            Origin::FollowUp(_) | Origin::Members(_) | Origin::Control(_) | Origin::Ledger(_) => {
                false
            }
        };
        self.streams.iter().any(defers)
    }

    /// The stream of that name, and its number.
    pub fn stream(&self, name: &str) -> Option<(usize, &StreamPlan)> {
        self.streams.iter().enumerate().find(|(_, stream)| stream.name == name)
    }

    /// The streams that tell of members before the run, by number.
    pub fn snapshots(&self) -> impl Iterator<Item = (usize, &Members)> {
        let streams = self.streams.iter().enumerate();
        let members = streams.filter_map(|(number, it)| Some((number, it.members()?)));
        members.filter(|(_, members)| members.snapshot_count().is_some())
    }

    /// Lets segments of traffic that were worked out before take so many bytes in each stream: for
    /// who looks at many hours at once.
    pub fn keep_segments(&mut self, bytes: usize) {
        for stream in &mut self.streams {
            if let Origin::Root(traffic) = &mut stream.origin {
                traffic.kept_bytes = bytes;
            }
        }
    }

    /// How many ticks positions can number.
    pub fn ticks_max(&self) -> u64 {
        let tick_us = self.tick.length_us().unsigned_abs();
        let of = |stream: &StreamPlan| {
            let members = stream.members().map_or(u64::MAX, Members::numbered_us);
            stream.compiled.ticks_max.min(members / tick_us)
        };
        self.streams.iter().map(of).min().unwrap_or(1 << 36)
    }

    /// The rate of the streams that do not follow others, before curves, in events a second.
    pub fn root_rate_per_s(&self) -> f64 {
        let own = self.streams.iter().filter(|stream| stream.follow_up().is_none());
        own.map(StreamPlan::rate_per_s).sum()
    }

    /// The rate of all streams together, before curves, in events a second.
    pub fn rate_per_s(&self) -> f64 {
        self.streams.iter().map(StreamPlan::rate_per_s).sum()
    }
}

/// The shortest tick that has an event in each lane.
fn tick_for(rate_of_lane: f64) -> Tick {
    [Tick::Tenth, Tick::Second]
        .into_iter()
        .find(|tick| rate_of_lane * tick.length_us() as f64 / 1e6 >= 1.0)
        .unwrap_or(Tick::TenSeconds)
}

/// The streams with rates of their own.
fn roots(model: &Model) -> impl Iterator<Item = &model::Stream> {
    model.streams.iter().filter(|stream| stream.has_rate())
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
        Generator::Entity { entity, anew: false, of: None, near: None, .. } => {
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
