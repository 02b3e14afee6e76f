//! The hints of one type: which there are, and whether they go together.

use apache_avro::Schema;
use apache_avro::schema::UuidSchema;

use super::schema::Type;
use crate::config::reader::{At, Reader};

/// All hints there are.
const ALL: [&str; 9] =
    ["options", "iteration", "range", "length", "regex", "prefix", "suffix", "keys", "odds"];

/// Hints that say all there is to say: with any of them go only those named here.
const ALONE: [(&str, &[&str]); 4] =
    [("options", &[]), ("iteration", &["prefix", "suffix"]), ("range", &[]), ("odds", &[])];

/// The hints of one type.
#[derive(Debug)]
pub(super) struct Properties<'t> {
    pub(super) options: Option<At<'t>>,
    pub(super) iteration: Option<At<'t>>,
    pub(super) range: Option<At<'t>>,
    pub(super) length: Option<At<'t>>,
    pub(super) regex: Option<At<'t>>,
    pub(super) prefix: Option<At<'t>>,
    pub(super) suffix: Option<At<'t>>,
    pub(super) keys: Option<At<'t>>,
    pub(super) odds: Option<At<'t>>,
}

impl<'t> Properties<'t> {
    /// The hints of a type. None: they are not known, do not fit the type or not each other.
    pub(super) fn read(reader: &mut Reader<'_>, at: &At<'t>, ty: Type<'_>) -> Option<Self> {
        Self::fitting(reader, at, known(ty.schema), ty.noun())
    }

    /// The hints of a map's keys, which are strings.
    pub(super) fn of_keys(reader: &mut Reader<'_>, at: &At<'t>) -> Option<Self> {
        let known = ["options", "length", "regex", "prefix", "suffix"];
        Self::fitting(reader, at, &known, "a key")
    }

    fn fitting(reader: &mut Reader<'_>, at: &At<'t>, known: &[&str], noun: &str) -> Option<Self> {
        let before = reader.mistakes.len();
        let mut section = reader.section(at)?;
        let found = ALL.map(|key| section.get(key));
        reader.finish(section);
        let has = ALL.into_iter().zip(&found);
        let has: Vec<(&str, &At<'t>)> =
            has.filter_map(|(key, at)| Some((key, at.as_ref()?))).collect();
        for (key, at) in &has {
            if !known.contains(key) {
                let listed: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
                let what = format!("`{key}` says nothing of {noun}");
                reader.refuse(&at.key_span, what, &format!("{noun} takes {}", listed.join(", ")));
            }
        }
        let is_there = |alone: &str| has.iter().any(|(key, _)| *key == alone);
        if let Some((alone, with)) = ALONE.into_iter().find(|(alone, _)| is_there(alone)) {
            for (key, at) in &has {
                if *key != alone && !with.contains(key) && known.contains(key) {
                    let what = format!("`{alone}` and `{key}` cannot both say what the values are");
                    reader.refuse(&at.key_span, what, "keep one of them");
                }
            }
        }
        if reader.mistakes.len() > before {
            return None;
        }
        let [options, iteration, range, length, regex, prefix, suffix, keys, odds] = found;
        Some(Self { options, iteration, range, length, regex, prefix, suffix, keys, odds })
    }
}

/// The hints that a type takes.
fn known(schema: &Schema) -> &'static [&'static str] {
    match schema {
        Schema::Boolean => &["options", "iteration", "odds"],
        Schema::Int
        | Schema::Long
        | Schema::Float
        | Schema::Double
        | Schema::Date
        | Schema::TimeMillis
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos
        | Schema::Decimal(_) => &["options", "iteration", "range"],
        Schema::String => &["options", "iteration", "length", "regex", "prefix", "suffix"],
        Schema::Uuid(UuidSchema::String) => &["options", "regex"],
        Schema::Bytes | Schema::Array(_) => &["options", "length"],
        Schema::Map(_) => &["options", "length", "keys"],
        _ => &["options"],
    }
}
