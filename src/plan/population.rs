//! Populations: who is picked, how often, without storing anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alias::Alias;
use super::bases::Bases;
use super::family::{Lanes, in_lane};
use super::normal;
use super::quantile::Quantile;
use super::ranks::Ranks;

/// The members of an entity, dealt out over lanes and, in ranges of numbers, over groups.
///
/// Number n is in lane n mod `lanes` with index ⌊n / lanes⌋ there. In each lane a group is a range
/// of indices, in proportion to its weight; ranges are shifted from lane to lane, so that groups too
/// small for every lane are in some. Rank r of a range of s has index (r·step + shift) mod s.
#[derive(Clone, Debug)]
pub struct Population {
    count: u64,
    lanes: Lanes,
    groups: usize,
    slots: Vec<Slot>,
    bases: Bases,
    rank: Rank,
    group: Alias,
    /// Groups that weigh something and have no member.
    empty: usize,
}

/// The members of one group in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    base: u32,
    size: u32,
    step: u32,
    shift: u32,
    /// ⌊(2^64 − 1) / size⌋, so that a remainder takes two multiplications.
    reciprocal: u64,
    /// Where the entries of its ranks begin, and how many they are.
    entries: (u32, u32),
}

#[derive(Clone, Debug)]
enum Rank {
    Uniform,
    Gamma(Arc<Quantile>),
    /// The entries of all sizes of slots, one after the other.
    Ranges(Vec<Entry>),
}

/// An entry of an alias table over ranges of ranks: all that a draw needs, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    threshold: u32,
    /// First rank and number of ranks where the draw is below the threshold, and where it is not.
    ranges: [(u32, u32); 2],
}

/// What a population is made of.
#[derive(Debug)]
pub struct Dealing<'a> {
    /// How many members; below 2^32.
    pub count: u64,
    /// How many lanes numbers are counted in; 1 if no lane is bound to them.
    pub lanes: u32,
    /// The groups' weights; one group if there is nothing to deal by.
    pub weights: &'a [f64],
    /// How members differ.
    pub ranks: Ranks,
    /// The key of the permutations.
    pub key: [u32; 2],
}

impl Population {
    /// A population that is dealt out by its own numbers.
    pub fn new(dealing: &Dealing<'_>) -> Self {
        let bounds = bounds(dealing.weights);
        let size = |lane| in_lane(dealing.count, u64::from(lane), dealing.lanes);
        Self::with_bases(dealing, size, |lane, group, size| {
            // Bit-reversed lanes shift the ranges evenly, however many lanes there are.
            let shift = u64::from(lane.reverse_bits());
            let scaled = u128::from(bounds[group]) * u128::from(size) + u128::from(shift);
            u64::try_from(scaled >> 32).unwrap_or(size).min(size)
        })
    }

    /// A population with `size(lane)` members in each lane, whose groups begin where `base` says: of
    /// (lane, group, members in the lane).
    pub fn with_bases(
        dealing: &Dealing<'_>,
        size: impl Fn(u32) -> u64,
        base: impl Fn(u32, usize, u64) -> u64,
    ) -> Self {
        let groups = dealing.weights.len().max(1);
        let mut slots = Vec::with_capacity(groups * dealing.lanes as usize);
        for lane in 0..dealing.lanes {
            let size = size(lane);
            let at = |group| if group == 0 { 0 } else { base(lane, group, size).min(size) };
            for group in 0..groups {
                let end = if group + 1 == groups { size } else { at(group + 1) };
                let number = u32::try_from(slots.len()).unwrap_or(u32::MAX);
                slots.push(Slot::new(at(group), end, dealing.key, number));
            }
        }
        let rank = match &dealing.ranks {
            Ranks::Uniform => Rank::Uniform,
            Ranks::Gamma(shape) => Rank::Gamma(Arc::new(Quantile::new(|p, _| {
                normal::gamma_rank(*shape, p).clamp(0.0, 1.0) * f64::from(u32::MAX)
            }))),
            Ranks::Zipf(_) | Ranks::Shares(_) => {
                // Slots of one size share their entries, so that all of them stay in the cache.
                let mut entries = Vec::new();
                let mut known = BTreeMap::new();
                for slot in &mut slots {
                    slot.entries = *known.entry(slot.size).or_insert_with(|| {
                        let own = range_entries(slot.size, &dealing.ranks);
                        let place = (low(entries.len() as u64), low(own.len() as u64));
                        entries.extend(own);
                        place
                    });
                }
                Rank::Ranges(entries)
            }
        };
        let weights = group_weights(&slots, groups, dealing.weights);
        let wanted = dealing.weights.iter().filter(|&&weight| weight > 0.0).count();
        let empty = wanted.saturating_sub(weights.iter().filter(|&&weight| weight > 0.0).count());
        let group = Alias::new(&weights);
        let lanes = Lanes::new(dealing.lanes);
        let bases = Bases::new(slots.iter().map(|slot| slot.base).collect(), groups);
        Self { count: dealing.count, lanes, groups, slots, bases, rank, group, empty }
    }

