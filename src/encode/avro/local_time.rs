//! Instants as RFC 3339 text in local time.

#![expect(
    clippy::inline_always,
    reason = "what loops over rows do has the instructions of their function"
)]

use super::digits::{eight, two};
use crate::encode::wire::Writer;

/// Microseconds in a minute.
const MINUTE_US: i64 = 60_000_000;
/// Microseconds in a day.
const DAY_US: i64 = 1_440 * MINUTE_US;

/// The earliest instant that has a year of four digits in every zone, in microseconds since the
/// Unix epoch: 0001-01-02.
pub(super) const INSTANT_MIN: i64 = -719_161 * DAY_US;
/// The latest such instant: the last microsecond of 9999-12-30.
pub(super) const INSTANT_MAX: i64 = 2_932_896 * DAY_US - 1;
/// The furthest zone east of UTC, in minutes; as far west, negative.
pub(super) const OFFSET_MAX: i64 = 1_439;

/// How many bytes an instant takes with so many digits of the second's fraction.
pub(super) fn length(digits: u8) -> usize {
    25 + usize::from(digits) + usize::from(digits > 0)
}

/// How many bytes an instant in UTC takes with microseconds and `Z`.
pub(in crate::encode) const RFC_3339_UTC_BYTES: usize = 27;

/// Writes an instant in UTC with microseconds: `2026-11-21T08:31:02.345678Z`.
pub(in crate::encode) fn put_utc(writer: &mut Writer<'_>, instant_us: i64) {
    let (day, in_day_us) = (instant_us.div_euclid(DAY_US), instant_us.rem_euclid(DAY_US));
    put_date_time(writer, day_number(day), in_day_us.cast_unsigned());
    put_fraction(writer, in_day_us.cast_unsigned(), 6);
    writer.put_byte(b'Z');
}

/// Writes an instant in the zone that is `offset_minutes` east of UTC, with 0, 3 or 6 digits of
/// the second's fraction. Both must be within the limits above.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the limits a day is below 2^22, and parts of it are below 2^32"
)]
pub(super) fn put(writer: &mut Writer<'_>, instant_us: i64, offset_minutes: i64, digits: u8) {
    let local_us = (instant_us + offset_minutes * MINUTE_US - (INSTANT_MIN - DAY_US)) as u64;
    let in_day_us = local_us % DAY_US as u64;
    put_date_time(writer, (local_us / DAY_US as u64) as u32, in_day_us);
    if digits > 0 {
        put_fraction(writer, in_day_us, digits);
    }
    let colon = u64::from(b':');
    let sign = if offset_minutes < 0 { b'-' } else { b'+' };
    let offset = offset_minutes.unsigned_abs() as u32;
    let zone = u64::from(sign) | two(offset / 60) << 8 | colon << 24 | two(offset % 60) << 32;
    writer.put(&zone.to_le_bytes(), 6);
}

/// Writes `2026-11-21T08:31:02` for a day counted from 0001-01-01.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a day has fewer than 2^32 seconds")]
pub(super) fn put_date_time(writer: &mut Writer<'_>, day: u32, in_day_us: u64) {
    let date = eight(yyyymmdd(day));
    let second_of_day = (in_day_us / 1_000_000) as u32;
    let (minute_of_day, second) = (second_of_day / 60, second_of_day % 60);
    let (hour, minute) = (two(minute_of_day / 60), two(minute_of_day % 60));
    let dash = u64::from(b'-');
    let year_month = date & 0xffff_ffff | dash << 32 | (date >> 32 & 0xffff) << 40 | dash << 56;
    writer.put(&year_month.to_le_bytes(), 8);
    let colon = u64::from(b':');
    let day_time = date >> 48 | u64::from(b'T') << 16 | hour << 24 | colon << 40 | minute << 48;
    writer.put(&day_time.to_le_bytes(), 8);
    writer.put(&(colon | two(second) << 8).to_le_bytes(), 3);
}

