//! What was handed over and has no receipt yet.
