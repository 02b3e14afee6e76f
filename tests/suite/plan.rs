//! What only shows when a model is compiled is refused there, with its place and the way out.

mod messages;
mod values;

use std::path::PathBuf;

use tidegate::config::{self, Configuration, ModelSource, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};

/// The refusal of the built-in payments with these keys set, as a user reads it.
fn refusal(settings: &[&str]) -> String {
    let flags =
        settings.iter().map(|written| config::Override::assignment("--set", written).unwrap());
    let overrides = Overrides { flags: flags.collect(), ..Overrides::default() };
    let payments = ModelSource::named("payments");
    let configuration = config::read(&payments, &overrides, &|_| None).unwrap();
    let mistakes = Plan::compile(&configuration.model, &Inputs::default()).unwrap_err();
    Refused::new(configuration.source, mistakes).render(false)
}

/// A model beside the schema of an event with an `id`.
fn read(text: String) -> Configuration {
    let directory = tempfile::tempdir().unwrap();
    let schema = r#"{"type":"record","name":"Event","fields":[{"name":"id","type":"string"}]}"#;
    std::fs::write(directory.path().join("Event.avsc"), schema).unwrap();
    let directory = PathBuf::from(directory.path());
    let source = ModelSource::Text { name: "model.toml".to_owned(), directory, text };
    config::read(&source, &Overrides::default(), &|_| None).unwrap()
}

/// The refusal of a model of one stream with a value that is compiled.
fn refusal_of(value: &str) -> String {
    let text = format!(
        "start = \"2026-03-02T00:00:00Z\"\n[traffic]\nrate = \"10/s\"\n[streams.s]\ntopic = \"t\"\n\
         schema = \"Event.avsc\"\n[streams.s.let]\nv = {value}\n[streams.s.fields]\nid = \"identity\"\n"
    );
    let configuration = read(text);
    let mistakes = Plan::compile(&configuration.model, &Inputs::default()).unwrap_err();
    Refused::new(configuration.source, mistakes).render(false)
}

#[test]
fn more_events_than_positions_can_number_are_refused() {
    let said = refusal(&["traffic.rate=\"50k/s\"", "lanes=1", "tick=\"10s\""]);
    assert!(said.contains("the limit is 250000") && said.contains("raise `lanes`"), "{said}");
}

#[test]
fn curves_that_are_never_above_zero_together_are_refused() {
    let day = format!("hours=[1{}]", ", 0".repeat(23));
    let night = format!("hours=[0, 1{}]", ", 0".repeat(22));
    let said = refusal(&[
        &format!("curves.day={{{day}}}"),
        &format!("curves.night={{{night}}}"),
        "traffic.curves=[\"day\", \"night\"]",
    ]);
    assert!(said.contains("0 in every hour"), "{said}");
}

#[test]
fn groups_without_a_member_are_refused_where_somebody_is_picked_of_them() {
    let said = refusal(&["entities.merchant.count=10000"]);
    assert!(said.contains("2998 of the 9996 groups") && said.contains("raise `count`"), "{said}");
}

#[test]
fn decimals_finer_than_64_bits_hold_are_refused() {
    let said = refusal_of("{ expression = \"0.012345678 * 0.012345678 * 0.25 + 1\" }");
    assert!(said.contains("the limit is 18") && said.contains("model.toml:8"), "{said}");
}

#[test]
fn families_of_any_size_are_whole() {
    for rate in ["2M/day", "1/s", "17/s", "1234/s"] {
        let overrides = Overrides {
            flags: vec![config::Override::flag("--rate", "traffic.rate", rate)],
            ..Overrides::default()
        };
        let payments = ModelSource::named("payments");
        let model = config::read(&payments, &overrides, &|_| None).unwrap().model;
        let plan = Plan::compile(&model, &Inputs::default());
        assert!(plan.is_ok(), "{rate}: {:?}", plan.err());
    }
}

#[test]
fn a_divisor_that_can_be_zero_is_refused() {
    let said = refusal_of("{ expression = \"10 / (1 - 1)\" }");
    assert!(said.contains("the divisor can be 0"), "{said}");
}

