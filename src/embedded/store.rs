//! The schemas and subjects of the embedded registry.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde_json::Value;

/// Why the registry refuses something, as Confluent's API tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The registry's own code, mostly more exact.
    pub(super) code: u32,
    /// In words.
    pub(super) message: String,
}

impl Refusal {
    /// A refusal with the first three digits of the code as its status.
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        let status = u16::try_from(if code > 999 { code / 100 } else { code }).unwrap_or(500);
        Self { status, code, message: message.into() }
    }

    fn no_subject(subject: &str) -> Self {
        Self::new(40401, format!("Subject '{subject}' not found."))
    }

    fn no_schema() -> Self {
        Self::new(40403, "Schema not found")
    }

    fn invalid(reason: &str) -> Self {
        Self::new(42201, format!("Invalid schema: {reason}"))
    }
}

/// A schema that another one refers to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Reference {
    subject: String,
    version: u32,
}

/// A schema as a client sends it.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Submitted {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Debug)]
struct Stored {
    /// JSON without blanks: two schemas are the same if this is.
    text: String,
    parsed: Schema,
    references: Vec<Reference>,
}

/// A version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// 1, 2, 3…
    pub(super) number: u32,
    /// The schema's id.
    pub(super) id: u32,
    /// The schema.
    pub(super) schema: String,
}

/// All that the registry knows. Ids are 1, 2, 3… in the order of registration.
#[derive(Debug, Default)]
pub(super) struct Store {
    schemas: Vec<Stored>,
    /// The ids of each subject's versions, first the oldest.
    subjects: BTreeMap<String, Vec<u32>>,
    /// What was set for a subject, or for all (the empty name).
    levels: BTreeMap<String, String>,
}

const LEVELS: [&str; 7] = [
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
];

impl Store {
    /// Registers a schema under a subject, and gives its id: that of the same schema, if known.
    pub(super) fn register(&mut self, subject: &str, given: &Submitted) -> Result<u32, Refusal> {
        let (text, parsed) = self.parse(given)?;
        if let Some(id) = self.find(&text, given)
            && self.subjects.get(subject).is_some_and(|ids| ids.contains(&id))
        {
            return Ok(id);
        }
        self.check_compatible(subject, &parsed)?;
        let id = if let Some(id) = self.find(&text, given) {
            id
        } else {
            let references = given.references.clone();
            self.schemas.push(Stored { text, parsed, references });
            u32::try_from(self.schemas.len()).unwrap_or(u32::MAX)
        };
        self.subjects.entry(subject.to_owned()).or_default().push(id);
        Ok(id)
    }

    /// The version under which a subject has this very schema.
    pub(super) fn look_up(&self, subject: &str, given: &Submitted) -> Result<Version, Refusal> {
        let ids = self.ids(subject)?;
        let (text, _) = self.parse(given)?;
        let id = self.find(&text, given).ok_or_else(Refusal::no_schema)?;
        let place = ids.iter().position(|&known| known == id);
        place.map(|place| self.version_at(ids, place)).ok_or_else(Refusal::no_schema)
    }