    /// How many members there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many groups they are dealt over.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The index in its lane at which a group begins.
    pub fn group_base(&self, lane: u32, group: usize) -> u64 {
        u64::from(self.slots[lane as usize * self.groups + group].base)
    }

    /// The share of all members that are in this lane and group.
    pub fn share(&self, lane: u32, group: usize) -> f64 {
        let slot = &self.slots[lane as usize * self.groups + group];
        f64::from(slot.size) / self.count as f64
    }

    /// The greatest share of all members that a lane has.
    pub fn greatest_lane(&self) -> f64 {
        let most = in_lane(self.count, 0, self.lanes.count);
        most as f64 / self.count as f64
    }

    /// The group of a member.
    #[inline]
    pub fn group_of(&self, number: u32) -> u32 {
        let (index, lane) = self.lanes.split(number);
        self.bases.group(lane, index)
    }

    /// A group, by the groups' weights.
    #[inline]
    pub fn choose_group(&self, word: u32) -> u32 {
        self.group.choose(word)
    }

    /// How many groups weigh something and have no member in any lane.
    pub fn empty_groups(&self) -> usize {
        self.empty
    }

    /// A member of a lane and group. `entry` decides the rank, `inside` where it has a range.
    ///
    /// The group must have members in the lane.
    #[inline]
    pub fn pick(&self, lane: u32, group: u32, entry: u32, inside: u32) -> u32 {
        let number = lane as usize * self.groups + group as usize;
        let slot = &self.slots[number];
        let size = u64::from(slot.size);
        let rank = match &self.rank {
            Rank::Uniform => (u64::from(entry) * size) >> 32,
            Rank::Gamma(quantile) => (quantile.value(entry).cast_unsigned() * size) >> 32,
            Rank::Ranges(entries) => {
                let (first, count) = slot.entries;
                let own = &entries[first as usize..][..count as usize];
                u64::from(rank_of(own, entry, inside))
            }
        };
        let index = slot.remainder(rank * u64::from(slot.step) + u64::from(slot.shift));
        (slot.base + index).wrapping_mul(self.lanes.count).wrapping_add(lane)
    }

    /// A member of a group in any lane: lanes are alike likely, and one without members of the group
    /// leaves it to the next that has some.
    #[inline]
    pub fn pick_anywhere(&self, words: [u32; 2], group: u32) -> u32 {
        let product = u64::from(words[0]) * u64::from(self.lanes.count);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
        let (mut lane, entry) = ((product >> 32) as u32, product as u32);
        for _ in 0..self.lanes.count {
            if self.slots[lane as usize * self.groups + group as usize].size > 0 {
                break;
            }
            lane = if lane + 1 == self.lanes.count { 0 } else { lane + 1 };
        }
        self.pick(lane, group, entry, words[1])
    }
}

