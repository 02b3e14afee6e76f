//! Expressions: text becomes a tree whose parts know their place in the model file.
//!
//! From loose to tight: `if … then … else …`, `or`, `and`, `not`, comparisons and `in`, `+ -`,
//! `* /`, the minus sign. Comparisons do not chain.

mod token;

use self::token::{Kind as TokenKind, Token};
use super::model::{Expression, ExpressionKind, Operator};
use super::{Mistake, Span, suggest};

/// Functions by name, with the least and the greatest number of their arguments.
pub(super) type Functions = &'static [(&'static str, usize, usize)];

/// The functions over the values of a row.
pub(super) const OF_ROWS: Functions = &[
    ("min", 2, 2),
    ("max", 2, 2),
    ("abs", 1, 1),
    ("round", 1, 2),
    ("round_to", 2, 2),
    ("floor_to", 2, 2),
    ("ratio", 3, 3),
];

/// The functions over real numbers.
pub(super) const OF_REALS: Functions = &[
    ("sin", 1, 1),
    ("cos", 1, 1),
    ("exp", 1, 1),
    ("log", 1, 1),
    ("pow", 2, 2),
    ("sqrt", 1, 1),
    ("floor", 1, 1),
    ("ceil", 1, 1),
    ("abs", 1, 1),
    ("min", 2, 2),
    ("max", 2, 2),
];

/// How deep an expression may be nested; people write less than ten.
const DEPTH_MAX: usize = 64;

const COMPARISON: u8 = 4;

/// Where the text of an expression stands in the source.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The place of its first byte, if every byte of it stands there as it is.
    pub(super) inner: Option<usize>,
    /// The whole string, with its quotes.
    pub(super) whole: Span,
}

impl Standing {
    fn place(&self, local: &Span) -> Span {
        self.inner.map_or_else(|| self.whole.clone(), |base| local.start + base..local.end + base)
    }
}

