//! Rates, durations, counts and times as people write them.

use std::time::Duration;

/// Text that is not the quantity it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not a rate.
    #[error("`{0}` is not a rate")]
    Rate(String),
    /// Not a rate of bytes.
    #[error("`{0}` is not a rate of bytes")]
    ByteRate(String),
    /// Not a duration.
    #[error("`{0}` is not a duration")]
    Duration(String),
    /// Not a count.
    #[error("`{0}` is not a whole number")]
    Count(String),
    /// Not a number of bytes.
    #[error("`{0}` is not a number of bytes")]
    Bytes(String),
    /// Not a time.
    #[error("`{0}` is not a time")]
    Time(String),
}

impl Unreadable {
    /// How to write it.
    pub fn way_out(&self) -> &'static str {
        match self {
            Self::Rate(_) => {
                "write a number, then `/s`, `/m`, `/h`, `/day`, `/week` or `/year`: \"500/s\", \"2M/day\""
            }
            Self::ByteRate(_) => {
                "write a number with `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, then `/s`: \"10MB/s\""
            }
            Self::Duration(_) => {
                "write numbers with `us`, `ms`, `s`, `m`, `h`, `d`, `w` or `y`: \"100ms\", \"1h30m\""
            }
            Self::Count(_) => "write a whole number, with `k`, `M` or `G` if you like: \"1M\"",
            Self::Bytes(_) => "write a whole number with `B`, `KiB`, `MiB` or `GiB`: \"64MiB\"",
            Self::Time(_) => "write a time with its offset (RFC 3339): \"2026-03-02T00:00:00Z\"",
        }
    }
}

/// Events a second, from text such as `500/s`, `800/h`, `2M/day`.
///
/// # Errors
///
/// Text of another form. A rate of 0 is read; whether it may be used is for the caller to say.
pub fn rate(text: &str) -> Result<f64, Unreadable> {
    let (events, seconds) = events_and_seconds(text)?;
    Ok(events / seconds)
}

/// Events an hour, from the same texts: 800 of `800/h`, to the last bit.
///
/// # Errors
///
/// Text of another form.
pub fn rate_per_hour(text: &str) -> Result<f64, Unreadable> {
    let (events, seconds) = events_and_seconds(text)?;
    Ok(if seconds <= 3_600.0 { events * (3_600.0 / seconds) } else { events / (seconds / 3_600.0) })
}

fn events_and_seconds(text: &str) -> Result<(f64, f64), Unreadable> {
    let unreadable = || Unreadable::Rate(text.to_owned());
    let (amount, seconds) = split_per(text).ok_or_else(unreadable)?;
    let (number, factor) = split_magnitude(amount);
    let number = Decimal::parse(number).ok_or_else(unreadable)?;
    Ok((number.to_f64() * factor as f64, seconds))
}

/// Bytes a second, from text such as `10MB/s`, `1MiB/s`, `512kB/m`.
///
/// # Errors
///
/// Text of another form, also without a unit of bytes. A rate of 0 is read; whether it may be used
/// is for the caller to say.
pub fn byte_rate(text: &str) -> Result<f64, Unreadable> {
    let unreadable = || Unreadable::ByteRate(text.to_owned());
    let (amount, seconds) = split_per(text).ok_or_else(unreadable)?;
    let (number, unit) = split_unit(amount);
    let factor = byte_factor(unit).ok_or_else(unreadable)?;
    let number = Decimal::parse(number).ok_or_else(unreadable)?;
    Ok(number.to_f64() * factor as f64 / seconds)
}

/// What there is of something, and in how many seconds: `2M/day`, `2M per day`.
fn split_per(text: &str) -> Option<(&str, f64)> {
    let (amount, unit) = text.split_once('/').or_else(|| text.split_once(" per "))?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hr" | "hour" => 3_600.0,
        "d" | "day" => 86_400.0,
        "w" | "week" => 604_800.0,
        // A quarter of the four years from leap day to leap day.
        "y" | "year" => 31_557_600.0,
        _ => return None,
    };
    Some((amount.trim(), seconds))
}

