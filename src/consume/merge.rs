//! Partitions read side by side, about in the order of their records' timestamps.

use std::ops::Range;
use std::time::Duration;

use super::{Error, Page, Partition, Position, Read, Source};
use crate::clock::Clock;

/// How far a partition's records may run ahead of the others', by their timestamps: less would cut
/// pages to pieces, and what is sent within so little time arrives in any order.
const AHEAD_MS: i64 = 50;

/// How long the others wait for a partition of which there is more, and which does not bring it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long one wait for records lasts.
const WAIT: Duration = Duration::from_millis(1);

/// Reads all partitions of a source.
pub struct Merge {
    source: Box<dyn Source>,
    heads: Vec<Head>,
    /// The partition whose records were handed over last, and how many of its page are done with it.
    handed_over: Option<(usize, usize)>,
    clock: Clock,
}

/// A partition's next records.
#[derive(Debug)]
struct Head {
    page: Page,
    /// The first that is not handed over.
    next: usize,
    /// What the last read of it brought.
    read: Read,
    /// Since when there should be more and is not, on the wall clock.
    silent_since_ns: Option<i64>,
}

/// Records of a partition that are handed over together.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The partition's place among those of the source.
    pub partition: usize,
    /// What holds them.
    pub page: &'a Page,
    /// Which records of the page.
    pub records: Range<usize>,
}

impl std::fmt::Debug for Merge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Merge").field("heads", &self.heads).finish_non_exhaustive()
    }
}

impl Merge {
    /// Reads all partitions of `source`.
    pub fn new(source: Box<dyn Source>, clock: Clock) -> Self {
        let head = |_: &Partition| Head {
            page: Page::default(),
            next: 0,
            read: Read::Nothing,
            silent_since_ns: None,
        };
        let heads = source.partitions().iter().map(head).collect();
        Self { source, heads, handed_over: None, clock }
    }

    /// The partitions.
    pub fn partitions(&self) -> &[Partition] {
        self.source.partitions()
    }

    /// The last record of each partition as its broker knows it now.
    pub fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error> {
        self.source.lasts()
    }

