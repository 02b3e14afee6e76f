//! The program of a stream: column operations, in the order in which they run.
//!
//! The doc comment of an operation is its specification: every device computes exactly that.
//! Words are `u32`; `⌊a·b / 2^32⌋` is the upper word of a product of two words.

mod operand;

use std::sync::Arc;

pub use self::operand::{Operand, Register, Target, Wide, input};

/// A function of two whole numbers, in 64-bit two's complement; the plan knows that no result
/// overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b.
    Add,
    /// a − b.
    Subtract,
    /// a · b.
    Multiply,
    /// a ÷ b to the nearest whole number, halves away from zero; 0 where b is 0.
    Divide,
    /// b · (a ÷ b towards minus infinity); a where b is 0.
    FloorTo,
    /// What is left of a ÷ b: the r from 0 to |b| − 1 for which a − r is a multiple of b; 0 where b
    /// is 0.
    Modulo,
    /// The lesser.
    Minimum,
    /// The greater.
    Maximum,
}

/// A comparison of two whole numbers; the result is 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// a = b.
    Equal,
    /// a < b.
    Less,
    /// a ≤ b.
    LessOrEqual,
}

/// A connection of two words that are 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// Both.
    And,
    /// Either, or both.
    Or,
}

/// The counter of Philox for a row: (low, high, salt + index, block).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The first counter word.
    pub low: Register,
    /// The second counter word; 0 if there is none.
    pub high: Option<Register>,
    /// The third: origin (8 bits), child (10) and item of a list (14) of an event, version of a
    /// member. Origin 255 has what is drawn once: its first word is then a member, the second a
    /// favourite or period of it, the rest of the third the member's generation.
    pub salt: u32,
    /// What is added to the third, modulo 2^32; 0 if there is none.
    pub index: Option<Register>,
    /// The fourth: which block of four words.
    pub block: u32,
}

