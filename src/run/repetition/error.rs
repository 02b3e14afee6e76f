//! What keeps a run from being done again.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::Refused;
use crate::manifest::{NamedFile, Unreadable};

/// What keeps a run from being done again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] Unreadable),
    /// The model, with what flags and variables say now.
    #[error("{0}")]
    Refused(#[from] Box<Refused>),
    /// A manifest that was changed by hand.
    #[error("the manifest {path} has `{value}` as its `{key}`, which no run writes")]
    Impossible {
        /// The manifest.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
    },
    /// A file that the model names is not there.
    #[error(
        "`{path}` cannot be read, and the model names it: put back the file that it was ({was}); \
         its path counts from the folder in which the first run began"
    )]
    FileGone {
        /// The file.
        path: String,
        /// What it was.
        was: State,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that the model names holds something else.
    #[error(
        "`{path}` has changed since the run: it was {was}, and is {is}; put back the file that it \
         was, or run the model itself for other events"
    )]
    FileChanged {
        /// The file.
        path: String,
        /// What it was.
        was: State,
        /// What it is.
        is: State,
    },
    /// A file that comes with the program is another one by now.
    #[error(
        "`{file}`, which comes with the program, is another one in tidegate {} than in \
         {tidegate}, which wrote the manifest: use tidegate {tidegate}",
        env!("CARGO_PKG_VERSION")
    )]
    OtherProgram {
        /// The file.
        file: String,
        /// The version that wrote the manifest.
        tidegate: String,
    },
    /// A flag that would change what is sent.
    #[error(
        "`{flag}` would change what is sent, and {path} says what that is: leave it out, or run the \
         model itself: `tidegate run {model}`"
    )]
    Flag {
        /// The flag.
        flag: String,
        /// The manifest.
        path: PathBuf,
        /// The model's name or path.
        model: String,
    },
    /// A variable that would change what is sent.
    #[error(
        "the variable {variable} would change what is sent, and {path} says what that is: unset it"
    )]
    Variable {
        /// Its name.
        variable: String,
        /// The manifest.
        path: PathBuf,
    },
    /// A secret that the manifest keeps masked.
    #[error(
        "`{flag}` was a secret of the first run, and a manifest keeps none: add `{flag}=VALUE`, or set \
         the variable {variable}"
    )]
    Secret {
        /// The flag that gives it.
        flag: String,
        /// The variable that does.
        variable: String,
    },
    /// A text in which more than values is masked.
    #[error(
        "the model in {path} cannot be read, because the value of a secret stands in it elsewhere, too, \
         and was masked there: use the command of the first run's end: `{repeat}`"
    )]
    MaskedText {
        /// The manifest.
        path: PathBuf,
        /// The command.
        repeat: String,
    },
    /// Something else comes out than was run.
    #[error(
        "the model in {path} is not the one that was run: its hash was {was}, and is {is}; tidegate \
         {tidegate} wrote it, and this is tidegate {}; the text may have been changed, or a secret in it \
         masked that decides events",
        env!("CARGO_PKG_VERSION")
    )]
    OtherModel {
        /// The manifest.
        path: PathBuf,
        /// The version that wrote it.
        tidegate: String,
        /// The model's hash then.
        was: String,
        /// The model's hash now.
        is: String,
    },
    /// The registry has another schema.
    #[error(
        "the registry has another schema for the stream `{stream}` than the one that the first run \
         wrote with: its id was {}, and is {}; choose that one with `--set registry.schemas`, or \
         another registry",
        shown(*was), shown(*is)
    )]
    OtherSchema {
        /// The stream.
        stream: String,
        /// The schema's id then.
        was: Option<u32>,
        /// The schema's id now.
        is: Option<u32>,
    },
}

/// What a file holds, in few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    bytes: u64,
    xxh3: String,
}

impl State {
    /// What is kept of a file.
    pub fn of(file: &NamedFile) -> Self {
        Self { bytes: file.bytes, xxh3: file.xxh3.clone() }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes, XXH3 {}", self.bytes, self.xxh3)
    }
}

fn shown(id: Option<u32>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}
