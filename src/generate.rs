//! Generation: a program of column operations, run over rows in chunks.

pub mod column;
pub mod cpu;
pub(crate) mod inlined;
pub mod philox;
