//! The manifest: what makes a run repeatable and checkable.
