//! Who an event is, as 122 bits of a UUID, and back.