/// A length of time, from text such as `10m`, `1h30m`, `100ms`, `1.5h`, `2d`.
///
/// # Errors
///
/// Text of another form, parts of a nanosecond, and more than 500 years.
pub fn duration(text: &str) -> Result<Duration, Unreadable> {
    const LONGEST_NS: u128 = 500 * 366 * 86_400 * 1_000_000_000;
    let unreadable = || Unreadable::Duration(text.to_owned());
    let mut rest = text.trim();
    let mut total_ns: u128 = 0;
    if rest.is_empty() {
        return Err(unreadable());
    }
    while !rest.is_empty() {
        let number_bytes = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
            .ok_or_else(unreadable)?;
        let (number, tail) = rest.split_at(number_bytes);
        let tail = tail.trim_start();
        let unit_bytes = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_bytes);
        let unit_ns: u128 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" | "sec" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" | "hour" => 3_600_000_000_000,
            "d" | "day" => 86_400_000_000_000,
            "w" | "week" => 604_800_000_000_000,
            // A quarter of the four years from leap day to leap day.
            "y" | "year" => 31_557_600_000_000_000,
            _ => return Err(unreadable()),
        };
        let part_ns = Decimal::parse(number).and_then(|n| n.times(unit_ns));
        total_ns = part_ns
            .and_then(|part| total_ns.checked_add(part))
            .filter(|total| *total <= LONGEST_NS)
            .ok_or_else(unreadable)?;
        rest = tail.trim_start();
    }
    let seconds = u64::try_from(total_ns / 1_000_000_000).map_err(|_| unreadable())?;
    let nanoseconds = u32::try_from(total_ns % 1_000_000_000).map_err(|_| unreadable())?;
    Ok(Duration::new(seconds, nanoseconds))
}

/// A whole number, from text such as `1M`, `400_000`, `20k`, `1.5M`.
///
/// # Errors
///
/// Text of another form, fractions, and 2^64 or more.
pub fn count(text: &str) -> Result<u64, Unreadable> {
    let (number, factor) = split_magnitude(text.trim());
    Decimal::parse(number)
        .and_then(|number| number.times(u128::from(factor)))
        .and_then(|whole| u64::try_from(whole).ok())
        .ok_or_else(|| Unreadable::Count(text.to_owned()))
}

/// A number of bytes, from text such as `64MiB`, `1GB`, `4096`.
///
/// # Errors
///
/// Text of another form, fractions, and 2^64 or more.
pub fn bytes(text: &str) -> Result<u64, Unreadable> {
    let (number, unit) = split_unit(text.trim());
    let factor = if unit.is_empty() { Some(1) } else { byte_factor(unit) };
    factor
        .and_then(|factor| Decimal::parse(number)?.times(factor))
        .and_then(|whole| u64::try_from(whole).ok())
        .ok_or_else(|| Unreadable::Bytes(text.to_owned()))
}

/// A number and the letters after it.
fn split_unit(text: &str) -> (&str, &str) {
    let unit_at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    (number.trim_end(), unit.trim_end())
}

fn byte_factor(unit: &str) -> Option<u128> {
    match unit {
        "B" => Some(1),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    }
}

/// Microseconds since the Unix epoch, from RFC 3339 text with an offset; a part of a microsecond
/// is cut off.
///
/// # Errors
///
/// Text of another form.
pub fn time_us(text: &str) -> Result<i64, Unreadable> {
    text.trim()
        .parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_microsecond)
        .map_err(|_| Unreadable::Time(text.to_owned()))
}