/// Writes the point and up to six digits of the second's fraction.
#[inline(always)]
fn put_fraction(writer: &mut Writer<'_>, in_day_us: u64, digits: u8) {
    // Six digits of eight, after the point.
    let fraction = eight((in_day_us % 1_000_000) as u32) >> 16;
    let text = u64::from(b'.') | fraction << 8;
    writer.put(&text.to_le_bytes(), 1 + usize::from(digits));
}

/// A day counted from the Unix epoch as one counted from 0001-01-01.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "years 1 to 9999")]
pub(super) fn day_number(day: i64) -> u32 {
    (day - (INSTANT_MIN / DAY_US - 1)) as u32
}

/// The date of a day counted from 0001-01-01, as a decimal number of eight digits.
///
/// After Neri and Schneider, "Euclidean affine functions and their application to calendar
/// algorithms" (2023): a year begins in March there, so that the leap day is its last.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half of a product is wanted")]
fn yyyymmdd(day: u32) -> u32 {
    // 0001-01-01 is day 306 after 0000-03-01.
    let quarters = 4 * (day + 306) + 3;
    let century = quarters / 146_097;
    let in_century = quarters % 146_097 / 4;
    let product = 2_939_745 * u64::from(4 * in_century + 3);
    let year = 100 * century + (product >> 32) as u32;
    let in_year = product as u32 / 2_939_745 / 4;
    let month_day = 2_141 * in_year + 197_913;
    let (month, day) = (month_day >> 16, month_day % (1 << 16) / 2_141 + 1);
    let next = u32::from(in_year >= 306);
    (year + next) * 10_000 + (month - 12 * next) * 100 + day
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::Offset};

    use super::*;

    fn written(instant_us: i64, offset_minutes: i64, digits: u8) -> String {
        let mut out = [0; 48];
        let mut writer = Writer::new(&mut out, 0);
        put(&mut writer, instant_us, offset_minutes, digits);
        let end = writer.position();
        String::from_utf8(out[..end].to_vec()).unwrap()
    }

    #[test]
    fn every_day_of_ten_thousand_years_has_its_date() {
        let mut date = jiff::civil::date(1, 1, 1);
        for day in 0..3_652_058 {
            let number = i32::from(date.year()) * 10_000
                + i32::from(date.month()) * 100
                + i32::from(date.day());
            assert_eq!(i64::from(yyyymmdd(day)), i64::from(number));
            date = date.tomorrow().unwrap();
        }
    }

    #[test]
    fn an_instant_is_written_as_in_the_standard() {
        for offset in [0, 60, -60, 345, -210, 840, -720, 1_439, -1_439] {
            for seconds in [0, 1, -1, 86_399, 951_782_400, 1_795_250_000, -62_135_510_400] {
                let instant_us = seconds * 1_000_000 + 120_345;
                let zone = Offset::from_seconds(i32::try_from(offset * 60).unwrap()).unwrap();
                let civil = zone.to_datetime(Timestamp::from_microsecond(instant_us).unwrap());
                let sign = if offset < 0 { '-' } else { '+' };
                let (hours, minutes) = (i64::abs(offset) / 60, i64::abs(offset) % 60);
                let zone = format!("{sign}{hours:02}:{minutes:02}");
                let seconds = civil.strftime("%Y-%m-%dT%H:%M:%S");
                assert_eq!(written(instant_us, offset, 0), format!("{seconds}{zone}"));
                assert_eq!(written(instant_us, offset, 3), format!("{seconds}.120{zone}"));
                assert_eq!(written(instant_us, offset, 6), format!("{seconds}.120345{zone}"));
            }
        }
        assert_eq!(written(INSTANT_MIN, -1_439, 6).len(), length(6));
        assert_eq!(written(INSTANT_MAX, 1_439, 3), "9999-12-31T23:58:59.999+23:59");
        assert_eq!(written(INSTANT_MIN, 0, 0), "0001-01-02T00:00:00+00:00");
    }
}
