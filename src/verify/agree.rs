//! Whether two values in JSON mean the same, although another program wrote one of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// Whether `found` means what `sent` says, as [`crate::encode::json::Reader`] says it.
///
/// Times may be numbers of seconds, milli-, micro- or nanoseconds, or be written in another zone; numbers may be
/// text and text numbers; bytes may be hexadecimal or Base64; a value may stand alone in an object that
/// names its type, as unions do in the JSON of Avro.
pub(super) fn agree(sent: &Json, found: &Json) -> bool {
    match (sent, found) {
        (sent, found) if sent == found => true,
        (Json::Array(sent), Json::Array(found)) => {
            sent.len() == found.len() && sent.iter().zip(found).all(|(a, b)| agree(a, b))
        }
        (Json::Object(sent), Json::Object(found)) => {
            let same = |(name, sent): (&String, &Json)| {
                found.get(name).is_some_and(|found| agree(sent, found))
            };
            sent.len() == found.len() && sent.iter().all(same)
        }
        (sent, Json::Object(named)) if named.len() == 1 && !sent.is_object() => {
            named.values().all(|inner| agree(sent, inner))
        }
        (Json::Number(sent), Json::Number(found)) if sent.is_i64() && found.is_i64() => false,
        (Json::Number(sent), Json::Number(found)) => numbers(sent.as_f64(), found.as_f64()),
        (Json::Number(number), Json::String(text)) => numbers(number.as_f64(), text.parse().ok()),
        (Json::String(text), Json::Number(number)) => {
            numbers(text.parse().ok(), number.as_f64()) || is_time(text, number)
        }
        (Json::String(sent), Json::String(found)) => texts(sent, found),
        _ => false,
    }
}

/// Numbers that were written with the digits of a `float` or `double` differ in the last of them.
fn numbers(sent: Option<f64>, found: Option<f64>) -> bool {
    let (Some(sent), Some(found)) = (sent, found) else { return false };
    #[expect(clippy::cast_possible_truncation, reason = "as a float holds it")]
    let as_floats = (sent as f32, found as f32);
    if sent.fract() == 0.0 && found.fract() == 0.0 {
        return sent.to_bits() == found.to_bits();
    }
    (sent - found).abs() <= sent.abs() * 1e-15 || as_floats.0.to_bits() == as_floats.1.to_bits()
}

fn texts(sent: &str, found: &str) -> bool {
    if let (Some(sent), Some(found)) = (nanoseconds(sent), nanoseconds(found)) {
        return sent == found;
    }
    if let (Ok(sent), Ok(found)) = (sent.parse::<f64>(), found.parse::<f64>()) {
        return sent.to_bits() == found.to_bits();
    }
    let is_hex = !sent.is_empty()
        && sent.len().is_multiple_of(2)
        && sent.bytes().all(|it| it.is_ascii_hexdigit());
    is_hex
        && (sent.eq_ignore_ascii_case(found)
            || STANDARD.decode(found).is_ok_and(|bytes| {
                let hex =
                    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
                hex == *sent
            }))
}

/// Whether a number of seconds, milli-, micro- or nanoseconds, or of days, is the time of a text.
fn is_time(text: &str, number: &serde_json::Number) -> bool {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = date.since(epoch).ok().map(|span| i64::from(span.get_days()));
        return days.is_some() && days == number.as_i64();
    }
    let Some(sent) = nanoseconds(text) else { return false };
    if let Some(found) = number.as_i64() {
        let found = i128::from(found);
        return [1, 1_000, 1_000_000, 1_000_000_000].iter().any(|unit| found * unit == sent);
    }
    // Seconds with a fraction, as far as a double goes.
    number.as_f64().is_some_and(|seconds| (seconds * 1e9 - sent as f64).abs() < 1_000.0)
}

/// The nanoseconds since the Unix epoch of a time as RFC 3339; without a zone it is UTC.
fn nanoseconds(text: &str) -> Option<i128> {
    if text.len() < 19 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_nanosecond)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_the_same_agrees() {
        for (sent, found) in [
            (json!(5), json!("5")),
            (json!("12.30"), json!(12.3)),
            (json!("12.30"), json!("12.3")),
            (json!(0.1), json!(0.100_000_001_490_116_12)),
            (json!("2026-03-02T10:00:00.123456Z"), json!(1_772_445_600_123_456_i64)),
            (json!("2026-03-02T10:00:00.123Z"), json!(1_772_445_600_123_i64)),
            (json!("2026-03-02T10:00:00.500Z"), json!(1_772_445_600.5)),
            (json!("2026-03-02T10:00:00.123Z"), json!("2026-03-02T11:00:00.123+01:00")),
            (json!("2026-03-02T10:00:00.123456"), json!("2026-03-02 10:00:00.123456")),
            (json!("2026-03-02"), json!(20_514)),
            (json!("x"), json!({"string": "x"})),
            (json!("00ff"), json!("AP8=")),
            (json!("00ff"), json!("00FF")),
            (json!([1, {"a": 2}]), json!([1.0, {"a": "2"}])),
        ] {
            assert!(agree(&sent, &found), "{sent} {found}");
        }
    }

    #[test]
    fn what_means_another_thing_does_not() {
        for (sent, found) in [
            (json!(5), json!(6)),
            (json!(9_007_199_254_740_991_i64), json!(9_007_199_254_740_990_i64)),
            (json!("12.30"), json!(12.31)),
            (json!("a"), json!("b")),
            (json!("A"), json!("a")),
            (json!(null), json!(0)),
            (json!("2026-03-02T10:00:00.123456Z"), json!(1_772_445_600_123_i64)),
            (json!("2026-03-02T10:00:00.123Z"), json!("2026-03-02T10:00:00.124Z")),
            (json!("2026-03-02"), json!(20_515)),
            (json!([1]), json!([1, 2])),
            (json!({"a": 1}), json!({"b": 1})),
            (json!("x"), json!({"string": "y"})),
            (json!(16_777_217), json!(16_777_216)),
            (json!("abcd"), json!("ABCE")),
        ] {
            assert!(!agree(&sent, &found), "{sent} {found}");
        }
    }
}
