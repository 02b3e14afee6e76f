//! Exit codes, and how an error is told.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::Refused;
use crate::run::{self, repetition};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Good,
    /// It could not run, or not deliver everything.
    Failed,
    /// The invocation or the configuration is wrong.
    Bad,
    /// It ran, and the verdict is negative.
    Negative,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Bad => 2,
            Exit::Negative => 3,
        })
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The configuration has mistakes, each with its place.
    Refused(Box<Refused>),
    /// The invocation is wrong.
    Bad(String),
    /// The run could not begin or go on.
    Run(run::Error),
    /// Anything else: stdout is closed, a thread cannot be made.
    Other(anyhow::Error),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<run::Error> for Failure {
    fn from(error: run::Error) -> Self {
        match error {
            run::Error::Refused(refused) => Self::Refused(refused),
            other => Self::Run(other),
        }
    }
}

impl From<repetition::Error> for Failure {
    fn from(error: repetition::Error) -> Self {
        match error {
            repetition::Error::Refused(refused) => Self::Refused(refused),
            other => Self::Run(other.into()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(anyhow::Error::new(error).context("cannot write to stdout"))
    }
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) | Self::Bad(_) => Exit::Bad,
            Self::Run(error) if error.is_configuration() => Exit::Bad,
            Self::Run(_) | Self::Other(_) => Exit::Failed,
        }
    }

    /// What is told: the error and, below it, what caused it.
    pub fn told(&self, colour: bool) -> String {
        match self {
            Self::Refused(refused) => refused.render(colour),
            Self::Bad(text) => format!("error: {text}"),
            Self::Run(error) => chain(error),
            Self::Other(error) => chain(error.as_ref()),
        }
    }
}

/// An error and its causes, each once.
pub fn chain(error: &dyn Error) -> String {
    let mut last = error.to_string();
    let mut text = format!("error: {last}");
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        if !last.contains(&told) {
            // Writing to a string does not fail.
            _ = write!(text, "\n  because: {told}");
        }
        last = told;
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_below_the_error_and_none_twice() {
        let io = std::io::Error::other("no space left");
        let error = crate::manifest::Error::Write { path: "runs/a.json".into(), source: io };
        let error = run::Error::Manifest(error);
        let told = chain(&error);
        assert!(told.starts_with("error: cannot write the manifest runs/a.json"), "{told}");
        assert!(told.ends_with("\n  because: no space left"), "{told}");
        assert_eq!(told.matches("manifest runs/a.json").count(), 1);
    }

    #[test]
    fn what_the_user_typed_exits_with_2_and_what_the_world_did_with_1() {
        assert_eq!(Failure::from(run::Error::ShardWithoutStart).exit(), Exit::Bad);
        let source = std::io::Error::other("no");
        assert_eq!(Failure::from(run::Error::System { what: "x", source }).exit(), Exit::Failed);
    }
}
