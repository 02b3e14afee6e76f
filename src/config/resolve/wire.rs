//! What a stream puts on the wire besides its fields: headers, the identity, the format.

use super::super::model::{
    Field, Generator, Header, HeaderValue, IDENTITY_HEADER, IdentityPlace, ValueFormat, is_identity,
};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::{Span, Spanned};
use super::{Names, generator};

/// `[streams.NAME.headers]`.
pub(super) fn headers(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Header> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut headers = Vec::new();
    for (entry, at) in section.all() {
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        if name.value.is_empty() || name.value.contains('\0') {
            let what = format!("`{}` cannot be the name of a header", name.value.escape_debug());
            reader.refuse(&name.span, what, "a name has at least one character, and no zero");
            continue;
        }
        if name.value == IDENTITY_HEADER {
            let what = format!("the header `{IDENTITY_HEADER}` is tidegate's own");
            let help = "identity = \"header\" puts the identity there; choose another name";
            reader.refuse(&name.span, what, help);
            continue;
        }
        if let Some(value) = header(reader, names, &at) {
            headers.push(Header { name, value });
        }
    }
    headers
}

fn header(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Option<HeaderValue> {
    if at.is_text() {
        let special = match reader.text(at)?.value.as_str() {
            "intended_time" => Some(HeaderValue::IntendedTime),
            "traceparent" => Some(HeaderValue::Traceparent),
            _ => None,
        };
        if special.is_some() {
            return special;
        }
    }
    generator::field(reader, names, at).map(HeaderValue::Generator)
}

/// `[streams.NAME.value]`.
pub(super) fn value_format(reader: &mut Reader<'_>, at: &At<'_>) -> ValueFormat {
    if at.is_text() {
        let what = format!("`{}` is text, but must be a table", at.path);
        reader.refuse(&at.node.span, what, "write value = { format = \"json\" }, or \"avro\"");
        return ValueFormat::default();
    }
    let Some(mut section) = reader.section(at) else { return ValueFormat::default() };
    let known = [("avro", ValueFormat::Avro), ("json", ValueFormat::Json)];
    let format = section.get("format").and_then(|at| reader.one_of(&at, &known));
    reader.finish(section);
    format.unwrap_or_default()
}

/// Whether the identity is said to be anywhere but in a field that the file does not name.
pub(super) fn is_identified(section: &Section<'_>, lets: &[Field], headers: &[Header]) -> bool {
    let in_header = |header: &Header| matches!(&header.value, HeaderValue::Generator(it) if matches!(it.value, Generator::Identity));
    let is_said = section.all().any(|(entry, at)| {
        entry.key == "identity"
            && !matches!(&at.node.kind, Kind::Text { value, .. } if value == "field")
    });
    is_said
        || headers.iter().any(in_header)
        || lets.iter().any(|one| matches!(one.generator.value, Generator::Identity))
}

/// What an identity may be in.
pub(super) struct Holders<'a> {
    pub(super) stream: &'a str,
    pub(super) lets: &'a [Field],
    pub(super) fields: &'a [Field],
    pub(super) headers: &'a [Header],
    pub(super) key: Option<&'a Spanned<String>>,
}

impl Holders<'_> {
    fn field(&self) -> Option<&Field> {
        self.fields.iter().find(|field| self.holds(&field.generator.value))
    }

    fn header(&self) -> Option<&Header> {
        self.headers.iter().find(|header| match &header.value {
            HeaderValue::Generator(generator) => self.holds(&generator.value),
            // Its trace is the identity, but who reads traces must know of it.
            HeaderValue::Traceparent | HeaderValue::IntendedTime => false,
        })
    }

    fn key(&self) -> bool {
        let all = || self.lets.iter().chain(self.fields);
        let named = self.key.and_then(|key| all().find(|one| one.name.value == key.value));
        named.is_some_and(|field| self.holds(&field.generator.value))
    }

    fn holds(&self, generator: &Generator) -> bool {
        is_identity(generator, self.lets)
    }
}

/// Where a stream's events say who they are; `written` is what the file says of it.
pub(super) fn identity(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    holders: &Holders<'_>,
) -> IdentityPlace {
    #[derive(Clone, Copy)]
    enum Wanted {
        Field,
        Header,
        Key,
        Nowhere,
    }
    let (field, header, key) = (holders.field(), holders.header(), holders.key());
    let Some(at) = section.get("identity") else {
        return match (field, header, key) {
            (Some(_), _, _) => IdentityPlace::Field,
            (None, Some(_), _) => IdentityPlace::Header,
            (None, None, true) => IdentityPlace::Key,
            (None, None, false) => IdentityPlace::AddedHeader,
        };
    };
    let known = [
        ("field", Wanted::Field),
        ("header", Wanted::Header),
        ("key", Wanted::Key),
        ("none", Wanted::Nowhere),
    ];
    let span: Span = at.node.span.clone();
    let stream = holders.stream;
    match reader.one_of(&at, &known) {
        Some(Wanted::Field) if field.is_none() => {
            let what = format!("no field of `{stream}` is the identity");
            let help = format!("add one to [streams.{stream}.fields]: event_id = \"identity\"");
            reader.refuse(&span, what, &help);
        }
        Some(Wanted::Field) => return IdentityPlace::Field,
        Some(Wanted::Header) if header.is_some() => return IdentityPlace::Header,
        Some(Wanted::Key) => match holders.key {
            Some(key_at) if !key => {
                let what = format!("the key `{}` of `{stream}` is not the identity", key_at.value);
                let help = "leave `key` out, or name a value that is \"identity\"";
                reader.refuse(&key_at.span, what, help);
            }
            _ => return IdentityPlace::Key,
        },
        Some(Wanted::Nowhere) => {
            let holder = field.map(|field| ("field", &field.name));
            let holder = holder.or(header.map(|header| ("header", &header.name)));
            let holder = holder.or(holders.key.filter(|_| key).map(|key| ("key", key)));
            let Some((noun, name)) = holder else { return IdentityPlace::Nowhere };
            let what = format!("the {noun} `{}` of `{stream}` is the identity", name.value);
            let help = "leave `identity` out, or give the value another generator";
            reader.refuse(&span, what, help);
        }
        Some(Wanted::Header) | None => {}
    }
    IdentityPlace::AddedHeader
}
