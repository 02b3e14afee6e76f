//! JSON as a tree of values that know their place.

use serde::de::IgnoredAny;

use super::Mistake;
use super::raw::{Entry, Kind, Node};

/// Levels of lists and tables in each other; what is deeper is refused.
const DEPTH_MAX: usize = 128;

/// Reads a text that begins at `base` of the source. None: it is no JSON, or too deep.
///
/// What is wrong with a text that cannot be read is told by `serde_json`, which reads it before.
pub(super) fn parse(text: &str, base: usize) -> Option<Node> {
    let mut parser = Parser { text, base, at: 0 };
    let node = parser.value(0)?;
    parser.blank();
    (parser.at == text.len()).then_some(node)
}

/// Reads values that follow each other, with nothing but blanks between them.
///
/// # Errors
///
/// Where it ends to be JSON, and why.
pub(super) fn parse_all(text: &str, base: usize) -> Result<Vec<Node>, Mistake> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut nodes = Vec::new();
    let mut parser = Parser { text, base, at: 0 };
    while let Some(value) = values.next() {
        let node = match &value {
            Ok(_) => parser.value(0),
            Err(_) => None,
        };
        let Some(node) = node else {
            let why = value.err().map_or_else(|| "it is too deep".to_owned(), |it| it.to_string());
            let at = base + values.byte_offset().min(text.len().saturating_sub(1));
            let what = format!("this is no JSON: {}", why.split(" at line ").next().unwrap_or(""));
            return Err(Mistake { span: at..at + 1, what, help: None });
        };
        nodes.push(node);
    }
    Ok(nodes)
}

struct Parser<'t> {
    text: &'t str,
    base: usize,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// A sign after blanks.
    fn sign(&mut self, sign: &str) -> bool {
        self.blank();
        self.take(sign)
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.blank();
        let start = self.at;
        let kind = match self.rest().chars().next()? {
            '{' | '[' if depth == DEPTH_MAX => return None,
            '{' => self.table(depth + 1)?,
            '[' => self.list(depth + 1)?,
            '"' => self.text()?,
            't' | 'f' | 'n' => self.word()?,
            _ => self.number()?,
        };
        Some(Node { kind, span: self.base + start..self.base + self.at })
    }

    fn table(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.sign("}") {
            return Some(Kind::Table(entries));
        }
        loop {
            self.blank();
            let start = self.at;
            let Kind::Text { value: key, .. } = self.text()? else { return None };
            let key_span = self.base + start..self.base + self.at;
            if !self.sign(":") {
                return None;
            }
            entries.push(Entry { key, key_span, node: self.value(depth)? });
            if self.sign("}") {
                return Some(Kind::Table(entries));
            }
            if !self.sign(",") {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut items = Vec::new();
        if self.sign("]") {
            return Some(Kind::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.sign("]") {
                return Some(Kind::List(items));
            }
            if !self.sign(",") {
                return None;
            }
        }
    }

    fn word(&mut self) -> Option<Kind> {
        let words =
            [("true", Kind::Boolean(true)), ("false", Kind::Boolean(false)), ("null", Kind::Null)];
        words.into_iter().find_map(|(word, kind)| self.take(word).then_some(kind))
    }

    fn number(&mut self) -> Option<Kind> {
        let rest = self.rest();
        let of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let written = &rest[..rest.find(|c| !of_number(c)).unwrap_or(rest.len())];
        let kind = match written.parse::<i128>() {
            Ok(whole) => Kind::Integer(whole),
            Err(_) => Kind::Real(written.parse().ok()?),
        };
        self.at += written.len();
        Some(kind)
    }

    /// A text in quotes, escapes resolved.
    fn text(&mut self) -> Option<Kind> {
        if !self.take("\"") {
            return None;
        }
        let start = self.at;
        let mut value = String::new();
        let mut escaped = false;
        loop {
            let letter = self.rest().chars().next()?;
            self.at += letter.len_utf8();
            match letter {
                '"' => break,
                '\\' => {
                    escaped = true;
                    value.push(self.escape()?);
                }
                other => value.push(other),
            }
        }
        Some(Kind::Text { value, inner: (!escaped).then_some(self.base + start) })
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.rest().chars().next()?;
        self.at += letter.len_utf8();
        Some(match letter {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.code_point(),
            other => other,
        })
    }

    /// Four hexadecimal digits, or two times four for a character beyond the first 65,536.
    fn code_point(&mut self) -> Option<char> {
        let high = self.unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.take("\\u") {
            return None;
        }
        let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let unit = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The same value as `serde_json` has it.
    fn serde(node: &Node) -> Value {
        match &node.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::from(*value),
            Kind::Integer(value) => serde_json::from_str(&value.to_string()).unwrap(),
            Kind::Real(value) => Value::from(*value),
            Kind::Text { value, .. } => Value::from(value.as_str()),
            Kind::List(items) => items.iter().map(serde).collect(),
            Kind::Table(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), serde(&entry.node))).collect()
            }
            Kind::Time(time) => panic!("JSON has no times: {time}"),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|entries| entries.into_iter().collect()),
            ]
        })
    }

    proptest! {
        // Whatever is written, compact or on many lines, is read as serde_json reads it.
        #[test]
        fn json_is_read_as_it_was_written(written in json(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&written).unwrap()
            } else {
                written.to_string()
            };
            prop_assert_eq!(serde(&parse(&text, 7).unwrap()), written);
        }
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = r#"{ "a": [1, "x\"y", null], "b": {"c": "\ud83d\ude00z"} }"#;
        let root = parse(text, 100).unwrap();
        let at = |node: &Node| &text[node.span.start - 100..node.span.end - 100];
        let Kind::List(items) = &root.get("a").unwrap().kind else { panic!("no list") };
        assert_eq!(items.iter().map(at).collect::<Vec<_>>(), ["1", r#""x\"y""#, "null"]);
        assert_eq!(at(root.get("b").unwrap()), r#"{"c": "\ud83d\ude00z"}"#);
        let Kind::Text { value, inner } = &root.get("b").unwrap().get("c").unwrap().kind else {
            panic!("no text")
        };
        assert_eq!((value.as_str(), *inner), ("😀z", None));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_not_read() {
        for text in ["", "{", "[1,]", "{\"a\"}", "1 2", "\"a", "\"\\ud800\"", &"[".repeat(200_000)]
        {
            assert!(parse(text, 0).is_none());
        }
    }
}
