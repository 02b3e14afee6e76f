//! Scenarios: the model's own, those that come with the program, and those in files.

mod phase;

use std::path::Path;

use super::super::model::{Anchor, Phase, Scenario};
use super::super::raw::{self, Kind};
use super::super::reader::{At, Reader, Section};
use super::super::source::PieceKind;
use super::super::{Spanned, library, suggest, units};
use super::{Names, faults, occasion, periods, traffic};
pub(super) use phase::after;

/// The greatest intensity.
const INTENSITY_MAX: f64 = 1e6;
/// The latest that a scenario's times may be, in microseconds: 285 years.
pub(super) const LATEST_US: u64 = 1 << 53;

/// `[scenarios.NAME]`: the model's own, used or not.
pub(super) fn own(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Scenario> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut all = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a scenario", &entry.key, &entry.key_span);
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        all.extend(scenario(reader, names, &at, &name));
    }
    all
}

/// `traffic.scenario`: a name, a table, or a list of both.
pub(super) fn used(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    own: &[Scenario],
) -> Vec<Scenario> {
    let items = match at.node.kind {
        Kind::List(_) => reader.list(at).unwrap_or_default(),
        _ => vec![at.clone()],
    };
    let mut all: Vec<Scenario> = Vec::new();
    for item in items {
        let found = if item.is_text() {
            named(reader, names, &item, own)
        } else {
            placed(reader, names, &item, own)
        };
        let Some(found) = found else { continue };
        if all.iter().any(|other| other.name == found.name) {
            let what = format!("the scenario `{}` is there twice", found.name);
            let help = "give it another name in [scenarios], or let it `repeat`";
            reader.refuse(&item.node.span, what, help);
        }
        all.push(found);
    }
    all
}

/// `{ use = "NAME", at = … }`, or a scenario written out.
fn placed(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    own: &[Scenario],
) -> Option<Scenario> {
    let mut section = reader.section_beside_text(at)?;
    let Some(name) = section.get("use") else {
        let name = Spanned { value: "scenario".to_owned(), span: at.key_span.clone() };
        return scenario(reader, names, at, &name);
    };
    let mut found = named(reader, names, &name, own)?;
    place(reader, &mut section, &mut found)?;
    reader.finish(section);
    check_place(reader, at, &found)?;
    Some(found)
}

/// The scenario of that name: the model's, the program's, or a file's.
fn named(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    own: &[Scenario],
) -> Option<Scenario> {
    let name = reader.text(at)?;
    if let Some(found) = own.iter().find(|scenario| scenario.name == name.value) {
        return Some(found.clone());
    }
    let path = Path::new(&name.value);
    if path.extension().is_some_and(|ending| ending == "toml") {
        let (path, base, text) = reader.open(at, "scenario")?;
        let files = reader.files_beside(&path, &name.span);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let called = Spanned { value: stem.unwrap_or_default(), span: name.span };
        let before = std::mem::replace(&mut reader.files, files);
        let found = from_text(reader, names, (base, &text), &called);
        reader.files = before;
        return found;
    }
    let Some((path, text)) = library::scenario(&name.value) else {
        let mut known: Vec<&str> = own.iter().map(|own| own.name.as_str()).collect();
        known.extend(library::scenarios().map(|name| -> &str { name }));
        let help = suggest::nearest(&name.value, known.iter().copied()).map_or_else(
            || {
                format!(
                    "one of {}, a name in [scenarios], or a file: \"my.toml\"",
                    known.join(", ")
                )
            },
            |near| format!("did you mean `{near}`?"),
        );
        reader.refuse(&name.span, format!("no scenario `{}`", name.value), &help);
        return None;
    };
    let kind = PieceKind::File { path: path.into(), built_in: true };
    let base = reader.source.add(kind, path.to_owned(), text.to_owned());
    from_text(reader, names, (base, text), &name)
}

fn from_text(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    (base, text): (usize, &str),
    name: &Spanned<String>,
) -> Option<Scenario> {
    match raw::parse(text, base) {
        Ok(root) => {
            let top = At { path: String::new(), key_span: name.span.clone(), node: &root };
            scenario(reader, names, &top, name)
        }
        Err(mistakes) => {
            reader.mistakes.extend(mistakes);
            None
        }
    }
}

/// What a scenario says.
fn scenario(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    name: &Spanned<String>,
) -> Option<Scenario> {
    let mut section = reader.section(at)?;
    // What it is, and where its figures come from: for people.
    for key in ["about", "source"] {
        section.get(key).and_then(|at| reader.text(&at));
    }
    let mut made = Scenario {
        name: name.value.clone(),
        span: name.span.clone(),
        anchor: Anchor::Start(0),
        repeat_us: None,
        within_us: None,
        zone: "UTC".to_owned(),
        intensity: None,
        duration_us: None,
        phases: Vec::new(),
        faults: Vec::new(),
    };
    let placed = place(reader, &mut section, &mut made);
    let duration = section.get("duration").map(|at| periods::period(reader, &at, 1));
    made.duration_us = duration.flatten().map(|duration| duration.value);
    let own_faults = section.get("faults");
    let own_faults = own_faults.map(|at| faults::faults(reader, &at, Some(&name.value)));
    made.faults = own_faults.unwrap_or_default();
    let phases = section.get("phases").map(|at| phase::phases(reader, names, &at));
    reader.finish(section);
    placed?;
    made.phases = phases.unwrap_or(Some(Vec::new()))?;
    check_place(reader, at, &made)?;
    check_overrides(reader, &made.phases);
    Some(made)
}

