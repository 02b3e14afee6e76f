//! Arrays, maps, records and unions: what is made is what was asked for, and any reader reads it.

mod counter;
pub(crate) mod model;
mod random;

use std::collections::BTreeSet;

use apache_avro::types::Value;
use serde_json::json;
use tidegate::stream::{Options, Shard};

use crate::determinism::{Event, events};
use model::{field, first, items, opened, plan, refused, text, whole};

/// The schema of an order with items that have parts, and a map of notes.
fn order() -> serde_json::Value {
    json!([
        {"name": "id", "type": "string"},
        {"name": "city", "type": "string"},
        {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "sku", "type": "string"},
            {"name": "quantity", "type": "int"},
            {"name": "price", "type": "long"},
            {"name": "total", "type": "long"},
            {"name": "city", "type": "string"},
            {"name": "parts", "type": {"type": "array", "items": "int"}},
        ]}}},
        {"name": "notes", "type": {"type": "map", "values": ["null", "string"]}},
        {"name": "gift", "type": ["null", {"type": "array", "items": "Item"}]},
    ])
}

const ORDER: &str = r#"
[streams.s.let]
size = { uniform = [0, 4] }
[streams.s.fields]
id = "identity"
city = { choice = ["Rome", "Oslo", "Bonn"] }
notes = { map = { when = "size > 2", choice = ["a", "b"] }, keys = { choice = ["k1", "k2", "k3", "k4", "k5"] }, length = [0, 5] }
[streams.s.fields.items]
length = { attribute = "size" }
[streams.s.fields.items.array.record]
sku = { regex = "[A-Z]{3}-[0-9]{4}" }
quantity = { uniform = [1, 4] }
price = { uniform = [100, 999] }
total = { expression = "quantity * price" }
city = { attribute = "city" }
parts = { array = { uniform = [0, 1000000] }, length = { uniform = [0, 3] } }
[streams.s.fields.gift]
when = "size > 3"
length = 2
[streams.s.fields.gift.array.record]
sku = { constant = "G" }
quantity = { constant = 1 }
price = { uniform = [1, 2] }
total = { attribute = "price" }
city = { constant = "x" }
parts = { array = { constant = 1 }, length = 2 }
"#;

#[test]
fn items_of_nested_lists_are_read_back_and_agree_with_their_row() {
    let orders = first(&plan(&order(), ORDER), 2_000);
    let mut lengths = BTreeSet::new();
    let mut all_parts = Vec::new();
    for order in &orders {
        let lines = items(field(order, "items"));
        lengths.insert(lines.len());
        for line in lines {
            let number = |name| whole(field(line, name));
            assert_eq!(number("total"), number("quantity") * number("price"));
            assert_eq!(field(line, "city"), field(order, "city"));
            let parts = items(field(line, "parts"));
            assert!(parts.len() <= 3);
            all_parts.extend(parts.iter().map(whole));
        }
        let Value::Map(notes) = field(order, "notes") else { panic!("{order:?}") };
        assert!(
            notes.values().all(|note| matches!(opened(note), Value::Null) == (lines.len() <= 2))
        );
        let gift = field(order, "gift");
        assert_eq!(*gift == Value::Null, lines.len() <= 3);
    }
    assert_eq!(lengths, (0..=4).collect());
    // Parts are drawn apart, whatever item of whatever order they are in.
    let count = all_parts.len();
    let distinct: BTreeSet<_> = all_parts.into_iter().collect();
    assert!(count > 4_000 && distinct.len() * 1_000 > count * 985, "{} of {count}", distinct.len());
}

/// What fills the one field `v` of a type, read back.
fn values(avro: &serde_json::Value, generator: &str, count: u64) -> Vec<Value> {
    let fields = json!([{"name": "v", "type": avro}]);
    let plan = plan(&fields, &format!("[streams.s.fields]\nv = {generator}"));
    first(&plan, count).iter().map(|row| field(row, "v").clone()).collect()
}

/// Why `v` is refused.
fn told(avro: &serde_json::Value, generator: &str) -> String {
    let fields = json!([{"name": "v", "type": avro}]);
    refused(&fields, &format!("[streams.s.fields]\nv = {generator}"))
}

#[test]
fn lengths_are_as_likely_as_they_should_be() {
    let avro = json!({"type": "array", "items": "boolean"});
    let mut counts = [0_u32; 4];
    for value in values(&avro, "{ array = { chance = 0.5 }, length = [2, 5] }", 8_000) {
        counts[items(&value).len() - 2] += 1;
    }
    let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 2_000.0).powi(2) / 2_000.0).sum();
    assert!(chi < 16.27, "chi-squared {chi} of 3 degrees of freedom, {counts:?}");
}

