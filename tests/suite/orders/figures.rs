//! Shares and sizes against the figures of the domain.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate::stream::Options;

use super::{HOUR_US, HOURS, RATE, Told, number, of, read, start_us, text, time_us};
use crate::determinism::{START, model};

/// The value of chi-squared that one in 10,000 fair draws exceeds, by degrees of freedom from 1.
const LIMITS: [f64; 8] = [15.14, 18.42, 21.11, 23.51, 25.74, 27.86, 29.88, 31.83];

/// Whether values have these shares, by chi-squared.
fn shares<'a>(name: &str, values: impl Iterator<Item = &'a str>, expected: &[(&str, f64)]) {
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1.0);
    let all: f64 = counts.values().sum();
    assert!(all > 100.0, "{name}: only {all} values");
    let mut chi = 0.0;
    for (value, share) in expected {
        let found = counts.remove(value).unwrap_or_default();
        chi += (found - share * all).powi(2) / (share * all);
    }
    assert!(counts.is_empty(), "{name}: unexpected {counts:?}");
    let limit = LIMITS[expected.len() - 2];
    assert!(chi < limit, "{name}: chi-squared of {all} values against {expected:?} is {chi}");
}

/// A share against what it should be, within five standard deviations.
fn share(name: &str, found: usize, of: usize, expected: f64) {
    let (found, of) = (found as f64 / of as f64, of as f64);
    let deviation = f64::sqrt(expected * (1.0 - expected) / of);
    let distance = (found - expected).abs();
    assert!(distance < 5.0 * deviation, "{name}: {found} of {of}, not {expected}");
}

fn of_cohort<'a>(cohort: &'a str, field: &'a str) -> impl Iterator<Item = &'static str> + 'a {
    of("orders").filter(move |row| text(row, "cohort") == cohort).map(move |row| text(row, field))
}

#[test]
fn cohorts_are_28_35_25_and_12_percent() {
    let expected = [("gen_z", 0.28), ("millennial", 0.35), ("gen_x", 0.25), ("boomer", 0.12)];
    let mut members = BTreeMap::new();
    of("customer").for_each(|row| {
        members.insert(text(row, "customer_id"), text(row, "cohort"));
    });
    shares("cohorts of customers", members.into_values(), &expected);
    // Orders of one customer are of one cohort, so that theirs vary more than draws.
    for (cohort, expected) in expected {
        let found = of_cohort(cohort, "cohort").count() as f64 / of("orders").count() as f64;
        assert!((found - expected).abs() < 0.025, "orders of {cohort}: {found}, not {expected}");
    }
}

#[test]
fn channels_are_40_40_20_of_gen_z_0_30_70_of_boomers_and_25_35_40_of_others() {
    let gen_z = [("app", 0.4), ("mobile_web", 0.4), ("web", 0.2)];
    let boomer = [("mobile_web", 0.3), ("web", 0.7)];
    let other = [("app", 0.25), ("mobile_web", 0.35), ("web", 0.40)];
    shares("channels of gen_z", of_cohort("gen_z", "channel"), &gen_z);
    shares("channels of boomers", of_cohort("boomer", "channel"), &boomer);
    for cohort in ["millennial", "gen_x"] {
        shares(&format!("channels of {cohort}"), of_cohort(cohort, "channel"), &other);
    }
}

#[test]
fn gen_z_pays_40_40_20_by_card_bnpl_and_upi_and_others_60_25_15_by_card_upi_and_cod() {
    let gen_z = [("card", 0.4), ("bnpl", 0.4), ("upi", 0.2)];
    let other = [("card", 0.60), ("upi", 0.25), ("cod", 0.15)];
    shares("methods of gen_z", of_cohort("gen_z", "payment_method"), &gen_z);
    for cohort in ["millennial", "gen_x", "boomer"] {
        shares(&format!("methods of {cohort}"), of_cohort(cohort, "payment_method"), &other);
    }
}

#[test]
fn states_are_85_10_3_and_2_percent_and_quantities_60_25_10_and_5() {
    let states = [("confirmed", 0.85), ("pending", 0.10), ("cancelled", 0.03), ("rejected", 0.02)];
    shares("states", of("orders").map(|row| text(row, "status")), &states);
    let digits = ["0", "1", "2", "3", "4"];
    let digit = |row: &Value, field| digits[usize::try_from(number(row, field)).unwrap()];
    let quantities = [("1", 0.60), ("2", 0.25), ("3", 0.10), ("4", 0.05)];
    shares("quantities", of("order_items").map(|row| digit(row, "quantity")), &quantities);
    let lines = [("1", 0.58), ("2", 0.24), ("3", 0.12), ("4", 0.06)];
    shares("lines", of("orders").map(|row| digit(row, "line_count")), &lines);
    let campaigns = of("orders").filter(|row| !row["campaign_id"].is_null()).count();
    share("orders in campaigns", campaigns, of("orders").count(), 0.15);
}

