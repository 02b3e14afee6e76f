//! Schemas alone: whatever the schema, its events keep to its hints, and any reader reads them.

mod checker;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tidegate::config::{self, Configuration, ModelSource, Override, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::Options;

use crate::determinism::events;
use checker::Checker;

/// Events of each schema that are checked.
const EVENTS: u64 = 1_500;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemas")
}

/// The schemas of the folder.
fn schemas() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let is_schema = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "avsc" || ending == "avro")
    };
    let mut paths: Vec<PathBuf> = entries.filter(is_schema).collect();
    paths.sort();
    paths
}

/// A schema as a model.
fn read(path: &Path, flags: &[(&str, &str)]) -> Result<Configuration, Refused> {
    let fixed = [("seed", "7"), ("start", "2026-03-02T00:00:00Z")];
    let flags = fixed.iter().chain(flags).map(|(key, value)| Override::flag("--set", key, value));
    let overrides = Overrides { flags: flags.collect(), ..Overrides::default() };
    config::read(&ModelSource::File(path.to_path_buf()), &overrides, &|_| None)
}

fn compiled(path: &Path, flags: &[(&str, &str)]) -> Result<Arc<Plan>, String> {
    let read = read(path, flags).map_err(|refused| refused.render(false))?;
    Plan::compile(&read.model, &Inputs::default())
        .map(Arc::new)
        .map_err(|mistakes| Refused::new(read.source, mistakes).render(false))
}

/// The first events, as apache-avro reads them.
fn first(plan: &Arc<Plan>, schema: &Schema, count: u64) -> Vec<Value> {
    let options = Options { count: Some(count), ..Options::default() };
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let decoded = |mut datum: &[u8]| {
        let value = reader.read_value(&mut datum).unwrap();
        assert!(datum.is_empty(), "{} bytes stay behind {value:?}", datum.len());
        value
    };
    events(plan, options).iter().map(|event| decoded(&event.datum)).collect()
}

#[test]
fn the_schema_of_the_page_is_filled_as_its_hints_say() {
    let schemas = crate::docs::marked(&crate::docs::page("schemas.md"), "json users.avsc");
    let [schema] = schemas.as_slice() else { panic!("{} schemas", schemas.len()) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.avsc");
    fs::write(&path, schema).unwrap();
    let plan = compiled(&path, &[("streams.users.key", "name")]).unwrap();
    let mut checker = Checker::new(schema, folder.path());
    for value in first(&plan, &Schema::parse_str(schema).unwrap(), EVENTS) {
        checker.check(&value);
    }
    assert_eq!(checker.finish(), Vec::<String>::new());
}

#[test]
fn fields_that_nothing_is_said_of_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let [schema, model] = ["a.avsc", "a.toml"].map(|name| folder.path().join(name));
    let fields = r#"{"name": "x", "type": "int"}, {"name": "y", "type": "int"},
        {"name": "z", "type": {"type": "int", "arg.properties": {"range": {"min": 1, "max": 2}}}}"#;
    fs::write(schema, format!(r#"{{"type": "record", "name": "A", "fields": [{fields}]}}"#))
        .unwrap();
    let stream = "[traffic]\nrate = \"1/s\"\n[streams.a]\ntopic = \"a\"\nschema = \"a.avsc\"\n";
    fs::write(&model, format!("{stream}[streams.a.fields]\nx = {{ constant = 1 }}\n")).unwrap();
    let warnings = read(&model, &[]).unwrap().warnings;
    let told: Vec<_> = warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(told, ["nothing is said of `y`: plain defaults are in there"]);
}

#[test]
fn every_schema_is_filled_as_its_hints_say_and_read_back() {
    let paths = schemas();
    assert!(paths.len() >= 40, "{} schemas", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let plan = match compiled(&path, &[]) {
            Ok(plan) => plan,
            Err(told) => {
                wrong.push(format!("{name}: {told}"));
                continue;
            }
        };
        let values = first(&plan, &Schema::parse_str(&text).unwrap(), EVENTS);
        assert_eq!(values.len() as u64, EVENTS, "{name}");
        let mut checker = Checker::new(&text, &folder());
        for value in &values {
            checker.check(value);
        }
        wrong.extend(checker.finish().into_iter().map(|why| format!("{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_schema_alone_is_one_stream_to_a_topic_of_its_name() {
    let read = read(&folder().join("order_lines.avro"), &[]).unwrap();
    let [stream] = &read.model.streams[..] else { panic!("{:?}", read.model.streams) };
    assert_eq!((stream.name.as_str(), stream.topic.name.as_str()), ("order_lines", "order_lines"));
    assert!(stream.key.is_none() && read.model.name == "order_lines");
    let rate = |flags: &[(&str, &str)]| {
        let plan = compiled(&folder().join("users.avro"), flags).unwrap();
        plan.rate_per_s()
    };
    assert!((rate(&[]) - 1_000.0).abs() < 1e-9);
    assert!((rate(&[("traffic.rate", "5/s")]) - 5.0).abs() < 1e-9);
}

#[test]
fn a_key_may_be_a_field_that_hints_fill() {
    let flags = [("streams.users.key", "userid"), ("streams.users.topic", "people")];
    let plan = compiled(&folder().join("users.avro"), &flags).unwrap();
    let events = events(&plan, Options { count: Some(50), ..Options::default() });
    assert!(events.iter().all(|event| event.key.starts_with(b"User_")));
    assert_eq!(plan.streams[0].topic.name, "people");
}

#[test]
fn the_same_seed_fills_a_schema_the_same_and_another_one_not() {
    let path = folder().join("union_of_records.avsc");
    let schema = Schema::parse_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let made = |seed| first(&compiled(&path, &[("seed", seed)]).unwrap(), &schema, 100);
    assert_eq!(made("7"), made("7"));
    assert_ne!(made("7"), made("8"));
}

/// The model that the design shows, with a schema of its own: one field has a hint, one nothing.
#[test]
fn the_first_model_of_the_design_runs_and_its_other_fields_take_hints_and_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/first/model.toml");
    let overrides = Overrides {
        flags: vec![Override::flag("--start", "start", "2026-03-02T09:00:00Z")],
        ..Overrides::default()
    };
    let password = |name: &str| (name == "KAFKA_PASSWORD").then(|| "secret".to_owned());
    let read = config::read(&ModelSource::File(path), &overrides, &password).unwrap();
    let told: Vec<_> = read.warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(told, ["nothing is said of `note`: plain defaults are in there"]);
    let plan = Arc::new(Plan::compile(&read.model, &Inputs::default()).unwrap());
    for value in first(&plan, &plan.streams[0].schema, 500) {
        let Value::Record(fields) = value else { panic!("a record") };
        let field = |name: &str| &fields.iter().find(|(known, _)| known == name).unwrap().1;
        let online = *field("channel") == Value::Enum(1, "online".to_owned());
        assert_eq!(online, matches!(field("device_id"), Value::Union(1, _)));
        assert!(matches!(field("attempt"), Value::Int(1..=3)), "{fields:?}");
        assert!(matches!(field("note"), Value::String(note) if (8..16).contains(&note.len())));
    }
}
