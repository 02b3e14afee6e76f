//! `tidegate scenarios`: the scenarios and curves that come with the program.

use serde_json::json;

use super::arguments::Scenarios;
use super::failure::{Exit, Failure};
use super::{models, print};
use crate::config::library::{self, Told};

/// Lists the scenarios that come with the program, and the curves.
pub fn scenarios(arguments: &Scenarios) -> Result<Exit, Failure> {
    let mut names_of = Vec::new();
    for model in library::models() {
        names_of.push((model, models::names(model)?));
    }
    // A model has all streams and entities that a scenario names, or the scenario is of others.
    let fits = |told: &Told| -> Vec<&str> {
        let has_all = |names: &[String]| told.names.iter().all(|name| names.contains(name));
        names_of.iter().filter(|(_, names)| has_all(names)).map(|(model, _)| *model).collect()
    };
    let all: Vec<(&str, Told)> =
        library::scenarios().filter_map(|name| Some((name, library::told_of(name)?))).collect();
    let curves = library::curves();
    if arguments.json {
        let scenarios = all.iter().map(|(name, told)| {
            json!({
                "name": name, "about": told.about, "source": told.source,
                "duration": told.duration, "models": fits(told),
            })
        });
        let curves = curves.iter().map(|(name, about)| json!({ "name": name, "about": about }));
        let told = json!({
            "scenarios": scenarios.collect::<Vec<_>>(), "curves": curves.collect::<Vec<_>>(),
        });
        print::result(&told.to_string())?;
        return Ok(Exit::Good);
    }
    let mut lines = Vec::new();
    for (name, told) in &all {
        let on = if told.names.is_empty() { "any model".to_owned() } else { fits(told).join(", ") };
        lines.push(format!("{name}: {}\n  on {on}", told.about));
    }
    lines.push("\ncurves:".to_owned());
    lines.extend(curves.iter().map(|(name, about)| format!("{name}: {about}")));
    print::result(&lines.join("\n"))?;
    Ok(Exit::Good)
}
