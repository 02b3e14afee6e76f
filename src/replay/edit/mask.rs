//! Masks: what stands in the place of what must not be seen.
//!
//! What stands there follows from a key and from what it stands for, by HMAC-SHA256: the same input gives
//! the same output wherever it is met, and nobody without the key can try inputs out.

use apache_avro::types::Value;
use apache_avro::{Decimal, Schema};
use aws_lc_rs::hmac;
use serde_json::{Number, Value as Json};

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Another value of the type, which says nothing of the one that it stands for.
    Hash,
    /// Null.
    Null,
    /// Another value that looks like it: letters for letters, digits for digits.
    Fake,
}

/// The key that decides what stands for what.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key")
    }
}

/// Bytes that follow from a key and an input, as many as are asked for.
struct Drawn<'k> {
    key: &'k hmac::Key,
    input: Vec<u8>,
    counter: u32,
    block: Vec<u8>,
}

impl Drawn<'_> {
    fn byte(&mut self) -> u8 {
        if self.block.is_empty() {
            let mut input = self.counter.to_le_bytes().to_vec();
            input.extend_from_slice(&self.input);
            self.block = hmac::sign(self.key, &input).as_ref().to_vec();
            self.counter += 1;
        }
        self.block.pop().unwrap_or(0)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number below `end`, which is above 0. The excess of some over others is below one in 2^64.
    fn below(&mut self, end: u128) -> u128 {
        u128::from_le_bytes(self.bytes()) % end
    }
}

