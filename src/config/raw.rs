//! The model file as a tree of values that know their place.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

use super::{Mistake, Span};

/// A value of the file and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Its place.
    pub span: Span,
}

/// A value of the file.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `null`, which only JSON has.
    Null,
    /// Text.
    Text {
        /// The text, escapes resolved.
        value: String,
        /// Where its first byte stands in the source, if the text stands there as it is.
        inner: Option<usize>,
    },
    /// A whole number; wider than anything that is accepted.
    Integer(i128),
    /// A number with a point.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time of TOML, as written.
    Time(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<Entry>),
}

/// A key of a table and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its place.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Entry {
    /// Writes key and value so that no two entries are written alike: for a hash.
    pub(super) fn put(&self, into: &mut Vec<u8>) {
        put(into, b'k', self.key.as_bytes());
        self.node.put(into);
    }
}

fn put(into: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    into.push(kind);
    into.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    into.extend_from_slice(bytes);
}

impl Node {
    fn put(&self, into: &mut Vec<u8>) {
        match &self.kind {
            Kind::Null => put(into, b'n', &[]),
            Kind::Text { value, .. } => put(into, b's', value.as_bytes()),
            Kind::Integer(number) => put(into, b'i', &number.to_le_bytes()),
            Kind::Real(number) => put(into, b'r', &number.to_bits().to_le_bytes()),
            Kind::Boolean(flag) => put(into, b'b', &[u8::from(*flag)]),
            Kind::Time(text) => put(into, b't', text.as_bytes()),
            Kind::List(nodes) => {
                put(into, b'l', &(nodes.len() as u64).to_le_bytes());
                for node in nodes {
                    node.put(into);
                }
            }
            Kind::Table(entries) => {
                put(into, b'm', &(entries.len() as u64).to_le_bytes());
                for entry in entries {
                    entry.put(into);
                }
            }
        }
    }

    /// What kind of value it is, for messages.
    pub fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Text { .. } => "text",
            Kind::Integer(_) => "a whole number",
            Kind::Real(_) => "a number",
            Kind::Boolean(_) => "true or false",
            Kind::Time(_) => "a time",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    /// The value of a key, if it is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries, if it is a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Table(entries) => Some(entries),
            _ => None,
        }
    }
}

/// Reads a whole file whose text begins at `base` of the source.
///
/// # Errors
///
/// All breaches of TOML's grammar.
pub fn parse(text: &str, base: usize) -> Result<Node, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let span = table.span();
        let entries = entries(text, base, table.into_inner());
        return Ok(Node { kind: Kind::Table(entries), span: shift(&span, base) });
    }
    Err(grammar_mistakes(text, base, &errors))
}

/// Reads one value whose text begins at `base` of the source; what is no TOML value is text.
pub fn parse_value(text: &str, base: usize) -> Node {
    let bare = || Node {
        kind: Kind::Text { value: text.to_owned(), inner: Some(base) },
        span: base..base + text.len(),
    };
    match DeValue::parse(text) {
        Ok(value) => {
            let span = value.span();
            node(text, base, value.into_inner(), &span)
        }
        Err(_) => bare(),
    }
}

/// After one breach the parser often stumbles on: the first of each line is told, and none that
/// says the same as the one before.
fn grammar_mistakes(text: &str, base: usize, errors: &[toml::de::Error]) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut last = None;
    for error in errors {
        let span = error.span().unwrap_or(0..text.len().min(1));
        let line = text.get(..span.start).unwrap_or("").matches('\n').count();
        let message = error.message().trim_end().replace('\n', "; ");
        let repeated = last
            .replace((line, message.clone()))
            .is_some_and(|(last_line, last_message)| last_line == line || last_message == message);
        let twice = message == "duplicate key";
        if repeated && !twice {
            continue;
        }
        let what = if twice {
            format!("`{}` is there twice", text.get(span.clone()).unwrap_or(""))
        } else {
            message
        };
        mistakes.push(Mistake { span: shift(&span, base), what, help: None });
    }
    mistakes
}

