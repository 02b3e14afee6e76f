//! tidegate streams live, labelled, repeatable synthetic traffic into message brokers.
//!
//! # The way of the data
//!
//! ```text
//! config ─▶ plan ─▶ generate ─▶ encode ─▶ stream ─▶ publish ─▶ observe
//! file,     pure,    CPU         Avro       ordered,  Kafka,     metrics,
//! flags     no I/O               bytes      paced     stdout…    report
//!                  (parallel, bounded)      (one way, back-pressured)
//! ```
//!
//! A stage may use those above it in the list of modules below, never one below.
//!
//! # Reading order
//!
//! [`config`] says what a user can ask for; [`plan`] turns it into events per tick and into a
//! program of column operations; [`generate`] runs the program; [`encode`] writes its columns as
//! Avro; [`stream`] puts batches in order and releases them on time; [`publish`] hands them to a
//! broker and returns what became of each event; [`observe`] counts. [`run`] is the one place
//! where the stages are joined, and [`cli`] the only one that prints.
//!
//! # Invariants
//!
//! 1. An event is a pure function of (model, stream, origin, number, child).
//! 2. Decisions are made in integers: every column is `u32` words.
//! 3. Every event is counted once as delivered, failed, shed or unacknowledged.
//! 4. Queues, arenas in flight, retries and memory are bounded.
//! 5. Load is open-loop: latency is measured from the intended time.
//! 6. Nothing in the payload betrays a label.

pub mod clock;
pub mod config;
pub mod plan;
pub mod generate;
pub mod encode;
pub mod stream;
pub mod publish;
pub mod consume;
pub mod embedded;
pub mod observe;
pub mod manifest;
pub mod replay;
pub mod verify;
pub mod run;
pub mod cli;
