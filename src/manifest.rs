//! The manifest: what makes a run repeatable and checkable.
//!
//! It is written and synced before the first event, and again on every change. Secrets are masked
//! in it: whoever repeats the run brings them along.

pub mod progress;
mod reading;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::config::Configuration;
use crate::config::overrides;
use crate::config::source::{PieceKind, Source};

pub use self::reading::{Ended, Unreadable};

/// The version of the manifest's form; a reader refuses one that it does not know.
pub const FORMAT: u32 = 1;

/// How many runs of one model, start and seed get names of their own in `runs/`.
const NAMES_MAX: u32 = 10_000;

/// What makes a run repeatable and checkable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of tidegate that wrote it.
    pub tidegate: String,
    /// The model.
    pub model: Model,
    /// What flags and variables put in the place of the model's values, as they were written.
    pub overrides: Vec<Override>,
    /// The seed that was used.
    pub seed: u64,
    /// The anchor of model time, as RFC 3339.
    pub start: String,
    /// What was sent of it.
    pub window: Window,
    /// How it was sent.
    pub pace: Pace,
    /// The share of the lanes, such as `3/16`; `0/1` is all of them.
    pub shard: String,
    /// Where to.
    pub sink: String,
    /// The streams that were sent, in the order of the model.
    pub streams: Vec<Stream>,
    /// The command that sends the same events again.
    pub repeat: String,
    /// When it was killed and went on, each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Resumption>,
    /// The end report; none while the run goes on, or if it was killed.
    pub result: Option<serde_json::Value>,
}

/// The model's own text and the files that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Where it was read from.
    pub path: String,
    /// Whether it comes with the program.
    pub built_in: bool,
    /// The hash of what decides its events, the start left out: 32 hexadecimal digits.
    pub hash: String,
    /// Its text, secrets masked.
    pub text: String,
    /// The files that it names.
    pub files: Vec<NamedFile>,
}

/// A file that a model names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// Where it was read from.
    pub path: String,
    /// Whether it comes with the program.
    pub built_in: bool,
    /// How long it is.
    pub bytes: u64,
    /// Its XXH3 hash of 128 bits, 32 hexadecimal digits.
    pub xxh3: String,
}

/// A value in the place of the model's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The flag, or `environment`.
    pub origin: String,
    /// The keys that it stands for, from the top of the model down.
    pub key: Vec<String>,
    /// What was written, secrets masked.
    pub written: String,
}

/// The part of model time that is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Where it begins, as RFC 3339.
    pub from: String,
    /// Where it ends, as RFC 3339.
    pub until: Option<String>,
    /// How many events of root streams it has at most.
    pub count: Option<u64>,
    /// How many events of this shard are sent of it at most, in the order of sending: where a run is
    /// repeated that something else than its window had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// How long it may take by the wall clock, where that is no point in model time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
}

/// How model time maps onto the wall clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Seconds of model time in a second; none: as fast as it goes, or at `events_per_s`.
    pub speed: Option<f64>,
    /// Root events a second, whatever their times; none: by their times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_per_s: Option<f64>,
    /// What was released in a second, at most; none: no ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<Governor>,
    /// When the window begins on the wall clock, as RFC 3339.
    pub anchor: String,
}

/// A run that was killed and went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    /// Where in model time it went on, as RFC 3339: all that was due before was acknowledged.
    pub from: String,
    /// How many events that is, in the order of sending.
    pub before: u64,
    /// How many later ones were there already.
    pub there: u64,
    /// When the window begins on the wall clock from then on, as RFC 3339.
    pub anchor: String,
}

/// Ceilings of all shards together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Governor {
    /// Events a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_per_s: Option<f64>,
    /// Bytes of key and value a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<f64>,
}

/// A stream that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its topic.
    pub topic: String,
    /// The id of its schema at the registry; none without a registry.
    pub schema_id: Option<u32>,
    /// The id of its keys' schema at the registry, if they are Avro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_schema_id: Option<u32>,
    /// The schema that its values are written with.
    pub schema: String,
}

impl Model {
    /// The model and its files as a configuration was read from them.
    pub fn new(configuration: &Configuration) -> Self {
        let (model, source) = (&configuration.model, &configuration.source);
        let text = source.model();
        let files = source.pieces().iter().filter_map(|piece| match &piece.kind {
            PieceKind::File { path, built_in } => {
                Some(NamedFile::new(path.display().to_string(), *built_in, piece.bytes()))
            }
            PieceKind::Model { .. } | PieceKind::Override(_) => None,
        });
        Self {
            name: model.name.clone(),
            path: text.map_or_else(String::new, |piece| piece.name.clone()),
            built_in: text.is_some_and(|it| it.kind == PieceKind::Model { built_in: true }),
            hash: model.hash.clone(),
            text: text.map_or_else(String::new, |piece| source.recorded(piece)),
            files: files.collect(),
        }
    }
}

