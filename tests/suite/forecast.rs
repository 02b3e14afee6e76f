//! `tidegate plan`: what it says is what a run sends.

mod golden;
mod keys;
mod told;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tidegate::plan::Plan;
use tidegate::stream::forecast::{Asked, Forecast, Peak};
use tidegate::stream::{EventStream, Options};

use crate::cli::{assert_exit, json, run, stderr, stdout};
use crate::determinism::{START, model};

const SECOND_US: u64 = 1_000_000;
const HOUR_US: u64 = 3_600 * SECOND_US;
const DAY_US: u64 = 24 * HOUR_US;

const MODELS: [&str; 5] = ["payments", "transfers", "orders", "sessions", "market"];

/// All streams, and all that follows.
fn asked(window_us: Range<u64>, threads: usize) -> Asked {
    let (routes, phases_us) = (Vec::new(), Vec::new());
    Asked { window_us, routes, phases_us, threads, looks_max: f64::INFINITY }
}

fn forecast(plan: &Arc<Plan>, window_us: Range<u64>, threads: usize) -> Forecast {
    Forecast::new(plan, &asked(window_us, threads)).unwrap()
}

/// What a run issues: by stream and hour, and by second.
#[derive(Default)]
struct Issued {
    hours: BTreeMap<(usize, u64), u64>,
    seconds: BTreeMap<u64, u64>,
}

impl Issued {
    fn new(plan: &Arc<Plan>, window_us: Range<u64>) -> Self {
        let options = Options { window_us, threads: 2, ..Options::default() };
        let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
        let mut issued = Self::default();
        while let Some(batch) = stream.next_blocking() {
            for record in batch.unwrap().records.iter() {
                let since_us = (record.due_us - plan.start_us).unsigned_abs();
                *issued.hours.entry((record.stream.into(), since_us / HOUR_US)).or_default() += 1;
                *issued.seconds.entry(since_us / SECOND_US).or_default() += 1;
            }
        }
        issued
    }

    fn peak(&self) -> Option<Peak> {
        let most =
            self.seconds.iter().max_by_key(|(second, events)| (**events, u64::MAX - **second));
        most.map(|(second, events)| Peak { second: *second, events: *events })
    }
}

fn assert_equal(name: &str, plan: &Arc<Plan>, window_us: &Range<u64>) -> u64 {
    let (issued, found) =
        (Issued::new(plan, window_us.clone()), forecast(plan, window_us.clone(), 2));
    for (number, counts) in found.streams.iter().enumerate() {
        for (hour, &events) in (found.first_hour..).zip(&counts.as_ref().unwrap().hours) {
            let expected = issued.hours.get(&(number, hour)).copied().unwrap_or(0);
            let stream = &plan.streams[number].name;
            assert_eq!(events, expected, "{name}: `{stream}` in hour {hour} of {window_us:?}");
        }
    }
    assert_eq!(found.total(), issued.hours.values().sum::<u64>(), "{name}: {window_us:?}");
    assert_eq!(found.peak, issued.peak(), "{name}: {window_us:?}");
    found.total()
}

// Windows that begin and end on hours, inside ticks and seconds, inside one tick, and months later,
// when everything that follows is there.
#[test]
fn what_is_foreseen_of_each_model_is_what_a_run_issues() {
    for name in MODELS {
        let start = if name == "market" { "2026-03-02T14:00:00Z" } else { START };
        let plan = model(name, &[("start", start)]);
        let scale = if name == "orders" { 1 } else { 60 };
        let later = 70 * DAY_US + 1_234_567;
        for window_us in [
            0..2 * HOUR_US / scale,
            1_234_567..9_876_543 * 300 / scale,
            HOUR_US - 100..HOUR_US + 10 * SECOND_US,
            later..later + 2 * HOUR_US / scale,
        ] {
            let events = assert_equal(name, &plan, &window_us);
            assert!(events > 0 || window_us.start < later, "{name}: {window_us:?} is empty");
        }
        assert_equal(name, &plan, &(later..later + 400_000));
        assert_equal(name, &plan, &(later..later + 1));
    }
}

