//! Concluding: what is missing, and what was put aside, when all is read.

use super::check::{Checker, Of, spilling};
use super::expected::Expected;
use super::findings::{Findings, Kind, Range, Ranges};
use super::gap::{Aside, Gap, InStream, Key, OfKey};
use super::ledger::{End, Ledger};
use super::sorted::Sorted;
use super::table::Table;
use super::{Error, rfc3339};
use crate::stream::Telling;

/// How many records put aside are looked up at once.
const ASKED_MAX: usize = 200_000;

/// What was found, when all is read.
#[derive(Debug)]
pub struct Conclusion {
    /// What was found.
    pub findings: Findings,
    /// Which events are missing.
    pub ranges: Ranges,
    /// How many records were looked at.
    pub records: u64,
    /// Whether the run says how many events it issued. If not, only what comes before the latest event that
    /// is there was expected.
    pub is_known: bool,
}

impl Checker {
    /// Ends: nothing more is read.
    pub fn conclude(mut self) -> Result<Conclusion, Error> {
        let issued = self.task.sent.issued;
        while issued.is_some() && self.pull()? {}
        let until = match issued {
            Some(issued) => Some(self.expected.rank_after(issued)),
            None => Some(self.ledger.after_latest()),
        };
        let spilling = spilling(&self.folder);
        let ledger = Ledger::new(self.plan.streams.len(), self.task.budget, &self.folder);
        let ledger = std::mem::replace(&mut self.ledger, ledger);
        let mut missing = Sorted::new(self.task.budget.gaps, &self.folder);
        let mut open: Vec<Aside> = Vec::new();
        for end in ledger.finish(until).map_err(&spilling)? {
            match end.map_err(&spilling)? {
                End::Missing(gap) => self.sort_out(&gap, &mut missing).map_err(&spilling)?,
                End::Came(gap, aside) => {
                    self.count_late(&gap, aside.timestamp_ms);
                    // Where it stands among those of its key was not looked at when it came.
                    let stream = usize::from(gap.key.stream());
                    self.findings.counts[stream].order_unchecked += 1;
                }
                End::Again(aside) => self.doubled(&aside)?,
                End::Open(aside) => open.push(aside),
            }
            if open.len() >= ASKED_MAX {
                self.explain(&mut open)?;
            }
        }
        self.explain(&mut open)?;
        self.compacted(&mut missing)?;
        let ranges = self.ranges(missing)?;
        for counts in &mut self.findings.counts {
            counts.expected = counts.delivered + counts.missing + counts.expired + counts.compacted;
        }
        self.findings.close().map_err(Error::Findings)?;
        let records = self.records();
        Ok(Conclusion { records, ranges, is_known: issued.is_some(), findings: self.findings })
    }

    /// Counts a gap as expired, or puts it where it is looked at further.
    fn sort_out(&mut self, gap: &Gap, missing: &mut Sorted<InStream>) -> std::io::Result<()> {
        let stream = usize::from(gap.key.stream());
        let topic = &self.plan.streams[stream].topic.name;
        let number = u32::try_from(gap.partition).ok();
        let partitions = self.task.partitions.iter().zip(&self.first_ranks);
        let mut its = partitions.filter(|(read, _)| {
            read.is_own && read.partition.topic == *topic && read.partition.number == number
        });
        let Some((read, first)) = its.next().filter(|_| number.is_some()) else {
            return missing.push(InStream(*gap));
        };
        if read.partition.expired > 0 && first.is_none_or(|first| gap.rank < first) {
            self.findings.counts[stream].expired += 1;
            return Ok(());
        }
        if read.partition.compacted && gap.key_hash != 0 {
            return self.of_keys.push(OfKey::Gap(*gap));
        }
        missing.push(InStream(*gap))
    }

