//! The digest of a run: the same whatever the order, threads, shards, sink or device.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// The sum, modulo 2^128, of a 128-bit hash (XXH3) of each event's stream name, key and bare Avro
/// datum, each preceded by its length in 8 bytes, little-endian.
///
/// Framing, headers and times are left out. The digests of shards add up to the digest of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// The digest of one event.
    pub fn of(stream_name: &str, key: &[u8], datum: &[u8]) -> Self {
        let mut hash = Xxh3::new();
        for part in [stream_name.as_bytes(), key, datum] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.digest128())
    }

    /// Adds events that this one does not contain.
    pub fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_the_order() {
        let events = [("a", "k1", "v1"), ("a", "k2", "v2"), ("b", "k1", "v1")]
            .map(|(name, key, value)| Digest::of(name, key.as_bytes(), value.as_bytes()));
        let (mut forward, mut backward) = (Digest::default(), Digest::default());
        for (early, late) in events.iter().zip(events.iter().rev()) {
            forward.add(*early);
            backward.add(*late);
        }
        assert_eq!(forward, backward);
        assert_ne!(forward, Digest::default());
    }

    #[test]
    fn bytes_do_not_move_between_key_and_value_unnoticed() {
        assert_ne!(Digest::of("s", b"ab", b"c"), Digest::of("s", b"a", b"bc"));
    }
}
