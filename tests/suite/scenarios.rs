//! Scenarios, formulas and exact hours: what they change, and what they leave alone.

mod library;
mod deferred;
mod exact;
mod messages;
mod phases;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tidegate::plan::Plan;
use tidegate::stream::{Options, Route, Shard};

use crate::determinism::{Event, START, events, model};

const HOUR_US: u64 = 3_600_000_000;

/// The orders model from [`START`] on, with more flags.
fn orders(flags: &[(&str, &str)]) -> Arc<Plan> {
    let start = [("start", START)];
    let flags: Vec<(&str, &str)> = start.into_iter().chain(flags.iter().copied()).collect();
    model("orders", &flags)
}

/// Only some streams, in a stretch of hours.
fn only(plan: &Plan, streams: &[&str], hours: Range<u64>) -> Options {
    let route =
        |name: &String| Route { skipped: !streams.contains(&name.as_str()), ..Route::default() };
    Options {
        window_us: hours.start * HOUR_US..hours.end * HOUR_US,
        routes: plan.streams.iter().map(|stream| route(&stream.name)).collect(),
        ..Options::default()
    }
}

/// How many orders come in each hour.
fn hourly(plan: &Arc<Plan>, hours: u64) -> Vec<u64> {
    let mut counts = vec![0; usize::try_from(hours).unwrap()];
    for event in events(plan, only(plan, &["orders"], 0..hours)) {
        let since_us = (event.due_us - plan.start_us).cast_unsigned();
        counts[usize::try_from(since_us / HOUR_US).unwrap()] += 1;
    }
    counts
}

fn since_us(plan: &Plan, event: &Event) -> u64 {
    (event.due_us - plan.start_us).cast_unsigned()
}

