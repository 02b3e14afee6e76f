//! Changelogs: what they tell is what the streams show.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::digest::Digest;
use tidegate::stream::{EventStream, Options, Shard};

use super::{HOUR_US, SCHEMA, read, refusal};
use crate::cli;

const START_US: i64 = 1_772_409_600_000_000;

pub(crate) const MODEL: &str = r#"
seed  = 9
start = "2026-03-02T00:00:00Z"
lanes = 8
[traffic]
rate = "2/s"
[tables.cities]
rows = [
  { city = "Paris", code = "075", people = 2100, share = 0.25 },
  { city = "London", code = "020", people = 8900, share = 1 },
]
[entities.account]
[entities.card]
count = 300
belongs_to = { entity = "account", each = { 1 = 0.7, 2 = 0.3 } }
lifetime = "10h"
changelog = "cards"
[entities.card.attributes]
limit = { uniform = [0, 4000000000], changes = "3h" }
pin   = { uniform = [0, 4000000000] }
twice = { expression = "limit * 2" }
state = { choice = { active = 0.8, blocked = 0.2 }, changes = "90m" }
home  = { table = "cities", dealt = true }
level = { lognormal = { median = 1.0, sigma = 0.4 }, digits = 3, max = 20 }
alias = { when = "state == 'active'", template = "{home.city}-{pin}" }
[streams.uses]
topic  = "uses"
schema = "Use.avsc"
[streams.uses.let]
used = { entity = "card" }
[streams.uses.fields]
at    = "event_time"
place = { attribute = "account" }
card  = { entity = "card", format = "c-{:06}" }
token = { attribute = "used.state" }
pin   = { attribute = "used.pin" }
limit = { attribute = "used.limit" }
twice = { attribute = "used.twice" }
"#;

fn plan(model: &str) -> Arc<Plan> {
    let configuration = read(model, &[("Use.avsc", SCHEMA)]).unwrap();
    Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap())
}

/// A record of a changelog or a stream.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    at_us: i64,
    stream: usize,
    key: String,
    value: Value,
}

fn told(plan: &Arc<Plan>, options: Options) -> Vec<Told> {
    let readers: Vec<_> = plan
        .streams
        .iter()
        .map(|stream| tidegate::encode::json::Reader::new(&stream.schema).unwrap())
        .collect();
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter() {
            let stream = usize::from(record.stream);
            let value = if record.tombstone {
                assert_eq!(record.value_bytes, 0);
                Value::Null
            } else {
                readers[stream].read(&batch.arena[record.value_range()]).unwrap()
            };
            let key = String::from_utf8(batch.arena[record.key_range()].to_vec()).unwrap();
            all.push(Told { at_us: record.due_us, stream, key, value });
        }
    }
    all
}

fn options(hours: std::ops::Range<u64>) -> Options {
    Options { window_us: hours.start * HOUR_US..hours.end * HOUR_US, ..Options::default() }
}

fn snapshot(plan: &Arc<Plan>, from_hour: u64) -> Vec<Told> {
    told(plan, Options { snapshot: true, ..options(from_hour..from_hour + 1) })
}

/// What a compacted topic holds in the end.
fn compacted<'t>(records: impl IntoIterator<Item = &'t Told>) -> BTreeMap<&'t str, &'t Value> {
    let mut latest = BTreeMap::new();
    for record in records.into_iter().filter(|record| record.stream == 1) {
        if record.value.is_null() {
            assert!(latest.remove(record.key.as_str()).is_some(), "{record:?} ends nobody");
        } else {
            latest.insert(record.key.as_str(), &record.value);
        }
    }
    latest
}

#[test]
fn the_schema_of_a_changelog_follows_from_the_attributes() {
    let plan = plan(MODEL);
    let schema: Value = serde_json::from_str(&plan.streams[1].schema_json).unwrap();
    let fields = json!([
        { "name": "id", "type": "string" },
        { "name": "account_id", "type": "string" },
        { "name": "limit", "type": "long" },
        { "name": "pin", "type": "long" },
        { "name": "twice", "type": "long" },
        { "name": "state", "type": "string" },
        { "name": "home", "type": { "type": "record", "name": "CardHome", "fields": [
            { "name": "city", "type": "string" },
            { "name": "code", "type": "string" },
            { "name": "people", "type": "long" },
            { "name": "share", "type": "double" } ] } },
        { "name": "level", "type": "double" },
        { "name": "alias", "type": ["null", "string"], "default": null },
    ]);
    assert_eq!(schema, json!({ "type": "record", "name": "Card", "fields": fields }));
    let topic = &plan.streams[1].topic;
    assert_eq!(topic.name, "cards");
    assert_eq!(topic.config, [("cleanup.policy".to_owned(), "compact".to_owned())]);
}

