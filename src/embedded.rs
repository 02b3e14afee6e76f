//! The in-process Kafka and schema registry of the quickstart.
