//! Closures that are inlined wherever they are called.

/// A closure that is compiled into each loop that calls it, for the instructions of that loop: by
/// itself the compiler leaves long ones outside, and then they have those of the oldest machine.
macro_rules! inlined {
    (|$($name:pat_param),*| $body:expr) => {
        #[inline(always)]
        |$($name),*| $body
    };
}

pub(crate) use inlined;
