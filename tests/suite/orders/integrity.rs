//! Every reference leads to an earlier event, or to somebody who is as told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{number, of, text, time_us, told};

/// Rows of a stream by a field that is theirs alone.
fn by(stream: &str, field: &str) -> BTreeMap<&'static str, &'static Value> {
    let mut rows = BTreeMap::new();
    for row in of(stream) {
        assert!(rows.insert(text(row, field), row).is_none(), "{field} twice: {row}");
    }
    rows
}

/// What members are like: those that never change, by their number.
fn members(stream: &str, field: &str) -> BTreeMap<&'static str, &'static Value> {
    of(stream).map(|row| (text(row, field), row)).collect()
}

/// `a` · `percent` / 100 to the nearest, halves up.
fn percent_of(a: i64, percent: i64) -> i64 {
    (a * percent + 50) / 100
}

fn agree(row: &Value, other: &Value, fields: &[&str]) {
    for field in fields {
        assert!(!row[field].is_null() && row[field] == other[field], "{field}: {row} and {other}");
    }
}

#[test]
fn orders_are_of_customers_and_add_up() {
    let customers = members("customer", "customer_id");
    assert!(customers.len() > 10_000, "{}", customers.len());
    let campaigns = members("campaign", "campaign_id");
    for (key, row) in &told()["orders"] {
        assert_eq!(key, text(row, "customer_id"));
        let customer = customers[key.as_str()];
        agree(row, customer, &["cohort"]);
        assert_eq!(row["ship_country"], customer["country"], "{row}");
        assert_eq!(row["currency"], "USD");
        let part = |field| number(row, field);
        let [subtotal, discount] = ["subtotal_minor", "discount_minor"].map(part);
        let [tax, shipping] = ["tax_minor", "shipping_minor"].map(part);
        assert_eq!(tax, percent_of(subtotal - discount, 8), "8 % tax: {row}");
        assert_eq!(shipping, if subtotal < 5_000 { 599 } else { 0 }, "5.99 below 50: {row}");
        assert_eq!(part("total_minor"), subtotal - discount + tax + shipping, "{row}");
        match row["campaign_id"].as_str() {
            Some(campaign) => assert!(campaigns.contains_key(campaign), "{row}"),
            None => assert_eq!(discount, 0, "{row}"),
        }
    }
}

#[test]
fn the_items_of_an_order_are_its_lines_and_add_up_to_it() {
    let products = members("product", "product_id");
    let campaigns = members("campaign", "campaign_id");
    let orders = by("orders", "order_id");
    let mut found: BTreeMap<&str, [i64; 4]> = BTreeMap::new();
    for (key, row) in &told()["order_items"] {
        let order = orders[key.as_str()];
        agree(row, order, &["order_id", "customer_id", "event_time", "currency"]);
        let product = products[text(row, "product_id")];
        assert_eq!(row["category"], product["category"], "{row}");
        assert_eq!(row["unit_price_minor"], product["price_minor"], "{row}");
        let part = |field| number(row, field);
        let gross = part("quantity") * part("unit_price_minor");
        assert_eq!(part("gross_minor"), gross, "{row}");
        let percent = match order["campaign_id"].as_str() {
            Some(campaign) => number(campaigns[campaign], "discount_percent"),
            None => 0,
        };
        let discount = percent_of(gross, percent);
        assert_eq!(part("discount_minor"), discount, "quantity × price × share: {row}");
        assert_eq!(part("net_minor"), gross - discount, "{row}");
        let sums = found.entry(key).or_default();
        sums[0] += 1;
        assert_eq!(part("line"), sums[0], "lines come as 1, 2, 3 …: {row}");
        for (sum, value) in sums[1..].iter_mut().zip([part("quantity"), gross, discount]) {
            *sum += value;
        }
    }
    let fields = ["line_count", "item_count", "subtotal_minor", "discount_minor"];
    for (id, order) in &orders {
        assert_eq!(found.remove(id).unwrap(), fields.map(|field| number(order, field)), "{order}");
    }
    assert!(found.is_empty(), "items of no order: {found:?}");
}