impl Slot {
    #[expect(clippy::cast_possible_truncation, reason = "a population has fewer than 2^32 members")]
    fn new(base: u64, end: u64, key: [u32; 2], number: u32) -> Self {
        let (base, size) = (base as u32, end.saturating_sub(base) as u32);
        if size == 0 {
            return Self { base, size, step: 1, shift: 0, reciprocal: 0, entries: (0, 0) };
        }
        let words = crate::generate::philox::philox(key, [number, 0, 0, u32::MAX]);
        let shift = words[0] % size;
        let mut step = words[1] % size;
        while greatest_common_divisor(step, size) != 1 {
            step = (step + 1) % size.max(2);
        }
        let reciprocal = u64::MAX / u64::from(size);
        Self { base, size, step, shift, reciprocal, entries: (0, 0) }
    }

    /// `value` mod size, by the estimate ⌊value·reciprocal / 2^64⌋, which is at most 1 too small.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a remainder is below the size")]
    fn remainder(&self, value: u64) -> u32 {
        let size = u64::from(self.size);
        let quotient = ((u128::from(value) * u128::from(self.reciprocal)) >> 64) as u64;
        let mut rest = value - quotient * size;
        while size > 0 && rest >= size {
            rest -= size;
        }
        rest as u32
    }
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Where groups begin, in units of 2^−32 of the whole.
fn bounds(weights: &[f64]) -> Vec<u64> {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    weights
        .iter()
        .map(|weight| {
            let bound = libm::round(sum / total * 4_294_967_296.0);
            sum += weight;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of 2^32"
            )]
            let bound = bound as u64;
            bound
        })
        .collect()
}

/// What groups weigh when one is drawn: as asked, but nothing where there is no member.
fn group_weights(slots: &[Slot], groups: usize, weights: &[f64]) -> Vec<f64> {
    let members = |group| slots.iter().skip(group).step_by(groups).any(|slot| slot.size > 0);
    (0..groups)
        .map(|group| match weights.get(group) {
            Some(weight) if members(group) => *weight,
            None if members(group) => 1.0,
            _ => 0.0,
        })
        .collect()
}

/// Ranges of ranks as an alias table.
fn range_entries(size: u32, ranks: &Ranks) -> Vec<Entry> {
    let ranges = ranks.ranges(size.max(1));
    let weights: Vec<f64> = ranges.iter().map(|range| range.weight).collect();
    let choice = Alias::new(&weights);
    let range = |place: u32| {
        let range = &ranges[place as usize];
        (low(range.first), low(range.count))
    };
    let entry = |(threshold, own, alias): (u32, u32, u32)| Entry {
        threshold,
        ranges: [range(own), range(alias)],
    };
    choice.entries().map(entry).collect()
}

