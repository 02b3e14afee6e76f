//! Who an event is, as 122 bits of a UUID, and back.

/// placeholder
#[derive(Clone, Copy, Debug)]
pub struct Cipher;
/// placeholder
#[derive(Clone, Copy, Debug)]
pub struct Permutation;
