//! Philox4x32-10, the source of all randomness.
//!
//! Counter-based: four words are a function of a key and a counter, so any event's randomness is
//! had without that of the events before it. Algorithm and constants: Salmon, Moraes, Dror and
//! Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The four words for a counter under a key.
#[expect(clippy::inline_always, reason = "loops over it become vector code")]
#[inline(always)]
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let [mut k0, mut k1] = key;
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    for _ in 0..10 {
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c0);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c2);
        (c0, c1, c2, c3) = (high(p1) ^ c1 ^ k0, low(p1), high(p0) ^ c3 ^ k1, low(p0));
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

/// The key of everything that is drawn for `name` (of a kind: `stream`, `entity`…) under a seed.
///
/// XXH3-64 of `kind`, a zero byte and `name`, seeded with the seed; the lower word first.
pub fn key(seed: u64, kind: &str, name: &str) -> [u32; 2] {
    let text = [kind.as_bytes(), &[0], name.as_bytes()].concat();
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&text, seed);
    [low(hash), high(hash)]
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(product: u64) -> u32 {
    product as u32
}

const fn high(product: u64) -> u32 {
    (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        let ones = u32::MAX;
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([ones; 2], [ones; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn keys_differ_by_seed_kind_and_name() {
        let keys = [key(1, "stream", "a"), key(2, "stream", "a"), key(1, "entity", "a")];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        assert_ne!(key(1, "a", "bc"), key(1, "ab", "c"));
    }
}
