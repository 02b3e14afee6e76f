//! Recorded records as lines of JSON: `{"topic","partition","position","timestamp","key","headers","value"}`.
//!
//! A value in Avro whose schema is known is written as JSON, with the schema's id as `schema`; one that is
//! a JSON object is written as it is. Keys, headers and other values are texts, or `{"base64": "…"}` where
//! they are none. A timestamp is read as RFC 3339 or as milliseconds since the Unix epoch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::schemas::{Asker, Known, Schemas, frame, framed};
use super::{Error, Header, Recorded};
use crate::encode::json::{Reader as Say, write::write};

/// A file that is written.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    bytes: u64,
}

impl Writer {
    /// Makes a file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create_new(path).map_err(|source| Error::file("make", path, source))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), bytes: 0 })
    }

    /// Adds a record of a topic.
    pub fn push(
        &mut self,
        topic: &str,
        record: &Recorded<'_>,
        schemas: &mut Schemas,
    ) -> Result<(), Error> {
        let mut line = said(topic, record, schemas)?.to_string();
        line.push('\n');
        self.bytes += line.len() as u64;
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|source| Error::file("write", &self.path, source))
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes what was added, so that it can be read.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|source| Error::file("write", &self.path, source))
    }

    /// Ends the file, and waits until it is stored.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let synced = self.file.get_ref().sync_all();
        synced.map_err(|source| Error::file("write", &self.path, source))
    }
}

/// Appends the line of a record of a topic, with its line break.
pub fn put(
    topic: &str,
    record: &Recorded<'_>,
    schemas: &mut Schemas,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    out.extend_from_slice(said(topic, record, schemas)?.to_string().as_bytes());
    out.push(b'\n');
    Ok(())
}

/// What a line says.
fn said(topic: &str, record: &Recorded<'_>, schemas: &mut Schemas) -> Result<Json, Error> {
    let time = jiff::Timestamp::from_millisecond(record.timestamp_ms);
    let time = time.ok().filter(|_| record.timestamp_ms >= 0);
    let headers = record.headers.iter().map(|(name, value)| {
        json!([String::from_utf8_lossy(name), value.map_or(Json::Null, text)])
    });
    let mut line = Map::new();
    line.insert("topic".to_owned(), topic.into());
    line.insert("partition".to_owned(), record.partition.into());
    line.insert("position".to_owned(), record.position.map(|it| it.to_string()).into());
    line.insert("timestamp".to_owned(), time.map(|time| format!("{time:.3}")).into());
    line.insert("key".to_owned(), record.key.map_or(Json::Null, text));
    line.insert("headers".to_owned(), headers.collect());
    let value = match (record.value, record.value.and_then(framed)) {
        (None, _) => Json::Null,
        (Some(value), Some((id, datum))) => match schemas.find(id)? {
            Some(known) => {
                let said = Say::new(known.schema).and_then(|reader| reader.read(datum));
                match said {
                    Ok(said) => {
                        line.insert("schema".to_owned(), id.into());
                        said
                    }
                    Err(_) => text(value),
                }
            }
            None => text(value),
        },
        (Some(value), None) => match value.first() {
            Some(b'{') => serde_json::from_slice(value).unwrap_or_else(|_| text(value)),
            _ => text(value),
        },
    };
    line.insert("value".to_owned(), value);
    Ok(Json::Object(line))
}

fn text(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// The bytes of what [`text`] wrote; none of null.
fn bytes(value: &Json) -> Result<Option<Vec<u8>>, String> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text.clone().into_bytes())),
        Json::Object(fields) if fields.len() == 1 && fields.contains_key("base64") => {
            let text = fields["base64"].as_str().unwrap_or_default();
            STANDARD.decode(text).map(Some).map_err(|_| format!("`{text}` is no Base64"))
        }
        other => Ok(Some(other.to_string().into_bytes())),
    }
}

/// With which schemas values are written that no id is said of.
#[derive(Debug, Default)]
pub struct Encoder {
    /// This one, for all topics.
    chosen: Option<Arc<Known>>,
    /// Else the latest ones of this registry, if there are any.
    latest: Option<Asker>,
    /// What topics are called there, by their names in the lines.
    names: BTreeMap<String, String>,
    /// Whether values get the ids of their schemas before them.
    framed: bool,
    /// Those that were looked up, by topic.
    known: Mutex<BTreeMap<String, Option<Arc<Known>>>>,
}

impl Encoder {
    /// Writes values with this schema, else with the latest ones of a registry, where topics have other
    /// names; with ids before them if there is a registry.
    pub fn new(
        chosen: Option<Arc<Known>>,
        latest: Option<Asker>,
        names: BTreeMap<String, String>,
    ) -> Self {
        let framed = latest.is_some();
        Self { chosen, latest, names, framed, known: Mutex::default() }
    }

