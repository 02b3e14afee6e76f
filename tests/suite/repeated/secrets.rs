//! Secrets are in no manifest: who repeats a run brings them along.

use std::fs;

use tidegate::embedded::{Embedded, Topic};

use super::{ended, json, stderr, two, words};
use crate::cli::{assert_exit, program};

/// A Kafka and a registry with the topics of the model.
fn embedded() -> Embedded {
    let topics =
        ["test.payments", "test.others"].map(|name| Topic { name: name.to_owned(), partitions: 3 });
    Embedded::start(&topics).unwrap()
}

/// The model with these lines among the properties of Kafka.
fn with_secrets(lines: &str) -> tempfile::TempDir {
    let folder = two();
    let path = folder.path().join("model.toml");
    let model = fs::read_to_string(&path).unwrap();
    fs::write(path, model.replace("[sink.kafka]\n", &format!("[sink.kafka]\n{lines}\n"))).unwrap();
    folder
}

fn at(embedded: &Embedded) -> String {
    format!(
        "--registry {} -X bootstrap.servers={}",
        embedded.registry_url(),
        embedded.bootstrap_servers()
    )
}

#[test]
fn a_secret_of_the_model_is_refused_by_name_unless_it_is_given_again() {
    let folder =
        with_secrets("\"sasl.username\" = 'me'\n\"sasl.password\" = \"hunter2\" # not this");
    let embedded = embedded();
    let run = format!(
        "run model.toml {} --speed max --duration 1s --digest --json --manifest first.json",
        at(&embedded)
    );
    let then = json(&ended(folder.path(), &run, 0));
    let text = fs::read_to_string(folder.path().join("first.json")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(told.contains("`-X sasl.password` was a secret"), "{told}");
    assert!(told.contains("variable TIDEGATE_SINK__KAFKA__SASL_PASSWORD"), "{told}");
    let told = stderr(&ended(folder.path(), "topics first.json", 2));
    assert!(told.contains("`-X sasl.password` was a secret"), "{told}");
    let again = ended(folder.path(), "run first.json -X sasl.password=hunter3 --json", 0);
    super::assert_agrees(&then, &json(&again));
    assert!(!stderr(&again).contains("hunter3"), "{}", stderr(&again));
    let mut command = program(folder.path(), &words("run first.json --json"));
    let output = command.env("TIDEGATE_SINK__KAFKA__SASL_PASSWORD", "hunter2").output().unwrap();
    assert_exit(&output, 0);
    super::assert_agrees(&then, &json(&output));
    // Nowhere, nobody asks for it.
    super::assert_agrees(&then, &super::again(folder.path(), "", 0));
}

#[test]
fn secrets_of_flags_and_variables_are_given_again_too() {
    let folder = two();
    let embedded = embedded();
    let text = format!(
        "run model.toml {} -X sasl.password=it's --set sink.kafka={{\"ssl.key.password\"='x'}} \
         --set registry.password=1234 --set registry.username=me {} --speed max --duration 1s \
         --digest --json --manifest first.json",
        "",
        at(&embedded)
    );
    let mut command = program(folder.path(), &words(&text));
    let output = command.env("TIDEGATE_REGISTRY__TOKEN", "abcd").output().unwrap();
    // A registry knows either a token or a name.
    assert_exit(&output, 2);
    let then = json(&ended(folder.path(), &text, 0));
    for (given, missing) in [
        ("", "-X ssl.key.password"),
        ("-X ssl.key.password=x", "-X sasl.password"),
        ("-X ssl.key.password=x -X sasl.password=y", "--set registry.password"),
    ] {
        let told = stderr(&ended(folder.path(), &format!("run first.json {given}"), 2));
        assert!(told.contains(&format!("`{missing}` was a secret")), "{told}");
    }
    let all = "-X ssl.key.password=x -X sasl.password=y --set registry.password=4321";
    let again = json(&ended(folder.path(), &format!("run first.json {all} --json"), 0));
    super::assert_agrees(&then, &again);
}

#[test]
fn what_the_model_takes_from_the_environment_is_taken_again() {
    let folder = with_secrets("\"sasl.password\" = { env = \"KAFKA_PASSWORD\" }");
    let text =
        "run model.toml --to null --speed max --duration 1s --digest --json --manifest first.json";
    let mut command = program(folder.path(), &words(text));
    let then = command.env("KAFKA_PASSWORD", "hunter2").output().unwrap();
    assert_exit(&then, 0);
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(told.contains("the environment variable `KAFKA_PASSWORD` is not set"), "{told}");
    let mut command = program(folder.path(), &words("run first.json --json"));
    let again = command.env("KAFKA_PASSWORD", "hunter3").output().unwrap();
    assert_exit(&again, 0);
    super::assert_agrees(&json(&then), &json(&again));
}

// Masked everywhere, the secret takes the name of a stream with it.
#[test]
fn a_secret_that_stands_elsewhere_in_the_model_is_told_of() {
    let folder = with_secrets("\"sasl.password\" = \"payments\"");
    let text = "run model.toml --to null --speed max --duration 1s --manifest first.json";
    ended(folder.path(), text, 0);
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(told.contains("the value of a secret stands in it elsewhere"), "{told}");
    assert!(told.contains("`tidegate run model.toml --seed 7"), "{told}");
}
