//! Members: who is picked, and how often.

use std::collections::BTreeMap;

use super::{Draft, chi_squared};

/// How often each member of a population of shops is picked.
fn picks(more: &str, count: usize) -> BTreeMap<String, f64> {
    let draft = Draft {
        more: format!("[entities.shop]\n{more}\n"),
        ..Draft::of(&[("who", "string", "{ attribute = \"shop\" }")])
    };
    let mut picks = BTreeMap::new();
    for row in draft.rows(count) {
        *picks.entry(row[0].as_str().unwrap().to_owned()).or_insert(0.0) += 1.0;
    }
    picks
}

#[test]
fn one_member_in_a_hundred_gets_half_of_the_picks() {
    let more = "count = 10000\npopularity = { histogram = [[0.99, 0.5], [0.01, 0.5]] }";
    let picks = picks(more, 100_000);
    let mut counts: Vec<f64> = picks.into_values().collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let top: f64 = counts[..100].iter().sum();
    let chance = chi_squared(&[top, 100_000.0 - top], &[50_000.0, 50_000.0]);
    assert!(chance > 0.001, "{top}");
    // All of them are alike: 500 picks each.
    let chance = chi_squared(&counts[..100], &[top / 100.0; 100]);
    assert!(chance > 0.001, "{chance}");
}

#[test]
fn what_is_no_popularity_is_refused() {
    for (popularity, told) in [
        ("{ histogram = [[0.5]] }", "must have 2"),
        ("{ histogram = [] }", "no shares"),
        ("{ histogram = [[0, 1]] }", "above 0"),
        ("{ zipff = 1 }", "histogram"),
    ] {
        let more = format!("[entities.shop]\ncount = 9\npopularity = {popularity}\n");
        let draft = Draft { more, ..Draft::of(&[("shop", "string", "{ entity = \"shop\" }")]) };
        let refusal = draft.refusal();
        assert!(refusal.contains(told), "{popularity}: {refusal}");
    }
}