    /// The names of all subjects.
    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str) -> Result<Vec<usize>, Refusal> {
        Ok((1..=self.ids(subject)?.len()).collect())
    }

    /// A version of a subject, by its number or as `latest`.
    pub(super) fn version(&self, subject: &str, number: &str) -> Result<Version, Refusal> {
        let ids = self.ids(subject)?;
        let number = match number {
            "latest" | "-1" => ids.len(),
            _ => number.parse().map_err(|_| {
                let allowed = "allowed are 1 to 2^31-1 and `latest`";
                Refusal::new(
                    42202,
                    format!("The specified version '{number}' is not valid: {allowed}"),
                )
            })?,
        };
        if number == 0 || number > ids.len() {
            return Err(Refusal::new(40402, format!("Version {number} not found.")));
        }
        Ok(self.version_at(ids, number - 1))
    }

    /// The schema of an id.
    pub(super) fn schema(&self, id: &str) -> Result<&str, Refusal> {
        let id: usize = id.parse().map_err(|_| Refusal::no_schema())?;
        let stored = id.checked_sub(1).and_then(|place| self.schemas.get(place));
        stored.map(|stored| stored.text.as_str()).ok_or_else(Refusal::no_schema)
    }

    /// The level of compatibility of a subject (the empty name: of all), if it was set.
    pub(super) fn level(&self, subject: &str) -> Option<&str> {
        let set = self.levels.get(subject).map(String::as_str);
        if subject.is_empty() { set.or(Some("BACKWARD")) } else { set }
    }

    /// Sets the level of compatibility of a subject (the empty name: of all).
    pub(super) fn set_level(&mut self, subject: &str, level: &str) -> Result<(), Refusal> {
        let level = level.to_ascii_uppercase();
        if !LEVELS.contains(&level.as_str()) {
            let known = LEVELS.join(", ");
            return Err(Refusal::new(42203, format!("Invalid compatibility level: use {known}")));
        }
        self.levels.insert(subject.to_owned(), level);
        Ok(())
    }

    fn ids(&self, subject: &str) -> Result<&[u32], Refusal> {
        self.subjects.get(subject).map(Vec::as_slice).ok_or_else(|| Refusal::no_subject(subject))
    }

    fn stored(&self, id: u32) -> &Stored {
        &self.schemas[id as usize - 1]
    }

    fn version_at(&self, ids: &[u32], place: usize) -> Version {
        let number = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let id = ids[place];
        Version { number, id, schema: self.stored(id).text.clone() }
    }

    fn find(&self, text: &str, given: &Submitted) -> Option<u32> {
        let same = |stored: &Stored| stored.text == text && stored.references == given.references;
        let place = self.schemas.iter().position(same)?;
        u32::try_from(place + 1).ok()
    }

    fn parse(&self, given: &Submitted) -> Result<(String, Schema), Refusal> {
        if given.schema_type.as_deref().is_some_and(|kind| kind != "AVRO") {
            return Err(Refusal::invalid("only AVRO is known here"));
        }
        let json: Value = serde_json::from_str(&given.schema)
            .map_err(|error| Refusal::invalid(&error.to_string()))?;
        let mut texts = Vec::new();
        self.add_references(&given.references, &mut texts)?;
        texts.dedup();
        let text = json.to_string();
        let parsed = if texts.is_empty() {
            Schema::parse(&json)
        } else {
            Schema::parse_str_with_list(&text, texts).map(|(schema, _)| schema)
        };
        parsed.map(|parsed| (text, parsed)).map_err(|error| Refusal::invalid(&error.to_string()))
    }

    /// The schemas that are referred to, those that they refer to first.
    fn add_references(
        &self,
        references: &[Reference],
        texts: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        for reference in references {
            let version = self.version(&reference.subject, &reference.version.to_string())?;
            let stored = self.stored(version.id);
            // What is registered refers to older ids only, so this ends.
            self.add_references(&stored.references, texts)?;
            if !texts.contains(&stored.text) {
                texts.push(stored.text.clone());
            }
        }
        Ok(())
    }

    fn check_compatible(&self, subject: &str, new: &Schema) -> Result<(), Refusal> {
        let level = self.level(subject).or_else(|| self.level("")).unwrap_or("BACKWARD");
        let ids = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let compared = if level.ends_with("_TRANSITIVE") { ids.len() } else { 1 };
        for &id in ids.iter().rev().take(compared) {
            let old = &self.stored(id).parsed;
            let backward = level.starts_with("BACKWARD") || level.starts_with("FULL");
            let forward = level.starts_with("FORWARD") || level.starts_with("FULL");
            let read = |writer, reader| match SchemaCompatibility::can_read(writer, reader) {
                Ok(Compatibility::Full) => None,
                Ok(Compatibility::Partial) => Some("some values cannot be read".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            let reason = backward
                .then(|| read(old, new))
                .flatten()
                .or_else(|| forward.then(|| read(new, old)).flatten());
            if let Some(reason) = reason {
                let message = format!(
                    "Schema being registered is incompatible with an earlier schema for subject \
                     \"{subject}\", details: {reason} ({level})"
                );
                return Err(Refusal::new(409, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted(schema: &str) -> Submitted {
        Submitted { schema: schema.to_owned(), schema_type: None, references: Vec::new() }
    }

    fn record(fields: &str) -> Submitted {
        submitted(&format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#))
    }

    const A: &str = r#"{"name": "a", "type": "int"}"#;
    const B: &str = r#"{"name": "b", "type": "int"}"#;
    const B_DEFAULT: &str = r#"{"name": "b", "type": "int", "default": 0}"#;

    #[test]
    fn the_same_schema_has_one_id_under_every_subject() {
        let mut store = Store::default();
        assert_eq!(store.register("x-value", &record(A)), Ok(1));
        assert_eq!(store.register("y-value", &record(&A.replace(": ", ":"))), Ok(1));
        assert_eq!(store.register("x-value", &record(A)), Ok(1));
        assert_eq!(store.versions("x-value"), Ok(vec![1]));
        assert_eq!(store.subjects(), ["x-value", "y-value"]);
    }

    #[test]
    fn a_field_without_a_default_is_not_backward_compatible() {
        let mut store = Store::default();
        store.register("s", &record(A)).unwrap();
        let refused = store.register("s", &record(&format!("{A},{B}"))).unwrap_err();
        assert_eq!((refused.status, refused.code), (409, 409));
        assert_eq!(store.register("s", &record(&format!("{A},{B_DEFAULT}"))), Ok(2));
        assert_eq!(store.version("s", "latest").unwrap().number, 2);
        store.set_level("s", "none").unwrap();
        assert_eq!(store.register("s", &record(B)), Ok(3));
        store.set_level("s", "FORWARD").unwrap();
        assert_eq!(store.register("s", &record(&format!("{A},{B}"))), Ok(4));
    }

    #[test]
    fn what_is_not_there_has_its_own_code() {
        let mut store = Store::default();
        let code = |result: Result<Version, Refusal>| result.unwrap_err().code;
        assert_eq!(code(store.version("s", "1")), 40401);
        store.register("s", &record(A)).unwrap();
        assert_eq!(code(store.version("s", "2")), 40402);
        assert_eq!(code(store.version("s", "two")), 42202);
        assert_eq!(code(store.look_up("s", &record(B))), 40403);
        assert_eq!(store.schema("7").unwrap_err().code, 40403);
        assert_eq!(store.look_up("s", &record(A)).unwrap().id, 1);
    }

    #[test]
    fn what_is_no_avro_schema_is_refused() {
        let mut store = Store::default();
        for bad in ["{", r#"{"type": "recrod", "name": "R"}"#, r#""Unknown""#] {
            let refused = store.register("s", &submitted(bad)).unwrap_err();
            assert_eq!((refused.status, refused.code), (422, 42201), "{bad}");
        }
    }

    #[test]
    fn a_schema_can_refer_to_another_subject() {
        let mut store = Store::default();
        store.register("r", &record(A)).unwrap();
        let mut list = submitted(r#"{"type": "array", "items": "R"}"#);
        assert_eq!(store.register("list", &list).unwrap_err().code, 42201);
        list.references = vec![Reference { subject: "r".to_owned(), version: 1 }];
        assert_eq!(store.register("list", &list), Ok(2));
    }
}
