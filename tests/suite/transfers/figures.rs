//! Figures: what many rows add up to.
