//! The one integration binary.

mod payments;
