//! Kernels of numbers that take 64 bits from the beginning.

use super::super::column::{CHUNK_ROWS, Frame};
use super::access::store;
use crate::plan::program::{Operation, Register, Target};

#[inline(always)]
pub(super) fn step(operation: &Operation, frame: &mut Frame) {
    match operation {
        Operation::WideRange { words: [high, low], size, base, out } => {
            each(frame, [*high, *low], Target::Wide(*out), |word| wide_range(word, *size, *base));
        }
        Operation::Wrap { number, step, ahead, size, start, falling, out } => {
            each(frame, [number.high, number.low], Target::Wide(*out), |number| {
                let way = wrapped(number, (*step, *ahead), *size);
                if *falling {
                    start.wrapping_sub_unsigned(way)
                } else {
                    start.wrapping_add_unsigned(way)
                }
            });
        }
        _ => unreachable!("the other operations have kernels elsewhere"),
    }
}

/// One value from two columns, the higher word first.
#[inline(always)]
fn each(frame: &mut Frame, [high, low]: [Register; 2], out: Target, value: impl Fn(u64) -> i64) {
    let mut values = [0; CHUNK_ROWS];
    let (high, low) = (frame.column(high), frame.column(low));
    for ((out, &high), &low) in values.iter_mut().zip(high).zip(low) {
        *out = value(u64::from(high) << 32 | u64::from(low));
    }
    store(frame, out, &values);
}

/// base + ⌊w·size / 2^64⌋.
#[inline(always)]
fn wide_range(word: u64, size: u128, base: i64) -> i64 {
    let offset = match u64::try_from(size) {
        Ok(size) => ((u128::from(word) * u128::from(size)) >> 64) as u64,
        // All 2^64 values.
        Err(_) => word,
    };
    base.wrapping_add_unsigned(offset)
}

/// (ahead + number·step) mod size.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "less than the size")]
fn wrapped(number: u64, (step, ahead): (u64, u64), size: u64) -> u64 {
    number.checked_mul(step).and_then(|way| way.checked_add(ahead)).map_or_else(
        || ((u128::from(number) * u128::from(step) + u128::from(ahead)) % u128::from(size)) as u64,
        |way| way % size,
    )
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn products_beyond_64_bits_wrap_exactly() {
        let (number, step, ahead, size) = (1 << 48, u64::MAX / 3, 7, u64::MAX - 4);
        let wanted = (u128::from(number) * u128::from(step) + 7) % u128::from(size);
        assert_eq!(u128::from(wrapped(number, (step, ahead), size)), wanted);
        assert_eq!(wrapped(5, (3, 2), 10), 7);
    }
}
