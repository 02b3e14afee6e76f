//! The model file as a tree of values that know their place.
