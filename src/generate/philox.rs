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

/// The words of many counters under one key, for loops that are compiled for a width of vectors.
#[expect(clippy::inline_always, reason = "a loop has the vectors' width of its caller")]
#[inline(always)]
pub fn columns(
    key: [u32; 2],
    [first, second, third]: [&[u32]; 3],
    [salt, block]: [u32; 2],
    [a, b, c, d]: [&mut [u32]; 4],
) {
    let rows = first.len().min(second.len()).min(a.len()).min(b.len()).min(c.len()).min(d.len());
    let (first, second, third) = (&first[..rows], &second[..rows], &third[..rows]);
    let (a, b, c, d) = (&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]);
    for row in 0..rows {
        let counter = [first[row], second[row], salt.wrapping_add(third[row]), block];
        [a[row], b[row], c[row], d[row]] = philox(key, counter);
    }
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+bmi2",
    "x86_64+avx2+bmi2",
    "aarch64+neon"
))]
fn with_widest_vectors(
    key: [u32; 2],
    counters: [&[u32]; 3],
    words: [u32; 2],
    out: [&mut [u32]; 4],
) {
    columns(key, counters, words, out);
}

/// Room for the words of many counters, which are worked out together.
#[derive(Debug)]
pub struct Many {
    counters: [Box<[u32]>; 3],
    words: [Box<[u32]>; 4],
}

impl Default for Many {
    fn default() -> Self {
        let room = || vec![0; Self::ROWS].into_boxed_slice();
        Self { counters: std::array::from_fn(|_| room()), words: std::array::from_fn(|_| room()) }
    }
}

impl Many {
    /// The most counters that are handled at once.
    pub const ROWS: usize = 256;

    /// Works out the words of these counters, of which all have the same fourth word; of more than
    /// [`Many::ROWS`] the rest is left out.
    #[inline]
    pub fn draw(&mut self, key: [u32; 2], counters: impl Iterator<Item = [u32; 3]>, block: u32) {
        let [first, second, third] = &mut self.counters;
        let mut rows = 0;
        for (row, counter) in counters.take(Self::ROWS).enumerate() {
            [first[row], second[row], third[row]] = counter;
            rows = row + 1;
        }
        let counters = [&first[..rows], &second[..rows], &third[..rows]];
        let [a, b, c, d] = &mut self.words;
        let out = [&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]];
        with_widest_vectors(key, counters, [0, block], out);
    }

    /// The words of the counter of that place.
    #[inline]
    pub fn words(&self, row: usize) -> [u32; 4] {
        let [a, b, c, d] = &self.words;
        [a[row], b[row], c[row], d[row]]
    }
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
    fn many_are_drawn_as_one_is() {
        let mut many = Many::default();
        for rows in [0, 1, 7, 8, 63, 256] {
            let counter = |row: u32| [row, row.wrapping_mul(0x9E37_79B9), row << 14];
            many.draw([1, 2], (0..rows).map(counter), 9);
            for row in 0..rows {
                let [a, b, c] = counter(row);
                assert_eq!(many.words(row as usize), philox([1, 2], [a, b, c, 9]));
            }
        }
    }

    #[test]
    fn keys_differ_by_seed_kind_and_name() {
        let keys = [key(1, "stream", "a"), key(2, "stream", "a"), key(1, "entity", "a")];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        assert_ne!(key(1, "a", "bc"), key(1, "ab", "c"));
    }
}
