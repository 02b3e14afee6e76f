//! The one integration binary.
mod encoder;
