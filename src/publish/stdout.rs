//! A sink that writes JSON lines to the standard output.
