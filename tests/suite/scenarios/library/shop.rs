//! The scenarios of the shop: counts by the rules, and what orders are like.

use std::collections::BTreeMap;

use super::super::{by_rule, hourly};
use super::{share, text, under, values, whole};

/// What a rule multiplies the orders of an hour by.
type Rule = fn(f64) -> f64;

/// Each scenario with its intensity and rule.
const RULES: [(&str, f64, Rule); 9] = [
    ("baseline", 1.0, |_| 1.0),
    ("payment_outage", 1.5, |h| if (1.0..=3.0).contains(&h) { 0.2 } else { 1.0 }),
    ("viral_moment", 2.5, |h| {
        let spread = if h <= 6.0 { libm::exp(h) / libm::exp(6.0) } else { 1.0 };
        if h < 8.0 { spread * libm::exp(h / 3.0) } else { spread }
    }),
    ("flash_sale", 10.625, |h| if h < 4.0 { libm::exp2(h) } else { 0.5 }),
    ("returns_wave", 1.2, |_| 1.0),
    ("supply_disruption", 0.8, |_| 1.0),
    ("seasonal_planning", 1.8, |_| 1.0),
    ("multi_channel", 1.18, |_| 1.0),
    ("customer_segments", 1.0, |_| 1.0),
];

#[test]
fn the_counts_of_all_nine_are_those_of_the_rules() {
    for (name, intensity, rule) in RULES {
        let expected = by_rule(800.0, intensity, 26, rule);
        assert_eq!(hourly(&under(name, "orders", &[]), 26), expected, "{name}");
    }
    // A thousand an hour at 8.5, as it is written there.
    let sale = by_rule(1_000.0, 8.5, 6, RULES[3].2);
    assert_eq!(hourly(&under("flash_sale", "orders", &[]), 6), sale);
    assert_eq!(sale[..4], [2_550, 5_302, 11_794, 27_370]);
}

#[test]
fn the_counts_follow_the_rules_at_any_rate_and_intensity() {
    for (name, _, rule) in RULES {
        for (rate, written, intensity) in [(20_000.0, "20000/h", 0.3), (77.0, "77/h", 5.0)] {
            let times = intensity.to_string();
            let flags = [("traffic.rate", written), ("traffic.intensity", times.as_str())];
            let expected = by_rule(rate, intensity, 7, rule);
            assert_eq!(hourly(&under(name, "orders", &flags), 7), expected, "{name} at {written}");
        }
    }
}

#[test]
fn a_scenario_that_is_placed_later_is_the_same_from_there_on() {
    let placed = under("{ use = \"flash_sale\", at = \"5h\" }", "orders", &[]);
    let later = by_rule(800.0, 10.625, 12, |h| if h < 5.0 { 1.0 } else { RULES[3].2(h - 5.0) });
    assert_eq!(hourly(&placed, 12), later);
}

#[test]
fn the_young_are_more_in_orders_and_in_the_changelog_and_are_the_same_people() {
    let (plan, base) =
        (under("customer_segments", "orders", &[]), under("baseline", "orders", &[]));
    let cohorts = |plan| -> BTreeMap<String, String> {
        let told = values(plan, "customer", 0..8 * 24);
        told.iter()
            .map(|(_, it)| {
                let word = |name: &str| text(&it[name]).unwrap().to_owned();
                (word("customer_id"), word("cohort"))
            })
            .collect()
    };
    let (told, before) = (cohorts(&plan), cohorts(&base));
    assert!(told.len() > 2_000, "{}", told.len());
    let pairs: Vec<(&String, &String)> =
        told.iter().filter_map(|(who, now)| Some((now, before.get(who)?))).collect();
    assert!((share(&pairs, |(now, _)| *now == "gen_z") - 0.43).abs() < 0.02);
    assert!((share(&pairs, |(_, before)| *before == "gen_z") - 0.28).abs() < 0.02);
    assert!(pairs.iter().all(|(now, before)| now == before || *now == "gen_z"), "one way only");
    let orders = values(&plan, "orders", 0..96);
    assert!((share(&orders, |(_, it)| text(&it["cohort"]) == Some("gen_z")) - 0.43).abs() < 0.01);
    let mut seen = 0;
    for (_, order) in &orders {
        let who = text(&order["customer_id"]).unwrap();
        if let Some(cohort) = told.get(who) {
            assert_eq!(Some(cohort.as_str()), text(&order["cohort"]), "{who}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} orders of customers who were told of");
    let young: Vec<_> =
        orders.iter().filter(|(_, it)| text(&it["cohort"]) == Some("gen_z")).collect();
    for (name, value, expected) in
        [("channel", "app", 0.4), ("payment_method", "bnpl", 0.4), ("payment_method", "cod", 0.0)]
    {
        let found = share(&young, |(_, it)| text(&it[name]) == Some(value));
        assert!((found - expected).abs() < 0.01, "{value}: {found}");
    }
}

#[test]
fn the_sale_takes_70_percent_off_electronics_and_off_nothing_else() {
    let plan = under("flash_sale", "orders", &[("traffic.rate", "80/h")]);
    let (mut lines, mut others) = (0, 0);
    for (hours, item) in values(&plan, "order_items", 0..5) {
        let [gross, discount] = ["gross_minor", "discount_minor"].map(|name| whole(&item[name]));
        let electronics = text(&item["category"]) == Some("electronics");
        if hours < 4.0 && electronics {
            assert_eq!(discount, (gross * 7 + 5) / 10, "{item:?}");
            lines += 1;
        } else {
            assert!(discount <= (gross + 4) / 5, "{item:?}");
            others += 1;
        }
        assert_eq!(whole(&item["net_minor"]), gross - discount);
    }
    assert!(lines > 500 && others > 500, "{lines} and {others}");
    for (_, order) in values(&plan, "orders", 0..4) {
        let [subtotal, discount, tax, shipping, total] =
            ["subtotal_minor", "discount_minor", "tax_minor", "shipping_minor", "total_minor"]
                .map(|name| whole(&order[name]));
        assert_eq!(total, subtotal - discount + tax + shipping);
        assert_eq!(tax, ((subtotal - discount) * 8 + 50) / 100);
    }
}

#[test]
fn the_season_takes_15_percent_off_what_has_not_more() {
    let plan = under("seasonal_planning", "orders", &[]);
    let items = values(&plan, "order_items", 0..3);
    let percent = |gross: i64, of: i64| (gross * of + 50) / 100;
    for (_, item) in &items {
        let [gross, discount] = ["gross_minor", "discount_minor"].map(|name| whole(&item[name]));
        assert!([15, 20].map(|of| percent(gross, of)).contains(&discount), "{item:?}");
    }
    let more = share(&items, |(_, item)| {
        whole(&item["discount_minor"]) == percent(whole(&item["gross_minor"]), 20)
    });
    // 15 % of orders are in a campaign; how many of these have 20 % off hangs on which are popular.
    assert!((0.01..0.12).contains(&more), "{more}");
}

#[test]
fn in_the_wave_a_quarter_of_what_is_delivered_comes_back() {
    let hours = 40 * 24..41 * 24;
    let flags = [("lanes", "8"), ("tick", "10s")];
    let count = |name: &str, stream: &str| {
        values(&under(name, "orders", &flags), stream, hours.clone()).len() as f64
    };
    let share = count("returns_wave", "returns") / count("returns_wave", "deliveries");
    assert!((share - 0.24).abs() < 0.015, "{share}");
    let share = count("baseline", "returns") / count("baseline", "deliveries");
    assert!((share - 0.08).abs() < 0.01, "{share}");
}
