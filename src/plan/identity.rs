//! Who an event is, as 122 bits of a UUID, and back.

use multiversion::multiversion;

/// Who an event is in its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The number of the stream.
    pub stream: u8,
    /// Who it comes from: the model, an overlay, a changelog.
    pub origin: u8,
    /// Which of the events that follow from one number; below 1,024.
    pub child: u16,
    /// Position, or episode and step, or entity and version.
    pub number: u64,
}

/// Turns identities into UUIDs that look random, and back, under a key.
///
/// # The algorithm
///
/// All arithmetic is on 32-bit words, so that a device without 64-bit integers can do the same;
/// `a‖b` puts `a` above `b`, and `mul(a, b)` is the pair (upper word, lower word) of the product.
///
/// 1. **Plain halves**, 61 bits each, as (upper 29 bits, lower 32 bits):
///    left = stream (8) ‖ origin (8) ‖ child (10) ‖ number's upper 35 bits;
///    right = number's lower 29 bits ‖ check (32), the check being `0x74696465`.
/// 2. **Round keys**: the 64-bit key seeds splitmix64 (Steele et al. 2014); its first eight outputs
///    are the eight rounds' keys (upper word kh, lower word kl).
/// 3. **Eight rounds** of a balanced Feistel network: (left, right) becomes
///    (right, left ⊕ F(right)), where for right = (h, l)
///    (ph, pl) = mul(l ⊕ kl, `0xD2511F53`), (qh, ql) = mul(h ⊕ kh, `0xCD9E8D57`) and
///    F = ((qh ⊕ pl) mod 2^29, ph ⊕ ql): the round of Philox2x32's larger sister.
/// 4. **UUID** of version 8 (RFC 9562): the 122 bits left ‖ right fill, from the highest, all bits
///    but the version (4 bits, 8) and the variant (2 bits, 10).
///
/// It is not meant to withstand an attacker who may choose what is sealed.
#[derive(Clone, Debug)]
pub struct Cipher {
    keys: Keys<8>,
}

/// The keys of the rounds: upper and lower word.
type Keys<const ROUNDS: usize> = [[u32; 2]; ROUNDS];

/// An identity's half: its upper 29 and its lower 32 bits.
type Half = [u32; 2];

const CHECK: u32 = u32::from_be_bytes(*b"tide");
const LOW_29: u32 = (1 << 29) - 1;
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];

impl Cipher {
    /// A cipher under a key; who knows the key can read and forge identities.
    pub fn new(key: u64) -> Self {
        Self { keys: keys(key) }
    }

    /// The UUID of an identity.
    ///
    /// # Panics
    ///
    /// If `child` is 1,024 or more: our own bug.
    pub fn seal(&self, identity: &Identity) -> u128 {
        assert!(identity.child < 1 << 10, "child {} has more than 10 bits", identity.child);
        let source = source(identity.stream, identity.origin);
        let number = [(identity.number >> 32) as u32, (identity.number & 0xffff_ffff) as u32];
        let words = seal(&self.keys, source, number, identity.child.into());
        words.iter().fold(0, |uuid, &word| uuid << 32 | u128::from(word))
    }

    /// Whose UUID it is; none if it was not sealed under this key.
    ///
    /// A random UUID of version 8 passes once in 2^32.
    pub fn open(&self, uuid: u128) -> Option<Identity> {
        let word = |shift: u32| (uuid >> shift & 0xffff_ffff) as u32;
        let (a, b, c, d) = (word(96), word(64), word(32), word(0));
        if b >> 12 & 0xf != 8 || c >> 30 != 2 {
            return None;
        }
        let low = (b >> 16) << 13 | (b & 0xfff) << 1 | c >> 29 & 1;
        let mut left = [a >> 3, a << 29 | low];
        let mut right = [c & LOW_29, d];
        for key in self.keys.iter().rev() {
            let [high, low] = round(left, *key);
            (left, right) = ([right[0] ^ high, right[1] ^ low], left);
        }
        if right[1] != CHECK {
            return None;
        }
        let number_high = left[0] << 29 | left[1] >> 3;
        let number_low = left[1] << 29 | right[0];
        Some(Identity {
            stream: (left[0] >> 21 & 0xff) as u8,
            origin: (left[0] >> 13 & 0xff) as u8,
            child: (left[0] >> 3 & 0x3ff) as u16,
            number: u64::from(number_high) << 32 | u64::from(number_low),
        })
    }

