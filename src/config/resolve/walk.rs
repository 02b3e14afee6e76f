//! Random walks, and the times to read them at.

use super::super::model::{Generator, Given, Moment, Walk};
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, units};
use super::{distribution, traffic};

/// The shortest step.
const STEP_US_MIN: u64 = 1_000;
/// The longest step and offset.
const LONGEST_US: u64 = 366 * 86_400 * 1_000_000;
/// Seconds of a year of 365.25 days.
const YEAR_S: f64 = 31_557_600.0;

/// `{ walk = { start = 100, volatility = "30%/y", … }, digits = 2, min = …, max = … }`.
pub(super) fn walk(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let [min, max] = distribution::limits(reader, section);
    let digits = distribution::digits(reader, section);
    let mut own = reader.section(main)?;
    let kinds = [("geometric", true), ("arithmetic", false)];
    let kind = own.get("kind").map_or(Some(true), |at| reader.one_of(&at, &kinds));
    let start = reader.require(&mut own, "start", "say where it begins: start = 100");
    let start = start.and_then(|at| given(reader, &at, None));
    let help = "say how far it strays in a year: volatility = \"30%/y\"";
    let volatility_at = reader.require(&mut own, "volatility", help);
    let volatility = volatility_at.as_ref().and_then(|at| given(reader, at, Some(libm::sqrt)));
    if let (Some(at), Some(Given::Number(value))) =
        (&volatility_at, volatility.as_ref().map(|it| &it.value))
        && *value < 0.0
    {
        let what = format!("`{}` is below 0", at.path);
        reader.refuse(&at.node.span, what, "a walk that stands still has a volatility of 0");
    }
    let drift = own.get("drift").map(|at| given(reader, &at, Some(|years| years)));
    let step = own.get("step").map_or(Some(1_000_000), |at| step(reader, &at));
    let revert = own.get("revert").map(|at| (reader.duration(&at), at));
    reader.finish(own);
    let revert_us = match revert {
        None => None,
        Some((time, at)) => {
            let time_us = time?.as_micros() as f64;
            if step.is_some_and(|step_us| time_us < step_us as f64) {
                let what = format!("`{}` is shorter than a step", at.path);
                reader.refuse(&at.node.span, what, "a walk comes back over several steps");
                return None;
            }
            Some(time_us)
        }
    };
    let drift = match drift {
        None => None,
        Some(drift) => Some(drift?),
    };
    Some(Generator::Walk(Box::new(Walk {
        name: main.path.trim_end_matches(".walk").to_owned(),
        geometric: kind?,
        start: start?,
        volatility: volatility?,
        drift,
        step_us: step?,
        revert_us,
        digits: digits?,
        min,
        max,
    })))
}

/// A number, text such as `30%/y`, or a path; `scale` says what a year's share of a period is.
fn given(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    scale: Option<fn(f64) -> f64>,
) -> Option<Spanned<Given>> {
    let span = at.node.span.clone();
    if !at.is_text() {
        let number = reader.number(at, &(f64::MIN..=f64::MAX))?;
        return Some(Spanned { value: Given::Number(number), span });
    }
    let text = reader.text(at)?;
    if !text.value.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return Some(Spanned { value: Given::Path(text.value), span: text.span });
    }
    let Some(scale) = scale else {
        let what = format!("`{}` is text, but must be a number or a path", at.path);
        reader.refuse(&text.span, what, "a number stands without quotes");
        return None;
    };
    let number = amount(&text.value, scale);
    if number.is_none() {
        let what = format!("`{}` cannot be read as an amount in a time", text.value);
        reader.refuse(&text.span, what, "write a share and its time: \"30%/y\", \"0.5/d\"");
    }
    Some(Spanned { value: Given::Number(number?), span: text.span })
}

