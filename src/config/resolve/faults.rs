//! `[faults.NAME]`: what goes wrong on purpose, and the stream that tells of it.

use std::ops::RangeInclusive;

use super::super::model::{
    BatchLimits, Delay, Fault, FaultHold, FaultKind, IdentityPlace, KeyFormat, Scenario,
    SchemaText, Stream, Topic, ValueFormat,
};
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, library, suggest, units};
use super::{follows, scenario, streams};

/// The name of the stream that tells of faults.
const LEDGER: &str = "faults";
/// Its topic, unless the model names one.
const LEDGER_TOPIC: &str = "run.faults";
const SCHEMA: &str = "schemas/run/Fault.avsc";

/// How long an event can be kept back: what is kept back is in memory, and a run that begins anywhere
/// makes the events of so long before again.
const KEPT_S_MAX: f64 = 3_600.0;
/// The longest value that a fault makes, in bytes.
const OVERSIZED_MAX: u64 = 64 << 20;
/// How long the next event of a key is waited for, unless the model says.
const WITHIN_US: u64 = 10_000_000;
/// An id that no registry gives before it has given two thousand million others.
const UNKNOWN_ID: u32 = i32::MAX.cast_unsigned();
/// A byte that no registry's framing begins with.
const NO_MAGIC: u8 = 0xff;

const KINDS: [(&str, Kind); 13] = [
    ("drop", Kind::Drop),
    ("duplicate", Kind::Duplicate),
    ("late", Kind::Late),
    ("reorder", Kind::Reorder),
    ("corrupt", Kind::Corrupt),
    ("truncate", Kind::Truncate),
    ("unknown_schema", Kind::UnknownSchema),
    ("wrong_magic", Kind::WrongMagic),
    ("tombstone", Kind::Tombstone),
    ("oversized", Kind::Oversized),
    ("wrong_key", Kind::WrongKey),
    ("hot_key", Kind::HotKey),
    ("silent_partition", Kind::SilentPartition),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Drop,
    Duplicate,
    Late,
    Reorder,
    Corrupt,
    Truncate,
    UnknownSchema,
    WrongMagic,
    Tombstone,
    Oversized,
    WrongKey,
    HotKey,
    SilentPartition,
}

/// The faults of a model, or of a scenario, whose phases they hold in.
pub(super) fn faults(reader: &mut Reader<'_>, at: &At<'_>, scenario: Option<&str>) -> Vec<Fault> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a fault", &entry.key, &entry.key_span);
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        all.extend(fault(reader, &at, name, scenario));
    }
    all
}

fn fault(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    name: Spanned<String>,
    scenario: Option<&str>,
) -> Option<Fault> {
    let mut section = reader.section(at)?;
    let kind = reader.require(&mut section, "kind", "say what is done: kind = \"duplicate\"");
    let kind = kind.and_then(|at| reader.one_of(&at, &KINDS));
    let is_silence = kind == Some(Kind::SilentPartition);
    let share = if is_silence { Some(1.0) } else { share(reader, &mut section) };
    let of_streams = section.get("streams").map(|at| named_streams(reader, &at));
    let hold = hold(reader, &mut section, scenario);
    let kind = kind.and_then(|kind| settings(reader, &mut section, kind));
    // Without a kind nobody knows which keys are right.
    if kind.is_some() {
        reader.finish(section);
    }
    let made = Fault {
        name,
        kind: kind?,
        share: share?,
        streams: of_streams.unwrap_or(Some(Vec::new()))?,
        hold: hold?,
    };
    if let (true, FaultHold::Window { until_us: None, .. }) = (is_silence, &made.hold) {
        let what = format!("the silence of `{}` has no end", made.name.value);
        let help = "say when it is: until = \"10m\", or phase = \"…\"";
        reader.refuse(&made.name.span, what, help);
        return None;
    }
    Some(made)
}

