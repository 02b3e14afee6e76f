//! Events that faults keep back: those with a later time, and those that wait for one of their key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Error, Record, Who};
use super::Deed;

/// How many bytes are kept back at most.
const KEPT_BYTES_MAX: usize = 1 << 30;

/// A record that is sent because of a fault, with bytes of its own.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    /// Its `due_us` is when it is sent; it starts where its bytes do.
    pub(super) record: Record,
    pub(super) bytes: Arc<[u8]>,
    pub(super) who: Who,
    pub(super) deed: Deed,
}

/// Where records are among those that are due at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) due_us: i64,
    pub(super) stream: u16,
    /// Those whose time a fault moved come after the others…
    pub(super) moved: bool,
    /// …in the order of the times that they had.
    pub(super) before: i64,
    pub(super) who: Who,
}

impl Copy {
    pub(super) fn rank(&self) -> Rank {
        Rank {
            due_us: self.record.due_us,
            stream: self.record.stream,
            moved: self.record.due_us != self.deed.due_us,
            before: self.deed.due_us,
            who: self.who,
        }
    }
}

/// An event that waits for the next of its key.
#[derive(Clone, Debug)]
struct Waiting {
    until_us: i64,
    copy: Copy,
}

/// Whose events wait: a stream and a key.
type Key = (u16, Vec<u8>);

/// What is kept back.
#[derive(Debug, Default)]
pub(super) struct Kept {
    later: BTreeMap<Rank, Copy>,
    waiting: BTreeMap<Key, Vec<Waiting>>,
    bytes: usize,
}

impl Kept {
    /// What is kept back, and by which faults.
    pub(super) fn deeds(&self) -> impl Iterator<Item = &Deed> {
        let waiting = self.waiting.values().flatten().map(|it| &it.copy);
        self.later.values().chain(waiting).map(|copy| &copy.deed)
    }

    fn take_in(&mut self, copy: &Copy) -> Result<(), Error> {
        self.bytes += copy.bytes.len();
        if self.bytes > KEPT_BYTES_MAX {
            return Err(Error::Kept { limit_mib: KEPT_BYTES_MAX >> 20 });
        }
        Ok(())
    }

    /// Keeps a record until it is due.
    pub(super) fn keep(&mut self, copy: Copy) -> Result<(), Error> {
        self.take_in(&copy)?;
        self.later.insert(copy.rank(), copy);
        Ok(())
    }

    /// Keeps a record until the next of its key comes, or until a time.
    pub(super) fn wait(&mut self, key: &[u8], copy: Copy, until_us: i64) -> Result<(), Error> {
        self.take_in(&copy)?;
        let key = (copy.record.stream, key.to_vec());
        self.waiting.entry(key).or_default().push(Waiting { until_us, copy });
        Ok(())
    }

    /// An event of a key comes to which nothing is done: those that wait for it follow.
    pub(super) fn comes(&mut self, record: &Record, key: &[u8], who: Who) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(waiting) = self.waiting.remove(&(record.stream, key.to_vec())) else { return };
        for Waiting { until_us, mut copy } in waiting {
            if until_us <= record.due_us {
                self.give_up(copy, until_us);
                continue;
            }
            copy.record.due_us = record.due_us;
            copy.deed.shows_us = record.due_us;
            copy.deed.overtaken_by = Some(who);
            self.later.insert(copy.rank(), copy);
        }
    }

    /// What waited for too long is late and nothing else.
    fn give_up(&mut self, mut copy: Copy, until_us: i64) {
        copy.record.due_us = until_us;
        copy.deed.shows_us = until_us;
        copy.deed.kind = "late";
        self.later.insert(copy.rank(), copy);
    }

    /// Nothing more comes before a time: returns what is due by then, in order.
    pub(super) fn due_before(&mut self, until_us: i64) -> Vec<Copy> {
        let mut over = Vec::new();
        self.waiting.retain(|_, waiting| {
            over.extend(waiting.extract_if(.., |it| it.until_us < until_us));
            !waiting.is_empty()
        });
        for Waiting { until_us, copy } in over {
            self.give_up(copy, until_us);
        }
        let mut due = Vec::new();
        while let Some(first) = self.later.first_entry()
            && first.key().due_us < until_us
        {
            let copy = first.remove();
            self.bytes -= copy.bytes.len();
            due.push(copy);
        }
        due
    }
}
