//! Who the event of a record is: its identity, wherever the record has it.

use std::collections::BTreeMap;

use apache_avro::Schema;
use serde_json::Value as Json;

use super::json;
use crate::config::model::IDENTITY_HEADER;
use crate::consume::{Page, Record};
use crate::encode::avro::find::{Finder, texts};
use crate::encode::wire::{FRAMING_BYTES, MAGIC};
use crate::plan::identity::{Cipher, Identity};

/// Where the records of a source have the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Wherever one of the run's is found: in the header `tidegate-id`, a field, another header, or the
    /// key.
    #[default]
    Anywhere,
    /// In the field at this path of names.
    Field(Vec<String>),
    /// In the header of this name.
    Header(String),
    /// In the key.
    Key,
}

/// Finds the schema of an id in a registry; none if the registry does not have it.
pub type Lookup = Box<dyn FnMut(u32) -> Option<Schema> + Send>;

/// Tells whose identity a record has.
pub struct Identifier {
    cipher: Cipher,
    place: Place,
    /// By partition, by number: which streams its records may be of.
    masks: Vec<Vec<bool>>,
    /// By id of the registry; none: nobody knows it.
    schemas: BTreeMap<u32, Option<Form>>,
    /// Of values that have neither an id nor are JSON.
    bare: Vec<Form>,
    /// The fields of the run's streams that hold identities.
    fields: Vec<Vec<String>>,
    lookup: Lookup,
    /// By partition: where the last one was.
    ways: Vec<Option<Way>>,
}

/// A schema of the run.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// Its id in the registry; none: its datums stand bare.
    pub id: Option<u32>,
    /// The schema.
    pub schema: &'a Schema,
    /// The path of the field that holds the identity, if one does.
    pub field: Option<Vec<String>>,
}

/// How values of one schema are searched.
#[derive(Clone, Debug)]
struct Form {
    schema: Schema,
    /// The field that the last one was in, or each that could have it.
    fields: Vec<Finder>,
}

/// Where an identity was found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Header(Vec<u8>),
    Framed,
    Bare(usize),
    Json(Vec<String>),
    Key,
}

