//! Bytes on the wire: varints, framing, the writer of rows.

#![expect(unsafe_code, reason = "the hot path: rows are written through a raw pointer")]

use std::marker::PhantomData;
use std::ptr;

/// The first byte of a value or key that carries the id of its schema in a registry.
pub const MAGIC: u8 = 0;

/// Bytes before a framed datum: the magic byte and four bytes of schema id, big-endian.
pub const FRAMING_BYTES: usize = 5;

/// What stands before a datum whose schema has this id in a registry.
pub fn framing(schema_id: u32) -> [u8; FRAMING_BYTES] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [MAGIC, a, b, c, d]
}

/// Maps signed to unsigned numbers so that those near zero become small.
#[inline]
pub fn zigzag(value: i64) -> u64 {
    value.cast_unsigned() << 1 ^ (value >> 63).cast_unsigned()
}

/// Appends a number as Avro's `int` or `long`: zigzag, then 7 bits a byte, the lowest first.
pub fn push_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// Appends a length, a count or the number of a branch as Avro's `long`.
pub fn push_count(out: &mut Vec<u8>, count: usize) {
    push_long(out, count.cast_signed() as i64);
}

/// Appends bytes to a `Vec` through a raw pointer, with one comparison a write.
///
/// Each write makes sure of room for the whole block that it copies, of which it then keeps only
/// the first bytes: a copy of constant length is a few moves, one of variable length is a call.
#[derive(Debug)]
pub struct Writer<'a> {
    // Invariant: `cursor` and `end` point into the allocation of `out` or one past it,
    // `cursor` ≤ `end`, `end` is at its capacity, and all bytes before `cursor` are initialised.
    out: *mut Vec<u8>,
    cursor: *mut u8,
    end: *mut u8,
    arena: PhantomData<&'a mut Vec<u8>>,
}

impl<'a> Writer<'a> {
    /// A writer that goes on where `out` ends.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let length = out.len();
        let capacity = out.capacity();
        let base = out.as_mut_ptr();
        // SAFETY: length and capacity are within the allocation that `base` begins.
        let (cursor, end) = unsafe { (base.add(length), base.add(capacity)) };
        Self { out: ptr::from_mut(out), cursor, end, arena: PhantomData }
    }

    /// How many bytes the arena holds, those from before included.
    #[inline]
    pub fn position(&self) -> usize {
        // SAFETY: `out` outlives `self`, which borrows it; only its pointer is read.
        let base = unsafe { (*self.out).as_ptr() };
        self.cursor.addr() - base.addr()
    }

    /// Makes room for `bytes` more.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) {
        if self.end.addr() - self.cursor.addr() < bytes {
            self.grow(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        let length = self.position();
        // SAFETY: `out` outlives `self`, and nothing else uses it meanwhile; by the invariant its
        // first `length` bytes are initialised and within its capacity.
        let out = unsafe {
            let out = &mut *self.out;
            out.set_len(length);
            out
        };
        out.reserve(bytes);
        let base = out.as_mut_ptr();
        // SAFETY: length and capacity are within the allocation that `base` begins.
        (self.cursor, self.end) = unsafe { (base.add(length), base.add(out.capacity())) };
    }

    /// Writes the first `used` bytes of a block of constant size.
    #[inline]
    pub fn put<const N: usize>(&mut self, block: [u8; N], used: usize) {
        debug_assert!(used <= N, "{used} bytes of a block of {N} were asked for");
        self.reserve(N);
        // SAFETY: there is room for N bytes, and no more than the N just written are kept.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), self.cursor, N);
            self.cursor = self.cursor.add(used.min(N));
        }
    }

    /// Writes a block of constant size that lies elsewhere, of which `used` bytes count.
    #[inline]
    pub fn put_from<const N: usize>(&mut self, block: &[u8; N], used: usize) {
        debug_assert!(used <= N, "{used} bytes of a block of {N} were asked for");
        self.reserve(N);
        // SAFETY: as in `put`.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), self.cursor, N);
            self.cursor = self.cursor.add(used.min(N));
        }
    }

    /// Writes one byte.
    #[inline]
    pub fn put_byte(&mut self, byte: u8) {
        self.put([byte], 1);
    }

    /// Writes bytes of any number.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: there is room for all of them; the arena is borrowed mutably, so no overlap.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.cursor, bytes.len());
            self.cursor = self.cursor.add(bytes.len());
        }
    }

    /// Writes a number as Avro's `int` or `long`.
    #[inline]
    pub fn put_long(&mut self, value: i64) {
        let rest = zigzag(value);
        if rest < 1 << 56 {
            let (block, used) = short_varint(rest);
            self.put(block, used);
        } else {
            // The lower eight groups all go on; one or two bytes more hold the rest.
            let (mut low, _) = short_varint(rest & ((1 << 56) - 1));
            for byte in &mut low {
                *byte |= 0x80;
            }
            self.put(low, 8);
            let (block, used) = short_varint(rest >> 56);
            self.put(block, used);
        }
    }

    /// Leaves a byte for the length of what follows, and says where; see [`Writer::close`].
    #[inline]
    pub fn open(&mut self) -> usize {
        let start = self.position();
        self.put_byte(0);
        start
    }

    /// Writes the length of what was written since `start` was opened.
    ///
    /// # Panics
    ///
    /// If nothing was opened there: our own bug.
    #[inline]
    pub fn close(&mut self, start: usize) {
        let position = self.position();
        assert!(start < position, "a text is closed where it was opened");
        let length = position - start - 1;
        if length < 64 {
            // SAFETY: `start` is before the cursor, so among the initialised bytes.
            unsafe { *self.cursor.sub(position - start) = length.to_le_bytes()[0] << 1 }
        } else {
            self.close_long(start, length);
        }
    }

    #[inline(never)]
    fn close_long(&mut self, start: usize, length: usize) {
        let (prefix, used) = short_varint(zigzag(length.cast_signed() as i64));
        self.reserve(prefix.len());
        let position = self.position();
        assert!(start < position && used <= prefix.len(), "a text is closed where it was opened");
        // SAFETY: `start` is before the cursor, and there is room for `used` − 1 bytes after it.
        unsafe {
            let from = self.cursor.sub(position - start);
            ptr::copy(from.add(1), from.add(used), length);
            ptr::copy_nonoverlapping(prefix.as_ptr(), from, used);
            self.cursor = self.cursor.add(used - 1);
        }
    }

    /// Takes back what was written after the arena had `position` bytes.
    ///
    /// # Panics
    ///
    /// If it never had so many: our own bug.
    pub fn truncate(&mut self, position: usize) {
        let written = self.position();
        assert!(position <= written, "{position} bytes cannot be kept of {written}");
        // SAFETY: the new cursor is within the initialised bytes.
        self.cursor = unsafe { self.cursor.sub(written - position) };
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let length = self.position();
        // SAFETY: by the invariant the first `length` bytes are initialised and within capacity.
        unsafe { (*self.out).set_len(length) }
    }
}

