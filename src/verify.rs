//! Verifying: what topics hold, joined with what was sent.

pub mod expected;
pub mod gap;
pub mod identify;
mod json;
pub mod ledger;
pub mod order;
pub mod sorted;
