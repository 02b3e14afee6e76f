//! A sink that counts and forgets.
