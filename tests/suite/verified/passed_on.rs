//! Outputs of consumers that are not the input: JSON, headers, keys, and filters.

use serde_json::json;

use super::consumer::{id, write};
use super::{LONG, Site, count};
use crate::brokers::topic::{self, Record};
use crate::cli::{self, Running, assert_exit};

/// Reads a topic and writes on what `pass` makes of its records, in two partitions.
fn pass_on(site: &Site, from: &str, to: &str, pass: impl Fn(usize, Record) -> Option<Record>) {
    let records = topic::read(&site.servers, from);
    topic::create(&site.servers, to, 2, &[]);
    let records = records.into_iter().enumerate();
    let mut passed: Vec<Record> =
        records.filter_map(|(number, record)| pass(number, record)).collect();
    for record in &mut passed {
        record.partition %= 2;
    }
    write(&site.servers, to, &passed);
}

/// The amount and the word of a value of the small model.
fn amount_and_word(value: &[u8]) -> (i64, String) {
    let schema = apache_avro::Schema::parse_str(cli::SCHEMA).unwrap();
    let reader = tidegate::encode::json::Reader::new(&schema).unwrap();
    let row = reader.read(&value[5..]).unwrap();
    (row["amount"].as_i64().unwrap(), row["word"].as_str().unwrap().to_owned())
}

#[test]
fn json_that_kept_the_identity_is_compared_field_by_field() {
    let Some(site) = Site::shared() else { return };
    let (from, to) = ("verified.json.in", "verified.json.out");
    let issued = count(&site.run(from, "--count 3000 --speed max"), "issued");
    pass_on(&site, from, to, |number, record| {
        let value = record.value.as_deref().unwrap();
        let (amount, word) = amount_and_word(value);
        let amount = if number == 700 { amount + 1 } else { amount };
        // Texts where the schema has numbers, another order, and fields of its own.
        let row = json!({
            "checked": true,
            "payment": { "word": word, "amount": amount.to_string(), "id": id(value) },
        });
        Some(Record { value: Some(row.to_string().into_bytes()), ..record })
    });
    for place in ["", "--id-path payment.id"] {
        let report = site.verified(&format!("--from {to} --idle 2s {place}"), 3);
        assert_eq!(count(&report, "delivered"), issued);
        assert_eq!((count(&report, "damaged"), count(&report, "missing")), (1, 0));
        let fields = report["findings"][0]["fields"].as_array().unwrap();
        assert_eq!(fields.len(), 1, "{report}");
        assert_eq!(fields[0]["field"], "amount");
    }
}

#[test]
fn the_identity_may_be_in_a_header_or_be_the_key() {
    let Some(site) = Site::shared() else { return };
    let (from, header, key) = ("verified.place.in", "verified.place.header", "verified.place.key");
    let issued = count(&site.run(from, "--count 2000 --speed max"), "issued");
    pass_on(&site, from, header, |_, record| {
        let event = id(record.value.as_deref().unwrap()).into_bytes();
        let headers = vec![("x".to_owned(), None), ("event".to_owned(), Some(event))];
        Some(Record { value: Some(b"done".to_vec()), headers, ..record })
    });
    pass_on(&site, from, key, |_, record| {
        let event = id(record.value.as_deref().unwrap()).into_bytes();
        Some(Record { value: Some(b"done".to_vec()), key: Some(event), ..record })
    });
    for (topic, place) in
        [(header, ""), (header, "--id-header event"), (key, ""), (key, "--id-key")]
    {
        let report = site.verified(&format!("--from {topic} --sample 0 --idle 2s {place}"), 0);
        assert_eq!(count(&report, "delivered"), issued, "{topic} {place}");
    }
    let report = site.verified(&format!("--from {header} --sample 0 --idle 2s --id-key"), 3);
    assert_eq!((count(&report, "foreign"), count(&report, "missing")), (issued, issued));
}

#[test]
fn a_filter_says_what_a_consumer_passes_on() {
    let Some(site) = Site::shared() else { return };
    let (from, to) = ("verified.filter.in", "verified.filter.out");
    let issued = count(&site.run(from, "--count 3000 --speed max"), "issued");
    let leaked = std::cell::Cell::new(0);
    pass_on(&site, from, to, |_, record| {
        let (amount, word) = amount_and_word(record.value.as_deref().unwrap());
        if amount > 2_000 && word == "present" {
            return Some(record);
        }
        // One that it should have held back.
        leaked.set(leaked.get() + 1);
        (leaked.get() == 50).then_some(record)
    });
    let mut output =
        site.command("verify run.json --findings found.jsonl --from verified.filter.out --idle 2s");
    output.args(["--where", "amount > 2000 and word == 'present'"]);
    let output = Running::start(output).wait(LONG);
    assert_exit(&output, 3);
    let report = cli::json(&output);
    assert_eq!(count(&report, "missing"), 0, "{report}");
    assert_eq!(count(&report, "unwanted"), 1);
    assert_eq!(count(&report, "expected"), issued - leaked.get());
    let unfiltered = site.verified(&format!("--from {to} --idle 2s"), 3);
    assert_eq!(count(&unfiltered, "missing"), leaked.get() - 1);
}
