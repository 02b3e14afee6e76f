//! Streams that follow others: every event has what it follows, and any window gives the same ones.

#![expect(clippy::panic, reason = "a value of another type fails the test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use apache_avro::types::Value;
use tidegate::config::{self, ModelSource, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::{EventStream, Options, Shard};

const SECOND_US: u64 = 1_000_000;
const HOUR_US: u64 = 3_600 * SECOND_US;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/follow_ups")
}

fn plan() -> Arc<Plan> {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    let compile = || {
        let source = ModelSource::File(directory().join("model.toml"));
        let read = config::read(&source, &Overrides::default(), &|_| None).unwrap();
        Arc::new(Plan::compile(&read.model, &Inputs::default()).unwrap())
    };
    Arc::clone(PLAN.get_or_init(compile))
}

/// An event, decoded by another implementation.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    stream: String,
    id: String,
    at: i64,
    customer: String,
    amount: i64,
    parent: Option<(String, i64)>,
    note: String,
}

fn events(options: Options) -> Vec<Event> {
    let plan = plan();
    let mut stream = EventStream::start(Arc::clone(&plan), options).unwrap();
    let mut events = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter() {
            let of = &plan.streams[usize::from(record.stream)];
            let mut datum = &batch.arena[record.value_range()];
            let value = apache_avro::reader::datum::GenericDatumReader::builder(&of.schema)
                .build()
                .unwrap()
                .read_value(&mut datum)
                .unwrap();
            assert!(datum.is_empty());
            let event = event(&of.name, value);
            assert_eq!(event.at, record.due_us);
            assert_eq!(event.customer.as_bytes(), &batch.arena[record.key_range()]);
            events.push(event);
        }
    }
    events
}

fn event(stream: &str, value: Value) -> Event {
    let Value::Record(fields) = value else { panic!("not a record: {value:?}") };
    let mut fields: BTreeMap<String, Value> = fields.into_iter().collect();
    let mut take = |name: &str| match fields.remove(name).unwrap() {
        Value::Union(_, inner) => *inner,
        other => other,
    };
    let micros = |value| match value {
        Value::TimestampMicros(micros) => micros,
        other => panic!("not a time: {other:?}"),
    };
    let text = |value| match value {
        Value::String(text) => text,
        Value::Uuid(uuid) => uuid.to_string(),
        other => panic!("not text: {other:?}"),
    };
    let parent = match take("parent_id") {
        Value::Null => None,
        id => Some((text(id), micros(take("parent_at")))),
    };
    let Value::Long(amount) = take("amount") else { panic!("not an amount") };
    Event {
        stream: stream.to_owned(),
        id: text(take("event_id")),
        at: micros(take("at")),
        customer: text(take("customer_id")),
        amount,
        parent,
        note: text(take("note")),
    }
}

fn window(from_us: u64, until_us: u64) -> Options {
    Options { window_us: from_us..until_us, ..Options::default() }
}

/// All events of the first hours.
fn hours() -> &'static [Event] {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| events(window(0, 2 * HOUR_US)))
}

fn of<'a>(stream: &str) -> Vec<&'a Event> {
    hours().iter().filter(|event| event.stream == stream).collect()
}

#[test]
fn every_follow_up_has_an_earlier_event_that_it_agrees_with() {
    let all: BTreeMap<&str, &Event> =
        hours().iter().map(|event| (event.id.as_str(), event)).collect();
    assert_eq!(all.len(), hours().len(), "identities are unique");
    for event in hours() {
        let Some((id, at)) = &event.parent else {
            assert_eq!(event.stream, "orders");
            continue;
        };
        let parent = all[id.as_str()];
        assert_eq!((parent.at, &parent.customer), (*at, &event.customer));
        let delay_s = (event.at - parent.at) as f64 / 1e6;
        match event.stream.as_str() {
            "items" => assert!(delay_s == 0.0 && parent.stream == "orders"),
            "shipments" => {
                assert!((120.0..=10_800.0).contains(&delay_s), "{delay_s}");
                assert_eq!((parent.stream.as_str(), parent.amount), ("orders", event.amount));
                assert!(event.amount >= 20);
            }
            _ => {
                assert!((0.0..=7_200.0).contains(&delay_s) && parent.stream == "shipments");
                assert_eq!(event.amount, 0);
                assert!(event.note.ends_with("/shipped"), "{}", event.note);
            }
        }
    }
}

