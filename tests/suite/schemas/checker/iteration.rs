//! Values that count events.

use apache_avro::types::Value;
use serde_json::Value as Json;

use super::{Checker, Type, decimal_of, shown};

/// Units of a fraction: all numbers of the schemas are whole in them.
const UNIT: f64 = 100.0;

impl Checker {
    pub(super) fn iteration(&mut self, ty: &Type, given: &Json, value: &Value, path: &str) {
        if let Value::Boolean(value) = value {
            let start = given["start"].as_bool().unwrap();
            if *value != (start ^ (self.ordinal % 2 == 1)) {
                self.fail(path, format!("{value} for event {}", self.ordinal));
            }
            return;
        }
        let is_whole = !matches!(value, Value::Float(_) | Value::Double(_) | Value::Decimal(_));
        let unit = if is_whole { 1.0 } else { UNIT };
        let one: i128 = if is_whole { 1 } else { 100 };
        let number = |key: &str| {
            let given = given.get(key)?;
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            let fraction = || given.as_f64().map(|number| (number * unit).round() as i128);
            given.as_i64().map_or_else(fraction, |whole| Some(i128::from(whole) * one))
        };
        let start = number("start").unwrap();
        let (restart, step) = match (number("restart"), number("step")) {
            (Some(restart), Some(step)) => (restart, step),
            (Some(restart), None) => (restart, if restart > start { one } else { -one }),
            (None, step) => {
                let step = step.unwrap_or(one);
                let is_int = matches!(value, Value::Int(_) | Value::Date(_) | Value::String(_));
                let most = if is_int { i128::from(i32::MAX) } else { i128::from(i64::MAX) };
                (if step > 0 { most } else { -most - 1 }, step)
            }
        };
        let first = number("initial").unwrap_or(start);
        let period = (restart - start).abs();
        let steps = ((first - start).abs() + self.ordinal * step.abs()) % period;
        let wanted = start + steps * step.signum();
        let shown = match value {
            Value::Decimal(decimal) => decimal_of(ty, decimal),
            other => shown(other),
        };
        let good = match &shown {
            Json::String(text) => {
                let affix = |key| ty.hints.get(key).and_then(Json::as_str).unwrap_or("");
                *text == format!("{}{wanted}{}", affix("prefix"), affix("suffix"))
            }
            found if is_whole => found.as_i64().map(i128::from) == Some(wanted),
            found => (found.as_f64().unwrap() - wanted as f64 / unit).abs() < 1e-9,
        };
        if !good {
            self.fail(path, format!("{shown} for event {}, not {wanted}", self.ordinal));
        }
    }
}
