//! On guarded listeners of a real Kafka.
