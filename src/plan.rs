//! The plan: what is decided before the first event.

pub mod alias;
pub mod normal;
pub mod quantile;
pub mod zone;
pub mod family;
pub mod population;
pub mod poisson;
pub mod arrival;
pub mod traffic;
pub mod identity;
pub mod program;
pub mod fill;
