//! The one integration binary.

#![expect(clippy::unwrap_used, reason = "what fails in a helper of tests fails the test")]

mod broker_start;
mod brokers;
mod cli;
mod config;
mod determinism;
mod docker;
mod docs;
mod draws;
mod embedded;
mod encoder;
mod faults;
mod follow_ups;
mod forecast;
mod golden;
mod kafka_sink;
mod lists;
mod live;
mod model_schema;
mod market;
mod members;
mod orders;
mod pacing;
mod payments;
mod plan;
mod pulsar;
mod random_models;
mod recorded;
mod registry;
mod repeated;
mod resumed;
mod scenarios;
mod schemas;
mod sessions;
mod sources;
mod transfers;
mod verified;
mod walk;
mod words;
mod wire;
