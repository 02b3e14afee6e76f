//! The scenarios that come with the program: what they are like on the models that they are for.

mod plans;
mod shop;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tidegate::config::library;
use tidegate::plan::Plan;

use super::{HOUR_US, only, since_us};
use crate::determinism::{START, events, model};

/// Each scenario with the model that it is for; those of all models on one of them.
const ON: [(&str, &str); 9] = [
    ("baseline", "orders"),
    ("customer_segments", "orders"),
    ("flash_sale", "orders"),
    ("multi_channel", "orders"),
    ("payment_outage", "orders"),
    ("returns_wave", "orders"),
    ("seasonal_planning", "orders"),
    ("supply_disruption", "orders"),
    ("viral_moment", "orders"),
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

#[test]
fn every_scenario_is_tried_on_a_model() {
    let tried: Vec<&str> = ON.iter().map(|(scenario, _)| *scenario).collect();
    assert_eq!(library::scenarios().collect::<Vec<_>>(), tried);
}
