//! Events as JSON lines: of one stream the value alone, of several with stream and key.

use serde_json::json;

use crate::encode::json::{self, Reader};
use crate::plan::Plan;
use crate::stream::{Batch, Record};

/// Writes records as lines of JSON; their values are bare Avro, without framing.
#[derive(Debug)]
pub struct Lines<'p> {
    plan: &'p Plan,
    readers: Vec<Reader<'p>>,
    /// Whether only one stream is written, so that its name need not be told.
    alone: bool,
}

impl<'p> Lines<'p> {
    /// For records of `plan`, of which so many streams are written.
    pub fn new(plan: &'p Plan, streams: usize) -> Result<Self, json::Error> {
        let readers = plan.streams.iter().map(|stream| Reader::new(&stream.schema));
        Ok(Self { plan, readers: readers.collect::<Result<_, _>>()?, alone: streams == 1 })
    }

    /// Appends a record's line, with its line break.
    pub fn write(
        &self,
        batch: &Batch,
        record: &Record,
        line: &mut Vec<u8>,
    ) -> Result<(), json::Error> {
        let index = usize::from(record.stream);
        let value = self.readers[index].read(&batch.arena[record.value_range()])?;
        let told = if self.alone {
            value
        } else {
            let key = record.keyed.then(|| &batch.arena[record.key_range()]);
            let key = key.map(|key| String::from_utf8_lossy(key).into_owned());
            json!({ "stream": self.plan.streams[index].name, "key": key, "value": value })
        };
        line.extend_from_slice(told.to_string().as_bytes());
        line.push(b'\n');
        Ok(())
    }
}
