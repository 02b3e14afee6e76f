//! Bytes on the wire: varints, framing, the writer of rows.

#![expect(
    clippy::inline_always,
    reason = "what loops over rows do has the instructions of their function"
)]

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

/// Writes into a buffer that has room for it, from a position on.
///
/// Blocks of constant size are copied whole, and only their first bytes are kept: a copy of
/// constant length is a few moves, one of variable length is a call. So a buffer needs
/// [`SLACK_BYTES`] more than what is kept.
///
/// # Panics
///
/// All writes panic where the buffer ends: our own bug.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    position: usize,
}

/// The size of the largest block.
pub const SLACK_BYTES: usize = 64;

impl<'a> Writer<'a> {
    /// A writer that begins at `position`.
    #[inline(always)]
    pub fn new(buffer: &'a mut [u8], position: usize) -> Self {
        Self { buffer, position }
    }

    /// Where the next byte goes.
    #[inline(always)]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Writes the first `used` bytes of a block of constant size.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, block: &[u8; N], used: usize) {
        debug_assert!(used <= N && N <= SLACK_BYTES, "{used} of {N} bytes were asked for");
        self.buffer[self.position..][..N].copy_from_slice(block);
        self.position += used;
    }

    /// Writes one byte.
    #[inline(always)]
    pub fn put_byte(&mut self, byte: u8) {
        self.buffer[self.position] = byte;
        self.position += 1;
    }

    /// Writes bytes of any number.
    #[inline(always)]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer[self.position..][..bytes.len()].copy_from_slice(bytes);
        self.position += bytes.len();
    }

    /// Writes a number as Avro's `int` or `long`.
    #[inline(always)]
    pub fn put_long(&mut self, value: i64) {
        let rest = zigzag(value);
        if rest < 1 << 56 {
            let (block, used) = short_varint(rest);
            self.put(&block, used);
        } else {
            // The lower eight groups all go on; one or two bytes more hold the rest.
            let (mut low, _) = short_varint(rest & ((1 << 56) - 1));
            for byte in &mut low {
                *byte |= 0x80;
            }
            self.put(&low, 8);
            let (block, used) = short_varint(rest >> 56);
            self.put(&block, used);
        }
    }

    /// Leaves a byte for the length of what follows, and says where; see [`Writer::close`].
    #[inline(always)]
    pub fn open(&mut self) -> usize {
        self.put_byte(0);
        self.position - 1
    }

    /// Writes the length of what was written since `start` was opened.
    #[inline(always)]
    pub fn close(&mut self, start: usize) {
        let length = self.position - start - 1;
        if length < 64 {
            self.buffer[start] = length.to_le_bytes()[0] << 1;
        } else {
            self.close_long(start, length);
        }
    }

    /// Puts what was written since `start` as hexadecimal digits.
    pub fn spell_hex(&mut self, start: usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.position - start;
        for at in (0..bytes).rev() {
            let byte = self.buffer[start + at];
            self.buffer[start + 2 * at + 1] = DIGITS[usize::from(byte & 15)];
            self.buffer[start + 2 * at] = DIGITS[usize::from(byte >> 4)];
        }
        self.position += bytes;
    }

    #[inline(never)]
    fn close_long(&mut self, start: usize, length: usize) {
        let (prefix, used) = short_varint(zigzag(length.cast_signed() as i64));
        self.buffer.copy_within(start + 1..self.position, start + used);
        self.buffer[start..][..used].copy_from_slice(&prefix[..used]);
        self.position += used - 1;
    }
}

/// A number below 2^56 as a varint of 1 to 8 bytes.
#[inline(always)]
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
            let mut fast = [0xee; 24];
            let mut writer = Writer::new(&mut fast, 2);
            writer.put_long(value);
            let end = writer.position();
            assert_eq!(fast[2..end], slow, "{value}");
        }
    }

    #[test]
    fn a_text_of_any_length_gets_its_length_before_it() {
        for length in [0, 1, 63, 64, 65, 8_191, 8_192, 100_000] {
            let text = vec![b'x'; length];
            let mut slow = vec![7];
            push_long(&mut slow, i64::try_from(length).unwrap());
            slow.extend(&text);
            let mut fast = vec![7; length + 9];
            let mut writer = Writer::new(&mut fast, 1);
            let start = writer.open();
            writer.put_slice(&text);
            writer.close(start);
            let end = writer.position();
            assert_eq!(fast[..end], slow, "{length}");
        }
    }

    #[test]
    fn framing_is_a_zero_and_the_id_in_four_bytes() {
        assert_eq!(framing(0x0102_0304), [0, 1, 2, 3, 4]);
    }
}