// Thinned by phases, spread over exact hours, kept away for later, and all of that together.
#[test]
fn what_is_foreseen_of_a_scenario_is_what_a_run_issues() {
    let defers = "{ phases = { down = { from = 1, until = 2, rate = 0.2, \
                  defer = { released = 0.7, over = \"90m\" } } } }";
    for arrivals in ["poisson", "exact"] {
        for (scenario, rate) in
            [("payment_outage", "800/h"), ("viral_moment", "5k/h"), (defers, "6k/h")]
        {
            let plan = model(
                "orders",
                &[
                    ("start", START),
                    ("traffic.arrivals", arrivals),
                    ("traffic.scenario", scenario),
                    ("traffic.rate", rate),
                ],
            );
            for window_us in [0..6 * HOUR_US, HOUR_US + 1_234_567..3 * HOUR_US + 7] {
                let name = format!("{arrivals}, {scenario}");
                assert!(assert_equal(&name, &plan, &window_us) > 0, "{name}");
            }
        }
    }
}

// Three standard deviations, for each of eleven streams.
#[test]
fn what_is_estimated_is_what_comes_within_what_is_told() {
    let plan = model("orders", &[("start", START), ("traffic.rate", "6k/h")]);
    let window_us = 70 * DAY_US + 1_234_567..70 * DAY_US + 5 * HOUR_US;
    let exact = forecast(&plan, window_us.clone(), 2);
    let looks_max = 480_000.0;
    let found = Forecast::new(&plan, &Asked { looks_max, ..asked(window_us, 2) }).unwrap();
    assert!(found.is_estimated() && (0.05..0.5).contains(&found.looked_at), "{}", found.looked_at);
    for (number, stream) in plan.streams.iter().enumerate() {
        let of = |forecast: &Forecast| forecast.streams[number].clone().unwrap();
        let (found, exact) = (of(&found), of(&exact));
        if stream.follow_up().is_none() {
            assert_eq!((&found.hours, found.apart), (&exact.hours, None), "{}", stream.name);
            continue;
        }
        let off = found.total().abs_diff(exact.total());
        let most = found.apart.unwrap() * 3 / 2;
        assert!(off <= most && most < exact.total(), "{}: {off} of {most}", stream.name);
    }
}

#[test]
fn threads_change_no_count() {
    let plan = model("orders", &[("start", START)]);
    let alone = forecast(&plan, 0..12 * HOUR_US, 1);
    for threads in [2, 5] {
        assert_eq!(forecast(&plan, 0..12 * HOUR_US, threads), alone);
    }
}

#[test]
fn a_plan_in_json_agrees_with_the_report_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let window = "--start 2026-03-02T09:00:00Z --from 30m --duration 90m --speed max --json";
    let words = |command: &str| format!("{command} orders {window}");
    let plan = words("plan");
    let plan = run(folder.path(), &plan.split(' ').collect::<Vec<_>>());
    assert_exit(&plan, 0);
    let plan = json(&plan);
    let sent = format!("{} --to null --quiet", words("run"));
    let sent = json(&run(folder.path(), &sent.split(' ').collect::<Vec<_>>()));
    for (name, stream) in sent["streams"].as_object().unwrap() {
        assert_eq!(plan["streams"][name]["events"], stream["issued"], "{name}: {plan}");
    }
    assert_eq!(plan["seed"], sent["seed"]);
    assert_eq!(plan["start"], "2026-03-02T09:00:00Z");
    assert_eq!(plan["duration_s"], 5_400);
    let hours: Vec<&serde_json::Value> =
        plan["hours"].as_array().unwrap().iter().map(|hour| &hour["hour"]).collect();
    assert_eq!(hours, [0, 1]);
}

#[test]
fn without_an_end_a_day_is_planned_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let words = "plan orders --streams orders,refunds --json --set run.count=1000";
    let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert_exit(&output, 0);
    assert!(stderr(&output).contains("end after 1,000 root events"), "{}", stderr(&output));
    assert!(stderr(&output).contains("first 1 d 00 h"), "{}", stderr(&output));
    let plan = json(&output);
    assert_eq!(plan["duration_s"], 86_400);
    assert_eq!(plan["hours"].as_array().unwrap().len(), 24);
    let streams: Vec<&String> = plan["streams"].as_object().unwrap().keys().collect();
    assert_eq!(streams, ["orders", "refunds"]);
}

#[test]
fn what_cannot_be_planned_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (words, told) in [
        ("plan orders --streams ordres", "did you mean `orders`"),
        ("plan orders --speed 2 --pace 5/s", "cannot be used with"),
        ("plan orders --duration 500000h", "shorten it"),
        ("plan orders --until 2h --from 3h --start 2026-03-02T00:00:00Z", "not after the begin"),
    ] {
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(told), "{words}: {}", stderr(&output));
        assert!(stdout(&output).is_empty());
    }
}
