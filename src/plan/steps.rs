//! Distributions of whole numbers in steps: ranges, histograms, ranks.

use super::ranks::{self, Range};

/// Bits of a word that say where in the pieces to look first.
const GUIDE_BITS: u32 = 8;

/// Pieces of equal chance inside, one after the other.
///
/// A word u falls into the last piece that does not start above it. Its value is `base` +
/// ⌊(u − start)·count / width⌋, times the `stride` of all, where `count` is how many values the piece
/// has, and `width` how many words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    pieces: Box<[Piece]>,
    /// By the upper bits of a word: the piece that the first such word falls into.
    guide: Box<[u32]>,
    stride: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    start: u32,
    base: i64,
    count: u64,
    width: u64,
    /// ⌊(2^64 − 1) / width⌋, so that the division takes two multiplications.
    reciprocal: u64,
}

/// Some whole numbers in a row that are alike likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The least.
    pub base: i64,
    /// How many, 1 to 2^32.
    pub count: u64,
    /// What all of them weigh together; 0 or more.
    pub weight: f64,
}

impl Steps {
    /// Pieces by weight; values are multiples of `stride`. Weights are rounded to 2^−32 of their sum,
    /// and what then weighs nothing never comes.
    ///
    /// # Panics
    ///
    /// If nothing weighs anything.
    pub fn new(steps: &[Step], stride: i64) -> Self {
        let total: f64 = steps.iter().map(|step| step.weight).sum();
        assert!(total > 0.0 && total.is_finite(), "the weights of the steps add up to {total}");
        let mut pieces = Vec::with_capacity(steps.len());
        let (mut sum, mut start) = (0.0, 0);
        for step in steps {
            sum += step.weight;
            let end = share(sum / total);
            if end > start {
                let (width, count) = (end - start, step.count);
                let reciprocal = u64::MAX / width;
                pieces.push(Piece { start: low(start), base: step.base, count, width, reciprocal });
                start = end;
            }
        }
        let first = |slot: u64| pieces.partition_point(|it| it.start <= low(slot)).max(1) - 1;
        let slots = (0..1_u64 << GUIDE_BITS).map(|slot| first(slot << (32 - GUIDE_BITS)));
        let guide = slots.map(|piece| low(piece as u64)).collect();
        Self { pieces: pieces.into(), guide, stride }
    }

    /// The value for a word.
    #[inline]
    pub fn value(&self, random: u32) -> i64 {
        let mut place = self.guide[(random >> (32 - GUIDE_BITS)) as usize] as usize;
        let end = self.guide.get((random >> (32 - GUIDE_BITS)) as usize + 1);
        let end = end.map_or(self.pieces.len(), |&end| end as usize + 1);
        place += self.pieces[place..end].partition_point(|piece| piece.start <= random) - 1;
        let piece = self.pieces[place];
        (piece.base + piece.offset(random).cast_signed()) * self.stride
    }

    /// The least and the greatest value that a word can give.
    pub fn bounds(&self) -> (i64, i64) {
        let last = |it: &Piece| it.base + (it.count - 1).cast_signed();
        let ends = self.pieces.iter().map(|piece| (piece.base, last(piece)));
        let (min, max) =
            ends.fold((i64::MAX, i64::MIN), |all, own| (all.0.min(own.0), all.1.max(own.1)));
        (min * self.stride, max * self.stride)
    }
}

impl Piece {
    /// ⌊(word − start)·count / width⌋: below `count`.
    #[inline]
    fn offset(&self, word: u32) -> u64 {
        let product = u64::from(word - self.start) * self.count;
        let estimate = ((u128::from(product) * u128::from(self.reciprocal)) >> 64) as u64;
        // The estimate is at most 1 too small.
        estimate + u64::from(product - estimate * self.width >= self.width)
    }
}

/// 1 to `count`, the r-th in proportion to r^−exponent.
pub fn zipf(count: u32, exponent: f64) -> Vec<Step> {
    let step = |range: Range| Step {
        base: range.first.cast_signed() + 1,
        count: range.count,
        weight: range.weight,
    };
    ranks::zipf(count, exponent).into_iter().map(step).collect()
}

/// A share in units of 2^−32.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^32")]
pub(super) fn share(value: f64) -> u64 {
    libm::round(value.clamp(0.0, 1.0) * 4_294_967_296.0) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "below 2^32: what starts has words after it")]
const fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::philox::philox;

    fn step(base: i64, count: u64, weight: f64) -> Step {
        Step { base, count, weight }
    }

    #[test]
    fn every_word_is_in_the_piece_that_its_share_says() {
        let steps = Steps::new(
            &[step(0, 10, 1.0), step(50, 1, 0.0), step(10, 90, 2.0), step(7, 1, 1.0)],
            1,
        );
        for word in (0..=u32::MAX).step_by(65_521).chain([1 << 30, 3 << 30, u32::MAX]) {
            let value = steps.value(word);
            let range = match word >> 30 {
                0 => 0..10,
                3 => 7..8,
                _ => 10..100,
            };
            assert!(range.contains(&value), "{value} for {word}");
        }
        assert_eq!(steps.bounds(), (0, 99));
    }

    #[test]
    fn values_of_a_piece_are_alike_likely_and_reach_its_ends() {
        let steps = Steps::new(&[step(-3, 7, 1.0)], 10);
        assert_eq!((steps.value(0), steps.value(u32::MAX)), (-30, 30));
        let mut counts = [0_u32; 7];
        for word in (0..=u32::MAX).step_by(9_973) {
            counts[usize::try_from(steps.value(word) / 10 + 3).unwrap()] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{counts:?}");
    }

    #[test]
    fn what_a_piece_gives_is_the_exact_quotient() {
        for width in [1, 2, 3, 10, 65_537, 3_303_820_997, (1 << 32) - 1, 1 << 32] {
            for count in [1, 2, 10, 1_000_003, 1 << 32] {
                let reciprocal = u64::MAX / width;
                let piece = Piece { start: 0, base: 0, count, width, reciprocal };
                let last = low(width - 1);
                for word in (0..64).map(|step| last / 64 * step).chain([last - last.min(1), last]) {
                    assert_eq!(piece.offset(word), u64::from(word) * count / width);
                }
            }
        }
    }

    #[test]
    fn a_whole_range_of_words_is_left_as_it_is() {
        let steps = Steps::new(&[step(0, 1 << 32, 1.0)], 1);
        for draw in 0..1_000 {
            let word = philox([1, 2], [draw, 0, 0, 0])[0];
            assert_eq!(steps.value(word), i64::from(word));
        }
    }

    #[test]
    fn thousands_of_pieces_are_found_by_their_words() {
        let all: Vec<Step> = (0..10_000).map(|base| step(base, 1, 1.0)).collect();
        let steps = Steps::new(&all, 1);
        for word in (0..=u32::MAX).step_by(99_991) {
            let exact = (u64::from(word) * 10_000) >> 32;
            assert!(steps.value(word).abs_diff(exact.cast_signed()) <= 1);
        }
    }
}
