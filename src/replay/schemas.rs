//! The schemas that the ids in records stand for, and what stands for them elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use tokio::runtime::Handle;

use super::Error;
use crate::encode::registry::{self, Part, Registry, Subject};

/// The folder beside the files of a recording that has its schemas.
const FOLDER: &str = "schemas";

/// What stands before a value in Avro with an id: a zero, the id.
const FRAMING_BYTES: usize = 5;

/// The id and the datum of a value that is framed as registries' clients do it.
pub fn framed(value: &[u8]) -> Option<(u32, &[u8])> {
    let (framing, datum) = value.split_at_checked(FRAMING_BYTES)?;
    let [0, id @ ..] = framing else { return None };
    Some((u32::from_be_bytes(id.try_into().ok()?), datum))
}

/// Puts another id before a framed value.
pub fn reframe(value: &mut [u8], id: u32) {
    value[1..FRAMING_BYTES].copy_from_slice(&id.to_be_bytes());
}

/// Appends a zero and the id.
pub fn frame(out: &mut Vec<u8>, id: u32) {
    out.push(0);
    out.extend(id.to_be_bytes());
}

/// A registry that is asked from threads that may wait.
#[derive(Debug)]
pub struct Asker {
    registry: Registry,
    handle: Handle,
}

impl Asker {
    /// Asks `registry`; `handle` is of a runtime whose own threads drive it.
    pub fn new(registry: Registry, handle: Handle) -> Self {
        Self { registry, handle }
    }

    /// The schema of an id.
    fn schema(&self, id: u32) -> Result<String, registry::Error> {
        self.handle.block_on(self.registry.schema(id))
    }

    /// What stands for a schema under the subject of a topic.
    fn resolve(
        &self,
        subject: &Subject<'_>,
        json: &str,
    ) -> Result<registry::Registered, registry::Error> {
        self.handle.block_on(self.registry.resolve(subject, json))
    }

