//! Tables that are looked things up in, millions of times a second.

#![expect(
    clippy::disallowed_types,
    reason = "they are never walked but to be sorted, so that their order shows nowhere"
)]

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// A table with a hash of its own, the same in every process.
pub type Table<K, V> = HashMap<K, V, FixedState>;
