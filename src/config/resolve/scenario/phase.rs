//! Phases: when they are, and what holds in them.

use super::super::super::model::{
    Deferral, Edge, EntityPhase, Field, Multiplier, Phase, Release, StreamPhase,
};
use super::super::super::raw::Kind;
use super::super::super::reader::{At, Reader, Section};
use super::super::super::{Spanned, units};
use super::super::{Names, follows, formula, generator, occasion, optional, periods, streams};
use super::LATEST_US;

/// The greatest multiplier.
const MULTIPLIER_MAX: f64 = 1e6;
const HOUR_US: f64 = 3_600e6;

/// `[phases.NAME]`.
pub(super) fn phases(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Vec<Phase>> {
    let section = reader.section(at)?;
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a phase", &entry.key, &entry.key_span);
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        all.push(phase(reader, names, &at, name));
    }
    all.into_iter().collect()
}

fn phase(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    name: Spanned<String>,
) -> Option<Phase> {
    let mut section = reader.section(at)?;
    let from = section.get("from").map_or(Some(Edge::After(0)), |at| edge(reader, &at));
    let until_at = section.get("until");
    let until = until_at.as_ref().map(|at| edge(reader, at));
    let rate = section.get("rate").map(|at| multiplier(reader, &at));
    let deferral = section.get("defer").map(|at| deferral(reader, &at));
    let of_streams = section.get("streams").map(|at| stream_phases(reader, names, &at));
    let of_entities = section.get("entities").map(|at| entity_phases(reader, names, &at));
    reader.finish(section);
    let made = Phase {
        name,
        from: from?,
        until: optional(until)?,
        rate: optional(rate)?,
        deferral: optional(deferral)?,
        streams: of_streams.unwrap_or(Some(Vec::new()))?,
        entities: of_entities.unwrap_or(Some(Vec::new()))?,
    };
    check(reader, &made, until_at.as_ref())?;
    Some(made)
}

/// A phase ends after it begins, and what needs an end has one.
fn check(reader: &mut Reader<'_>, phase: &Phase, until: Option<&At<'_>>) -> Option<()> {
    if let (Edge::After(from), Some(Edge::After(end)), Some(at)) = (phase.from, phase.until, until)
        && end <= from
    {
        let what = format!("the phase `{}` does not end after it begins", phase.name.value);
        reader.refuse(&at.node.span, what, "set `until` later than `from`");
        return None;
    }
    let mut rates = phase.rate.iter().chain(phase.streams.iter().filter_map(|it| it.rate.as_ref()));
    let endless = |rate: &&Spanned<Multiplier>| rate.value.needs_end() && phase.until.is_none();
    if let Some(rate) = rates.find(endless) {
        let what = format!("the phase `{}` has no end that its rate could go to", phase.name.value);
        reader.refuse(&rate.span, what, "add `until`");
        return None;
    }
    if let (Some(deferral), None) = (&phase.deferral, phase.until) {
        let what = format!("the phase `{}` has no end after which events come", phase.name.value);
        reader.refuse(&deferral.span, what, "add `until`");
        return None;
    }
    Some(())
}

/// Hours, a duration or a time of day.
fn edge(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Edge> {
    let is_clock = at.is_text() && reader.words(at)?.value.contains(':');
    if is_clock {
        return occasion::time_of_day(reader, at).map(Edge::Clock);
    }
    after(reader, at).map(Edge::After)
}

/// Hours or a duration, in microseconds.
pub(in super::super) fn after(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    if matches!(at.node.kind, Kind::Integer(_) | Kind::Real(_)) {
        let hours = reader.number(at, &(0.0..=LATEST_US as f64 / HOUR_US))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded on both sides"
        )]
        let us = libm::round(hours * HOUR_US) as u64;
        return Some(us);
    }
    // A bare number in a flag is a number of hours too.
    if let Some(hours) = at.is_text().then(|| reader.words(at)).flatten()
        && let Ok(hours) = hours.value.parse::<u32>()
    {
        return Some(u64::from(hours) * 3_600_000_000);
    }
    let duration = reader.unit(at, units::duration)?;
    let us = u64::try_from(duration.value.as_micros()).unwrap_or(u64::MAX);
    if us <= LATEST_US {
        return Some(us);
    }
    reader.refuse(&duration.span, format!("`{}` must be at most 285 years", at.path), "");
    None
}

