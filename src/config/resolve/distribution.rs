//! Numbers at random: ranges, distributions and chances.

use super::super::model::{Generator, MixturePart, Parameter, Shape};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, units};

/// The most digits after the point that a drawn number can have.
const DIGITS_MAX: i128 = 6;

/// `{ uniform = [0, 9999] }`.
pub(super) fn uniform(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Generator> {
    let items = reader.list(at)?;
    let [least, most] = &items[..] else {
        let what = format!("`{}` has {} numbers, but must have 2", at.path, items.len());
        reader.refuse(&at.node.span, what, "the least and the greatest: [0, 9999]");
        return None;
    };
    let range = i128::from(i32::MIN)..=i128::from(u32::MAX);
    let min = reader.whole(least, &range);
    let max = reader.whole(most, &range);
    let (min, max) = (min?, max?);
    if min > max {
        let what = format!("`{}` goes from {min} down to {max}", at.path);
        reader.refuse(&at.node.span, what, "write the least number first");
        return None;
    }
    if max - min > i128::from(u32::MAX) || min < 0 && max > i128::from(i32::MAX) {
        let what = format!("`{}` spans more than 32 bits", at.path);
        reader.refuse(&at.node.span, what, "from −2147483648 to 2147483647, or 0 to 4294967295");
        return None;
    }
    Some(Generator::Uniform { min: i64::try_from(min).ok()?, max: i64::try_from(max).ok()? })
}

/// What a number is pulled in to, and rounded to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) digits: u8,
}

/// `min`, `max` and `digits`.
pub(super) fn bounds(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Bounds> {
    let everything = f64::MIN..=f64::MAX;
    let min_at = section.get("min");
    let min = min_at.as_ref().and_then(|at| reader.number(at, &everything));
    let max = section.get("max").and_then(|at| reader.number(&at, &everything));
    let digits = section.get("digits").map_or(Some(0), |at| reader.whole(&at, &(0..=DIGITS_MAX)));
    if let (Some(min), Some(max), Some(at)) = (min, max, min_at)
        && min > max
    {
        let what = format!("`{}` is {min}, above the `max` of {max}", at.path);
        reader.refuse(&at.node.span, what, "");
    }
    Some(Bounds { min, max, digits: u8::try_from(digits?).ok()? })
}

/// `{ lognormal = { … } }`, `normal`, `exponential` or `mixture`, with `by`, `min`, `max`, `digits`.
pub(super) fn distribution(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
    key: &str,
) -> Option<Generator> {
    let by = section.get("by").and_then(|at| reader.text(&at));
    let bounds = bounds(reader, section);
    let has_row = section.has("by");
    let parts = if key == "mixture" {
        mixture(reader, main, has_row)
    } else {
        shape(reader, main, key, has_row).map(|shape| vec![MixturePart { weight: 1.0, shape }])
    };
    let Bounds { min, max, digits } = bounds?;
    Some(Generator::Distribution { parts: parts?, by, min, max, digits })
}

fn mixture(reader: &mut Reader<'_>, at: &At<'_>, has_row: bool) -> Option<Vec<MixturePart>> {
    const SHAPES: [&str; 3] = ["lognormal", "normal", "exponential"];
    let items = reader.list(at)?;
    if items.is_empty() {
        let help = "list parts: { weight = 0.6, lognormal = { … } }";
        reader.refuse(&at.node.span, format!("`{}` is empty", at.path), help);
        return None;
    }
    let mut parts = Vec::new();
    for item in &items {
        let Some(mut section) = reader.section(item) else { continue };
        let help = "say its share: weight = 0.6";
        let weight = reader.require(&mut section, "weight", help);
        let weight = weight.and_then(|at| reader.positive(&at));
        let found: Vec<(&str, At<'_>)> =
            SHAPES.iter().filter_map(|key| Some((*key, section.get(key)?))).collect();
        let shape = if let [(key, at)] = &found[..] {
            shape(reader, at, key, has_row)
        } else {
            let what = format!("`{}` must have one distribution", section.path);
            reader.refuse(&item.node.span, what, "one of: lognormal, normal, exponential");
            None
        };
        reader.finish(section);
        if let (Some(weight), Some(shape)) = (weight, shape) {
            parts.push(MixturePart { weight, shape });
        }
    }
    (parts.len() == items.len()).then_some(parts)
}

fn shape(reader: &mut Reader<'_>, at: &At<'_>, key: &str, has_row: bool) -> Option<Shape> {
    let mut section = reader.section(at)?;
    let mut parameter = |reader: &mut Reader<'_>, name: &'static str, above_zero: bool| {
        let at = reader.require(&mut section, name, "")?;
        let parameter = if above_zero && matches!(at.node.kind, Kind::Integer(_) | Kind::Real(_)) {
            let value = Parameter::Number(reader.positive(&at)?);
            Some(Spanned { value, span: at.node.span.clone() })
        } else {
            parameter(reader, &at, has_row)
        }?;
        Some(parameter)
    };
    let shape = match key {
        "lognormal" => {
            let median = parameter(reader, "median", true);
            let sigma = parameter(reader, "sigma", true);
            median.zip(sigma).map(|(median, sigma)| Shape::Lognormal { median, sigma })
        }
        "normal" => {
            let mean = parameter(reader, "mean", false);
            let sd = parameter(reader, "sd", true);
            mean.zip(sd).map(|(mean, sd)| Shape::Normal { mean, sd })
        }
        _ => parameter(reader, "mean", true).map(|mean| Shape::Exponential { mean }),
    };
    reader.finish(section);
    shape
}

/// A number, or a column of the row that `by` leads to.
fn parameter(reader: &mut Reader<'_>, at: &At<'_>, has_row: bool) -> Option<Spanned<Parameter>> {
    if !at.is_text() {
        let number = reader.number(at, &(f64::MIN..=f64::MAX))?;
        return Some(Spanned { value: Parameter::Number(number), span: at.node.span.clone() });
    }
    let column = reader.text(at)?;
    if !has_row {
        let name = &column.value;
        let what = format!("`{}` names the column `{name}`, but no row to read it from", at.path);
        let help = if units::count(name).is_ok() {
            "a number stands without quotes"
        } else {
            "add by = \"…\", a path to the row of a table"
        };
        reader.refuse(&column.span, what, help);
        return None;
    }
    Some(Spanned { value: Parameter::Column(column.value), span: column.span })
}

/// `{ chance = 0.02 }`, or of a column.
pub(super) fn chance(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let by = section.get("by").and_then(|at| reader.text(&at));
    let probability = parameter(reader, main, section.has("by"))?;
    if let Parameter::Number(number) = probability.value {
        reader.within(main, number, &(0.0..=1.0)).then_some(())?;
    }
    Some(Generator::Chance { probability, by })
}
