//! `tidegate run MANIFEST`: an earlier run again.

use super::arguments::{Run, To};
use super::failure::Failure;
use super::print::People;
use super::{changes, repeat, run};
use crate::config::Configuration;
use crate::run::repetition::First;
use crate::run::request::{Facts, Repeat, Request};

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
    if first.manifest.result.is_none() {
        people.say(&format!(
            "{} has no result: the run was killed, or goes on; all of its window is sent",
            first.path.display()
        ));
    }
    let (source, again) = (configuration.source.clone(), arguments.clone());
    let repeat: Repeat = Box::new(move |facts: &Facts| {
        source.masked_message(&repeat::of_repetition(&again, &source, facts))
    });
    let request = Request {
        streams: first.streams(&configuration),
        shard: first.shard()?,
        repeats: Some(first),
        ..run::request(arguments, destination, repeat)
    };
    Ok((configuration, request))
}
