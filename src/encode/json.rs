//! Avro values as JSON lines.
