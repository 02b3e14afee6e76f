//! What fills each place of an Avro schema: the plan's answer, the encoder's input.

use std::sync::Arc;

use super::program::{Register, Wide};

/// A whole number in columns, as the schema is to hold it (unscaled for decimals).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    /// The same for every row.
    Constant(i64),
    /// A word, 0 to 2^32 − 1.
    Unsigned(Register),
    /// A word as two's complement.
    Signed(Register),
    /// Two words as two's complement.
    Wide(Wide),
    /// `base` + a 64-bit unsigned value in two words: for times since a start.
    Offset {
        /// What is added.
        base: i64,
        /// The value in columns.
        value: Wide,
    },
}

/// Text put together from pieces, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text(pub Vec<Piece>);

/// One piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The same for every row.
    Literal(String),
    /// One of `values`, by the number in a column; padded with blanks and cut to `width` if given.
    Lookup {
        /// The column that says which.
        index: Register,
        /// What it says.
        values: Arc<[String]>,
        /// Exact width in characters; longer values are cut, shorter ones padded on the right.
        width: Option<usize>,
    },
    /// A number in a base from 2 to 36 (lower-case digits, or upper-case if `upper`), with leading
    /// zeros to at least `width` digits.
    Number {
        /// The number.
        value: Integer,
        /// 10, 16 or any other base from 2 to 36.
        base: u8,
        /// The least number of digits.
        width: u8,
        /// Whether digits above 9 are capital letters.
        upper: bool,
    },
    /// A number divided by 10^`scale`, written exactly ("-12.3400").
    Decimal {
        /// The number before the division.
        value: Integer,
        /// How many digits stand after the point.
        scale: u8,
    },
    /// `count` characters of `alphabet`, taken from one random word (first: the highest).
    ///
    /// The word w gives `alphabet[⌊w·n / 2^32⌋]`, and goes on as w·n mod 2^32.
    Characters {
        /// The random word.
        word: Register,
        /// What may stand there; at most 256, one-byte or longer UTF-8.
        alphabet: Arc<[char]>,
        /// How many.
        count: u8,
    },
    /// The same, but only so many of these characters that the text has `length` with the `before`
    /// that stood there already: none to `count`.
    SomeCharacters {
        /// The random word.
        word: Register,
        /// What may stand there; at most 256, one-byte or longer UTF-8.
        alphabet: Arc<[char]>,
        /// How many at most.
        count: u8,
        /// The column of how many there are, with those before.
        length: Register,
        /// How many there could be before.
        before: u32,
    },
    /// One of several texts, by the number in a column.
    Choice {
        /// The column that says which.
        index: Register,
        /// What it says.
        texts: Vec<Text>,
    },
    /// One of two texts, by a word that is 1 or 0.
    Either {
        /// The column.
        condition: Register,
        /// Where it is 1.
        then: Text,
        /// Where it is 0.
        otherwise: Text,
    },
    /// A UUID in its usual form, 36 characters, from four words (first: the highest).
    Uuid([Register; 4]),
    /// An instant as RFC 3339 in local time: `2026-11-21T08:31:02+01:00`, with `digits` digits of
    /// the second's fraction (0, 3 or 6).
    LocalTime {
        /// Microseconds since the Unix epoch, UTC.
        instant_us: Integer,
        /// Minutes east of UTC.
        offset_minutes: Integer,
        /// Digits after the second: 0, 3 or 6.
        digits: u8,
    },
}

/// What fills one place of an Avro schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// The same value for every row, for any schema.
    Constant(apache_avro::types::Value),
    /// One of `values`, for any schema (enum symbols as strings), by the number in a column.
    Dictionary {
        /// The column that says which.
        index: Register,
        /// What it says.
        values: Arc<[apache_avro::types::Value]>,
    },
    /// A record's fields, in the schema's order.
    Record(Vec<Fill>),
    /// For `boolean`: a word that is 0 or not.
    Boolean(Register),
    /// For `int`, `long` and their logical types (the value in the schema's unit), and for
    /// `decimal` (the unscaled value).
    Integer(Integer),
    /// For `float` and `double`: a number divided by 10^`scale`.
    Real {
        /// The number before the division.
        value: Integer,
        /// The power of ten that it is divided by.
        scale: u8,
    },
    /// For `float` and `double`: middle + value·step, set to the bounds if rounding leaves them.
    Spread {
        /// The number.
        value: Integer,
        /// Where it is 0.
        middle: f64,
        /// What one more is.
        step: f64,
        /// The least, and what is not reached.
        bounds: (f64, f64),
    },
    /// For `string` (logical type `uuid` too), `bytes` and, if the length is right, `fixed`.
    Text(Text),
    /// For logical type `uuid` on `string` (36 characters) or `fixed` (16 bytes), for `string`,
    /// and for `fixed` or `bytes` of 16: four words, first the highest.
    Uuid([Register; 4]),
    /// For `bytes` and `fixed`: words, big-endian, of which the first `length` bytes are written.
    Words {
        /// The words, first the highest.
        words: Vec<Register>,
        /// How many bytes of them are written.
        length: usize,
    },
    /// For `bytes`: words, big-endian, of which the first bytes are written, as many as a column says.
    Bytes {
        /// The words, first the highest.
        words: Vec<Register>,
        /// How many bytes of them are written.
        length: Register,
    },
    /// For `fixed` with logical type `duration`.
    Duration {
        /// Months.
        months: Integer,
        /// Days.
        days: Integer,
        /// Milliseconds.
        millis: Integer,
    },
    /// For a union: one branch a row, by the number in a column.
    Union {
        /// The column that holds the branch's number.
        branch: Register,
        /// A fill a branch, in the schema's order; a branch that is never taken may be `None`.
        branches: Vec<Option<Fill>>,
    },
    /// For a union with `null` and exactly one other branch (or more: then `branch` says which of
    /// the schema's branches): null where the word is 0, else the value.
    Optional {
        /// The column that is 0 for null.
        present: Register,
        /// The schema's branch that holds the value.
        branch: usize,
        /// The value.
        value: Box<Fill>,
    },
    /// For `array`: the items of one child frame.
    Array {
        /// The number of the child frame in the frame above.
        child: usize,
        /// What fills an item, in columns of the child frame.
        item: Box<Fill>,
    },
    /// For `map`: the items of one child frame.
    Map {
        /// The number of the child frame in the frame above.
        child: usize,
        /// The keys, in columns of the child frame.
        key: Text,
        /// What fills a value, in columns of the child frame.
        value: Box<Fill>,
    },
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: HeaderFill,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderFill {
    /// The event's identity, 16 bytes: four words, first the highest.
    Identity([Register; 4]),
    /// Text; where the word is 0, the record has not got the header.
    Text {
        /// The text.
        text: Text,
        /// The column that is 0 where there is none.
        present: Option<Register>,
    },
    /// When the record was to be sent: known at the hand-over only.
    IntendedTime,
}
