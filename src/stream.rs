//! The ordered, paced stream of encoded batches.

pub mod digest;
pub mod in_flight;
pub mod pacer;

use std::ops::Range;
use std::sync::Arc;

/// One encoded event: where its bytes lie in the arena of its [`Batch`], and where it goes.
///
/// In the arena an event is `[identity header][key][value]`, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it is due, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
    /// Where its bytes begin in the arena.
    pub start: u32,
    /// Length of its key; see `keyed`.
    pub key_bytes: u32,
    /// Length of its value, framing included.
    pub value_bytes: u32,
    /// The partition, when the stream's topic has partitions that we choose; −1 leaves it open.
    pub partition: i32,
    /// The number of the stream in the model.
    pub stream: u16,
    /// Length of the identity that goes into the header `tidegate-id`: 16, or 0 for no header.
    pub identity_bytes: u8,
    /// Whether it has a key (a key may be empty).
    pub keyed: bool,
}

impl Record {
    /// Where the identity header lies in the arena.
    pub fn identity_range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.identity_bytes)
    }

    /// Where the key lies in the arena.
    pub fn key_range(&self) -> Range<usize> {
        let start = self.identity_range().end;
        start..start + self.key_bytes as usize
    }

    /// Where the value lies in the arena.
    pub fn value_range(&self) -> Range<usize> {
        let start = self.key_range().end;
        start..start + self.value_bytes as usize
    }
}

/// The events of a stretch of model time, encoded, in send order.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The stretch of model time, in microseconds since the Unix epoch.
    pub window_us: Range<i64>,
    /// Keys and values of all records.
    pub arena: Arc<Vec<u8>>,
    /// The records, in send order.
    pub records: Arc<Vec<Record>>,
    /// The sum of the records' digests, if digests are asked for.
    pub digest: Option<digest::Digest>,
}