#[test]
fn payments_fail_5_percent_of_the_time_10_10_80_for_funds_expired_cards_and_others() {
    let tried = of("payments").filter(|row| text(row, "payment_method") != "cod").count();
    let failed: Vec<_> = of("payments").filter(|row| text(row, "status") == "failed").collect();
    share("failed payments", failed.len(), tried, 0.05);
    let reasons = [("insufficient_funds", 0.10), ("expired_card", 0.10), ("other", 0.80)];
    shares("reasons", failed.iter().map(|row| text(row, "failure_reason")), &reasons);
    let expired = failed.iter().filter(|row| text(row, "failure_reason") == "expired_card");
    assert!(expired.into_iter().all(|row| text(row, "payment_method") == "card"));
}

#[test]
fn of_what_is_delivered_8_percent_comes_back() {
    let end_us = start_us() + i64::try_from(HOURS).unwrap() * HOUR_US;
    let before = |stream: &'static str, minutes: i64| {
        of(stream).filter(|row| time_us(row) < end_us - minutes * 60_000_000).count()
    };
    share("returns", of("returns").count(), before("deliveries", 30), 0.08);
    share("deliveries", of("deliveries").count(), before("shipments", 20), 0.995);
    assert_eq!(of("refunds").count(), before("returns", 10), "every return is paid back");
}

#[test]
fn prices_are_lognormal_with_mu_and_sigma_of_their_categories() {
    for (group, (mu, sigma)) in
        [("electronics", (5.5, 0.8)), ("clothing", (3.5, 0.6)), ("other", (4.0, 0.7))]
    {
        let is = |category: &str| match category {
            "electronics" | "clothing" => category == group,
            _ => group == "other",
        };
        let products: BTreeMap<&str, i64> = of("product")
            .filter(|row| is(text(row, "category")))
            .map(|row| (text(row, "product_id"), number(row, "price_minor")))
            .collect();
        let mut prices: Vec<f64> =
            products.into_values().map(|price| price as f64 / 100.0).collect();
        prices.sort_by(f64::total_cmp);
        let count = prices.len() as f64;
        assert!(count > 2_000.0, "{count} products of {group}");
        let mut distance: f64 = 0.0;
        for (rank, price) in prices.iter().enumerate() {
            let below = 0.5 * libm::erfc((mu - libm::log(*price)) / sigma / f64::sqrt(2.0));
            let (least, most) = (rank as f64 / count, (rank + 1) as f64 / count);
            distance = distance.max((below - least).abs()).max((below - most).abs());
        }
        let limit = 1.95 / f64::sqrt(count);
        assert!(distance < limit, "{group}, ({mu}, {sigma}): {distance}, not below {limit}");
    }
}

#[test]
fn orders_an_hour_are_the_rate_times_the_base_curve() {
    let base = |hour: f64| {
        0.3 + 0.7 * (0.5 + 0.5 * libm::sin(2.0 * std::f64::consts::PI * (hour - 6.0) / 24.0))
    };
    let mut counts = [0.0; 8];
    for row in of("orders") {
        let hour = (time_us(row) - start_us()) / HOUR_US;
        counts[usize::try_from(hour).unwrap()] += 1.0;
    }
    let mut chi = 0.0;
    for (hour, found) in counts.iter().enumerate() {
        let expected = f64::from(RATE) * base(hour as f64);
        chi += f64::powi(found - expected, 2) / expected;
    }
    assert!(chi < LIMITS[7], "{counts:?} against {RATE} · base(h): chi-squared {chi}");
    // 800 an hour give 240 in the first hour, and 0.65 · 800 on average.
    let mean = (0..24).map(|hour| base(f64::from(hour))).sum::<f64>() / 24.0;
    assert!((800.0 * base(0.0) - 240.0).abs() < 1e-9 && (mean - 0.65).abs() < 1e-9);
    let orders = model("orders", &[("start", START)]).streams[0].rate_per_s() * 3_600.0;
    assert!((orders - 800.0).abs() < 0.1, "{orders} orders an hour before the curve");
}

#[test]
fn after_two_months_as_much_follows_as_is_ordered() {
    let flat = [("start", START), ("traffic.rate", "20000/h"), ("traffic.curves", "[]")];
    let plan = model("orders", &flat);
    let begin_us = 60 * 24 * HOUR_US.unsigned_abs();
    let window_us = begin_us..begin_us + HOUR_US.unsigned_abs() / 2;
    let mut told = Told::new();
    read(&plan, Options { window_us, ..Options::default() }, &mut told);
    let paid = 0.95;
    let sent = paid * (1.0 - 0.05 * 0.892);
    let items = 0.58 + 0.24 * 2.0 + 0.12 * 3.0 + 0.06 * 4.0;
    for (stream, share) in [
        ("orders", 1.0),
        ("order_items", items),
        ("payments", paid),
        ("shipments", sent),
        ("deliveries", sent * 0.995),
        ("returns", sent * 0.995 * 0.08),
        ("refunds", sent * 0.995 * 0.08),
    ] {
        let (found, expected) = (told[stream].len() as f64, 10_000.0 * share);
        // Items come in groups, and steps after one another share their strata of delays.
        let limit = 5.0 * f64::sqrt(2.0 * expected);
        assert!((found - expected).abs() < limit, "{stream}: {found}, not {expected}");
    }
}
