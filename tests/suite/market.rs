//! The market model: quotes and trades hang together, and look like those of an exchange.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate::stream::Options;

use crate::determinism::model;
use crate::members::rows;

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
const YEAR_S: f64 = 31_557_600.0;
/// A Monday, midnight in New York.
const START: &str = "2026-03-02T05:00:00Z";
/// The same, in microseconds since 1970.
const START_US: i64 = 1_772_427_600 * SECOND_US;

/// A week of quotes and trades, thinned out, and of bars.
fn week() -> [Vec<Value>; 3] {
    let rates = ["streams.quotes.traffic.rate", "streams.trades.traffic.rate"];
    let plan = model("market", &[("start", START), (rates[0], "0.2/s"), (rates[1], "0.1/s")]);
    let mut streams = [Vec::new(), Vec::new(), Vec::new()];
    let window_us = 0..7 * 24 * HOUR_US.unsigned_abs();
    for (number, row) in rows(&plan, Options { window_us, ..Options::default() }) {
        streams[number].push(row);
    }
    streams
}

fn number(row: &Value, field: &str) -> f64 {
    let value = &row[field];
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn time_us(row: &Value) -> i64 {
    let text = row["event_time"].as_str().unwrap();
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn between(name: &str, found: f64, least: f64, most: f64) {
    assert!((least..=most).contains(&found), "{name} is {found}, outside {least} to {most}");
}

#[test]
fn a_week_of_quotes_and_trades_looks_like_an_exchange() {
    let [quotes, trades, bars] = week();
    between("quotes", quotes.len() as f64, 119_000.0, 123_000.0);
    between("trades", trades.len() as f64, 59_000.0, 62_000.0);
    let mut hours = BTreeMap::new();
    let mut shares: BTreeMap<&str, usize> = BTreeMap::new();
    for row in quotes.iter().chain(&trades) {
        let hour = (time_us(row) - START_US) / HOUR_US;
        assert!(hour / 24 < 5 && (9..16).contains(&(hour % 24)), "closed at hour {hour}: {row}");
        *hours.entry(hour % 24).or_insert(0_usize) += 1;
        *shares.entry(row["symbol"].as_str().unwrap()).or_default() += 1;
    }
    let least = hours.iter().min_by_key(|(_, count)| **count).unwrap();
    assert!([12, 13].contains(least.0), "a day has its low at noon: {hours:?}");
    assert!(hours[&10] > hours[&11] && hours[&15] > hours[&14], "{hours:?}");
    let mut counts: Vec<usize> = shares.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let all: usize = counts.iter().sum();
    let top: usize = counts[..400].iter().sum();
    between("the share of the busiest tenth", top as f64 / all as f64, 0.62, 0.75);
    quotes_are_sound(&quotes);
    trades_are_sound(&trades);
    bars_are_sound(&bars);
}

fn bars_are_sound(bars: &[Value]) {
    assert_eq!(bars.len(), 5 * 4_000, "one a share and day of trading");
    let mut last: BTreeMap<&str, f64> = BTreeMap::new();
    let (mut squares, mut pairs, mut ranges) = (0.0, 0.0, 0.0);
    for row in bars {
        let since_us = time_us(row) - START_US;
        let late_us = since_us % (24 * HOUR_US) - 16 * HOUR_US;
        assert!((0..30 * SECOND_US).contains(&late_us), "{row}");
        assert_eq!(row["day"], row["event_time"].as_str().unwrap()[..10], "{row}");
        let [open, high, low, close] = ["open", "high", "low", "close"].map(|it| number(row, it));
        assert!(low <= open.min(close) && high >= open.max(close) && low > 0.0, "{row}");
        assert!(number(row, "volume") >= 100.0, "{row}");
        let symbol = row["symbol"].as_str().unwrap();
        if close > 20.0 {
            ranges += (high / low).ln();
            if let Some(before) = last.insert(symbol, close) {
                squares += (close / before).ln().powi(2) * 365.25;
                pairs += 1.0;
            }
        }
    }
    between("the volatility from close to close", f64::sqrt(squares / pairs), 0.35, 0.45);
    // The range of a driftless walk is √(8/π) of its deviation (Feller 1951): of 6.5 hours at 0.38 a
    // year, less for the spread of the volatilities.
    let expected = f64::sqrt(8.0 / std::f64::consts::PI * 6.5 / 8_766.0) * 0.38;
    let range = ranges / (pairs * 5.0 / 4.0);
    between("the range of a day over what theory says", range / expected, 0.85, 1.1);
}

fn quotes_are_sound(quotes: &[Value]) {
    let mut widths = Vec::new();
    let mut last: BTreeMap<&str, (i64, f64)> = BTreeMap::new();
    let (mut squares, mut pairs) = (0.0, 0.0);
    for row in quotes {
        let (bid, ask) = (number(row, "bid"), number(row, "ask"));
        assert!(bid > 0.0 && ask >= bid + 0.0099, "{row}");
        let lots = [number(row, "bid_size"), number(row, "ask_size")];
        assert!(lots.iter().all(|size| *size >= 100.0 && size % 100.0 == 0.0), "{row}");
        widths.push((ask - bid) / bid * 10_000.0);
        let (at, middle) = (time_us(row), f64::midpoint(bid, ask));
        let symbol = row["symbol"].as_str().unwrap();
        let Some((before, value)) = last.get(symbol).copied() else {
            last.insert(symbol, (at, middle));
            continue;
        };
        // Far apart, so that the width of the tick does not count, and only of dear shares.
        if at - before > 12 * HOUR_US && middle > 20.0 {
            let years = (at - before) as f64 / 1e6 / YEAR_S;
            squares += (middle / value).ln().powi(2) / years;
            pairs += 1.0;
            last.insert(symbol, (at, middle));
        }
    }
    widths.sort_by(f64::total_cmp);
    between("the median width in basis points", widths[widths.len() / 2], 7.0, 11.0);
    assert!(pairs > 5_000.0, "{pairs} pairs");
    between("the volatility of a year", f64::sqrt(squares / pairs), 0.35, 0.45);
}

fn trades_are_sound(trades: &[Value]) {
    let mut odd = 0.0;
    for row in trades {
        let size = number(row, "size");
        assert!(number(row, "price") > 0.0 && size >= 1.0, "{row}");
        assert_eq!(row["odd_lot"].as_bool().unwrap(), size < 100.0, "{row}");
        assert!(size < 100.0 || size % 100.0 == 0.0, "{row}");
        odd += f64::from(u8::from(size < 100.0));
    }
    between("the share of odd lots", odd / trades.len() as f64, 0.54, 0.56);
}
