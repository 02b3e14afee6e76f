//! The scenarios that come with the program: what they are like on the models that they are for.

mod attempts;
mod outages;
mod plans;
mod shop;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tidegate::config::{self, ModelSource, Override, Overrides, Refused, library};
use tidegate::plan::{Inputs, Plan};

use super::{HOUR_US, only, since_us};
use crate::determinism::{START, events, model};

/// Each scenario with the model that it is tried on, and how many hours of it.
const ON: [(&str, &str, u64); 20] = [
    ("backlog", "sessions", 6),
    ("baseline", "orders", 36),
    ("burst_and_gap", "sessions", 3),
    ("card_outage", "payments", 26),
    ("customer_segments", "orders", 36),
    ("festival", "orders", 144),
    ("flash_crowd", "sessions", 2),
    ("flash_sale", "orders", 36),
    ("issuer_degradation", "payments", 3),
    ("multi_channel", "orders", 36),
    ("payment_outage", "orders", 36),
    ("returns_wave", "orders", 36),
    ("salary_day", "orders", 144),
    ("seasonal_planning", "orders", 36),
    ("supply_disruption", "orders", 36),
    ("upi_outage", "transfers", 13),
    ("viral_endogenous", "orders", 50),
    ("viral_exogenous", "orders", 30),
    ("viral_exogenous_critical", "orders", 30),
    ("viral_moment", "orders", 36),
];

/// A model under a scenario from [`START`] on, with more flags.
fn under(scenario: &str, of: &str, flags: &[(&str, &str)]) -> Arc<Plan> {
    let own = [("start", START), ("traffic.scenario", scenario)];
    let flags: Vec<(&str, &str)> = own.into_iter().chain(flags.iter().copied()).collect();
    model(of, &flags)
}

/// The values of one stream's events in some hours, with how many hours after the start each comes.
fn values(
    plan: &Arc<Plan>,
    stream: &str,
    hours: Range<u64>,
) -> Vec<(f64, BTreeMap<String, Value>)> {
    let schema = &plan.stream(stream).unwrap().1.schema;
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let all = events(plan, only(plan, &[stream], hours));
    all.into_iter()
        .filter(|event| !event.datum.is_empty())
        .map(|event| {
            let Value::Record(fields) = reader.read_value(&mut &event.datum[..]).unwrap() else {
                unreachable!("a record")
            };
            (since_us(plan, &event) as f64 / HOUR_US as f64, fields.into_iter().collect())
        })
        .collect()
}

/// A text, or nothing.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Union(_, inner) => text(inner),
        Value::String(text) | Value::Enum(_, text) => Some(text),
        Value::Null => None,
        other => unreachable!("{other:?}"),
    }
}

fn whole(value: &Value) -> i64 {
    match value {
        Value::Int(value) => i64::from(*value),
        Value::Long(value) => *value,
        other => unreachable!("{other:?}"),
    }
}

/// How many of some are so, as a share.
fn share<T>(of: &[T], is_so: impl Fn(&T) -> bool) -> f64 {
    of.iter().filter(|one| is_so(one)).count() as f64 / of.len() as f64
}

/// What is said of a scenario on a model: nothing, if it can be.
fn said(scenario: &str, of: &str) -> Option<String> {
    let setting = |key: &str, value: &str| Override::flag("--set", key, value);
    let flags = vec![
        setting("start", START),
        setting("traffic.scenario", scenario),
        setting("traffic.arrivals", "poisson"),
    ];
    let overrides = Overrides { flags, ..Overrides::default() };
    let configuration = config::read(&ModelSource::named(of), &overrides, &|_| None).unwrap();
    let mistakes = Plan::compile(&configuration.model, &Inputs::default()).err()?;
    Some(Refused::new(configuration.source, mistakes).render(false))
}

#[test]
fn a_scenario_works_on_the_models_that_have_what_it_names_and_says_what_is_missing() {
    for name in library::scenarios() {
        let told = library::told_of(name).unwrap();
        let (own, _) =
            told.names.first().map_or(("", ""), |name| name.split_once('.').unwrap_or((name, "")));
        let (_, tried, _) = ON.iter().find(|it| it.0 == name).unwrap();
        for of in library::models() {
            // A model is there to say it, and each other one once.
            let said = if own.is_empty() && of != "sessions" { None } else { said(name, of) };
            if own.is_empty() || of == *tried {
                assert_eq!(said, None, "{name} on {of}");
            } else {
                let said = said.unwrap_or_else(|| unreachable!("{name} on {of}"));
                let missing = format!("names the stream `{own}`, which the model has not");
                let entity = format!("names the entity `{own}`, which the model has not");
                let attribute = format!("which is no attribute of `{own}`");
                let any = [missing, entity, attribute];
                assert!(any.iter().any(|it| said.contains(it.as_str())), "{name} on {of}: {said}");
            }
        }
    }
}

#[test]
fn every_scenario_says_what_it_is_and_where_its_figures_come_from() {
    for name in library::scenarios() {
        let told = library::told_of(name).unwrap();
        assert!(told.about.len() > 30 && told.about.ends_with('.'), "{name}: {}", told.about);
        assert!(told.source.len() > 7, "{name}");
        assert!(told.duration.is_some() || name == "baseline", "{name}");
    }
    for (name, about) in library::curves() {
        assert!(about.len() > 20, "{name}: {about}");
    }
}

#[test]
fn every_scenario_is_tried_on_a_model() {
    let tried: Vec<&str> = ON.iter().map(|(scenario, ..)| *scenario).collect();
    assert_eq!(library::scenarios().collect::<Vec<_>>(), tried);
}