/// A number below 2^56 as a varint of 1 to 8 bytes.
#[inline]
fn short_varint(value: u64) -> ([u8; 8], usize) {
    debug_assert!(value < 1 << 56, "{value} has more than eight groups of 7 bits");
    let used = (70 - (value | 1).leading_zeros()) / 7;
    // Groups of 7 bits move apart in three steps: 28, then 14, then 7 bits at a time.
    let halves = (value & 0x00ff_ffff_f000_0000) << 4 | value & 0x0fff_ffff;
    let quarters = (halves & 0x0fff_c000_0fff_c000) << 2 | halves & 0x0000_3fff_0000_3fff;
    let groups = (quarters & 0x3f80_3f80_3f80_3f80) << 1 | quarters & 0x007f_007f_007f_007f;
    let more = 0x8080_8080_8080_8080 & ((1_u64 << (8 * used - 8)) - 1);
    ((groups | more).to_le_bytes(), used as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_is_written_as_the_slow_way_writes_it() {
        let mut values = vec![0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN];
        for shift in 0..63 {
            for near in [-1, 0, 1] {
                values.push((1_i64 << shift) + near);
                values.push(-(1_i64 << shift) + near);
            }
        }
        for value in values {
            let mut slow = Vec::new();
            push_long(&mut slow, value);
            let mut fast = Vec::new();
            Writer::new(&mut fast).put_long(value);
            assert_eq!(fast, slow, "{value}");
        }
    }

    #[test]
    fn a_text_of_any_length_gets_its_length_before_it() {
        for length in [0, 1, 63, 64, 65, 8_191, 8_192, 100_000] {
            let text = vec![b'x'; length];
            let mut slow = vec![7];
            push_long(&mut slow, i64::try_from(length).unwrap());
            slow.extend(&text);
            let mut fast = vec![7];
            let mut writer = Writer::new(&mut fast);
            let start = writer.open();
            writer.put_slice(&text);
            writer.close(start);
            drop(writer);
            assert_eq!(fast, slow, "{length}");
        }
    }

    #[test]
    fn a_writer_keeps_only_the_bytes_that_count() {
        let mut out = vec![1];
        let mut writer = Writer::new(&mut out);
        for _ in 0..1_000 {
            writer.put([2, 3, 9, 9], 2);
        }
        writer.truncate(5);
        drop(writer);
        assert_eq!(out, [1, 2, 3, 2, 3]);
    }

    #[test]
    fn framing_is_a_zero_and_the_id_in_four_bytes() {
        assert_eq!(framing(0x0102_0304), [0, 1, 2, 3, 4]);
    }
}
