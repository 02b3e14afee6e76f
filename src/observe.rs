//! Observation: metrics, the live view, the end report.
