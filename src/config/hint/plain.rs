//! Plain defaults: what a type is filled with when nothing is said of it.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema};

use super::numbers::real;
use super::schema::Type;
use super::text::{of_pattern, plain_bytes, plain_text};
use super::{Stop, Walk};
use crate::config::model::{Field, Generator, Parameter, Scalar};
use crate::config::{Span, Spanned};

/// Whole numbers lie below.
const INT_MAX: i64 = 1_000_000;
const LONG_MAX: i64 = 1_000_000_000;
/// Digits that a decimal has at most.
const DECIMAL_DIGITS: u32 = 9;
/// Bytes that hold as many digits.
const DECIMAL_BYTES: usize = 4;
/// The form of a random UUID.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

impl<'w> Walk<'w, '_> {
    /// The plain default of a type.
    pub(super) fn plain(&mut self, ty: Type<'w>) -> Result<Generator, Stop> {
        let span = &ty.node.span;
        Ok(match ty.schema {
            Schema::Null => Generator::Constant(Scalar::Null),
            Schema::Boolean => {
                let probability = Spanned { value: Parameter::Number(0.5), span: span.clone() };
                Generator::Chance { probability, by: None }
            }
            Schema::Int => below(INT_MAX),
            Schema::Long => below(LONG_MAX),
            Schema::Float => real(0.0, 1.0, 16_777_216.0, 7),
            Schema::Double => real(0.0, 1.0, 9_007_199_254_740_992.0, 15),
            Schema::Bytes => plain_bytes(),
            Schema::String => plain_text(),
            Schema::Fixed(fixed) => self.exactly(ty, fixed.size)?,
            Schema::Enum(symbols) => {
                let symbols = symbols.symbols.iter();
                Generator::Choice(symbols.map(|symbol| (symbol.clone(), 1.0)).collect())
            }
            Schema::Decimal(decimal) => plain_decimal(decimal),
            Schema::Uuid(uuid) => self.uuid(ty, uuid)?,
            Schema::Duration(_) => duration(span),
            Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Generator::EventTime,
            Schema::Record(_) => self.record(ty)?,
            Schema::Union(_) => self.union(ty)?,
            Schema::Array(_) => self.list(ty, None, None)?,
            Schema::Map(_) => {
                let key = Spanned { value: plain_text(), span: span.clone() };
                self.list(ty, Some(key), None)?
            }
            Schema::BigDecimal => {
                let what = "a big-decimal cannot be filled";
                self.reader.refuse(span, what, "use `decimal` with a precision and a scale");
                return Err(Stop::Refused);
            }
            Schema::Ref { name } => {
                let what = format!("no type is called `{}` here", name.fullname(None));
                let help = "name the type itself: aliases are for readers of older data";
                self.reader.refuse(span, what, help);
                return Err(Stop::Refused);
            }
        })
    }

    /// The event's identity for the first one that is no item of a list; any other is random.
    fn uuid(
        &mut self,
        ty: Type<'w>,
        uuid: &apache_avro::schema::UuidSchema,
    ) -> Result<Generator, Stop> {
        use apache_avro::schema::UuidSchema;
        if !self.has_identity && self.lists == 0 && self.unions == 0 {
            self.has_identity = true;
            return Ok(Generator::Identity);
        }
        match uuid {
            UuidSchema::String => Ok(of_pattern(UUID.to_owned())),
            UuidSchema::Bytes | UuidSchema::Fixed(_) => self.exactly(ty, 16),
        }
    }

    /// So many random bytes.
    fn exactly(&mut self, ty: Type<'w>, size: usize) -> Result<Generator, Stop> {
        let Ok(size) = u16::try_from(size) else {
            let what = format!("{size} random bytes are too many, at most {} fit", u16::MAX);
            self.reader.refuse(&ty.node.span, what, "give it `options`");
            return Err(Stop::Refused);
        };
        Ok(Generator::Bytes { min: size, max: size })
    }
}

fn below(max: i64) -> Generator {
    Generator::Uniform { min: 0, max: max - 1, digits: 0 }
}

fn plain_decimal(decimal: &DecimalSchema) -> Generator {
    let digits = u32::try_from(decimal.precision).unwrap_or(u32::MAX).min(DECIMAL_DIGITS);
    let digits = digits.min(digits_of_bytes(decimal));
    let scale = u8::try_from(decimal.scale).unwrap_or(u8::MAX);
    // Of more digits than fit, the first ones are 0.
    Generator::Uniform { min: 0, max: 10_i64.pow(digits) - 1, digits: scale }
}

/// The digits that the bytes of a decimal hold, as far as they are fewer than plain ones.
fn digits_of_bytes(decimal: &DecimalSchema) -> u32 {
    match &decimal.inner {
        InnerDecimalSchema::Fixed(fixed) if fixed.size < DECIMAL_BYTES => {
            let greatest = (1_u64 << (8 * fixed.size).saturating_sub(1)) - 1;
            (greatest + 1).ilog10()
        }
        _ => DECIMAL_DIGITS,
    }
}

/// Up to a year of months, a month of days, a day of milliseconds.
fn duration(span: &Span) -> Generator {
    let part = |name: &str, max: i64| Field {
        name: Spanned { value: name.to_owned(), span: span.clone() },
        generator: Spanned { value: below(max), span: span.clone() },
    };
    Generator::Record(vec![part("months", 12), part("days", 30), part("millis", 86_400_000)])
}
