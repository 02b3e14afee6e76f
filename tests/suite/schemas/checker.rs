//! Checks values against the hints of their schema, which it reads for itself.

#![expect(clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::{Decimal, Schema};
use serde_json::{Value as Json, json};

mod iteration;
mod plain;

use self::plain::unscaled;

/// A type in the schema and the namespace that its names count in.
#[derive(Clone, Debug)]
struct Type {
    json: Json,
    namespace: String,
    hints: Json,
}

/// What was seen at a place.
#[derive(Default)]
struct Seen {
    count: u64,
    /// How often an option, a branch or `true`.
    each: BTreeMap<String, u64>,
    /// All that should come, if it comes alike often.
    wanted: BTreeSet<String>,
    /// The probability of `true`.
    odds: Option<f64>,
}

/// Checks values.
pub(super) struct Checker {
    top: Type,
    named: BTreeMap<String, Type>,
    folder: PathBuf,
    seen: BTreeMap<String, Seen>,
    options: BTreeMap<String, Vec<Json>>,
    patterns: BTreeMap<String, regex::Regex>,
    ordinal: i128,
    wrong: Vec<String>,
}

impl Checker {
    pub(super) fn new(text: &str, folder: &Path) -> Self {
        let json: Json = serde_json::from_str(text).unwrap();
        let top = Type { json, namespace: String::new(), hints: Json::Null };
        let mut checker = Self {
            top: top.clone(),
            named: BTreeMap::new(),
            folder: folder.to_path_buf(),
            seen: BTreeMap::new(),
            options: BTreeMap::new(),
            patterns: BTreeMap::new(),
            ordinal: 0,
            wrong: Vec::new(),
        };
        checker.collect(&top);
        checker
    }

    /// Checks the next event.
    pub(super) fn check(&mut self, value: &Value) {
        let top = self.top.clone();
        self.value(&top, value, "$");
        self.ordinal += 1;
    }

    /// All that was wrong.
    pub(super) fn finish(mut self) -> Vec<String> {
        for (path, seen) in &self.seen {
            let often = seen.count as f64 / seen.wanted.len().max(1) as f64;
            for wanted in seen.wanted.iter().filter(|_| often > 60.0) {
                if !seen.each.contains_key(wanted) {
                    self.wrong.push(format!("{path}: {wanted} never came in {}", seen.count));
                }
            }
            if let Some(odds) = seen.odds {
                let (count, mean) = (seen.count as f64, seen.count as f64 * odds);
                let came = seen.each.get("true").copied().unwrap_or(0) as f64;
                if (came - mean).abs() > 5.0 * (count * odds * (1.0 - odds)).sqrt() {
                    self.wrong.push(format!("{path}: {came} of {count} are true, not {mean}"));
                }
            }
        }
        self.wrong.dedup();
        self.wrong.truncate(10);
        self.wrong
    }

    fn collect(&mut self, ty: &Type) {
        let ty = self.shape(ty);
        let json = ty.json.clone();
        if let Some(name) = json.get("name") {
            let full = full_name(&json, name.as_str().unwrap(), &ty.namespace);
            if self.named.contains_key(&full) {
                return;
            }
            let namespace = full.rsplit_once('.').map_or("", |(before, _)| before).to_owned();
            self.named.insert(full, Type { namespace: namespace.clone(), ..ty.clone() });
            for field in json.get("fields").and_then(Json::as_array).into_iter().flatten() {
                self.collect(&field_type(field, &namespace));
            }
        }
        for inner in ["items", "values"].iter().filter_map(|key| json.get(key)) {
            self.collect(&ty.with(inner));
        }
        for branch in json.as_array().into_iter().flatten() {
            self.collect(&ty.with(branch));
        }
    }

    /// Names followed, tables around opened, the hints found.
    fn shape(&self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        loop {
            if let Some(hints) = ty.json.get("arg.properties") {
                ty.hints = hints.clone();
            }
            let name = ty.json.as_str().or(ty.json.get("type").and_then(Json::as_str));
            let named = name.and_then(|name| self.find(name, &ty.namespace)).cloned();
            match (ty.json.get("type").cloned(), named) {
                (Some(inner @ (Json::Object(_) | Json::Array(_))), _) => ty.json = inner,
                (_, Some(named)) => ty = Type { hints: ty.hints, ..named },
                _ => return ty,
            }
        }
    }

    fn find(&self, name: &str, namespace: &str) -> Option<&Type> {
        let inside = format!("{namespace}.{name}");
        self.named.get(&inside).filter(|_| !name.contains('.')).or_else(|| self.named.get(name))
    }

