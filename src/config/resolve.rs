//! From what was written to what is run.

mod control;
mod counter;
mod curves;
mod distribution;
mod entities;
mod faults;
mod follows;
mod formula;
mod periods;
mod roll_call;
mod scenario;
mod changelog;
mod generator;
mod occasion;
mod popularity;
mod list;
mod run;
mod settings;
mod shape;
mod streams;
mod tables;
mod together;
mod traffic;
mod value;
mod walk;
mod wire;
mod words;

use self::curves::Curves;
use self::entities::{Entities, Rates};
use super::model::{Model, Start, Table, Tick};
use super::raw::{Kind, Node};
use super::reader::{At, Reader};
use super::settings::Settings;
use super::{Span, units};

/// Lanes unless the model says otherwise.
const LANES: u16 = 64;

/// What generators may refer to by name.
#[derive(Debug)]
struct Names<'n> {
    tables: &'n [Table],
    /// Those with mistakes too.
    all_tables: &'n [String],
    entities: &'n [String],
}

/// Reads the whole tree. What cannot be read is left out and has a mistake in `reader`: the result
/// counts only if there is none.
pub(super) fn everything(reader: &mut Reader<'_>, root: &Node, name: String) -> (Model, Settings) {
    let top = At { path: String::new(), key_span: root.span.clone(), node: root };
    let Some(mut top) = reader.section(&top) else {
        return (empty(name), Settings::default());
    };
    let seed = top.get("seed").and_then(|at| reader.whole(&at, &(0..=i128::from(u64::MAX))));
    let start = top.get("start").and_then(|at| start(reader, &at)).unwrap_or(Start::Now);
    let lanes = top.get("lanes").and_then(|at| reader.whole(&at, &(1..=1_024)));
    let ticks = [("100ms", Tick::Tenth), ("1s", Tick::Second), ("10s", Tick::TenSeconds)];
    let tick = top.get("tick").and_then(|at| reader.one_of(&at, &ticks));
    let mut curves = top.get("curves").map(|at| Curves::read(reader, &at)).unwrap_or_default();
    let own_traffic = top.get("traffic").and_then(|at| traffic::traffic(reader, &at, &mut curves));
    let tables = top.get("tables").map(|at| tables::tables(reader, &at)).unwrap_or_default();
    let table_names = top.get("tables").map(|at| names_in(at.node)).unwrap_or_default();
    let entity_names = top.get("entities").map(|at| names_in(at.node)).unwrap_or_default();
    let names = Names { tables: &tables, all_tables: &table_names, entities: &entity_names };
    let entities: Entities =
        top.get("entities").map(|at| entities::entities(reader, &names, &at)).unwrap_or_default();
    let mut streams = top
        .get("streams")
        .map(|at| streams::streams(reader, &names, &at, &mut curves))
        .unwrap_or_default();
    let own = top.get("scenarios").map(|at| scenario::own(reader, &names, &at)).unwrap_or_default();
    let scenarios = used_scenario(reader, root)
        .map(|at| scenario::used(reader, &names, &at, &own))
        .unwrap_or_default();
    let rates = Rates {
        any: has_rate(root) || streams_in(root).any(has_rate),
        of_one_stream: streams.iter().filter(|stream| stream.has_rate()).count() == 1,
    };
    entities::check_families(reader, &entities, rates);
    changelog::add(reader, &entities.all, entities.changelogs, &mut streams);
    if let Some(at) = top.get("control") {
        control::add(reader, &at, &mut streams);
    }
    let own_faults = top.get("faults").map(|at| faults::faults(reader, &at, None));
    let all_faults = own_faults.unwrap_or_default();
    let all_faults = faults::checked(reader, all_faults, &scenarios, &streams);
    let ledger = top.get("ledger").and_then(|at| faults::topic(reader, &at));
    if let Some(first) = all_faults.first() {
        faults::add_ledger(reader, ledger, first, &mut streams);
    }
    if streams.is_empty() && !top.has("streams") {
        let help = "add `[streams.NAME]` with `topic` and `schema`";
        reader.refuse(&(0..0), "the model has no stream", help);
    }
    let mut settings = settings::settings(reader, &mut top);
    if let Some(registry) = &settings.registry {
        together::check_subjects(reader, &streams, registry);
    }
    together::check_topics(reader, &streams);
    together::set_batch_limits(reader, &streams, &mut settings);
    reader.finish(top);
    let model = Model {
        name,
        hash: String::new(),
        seed: seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0),
        start,
        lanes: lanes.and_then(|lanes| u16::try_from(lanes).ok()).unwrap_or(LANES),
        tick,
        traffic: own_traffic,
        curves: curves.all,
        scenarios,
        faults: all_faults,
        tables,
        entities: entities.all,
        streams,
    };
    (model, settings)
}

