//! How fast events come: rates, curves and zones.

use jiff::tz::TimeZoneDatabase;

use super::super::input::Files;
use super::super::model::{Curve, Traffic, Zone};
use super::super::raw::{self, Kind};
use super::super::reader::{At, Reader, Section};
use super::super::source::Source;
use super::super::{Spanned, library, suggest};

/// The curves of a model, and the names of those that have mistakes of their own.
#[derive(Debug, Default)]
pub(super) struct Curves {
    pub(super) all: Vec<Curve>,
    named: Vec<String>,
}

impl Curves {
    fn has(&self, name: &str) -> bool {
        self.named.iter().any(|known| known == name) || self.all.iter().any(|c| c.name == name)
    }

    pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        Self { all: curves(reader, at), named: super::names_in(at.node) }
    }
}

/// `[curves.NAME]`.
fn curves(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Curve> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut curves = Vec::new();
    for (entry, at) in section.all() {
        let Some(mut one) = reader.section(&at) else { continue };
        let help = "give 24 numbers, or 168 from Monday 00:00 on";
        let hours = reader.require(&mut one, "hours", help);
        let hours = hours.and_then(|at| hours_of(reader, &at));
        let normalise = one.get("normalise").and_then(|at| reader.boolean(&at)).unwrap_or(true);
        reader.finish(one);
        if let Some(hours) = hours {
            let hours = if normalise { normalised(hours) } else { hours };
            curves.push(Curve { name: entry.key.clone(), hours });
        }
    }
    curves
}

