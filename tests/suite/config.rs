//! Models read from files: what is accepted, and what is told of what is not.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tidegate::config::model::{ExpressionKind, Generator, Start, Tick};
use tidegate::config::settings::{Authentication, Governor, SchemaChoice, Speed};
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
    read(&fixture("whole/model.toml"), &Overrides::default()).unwrap()
}

#[test]
fn a_model_with_every_word_of_the_language_is_read() {
    let read = whole();
    let model = &read.model;
    assert_eq!((model.name.as_str(), model.seed, model.lanes), ("model", 42, 32));
    assert_eq!(model.start, Start::At(1_772_409_600_000_000));
    assert_eq!(model.tick, Some(Tick::Second));
    let traffic = model.traffic.as_ref().unwrap();
    assert!((traffic.rate_per_s.as_ref().unwrap().value - 500.0).abs() < 1e-9);
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
fn the_hash_of_a_model_changes_with_its_events_and_not_with_where_they_go() {
    let hash = |assignments: &[&str]| {
        read(&fixture("whole/model.toml"), &flags(assignments)).unwrap().model.hash
    };
    let whole = hash(&[]);
    for same in ["run.threads=3", "sink.kafka.linger.ms=9", "registry.timeout=3s", "start=now"] {
        assert_eq!(hash(&[same]), whole, "{same}");
    }
    // What the file says already changes nothing; anything else does.
    assert_eq!(hash(&["seed=42"]), whole);
    for other in ["seed=43", "traffic.rate=501/s", "lanes=16"] {
        assert_ne!(hash(&[other]), whole, "{other}");
    }
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
    let governor = Governor { events_per_s: Some(5_000.0), bytes_per_s: Some(1e7) };
    assert_eq!(read.settings.run.governor, governor);
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
    assert!((read.model.traffic.unwrap().rate_per_s.unwrap().value - 7.0).abs() < 1e-9);
    assert_eq!((read.model.seed, read.model.lanes), (1, 16));
    let kafka = read.settings.kafka.unwrap();
    assert_eq!(kafka.properties[2].value.value.reveal(), "0123");
    assert_eq!(kafka.properties[3].value.value.reveal(), "50");
}

#[test]
fn every_mistake_of_a_bad_model_is_told_with_its_place_and_the_way_out() {
    let directory = "tests/fixtures/models/bad";
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let refused = config::read(&ModelSource::File(path), &Overrides::default(), &|variable| {
            variable.ends_with("CANARY").then(|| format!("canary {}", variable.to_lowercase()))
        });
        let shown = match refused {
            Ok(_) => panic!("{name} was accepted"),
            Err(refused) => refused.render(false),
        };
        assert!(!shown.replace("CANARY", "").contains("canary"), "{name}: {shown}");
        insta::assert_snapshot!(format!("bad_model_{name}"), shown);
    }
}

#[test]
fn a_mistake_in_a_flag_or_a_variable_names_it() {
    let model = fixture("whole/model.toml");
    let mut overrides = flags(&["trafic.rate=5/s", "traffic.rate=fast", "seed.x=1", "lanes=2000"])
        .with_environment([
            ("TIDEGATE_TRAFFIC__CURVSE".to_owned(), "x".to_owned()),
            ("TIDEGATE_TICK".to_owned(), "5s".to_owned()),
        ]);
    overrides.flags.push(Override::flag("--rate", "traffic.rate", "5 apples"));
    overrides.flags.push(Override::flag("--registry", "registry.url", "http://me:canary@host"));
    overrides
        .flags
        .push(Override::property("-X", "kafka", "sasl.password=[canary, 'canary']").unwrap());
    let shown = read(&model, &overrides).unwrap_err().render(false);
    assert!(!shown.contains("canary"), "{shown}");
    insta::assert_snapshot!("mistakes_in_flags_and_variables", shown);
}

// A file that a model names, but that is not compiled in, is found here.
#[test]
fn every_model_that_comes_with_the_program_is_read() {
    for name in config::library::models() {
        let built_in = config::read(&ModelSource::named(name), &Overrides::default(), &environment);
        let built_in = built_in.unwrap_or_else(|refused| panic!("{refused}"));
        let on_disk = read(Path::new(&format!("config/{name}.toml")), &Overrides::default());
        let on_disk = on_disk.unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(built_in.model.name, name);
        assert_eq!(
            format!("{:?}", built_in.model.streams[0].fields),
            format!("{:?}", on_disk.model.streams[0].fields),
        );
    }
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    for (argument, wanted) in [
        ("no/such/model.toml", "cannot read the model `no/such/model.toml`: there is no such file"),
        ("tests/fixtures", "it is a directory"),
    ] {
        let refused =
            config::read(&ModelSource::named(argument), &Overrides::default(), &environment);
        let shown = refused.unwrap_err().render(false);
        assert!(shown.replace("\n  │", "").contains(wanted), "{argument}: {shown}");
    }
}

#[test]
fn a_seed_is_drawn_if_there_is_none() {
    let draw = || read(&fixture("whole/model.toml"), &flags(&["seed=0"])).unwrap();
    let (first, second) = (draw(), draw());
    assert!(first.seed_was_drawn && first.model.seed != 0);
    assert_ne!(first.model.seed, second.model.seed);
    assert!(!whole().seed_was_drawn);
}

#[test]
fn no_secret_is_in_what_may_be_logged_or_kept() {
    let mut overrides = flags(&["sink.kafka.sasl.password=canary-1"])
        .with_environment([("TIDEGATE_REGISTRY__PASSWORD".to_owned(), "canary-2".to_owned())]);
    overrides.flags.push(Override::property("-X", "kafka", "ssl.key.password=canary-3").unwrap());
    let kept: Vec<&str> = overrides.flags.iter().map(Override::shown).collect();
    let read = read(&fixture("whole/model.toml"), &overrides).unwrap();
    let texts: Vec<String> =
        read.source.pieces().iter().map(|piece| read.source.shown(piece)).collect();
    let everything = format!("{overrides:?} {kept:?} {read:?} {texts:?}");
    assert!(!everything.contains("canary"), "{everything}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // Whatever is cut out of a model or put in, it is read or refused, and every mistake has a
    // place in some text.
    #[test]
    fn a_mangled_model_is_read_or_refused(
        from in 0_usize..4_000,
        bytes in 0_usize..40,
        junk in "[\\[\\]{}=\"',.a-z0-9 \n-]{0,6}|\\PC{0,3}",
    ) {
        let directory = fixture("whole");
        let mut text = std::fs::read_to_string(directory.join("model.toml")).unwrap();
        let from = text.floor_char_boundary(from.min(text.len()));
        let to = text.floor_char_boundary((from + bytes).min(text.len()));
        text.replace_range(from..to, &junk);
        let source = ModelSource::Text { name: "mangled.toml".to_owned(), directory, text };
        if let Err(refused) = config::read(&source, &Overrides::default(), &environment) {
            prop_assert!(!refused.mistakes().is_empty());
            let shown = refused.render(false);
            prop_assert!(!shown.contains("canary"), "{}", shown);
        }
    }
}
