//! Changelogs: what events refer to has a record that agrees with them.

use std::collections::BTreeMap;

use super::afterwards::{Event, events};

/// The records of a changelog by key: what does not change in them is the same in all of one key.
fn by_key<'a>(events: &'a [Event], stream: &str, key: &str) -> BTreeMap<&'a str, &'a Event> {
    let records = events.iter().filter(|event| event.stream == stream);
    records.map(|event| (event.text(key), event)).collect()
}

#[test]
fn whoever_and_whatever_a_payment_names_has_a_record_that_agrees_with_it() {
    let logs = ["customer", "account", "card", "device", "merchant"];
    let snapshots = logs.map(|log| format!("entities.{log}.changelog.snapshot"));
    let mut flags = vec![("traffic.rate", "2000/day"), ("lanes", "1"), ("seed", "13")];
    flags.extend(snapshots.iter().map(|flag| (flag.as_str(), "spread 1d")));
    let streams = [&logs[..], &["authorisations"]].concat();
    let events = events(&flags, 2, &streams);
    let told: Vec<_> = logs
        .iter()
        .zip(["customer_id", "account_id", "card_token", "device_id", "merchant_id"])
        .map(|(stream, key)| (key, by_key(&events, stream, key)))
        .collect();
    let (mut found, mut devices) = (0, 0);
    for event in events.iter().filter(|event| event.stream == "authorisations") {
        if event.text("account_id").is_empty() {
            continue;
        }
        for (key, records) in &told {
            let name = event.text(key);
            if name.is_empty() {
                continue;
            }
            let record = records.get(name).unwrap_or_else(|| panic!("no {key}: {event:?}"));
            for field in ["account_id", "customer_id", "bin", "last4", "mcc", "acquirer_id"] {
                if record.row.get(field).is_some() {
                    assert_eq!(
                        record.row[field], event.row[field],
                        "{field}: {record:?} {event:?}"
                    );
                }
            }
            let country = if *key == "merchant_id" { "merchant_country" } else { "card_country" };
            if record.row.get("country").is_some() {
                assert_eq!(record.row["country"], event.row[country], "{record:?} {event:?}");
            }
            if *key == "account_id" {
                assert_eq!(record.row["currency"], event.row["billing_currency"], "{event:?}");
            }
            if *key == "merchant_id" {
                let shown = event.text("merchant_name_location");
                assert!(shown.starts_with(record.text("name")), "{record:?} {event:?}");
                assert_eq!(shown[25..38].trim_end(), record.text("city").trim_end(), "{event:?}");
            }
            devices += usize::from(*key == "device_id");
        }
        found += 1;
    }
    assert!(found > 3_000 && devices > 100, "{found} payments, {devices} devices");
}
