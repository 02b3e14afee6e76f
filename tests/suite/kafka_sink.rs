//! The Kafka sink: every record arrives once and in order, whatever the brokers do.

#[path = "kafka_sink/fixture.rs"]
pub(crate) mod fixture;
#[path = "kafka_sink/guarded.rs"]
mod guarded;
#[path = "kafka_sink/mock.rs"]
mod mock;
#[path = "kafka_sink/real.rs"]
mod real;