    fn fail(&mut self, path: &str, why: impl std::fmt::Display) {
        if self.wrong.len() < 50 {
            self.wrong.push(format!("{path}: {why}"));
        }
    }

    fn value(&mut self, ty: &Type, value: &Value, path: &str) {
        let ty = self.shape(ty);
        let hints = ty.hints.clone();
        if let Some(options) = hints.get("options") {
            return self.option(&ty, options, value, path);
        }
        if let Some(iteration) = hints.get("iteration") {
            return self.iteration(&ty, iteration, value, path);
        }
        if let Some(branches) = ty.json.as_array() {
            return self.branch(&ty, branches, value, path);
        }
        let name = ty.json.as_str().or(ty.json.get("type").and_then(Json::as_str)).unwrap();
        match (name, value) {
            ("record", Value::Record(fields)) => {
                let full = full_name(&ty.json, ty.json["name"].as_str().unwrap(), &ty.namespace);
                let namespace = full.rsplit_once('.').map_or("", |(before, _)| before).to_owned();
                for (field, (_, value)) in ty.json["fields"].as_array().unwrap().iter().zip(fields)
                {
                    let path = format!("{path}.{}", field["name"].as_str().unwrap());
                    self.value(&field_type(field, &namespace), value, &path);
                }
            }
            ("array", Value::Array(items)) => {
                self.length(&hints, items.len(), path, true);
                for item in items {
                    self.value(&ty.with(&ty.json["items"]), item, &format!("{path}[]"));
                }
            }
            ("map", Value::Map(entries)) => self.map(&ty, entries.iter().collect(), path),
            _ => self.scalar(&ty, name, value, path),
        }
    }

    fn map(&mut self, ty: &Type, entries: BTreeMap<&String, &Value>, path: &str) {
        let keys = ty.hints.get("keys").cloned().unwrap_or(json!({}));
        let known = keys.get("options").and_then(Json::as_array).map_or(usize::MAX, Vec::len);
        let told = ty.hints.get("length").and_then(Json::as_u64);
        if told.is_some_and(|told| usize::try_from(told).unwrap() >= known) {
            if entries.len() != known {
                self.fail(path, format!("{} entries of {known} keys", entries.len()));
            }
        } else {
            self.length(&ty.hints, entries.len(), path, true);
        }
        let key_type = Type { json: json!("string"), namespace: String::new(), hints: keys };
        for (key, value) in entries {
            self.value(&key_type, &Value::String(key.clone()), &format!("{path}{{key}}"));
            self.value(&ty.with(&ty.json["values"]), value, &format!("{path}{{}}"));
        }
    }

    fn branch(&mut self, ty: &Type, branches: &[Json], value: &Value, path: &str) {
        let Value::Union(number, inner) = value else {
            return self.fail(path, format!("{value:?} is no union"));
        };
        let seen = self.seen.entry(path.to_owned()).or_default();
        seen.count += 1;
        *seen.each.entry(number.to_string()).or_default() += 1;
        // What is inside itself ends at some depth.
        if path.matches('.').count() < 2 && !path.contains(['[', '{']) {
            seen.wanted = (0..branches.len()).map(|branch| branch.to_string()).collect();
        }
        let path = format!("{path}<{number}>");
        self.value(&ty.with(&branches[*number as usize]), inner, &path);
    }

    fn option(&mut self, ty: &Type, options: &Json, value: &Value, path: &str) {
        let options = self.options.get(path).cloned().unwrap_or_else(|| self.read(ty, options));
        let shown = match value {
            Value::Decimal(decimal) => decimal_of(ty, decimal),
            value => shown(value),
        };
        let found = options.iter().position(|option| same(ty, option, &shown));
        match found {
            Some(found) => {
                let seen = self.seen.entry(path.to_owned()).or_default();
                seen.count += 1;
                *seen.each.entry(found.to_string()).or_default() += 1;
                // Of two that are the same, the first is found.
                let first = |(at, option): (usize, &Json)| {
                    (options.iter().position(|other| other == option) == Some(at))
                        .then(|| at.to_string())
                };
                seen.wanted = options.iter().enumerate().filter_map(first).collect();
            }
            None => self.fail(path, format!("{shown} is none of the options")),
        }
        self.options.insert(path.to_owned(), options);
    }