/// One step of a program.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Four words of Philox4x32-10 under `key`.
    Random {
        /// The key.
        key: [u32; 2],
        /// The counter.
        counter: Counter,
        /// The four words, in order.
        out: [Register; 4],
    },
    /// `base` + ⌊word·size / 2^32⌋; a `size` of 2^32 leaves the word as it is.
    Range {
        /// A random word.
        word: Register,
        /// How many values, 1 to 2^32.
        size: u64,
        /// The least value.
        base: i64,
        /// The value.
        out: Target,
    },
    /// `base` + ⌊w·size / 2^64⌋, with the 64-bit number w = `words[0]`·2^32 + `words[1]`.
    WideRange {
        /// Random words, first the higher.
        words: [Register; 2],
        /// How many values, 1 to 2^64.
        size: u128,
        /// The least value.
        base: i64,
        /// The value.
        out: Wide,
    },
    /// `start` ± ((`ahead` + number·`step`) mod `size`), the product exact however great.
    Wrap {
        /// A number from 0.
        number: Wide,
        /// How far from number to number.
        step: u64,
        /// How far number 0 is.
        ahead: u64,
        /// How many values, at least 1.
        size: u64,
        /// The value at 0.
        start: i64,
        /// Whether the values go down from the start.
        falling: bool,
        /// The value.
        out: Wide,
    },
    /// 1 where ⌊word / 2⌋ < threshold, a probability in units of 2^−31, else 0.
    Chance {
        /// A random word.
        word: Register,
        /// The threshold, 0 to 2^31.
        threshold: Operand,
        /// 1 or 0.
        out: Register,
    },
    /// A weighted choice by an alias table: with p = word·n (64 bits), entry i = ⌊p / 2^32⌋ is
    /// kept if p mod 2^32 < threshold(i), else its alias is taken.
    Choose {
        /// A random word.
        word: Register,
        /// The table.
        table: Arc<super::alias::Alias>,
        /// Which.
        out: Register,
    },
    /// A weighted choice by one of several alias tables, see [`super::alias::Choices`].
    ChooseBy {
        /// A random word.
        word: Register,
        /// Which of the choices.
        select: Register,
        /// The tables.
        choices: Arc<super::alias::Choices>,
        /// Which entry, counted through all tables.
        out: Register,
    },
    /// A value of a distribution by its inverse, see [`super::quantile::Quantile`].
    Quantile {
        /// A random word.
        word: Register,
        /// One or more distributions.
        tables: Arc<[super::quantile::Quantile]>,
        /// Which of them; the first if there is none.
        select: Option<Register>,
        /// The value.
        out: Target,
    },
    /// A whole number from pieces of equal chance inside, see [`super::steps::Steps`].
    Steps {
        /// A random word.
        word: Register,
        /// One or more distributions.
        tables: Arc<[super::steps::Steps]>,
        /// Which of them; the first if there is none.
        select: Option<Register>,
        /// The value.
        out: Target,
    },
    /// `values[index]`.
    Lookup {
        /// The column of indices.
        index: Register,
        /// The values.
        values: Table,
        /// The value.
        out: Target,
    },
    /// The member that acts: drawn from the members of the row's lane by the weights of the segment
    /// that the root event lies in.
    Actor {
        /// The root event's quarter of an hour.
        era: Register,
        /// A random word for the group, one for the rank.
        words: [Register; 2],
        /// The entity's population.
        population: Arc<super::population::Population>,
        /// The group that it is in.
        group: Register,
        /// Its number.
        out: Register,
    },
    /// A member of any lane: of the group given, or of one drawn by the groups' weights.
    Member {
        /// Random words: for the group, for the entry, inside the entry.
        words: [Register; 3],
        /// The population.
        population: Arc<super::population::Population>,
        /// The group, if it is decided.
        given: Option<Register>,
        /// The group that it is in.
        group: Register,
        /// Its number.
        out: Register,
    },
    /// The group of a member.
    Group {
        /// The member's number.
        number: Register,
        /// The population.
        population: Arc<super::population::Population>,
        /// Its group.
        out: Register,
    },
    /// How many times a member was due by a time, see [`super::rota::Rota`].
    Version {
        /// The member's number.
        number: Register,
        /// The time, in microseconds since the model's start.
        time: Wide,
        /// When members are due.
        rota: Arc<super::rota::Rota>,
        /// How many times.
        out: Register,
    },
    /// The member above, in a family.
    Parent {
        /// The number below.
        number: Register,
        /// How the two belong together.
        kinship: Arc<super::family::Kinship>,
        /// The number above.
        out: Register,
    },
    /// One of the members below, in a family, all alike likely.
    Child {
        /// A random word.
        word: Register,
        /// The number above.
        number: Register,
        /// How the two belong together.
        kinship: Arc<super::family::Kinship>,
        /// The number below.
        out: Register,
    },
    /// `function`(a, b).
    Arithmetic {
        /// Which.
        function: Arithmetic,
        /// a.
        left: Operand,
        /// b.
        right: Operand,
        /// The result.
        out: Target,
    },
    /// 1 where the comparison holds, else 0.
    Compare {
        /// Which.
        comparison: Comparison,
        /// a.
        left: Operand,
        /// b.
        right: Operand,
        /// 1 or 0.
        out: Register,
    },
    /// A connection of two words that are 0 or 1.
    Logic {
        /// Which.
        logic: Logic,
        /// a.
        left: Register,
        /// b.
        right: Register,
        /// 1 or 0.
        out: Register,
    },
    /// 1 where the word is 0, else 0.
    Not {
        /// The word.
        word: Register,
        /// 1 or 0.
        out: Register,
    },
    /// a where the condition is not 0, else b.
    Select {
        /// The condition.
        condition: Register,
        /// a.
        then: Operand,
        /// b.
        otherwise: Operand,
        /// The result.
        out: Target,
    },
    /// A whole number as it is: constants, and words made wide.
    Move {
        /// What is read.
        from: Operand,
        /// Where it goes.
        out: Target,
    },
    /// The position of a member's walk at a time, see [`super::walk::Walk`]: of step
    /// ⌊time / `step_us`⌋, and of step 0 before the start.
    Walk {
        /// The walk.
        walk: Arc<super::walk::Walk>,
        /// The member's number.
        member: Register,
        /// Which of those that live in its place one after the other; the first if there is none.
        generation: Option<Register>,
        /// Microseconds since the start.
        time_us: Operand,
        /// The position.
        out: Wide,
    },
    /// How far a walk has come, see [`super::walk::Trend`].
    Trend {
        /// Its pace.
        trend: super::walk::Trend,
        /// Its position.
        position: Wide,
        /// Microseconds since the start.
        time_us: Operand,
        /// The volatility.
        volatility: Operand,
        /// The drift.
        drift: Operand,
        /// How far.
        out: Wide,
    },
    /// How far a walk came at its highest or lowest between two times, see
    /// [`super::walk::Trend::extreme`]; times that are not in order have no step in between.
    Extreme {
        /// Its pace.
        trend: super::walk::Trend,
        /// How far it had come at either end.
        ends: [Wide; 2],
        /// Microseconds since the start of either end.
        times_us: [Operand; 2],
        /// The volatility.
        volatility: Operand,
        /// −2·ln of a random number between 0 and 1, with 24 binary digits after the point.
        surprise: Register,
        /// The highest, or the lowest.
        highest: bool,
        /// How far.
        out: Wide,
    },
    /// A start times a power of 2, see [`super::walk::Exponential`].
    Exponential {
        /// The table.
        table: Arc<super::walk::Exponential>,
        /// The start, 0 to 2^32 − 1.
        start: Operand,
        /// The logarithm, with 32 binary digits after the point.
        trend: Wide,
        /// The value.
        out: Target,
    },
    /// 1 where a phase of a scenario holds, else 0.
    Phase {
        /// The quarter of an hour, and what holds in it.
        era: Register,
        /// Which bit of the phases that hold.
        bit: u32,
        /// 1 or 0.
        out: Register,
    },
    /// Minutes east of UTC in a zone in a quarter of an hour.
    Offset {
        /// The quarter of an hour.
        era: Register,
        /// The number of the zone.
        zone: Register,
        /// The zones.
        zones: Arc<super::zone::Zones>,
        /// Minutes, as two's complement.
        out: Register,
    },
    /// Who the row is, or an event that it follows, as a UUID, see [`super::identity::Cipher`].
    Identity {
        /// The column of the child, times 2^14.
        child: Register,
        /// The cipher.
        cipher: super::identity::Cipher,
        /// The number of the stream.
        stream: u8,
        /// The UUID, first the highest word.
        out: [Register; 4],
    },
    /// A number of at most 64 bits, permuted, see [`super::identity::Token`].
    Permute {
        /// The permutation.
        permutation: super::identity::Token,
        /// The number.
        number: Wide,
        /// The number that stands for it.
        out: Wide,
    },
}

