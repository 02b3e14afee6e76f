//! What is foreseen of each model, pinned: who planned a run last year plans the same today.

use super::MODELS;
use crate::cli::{assert_exit, json, run};

const ADVICE: &str = "the plan of this model has changed. If that is meant: TIDEGATE_RENEW=1 cargo \
                      test --test suite forecast::golden, look at the difference, and say so in the \
                      commit";

#[test]
fn plans_are_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    for name in MODELS {
        let (start, duration) = match name {
            "market" => ("2026-03-02T14:59:00Z", "2m"),
            "orders" => ("2026-03-02T09:00:00Z", "3h"),
            _ => ("2026-03-02T09:00:00Z", "1m"),
        };
        let words = format!("plan {name} --start {start} --duration {duration} --threads 2 --json");
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert_exit(&output, 0);
        let found = format!("{:#}\n", json(&output));
        let path = format!("{}/tests/golden/plans/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
            std::fs::write(&path, &found).unwrap();
        }
        let pinned = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = pinned.lines().zip(found.lines()).position(|(old, new)| old != new);
        let line = 1 + differs.unwrap_or(0);
        assert!(pinned == found, "{path}, line {line}: {ADVICE}\n{found}");
    }
}