#[test]
fn items_are_as_likely_as_they_should_be_wherever_they_stand() {
    let avro = json!({"type": "array", "items": "int"});
    let mut counts = [[0_u32; 8]; 6];
    for value in values(&avro, "{ array = { uniform = [0, 7] }, length = 6 }", 8_000) {
        for (at, item) in items(&value).iter().enumerate() {
            counts[at][usize::try_from(whole(item)).unwrap()] += 1;
        }
    }
    for (at, counts) in counts.iter().enumerate() {
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi < 24.32, "item {at}: chi-squared {chi} of 7 degrees of freedom, {counts:?}");
    }
}

#[test]
fn keys_of_a_map_come_once_and_each_as_often() {
    let avro = json!({"type": "map", "values": "int"});
    let numbers = "{ map = { constant = 1 }, keys = { uniform = [10, 14] }, length = 3 }";
    let texts = "{ map = { constant = 1 }, keys = { choice = [\"a\", \"b\", \"c\", \"d\", \"e\"] }, length = 3 }";
    for generator in [numbers, texts] {
        let mut counts = std::collections::BTreeMap::new();
        for value in values(&avro, generator, 5_000) {
            let Value::Map(entries) = &value else { panic!("{value:?}") };
            // A reader keeps one of two entries with one key: three there are three.
            assert_eq!(entries.len(), 3);
            let keys: BTreeSet<&String> = entries.keys().collect();
            for key in keys {
                *counts.entry(key.clone()).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(counts.len(), 5);
        assert!(counts.values().all(|count| (2_850..3_150).contains(count)), "{counts:?}");
    }
}

#[test]
fn any_takes_the_branches_by_weight() {
    let avro = json!(["null", "long", "string", "double", {"type": "array", "items": "string"},
        {"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]},
        {"type": "record", "name": "Q", "fields": [{"name": "y", "type": "int"}]}]);
    let generator = "{ any = [\"null\", { weight = 2, value = { uniform = [1, 9] } }, \
        { constant = \"x\" }, { weight = 0, value = { choice = [\"never\"] } }, \
        { constant = 0.5 }, { array = { constant = \"i\" }, length = 1 }, \
        { record = { y = { constant = 7 } } }, { record = { x = { constant = 3 } } }] }";
    let mut counts = [0_u32; 7];
    for row in {
        let fields = json!([{"name": "v", "type": avro}]);
        first(&plan(&fields, &format!("[streams.s.fields]\nv = {generator}")), 8_000)
    } {
        let Value::Record(fields) = row else { panic!() };
        let Value::Union(branch, value) = &fields[0].1 else { panic!("{fields:?}") };
        counts[*branch as usize] += 1;
        match (branch, &**value) {
            (1, Value::Long(1..=9)) | (0, Value::Null) => {}
            (2, Value::String(text)) => assert_eq!(text, "x"),
            (3, Value::Double(value)) => assert_eq!(value.to_bits(), 0.5_f64.to_bits()),
            (4, Value::Array(items)) => assert_eq!(text(&items[0]), "i"),
            (5, value) => assert_eq!(whole(field(value, "x")), 3),
            (6, value) => assert_eq!(whole(field(value, "y")), 7),
            other => panic!("{other:?}"),
        }
    }
    let shares = [1, 2, 1, 1, 1, 1, 1];
    let chi: f64 = counts
        .iter()
        .zip(shares)
        .map(|(&count, share)| {
            (f64::from(count) - 1_000.0 * f64::from(share)).powi(2) / (1_000.0 * f64::from(share))
        })
        .sum();
    assert!(chi < 22.46, "chi-squared {chi} of 6 degrees of freedom, {counts:?}");
}

#[test]
fn branches_can_be_named() {
    let avro = json!(["int", "long", "string", {"type": "enum", "name": "a.E", "symbols": ["x"]}]);
    let generator = "{ any = [{ branch = \"long\", value = { constant = 1 } }, \
        { branch = \"int\", value = { constant = 1 } }, { branch = \"E\", value = { constant = \"x\" } }] }";
    let found = values(&avro, generator, 300);
    for value in [Value::Int(1), Value::Long(1), Value::Enum(0, "x".to_owned())] {
        assert!(found.contains(&value), "{value:?}");
    }
    assert!(!found.iter().any(|value| matches!(value, Value::String(_))));
}

#[test]
fn a_mixture_of_one_kind_needs_no_union() {
    let generator = "{ any = [{ constant = 1 }, { uniform = [5, 6] }] }";
    let found: BTreeSet<_> = values(&json!("long"), generator, 300).iter().map(whole).collect();
    assert_eq!(found, [1, 5, 6].into());
    let generator = "{ any = [\"null\", { uniform = [5, 6] }] }";
    let found = values(&json!(["long", "null"]), generator, 300);
    assert!(found.contains(&Value::Null) && found.contains(&Value::Long(5)));
}

#[test]
fn bytes_of_any_length_are_random() {
    let mut ones = 0;
    for value in values(&json!("bytes"), "{ bytes = 21 }", 500) {
        let Value::Bytes(bytes) = value else { panic!("{value:?}") };
        assert_eq!(bytes.len(), 21);
        ones += bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
    }
    assert!((41_300..42_700).contains(&ones), "{ones} of 84,000 bits");
    let mut lengths = BTreeSet::new();
    for value in values(&json!("bytes"), "{ bytes = [3, 9] }", 500) {
        let Value::Bytes(bytes) = value else { panic!("{value:?}") };
        lengths.insert(bytes.len());
    }
    assert_eq!(lengths, (3..=9).collect());
    let fixed = json!({"type": "fixed", "name": "F", "size": 5});
    assert!(matches!(&values(&fixed, "{ bytes = 5 }", 2)[0], Value::Fixed(5, _)));
    let empty = json!({"type": "fixed", "name": "F", "size": 0});
    assert_eq!(values(&empty, "{ bytes = 0 }", 1)[0], Value::Fixed(0, Vec::new()));
}

#[test]
fn durations_and_symbols_are_filled_with_numbers() {
    let duration = json!({"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"});
    let generator = "{ record = { days = { uniform = [3, 4] }, millis = { constant = 5 } } }";
    for value in values(&duration, generator, 50) {
        let Value::Duration(duration) = value else { panic!("{value:?}") };
        assert_eq!(duration.months(), apache_avro::Months::new(0));
        assert!([3, 4].map(apache_avro::Days::new).contains(&duration.days()));
        assert_eq!(duration.millis(), apache_avro::Millis::new(5));
    }
    let symbols = json!({"type": "enum", "name": "S", "symbols": ["a", "b", "c"]});
    let found: BTreeSet<_> =
        values(&symbols, "{ uniform = [1, 2] }", 50).iter().map(|it| text(it).to_owned()).collect();
    assert_eq!(found, ["b", "c"].map(str::to_owned).into());
}

#[test]
fn what_cannot_be_made_is_refused_with_a_way_out() {
    let array = json!({"type": "array", "items": "int"});
    let nested = json!({"type": "array", "items": array});
    let map = json!({"type": "map", "values": "int"});
    let record = json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]});
    let cases = [
        (&array, "{ array = { constant = 1 } }", "has no `length`"),
        (&array, "{ array = { constant = 1 }, length = 20000 }", "must be 0 to 16384"),
        (&array, "{ array = { constant = 1 }, length = [5, 2] }", "goes from 5 down to 2"),
        (&array, "{ array = { constant = 1 }, length = { uniform = [-1, 3] } }", "can be -1"),
        (
            &array,
            "{ array = { constant = 1 }, length = { when = \"1 > 2\", constant = 1 } }",
            "never null",
        ),
        (
            &nested,
            "{ array = { array = { constant = 1 }, length = 200 }, length = 200 }",
            "40000 items",
        ),
        (&array, "{ array = { constant = \"x\" }, length = 1 }", "is not a number"),
        (&array, "{ constant = 1 }", "is an array, but this is a whole number"),
        (
            &map,
            "{ map = { constant = 1 }, keys = { uniform = [1, 2] }, length = 3 }",
            "there are 2",
        ),
        (&map, "{ map = { constant = 1 }, keys = \"null\", length = 3 }", "a key can be null"),
        (&record, "{ record = { b = { constant = 1 } } }", "has no field `b`"),
        (&record, "{ record = { } }", "`v.a` has no source"),
        (&record, "{ record = { a = { expression = \"a + 1\" } } }", "refers to itself"),
        (&array, "{ array = \"identity\", length = 1 }", "no identity of their own"),
        (&json!("bytes"), "{ bytes = 5000 }", "must be 0 to 4096"),
        (&json!({"type": "fixed", "name": "F", "size": 3}), "{ bytes = 5 }", "takes 3 bytes"),
        (
            &json!(["int", "null"]),
            "{ any = [{ constant = \"x\" }, { constant = 1 }] }",
            "no branch for text",
        ),
        (
            &json!(["int"]),
            "{ any = [{ branch = \"lng\", value = { constant = 1 } }] }",
            "no branch `lng`",
        ),
        (&json!("int"), "{ any = [] }", "has no values"),
    ];
    for (avro, generator, reason) in cases {
        let told = told(avro, generator);
        assert!(told.contains(reason) && told.contains("model.toml:"), "{generator}: {told}");
    }
}