/// Reads an expression in which some functions are known.
///
/// # Errors
///
/// The first thing in it that cannot be read, with its place.
pub(super) fn parse(
    text: &str,
    standing: &Standing,
    functions: Functions,
) -> Result<Expression, Mistake> {
    let tokens = token::split(text).map_err(|(span, what, help)| Mistake {
        span: standing.place(&span),
        what,
        help: Some(help.to_owned()),
    })?;
    let mut parser = Parser { tokens: &tokens, next: 0, standing, functions, depth: 0 };
    let expression = parser.expression(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expression),
        _ => Err(parser.unexpected("the end of the expression or an operator")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    next: usize,
    standing: &'t Standing,
    functions: Functions,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// The last token is always the end.
    fn peek(&self) -> &'t Token<'t> {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> &'t Token<'t> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn mistake(&self, span: &Span, what: String, help: Option<String>) -> Mistake {
        Mistake { span: self.standing.place(span), what, help }
    }

    fn unexpected(&self, expected: &str) -> Mistake {
        let token = self.peek();
        let help = match token.kind {
            TokenKind::Symbol("=") => Some("equality is `==`".to_owned()),
            TokenKind::Symbol("\"") => Some("text stands in single quotes: 'online'".to_owned()),
            TokenKind::Symbol("&" | "|" | "!") => Some("write `and`, `or`, `not`".to_owned()),
            _ => None,
        };
        self.mistake(&token.span, format!("expected {expected}, found {}", token.shown()), help)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.peek().is(symbol);
        if found {
            self.next += 1;
        }
        found
    }

    fn require(&mut self, symbol: &str) -> Result<(), Mistake> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn expression(&mut self, binding_min: u8) -> Result<Expression, Mistake> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let span = self.peek().span.clone();
            let what = format!("the expression is nested deeper than {DEPTH_MAX}");
            let help = "name a part of it in `let`".to_owned();
            return Err(self.mistake(&span, what, Some(help)));
        }
        let mut left = self.prefix()?;
        loop {
            let token = self.peek();
            if token.is("in") && COMPARISON >= binding_min {
                left = self.membership(left)?;
                continue;
            }
            let Some((operator, binding)) = token.operator() else { break };
            if binding < binding_min {
                break;
            }
            self.next += 1;
            let right = self.expression(binding + 1)?;
            if binding == COMPARISON && self.peek().operator().is_some_and(|(_, b)| b == COMPARISON)
            {
                return Err(self.unexpected("the end of the comparison (join two with `and`)"));
            }
            left = join(left, operator, right);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Expression, Mistake> {
        let token = self.peek();
        let placed = |kind| Ok(Expression { kind, span: self.standing.place(&token.span) });
        match &token.kind {
            TokenKind::Number { digits, scale } => {
                let kind = ExpressionKind::Number { digits: *digits, scale: *scale };
                let number = placed(kind);
                self.next += 1;
                number
            }
            TokenKind::Text(text) => {
                let text = placed(ExpressionKind::Text(text.clone()));
                self.next += 1;
                text
            }
            TokenKind::Word("true" | "false") => {
                let value = placed(ExpressionKind::Boolean(token.is("true")));
                self.next += 1;
                value
            }
            TokenKind::Word("not") => self.not(),
            TokenKind::Word("if") => self.conditional(),
            TokenKind::Word("and" | "or" | "in" | "then" | "else") => {
                Err(self.unexpected("a value"))
            }
            TokenKind::Word(word) => self.path_or_call(word),
            TokenKind::Symbol("-") => self.negation(),
            TokenKind::Symbol("(") => {
                self.next += 1;
                let inside = self.expression(0)?;
                self.require(")")?;
                Ok(inside)
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn not(&mut self) -> Result<Expression, Mistake> {
        let start = self.advance().span.start;
        let inside = self.expression(COMPARISON)?;
        Ok(self.spanning(start, ExpressionKind::Not(Box::new(inside))))
    }

    fn negation(&mut self) -> Result<Expression, Mistake> {
        let start = self.advance().span.start;
        let inside = self.expression(7)?;
        let kind = match inside.kind {
            ExpressionKind::Number { digits, scale } => {
                ExpressionKind::Number { digits: -digits, scale }
            }
            _ => ExpressionKind::Negate(Box::new(inside)),
        };
        Ok(self.spanning(start, kind))
    }

    fn conditional(&mut self) -> Result<Expression, Mistake> {
        let start = self.advance().span.start;
        let condition = Box::new(self.expression(0)?);
        self.require("then")?;
        let then = Box::new(self.expression(0)?);
        self.require("else")?;
        let otherwise = Box::new(self.expression(0)?);
        Ok(self.spanning(start, ExpressionKind::If { condition, then, otherwise }))
    }

    fn path_or_call(&mut self, word: &str) -> Result<Expression, Mistake> {
        let token = self.advance();
        if !self.peek().is("(") {
            let span = self.standing.place(&token.span);
            return Ok(Expression { kind: ExpressionKind::Path(word.to_owned()), span });
        }
        let Some((_, least, most)) = self.functions.iter().find(|(name, ..)| *name == word) else {
            let help = suggest::way_out(word, self.functions.iter().map(|(name, ..)| *name));
            return Err(self.mistake(&token.span, format!("no function `{word}`"), help));
        };
        self.next += 1;
        let mut arguments = Vec::new();
        while !self.peek().is(")") {
            arguments.push(self.expression(0)?);
            if !self.take(",") {
                break;
            }
        }
        self.require(")")?;
        if !(*least..=*most).contains(&arguments.len()) {
            let wanted =
                if least == most { least.to_string() } else { format!("{least} or {most}") };
            let what = format!("`{word}` takes {wanted} values, not {}", arguments.len());
            return Err(self.mistake(&token.span, what, None));
        }
        let call = ExpressionKind::Call { function: word.to_owned(), arguments };
        Ok(self.spanning(token.span.start, call))
    }

    fn membership(&mut self, value: Expression) -> Result<Expression, Mistake> {
        self.require("in")?;
        self.require("(")?;
        let mut list = Vec::new();
        while !self.peek().is(")") {
            let at = self.peek().span.clone();
            let item = self.expression(COMPARISON + 1)?;
            if !is_constant(&item.kind) {
                let what = "a list after `in` holds constants only".to_owned();
                return Err(self.mistake(&at, what, Some("compare with `==`".to_owned())));
            }
            list.push(item);
            if !self.take(",") {
                break;
            }
        }
        if list.is_empty() {
            return Err(self.unexpected("at least one constant"));
        }
        self.require(")")?;
        let end = self.end_of_last();
        let span = value.span.start..end.max(value.span.end);
        Ok(Expression { kind: ExpressionKind::In { value: Box::new(value), list }, span })
    }

    fn end_of_last(&self) -> usize {
        let last = &self.tokens[self.next.saturating_sub(1)];
        self.standing.place(&last.span).end
    }

    fn spanning(&self, start: usize, kind: ExpressionKind) -> Expression {
        let last = &self.tokens[self.next.saturating_sub(1)];
        Expression { kind, span: self.standing.place(&(start..last.span.end)) }
    }
}

fn is_constant(kind: &ExpressionKind) -> bool {
    matches!(
        kind,
        ExpressionKind::Number { .. } | ExpressionKind::Text(_) | ExpressionKind::Boolean(_)
    )
}

fn join(left: Expression, operator: Operator, right: Expression) -> Expression {
    let span = left.span.start..right.span.end.max(left.span.end);
    let kind = ExpressionKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
    Expression { kind, span }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Expression, Mistake> {
        parse(text, &Standing { inner: Some(0), whole: 0..text.len() }, OF_ROWS)
    }

    /// The tree with all its brackets.
    fn shown(expression: &Expression) -> String {
        match &expression.kind {
            ExpressionKind::Number { digits, scale } => format!("{digits}e-{scale}"),
            ExpressionKind::Text(text) => format!("'{text}'"),
            ExpressionKind::Boolean(value) => value.to_string(),
            ExpressionKind::Path(path) => path.clone(),
            ExpressionKind::Not(inner) => format!("(not {})", shown(inner)),
            ExpressionKind::Negate(inner) => format!("(-{})", shown(inner)),
            ExpressionKind::Binary { operator, left, right } => {
                format!("({} {operator:?} {})", shown(left), shown(right))
            }
            ExpressionKind::In { value, list } => {
                let list: Vec<String> = list.iter().map(shown).collect();
                format!("({} in [{}])", shown(value), list.join(" "))
            }
            ExpressionKind::If { condition, then, otherwise } => {
                format!("(if {} {} {})", shown(condition), shown(then), shown(otherwise))
            }
            ExpressionKind::Call { function, arguments } => {
                let arguments: Vec<String> = arguments.iter().map(shown).collect();
                format!("{function}({})", arguments.join(" "))
            }
        }
    }

    #[test]
    fn operators_bind_as_people_expect() {
        for (text, tree) in [
            ("1 + 2 * 3", "(1e-0 Add (2e-0 Multiply 3e-0))"),
            ("1 - 2 - 3", "((1e-0 Subtract 2e-0) Subtract 3e-0)"),
            ("(1 + 2) * a.b", "((1e-0 Add 2e-0) Multiply a.b)"),
            ("not a == 'x' and b", "((not (a Equal 'x')) And b)"),
            ("a or b and c", "(a Or (b And c))"),
            ("a in ('x', 'y') or c < 1.25", "((a in ['x' 'y']) Or (c Less 125e-2))"),
            ("if a then 1 else b + 2", "(if a 1e-0 (b Add 2e-0))"),
            ("-a * -1.5", "((-a) Multiply -15e-1)"),
            ("round(ratio(a, b, 6) * 2, 1)", "round((ratio(a b 6e-0) Multiply 2e-0) 1e-0)"),
            ("'it''s' != x", "('it's' NotEqual x)"),
            ("not a in ('x')", "(not (a in ['x']))"),
        ] {
            assert_eq!(shown(&read(text).unwrap()), tree, "{text}");
        }
    }

    #[test]
    fn a_mistake_points_at_its_place() {
        for (text, place, what) in [
            ("a +", 3..3, "expected a value, found the end"),
            ("a = 'x'", 2..3, "found `=`"),
            ("rond(a)", 0..4, "no function `rond`"),
            ("min(a)", 0..3, "takes 2 values, not 1"),
            ("a in (b)", 6..7, "constants only"),
            ("a == 'x", 5..7, "no closing quote"),
            ("(a", 2..2, "expected `)`"),
            ("a b", 2..3, "an operator, found `b`"),
            ("1 < 2 < 3", 6..7, "join two with `and`"),
            ("a ? b", 2..3, "`?`"),
            ("", 0..0, "found the end"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.span, place, "{text}: {mistake:?}");
            assert!(mistake.what.contains(what), "{text}: {mistake:?}");
        }
    }

    #[test]
    fn places_are_counted_in_the_file() {
        let standing = Standing { inner: Some(50), whole: 49..60 };
        let sum = parse("a + b.c", &standing, OF_ROWS).unwrap();
        assert_eq!(sum.span, 50..57);
        let ExpressionKind::Binary { right, .. } = sum.kind else { panic!("no sum") };
        assert_eq!(right.span, 54..57);
        let escaped = Standing { inner: None, whole: 49..60 };
        assert_eq!(parse("a +", &escaped, OF_ROWS).unwrap_err().span, 49..60);
    }

    proptest! {
        // Nothing that a user types may panic or overflow the stack.
        #[test]
        fn any_text_is_read_or_refused(text in "[a-c0-9 ()+*/<>=!',.-]{0,80}|\\PC{0,40}") {
            if let Err(mistake) = read(&text) {
                prop_assert!(mistake.span.end <= text.len(), "{:?}", mistake);
            }
            prop_assert!(read(&"(".repeat(100_000)).is_err());
        }
    }
}
