//! Habits: where accounts pay again, and how they travel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::afterwards::{Event, events};
use super::population::Figure;

const HOUR_US: f64 = 3.6e9;
const DAYS: i64 = 40;
/// From which of its payments on an account is known to have habits.
const KNOWN_FROM: usize = 30;

/// Forty days of some 780 accounts: what each pays, in the order of time.
fn accounts() -> &'static BTreeMap<&'static str, Vec<&'static Event>> {
    static ACCOUNTS: OnceLock<BTreeMap<&'static str, Vec<&'static Event>>> = OnceLock::new();
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    ACCOUNTS.get_or_init(|| {
        let flags = [("traffic.rate", "1500/day"), ("lanes", "1"), ("seed", "13")];
        let mut accounts: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in EVENTS.get_or_init(|| events(&flags, DAYS, &["authorisations"])) {
            if !event.text("account_id").is_empty() {
                accounts.entry(event.text("account_id")).or_default().push(event);
            }
        }
        accounts
    })
}

/// Kilometres between two terminals, along the great circle.
fn distance_km(one: &Event, other: &Event) -> f64 {
    let place = |event: &Event| {
        ["latitude", "longitude"].map(|field| event.row[field].as_f64().unwrap().to_radians())
    };
    let ([north, east], [to_north, to_east]) = (place(one), place(other));
    let across = ((to_north - north) / 2.0).sin().powi(2);
    let along = ((to_east - east) / 2.0).sin().powi(2) * north.cos() * to_north.cos();
    12_742.0 * (across + along).min(1.0).sqrt().asin()
}

#[test]
fn accounts_mostly_pay_again_where_they_have_paid_before() {
    let (mut again, mut all) = (0.0_f64, 0.0_f64);
    for payments in accounts().values() {
        let mut known = BTreeSet::new();
        for (number, payment) in payments.iter().enumerate() {
            let new = known.insert(payment.text("merchant_id"));
            if number >= KNOWN_FROM {
                all += 1.0;
                again += f64::from(u8::from(!new));
            }
        }
    }
    assert!(all > 20_000.0, "{all}");
    let name = "payments at merchants that are known".to_owned();
    super::expect_all(&[Figure { name, found: again / all, least: 0.50, greatest: 0.80 }]).unwrap();
}

#[test]
fn accounts_travel_no_faster_than_aeroplanes_and_pay_mostly_at_home() {
    let (mut fast, mut pairs, mut moved) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut home, mut present) = (0.0_f64, 0.0_f64);
    for payments in accounts().values() {
        let there: Vec<_> = payments.iter().filter(|it| !it.row["latitude"].is_null()).collect();
        present += there.len() as f64;
        home +=
            there.iter().filter(|it| it.row["merchant_country"] == it.row["card_country"]).count()
                as f64;
        for pair in there.windows(2) {
            let hours = (pair[1].at_us - pair[0].at_us) as f64 / HOUR_US;
            let km = distance_km(pair[0], pair[1]);
            pairs += 1.0;
            // Within a city the way is not far however soon the next payment comes.
            moved += f64::from(u8::from(km > 50.0));
            fast += f64::from(u8::from(km > 50.0 && km > 800.0 * hours));
        }
    }
    let figure = |name: &str, found, least, greatest| Figure {
        name: name.to_owned(),
        found,
        least,
        greatest,
    };
    super::expect_all(&[
        figure("pairs in person faster than 800 km/h", fast / pairs, 0.0, 1e-3),
        figure("pairs in person in two cities", moved / pairs, 0.005, 0.06),
        figure("in person in the card's country", home / present, 0.87, 0.93),
    ])
    .unwrap();
}

#[test]
fn accounts_pay_one_to_three_times_a_day_and_hardly_ever_forty_times() {
    let mut counts = Vec::new();
    let begin = accounts().values().map(|payments| payments[0].at_us).min().unwrap();
    for payments in accounts().values() {
        let mut days = vec![0.0; usize::try_from(DAYS).unwrap() + 1];
        for payment in payments {
            days[usize::try_from((payment.at_us - begin) / 86_400_000_000).unwrap()] += 1.0;
        }
        counts.extend_from_slice(&days[..usize::try_from(DAYS).unwrap()]);
    }
    counts.sort_by(f64::total_cmp);
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let last = counts[counts.len() - 1 - counts.len() / 1_000];
    super::expect_all(&[
        Figure {
            name: "payments an account and day".to_owned(),
            found: mean,
            least: 1.0,
            greatest: 3.0,
        },
        Figure {
            name: "their 99.9th percentile".to_owned(),
            found: last,
            least: 5.0,
            greatest: 40.0,
        },
    ])
    .unwrap();
}
