//! Check digits, reserved ranges and distances, worked out without the library.

use std::collections::BTreeMap;

/// Ranges that nobody has, as their keepers publish them.
pub(super) mod reserved {
    /// First digits of card numbers that processors publish for tests.
    pub(crate) const BINS: [&str; 18] = [
        "41111111", "42424242", "40128888", "40000566", "55555555", "51051051", "52008282",
        "22230031", "54545454", "37828224", "37144963", "60111111", "60110009", "30569309",
        "36227206", "35660020", "35301113", "62000000",
    ];

    /// Whether a number is of the country's ranges for fiction: prefix, and how many digits follow.
    pub(crate) fn is_phone(number: &str, country: &str) -> bool {
        let Some(digits) = number.strip_prefix('+') else { return false };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        // North America: 555-0100 to 555-0199 behind any area code.
        if ["US", "CA"].contains(&country) {
            return digits.len() == 11 && digits.starts_with('1') && &digits[4..9] == "55501";
        }
        let ranges: &[(&str, usize)] = match country {
            "GB" => &[
                ("441134960", 3),
                ("441144960", 3),
                ("441154960", 3),
                ("441164960", 3),
                ("441174960", 3),
                ("441184960", 3),
                ("441214960", 3),
                ("441314960", 3),
                ("441414960", 3),
                ("441514960", 3),
                ("441614960", 3),
                ("441914980", 3),
                ("442079460", 3),
                ("442896496", 3),
                ("442920180", 3),
                ("441632960", 3),
                ("443069990", 3),
                ("447700900", 3),
            ],
            "DE" => &[
                ("493023125", 3),
                ("496990009", 3),
                ("494066969", 3),
                ("492214710", 3),
                ("498999998", 3),
            ],
            "FR" => &[
                ("3319900", 4),
                ("3326191", 4),
                ("3335301", 4),
                ("3346571", 4),
                ("3353649", 4),
                ("3363998", 4),
            ],
            "AU" => &[
                ("6125550", 4),
                ("6127010", 4),
                ("6135550", 4),
                ("6137010", 4),
                ("6175550", 4),
                ("6177010", 4),
                ("6185550", 4),
                ("6187010", 4),
            ],
            "IE" => &[("3532091", 5)],
            "SE" => &[("463139006", 2), ("464062804", 2), ("468465004", 2), ("46980319", 3)],
            _ => &[],
        };
        ranges
            .iter()
            .any(|(prefix, more)| digits.starts_with(prefix) && digits.len() == prefix.len() + more)
    }
}

/// ISO 13616: the first four characters to the end, letters as two digits, 1 is left by 97.
pub(super) fn iban_is_sound(iban: &str) -> bool {
    if !(15..=34).contains(&iban.len()) || !iban.is_ascii() {
        return false;
    }
    let turned = format!("{}{}", &iban[4..], &iban[..4]);
    let digits: String = turned
        .chars()
        .map(|letter| match letter {
            '0'..='9' => letter.to_string(),
            letter => (u32::from(letter) - u32::from('A') + 10).to_string(),
        })
        .collect();
    let rest = digits.bytes().fold(0_u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
    let checks = iban[2..4].parse::<u8>();
    rest == 1 && checks.is_ok_and(|checks| (2..=98).contains(&checks))
}

/// ISO/IEC 7812: every second digit from the right doubled, their digits' sum ends in 0.
pub(super) fn luhn_is_sound(number: &str) -> bool {
    let mut sum = 0;
    for (place, digit) in number.bytes().rev().enumerate() {
        if !digit.is_ascii_digit() {
            return false;
        }
        let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        sum += if value > 9 { value - 9 } else { value };
    }
    sum % 10 == 0
}

/// Along a great circle, by the haversine formula.
pub(super) fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let parallels = from.0.to_radians().cos() * to.0.to_radians().cos();
    let h = half(from.0, to.0) + parallels * half(from.1, to.1);
    2.0 * 6_371.008_8 * h.sqrt().asin()
}

/// Pearson's statistic, and what it stays below in all but one of 10,000 cases.
pub(super) fn chi_squared(
    counts: &BTreeMap<&str, u64>,
    shares: &BTreeMap<&str, f64>,
) -> (f64, f64) {
    assert!(counts.keys().all(|name| shares.contains_key(name)), "{counts:?}");
    let total: u64 = counts.values().sum();
    let weight: f64 = shares.values().sum();
    let statistic = shares.iter().map(|(name, share)| {
        let expected = share / weight * total as f64;
        (counts.get(name).copied().unwrap_or(0) as f64 - expected).powi(2) / expected
    });
    let freedom = (shares.len() - 1) as f64;
    // Wilson and Hilferty's approximation at 3.72 standard deviations.
    let spread = 2.0 / (9.0 * freedom);
    (statistic.sum(), freedom * (1.0 - spread + 3.72 * spread.sqrt()).powi(3))
}