    /// The UUIDs of many identities of one stream and origin, as four columns of words.
    ///
    /// # Panics
    ///
    /// If the columns are not of one length.
    pub fn seal_columns(
        &self,
        (stream, origin): (u8, u8),
        numbers: &Numbers<'_>,
        out: [&mut [u32]; 4],
    ) {
        let rows = numbers.high.len();
        let inputs = [numbers.low.len(), numbers.child.len()];
        assert!(
            inputs.iter().all(|&other| other == rows) && out.iter().all(|out| out.len() == rows),
            "identities come from and go to columns of one length"
        );
        seal_kernel(&self.keys, source(stream, origin), numbers, out);
    }
}

/// Columns that say which events of a stream and origin are meant.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// The upper words of the numbers.
    pub high: &'a [u32],
    /// The lower words of the numbers.
    pub low: &'a [u32],
    /// The children; only the lower 10 bits count.
    pub child: &'a [u32],
}

#[inline]
fn source(stream: u8, origin: u8) -> u32 {
    u32::from(stream) << 21 | u32::from(origin) << 13
}

#[inline]
fn seal(keys: &Keys<8>, source: u32, [high, low]: [u32; 2], child: u32) -> [u32; 4] {
    let mut left = [source | (child & 0x3ff) << 3 | high >> 29, high << 3 | low >> 29];
    let mut right = [low & LOW_29, CHECK];
    for key in keys {
        let [high, low] = round(right, *key);
        (left, right) = (right, [left[0] ^ high, left[1] ^ low]);
    }
    let rest = left[1] & LOW_29;
    [
        left[0] << 3 | left[1] >> 29,
        (rest >> 13) << 16 | 0x8000 | rest >> 1 & 0xfff,
        1 << 31 | (rest & 1) << 29 | right[0],
        right[1],
    ]
}

