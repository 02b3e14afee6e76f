//! Which partition a key belongs to.

/// The partition of a key, as Java's producers choose it: murmur2, without its sign, modulo the
/// number of partitions.
///
/// # Panics
///
/// If there are no partitions.
pub fn of_key(key: &[u8], partitions: u32) -> i32 {
    let positive = murmur2(key) & 0x7fff_ffff;
    // A remainder of a number below 2^31.
    (positive % partitions).cast_signed()
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
        assert_eq!(of_key(b"21", 12), 1_173_551_340 % 12);
        assert_eq!(of_key(b"abc", 1), 0);
        assert!((0..1_000_u32).all(|n| (0..7).contains(&of_key(&n.to_be_bytes(), 7))));
    }
}