impl NamedFile {
    /// What is kept of a file that holds `bytes`.
    pub fn new(path: String, built_in: bool, bytes: &[u8]) -> Self {
        let xxh3 = format!("{:032x}", xxh3_128(bytes));
        Self { path, built_in, bytes: bytes.len() as u64, xxh3 }
    }
}

impl Override {
    /// The overrides that a configuration was read with.
    pub fn all(source: &Source) -> Vec<Self> {
        let overrides = source.pieces().iter().filter_map(|piece| match &piece.kind {
            PieceKind::Override(key) => Some(Self {
                origin: piece.name.clone(),
                key: key.clone(),
                written: source.recorded(piece),
            }),
            PieceKind::Model { .. } | PieceKind::File { .. } => None,
        });
        overrides.collect()
    }

    /// The same for a configuration to be read with.
    pub fn again(&self) -> overrides::Override {
        overrides::Override::recorded(&self.origin, &self.key, &self.written)
    }
}

/// A manifest that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its folder.
    #[error(
        "cannot write the manifest {path}: choose another place with `--manifest PATH`, or \
         `--manifest none`"
    )]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Too many runs of the same.
    #[error(
        "`{folder}` holds {NAMES_MAX} manifests of this model, start and seed: move them away, or use `--manifest PATH`"
    )]
    NoName {
        /// The folder.
        folder: PathBuf,
    },
}

/// A manifest's place on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(PathBuf);

impl Place {
    /// A file of that path; what is there is replaced by the first [`Place::write`].
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// A new file in `folder`, named after the model, start, seed and shard; a number is added if
    /// there is one of that name already. The file is made, so that no other run takes it.
    pub fn new_in(folder: &Path, manifest: &Manifest) -> Result<Self, Error> {
        let fail = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Write { path, source }
        };
        fs::create_dir_all(folder).map_err(fail(folder))?;
        let start: String =
            manifest.start.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
        let mut stem = format!("{}-{start}-{}", manifest.model.name, manifest.seed);
        if manifest.shard != "0/1" {
            stem = format!("{stem}-{}", manifest.shard.replace('/', "of"));
        }
        for number in 1..=NAMES_MAX {
            let name =
                if number == 1 { format!("{stem}.json") } else { format!("{stem}-{number}.json") };
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fail(&path)(error)),
            }
        }
        Err(Error::NoName { folder: folder.to_path_buf() })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the manifest and waits until the disk has it: whole or, if the machine fails, as it
    /// was before.
    pub fn write(&self, manifest: &Manifest) -> Result<(), Error> {
        replace(&self.0, manifest).map_err(|source| Error::Write { path: self.0.clone(), source })
    }
}

fn replace(path: &Path, manifest: &Manifest) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside)?;
    serde_json::to_writer_pretty(&mut file, manifest)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            tidegate: "0.1.0".into(),
            model: Model {
                name: "payments".into(),
                path: "config/payments.toml".into(),
                built_in: false,
                hash: "00".into(),
                text: "seed = 42\n".into(),
                files: vec![NamedFile::new("a.csv".into(), false, b"abc")],
            },
            overrides: vec![Override {
                origin: "--rate".into(),
                key: vec!["traffic".into(), "rate".into()],
                written: "5/s".into(),
            }],
            seed: 42,
            start: "2026-03-02T00:00:00Z".into(),
            window: Window {
                from: "2026-03-02T00:00:00Z".into(),
                until: None,
                count: Some(7),
                events: None,
                wall_s: None,
            },
            pace: Pace {
                speed: Some(1.0),
                events_per_s: None,
                governor: Some(Governor { events_per_s: Some(500.0), bytes_per_s: None }),
                anchor: "2026-11-21T08:00:00Z".into(),
            },
            shard: "0/1".into(),
            sink: "kafka".into(),
            streams: vec![],
            repeat: "tidegate run".into(),
            resumed: Vec::new(),
            result: None,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path().join("deep/run.json"));
        let mut manifest = manifest();
        place.write(&manifest).unwrap();
        manifest.result =
            Some(serde_json::json!({ "issued": 3, "digest": null, "stopped": "end" }));
        place.write(&manifest).unwrap();
        assert_eq!(Manifest::read(place.path()).unwrap(), manifest);
        let files = fs::read_dir(folder.path().join("deep")).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside the manifest");
    }

    #[test]
    fn a_second_run_of_the_same_does_not_replace_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..3)
            .map(|_| Place::new_in(folder.path(), &manifest()).unwrap())
            .map(|place| place.path().file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        let stem = "payments-20260302T000000Z-42";
        assert_eq!(
            names,
            [format!("{stem}.json"), format!("{stem}-2.json"), format!("{stem}-3.json")]
        );
        let shard = Manifest { shard: "3/16".into(), ..manifest() };
        let place = Place::new_in(folder.path(), &shard).unwrap();
        assert!(place.path().ends_with(format!("{stem}-3of16.json")));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let place = Place::at(folder.path().join("file/run.json"));
        let error = place.write(&manifest()).unwrap_err().to_string();
        assert!(error.contains("file/run.json") && error.contains("--manifest none"), "{error}");
    }
}
