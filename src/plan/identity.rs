//! Who an event is, as 122 bits of a UUID, and back.

/// placeholder
#[derive(Clone, Copy, Debug)]
pub struct Cipher;
/// placeholder
#[derive(Clone, Copy, Debug)]
pub struct Permutation;
impl Cipher {
    /// placeholder
    pub fn new(_key: u64) -> Self {
        Self
    }
}
impl Permutation {
    /// placeholder
    pub fn new(_bits: u32, _key: u64) -> Self {
        Self
    }
}
