//! Values made of others: records, arrays, maps, one of several kinds, and bytes.

use super::super::Spanned;
use super::super::model::{Alternative, Field, Generator, Scalar};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::{Names, check_weights, generator};

/// Items that all lists of one row may have together: their number takes 14 bits of a counter.
const ITEMS_MAX: i128 = 16_384;
/// The most random bytes of one value.
const BYTES_MAX: i128 = 4_096;

/// `{ record = { sku = …, quantity = … } }`.
pub(super) fn record(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let section = reader.section(main)?;
    let mut fields = Vec::new();
    let mut good = true;
    for (entry, at) in section.all() {
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        match generator::field(reader, names, &at) {
            Some(generator) => fields.push(Field { name, generator }),
            None => good = false,
        }
    }
    good.then_some(Generator::Record(fields))
}

/// `{ array = <generator>, length = 3 }`.
pub(super) fn array(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let length = length(reader, names, section);
    let item = generator::field(reader, names, main)?;
    Some(Generator::Array { item: Box::new(item), length: Box::new(length?) })
}

/// `{ map = <generator>, keys = <generator>, length = [0, 5] }`.
pub(super) fn map(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let length = length(reader, names, section);
    let help = "say what the keys are: keys = { choice = [\"a\", \"b\"] }";
    let key = reader.require(section, "keys", help);
    let key = key.and_then(|at| generator::field(reader, names, &at));
    let value = generator::field(reader, names, main)?;
    Some(Generator::Map { key: Box::new(key?), value: Box::new(value), length: Box::new(length?) })
}

/// `length = 3`, `length = [0, 5]` or `length = <generator>`.
fn length(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
) -> Option<Spanned<Generator>> {
    let help = "say how many items there are: length = 3, or length = [0, 5]";
    let at = reader.require(section, "length", help)?;
    let span = at.node.span.clone();
    let whole = |value: i128| i64::try_from(value).ok();
    let value = match at.node.kind {
        Kind::Integer(_) => {
            let length = reader.whole(&at, &(0..=ITEMS_MAX))?;
            Generator::Constant(Scalar::Integer(whole(length)?))
        }
        Kind::List(_) => {
            let (min, max) = bounds(reader, &at, ITEMS_MAX)?;
            Generator::Uniform { min: whole(min)?, max: whole(max)?, digits: 0 }
        }
        _ => return generator::field(reader, names, &at),
    };
    Some(Spanned { value, span })
}

/// `[least, most]`.
fn bounds(reader: &mut Reader<'_>, at: &At<'_>, limit: i128) -> Option<(i128, i128)> {
    let items = reader.list(at)?;
    let [least, most] = &items[..] else {
        let what = format!("`{}` has {} numbers, but must have 2", at.path, items.len());
        reader.refuse(&at.node.span, what, "the least and the greatest: [0, 5]");
        return None;
    };
    let (min, max) = (reader.whole(least, &(0..=limit)), reader.whole(most, &(0..=limit)));
    let (min, max) = (min?, max?);
    if min > max {
        let what = format!("`{}` goes from {min} down to {max}", at.path);
        reader.refuse(&at.node.span, what, "write the least number first");
        return None;
    }
    Some((min, max))
}

/// `3` or `[least, most]`.
pub(super) fn count_or_bounds(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    limit: i128,
) -> Option<(u16, u16)> {
    let (min, max) = if matches!(at.node.kind, Kind::List(_)) {
        bounds(reader, at, limit)?
    } else {
        let count = reader.whole(at, &(0..=limit))?;
        (count, count)
    };
    Some((u16::try_from(min).ok()?, u16::try_from(max).ok()?))
}

/// `{ bytes = 16 }` or `{ bytes = [8, 16] }`.
pub(super) fn bytes(reader: &mut Reader<'_>, main: &At<'_>) -> Option<Generator> {
    let (min, max) = count_or_bounds(reader, main, BYTES_MAX)?;
    Some(Generator::Bytes { min, max })
}

/// `{ any = [{ weight = 3, value = <generator> }, …] }`, or a list of generators.
pub(super) fn any(reader: &mut Reader<'_>, names: &Names<'_>, main: &At<'_>) -> Option<Generator> {
    let items = reader.list(main)?;
    let mut alternatives = Vec::new();
    for item in &items {
        let wrapped = item.node.get("value").is_some();
        let alternative = if wrapped {
            weighted(reader, names, item)
        } else {
            let generator = generator::field(reader, names, item);
            generator.map(|generator| Alternative { weight: 1.0, branch: None, generator })
        };
        alternatives.extend(alternative);
    }
    if alternatives.len() < items.len() {
        return None;
    }
    let weights: Vec<f64> = alternatives.iter().map(|one| one.weight).collect();
    check_weights(reader, &main.path, &main.node.span, &weights)
        .then_some(Generator::Any(alternatives))
}

/// `{ weight = 3, branch = "long", value = <generator> }`.
fn weighted(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Option<Alternative> {
    let mut section = reader.section(at)?;
    let weight = match section.get("weight") {
        Some(at) => reader.number(&at, &(f64::MIN..=f64::MAX)),
        None => Some(1.0),
    };
    let branch = match section.get("branch") {
        Some(at) => Some(reader.text(&at)?),
        None => None,
    };
    let generator = section.get("value").and_then(|at| generator::field(reader, names, &at));
    reader.finish(section);
    Some(Alternative { weight: weight?, branch, generator: generator? })
}
