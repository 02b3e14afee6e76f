//! Where values come from.

use std::sync::Arc;

use super::walk::{Moment, Walk};
use super::{Expression, Field, Words};
use crate::config::Spanned;

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null` (written `"null"` as a bare generator name).
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a point, as written.
    Real(f64),
    /// Text.
    Text(String),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Generator {
    /// `"identity"`: who the event is, as a UUID that only the seed's holder can read.
    Identity,
    /// `"event_time"`.
    EventTime,
    /// `"sibling"`: which of the events that follow the same one it is, from 1.
    Sibling,
    /// `{ local_time = "account.home.zone" }`: the event time as RFC 3339 in the zone that the
    /// path names.
    LocalTime {
        /// A path to a text column of IANA zones.
        zone: Spanned<String>,
    },
    /// `{ constant = … }`, or `"null"`.
    Constant(Scalar),
    /// `{ choice = { a = 0.8, b = 0.2 } }` or `{ choice = ["a", "b"] }`: values with weights.
    Choice(Vec<(String, f64)>),
    /// `{ table = "mccs" }`: a row, by the table's weights or by another column of weights.
    Table {
        /// The table's name.
        table: Spanned<String>,
        /// The column of weights, instead of the table's own.
        weight: Option<Spanned<String>>,
        /// The column that is the value. None: the row, for paths to go through.
        column: Option<Spanned<String>>,
    },
    /// `{ uniform = [0, 9999] }` or `{ uniform = [0.5, 9.5], digits = 1 }`: both ends included.
    Uniform {
        /// The least, times 10^`digits`.
        min: i64,
        /// The greatest, times 10^`digits`.
        max: i64,
        /// Digits after the point, 0 to 6.
        digits: u8,
    },
    /// `{ lognormal = { median = 2200, sigma = 1.3 }, min = 1, max = … }` and its like.
    Distribution {
        /// The distribution; a mixture has several.
        parts: Vec<MixturePart>,
        /// A path to the table row that parameters given as column names are read from.
        by: Option<Spanned<String>>,
        /// Values below are set to it.
        min: Option<f64>,
        /// Values above are set to it.
        max: Option<f64>,
        /// Digits after the point, 0 to 6; the value is rounded to them.
        digits: u8,
        /// The value is rounded to a multiple of it, before `min` and `max`.
        round: Option<f64>,
    },
    /// `{ chance = 0.02 }`, or of a column: `{ chance = "online_share", by = "merchant.mcc" }`.
    Chance {
        /// The probability, 0 to 1.
        probability: Spanned<Parameter>,
        /// A path to the table row that a column name is read from.
        by: Option<Spanned<String>>,
    },
    /// `{ by = "channel", cases = { present = …, online = … }, default = … }`.
    By {
        /// A path to a text value.
        on: Spanned<String>,
        /// A generator a value.
        cases: Vec<(Spanned<String>, Spanned<Generator>)>,
        /// For all other values. None: every value must have a case.
        default: Option<Box<Spanned<Generator>>>,
    },
    /// Any generator with `when = "…"`: else null, or `else = …`.
    When {
        /// An expression that is true or false.
        condition: Spanned<Expression>,
        /// If it is true.
        then: Box<Spanned<Generator>>,
        /// If not. None: null.
        otherwise: Option<Box<Spanned<Generator>>>,
    },
    /// `{ near = "account.home", within_km = 30 }`: a row of the same table near that row.
    Near(Near),
    /// Any generator with `once = "usual"`: drawn once for each member, favourite or period that the
    /// path leads to; for the event where it leads to null.
    Once {
        /// A path to a member, a favourite or a period.
        on: Spanned<String>,
        /// What is drawn.
        generator: Box<Spanned<Generator>>,
    },
    /// `{ favourite = 12, of = "account", share = 0.7 }`: which of a member's favourites it is.
    Favourite(Favourite),
    /// `{ period = "30d", of = "account" }`: which of a member's periods it is.
    Period(Period),
    /// `{ habit = "merchant", of = "account", favourites = 12, share = 0.7 }`: mostly one of a
    /// member's favourites.
    Habit {
        /// Which of them.
        favourite: Favourite,
        /// A member.
        member: Box<Spanned<Generator>>,
    },
    /// `{ entity = "account", format = "acct-{:010}" }`: a member. Every use without `with` and
    /// `of` in one stream is the same pick.
    Entity {
        /// The entity's name.
        entity: Spanned<String>,
        /// `with = { site = "spot" }`: only members whose dealt attributes have these values
        /// (paths).
        with: Vec<(Spanned<String>, Spanned<String>)>,
        /// `with = {}`: any member, drawn anew.
        anew: bool,
        /// `of = "account"`: only members that belong to this one (a path).
        of: Option<Spanned<String>>,
        /// `near = "account.home"`: only members whose dealt place is near this one.
        near: Option<Box<Near>>,
        /// The text of the number: `{}` with an optional width and base, as in Rust.
        format: Option<Spanned<String>>,
    },
    /// `{ attribute = "account.home", column = "name" }`, or `"account.home.name"`: what a path
    /// leads to.
    Attribute {
        /// The path.
        path: Spanned<String>,
        /// One more step.
        column: Option<Spanned<String>>,
        /// As for entities.
        format: Option<Spanned<String>>,
    },
    /// `{ attribute = "symbol.price", at = "-1d" }`: what a path leads to at another time.
    At {
        /// The attribute.
        value: Box<Spanned<Generator>>,
        /// When.
        moment: Moment,
    },
    /// `{ highest_of = "symbol.price", from = …, to = … }`, or `lowest_of`: of a walk between two times.
    Extreme {
        /// The path to the walk.
        path: Spanned<String>,
        /// The highest, or the lowest.
        highest: bool,
        /// The two times.
        between: Box<[Moment; 2]>,
    },
    /// `{ walk = { start = 100, volatility = "30%/y" }, digits = 2 }`: of a member, over time.
    Walk(Box<Walk>),
    /// `{ template = "{merchant.name:25}{merchant.site.city:13}" }`: text with paths in braces.
    Template(String),
    /// `{ regex = "[0-9a-f]+", length = [8, 16] }`: random text of that form.
    Regex {
        /// The form.
        pattern: String,
        /// The fewest and the most characters of the whole.
        length: Option<(u16, u16)>,
    },
    /// `{ token = "base36", length = 12 }`: text that is unique for each event, or, with
    /// `of = "card"`, for each member; looks random, by a keyed permutation.
    Token {
        /// Digits: 10 (`decimal`), 16 (`hex`) or 36 (`base36`, capital letters).
        base: u8,
        /// How many characters; at most 64 bits' worth are used.
        length: u8,
        /// A path to the member. None: the event.
        of: Option<Spanned<String>>,
    },
    /// `{ expression = "round(amount * rate)" }`.
    Expression(Expression),
    /// `"email"`, `{ iban = "DE" }` and their like: values that people know.
    Words(Words),
    /// A schema's `options`: one of some values, all alike likely, for a place that takes them.
    Options(Arc<[apache_avro::types::Value]>),
    /// A schema's `range` that no decimals fill: real numbers from `min` on, below `max`.
    Real {
        /// The least.
        min: f64,
        /// What is not reached.
        max: f64,
    },
    /// A schema's `iteration`: each event has the next value.
    Iteration {
        /// The values, times 10^`digits`.
        counter: Counter,
        /// Digits after the point.
        digits: u8,
        /// What they are written as.
        form: Form,
    },
    /// `{ record = { sku = …, quantity = … } }`: fields, which can refer to each other.
    Record(Vec<Field>),
    /// `{ array = <generator>, length = 3 }`.
    Array {
        /// What an item is.
        item: Box<Spanned<Generator>>,
        /// How many items there are.
        length: Box<Spanned<Generator>>,
    },
    /// `{ map = <generator>, keys = <generator>, length = [0, 5] }`.
    Map {
        /// What a key is.
        key: Box<Spanned<Generator>>,
        /// What a value is.
        value: Box<Spanned<Generator>>,
        /// How many entries there are.
        length: Box<Spanned<Generator>>,
    },
    /// `{ any = [{ weight = 3, value = <generator> }, …] }`: one of several, each of a kind of its
    /// own.
    Any(Vec<Alternative>),
    /// `{ counter = { start = 1, step = 1 } }`.
    Counter(Counter),
    /// `{ bytes = 16 }` or `{ bytes = [8, 16] }`: random bytes.
    Bytes {
        /// The fewest.
        min: u16,
        /// The most.
        max: u16,
    },
}

/// What the numbers of an iteration are written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Numbers.
    Number,
    /// `true` where the number is 1.
    Boolean,
    /// Text.
    Text {
        /// Before the number.
        prefix: String,
        /// After it.
        suffix: String,
    },
}

/// Numbers that go on from event to event, in send order, all lanes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Where it begins, and begins again.
    pub start: i64,
    /// How far it goes from event to event; not 0.
    pub step: i64,
    /// Where it begins again instead of reaching it. None: never.
    pub restart: Option<i64>,
    /// The number of the first event, from `start` to before `restart`.
    pub initial: i64,
}

/// One of several generators.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Its share, from 0 up.
    pub weight: f64,
    /// The branch of the schema's union that it goes to: `long`, or a type's full name. None: the
    /// first of its kind.
    pub branch: Option<Spanned<String>>,
    /// The generator.
    pub generator: Spanned<Generator>,
}

/// A place near another one.
#[derive(Clone, Debug)]
pub struct Near {
    /// A path to a row of a table with the columns `latitude` and `longitude`.
    pub to: Spanned<String>,
    /// How far away, at most.
    pub within_km: f64,
    /// The column of weights, instead of the table's own.
    pub weight: Option<Spanned<String>>,
}

/// One of the favourites of a member.
#[derive(Clone, Debug)]
pub struct Favourite {
    /// A path to the member.
    pub of: Spanned<String>,
    /// How many favourites it has, at least 1.
    pub count: u32,
    /// The share of events that one of them takes, 0 to 1; the others take none.
    pub share: f64,
    /// The r-th favourite is taken in proportion to r^−exponent.
    pub exponent: f64,
}

/// Periods of a member, each of the same length, shifted for each member.
#[derive(Clone, Debug)]
pub struct Period {
    /// A path to the member.
    pub of: Spanned<String>,
    /// How long each is, in microseconds: whole seconds, at least a minute; whole days with `begins_us`.
    pub length_us: u64,
    /// The time of day at which they begin, in microseconds. None: any moment.
    pub begins_us: Option<u64>,
    /// A path to the zone whose time of day it is; there is one if there is `begins_us`.
    pub zone: Option<Spanned<String>>,
}

/// One part of a mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct MixturePart {
    /// Its share, above 0.
    pub weight: f64,
    /// Its form.
    pub shape: Shape,
}

/// A distribution.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// e^(ln median + sigma · z).
    Lognormal {
        /// The median, above 0.
        median: Spanned<Parameter>,
        /// The standard deviation of the logarithm, above 0.
        sigma: Spanned<Parameter>,
    },
    /// mean + sd · z.
    Normal {
        /// The mean.
        mean: Spanned<Parameter>,
        /// The standard deviation, above 0.
        sd: Spanned<Parameter>,
    },
    /// −mean · ln u.
    Exponential {
        /// The mean, above 0.
        mean: Spanned<Parameter>,
    },
    /// scale · u^(−1 / shape): nothing below the scale, and a tail that falls like x^−shape.
    Pareto {
        /// The least value, above 0.
        scale: Spanned<Parameter>,
        /// How fast the tail falls, above 0.
        shape: Spanned<Parameter>,
    },
    /// All alike likely, both ends included.
    Uniform {
        /// The least.
        min: Spanned<Parameter>,
        /// The greatest.
        max: Spanned<Parameter>,
    },
    /// Whole numbers from 1 to `count`, the r-th in proportion to r^−exponent.
    Zipf {
        /// How many.
        count: Spanned<Parameter>,
        /// The exponent, 0 to 4.
        exponent: Spanned<Parameter>,
    },
    /// Bins in which all values are alike likely; the upper edge belongs to the next.
    Histogram {
        /// Where the bins begin, and the last one ends: one more than bins, rising.
        edges: Vec<f64>,
        /// What the bins weigh; not all 0.
        weights: Vec<f64>,
    },
}

/// A number, or the name of a column that holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// The number.
    Number(f64),
    /// The column of the row that `by` leads to.
    Column(String),
}
