//! How fast events come: rates and zones.

use jiff::tz::TimeZoneDatabase;

use super::super::model::{Arrivals, Traffic, Zone};
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, suggest, units};
use super::curves::{self, Curves};
use super::scenario;

/// `[traffic]`, of the model or of a stream; curves that it needs are added to `known`.
pub(super) fn traffic(reader: &mut Reader<'_>, at: &At<'_>, known: &mut Curves) -> Option<Traffic> {
    let mut section = reader.section(at)?;
    let rate = section.get("rate");
    let rate_per_s = rate.as_ref().and_then(|at| reader.rate(at));
    let hourly = rate.filter(|_| rate_per_s.is_some());
    let hourly = hourly.and_then(|at| reader.unit(&at, units::rate_per_hour));
    let ways = [("poisson", Arrivals::Poisson), ("exact", Arrivals::Exact)];
    let arrivals = section.get("arrivals").and_then(|at| reader.one_of(&at, &ways));
    let intensity = section.get("intensity").and_then(|at| scenario::intensity(reader, &at));
    let named = section.get("curves").map(|at| curves::curve_names(reader, &at, known));
    let bounds = bounds(reader, &mut section);
    let zone = section.get("zone").and_then(|at| zone(reader, &at));
    let scenario = section.get("scenario");
    if let Some(scenario) = scenario.filter(|at| at.path != "traffic.scenario") {
        let what = "a scenario is of the model, not of one stream";
        let help = "name it in [traffic]; a phase may say what holds for single streams";
        reader.refuse(&scenario.key_span, what, help);
    }
    reader.finish(section);
    let (floor, cap) = bounds?;
    Some(Traffic {
        rate_per_s,
        rate_per_hour: hourly.map(|rate| rate.value),
        arrivals,
        intensity,
        curves: named.unwrap_or_default(),
        floor,
        cap,
        zone,
    })
}

/// Between what the product of the curves stays: `floor`, `cap`.
fn bounds(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<(f64, f64)> {
    let floor = section.get("floor");
    let cap = section.get("cap");
    let number = |reader: &mut Reader<'_>, at: &At<'_>| reader.number(at, &(0.0..=1e9));
    let least = floor.as_ref().map_or(Some(0.0), |at| number(reader, at))?;
    let most = cap.as_ref().map_or(Some(f64::INFINITY), |at| number(reader, at))?;
    if let (true, Some(at)) = (least > most || most <= 0.0, cap) {
        let what = format!("`{}` is {most}, but must be above 0 and not below `floor`", at.path);
        reader.refuse(&at.node.span, what, "the product of the curves stays between the two");
        return None;
    }
    Some((least, most))
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
