//! From flags to overrides of the model: each flag stands for one key.

use std::path::Path;

use super::arguments::{Changes, Plan, Replay, Run, Sample, To, Verify};
use super::failure::Failure;
use crate::config::{self, Configuration, ModelSource, Override, Overrides};
use crate::consume::address::Broker;
use crate::manifest::Manifest;
use crate::run::repetition::{First, Repetition};
use crate::run::request::Destination;

/// The overrides of flags that all commands have, and of the environment; `-X` is of the Kafka sink.
pub fn of_model(changes: &Changes) -> Result<Overrides, Failure> {
    of_sink(changes, None)
}

/// The same; `-X` is of the sink that events go to.
pub fn of_sink(changes: &Changes, to: Option<To>) -> Result<Overrides, Failure> {
    let sink = match to {
        Some(To::Pulsar) => To::Pulsar,
        _ => To::Kafka,
    };
    let mut flags = given(&[
        ("--rate", "traffic.rate", &changes.rate),
        ("--intensity", "traffic.intensity", &changes.intensity),
        ("--seed", "seed", &changes.seed),
        ("--start", "start", &changes.start),
        ("--registry", "registry.url", &changes.registry),
    ]);
    for written in &changes.set {
        let set = Override::assignment("--set", written);
        flags.push(set.ok_or_else(|| not_an_assignment("--set", "KEY.PATH=VALUE"))?);
    }
    for written in &changes.property {
        let set = Override::property("-X", sink.name(), written);
        flags.push(set.ok_or_else(|| not_an_assignment("-X", "NAME=VALUE"))?);
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !is_own(name));
    Ok(Overrides { flags, ..Overrides::default() }.with_environment(environment))
}

/// The overrides of those flags, named with the keys that they stand for, that were typed.
fn given(flags: &[(&str, &str, &Option<String>)]) -> Vec<Override> {
    let typed = flags
        .iter()
        .filter_map(|(flag, key, value)| Some(Override::flag(flag, key, value.as_ref()?)));
    typed.collect()
}

/// Whether a variable is no key of a model.
fn is_own(name: &str) -> bool {
    name == "TIDEGATE_LOG" || of_source(name).is_some()
}

/// What a variable about what is recorded or sent again is called without saying so:
/// `TIDEGATE_SOURCE__KAFKA__SASL_PASSWORD`, `TIDEGATE_SOURCE__REGISTRY__URL`.
fn of_source(name: &str) -> Option<String> {
    const BEGIN: &str = "TIDEGATE_SOURCE__";
    let begin = name.get(..BEGIN.len())?;
    let rest = name.get(BEGIN.len()..).filter(|_| begin.eq_ignore_ascii_case(BEGIN))?;
    let is_registry = rest.to_ascii_lowercase().starts_with("registry__");
    Some(format!("TIDEGATE_{}{rest}", if is_registry { "" } else { "SINK__" }))
}

/// The settings of what is recorded or sent again: properties of the client of `broker`, where it is, and
/// the registry.
pub fn source_settings(
    broker: Broker,
    (servers, properties): (Option<&str>, &[String]),
    registry: Option<&String>,
) -> Result<Configuration, Failure> {
    let mut flags = given(&[("--source-registry", "registry.url", &registry.cloned())]);
    let servers = servers.map(|servers| format!("{}={servers}", broker.servers_setting()));
    for written in servers.iter().chain(properties) {
        let set = Override::property("-S", broker.name(), written);
        flags.push(set.ok_or_else(|| not_an_assignment("-S", "NAME=VALUE"))?);
    }
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some((of_source(&name.into_string().ok()?)?, value.into_string().ok()?))
    });
    let overrides = Overrides { flags, ..Overrides::default() }.with_environment(variables);
    Ok(config::read_settings(&overrides, &|name| std::env::var(name).ok())?)
}

/// The settings of where recorded records are sent.
pub fn of_replay(replay: &Replay) -> Result<Configuration, Failure> {
    let changes = Changes {
        set: replay.set.clone(),
        property: replay.property.clone(),
        registry: replay.registry.clone(),
        ..Changes::default()
    };
    let mut overrides = of_sink(&changes, Some(replay.to))?;
    let metrics = replay.metrics.as_ref().map(|address| with_loopback(address));
    let create = replay.create_topics.then(|| "true".to_owned());
    overrides.flags.extend(given(&[
        ("--from", "run.from", &replay.from),
        ("--until", "run.until", &replay.until),
        ("--for", "run.for", &replay.wall),
        ("--count", "run.count", &replay.count),
        ("--speed", "run.speed", &replay.speed),
        ("--pace", "run.pace", &replay.pace),
        ("--max-rate", "run.governor.events", &replay.max_rate),
        ("--max-bytes", "run.governor.bytes", &replay.max_bytes),
        ("--drain", "run.drain", &replay.drain),
        ("--metrics", "run.metrics", &metrics),
        ("--create-topics", "run.create_topics", &create),
    ]));
    Ok(config::read_settings(&overrides, &|name| std::env::var(name).ok())?)
}

// What was written is not repeated: it may be a secret.
fn not_an_assignment(flag: &str, form: &str) -> Failure {
    Failure::Bad(format!("`{flag}` was given something without a name and `=`: write {form}"))
}

