//! From a configuration to a plan, with the mistakes that only show there.

use std::collections::BTreeMap;

use super::schema::Written;
use crate::clock::Clock;
use crate::config::{Configuration, Refused};
use crate::plan::{Inputs, Plan};

/// The plan of a model with its own schemas.
pub fn of_model(configuration: &Configuration) -> Result<Plan, super::Error> {
    compile(configuration, BTreeMap::new(), Clock::system().now_us())
}

/// Works out the schemas that the model leaves open, so that they are known wherever they are asked
/// for.
pub fn complete(configuration: &mut Configuration) -> Result<(), super::Error> {
    let open = |json: &str| json.is_empty();
    if !configuration.model.streams.iter().any(|stream| open(&stream.schema.value.json)) {
        return Ok(());
    }
    let plan = of_model(configuration)?;
    for (stream, compiled) in configuration.model.streams.iter_mut().zip(plan.streams) {
        if open(&stream.schema.value.json) {
            stream.schema.value.json = compiled.schema_json;
        }
    }
    Ok(())
}

/// The plan of a model whose streams are written with these schemas, in the order of its streams;
/// `now_us` is what `start = "now"` stands for.
pub fn with_schemas(
    configuration: &Configuration,
    schemas: &[Written],
    now_us: i64,
) -> Result<Plan, super::Error> {
    let names = configuration.model.streams.iter().map(|stream| stream.name.clone());
    let texts = schemas.iter().map(|written| written.schema_json.clone());
    compile(configuration, names.zip(texts).collect(), now_us)
}

fn compile(
    configuration: &Configuration,
    schemas: BTreeMap<String, String>,
    now_us: i64,
) -> Result<Plan, super::Error> {
    Plan::compile(&configuration.model, &Inputs { now_us, schemas }).map_err(|mistakes| {
        let refused = Refused::new(configuration.source.clone(), mistakes);
        super::Error::Refused(Box::new(refused))
    })
}
