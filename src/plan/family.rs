//! Families: members of one population belong to members of another, in the same lane.

/// Parents in a block of the pattern.
const BLOCK: u32 = 64;

/// How many members below each member above has.
///
/// A block of 64 parents in a lane has always the same numbers of children, in a fixed order that
/// spreads them; which parent a number is does not depend on it, since ranks are permuted. Both
/// directions are closed forms, and they keep order: what lies in a range of parents lies in a range
/// of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinship {
    lanes: Lanes,
    /// Members below in each lane, and how many lanes have one more.
    below: (u32, u32),
    /// First child of each parent of a block, and at the end the block's number of children.
    first: Box<[u32]>,
    /// Parent of each child of a block.
    above: Box<[u32]>,
}

impl Kinship {
    /// A relation in which `each` gives numbers of children with weights.
    pub fn new(lanes: u32, each: &[(u32, f64)]) -> Self {
        let total: f64 = each.iter().map(|(_, weight)| weight).sum();
        let mut counts = vec![0_u32; BLOCK as usize];
        for (place, count) in counts.iter_mut().enumerate() {
            // The golden ratio visits the cumulated weights evenly, whatever their number.
            let at = (place as f64 + 0.5) * 0.618_033_988_749_894_9 % 1.0 * total;
            let mut sum = 0.0;
            let chosen = each.iter().find(|(_, weight)| {
                sum += weight;
                at < sum
            });
            *count = chosen.or(each.last()).map_or(1, |(count, _)| *count);
        }
        let mut first = vec![0];
        let mut above = Vec::new();
        for (parent, &count) in (0..BLOCK).zip(&counts) {
            above.extend(std::iter::repeat_n(parent, count as usize));
            first.push(first[parent as usize] + count);
        }
        let lanes = Lanes::new(lanes);
        Self { lanes, below: (u32::MAX, 0), first: first.into(), above: above.into() }
    }

    /// Bounds the members below; with as many parents as they need, each has at least one.
    #[must_use]
    pub fn with_count_below(mut self, count: u64) -> Self {
        let lanes = u64::from(self.lanes.count);
        self.below = (low(count / lanes), low(count % lanes));
        self
    }

    /// Members above that `children` below need.
    pub fn count_above_of(&self, children: u64) -> u64 {
        (0..u64::from(self.lanes.count))
            .map(|lane| match in_lane(children, lane, self.lanes.count) {
                0 => 0,
                count => u64::from(self.parent_index(low(count - 1))) + 1,
            })
            .sum()
    }

    /// The index in its lane of the first child of a parent's index.
    pub fn first_child(&self, parent: u64) -> u64 {
        let block = u64::from(BLOCK);
        let first = self.first[low(parent % block) as usize];
        parent / block * self.above.len() as u64 + u64::from(first)
    }

    #[inline]
    fn parent_index(&self, child: u32) -> u32 {
        let size = low(self.above.len() as u64);
        child / size * BLOCK + self.above[(child % size) as usize]
    }

    /// The number of the member above.
    #[inline]
    pub fn parent(&self, child: u32) -> u32 {
        let (index, lane) = self.lanes.split(child);
        self.parent_index(index) * self.lanes.count + lane
    }

    /// The number of one of the members below: of c children that with index ⌊word·c / 2^32⌋.
    #[inline]
    pub fn child(&self, parent: u32, word: u32) -> u32 {
        let (index, lane) = self.lanes.split(parent);
        let place = (index % BLOCK) as usize;
        let block = index / BLOCK * low(self.above.len() as u64);
        let (first, end) = (block + self.first[place], block + self.first[place + 1]);
        let limit = self.below.0.saturating_add(u32::from(lane < self.below.1));
        let count = end.min(limit).saturating_sub(first).max(1);
        let child = first + low((u64::from(word) * u64::from(count)) >> 32);
        child.wrapping_mul(self.lanes.count).wrapping_add(lane)
    }
}

/// A number of lanes; a division by most of them is a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    pub(super) count: u32,
    shift: Option<u32>,
}

impl Lanes {
    pub(super) fn new(count: u32) -> Self {
        Self { count, shift: count.is_power_of_two().then(|| count.trailing_zeros()) }
    }

    /// The index of a member in its lane, and the lane.
    #[inline]
    pub(super) fn split(self, number: u32) -> (u32, u32) {
        match self.shift {
            Some(shift) => (number >> shift, number & (self.count - 1)),
            None => (number / self.count, number % self.count),
        }
    }
}

/// A number that is known to be below 2^32: members and what they are counted by.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer members than 2^32")]
const fn low(number: u64) -> u32 {
    number as u32
}

/// How many of `count` members have numbers that fall into a lane.
pub(super) fn in_lane(count: u64, lane: u64, lanes: u32) -> u64 {
    let lanes = u64::from(lanes);
    count / lanes + u64::from(lane < count % lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinship() -> Kinship {
        Kinship::new(4, &[(1, 0.5), (2, 0.3), (3, 0.2)])
    }

    #[test]
    fn every_child_has_the_parent_that_has_it() {
        let kinship = kinship();
        // Each of the 4 lanes has 250 parents.
        let children = 4 * kinship.first_child(250);
        let kinship = kinship.with_count_below(children);
        for parent in 0..1_000 {
            for word in [0, u32::MAX / 2, u32::MAX] {
                assert_eq!(kinship.parent(kinship.child(parent, word)), parent);
            }
        }
    }

    #[test]
    fn shares_of_numbers_of_children_are_as_asked() {
        let kinship = kinship();
        let each = kinship.first.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
        for (count, share) in [(1, 0.5), (2, 0.3), (3, 0.2)] {
            let found = each.iter().filter(|&&found| found == count).count() as f64 / 64.0;
            assert!((found - share).abs() < 0.03, "{found} for {share}");
        }
    }

    #[test]
    fn parents_are_as_many_as_children_need() {
        let kinship = kinship();
        for children in [0, 1, 3, 4, 5, 99, 1_000, 12_345] {
            let parents = kinship.count_above_of(children);
            let bounded = kinship.clone().with_count_below(children);
            for parent in 0..u32::try_from(parents).unwrap() {
                assert!(u64::from(bounded.child(parent, u32::MAX)) < children.max(4), "{parent}");
            }
        }
    }

    #[test]
    fn a_family_stays_in_its_lane() {
        let kinship = kinship();
        for child in 0..5_000 {
            assert_eq!(kinship.parent(child) % 4, child % 4);
        }
    }
}
