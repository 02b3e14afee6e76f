//! Publishing to Kafka through librdkafka.
//!
//! [`Options`] hold librdkafka's properties under their own names, and can be checked without a
//! broker. [`topics`] asks what there is before a run. [`Kafka`] is the sink.
//!
//! Records go to librdkafka without a copy: their bytes stay in the arena of their batch, which is
//! held until the last receipt. A thread of its own turns delivery reports into receipts.

pub(crate) mod native;
mod options;
mod problem;
mod produce;
mod receipts;
mod single;
mod sink;
pub mod topics;

pub use options::{Options, Property, Timestamp};
pub(crate) use problem::Complaints;
pub use problem::{Error, way_out};
pub use sink::{Kafka, Outlet};
pub(crate) use sink::{PURGE_PATIENCE, note};
