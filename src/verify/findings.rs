//! What verifying found, event by event and in sum.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;

use super::compare::Difference;
use crate::observe::latency::Distribution;

/// How many of each kind are told in the report; the file of findings has all.
pub const TOLD_MAX: usize = 20;

/// Counts of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events that were sent and should be there.
    pub expected: u64,
    /// Of those, events that are there.
    pub delivered: u64,
    /// Of those, events that are not.
    pub missing: u64,
    /// Of those, events that were deleted because they were old.
    pub expired: u64,
    /// Of those, events that a later one of their key took the place of.
    pub compacted: u64,
    /// Records beyond the first of an event.
    pub doubled: u64,
    /// Events that came after a later one of their key.
    pub out_of_order: u64,
    /// Events of which that is not known.
    pub order_unchecked: u64,
    /// Events that were compared with what was sent.
    pub compared: u64,
    /// Of those, events that are not as they were sent.
    pub damaged: u64,
    /// Events whose values nobody can read.
    pub unreadable: u64,
    /// Events that should not be there, because the consumer filters, and are.
    pub unwanted: u64,
}

impl Counts {
    /// Adds those of another stream.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.expected, other.expected),
            (&mut self.delivered, other.delivered),
            (&mut self.missing, other.missing),
            (&mut self.expired, other.expired),
            (&mut self.compacted, other.compacted),
            (&mut self.doubled, other.doubled),
            (&mut self.out_of_order, other.out_of_order),
            (&mut self.order_unchecked, other.order_unchecked),
            (&mut self.compared, other.compared),
            (&mut self.damaged, other.damaged),
            (&mut self.unreadable, other.unreadable),
            (&mut self.unwanted, other.unwanted),
        ] {
            *sum += more;
        }
    }

    /// How many things are wrong.
    pub fn wrong(&self) -> u64 {
        self.missing
            + self.doubled
            + self.out_of_order
            + self.damaged
            + self.unreadable
            + self.unwanted
    }
}

/// A kind of what may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Events that are not there.
    Missing,
    /// Records beyond the first of an event.
    Doubled,
    /// Events after a later one of their key.
    OutOfOrder,
    /// Events that are not as they were sent.
    Damaged,
    /// Values that nobody can read.
    Unreadable,
    /// Events that the consumer should have filtered out.
    Unwanted,
    /// Records that are not the run's.
    Foreign,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Doubled,
        Self::OutOfOrder,
        Self::Damaged,
        Self::Unreadable,
        Self::Unwanted,
        Self::Foreign,
    ];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::OutOfOrder => "out of order",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Unwanted => "unwanted",
            Self::Foreign => "foreign",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: Kind,
    /// The event's stream; none of a record that is not the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The event's identity, as a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many events of its stream came before it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// When it was due in model time, as RFC 3339, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Where its record lies, if it has one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Of what is damaged: what differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Difference>,
    /// Of what is foreign: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Where a record lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition, if the topic has some.
    pub partition: Option<u32>,
    /// Kafka's offset, or Pulsar's ledger, entry and place in the batch.
    pub position: String,
}

/// Events of one stream that are missing one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The stream.
    pub stream: String,
    /// How many events of the stream come before the first.
    pub from: u64,
    /// How many events of the stream come before the last.
    pub to: u64,
    /// When the first was due in model time, as RFC 3339.
    pub first_due: String,
    /// When the last was.
    pub last_due: String,
}

/// Ranges of missing events: how many there are, the first of them, and the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ranges {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Range>,
    /// The last, if it is not among those.
    pub last: Option<Range>,
}

impl Ranges {
    /// Adds a range that follows those before.
    pub fn push(&mut self, range: Range) {
        self.count += 1;
        if self.first.len() < TOLD_MAX {
            self.first.push(range);
        } else {
            self.last = Some(range);
        }
    }
}

/// What was found, as it is found.
#[derive(Debug)]
pub struct Findings {
    /// By stream.
    pub counts: Vec<Counts>,
    /// Records that are not the run's, by reason.
    pub foreign: Vec<(String, u64)>,
    /// From the intended time to the record's own.
    pub latency: Distribution,
    /// The first of each kind.
    pub told: Vec<Finding>,
    /// How many of each kind were told.
    told_of: [usize; 7],
    file: Option<BufWriter<File>>,
}

impl Findings {
    /// Nothing yet, of so many streams; with a path, all that is found goes there, a line of JSON each.
    pub fn new(streams: usize, path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(File::create).transpose()?;
        Ok(Self {
            counts: vec![Counts::default(); streams],
            foreign: Vec::new(),
            latency: Distribution::default(),
            told: Vec::new(),
            told_of: [0; 7],
            file: file.map(BufWriter::new),
        })
    }

    /// Whether a finding of a kind is told anywhere.
    pub fn tells(&self, kind: Kind) -> bool {
        self.file.is_some() || self.told_of[kind as usize] < TOLD_MAX
    }

    /// Tells a finding.
    pub fn tell(&mut self, finding: Finding) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, &finding)?;
            file.write_all(b"\n")?;
        }
        let told = &mut self.told_of[finding.what as usize];
        if *told < TOLD_MAX {
            *told += 1;
            self.told.push(finding);
        }
        Ok(())
    }

    /// Counts a record that is not the run's.
    pub fn count_foreign(&mut self, reason: &str) {
        match self.foreign.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => self.foreign.push((reason.to_owned(), 1)),
        }
    }

    /// Waits until the file has all.
    pub fn close(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), io::Write::flush)
    }

    /// All streams together.
    pub fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.counts.iter().for_each(|counts| sum.add(counts));
        sum
    }
}
