//! How many events come when: the rate, its curve, and a Poisson process's variance.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tidegate::config::ModelSource;
use tidegate::plan::Plan;

use super::{SECOND_US, compile, events, only_authorisations, plan, window};

const SCHEMA: &str = r#"{ "type": "record", "name": "Beat", "fields": [
  { "name": "at", "type": { "type": "long", "logicalType": "timestamp-micros" } } ] }"#;

/// A model of nothing but times, with these lines of traffic.
pub(crate) fn beats(traffic: &str) -> Arc<Plan> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Beat.avsc"), SCHEMA).unwrap();
    let text = format!(
        "seed = 5\nstart = \"2026-03-02T00:00:00Z\"\n[traffic]\n{traffic}\n\
         [streams.beats]\ntopic = \"beats\"\nschema = \"Beat.avsc\"\n\
         [streams.beats.fields]\nat = \"event_time\"\n"
    );
    let directory = folder.path().to_path_buf();
    compile(&ModelSource::Text { name: "beats".to_owned(), directory, text }, Vec::new())
}

fn times(plan: &Arc<Plan>, window_us: Range<u64>) -> Vec<u64> {
    let since = |due_us: i64| (due_us - plan.start_us).unsigned_abs();
    events(plan, window(window_us)).iter().map(|event| since(event.due_us)).collect()
}

/// How many times fall into each of `bins` equal parts of the window.
fn histogram(times: &[u64], window_us: &Range<u64>, bins: u64) -> Vec<f64> {
    let width = (window_us.end - window_us.start) / bins;
    let mut counts = vec![0.0; usize::try_from(bins).unwrap()];
    for time in times {
        counts[usize::try_from((time - window_us.start) / width).unwrap()] += 1.0;
    }
    counts
}

/// Pearson's sum, which is chi-squared with as many degrees of freedom as there are counts.
fn chi_squared(counts: &[f64], expected: &[f64]) -> f64 {
    counts.iter().zip(expected).map(|(count, mean)| (count - mean).powi(2) / mean).sum()
}

/// Five standard deviations of chi-squared with 24 degrees of freedom, and about as improbable a
/// floor: counts that are too even are no Poisson process either.
const CHI_SQUARED_24: Range<f64> = 3.0..24.0 + 5.0 * 6.93;

#[test]
fn the_hours_of_a_day_follow_the_curve() {
    let curve: Vec<f64> = (0..24).map(|hour| f64::from(1 + hour % 7)).collect();
    let mean: f64 = curve.iter().sum::<f64>() / 24.0;
    let numbers: Vec<String> = curve.iter().map(|value| format!("{value:.1}")).collect();
    let plan = beats(&format!("rate = \"1/s\"\ncurves = [[{}]]", numbers.join(", ")));
    let day_us = 0..24 * 3_600 * SECOND_US;
    let counts = histogram(&times(&plan, day_us.clone()), &day_us, 24);
    let expected: Vec<f64> = curve.iter().map(|value| 3_600.0 * value / mean).collect();
    let sum = chi_squared(&counts, &expected);
    assert!(CHI_SQUARED_24.contains(&sum), "{sum}: {counts:?}, expected {expected:?}");
}

// From 24 March to 16 April in Berlin, with the day of 23 hours on which summer time begins.
#[test]
fn days_and_dates_follow_their_curves_in_local_time() {
    let plan = beats(
        "rate = \"0.05/s\"\ncurves = [\"wages\", \"feasts\"]\nzone = \"Europe/Berlin\"\ncap = 2.5\n\
         [curves.wages]\ndays = { 1 = 2, -1 = 3 }\nnormalise = false\n\
         [curves.feasts]\ndates = { \"04-05\" = 2.2, \"2026-03-28\" = 0.5, \"2027-03-30\" = 9 }",
    );
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let first = jiff::civil::date(2026, 3, 24);
    let dates: Vec<jiff::civil::Date> = first.series(jiff::ToSpan::day(1)).take(25).collect();
    let since = |date: &jiff::civil::Date| {
        let midnight = date.to_zoned(zone.clone()).unwrap().timestamp().as_microsecond();
        (midnight - plan.start_us).unsigned_abs()
    };
    let begins: Vec<u64> = dates.iter().map(since).collect();
    let times = times(&plan, begins[0]..begins[24]);
    let (counts, expected): (Vec<f64>, Vec<f64>) = (0..24)
        .map(|day| {
            let is_inside = |time: &&u64| (begins[day]..begins[day + 1]).contains(*time);
            let value = match (dates[day].month(), dates[day].day()) {
                (3, 28) => 0.5,
                (3, 31) => 2.5,
                (4, 1) => 2.0,
                (4, 5) => 2.2,
                _ => 1.0,
            };
            let seconds = (begins[day + 1] - begins[day]) as f64 / SECOND_US as f64;
            (times.iter().filter(is_inside).count() as f64, seconds * 0.05 * value)
        })
        .unzip();
    let sum = chi_squared(&counts, &expected);
    assert!(CHI_SQUARED_24.contains(&sum), "{sum}: {counts:?}, expected {expected:?}");
}

