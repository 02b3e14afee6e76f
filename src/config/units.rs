//! Rates, durations, counts and times as people write them.
