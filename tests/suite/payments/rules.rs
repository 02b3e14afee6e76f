//! The rules by which a row of `payments.authorisations` hangs together.

use serde_json::Value;

use super::reference::{Reference, scaled};
use super::row::{Entry, Row};

/// Degrees that a terminal may lie from its city.
const CITY_RADIUS: f64 = 0.1201;
/// What the largest payment comes to, in euro cents, its ending included.
const AMOUNT_MAX: i64 = 2_501_000;

type Rule = fn(&Row, &Reference) -> Result<(), String>;

/// All rules, each with the name that its refusals begin with.
pub(super) const RULES: [(&str, Rule); 16] = [
    ("identity", identity),
    ("entry", entry),
    ("time", time),
    ("message", message),
    ("form", form),
    ("account", account),
    ("place", place),
    ("terminal", terminal),
    ("issuer", issuer),
    ("amount", amount),
    ("billing", billing),
    ("verification", verification),
    ("online", online),
    ("checks", checks),
    ("three_ds", three_ds),
    ("response", response),
];

/// Checks one row against all rules.
pub(super) fn check(value: &Value, reference: &Reference) -> Result<Row, String> {
    let row = Row::read(value)?;
    for (name, rule) in RULES {
        rule(&row, reference).map_err(|reason| format!("{name}: {reason}"))?;
    }
    Ok(row)
}

/// An error with a sentence where a condition does not hold.
fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn is_text(text: &str, length: usize, allowed: fn(&u8) -> bool) -> bool {
    text.len() == length && text.bytes().all(|byte| allowed(&byte))
}

fn is_digits(text: &str, length: usize) -> bool {
    is_text(text, length, u8::is_ascii_digit)
}