#[test]
fn each_order_has_as_many_items_as_it_says() {
    let mut items: BTreeMap<&str, usize> = BTreeMap::new();
    for item in of("items") {
        *items.entry(&item.parent.as_ref().unwrap().0).or_default() += 1;
    }
    for order in of("orders") {
        assert_eq!(items.remove(order.id.as_str()).unwrap().to_string(), order.note);
    }
    assert!(items.is_empty());
    let notes: std::collections::BTreeSet<&str> =
        of("items").iter().map(|item| item.note.as_str()).collect();
    assert_eq!(notes.len(), of("items").len(), "tokens are unique");
}

#[test]
fn conditions_and_shares_are_as_asked() {
    let orders = of("orders");
    // Only the first hour: later orders' shipments may lie beyond the window.
    let first_hour = |at: i64| at < orders[0].at + 3_600_000_000;
    let early = orders.iter().filter(|order| first_hour(order.at));
    let eligible = early.filter(|order| order.amount >= 20).count() as f64 * 0.75 * 0.9;
    let shipped = of("shipments");
    let shipped = shipped.iter().filter(|it| first_hour(it.parent.as_ref().unwrap().1)).count();
    let deviation = (eligible * (1.0 - 0.75 * 0.9)).sqrt();
    assert!((shipped as f64 - eligible).abs() < 5.0 * deviation, "{shipped} of {eligible}");
}

#[test]
fn a_window_that_begins_anywhere_has_the_events_of_the_whole() {
    let begin = hours()[0].at.div_euclid(1_000_000_000_000) * 1_000_000_000_000;
    let start = 1_772_409_600_000_000;
    assert!(begin <= start);
    for (from, until) in [(HOUR_US + 1_234_567, HOUR_US + 61_000_001), (0, 7_777_777)] {
        let within = |event: &&Event| {
            let since = u64::try_from(event.at - start).unwrap();
            (from..until).contains(&since)
        };
        let expected: Vec<Event> = hours().iter().filter(within).cloned().collect();
        assert!(from == 0 || expected.iter().any(|event| event.stream == "returns"));
        for (threads, batch_events) in [(1, 40), (2, 400), (3, 50_000)] {
            let options = Options { threads, batch_events, ..window(from, until) };
            assert!(events(options) == expected, "{threads} threads, {batch_events} a batch");
        }
        let mut shards = Vec::new();
        for index in 0..3 {
            let shard = Shard { index, count: 3 };
            shards.extend(events(Options { shard, ..window(from, until) }));
        }
        let order = |event: &Event| (event.at, event.id.clone());
        let mut expected = expected;
        shards.sort_by_key(order);
        expected.sort_by_key(order);
        assert!(shards == expected, "shards");
    }
}

#[test]
fn a_count_is_of_root_events_and_what_follows_by_then() {
    let found = events(Options { count: Some(1_000), ..window(HOUR_US, 2 * HOUR_US) });
    let orders = found.iter().filter(|event| event.stream == "orders").count();
    assert_eq!(orders, 1_000);
    let last = found.iter().rfind(|event| event.stream == "orders").unwrap().at;
    assert!(found.iter().all(|event| event.at <= last));
    let from = 1_772_409_600_000_000 + 3_600_000_000;
    let expected = hours().iter().filter(|event| event.at >= from && event.at <= last).count();
    assert_eq!(found.len(), expected);
}

