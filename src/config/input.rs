//! Where a model and the files that it names are read from.

use std::fs;
use std::path::{Path, PathBuf};

use super::refused::Refused;
use super::{bare, library, suggest};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A file: a model, or a schema that stands for one.
    File(PathBuf),
    /// A model that comes with the program.
    BuiltIn(String),
    /// A text; what it names is looked up in a directory.
    Text {
        /// What it is called in messages.
        name: String,
        /// Where the files that it names are.
        directory: PathBuf,
        /// The model.
        text: String,
    },
    /// A model as an earlier run recorded it.
    Recorded(Recorded),
}

/// A model as an earlier run recorded it: its text, whatever the file holds by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The model's name.
    pub name: String,
    /// Where its file was; what it names is looked up beside it.
    pub path: PathBuf,
    /// Whether the model comes with the program, and with it the files that it names.
    pub built_in: bool,
    /// Its text.
    pub text: String,
    /// The seed that was used, if one was drawn.
    pub seed: u64,
}

impl ModelSource {
    /// What a user means by `MODEL`: the name of a model that comes with the program, else a path.
    pub fn named(argument: &str) -> Self {
        if library::models().any(|name| name == argument) {
            Self::BuiltIn(argument.to_owned())
        } else {
            Self::File(PathBuf::from(argument))
        }
    }

    /// The model's name: the file's without its ending.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => {
                path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into())
            }
            Self::BuiltIn(name) => name.clone(),
            Self::Text { name, .. } => name.trim_end_matches(".toml").to_owned(),
            Self::Recorded(recorded) => recorded.name.clone(),
        }
    }

    /// The seed that stands where one would be drawn.
    pub(super) fn seed(&self) -> Option<u64> {
        match self {
            Self::Recorded(recorded) => Some(recorded.seed),
            Self::File(_) | Self::BuiltIn(_) | Self::Text { .. } => None,
        }
    }

    /// The text, what to call it, and where the files that it names are.
    pub(super) fn read(&self) -> Result<(String, String, Files), Refused> {
        match self {
            Self::File(path) => {
                let mut text = read_model_file(path)?;
                if bare::is_schema(path) {
                    text = bare::model(path);
                }
                let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
                Ok((text, path.display().to_string(), Files::Disk(directory)))
            }
            Self::BuiltIn(name) => {
                let path = format!("config/{name}.toml");
                let text = library::open(&path).ok_or_else(|| {
                    let help = suggest::way_out(name, library::models()).unwrap_or_default();
                    Refused::placeless(format!("no model `{name}` comes with the program"), &help)
                })?;
                Ok((text.to_owned(), path, Files::BuiltIn("config".to_owned())))
            }
            Self::Text { name, directory, text } => {
                Ok((text.clone(), name.clone(), Files::Disk(directory.clone())))
            }
            Self::Recorded(Recorded { path, built_in, text, .. }) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                let files = Files::Disk(directory.to_path_buf());
                let built_in = built_in.then(|| Files::BuiltIn("config".to_owned()));
                Ok((text.clone(), path.display().to_string(), built_in.unwrap_or(files)))
            }
        }
    }
}

fn read_model_file(path: &Path) -> Result<String, Refused> {
    fs::read_to_string(path).map_err(|error| {
        let typed = path.to_string_lossy();
        let near = suggest::nearest(&typed, library::models())
            .map(|name| format!("; did you mean the built-in model `{name}`?"));
        let names: Vec<&str> = library::models().collect();
        let known = match (near, names.is_empty()) {
            (Some(near), _) => near,
            (None, true) => String::new(),
            (None, false) => format!("; built-in models: {}", names.join(", ")),
        };
        Refused::placeless(
            format!("cannot read the model `{typed}`: {}", reason(&error)),
            &format!("give the path of a model file{known}"),
        )
    })
}

/// The files that a model names.
#[derive(Clone, Debug)]
pub(super) enum Files {
    /// In a directory.
    Disk(PathBuf),
    /// Compiled in, under a path.
    BuiltIn(String),
}

impl Files {
    /// Whether they come with the program.
    pub(super) fn are_built_in(&self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }

    /// The path that is meant, and the file's text.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub(super) fn read(&self, path: &str) -> (PathBuf, Result<String, String>) {
        match self {
            Self::Disk(directory) => {
                let path = directory.join(path);
                let text = fs::read_to_string(&path).map_err(|error| reason(&error));
                (path, text)
            }
            Self::BuiltIn(directory) => {
                let path = library::normalised(&format!("{directory}/{path}"));
                let text = library::open(&path)
                    .map(str::to_owned)
                    .ok_or_else(|| "no such file comes with the program".to_owned());
                (PathBuf::from(path), text)
            }
        }
    }

    /// The same for a file that need not be text.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub(super) fn read_bytes(&self, path: &str) -> (PathBuf, Result<Vec<u8>, String>) {
        match self {
            Self::Disk(directory) => {
                let path = directory.join(path);
                let bytes = fs::read(&path).map_err(|error| reason(&error));
                (path, bytes)
            }
            Self::BuiltIn(_) => {
                let (path, text) = self.read(path);
                (path, text.map(String::into_bytes))
            }
        }
    }

    /// Files beside one of these.
    pub(super) fn beside(&self, path: &Path) -> Self {
        let directory = path.parent().unwrap_or(Path::new(""));
        match self {
            Self::Disk(_) => Self::Disk(directory.to_path_buf()),
            Self::BuiltIn(_) => Self::BuiltIn(directory.to_string_lossy().into_owned()),
        }
    }

    /// The path that is meant, on disk.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        match self {
            Self::Disk(directory) => directory.join(path),
            Self::BuiltIn(_) => PathBuf::from(path),
        }
    }
}

/// An error of the file system, in few words.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}
