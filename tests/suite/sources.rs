//! The rules of the house that neither the compiler nor clippy can hold: reads the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The stages in the order in which data flows: each may use those before it.
const STAGES: [&str; 15] = [
    "clock", "config", "plan", "generate", "encode", "stream", "publish", "consume", "embedded",
    "observe", "manifest", "replay", "verify", "run", "cli",
];

/// Uses of a later stage that the design asks for: who, whom, why.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("plan", "generate", "the plan compiles the programs that generate runs"),
    ("plan", "encode", "the plan says with which columns the encoder fills a schema"),
    ("stream", "publish", "the pacer hands slices to a sink"),
];

/// The most lines that a file may have.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder`, in the order of their names, without what git ignores.
fn files(folder: &Path) -> Vec<PathBuf> {
    const IGNORED: [&str; 6] = [".git", "target", ".cache", "runs", "shared", "Cargo.lock"];
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !IGNORED.iter().any(|name| path.file_name().is_some_and(|it| it == *name)));
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).collect()
}

/// Rust files with their text, named from the top of the repository.
fn sources() -> Vec<(String, String)> {
    let folders = ["src", "tests", "benches"].map(|name| files(&root().join(name)));
    let rust =
        folders.into_iter().flatten().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    rust.map(|path| (name_of(&path), fs::read_to_string(&path).unwrap())).collect()
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// The stage that a file of `src/` belongs to.
fn stage_of(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("src/")?;
    let stage = rest.split(['/', '.']).next()?;
    STAGES.iter().position(|it| *it == stage)
}

/// The modules that come after `crate::` in code; comments may name any.
fn used_stages(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let uses = code.flat_map(|line| line.split("crate::").skip(1));
    uses.map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
    .collect()
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_source_file_is_one_subject_of_bearable_size() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{name}: {lines} lines, at most {LINES_MAX}: split it by subject"));
        }
        if !text.starts_with("//! ") {
            found.push(format!("{name}: does not open with `//! <its subject>.`"));
        }
        if name.ends_with("/mod.rs") {
            found.push(format!("{name}: name it after its module, beside its folder"));
        }
    }
    none(&found);
}

#[test]
fn no_stage_uses_a_later_one() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let Some(stage) = stage_of(&name) else { continue };
        for used in used_stages(&text) {
            if used.is_empty() {
                found.push(format!("{name}: one `use crate::<stage>` line a stage, not a group"));
            }
            let later = STAGES.iter().position(|it| *it == used).is_some_and(|it| it > stage);
            let allowed =
                EXCEPTIONS.iter().any(|(who, whom, _)| *who == STAGES[stage] && *whom == used);
            if later && !allowed {
                found.push(format!("{name}: uses `{used}`, which comes after `{}`", STAGES[stage]));
            }
        }
    }
    none(&found);
}

#[test]
fn every_module_of_the_crate_has_its_place_in_the_order() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = map.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let modules: Vec<&str> = modules.map(|rest| rest.trim_end_matches(';')).collect();
    assert_eq!(modules, STAGES);
}

#[test]
fn every_test_file_is_in_the_one_binary() {
    let main = fs::read_to_string(root().join("tests/suite/main.rs")).unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("tests/suite")).unwrap() {
        let path = entry.unwrap().path();
        let (Some(stem), Some("rs")) = (
            path.file_stem().and_then(|it| it.to_str()),
            path.extension().and_then(|it| it.to_str()),
        ) else {
            continue;
        };
        if stem != "main" && !main.lines().any(|line| line == format!("mod {stem};")) {
            found.push(format!("{}: add `mod {stem};` to tests/suite/main.rs", name_of(&path)));
        }
    }
    none(&found);
}

#[test]
fn the_program_knows_no_field_of_any_model() {
    // What a model is about stands in `config/` and `schemas/`; examples in comments and tests may
    // speak of it.
    let words = ["merchant", "acquirer", "authorisations", "chargeback", "cardholder", "cvv"];
    let mut found = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("src/")) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines.filter(|line| words.iter().any(|word| line.contains(word))) {
            found.push(format!("{name}: `{}`", line.trim()));
        }
    }
    none(&found);
}

#[test]
fn no_file_names_a_machine_or_the_host_of_a_registry() {
    // Written in two halves, so that this file does not contain them.
    let words = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("index.cra", "tes.io"),
        ("static.cra", "tes.io"),
        ("repo.ma", "ven.apache.org"),
        ("repo1.ma", "ven.org"),
        ("py", "pi.org"),
        ("registry.np", "mjs.org"),
        ("proxy.go", "lang.org"),
        ("deb.deb", "ian.org"),
    ]
    .map(|(first, second)| format!("{first}{second}"));
    let mut found = Vec::new();
    for path in files(&root()) {
        // What is not text cannot be read as a string, and names nothing.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for word in words.iter().filter(|word| text.contains(word.as_str())) {
            found.push(format!("{}: contains `{word}`", name_of(&path)));
        }
    }
    none(&found);
}

#[test]
fn the_rules_find_what_they_are_for() {
    assert_eq!(stage_of("src/encode/registry/error.rs"), Some(4));
    assert_eq!(stage_of("src/encode.rs"), Some(4));
    assert_eq!(stage_of("src/lib.rs"), None);
    let text =
        "//! [`crate::cli`]\nuse crate::plan::Plan;\nfn f(_: crate::run::Run) {}\nuse crate::{a};";
    assert_eq!(used_stages(text), ["plan", "run", ""]);
    assert!(sources().iter().any(|(name, _)| name == "tests/suite/sources.rs"));
    assert!(files(&root()).iter().any(|path| path.ends_with("Cargo.toml")));
}