/// The values of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// All of them are words, 0 to 2^32 − 1.
    Words(Arc<[u32]>),
    /// Any.
    Any(Arc<[i64]>),
}

impl Table {
    /// A table of these values.
    pub fn new(values: &[i64]) -> Self {
        match values.iter().map(|&value| u32::try_from(value)).collect::<Result<_, _>>() {
            Ok(words) => Self::Words(words),
            Err(_) => Self::Any(values.into()),
        }
    }

    /// The value at an index.
    #[inline]
    pub fn value(&self, index: u32) -> i64 {
        match self {
            Self::Words(words) => i64::from(words[index as usize]),
            Self::Any(values) => values[index as usize],
        }
    }
}

/// The operations of a frame and the columns that they need.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In the order in which they run.
    pub operations: Vec<Operation>,
    /// How many columns, inputs included.
    pub columns: u16,
    /// How many of them are inputs.
    pub inputs: u16,
    /// What the lists in a row hold, in the order of the frame's children; made after the
    /// operations have run.
    pub lists: Vec<List>,
    /// Columns that hold how many events of the stream come before the row's, in send order and in
    /// all lanes, if anything depends on it.
    pub ordinal: Option<Wide>,
}

/// The items of one list of each row, in a frame of their own.
#[derive(Clone, Debug)]
pub struct List {
    /// How many items the list of a row of the frame above has.
    pub length: Operand,
    /// What an item has of the row that its list is in.
    pub gathered: Vec<Gathered>,
    /// The column of an item's number among all items that this list has in an event, from 0: where
    /// lists lie in lists, items of the first inner list come before those of the second.
    pub number: Option<Register>,
    /// The column of an item's place in its own list, from 0.
    pub place: Option<Register>,
    /// What makes the items. Only columns that the operations read, or that are a result, are there.
    pub program: Program,
    /// Columns that are read once all items are there: by the encoder, and by lists inside.
    pub results: Vec<Register>,
}

/// A word of a row that each item of its list has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// The column of the frame above.
    pub from: Register,
    /// The column of the items.
    pub out: Register,
}