/// The settings of a tree that has nothing else, with a model of nothing.
pub(super) fn settings_alone(reader: &mut Reader<'_>, root: &Node) -> (Model, Settings) {
    let top = At { path: String::new(), key_span: root.span.clone(), node: root };
    let settings = reader.section(&top).map(|mut top| {
        let settings = settings::settings(reader, &mut top);
        reader.finish(top);
        settings
    });
    (empty(String::new()), settings.unwrap_or_default())
}

fn empty(name: String) -> Model {
    Model {
        name,
        hash: String::new(),
        seed: 0,
        start: Start::Now,
        lanes: LANES,
        tick: None,
        traffic: None,
        curves: Vec::new(),
        scenarios: Vec::new(),
        faults: Vec::new(),
        tables: Vec::new(),
        entities: Vec::new(),
        streams: Vec::new(),
    }
}

/// What need not be there, but is good if it is; None: it is bad.
#[expect(clippy::option_option, reason = "the outer ones are what is bad, the inner what is there")]
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

/// Whether `traffic.rate` is given, be it good or bad.
fn has_rate(node: &Node) -> bool {
    node.get("traffic").is_some_and(|traffic| traffic.get("rate").is_some())
}

/// `traffic.scenario`.
fn used_scenario<'t>(reader: &mut Reader<'_>, root: &'t Node) -> Option<At<'t>> {
    let traffic = root.get("traffic").filter(|node| node.entries().is_some())?;
    let at = At { path: "traffic".to_owned(), key_span: traffic.span.clone(), node: traffic };
    reader.section(&at)?.get("scenario")
}

fn streams_in(root: &Node) -> impl Iterator<Item = &Node> {
    let entries = root.get("streams").and_then(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| &entry.node)
}

fn names_in(node: &Node) -> Vec<String> {
    node.entries().unwrap_or_default().iter().map(|entry| entry.key.clone()).collect()
}

fn start(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Start> {
    if at.is_text() {
        let words = reader.words(at)?;
        if words.value == "now" {
            return Some(Start::Now);
        }
    }
    let start = time(reader, at)?;
    Some(Start::At(start))
}

/// A time within what event times can be: 1970 to 2200.
fn time(reader: &mut Reader<'_>, at: &At<'_>) -> Option<i64> {
    const LATEST_US: i64 = 7_258_118_400_000_000;
    if !matches!(at.node.kind, Kind::Time(_)) && !at.is_text() {
        reader.wrong_type(at, "a time");
        return None;
    }
    let time = reader.unit(at, units::time_us)?;
    if (0..=LATEST_US).contains(&time.value) {
        return Some(time.value);
    }
    let what = format!("`{}` must lie from 1970 to 2200", at.path);
    reader.refuse(&time.span, what, "");
    None
}

/// Checks weights: finite, none negative, not all 0.
fn check_weights(reader: &mut Reader<'_>, path: &str, span: &Span, weights: &[f64]) -> bool {
    let reason = if weights.is_empty() {
        "has no values"
    } else if weights.iter().any(|weight| !weight.is_finite()) {
        "has a weight that is not finite"
    } else if weights.iter().any(|weight| *weight < 0.0) {
        "has a weight below 0"
    } else if weights.iter().all(|weight| *weight == 0.0) {
        "has only weights of 0"
    } else {
        return true;
    };
    reader.refuse(span, format!("`{path}` {reason}"), "weights are shares: any numbers from 0 up");
    false
}