/// When a scenario is, how often, and how much it brings.
fn place(reader: &mut Reader<'_>, section: &mut Section<'_>, of: &mut Scenario) -> Option<()> {
    if let Some(at) = section.get("at") {
        of.anchor = anchor(reader, &at)?;
    }
    for (key, place) in [("repeat", &mut of.repeat_us), ("within", &mut of.within_us)] {
        if let Some(at) = section.get(key) {
            *place = Some(periods::period(reader, &at, 1)?.value);
        }
    }
    if let Some(at) = section.get("zone") {
        of.zone = traffic::zone_name(reader, &at)?.value;
    }
    if let Some(at) = section.get("intensity") {
        of.intensity = Some(intensity(reader, &at)?.value);
    }
    Some(())
}

/// What a rate is multiplied by all along.
pub(super) fn intensity(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<f64>> {
    let value = reader.number(at, &(0.0..=INTENSITY_MAX))?;
    if value <= 0.0 {
        let what = format!("`{}` must be above 0", at.path);
        reader.refuse(&at.node.span, what, "1 leaves the rate as it is");
        return None;
    }
    Some(Spanned { value, span: at.node.span.clone() })
}

/// An instant, a time after the start, or a time of day.
fn anchor(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Anchor> {
    // A time of day is as short as "14:35"; an instant has its date.
    if at.is_text() && reader.words(at).is_some_and(|words| is_clock(&words.value)) {
        return occasion::time_of_day(reader, at).map(Anchor::Clock);
    }
    let is_duration = match reader.words(at) {
        Some(words) if at.is_text() => units::duration(&words.value).is_ok(),
        _ => false,
    };
    if is_duration {
        return after(reader, at).map(Anchor::Start);
    }
    super::time(reader, at).map(Anchor::At)
}

/// Whether a text is meant as a time of day.
fn is_clock(text: &str) -> bool {
    text.contains(':') && !text.contains('-')
}

/// A scenario that comes again, or is placed at random, has an end and room.
fn check_place(reader: &mut Reader<'_>, at: &At<'_>, of: &Scenario) -> Option<()> {
    let Some(room_us) = of.within_us.or(of.repeat_us) else { return Some(()) };
    let place = &at.key_span;
    if let (Some(repeat), Some(within)) = (of.repeat_us, of.within_us)
        && within > repeat
    {
        let what = format!("the scenario `{}` is placed within more than it repeats in", of.name);
        reader.refuse(place, what, "`within` is at most `repeat`");
        return None;
    }
    for phase in &of.phases {
        let Some(end_us) = phase.end_us() else {
            let what = format!(
                "the phase `{}` of a scenario that comes again has no end",
                phase.name.value
            );
            let help = "give it an `until` as a time after the begin: until = \"4h\"";
            reader.refuse(&phase.name.span, what, help);
            return None;
        };
        let over_us = phase.deferral.as_ref().map_or(0, |deferral| deferral.value.over_us);
        if of.repeat_us.is_some_and(|repeat| over_us > repeat) {
            let what =
                format!("the backlog of `{}` comes in more than it repeats in", phase.name.value);
            reader.refuse(&phase.name.span, what, "`over` is at most `repeat`");
            return None;
        }
        if end_us > room_us {
            let what = format!("the phase `{}` ends after the next begins", phase.name.value);
            let help = "`repeat`, and `within`, are at least as long as the phases";
            reader.refuse(&phase.name.span, what, help);
            return None;
        }
    }
    Some(())
}

/// No two phases that overlap say what one field holds.
fn check_overrides(reader: &mut Reader<'_>, phases: &[Phase]) {
    for (place, phase) in phases.iter().enumerate() {
        for other in phases[..place].iter().filter(|other| other.may_overlap(phase)) {
            for (stream, field) in phase.fields() {
                if other.fields().any(|(s, f)| s.value == stream.value && f.value == field.value) {
                    let what = format!(
                        "`{}` and `{}` overlap, and both say what `{}` of `{}` holds",
                        other.name.value, phase.name.value, field.value, stream.value
                    );
                    let help = "let one end where the other begins";
                    reader.refuse(&field.span, what, help);
                }
            }
            for (entity, attribute) in phase.attributes() {
                let mut others = other.attributes();
                if others.any(|(e, a)| e.value == entity.value && a.value == attribute.value) {
                    let what = format!(
                        "`{}` and `{}` overlap, and both say what `{}` of `{}` is",
                        other.name.value, phase.name.value, attribute.value, entity.value
                    );
                    let help = "let one end where the other begins";
                    reader.refuse(&attribute.span, what, help);
                }
            }
            if let (Some(_), Some(deferral)) = (&other.deferral, &phase.deferral) {
                let what = format!(
                    "`{}` and `{}` overlap, and both defer events",
                    other.name.value, phase.name.value
                );
                reader.refuse(&deferral.span, what, "let one of them defer");
            }
        }
    }
}
