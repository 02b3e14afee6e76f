//! The README: its commands run, its tables are true.

use std::path::Path;

use tidegate::observe::metric::Metric;

use super::{assert_exit, program};

const README: &str = include_str!("../../../README.md");

/// The commands of all blocks that are marked for the test.
fn commands() -> Vec<String> {
    let blocks = README.split("```sh test\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_readme_run_as_they_stand() {
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    for name in ["config", "schemas"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
    }
    let mut digests = Vec::new();
    for command in &commands {
        let words: Vec<String> =
            command.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
        assert_eq!(words[0], "tidegate", "{command}");
        let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let output = program(folder.path(), &words).output().unwrap();
        assert_exit(&output, 0);
        let told = super::stderr(&output);
        let digest = told.lines().find_map(|line| line.trim().strip_prefix("digest"));
        digests.extend(digest.map(|digest| digest.trim().to_owned()));
    }
    assert_eq!(digests.len(), 4, "twice, two commands show that the digest is the same");
    assert!(digests.chunks(2).all(|both| both[0] == both[1]), "{digests:?}");
}

#[test]
fn the_table_of_metrics_is_the_one_of_the_program() {
    let rows: Vec<String> =
        README.lines().filter(|line| line.starts_with("| `tidegate_")).map(str::to_owned).collect();
    let expected: Vec<String> = Metric::ALL
        .iter()
        .map(|metric| {
            let labels: Vec<String> =
                metric.labels().iter().map(|label| format!("`{label}`")).collect();
            let labels = labels.join(", ");
            let labels = if labels.is_empty() { labels } else { format!("{labels} ") };
            format!("| `{}` | {} | {labels}| {} |", metric.name(), metric.kind(), metric.help())
        })
        .collect();
    assert_eq!(rows, expected);
}
