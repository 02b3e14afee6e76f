//! Numbers as people read them.

use std::time::Duration;

/// A whole number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: `497/s`, `12,345/s`, `0.25/s`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 10, rounded")]
pub fn rate(per_s: f64) -> String {
    if per_s >= 10.0 {
        format!("{}/s", count(per_s.round() as u64))
    } else if per_s >= 1.0 {
        format!("{per_s:.1}/s")
    } else {
        format!("{per_s:.2}/s")
    }
}

/// A time in its natural unit: `850 µs`, `3.2 ms`, `1.25 s`, `6 min 02 s`, `2 h 05 min`, `3 d 04 h`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.is_zero() => "0 s".to_owned(),
        0 if time.as_micros() < 1_000 => format!("{} µs", time.as_micros()),
        0 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        1..60 if time.subsec_nanos() == 0 => format!("{seconds} s"),
        1..60 => format!("{:.2} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Bytes: `512 B`, `34.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while amount >= 1_024.0 && unit + 1 < UNITS.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.25, 1.5, 497.4, 12_345.0].map(rate),
            ["0.25/s", "1.5/s", "497/s", "12,345/s"]
        );
        let times = [850, 3_200, 1_250_000, 362_000_000, 7_500_000_000, 273_600_000_000];
        assert_eq!(
            times.map(|us| time(Duration::from_micros(us))),
            ["850 µs", "3.2 ms", "1.25 s", "6 min 02 s", "2 h 05 min", "3 d 04 h"]
        );
        assert_eq!([512, 35_651_584, 3 << 40].map(bytes), ["512 B", "34.0 MiB", "3.0 TiB"]);
    }
}
