//! Models read from files: what is accepted, and what is told of what is not.

use std::path::{Path, PathBuf};

use tidegate::config::model::{ExpressionKind, Generator, Start, Tick};
use tidegate::config::settings::{Authentication, SchemaChoice, Speed};
use tidegate::config::{self, Configuration, ModelSource, Override, Overrides, Refused};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(path)
}

fn environment(name: &str) -> Option<String> {
    (name == "KAFKA_PASSWORD").then(|| "kafka-canary".to_owned())
}

fn read(path: &Path, overrides: &Overrides) -> Result<Configuration, Refused> {
    config::read(&ModelSource::File(path.to_path_buf()), overrides, &environment)
}

fn flags(assignments: &[&str]) -> Overrides {
    let flags = assignments.iter().map(|one| Override::assignment("--set", one).unwrap());
    Overrides { flags: flags.collect(), ..Overrides::default() }
}

fn whole() -> Configuration {
    read(&fixture("whole/model.toml"), &Overrides::default())
        .unwrap_or_else(|refused| panic!("{refused}"))
}

#[test]
fn a_model_with_every_word_of_the_language_is_read() {
    let read = whole();
    let model = &read.model;
    assert_eq!((model.name.as_str(), model.seed, model.lanes), ("model", 42, 32));
    assert_eq!(model.start, Start::At(1_772_409_600_000_000));
    assert_eq!(model.tick, Some(Tick::Second));
    let traffic = model.traffic.as_ref().unwrap();
    assert_eq!(traffic.rate_per_s.as_ref().unwrap().value, 500.0);
    assert_eq!(traffic.curves.len(), 3);
    assert_eq!(model.tables[0].columns[0].cells[2], "Washington, D.C.");
    assert_eq!(&*model.tables[2].columns[1].cells, ["0.10", "2"]);
    let names: Vec<&str> = model.entities.iter().map(|entity| entity.name.as_str()).collect();
    assert_eq!(names, ["customer", "account", "card", "acquirer", "merchant"]);
    let stream = &model.streams[0];
    assert_eq!(stream.topic.config[0], ("retention.ms".to_owned(), "1000".to_owned()));
    let fields: Vec<&str> = stream.fields.iter().map(|field| field.name.value.as_str()).collect();
    assert_eq!(fields[..3], ["event_id", "event_time", "local_time"]);
    assert_eq!(fields.last(), Some(&"place.city"));
}

#[test]
fn settings_are_read_and_hide_their_secrets() {
    let read = whole();
    let kafka = read.settings.kafka.as_ref().unwrap();
    let names: Vec<&str> = kafka.properties.iter().map(|one| one.name.value.as_str()).collect();
    assert_eq!(names, ["bootstrap.servers", "sasl.username", "sasl.password", "linger.ms"]);
    assert_eq!(kafka.properties[2].value.value.reveal(), "kafka-canary");
    assert_eq!(kafka.properties[3].value.value.reveal(), "5");
    let registry = read.settings.registry.as_ref().unwrap();
    assert_eq!(registry.urls[1].value, "https://other:8081");
    assert_eq!(registry.schemas, SchemaChoice::Id(7));
    let Authentication::Basic { password, .. } = &registry.authentication else {
        panic!("no password")
    };
    assert_eq!(password.reveal(), "registry-canary");
    assert_eq!(read.settings.run.speed, Speed::Times(60.0));
    let everything = format!("{:?}", read.settings);
    assert!(!everything.contains("canary"), "{everything}");
}

#[test]
fn places_inside_an_expression_point_into_the_file() {
    let read = whole();
    let text = &read.source.model().unwrap().text;
    let field = read.model.streams[0]
        .fields
        .iter()
        .find(|field| field.name.value == "amount_minor")
        .unwrap();
    let Generator::Expression(expression) = &field.generator.value else { panic!("no expression") };
    assert_eq!(&text[expression.span.clone()], "round(price * merchant.site.rate)");
    let ExpressionKind::Call { arguments, .. } = &expression.kind else { panic!("no call") };
    let ExpressionKind::Binary { right, .. } = &arguments[0].kind else { panic!("no product") };
    assert_eq!(&text[right.span.clone()], "merchant.site.rate");
    assert_eq!(&text[field.name.span.clone()], "amount_minor");
}

#[test]
fn flags_stand_before_variables_and_variables_before_the_file() {
    let overrides = flags(&["traffic.rate=7/s", "sink.kafka.linger.ms=50", "seed=1"])
        .with_environment([
            ("TIDEGATE_TRAFFIC__RATE".to_owned(), "6/s".to_owned()),
            ("TIDEGATE_SEED".to_owned(), "2".to_owned()),
            ("TIDEGATE_LANES".to_owned(), "16".to_owned()),
            ("TIDEGATE_SINK__KAFKA__SASL_PASSWORD".to_owned(), "0123".to_owned()),
        ]);
    let read = read(&fixture("whole/model.toml"), &overrides).unwrap();
    assert_eq!(read.model.traffic.unwrap().rate_per_s.unwrap().value, 7.0);
    assert_eq!((read.model.seed, read.model.lanes), (1, 16));
    let kafka = read.settings.kafka.unwrap();
    assert_eq!(kafka.properties[2].value.value.reveal(), "0123");
    assert_eq!(kafka.properties[3].value.value.reveal(), "50");
}