/// The numbers of the rules in DOMAIN.md, worked out by themselves.
fn by_rule(rate: f64, intensity: f64, hours: u64, scenario: impl Fn(f64) -> f64) -> Vec<u64> {
    let base =
        |h: f64| 0.3 + 0.7 * (0.5 + 0.5 * libm::sin(2.0 * std::f64::consts::PI * (h - 6.0) / 24.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
    let count = |hour: u64| {
        let h = hour as f64;
        (rate * intensity * base(h) * scenario(h)).floor() as u64
    };
    (0..hours).map(count).collect()
}

#[test]
fn the_counts_of_the_orders_are_those_of_the_rules() {
    assert_eq!(hourly(&orders(&[]), 1), [240]);
    assert_eq!(hourly(&orders(&[("traffic.intensity", "2")]), 4), [480, 499, 555, 644]);
    let outage = [("traffic.scenario", "payment_outage")];
    assert_eq!(hourly(&orders(&outage), 6), [360, 74, 83, 96, 570, 671]);
    let viral = |h: f64| {
        let spread = if h <= 6.0 { libm::exp(h) / libm::exp(6.0) } else { 1.0 };
        if h < 8.0 { spread * libm::exp(h / 3.0) } else { spread }
    };
    let flags = [("traffic.scenario", "viral_moment")];
    assert_eq!(hourly(&orders(&flags), 24), by_rule(800.0, 2.5, 24, viral));
}

/// The events of a model with more flags, as sets by stream, and by whether they lie in a stretch.
fn sets(plan: &Arc<Plan>, hours: Range<u64>, inside: &Range<u64>) -> [BTreeSet<(i64, Vec<u8>)>; 2] {
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    for event in events(plan, only(plan, &["orders"], hours)) {
        let place = usize::from(inside.contains(&since_us(plan, &event)));
        sets[place].insert((event.due_us, event.datum));
    }
    sets
}

#[test]
fn outside_its_phases_a_scenario_changes_nothing_and_inside_it_takes_or_adds() {
    let poisson = ("traffic.arrivals", "poisson");
    let rate = ("traffic.rate", "20000/h");
    let phase = |rate: &str| {
        format!("{{ phases = {{ p = {{ from = \"1h10m\", until = \"2h\", rate = {rate} }} }} }}")
    };
    let inside = HOUR_US * 7 / 6..2 * HOUR_US;
    let [before, base] = sets(&orders(&[poisson, rate]), 0..3, &inside);
    for (times, written) in [(0.2, "0.2"), (3.5, "3.5"), (1.5, "{ ramp = [1, 2] }"), (0.0, "0")] {
        let scenario = phase(written);
        let plan = orders(&[poisson, rate, ("traffic.scenario", &scenario)]);
        let [outside, during] = sets(&plan, 0..3, &inside);
        assert!(outside == before, "{written}: events outside the phase differ");
        let (common, expected) = (during.intersection(&base).count(), times * base.len() as f64);
        let error = 5.0 * (expected + base.len() as f64).sqrt();
        assert!((during.len() as f64 - expected).abs() < error, "{written}: {}", during.len());
        let kept = if times < 1.0 { during.len() } else { base.len() };
        assert_eq!(common, kept, "{written}: of {} and {}", base.len(), during.len());
    }
}

#[test]
fn thinned_counts_vary_like_poisson() {
    let day = "expression = \"1.3 + sin(2 * pi * hours / 24)\"";
    let curve = format!("{{ {day} }}");
    let plan = orders(&[
        ("traffic.arrivals", "poisson"),
        ("traffic.rate", "2000/h"),
        ("curves.shop_day", &curve),
        ("traffic.scenario", "{ phases = { p = { from = 2, until = 40, rate = 1.7 } } }"),
    ]);
    let (mut squares, mut slots) = (0.0, 0.0);
    let mut counts = vec![0.0_f64; 48 * 12];
    for event in events(&plan, only(&plan, &["orders"], 0..48)) {
        counts[usize::try_from(since_us(&plan, &event) / (HOUR_US / 12)).unwrap()] += 1.0;
    }
    for (slot, count) in counts.iter().enumerate() {
        let hours = (slot / 3) as f64 / 4.0 + 0.125;
        let base = 1.3 + libm::sin(2.0 * std::f64::consts::PI * hours / 24.0);
        let times = if (2.0..40.0).contains(&(slot as f64 / 12.0)) { 1.7 } else { 1.0 };
        let expected = 2_000.0 / 12.0 * base * times;
        if expected > 5.0 {
            squares += (count - expected).powi(2) / expected;
            slots += 1.0;
        }
    }
    let dispersion = squares / slots;
    assert!((dispersion - 1.0).abs() < 0.3, "{dispersion} over {slots} slots");
}

/// The records of a stream by their identity.
fn records(
    plan: &Arc<Plan>,
    stream: &str,
    hours: Range<u64>,
) -> BTreeMap<String, BTreeMap<String, Value>> {
    let schema = &plan.stream(stream).unwrap().1.schema;
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let decode = |event: Event| {
        let value = reader.read_value(&mut &event.datum[..]).unwrap();
        let fields: Vec<(String, Value)> = match value {
            Value::Record(fields) => fields,
            other => vec![("value".to_owned(), other)],
        };
        (format!("{:?}", fields[0].1), fields.into_iter().collect())
    };
    events(plan, only(plan, &[stream], hours)).into_iter().map(decode).collect()
}

#[test]
fn a_phase_changes_the_fields_that_it_names_and_no_other() {
    let flags = [("traffic.rate", "6000/h"), ("traffic.arrivals", "poisson")];
    let quiet = "{ phases = { outage = { from = 1, until = 2, streams = { payments = { fields = { \
                 declined = { chance = 0.7 }, \
                 failure_reason = { when = \"failed\", constant = \"gateway_down\" } } } } } } }";
    let (base, changed) =
        (orders(&flags), orders(&[flags[0], flags[1], ("traffic.scenario", quiet)]));
    let start_us = base.start_us;
    let [base, changed] = [&base, &changed].map(|plan| records(plan, "payments", 0..3));
    assert!(base.keys().eq(changed.keys()), "the same payments come");
    let (mut failed, mut all, mut other) = (0, 0, 0);
    for (identity, record) in &changed {
        let names = ["status", "failure_reason"];
        let rest = |of: &BTreeMap<String, Value>| -> Vec<Value> {
            of.iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .map(|(_, it)| it.clone())
                .collect()
        };
        assert_eq!(rest(record), rest(&base[identity]));
        let down = format!("{:?}", record["failure_reason"]).contains("gateway_down");
        let Value::TimestampMicros(at) = record["event_time"] else { panic!("no time") };
        let hour = (at - start_us).cast_unsigned() / HOUR_US;
        if hour == 1 {
            let can_fail = !format!("{:?}", record["payment_method"]).contains("cod");
            all += u32::from(can_fail);
            failed += u32::from(down);
        } else {
            other += u32::from(*record != base[identity]);
            assert!(!down, "no gateway is down outside the phase");
        }
    }
    assert_eq!(other, 0, "nothing differs outside the phase");
    let share = f64::from(failed) / f64::from(all);
    assert!((share - 0.7).abs() < 0.05, "{failed} of {all}");
}

#[test]
fn windows_shards_threads_and_batches_change_no_byte() {
    let viral = ("traffic.scenario", "viral_moment");
    for arrivals in ["exact", "poisson"] {
        let plan = orders(&[viral, ("traffic.arrivals", arrivals), ("tick", "1s")]);
        let streams = ["orders", "order_items", "payments"];
        let whole = events(&plan, only(&plan, &streams, 4..7));
        assert!(whole.len() > 5_000, "{}", whole.len());
        let small = Options { threads: 2, batch_events: 100, ..only(&plan, &streams, 4..7) };
        assert!(events(&plan, small) == whole, "{arrivals}: threads and batches");
        let cut_us = 5 * HOUR_US + 1_234_567;
        let mut parts = Vec::new();
        for window_us in [4 * HOUR_US..cut_us, cut_us..7 * HOUR_US] {
            parts.extend(events(&plan, Options { window_us, ..only(&plan, &streams, 4..7) }));
        }
        assert!(parts == whole, "{arrivals}: windows");
        let mut shards: Vec<Event> = (0..3)
            .flat_map(|index| {
                let shard = Shard { index, count: 3 };
                events(&plan, Options { shard, ..only(&plan, &streams, 4..7) })
            })
            .collect();
        let key = |event: &Event| (event.due_us, event.stream, event.datum.clone());
        shards.sort_by_key(key);
        let mut sorted = whole.clone();
        sorted.sort_by_key(key);
        assert!(shards == sorted, "{arrivals}: shards");
    }
}

#[test]
fn what_follows_is_of_the_events_that_came() {
    for arrivals in ["exact", "poisson"] {
        let outage = ("traffic.scenario", "payment_outage");
        let plan = orders(&[outage, ("traffic.arrivals", arrivals)]);
        let orders = records(&plan, "orders", 0..6);
        let items = records(&plan, "order_items", 0..6);
        let lines: i64 = orders
            .values()
            .map(|order| match order["line_count"] {
                Value::Int(lines) => i64::from(lines),
                ref other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(items.len(), usize::try_from(lines).unwrap(), "{arrivals}");
        // The one is a UUID, the other its text.
        let text = |value: &Value| match value {
            Value::Uuid(uuid) => uuid.to_string(),
            Value::String(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let known: BTreeSet<String> = orders.values().map(|it| text(&it["order_id"])).collect();
        for item in items.values() {
            assert!(known.contains(&text(&item["order_id"])), "{arrivals}: {item:?}");
        }
    }
}

#[test]
fn a_phase_multiplies_the_share_that_is_followed() {
    let wave =
        "{ phases = { wave = { from = 0, until = 24, streams = { returns = { rate = 3 } } } } }";
    let flags = [("traffic.rate", "2000/h"), ("lanes", "8"), ("tick", "10s")];
    let (base, more) = (orders(&flags), orders(&[flags[0], flags[1], ("traffic.scenario", wave)]));
    // Of the orders of the first day; most returns of the tenth day are of later ones.
    let [base, more] = [&base, &more].map(|plan| records(plan, "returns", 5 * 24..8 * 24));
    let mut added = 0;
    for (identity, record) in &base {
        assert_eq!(Some(record), more.get(identity), "what came comes still");
    }
    for (identity, _) in more.iter().filter(|(identity, _)| !base.contains_key(*identity)) {
        added += usize::from(!identity.is_empty());
    }
    assert!(added > 100, "{added} more of {}", base.len());
}

#[test]
fn the_control_stream_tells_each_begin_and_end() {
    let scenario = "[\"payment_outage\", { use = \"viral_moment\", at = \"10h\" }]";
    let plan = orders(&[("control", "run.control"), ("traffic.scenario", scenario)]);
    let told = |hours: Range<u64>| records(&plan, "control", hours);
    let all = told(0..24);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Enum(_, symbol) => symbol.clone(),
        other => panic!("{other:?}"),
    };
    let mut edges: Vec<(i64, String, String)> = all
        .values()
        .map(|event| {
            let Value::TimestampMicros(at) = event["event_time"] else { panic!("no time") };
            let hour = (at - plan.start_us) / HOUR_US.cast_signed();
            (hour, text(&event["phase"]), text(&event["edge"]))
        })
        .collect();
    edges.sort();
    let expected = [
        (1, "outage", "begin"),
        (4, "outage", "end"),
        (10, "sharing", "begin"),
        (10, "wave", "begin"),
        (17, "sharing", "end"),
        (18, "wave", "end"),
    ];
    let expected = expected.map(|(hour, phase, edge)| (hour, phase.to_owned(), edge.to_owned()));
    assert_eq!(edges, expected);
    for event in all.values() {
        assert_eq!(text(&event["model"]), "orders");
        assert_eq!(text(&event["seed"]), "42");
        assert_eq!(text(&event["model_hash"]).len(), 32);
        if text(&event["phase"]) == "outage" {
            let told = format!("{:?}", event["multipliers"]);
            assert!(told.contains("\"orders\"") && told.contains("Double(0.2)"), "{told}");
            assert!(format!("{:?}", event["fields"]).contains("failure_reason"));
        }
    }
    // The keys are the scenarios; the parts of a window are the whole; one shard tells.
    let keys: BTreeSet<Vec<u8>> =
        events(&plan, only(&plan, &["control"], 0..24)).into_iter().map(|it| it.key).collect();
    assert_eq!(keys, BTreeSet::from([b"payment_outage".to_vec(), b"viral_moment".to_vec()]));
    let mut parts = told(0..4);
    parts.extend(told(4..17));
    parts.extend(told(17..24));
    assert_eq!(parts, all);
    let shards = [0, 1].map(|index| {
        let shard = Shard { index, count: 2 };
        events(&plan, Options { shard, ..only(&plan, &["control"], 0..24) }).len()
    });
    assert_eq!(shards, [6, 0]);
}

#[test]
fn a_scenario_comes_again_and_is_placed_by_the_seed() {
    let placed = |seed: &str| {
        let scenario = "{ repeat = \"6h\", within = \"6h\", phases = { gap = { from = 0, until = \"30m\", rate = 0 } } }";
        let plan =
            orders(&[("traffic.scenario", scenario), ("seed", seed), ("traffic.rate", "20000/h")]);
        let mut minutes = vec![0; 24 * 60];
        for event in events(&plan, only(&plan, &["orders"], 0..24)) {
            minutes[usize::try_from(since_us(&plan, &event) / (HOUR_US / 60)).unwrap()] += 1;
        }
        let empty: Vec<usize> = (0..minutes.len()).filter(|&at| minutes[at] == 0).collect();
        assert!((4 * 28..=4 * 31).contains(&empty.len()), "{} empty minutes", empty.len());
        for quarter in 0..4 {
            let inside = empty.iter().filter(|at| **at / 360 == quarter).count();
            assert!((28..=31).contains(&inside), "{inside} in {quarter}");
        }
        empty
    };
    assert_ne!(placed("1"), placed("2"));
}
