//! Events as JSON lines: of one stream the value alone, of several with stream and key.

use std::sync::Arc;

use apache_avro::Schema;
use serde_json::json;

use crate::encode::json;
use crate::plan::Plan;
use crate::stream::{Batch, Record};

/// Writes records as lines of JSON; their values are bare Avro, without framing.
#[derive(Clone, Debug)]
pub struct Lines {
    plan: Arc<Plan>,
    /// Whether only one stream is written, so that its name need not be told.
    alone: bool,
}

impl Lines {
    /// For records of `plan`, of which so many streams are written.
    pub fn new(plan: Arc<Plan>, streams: usize) -> Self {
        Self { plan, alone: streams == 1 }
    }

    /// Appends a record's line, with its line break.
    pub fn write(&self, batch: &Batch, record: &Record, line: &mut Vec<u8>) {
        let stream = &self.plan.streams[usize::from(record.stream)];
        let value = decoded(&stream.schema, &batch.arena[record.value_range()]);
        let told = if self.alone {
            value
        } else {
            let key = record.keyed.then(|| &batch.arena[record.key_range()]);
            let key = key.map(|key| String::from_utf8_lossy(key).into_owned());
            json!({ "stream": stream.name, "key": key, "value": value })
        };
        line.extend_from_slice(told.to_string().as_bytes());
        line.push(b'\n');
    }
}

fn decoded(schema: &Schema, datum: &[u8]) -> serde_json::Value {
    json::value(schema, datum)
}