impl Key {
    /// The key that follows from a text.
    pub fn of(seed: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes()))
    }

    /// A key that nobody knows.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    pub fn drawn() -> Self {
        let mut bytes = [0; 32];
        let drawn = aws_lc_rs::rand::fill(&mut bytes);
        assert!(drawn.is_ok(), "the system has random bytes");
        Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    fn draw(&self, input: &[u8]) -> Drawn<'_> {
        Drawn { key: &self.0, input: input.to_vec(), counter: 0, block: Vec::new() }
    }

    /// What stands for a text.
    pub fn text(&self, mask: Mask, text: &str) -> String {
        let mut drawn = self.draw(text.as_bytes());
        if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() {
            return self.uuid(text).to_string();
        }
        if mask == Mask::Hash {
            let digits = text.chars().count().clamp(16, 64);
            return (0..digits).map(|_| char::from(b"0123456789abcdef"[drawn.pick(16)])).collect();
        }
        let of = |drawn: &mut Drawn<'_>, letters: &str| {
            letters.chars().nth(drawn.pick(letters.len())).unwrap_or('x')
        };
        text.chars()
            .map(|letter| match letter {
                '0'..='9' => of(&mut drawn, "0123456789"),
                letter if letter.is_uppercase() => of(&mut drawn, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                letter if letter.is_alphabetic() => of(&mut drawn, "abcdefghijklmnopqrstuvwxyz"),
                other => other,
            })
            .collect()
    }

    /// What stands for bytes: text if they are text, else as many others.
    pub fn bytes(&self, mask: Mask, bytes: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(mask, text).into_bytes(),
            Err(_) => self.blob(bytes),
        }
    }

    fn blob(&self, bytes: &[u8]) -> Vec<u8> {
        let mut drawn = self.draw(bytes);
        bytes.iter().map(|_| drawn.byte()).collect()
    }

    fn uuid(&self, text: &str) -> uuid::Uuid {
        let bytes = self.draw(text.to_lowercase().as_bytes()).bytes();
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// A number of as many digits and the same sign, in a range that has the given one.
    fn whole(&self, number: i128, (min, max): (i128, i128)) -> i128 {
        let digits = number.unsigned_abs().max(1).ilog10();
        let low = if digits == 0 { 0 } else { 10_u128.pow(digits) };
        let high = 10_u128.checked_pow(digits + 1).map_or(u128::MAX, |power| power - 1);
        let limit = if number < 0 { min.unsigned_abs() } else { max.unsigned_abs() };
        let drawn = self.draw(number.to_string().as_bytes()).below(high.min(limit) - low + 1);
        let size = i128::try_from(low + drawn).unwrap_or(number);
        if number < 0 { -size } else { size }
    }

    /// A number of the same sign and about the same size.
    fn real(&self, number: f64) -> f64 {
        let mantissa = (1_u64 << 52) - 1;
        let bits = u64::from_le_bytes(self.draw(number.to_string().as_bytes()).bytes());
        let masked = f64::from_bits(number.to_bits() & !mantissa | bits & mantissa);
        if masked.is_finite() && number.is_normal() { masked } else { 0.0 }
    }

    /// Another time of the same day, which has so many units; in such units since any midnight.
    fn time(&self, time: i64, day: i64) -> i64 {
        let drawn = self.draw(time.to_string().as_bytes()).below(day.unsigned_abs().into());
        time.div_euclid(day) * day + i64::try_from(drawn).unwrap_or(0)
    }

    /// Puts what stands for a value in its place; false if its type has nothing of the kind.
    pub fn apply(&self, mask: Mask, schema: &Schema, value: &mut Value) -> bool {
        const DAY_MS: i64 = 86_400_000;
        let int = (i128::from(i32::MIN), i128::from(i32::MAX));
        let long = (i128::from(i64::MIN), i128::from(i64::MAX));
        match (schema, &mut *value) {
            (_, Value::String(text)) => *text = self.text(mask, text),
            (_, Value::Uuid(uuid)) => *uuid = self.uuid(&uuid.to_string()),
            (_, Value::Int(number)) => {
                *number = i32::try_from(self.whole((*number).into(), int)).unwrap_or(0);
            }
            (_, Value::Long(number)) => {
                *number = i64::try_from(self.whole((*number).into(), long)).unwrap_or(0);
            }
            #[expect(clippy::cast_possible_truncation, reason = "of a float's own size")]
            (_, Value::Float(number)) => *number = self.real((*number).into()) as f32,
            (_, Value::Double(number)) => *number = self.real(*number),
            (_, Value::Boolean(answer)) => *answer = self.draw(&[u8::from(*answer)]).pick(2) == 1,
            (Schema::Enum(of), Value::Enum(number, symbol)) => {
                let place = self.draw(symbol.as_bytes()).pick(of.symbols.len());
                *number = u32::try_from(place).unwrap_or(0);
                symbol.clone_from(&of.symbols[place]);
            }
            (_, Value::Bytes(bytes) | Value::Fixed(_, bytes)) => *bytes = self.blob(bytes),
            (_, Value::Decimal(decimal)) => return self.decimal(decimal),
            (_, Value::Date(days)) => {
                let drawn = self.draw(days.to_string().as_bytes()).below(365);
                *days = days.saturating_add(i32::try_from(drawn).unwrap_or(0) - 182);
            }
            (_, Value::TimeMillis(time)) => {
                *time = i32::try_from(self.time((*time).into(), DAY_MS)).unwrap_or(0);
            }
            (_, Value::TimestampMillis(time) | Value::LocalTimestampMillis(time)) => {
                *time = self.time(*time, DAY_MS);
            }
            (
                _,
                Value::TimeMicros(time)
                | Value::TimestampMicros(time)
                | Value::LocalTimestampMicros(time),
            ) => *time = self.time(*time, DAY_MS * 1_000),
            (_, Value::TimestampNanos(time) | Value::LocalTimestampNanos(time)) => {
                *time = self.time(*time, DAY_MS * 1_000_000);
            }
            _ => return false,
        }
        true
    }

    fn decimal(&self, decimal: &mut Decimal) -> bool {
        let Ok(bytes) = Vec::<u8>::try_from(&*decimal) else { return false };
        let length = bytes.len();
        if length == 0 || length > size_of::<i128>() {
            return false;
        }
        let negative = bytes[0] >= 0x80;
        let mut wide = [if negative { 0xff } else { 0 }; size_of::<i128>()];
        wide[size_of::<i128>() - length..].copy_from_slice(&bytes);
        let max = i128::MAX >> (8 * (size_of::<i128>() - length));
        let masked = self.whole(i128::from_be_bytes(wide), (-max, max));
        *decimal = Decimal::from(&masked.to_be_bytes()[size_of::<i128>() - length..]);
        true
    }

    /// Puts what stands for a JSON value in its place, item by item.
    pub fn apply_json(&self, mask: Mask, value: &mut Json) {
        match value {
            Json::Null => {}
            Json::Bool(answer) => *answer = self.draw(&[u8::from(*answer)]).pick(2) == 1,
            Json::String(text) => *text = self.text(mask, text),
            Json::Number(number) => {
                let long = (i128::from(i64::MIN), i128::from(i64::MAX));
                let masked = match number.as_i64() {
                    Some(whole) => {
                        i64::try_from(self.whole(whole.into(), long)).ok().map(Number::from)
                    }
                    None => Number::from_f64(self.real(number.as_f64().unwrap_or(0.0))),
                };
                *number = masked.unwrap_or_else(|| 0.into());
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.apply_json(mask, item)),
            Json::Object(fields) => {
                fields.iter_mut().for_each(|(_, value)| self.apply_json(mask, value));
            }
        }
    }
}

impl Drawn<'_> {
    /// A place among so many, which are more than 0.
    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count.max(1) as u128)).unwrap_or(0)
    }
}

/// Whether a mask has something for values of a type.
pub fn takes(mask: Mask, schema: &Schema) -> bool {
    match mask {
        Mask::Null => match schema {
            Schema::Union(union) => union.variants().contains(&Schema::Null),
            other => *other == Schema::Null,
        },
        Mask::Hash | Mask::Fake => !matches!(
            schema,
            Schema::Record(_) | Schema::Duration(_) | Schema::BigDecimal | Schema::Null
        ),
    }
}