#[test]
fn texts_have_the_form_of_their_regular_expression() {
    for (pattern, length) in [
        ("[a-z]{3,8}", None),
        ("[a-z]+@(example|test)\\.(com|org|co\\.uk)", None),
        ("-?[1-9][0-9]{0,5}(\\.[0-9]{1,3})?", None),
        ("^(ab|c[de]?|[x-z]{2,30}){1,4}$", None),
        ("([A-Z]{2}-){0,3}\\d*\\w?.", None),
        ("(red|green|blue)", None),
        ("x{2,5}(y|z|yz)*", None),
        ("[a-z]+", Some((8, 16))),
        ("[a-c]{0,9}-[0-9]+(q|r)[x-z]*", Some((6, 9))),
        ("[a-z]{30,40}", None),
    ] {
        let bound =
            length.map_or_else(String::new, |(min, max)| format!(", length = [{min}, {max}]"));
        let generator = format!("{{ regex = '{pattern}'{bound} }}");
        let form = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let mut lengths = BTreeSet::new();
        for value in values(&json!("string"), &generator, 2_000) {
            let said = text(&value);
            assert!(form.is_match(said), "{pattern}: {said:?}");
            lengths.insert(said.chars().count());
        }
        if let Some((min, max)) = length {
            assert_eq!(lengths, (min..=max).collect(), "{pattern}");
        }
    }
}