/// The overrides of all flags of `run`, and of the environment; `-X` is of the sink `to`.
pub fn of_run(run: &Run, to: Option<To>) -> Result<Overrides, Failure> {
    let mut overrides = of_sink(&run.changes, to)?;
    let metrics = run.telling.metrics.as_ref().map(|address| with_loopback(address));
    overrides.flags.extend(given(&[
        ("--from", "run.from", &run.window.from),
        ("--until", "run.until", &run.window.until),
        ("--duration", "run.duration", &run.window.duration),
        ("--for", "run.for", &run.window.wall),
        ("--count", "run.count", &run.window.count),
        ("--speed", "run.speed", &run.way.speed),
        ("--pace", "run.pace", &run.way.pace),
        ("--max-rate", "run.governor.events", &run.way.max_rate),
        ("--max-bytes", "run.governor.bytes", &run.way.max_bytes),
        ("--threads", "run.threads", &run.way.threads),
        ("--drain", "run.drain", &run.way.drain),
        ("--metrics", "run.metrics", &metrics),
    ]));
    for (flag, key, given) in [
        ("--create-topics", "run.create_topics", run.way.create_topics),
        ("--digest", "run.digest", run.telling.digest),
    ] {
        overrides.flags.extend(given.then(|| Override::flag(flag, key, "true")));
    }
    Ok(overrides)
}

/// The overrides of all flags of `verify`, and of the environment; `-X` is of the broker that an earlier
/// run sent to.
pub fn of_verify(verify: &Verify, first: Option<&First>) -> Result<Overrides, Failure> {
    let mut overrides = of_sink(&verify.changes, sink(first, None)?)?;
    overrides.flags.extend(given(&[
        ("--until", "run.until", &verify.until),
        ("--duration", "run.duration", &verify.duration),
        ("--count", "run.count", &verify.count),
        ("--threads", "run.threads", &verify.threads),
    ]));
    Ok(overrides)
}

/// The overrides of all flags of `sample`, and of the environment.
pub fn of_sample(sample: &Sample) -> Result<Overrides, Failure> {
    let mut overrides = of_model(&sample.changes)?;
    overrides.flags.extend(given(&[("--from", "run.from", &sample.from)]));
    Ok(overrides)
}

/// The overrides of all flags of `plan`, and of the environment.
pub fn of_plan(plan: &Plan) -> Result<Overrides, Failure> {
    let mut overrides = of_model(&plan.changes)?;
    overrides.flags.extend(given(&[
        ("--from", "run.from", &plan.from),
        ("--until", "run.until", &plan.until),
        ("--duration", "run.duration", &plan.duration),
        ("--speed", "run.speed", &plan.speed),
        ("--pace", "run.pace", &plan.pace),
        ("--threads", "run.threads", &plan.threads),
    ]));
    Ok(overrides)
}

/// Reads what the user means by `MODEL`; of a manifest, the model that was run.
pub fn read(model: &str, overrides: &Overrides) -> Result<Configuration, Failure> {
    match first(model)? {
        Some(first) => Ok(again(first, overrides)?.configuration),
        None => Ok(config::read(&ModelSource::named(model), overrides, &environment)?),
    }
}

/// The run that `MODEL` tells of, if it is a manifest.
pub fn first(model: &str) -> Result<Option<First>, Failure> {
    let path = Path::new(model);
    let first = Manifest::is_named(path).then(|| First::read(path));
    Ok(first.transpose()?)
}

/// Reads the model of an earlier run.
pub fn again(first: First, overrides: &Overrides) -> Result<Repetition, Failure> {
    Ok(first.again(overrides, &environment)?)
}

/// The sink whose properties `-X` sets: the one that was typed, or where an earlier run went.
pub fn sink(first: Option<&First>, typed: Option<To>) -> Result<Option<To>, Failure> {
    let then = first.map(First::destination).transpose()?;
    let is_pulsar = then == Some(Destination::Pulsar);
    Ok(typed.or(is_pulsar.then_some(To::Pulsar)))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A port alone is one on loopback.
fn with_loopback(address: &str) -> String {
    let is_port = !address.is_empty() && address.bytes().all(|digit| digit.is_ascii_digit());
    if is_port { format!("127.0.0.1:{address}") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_offered_on_loopback_only() {
        assert_eq!(with_loopback("9464"), "127.0.0.1:9464");
        assert_eq!(with_loopback("0.0.0.0:9464"), "0.0.0.0:9464");
    }

    #[test]
    fn every_flag_stands_for_a_key_that_the_model_knows() {
        let words = "tidegate run payments --rate 5/s --intensity 2 --seed 1 --start now --registry http://a:1 \
                     --from 1h --until 2h --for 1h --count 5 --speed max --max-rate 9/s --max-bytes 1MB/s --threads 2 --drain 5s \
                     --metrics 9464 --create-topics --digest -X linger.ms=1 --set lanes=8";
        let run = run_of(words);
        let overrides =
            Overrides { flags: of_run(&run, None).unwrap().flags, ..Overrides::default() };
        let model = "[streams.a]\ntopic = 'a'\nschema = 'no.avsc'\n";
        let source = ModelSource::Text {
            name: "m.toml".into(),
            directory: "/".into(),
            text: model.to_owned(),
        };
        let refused = config::read(&source, &overrides, &|_| None).unwrap_err();
        let told = refused.render(false);
        assert!(!told.contains("--"), "a flag was refused: {told}");
        assert!(told.contains("no.avsc"), "{told}");
    }

    #[test]
    fn variables_of_the_source_are_told_from_those_of_the_target() {
        let of = |name| of_source(name).unwrap();
        assert_eq!(of("TIDEGATE_SOURCE__KAFKA__A"), "TIDEGATE_SINK__KAFKA__A");
        assert_eq!(of("tidegate_source__registry__url"), "TIDEGATE_registry__url");
        assert_eq!(of_source("TIDEGATE_SINK__KAFKA__A"), None);
    }

    fn run_of(words: &str) -> Run {
        use clap::Parser as _;
        let words = words.split_whitespace();
        let invocation = super::super::arguments::Invocation::try_parse_from(words).unwrap();
        match invocation.command {
            Some(super::super::arguments::Command::Run(run)) => *run,
            other => panic!("not a run: {other:?}"),
        }
    }
}
