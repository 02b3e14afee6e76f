//! Curves: multipliers by local time, the model's own and those that come with the program.

use std::ops::RangeInclusive;

use super::super::input::Files;
use super::super::model::{CalendarDate, Curve, CurveShape, Join};
use super::super::raw::{self, Kind};
use super::super::reader::{At, Reader, Section};
use super::super::source::Source;
use super::super::{Spanned, library};
use super::formula;

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
        if let Some(shape) = shape(reader, &mut one, &at) {
            curves.push(Curve { name: entry.key.clone(), shape });
        }
        reader.finish(one);
    }
    curves
}

/// `hours = […]`, `days = { 1 = 1.5, -1 = 2 }` or `dates = { "12-24" = 2 }`.
fn shape(reader: &mut Reader<'_>, one: &mut Section<'_>, at: &At<'_>) -> Option<CurveShape> {
    let normalise = one.get("normalise");
    let normalises = normalise.as_ref().and_then(|at| reader.boolean(at)).unwrap_or(true);
    let join = one.get("join");
    let joins = [("steps", Join::Steps), ("lines", Join::Lines)];
    let joined = join.as_ref().and_then(|at| reader.one_of(at, &joins)).unwrap_or(Join::Steps);
    let given = ["hours", "days", "dates", "expression"].map(|key| (key, one.get(key)));
    let mut given = given.into_iter().filter_map(|(key, at)| Some((key, at?)));
    let Some((key, value)) = given.next() else {
        let what = format!("`{}` says nothing of hours, days or dates", at.path);
        let help = "give hours = [24 numbers, or 168 from Monday 00:00 on], days = { 1 = 1.5, -1 = 2 }, \
                    dates = { \"12-24\" = 2 }, or expression = \"1 + 0.5 * sin(2 * pi * hours / 24)\"";
        reader.refuse(&at.key_span, what, help);
        return None;
    };
    if let Some((other, second)) = given.next() {
        let what = format!("a curve goes by `{key}` or by `{other}`, not by both");
        reader.refuse(&second.key_span, what, "make two curves: they are multiplied");
        return None;
    }
    if let Some(join) = join.filter(|_| key != "hours") {
        reader.refuse(&join.key_span, "only hours are joined", "leave `join` out");
    }
    match key {
        "hours" => {
            let values = hours_of(reader, &value)?;
            let values = if normalises { normalised(values) } else { values };
            Some(CurveShape::Hours { values, join: joined })
        }
        "days" => {
            let mut curve = CurveShape::Days { values: days(reader, &value)?, others: 1.0 };
            let mean = if normalises { mean_of_days(&curve) } else { 1.0 };
            if let (true, CurveShape::Days { others, .. }) = (mean > 0.0, &mut curve) {
                *others = 1.0 / mean;
            }
            Some(curve)
        }
        _ => {
            if let Some(normalise) = normalise.filter(|_| normalises) {
                let (what, help) = match key {
                    "dates" => ("dates have no mean", "leave `normalise` out: other dates count 1"),
                    _ => ("a formula counts as it is written", "leave `normalise` out"),
                };
                reader.refuse(&normalise.key_span, what, help);
            }
            if key == "expression" {
                return formula::formula(reader, &value, false).map(CurveShape::Formula);
            }
            Some(CurveShape::Dates(dates(reader, &value)?))
        }
    }
}

/// What a day or a date is multiplied by.
const VALUES: RangeInclusive<f64> = 0.0..=1e9;

/// Days of the month, from either end.
fn days(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<(i8, f64)>> {
    let mut days = Vec::new();
    for (entry, at) in reader.section(at)?.all() {
        let Some(day) = entry.key.parse().ok().filter(|day: &i8| matches!(day, 1..=31 | -31..=-1))
        else {
            let what = format!("`{}` is no day of a month", entry.key);
            reader.refuse(
                &entry.key_span,
                what,
                "write 1 to 31, or -1 for the last day, -2 for the one before",
            );
            return None;
        };
        days.push((day, reader.number(&at, &VALUES)?));
    }
    Some(days)
}

/// The mean over four years, one of them a leap year.
fn mean_of_days(days: &CurveShape) -> f64 {
    let first = jiff::civil::date(2025, 1, 1);
    let (mut sum, mut count) = (0.0, 0);
    for date in first.series(jiff::ToSpan::day(1)).take(4 * 365 + 1) {
        let from_end = date.days_in_month() - date.day();
        sum += days.on((date.year(), date.month(), date.day()), from_end);
        count += 1;
    }
    sum / f64::from(count)
}

/// Dates of every year, `"12-24"`, or of one, `"2026-12-24"`.
fn dates(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<(CalendarDate, f64)>> {
    let mut dates = Vec::new();
    for (entry, at) in reader.section(at)?.all() {
        let every_year = entry.key.len() == 5;
        // A leap year has every date.
        let text = if every_year { format!("2028-{}", entry.key) } else { entry.key.clone() };
        let Ok(date) = text.parse::<jiff::civil::Date>() else {
            let what = format!("`{}` is not a date", entry.key);
            reader.refuse(
                &entry.key_span,
                what,
                "write \"12-24\" for every year, or \"2026-12-24\"",
            );
            return None;
        };
        let year = (!every_year).then_some(date.year());
        let date = CalendarDate { year, month: date.month(), day: date.day() };
        dates.push((date, reader.number(&at, &VALUES)?));
    }
    Some(dates)
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

/// The names of curves; those that come with the program are added.
pub(super) fn curve_names(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    curves: &mut Curves,
) -> Vec<Spanned<String>> {
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
    let shape = CurveShape::Hours { values: normalised(hours), join: Join::Steps };
    curves.all.push(Curve { name: at.path.clone(), shape });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str) -> Vec<f64> {
        let found = library_curves().into_iter().find(|curve| curve.name == name).unwrap();
        let CurveShape::Hours { values, .. } = found.shape else { panic!("no hours") };
        values
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