#[inline]
fn rank_of(entries: &[Entry], random: u32, inside: u32) -> u32 {
    let product = u64::from(random) * entries.len() as u64;
    let entry = &entries[(product >> 32) as usize];
    let (first, length) = entry.ranges[usize::from(low(product) >= entry.threshold)];
    first + low((u64::from(inside) * u64::from(length)) >> 32)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "ranks are below 2^32; else the lower word is meant"
)]
const fn low(rank: u64) -> u32 {
    rank as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::philox::philox;

    fn dealing(weights: &[f64], count: u64, ranks: Ranks) -> Population {
        Population::new(&Dealing { count, lanes: 64, weights, ranks, key: [3, 4] })
    }

    #[test]
    fn every_member_is_in_exactly_one_group_and_lane() {
        let population = dealing(&[5.0, 1.0, 0.0, 3.0], 1_003, Ranks::Uniform);
        let mut seen = vec![0; 4];
        for number in 0..1_003 {
            seen[population.group_of(number) as usize] += 1;
        }
        assert_eq!(seen.iter().sum::<i32>(), 1_003);
        assert_eq!(seen[2], 0);
        for (group, share) in [(0_usize, 5.0 / 9.0), (1, 1.0 / 9.0), (3, 3.0 / 9.0)] {
            assert!((f64::from(seen[group]) / 1_003.0 - share).abs() < 0.03, "{seen:?}");
        }
    }

    #[test]
    fn picks_are_of_the_lane_and_group_asked_for() {
        for ranks in [Ranks::Uniform, Ranks::Gamma(1.5), Ranks::Zipf(1.0)] {
            let population = dealing(&[5.0, 1.0, 3.0], 10_000, ranks);
            for draw in 0..20_000 {
                let [a, b, c, d] = philox([1, 1], [draw, 0, 0, 0]);
                let (lane, group) = (c % 64, d % 3);
                let number = population.pick(lane, group, a, b);
                assert_eq!((number % 64, population.group_of(number)), (lane, group));
                assert!(u64::from(number) < 10_000);
            }
        }
    }

    #[test]
    fn members_picked_anywhere_exist_even_where_lanes_are_empty() {
        let population = dealing(&[5.0, 1.0, 3.0], 10, Ranks::Uniform);
        assert_eq!(population.empty_groups(), 0);
        for draw in 0..5_000 {
            let [a, b, c, _] = philox([1, 1], [draw, 0, 0, 0]);
            let number = population.pick_anywhere([a, b], c % 3);
            assert!(number < 10, "{number}");
            assert_eq!(population.group_of(number), c % 3);
        }
    }

    #[test]
    fn groups_that_nobody_is_in_are_counted() {
        let weights = &[1_000.0, 1.0, 0.0, 999.0];
        let dealing = Dealing { count: 100, lanes: 1, weights, ranks: Ranks::Uniform, key: [3, 4] };
        assert_eq!(Population::new(&dealing).empty_groups(), 1);
    }

    #[test]
    fn ranks_are_permuted_so_that_each_member_has_one() {
        let slot = Slot::new(100, 1_100, [7, 8], 5);
        let mut seen = vec![false; 1_000];
        for rank in 0..1_000_u64 {
            let index = (rank * u64::from(slot.step) + u64::from(slot.shift)) % 1_000;
            seen[usize::try_from(index).unwrap()] = true;
        }
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn remainders_by_the_reciprocal_are_exact() {
        for size in [1, 2, 3, 1_000, 65_537, u32::MAX - 1, u32::MAX] {
            let slot = Slot::new(0, u64::from(size), [1, 2], 3);
            let edges = [0, 1, u64::from(size), u64::from(size) * 7 - 1, u64::MAX - 1, u64::MAX];
            for value in edges.into_iter().chain((0..1_000).map(|step| step * 0x1234_5678_9abc)) {
                assert_eq!(u64::from(slot.remainder(value)), value % u64::from(size), "{value}");
            }
        }
    }

    #[test]
    fn the_head_of_a_zipf_has_its_exact_shares() {
        let zipf = range_entries(50_000, &Ranks::Zipf(1.1));
        let total: f64 = (1..=50_000).map(|rank| f64::from(rank).powf(-1.1)).sum();
        let draws = 400_000;
        let mut seen = vec![0.0; 50_000];
        for draw in 0..draws {
            let [a, b, ..] = philox([1, 1], [draw, 0, 0, 0]);
            seen[rank_of(&zipf, a, b) as usize] += 1.0;
        }
        for rank in [1_u32, 2, 3, 10, 100] {
            let expected = f64::from(rank).powf(-1.1) / total * f64::from(draws);
            let found = seen[rank as usize - 1];
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{found} for {expected}");
        }
        let tail = (1_001..=50_000).map(|rank| f64::from(rank).powf(-1.1)).sum::<f64>() / total;
        let found = seen[1_000..].iter().sum::<f64>() / f64::from(draws);
        assert!((found - tail).abs() < 0.004, "{found} for {tail}");
    }

    #[test]
    fn a_gamma_spread_gives_counts_of_its_shape() {
        // Poisson counts of gamma rates: variance = mean + mean² / shape.
        let population = dealing(&[1.0], 6_400, Ranks::Gamma(2.0));
        let mut counts = vec![0.0_f64; 6_400];
        let draws = 64_000;
        for draw in 0..draws {
            let [a, b, c, _] = philox([9, 1], [draw, 0, 0, 0]);
            counts[population.pick(c % 64, 0, a, b) as usize] += 1.0;
        }
        let mean = f64::from(draws) / 6_400.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 6_400.0;
        assert!((variance / (mean + mean * mean / 2.0) - 1.0).abs() < 0.08, "{variance}");
    }
}
