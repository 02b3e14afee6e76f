//! Dates and times as JSON has them: RFC 3339 in quotes, or the number where there is no such date.

use super::digits::{Style, put_number};
use super::local_time::{day_number, put_date_time};
use crate::encode::wire::{SLACK_BYTES, Writer};

const DAY_S: i64 = 86_400;
/// The first second of the year 1.
const FIRST_S: i64 = -719_162 * DAY_S;
/// 9999-12-30T22:00:00Z: from then on some zone has a year of five digits.
const LAST_S: i64 = 253_402_207_200;

/// What a number says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Days since the Unix epoch.
    Date,
    /// Since midnight.
    Time,
    /// Since the Unix epoch, in UTC.
    Instant,
    /// The same without a zone.
    Local,
}

/// A date or time in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub part: Part,
    /// Digits of a second's fraction: 3, 6 or 9; 0 for dates.
    pub digits: u8,
}

impl Stamp {
    /// Two quotes, `2026-11-21T08:31:02.123456789Z` between them.
    pub(super) const BYTES_MAX: usize = 32;

    /// Writes the value.
    pub(super) fn put(self, writer: &mut Writer<'_>, value: i64) {
        let number = Style { base: 10, width: 1, upper: false };
        let per_second = 10_i64.pow(u32::from(self.digits));
        let (second, fraction) = match self.part {
            Part::Date => (value.saturating_mul(DAY_S), 0),
            _ => (value.div_euclid(per_second), value.rem_euclid(per_second)),
        };
        let limits = match self.part {
            Part::Time => 0..=DAY_S - 1,
            _ => FIRST_S..=LAST_S,
        };
        if !limits.contains(&second) {
            put_number(writer, value, number);
            return;
        }
        let mut block = [0; 19 + SLACK_BYTES];
        let in_day_us = second.rem_euclid(DAY_S) * 1_000_000;
        let mut text = Writer::new(&mut block, 0);
        put_date_time(&mut text, day_number(second.div_euclid(DAY_S)), in_day_us.cast_unsigned());
        let range = match self.part {
            Part::Date => 0..10,
            Part::Time => 11..19,
            Part::Instant | Part::Local => 0..19,
        };
        writer.put_byte(b'"');
        writer.put_slice(&block[range]);
        if self.digits > 0 {
            writer.put_byte(b'.');
            put_number(writer, fraction, Style { width: self.digits, ..number });
        }
        if self.part == Part::Instant {
            writer.put_byte(b'Z');
        }
        writer.put_byte(b'"');
    }
}
