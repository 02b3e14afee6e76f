//! Some records of a stream, made to see what they are like.

use super::index;
use crate::stream::Record;
use crate::stream::rows::Row;

/// Some of many rows, evenly spread over those that are shown.
#[derive(Debug)]
pub(super) struct Thinned {
    pub(super) rows: Vec<Row>,
    /// At most so many.
    most: usize,
    /// One of so many that are shown is taken.
    every: u64,
    shown: u64,
}

impl Thinned {
    pub(super) fn new(most: usize) -> Self {
        Self { rows: Vec::new(), most: most.max(1), every: 1, shown: 0 }
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        (self.every, self.shown) = (1, 0);
    }

    pub(super) fn show(&mut self, row: Row) {
        if self.shown.is_multiple_of(self.every) {
            if self.rows.len() == self.most {
                let mut place = 0;
                self.rows.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.every *= 2;
            }
            if self.shown.is_multiple_of(self.every) && self.rows.len() < self.most {
                self.rows.push(row);
            }
        }
        self.shown += 1;
    }
}

/// Sums over records, each as heavy as the events that it stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    /// How many were looked at.
    pub(super) looked_at: u64,
    /// The events that they stand for.
    pub(super) weight: u128,
    pub(super) bytes: u128,
    pub(super) header_bytes: u128,
    /// By partition.
    pub(super) partitions: Vec<u128>,
}

impl Sampled {
    /// Adds records that stand for so many events, all alike.
    pub(super) fn note(&mut self, records: &[Record], events: u64) {
        let Some(each) = (u128::from(events) << 16).checked_div(records.len() as u128) else {
            return;
        };
        for record in records {
            self.looked_at += 1;
            self.weight += each;
            self.bytes += each * u128::from(record.key_bytes + record.value_bytes);
            self.header_bytes += each * u128::from(record.header_bytes);
            if let Ok(partition) = u64::try_from(record.partition) {
                self.partitions[index(partition)] += each;
            }
        }
    }

    /// Adds other records.
    pub(super) fn add(&mut self, other: &Self) {
        self.looked_at += other.looked_at;
        self.weight += other.weight;
        self.bytes += other.bytes;
        self.header_bytes += other.header_bytes;
        for (sum, part) in self.partitions.iter_mut().zip(&other.partitions) {
            *sum += part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_evenly_spread_over_what_was_shown() {
        for (most, shown) in [(1, 1), (1, 1_000), (7, 5), (8, 1_000), (100, 12_345)] {
            let mut thinned = Thinned::new(most);
            for number in 0..shown {
                thinned.show(Row { time_us: 0, number, child: 0, above: 0, ordinal: 0 });
            }
            let numbers: Vec<u64> = thinned.rows.iter().map(|row| row.number).collect();
            assert!(numbers.len() <= most && numbers[0] == 0);
            assert!(numbers.len() as u64 >= shown.min(most as u64).div_ceil(2), "{numbers:?}");
            assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] == thinned.every));
        }
    }
}
