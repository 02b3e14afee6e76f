//! What the scenarios and curves of the library say of themselves.

use super::super::raw::{self, Kind, Node};
use super::{CURVES, open, scenario};

/// What a scenario says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub about: String,
    /// Where its figures come from.
    pub source: String,
    /// How long it is worth looking at, as written.
    pub duration: Option<String>,
    /// The streams and entities that a model must have for it, and what of them: `orders.percent`.
    pub names: Vec<String>,
}

/// What a scenario that comes with the program says of itself.
pub fn told_of(name: &str) -> Option<Told> {
    let (_, text) = scenario(name)?;
    let root = raw::parse(text, 0).ok()?;
    let text = |key: &str| root.get(key).and_then(text_of);
    let mut names = Vec::new();
    for phase in root.get("phases").and_then(Node::entries).unwrap_or_default() {
        for (key, inner) in [("streams", "fields"), ("entities", "attributes")] {
            for of in phase.node.get(key).and_then(Node::entries).unwrap_or_default() {
                names.push(of.key.clone());
                let said = of.node.get(inner).and_then(Node::entries).unwrap_or_default();
                names.extend(said.iter().map(|entry| format!("{}.{}", of.key, entry.key)));
            }
        }
    }
    names.sort();
    names.dedup();
    let (about, source) = (text("about").unwrap_or_default(), text("source").unwrap_or_default());
    Some(Told { about, source, duration: text("duration"), names })
}

fn text_of(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text { value, .. } => Some(value.clone()),
        _ => None,
    }
}

/// The names of the curves that come with the program, each with the first sentence above it.
pub fn curves() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in open(CURVES).unwrap_or_default().lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        if let Some(name) = line.strip_prefix("[curves.").and_then(|it| it.strip_suffix(']')) {
            let comment = comment.join(" ");
            let about = comment.split(". ").next().unwrap_or_default().trim_end_matches('.');
            all.push((name.to_owned(), about.to_owned()));
        }
        comment.clear();
    }
    all
}
