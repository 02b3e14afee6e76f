//! Roll-calls: one event a member and period.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::Options;

use super::{HOUR_US, read, refusal, rows};

const DAY_US: u64 = 24 * HOUR_US;

const SCHEMA: &str = r#"{"type":"record","name":"Bar","fields":[
    {"name":"at","type":"long"},{"name":"share","type":"string"},{"name":"price","type":"long"}]}"#;

const MODEL: &str = r#"
seed  = 3
start = "2026-01-01T00:00:00Z"
lanes = 4
[entities.share]
count = 50
[streams.bars]
topic  = "bars"
schema = "Bar.avsc"
[streams.bars.traffic]
each  = "share"
every = "1d"
[streams.bars.fields]
at    = "event_time"
share = { entity = "share", format = "S{:02}" }
price = { uniform = [1, 1000000000] }
"#;

fn plan(model: &str) -> Arc<Plan> {
    let configuration = read(model, &[("Bar.avsc", SCHEMA)]).unwrap();
    Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap())
}

fn bars(model: &str, window_us: Range<u64>) -> Vec<(i64, String, u64)> {
    let rows = rows(&plan(model), Options { window_us, ..Options::default() });
    let bar = |row: &Value| {
        let share = row["share"].as_str().unwrap().to_owned();
        (row["at"].as_i64().unwrap(), share, row["price"].as_u64().unwrap())
    };
    rows.iter().map(|(_, row)| bar(row)).collect()
}

fn timed(keys: &str) -> String {
    MODEL.replace("every = \"1d\"\n", &format!("every = \"1d\"\n{keys}\n"))
}

#[test]
fn each_member_has_exactly_one_event_a_period() {
    let bars = bars(MODEL, 0..30 * DAY_US);
    let start_us = 1_767_225_600_000_000;
    let mut seen = BTreeMap::new();
    for (at_us, share, _) in &bars {
        let day = (at_us - start_us) / DAY_US.cast_signed();
        *seen.entry((day, share)).or_insert(0) += 1;
    }
    assert_eq!((bars.len(), seen.len()), (30 * 50, 30 * 50));
    let hours: BTreeSet<i64> = bars.iter().map(|(at_us, ..)| at_us / 3_600_000_000 % 24).collect();
    assert_eq!(hours.len(), 24, "spread over the day");
    let prices: BTreeSet<u64> = bars.iter().map(|(.., price)| *price).collect();
    assert!(prices.len() > 1_495, "each event draws its own: {}", prices.len());
    assert!(bars.is_sorted_by_key(|(at_us, ..)| *at_us));
}

#[test]
fn an_exchange_has_its_days_at_its_close_in_summer_and_winter() {
    let holidays = "\"2026-01-01\", \"2026-01-19\", \"2026-02-16\", \"2026-04-03\", \"2026-05-25\", \
                    \"2026-06-19\", \"2026-07-03\", 2026-09-07, 2026-11-26, 2026-12-25";
    let model = timed(&format!(
        "at = \"16:00\"\ndays = \"mon-fri\"\nholidays = [{holidays}]\nzone = \"America/New_York\""
    ));
    let bars = bars(&model, 0..365 * DAY_US);
    let zone = TimeZone::get("America/New_York").unwrap();
    let days: BTreeSet<_> = bars
        .iter()
        .map(|(at_us, ..)| {
            let local = jiff::Timestamp::from_microsecond(*at_us).unwrap().to_zoned(zone.clone());
            assert_eq!(local.time(), jiff::civil::time(16, 0, 0, 0));
            local.date()
        })
        .collect();
    assert_eq!((days.len(), bars.len()), (251, 251 * 50));
    assert!(!days.contains(&jiff::civil::date(2026, 11, 26)));
}

#[test]
fn members_are_spread_over_the_minutes_after_the_time_of_day() {
    let bars = bars(&timed("at = 16:00:00\nspread = \"5m\""), 0..4 * DAY_US);
    assert_eq!(bars.len(), 200);
    let since: Vec<i64> =
        bars.iter().map(|(at_us, ..)| at_us % 86_400_000_000 - 57_600_000_000).collect();
    assert!(since.iter().all(|us| (0..300_000_000).contains(us)));
    assert!(since.iter().filter(|us| **us < 150_000_000).count() == 100, "{since:?}");
}

#[test]
fn windows_and_shards_of_a_roll_call_add_up_and_a_count_cuts_it() {
    let model = timed("at = \"09:30\"\nspread = \"1h\"");
    let whole = bars(&model, 0..10 * DAY_US);
    let cut = 4 * DAY_US + 10 * HOUR_US - 17;
    let mut parts = bars(&model, 0..cut);
    parts.extend(bars(&model, cut..10 * DAY_US));
    assert_eq!(parts, whole);
    let first = rows(&plan(&model), Options { count: Some(70), ..Options::default() });
    assert_eq!(first.len(), 70);
}

#[test]
fn what_a_roll_call_cannot_be_is_refused() {
    let refused = |model: &str| {
        let model = model.replace("Bar.avsc", "Use.avsc");
        refusal(&model)
    };
    let said = refused(&timed("at = \"25:00\""));
    assert!(said.contains("`25:00` is not a time of day"), "{said}");
    let said = refused(&timed("at = \"16:00\"").replace("\"1d\"", "\"1h\""));
    assert!(said.contains("one event a day"), "{said}");
    let said = refused(&timed("days = \"mon-day\""));
    assert!(said.contains("no day of the week"), "{said}");
    let said = refused(&timed("spread = \"1m\""));
    assert!(said.contains("has a meaning only with `at`"), "{said}");
    let said = refused(&MODEL.replace("each  = \"share\"", "each  = \"shre\""));
    assert!(said.contains("did you mean `share`"), "{said}");
    let crowd = timed("at = \"16:00\"").replace("count = 50", "count = 5_000_000");
    let configuration = read(&crowd, &[("Bar.avsc", SCHEMA)]).unwrap();
    let mistakes = Plan::compile(&configuration.model, &Inputs::default()).unwrap_err();
    assert!(mistakes[0].what.contains("the limit is 1000000"), "{mistakes:?}");
}
