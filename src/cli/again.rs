//! `tidegate run MANIFEST`: an earlier run again.

use super::arguments::{self, Run, To};
use super::failure::Failure;
use super::print::People;
use super::{changes, repeat, run};
use crate::config::Configuration;
use crate::manifest::progress::Progress;
use crate::observe::report::Stopped;
use crate::run::repetition::First;
use crate::run::request::{Destination, Facts, ManifestPath, Repeat, Request};
use crate::run::resume::Resume;

/// What the model of an earlier run is read as, and what is asked for beside it.
pub(super) fn asked(
    arguments: &Run,
    first: First,
    people: &People,
) -> Result<(Configuration, Request), Failure> {
    let to = changes::sink(Some(&first), arguments.way.to)?;
    let overrides = changes::of_run(arguments, to)?;
    let window = &arguments.window;
    for (flag, typed) in
        [("--streams", !window.streams.is_empty()), ("--shard", window.shard.is_some())]
    {
        if typed {
            return Err(first.refuse(flag).into());
        }
    }
    let then = first.destination()?;
    let destination = arguments.way.to.map_or(then, To::destination);
    run::check(arguments, destination)?;
    let repetition = changes::again(first, &overrides)?;
    repetition.check_secrets(destination)?;
    let (first, configuration) = (repetition.first, repetition.configuration);
    let resume = resumed(arguments, &first, destination)?;
    if first.manifest.result.is_none() && resume.is_none() {
        people.say(&format!(
            "{} has no result: the run was killed, or goes on; all of its window is sent",
            first.path.display()
        ));
    }
    let (source, again) = (configuration.source.clone(), arguments.clone());
    let repeat: Repeat = Box::new(move |facts: &Facts| {
        source.masked_message(&repeat::of_repetition(&again, &source, facts))
    });
    let asked = run::request(arguments, destination, repeat);
    let manifest = match resume {
        Some(_) => ManifestPath::At(first.path.clone()),
        None => asked.manifest.clone(),
    };
    let request = Request {
        resume,
        manifest,
        streams: first.streams(&configuration),
        shard: first.shard()?,
        repeats: Some(first),
        ..asked
    };
    Ok((configuration, request))
}

/// How the run goes on, if it is to; refused where it cannot.
fn resumed(
    arguments: &Run,
    first: &First,
    destination: Destination,
) -> Result<Option<Resume>, Failure> {
    let Some(how) = arguments.way.resume else { return Ok(None) };
    let bad = |reason: &str| Err(Failure::Bad(format!("`--resume`: {reason}")));
    if !matches!(destination, Destination::Kafka | Destination::Pulsar) {
        return bad("only of Kafka and Pulsar it can be told what is there");
    }
    if destination != first.destination()? {
        return bad("the run goes on where it was: leave `--to` out");
    }
    if arguments.telling.manifest.is_some() {
        return bad("the run keeps its manifest: leave `--manifest` out");
    }
    // Of a run that ended with events that did not arrive, it stays written how far it had come.
    let is_whole = !Progress::path(&first.path).exists();
    if is_whole && first.manifest.ended().is_some_and(|ended| ended.stopped == Stopped::End) {
        return bad(
            "the run has ended, and nothing of it is left; without `--resume` it is done again",
        );
    }
    Ok(Some(match how {
        arguments::Resume::CatchUp => Resume::CatchUp,
        arguments::Resume::Shift => Resume::Shift,
    }))
}