    /// The options themselves.
    fn read(&self, ty: &Type, options: &Json) -> Vec<Json> {
        if let Some(options) = options.as_array() {
            return options.clone();
        }
        let path = self.folder.join(options["file"].as_str().unwrap());
        if options["encoding"] == "binary" {
            let bytes = fs::read(path).unwrap();
            let mut rest = &bytes[..];
            // Parsed from its own text: other than the schema of the whole.
            let schema = Schema::parse_str(&ty.json.to_string()).unwrap();
            let reader = GenericDatumReader::builder(&schema).build().unwrap();
            let mut values = Vec::new();
            while !rest.is_empty() {
                values.push(shown(&reader.read_value(&mut rest).unwrap()));
            }
            return values;
        }
        let text = fs::read_to_string(path).unwrap();
        let values = serde_json::Deserializer::from_str(&text).into_iter::<Json>();
        let values: Vec<Json> = values.map(Result::unwrap).collect();
        match &values[..] {
            [Json::Array(inner)] => inner.clone(),
            _ => values,
        }
    }

    /// Checks a length: `{min, max}` without `max`, a number, or 8 to 16 without `max`.
    fn length(&mut self, hints: &Json, length: usize, path: &str, is_list: bool) {
        let length = length as u64;
        let bounds = match hints.get("length") {
            None if is_list && path.contains(['[', '{']) => 1..4,
            None => 8..16,
            Some(Json::Number(exact)) => exact.as_u64().unwrap()..exact.as_u64().unwrap() + 1,
            Some(bounds) => {
                let min = bounds.get("min").and_then(Json::as_u64).unwrap_or(0);
                min..bounds.get("max").and_then(Json::as_u64).unwrap_or(u64::MAX)
            }
        };
        // A list that would be inside itself without an end is empty.
        let is_end = is_list && length == 0 && hints.get("length").is_none();
        if !(bounds.contains(&length) || is_end) {
            self.fail(path, format!("a length of {length}, not {bounds:?}"));
        }
    }

    fn pattern(&mut self, pattern: &str) -> regex::Regex {
        let compiled = self.patterns.entry(pattern.to_owned()).or_insert_with(|| {
            let plain = pattern.replace("\\<", "<").replace("\\>", ">");
            regex::Regex::new(&format!("^(?:{plain})$")).unwrap()
        });
        compiled.clone()
    }
}

impl Type {
    fn with(&self, json: &Json) -> Self {
        Self { json: json.clone(), namespace: self.namespace.clone(), hints: Json::Null }
    }
}

/// Whether an option is the value that was found.
fn same(ty: &Type, option: &Json, found: &Json) -> bool {
    match (option, found) {
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let distance = (a - b).abs();
            // A float has the nearest of 24 bits.
            distance <= f64::EPSILON * a.abs()
                || (ty.json == "float" || ty.json["type"] == "float") && distance < 1e-7 * a.abs()
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(ty, a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let fields = ty.json.get("fields").and_then(Json::as_array);
            let default = |key: &String| {
                let field = fields?.iter().find(|field| field["name"] == key.as_str())?;
                field.get("default").cloned()
            };
            let is_complete = fields.is_some() || a.len() == b.len();
            is_complete
                && b.iter().all(|(key, found)| {
                    let option = a.get(key).cloned().or_else(|| default(key));
                    option.is_some_and(|option| same(ty, &option, found))
                })
        }
        // A branch's name may stand before its value.
        (Json::Object(a), found) if a.len() == 1 => a.values().all(|inner| same(ty, inner, found)),
        (option, found) => option == found,
    }
}

fn field_type(field: &Json, namespace: &str) -> Type {
    let hints = field.get("arg.properties").cloned().unwrap_or_default();
    Type { json: field["type"].clone(), namespace: namespace.to_owned(), hints }
}

fn full_name(json: &Json, name: &str, namespace: &str) -> String {
    let namespace = json.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// A decimal as the number that it stands for.
fn decimal_of(ty: &Type, decimal: &Decimal) -> Json {
    let scale = i32::try_from(ty.json["scale"].as_i64().unwrap()).unwrap();
    json!(unscaled(&Vec::<u8>::try_from(decimal).unwrap()) as f64 / 10_f64.powi(scale))
}

/// A value as JSON, unions opened, bytes as a character each.
fn shown(value: &Value) -> Json {
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => json!(value),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => json!(value),
        Value::Float(value) => json!(f64::from(*value)),
        Value::Double(value) => json!(value),
        Value::String(text) | Value::Enum(_, text) => json!(text),
        Value::Uuid(uuid) => json!(uuid.to_string()),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => json!(latin(bytes)),
        Value::Union(_, inner) => shown(inner),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Map(entries) => {
            let entries: BTreeMap<_, _> = entries.iter().collect();
            entries.into_iter().map(|(key, value)| (key.clone(), shown(value))).collect()
        }
        Value::Record(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
        }
        other => panic!("{other:?} cannot be shown"),
    }
}