/// A record without an identity of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It has none, or another run's.
    Foreign,
    /// Its value is of a schema that nobody knows.
    UnknownSchema(u32),
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identifier").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What a record's value is written as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written<'a> {
    /// Avro, of the schema with this id.
    Framed(u32, &'a [u8]),
    /// JSON.
    Json(&'a [u8]),
    /// Something else: bare Avro, if it is any.
    Bare(&'a [u8]),
}

impl<'a> Written<'a> {
    /// Looks at a value.
    pub fn of(value: &'a [u8]) -> Self {
        if let [MAGIC, a, b, c, d, datum @ ..] = value {
            return Self::Framed(u32::from_be_bytes([*a, *b, *c, *d]), datum);
        }
        match value.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Self::Json(value),
            _ => Self::Bare(value),
        }
    }
}

impl Identifier {
    /// Looks for identities that the cipher has sealed: in each partition of the streams (by number) that its mask
    /// names. `known` are the schemas of the run.
    pub fn new<'a>(
        (cipher, masks): (Cipher, Vec<Vec<bool>>),
        place: Place,
        known: impl IntoIterator<Item = Known<'a>>,
        lookup: Lookup,
    ) -> Self {
        let (mut schemas, mut bare, mut fields) = (BTreeMap::new(), Vec::new(), Vec::new());
        for Known { id, schema, field } in known {
            let paths: Vec<_> = match &place {
                Place::Field(path) => vec![path.clone()],
                Place::Anywhere => field.into_iter().collect(),
                Place::Header(_) | Place::Key => Vec::new(),
            };
            let form = Form::new(schema.clone(), &paths);
            fields.extend(
                paths.into_iter().filter(|path| !fields.contains(path)).collect::<Vec<_>>(),
            );
            match id {
                Some(id) => {
                    schemas.insert(id, Some(form));
                }
                None => bare.push(form),
            }
        }
        let ways = vec![None; masks.len()];
        Self { cipher, place, masks, schemas, bare, fields, lookup, ways }
    }

    /// Whose identity a record has.
    #[inline]
    pub fn identify(
        &mut self,
        partition: usize,
        page: &Page,
        record: &Record,
    ) -> Result<Identity, Stranger> {
        if let Some(way) = &self.ways[partition] {
            let found = match way {
                Way::Framed => self.framed(partition, page.value(record)),
                Way::Header(name) => self.header(partition, (page, record), Some(name)),
                Way::Key => self.key(partition, page.key(record)),
                Way::Bare(form) => self.bare(partition, page.value(record), *form),
                Way::Json(path) => page
                    .value(record)
                    .and_then(|value| self.open(partition, &json::text(value, path)?)),
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        self.search(partition, page, record)
    }

    /// The schema that a value is written by, as far as that is known.
    pub fn schema(&self, id: u32) -> Option<&Schema> {
        Some(&self.schemas.get(&id)?.as_ref()?.schema)
    }

    /// Looks everywhere that it may be, and remembers where it was.
    #[cold]
    fn search(
        &mut self,
        partition: usize,
        page: &Page,
        record: &Record,
    ) -> Result<Identity, Stranger> {
        let (place, value) = (self.place.clone(), page.value(record));
        let anywhere = place == Place::Anywhere;
        let named = match &place {
            Place::Header(name) => Some(name.as_bytes()),
            _ => anywhere.then_some(IDENTITY_HEADER.as_bytes()),
        };
        let found = named.and_then(|name| self.header(partition, (page, record), Some(name)));
        if let (Some(found), Some(name)) = (found, named) {
            self.ways[partition] = Some(Way::Header(name.to_vec()));
            return Ok(found);
        }
        let mut stranger = Stranger::Foreign;
        if let (true, Some(value)) = (anywhere || matches!(place, Place::Field(_)), value) {
            match self.search_value(partition, value) {
                Ok(found) => return Ok(found),
                Err(why) => stranger = why,
            }
        }
        if anywhere {
            let mut headers = page.headers(record);
            let found =
                headers.find_map(|(name, value)| Some((name, self.open(partition, value?)?)));
            if let Some((name, found)) = found {
                self.ways[partition] = Some(Way::Header(name.to_vec()));
                return Ok(found);
            }
        }
        if (anywhere || place == Place::Key)
            && let Some(found) = self.key(partition, page.key(record))
        {
            self.ways[partition] = Some(Way::Key);
            return Ok(found);
        }
        Err(stranger)
    }

    fn search_value(&mut self, partition: usize, value: &[u8]) -> Result<Identity, Stranger> {
        if let Written::Framed(id, datum) = Written::of(value) {
            if !self.schemas.contains_key(&id) {
                let form = (self.lookup)(id).map(|schema| self.form(schema));
                self.schemas.insert(id, form);
            }
            let known = self.schemas.get(&id).is_some_and(Option::is_some);
            if !known && self.bare.is_empty() {
                return Err(Stranger::UnknownSchema(id));
            }
            let (cipher, streams) = (&self.cipher, &self.masks[partition]);
            let form = self.schemas.get_mut(&id).and_then(Option::as_mut);
            let open = |bytes: &[u8]| open(cipher, streams, bytes);
            if let Some(found) = form.and_then(|form| form.search(datum, open)) {
                self.ways[partition] = Some(Way::Framed);
                return Ok(found);
            }
        }
        if let Written::Json(text) = Written::of(value)
            && let Some((path, found)) = self.search_json(partition, text)
        {
            self.ways[partition] = Some(Way::Json(path));
            return Ok(found);
        }
        let (cipher, streams) = (&self.cipher, &self.masks[partition]);
        for (number, form) in self.bare.iter_mut().enumerate() {
            if let Some(found) = form.search(value, |bytes| open(cipher, streams, bytes)) {
                self.ways[partition] = Some(Way::Bare(number));
                return Ok(found);
            }
        }
        Err(Stranger::Foreign)
    }

    /// How values of a schema that is not the run's are searched: first where the run's streams have
    /// their identities.
    fn form(&self, schema: Schema) -> Form {
        let mut paths = self.fields.clone();
        if self.place == Place::Anywhere {
            let others = texts(&schema).into_iter().filter(|path| !self.fields.contains(path));
            paths.extend(others.collect::<Vec<_>>());
        }
        Form::new(schema, &paths)
    }

    fn search_json(&self, partition: usize, text: &[u8]) -> Option<(Vec<String>, Identity)> {
        let at = |path: &Vec<String>| {
            Some((path.clone(), self.open(partition, &json::text(text, path)?)?))
        };
        let found = self.fields.iter().find_map(at);
        if found.is_some() || self.place != Place::Anywhere {
            return found;
        }
        let tree: Json = serde_json::from_slice(text).ok()?;
        let mut path = Vec::new();
        let found = self.search_tree(partition, &tree, &mut path)?;
        Some((path, found))
    }

    fn search_tree(
        &self,
        partition: usize,
        tree: &Json,
        path: &mut Vec<String>,
    ) -> Option<Identity> {
        match tree {
            Json::String(text) => self.open(partition, text.as_bytes()),
            Json::Object(fields) => fields.iter().find_map(|(name, value)| {
                path.push(name.clone());
                let found = self.search_tree(partition, value, path);
                if found.is_none() {
                    path.pop();
                }
                found
            }),
            _ => None,
        }
    }

    #[inline]
    fn framed(&self, partition: usize, value: Option<&[u8]>) -> Option<Identity> {
        let (framing, datum) = value?.split_first_chunk::<FRAMING_BYTES>()?;
        let [MAGIC, a, b, c, d] = *framing else { return None };
        let form = self.schemas.get(&u32::from_be_bytes([a, b, c, d]))?.as_ref()?;
        self.open(partition, form.fields.first()?.find(datum)?)
    }

    fn bare(&self, partition: usize, value: Option<&[u8]>, form: usize) -> Option<Identity> {
        self.open(partition, self.bare[form].fields.first()?.find(value?)?)
    }

    fn header(
        &self,
        partition: usize,
        (page, record): (&Page, &Record),
        name: Option<&[u8]>,
    ) -> Option<Identity> {
        let mut headers = page.headers(record);
        let (_, value) = headers.find(|(known, _)| Some(*known) == name)?;
        self.open(partition, value?)
    }

    /// A key is text, or text as framed or bare Avro.
    fn key(&self, partition: usize, key: Option<&[u8]>) -> Option<Identity> {
        let key = key?;
        let text = Finder::new(&Schema::String, &[])?;
        self.open(partition, key)
            .or_else(|| self.open(partition, text.find(key.get(FRAMING_BYTES..)?)?))
            .or_else(|| self.open(partition, text.find(key)?))
    }

    #[inline]
    fn open(&self, partition: usize, bytes: &[u8]) -> Option<Identity> {
        open(&self.cipher, &self.masks[partition], bytes)
    }
}

/// Whose UUID it is, as text or as 16 bytes, if it is one of these streams'.
#[inline]
fn open(cipher: &Cipher, streams: &[bool], bytes: &[u8]) -> Option<Identity> {
    let uuid = match <[u8; 16]>::try_from(bytes) {
        Ok(bytes) => u128::from_be_bytes(bytes),
        Err(_) => uuid::Uuid::try_parse_ascii(bytes).ok()?.as_u128(),
    };
    let identity = cipher.open(uuid)?;
    let is_wanted = streams.get(usize::from(identity.stream)).is_some_and(|wanted| *wanted);
    (is_wanted && identity.origin == 0).then_some(identity)
}

impl Form {
    fn new(schema: Schema, paths: &[Vec<String>]) -> Self {
        let finder = |path: &Vec<String>| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            Finder::new(&schema, &path)
        };
        let fields = paths.iter().filter_map(finder).collect();
        Self { schema, fields }
    }

    /// Looks through all fields; that which has it is the first from then on.
    fn search(
        &mut self,
        datum: &[u8],
        open: impl Fn(&[u8]) -> Option<Identity>,
    ) -> Option<Identity> {
        let found = |(place, field): (usize, &Finder)| Some((place, open(field.find(datum)?)?));
        let (place, found) = self.fields.iter().enumerate().find_map(found)?;
        self.fields.swap(0, place);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::{Given, Position};

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"other","type":"string"},{"name":"id","type":"string"}]}"#;

    fn uuid(stream: u8, number: u64) -> u128 {
        Cipher::new(5).seal(&Identity { stream, origin: 0, child: 1, number })
    }

    fn text(uuid: u128) -> String {
        uuid::Uuid::from_u128(uuid).to_string()
    }

    fn avro(other: &str, id: &str) -> Vec<u8> {
        let mut datum = Vec::new();
        for part in [other, id] {
            crate::encode::wire::push_count(&mut datum, part.len());
            datum.extend_from_slice(part.as_bytes());
        }
        datum
    }

    fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
        [&crate::encode::wire::framing(id)[..], datum].concat()
    }

    type Header<'a> = (&'a [u8], Option<&'a [u8]>);

    fn told(
        identifier: &mut Identifier,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<u64, Stranger> {
        let mut page = Page::default();
        let given = Given { position: Position::of_offset(0), timestamp_ms: 0, key, value };
        page.push(&given, headers.iter().copied());
        let found = identifier.identify(0, &page, &page.records[0]);
        found.map(|identity| identity.number)
    }

    fn identifier(place: Place) -> Identifier {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        // Stream 0 is looked for, stream 1 is not.
        let lookup = Box::new(|id| (id == 9).then(|| Schema::parse_str(SCHEMA).unwrap()));
        let field = Some(vec!["id".to_owned()]);
        let known = [Known { id: Some(3), schema: &schema, field }];
        let masks = vec![vec![true, false]];
        Identifier::new((Cipher::new(5), masks), place, known, lookup)
    }

    #[test]
    fn an_identity_is_found_wherever_it_is() {
        let mut identifier = identifier(Place::Anywhere);
        let value = framed(3, &avro(&text(uuid(1, 7)), &text(uuid(0, 10))));
        assert_eq!(told(&mut identifier, None, Some(&value), &[]), Ok(10));
        // The other field holds an identity too, of the event that this one follows.
        let value = framed(3, &avro(&text(uuid(0, 7)), &text(uuid(0, 20))));
        assert_eq!(told(&mut identifier, None, Some(&value), &[]), Ok(20));
        let value = framed(9, &avro(&text(uuid(0, 11)), "x"));
        assert_eq!(told(&mut identifier, None, Some(&value), &[]), Ok(11));
        let json = format!(r#" {{"a":[1,"x"],"b":{{"id":"{}","n":null}}}}"#, text(uuid(0, 12)));
        assert_eq!(told(&mut identifier, None, Some(json.as_bytes()), &[]), Ok(12));
        let header = uuid(0, 13).to_be_bytes();
        let headers = [(&b"x"[..], None), (IDENTITY_HEADER.as_bytes(), Some(&header[..]))];
        assert_eq!(told(&mut identifier, None, None, &headers), Ok(13));
        let trace = uuid::Uuid::from_u128(uuid(0, 14)).simple().to_string();
        assert_eq!(
            told(&mut identifier, None, None, &[(b"trace", Some(trace.as_bytes()))]),
            Ok(14)
        );
        let key = text(uuid(0, 15));
        assert_eq!(told(&mut identifier, Some(key.as_bytes()), Some(b"?"), &[]), Ok(15));
        let key = framed(77, &avro(&text(uuid(0, 16)), "")[..37]);
        assert_eq!(told(&mut identifier, Some(&key), None, &[]), Ok(16));
    }

    #[test]
    fn what_is_not_the_runs_is_foreign() {
        let mut identifier = identifier(Place::Anywhere);
        let other =
            text(Cipher::new(6).seal(&Identity { stream: 0, origin: 0, child: 0, number: 1 }));
        let value = framed(3, &avro("", &other));
        assert_eq!(told(&mut identifier, None, Some(&value), &[]), Err(Stranger::Foreign));
        assert_eq!(told(&mut identifier, None, Some(b""), &[]), Err(Stranger::Foreign));
        assert_eq!(told(&mut identifier, None, None, &[]), Err(Stranger::Foreign));
        let unknown = framed(4, b"??");
        let stranger = told(&mut identifier, None, Some(&unknown), &[]);
        assert_eq!(stranger, Err(Stranger::UnknownSchema(4)));
    }

    #[test]
    fn where_the_user_says_it_is_nothing_else_counts() {
        let value = framed(3, &avro(&text(uuid(0, 1)), &text(uuid(0, 2))));
        let key = text(uuid(0, 3));
        let header = text(uuid(0, 4));
        let headers = [(&b"h"[..], Some(header.as_bytes()))];
        for (place, number) in [
            (Place::Field(vec!["id".into()]), 2),
            (Place::Field(vec!["other".into()]), 1),
            (Place::Key, 3),
            (Place::Header("h".into()), 4),
        ] {
            let mut identifier = identifier(place);
            let found = told(&mut identifier, Some(key.as_bytes()), Some(&value), &headers);
            assert_eq!(found, Ok(number));
            assert_eq!(told(&mut identifier, None, Some(b"{}"), &[]), Err(Stranger::Foreign));
        }
    }
}
