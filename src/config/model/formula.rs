//! Formulas: real numbers over model time.

use super::Operator;

/// A real number over model time, in doubles, worked out in the order in which it is written.
///
/// Functions are those of the `libm` crate, whose results are the same on every platform.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A constant.
    Number(f64),
    /// A variable.
    Variable(Variable),
    /// `-a`.
    Negate(Box<Formula>),
    /// `not a`.
    Not(Box<Formula>),
    /// `a + b` and its like; true is 1, false is 0.
    Binary {
        /// Which.
        operator: Operator,
        /// a.
        left: Box<Formula>,
        /// b.
        right: Box<Formula>,
    },
    /// `if c then a else b`.
    If(Box<[Formula; 3]>),
    /// A function of one number.
    One(One, Box<Formula>),
    /// A function of two numbers.
    Two(Two, Box<[Formula; 2]>),
}

/// What a formula is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Whole hours since the model's start.
    Hour,
    /// Hours since the model's start.
    Hours,
    /// Hours since the begin of the phase.
    Elapsed,
    /// How much of the phase is over, from 0 to 1.
    Part,
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    /// The sine of radians.
    Sin,
    /// The cosine of radians.
    Cos,
    /// e to its power.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// The nearest whole number below.
    Floor,
    /// The nearest whole number above.
    Ceil,
    /// Without its sign.
    Abs,
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Two {
    /// The first to the power of the second.
    Pow,
    /// The lesser.
    Min,
    /// The greater.
    Max,
}

/// When a formula is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Instant {
    /// Hours since the model's start.
    pub hours: f64,
    /// Hours since the begin of the phase, if there is one.
    pub elapsed: f64,
    /// How much of it is over, from 0 to 1.
    pub part: f64,
}

impl Formula {
    /// Its value at an instant.
    pub fn at(&self, instant: &Instant) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Variable(Variable::Hour) => libm::floor(instant.hours),
            Self::Variable(Variable::Hours) => instant.hours,
            Self::Variable(Variable::Elapsed) => instant.elapsed,
            Self::Variable(Variable::Part) => instant.part,
            Self::Negate(inner) => -inner.at(instant),
            Self::Not(inner) => truth(!is_true(inner.at(instant))),
            Self::Binary { operator, left, right } => {
                binary(*operator, left.at(instant), right.at(instant))
            }
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if is_true(condition.at(instant)) { then } else { otherwise }.at(instant)
            }
            Self::One(function, inner) => one(*function, inner.at(instant)),
            Self::Two(function, pair) => {
                let [a, b] = [pair[0].at(instant), pair[1].at(instant)];
                match function {
                    Two::Pow => libm::pow(a, b),
                    Two::Min => a.min(b),
                    Two::Max => a.max(b),
                }
            }
        }
    }

    /// Whether it only changes from one whole hour since the start to the next.
    pub fn is_hourly(&self) -> bool {
        !self.reads(&|variable| variable != Variable::Hour)
    }

    /// Whether it asks how much of the phase is over.
    pub fn is_of_part(&self) -> bool {
        self.reads(&|variable| variable == Variable::Part)
    }

    fn reads(&self, asked: &dyn Fn(Variable) -> bool) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Variable(variable) => asked(*variable),
            Self::Negate(inner) | Self::Not(inner) | Self::One(_, inner) => inner.reads(asked),
            Self::Binary { left, right, .. } => left.reads(asked) || right.reads(asked),
            Self::If(parts) => parts.iter().any(|part| part.reads(asked)),
            Self::Two(_, pair) => pair.iter().any(|part| part.reads(asked)),
        }
    }
}

fn one(function: One, a: f64) -> f64 {
    match function {
        One::Sin => libm::sin(a),
        One::Cos => libm::cos(a),
        One::Exp => libm::exp(a),
        One::Log => libm::log(a),
        One::Sqrt => libm::sqrt(a),
        One::Floor => libm::floor(a),
        One::Ceil => libm::ceil(a),
        One::Abs => libm::fabs(a),
    }
}

#[expect(clippy::float_cmp, reason = "what is written is what is compared")]
fn binary(operator: Operator, a: f64, b: f64) -> f64 {
    match operator {
        Operator::Or => truth(is_true(a) || is_true(b)),
        Operator::And => truth(is_true(a) && is_true(b)),
        Operator::Equal => truth(a == b),
        Operator::NotEqual => truth(a != b),
        Operator::Less => truth(a < b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::GreaterOrEqual => truth(a >= b),
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
    }
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn is_true(value: f64) -> bool {
    value.abs() > 0.0
}
