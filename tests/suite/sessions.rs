//! The sessions model: what is done in a session hangs together with the login that began it.

#![expect(clippy::panic, reason = "a field of another type fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::OnceLock;

use serde_json::Value;
use tidegate::stream::Options;

use crate::determinism::{START, model};
use crate::members::rows;

/// Streams of the model, in its order.
const STREAMS: [&str; 5] = ["logins", "second_tries", "third_tries", "changes", "logouts"];

/// An hour and a half of the day, by stream.
fn told() -> &'static BTreeMap<&'static str, Vec<Value>> {
    static TOLD: OnceLock<BTreeMap<&'static str, Vec<Value>>> = OnceLock::new();
    TOLD.get_or_init(|| {
        // So few customers that they come back.
        let mean = ("entities.customer.activity.mean", "12/day");
        let plan = model("sessions", &[("start", START), ("traffic.rate", "8/s"), mean]);
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        let mut told = BTreeMap::new();
        for (number, row) in
            rows(&plan, Options { window_us: 0..5_400_000_000, ..Options::default() })
        {
            told.entry(STREAMS[number]).or_insert_with(Vec::new).push(row);
        }
        told
    })
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("`{field}` is no text: {row}"))
}

fn time_us(row: &Value) -> i64 {
    text(row, "event_time").parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// A share against what it should be, within five standard deviations.
fn share(name: &str, found: usize, of: usize, expected: f64) {
    assert!(of > 50, "{name}: only {of}");
    let (found, of) = (found as f64 / of as f64, of as f64);
    let deviation = f64::sqrt(expected * (1.0 - expected) / of);
    let distance = (found - expected).abs();
    assert!(distance < 5.0 * deviation, "{name}: {found} of {of}, not {expected}");
}

fn is(rows: &[Value], field: &str, value: &str) -> usize {
    rows.iter().filter(|row| text(row, field) == value).count()
}

#[test]
fn everything_in_a_session_is_of_the_login_that_it_began_with() {
    let told = told();
    let mut earlier: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    for stream in STREAMS {
        for row in &told[stream] {
            assert!(earlier.insert(text(row, "event_id"), (stream, row)).is_none(), "{row}");
        }
    }
    for (stream, above, outcome) in [
        ("second_tries", "logins", "failure"),
        ("third_tries", "second_tries", "failure"),
        ("changes", "logins", "success"),
        ("logouts", "logins", "success"),
    ] {
        for row in &told[stream] {
            let (found, before) = earlier[text(row, "previous_event_id")];
            assert_eq!((found, text(before, "outcome")), (above, outcome), "{row}");
            assert!(time_us(row) > time_us(before), "{row}");
            for field in [
                "session_id",
                "customer_id",
                "method",
                "device_id",
                "device_known",
                "user_agent",
                "ip",
                "ip_country",
            ] {
                assert_eq!(row[field], before[field], "{field}: {row}");
            }
        }
    }
    let ends = told["logouts"].iter().map(|row| (text(row, "session_id"), time_us(row)));
    let ended: BTreeMap<&str, i64> = ends.collect();
    for change in &told["changes"] {
        let end = ended.get(text(change, "session_id"));
        assert!(end.is_none_or(|end| time_us(change) < *end), "changed after the end: {change}");
    }
}

#[test]
fn each_event_agrees_with_itself_and_its_addresses_are_nobodys() {
    for (stream, row) in
        told().iter().flat_map(|(name, rows)| rows.iter().map(move |it| (*name, it)))
    {
        let login = text(row, "event_type") == "login";
        assert_eq!(login, row["attempt_no"].is_i64(), "{row}");
        let failed = login && text(row, "outcome") == "failure";
        assert_eq!(failed, !row["failure_reason"].is_null(), "{row}");
        assert_eq!(stream == "changes", !row["change_type"].is_null(), "{row}");
        assert_eq!(stream == "logins", row["previous_event_id"].is_null(), "{row}");
        let challenged = text(row, "outcome") == "challenged";
        let known = row["device_known"].as_bool().unwrap();
        assert!(!challenged || !known, "{row}");
        assert!(known || text(row, "outcome") != "success", "{row}");
        let [a, b, ..] = text(row, "ip").parse::<Ipv4Addr>().unwrap().octets();
        assert!(a >= 240 || a == 100 && (64..128).contains(&b), "{row}");
        let reason = row["failure_reason"].as_str().unwrap_or("locked");
        let fits: &[&str] = match text(row, "method") {
            "password" => &["wrong_password", "locked", "expired"],
            "one_time_code" => &["wrong_code", "expired", "locked"],
            "biometric" => &["not_recognised", "locked"],
            _ => &["aborted", "locked"],
        };
        assert!(fits.contains(&reason), "{row}");
    }
}

#[test]
fn a_known_device_is_of_one_customer_and_an_unknown_one_of_nobody() {
    let mut owners: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut strange = BTreeSet::new();
    for row in &told()["logins"] {
        let (device, agent) = (text(row, "device_id"), text(row, "user_agent"));
        if row["device_known"] == true {
            let owner = (text(row, "customer_id"), agent);
            assert_eq!(*owners.entry(device).or_insert(owner), owner, "{row}");
        } else {
            assert!(strange.insert(device), "{row}");
        }
    }
    let logins = told()["logins"].len();
    assert!(owners.len() < logins * 9 / 10, "{} devices come back in {logins}", owners.len());
    assert!(strange.iter().all(|device| !owners.contains_key(device)));
    share("logins with another device", strange.len(), logins, 0.015);
}

#[test]
fn outcomes_and_what_follows_have_their_shares() {
    let told = told();
    let logins = &told["logins"];
    for (method, expected) in
        [("password", 0.07), ("one_time_code", 0.04), ("biometric", 0.025), ("passkey", 0.006)]
    {
        let of: Vec<Value> =
            logins.iter().filter(|row| text(row, "method") == method).cloned().collect();
        share(&format!("failures by {method}"), is(&of, "outcome", "failure"), of.len(), expected);
    }
    let good = is(logins, "outcome", "success");
    share("changes", told["changes"].len(), good, 0.008);
    share(
        "failed second tries",
        is(&told["second_tries"], "outcome", "failure"),
        told["second_tries"].len(),
        0.22,
    );
    // A logout comes up to half an hour later: those of the first hour are all there.
    let begin = START.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let first_hour = |row: &&Value| time_us(row) < begin + 3_600_000_000;
    let first: BTreeMap<&str, &Value> = logins
        .iter()
        .filter(first_hour)
        .filter(|row| text(row, "outcome") == "success")
        .map(|row| (text(row, "session_id"), row))
        .collect();
    let ended = told["logouts"].iter().filter(|row| first.contains_key(text(row, "session_id")));
    share("logouts", ended.count(), first.len(), 0.4);
}
