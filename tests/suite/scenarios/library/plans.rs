//! Golden plans: what each scenario makes a run send, hour by hour.

use std::fmt::Write as _;

use tidegate::plan::{Origin, Plan};
use tidegate::stream::Route;
use tidegate::stream::forecast::{Asked, Forecast};

use super::super::HOUR_US;
use super::{ON, under};
use crate::determinism::START;

const ADVICE: &str = "what this scenario sends has changed. If that is meant: TIDEGATE_RENEW=1 cargo \
                      test --test suite plans, look at the difference, and say so in the commit";

/// What makes a model small enough to count all of it.
fn small(of: &str, hours: u64) -> &'static [(&'static str, &'static str)] {
    match of {
        "orders" if hours > 100 => &[("traffic.rate", "100/h")],
        "orders" => &[("traffic.rate", "800/h")],
        "transfers" => &[("entities.person.count", "100000"), ("entities.company.count", "10000")],
        _ => &[("traffic.rate", "1000/h")],
    }
}

fn told(scenario: &str, of: &str, hours: u64) -> String {
    let flags = small(of, hours);
    let plan = under(scenario, of, flags);
    // Members are told whatever the scenario.
    let routes = plan.streams.iter().map(|stream| {
        let skipped = matches!(stream.origin, Origin::Members(_));
        Route { skipped, ..Route::default() }
    });
    let asked = Asked {
        window_us: 0..hours * HOUR_US,
        routes: routes.collect(),
        phases_us: Vec::new(),
        threads: 2,
        looks_max: f64::INFINITY,
    };
    let found = Forecast::new(&plan, &asked).unwrap();
    let flags: Vec<String> = flags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let flags = flags.join(" ");
    write(&plan, &found, &format!("{scenario} on {of} {flags}, seed 42, start {START}"))
}

/// One line a stream: its name, and how many events it has in each hour.
fn write(plan: &Plan, found: &Forecast, title: &str) -> String {
    let mut text = format!("# {title}\n");
    for (stream, counts) in plan.streams.iter().zip(&found.streams) {
        let Some(counts) = counts else { continue };
        let hours: Vec<String> = counts.hours.iter().map(u64::to_string).collect();
        writeln!(text, "{}: {}", stream.name, hours.join(" ")).unwrap();
    }
    text
}

#[test]
fn the_plans_of_all_scenarios_are_what_they_were() {
    let mut changed = Vec::new();
    for (scenario, of, hours) in ON {
        let found = told(scenario, of, hours);
        let path = format!("{}/tests/golden/plans/{scenario}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
            std::fs::write(&path, &found).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != found {
            changed.push(path);
        }
    }
    assert!(changed.is_empty(), "{changed:?}: {ADVICE}");
}