#[test]
fn windows_of_ten_milliseconds_have_the_variance_of_a_poisson_process() {
    let plan = beats("rate = \"2000/s\"");
    let window_us = 0..50 * SECOND_US;
    let counts = histogram(&times(&plan, window_us.clone()), &window_us, 5_000);
    let bins = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / bins;
    // The sum of 50 s is Poisson, mean 100,000.
    assert!((mean * bins - 100_000.0).abs() < 5.0 * 100_000.0_f64.sqrt(), "{mean}");
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (bins - 1.0);
    let dispersion = variance / mean;
    let sigma = (2.0 / (bins - 1.0)).sqrt();
    assert!((dispersion - 1.0).abs() < 5.0 * sigma, "{dispersion}, ±{sigma}");
    // Neighbours know nothing of each other.
    let product = |pair: &[f64]| (pair[0] - mean) * (pair[1] - mean);
    let correlation = counts.windows(2).map(product).sum::<f64>() / (bins - 1.0) / variance;
    assert!(correlation.abs() < 5.0 / bins.sqrt(), "{correlation}");
}

#[test]
fn payments_come_by_the_hour_of_each_payers_own_zone() {
    let begins: Vec<u64> = (0..24).map(|k| k * 7 * 3_600 * SECOND_US).collect();
    let window_us = 2 * SECOND_US;
    let plan = plan();
    let zones = zones();
    let curve = card_week();
    let rate = 500.0 * 2.0;
    let expected: Vec<f64> = begins
        .iter()
        .map(|begin_us| {
            let at = plan.start_us + i64::try_from(*begin_us).unwrap();
            let at = jiff::Timestamp::from_microsecond(at).unwrap();
            let weights: f64 = zones.iter().map(|(_, weight)| weight).sum();
            let of_zone = |(zone, weight): &(TimeZone, f64)| {
                let local = at.to_zoned(zone.clone());
                let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
                weight * curve[day * 24 + usize::try_from(local.hour()).unwrap()]
            };
            rate * zones.iter().map(of_zone).sum::<f64>() / weights
        })
        .collect();
    let count = |begin: &u64| {
        let options = only_authorisations(&plan, window(*begin..*begin + window_us));
        events(&plan, options).len() as f64
    };
    let counts: Vec<f64> = begins.iter().map(count).collect();
    let sum = chi_squared(&counts, &expected);
    assert!(CHI_SQUARED_24.contains(&sum), "{sum}: {counts:?}, expected {expected:?}");
}

/// The zones where accounts are, each with its weight.
fn zones() -> Vec<(TimeZone, f64)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/payments/cities.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.deserialize::<std::collections::BTreeMap<String, String>>();
    rows.map(|row| {
        let row = row.unwrap();
        (TimeZone::get(&row["zone"]).unwrap(), row["accounts"].parse().unwrap())
    })
    .collect()
}

/// The card week, scaled to a mean of 1.
fn card_week() -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/curves.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let hours = table["curves"]["card_week"]["hours"].as_array().unwrap();
    let hours: Vec<f64> = hours.iter().map(|hour| hour.as_float().unwrap()).collect();
    let mean = hours.iter().sum::<f64>() / hours.len() as f64;
    assert_eq!(hours.len(), 168);
    hours.iter().map(|hour| hour / mean).collect()
}
