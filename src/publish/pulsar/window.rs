//! Windows: messages of a stretch of model time, regrouped so that a batch has one key.
//!
//! Sequence ids are given when a window is over, in the order of the regrouped batches: they grow from
//! batch to batch, as a topic that deduplicates needs it, and are the same whenever the same window
//! is sent again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::batch::{Batch, Message, Sent};
use super::channel::Limits;

/// How many bytes a window holds before it is parted.
const BYTES_MAX: usize = 1 << 20;

/// The messages of a window, in send order.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Which window; messages of another one close it.
    number: u64,
    bytes: Vec<u8>,
    held: Vec<Held>,
}

/// A message that waits for the end of its window.
#[derive(Debug)]
struct Held {
    /// Where its key, its properties and its value lie.
    key: Option<Range<usize>>,
    properties: Range<usize>,
    value: Option<Range<usize>>,
    event_time_ms: Option<u64>,
    binary_key: bool,
    tick: u64,
    sent: Sent,
}

impl Window {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The number of messages in it.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no more go into it: the rest of the window is a window of its own. That follows from
    /// the messages alone, so that the same ones are parted alike when they are sent again.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX
    }

    /// Whether it is over when messages of another window come.
    pub(super) fn is_before(&self, number: u64) -> bool {
        !self.is_empty() && self.number != number
    }

    /// Adds a message.
    pub(super) fn push(
        &mut self,
        (number, tick): (u64, u64),
        (message, sent): (&Message<'_>, Sent),
        properties: impl FnOnce(&mut Vec<u8>),
    ) {
        self.number = number;
        let mut put = |bytes: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        };
        let key = message.key.map(&mut put);
        let value = message.value.map(&mut put);
        let start = self.bytes.len();
        properties(&mut self.bytes);
        self.held.push(Held {
            key,
            properties: start..self.bytes.len(),
            value,
            event_time_ms: message.event_time_ms,
            binary_key: message.binary_key,
            tick,
            sent,
        });
    }

    /// Ends it: its messages as batches of one key each, the keys in the order of their first message.
    /// `number` gives a message of a tick its sequence id.
    pub(super) fn close(
        &mut self,
        limits: Limits,
        now_ns: i64,
        mut number: impl FnMut(u64) -> u64,
        mut batch: impl FnMut(Batch),
    ) {
        let Self { bytes, held, .. } = self;
        let mut groups: Vec<Vec<&Held>> = Vec::new();
        let mut group_of: BTreeMap<Option<&[u8]>, usize> = BTreeMap::new();
        for message in &*held {
            let key = message.key.clone().map(|key| &bytes[key]);
            let group = *group_of.entry(key).or_insert(groups.len());
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(message);
        }
        for group in groups {
            let mut made = Batch::default();
            for message in group {
                let value = message.value.clone().map(|value| &bytes[value]);
                let value_bytes = value.map_or(0, <[u8]>::len);
                if !made.is_empty() && limits.are_met(&made, value_bytes) {
                    batch(std::mem::take(&mut made));
                }
                let key = message.key.clone().map(|key| &bytes[key]);
                made.begun_ns = now_ns;
                let whole = Message {
                    key,
                    binary_key: message.binary_key,
                    value,
                    event_time_ms: message.event_time_ms,
                    sequence_id: number(message.tick),
                };
                if made.is_empty() {
                    made.has_key_of(&whole);
                }
                let properties = &bytes[message.properties.clone()];
                made.push(&whole, message.sent, |into| into.extend_from_slice(properties));
            }
            batch(made);
        }
        bytes.clear();
        held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_key_and_ids_grow_from_batch_to_batch() {
        let mut window = Window::default();
        for (index, key) in (0..).zip(["a", "b", "a", "c", "b", "a"]) {
            let message = Message {
                key: Some(key.as_bytes()),
                binary_key: false,
                value: Some(b"value"),
                event_time_ms: None,
                sequence_id: 0,
            };
            let sent = Sent { intended_ns: index, due_us: 0, bytes: 6, stream: 0 };
            window.push((7, 3), (&message, sent), |_| ());
        }
        assert!(window.is_before(8) && !window.is_before(7));
        let (mut next, mut made) = (100, Vec::new());
        let limits = Limits { messages: 2, bytes: 1 << 20 };
        let number = |tick| {
            assert_eq!(tick, 3);
            next += 1;
            next
        };
        window.close(limits, 5, number, |batch| made.push(batch));
        let told = |batch: &Batch| {
            let order: Vec<i64> = batch.sent.iter().map(|sent| sent.intended_ns).collect();
            (batch.key.clone().unwrap(), order, batch.ids)
        };
        let told: Vec<_> = made.iter().map(told).collect();
        assert_eq!(
            told,
            [
                (b"a".to_vec(), vec![0, 2], (101, 102)),
                (b"a".to_vec(), vec![5], (103, 103)),
                (b"b".to_vec(), vec![1, 4], (104, 105)),
                (b"c".to_vec(), vec![3], (106, 106)),
            ]
        );
        assert!(window.is_empty());
    }

    #[test]
    fn a_window_that_holds_much_is_parted_by_what_it_holds() {
        let value = vec![0; BYTES_MAX / 4];
        let message = Message {
            key: None,
            binary_key: false,
            value: Some(&value),
            event_time_ms: None,
            sequence_id: 0,
        };
        let mut window = Window::default();
        for count in 0..4 {
            assert!(!window.is_full(), "after {count}");
            let sent = Sent { intended_ns: 0, due_us: 0, bytes: 0, stream: 0 };
            window.push((7, 3), (&message, sent), |_| ());
        }
        assert!(window.is_full() && !window.is_before(7));
    }
}
