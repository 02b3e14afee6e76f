//! Hints of numbers and booleans: `range`, `iteration` and `odds`.

use apache_avro::Schema;

use super::Walk;
use super::decimal::{Decimal, power_of_ten};
use super::properties::Properties;
use super::schema::Type;
use crate::config::model::{Counter, Form, Generator, Parameter};
use crate::config::reader::At;
use crate::config::{Spanned, integer_bounds, raw};

/// Whole numbers up to here are exact in a double.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;
/// Whole numbers up to here are exact in a float.
const EXACT_FLOAT: f64 = 16_777_216.0;

/// What numbers of a type can be.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// Whole numbers, both ends included, divided by 10^digits.
    Fixed { min: i64, max: i64, digits: u8 },
    /// Any.
    Real { greatest: f64, exact: f64, digits_max: u8 },
}

impl<'w> Walk<'w, '_> {
    /// `{ "min": 1, "max": 10 }`: from `min` on, below `max`.
    pub(super) fn range(&mut self, ty: Type<'_>, at: &At<'w>) -> Option<Generator> {
        let mut section = self.reader.section(at)?;
        let (min, max) = (section.get("min"), section.get("max"));
        if min.is_none() && max.is_none() {
            let what = format!("`{}` has neither a `min` nor a `max`", at.path);
            self.reader.refuse(&at.node.span, what, "give one of them, or both");
            return None;
        }
        self.reader.finish(section);
        match scope(ty.schema)? {
            Scope::Fixed { min: least, max: greatest, digits } => {
                let least = self.bound(min.as_ref(), digits, (least, greatest), 0)?;
                // What is not reached may be one beyond what there is.
                let below = max.as_ref();
                let greatest = match below {
                    Some(_) => self.bound(below, digits, (least.1, greatest), 1)?.0 - 1,
                    None => i128::from(greatest),
                };
                let (min, max) = (least.0, greatest);
                if min > max {
                    return self.refuse_empty(at);
                }
                Some(Generator::Uniform {
                    min: i64::try_from(min).ok()?,
                    max: i64::try_from(max).ok()?,
                    digits,
                })
            }
            Scope::Real { greatest, exact, digits_max } => {
                let bounds = -greatest..=greatest;
                let least = match &min {
                    Some(at) => self.reader.number(at, &bounds)?,
                    None => -greatest,
                };
                let most = match &max {
                    Some(at) => self.reader.number(at, &bounds)?,
                    None => greatest,
                };
                if least >= most {
                    return self.refuse_empty(at);
                }
                Some(real(least, most, exact, digits_max))
            }
        }
    }

    fn refuse_empty(&mut self, at: &At<'_>) -> Option<Generator> {
        let what = format!("`{}` has no values: `min` must lie below `max`", at.path);
        self.reader.refuse(&at.node.span, what, "`min` is in the range, `max` is not");
        None
    }

    /// A bound in units of 10^−digits, and the type's least value; the type's own if there is none.
    fn bound(
        &mut self,
        at: Option<&At<'_>>,
        digits: u8,
        (least, greatest): (i64, i64),
        beyond: i128,
    ) -> Option<(i128, i64)> {
        let Some(at) = at else { return Some((i128::from(least), least)) };
        let decimal = self.decimal(at)?;
        let Some(value) = decimal.at(digits) else {
            let what = if digits == 0 {
                format!("`{}` is {decimal}, but must be a whole number", at.path)
            } else {
                format!("`{}` has more than the {digits} digits of the type", at.path)
            };
            self.reader.refuse(&at.node.span, what, "");
            return None;
        };
        let greatest = i128::from(greatest) + beyond;
        if (i128::from(least)..=greatest).contains(&value) {
            return Some((value, least));
        }
        let unit = |value: i128| Decimal { digits: value, scale: digits };
        let what = format!(
            "`{}` is {decimal}, but must be {} to {}",
            at.path,
            unit(i128::from(least)),
            unit(greatest)
        );
        self.reader.refuse(&at.node.span, what, "");
        None
    }

    /// A number as it is written.
    pub(super) fn decimal(&mut self, at: &At<'_>) -> Option<Decimal> {
        if !matches!(at.node.kind, raw::Kind::Integer(_) | raw::Kind::Real(_)) {
            self.reader.wrong_type(at, "a number");
            return None;
        }
        let written = self.reader.source.text(&at.node.span)?;
        let decimal = Decimal::parse(written);
        if decimal.is_none() {
            let what = format!("`{}` has more digits than can be counted in 64 bits", at.path);
            self.reader.refuse(&at.node.span, what, "use fewer digits");
        }
        decimal
    }

    /// `{ "start": 1, "restart": 10, "step": 1, "initial": 1 }`.
    pub(super) fn iteration(
        &mut self,
        ty: Type<'_>,
        at: &At<'w>,
        properties: &Properties<'w>,
    ) -> Option<Generator> {
        let mut section = self.reader.section(at)?;
        let help = "say where it begins: \"start\": 0";
        let start = self.reader.require(&mut section, "start", help);
        if matches!(ty.schema, Schema::Boolean) {
            self.reader.finish(section);
            let start = self.reader.boolean(&start?)?;
            let initial = i64::from(start);
            let counter = Counter { start: 0, step: 1, restart: Some(2), initial };
            return Some(Generator::Iteration { counter, digits: 0, form: Form::Boolean });
        }
        let [restart, step, initial] = ["restart", "step", "initial"].map(|key| section.get(key));
        self.reader.finish(section);
        let given = Given { start: start?, restart, step, initial };
        let (counter, digits) = self.steps(ty, at, &given)?;
        let form = if matches!(ty.schema, Schema::String) {
            let affix = |at: &Option<At<'w>>, walk: &mut Self| match at {
                Some(at) => walk.reader.text(at).map(|text| text.value),
                None => Some(String::new()),
            };
            let (prefix, suffix) =
                (affix(&properties.prefix, self), affix(&properties.suffix, self));
            Form::Text { prefix: prefix?, suffix: suffix? }
        } else {
            Form::Number
        };
        Some(Generator::Iteration { counter, digits, form })
    }

    fn steps(&mut self, ty: Type<'_>, at: &At<'w>, given: &Given<'w>) -> Option<(Counter, u8)> {
        let start = self.decimal(&given.start);
        let [restart, step, initial] =
            [&given.restart, &given.step, &given.initial].map(|at| match at {
                Some(at) => self.decimal(at).map(Some),
                None => Some(None),
            });
        let (start, restart, step, initial) = (start?, restart?, step?, initial?);
        let (least, greatest, digits) = match scope(ty.schema) {
            Some(Scope::Fixed { min, max, digits }) => (min, max, digits),
            Some(Scope::Real { .. }) => {
                let given = [Some(start), restart, step, initial];
                let digits = given.into_iter().flatten().map(|one| one.scale).max().unwrap_or(0);
                (-i64::MAX, i64::MAX, digits)
            }
            // A text of a whole number.
            None => (i64::from(i32::MIN), i64::from(i32::MAX), 0),
        };
        let unit = |walk: &mut Self, at: Option<&At<'_>>, value: Option<Decimal>| match (at, value)
        {
            (Some(at), Some(_)) => {
                walk.bound(Some(at), digits, (least, greatest), 1).map(|(value, _)| Some(value))
            }
            _ => Some(None),
        };
        let first = unit(self, Some(&given.start), Some(start));
        let end = unit(self, given.restart.as_ref(), restart);
        let by = match (&given.step, step) {
            (Some(at), Some(step)) => self.step_in_units(at, step, digits).map(Some),
            _ => Some(None),
        };
        let begin = unit(self, given.initial.as_ref(), initial);
        let start = i64::try_from(first??).ok()?;
        let restart = end?.map(|end| i64::try_from(end).unwrap_or(i64::MAX));
        let one = power_of_ten(digits)?;
        let step = by?.unwrap_or(if restart.is_some_and(|end| end < start) { -one } else { one });
        let restart = restart.unwrap_or(if step > 0 { greatest } else { least });
        let first = begin?.map_or(start, |begin| i64::try_from(begin).unwrap_or(i64::MAX));
        self.check_steps(at, given, [start, first, restart, step])?;
        Some((Counter { start, step, restart: Some(restart), initial: first }, digits))
    }

    fn step_in_units(&mut self, at: &At<'_>, step: Decimal, digits: u8) -> Option<i64> {
        let units = step.at(digits).and_then(|units| i64::try_from(units).ok());
        match units {
            Some(0) => {
                self.reader.refuse(&at.node.span, format!("`{}` is 0", at.path), "");
                None
            }
            None => {
                let what = format!("`{}` is {step}, which the type does not hold", at.path);
                self.reader.refuse(&at.node.span, what, "");
                None
            }
            units => units,
        }
    }

    fn check_steps(
        &mut self,
        at: &At<'_>,
        given: &Given<'_>,
        [start, first, restart, step]: [i64; 4],
    ) -> Option<()> {
        let span = |at: &Option<At<'_>>, otherwise: &At<'_>| {
            at.as_ref().map_or(otherwise.node.span.clone(), |at| at.node.span.clone())
        };
        if start == restart {
            let what = format!("`{}` ends where it starts", at.path);
            let help = "`restart` is where it goes back to `start`, and is not reached";
            self.reader.refuse(&span(&given.restart, at), what, help);
            return None;
        }
        if (restart > start) != (step > 0) {
            let way = if step > 0 { "up" } else { "down" };
            let what = format!("`{}` steps {way}, away from its `restart`", at.path);
            self.reader.refuse(&span(&given.step, at), what, "turn the sign of `step`");
            return None;
        }
        let inside = if step > 0 {
            start <= first && first < restart
        } else {
            restart < first && first <= start
        };
        if !inside {
            let what = format!("`{}` begins outside of what it goes through", at.path);
            let help = "`initial` lies from `start` to before `restart`";
            self.reader.refuse(&span(&given.initial, at), what, help);
            return None;
        }
        Some(())
    }

    /// The probability of `true`.
    pub(super) fn odds(&mut self, at: &At<'_>) -> Option<Generator> {
        let odds = self.reader.number(at, &(0.0..=1.0))?;
        let probability = Spanned { value: Parameter::Number(odds), span: at.node.span.clone() };
        Some(Generator::Chance { probability, by: None })
    }
}

