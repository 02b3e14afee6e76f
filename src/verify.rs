//! Verifying: what topics hold, joined with what was sent.
//!
//! [`expected`] makes the events of a run again, in send order; [`identify`] says which of them a record
//! is; the [`ledger`] joins both. [`order`] looks at the order within keys, [`compare`] at the bytes. [`check`]
//! puts them together record by record, [`conclude`] says at the end what is missing.

mod agree;
mod json;
mod remake;
pub mod sorted;
pub mod table;
pub mod gap;
pub mod ledger;
pub mod order;
pub mod expected;
pub mod identify;
pub mod compare;
pub mod findings;
pub mod check;
pub mod conclude;
pub mod report;

use std::io;
use std::path::PathBuf;

use crate::config::units::rfc3339;
use crate::stream;

/// What keeps a run from being verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The events cannot be made again.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// What memory does not hold cannot be kept.
    #[error(
        "cannot keep in `{}` what memory does not hold: set TMPDIR to a folder with room", folder.display()
    )]
    Spill {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file of findings cannot be opened.
    #[error("cannot write the findings to `{}`", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file of findings cannot be written on.
    #[error("cannot write the findings")]
    Findings(#[source] io::Error),
}
