//! The command line: the only place that prints.

pub mod again;
pub mod arguments;
pub mod changes;
pub mod drawing;
pub mod failure;
pub mod models;
pub mod plan;
pub mod print;
pub mod record;
pub mod repeat;
pub mod replay;
pub mod run;
pub mod sample;
pub mod scenarios;
pub mod topics;
pub mod validate;
pub mod verify;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};

use crate::config::{self, Mistake, Source};
use arguments::{Command, Invocation};
use failure::{Exit, Failure};
use print::People;

/// Runs the program with these words, the first of which is its name; prints, and says how it ends.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Exit {
    let invocation = match Invocation::try_parse_from(words) {
        Ok(invocation) => invocation,
        Err(error) => return refuse(&error),
    };
    let quiet = match &invocation.command {
        Some(Command::Run(run)) => run.telling.quiet,
        Some(Command::Verify(verify)) => verify.quiet,
        Some(Command::Record(record)) => record.quiet,
        Some(Command::Replay(replay)) => replay.quiet,
        _ => false,
    };
    let people = People::new(quiet);
    let ended = start_log(&invocation, &people).and_then(|()| dispatch(&invocation, &people));
    ended.unwrap_or_else(|failure| {
        people.insist(&failure.told(People::colour()));
        failure.exit()
    })
}

fn dispatch(invocation: &Invocation, people: &People) -> Result<Exit, Failure> {
    match &invocation.command {
        None => run::run(&arguments::Run::default(), people),
        Some(Command::Run(arguments)) => run::run(arguments, people),
        Some(Command::Verify(arguments)) => verify::verify(arguments, people),
        Some(Command::Record(arguments)) => record::record(arguments, people),
        Some(Command::Replay(arguments)) => replay::replay(arguments, people),
        Some(Command::Validate(arguments)) => validate::validate(arguments, people),
        Some(Command::Sample(arguments)) => sample::sample(arguments, people),
        Some(Command::Plan(arguments)) => plan::plan(arguments, people),
        Some(Command::Topics(arguments)) => topics::topics(arguments, people),
        Some(Command::Models(arguments)) => models::models(arguments),
        Some(Command::Scenarios(arguments)) => scenarios::scenarios(arguments),
        Some(Command::Init(arguments)) => models::init(arguments, people),
        Some(Command::Schema) => models::schema(),
        Some(Command::Completions(arguments)) => {
            let mut script = Vec::new();
            let mut command = Invocation::command();
            clap_complete::generate(arguments.shell, &mut command, "tidegate", &mut script);
            print::result(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Good)
        }
    }
}

/// Help and version are results; anything else is a refusal.
fn refuse(error: &clap::Error) -> Exit {
    // There is nobody left to tell that the terminal is closed.
    drop(error.print());
    if error.use_stderr() { Exit::Bad } else { Exit::Good }
}

fn start_log(invocation: &Invocation, people: &People) -> Result<(), Failure> {
    people.log(&invocation.log, invocation.log_json).map_err(|reason| {
        Failure::Bad(format!(
            "`--log` (or TIDEGATE_LOG) cannot be `{}`: {reason}; write off, error, warn, info, \
             debug or trace",
            invocation.log
        ))
    })
}

/// Says what can be run, but is worth a word.
fn warn(source: &Source, warnings: &[Mistake], people: &People) {
    if !warnings.is_empty() {
        people.say(&config::render_warnings(source, warnings, People::colour()));
    }
}
