//! How far a run has come for sure, beside its manifest: where it goes on if it is killed.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How far a run has come for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// All that was due before is acknowledged, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
    /// How many events that is, in the order of sending.
    pub events: u64,
    /// How many of them an even pace counts.
    pub counted: u64,
    /// Nothing that was due later was handed over before this time of the wall clock, in microseconds since
    /// the Unix epoch.
    pub handed_over_us: i64,
}

impl Progress {
    /// The file beside a manifest.
    pub fn path(manifest: &Path) -> PathBuf {
        let mut name: OsString = manifest.as_os_str().to_owned();
        name.push(".progress");
        PathBuf::from(name)
    }

    /// Puts it in the place of what was there. It is whole or as it was before, if the process is killed;
    /// if the machine fails, it may be older: then more is read again.
    pub fn write(&self, manifest: &Path) -> io::Result<()> {
        let path = Self::path(manifest);
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        fs::write(&beside, serde_json::to_vec(self)?)?;
        fs::rename(&beside, path)
    }

    /// What is there; none if there is nothing.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that no run wrote.
    pub fn read(manifest: &Path) -> io::Result<Option<Self>> {
        match fs::read(Self::path(manifest)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes it away: the run has ended well.
    pub fn remove(manifest: &Path) {
        if let Err(error) = fs::remove_file(Self::path(manifest))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the file of the run's progress stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_back_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("run.json");
        assert_eq!(Progress::read(&manifest).unwrap(), None);
        let progress = Progress { due_us: -1, events: 2, counted: 3, handed_over_us: 4 };
        progress.write(&manifest).unwrap();
        assert_eq!(Progress::read(&manifest).unwrap(), Some(progress));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        Progress::remove(&manifest);
        Progress::remove(&manifest);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(Progress::path(&manifest), "?").unwrap();
        assert!(Progress::read(&manifest).is_err());
    }
}
