//! The records of a batch that is being made.

use super::super::cut::Ranks;
use super::super::rows::{Row, low};
use super::super::{Record, Who};
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

impl Shape<'_> {
    fn record(&self, row: &Row, start: usize, lengths: Lengths) -> Record {
        Record {
            due_us: self.start_us.saturating_add_unsigned(row.time_us),
            start: low(start as u64),
            header_bytes: lengths.headers,
            key_bytes: lengths.key,
            value_bytes: lengths.value,
            partition: -1,
            stream: self.stream,
            keyed: self.keyed,
            tombstone: self.members.is_some_and(|members| members.is_tombstone(row.number)),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) arena: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// Who the records' events are, one each; none if nobody asks.
    pub(super) who: Vec<Who>,
    pub(super) ranks: Ranks,
}

impl Output {
    /// Says who the events of rows are, whose records follow.
    pub(super) fn name(&mut self, rows: &[Row]) {
        // An identity has ten bits for the child.
        let child = |row: &Row| (row.child & 0x3ff).to_le_bytes();
        self.who.extend(rows.iter().map(|row| {
            let [low, high, ..] = child(row);
            Who { number: row.number, child: u16::from_le_bytes([low, high]) }
        }));
    }

    /// Notes records without bytes.
    pub(super) fn note_times(&mut self, shape: &Shape<'_>, rows: &[Row]) {
        self.records.extend(rows.iter().map(|row| shape.record(row, 0, Lengths::default())));
    }

    /// Puts the records of all streams in send order.
    pub(super) fn sort(&mut self) {
        // Each stream is in order already; the sort is stable and merges runs.
        let key = |record: &Record| (record.due_us, record.stream);
        if self.who.is_empty() {
            self.records.sort_by_key(key);
            return;
        }
        let mut both: Vec<_> =
            std::mem::take(&mut self.records).into_iter().zip(self.who.drain(..)).collect();
        both.sort_by_key(|(record, _)| key(record));
        (self.records, self.who) = both.into_iter().unzip();
    }

    pub(super) fn note(
        &mut self,
        shape: &Shape<'_>,
        rows: &[Row],
        mut start: usize,
        lengths: &[Lengths],
    ) {
        for (row, lengths) in rows.iter().zip(lengths) {
            let mut record = shape.record(row, start, *lengths);
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
