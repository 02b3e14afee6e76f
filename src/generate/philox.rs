//! Philox4x32-10, the source of all randomness (Salmon et al. 2011).
