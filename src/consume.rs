//! Reading topics: the records of partitions, each in the order in which its broker holds them.
//!
//! A [`Source`] reads one partition at a time, a [`Page`] of records at once. [`merge::Merge`] reads all of
//! them side by side, so that no partition runs far ahead of the others. A [`lag::Watcher`] sees how far others are
//! behind.

pub mod address;
pub mod kafka;
pub mod lag;
pub mod merge;
pub mod pulsar;
pub mod together;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::publish;

/// Where a record lies in its partition; later records have greater ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u128);

impl Position {
    /// Kafka's offset.
    pub fn of_offset(offset: u64) -> Self {
        Self(u128::from(offset))
    }

    /// Pulsar's ledger, entry and, from 0, place in the entry's batch.
    pub fn of_message(ledger: u64, entry: u64, place: u16) -> Self {
        // No ledger has 2^47 entries.
        Self(1 << 127 | u128::from(ledger) << 63 | u128::from(entry) << 16 | u128::from(place))
    }

    /// What it is written as.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// What was written.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// Kafka's offset, if it is one.
    pub fn offset(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// Pulsar's ledger, entry and place in the entry's batch, if it is one.
    #[expect(clippy::cast_possible_truncation, reason = "cut into the parts that it was made of")]
    pub fn message(self) -> Option<(u64, u64, u16)> {
        let (ledger, entry) = ((self.0 & !(1 << 127)) >> 63, self.0 >> 16 & ((1 << 47) - 1));
        (self.0 >> 127 == 1).then_some((ledger as u64, entry as u64, self.0 as u16))
    }
}

impl fmt::Display for Position {
    /// The offset, or `ledger:entry:place`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some((ledger, entry, place)) => write!(formatter, "{ledger}:{entry}:{place}"),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// A partition that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its topic, as the user names it.
    pub topic: String,
    /// Its number; none for a topic without partitions.
    pub number: Option<u32>,
    /// How many records it held once and holds no more, because they were old: those before its first
    /// one. 0 where the broker does not tell.
    pub expired: u64,
    /// Whether only the last record of a key is kept for good.
    pub compacted: bool,
}

impl fmt::Display for Partition {
    /// `topic[3]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(formatter, "{}[{number}]", self.topic),
            None => formatter.write_str(&self.topic),
        }
    }
}

/// Where reading begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With the first record that there is.
    #[default]
    Earliest,
    /// With the first record whose timestamp is this one or later, in milliseconds since the Unix epoch.
    At(i64),
    /// With the first record that comes after the source was opened.
    Latest,
    /// With these positions, in order of topics and partitions; where there is none, with the first
    /// record.
    Positions(Vec<(String, Option<u32>, Position)>),
}

/// A record as its topic holds it: where its bytes lie in the arena of its [`Page`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it lies in its partition.
    pub position: Position,
    /// Its timestamp, in milliseconds since the Unix epoch; −1 if it has none. Kafka: the record's; Pulsar: when
    /// it was published.
    pub timestamp_ms: i64,
    /// Where its bytes begin in the arena: headers, key, value, without gaps.
    start: u32,
    header_bytes: u32,
    /// −1: no key.
    key_bytes: i32,
    /// −1: no value.
    value_bytes: i32,
}

/// Records of one partition, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Headers, keys and values of all records.
    pub arena: Vec<u8>,
    /// The records.
    pub records: Vec<Record>,
}

/// What a page is given of a record.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Where it lies in its partition.
    pub position: Position,
    /// Its timestamp, in milliseconds since the Unix epoch; −1 if it has none.
    pub timestamp_ms: i64,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value; none of a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Page {
    /// Takes all records out.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
    }

    /// Adds a record; each header is a name and a value, if it has one.
    pub fn push<'a>(
        &mut self,
        given: &Given<'_>,
        headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        let start = self.arena.len();
        for (name, value) in headers {
            self.arena.extend(length(Some(name)).to_le_bytes());
            self.arena.extend_from_slice(name);
            self.arena.extend(length(value).to_le_bytes());
            self.arena.extend_from_slice(value.unwrap_or_default());
        }
        let header_bytes = self.arena.len() - start;
        self.arena.extend_from_slice(given.key.unwrap_or_default());
        self.arena.extend_from_slice(given.value.unwrap_or_default());
        self.records.push(Record {
            position: given.position,
            timestamp_ms: given.timestamp_ms,
            start: low(start),
            header_bytes: low(header_bytes),
            key_bytes: length(given.key),
            value_bytes: length(given.value),
        });
    }

    /// The key of a record, if it has one.
    pub fn key(&self, record: &Record) -> Option<&[u8]> {
        (record.key_bytes >= 0).then(|| &self.arena[record.key_range()])
    }

    /// The value of a record; none of a tombstone.
    pub fn value(&self, record: &Record) -> Option<&[u8]> {
        let start = record.key_range().end;
        let bytes = usize::try_from(record.value_bytes).ok()?;
        Some(&self.arena[start..start + bytes])
    }

    /// Names and values of a record's headers, in its order; a header may have no value.
    pub fn headers(&self, record: &Record) -> Headers<'_> {
        Headers { rest: &self.arena[record.header_range()] }
    }
}

impl Record {
    fn header_range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.header_bytes as usize
    }

    fn key_range(&self) -> Range<usize> {
        let start = self.header_range().end;
        start..start + usize::try_from(self.key_bytes).unwrap_or(0)
    }
}

