//! The one integration binary.

#![expect(clippy::unwrap_used, reason = "what fails in a helper of tests fails the test")]

mod broker_start;
mod brokers;
mod embedded;
mod cli;
mod config;
mod docker;
mod encoder;
mod payments;
mod kafka_sink;
mod registry;
mod sources;