#[test]
fn siblings_are_counted_from_one_for_each_event_that_is_followed() {
    let schema = r#"{"type":"record","name":"Step","fields":[{"name":"id","type":"string"},
        {"name":"above","type":["null","string"]},{"name":"which","type":"int"},
        {"name":"which_above","type":"int"}]}"#;
    let stream = |name: &str, follows: &str, count: &str, above: &str, which: [&str; 2]| {
        format!(
            "[streams.{name}]\ntopic = \"{name}\"\nschema = \"Step.avsc\"\n{follows}\n{count}\n
            [streams.{name}.fields]\nid = \"identity\"\nabove = {above}\n
            which = {}\nwhich_above = {}\n",
            which[0], which[1]
        )
    };
    let none = "{ constant = 0 }";
    let text = [
        "seed = 3\nstart = \"2026-03-02T00:00:00Z\"\n[traffic]\nrate = \"5/s\"\n".to_owned(),
        stream("roots", "", "", "\"null\"", [none, none]),
        stream(
            "twigs",
            "follows = \"roots\"",
            "count = { uniform = [0, 5] }",
            "{ attribute = \"roots.id\" }",
            ["\"sibling\"", none],
        ),
        stream(
            "leaves",
            "follows = \"twigs\"\ndelay = \"2s\"",
            "count = { uniform = [1, 3] }",
            "{ attribute = \"twigs.id\" }",
            ["\"sibling\"", "{ attribute = \"twigs.which\" }"],
        ),
    ]
    .concat();
    let read = crate::members::read(&text, &[("Step.avsc", schema)]);
    let read = read.unwrap_or_else(|refused| panic!("{}", refused.render(false)));
    let plan = Arc::new(Plan::compile(&read.model, &Inputs::default()).unwrap());
    let mut followers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut twigs = BTreeMap::new();
    let rows = crate::members::rows(&plan, window(0, 300 * SECOND_US));
    for (stream, row) in rows {
        let which = row["which"].as_u64().unwrap();
        match stream {
            0 => assert_eq!(which, 0),
            1 => drop(twigs.insert(row["id"].as_str().unwrap().to_owned(), which)),
            _ => assert_eq!(row["which_above"], twigs[row["above"].as_str().unwrap()], "{row}"),
        }
        if let Some(above) = row["above"].as_str() {
            followers.entry(format!("{stream} {above}")).or_default().push(which);
        }
    }
    let mut lengths = BTreeMap::new();
    for (above, mut which) in followers {
        which.sort_unstable();
        assert!(which.iter().copied().eq(1..=which.len() as u64), "{above}: {which:?}");
        *lengths.entry((above.as_bytes()[0], which.len())).or_insert(0) += 1;
    }
    assert_eq!(lengths.len(), 5 + 3, "all counts come: {lengths:?}");
    assert!(twigs.values().any(|which| *which == 5));
}

#[test]
fn what_cannot_be_followed_is_refused_with_its_place() {
    let text = std::fs::read_to_string(directory().join("model.toml")).unwrap();
    for (from, to, said) in [
        ("follows = \"orders\"\ncount", "follows = \"order\"\ncount", "did you mean `orders`?"),
        ("follows     = \"shipments\"", "follows     = \"returns\"", "follows itself"),
        ("count   = { attribute = \"orders.items\" }", "count   = { uniform = [0, 2000] }", "1023"),
        ("not orders.express and", "not orders.expres and", "did you mean `express`?"),
        ("probability = 0.9", "probability = 1.9", "probability"),
        ("min = \"2m\", max = \"3h\"", "min = \"4h\", max = \"3h\"", "the least delay first"),
        ("follows = \"orders\"\ncount", "count", "follows = \"STREAM\""),
        ("parent_at   = \"null\"", "parent_at   = \"sibling\"", "only events that follow another"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        let source = ModelSource::Text {
            name: "model.toml".to_owned(),
            directory: directory(),
            text: changed,
        };
        let refused = match config::read(&source, &Overrides::default(), &|_| None) {
            Err(refused) => refused,
            Ok(read) => {
                let mistakes = Plan::compile(&read.model, &Inputs::default()).unwrap_err();
                Refused::new(read.source, mistakes)
            }
        };
        let rendered = refused.render(false);
        assert!(rendered.contains(said), "{said}: {rendered}");
    }
}
