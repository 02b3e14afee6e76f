//! A manifest read back.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, Manifest};
use crate::observe::report::Stopped;

/// A file that cannot be read as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file.
    #[error("cannot read the manifest {path}")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No JSON.
    #[error("{path} is no manifest of a run: it is not JSON")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where it breaks off.
        #[source]
        source: serde_json::Error,
    },
    /// JSON of another kind.
    #[error(
        "{path} is no manifest of a run: it is no JSON object with the keys `format` and \
         `tidegate`; runs write theirs into `runs/`"
    )]
    NotAManifest {
        /// The file.
        path: PathBuf,
    },
    /// One that another version wrote.
    #[error(
        "{path} is a manifest of another version: tidegate {tidegate} wrote it in format {format}, \
         and this is tidegate {}, which reads format {FORMAT}; use tidegate {tidegate}",
        env!("CARGO_PKG_VERSION")
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: String,
        /// The version that wrote it.
        tidegate: String,
    },
    /// One that was changed, or cut off.
    #[error(
        "{path} is a manifest that was changed since tidegate wrote it: a part of it cannot be read"
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// Which part.
        #[source]
        source: serde_json::Error,
    },
}

/// How a run ended, as far as a repetition asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// How many events were issued.
    pub issued: u64,
    /// Their digest, if it was asked for.
    pub digest: Option<String>,
    /// Why it ended.
    pub stopped: Stopped,
}

impl Manifest {
    /// Whether a path is meant as that of a manifest.
    pub fn is_named(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending == "json")
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// What the file is instead. Its format is looked at first, so that a manifest of a later version
    /// is called that.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let at = || path.to_path_buf();
        let text = fs::read(path).map_err(|source| Unreadable::File { path: at(), source })?;
        let json: Value = serde_json::from_slice(&text)
            .map_err(|source| Unreadable::NotJson { path: at(), source })?;
        let (Some(format), Some(tidegate)) = (json.get("format"), json.get("tidegate")) else {
            return Err(Unreadable::NotAManifest { path: at() });
        };
        if format.as_u64() != Some(FORMAT.into()) {
            let tidegate = tidegate.as_str().map_or_else(|| tidegate.to_string(), str::to_owned);
            return Err(Unreadable::OtherFormat {
                path: at(),
                format: format.to_string(),
                tidegate,
            });
        }
        let broken = |source| Unreadable::Broken { path: at(), source };
        let manifest: Self = serde_json::from_value(json).map_err(broken)?;
        if let Some(result) = &manifest.result {
            Ended::deserialize(result).map_err(broken)?;
        }
        Ok(manifest)
    }

    /// How the run ended; none if it was killed, or goes on.
    pub fn ended(&self) -> Option<Ended> {
        // What cannot be read was refused by `read`.
        Ended::deserialize(self.result.as_ref()?).ok()
    }

    /// How many events it issued in all, also before it was killed and went on; none while nobody knows.
    pub fn issued(&self) -> Option<u64> {
        let before = self.resumed.last().map_or(0, |resumed| resumed.before + resumed.there);
        self.ended().map(|ended| ended.issued + before)
    }

    /// How many events, in the order of sending, make this run again: as many as were issued, where
    /// something else than the window ended it. None: all of the window.
    pub fn events_max(&self) -> Option<u64> {
        let cut = |ended: &Ended| ended.stopped != Stopped::End || self.window.wall_s.is_some();
        self.ended().filter(cut).and_then(|_| self.issued()).or(self.window.events)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::manifest;
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        fs::write(&path, text).unwrap();
        Manifest::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_what_was_looked_for() {
        assert!(
            read("seed = 1").unwrap_err().contains("run.json is no manifest of a run: it is not")
        );
        for text in ["[1]", "{\"format\": 1}", "\"format\""] {
            assert!(read(text).unwrap_err().contains("keys `format` and `tidegate`"), "{text}");
        }
        let missing = Manifest::read(Path::new("nothing/run.json")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read the manifest nothing/run.json");
    }

    #[test]
    fn the_format_is_looked_at_before_the_rest() {
        let told = read("{\"format\": 7, \"tidegate\": \"9.1.0\"}").unwrap_err();
        assert!(told.contains("tidegate 9.1.0 wrote it in format 7"), "{told}");
        assert!(told.contains("which reads format 1; use tidegate 9.1.0"), "{told}");
        let told = read("{\"format\": 1, \"tidegate\": \"0.1.0\"}").unwrap_err();
        assert!(told.contains("changed since tidegate wrote it"), "{told}");
    }

    #[test]
    fn a_run_that_was_cut_is_made_again_by_as_many_events() {
        let with = |stopped: &str| {
            let result = json!({ "issued": 30, "digest": null, "stopped": stopped, "more": 1 });
            Manifest { result: Some(result), ..manifest() }
        };
        assert_eq!(manifest().events_max(), None);
        assert_eq!(with("end").events_max(), None);
        assert_eq!(with("signal").events_max(), Some(30));
        let mut timed = with("end");
        timed.window.wall_s = Some(2.0);
        assert_eq!(timed.events_max(), Some(30));
        let mut again = with("end");
        again.window.events = Some(30);
        assert_eq!(again.events_max(), Some(30));
        let text = serde_json::to_string(&with("eaten")).unwrap();
        assert!(read(&text).unwrap_err().contains("cannot be read"));
    }
}
