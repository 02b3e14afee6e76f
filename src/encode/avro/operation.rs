//! The write instructions that a schema and its fills are compiled into.

use std::ops::Range;
use std::sync::Arc;

use super::digits::Style;
use super::stamp::Stamp;
use crate::encode::Integer;
use crate::generate::column::Register;

/// One write instruction. Registers are numbers of [`Layout::registers`], not of the frame.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Bytes of the pool of constants.
    Constant { start: u32, bytes: u32 },
    /// An entry of a table of bytes.
    Lookup { index: Register, table: Table },
    /// An entry of a table of bytes, or its last one where the register is 0.
    OptionalLookup { present: Register, index: Register, table: Table },
    /// A byte 0 or 1.
    Boolean(Register),
    /// Refuses a number outside limits; writes nothing.
    Check { value: Integer, limit: u32 },
    /// A zigzag varint.
    Long(Integer),
    /// Four bytes, little-endian.
    Float { value: Integer, divisor: f64 },
    /// Eight bytes, little-endian.
    Double { value: Integer, divisor: f64 },
    /// Four bytes, little-endian, or eight: a real number in a range.
    Spread { value: Integer, spread: Spread },
    /// A length, and the shortest two's complement, big-endian.
    DecimalBytes(Integer),
    /// Two's complement in so many bytes, big-endian.
    DecimalFixed { value: Integer, size: u32 },
    /// The first bytes of a word, big-endian.
    Word { word: Register, bytes: u8 },
    /// The first bytes of a word, big-endian, of so many bytes of which some were before it.
    WordUpTo { word: Register, length: Register, before: u32 },
    /// Four words, big-endian.
    Words([Register; 4]),
    /// Four bytes, little-endian.
    LittleEndian(Integer),
    /// Begins a text whose length is not known yet.
    Open,
    /// Ends it.
    Close,
    /// A number as digits, with what stands before it.
    Number { value: Integer, style: Style, before: Before },
    /// A number with a decimal point.
    Decimal { value: Integer, scale: u8 },
    /// Random characters.
    Characters { word: Register, count: u8, alphabet: Arc<[Letter]> },
    /// Random characters, so many that there are `length` with those before.
    SomeCharacters {
        word: Register,
        count: u8,
        alphabet: Arc<[Letter]>,
        length: Register,
        before: u32,
    },
    /// A UUID as 36 characters.
    Uuid([Register; 4]),
    /// An instant as text.
    LocalTime(Arc<LocalTime>),
    /// The first bytes of a block: of `null` where the register is 0; else of `some`, and then the
    /// instructions up to `end`.
    Optional { present: Register, null: Block, some: Block, end: u32 },
    /// The instructions of the branch that the register says, and on at `end`.
    Union { branch: Register, branches: Arc<[Option<Range<usize>>]>, end: u32 },
    /// The items of a list, by the instructions up to `end`, in one block.
    List { list: u32, end: u32 },
    /// As JSON: `true` or `false`.
    Truth(Register),
    /// As JSON: a date or time.
    Stamp { value: Integer, stamp: Stamp },
    /// As JSON: begins bytes that are written as hexadecimal digits.
    OpenHex,
    /// Ends them; there are at most so many.
    CloseHex { bytes_max: u32 },
    /// As JSON: the items of a list between two brackets, by the instructions up to `end`.
    Items { list: u32, brackets: [u8; 2], end: u32 },
    /// Notes how much was written: after the headers, after the key.
    Mark(u8),
}

impl Operation {
    /// The most bytes that it writes for a row, the items of a list left out.
    fn bytes_max(&self) -> usize {
        match self {
            Self::Constant { bytes, .. } => *bytes as usize,
            Self::Lookup { table, .. } | Self::OptionalLookup { table, .. } => table.bytes_max(),
            // The length of a text is counted where it is opened.
            Self::Check { .. }
            | Self::Mark(_)
            | Self::Union { .. }
            | Self::Close
            | Self::OpenHex => 0,
            Self::Boolean(_) => 1,
            Self::Items { .. } => 2,
            Self::CloseHex { bytes_max } => *bytes_max as usize,
            Self::Optional { null, some, .. } => usize::from(null.used.max(some.used)),
            Self::Truth(_) => 5,
            Self::Float { .. }
            | Self::LittleEndian(_)
            | Self::Word { .. }
            | Self::WordUpTo { .. } => 4,
            Self::Double { .. } | Self::Spread { spread: Spread { is_text: false, .. }, .. } => 8,
            Self::DecimalBytes(_) => 9,
            // An empty list is a zero, another one a count before and a zero after.
            Self::Long(_) | Self::Open => 10,
            Self::List { .. } => 11,
            Self::DecimalFixed { size, .. } => *size as usize,
            Self::Words(_) => 16,
            // A sign and, in base 2, 64 digits; a length is counted as where a text is opened.
            Self::Number { style, before, .. } => {
                10 + usize::from(before.used) + 1 + usize::from(style.width).max(64)
            }
            // A sign, a point, and 20 digits or the scale's after a zero.
            Self::Decimal { scale, .. } => 22 + usize::from(*scale),
            Self::Characters { count, alphabet, .. }
            | Self::SomeCharacters { count, alphabet, .. } => {
                let longest = alphabet.iter().map(|letter| letter[7]).max().unwrap_or(0);
                usize::from(longest) * usize::from(*count)
            }
            Self::Uuid(_) => 36,
            Self::Stamp { .. } => Stamp::BYTES_MAX,
            // Of a real number 17 digits, two signs, a point and an exponent.
            Self::LocalTime(_) | Self::Spread { .. } => 32,
        }
    }
}

