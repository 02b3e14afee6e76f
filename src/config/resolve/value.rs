//! Values that are named: constants, choices, rows, members, paths and text.

use super::super::model::{Generator, Near, Scalar};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, suggest};
use super::{Names, check_weights, entities, list, tables, walk};

/// The most characters of a random text.
const TEXT_MAX: i128 = 4_096;
/// More values than a choice should have.
const CHOICES_MAX: usize = 65_536;

/// `{ constant = … }`.
pub(super) fn constant(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Generator> {
    let scalar = match at.node.kind {
        Kind::Integer(number) => Scalar::Integer(if let Ok(number) = i64::try_from(number) {
            number
        } else {
            reader.refuse(&at.node.span, format!("`{}` does not fit 64 bits", at.path), "");
            return None;
        }),
        Kind::Real(number) => {
            reader.within(at, number, &(f64::MIN..=f64::MAX)).then_some(Scalar::Real(number))?
        }
        Kind::Boolean(value) => Scalar::Boolean(value),
        Kind::Time(_) => {
            let what =
                format!("`{}` is a time, but must be text, a number, true or false", at.path);
            let help = "put it in quotes; a `date` counts days since 1970, a timestamp its units";
            reader.refuse(&at.node.span, what, help);
            return None;
        }
        Kind::List(_) => {
            reader.wrong_type(at, "text, a number, true or false");
            return None;
        }
        _ => Scalar::Text(reader.text(at)?.value),
    };
    Some(Generator::Constant(scalar))
}

/// `{ choice = { a = 0.8, b = 0.2 } }` or `{ choice = ["a", "b"] }`.
pub(super) fn choice(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Generator> {
    let mut values: Vec<(String, f64)> = Vec::new();
    if at.node.entries().is_some() {
        let section = reader.section(at)?;
        let mut good = true;
        for (entry, at) in section.all() {
            match reader.number(&at, &(f64::MIN..=f64::MAX)) {
                Some(weight) => values.push((entry.key.clone(), weight)),
                None => good = false,
            }
        }
        good.then_some(())?;
    } else {
        for item in reader.list(at)? {
            let plain = match &item.node.kind {
                Kind::Integer(number) => Some(number.to_string()),
                Kind::Real(number) if number.is_finite() => Some(number.to_string()),
                Kind::Boolean(value) => Some(value.to_string()),
                _ => None,
            };
            let text = match plain {
                Some(value) => Spanned { value, span: item.node.span.clone() },
                None => reader.text(&item)?,
            };
            if values.iter().any(|(known, _)| *known == text.value) {
                let what = format!("`{}` is in the list twice", text.value);
                reader.refuse(&text.span, what, "weights are written { a = 2, b = 1 }");
                return None;
            }
            values.push((text.value, 1.0));
        }
    }
    if values.len() > CHOICES_MAX {
        let what = format!("`{}` has {} values, at most {CHOICES_MAX} fit", at.path, values.len());
        reader.refuse(&at.node.span, what, "use a table");
        return None;
    }
    let weights: Vec<f64> = values.iter().map(|(_, weight)| *weight).collect();
    check_weights(reader, &at.path, &at.node.span, &weights).then_some(Generator::Choice(values))
}

/// `{ table = "mccs", weight = "present", column = "code" }`.
pub(super) fn table(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let weight = section.get("weight").and_then(|at| reader.text(&at));
    let column = section.get("column").and_then(|at| reader.text(&at));
    let table = reader.text(main)?;
    let Some(found) = names.tables.iter().find(|known| known.name == table.value) else {
        if !names.all_tables.contains(&table.value) {
            reader.unknown("table", &table, names.all_tables.iter().map(String::as_str));
        }
        return None;
    };
    if let Some(weight) = &weight {
        tables::check_weight(reader, found, weight, &[]);
    }
    Some(Generator::Table { table, weight, column })
}

/// `{ entity = "account", format = "acct-{:010}" }`.
pub(super) fn entity(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let above = section.get("of").and_then(|at| reader.text(&at));
    let Generator::Entity { entity, with, anew, near, format, .. } =
        picked(reader, names, section, main)?
    else {
        return None;
    };
    Some(Generator::Entity { entity, with, anew, of: above, near, format })
}

/// A member that belongs to no other in particular.
pub(super) fn picked(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let mut with = Vec::new();
    let anew = section.has("with");
    if let Some(at) = section.get("with")
        && let Some(wanted) = reader.section(&at)
    {
        for (entry, at) in wanted.all() {
            let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
            if let Some(path) = reader.text(&at) {
                with.push((name, path));
            }
        }
    }
    let (near_at, within_at) = (section.get("near"), section.get("within_km"));
    let near = match (&near_at, &within_at) {
        (None, None) => None,
        (None, Some(within)) => {
            let what = format!("`{}` has a meaning only with `near`", within.path);
            reader.refuse(&within.key_span, what, "add near = \"…\", a path to a row");
            return None;
        }
        (Some(at), _) => Some(Box::new(near(reader, section, at)?)),
    };
    let format = section.get("format").and_then(|at| number_format(reader, &at));
    let entity = entities::known_entity(reader, names, main)?;
    Some(Generator::Entity { entity, with, anew, of: None, near, format })
}

/// `{ near = "account.home", within_km = 30 }`, of itself or of an entity.
pub(super) fn near(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Near> {
    let within_at = reader.require(section, "within_km", "say how far: within_km = 30");
    let within_km = within_at.and_then(|at| reader.number(&at, &(0.001..=20_040.0)));
    let to = reader.text(main);
    Some(Near { to: to?, within_km: within_km?, weight: None })
}

/// `{ attribute = "account.home", column = "name" }`.
pub(super) fn attribute(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let column = section.get("column").and_then(|at| reader.text(&at));
    let format = section.get("format").and_then(|at| number_format(reader, &at));
    let moment = section.get("at").map(|at| walk::moment(reader, &at));
    let path = reader.text(main)?;
    let span = path.span.clone();
    let value = Generator::Attribute { path, column, format };
    match moment {
        None => Some(value),
        Some(moment) => {
            Some(Generator::At { value: Box::new(Spanned { value, span }), moment: moment? })
        }
    }
}

/// Text with one number in braces: `{}`, `{:010}`, `{:x}`, `{:08X}`.
fn number_format(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let format = reader.text(at)?;
    let text = &format.value;
    let inside = text.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        (!before.contains('}') && !after.contains(['{', '}'])).then_some(inside)
    });
    let good = inside.is_some_and(|inside| {
        let width = inside
            .strip_prefix(':')
            .map_or(inside, |form| form.strip_suffix(['x', 'X']).unwrap_or(form));
        let has_form = inside.is_empty() || inside.starts_with(':');
        has_form
            && width.bytes().all(|byte| byte.is_ascii_digit())
            && (width.is_empty() || width.parse::<u8>().is_ok_and(|width| width <= 40))
    });
    if good {
        return Some(format);
    }
    let what = format!("`{text}` is no format for a number");
    reader.refuse(&format.span, what, "the number stands in braces: \"acct-{:010}\", \"{:08x}\"");
    None
}

/// `{ template = "{merchant.name:25}" }`; its paths are read when the plan compiles it.
pub(super) fn template(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Generator> {
    let words = reader.words(at)?;
    let mut open = None;
    let mut reason = None;
    for (index, letter) in words.value.char_indices() {
        match (letter, open) {
            ('{', None) => open = Some(index),
            ('{', Some(_)) => reason = reason.or(Some((index, "a brace inside braces"))),
            ('}', None) => reason = reason.or(Some((index, "a closing brace that nothing opens"))),
            ('}', Some(_)) => open = None,
            _ => {}
        }
    }
    if let Some((index, reason)) =
        reason.or(open.map(|index| (index, "a brace that is never closed")))
    {
        let span = words.inner.map_or(words.span, |base| base + index..base + index + 1);
        let what = format!("`{}` has {reason}", at.path);
        reader.refuse(&span, what, "paths stand in braces: \"{path:25}\"");
        return None;
    }
    Some(Generator::Template(words.value))
}

/// `{ regex = "[0-9a-f]+", length = [8, 16] }`.
pub(super) fn regex(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    at: &At<'_>,
) -> Option<Generator> {
    let length = match section.get("length") {
        Some(at) => Some(list::count_or_bounds(reader, &at, TEXT_MAX)?),
        None => None,
    };
    let words = reader.words(at)?;
    let Err(error) = regex_syntax::parse(&words.value) else {
        return Some(Generator::Regex { pattern: words.value, length });
    };
    let (reason, local) = match &error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        other => (other.to_string(), None),
    };
    let span = match (words.inner, local) {
        (Some(base), Some(local)) => base + local.start.offset..base + local.end.offset,
        _ => words.span,
    };
    reader.refuse(&span, format!("`{}` is no regular expression: {reason}", at.path), "");
    None
}

/// `{ token = "base36", length = 12, of = "card" }`.
pub(super) fn token(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let of = section.get("of").and_then(|at| reader.text(&at));
    let length = reader.require(section, "length", "say how many characters: length = 12");
    let length = length.and_then(|at| reader.whole(&at, &(1..=64)));
    let bases = [("decimal", 10), ("hex", 16), ("base36", 36)];
    let words = reader.words(main)?;
    let Some((_, base)) = bases.iter().find(|(name, _)| *name == words.value) else {
        let help = suggest::way_out(&words.value, bases.map(|(name, _)| name));
        let what = format!("no digits `{}` for a token", words.value);
        reader.refuse(&words.span, what, &help.unwrap_or_default());
        return None;
    };
    Some(Generator::Token { base: *base, length: u8::try_from(length?).ok()?, of })
}
