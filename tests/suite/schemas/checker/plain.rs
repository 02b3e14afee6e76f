//! Values of simple types: their hints, and the plain defaults as the documentation has them.

use apache_avro::types::Value;
use serde_json::Value as Json;

use super::{Checker, Type};

/// The start of the events' times, and some hours later.
const TIME_US: std::ops::Range<i64> = 1_772_409_600_000_000..1_772_420_000_000_000;

impl Checker {
    pub(super) fn scalar(&mut self, ty: &Type, name: &str, value: &Value, path: &str) {
        let range = ty.hints.get("range");
        match value {
            Value::Null if name == "null" => {}
            Value::Boolean(value) => {
                let odds = ty.hints.get("odds").and_then(Json::as_f64).unwrap_or(0.5);
                let seen = self.seen.entry(path.to_owned()).or_default();
                (seen.odds, seen.count) = (Some(odds), seen.count + 1);
                *seen.each.entry(value.to_string()).or_default() += 1;
            }
            Value::Int(value) => self.whole(range, i64::from(*value), 0..1_000_000, path),
            Value::Long(value) => self.whole(range, *value, 0..1_000_000_000, path),
            Value::Date(value) => {
                let days = TIME_US.start / 86_400_000_000;
                self.whole(range, i64::from(*value), days..days + 1, path);
            }
            Value::TimeMillis(value) => self.whole(range, i64::from(*value), 0..10_400_000, path),
            Value::TimeMicros(value) => self.whole(range, *value, 0..10_400_000_000, path),
            Value::TimestampMillis(value) | Value::LocalTimestampMillis(value) => {
                self.whole(range, *value, TIME_US.start / 1_000..TIME_US.end / 1_000, path);
            }
            Value::TimestampMicros(value) | Value::LocalTimestampMicros(value) => {
                self.whole(range, *value, TIME_US, path);
            }
            Value::TimestampNanos(value) | Value::LocalTimestampNanos(value) => {
                self.whole(range, *value, TIME_US.start * 1_000..TIME_US.end * 1_000, path);
            }
            Value::Float(value) => self.real(range, f64::from(*value), path),
            Value::Double(value) => self.real(range, *value, path),
            Value::String(text) => self.text(ty, text, path),
            Value::Bytes(bytes) => self.length(&ty.hints, bytes.len(), path, false),
            Value::Fixed(size, bytes) => {
                if ty.json["size"] != *size || bytes.len() != *size {
                    self.fail(path, format!("{size} bytes"));
                }
            }
            Value::Enum(_, symbol) => {
                let symbols =
                    ty.json["symbols"].as_array().unwrap_or_else(|| panic!("{path}: {ty:?}"));
                let symbols = symbols.iter().map(|it| it.as_str().unwrap().to_owned()).collect();
                let seen = self.seen.entry(path.to_owned()).or_default();
                (seen.wanted, seen.count) = (symbols, seen.count + 1);
                *seen.each.entry(symbol.clone()).or_default() += 1;
            }
            Value::Decimal(decimal) => {
                let bytes = Vec::<u8>::try_from(decimal).unwrap();
                self.decimal(ty, unscaled(&bytes), path);
            }
            Value::Uuid(_) => {}
            Value::Duration(duration) => {
                let bytes = <[u8; 12]>::from(*duration);
                let part = |at: usize| {
                    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
                };
                if part(0) > 11 || part(4) > 29 || part(8) > 86_399_999 {
                    self.fail(path, format!("{duration:?} is no plain duration"));
                }
            }
            other => self.fail(path, format!("{other:?} is not of the type {name}")),
        }
    }

    fn whole(&mut self, range: Option<&Json>, value: i64, plain: std::ops::Range<i64>, path: &str) {
        let bound =
            |key: &str| range?.get(key).map(|bound| bound.to_string().parse::<i128>().unwrap());
        let wide = i128::from(value);
        let good = if range.is_some() {
            bound("min").is_none_or(|min| wide >= min) && bound("max").is_none_or(|max| wide < max)
        } else {
            plain.contains(&value)
        };
        if !good {
            self.fail(path, format!("{value} is outside of its range"));
        }
    }

    fn real(&mut self, range: Option<&Json>, value: f64, path: &str) {
        let (min, max) = match range {
            None => (0.0, 1.0),
            Some(range) => {
                let bound = |key| range.get(key).and_then(Json::as_f64);
                (bound("min").unwrap_or(f64::NEG_INFINITY), bound("max").unwrap_or(f64::INFINITY))
            }
        };
        if !(value.is_finite() && value >= min && value < max) {
            self.fail(path, format!("{value} is not from {min} to {max}"));
        }
        // All parts of a range come.
        if min.is_finite() && max.is_finite() {
            let place = ((value / 4.0 - min / 4.0) / (max / 4.0 - min / 4.0) * 8.0).floor();
            let seen = self.seen.entry(path.to_owned()).or_default();
            seen.count += 1;
            seen.wanted = (0..8).map(|part| part.to_string()).collect();
            *seen.each.entry(place.to_string()).or_default() += 1;
        }
    }

    fn text(&mut self, ty: &Type, text: &str, path: &str) {
        let affix = |key| ty.hints.get(key).and_then(Json::as_str).unwrap_or("");
        let inner = text.strip_prefix(affix("prefix"));
        let inner = inner.and_then(|inner| inner.strip_suffix(affix("suffix")));
        let Some(inner) = inner else {
            return self.fail(path, format!("{text:?} lacks its prefix or suffix"));
        };
        let pattern = ty.hints.get("regex").and_then(Json::as_str);
        if pattern.is_none() || ty.hints.get("length").is_some() {
            self.length(&ty.hints, inner.chars().count(), path, false);
        }
        let pattern = self.pattern(pattern.unwrap_or("[a-z0-9]*"));
        if !pattern.is_match(inner) {
            self.fail(path, format!("{inner:?} is not of the form {pattern}"));
        }
    }

    fn decimal(&mut self, ty: &Type, unscaled: i128, path: &str) {
        let number = |key: &str| ty.json.get(key).and_then(Json::as_u64).unwrap_or(0);
        let (precision, scale) = (number("precision"), number("scale"));
        let unit = 10_f64.powi(i32::try_from(scale).unwrap());
        let value = unscaled as f64 / unit;
        let good = match ty.hints.get("range") {
            None => {
                unscaled >= 0 && unscaled < 10_i128.pow(u32::try_from(precision.min(9)).unwrap())
            }
            Some(range) => {
                range["min"].as_f64().is_none_or(|min| value >= min)
                    && range["max"].as_f64().is_none_or(|max| value < max)
            }
        };
        if !good {
            self.fail(path, format!("{value} is outside of its range"));
        }
    }
}

/// Two's complement, big-endian.
pub(super) fn unscaled(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|first| *first >= 0x80) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| number << 8 | i128::from(*byte))
}
