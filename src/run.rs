//! The one place where the stages are joined.

pub mod broker;
pub mod error;
pub mod plan;
pub mod request;
pub mod schema;
pub mod signal;
pub mod window;

pub use error::Error;