    /// The bytes of a value.
    fn value(
        &self,
        topic: &str,
        (id, value): (Option<u32>, &Json),
        schemas: &Mutex<Schemas>,
    ) -> Result<Option<Vec<u8>>, String> {
        if value.is_null() {
            return Ok(None);
        }
        let told = |error: &dyn std::error::Error| error.to_string();
        let mut out = Vec::new();
        if let Some(id) = id {
            let mut schemas = schemas.lock().unwrap_or_else(PoisonError::into_inner);
            let known = schemas.get(topic, id).map_err(|error| told(&error))?;
            frame(&mut out, id);
            return write(known.schema, value, &mut out)
                .map(|()| Some(out))
                .map_err(|it| told(&it));
        }
        let is_bytes =
            value.as_object().is_some_and(|it| it.len() == 1 && it.contains_key("base64"));
        let latest;
        let known = match &self.chosen {
            _ if is_bytes => None,
            Some(chosen) => Some(chosen.as_ref()),
            None => {
                latest = self.latest(topic, schemas).map_err(|error| told(&error))?;
                latest.as_deref()
            }
        };
        let Some(known) = known else { return bytes(value) };
        if self.framed {
            frame(&mut out, known.id);
        }
        write(known.schema, value, &mut out).map(|()| Some(out)).map_err(|error| told(&error))
    }

    fn latest(&self, topic: &str, schemas: &Mutex<Schemas>) -> Result<Option<Arc<Known>>, Error> {
        let Some(asker) = &self.latest else { return Ok(None) };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(topic) {
            return Ok(known.clone());
        }
        let there = self.names.get(topic).map_or(topic, String::as_str);
        let known = asker.latest(there)?.map(|latest| {
            let mut schemas = schemas.lock().unwrap_or_else(PoisonError::into_inner);
            schemas.add(latest.schema_json)
        });
        let known = known.transpose()?;
        all.insert(topic.to_owned(), known.clone());
        Ok(known)
    }
}

/// A file that is read line by line.
#[derive(Debug)]
pub struct Reader {
    input: BufReader<File>,
    path: PathBuf,
    line: u64,
    text: String,
}

/// What a line says.
#[derive(Debug)]
pub struct Line {
    /// The topic.
    pub topic: String,
    partition: Option<u32>,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    schema: Option<u32>,
    value: Json,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::file("read", path, source))?;
        Ok(Self {
            input: BufReader::new(file),
            path: path.to_owned(),
            line: 0,
            text: String::new(),
        })
    }

    /// The next line; none at the end.
    pub fn next_line(&mut self) -> Result<Option<Line>, Error> {
        loop {
            self.text.clear();
            let read = self.input.read_line(&mut self.text);
            if read.map_err(|source| Error::file("read", &self.path, source))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if !self.text.trim().is_empty() {
                return Line::parse(&self.text).map(Some).map_err(|what| self.error(what));
            }
        }
    }

    /// Hands a line over as a record; its topic has this place among those of the feed.
    pub fn hand_over(
        &self,
        line: &Line,
        topic: usize,
        (encoder, schemas): (&Encoder, &Mutex<Schemas>),
        take: &mut super::Take<'_>,
    ) -> Result<(), Error> {
        let value = encoder.value(&line.topic, (line.schema, &line.value), schemas);
        let value = value.map_err(|what| self.error(what))?;
        let headers: Vec<Header<'_>> =
            line.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())).collect();
        take(&Recorded {
            topic,
            partition: line.partition,
            position: None,
            timestamp_ms: line.timestamp_ms,
            key: line.key.as_deref(),
            headers: &headers,
            value: value.as_deref(),
        })
    }

    fn error(&self, what: String) -> Error {
        Error::Line { path: self.path.clone(), line: self.line, what }
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        let line: Map<String, Json> = serde_json::from_str(text)
            .map_err(|error| format!("it is no JSON object of a record: {error}"))?;
        let Some(topic) = line.get("topic").and_then(Json::as_str) else {
            return Err("it has no `topic`".to_owned());
        };
        let number = |name: &str| match line.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number.map(Some).ok_or_else(|| format!("`{name}` is {value}, and no number"))
            }
        };
        let pair = |name: &str, value: &Json| Ok((name.as_bytes().to_vec(), bytes(value)?));
        let headers: Result<Vec<_>, String> = match line.get("headers") {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Object(all)) => all.iter().map(|(name, value)| pair(name, value)).collect(),
            Some(Json::Array(all)) => {
                let each = all.iter().map(|header| match header.as_array().map(Vec::as_slice) {
                    Some([Json::String(name), value]) => pair(name, value),
                    _ => Err(format!("the header {header} is no pair of a name and a value")),
                });
                each.collect()
            }
            Some(other) => Err(format!("`headers` is {other}, and no list of pairs")),
        };
        Ok(Self {
            topic: topic.to_owned(),
            partition: number("partition")?,
            timestamp_ms: line.get("timestamp").map_or(Ok(-1), time_ms)?,
            key: line.get("key").map_or(Ok(None), bytes)?,
            headers: headers?,
            schema: number("schema")?,
            value: line.get("value").cloned().unwrap_or(Json::Null),
        })
    }
}

fn time_ms(value: &Json) -> Result<i64, String> {
    let text = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let time = text.map(jiff::Timestamp::as_millisecond).or(value.as_i64());
    let time = time.or(value.is_null().then_some(-1));
    time.ok_or_else(|| format!("`timestamp` is {value}: write RFC 3339, or milliseconds"))
}
