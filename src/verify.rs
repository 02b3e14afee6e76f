//! Verifying: what topics hold, joined with what was sent.

pub mod gap;
pub mod ledger;
pub mod order;
pub mod sorted;