/// A number and the power of ten that the letter after it stands for.
fn split_magnitude(text: &str) -> (&str, u64) {
    const MAGNITUDES: [(char, u64); 4] =
        [('k', 1_000), ('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000)];
    MAGNITUDES
        .iter()
        .find_map(|(letter, factor)| Some((text.strip_suffix(*letter)?.trim_end(), *factor)))
        .unwrap_or((text, 1))
}

/// An unsigned decimal number, exactly: `digits` / 10^`scale`.
struct Decimal {
    digits: u128,
    scale: u32,
}

impl Decimal {
    /// None: not digits with at most one point, or more than 24 of them.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let point_without_digits = text.contains('.') && fraction.is_empty();
        let begins_with_digit = whole.starts_with(|c: char| c.is_ascii_digit());
        if point_without_digits || !begins_with_digit || whole.ends_with('_') {
            return None;
        }
        let all: String = whole.chars().chain(fraction.chars()).filter(|c| *c != '_').collect();
        if all.len() > 24 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let scale = fraction.chars().filter(|c| *c != '_').count();
        Some(Self { digits: all.parse().ok()?, scale: u32::try_from(scale).ok()? })
    }

    fn to_f64(&self) -> f64 {
        // The shortest way to the nearest double is the text itself.
        format!("{}e-{}", self.digits, self.scale).parse().unwrap_or(f64::NAN)
    }

    /// None: not a whole number, or too large.
    fn times(&self, factor: u128) -> Option<u128> {
        let divisor = 10_u128.pow(self.scale);
        let product = self.digits.checked_mul(factor)?;
        (product % divisor == 0).then(|| product / divisor)
    }
}

/// A time as RFC 3339, in UTC.
pub fn rfc3339(time_us: i64) -> String {
    jiff::Timestamp::from_microsecond(time_us)
        .map_or_else(|_| format!("{time_us} µs"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read_in_every_unit() {
        for (text, per_s) in [
            ("500/s", 500.0),
            ("800/h", 800.0 / 3_600.0),
            ("2M/day", 2e6 / 86_400.0),
            ("1.92/day", 1.92 / 86_400.0),
            ("1_000/min", 1_000.0 / 60.0),
            ("1.5k / s", 1_500.0),
            ("1.5k/s", 1_500.0),
            (" 20 k/min ", 20_000.0 / 60.0),
            ("7/week", 7.0 / 604_800.0),
            ("2M per day", 2e6 / 86_400.0),
            ("5 per second", 5.0),
            ("3/year", 3.0 / 31_557_600.0),
            ("0/s", 0.0),
        ] {
            assert_eq!(rate(text), Ok(per_s), "{text}");
        }
        for text in [
            "",
            "500",
            "/s",
            "500/",
            "-5/s",
            "1e3/s",
            "5/fortnight",
            "5//s",
            "1./s",
            "_1/s",
            "5/S",
            "5per s",
            "per s",
            "5 per",
            "10MB/s",
            "5/s per s",
            "inf/s",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_of_bytes_have_a_unit_of_bytes() {
        for (text, per_s) in [
            ("10MB/s", 1e7),
            ("1MiB/s", 1_048_576.0),
            ("512kB/m", 512_000.0 / 60.0),
            ("1.5 GiB per hour", 1.5 * f64::from(1 << 30) / 3_600.0),
            ("100 B/s", 100.0),
            ("0B/s", 0.0),
        ] {
            assert_eq!(byte_rate(text), Ok(per_s), "{text}");
        }
        for text in ["", "10MB", "10/s", "10M/s", "MB/s", "10Mb/s", "10MBs", "-1MB/s", "1MB/parsec"]
        {
            assert!(byte_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_sums_of_their_parts() {
        for (text, ms) in [
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("100ms", 100),
            ("2d", 172_800_000),
            ("4y", 4 * 31_557_600_000),
            ("1.5h", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "m", "10 parsecs", "-1s", "1h30", "0.5ns", "99999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_bytes_are_whole() {
        assert_eq!(count("400_000"), Ok(400_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("20k"), Ok(20_000));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1.5 KiB"), Ok(1_536));
        assert_eq!(bytes("10"), Ok(10));
        for text in ["", "1.5", "k", "-1", "1e6", "99999999999999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["", "64 mib", "MiB", "0.1B"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_need_an_offset() {
        assert_eq!(time_us("1970-01-01T00:00:01.5Z"), Ok(1_500_000));
        assert_eq!(time_us("1970-01-01T01:00:00+01:00"), Ok(0));
        for text in ["2026-03-02", "2026-03-02T00:00:00", "yesterday", "now"] {
            assert!(time_us(text).is_err(), "{text}");
        }
    }

    proptest! {
        // What is written in the smallest unit is read back exactly.
        #[test]
        fn a_duration_in_nanoseconds_comes_back(ns in 0_u64..10_000_000_000_000_000_000) {
            prop_assert_eq!(duration(&format!("{ns}ns")), Ok(Duration::from_nanos(ns)));
        }

        #[test]
        fn a_count_comes_back_with_and_without_its_letter(n in 0_u64..1_000_000_000) {
            prop_assert_eq!(count(&n.to_string()), Ok(n));
            prop_assert_eq!(count(&format!("{n}k")), Ok(n * 1_000));
            prop_assert_eq!(bytes(&format!("{n}KiB")), Ok(n << 10));
        }

        #[test]
        fn a_time_comes_back(us in -60_000_000_000_000_000_i64..200_000_000_000_000_000) {
            let text = jiff::Timestamp::from_microsecond(us).unwrap().to_string();
            prop_assert_eq!(time_us(&text), Ok(us));
        }

        // Nothing that a user types may panic.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let read = (duration(&text), count(&text), bytes(&text), time_us(&text));
            let rates = [rate(&text), byte_rate(&text)];
            prop_assert!(rates.iter().all(|it| it.as_ref().is_ok_and(|rate| *rate >= 0.0) || it.is_err()), "{read:?}");
        }
    }
}