    /// The partitions of which all that they held, when they were asked last, was handed over.
    pub fn at_end(&self) -> impl Iterator<Item = bool> + '_ {
        let handed_over = self.handed_over;
        let at_end = move |(place, head): (usize, &Head)| {
            let next = handed_over.filter(|of| of.0 == place).map_or(head.next, |of| of.1);
            head.read == Read::End && next == head.page.records.len()
        };
        self.heads.iter().enumerate().map(at_end)
    }

    /// The next records of whichever partition has the earliest ones; none if there are none
    /// anywhere within `patience`.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Run<'_>>, Error> {
        if let Some((partition, next)) = self.handed_over.take() {
            self.heads[partition].next = next;
        }
        let began_ns = self.clock.now_ns();
        loop {
            let held_back = self.fill()?;
            let waited = self.clock.since(began_ns);
            if !held_back && let Some(partition) = self.earliest() {
                return Ok(Some(self.hand_over(partition)));
            }
            if waited >= patience && self.earliest().is_none() {
                return Ok(None);
            }
            self.clock.sleep(WAIT);
        }
    }

    /// Reads on where all is handed over; says whether the others are to wait for a partition.
    fn fill(&mut self) -> Result<bool, Error> {
        let now_ns = self.clock.now_ns();
        let mut held_back = false;
        for (place, head) in self.heads.iter_mut().enumerate() {
            if head.next < head.page.records.len() {
                continue;
            }
            head.next = 0;
            head.page.clear();
            head.read = self.source.read(place, &mut head.page, Duration::ZERO)?;
            if head.read == Read::Nothing {
                let since_ns = *head.silent_since_ns.get_or_insert(now_ns);
                let silent_ns = (now_ns - since_ns).max(0).unsigned_abs();
                held_back |= u128::from(silent_ns) < PATIENCE.as_nanos();
            } else {
                head.silent_since_ns = None;
            }
        }
        Ok(held_back)
    }

    fn earliest(&self) -> Option<usize> {
        let first = |head: &Head| Some(head.page.records.get(head.next)?.timestamp_ms);
        let heads = self.heads.iter().enumerate();
        heads.filter_map(|(place, head)| Some((first(head)?, place))).min().map(|(_, place)| place)
    }

    fn hand_over(&mut self, partition: usize) -> Run<'_> {
        let others = self.heads.iter().enumerate().filter(|(place, _)| *place != partition);
        let first = |(_, head): (usize, &Head)| {
            Some(head.page.records.get(head.next)?.timestamp_ms.saturating_add(AHEAD_MS))
        };
        let limit_ms = others.filter_map(first).min().unwrap_or(i64::MAX);
        let Head { page, next, .. } = &self.heads[partition];
        let ahead = |record: &super::Record| record.timestamp_ms <= limit_ms;
        // The first of them is the earliest of all.
        let count = page.records[*next..].iter().take_while(|record| ahead(record)).count().max(1);
        let records = *next..*next + count;
        self.handed_over = Some((partition, records.end));
        Run { partition, page, records }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::Given;
    use super::*;

    /// Partitions whose pages are written down: timestamps, or nothing yet.
    struct Written {
        partitions: Vec<Partition>,
        pages: Vec<VecDeque<Option<Vec<i64>>>>,
    }

    impl Source for Written {
        fn partitions(&self) -> &[Partition] {
            &self.partitions
        }

        fn read(&mut self, partition: usize, page: &mut Page, _: Duration) -> Result<Read, Error> {
            page.clear();
            let Some(next) = self.pages[partition].pop_front() else { return Ok(Read::End) };
            let Some(times) = next else { return Ok(Read::Nothing) };
            for timestamp_ms in times {
                let position = Position::of_offset(timestamp_ms.unsigned_abs());
                page.push(&Given { position, timestamp_ms, key: None, value: None }, []);
            }
            Ok(Read::Records)
        }

        fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error> {
            Ok(vec![None; self.partitions.len()])
        }
    }

    fn merge(pages: &[&[Option<&[i64]>]]) -> Merge {
        let partition = |number: usize| Partition {
            topic: "t".into(),
            number: u32::try_from(number).ok(),
            expired: 0,
            compacted: false,
        };
        let pages = pages.iter().map(|pages| pages.iter().map(|page| page.map(<[i64]>::to_vec)));
        let pages: Vec<VecDeque<_>> = pages.map(Iterator::collect).collect();
        let partitions = (0..pages.len()).map(partition).collect();
        Merge::new(Box::new(Written { partitions, pages }), Clock::system())
    }

    fn all(merge: &mut Merge) -> Vec<(usize, i64)> {
        let mut all = Vec::new();
        while let Some(run) = merge.next(Duration::ZERO).unwrap() {
            let records = &run.page.records[run.records.clone()];
            all.extend(records.iter().map(|record| (run.partition, record.timestamp_ms)));
        }
        all
    }

    #[test]
    fn no_partition_runs_far_ahead_of_the_others() {
        let mut merge = merge(&[
            &[Some(&[0, 1_000, 2_000]), Some(&[9_000])],
            &[Some(&[30, 1_040]), None, Some(&[1_500, 8_000])],
        ]);
        let seen = all(&mut merge);
        let expected = [
            (0, 0),
            (1, 30),
            // No more than 50 ms ahead of the other's 1,000.
            (1, 1_040),
            (0, 1_000),
            (1, 1_500),
            (0, 2_000),
            (1, 8_000),
            (0, 9_000),
        ];
        assert_eq!(seen, expected);
        assert!(merge.at_end().all(|at_end| at_end));
    }

    #[test]
    fn an_end_counts_when_all_before_it_was_handed_over() {
        let mut merge = merge(&[&[Some(&[5])], &[]]);
        assert!(merge.next(Duration::ZERO).unwrap().is_some());
        assert_eq!(merge.at_end().collect::<Vec<_>>(), [false, true]);
        assert!(merge.next(Duration::ZERO).unwrap().is_none());
        assert_eq!(merge.at_end().collect::<Vec<_>>(), [true, true]);
    }
}
