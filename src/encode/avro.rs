//! The compiled Avro encoder.