#[test]
fn a_value_that_goes_round_in_a_circle_is_refused() {
    let said = refusal_of("{ expression = \"v + 1\" }");
    assert!(said.contains("refers to itself"), "{said}");
}

/// What is said of a model of one stream and what is added to it: its mistakes, or else its warnings.
fn said_of(added: &str) -> String {
    let text = format!(
        "start = \"2026-03-02T00:00:00Z\"\ntraffic.rate = \"10/s\"\n[streams.s]\ntopic = \"t\"\n\
         schema = \"Event.avsc\"\nfields = {{ id = \"identity\" }}\n{added}"
    );
    let configuration = read(text);
    match Plan::compile(&configuration.model, &Inputs::default()) {
        Ok(plan) => config::render_warnings(&configuration.source, &plan.warnings, false),
        Err(mistakes) => Refused::new(configuration.source, mistakes).render(false),
    }
}

#[test]
fn attributes_that_nothing_reads_are_checked_beside_streams_that_follow_nothing() {
    let said = said_of(
        "[entities.m]\ncount = 10\n[entities.m.attributes]\nx = { attribute = \"y\" }\n\
         y = { attribute = \"x\" }\nz = { expression = \"4000000000 * 4000000000 * 4\" }\n\
         [streams.f]\ntopic = \"f\"\nschema = \"Event.avsc\"\nfollows = \"nobody\"\n\
         [streams.g]\ntopic = \"g\"\nschema = \"Event.avsc\"\nfollows = \"f\"\n\
         [streams.h]\ntopic = \"h\"\nschema = \"Event.avsc\"\nfields = { id = { attribute = \"q\" } }\n",
    );
    for part in ["refers to itself", "the limit is 92", "no stream `nobody`", "`q` is neither"] {
        assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
    }
}

#[test]
fn a_population_that_acts_otherwise_than_is_written_is_told() {
    let said = said_of(
        "[streams.s.let]\na = { entity = \"a\" }\n[entities.a]\ncount = 1000\nactivity = \"2/day\"\n\
         [streams.o]\ntopic = \"o\"\nschema = \"Event.avsc\"\nfields = { id = \"identity\" }\n\
         let = { a = { entity = \"a\" } }\n",
    );
    let parts = ["1000 members of `a` acts 1728.00 times a day", "not 2.00", "864000 members"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn what_a_changelog_cannot_keep_true_is_told() {
    let family = "[entities.c]\ncount = 10\nlifetime = \"9d\"\n[entities.c.attributes]\n\
                  st = { choice = [\"x\", \"y\"], changes = \"1d\" }\n[entities.d]\nbelongs_to = \"c\"\n\
                  changelog = \"ds\"\n";
    let said = said_of(&format!("{family}attributes = {{ s = {{ attribute = \"c.st\" }} }}\n"));
    for part in ["changelog of `d` tells of `c`, which ends", "tells of `c`, which changes without"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let own = "[entities.c]\ncount = 10\nlifetime = \"9d\"\nchangelog = \"cs\"\n\
               attributes = { st = { choice = [\"x\", \"y\"], changes = \"1d\" } }\n";
    assert_eq!(said_of(own), "", "its own changes are told");
}

#[test]
fn a_member_that_is_not_of_who_acts_is_told() {
    let family = "[entities.c]\ncount = 10\n[entities.a]\nbelongs_to = \"c\"\nactivity = { spread = \"equal\" }\n\
                  [entities.k]\nbelongs_to = \"a\"\n[streams.s.let]\na = { entity = \"a\" }\n";
    let said = said_of(&format!("{family}b = {{ entity = \"c\" }}\nd = {{ entity = \"k\" }}\n"));
    for part in ["`c` is anybody here", "is `a.c`", "`k` is anybody here", "of = \"a\" }"] {
        assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
    }
    let own = "b = { attribute = \"a.c\" }\nd = { entity = \"k\", of = \"a\" }\n";
    let said = said_of(&format!("{family}{own}"));
    assert!(!said.contains("anybody"), "{said}");
}
