//! The payments model: every row hangs together, and many rows look like card payments.

mod afterwards;
mod changelogs;
mod disputes;
mod habits;
mod population;
mod reference;
mod row;
mod rules;

use std::process::Command;

use serde_json::{Value, json};

use population::Figure;
use reference::Reference;
use row::Row;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The first rows of the model from a moment on, as the program itself shows them.
fn rows(
    start: &str,
    count: usize,
    more: &[&str],
) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/config/payments.toml");
    let count = count.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["sample", model, "--stream", "authorisations", "-n", &count])
        .args(["--seed", "7", "--start", start])
        .args(more)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let lines = std::str::from_utf8(&output.stdout)?.lines();
    Ok(lines.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn checked(values: &[Value], reference: &Reference) -> Result<Vec<Row>, String> {
    let named = |value: &Value| rules::check(value, reference).map_err(|e| format!("{e}\n{value}"));
    values.iter().map(named).collect()
}

/// Whether payments hang together, each in itself and all with each other.
pub(crate) fn hang_together(values: &[Value]) -> Outcome {
    let rows = checked(values, &Reference::read()?)?;
    Ok(population::consistent(&rows)?)
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture, and when a test fails")]
fn expect_all(figures: &[Figure]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for figure in figures {
        println!("{figure}");
        if !figure.holds() {
            wrong.push(figure.to_string());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[test]
fn many_payments_hang_together_and_look_like_card_payments() -> Outcome {
    let reference = Reference::read()?;
    let values = rows("2026-03-04T12:00:00Z", 100_000, &[])?;
    assert_eq!(values.len(), 100_000, "the sample has as many rows as asked for");
    let rows = checked(&values, &reference)?;
    population::consistent(&rows)?;
    let mut figures = population::amounts(&rows, &reference)?;
    figures.extend(population::declines(&rows, &reference));
    figures.extend(population::habits(&rows));
    Ok(expect_all(&figures)?)
}

#[test]
fn an_account_pays_one_to_three_times_a_day() -> Outcome {
    let reference = Reference::read()?;
    // A day of 10,417 accounts that act 1.92 times each, instead of one of 22 million; in one lane,
    // because so few would not differ in 64.
    let few = ["--set", "traffic.rate=\"20000/day\"", "--set", "lanes=1"];
    let values = rows("2026-03-02T00:00:00Z", 20_000, &few)?;
    let rows = checked(&values, &reference)?;
    population::consistent(&rows)?;
    Ok(expect_all(&population::activity(&rows, 20_000.0 / 1.92)?)?)
}

#[test]
fn a_payment_made_up_by_hand_passes() -> Outcome {
    let reference = Reference::read()?;
    for row in [in_person(), online(), mistyped(), cash()] {
        rules::check(&row, &reference).map_err(|reason| format!("{reason}\n{row}"))?;
    }
    Ok(())
}

#[test]
fn each_rule_refuses_a_payment_that_breaks_it() -> Outcome {
    let reference = Reference::read()?;
    let mut unbroken: Vec<&str> = rules::RULES.iter().map(|(name, _)| *name).collect();
    for (mut row, field, value, rule) in broken() {
        let was = row[field].take();
        assert_ne!(was, value, "{field} is changed");
        row[field] = value;
        let refusal = rules::check(&row, &reference).err();
        let refusal = refusal.ok_or_else(|| format!("no rule sees {field} = {}", row[field]))?;
        assert_eq!(refusal.split(':').next(), Some(rule), "{field} = {}: {refusal}", row[field]);
        unbroken.retain(|name| *name != rule);
    }
    assert!(unbroken.is_empty(), "rules that nothing breaks: {unbroken:?}");
    Ok(())
}

#[test]
fn rows_that_contradict_each_other_are_refused() -> Outcome {
    let reference = Reference::read()?;
    let first = in_person();
    let mut second = in_person();
    second["event_id"] = json!("0b7c9a52-1f0e-8c3d-9a41-5d2e7f6a8b91");
    second["rrn"] = json!("ZZZZZZZZZZZ2");
    population::consistent(&checked(&[first.clone(), second.clone()], &reference)?)?;
    for (field, value) in [
        ("rrn", first["rrn"].clone()),
        ("event_id", first["event_id"].clone()),
        ("last4", json!("1111")),
        ("customer_id", json!("cust-0000000009")),
        ("acquirer_id", json!("470099")),
    ] {
        let mut other = second.clone();
        other[field] = value;
        let rows = checked(&[first.clone(), other], &reference)?;
        assert!(population::consistent(&rows).is_err(), "{field} contradicts");
    }
    Ok(())
}

#[test]
fn a_figure_out_of_bounds_or_of_nothing_is_refused() {
    let figure = |found| Figure { name: "mean".to_owned(), found, least: 1.0, greatest: 2.0 };
    assert!(expect_all(&[figure(1.5)]).is_ok());
    assert!(expect_all(&[figure(2.5)]).is_err());
    assert!(expect_all(&[figure(f64::NAN)]).is_err());
}

/// A Briton pays 12.50 € with chip and PIN at a market in Berlin.
fn in_person() -> Value {
    json!({
        "event_id": "0b7c9a52-1f0e-8c3d-9a41-5d2e7f6a8b90",
        "event_time": "2026-03-02T11:15:30.250000Z",
        "local_time": "2026-03-02T12:15:30+01:00",
        "mti": "0100", "processing_code": "002000", "stan": "004711", "rrn": "Q7Z0K2M4P9X1",
        "acquirer_id": "470012", "card_token": "00c1f2a3b4d5e6f7", "bin": "40000082",
        "last4": "4242", "account_id": "acct-0000012345", "customer_id": "cust-0000010287",
        "merchant_id": "mrch-00004711",
        "merchant_name_location": "NORDWIND MARKET      0412BERLIN       DE",
        "terminal_id": "A1B2C3D4", "mcc": "5411", "merchant_country": "DE", "card_country": "GB",
        "amount_minor": 1250, "currency": "EUR", "billing_amount_minor": 1052,
        "billing_currency": "GBP", "conversion_rate": "0.841600", "pos_entry_mode": "051",
        "cardholder_verification": "pin", "recurring": false, "response_code": "00",
        "approval_code": "X1Y2Z3", "cvv_result": null, "avs_result": null, "eci": null,
        "three_ds_result": null, "device_id": null, "ip": null, "latitude": 52.51,
        "longitude": 13.45, "attempt_no": 1, "original_event_id": null
    })
}

/// The same Briton buys a game in Dublin.
fn online() -> Value {
    let mut row = in_person();
    for (field, value) in [
        ("local_time", json!("2026-03-02T11:15:30.250000+00:00")),
        ("merchant_name_location", json!("SOLARIUM GAMES       9999DUBLIN       IE")),
        ("mcc", json!("5816")),
        ("merchant_country", json!("IE")),
        ("pos_entry_mode", json!("810")),
        ("cardholder_verification", json!("three_ds")),
        ("cvv_result", json!("M")),
        ("avs_result", json!("Y")),
        ("eci", json!("05")),
        ("three_ds_result", json!("Y")),
        ("device_id", json!("0123456789abcdef")),
        ("ip", json!("245.1.2.3")),
        ("latitude", Value::Null),
        ("longitude", Value::Null),
    ] {
        row[field] = value;
    }
    row
}

/// Somebody mistypes a card number there.
fn mistyped() -> Value {
    let mut row = online();
    for (field, value) in [
        ("cardholder_verification", json!("none")),
        ("response_code", json!("14")),
        ("eci", json!("07")),
        ("cvv_result", json!("U")),
    ] {
        row[field] = value;
    }
    for field in ["account_id", "customer_id", "approval_code", "avs_result", "three_ds_result"] {
        row[field] = Value::Null;
    }
    row
}

/// The Briton takes 50 € from a cash machine in Berlin.
fn cash() -> Value {
    let mut row = in_person();
    for (field, value) in [
        ("merchant_name_location", json!("NORDWIND CASH POINT  0001BERLIN       DE")),
        ("mcc", json!("6011")),
        ("processing_code", json!("012000")),
        ("amount_minor", json!(5000)),
        ("billing_amount_minor", json!(4208)),
    ] {
        row[field] = value;
    }
    row
}

/// Payments with one field changed, and the rule that is to see it.
fn broken() -> Vec<(Value, &'static str, Value, &'static str)> {
    vec![
        (in_person(), "surprise", json!(1), "shape"),
        (in_person(), "amount_minor", json!("1250"), "shape"),
        (in_person(), "event_id", json!("0b7c9a52-1f0e-4c3d-9a41-5d2e7f6a8b90"), "identity"),
        (in_person(), "attempt_no", json!(2), "identity"),
        (in_person(), "local_time", json!("2026-03-02T12:15:30+02:00"), "time"),
        (in_person(), "local_time", json!("2026-03-02T12:15:31+01:00"), "time"),
        (online(), "local_time", json!("2026-03-02T12:15:30+01:00"), "time"),
        (in_person(), "mti", json!("0400"), "message"),
        (mistyped(), "mti", json!("0120"), "message"),
        (cash(), "processing_code", json!("002000"), "message"),
        (in_person(), "stan", json!("4711"), "form"),
        (in_person(), "rrn", json!("q7z0k2m4p9x1"), "form"),
        (in_person(), "card_token", json!("4111111111111111111"), "form"),
        (in_person(), "account_id", Value::Null, "account"),
        (mistyped(), "account_id", json!("acct-0000012345"), "account"),
        (in_person(), "response_code", json!("14"), "account"),
        (in_person(), "merchant_country", json!("FR"), "place"),
        (in_person(), "currency", json!("USD"), "place"),
        (in_person(), "latitude", json!(53.55), "place"),
        (in_person(), "longitude", Value::Null, "place"),
        (in_person(), "mcc", json!("5812"), "terminal"),
        (cash(), "pos_entry_mode", json!("052"), "terminal"),
        (in_person(), "billing_currency", json!("EUR"), "issuer"),
        (in_person(), "bin", json!("40000027"), "issuer"),
        (in_person(), "amount_minor", json!(2_501_001), "amount"),
        (in_person(), "amount_minor", json!(0), "amount"),
        (cash(), "amount_minor", json!(5001), "amount"),
        (in_person(), "billing_amount_minor", json!(1053), "billing"),
        (in_person(), "conversion_rate", Value::Null, "billing"),
        (in_person(), "conversion_rate", json!("0.841601"), "billing"),
        (in_person(), "pos_entry_mode", json!("810"), "entry"),
        (in_person(), "recurring", json!(true), "entry"),
        (cash(), "cardholder_verification", json!("none"), "verification"),
        (in_person(), "pos_entry_mode", json!("052"), "verification"),
        (online(), "cardholder_verification", json!("none"), "verification"),
        (online(), "ip", json!("8.8.8.8"), "online"),
        (online(), "device_id", Value::Null, "online"),
        (in_person(), "ip", json!("245.1.2.3"), "online"),
        (online(), "cvv_result", Value::Null, "checks"),
        (online(), "avs_result", Value::Null, "checks"),
        (in_person(), "cvv_result", json!("M"), "checks"),
        (online(), "eci", json!("07"), "three_ds"),
        (online(), "eci", json!("02"), "three_ds"),
        (in_person(), "eci", json!("05"), "three_ds"),
        (in_person(), "approval_code", Value::Null, "response"),
        (in_person(), "approval_code", json!("x1y2z3"), "response"),
        (in_person(), "response_code", json!("51"), "response"),
        (in_person(), "response_code", json!("98"), "response"),
    ]
}
