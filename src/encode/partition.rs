//! Which partition a key belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How a key becomes a number, as the clients of brokers do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// Murmur 2, as Kafka's Java client.
    #[default]
    Murmur2,
    /// `String.hashCode`, as Pulsar's Java client unless told otherwise.
    JavaString,
    /// Murmur 3, as Pulsar's clients.
    Murmur3,
    /// `String.hashCode` of the key's Base64: how a key that is bytes travels to Pulsar.
    JavaStringOfBase64,
    /// Murmur 3 of the same.
    Murmur3OfBase64,
}

impl Hash {
    /// The same for keys that are bytes and not text.
    #[must_use]
    pub fn of_bytes(self) -> Self {
        match self {
            Self::JavaString => Self::JavaStringOfBase64,
            Self::Murmur3 => Self::Murmur3OfBase64,
            other => other,
        }
    }

    /// The partition of a key: its hash without the sign, modulo the number of partitions.
    ///
    /// # Panics
    ///
    /// If there are no partitions.
    pub fn partition(self, key: &[u8], partitions: u32) -> i32 {
        let hash = match self {
            Self::Murmur2 => murmur2(key),
            Self::JavaString => java_string(key),
            Self::Murmur3 => murmur3(key),
            Self::JavaStringOfBase64 => as_base64(key, java_string),
            Self::Murmur3OfBase64 => as_base64(key, murmur3),
        };
        // A remainder of a number below 2^31.
        ((hash & 0x7fff_ffff) % partitions).cast_signed()
    }
}

fn as_base64(key: &[u8], hash: impl FnOnce(&[u8]) -> u32) -> u32 {
    // Most keys are shorter, and need no memory of their own.
    let mut text = [0; 256];
    match STANDARD.encode_slice(key, &mut text) {
        Ok(length) => hash(&text[..length]),
        Err(_) => hash(STANDARD.encode(key).as_bytes()),
    }
}

/// `String.hashCode` of the key as text: of its UTF-16 units.
fn java_string(key: &[u8]) -> u32 {
    let add = |hash: u32, unit: u16| hash.wrapping_mul(31).wrapping_add(u32::from(unit));
    if key.is_ascii() {
        return key.iter().fold(0, |hash, byte| add(hash, u16::from(*byte)));
    }
    String::from_utf8_lossy(key).encode_utf16().fold(0, add)
}

/// Murmur3 in 32 bits with the seed 0 of Pulsar's clients (`Murmur3_32Hash`).
fn murmur3(data: &[u8]) -> u32 {
    let mix = |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, rest) = data.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, word| {
        let hash = (hash ^ mix(u32::from_le_bytes(*word))).rotate_left(13);
        hash.wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    hash ^= mix(u32::from_le_bytes(last));
    // Keys are below 2^31 bytes, and the reference counts the length in 32 bits.
    let length = data.len().to_le_bytes();
    hash ^= u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Murmur2 in 32 bits with the seed of Kafka's clients (`Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Kafka takes keys below 2^31 bytes, and the reference counts the length in 32 bits.
    let length = data.len().to_le_bytes();
    let mut hash = SEED ^ u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ word.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_java_client() {
        // The known answers of `UtilsTest.testMurmur2` in Apache Kafka.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_negative_hash_loses_its_sign_only() {
        // toPositive(−973932308) = 1173551340.
        let of = |key: &[u8], partitions| Hash::Murmur2.partition(key, partitions);
        assert_eq!(of(b"21", 12), 1_173_551_340 % 12);
        assert_eq!(of(b"abc", 1), 0);
        assert!((0..1_000_u32).all(|n| (0..7).contains(&of(&n.to_be_bytes(), 7))));
    }

    #[test]
    fn hashes_are_those_of_pulsars_clients() {
        // `Murmur3Hash32Test` and `JavaStringHashTest` in Apache Pulsar, the sign left out.
        for (key, java, murmur3_) in [
            ("k1", 3_366, 2_110_152_746),
            ("k2", 3_367, 1_479_966_664),
            ("key1", 3_288_498, 462_881_061),
        ] {
            assert_eq!(java_string(key.as_bytes()) & 0x7fff_ffff, java, "{key}");
            assert_eq!(murmur3(key.as_bytes()) & 0x7fff_ffff, murmur3_, "{key}");
        }
        // "é" is one unit of UTF-16, a grinning face two.
        assert_eq!(java_string("é".as_bytes()), 233);
        assert_eq!(java_string("😀".as_bytes()), 0xd83d * 31 + 0xde00);
    }
}