fn shift(span: &Span, base: usize) -> Span {
    span.start + base..span.end + base
}

fn entries(text: &str, base: usize, table: DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| {
            let span = value.span();
            let node = node(text, base, value.into_inner(), &span);
            let key_span = shift(&key.span(), base);
            Entry { key: key.into_inner().into_owned(), key_span, node }
        })
        .collect();
    // The parser hands keys over in the order of the alphabet.
    entries.sort_by_key(|entry| entry.key_span.start);
    entries
}

fn node(text: &str, base: usize, value: DeValue<'_>, span: &Span) -> Node {
    let kind = match value {
        DeValue::String(value) => text_kind(text, base, value, span),
        DeValue::Integer(integer) => {
            let digits = integer.as_str();
            Kind::Integer(i128::from_str_radix(digits, integer.radix()).unwrap_or(
                // Far outside every limit, which is what the mistake will say.
                if digits.starts_with('-') { i128::MIN } else { i128::MAX },
            ))
        }
        DeValue::Float(float) => Kind::Real(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Kind::Boolean(value),
        DeValue::Datetime(time) => Kind::Time(time.to_string()),
        DeValue::Array(array) => Kind::List(
            array
                .into_iter()
                .map(|item| {
                    let span = item.span();
                    node(text, base, item.into_inner(), &span)
                })
                .collect(),
        ),
        DeValue::Table(table) => Kind::Table(entries(text, base, table)),
    };
    Node { kind, span: shift(span, base) }
}

fn text_kind(text: &str, base: usize, value: Cow<'_, str>, span: &Span) -> Kind {
    let written = &text[span.clone()];
    let quotes = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
    let inside = written.get(quotes..written.len().saturating_sub(quotes)).unwrap_or("");
    // A line break right after three quotes is no part of the text.
    let skipped = inside.len() - inside.trim_start_matches(['\r', '\n']).len();
    let inner = if inside == value {
        Some(base + span.start + quotes)
    } else if quotes == 3 && inside[skipped..] == *value {
        Some(base + span.start + quotes + skipped)
    } else {
        None
    };
    Kind::Text { value: value.into_owned(), inner }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_the_file() {
        let root = parse("b = 1\na = 2\n[z]\n[c]\nx.y = 3\n", 0).unwrap();
        let keys: Vec<&str> = root.entries().unwrap().iter().map(|entry| &*entry.key).collect();
        assert_eq!(keys, ["b", "a", "z", "c"]);
    }

    #[test]
    fn text_without_escapes_knows_its_first_byte_in_the_source() {
        let text = "a = \"x + 1\"\nb = 'y'\nc = \"\"\"\nz\"\"\"\nd = \"q\\u0041\"\n";
        let root = parse(text, 100).unwrap();
        let starts: Vec<Option<usize>> = root
            .entries()
            .unwrap()
            .iter()
            .map(|entry| match &entry.node.kind {
                Kind::Text { inner, value } => {
                    inner.inspect(|at| assert!(text[at - 100..].starts_with(value.as_str())))
                }
                other => panic!("not text: {other:?}"),
            })
            .collect();
        assert_eq!(starts[0], Some(105));
        assert!(starts[1].is_some() && starts[2].is_some());
        assert_eq!(starts[3], None);
    }

    #[test]
    fn every_breach_of_the_grammar_is_told() {
        let mistakes = parse("a = \nb = 1\nc = [1,\n", 0).unwrap_err();
        assert!(mistakes.len() >= 2, "{mistakes:?}");
    }

    #[test]
    fn a_value_that_is_no_toml_is_text() {
        assert!(matches!(parse_value("500/s", 3).kind, Kind::Text { inner: Some(3), .. }));
        assert!(matches!(parse_value("500", 0).kind, Kind::Integer(500)));
    }
}
