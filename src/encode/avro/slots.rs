//! Room for the rows of a group, which are written column by column.

#![expect(
    clippy::inline_always,
    reason = "what loops over rows do has the instructions of their function"
)]

use crate::encode::wire::{SLACK_BYTES, Writer};

/// Bytes that the rows of a group may take together: they are to stay in the second-level cache.
const GROUP_BYTES: usize = 1 << 18;

/// The rows for which an instruction is done: pairs of a slot and a row of the current frame.
#[derive(Clone, Copy)]
pub(super) enum Lanes<'a> {
    /// So many rows from `first`, in the slots from 0.
    All { first: usize, count: usize },
    /// Only these.
    Some(&'a [(u32, u32)]),
}

impl Lanes<'_> {
    pub(super) fn count(self) -> usize {
        match self {
            Self::All { count, .. } => count,
            Self::Some(lanes) => lanes.len(),
        }
    }

    /// Calls `each` with the number of the lane, its slot and its row.
    #[inline(always)]
    pub(super) fn each(self, mut each: impl FnMut(usize, u32, u32)) {
        match self {
            Self::All { first, count } => {
                for lane in 0..count {
                    each(lane, index(lane), index(first + lane));
                }
            }
            Self::Some(lanes) => {
                for (lane, &(slot, row)) in lanes.iter().enumerate() {
                    each(lane, slot, row);
                }
            }
        }
    }
}

impl Lanes<'_> {
    /// Puts the number of each lane's row into `numbers`.
    #[inline(always)]
    pub(super) fn collect(self, numbers: &mut Vec<i64>, number: impl Fn(usize) -> i64) {
        numbers.clear();
        match self {
            Self::All { first, count } => numbers.extend((first..first + count).map(number)),
            Self::Some(lanes) => numbers.extend(lanes.iter().map(|lane| number(lane.1 as usize))),
        }
    }
}

/// A buffer cut into slots of one size, with a cursor in each.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    buffer: Vec<u8>,
    cursors: Vec<u32>,
    stride: usize,
}

impl Slots {
    /// How many of the rows that need `bytes` each are written together.
    pub(super) fn group(bytes: usize) -> usize {
        (GROUP_BYTES / stride(bytes)).max(1)
    }

    /// Begins a group of `count` rows that need at most `bytes` each.
    pub(super) fn begin(&mut self, count: usize, bytes: usize) {
        self.stride = stride(bytes);
        let room = count * self.stride;
        assert!(u32::try_from(room).is_ok(), "{count} rows take {room} bytes, more than 4 GiB");
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        self.cursors.clear();
        self.cursors.extend((0..count).map(|slot| index(slot * self.stride)));
    }

    /// What was written for a row.
    #[inline(always)]
    pub(super) fn written(&self, slot: usize) -> &[u8] {
        let (start, end) = (slot * self.stride, self.cursors[slot] as usize);
        assert!(
            end + SLACK_BYTES <= start + self.stride,
            "a row took more bytes than its instructions said"
        );
        &self.buffer[start..end]
    }

    /// How much was written for a row.
    #[inline(always)]
    pub(super) fn position(&self, slot: u32) -> u32 {
        let slot = slot as usize;
        self.cursors[slot] - index(slot * self.stride)
    }

    /// Writes something for each lane; `write` gets the number of the lane and its row too.
    #[inline(always)]
    pub(super) fn each(
        &mut self,
        lanes: Lanes<'_>,
        mut write: impl FnMut(&mut Writer<'_>, usize, usize),
    ) {
        match lanes {
            Lanes::All { first, count } => {
                for (lane, cursor) in self.cursors[..count].iter_mut().enumerate() {
                    let mut writer = Writer::new(&mut self.buffer, *cursor as usize);
                    write(&mut writer, lane, first + lane);
                    *cursor = index(writer.position());
                }
            }
            Lanes::Some(lanes) => {
                for (lane, &(slot, row)) in lanes.iter().enumerate() {
                    let cursor = &mut self.cursors[slot as usize];
                    let mut writer = Writer::new(&mut self.buffer, *cursor as usize);
                    write(&mut writer, lane, row as usize);
                    *cursor = index(writer.position());
                }
            }
        }
    }
}

/// The size of a slot: an odd number of cache lines, so that slots spread over the cache's sets.
fn stride(bytes: usize) -> usize {
    ((bytes + SLACK_BYTES).div_ceil(64) | 1) * 64
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a group has less than 4 GiB, a frame less rows"
)]
pub(super) fn index(number: usize) -> u32 {
    number as u32
}
