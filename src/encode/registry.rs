//! Schemas in a schema registry that speaks the Confluent API.