/// `30%/y`, `0.3/y`, `2%/d`: in a year.
fn amount(text: &str, scale: fn(f64) -> f64) -> Option<f64> {
    let (number, years) = match text.split_once('/') {
        None => (text, 1.0),
        Some((number, unit)) => {
            let seconds = match unit.trim() {
                "y" | "year" => YEAR_S,
                unit => units::duration(&format!("1{unit}")).ok()?.as_secs_f64(),
            };
            (number, YEAR_S / seconds)
        }
    };
    let (number, unit) = match number.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (number.trim(), 1.0),
    };
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(number * unit * scale(years))
}

fn step(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    let time = reader.duration(at)?;
    let time_us = u64::try_from(time.as_micros()).ok();
    let found = time_us.filter(|time_us| (STEP_US_MIN..=LONGEST_US).contains(time_us));
    if found.is_none() {
        let what = format!("`{}` is {time:?}, but a step has 1 ms to 366 days", at.path);
        reader.refuse(&at.node.span, what, "a second will do for most");
    }
    found
}

/// `{ highest_of = "symbol.price", from = …, to = … }`, and `lowest_of`.
pub(super) fn extreme(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
    key: &str,
) -> Option<Generator> {
    let from = reader.require(section, "from", "say from when: from = { floor = \"1d\" }");
    let to = reader.require(section, "to", "say until when: to = \"0s\" is the event's time");
    let between = [from, to].map(|at| at.and_then(|at| moment(reader, &at)));
    let path = reader.text(main)?;
    let [Some(from), Some(to)] = between else { return None };
    Some(Generator::Extreme { path, highest: key == "highest_of", between: Box::new([from, to]) })
}

/// `"-1d"`, or `{ floor = "1d", zone = "Europe/Paris", plus = "9h30m" }`.
pub(super) fn moment(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Moment> {
    if at.is_text() {
        return Some(Moment { plus_us: offset(reader, at)?, ..Moment::default() });
    }
    let mut section = reader.section_beside_text(at)?;
    let floor_at = section.get("floor");
    let floor_us = floor_at.as_ref().map(|at| {
        let time = reader.duration(at)?;
        let found = i64::try_from(time.as_micros()).ok().filter(|floor_us| *floor_us > 0);
        if found.is_none() {
            reader.refuse(&at.node.span, format!("`{}` is 0", at.path), "as in floor = \"1d\"");
        }
        found
    });
    let zone = section.get("zone").map(|at| (traffic::zone(reader, &at), at));
    if let (Some((_, at)), None) = (&zone, &floor_at) {
        let what = format!("`{}` decides nothing without a `floor`", at.path);
        reader.refuse(&at.key_span, what, "leave it out, or say what is rounded to");
    }
    let plus = section.get("plus").map(|at| offset(reader, &at));
    reader.finish(section);
    let (floor_us, plus_us) = (all(floor_us)?, all(plus)?.unwrap_or(0));
    let zone = all(zone.map(|(zone, _)| zone))?;
    Some(Moment { floor_us, zone, plus_us })
}

/// What is not there is no mistake; what cannot be read is.
#[expect(clippy::option_option, reason = "the outer one is whether it could be read")]
fn all<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

/// A duration with a sign.
fn offset(reader: &mut Reader<'_>, at: &At<'_>) -> Option<i64> {
    let text = reader.text(at)?;
    let trimmed = text.value.trim();
    let (sign, rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let found = units::duration(rest).ok().and_then(|time| u64::try_from(time.as_micros()).ok());
    let found = found.filter(|time_us| *time_us <= LONGEST_US);
    if found.is_none() {
        let what = format!("`{}` is no time of at most 366 days", text.value);
        reader.refuse(&text.span, what, "write a duration, with `-` in front for earlier: \"-1d\"");
    }
    Some(sign * i64::try_from(found?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_brought_to_a_year() {
        let close = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-9;
        assert!(close(amount("30%/y", libm::sqrt), 0.30));
        assert!(close(amount("0.3", libm::sqrt), 0.30));
        assert!(close(amount("2%/d", libm::sqrt), 0.02 * libm::sqrt(365.25)));
        assert!(close(amount("-0.5/d", |years| years), -0.5 * 365.25));
        assert_eq!(amount("30 apples", libm::sqrt), None);
        assert_eq!(amount("3/blue", libm::sqrt), None);
    }
}
