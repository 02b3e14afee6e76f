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
    lanes: u32,
    count_below: u64,
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
        Self { lanes, count_below: u64::MAX, first: first.into(), above: above.into() }
    }

    /// Bounds the members below; with as many parents as they need, each has at least one.
    #[must_use]
    pub fn with_count_below(mut self, count: u64) -> Self {
        self.count_below = count;
        self
    }

    /// Members below, if there are `parents` above.
    pub fn count_below_of(&self, parents: u64) -> u64 {
        (0..u64::from(self.lanes))
            .map(|lane| self.first_child(in_lane(parents, lane, self.lanes)))
            .sum()
    }

    /// Members above that `children` below need.
    pub fn count_above_of(&self, children: u64) -> u64 {
        (0..u64::from(self.lanes))
            .map(|lane| match in_lane(children, lane, self.lanes) {
                0 => 0,
                count => self.parent_index(count - 1) + 1,
            })
            .sum()
    }

    /// The index in its lane of the first child of a parent's index.
    pub fn first_child(&self, parent: u64) -> u64 {
        let block = u64::from(BLOCK);
        let first = self.first[place(parent % block)];
        parent / block * self.above.len() as u64 + u64::from(first)
    }

    fn parent_index(&self, child: u64) -> u64 {
        let size = self.above.len() as u64;
        child / size * u64::from(BLOCK) + u64::from(self.above[place(child % size)])
    }

    /// The number of the member above.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer parents than 2^32")]
    pub fn parent(&self, child: u32) -> u32 {
        let (index, lane) = (child / self.lanes, child % self.lanes);
        self.parent_index(u64::from(index)) as u32 * self.lanes + lane
    }

    /// The number of one of the members below: of c children that with index ⌊word·c / 2^32⌋.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a child's number fits by construction")]
    pub fn child(&self, parent: u32, word: u32) -> u32 {
        let (index, lane) = (u64::from(parent / self.lanes), parent % self.lanes);
        let first = self.first_child(index);
        let end = self.first_child(index + 1);
        let limit = in_lane(self.count_below, u64::from(lane), self.lanes);
        let count = end.min(limit).saturating_sub(first).max(1);
        let child = first + ((u64::from(word) * count) >> 32);
        (child * u64::from(self.lanes)) as u32 + lane
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a block, below 2^11")]
const fn place(index: u64) -> usize {
    index as usize
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
        let children = kinship.count_below_of(1_000);
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
