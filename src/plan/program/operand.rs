//! What operations read and write.

/// The number of a column in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Register(pub u16);

/// A 64-bit value in two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wide {
    /// The upper 32 bits.
    pub high: Register,
    /// The lower 32 bits.
    pub low: Register,
}

/// Columns that hold who a row is, before the first operation runs.
pub mod input {
    use super::{Register, Wide};

    /// The row's number: its position (tick, lane, index in both).
    pub const NUMBER: Wide = Wide { high: Register(0), low: Register(1) };
    /// Its lane.
    pub const LANE: Register = Register(2);
    /// Columns of each level.
    const OF_LEVEL: u16 = 4;

    /// The event time in microseconds since the model's start; of level 0 its own, of level 1 that
    /// of the event which it follows, and so on up to the root.
    pub const fn time(level: u16) -> Wide {
        let first = 3 + OF_LEVEL * level;
        Wide { high: Register(first), low: Register(first + 1) }
    }

    /// Which quarter of an hour that time lies in: a number in the list of the chunk.
    pub const fn era(level: u16) -> Register {
        Register(5 + OF_LEVEL * level)
    }

    /// Which of the events that follow from one root event it is, times 2^14; 0 for the root itself.
    pub const fn child(level: u16) -> Register {
        Register(6 + OF_LEVEL * level)
    }

    /// How many columns the inputs of so many levels take.
    pub const fn count(levels: u16) -> u16 {
        3 + OF_LEVEL * levels
    }
}

/// A whole number that an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The same for every row.
    Constant(i64),
    /// A word, 0 to 2^32 − 1.
    Unsigned(Register),
    /// A word as two's complement.
    Signed(Register),
    /// Two words as two's complement.
    Wide(Wide),
}

/// Where an operation writes a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The lower 32 bits; the plan knows that the value fits.
    Word(Register),
    /// All 64 bits.
    Wide(Wide),
}