fn hours_of(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<f64>> {
    let items = reader.list(at)?;
    let count = items.len();
    let hours: Option<Vec<f64>> =
        items.iter().map(|item| reader.number(item, &(0.0..=1e9))).collect();
    if !matches!(count, 24 | 168) {
        let what = format!("`{}` has {count} numbers, but must have 24 or 168", at.path);
        reader.refuse(&at.node.span, what, "one for each hour of the day, or of the week");
        return None;
    }
    let hours = hours?;
    if hours.iter().all(|hour| *hour == 0.0) {
        let what = format!("`{}` has only numbers of 0, so nothing would be sent", at.path);
        reader.refuse(&at.node.span, what, "");
        return None;
    }
    Some(hours)
}

/// The same shape with a mean of 1.
fn normalised(hours: Vec<f64>) -> Vec<f64> {
    let mean = hours.iter().sum::<f64>() / hours.len() as f64;
    hours.into_iter().map(|hour| hour / mean).collect()
}

/// `[traffic]`, of the model or of a stream; curves that it needs are added to `curves`.
pub(super) fn traffic(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    curves: &mut Curves,
) -> Option<Traffic> {
    let mut section = reader.section(at)?;
    let rate_per_s = section.get("rate").and_then(|at| reader.rate(&at));
    section.get("arrivals").and_then(|at| reader.one_of(&at, &[("poisson", ())]));
    let named = section.get("curves").map(|at| curve_names(reader, &at, curves));
    let zone = section.get("zone").and_then(|at| zone(reader, &at));
    refuse_later(reader, &mut section);
    reader.finish(section);
    Some(Traffic { rate_per_s, curves: named.unwrap_or_default(), zone })
}

fn refuse_later(reader: &mut Reader<'_>, section: &mut Section<'_>) {
    if let Some(at) = section.has("scenario").then(|| section.get("scenario")).flatten() {
        reader.refuse(&at.key_span, "scenarios are not known yet", "");
    }
}

fn curve_names(reader: &mut Reader<'_>, at: &At<'_>, curves: &mut Curves) -> Vec<Spanned<String>> {
    // One curve needs no list around its name.
    let items = if at.is_text() { vec![at.clone()] } else { reader.list(at).unwrap_or_default() };
    // A list of numbers is one curve, and most likely meant as such.
    if items.first().is_some_and(|item| matches!(item.node.kind, Kind::Integer(_) | Kind::Real(_)))
    {
        return inline(reader, at, curves).into_iter().collect();
    }
    let mut names = Vec::new();
    for item in items {
        if matches!(item.node.kind, Kind::List(_)) {
            names.extend(inline(reader, &item, curves));
        } else if let Some(name) = reader.text(&item) {
            if curves.has(&name.value) {
                names.push(name);
            } else if let Some(curve) = library_curves().into_iter().find(|c| c.name == name.value)
            {
                curves.all.push(curve);
                names.push(name);
            } else {
                let library: Vec<Curve> = library_curves();
                let library = library.iter().map(|curve| &curve.name);
                let known: Vec<&str> =
                    curves.named.iter().chain(library).map(String::as_str).collect();
                reader.unknown("curve", &name, known.iter().copied());
            }
        }
    }
    names
}

fn inline(reader: &mut Reader<'_>, at: &At<'_>, curves: &mut Curves) -> Option<Spanned<String>> {
    let hours = hours_of(reader, at)?;
    curves.all.push(Curve { name: at.path.clone(), hours: normalised(hours) });
    Some(Spanned { value: at.path.clone(), span: at.node.span.clone() })
}

/// The curves that come with the program.
fn library_curves() -> Vec<Curve> {
    let text = library::open(library::CURVES).unwrap_or("");
    let mut reader = Reader {
        source: Source::default(),
        mistakes: Vec::new(),
        warnings: Vec::new(),
        files: Files::BuiltIn("config".to_owned()),
        environment: &|_| None,
    };
    let Ok(root) = raw::parse(text, 0) else { return Vec::new() };
    let top = At { path: String::new(), key_span: 0..0, node: &root };
    let Some(mut top) = reader.section(&top) else { return Vec::new() };
    let found = top.get("curves").map(|at| curves(&mut reader, &at)).unwrap_or_default();
    assert!(reader.mistakes.is_empty(), "the built-in curves have mistakes: {:?}", reader.mistakes);
    found
}

/// A zone's name, or `{ attribute = "account.home.zone" }`.
pub(super) fn zone(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Zone>> {
    if !at.is_text() {
        let mut section = reader.section_beside_text(at)?;
        let path = reader.require(&mut section, "attribute", "name a path to a column of zones");
        let path = path.and_then(|at| reader.text(&at));
        reader.finish(section);
        return path.map(|path| Spanned { value: Zone::Attribute(path.value), span: path.span });
    }
    zone_name(reader, at).map(|name| Spanned { value: Zone::Named(name.value), span: name.span })
}

/// The name of a zone that there is.
pub(super) fn zone_name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let name = reader.text(at)?;
    // The zones that come with the program, so that a model means the same on every machine.
    let zones = TimeZoneDatabase::bundled();
    if zones.get(&name.value).is_ok() {
        return Some(name);
    }
    let known: Vec<String> = zones.available().map(|zone| zone.as_str().to_owned()).collect();
    let near = suggest::nearest(&name.value, known.iter().map(String::as_str));
    let help = near.map_or_else(
        || "give an IANA name such as \"Europe/Paris\", or \"UTC\"".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    reader.refuse(&name.span, format!("`{}`: no time zone `{}`", at.path, name.value), &help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str) -> Vec<f64> {
        library_curves().into_iter().find(|curve| curve.name == name).unwrap().hours
    }

    #[test]
    fn the_week_of_cards_is_as_the_domain_says() {
        let hours = curve("card_week");
        assert_eq!(hours.len(), 168);
        let total: f64 = hours.iter().sum();
        assert!((total / 168.0 - 1.0).abs() < 1e-12, "mean {}", total / 168.0);
        let (busiest, quietest) = (5 * 24 + 12, 3);
        for (hour, value) in hours.iter().enumerate() {
            assert!(hour == busiest || *value < hours[busiest], "hour {hour} is as busy");
            assert!(hour == quietest || *value > hours[quietest], "hour {hour} is as quiet");
        }
        let saturday: f64 = hours[5 * 24 + 10..5 * 24 + 17].iter().sum();
        assert!((saturday / total - 0.115).abs() < 1e-6, "Saturday 10-17 {}", saturday / total);
    }

    #[test]
    fn the_day_of_mobile_money_has_the_shares_of_its_source() {
        let hours = curve("mobile_money_day");
        assert_eq!(hours.len(), 24);
        let total: f64 = hours.iter().sum();
        assert!((total / 24.0 - 1.0).abs() < 1e-12);
        assert!((hours[19] / total - 0.1294).abs() < 1e-4);
        assert!(hours[4].abs() < 1e-12);
    }
}