#[test]
fn what_follows_an_order_has_it_and_comes_after_it() {
    let orders = by("orders", "order_id");
    let payments = by("payments", "payment_id");
    for row in payments.values() {
        let order = orders[text(row, "order_id")];
        agree(row, order, &["customer_id", "payment_method", "currency"]);
        assert!(["confirmed", "pending"].contains(&text(order, "status")), "{order}");
        assert_eq!((text(row, "kind"), &row["amount_minor"]), ("charge", &order["total_minor"]));
        assert!(time_us(row) >= time_us(order) + 1_000_000, "{row}");
        let failed = text(row, "status") == "failed";
        assert_eq!(failed, !row["failure_reason"].is_null(), "{row}");
        assert_eq!(text(row, "status") == "due", text(row, "payment_method") == "cod", "{row}");
    }
    let shipments = by("shipments", "shipment_id");
    for row in shipments.values() {
        let payment = payments[text(row, "payment_id")];
        agree(row, payment, &["order_id", "customer_id"]);
        assert_ne!(text(payment, "status"), "failed", "{row}");
        assert_eq!(row["ship_country"], orders[text(row, "order_id")]["ship_country"]);
        assert!(time_us(row) > time_us(payment) && text(row, "status") == "shipped", "{row}");
    }
    for row in by("deliveries", "shipment_id").values() {
        let shipment = shipments[text(row, "shipment_id")];
        let same =
            ["order_id", "customer_id", "payment_id", "carrier", "warehouse_id", "ship_country"];
        agree(row, shipment, &same);
        assert!(time_us(row) > time_us(shipment) && text(row, "status") == "delivered", "{row}");
    }
}

#[test]
fn what_comes_back_was_delivered_and_money_goes_back_for_it() {
    let items: BTreeMap<(&str, i64), &Value> =
        of("order_items").map(|row| ((text(row, "order_id"), number(row, "line")), row)).collect();
    let deliveries = by("deliveries", "shipment_id");
    let returns = by("returns", "return_id");
    for row in returns.values() {
        let item = items[&(text(row, "order_id"), number(row, "line"))];
        agree(row, item, &["customer_id", "product_id", "quantity", "currency"]);
        assert_eq!(number(row, "refund_minor"), percent_of(number(item, "net_minor"), 108));
        let delivery = deliveries[text(row, "shipment_id")];
        agree(row, delivery, &["order_id"]);
        assert!(time_us(row) > time_us(delivery), "{row}");
    }
    let payments = by("payments", "payment_id");
    for row in by("refunds", "payment_id").values() {
        let back = returns[text(row, "return_id")];
        agree(row, back, &["order_id", "customer_id"]);
        assert_eq!(row["amount_minor"], back["refund_minor"]);
        let payment = payments[text(row, "original_payment_id")];
        agree(row, payment, &["order_id", "payment_method"]);
        assert!(number(row, "amount_minor") <= number(payment, "amount_minor"), "{row}");
        assert!(time_us(row) > time_us(back) && text(row, "kind") == "refund", "{row}");
    }
    for row in by("collections", "payment_id").values() {
        let payment = payments[text(row, "original_payment_id")];
        agree(row, payment, &["order_id", "payment_method", "amount_minor"]);
        assert_eq!((text(payment, "status"), text(row, "status")), ("due", "captured"));
        assert!(time_us(row) > time_us(payment), "{row}");
    }
}

#[test]
fn what_follows_an_order_is_keyed_by_it_and_no_event_is_another() {
    let mut ids = BTreeSet::new();
    for (stream, id) in [
        ("orders", "order_id"),
        ("order_items", "event_id"),
        ("payments", "payment_id"),
        ("collections", "payment_id"),
        ("refunds", "payment_id"),
        ("shipments", "event_id"),
        ("deliveries", "event_id"),
        ("returns", "return_id"),
    ] {
        assert!(told()[stream].len() > 300, "{stream}: {}", told()[stream].len());
        for (key, row) in &told()[stream] {
            assert!(ids.insert(text(row, id)), "{row}");
            assert!(stream == "orders" || key == text(row, "order_id"), "{key}: {row}");
        }
    }
}
