//! Expressions over the values of a row.

use crate::config::Span;

/// An expression over the values of a row, with places counted in the model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it does.
    pub kind: ExpressionKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression does.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A whole number or decimal: `digits` / 10^`scale`.
    Number {
        /// All digits, with sign.
        digits: i64,
        /// How many of them stand after the point.
        scale: u8,
    },
    /// `'text'`.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A dotted path: a let or field, an entity, an attribute, a column.
    Path(String),
    /// `not a`.
    Not(Box<Expression>),
    /// `-a`.
    Negate(Box<Expression>),
    /// `a + b` and its like.
    Binary {
        /// Which.
        operator: Operator,
        /// On the left.
        left: Box<Expression>,
        /// On the right.
        right: Box<Expression>,
    },
    /// `a in ('x', 'y')`.
    In {
        /// What is looked for.
        value: Box<Expression>,
        /// Where: constants.
        list: Vec<Expression>,
    },
    /// `if c then a else b`.
    If {
        /// The condition.
        condition: Box<Expression>,
        /// If it holds.
        then: Box<Expression>,
        /// If not.
        otherwise: Box<Expression>,
    },
    /// `min(a, b)`, `max(a, b)`, `abs(a)`, `round(a)`, `round(a, digits)`, `round_to(a, step)`,
    /// `floor_to(a, step)`, `ratio(a, b, digits)`.
    Call {
        /// The function's name.
        function: String,
        /// Its arguments.
        arguments: Vec<Expression>,
    },
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`: rounded to the nearest, halves away from zero.
    Divide,
}