/// `0.2`, `{ ramp = [1, 3] }`, `{ exponential = [1, 8] }`, `{ power = { … } }`, `{ expression = "…" }`.
fn multiplier(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Multiplier>> {
    let span = at.node.span.clone();
    if matches!(at.node.kind, Kind::Integer(_) | Kind::Real(_)) || at.is_text() {
        let value = Multiplier::Constant(reader.number(at, &(0.0..=MULTIPLIER_MAX))?);
        return Some(Spanned { value, span });
    }
    let mut section = reader.section(at)?;
    let value = if let Some(at) = section.get("ramp") {
        ends(reader, &at, 0.0).map(Multiplier::Ramp)
    } else if let Some(at) = section.get("exponential") {
        ends(reader, &at, f64::MIN_POSITIVE).map(Multiplier::Exponential)
    } else if let Some(at) = section.get("power") {
        power(reader, &at)
    } else if let Some(at) = section.get("expression") {
        formula::formula(reader, &at, true).map(Multiplier::Formula)
    } else {
        let help = "a number, or one of: ramp = [1, 3], exponential = [1, 8], power = { peak = 10, \
                    exponent = 1.4, scale = \"1h\" }, expression = \"exp(hour / 3)\"";
        reader.refuse(&span, format!("`{}` is no multiplier", at.path), help);
        None
    };
    reader.finish(section);
    Some(Spanned { value: value?, span })
}

fn ends(reader: &mut Reader<'_>, at: &At<'_>, least: f64) -> Option<[f64; 2]> {
    let items = reader.list(at)?;
    let [first, last] = &items[..] else {
        let what = format!("`{}` has {} numbers, but must have 2", at.path, items.len());
        reader.refuse(&at.node.span, what, "the multiplier at the begin, and at the end");
        return None;
    };
    let range = least..=MULTIPLIER_MAX;
    Some([reader.number(first, &range)?, reader.number(last, &range)?])
}

fn power(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Multiplier> {
    let mut section = reader.section(at)?;
    let peak = reader.require(&mut section, "peak", "the multiplier at the peak: 10");
    let peak = peak.and_then(|at| reader.number(&at, &(0.0..=MULTIPLIER_MAX)));
    let exponent = reader.require(&mut section, "exponent", "how fast it falls: 1.4");
    let exponent = exponent.and_then(|at| reader.number(&at, &(0.0..=100.0)));
    let scale = reader.require(&mut section, "scale", "the time in which it falls: \"1h\"");
    let scale = scale.and_then(|at| periods::period(reader, &at, 1));
    let rises = section.get("rises").map_or(Some(false), |at| reader.boolean(&at));
    reader.finish(section);
    Some(Multiplier::Power {
        peak: peak?,
        exponent: exponent?,
        scale_us: scale?.value,
        rises: rises?,
    })
}

/// `{ released = 0.7, over = "2h", shape = "falling" }`.
fn deferral(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Deferral>> {
    let mut section = reader.section(at)?;
    let help = "the share that comes later: released = 0.7";
    let released = reader.require(&mut section, "released", help);
    let released = released.and_then(|at| reader.number(&at, &(0.0..=1.0)));
    let over = reader.require(&mut section, "over", "the time in which it comes: over = \"2h\"");
    let over = over.and_then(|at| periods::period(reader, &at, 1));
    let shapes = [("even", Release::Even), ("falling", Release::Falling)];
    let shape =
        section.get("shape").map_or(Some(Release::Falling), |at| reader.one_of(&at, &shapes));
    reader.finish(section);
    let value = Deferral { released: released?, over_us: over?.value, shape: shape? };
    Some(Spanned { value, span: at.node.span.clone() })
}

/// `[phases.NAME.streams.STREAM]`.
fn stream_phases(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Vec<StreamPhase>> {
    let section = reader.section(at)?;
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        let stream = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        let section = reader.section(&at);
        all.push(section.and_then(|section| stream_phase(reader, names, section, stream)));
    }
    all.into_iter().collect()
}

fn stream_phase(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    mut section: Section<'_>,
    stream: Spanned<String>,
) -> Option<StreamPhase> {
    let rate = section.get("rate").map(|at| multiplier(reader, &at));
    let when = section.get("when").map(|at| generator::expression(reader, &at));
    let count = section.get("count").map(|at| follows::count(reader, names, &at));
    let lets = section.get("let").map(|at| (streams::lets(reader, names, &at), at.key_span));
    let fields = section.get("fields").map(|at| streams::fields(reader, names, &at));
    if let (Some((_, span)), None) = (&lets, &fields) {
        let what = format!("nothing of `{}` can refer to these values", stream.value);
        reader.refuse(span, what, "add `fields` that do");
    }
    let known = ["rate", "when", "count", "let", "fields"];
    if !known.iter().any(|key| section.has(key)) {
        let what = format!("nothing is said of `{}`", stream.value);
        reader.refuse(&stream.span, what, "say its `rate`, `when`, `count` or `fields`");
    }
    reader.finish(section);
    Some(StreamPhase {
        stream,
        rate: optional(rate)?,
        when: optional(when)?,
        count: optional(count)?,
        lets: lets.map(|(lets, _)| lets).unwrap_or_default(),
        fields: fields.unwrap_or_default(),
    })
}

/// `[phases.NAME.entities.ENTITY]`.
fn entity_phases(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Vec<EntityPhase>> {
    let section = reader.section(at)?;
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        let entity = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        let mut section = reader.section(&at)?;
        let help = "say what they are: attributes = { … }";
        let own = reader.require(&mut section, "attributes", help);
        let attributes = own.map(|at| attributes(reader, names, &at));
        reader.finish(section);
        all.push(EntityPhase { entity, attributes: attributes?? });
    }
    Some(all)
}

fn attributes(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Option<Vec<Field>> {
    let section = reader.section(at)?;
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        all.push(Field { name, generator: generator::field(reader, names, &at)? });
    }
    Some(all)
}
