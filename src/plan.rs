//! The plan: what is decided before the first event.
