//! The records of a batch that is being made.

use super::super::Record;
use super::super::cut::Ranks;
use super::super::rows::{Row, low};
use crate::encode::partition::Hash;
use crate::encode::row::Lengths;
use crate::plan::members::Members;

/// What all records of a chunk share.
pub(super) struct Shape<'a> {
    pub(super) members: Option<&'a Members>,
    pub(super) stream: u16,
    pub(super) keyed: bool,
    pub(super) partitions: Option<u32>,
    pub(super) hash: Hash,
    pub(super) start_us: i64,
}

#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) arena: Vec<u8>,
    pub(super) records: Vec<Record>,
    pub(super) ranks: Ranks,
}

impl Output {
    pub(super) fn note(
        &mut self,
        shape: &Shape<'_>,
        rows: &[Row],
        mut start: usize,
        lengths: &[Lengths],
    ) {
        for (row, lengths) in rows.iter().zip(lengths) {
            let mut record = Record {
                due_us: shape.start_us.saturating_add_unsigned(row.time_us),
                start: low(start as u64),
                header_bytes: lengths.headers,
                key_bytes: lengths.key,
                value_bytes: lengths.value,
                partition: -1,
                stream: shape.stream,
                keyed: shape.keyed,
                tombstone: shape.members.is_some_and(|members| members.is_tombstone(row.number)),
            };
            if let Some(partitions) = shape.partitions {
                record.partition = if shape.keyed {
                    shape.hash.partition(&self.arena[record.key_range()], partitions)
                } else {
                    // Without a key events are spread evenly, by who they are (Fibonacci hashing).
                    let hash = row.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                    low((hash * u64::from(partitions)) >> 32).cast_signed()
                };
            }
            start = record.value_range().end;
            if record.tombstone {
                record.value_bytes = 0;
            }
            self.records.push(record);
        }
    }
}