/// The headers of a record; see [`Page::headers`].
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The next name or value; the value may be none.
    fn part(&mut self) -> Option<(bool, &'a [u8])> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = usize::try_from(i32::from_le_bytes(*length)).ok();
        let (part, rest) = rest.split_at_checked(length.unwrap_or(0))?;
        self.rest = rest;
        Some((length.is_some(), part))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, name) = self.part()?;
        let (is_there, value) = self.part()?;
        Some((name, is_there.then_some(value)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a page is far below 4 GiB")]
fn low(number: usize) -> u32 {
    number as u32
}

fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Records: at least one.
    Records,
    /// No record: all that the partition held when it was asked was read.
    End,
    /// No record in time, though there may be some.
    Nothing,
}

/// What keeps a topic from being read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Kafka's settings are wrong, or it cannot be reached.
    #[error(transparent)]
    Kafka(#[from] publish::kafka::Error),
    /// Pulsar's settings are wrong, or it cannot be reached.
    #[error(transparent)]
    Pulsar(#[from] publish::pulsar::Error),
    /// Topics that are not there.
    #[error(
        "no such topic: {}; is the name right, and the cluster?",
        topics.iter().map(|topic| format!("`{topic}`")).collect::<Vec<_>>().join(", ")
    )]
    TopicMissing {
        /// Their names.
        topics: Vec<String>,
    },
    /// A subscription that is not there.
    #[error(
        "the topic `{topic}` has no subscription `{name}`; {}",
        if there.is_empty() {
            "it has none".to_owned()
        } else {
            let there: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
            format!("it has {}", there.join(", "))
        }
    )]
    NoSubscription {
        /// The topic, with the partition.
        topic: String,
        /// The name that was given.
        name: String,
        /// Those that there are.
        there: Vec<String>,
    },
    /// No right to read a topic.
    #[error("not authorised to read the topic `{topic}`: {way_out}")]
    NotAuthorised {
        /// The topic.
        topic: String,
        /// Which right is needed.
        way_out: &'static str,
    },
    /// No right to ask about a group.
    #[error(
        "not authorised to ask about the group `{group}`: the user needs the ACL operation DESCRIBE on it"
    )]
    GroupNotAuthorised {
        /// Its name.
        group: String,
    },
    /// The system refused a thread.
    #[error("cannot start the thread that watches who reads")]
    Thread(#[source] std::io::Error),
    /// A record that makes no sense. A later read goes on after it.
    #[error("cannot read {position} of {partition}: {reason}")]
    Unreadable {
        /// The topic and the partition.
        partition: String,
        /// Where it lies.
        position: Position,
        /// Why it cannot be read.
        reason: String,
    },
    /// A topic cannot be read any more.
    #[error("cannot read {partition} any more: {reason}")]
    Lost {
        /// The topic and the partition.
        partition: String,
        /// The broker's words.
        reason: String,
    },
}

/// Topics that are read. All calls come from one thread.
pub trait Source: Send {
    /// The partitions, topic by topic in the order that was asked for, each in order of its numbers.
    fn partitions(&self) -> &[Partition];

    /// Puts the next records of a partition, by its place among [`Source::partitions`], in the place of
    /// what the page holds: as many as lie ready, about a megabyte at most. Waits for the first of them
    /// for at most `patience`.
    fn read(
        &mut self,
        partition: usize,
        page: &mut Page,
        patience: Duration,
    ) -> Result<Read, Error>;

    /// The last record of each partition as its broker knows it now; none of an empty one. From then on
    /// [`Read::End`] means that all up to it was handed out. (The last entry may be no record but a mark of
    /// a transaction, so that its position is never met.)
    fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_back_what_it_was_given() {
        let mut page = Page::default();
        let given = Given {
            position: Position::of_offset(7),
            timestamp_ms: 5,
            key: Some(b"k"),
            value: Some(b"value"),
        };
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"1")), (b"", None)];
        page.push(&given, headers);
        page.push(&Given { key: None, value: None, ..given }, []);
        page.push(&Given { key: Some(b""), value: Some(b""), ..given }, []);
        let [first, second, third] = page.records[..] else { panic!("three records") };
        assert_eq!((page.key(&first), page.value(&first)), (given.key, given.value));
        assert_eq!(page.headers(&first).collect::<Vec<_>>(), headers);
        assert_eq!((page.key(&second), page.value(&second)), (None, None));
        assert_eq!(page.headers(&second).count(), 0);
        assert_eq!((page.key(&third), page.value(&third)), (Some(&b""[..]), Some(&b""[..])));
    }

    #[test]
    fn positions_are_ordered_as_their_broker_orders_them() {
        let message = Position::of_message(u64::MAX >> 1, (1 << 47) - 1, 7);
        assert_eq!(message.message(), Some((u64::MAX >> 1, (1 << 47) - 1, 7)));
        assert_eq!(message.offset(), None);
        assert!(Position::of_message(3, 9, 5) < Position::of_message(3, 10, 0));
        assert!(Position::of_message(3, 9, 5) < Position::of_message(4, 0, 0));
        assert_eq!(Position::of_message(3, 9, 5).to_string(), "3:9:5");
        let offset = Position::of_offset(u64::MAX);
        assert_eq!((offset.offset(), offset.message()), (Some(u64::MAX), None));
        assert_eq!(offset.to_string(), u64::MAX.to_string());
    }
}