/// Real numbers in a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub middle: f64,
    pub step: f64,
    /// The least and the greatest.
    pub bounds: (f64, f64),
    /// Whether it is a `float`.
    pub is_single: bool,
    /// Whether it is written as digits.
    pub is_text: bool,
}

/// The most bytes that instructions write for a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Need {
    /// Of what is no item of a list.
    pub bytes: usize,
    /// Of the items of lists, each with the number of the list.
    pub items: Vec<(usize, Self)>,
}

impl Need {
    fn of(operations: &[Operation], range: Range<usize>) -> Self {
        let mut need = Self::default();
        let mut at = range.start;
        while at < range.end {
            need.bytes += operations[at].bytes_max();
            at += 1;
            let (Operation::List { list, end } | Operation::Items { list, end, .. }) =
                operations[at - 1]
            else {
                continue;
            };
            let end = end as usize;
            let mut item = Self::of(operations, at..end);
            // In JSON a comma stands between two.
            item.bytes += 1;
            need.items.push((list as usize, item));
            at = end;
        }
        need
    }
}

/// What stands before a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// The first of them that count; where the text is prefixed, a place for its length too.
    pub bytes: [u8; 8],
    pub used: u8,
    /// Whether the length of both stands before them.
    pub is_prefixed: bool,
}

/// At most 4 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    pub bytes: [u8; 4],
    pub used: u8,
}

impl Block {
    /// These bytes, if they are few enough.
    pub(super) fn of(given: &[u8]) -> Option<Self> {
        let mut bytes = [0; 4];
        bytes.get_mut(..given.len())?.copy_from_slice(given);
        Some(Self { bytes, used: given.len().to_le_bytes()[0] })
    }
}

/// A character in UTF-8, or as JSON escapes it; the last byte is its length.
pub(super) type Letter = [u8; 8];

/// The parts of [`super::super::Piece::LocalTime`].
#[derive(Clone, Debug)]
pub(super) struct LocalTime {
    pub instant_us: Integer,
    pub offset_minutes: Integer,
    pub digits: u8,
}

/// Entries of bytes, in slots of one size if they are short: the last byte is the length.
#[derive(Clone, Debug)]
pub(super) enum Table {
    Slots16(Arc<[[u8; 16]]>),
    Slots32(Arc<[[u8; 32]]>),
    Slots64(Arc<[[u8; 64]]>),
    Long(Arc<[Box<[u8]>]>),
}

impl Table {
    fn bytes_max(&self) -> usize {
        match self {
            Self::Slots16(_) => 15,
            Self::Slots32(_) => 31,
            Self::Slots64(_) => 63,
            Self::Long(entries) => entries.iter().map(|entry| entry.len()).max().unwrap_or(0),
        }
    }

    /// The longest entry that fits the same slots as one of `bytes`.
    pub(super) fn room(bytes: usize) -> usize {
        match bytes {
            0..16 => 15,
            16..32 => 31,
            32..64 => 63,
            _ => usize::MAX,
        }
    }

    /// A table of these entries.
    pub(super) fn new(entries: &[Vec<u8>]) -> Self {
        match Self::room(entries.iter().map(Vec::len).max().unwrap_or(0)) {
            15 => Self::Slots16(slots(entries)),
            31 => Self::Slots32(slots(entries)),
            63 => Self::Slots64(slots(entries)),
            _ => Self::Long(entries.iter().map(|entry| entry.as_slice().into()).collect()),
        }
    }
}

fn slots<const N: usize>(entries: &[Vec<u8>]) -> Arc<[[u8; N]]> {
    let slot = |entry: &Vec<u8>| {
        let mut slot = [0; N];
        slot[..entry.len()].copy_from_slice(entry);
        slot[N - 1] = entry.len().to_le_bytes()[0];
        slot
    };
    entries.iter().map(slot).collect()
}

/// Which columns of a frame, and which of its child frames, a program reads.
#[derive(Clone, Debug, Default)]
pub(in crate::encode) struct Layout {
    /// The frame's columns.
    pub registers: Vec<Register>,
    /// Numbers of child frames, with what is read of them.
    pub lists: Vec<(usize, Self)>,
}

impl Layout {
    /// The place of a frame's column among those that are read.
    pub(super) fn place(&mut self, register: Register) -> Register {
        let known = self.registers.iter().position(|&other| other == register);
        let place = known.unwrap_or_else(|| {
            self.registers.push(register);
            self.registers.len() - 1
        });
        // A frame has at most 2^16 columns, or there would be no register for them.
        Register(u16::try_from(place).unwrap_or(u16::MAX))
    }
}

/// What a number may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// Where in the schema.
    pub path: String,
    /// Of what type.
    pub avro: String,
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
}

/// Instructions that write one row.
#[derive(Clone, Debug, Default)]
pub(in crate::encode) struct Program {
    pub(super) operations: Vec<Operation>,
    /// Constants, with 32 bytes more at the end than are used.
    pub(super) pool: Vec<u8>,
    pub(in crate::encode) layout: Layout,
    pub(super) limits: Vec<Limit>,
    pub(super) need: Need,
}

impl Program {
    /// Notes how much room the program needs.
    pub(super) fn measured(mut self) -> Self {
        self.need = Need::of(&self.operations, 0..self.operations.len());
        self
    }
}