/// The parts of an iteration.
struct Given<'t> {
    start: At<'t>,
    restart: Option<At<'t>>,
    step: Option<At<'t>>,
    initial: Option<At<'t>>,
}

/// What numbers of a type can be; none for types that hold none.
fn scope(schema: &Schema) -> Option<Scope> {
    if let Some((min, max)) = integer_bounds(schema) {
        return Some(Scope::Fixed { min, max, digits: 0 });
    }
    Some(match schema {
        Schema::Float => {
            Scope::Real { greatest: f32::MAX.into(), exact: EXACT_FLOAT, digits_max: 7 }
        }
        Schema::Double => Scope::Real { greatest: f64::MAX, exact: EXACT_DOUBLE, digits_max: 15 },
        Schema::Decimal(decimal) => {
            let precision = u8::try_from(decimal.precision).unwrap_or(u8::MAX).min(18);
            let (most, digits) = (power_of_ten(precision)? - 1, u8::try_from(decimal.scale).ok()?);
            Scope::Fixed { min: -most, max: most, digits }
        }
        _ => return None,
    })
}

/// The least and the greatest number of a type that holds whole ones, and digits after the point.
pub(super) fn whole_bounds(schema: &Schema) -> Option<(i64, i64, u8)> {
    match scope(schema)? {
        Scope::Fixed { min, max, digits } => Some((min, max, digits)),
        Scope::Real { .. } => None,
    }
}