#[inline]
fn round([high, low]: Half, [key_high, key_low]: [u32; 2]) -> Half {
    let [p_high, p_low] = multiply(low ^ key_low, MULTIPLIERS[0]);
    let [q_high, q_low] = multiply(high ^ key_high, MULTIPLIERS[1]);
    [(q_high ^ p_low) & LOW_29, p_high ^ q_low]
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a product is split into its words")]
fn multiply(a: u32, b: u32) -> [u32; 2] {
    let product = u64::from(a) * u64::from(b);
    [(product >> 32) as u32, product as u32]
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2"))]
fn seal_kernel(keys: &Keys<8>, source: u32, numbers: &Numbers<'_>, out: [&mut [u32]; 4]) {
    let rows = numbers.high.len();
    let (high, low, child) = (numbers.high, &numbers.low[..rows], &numbers.child[..rows]);
    let [a, b, c, d] = out.map(|out| &mut out[..rows]);
    for row in 0..rows {
        [a[row], b[row], c[row], d[row]] = seal(keys, source, [high[row], low[row]], child[row]);
    }
}

/// The keys of the rounds: outputs of splitmix64.
fn keys<const ROUNDS: usize>(key: u64) -> Keys<ROUNDS> {
    let mut state = key;
    [(); ROUNDS].map(|()| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        [(mixed >> 32) as u32, (mixed & 0xffff_ffff) as u32]
    })
}

/// A keyed permutation of the numbers of 2 to 64 bits: different numbers give different ones that
/// look random.
///
/// # The algorithm
///
/// A number of n bits is split into an upper part of ⌈n/2⌉ and a lower part of ⌊n/2⌋ bits. In
/// ten rounds, by turns, upper ⊕= F(lower) and lower ⊕= F(upper), each cut to the lowest bits that
/// the part has. F(x) with the round's key (kh, kl), made as for [`Cipher`], is
/// (ph, pl) = mul(x ⊕ kl, `0xD2511F53`), (qh, ql) = mul(ph ⊕ pl ⊕ kh, `0xCD9E8D57`), qh ⊕ ql.
#[derive(Clone, Debug)]
pub struct Token {
    keys: Keys<10>,
    upper_mask: u32,
    lower_mask: u32,
    lower_bits: u32,
}

impl Token {
    /// A permutation of the numbers of `bits` bits under a key.
    ///
    /// # Panics
    ///
    /// If `bits` is not 2 to 64.
    pub fn new(bits: u8, key: u64) -> Self {
        assert!((2..=64).contains(&bits), "a token of {bits} bits is outside 2 to 64");
        let lower_bits = u32::from(bits / 2);
        let upper_bits = u32::from(bits) - lower_bits;
        Self {
            keys: keys(key),
            upper_mask: u32::MAX >> (32 - upper_bits),
            lower_mask: u32::MAX >> (32 - lower_bits),
            lower_bits,
        }
    }

    /// The number that `number` becomes; its bits above the domain's do not count.
    pub fn seal(&self, number: u64) -> u64 {
        let [upper, lower] = self.permute(self.split(number));
        u64::from(upper) << self.lower_bits | u64::from(lower)
    }

    /// The number that became `number`.
    pub fn open(&self, number: u64) -> u64 {
        let [mut upper, mut lower] = self.split(number);
        for pair in self.keys.chunks_exact(2).rev() {
            lower ^= token_round(upper, pair[1]) & self.lower_mask;
            upper ^= token_round(lower, pair[0]) & self.upper_mask;
        }
        u64::from(upper) << self.lower_bits | u64::from(lower)
    }

    /// Replaces numbers, in columns of their upper and lower words, by what they become.
    ///
    /// # Panics
    ///
    /// If the columns are not of one length.
    pub fn seal_columns(&self, high: &mut [u32], low: &mut [u32]) {
        assert!(high.len() == low.len(), "numbers come in two columns of one length");
        token_kernel(self, high, low);
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a part has at most 32 bits")]
    fn split(&self, number: u64) -> [u32; 2] {
        let upper = (number >> self.lower_bits) as u32 & self.upper_mask;
        [upper, number as u32 & self.lower_mask]
    }

    #[expect(clippy::inline_always, reason = "loops over it become vector code")]
    #[inline(always)]
    fn permute(&self, [mut upper, mut lower]: [u32; 2]) -> [u32; 2] {
        let mut round = 0;
        while round < self.keys.len() {
            upper ^= token_round(lower, self.keys[round]) & self.upper_mask;
            lower ^= token_round(upper, self.keys[round + 1]) & self.lower_mask;
            round += 2;
        }
        [upper, lower]
    }
}

#[expect(clippy::inline_always, reason = "loops over it become vector code")]
#[inline(always)]
fn token_round(part: u32, [key_high, key_low]: [u32; 2]) -> u32 {
    let [p_high, p_low] = multiply(part ^ key_low, MULTIPLIERS[0]);
    let [q_high, q_low] = multiply(p_high ^ p_low ^ key_high, MULTIPLIERS[1]);
    q_high ^ q_low
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2"))]
fn token_kernel(token: &Token, high: &mut [u32], low: &mut [u32]) {
    // On words alone, so that a vector holds as many rows as it can.
    let (bits, upper_mask) = (token.lower_bits, token.upper_mask);
    for (high, low) in high.iter_mut().zip(low) {
        let upper = if bits == 32 { *high } else { *high << (32 - bits) | *low >> bits };
        let [upper, lower] = token.permute([upper & upper_mask, *low & token.lower_mask]);
        (*high, *low) =
            if bits == 32 { (upper, lower) } else { (upper >> (32 - bits), upper << bits | lower) };
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "words are cut into parts")]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<u64> {
        let keys: Keys<4_096> = keys(7);
        let numbers = keys.iter().map(|&[high, low]| u64::from(high) << 32 | u64::from(low));
        numbers.take(count).collect()
    }

    fn identities() -> Vec<Identity> {
        let mut identities = vec![
            Identity { stream: 0, origin: 0, child: 0, number: 0 },
            Identity { stream: 255, origin: 255, child: 1_023, number: u64::MAX },
        ];
        identities.extend(words(500).iter().map(|&word| Identity {
            stream: (word >> 8) as u8,
            origin: (word >> 16) as u8,
            child: (word >> 24) as u16 & 0x3ff,
            number: word.rotate_left(29),
        }));
        identities
    }

    #[test]
    fn an_identity_comes_back_from_its_uuid() {
        for key in [0, 1, u64::MAX] {
            let cipher = Cipher::new(key);
            for identity in identities() {
                let sealed = cipher.seal(&identity);
                let uuid = uuid::Uuid::from_u128(sealed);
                assert_eq!(uuid.get_version_num(), 8);
                assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
                assert_eq!(cipher.open(sealed), Some(identity));
                assert_eq!(Cipher::new(key ^ 2).open(sealed), None);
            }
        }
    }

    #[test]
    fn other_uuids_are_refused() {
        let cipher = Cipher::new(3);
        for pair in words(4_096).chunks_exact(2) {
            let uuid = u128::from(pair[0]) << 64 | u128::from(pair[1]);
            assert_eq!(cipher.open(uuid), None);
            let version_8 = uuid & !(0xf << 76) & !(0x3 << 62) | 0x8 << 76 | 0x2 << 62;
            assert_eq!(cipher.open(version_8), None);
            let sealed = cipher.seal(&identities()[1]);
            for bit in 0..128 {
                assert_eq!(cipher.open(sealed ^ 1 << bit), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_bit_of_an_identity_changes_half_of_the_uuid() {
        let cipher = Cipher::new(11);
        for bit in 0..90 {
            let mut changed = 0;
            for identity in identities() {
                let mut other = identity;
                match bit {
                    0..64 => other.number ^= 1 << bit,
                    64..72 => other.stream ^= 1 << (bit - 64),
                    72..80 => other.origin ^= 1 << (bit - 72),
                    _ => other.child ^= 1 << (bit - 80),
                }
                changed += (cipher.seal(&identity) ^ cipher.seal(&other)).count_ones();
            }
            let mean = f64::from(changed) / identities().len() as f64;
            // 122 bits, each changed half of the time: standard error of the mean is 0.25.
            assert!((59.0..63.0).contains(&mean), "bit {bit}: {mean}");
        }
    }

    #[test]
    fn columns_are_sealed_as_rows_are() {
        let cipher = Cipher::new(5);
        for rows in [0, 1, 7, 64, 255, 500] {
            let numbers = words(rows);
            let high: Vec<_> = numbers.iter().map(|number| (number >> 32) as u32).collect();
            let low: Vec<_> = numbers.iter().map(|&number| number as u32).collect();
            let child: Vec<_> = (0..rows).map(|row| row as u32 % 1_024).collect();
            let mut out = [(); 4].map(|()| vec![0; rows]);
            let columns = Numbers { high: &high, low: &low, child: &child };
            cipher.seal_columns((9, 4), &columns, out.each_mut().map(Vec::as_mut_slice));
            for row in 0..rows {
                let number = numbers[row];
                let identity = Identity { stream: 9, origin: 4, child: child[row] as u16, number };
                let uuid = out.iter().fold(0, |uuid, out| uuid << 32 | u128::from(out[row]));
                assert_eq!(uuid, cipher.seal(&identity));
            }
        }
    }

    /// The algorithm is a promise to whoever reads topics later.
    #[test]
    fn the_uuid_of_an_identity_never_changes() {
        let identity = Identity { stream: 1, origin: 2, child: 3, number: 0x0405_0607_0809_0a0b };
        let uuid = uuid::Uuid::from_u128(Cipher::new(42).seal(&identity));
        // Computed from the description above by other means.
        assert_eq!(uuid.to_string(), "eafc8416-325d-80e0-b817-fd42e1cac719");
        assert_eq!(Token::new(62, 42).seal(1), 1_175_896_886_900_636_728);
    }

    #[test]
    fn a_small_token_is_a_permutation_of_its_domain() {
        for bits in 2..=16 {
            let token = Token::new(bits, 77);
            let mut seen = vec![false; 1 << bits];
            for number in 0..1_u64 << bits {
                let sealed = token.seal(number);
                assert!(!std::mem::replace(&mut seen[sealed as usize], true), "{sealed} twice");
                assert_eq!(token.open(sealed), number);
            }
        }
    }

    #[test]
    fn a_large_token_comes_back() {
        for bits in 17..=64 {
            let token = Token::new(bits, 78);
            for word in words(200) {
                let number = word >> (64 - bits);
                let sealed = token.seal(number);
                assert!(bits == 64 || sealed >> bits == 0, "{sealed} has more than {bits} bits");
                assert_eq!(token.open(sealed), number);
            }
        }
    }

    #[test]
    fn a_bit_of_a_number_changes_half_of_the_token() {
        for bits in [20_u8, 33, 47, 62, 64] {
            let token = Token::new(bits, 79);
            for bit in 0..bits {
                let changed: u32 = words(2_000)
                    .iter()
                    .map(|word| (token.seal(*word) ^ token.seal(word ^ 1 << bit)).count_ones())
                    .sum();
                let share = f64::from(changed) / 2_000.0 / f64::from(bits);
                assert!((0.48..0.52).contains(&share), "bit {bit} of {bits}: {share}");
            }
        }
    }

    #[test]
    fn columns_of_tokens_are_sealed_as_rows_are() {
        for bits in [9, 32, 33, 62, 64] {
            let token = Token::new(bits, 80);
            let numbers = words(300);
            let mut high: Vec<_> = numbers.iter().map(|number| (number >> 32) as u32).collect();
            let mut low: Vec<_> = numbers.iter().map(|&number| number as u32).collect();
            token.seal_columns(&mut high, &mut low);
            for (row, number) in numbers.iter().enumerate() {
                let sealed = u64::from(high[row]) << 32 | u64::from(low[row]);
                assert_eq!(sealed, token.seal(*number));
            }
        }
    }
}
