//! What `tidegate plan` tells: the object of `--json`, the text for people, the SVG.

use std::path::Path;

use serde_json::Value;

use crate::cli::{assert_exit, json, program, run, stdout};
use crate::docs::{marked, page};

const ADVICE: &str = "the program tells something else. If that is meant: TIDEGATE_RENEW=1 cargo test \
                      --test suite the_page_shows, and look at the difference";

fn plan(words: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let words = format!("plan {words} --start 2026-03-02T00:00:00Z --json");
    let output = run(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    assert_exit(&output, 0);
    json(&output)
}

fn hours(plan: &Value, stream: &str) -> Vec<u64> {
    let hours = plan["hours"].as_array().unwrap().iter();
    hours.map(|hour| hour["streams"][stream].as_u64().unwrap()).collect()
}

// DOMAIN.md's table: ⌊800 · 1.5 · curve · phase⌋ in each hour.
#[test]
fn an_outage_of_exact_hours_has_its_known_answers() {
    let plan = plan("orders --set traffic.scenario=payment_outage --set traffic.arrivals=exact");
    assert_eq!(hours(&plan, "orders"), [360, 74, 83, 96, 570, 671]);
    assert_eq!(plan["duration_s"], 21_600, "the scenario says how long it is");
    assert_eq!(plan["streams"]["orders"]["events"], 1_854);
    let phase = &plan["phases"][0];
    assert_eq!([&phase["scenario"], &phase["phase"]], ["payment_outage", "outage"]);
    assert_eq!(phase["from"], "2026-03-02T01:00:00Z");
    assert_eq!(phase["until"], "2026-03-02T04:00:00Z");
    assert_eq!(phase["streams"]["orders"], 74 + 83 + 96);
    assert_eq!(plan["phases"].as_array().unwrap().len(), 1);
}

#[test]
fn a_phase_has_the_events_of_its_own_minutes() {
    let words = "orders --set traffic.scenario=viral_moment --set traffic.rate=600/h";
    let whole = plan(words);
    for phase in whole["phases"].as_array().unwrap() {
        let [from, until] = ["from", "until"].map(|end| phase[end].as_str().unwrap());
        let alone = plan(&format!("{words} --from {from} --until {until}"));
        for (stream, events) in phase["streams"].as_object().unwrap() {
            assert_eq!(*events, alone["streams"][stream]["events"], "{stream} in {phase}");
        }
    }
    assert!(!whole["phases"].as_array().unwrap().is_empty());
}

// A run to nowhere frames no value; a broker's records have five bytes more.
#[test]
fn bytes_are_those_of_the_report_of_a_run() {
    let window = "orders --rate 4000/h --from 30m --duration 90m";
    let planned = plan(&format!("{window} --speed max"));
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "run {window} --start 2026-03-02T00:00:00Z --to null --speed max --json --quiet --manifest none"
    );
    let sent = json(&run(folder.path(), &words.split_whitespace().collect::<Vec<_>>()));
    let framed = sent["bytes"].as_f64().unwrap() + 5.0 * sent["issued"].as_f64().unwrap();
    let bytes = planned["bytes"].as_f64().unwrap();
    assert!((bytes / framed - 1.0).abs() < 0.005, "{bytes} for {framed}");
    assert_eq!(planned["events"], sent["issued"]);
}

#[test]
fn the_time_that_a_run_takes_is_that_of_its_speed_pace_and_ceilings() {
    let wall = |words: &str| {
        let plan = plan(&format!("orders --duration 1h {words}"));
        (plan["wall_s"].clone(), plan)
    };
    assert_eq!(wall("").0, 3_600.0);
    assert_eq!(wall("--speed 60").0, 60.0);
    assert_eq!(wall("--speed max").0, Value::Null);
    let (seconds, plan) = wall("--pace 2/s");
    let orders = plan["streams"]["orders"]["events"].as_f64().unwrap();
    assert_eq!(seconds, orders / 2.0, "a pace is of root events");
    let (seconds, plan) = wall("--speed max --set run.governor.events=10/s");
    assert_eq!(seconds, plan["events"].as_f64().unwrap() / 10.0);
}

#[test]
fn people_are_told_the_same_and_shown_it() {
    let folder = tempfile::tempdir().unwrap();
    let words = "plan orders --start 2026-03-02T00:00:00Z --duration 30h --svg plan.svg";
    let mut command = program(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    let output = command.output().unwrap();
    assert_exit(&output, 0);
    let text = stdout(&output);
    for told in
        ["│", "└", "stream", "order_items", "orders.items", "busiest second", "memory", "1 d 06 h"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal: {text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let svg = std::fs::read_to_string(folder.path().join("plan.svg")).unwrap();
    assert_well_formed(&svg);
    assert!(svg.contains("order_items</text>"), "{svg}");
}

#[test]
fn the_page_shows_what_the_program_tells() {
    let page = page("plan.md");
    let (command, told) = (marked(&page, "sh").concat(), marked(&page, "text").concat());
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<&str> =
        command.split_whitespace().skip(1).chain(["--svg", "plan.svg", "--threads", "2"]).collect();
    let output = run(folder.path(), &words);
    assert_exit(&output, 0);
    let drawn = std::fs::read_to_string(folder.path().join("plan.svg")).unwrap();
    if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::fs::write(docs.join("plan.md"), page.replace(&told, &stdout(&output))).unwrap();
        std::fs::write(docs.join("plan.svg"), &drawn).unwrap();
        return;
    }
    assert_eq!(stdout(&output), told, "docs/plan.md: {ADVICE}");
    assert_eq!(drawn, crate::docs::page("plan.svg"), "docs/plan.svg: {ADVICE}");
}

/// That every element that is opened is closed, in order.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap();
        assert!(!text.contains('>') || open.last() == Some(&"style"), "{text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