/// Numbers of a range: decimals with as many digits as the type tells apart all over the range,
/// else real numbers.
pub(super) fn real(least: f64, most: f64, exact: f64, digits_max: u8) -> Generator {
    let widest = least.abs().max(most.abs());
    let fits = |digits: &u8| widest * libm::pow(10.0, f64::from(*digits)) <= exact;
    let as_single = exact < EXACT_DOUBLE;
    for digits in (0..=digits_max).rev().filter(fits) {
        let unit = libm::pow(10.0, f64::from(digits));
        #[expect(clippy::cast_possible_truncation, reason = "within 2^53")]
        let (mut min, mut max) = (libm::ceil(least * unit) as i64, libm::ceil(most * unit) as i64);
        let value = |units: i64| rounded(units as f64 / unit, as_single);
        // The products above are rounded, and so is what is written.
        while value(min) < least {
            min += 1;
        }
        while max > min && value(max) >= most {
            max -= 1;
        }
        if min < max && value(max) < most {
            return Generator::Uniform { min, max, digits };
        }
    }
    Generator::Real { min: least, max: most }
}

#[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
fn rounded(value: f64, as_single: bool) -> f64 {
    if as_single { f64::from(value as f32) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section_free(least: f64, most: f64) -> Generator {
        real(least, most, EXACT_DOUBLE, 15)
    }

    #[test]
    fn a_range_of_doubles_has_all_digits_that_doubles_tell_apart() {
        let cases = [(0.0, 1.0, 15), (-175.0, 175.0, 13), (0.1, 10.0, 14), (0.0, 1e15, 0)];
        for (least, most, wanted) in cases {
            let Generator::Uniform { min, max, digits } = section_free(least, most) else {
                panic!("no decimals from {least} to {most}")
            };
            let unit = libm::pow(10.0, f64::from(digits));
            assert_eq!(digits, wanted, "{least} to {most}");
            assert!(min as f64 / unit >= least && max as f64 / unit < most, "{least} to {most}");
            assert!((max - min) as f64 > 1e12, "{least} to {most}");
        }
        for (least, most) in [(0.0, f64::MAX), (1e-30, 2e-30), (1e16, 2e16)] {
            assert!(matches!(section_free(least, most), Generator::Real { .. }));
        }
    }
}
