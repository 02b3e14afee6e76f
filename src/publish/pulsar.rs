//! Publishing to Pulsar over its binary protocol.
//!
//! [`Options`] hold settings under Pulsar's own names, and can be checked without a broker.
//! [`Pulsar`] is the sink.
//!
//! The messages of a batch are laid out straight from the arena of generated events, as the broker
//! stores them: an event costs no allocation, and a batch has one receipt. Each stream has a producer
//! for each partition, a channel; a thread of its own keeps channels open, writes their batches and
//! turns receipts of batches into receipts of records. What has no receipt when a connection ends is
//! sent again on the next one, in the same order with the same sequence ids.

mod address;
pub(crate) mod authentication;
pub(crate) mod batch;
mod channel;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod drive;
pub(crate) mod frame;
mod oauth2;
pub(crate) mod options;
pub(crate) mod problem;
mod shared;
mod sink;
pub(crate) mod tls;
pub mod topics;
mod window;

pub use address::Address;
pub use options::{Batcher, Options, Property};
pub use problem::{Error, way_out};
pub use sink::{Numbering, Outlet, Pulsar};
