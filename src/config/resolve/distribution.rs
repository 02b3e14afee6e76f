//! Numbers at random: ranges, distributions and chances.

use super::super::model::{Generator, MixturePart, Parameter, Shape};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, units};
use super::shape;

/// The most digits after the point that a drawn number can have.
const DIGITS_MAX: i128 = 6;

/// `{ uniform = [0, 9999] }`, with decimals `{ uniform = [0.5, 9.5], digits = 1 }`; what has other
/// keys besides is a distribution.
pub(super) fn uniform(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    // All are asked for, so that a key that is not known is told which there are.
    let besides = ["by", "min", "max", "round"].map(|key| section.get(key).is_some());
    if besides.contains(&true) {
        return distribution(reader, section, main, "uniform");
    }
    let digits = digits(reader, section)?;
    let items = reader.list(main)?;
    let [least, most] = &items[..] else {
        let what = format!("`{}` has {} numbers, but must have 2", main.path, items.len());
        reader.refuse(&main.node.span, what, "the least and the greatest: [0, 9999]");
        return None;
    };
    let has_point = items.iter().any(|item| matches!(item.node.kind, Kind::Real(_)));
    let (min, max) = if digits == 0 && !has_point {
        let range = i128::from(i32::MIN)..=i128::from(u32::MAX);
        let (min, max) = (reader.whole(least, &range), reader.whole(most, &range));
        (i64::try_from(min?).ok()?, i64::try_from(max?).ok()?)
    } else {
        let (min, max) = (units_of(reader, least, digits), units_of(reader, most, digits));
        (min?, max?)
    };
    if min > max {
        let unit = 10_f64.powi(i32::from(digits));
        let (min, max) = (min as f64 / unit, max as f64 / unit);
        let what = format!("`{}` goes from {min} down to {max}", main.path);
        reader.refuse(&main.node.span, what, "write the least number first");
        return None;
    }
    if max - min > i64::from(u32::MAX) || min < 0 && max > i64::from(i32::MAX) {
        let what = format!("`{}` spans more than 32 bits", main.path);
        let help = if digits == 0 {
            "from −2147483648 to 2147483647, or 0 to 4294967295"
        } else {
            "narrow the range, or set fewer `digits`"
        };
        reader.refuse(&main.node.span, what, help);
        return None;
    }
    Some(Generator::Uniform { min, max, digits })
}

/// A number times 10^digits, which must be whole.
pub(super) fn units_of(reader: &mut Reader<'_>, at: &At<'_>, digits: u8) -> Option<i64> {
    // So that the difference of two of them stays within 64 bits, and is exact in a double.
    const LIMIT: f64 = (1_u64 << 52) as f64;
    let number = reader.number(at, &(f64::MIN..=f64::MAX))?;
    let scaled = number * 10_f64.powi(i32::from(digits));
    let whole = libm::round(scaled);
    if (scaled - whole).abs() > 1e-6 {
        let what = format!("`{}` is {number}, which has more than {digits} digits", at.path);
        reader.refuse(&at.node.span, what, "say how many stand after the point: digits = 2");
        return None;
    }
    if whole.abs() > LIMIT {
        let what = format!("`{}` is {number}, beyond 2^52 units of its last digit", at.path);
        reader.refuse(&at.node.span, what, "set fewer `digits`");
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the limit")]
    let whole = whole as i64;
    Some(whole)
}

pub(super) fn digits(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<u8> {
    let digits = section.get("digits").map_or(Some(0), |at| reader.whole(&at, &(0..=DIGITS_MAX)));
    u8::try_from(digits?).ok()
}

/// What a number is pulled in to: `min` and `max`.
pub(super) fn limits(reader: &mut Reader<'_>, section: &mut Section<'_>) -> [Option<f64>; 2] {
    let everything = f64::MIN..=f64::MAX;
    let min_at = section.get("min");
    let min = min_at.as_ref().and_then(|at| reader.number(at, &everything));
    let max = section.get("max").and_then(|at| reader.number(&at, &everything));
    if let (Some(min), Some(max), Some(at)) = (min, max, min_at)
        && min > max
    {
        let what = format!("`{}` is {min}, above the `max` of {max}", at.path);
        reader.refuse(&at.node.span, what, "");
    }
    [min, max]
}

/// `{ lognormal = { … } }` and the other shapes, or a `mixture`, with `by`, `min`, `max`, `digits`
/// and `round`.
pub(super) fn distribution(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
    key: &str,
) -> Option<Generator> {
    let by = section.get("by").and_then(|at| reader.text(&at));
    let [min, max] = limits(reader, section);
    let digits = digits(reader, section);
    let reads = shape::Reads { has_row: section.has("by"), digits: digits.unwrap_or(0) };
    let round_at = section.get("round");
    let round = round_at.as_ref().and_then(|at| {
        let step = reader.positive(at)?;
        units_of(reader, at, reads.digits).map(|_| step)
    });
    let parts = if key == "mixture" {
        mixture(reader, main, reads)
    } else {
        let shape = shape::shape(reader, main, key, reads);
        shape.map(|shape| vec![MixturePart { weight: 1.0, shape }])
    };
    if round_at.is_some() {
        round?;
    }
    if let Some([MixturePart { shape: Shape::Uniform { min: least, max: most }, .. }]) =
        parts.as_deref()
        && let (Parameter::Number(least), Parameter::Number(most)) = (&least.value, &most.value)
    {
        let above = section.get("min").filter(|_| min.is_some_and(|min| min > *most));
        let below = section.get("max").filter(|_| max.is_some_and(|max| max < *least));
        if let Some(at) = above.or(below) {
            let what = format!("`{}` leaves nothing of {least} to {most}", at.path);
            reader.refuse(&at.node.span, what, "every value would be pulled to this one");
            return None;
        }
    }
    Some(Generator::Distribution { parts: parts?, by, min, max, digits: digits?, round })
}

fn mixture(reader: &mut Reader<'_>, at: &At<'_>, reads: shape::Reads) -> Option<Vec<MixturePart>> {
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
            shape::KEYS.iter().filter_map(|key| Some((*key, section.get(key)?))).collect();
        let shape = if let [(key, at)] = &found[..] {
            shape::shape(reader, at, key, reads)
        } else {
            let what = format!("`{}` must have one distribution", section.path);
            let help = format!("one of: {}", shape::KEYS.join(", "));
            reader.refuse(&item.node.span, what, &help);
            None
        };
        reader.finish(section);
        if let (Some(weight), Some(shape)) = (weight, shape) {
            parts.push(MixturePart { weight, shape });
        }
    }
    (parts.len() == items.len()).then_some(parts)
}

/// A number, or a column of the row that `by` leads to.
pub(super) fn parameter(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    has_row: bool,
) -> Option<Spanned<Parameter>> {
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

/// A parameter that must be above 0, as far as it is a number.
pub(super) fn positive(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    has_row: bool,
) -> Option<Spanned<Parameter>> {
    if matches!(at.node.kind, Kind::Integer(_) | Kind::Real(_)) {
        let value = Parameter::Number(reader.positive(at)?);
        return Some(Spanned { value, span: at.node.span.clone() });
    }
    parameter(reader, at, has_row)
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