fn is_hex(text: &str, length: usize) -> bool {
    is_text(text, length, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_base36(text: &str, length: usize) -> bool {
    is_text(text, length, |byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z'))
}

fn is_numbered(text: &str, prefix: &str, length: usize) -> bool {
    text.strip_prefix(prefix).is_some_and(|number| is_digits(number, length))
}

fn identity(row: &Row, _: &Reference) -> Result<(), String> {
    let id = uuid::Uuid::parse_str(&row.event_id).map_err(|error| error.to_string())?;
    ensure(id.get_version_num() == 8, || format!("{id} is not a UUID of version 8"))?;
    let first = row.attempt_no == 1 && row.original_event_id.is_none();
    ensure(first, || format!("attempt {} of {:?}", row.attempt_no, row.original_event_id))
}

fn time(row: &Row, reference: &Reference) -> Result<(), String> {
    let instant: jiff::Timestamp =
        row.event_time.parse().map_err(|error: jiff::Error| error.to_string())?;
    let (country, city) = row.location()?;
    let city = reference.cities.get(&(country, city)).ok_or("unknown city")?;
    let there = instant.in_tz(&city.zone).map_err(|error| error.to_string())?;
    // `%:z` has no seconds: offsets of today's zones have none either.
    let expected = there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let local = &row.local_time;
    ensure(without_fraction(local) == expected, || format!("local {local}, expected {expected}"))
}

/// RFC 3339 without the second's fraction.
fn without_fraction(text: &str) -> String {
    let Some((before, after)) = text.split_once('.') else { return text.to_owned() };
    format!("{before}{}", after.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

fn message(row: &Row, _: &Reference) -> Result<(), String> {
    let approved = row.response_code == "00";
    let known = row.mti == "0100" || (row.mti == "0120" && approved);
    ensure(known, || format!("mti {} with response {}", row.mti, row.response_code))?;
    let what = if row.mcc == "6011" { "01" } else { "00" };
    let codes = [format!("{what}2000"), format!("{what}3000")];
    ensure(codes.contains(&row.processing_code), || {
        format!("processing code {} at MCC {}", row.processing_code, row.mcc)
    })
}

fn form(row: &Row, _: &Reference) -> Result<(), String> {
    let forms = [
        ("stan", &row.stan, is_digits(&row.stan, 6)),
        ("rrn", &row.rrn, is_base36(&row.rrn, 12)),
        ("acquirer_id", &row.acquirer_id, is_digits(&row.acquirer_id, 6)),
        ("card_token", &row.card_token, is_hex(&row.card_token, 16)),
        ("last4", &row.last4, is_digits(&row.last4, 4)),
        ("merchant_id", &row.merchant_id, is_numbered(&row.merchant_id, "mrch-", 8)),
        ("terminal_id", &row.terminal_id, is_base36(&row.terminal_id, 8)),
    ];
    let wrong = forms.iter().find(|(_, _, holds)| !holds);
    wrong.map_or(Ok(()), |(name, text, _)| Err(format!("{name} is {text:?}")))
}

fn account(row: &Row, _: &Reference) -> Result<(), String> {
    let nobody = row.response_code == "14";
    let holds = match (&row.account_id, &row.customer_id) {
        (None, None) => nobody,
        (Some(account), Some(customer)) => {
            let numbered = is_numbered(account, "acct-", 10) && is_numbered(customer, "cust-", 10);
            !nobody && numbered
        }
        _ => false,
    };
    ensure(holds, || {
        let (account, customer) = (&row.account_id, &row.customer_id);
        format!("response {}, account {account:?}, customer {customer:?}", row.response_code)
    })?;
    let typed = matches!(row.entry()?, Entry::Manual | Entry::ECommerce);
    ensure(!nobody || typed, || format!("response 14 with entry {}", row.pos_entry_mode))
}

fn place(row: &Row, reference: &Reference) -> Result<(), String> {
    let (country, city) = row.location()?;
    ensure(country == row.merchant_country, || {
        format!("{country} in DE43, merchant country {}", row.merchant_country)
    })?;
    let currency = &reference.country(&country)?.currency;
    ensure(row.currency == *currency, || format!("{} in {country}", row.currency))?;
    let Some(place) = reference.cities.get(&(country.clone(), city.clone())) else {
        return Err(format!("no city {city:?} in {country}"));
    };
    match (row.latitude, row.longitude) {
        (None, None) => Ok(()),
        (Some(latitude), Some(longitude)) => {
            let north = (latitude - place.latitude).abs();
            let east = (longitude - place.longitude).abs();
            let near = north < CITY_RADIUS && east < CITY_RADIUS;
            ensure(near, || format!("{latitude}, {longitude} is not in {city}"))
        }
        _ => Err("half a coordinate".to_owned()),
    }
}

fn terminal(row: &Row, reference: &Reference) -> Result<(), String> {
    let trade = reference.trades.get(&row.mcc).ok_or_else(|| format!("MCC {}", row.mcc))?;
    let name = row.merchant_name_location.get(..25).unwrap_or_default();
    ensure(name.contains(&trade.sign), || format!("{name:?} with MCC {}", row.mcc))?;
    let at_machine = ["051", "071", "801", "901"].contains(&row.pos_entry_mode.as_str());
    let cash = trade.kind == "cash";
    ensure(!cash || at_machine, || format!("entry {} at a cash machine", row.pos_entry_mode))
}

fn issuer(row: &Row, reference: &Reference) -> Result<(), String> {
    let country = reference.country(&row.card_country)?;
    ensure(row.billing_currency == country.currency, || {
        format!("billed {} in {}", row.billing_currency, row.card_country)
    })?;
    let known = row.bin == country.national_bin || reference.schemes.contains_key(&row.bin);
    ensure(known, || format!("BIN {} of {}", row.bin, row.card_country))
}

fn amount(row: &Row, reference: &Reference) -> Result<(), String> {
    let cents = row.amount_minor.saturating_mul(10_000) / reference.rate(&row.currency)?;
    ensure(row.amount_minor > 0 && cents <= AMOUNT_MAX, || {
        format!("{} {}", row.amount_minor, row.currency)
    })?;
    let note = match row.currency.as_str() {
        "EUR" | "GBP" | "CHF" | "JPY" => 1_000,
        "USD" | "CAD" | "AUD" => 2_000,
        _ => 1,
    };
    ensure(row.mcc != "6011" || row.amount_minor % note == 0, || {
        format!("{} {} from a cash machine", row.amount_minor, row.currency)
    })
}

fn billing(row: &Row, reference: &Reference) -> Result<(), String> {
    let billed = row.billing_amount_minor;
    let Some(text) = &row.conversion_rate else {
        let same = row.currency == row.billing_currency && billed == row.amount_minor;
        return ensure(same, || format!("{billed} billed without a rate"));
    };
    ensure(row.currency != row.billing_currency, || format!("rate {text} within a currency"))?;
    let rate = i128::from(scaled(text, 6)?);
    let expected = divide(i128::from(row.amount_minor) * rate, 1_000_000);
    ensure(i128::from(billed) == expected, || format!("{billed} billed, expected {expected}"))?;
    let home = i128::from(reference.rate(&row.billing_currency)?);
    let there = i128::from(reference.rate(&row.currency)?);
    let known = reference.fees.iter().any(|fee| {
        let unit = divide(home * i128::from(*fee), 10_000);
        divide(unit * 1_000_000, there) == rate
    });
    ensure(known, || format!("{text} from {} to {}", row.currency, row.billing_currency))
}

/// The quotient of numbers that are not negative, halves up.
fn divide(dividend: i128, divisor: i128) -> i128 {
    (2 * dividend + divisor) / (2 * divisor)
}

fn entry(row: &Row, _: &Reference) -> Result<(), String> {
    let entry = row.entry()?;
    ensure(!row.recurring || entry == Entry::OnFile, || {
        format!("recurring with entry mode {}", row.pos_entry_mode)
    })
}

fn verification(row: &Row, reference: &Reference) -> Result<(), String> {
    let mode = row.pos_entry_mode.as_str();
    let way = row.cardholder_verification.as_str();
    let authenticated = row.three_ds_result.as_deref() == Some("Y");
    let holds = match (row.entry()?, way) {
        // Up to 50 € contactless goes without; endings move an amount by less than 2 €.
        (Entry::InPerson, "none") => {
            row.mcc != "6011" && !(mode.starts_with("07") && row.euro(reference)? > 52.0)
        }
        (Entry::InPerson, "pin") => mode.ends_with('1'),
        (Entry::InPerson, "device") => mode.starts_with("07") && row.mcc != "6011",
        (Entry::InPerson, "signature") => !mode.starts_with("07") && row.mcc != "6011",
        (Entry::InPerson, _) => false,
        (_, "three_ds") => authenticated,
        (_, "none") => !authenticated,
        _ => false,
    };
    ensure(holds, || format!("{way} with entry mode {mode} at MCC {}", row.mcc))
}

fn online(row: &Row, _: &Reference) -> Result<(), String> {
    let at_screen = match row.entry()? {
        Entry::ECommerce => true,
        Entry::OnFile => !row.recurring,
        Entry::InPerson | Entry::Manual => false,
    };
    let (device, ip) = (row.device_id.as_deref(), row.ip.as_deref());
    let holds = match (device, ip) {
        (Some(device), Some(ip)) => at_screen && is_hex(device, 16) && reaches_nobody(ip),
        (None, None) => !at_screen,
        _ => false,
    };
    ensure(holds, || format!("entry {}, device {device:?}, ip {ip:?}", row.pos_entry_mode))
}

/// Whether an address is in 100.64.0.0/10 or 240.0.0.0/4.
fn reaches_nobody(text: &str) -> bool {
    let Ok(address) = text.parse::<std::net::Ipv4Addr>() else { return false };
    match address.octets() {
        [100, second, ..] => (64..128).contains(&second),
        [first, ..] => (240..255).contains(&first),
    }
}

fn checks(row: &Row, reference: &Reference) -> Result<(), String> {
    let given = matches!(row.entry()?, Entry::Manual | Entry::ECommerce);
    let response = row.response_code.as_str();
    let cvv = row.cvv_result.as_deref();
    let cvv_holds = match cvv {
        None => !given,
        Some("N") => given && response != "14",
        Some("M" | "P") => given && !matches!(response, "14" | "82" | "N7"),
        Some("U") => given && !matches!(response, "82" | "N7"),
        Some(_) => false,
    };
    ensure(cvv_holds, || format!("security code {cvv:?} with response {response}"))?;
    let checked = reference.country(&row.card_country)?.address_check;
    let avs = row.avs_result.as_deref();
    let avs_holds = match avs {
        None => !(given && checked && response != "14"),
        Some(result) => {
            given && checked && response != "14" && ["Y", "Z", "A", "N", "U"].contains(&result)
        }
    };
    ensure(avs_holds, || format!("address {avs:?} for a card of {}", row.card_country))
}

fn three_ds(row: &Row, reference: &Reference) -> Result<(), String> {
    let result = row.three_ds_result.as_deref();
    if row.entry()? != Entry::ECommerce {
        return ensure(row.eci.is_none() && result.is_none(), || {
            format!("3-D Secure with entry mode {}", row.pos_entry_mode)
        });
    }
    let known = matches!(result, None | Some("Y" | "A" | "I" | "U"));
    ensure(known && (result.is_none() || row.response_code != "14"), || format!("{result:?}"))?;
    let mastercard = reference.scheme(&row.bin) == Some("mastercard");
    let expected = match (mastercard, result) {
        (false, Some("Y")) => "05",
        (false, Some("A")) => "06",
        (false, _) => "07",
        (true, Some("Y")) => "02",
        (true, Some("A")) => "01",
        (true, _) => "00",
    };
    ensure(row.eci.as_deref() == Some(expected), || {
        format!("eci {:?} after {result:?} for BIN {}", row.eci, row.bin)
    })
}

fn response(row: &Row, reference: &Reference) -> Result<(), String> {
    let code = row.response_code.as_str();
    ensure(reference.responses.contains(code), || format!("unknown code {code:?}"))?;
    let approval = row.approval_code.as_deref();
    let holds = match approval {
        Some(approval) => code == "00" && is_base36(approval, 6),
        None => code != "00",
    };
    ensure(holds, || format!("approval {approval:?} with code {code}"))?;
    let possible = match code {
        "55" | "75" => row.cardholder_verification == "pin",
        "R0" | "R1" | "R3" => row.recurring,
        "1A" => row.entry()? == Entry::ECommerce && row.cardholder_verification != "three_ds",
        "N7" => row.cvv_result.is_some(),
        _ => true,
    };
    ensure(possible, || format!("code {code} with entry mode {}", row.pos_entry_mode))
}