fn share(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<f64> {
    let help = "say which share of the events: share = 0.001";
    let at = reader.require(section, "share", help)?;
    let share = reader.number(&at, &(0.0..=1.0))?;
    if share == 0.0 {
        let what = format!("`{}` is 0, so that nothing is ever done", at.path);
        reader.refuse(&at.node.span, what, "a share above 0, or no such fault");
        return None;
    }
    Some(share)
}

fn named_streams(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<Spanned<String>>> {
    let items = reader.list(at)?;
    if items.is_empty() {
        let what = format!("`{}` names no stream", at.path);
        reader.refuse(&at.node.span, what, "leave it out for all streams");
        return None;
    }
    items.iter().map(|item| reader.text(item)).collect()
}

/// `from` and `until`, or `phase`; a fault of a scenario holds in a phase of it.
fn hold(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    scenario: Option<&str>,
) -> Option<FaultHold> {
    let (from, until) = (section.get("from"), section.get("until"));
    let Some(phase) = section.get("phase") else {
        if scenario.is_some() {
            let what = format!("`{}` says no phase", section.path);
            reader.refuse(&section.span, what, "name a phase of the scenario: phase = \"…\"");
            return None;
        }
        let from_us = from.map_or(Some(0), |at| scenario::after(reader, &at));
        let until_us = until.as_ref().map(|at| {
            let span = at.node.span.clone();
            scenario::after(reader, at).map(|value| Spanned { value, span })
        });
        let (from_us, until_us) = (from_us?, super::optional(until_us)?);
        if let Some(until) = until_us.as_ref().filter(|until| until.value <= from_us) {
            let what = format!("`{}` does not end after it begins", section.path);
            reader.refuse(&until.span, what, "set `until` later than `from`");
            return None;
        }
        return Some(FaultHold::Window { from_us, until_us });
    };
    if let Some(other) = from.or(until) {
        let what = format!("`{}` beside `phase`, which says when the fault holds", other.path);
        reader.refuse(&other.key_span, what, "leave one of them out");
        return None;
    }
    let phase = reader.text(&phase)?;
    let (of, name) = match (scenario, phase.value.split_once('.')) {
        (None, Some((of, name))) => (Some(of.to_owned()), name.to_owned()),
        (of, _) => (of.map(str::to_owned), phase.value),
    };
    Some(FaultHold::Phase { scenario: of, phase: Spanned { value: name, span: phase.span } })
}

/// What the kind has of its own.
fn settings(reader: &mut Reader<'_>, section: &mut Section<'_>, kind: Kind) -> Option<FaultKind> {
    let word = |value: i128| u32::try_from(value).ok();
    Some(match kind {
        Kind::Drop => FaultKind::Drop,
        Kind::Duplicate => {
            let delay = section.get("delay").map(|at| delay(reader, &at));
            FaultKind::Duplicate { delay: super::optional(delay)?.unwrap_or_default() }
        }
        Kind::Late => {
            let at = reader.require(section, "delay", "say how much: delay = \"5s\"")?;
            let delay = delay(reader, &at)?;
            if delay.max_s == 0.0 {
                let what = format!("`{}` is no time at all", at.path);
                reader.refuse(&at.node.span, what, "a delay above 0: \"5s\"");
                return None;
            }
            FaultKind::Late { delay }
        }
        Kind::Reorder => {
            let within = section.get("within").map(|at| within(reader, &at));
            FaultKind::Reorder { within_us: super::optional(within)?.unwrap_or(WITHIN_US) }
        }
        Kind::Corrupt => {
            let bytes = section.get("bytes").map(|at| reader.whole(&at, &(1..=64)));
            FaultKind::Corrupt { bytes: word(super::optional(bytes)?.unwrap_or(1))? }
        }
        Kind::Truncate => {
            let bytes = section.get("bytes").map(|at| reader.whole(&at, &(1..=1 << 20)));
            FaultKind::Truncate { bytes: super::optional(bytes)?.and_then(word) }
        }
        Kind::UnknownSchema => {
            let ids: RangeInclusive<i128> = 0..=u32::MAX.into();
            let id = section.get("id").map(|at| reader.whole(&at, &ids));
            FaultKind::UnknownSchema {
                id: word(super::optional(id)?.unwrap_or(UNKNOWN_ID.into()))?,
            }
        }
        Kind::WrongMagic => {
            let byte = section.get("byte").map(|at| reader.whole(&at, &(1..=255)));
            let byte = super::optional(byte)?.unwrap_or(NO_MAGIC.into());
            FaultKind::WrongMagic { byte: u8::try_from(byte).ok()? }
        }
        Kind::Tombstone => FaultKind::Tombstone,
        Kind::Oversized => {
            let help = "say how large values become: bytes = \"2MiB\"";
            let at = reader.require(section, "bytes", help)?;
            let bytes = reader.unit(&at, units::bytes)?;
            if bytes.value == 0 || bytes.value > OVERSIZED_MAX {
                let what = format!("`{}` must be from 1 byte to 64 MiB", at.path);
                reader.refuse(&bytes.span, what, "");
                return None;
            }
            FaultKind::Oversized { bytes: u32::try_from(bytes.value).ok()? }
        }
        Kind::WrongKey => FaultKind::WrongKey,
        Kind::HotKey => {
            let help = "name the key that all of them get: key = \"…\"";
            let at = reader.require(section, "key", help)?;
            FaultKind::HotKey { key: reader.text(&at)?.value }
        }
        Kind::SilentPartition => {
            let help = "say which one, from 0: partition = 3";
            let at = reader.require(section, "partition", help)?;
            let partition = reader.whole(&at, &(0..=99_999));
            let ends = [("release", true), ("drop", false)];
            let released = section.get("then").map_or(Some(true), |at| reader.one_of(&at, &ends));
            FaultKind::SilentPartition { partition: word(partition?)?, released: released? }
        }
    })
}

/// A duration or a distribution of durations, cut at an hour.
fn delay(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Delay> {
    let mut delay = follows::delay(reader, at)?;
    let is_open = !delay.parts.is_empty() && delay.max_s == follows::DELAY_S_MAX;
    if is_open && delay.min_s <= KEPT_S_MAX {
        delay.max_s = KEPT_S_MAX;
    }
    if delay.max_s > KEPT_S_MAX {
        let what = format!("`{}` goes to {} s", at.path, delay.max_s);
        let help = "events are kept back in memory: an hour is the most";
        reader.refuse(&at.node.span, what, help);
        return None;
    }
    Some(delay)
}

fn within(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    let duration = reader.duration(at)?;
    if duration.as_secs_f64() > KEPT_S_MAX {
        let what = format!("`{}` is more than an hour", at.path);
        reader.refuse(&at.node.span, what, "events are kept back in memory: an hour is the most");
        return None;
    }
    u64::try_from(duration.as_micros()).ok().map(|us| us.max(1))
}

/// All faults that hold, with those of the scenarios; their names, streams and phases are there.
pub(super) fn checked(
    reader: &mut Reader<'_>,
    own: Vec<Fault>,
    scenarios: &[Scenario],
    all_streams: &[Stream],
) -> Vec<Fault> {
    let mut all = own;
    for fault in scenarios.iter().flat_map(|scenario| &scenario.faults) {
        if all.iter().any(|other| other.name.value == fault.name.value) {
            let what = format!("the fault `{}` is there twice", fault.name.value);
            reader.refuse(&fault.name.span, what, "give one of them another name");
        }
        all.push(fault.clone());
    }
    for fault in &all {
        check_streams(reader, fault, all_streams);
        check_phase(reader, fault, scenarios);
    }
    all
}

/// Why a fault cannot be done to any event of a stream, and what would help.
fn hindrance(kind: &FaultKind, stream: &Stream) -> Option<(&'static str, &'static str)> {
    let keyed = stream.key.is_some() || stream.identity == IdentityPlace::Key;
    if stream.control {
        return Some(("tells of the run, and faults leave it alone", "name another stream"));
    }
    if kind.needs_key() && !keyed {
        return Some(("has no key", "name a stream with a `key`"));
    }
    if kind.needs_framing() && stream.value_format != ValueFormat::Avro {
        return Some(("has values in JSON, before which nothing stands", "name a stream in Avro"));
    }
    None
}

fn check_streams(reader: &mut Reader<'_>, fault: &Fault, all: &[Stream]) {
    for named in &fault.streams {
        let Some(stream) = all.iter().find(|stream| stream.name == named.value) else {
            reader.unknown("stream", named, all.iter().map(|stream| stream.name.as_str()));
            continue;
        };
        if let Some((why, help)) = hindrance(&fault.kind, stream) {
            let what =
                format!("`{}` cannot be done to `{}`: it {why}", fault.name.value, named.value);
            reader.refuse(&named.span, what, help);
        }
    }
    let hindrances = all.iter().map(|stream| hindrance(&fault.kind, stream));
    let whys: Option<Vec<_>> = hindrances.collect();
    if let (true, Some(whys)) = (fault.streams.is_empty(), whys)
        && let Some((why, help)) = whys.first()
    {
        let what =
            format!("`{}` cannot be done to any stream: `{}` {why}", fault.name.value, all[0].name);
        reader.refuse(&fault.name.span, what, help);
    }
}

fn check_phase(reader: &mut Reader<'_>, fault: &Fault, scenarios: &[Scenario]) {
    let FaultHold::Phase { scenario, phase } = &fault.hold else { return };
    let of = |it: &&Scenario| scenario.as_ref().is_none_or(|name| *name == it.name);
    let found: Vec<&Scenario> = scenarios
        .iter()
        .filter(of)
        .filter(|it| it.phases.iter().any(|other| other.name.value == phase.value))
        .collect();
    match &found[..] {
        [_] => {}
        [] => {
            let phases = scenarios.iter().flat_map(|it| &it.phases);
            let known = phases.map(|it| it.name.value.as_str());
            let help = suggest::way_out(&phase.value, known).unwrap_or_else(|| {
                "no scenario holds: name one in [traffic], scenario = \"…\"".to_owned()
            });
            let what = format!(
                "`{}` names the phase `{}`, which no scenario that holds has",
                fault.name.value, phase.value
            );
            reader.refuse(&phase.span, what, &help);
        }
        [one, other, ..] => {
            let what =
                format!("`{}` and `{}` both have a phase `{}`", one.name, other.name, phase.value);
            let help = format!("say which: phase = \"{}.{}\"", one.name, phase.value);
            reader.refuse(&phase.span, what, &help);
        }
    }
}

/// The topic that the model names for the stream that tells of faults.
pub(super) fn topic(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Topic> {
    streams::topic(reader, at)
}

/// Adds the stream that tells of faults.
pub(super) fn add_ledger(
    reader: &mut Reader<'_>,
    topic: Option<Topic>,
    first: &Fault,
    all: &mut Vec<Stream>,
) {
    let span = first.name.span.clone();
    let own = Topic {
        name: LEDGER_TOPIC.to_owned(),
        partitions: None,
        replicas: None,
        config: Vec::new(),
    };
    let topic = topic.unwrap_or(own);
    if let Some(other) = all.iter().find(|stream| stream.name == LEDGER) {
        let what = format!("a stream has the name of the one that tells of faults, `{LEDGER}`");
        reader.refuse(&other.span, what, "give it another name");
        return;
    }
    if let Some(other) = all.iter().find(|stream| stream.topic.name == topic.name) {
        let what =
            format!("faults would be told in the topic `{}` of `{}`", topic.name, other.name);
        reader.refuse(&other.span, what, "give them a topic of their own: ledger = \"…\"");
        return;
    }
    let json = library::open(SCHEMA).unwrap_or_default().to_owned();
    let schema = SchemaText { path: SCHEMA.into(), json };
    all.push(Stream {
        name: LEDGER.to_owned(),
        span: span.clone(),
        topic: Topic { partitions: topic.partitions.or(Some(1)), ..topic },
        schema: Spanned { value: schema, span: span.clone() },
        key: Some(Spanned { value: "fault".to_owned(), span }),
        key_format: KeyFormat::String,
        value_format: ValueFormat::Avro,
        headers: Vec::new(),
        identity: IdentityPlace::Field,
        batch: BatchLimits::default(),
        traffic: None,
        follows: None,
        members: None,
        control: false,
        ledger: true,
        lets: Vec::new(),
        fields: Vec::new(),
    });
}
