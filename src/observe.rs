//! Observation: metrics, the live view, the end report.
//!
//! The [`tally::Tally`] hears of every record that is handed over ([`tally::Watched`]) and of every
//! receipt ([`crate::publish::Receiver`]). What it counted is shown while the run goes on
//! ([`progress`], [`exporter`]) and when it is over ([`report`]), and judged ([`verdict`]).
//! Of who reads what is sent, a [`consumer::Consumer`] tells.

pub mod agreement;
pub mod consumer;
pub mod exporter;
pub mod faults;
pub mod figure;
pub mod latency;
pub mod memory;
pub mod metric;
pub mod progress;
pub mod report;
pub mod tally;
pub mod verdict;
pub mod watermark;
