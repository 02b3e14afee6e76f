//! Faults: what goes wrong on the way to the consumer, on purpose.

use super::Delay;
use crate::config::Spanned;

/// A fault: what is done to which events, and when.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name.
    pub name: Spanned<String>,
    /// What is done.
    pub kind: FaultKind,
    /// To which share of the events that it can be done to; above 0, at most 1.
    pub share: f64,
    /// To events of which streams; none: of all that it can be done to.
    pub streams: Vec<Spanned<String>>,
    /// When.
    pub hold: FaultHold,
}

/// When a fault holds.
#[derive(Clone, Debug)]
pub enum FaultHold {
    /// In a stretch of time after the start, in microseconds.
    Window {
        /// From when on.
        from_us: u64,
        /// Until when, if it ends.
        until_us: Option<Spanned<u64>>,
    },
    /// While a phase does.
    Phase {
        /// Of which scenario; None: the only one with such a phase.
        scenario: Option<String>,
        /// Its name.
        phase: Spanned<String>,
    },
}

/// What a fault does to an event.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// It is not sent.
    Drop,
    /// It is sent once more, so much later.
    Duplicate {
        /// How much; at once if it is nothing.
        delay: Delay,
    },
    /// It is sent later.
    Late {
        /// How much.
        delay: Delay,
    },
    /// It is sent right after the next event of its key.
    Reorder {
        /// How long that is waited for, in microseconds; above 0.
        within_us: u64,
    },
    /// Some bytes of its value are others.
    Corrupt {
        /// How many; above 0.
        bytes: u32,
    },
    /// The end of its value is missing.
    Truncate {
        /// How much of it; None: drawn.
        bytes: Option<u32>,
    },
    /// Its value names a schema that no registry has.
    UnknownSchema {
        /// By this id.
        id: u32,
    },
    /// Its value begins with a byte that announces no schema.
    WrongMagic {
        /// This one; not 0.
        byte: u8,
    },
    /// It has no value.
    Tombstone,
    /// Its value is filled up.
    Oversized {
        /// To so many bytes.
        bytes: u32,
    },
    /// It has a key that is nobody's, of the same form.
    WrongKey,
    /// It has one key, whoever it is of.
    HotKey {
        /// This one.
        key: String,
    },
    /// One partition hears nothing.
    SilentPartition {
        /// Which.
        partition: u32,
        /// Whether its events come when the silence ends; else they are not sent.
        released: bool,
    },
}

impl FaultKind {
    /// How it is called in the model file, in the ledger and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate { .. } => "duplicate",
            Self::Late { .. } => "late",
            Self::Reorder { .. } => "reorder",
            Self::Corrupt { .. } => "corrupt",
            Self::Truncate { .. } => "truncate",
            Self::UnknownSchema { .. } => "unknown_schema",
            Self::WrongMagic { .. } => "wrong_magic",
            Self::Tombstone => "tombstone",
            Self::Oversized { .. } => "oversized",
            Self::WrongKey => "wrong_key",
            Self::HotKey { .. } => "hot_key",
            Self::SilentPartition { .. } => "silent_partition",
        }
    }

    /// Whether it is done to the key of an event, or to a place among those of its key.
    pub fn needs_key(&self) -> bool {
        matches!(
            self,
            Self::Reorder { .. } | Self::Tombstone | Self::WrongKey | Self::HotKey { .. }
        )
    }

    /// Whether it is done to what stands before an Avro datum.
    pub fn needs_framing(&self) -> bool {
        matches!(self, Self::UnknownSchema { .. } | Self::WrongMagic { .. })
    }
}