    /// The latest schema of a topic's values; none if there is no such subject.
    pub fn latest(&self, topic: &str) -> Result<Option<registry::Registered>, registry::Error> {
        let subject = Subject { topic, record: None, part: Part::Value };
        match self.handle.block_on(self.registry.latest(&subject)) {
            Ok(registered) => Ok(Some(registered)),
            Err(registry::Error::SubjectNotFound { .. } | registry::Error::NoRecordName { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A schema, and what reads and writes with it.
pub struct Known {
    /// Its id.
    pub id: u32,
    /// As JSON.
    pub json: String,
    /// The schema. It lives as long as the process: there are as many as ids were met.
    pub schema: &'static Schema,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Known {
    /// A schema under an id.
    pub fn new(id: u32, json: String) -> Result<Self, Error> {
        let failed = |source| Error::Schema { id, source: Box::new(source) };
        let schema: &'static Schema =
            Box::leak(Box::new(Schema::parse_str(&json).map_err(failed)?));
        let reader = GenericDatumReader::builder(schema).build().map_err(failed)?;
        let writer = GenericDatumWriter::builder(schema).build().map_err(failed)?;
        Ok(Self { id, json, schema, reader, writer })
    }

    /// The value of a datum of `topic`.
    pub fn read(&self, topic: &str, mut datum: &[u8]) -> Result<Value, Error> {
        let value = self.reader.read_value(&mut datum);
        value.map_err(|source| self.failed(topic, "read", source))
    }

    /// Whether bytes are a datum of this schema and nothing else.
    pub fn is_datum(&self, mut datum: &[u8]) -> bool {
        self.reader.read_value(&mut datum).is_ok() && datum.is_empty()
    }

    /// Appends a value of `topic`.
    pub fn write(&self, topic: &str, value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
        let written = self.writer.write_value_ref(out, value);
        written.map(drop).map_err(|source| self.failed(topic, "written", source))
    }

    fn failed(&self, topic: &str, done: &'static str, source: apache_avro::Error) -> Error {
        Error::Value { topic: topic.to_owned(), done, id: self.id, source: Box::new(source) }
    }

    /// The full name of its record.
    fn record(&self) -> Option<String> {
        self.schema.name().map(|name| name.fullname(None))
    }
}

/// Where schemas come from.
#[derive(Debug)]
pub enum Origin {
    /// From nowhere.
    Nowhere,
    /// From the files of a recording.
    Folder(PathBuf),
    /// From a registry.
    Registry(Asker),
}

/// Schemas by their ids.
#[derive(Debug)]
pub struct Schemas {
    origin: Origin,
    known: BTreeMap<u32, Option<Arc<Known>>>,
    /// The id of the next one that has none.
    next: u32,
}

impl Schemas {
    /// Schemas from there.
    pub fn new(origin: Origin) -> Self {
        Self { origin, known: BTreeMap::new(), next: u32::MAX }
    }

    /// Adds a schema that has no id at the source: it gets one that no registry gives.
    pub fn add(&mut self, json: String) -> Result<Arc<Known>, Error> {
        let known = Arc::new(Known::new(self.next, json)?);
        self.known.insert(self.next, Some(Arc::clone(&known)));
        self.next -= 1;
        Ok(known)
    }

    /// The origin of those of a recording; the folder is that of its files.
    pub fn origin_beside(folder: &Path) -> Origin {
        Origin::Folder(folder.join(FOLDER))
    }

    /// Whether there is somewhere to look.
    pub fn is_somewhere(&self) -> bool {
        !matches!(self.origin, Origin::Nowhere) || !self.known.is_empty()
    }

    /// The registry that they come from.
    pub fn registry(&self) -> Option<&Asker> {
        match &self.origin {
            Origin::Registry(asker) => Some(asker),
            _ => None,
        }
    }

    /// The schema of an id; none if nobody knows it.
    pub fn find(&mut self, id: u32) -> Result<Option<Arc<Known>>, Error> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let json = match &self.origin {
            Origin::Nowhere => None,
            Origin::Folder(folder) => {
                let path = folder.join(format!("{id}.avsc"));
                match std::fs::read_to_string(&path) {
                    Ok(json) => Some(json),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(source) => return Err(Error::file("read", &path, source)),
                }
            }
            Origin::Registry(asker) => match asker.schema(id) {
                Ok(json) => Some(json),
                Err(registry::Error::IdNotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        let known = json.map(|json| Known::new(id, json)).transpose()?.map(Arc::new);
        self.known.insert(id, known.clone());
        Ok(known)
    }

    /// The schema of an id that a record of `topic` has.
    pub fn get(&mut self, topic: &str, id: u32) -> Result<Arc<Known>, Error> {
        self.find(id)?.ok_or_else(|| Error::UnknownId {
            topic: topic.to_owned(),
            id,
            whence: match &self.origin {
                Origin::Nowhere => "no registry was named to look for it".to_owned(),
                Origin::Folder(folder) => {
                    format!("{} does not have it", folder.join(format!("{id}.avsc")).display())
                }
                Origin::Registry(_) => "the source's registry does not have it".to_owned(),
            },
        })
    }

    /// Whether a key is Avro with an id: some bytes only look like it.
    pub fn frames(&mut self, key: &[u8]) -> Result<bool, Error> {
        let Some((id, datum)) = framed(key) else { return Ok(false) };
        Ok(self.find(id)?.is_some_and(|known| known.is_datum(datum)))
    }
}

/// Keeps schemas beside the files of a recording.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    kept: BTreeMap<u32, bool>,
}

impl Keeper {
    /// Keeps them beside the files in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.join(FOLDER), kept: BTreeMap::new() }
    }

    /// Keeps the schema of an id, before the first record that has it is written; says whether it is there.
    pub fn keep(&mut self, schemas: &mut Schemas, id: u32) -> Result<bool, Error> {
        if let Some(kept) = self.kept.get(&id) {
            return Ok(*kept);
        }
        let known = schemas.find(id)?;
        if let Some(known) = &known {
            let path = self.folder.join(format!("{id}.avsc"));
            let made = std::fs::create_dir_all(&self.folder);
            let written = made.and_then(|()| std::fs::write(&path, &known.json));
            written.map_err(|source| Error::file("write", &path, source))?;
        }
        self.kept.insert(id, known.is_some());
        Ok(known.is_some())
    }
}

/// What stands for schemas in the registry of the target.
#[derive(Debug)]
pub struct Mapping {
    target: Asker,
    known: BTreeMap<(usize, bool, u32), u32>,
}

impl Mapping {
    /// Asks the registry of the target.
    pub fn new(target: Asker) -> Self {
        Self { target, known: BTreeMap::new() }
    }

    /// The id in the target's registry for a value's or a key's id, in a topic: its place and its names at
    /// the source and at the target.
    pub fn id(
        &mut self,
        (topic, source, target): (usize, &str, &str),
        part: Part,
        id: u32,
        schemas: &mut Schemas,
    ) -> Result<u32, Error> {
        let place = (topic, part == Part::Key, id);
        if let Some(mapped) = self.known.get(&place) {
            return Ok(*mapped);
        }
        let known = schemas.get(source, id)?;
        let record = known.record();
        let subject = Subject { topic: target, record: record.as_deref(), part };
        let mapped = self.target.resolve(&subject, &known.json)?.id;
        self.known.insert(place, mapped);
        Ok(mapped)
    }

    /// The registry of the target.
    pub fn target(&self) -> &Asker {
        &self.target
    }
}
