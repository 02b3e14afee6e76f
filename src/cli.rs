//! The command line: the only place that prints.

pub mod arguments;
pub mod changes;
pub mod failure;
pub mod print;
pub mod repeat;