    /// Tells gaps of compacted topics apart: those of keys of which a later event is there.
    fn compacted(&mut self, missing: &mut Sorted<InStream>) -> Result<(), Error> {
        let of_keys = Sorted::new(1, &self.folder);
        let of_keys = std::mem::replace(&mut self.of_keys, of_keys);
        let mut latest = None;
        let spilling = spilling(&self.folder);
        for of_key in of_keys.finish().map_err(&spilling)? {
            match of_key.map_err(&spilling)? {
                OfKey::There(key, rank) => {
                    // Of each key the latest comes first.
                    if latest.is_none_or(|(known, _)| known != key) {
                        latest = Some((key, rank));
                    }
                }
                OfKey::Gap(gap)
                    if latest.is_some_and(|(key, rank)| key == gap.key_hash && rank > gap.rank) =>
                {
                    self.findings.counts[usize::from(gap.key.stream())].compacted += 1;
                }
                OfKey::Gap(gap) => {
                    missing.push(InStream(gap)).map_err(&spilling)?;
                }
            }
        }
        Ok(())
    }

    /// Counts missing events, and puts those that are next to each other together.
    fn ranges(&mut self, missing: Sorted<InStream>) -> Result<Ranges, Error> {
        let mut ranges = Ranges::default();
        let mut open: Option<(Gap, Gap)> = None;
        let spilling = spilling(&self.folder);
        for gap in missing.finish().map_err(&spilling)? {
            let InStream(gap) = gap.map_err(&spilling)?;
            self.findings.counts[usize::from(gap.key.stream())].missing += 1;
            let (number, due_us) = (Some(gap.ordinal), Some(gap.due_us));
            self.tell(Kind::Missing, Of { number, due_us, ..Of::event(gap.key) })?;
            open = Some(match open {
                Some((first, last))
                    if last.key.stream() == gap.key.stream() && last.ordinal + 1 == gap.ordinal =>
                {
                    (first, gap)
                }
                Some((first, last)) => {
                    ranges.push(self.range(&first, &last));
                    (gap, gap)
                }
                None => (gap, gap),
            });
        }
        if let Some((first, last)) = open {
            ranges.push(self.range(&first, &last));
        }
        Ok(ranges)
    }

    fn range(&self, first: &Gap, last: &Gap) -> Range {
        Range {
            stream: self.plan.streams[usize::from(first.key.stream())].name.clone(),
            from: first.ordinal,
            to: last.ordinal,
            first_due: rfc3339(first.due_us),
            last_due: rfc3339(last.due_us),
        }
    }

    fn doubled(&mut self, aside: &Aside) -> Result<(), Error> {
        self.findings.counts[usize::from(aside.key.stream())].doubled += 1;
        let place = Some((aside.partition as usize, aside.position));
        self.tell(Kind::Doubled, Of { place, ..Of::event(aside.key) })
    }

    /// Tells records whose events were no gaps apart: their events came before, or there are none. All
    /// events are made again to see.
    fn explain(&mut self, open: &mut Vec<Aside>) -> Result<(), Error> {
        if open.is_empty() {
            return Ok(());
        }
        let mut there: Table<Key, bool> = Table::default();
        there.extend(open.iter().map(|aside| (aside.key, false)));
        let mut sent = self.task.sent.clone();
        sent.options.telling = Telling::Who { bytes_one_in: 0 };
        // Of a run that does not say how many it issued, no further than was made before.
        sent.issued = sent.issued.or(Some(self.expected.given_out()));
        let mut events = Expected::start(&sent)?;
        while let Some((batch, _)) = events.next_batch()? {
            for (record, who) in batch.records.iter().zip(&batch.who) {
                let key = Key::new(record.stream.to_le_bytes()[0], who.child, who.number);
                if let Some(is_there) = there.get_mut(&key) {
                    *is_there = true;
                }
            }
        }
        for aside in open.drain(..) {
            if there.get(&aside.key) == Some(&true) {
                self.doubled(&aside)?;
            } else {
                let at = (aside.partition as usize, aside.position);
                self.foreign_at(at, "the run did not send its event")?;
            }
        }
        Ok(())
    }
}
