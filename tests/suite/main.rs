//! The one integration binary.
mod config;

mod payments;

#![expect(clippy::unwrap_used, reason = "what fails in a helper of tests fails the test")]

mod broker_start;
mod brokers;
mod registry;
mod sources;
mod docker;
