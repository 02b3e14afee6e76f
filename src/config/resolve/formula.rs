//! Formulas: expressions over model time.

use super::super::expression::OF_REALS;
use super::super::model::{Expression, ExpressionKind, Formula, One, Two, Variable};
use super::super::reader::{At, Reader};
use super::super::suggest;
use super::generator::expression_with;

/// What a formula may name: of a curve the first three, of a phase all.
const NAMES: [&str; 5] = ["pi", "hour", "hours", "elapsed", "part"];

/// A formula in text; `of_phase` says whether there is a phase that it is read in.
pub(super) fn formula(reader: &mut Reader<'_>, at: &At<'_>, of_phase: bool) -> Option<Formula> {
    let expression = expression_with(reader, at, OF_REALS)?;
    let names = if of_phase { &NAMES[..] } else { &NAMES[..3] };
    from(reader, &expression.value, names)
}

fn from(reader: &mut Reader<'_>, expression: &Expression, names: &[&str]) -> Option<Formula> {
    let mut part = |inner: &Expression| from(reader, inner, names).map(Box::new);
    Some(match &expression.kind {
        ExpressionKind::Number { digits, scale } => {
            Formula::Number(*digits as f64 / libm::pow(10.0, f64::from(*scale)))
        }
        ExpressionKind::Boolean(value) => Formula::Number(f64::from(u8::from(*value))),
        ExpressionKind::Path(path) => variable(reader, path, expression, names)?,
        ExpressionKind::Not(inner) => Formula::Not(part(inner)?),
        ExpressionKind::Negate(inner) => Formula::Negate(part(inner)?),
        ExpressionKind::Binary { operator, left, right } => {
            Formula::Binary { operator: *operator, left: part(left)?, right: part(right)? }
        }
        ExpressionKind::If { condition, then, otherwise } => {
            Formula::If(Box::new([*part(condition)?, *part(then)?, *part(otherwise)?]))
        }
        ExpressionKind::Call { function, arguments } => match &arguments[..] {
            [only] => Formula::One(one(function)?, part(only)?),
            [first, second] => {
                Formula::Two(two(function)?, Box::new([*part(first)?, *part(second)?]))
            }
            _ => return None,
        },
        ExpressionKind::Text(_) | ExpressionKind::In { .. } => {
            let what = "a multiplier is worked out from numbers";
            reader.refuse(&expression.span, what, "compare with `==`, `<` and their like");
            return None;
        }
    })
}

fn variable(
    reader: &mut Reader<'_>,
    path: &str,
    expression: &Expression,
    names: &[&str],
) -> Option<Formula> {
    if names.contains(&path) {
        return Some(match path {
            "pi" => Formula::Number(std::f64::consts::PI),
            "hour" => Formula::Variable(Variable::Hour),
            "hours" => Formula::Variable(Variable::Hours),
            "elapsed" => Formula::Variable(Variable::Elapsed),
            _ => Formula::Variable(Variable::Part),
        });
    }
    let what = format!("a multiplier knows no `{path}`");
    let help = suggest::way_out(path, names.iter().copied()).unwrap_or_default();
    reader.refuse(&expression.span, what, &help);
    None
}

fn one(name: &str) -> Option<One> {
    Some(match name {
        "sin" => One::Sin,
        "cos" => One::Cos,
        "exp" => One::Exp,
        "log" => One::Log,
        "sqrt" => One::Sqrt,
        "floor" => One::Floor,
        "ceil" => One::Ceil,
        "abs" => One::Abs,
        _ => return None,
    })
}

fn two(name: &str) -> Option<Two> {
    Some(match name {
        "pow" => Two::Pow,
        "min" => Two::Min,
        "max" => Two::Max,
        _ => return None,
    })
}
