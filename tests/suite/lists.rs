//! Arrays, maps, records and unions: what is made is what was asked for, and any reader reads it.

mod model;

use std::collections::BTreeSet;

use apache_avro::types::Value;
use serde_json::json;

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
        assert!(notes.values().all(|note| matches!(opened(note), Value::Null) == (lines.len() <= 2)));
        let gift = field(order, "gift");
        assert_eq!(*gift == Value::Null, lines.len() <= 3);
    }
    assert_eq!(lengths, (0..=4).collect());
    // Parts are drawn apart, whatever item of whatever order they are in.
    let count = all_parts.len();
    let distinct: BTreeSet<_> = all_parts.into_iter().collect();
    assert!(count > 4_000 && distinct.len() * 1_000 > count * 985, "{} of {count}", distinct.len());
}