#[test]
fn a_row_shows_what_the_changelogs_latest_record_before_its_time_shows() {
    let plan = plan(MODEL);
    let before = snapshot(&plan, 0);
    assert_eq!(before.len(), 300, "each member once");
    let events = told(&plan, options(0..36));
    let mut latest: BTreeMap<&str, &Value> = BTreeMap::new();
    let (mut rows, mut ended, mut changed) = (0, 0, 0);
    for record in before.iter().chain(&events) {
        if record.stream == 0 {
            let (row, card) = (&record.value, latest[record.value["card"].as_str().unwrap()]);
            assert_eq!(
                [&row["pin"], &row["limit"], &row["twice"], &row["token"]],
                [&card["pin"], &card["limit"], &card["twice"], &card["state"]],
                "{row}"
            );
            rows += 1;
        } else if record.value.is_null() {
            assert!(latest.remove(record.key.as_str()).is_some(), "{record:?}");
            ended += 1;
        } else {
            assert_eq!(record.value["id"], record.key);
            changed += usize::from(latest.insert(&record.key, &record.value).is_some());
        }
        assert!(latest.len() <= 300);
    }
    assert_eq!(latest.len(), 300, "whoever ends is followed by another");
    assert!(rows > 200_000, "{rows}");
    // 300 members, 36 hours: an end each 10, a change each 3 and each 1.5.
    assert!((1_070..=1_090).contains(&ended), "{ended}");
    assert!((10_700..=10_900).contains(&changed), "{changed}");
}

#[test]
fn the_snapshot_of_a_later_window_is_what_compaction_had_left_by_then() {
    let plan = plan(MODEL);
    let (before, events) = (snapshot(&plan, 0), told(&plan, options(0..17)));
    let whole = compacted(before.iter().chain(&events));
    let later = snapshot(&plan, 17);
    assert_eq!(compacted(&later), whole);
}

fn digest(plan: &Arc<Plan>, options: Options) -> (u64, Digest) {
    let mut stream =
        EventStream::start(Arc::clone(plan), Options { digest: true, ..options }).unwrap();
    let (mut count, mut sum) = (0, Digest::default());
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        count += batch.records.len() as u64;
        sum.add(batch.digest.unwrap());
    }
    (count, sum)
}

#[test]
fn windows_shards_threads_and_batches_change_no_byte_of_a_changelog() {
    let plan = plan(MODEL);
    for snapshot in [false, true] {
        let whole = digest(&plan, Options { snapshot, ..options(0..12) });
        let with = |change: &dyn Fn(&mut Options)| {
            let mut options = Options { snapshot, ..options(0..12) };
            change(&mut options);
            digest(&plan, options)
        };
        let add = |parts: &[(u64, Digest)]| {
            let mut sum = (0, Digest::default());
            for (count, digest) in parts {
                sum.0 += count;
                sum.1.add(*digest);
            }
            sum
        };
        assert_eq!(with(&|options| options.threads = 3), whole);
        assert_eq!(with(&|options| options.batch_events = 100), whole);
        let shard = |index| with(&|options| options.shard = Shard { index, count: 3 });
        assert_eq!(add(&[shard(0), shard(1), shard(2)]), whole);
        if !snapshot {
            let part =
                |window: std::ops::Range<u64>| with(&|options| options.window_us = window.clone());
            let cut = 7 * HOUR_US + 1_234_567;
            assert_eq!(add(&[part(0..cut), part(cut..12 * HOUR_US)]), whole);
        }
    }
}

#[test]
fn a_snapshot_can_be_spread_over_time_or_left_out() {
    let spread = MODEL.replace(
        "changelog = \"cards\"",
        "changelog = { topic = \"cards\", snapshot = \"spread 10m\" }",
    );
    let spread = plan(&spread);
    assert!(snapshot(&spread, 0).is_empty());
    let ten = Options { window_us: 0..HOUR_US / 6, ..Options::default() };
    let records = told(&spread, ten.clone());
    let times: Vec<i64> =
        records.iter().filter(|it| it.stream == 1).map(|it| it.at_us - START_US).collect();
    assert!((300..360).contains(&times.len()), "{}", times.len());
    let early = times.iter().filter(|at_us| **at_us < 300_000_000).count();
    assert!((140..190).contains(&early), "{early}");
    let none = MODEL
        .replace("changelog = \"cards\"", "changelog = { topic = \"cards\", snapshot = \"none\" }");
    let none = plan(&none);
    let changes = told(&none, ten).iter().filter(|it| it.stream == 1).count();
    assert!(snapshot(&none, 0).is_empty() && (30..60).contains(&changes), "{changes}");
}