#[test]
fn counts_and_alternatives_of_a_regular_expression_are_alike_likely() {
    let mut counts = std::collections::BTreeMap::new();
    for value in values(&json!("string"), "{ regex = 'a{0,3}(x|[yz]y|w)' }", 12_000) {
        let said = text(&value);
        let alternative = said.trim_start_matches('a').chars().last().unwrap();
        *counts.entry((said.matches('a').count(), alternative)).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 12, "{counts:?}");
    let chi: f64 = counts.values().map(|&n| (f64::from(n) - 1_000.0).powi(2) / 1_000.0).sum();
    assert!(chi < 31.26, "chi-squared {chi} of 11 degrees of freedom, {counts:?}");
}

#[test]
fn a_repeat_without_a_bound_is_told() {
    let fields = json!([{"name": "v", "type": "string"}]);
    let told = |generator: &str| {
        let plan = plan(&fields, &format!("[streams.s.fields]\nv = {generator}"));
        plan.warnings.iter().map(|warning| warning.what.clone()).collect::<Vec<_>>()
    };
    let open = told("{ regex = 'a[0-9]+' }");
    assert!(open.len() == 1 && open[0].contains("`+`") && open[0].contains("{1,9}"), "{open:?}");
    assert!(told("{ regex = 'a[0-9]+', length = [3, 5] }").is_empty());
    assert!(told("{ regex = 'a[0-9]{1,9}' }").is_empty());
}

#[test]
fn lists_are_the_same_however_they_are_made() {
    let plan = plan(&order(), &ORDER.replace("[A-Z]{3}-[0-9]{4}", "([A-Z]{3}|[a-z]+)-[0-9]{2,9}"));
    let window = || Options { window_us: 1_234_567..21_000_000, ..Options::default() };
    let usual = events(&plan, window());
    assert!(usual.len() > 1_500, "{}", usual.len());
    for (threads, batch_events) in [(1, 7), (2, 50), (3, 1_000)] {
        let made = events(&plan, Options { threads, batch_events, ..window() });
        assert!(made == usual, "{threads} threads, batches of {batch_events}");
    }
    let shard = |index| Options { shard: Shard { index, count: 3 }, ..window() };
    let mut parts: Vec<_> = (0..3).flat_map(|index| events(&plan, shard(index))).collect();
    assert_eq!(parts.len(), usual.len());
    let by = |event: &Event| (event.due_us, event.datum.clone());
    parts.sort_by_key(by);
    let mut whole = usual.clone();
    whole.sort_by_key(by);
    assert!(parts == whole, "three shards are not the whole");
    let begun = events(&plan, Options { window_us: 9_000_000..21_000_000, ..Options::default() });
    assert!(usual.ends_with(&begun), "a run that begins later differs");
}
