//! Events as JSON lines: of one stream the value alone, of several with stream and key.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::config::model::ValueFormat;
use crate::encode::headers::{self, Shape, Value};
use crate::encode::json::{self, Reader};
use crate::plan::Plan;
use crate::stream::{Batch, Record};

/// Writes records as lines of JSON; their values are JSON, or bare Avro without framing.
#[derive(Debug)]
pub struct Lines<'p> {
    streams: Vec<Stream<'p>>,
    /// Whether values stand alone: without stream, key and headers.
    alone: bool,
    /// Whether headers are told.
    headers: bool,
    /// Whether values may be no longer what their schema says.
    faulty: bool,
}

/// What is known of a stream.
#[derive(Debug)]
struct Stream<'p> {
    name: &'p str,
    headers: Vec<Shape>,
    /// None for values that are JSON already.
    reader: Option<Reader<'p>>,
}

/// What is told of an event.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// How many streams are written: of one, neither name nor key need be told.
    pub streams: usize,
    /// Whether headers are told, and with them stream and key.
    pub headers: bool,
}

impl<'p> Lines<'p> {
    /// For records of `plan`.
    pub fn new(plan: &'p Plan, told: Told) -> Result<Self, json::Error> {
        let streams = plan.streams.iter().map(|stream| {
            let reader = match stream.value_format {
                ValueFormat::Avro => Some(Reader::new(&stream.schema)?),
                ValueFormat::Json => None,
            };
            let headers = stream.compiled.headers.iter().map(Shape::of).collect();
            Ok(Stream { name: &stream.name, headers, reader })
        });
        let streams = streams.collect::<Result<_, _>>()?;
        let (alone, headers) = (told.streams == 1 && !told.headers, told.headers);
        Ok(Self { streams, alone, headers, faulty: !plan.faults.list.is_empty() })
    }

    /// Appends the line of a record that is intended at `intended_ns`, with its line break.
    pub fn write(
        &self,
        (batch, record): (&Batch, &Record),
        intended_ns: i64,
        line: &mut Vec<u8>,
    ) -> Result<(), json::Error> {
        let stream = &self.streams[usize::from(record.stream)];
        if !self.alone {
            let key = record.keyed.then(|| text(&batch.arena[record.key_range()]));
            let (name, key) = (Json::from(stream.name), Json::from(key));
            let mut begin = format!("{{\"stream\":{name},\"key\":{key},");
            if self.headers {
                let block = &batch.arena[record.header_range()];
                let told = stream.told_headers(block, intended_ns);
                // Writing to a string does not fail.
                _ = write!(begin, "\"headers\":{told},");
            }
            line.extend_from_slice(begin.as_bytes());
            line.extend_from_slice(b"\"value\":");
        }
        let value = &batch.arena[record.value_range()];
        match &stream.reader {
            _ if record.tombstone => line.extend_from_slice(b"null"),
            _ if self.faulty => {
                let read = match &stream.reader {
                    Some(reader) => reader.read(value).ok(),
                    None => serde_json::from_slice(value).ok(),
                };
                let read =
                    read.unwrap_or_else(|| serde_json::json!({ "unreadable": hexadecimal(value) }));
                line.extend_from_slice(read.to_string().as_bytes());
            }
            Some(reader) => line.extend_from_slice(reader.read(value)?.to_string().as_bytes()),
            None => line.extend_from_slice(value),
        }
        line.extend_from_slice(if self.alone { b"\n" } else { b"}\n" });
        Ok(())
    }
}

impl Stream<'_> {
    /// Names and values; bytes are hexadecimal.
    fn told_headers(&self, block: &[u8], intended_ns: i64) -> Json {
        let told = headers::read(&self.headers, block).map(|(number, value)| {
            let name = self.headers[number].name.clone();
            let (name, value) = match value {
                Value::Identity(bytes) => (name, hexadecimal(bytes)),
                Value::Text(bytes) => (name, text(bytes)),
                Value::IntendedTime => (name, text(&headers::intended_time(intended_ns))),
                Value::Own(name, bytes) => {
                    (name.to_string_lossy().into_owned(), text(bytes.unwrap_or_default()))
                }
            };
            (name, Json::String(value))
        });
        Json::Object(told.collect())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
