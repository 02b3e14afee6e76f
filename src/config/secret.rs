//! Strings that come from the environment or a file, and are masked.
