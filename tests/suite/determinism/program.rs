//! The program as a whole: the digest that it tells for each sink and speed.

use crate::cli::{assert_exit, program, stdout};

use super::{SECOND_US, START, digest, plan, window};

/// Count and digest of a run with more flags.
fn told(flags: &str) -> (u64, String) {
    let folder = tempfile::tempdir().unwrap();
    let words = format!("run {flags} --start {START} --json --digest --manifest none --quiet");
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = program(folder.path(), &words).output().unwrap();
    assert_exit(&output, 0);
    let text = stdout(&output);
    let result: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(result["issued"], result["delivered"], "{result}");
    (result["issued"].as_u64().unwrap(), result["digest"].as_str().unwrap().to_owned())
}

#[test]
fn no_sink_changes_a_byte() {
    let (count, sum) = digest(&plan(), window(0..20 * SECOND_US));
    let library = (count, sum.to_string());
    assert!(count > 1_000, "{count}");
    let span = "--duration 20s --speed max";
    assert_eq!(told(&format!("payments --to null {span}")), library, "null");
    assert_eq!(told(&format!("payments --to stdout {span}")), library, "stdout");
    assert_eq!(told(span), library, "the Kafka inside the process");
}

#[test]
fn no_speed_changes_a_byte() {
    let (count, sum) = digest(&plan(), window(0..2 * SECOND_US));
    let library = (count, sum.to_string());
    for speed in ["1", "0.7", "50", "max"] {
        let flags = format!("payments --to null --duration 2s --speed {speed}");
        assert_eq!(told(&flags), library, "speed {speed}");
    }
}

#[test]
fn shards_of_the_program_are_the_whole() {
    let (count, sum) = digest(&plan(), window(0..10 * SECOND_US));
    let shard =
        |index| told(&format!("payments --to null --duration 10s --speed max --shard {index}/3"));
    let parts: Vec<(u64, String)> = (0..3).map(shard).collect();
    let total: u64 = parts.iter().map(|part| part.0).sum();
    let number = |text: &str| u128::from_str_radix(text, 16).unwrap();
    let added = parts.iter().fold(0, |sum: u128, part| sum.wrapping_add(number(&part.1)));
    assert_eq!((total, added), (count, number(&sum.to_string())));
}
