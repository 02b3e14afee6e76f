//! `models`, `init` and `schema`: what comes with the program, and what is written out of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tidegate::config::library;

use super::{assert_exit, folder, json, run, stderr, stdout};

fn paths(output: &std::process::Output) -> Vec<PathBuf> {
    stdout(output).lines().map(PathBuf::from).collect()
}

#[test]
fn every_model_is_listed_with_a_line_and_its_streams() {
    let folder = folder();
    let output = run(folder.path(), &["models"]);
    assert_exit(&output, 0);
    let told = json(&run(folder.path(), &["models", "--json"]));
    let listed = told["models"].as_array().unwrap();
    assert_eq!(listed.len(), library::models().count());
    for (name, model) in library::models().zip(listed) {
        assert_eq!(model["name"], name);
        let about = model["about"].as_str().unwrap();
        assert!(about.len() > 20 && !about.contains('\n'), "{name}: {about}");
        assert!(stdout(&output).contains(&format!("{name}: {about}")), "{}", stdout(&output));
        for stream in model["streams"].as_array().unwrap() {
            let line = format!(
                "{} to {}",
                stream["name"].as_str().unwrap(),
                stream["topic"].as_str().unwrap()
            );
            assert!(stdout(&output).contains(&line), "{line}");
        }
        assert!(!model["streams"].as_array().unwrap().is_empty());
    }
}

// The same events come out of the files, so that who starts from a model starts from that model.
#[test]
fn every_model_that_is_written_out_is_the_one_that_comes_with_the_program() {
    let folder = folder();
    for name in library::models() {
        let output = run(folder.path(), &["init", name]);
        assert_exit(&output, 0);
        let written: BTreeSet<PathBuf> = paths(&output).into_iter().collect();
        assert!(written.contains(&Path::new(name).join(format!("{name}.toml"))), "{written:?}");
        assert!(written.iter().all(|path| folder.path().join(path).is_file()), "{written:?}");
        let file = format!("{name}/{name}.toml");
        let sample = |model: &str| {
            let flags = ["--seed", "5", "--start", "2026-03-02T09:00:00Z"];
            let output = run(folder.path(), &[&["sample", model, "-n", "3"], &flags[..]].concat());
            assert_exit(&output, 0);
            stdout(&output)
        };
        assert_eq!(sample(&file), sample(name), "{name}");
        // Nothing outside of its folder is needed.
        let moved = folder.path().join("moved").join(name);
        std::fs::create_dir_all(moved.parent().unwrap()).unwrap();
        std::fs::rename(folder.path().join(name), &moved).unwrap();
        assert_exit(&run(&moved, &["validate", &format!("{name}.toml")]), 0);
    }
}

#[test]
fn nothing_is_written_over_unless_that_is_asked_for() {
    let folder = folder();
    assert_exit(&run(folder.path(), &["init", "payments", "--to", "mine"]), 0);
    let model = folder.path().join("mine/payments.toml");
    std::fs::write(&model, "changed by hand").unwrap();
    let output = run(folder.path(), &["init", "payments", "--to", "mine"]);
    assert_exit(&output, 2);
    for told in ["mine/payments.toml", "there already", "--to", "--force"] {
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_to_string(&model).unwrap(), "changed by hand");
    assert_exit(&run(folder.path(), &["init", "payments", "--to", "mine", "--force"]), 0);
    assert_ne!(std::fs::read_to_string(&model).unwrap(), "changed by hand");
}

#[test]
fn what_cannot_be_written_out_is_refused_with_the_way_out() {
    let folder = folder();
    std::fs::write(folder.path().join("a-file"), "x").unwrap();
    for (words, code, told) in [
        (&["init", "paymnts"][..], 2, "did you mean `payments`?"),
        (&["init"], 2, "<NAME>"),
        (&["init", "payments", "--to"], 2, "--to"),
        (&["init", "payments", "--to", "a-file"], 1, "a-file"),
        (&["models", "payments"], 2, "payments"),
        (&["models", "--jsn"], 2, "--json"),
        (&["models", "--to", "x"], 2, "--to"),
        (&["schema", "payments"], 2, "payments"),
        (&["schema", "--json"], 2, "--json"),
        (&["schema", "--to", "x"], 2, "--to"),
    ] {
        let output = run(folder.path(), words);
        assert_exit(&output, code);
        assert_eq!(stdout(&output), "", "{words:?}");
        assert!(stderr(&output).contains(told), "{words:?} told {}", stderr(&output));
    }
}

#[test]
fn the_schema_of_the_model_file_is_printed_for_editors() {
    let folder = folder();
    let output = run(folder.path(), &["schema"]);
    assert_exit(&output, 0);
    let schema = json(&output);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["properties"]["streams"].is_object());
}

#[test]
fn every_scenario_and_curve_is_listed_with_a_line_and_told_in_the_docs() {
    let folder = folder();
    let output = run(folder.path(), &["scenarios"]);
    assert_exit(&output, 0);
    let told = json(&run(folder.path(), &["scenarios", "--json"]));
    let page = crate::docs::page("scenarios.md");
    let rows = |column: &str| -> BTreeSet<String> {
        crate::docs::cells(&page, column).into_iter().flatten().collect()
    };
    let listed = |key: &str| -> BTreeSet<String> {
        let all = told[key].as_array().unwrap().iter();
        all.map(|one| {
            let (name, about) = (one["name"].as_str().unwrap(), one["about"].as_str().unwrap());
            let line = format!("{name}: {about}");
            assert!(stdout(&output).contains(&line), "{}", stdout(&output));
            name.to_owned()
        })
        .collect()
    };
    assert_eq!(listed("scenarios"), library::scenarios().map(str::to_owned).collect());
    assert_eq!(listed("scenarios"), rows("scenario"));
    assert_eq!(listed("curves"), rows("curve"));
    let models = |name: &str| {
        let all = told["scenarios"].as_array().unwrap().iter();
        all.filter(|one| one["name"] == name).map(|one| one["models"].clone()).next().unwrap()
    };
    assert_eq!(models("customer_segments"), serde_json::json!(["orders"]));
    assert_eq!(models("festival"), serde_json::json!(library::models().collect::<Vec<_>>()));
}
