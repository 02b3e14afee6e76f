//! Weighted choices in integers.

use std::hint::select_unpredictable;

/// An alias table (Walker 1977, built as Vose 1991): one word decides among n weighted entries.
///
/// Weights are rounded to 2^−32 of an entry's fair share, and the rounding is paid by the heaviest
/// entry; an entry of weight 0 is never chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    threshold: u32,
    alias: u32,
}

const ONE: u64 = 1 << 32;

impl Alias {
    /// A table for weights that are finite, not negative and not all 0.
    ///
    /// # Panics
    ///
    /// If there is no weight above 0, or 2^32 entries or more.
    pub fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        assert!(total > 0.0 && total.is_finite(), "the weights of a choice add up to {total}");
        let mut shares = quantise(weights, total);
        let mut entries: Vec<_> =
            (0..word(weights.len())).map(|alias| Entry { threshold: u32::MAX, alias }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..shares.len()).partition(|&index| shares[index] < ONE);
        while let (Some(&donor), Some(index)) = (large.last(), small.pop()) {
            entries[index] = Entry { threshold: word(shares[index]), alias: word(donor) };
            shares[donor] -= ONE - shares[index];
            if shares[donor] < ONE {
                large.pop();
                small.push(donor);
            }
        }
        Self { entries }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: a table has at least one entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// For each entry the threshold below which it is kept, its number and its alias.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        (0..).zip(&self.entries).map(|(own, entry)| (entry.threshold, own, entry.alias))
    }

    /// The entry that a word chooses.
    #[inline]
    pub fn choose(&self, random: u32) -> u32 {
        let product = u64::from(random) * self.entries.len() as u64;
        let index = (product >> 32) as usize;
        let entry = self.entries[index];
        // A coin that no predictor guesses: both sides are at hand, so no branch.
        select_unpredictable(low(product) < entry.threshold, word_above(product), entry.alias)
    }
}

/// Several weighted choices, of which a number decides which one is drawn from.
///
/// The entries of all of them are numbered one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// By number: the first entry of its choice, and how many it has.
    ranges: Box<[(u32, u32)]>,
    /// Thresholds and aliases, the latter counted through all choices.
    entries: Box<[Entry]>,
}

impl Choices {
    /// Choices by weights; number n draws from `weights[which[n]]`.
    pub fn new(which: &[usize], weights: &[&[f64]]) -> Self {
        let mut entries = Vec::new();
        let mut ranges = Vec::with_capacity(weights.len());
        for weights in weights {
            let first = word(entries.len());
            ranges.push((first, word(weights.len())));
            let own = Alias::new(weights).entries;
            entries
                .extend(own.into_iter().map(|entry| Entry { alias: first + entry.alias, ..entry }));
        }
        let ranges = which.iter().map(|&choice| ranges[choice]).collect();
        Self { ranges, entries: entries.into() }
    }

    /// The number of entries of all choices.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry that a word chooses for a number: as [`Alias::choose`] does in its choice.
    #[inline]
    pub fn choose(&self, number: u32, random: u32) -> u32 {
        let (first, count) = self.ranges[number as usize];
        let product = u64::from(random) * u64::from(count);
        let index = first + word_above(product);
        let entry = self.entries[index as usize];
        select_unpredictable(low(product) < entry.threshold, index, entry.alias)
    }
}

const fn word_above(product: u64) -> u32 {
    (product >> 32) as u32
}

/// Shares that add up to n·2^32, of which 2^32 is an entry's fair one.
fn quantise(weights: &[f64], total: f64) -> Vec<u64> {
    let count = weights.len() as u64;
    let scale = (count * ONE) as f64 / total;
    let mut shares: Vec<u64> = weights.iter().map(|weight| rounded(weight * scale)).collect();
    let heaviest = (0..shares.len()).max_by_key(|&index| shares[index]).unwrap_or(0);
    let others: u64 = shares.iter().sum::<u64>() - shares[heaviest];
    shares[heaviest] = (count * ONE).saturating_sub(others);
    shares
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is between 0 and n·2^32, which fits"
)]
fn rounded(share: f64) -> u64 {
    libm::round(share) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(product: u64) -> u32 {
    product as u32
}

fn word<T: TryInto<u32>>(value: T) -> u32 {
    let Ok(word) = value.try_into() else { unreachable!("a choice has fewer than 2^32 entries") };
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact share of each entry over all words, by counting the pieces of the table.
    fn shares(alias: &Alias) -> Vec<f64> {
        let mut shares = vec![0.0; alias.len()];
        for (index, entry) in alias.entries.iter().enumerate() {
            let kept =
                if entry.alias as usize == index { ONE as f64 } else { f64::from(entry.threshold) };
            shares[index] += kept;
            shares[entry.alias as usize] += ONE as f64 - kept;
        }
        shares.iter().map(|share| share / (alias.len() as f64 * ONE as f64)).collect()
    }

    #[test]
    fn shares_are_the_weights() {
        let weights = [0.5, 0.0, 3.0, 1.25, 1e-6];
        let total: f64 = weights.iter().sum();
        for (share, weight) in shares(&Alias::new(&weights)).iter().zip(weights) {
            assert!((share - weight / total).abs() < 1e-9, "{share} for {weight}");
        }
    }

    #[test]
    fn what_weighs_nothing_is_never_chosen() {
        let alias = Alias::new(&[0.0, 1.0, 0.0]);
        for random in (0..=u32::MAX).step_by(65_537) {
            assert_eq!(alias.choose(random), 1);
        }
    }

    #[test]
    fn several_choices_choose_as_each_alone() {
        let weights: [&[f64]; 3] = [&[1.0, 2.0], &[1.0], &[0.5, 0.25, 3.0]];
        let choices = Choices::new(&[2, 0, 1, 2], &weights);
        for random in (0..=u32::MAX).step_by(1_000_003) {
            for (number, choice, first) in [(0, 2, 3), (1, 0, 0), (2, 1, 2), (3, 2, 3)] {
                let alone = Alias::new(weights[choice]).choose(random);
                assert_eq!(choices.choose(number, random), first + alone);
            }
        }
    }

    #[test]
    fn the_greatest_word_is_a_valid_choice() {
        assert_eq!(Alias::new(&[1.0]).choose(u32::MAX), 0);
        assert!(Alias::new(&[1.0; 7]).choose(u32::MAX) < 7);
    }
}
