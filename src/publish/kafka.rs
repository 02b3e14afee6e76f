//! Publishing to Kafka through librdkafka.

/// What can go wrong between us and Kafka.
#[derive(Debug, thiserror::Error)]
pub enum Error {}
