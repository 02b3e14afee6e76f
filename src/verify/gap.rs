//! Events that were expected and have not come, and arrivals that wait to be told apart.

use super::sorted::Item;
use crate::consume::Position;
use crate::plan::identity::Identity;

/// Who an event is, small enough to keep millions of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    number: u64,
    /// The stream above the child.
    stream_and_child: u32,
}

impl Key {
    /// The key of an event of a stream.
    pub fn new(stream: u8, child: u16, number: u64) -> Self {
        Self { number, stream_and_child: u32::from(stream) << 16 | u32::from(child) }
    }

    /// The number of its stream.
    pub fn stream(self) -> u8 {
        (self.stream_and_child >> 16).to_le_bytes()[0]
    }

    /// Who it is.
    pub fn identity(self) -> Identity {
        let [low, high, ..] = self.stream_and_child.to_le_bytes();
        let child = u16::from_le_bytes([low, high]);
        Identity { stream: self.stream(), origin: 0, child, number: self.number }
    }
}

impl From<Identity> for Key {
    fn from(identity: Identity) -> Self {
        Self::new(identity.stream, identity.child, identity.number)
    }
}

/// An expected event that has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Who it is.
    pub key: Key,
    /// How many events of the run come before it in send order.
    pub rank: u64,
    /// How many events of its stream do.
    pub ordinal: u64,
    /// When it is due, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
    /// When it was intended on the wall clock, in nanoseconds since the Unix epoch; the least number if
    /// nobody knows.
    pub intended_ns: i64,
    /// The hash of its key; 0 if that is not known.
    pub key_hash: u64,
    /// The partition that it went to; below 0 if that is not known.
    pub partition: i32,
}

/// A record with the identity of an event that was not waited for when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aside {
    /// Whose identity it has.
    pub key: Key,
    /// How many came before it.
    pub number: u64,
    /// Its timestamp, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The place of its partition among those of the source.
    pub partition: u32,
    /// Where it lies there.
    pub position: Position,
}

/// What is written of items, field by field.
struct Fields<'a>(&'a mut [u8]);

impl Fields<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let rest = std::mem::take(&mut self.0);
        let (here, rest) = rest.split_at_mut(N);
        here.copy_from_slice(&bytes);
        self.0 = rest;
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let Some((here, rest)) = bytes.split_first_chunk() else { return [0; N] };
    *bytes = rest;
    *here
}

fn put_key(fields: &mut Fields<'_>, key: Key) {
    fields.put(key.number.to_le_bytes());
    fields.put(key.stream_and_child.to_le_bytes());
}

fn take_key(bytes: &mut &[u8]) -> Key {
    let number = u64::from_le_bytes(take(bytes));
    Key { number, stream_and_child: u32::from_le_bytes(take(bytes)) }
}

impl Item for Gap {
    const BYTES: usize = 56;

    fn put(&self, bytes: &mut [u8]) {
        let mut fields = Fields(bytes);
        put_key(&mut fields, self.key);
        fields.put(self.rank.to_le_bytes());
        fields.put(self.ordinal.to_le_bytes());
        fields.put(self.due_us.to_le_bytes());
        fields.put(self.intended_ns.to_le_bytes());
        fields.put(self.key_hash.to_le_bytes());
        fields.put(self.partition.to_le_bytes());
    }

    fn get(mut bytes: &[u8]) -> Self {
        let bytes = &mut bytes;
        Self {
            key: take_key(bytes),
            rank: u64::from_le_bytes(take(bytes)),
            ordinal: u64::from_le_bytes(take(bytes)),
            due_us: i64::from_le_bytes(take(bytes)),
            intended_ns: i64::from_le_bytes(take(bytes)),
            key_hash: u64::from_le_bytes(take(bytes)),
            partition: i32::from_le_bytes(take(bytes)),
        }
    }
}

impl Item for Aside {
    const BYTES: usize = 48;

    fn put(&self, bytes: &mut [u8]) {
        let mut fields = Fields(bytes);
        put_key(&mut fields, self.key);
        fields.put(self.number.to_le_bytes());
        fields.put(self.timestamp_ms.to_le_bytes());
        fields.put(self.partition.to_le_bytes());
        fields.put(self.position.to_bytes());
    }

    fn get(mut bytes: &[u8]) -> Self {
        let bytes = &mut bytes;
        Self {
            key: take_key(bytes),
            number: u64::from_le_bytes(take(bytes)),
            timestamp_ms: i64::from_le_bytes(take(bytes)),
            partition: u32::from_le_bytes(take(bytes)),
            position: Position::from_bytes(take(bytes)),
        }
    }
}

/// The hash of a record's key, by which keys are told apart.
pub fn key_hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// A gap in the order of its stream: how ranges are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InStream(pub Gap);

impl InStream {
    fn place(&self) -> (u8, u64) {
        (self.0.key.stream(), self.0.ordinal)
    }
}

impl PartialOrd for InStream {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InStream {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl Item for InStream {
    const BYTES: usize = Gap::BYTES;

    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }

    fn get(bytes: &[u8]) -> Self {
        Self(Gap::get(bytes))
    }
}

/// An event of a key, or a gap: whether a later event of a gap's key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfKey {
    /// An event that is there: the hash of its key, and its rank.
    There(u64, u64),
    /// A gap.
    Gap(Gap),
}

impl OfKey {
    /// By key, the latest event that is there first, then the gaps.
    fn place(&self) -> (u64, bool, std::cmp::Reverse<u64>) {
        match self {
            Self::There(key, rank) => (*key, false, std::cmp::Reverse(*rank)),
            Self::Gap(gap) => (gap.key_hash, true, std::cmp::Reverse(gap.rank)),
        }
    }
}

impl PartialOrd for OfKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OfKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl Item for OfKey {
    const BYTES: usize = Gap::BYTES + 1;

    fn put(&self, bytes: &mut [u8]) {
        bytes[0] = u8::from(matches!(self, Self::Gap(_)));
        match self {
            Self::There(key, rank) => {
                let mut fields = Fields(&mut bytes[1..]);
                fields.put(key.to_le_bytes());
                fields.put(rank.to_le_bytes());
            }
            Self::Gap(gap) => gap.put(&mut bytes[1..]),
        }
    }

    fn get(bytes: &[u8]) -> Self {
        let (kind, mut rest) = (bytes[0], &bytes[1..]);
        if kind == 1 {
            return Self::Gap(Gap::get(rest));
        }
        let rest = &mut rest;
        Self::There(u64::from_le_bytes(take(rest)), u64::from_le_bytes(take(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let identity = Identity { stream: 255, origin: 0, child: 1_023, number: u64::MAX };
        let key = Key::from(identity);
        assert_eq!((key.identity(), key.stream()), (identity, 255));
        let (intended_ns, key_hash, partition) = (i64::MIN, u64::MAX, -1);
        let gap = Gap { key, rank: 1, ordinal: 2, due_us: -3, intended_ns, key_hash, partition };
        let mut bytes = [0; Gap::BYTES];
        gap.put(&mut bytes);
        assert_eq!(Gap::get(&bytes), gap);
        let position = Position::of_message(3, 4, 5);
        let aside = Aside { key, number: 4, timestamp_ms: -1, partition: 7, position };
        for of_key in [OfKey::Gap(gap), OfKey::There(1, u64::MAX)] {
            let mut bytes = [0; OfKey::BYTES];
            of_key.put(&mut bytes);
            assert_eq!(OfKey::get(&bytes), of_key);
        }
        let mut bytes = [0; Aside::BYTES];
        aside.put(&mut bytes);
        assert_eq!(Aside::get(&bytes), aside);
    }
}
