//! `tidegate validate`: every mistake of a model at once.

use std::fmt::Write as _;

use super::arguments::Validate;
use super::failure::{Exit, Failure};
use super::{changes, print};
use crate::config::model::FaultKind;
use crate::observe::figure;
use crate::plan::Plan;
use crate::run;

/// Tells whether a model is in order, on stdout.
pub fn validate(arguments: &Validate, people: &print::People) -> Result<Exit, Failure> {
    let overrides = changes::of_model(&arguments.changes)?;
    let configuration = changes::read(&arguments.model, &overrides)?;
    let plan = run::plan::of_model(&configuration)?;
    if configuration.settings.kafka.is_some() {
        run::broker::checked_options(&configuration)?;
    }
    if configuration.settings.pulsar.is_some() {
        run::pulsar::checked_options(&configuration)?;
    }
    super::warn(&configuration.source, &configuration.warnings, people);
    super::warn(&configuration.source, &plan.warnings, people);
    print::result(&summary(&plan))?;
    Ok(Exit::Good)
}

fn summary(plan: &Plan) -> String {
    let mut text = format!("{}: ok", plan.name);
    for stream in &plan.streams {
        let rate = figure::rate(stream.rate_per_s());
        // How many events a condition lets through only shows when they are made.
        let rate = match stream.follow_up() {
            Some(_) => format!("up to {rate}"),
            None => format!("{rate} on average"),
        };
        // Writing to a string does not fail.
        _ = write!(text, "\n  {} to {}, {rate}", stream.name, stream.topic.name);
    }
    for fault in &plan.faults.list {
        let (name, kind, share) = (&fault.name, fault.kind.name(), fault.share * 100.0);
        _ = match fault.kind {
            FaultKind::SilentPartition { partition, .. } => {
                write!(text, "\n  fault {name}: {kind} {partition}")
            }
            _ => write!(text, "\n  fault {name}: {kind}, {share} % of events"),
        };
    }
    text
}
