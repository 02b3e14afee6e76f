//! Generators of values that people know: names, addresses, numbers with check digits.

use super::super::model::{Generator, Network, WordKind, Words};
use super::super::raw;
use super::super::reader::{At, Reader, Section};
use super::super::{suggest, words};

/// The most words or digits of a text.
const LENGTH_MAX: i128 = 128;
/// The farthest that something is near.
const NEAR_KM_MAX: f64 = 500.0;

/// The generator that a bare name is; None if it is none, or needs a value.
pub(super) fn bare(name: &str) -> Option<Generator> {
    let listed = |kind, of: &[&str]| {
        let of = of.iter().map(|&code| code.to_owned()).collect();
        Words::Listed { kind, of, by: None }
    };
    let words = match name {
        "person_name" => listed(WordKind::PersonName, &["en"]),
        "company" => listed(WordKind::Company, &["en"]),
        "street" => listed(WordKind::Street, &["en"]),
        "phone" => listed(WordKind::Phone, &["US"]),
        "email" => Words::Email { of: None },
        "product" => Words::Product,
        "uuid" => Words::Uuid,
        "ipv4" => Words::Ipv4(Network::Benchmark),
        "ipv6" => Words::Ipv6,
        "mac" => Words::Mac,
        name => listed(kind(name)?, &[]),
    };
    Some(Generator::Words(words))
}

fn kind(name: &str) -> Option<WordKind> {
    Some(match name {
        "person_name" => WordKind::PersonName,
        "company" => WordKind::Company,
        "street" => WordKind::Street,
        "phone" => WordKind::Phone,
        "iban" => WordKind::Iban,
        "pan" => WordKind::Pan,
        "user_agent" => WordKind::UserAgent,
        "country" => WordKind::Country,
        "currency" => WordKind::Currency,
        "city" => WordKind::City,
        _ => return None,
    })
}

/// The generator that a table with the key `key` is; with the value true the same as the bare name.
pub(super) fn keyed(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
    key: &str,
) -> Option<Generator> {
    if let (raw::Kind::Boolean(true), Some(generator)) = (&main.node.kind, bare(key)) {
        return Some(generator);
    }
    let words = match key {
        "email" => Words::Email { of: Some(reader.text(main)?) },
        "coordinates" => coordinates(reader, section, main)?,
        "lorem" => Words::Lorem(length(reader, main)?),
        "hash" => Words::Hash(length(reader, main)?),
        "ipv4" => {
            let networks = [
                ("documentation", Network::Documentation),
                ("private", Network::Private),
                ("benchmark", Network::Benchmark),
                ("shared", Network::Shared),
                ("reserved", Network::Reserved),
            ];
            Words::Ipv4(reader.one_of(main, &networks)?)
        }
        key => {
            let Some(kind) = kind(key) else {
                let what = format!("`{key}` takes no value");
                let help = format!("write \"{key}\", or {{ {key} = true }} with other keys");
                reader.refuse(&main.node.span, what, &help);
                return None;
            };
            let by = section.get("by").and_then(|at| reader.text(&at));
            Words::Listed { kind, of: codes(reader, main, kind)?, by }
        }
    };
    Some(Generator::Words(words))
}

fn length(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u32> {
    reader.whole(at, &(1..=LENGTH_MAX)).and_then(|length| u32::try_from(length).ok())
}

fn coordinates(reader: &mut Reader<'_>, section: &mut Section<'_>, main: &At<'_>) -> Option<Words> {
    let help = "say how far away at most: within_km = 5";
    let within = reader.require(section, "within_km", help);
    let near = reader.text(main)?;
    let within_km = within.and_then(|at| reader.number(&at, &(0.001..=NEAR_KM_MAX)))?;
    Some(Words::Coordinates { near, within_km })
}

/// One code, or a list of them.
fn codes(reader: &mut Reader<'_>, main: &At<'_>, kind: WordKind) -> Option<Vec<String>> {
    let items = if main.is_text() { Vec::new() } else { reader.list(main)? };
    let items = if main.is_text() { std::slice::from_ref(main) } else { items.as_slice() };
    let mut codes = Vec::new();
    let mut good = true;
    for item in items {
        let Some(text) = reader.text(item) else {
            good = false;
            continue;
        };
        if let Some(code) = words::code_of(kind, &text.value) {
            codes.push(code.to_owned());
            continue;
        }
        let known = words::codes(kind);
        // Any two letters are near two others: the list says more.
        let near = if text.value.len() > 2 { text.value.as_str() } else { "" };
        let help = suggest::way_out(near, known).unwrap_or_default();
        reader.refuse(&text.span, format!("`{}` knows no `{}`", main.path, text.value), &help);
        good = false;
    }
    if codes.is_empty() && good {
        reader.refuse(&main.node.span, format!("`{}` is empty", main.path), "name one or more");
        good = false;
    }
    good.then_some(codes)
}
