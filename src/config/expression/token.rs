//! The words of an expression.

use crate::config::Span;
use crate::config::model::Operator;

/// A word of an expression and its place in it.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'t> {
    Number {
        digits: i64,
        scale: u8,
    },
    Text(String),
    /// A keyword, a function or a dotted path.
    Word(&'t str),
    /// An operator, a bracket, a comma, or something that has no place in an expression.
    Symbol(&'t str),
    End,
}

/// A place, what is wrong there, and the way out.
pub(super) type Unreadable = (Span, String, &'static str);

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word(found) | Kind::Symbol(found) if found == text)
    }

    /// The operator and how tightly it binds.
    pub(super) fn operator(&self) -> Option<(Operator, u8)> {
        let (Kind::Word(word) | Kind::Symbol(word)) = self.kind else { return None };
        Some(match word {
            "or" => (Operator::Or, 1),
            "and" => (Operator::And, 2),
            "==" => (Operator::Equal, 4),
            "!=" => (Operator::NotEqual, 4),
            "<" => (Operator::Less, 4),
            "<=" => (Operator::LessOrEqual, 4),
            ">" => (Operator::Greater, 4),
            ">=" => (Operator::GreaterOrEqual, 4),
            "+" => (Operator::Add, 5),
            "-" => (Operator::Subtract, 5),
            "*" => (Operator::Multiply, 6),
            "/" => (Operator::Divide, 6),
            _ => return None,
        })
    }

    /// The word as messages show it.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Number { .. } => "a number".to_owned(),
            Kind::Text(text) => format!("'{text}'"),
            Kind::Word(word) | Kind::Symbol(word) => format!("`{word}`"),
            Kind::End => "the end".to_owned(),
        }
    }
}

/// Splits an expression into its words; the last one is the end.
pub(super) fn split(text: &str) -> Result<Vec<Token<'_>>, Unreadable> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let (kind, bytes) = if first.is_ascii_digit() {
            number(rest, at)?
        } else if first == '\'' {
            quoted(rest, at)?
        } else if first.is_alphabetic() || first == '_' {
            let bytes = word_bytes(rest);
            (Kind::Word(&rest[..bytes]), bytes)
        } else {
            let bytes = symbol_bytes(rest, first);
            (Kind::Symbol(&rest[..bytes]), bytes)
        };
        tokens.push(Token { kind, span: at..at + bytes });
        at += bytes;
    }
    tokens.push(Token { kind: Kind::End, span: text.len()..text.len() });
    Ok(tokens)
}

fn word_bytes(rest: &str) -> usize {
    let bytes =
        rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
    rest[..bytes].trim_end_matches('.').len().max(1)
}

fn symbol_bytes(rest: &str, first: char) -> usize {
    if ["==", "!=", "<=", ">="].iter().any(|symbol| rest.starts_with(symbol)) {
        2
    } else {
        first.len_utf8()
    }
}

fn number(rest: &str, at: usize) -> Result<(Kind<'_>, usize), Unreadable> {
    let bytes = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(rest.len());
    let written = &rest[..bytes];
    let wrong = |what: String, help| Err((at..at + bytes, what, help));
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    if written.ends_with('.') || fraction.contains('.') {
        return wrong(format!("`{written}` is not a number"), "write digits on both sides: 0.5");
    }
    let digits: String = whole.chars().chain(fraction.chars()).filter(|c| *c != '_').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(
            format!("`{written}` is not a number"),
            "numbers are written out, without exponents: 12, 1.25, 1_000_000",
        );
    }
    let scale = fraction.chars().filter(|c| *c != '_').count();
    match (digits.parse::<i64>(), u8::try_from(scale)) {
        (Ok(digits), Ok(scale)) if scale <= 9 => Ok((Kind::Number { digits, scale }, bytes)),
        _ => wrong(
            format!("`{written}` has too many digits"),
            "at most 18 digits, 9 of them after the point",
        ),
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Kind<'_>, usize), Unreadable> {
    let mut value = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((index, letter)) = letters.next() {
        if letter != '\'' {
            value.push(letter);
        } else if letters.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Ok((Kind::Text(value), index + 1));
        }
    }
    let what = "text with no closing quote".to_owned();
    Err((at..at + rest.len(), what, "text stands in single quotes, a quote in it is doubled"))
}
