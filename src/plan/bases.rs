//! Where groups begin, found without a search.

/// The indices at which groups begin in each lane, and where to look first.
///
/// A binary search over what else is known of groups would miss the cache at every step.
#[derive(Clone, Debug)]
pub(super) struct Bases {
    /// Lane by lane.
    begins: Box<[u32]>,
    groups: usize,
    /// Of indices with the same upper bits: the first group that any lane has there.
    guide: Box<[u32]>,
    shift: u32,
}

impl Bases {
    /// Of `groups` groups in each lane, never falling there; the first is at 0.
    pub(super) fn new(begins: Box<[u32]>, groups: usize) -> Self {
        let last = begins.iter().copied().max().unwrap_or(0);
        let cells = (4 * groups).next_power_of_two().clamp(1 << 10, 1 << 16);
        let shift = (u32::BITS - last.leading_zeros()).saturating_sub(cells.ilog2());
        let mut guide = vec![u32::MAX; (last >> shift) as usize + 1].into_boxed_slice();
        for lane in begins.chunks(groups) {
            let mut group = 0;
            for (cell, first) in (0..).zip(&mut guide) {
                group +=
                    lane[group + 1..].iter().take_while(|&&base| base <= cell << shift).count();
                *first = (*first).min(number(group));
            }
        }
        Self { begins, groups, guide, shift }
    }

    /// The last group that does not begin after `index`.
    #[inline]
    pub(super) fn group(&self, lane: u32, index: u32) -> u32 {
        let lane = &self.begins[lane as usize * self.groups..][..self.groups];
        let cell = (index >> self.shift) as usize;
        let mut group = self.guide[cell.min(self.guide.len() - 1)];
        while lane.get(group as usize + 1).is_some_and(|&base| base <= index) {
            group += 1;
        }
        group
    }
}

fn number(group: usize) -> u32 {
    u32::try_from(group).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_the_one_that_a_search_finds() {
        let lanes: [[u32; 5]; 4] =
            [[0, 0, 7, 7, 9_000], [0, 1, 1, 2, 3], [0, 5_000, 5_001, 1 << 20, 1 << 20], [0; 5]];
        let bases = Bases::new(lanes.concat().into(), 5);
        for (number, lane) in (0..).zip(&lanes) {
            for index in (0..10_000).chain((1 << 20) - 3..(1 << 20) + 3).chain([u32::MAX]) {
                let found = lane.partition_point(|&base| base <= index) - 1;
                assert_eq!(bases.group(number, index) as usize, found, "{number} {index}");
            }
        }
    }
}