#[test]
fn fields_of_a_changelog_are_added_and_replaced() {
    let table = "changelog = { topic = { name = \"cards\", partitions = 3, config = { \
                 \"cleanup.policy\" = \"compact,delete\" } }, key = \"card_id\", snapshot = \
                 \"none\", fields = { at = \"event_time\", pin = { constant = \"****\" } } }";
    let plan = plan(&MODEL.replace("changelog = \"cards\"", table));
    assert_eq!(plan.streams[1].topic.config.len(), 1);
    let records = told(&plan, options(0..1));
    let record = records.iter().find(|record| record.stream == 1 && !record.value.is_null());
    let record = record.unwrap();
    let at: jiff::Timestamp = record.value["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_microsecond(), record.at_us);
    assert_eq!(record.value["pin"], "****");
    assert_eq!(record.value["card_id"], record.key);
    assert!(record.key.starts_with("c-"), "as the stream writes it: {}", record.key);
}

#[test]
fn what_a_changelog_cannot_be_is_refused() {
    let with = |table: &str| refusal(&MODEL.replace("changelog = \"cards\"", table));
    let said = with("changelog = { topic = \"cards\", snapshot = \"later\" }");
    assert!(said.contains("cannot be `later`") && said.contains("spread 10m"), "{said}");
    let said = refusal(&MODEL.replace("[streams.uses", "[streams.card"));
    assert!(said.contains("the changelog of `card` and a stream have one name"), "{said}");
    let said = with("changelog = \"uses\"");
    assert!(said.contains("would share the topic `uses` with `uses`"), "{said}");
    let said = with("changelog = { snapshot = \"none\" }");
    assert!(said.contains("has no `topic`"), "{said}");
}

// A hundred million members: who changes in a second is as quickly told as of a hundred.
#[test]
fn the_changes_of_a_hundred_million_members_are_found_at_once() {
    let many = MODEL
        .replace("count = 300\n", "count = 100_000_000\n")
        .replace("changelog = \"cards\"", "changelog = { topic = \"cards\", snapshot = \"none\" }")
        .replace("\"10h\"", "\"4y\"")
        .replace("changes = \"3h\"", "changes = \"180d\"")
        .replace("changes = \"90m\"", "changes = \"90d\"");
    let plan = plan(&many);
    let at = 1_000 * 24;
    let records = told(
        &plan,
        Options { window_us: at * HOUR_US..at * HOUR_US + 10_000_000, ..Options::default() },
    );
    let changes = records.iter().filter(|record| record.stream == 1).count() as f64;
    let day = 1e8 * (1.0 / 180.0 + 1.0 / 90.0 + 2.0 / (4.0 * 365.25));
    assert!((changes / (day / 8_640.0) - 1.0).abs() < 0.02, "{changes}");
    for record in records.iter().filter(|record| record.stream == 1 && !record.value.is_null()) {
        assert_eq!(record.value["id"], record.key);
    }
}

#[test]
fn a_sample_shows_what_is_told_before_a_run_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let still = MODEL.replace(", changes = \"3h\"", "").replace(", changes = \"90m\"", "");
    let still = still.replace("lifetime = \"10h\"\n", "");
    std::fs::write(folder.path().join("cards.toml"), still).unwrap();
    std::fs::write(folder.path().join("Use.avsc"), SCHEMA).unwrap();
    let output = cli::run(folder.path(), &["sample", "cards.toml", "-n", "400"]);
    cli::assert_exit(&output, 0);
    let text = cli::stdout(&output);
    let of = |name: &str| text.lines().filter(|line| line.contains(name)).count();
    assert_eq!((of("\"stream\":\"card\""), of("\"stream\":\"uses\"")), (300, 400));
}

#[test]
fn no_two_records_of_a_changelog_have_one_identity() {
    let plan = plan(MODEL);
    let mut stream = EventStream::start(Arc::clone(&plan), options(0..30)).unwrap();
    let (mut seen, mut count) = (std::collections::BTreeSet::new(), 0);
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter().filter(|record| record.stream == 1) {
            count += 1;
            seen.insert(batch.arena[record.header_range()].to_vec());
        }
    }
    assert!(count > 9_000 && seen.len() == count, "{} of {count}", seen.len());
}
