//! Who an event is: see the plan.

pub use crate::plan::identity::{Cipher, Identity, Numbers, Token};
