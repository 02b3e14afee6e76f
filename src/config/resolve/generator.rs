//! Generators: which one a value names, and what holds for all of them.

use super::super::expression::{self, Standing};
use super::super::model::{Expression, Generator, Near, Scalar};
use super::super::raw::{Kind, Node};
use super::super::reader::{At, Reader, Section};
use super::super::{Span, Spanned, generators, suggest};
use super::{Names, counter, distribution, list, occasion, periods, value, walk, words};

/// Whether a table is meant as a generator, and not as fields inside a field.
pub(super) fn is_meant(node: &Node) -> bool {
    node.entries().is_some_and(|entries| {
        entries.iter().any(|entry| generators::telling().any(|key| key == entry.key))
    })
}

/// The generator of a field or a let.
pub(super) fn field(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Spanned<Generator>> {
    read(reader, names, at, false).map(|(generator, _)| generator)
}

/// What holds for attributes alone.
#[derive(Debug, Default)]
pub(super) struct OfAttribute {
    /// Whether members are dealt out by it.
    pub(super) dealt: bool,
    /// How often it changes.
    pub(super) changes_us: Option<Spanned<u64>>,
}

/// The generator of an attribute, and what holds for attributes alone.
pub(super) fn attribute(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<(Spanned<Generator>, OfAttribute)> {
    read(reader, names, at, true)
}

fn read(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    of_attribute: bool,
) -> Option<(Spanned<Generator>, OfAttribute)> {
    let span = at.node.span.clone();
    if at.is_text() {
        return Some((Spanned { value: bare(reader, at)?, span }, OfAttribute::default()));
    }
    if at.node.entries().is_none() {
        let noun = at.node.noun();
        let what = format!("`{}` is {noun}, but must be a generator", at.path);
        let help = match at.node.kind {
            Kind::List(_) => "a choice among values is { choice = […] }",
            _ => "a value that is always the same is { constant = … }",
        };
        reader.refuse(&span, what, help);
        return None;
    }
    let mut section = reader.section(at)?;
    let key = only_key(reader, &section, at)?;
    let generator = by_key(reader, names, &mut section, key);
    let generator = occasion::with_once(reader, &mut section, generator);
    let generator = with_condition(reader, names, &mut section, generator);
    let own = if of_attribute {
        of_attribute_alone(reader, &mut section, key)
    } else {
        refuse_of_attribute(reader, &mut section);
        OfAttribute::default()
    };
    reader.finish(section);
    Some((Spanned { value: generator?, span }, own))
}

fn of_attribute_alone(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &str,
) -> OfAttribute {
    let dealt_at = section.get("dealt");
    let dealt = dealt_at.as_ref().and_then(|at| reader.boolean(at)).unwrap_or(false);
    let changes = section.get("changes");
    let changes_us = changes.as_ref().and_then(|at| periods::period(reader, at, 1));
    if let Some(dealt_at) = dealt_at.filter(|_| dealt) {
        check_dealt(reader, &dealt_at, key, section.has("when"));
        if let Some(changes) = changes {
            let what = "an attribute that is dealt out cannot change";
            let help = "members are found by it: draw it for each member, without `dealt`";
            reader.refuse(&changes.key_span, what, help);
        }
    }
    if let ("walk", Some(changes)) = (key, section.get("changes")) {
        let what = "a walk changes all the time";
        reader.refuse(&changes.key_span, what, "leave `changes` out");
    }
    OfAttribute { dealt, changes_us }
}

fn bare(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Generator> {
    let name = reader.text(at)?;
    match name.value.as_str() {
        "identity" => Some(Generator::Identity),
        "event_time" => Some(Generator::EventTime),
        "sibling" => Some(Generator::Sibling),
        "null" => Some(Generator::Constant(Scalar::Null)),
        other => {
            let constant = format!("{{ constant = \"{other}\" }}");
            if let Some(words) = words::bare(other) {
                return Some(words);
            }
            let help = if matches!(other, "intended_time" | "traceparent") {
                format!("`{other}` is for headers: [streams.NAME.headers]")
            } else if generators::keys().any(|known| known == other) {
                format!("`{other}` takes a value: {{ {other} = … }}")
            } else if let Some(near) = suggest::nearest(other, generators::bare()) {
                format!("did you mean \"{near}\"? (constant text is {constant})")
            } else if let Some(near) = suggest::nearest(other, generators::keys()) {
                format!("did you mean {{ {near} = … }}? (constant text is {constant})")
            } else {
                let bare: Vec<String> =
                    generators::bare().map(|name| format!("\"{name}\"")).collect();
                let bare = bare.join(", ");
                format!("constant text is {constant}; generators without values are {bare}")
            };
            reader.refuse(&name.span, format!("no generator `{other}`"), &help);
            None
        }
    }
}

/// The one key that says which generator it is; none and several are mistakes.
fn only_key(reader: &mut Reader<'_>, section: &Section<'_>, at: &At<'_>) -> Option<&'static str> {
    // Members can be `near` something too.
    let of_member = section.has("entity") || section.has("habit");
    let present: Vec<&'static str> = generators::keys()
        .filter(|key| section.has(key) && !(of_member && *key == "near"))
        .collect();
    match present[..] {
        [key] => Some(key),
        [] => {
            let slip = section
                .all()
                .find_map(|(entry, _)| (!generators::is_beside(&entry.key)).then_some(entry));
            if let Some(entry) = slip {
                let help = if generators::bare().any(|bare| bare == entry.key) {
                    format!(
                        "\"{0}\" is written alone; with other keys give it a name in `let`, and \
                         write {{ attribute = \"NAME\", … }}",
                        entry.key
                    )
                } else {
                    suggest::way_out(&entry.key, generators::keys()).unwrap_or_default()
                };
                reader.refuse(&entry.key_span, format!("no generator `{}`", entry.key), &help);
            } else {
                let what = format!("`{}` has no generator", at.path);
                let help = format!("one of: {}", generators::keys().collect::<Vec<_>>().join(", "));
                reader.refuse(&at.node.span, what, &help);
            }
            None
        }
        _ => {
            let all =
                present.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
            let what = format!("`{}` has several generators: {all}", at.path);
            reader.refuse(&at.node.span, what, "keep one of them");
            None
        }
    }
}

fn by_key(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    key: &'static str,
) -> Option<Generator> {
    let main = section.get(key)?;
    match key {
        "local_time" => reader.text(&main).map(|zone| Generator::LocalTime { zone }),
        "constant" => value::constant(reader, &main),
        "choice" => value::choice(reader, &main),
        "table" => value::table(reader, names, section, &main),
        "uniform" => distribution::uniform(reader, section, &main),
        "lognormal" | "normal" | "exponential" | "pareto" | "zipf" | "histogram" | "mixture" => {
            distribution::distribution(reader, section, &main, key)
        }
        "chance" => distribution::chance(reader, section, &main),
        "cases" => cases(reader, names, section, &main),
        "entity" => value::entity(reader, names, section, &main),
        "near" => {
            let weight = section.get("weight").and_then(|at| reader.text(&at));
            let near = value::near(reader, section, &main)?;
            Some(Generator::Near(Near { weight, ..near }))
        }
        "habit" => occasion::habit(reader, names, section, &main),
        "favourite" => occasion::favourite(reader, section, &main).map(Generator::Favourite),
        "period" => occasion::period(reader, section, &main),
        "attribute" => value::attribute(reader, section, &main),
        "walk" => walk::walk(reader, section, &main),
        "highest_of" | "lowest_of" => walk::extreme(reader, section, &main, key),
        "template" => value::template(reader, &main),
        "regex" => value::regex(reader, section, &main),
        "token" => value::token(reader, section, &main),
        "record" => list::record(reader, names, &main),
        "array" => list::array(reader, names, section, &main),
        "map" => list::map(reader, names, section, &main),
        "any" => list::any(reader, names, &main),
        "bytes" => list::bytes(reader, &main),
        "counter" => counter::counter(reader, &main),
        "expression" => expression(reader, &main).map(|read| Generator::Expression(read.value)),
        key => words::keyed(reader, section, &main, key),
    }
}

fn cases(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let help = "name the value that decides: by = \"channel\"";
    let on = reader.require(section, "by", help).and_then(|at| reader.text(&at));
    let default = section.get("default").map(|at| field(reader, names, &at));
    let listed = reader.section(main)?;
    let mut cases = Vec::new();
    let mut good = true;
    for (entry, at) in listed.all() {
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        match field(reader, names, &at) {
            Some(generator) => cases.push((name, generator)),
            None => good = false,
        }
    }
    if cases.is_empty() && good {
        reader.refuse(&main.node.span, format!("`{}` is empty", main.path), "");
        good = false;
    }
    let default = match default {
        None => None,
        Some(default) => Some(Box::new(default?)),
    };
    good.then_some(())?;
    Some(Generator::By { on: on?, cases, default })
}

/// Any generator can have `when` and, with it, `else`.
fn with_condition(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    generator: Option<Generator>,
) -> Option<Generator> {
    let condition = section.get("when");
    let otherwise = section.get("else");
    let Some(condition) = condition else {
        if let Some(otherwise) = otherwise {
            let what = format!("`{}` has an `else` without a `when`", section.path);
            reader.refuse(&otherwise.key_span, what, "add when = \"…\"");
        }
        return generator;
    };
    let condition = expression(reader, &condition);
    let otherwise = otherwise.map(|at| field(reader, names, &at));
    let span: Span = section.span.clone();
    let otherwise = match otherwise {
        None => None,
        Some(read) => Some(Box::new(read?)),
    };
    let then = Box::new(Spanned { value: generator?, span });
    Some(Generator::When { condition: condition?, then, otherwise })
}

/// An expression over the values of a row, in text.
pub(super) fn expression(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Expression>> {
    expression_with(reader, at, expression::OF_ROWS)
}

/// An expression in text, with the functions that are known in it.
pub(super) fn expression_with(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    functions: expression::Functions,
) -> Option<Spanned<Expression>> {
    let words = reader.words(at)?;
    let standing = Standing { inner: words.inner, whole: words.span.clone() };
    match expression::parse(&words.value, &standing, functions) {
        Ok(expression) => Some(Spanned { value: expression, span: words.span }),
        Err(mut mistake) => {
            if words.outside {
                // Part of a hidden value must not be quoted.
                mistake.what = format!("`{}` cannot be read as an expression", at.path);
                mistake.help = None;
            }
            reader.mistakes.push(mistake);
            None
        }
    }
}

fn check_dealt(reader: &mut Reader<'_>, at: &At<'_>, key: &str, conditional: bool) {
    if conditional {
        let what = "an attribute that is dealt out cannot have a `when`";
        reader.refuse(&at.key_span, what, "every member gets one of the values");
    } else if !matches!(key, "table" | "choice") {
        let what = format!("`{key}` cannot be dealt out");
        reader.refuse(&at.key_span, what, "only `table` and `choice` have values to deal");
    }
}

fn refuse_of_attribute(reader: &mut Reader<'_>, section: &mut Section<'_>) {
    let keys = [("dealt", "are dealt out"), ("changes", "change with time")];
    for (key, verb) in keys.into_iter().filter(|(key, _)| section.has(key)).collect::<Vec<_>>() {
        if let Some(at) = section.get(key) {
            let what = format!("`{}`: only attributes of entities {verb}", at.path);
            reader.refuse(&at.key_span, what, "leave it out: a field is drawn for each event");
        }
    }
}
