//! What flags and the environment put in the place of the file's values.

use std::fmt;

use super::raw::{self, Entry, Kind, Node};
use super::secret::{self, MASK, MASKED_VALUE};
use super::source::{PieceKind, Source};
use super::{Mistake, Span};

/// Values that take precedence over the model file: variables first, flags over them.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// From the environment.
    pub variables: Vec<Override>,
    /// From the command line, in its order; of two for one key the later counts.
    pub flags: Vec<Override>,
}

impl Overrides {
    /// Takes the variables that name keys of the model out of the whole environment.
    ///
    /// `TIDEGATE_SINK__KAFKA__BOOTSTRAP_SERVERS` is `sink.kafka."bootstrap.servers"`: `__` stands
    /// between keys, case does not count, and in the names of broker properties `_` is a point.
    /// A name without `__` counts only if it is `seed`, `start`, `lanes` or `tick`: Kubernetes
    /// sets variables such as `TIDEGATE_PORT` of its own.
    #[must_use]
    pub fn with_environment(mut self, all: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut variables: Vec<Override> =
            all.into_iter().filter_map(|(name, value)| Override::variable(&name, &value)).collect();
        variables.sort_by(|a, b| a.written.cmp(&b.written));
        self.variables = variables;
        self
    }

    /// All flags, and of the variables those about these keys at the top.
    pub(super) fn of(&self, keys: &[&str]) -> Self {
        let mut overrides = self.clone();
        overrides.variables.retain(|variable| keys.contains(&variable.path[0].as_str()));
        overrides
    }
}

/// The origin of variables.
const ENVIRONMENT: &str = "environment";

/// The keys of `[run]` that say which part of model time is sent.
const WINDOW: [&str; 5] = ["from", "until", "duration", "for", "count"];

/// One value in the place of one in the file.
#[derive(Clone)]
pub struct Override {
    /// Where it comes from, for messages: `--rate`, `environment`.
    origin: String,
    /// The keys from the top of the model down.
    path: Vec<String>,
    /// All that was written.
    written: String,
    /// Where the value begins in it.
    value_at: usize,
    /// Whether the keys are matched without regard to case.
    any_case: bool,
}

impl fmt::Debug for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}={}", self.origin, self.key(), self.shown())
    }
}

impl Override {
    /// A flag of its own for one key: `Override::flag("--rate", "traffic.rate", "5/s")`.
    pub fn flag(origin: &str, key: &str, value: &str) -> Self {
        let path = property_joined(split_key(key));
        Self {
            origin: origin.to_owned(),
            path,
            written: value.to_owned(),
            value_at: 0,
            any_case: false,
        }
    }

    /// `--set key.path=value`. None: there is no `=`, or no key before it.
    pub fn assignment(origin: &str, written: &str) -> Option<Self> {
        let (key, _) = written.split_once('=')?;
        let path = property_joined(split_key(key));
        (!path.iter().any(String::is_empty)).then(|| Self {
            origin: origin.to_owned(),
            path,
            written: written.to_owned(),
            value_at: key.len() + 1,
            any_case: false,
        })
    }

    /// `-X name=value`: a property of a sink. None: there is no `=`, or no name before it.
    pub fn property(origin: &str, sink: &str, written: &str) -> Option<Self> {
        let (name, _) = written.split_once('=')?;
        let path = vec!["sink".to_owned(), sink.to_owned(), name.trim().to_owned()];
        (!name.trim().is_empty()).then(|| Self {
            origin: origin.to_owned(),
            path,
            written: written.to_owned(),
            value_at: name.len() + 1,
            any_case: false,
        })
    }

    /// A variable of the environment. None: it does not name a key of the model.
    fn variable(name: &str, value: &str) -> Option<Self> {
        let keys = name.to_lowercase();
        let keys = keys.strip_prefix("tidegate_")?;
        let mut path: Vec<String> = keys.split("__").map(str::to_owned).collect();
        if path.iter().any(String::is_empty)
            || path.len() == 1 && !matches!(keys, "seed" | "start" | "lanes" | "tick")
        {
            return None;
        }
        if path.len() > 2 && path[0] == "sink" && path[1] == "kafka" {
            let property = path.split_off(2).join(".").replace('_', ".");
            path.push(property);
        }
        Some(Self {
            origin: ENVIRONMENT.to_owned(),
            path,
            written: format!("{name}={value}"),
            value_at: name.len() + 1,
            any_case: true,
        })
    }

    /// One that a manifest kept: where it came from, its keys, and what was written, secrets masked.
    pub fn recorded(origin: &str, path: &[String], written: &str) -> Self {
        let any_case = origin == ENVIRONMENT;
        let is_assignment = any_case || matches!(origin, "--set" | "-X");
        let value_at = written.find('=').filter(|_| is_assignment).map_or(0, |at| at + 1);
        let (origin, written) = (origin.to_owned(), written.to_owned());
        Self { origin, path: path.to_vec(), written, value_at, any_case }
    }

    /// Where it comes from: a flag, or `environment`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How it is called in messages: the flag with its key, or the variable.
    pub fn name(&self) -> String {
        let written = self.written[..self.value_at].trim_end_matches('=');
        match self.origin.as_str() {
            ENVIRONMENT => written.to_owned(),
            origin => format!("{origin} {written}").trim_end().to_owned(),
        }
    }

    /// Whether it comes from the environment.
    pub fn is_variable(&self) -> bool {
        self.origin == ENVIRONMENT
    }

    /// The keys that it stands for, from the top of the model down.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Whether all of its value is the mask of a secret, as manifests keep it.
    pub fn is_masked(&self) -> bool {
        self.value() == MASKED_VALUE
    }

    /// Whether the same events are sent with it as without it: it says where to, or how.
    pub fn leaves_events(&self) -> bool {
        let keys: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match keys[..] {
            ["sink" | "registry", ..] => true,
            ["run", key, ..] => !WINDOW.contains(&key),
            _ => false,
        }
    }

    /// The key that it stands for, dotted.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// What was given for it, as it may be shown: masked if there is a secret in it.
    pub fn shown(&self) -> &str {
        let node = raw::parse_value(self.value(), 0);
        if self.secrets(&node).is_empty() { self.value() } else { MASK }
    }

    /// Where secrets stand in its value. What decides the bytes is none, whatever its name.
    fn secrets(&self, node: &Node) -> Vec<Span> {
        match self.path[0].as_str() {
            "streams" | "entities" | "tables" => Vec::new(),
            _ => secret::places(&self.key(), node),
        }
    }

    /// What was given for it. May be a secret.
    pub fn value(&self) -> &str {
        &self.written[self.value_at..]
    }
}

/// The keys of a dotted path; a quoted part is one key.
fn split_key(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for letter in key.trim().chars() {
        match (quote, letter) {
            (None, '.') => parts.push(String::new()),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (_, other) => {
                if let Some(part) = parts.last_mut() {
                    part.push(other);
                }
            }
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// Broker properties have points in their names: what comes after `sink.kafka` is one key.
fn property_joined(mut path: Vec<String>) -> Vec<String> {
    if path.len() > 3 && path[0] == "sink" && path[1] == "kafka" {
        let property = path.split_off(2).join(".");
        path.push(property);
    }
    path
}

/// Puts all overrides into the tree. Masks secrets, also those that something else takes the
/// place of: their texts are shown all the same.
pub(super) fn apply(root: &mut Node, source: &mut Source, overrides: &Overrides) -> Vec<Mistake> {
    flatten_properties(root);
    for entry in root.entries().unwrap_or_default() {
        if matches!(entry.key.as_str(), "sink" | "registry") {
            for place in secret::places(&entry.key, &entry.node) {
                source.mask(place);
            }
        }
    }
    let all = overrides.variables.iter().chain(&overrides.flags);
    all.filter_map(|one| put(root, source, one).err()).collect()
}

/// Puts a seed in the place of one that is to be drawn, as a flag would.
pub(super) fn put_seed(root: &mut Node, seed: u64) {
    let Kind::Table(entries) = &mut root.kind else { return };
    let node = Node { kind: Kind::Integer(seed.into()), span: 0..0 };
    match position(entries, "seed", false) {
        Some(index) => entries[index].node = node,
        None => entries.push(Entry { key: "seed".to_owned(), key_span: 0..0, node }),
    }
}

/// `bootstrap.servers = …` without quotes is a table in a table in TOML; here it is one property.
fn flatten_properties(root: &mut Node) {
    let Some(kafka) = child(root, "sink").and_then(|sink| child(sink, "kafka")) else { return };
    if let Kind::Table(entries) = &mut kafka.kind {
        let nested = std::mem::take(entries);
        for entry in nested {
            flatten("", entry, entries);
        }
    }
}

fn flatten(prefix: &str, entry: Entry, flat: &mut Vec<Entry>) {
    let key = if prefix.is_empty() { entry.key } else { format!("{prefix}.{}", entry.key) };
    match entry.node.kind {
        Kind::Table(inner) if !is_reference(&inner) => {
            for entry in inner {
                flatten(&key, entry, flat);
            }
        }
        kind => {
            let node = Node { kind, span: entry.node.span };
            flat.push(Entry { key, key_span: entry.key_span, node });
        }
    }
}

/// Whether a table is `{ env = "…" }` or `{ file = "…" }`.
pub(super) fn is_reference(entries: &[Entry]) -> bool {
    matches!(entries, [entry] if matches!(entry.key.as_str(), "env" | "file")
        && matches!(entry.node.kind, Kind::Text { .. }))
}

fn child<'t>(node: &'t mut Node, key: &str) -> Option<&'t mut Node> {
    match &mut node.kind {
        Kind::Table(entries) => {
            entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
        }
        _ => None,
    }
}

fn put(root: &mut Node, source: &mut Source, one: &Override) -> Result<(), Mistake> {
    let base =
        source.add(PieceKind::Override(one.path.clone()), one.origin.clone(), one.written.clone());
    let value_base = base + one.value_at;
    let node = raw::parse_value(one.value(), value_base);
    for place in one.secrets(&node) {
        source.mask(place);
    }
    let key_span: Span =
        if one.value_at > 0 { base..value_base - 1 } else { base..base + one.written.len() };
    let Some((last, above)) = one.path.split_last() else { return Ok(()) };
    let mut at = root;
    let mut walked = String::new();
    for key in above {
        let entries = table_entries(at, &walked, key, &key_span)?;
        let index = position(entries, key, one.any_case).unwrap_or_else(|| {
            let node = Node { kind: Kind::Table(Vec::new()), span: key_span.clone() };
            entries.push(Entry { key: key.clone(), key_span: key_span.clone(), node });
            entries.len() - 1
        });
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(key);
        at = &mut entries[index].node;
    }
    let entries = table_entries(at, &walked, last, &key_span)?;
    if let Some(index) = position(entries, last, one.any_case) {
        // The key keeps its place in the file: the order of entries has a meaning.
        entries[index].node = node;
    } else {
        entries.push(Entry { key: last.clone(), key_span, node });
    }
    Ok(())
}

fn position(entries: &[Entry], key: &str, any_case: bool) -> Option<usize> {
    entries.iter().position(|entry| entry.key == key).or_else(|| {
        any_case.then(|| entries.iter().position(|entry| entry.key.eq_ignore_ascii_case(key)))?
    })
}

fn table_entries<'t>(
    node: &'t mut Node,
    walked: &str,
    key: &str,
    key_span: &Span,
) -> Result<&'t mut Vec<Entry>, Mistake> {
    let noun = node.noun();
    match &mut node.kind {
        Kind::Table(entries) => Ok(entries),
        _ => Err(Mistake {
            span: key_span.clone(),
            what: format!("`{walked}` is {noun} in the model, so there is no `{walked}.{key}`"),
            help: Some(format!("set `{walked}` as a whole")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(model: &str, overrides: &Overrides) -> (Node, Source, Vec<Mistake>) {
        let mut source = Source::default();
        let base = source.add(PieceKind::Model { built_in: false }, "m.toml".into(), model.into());
        let mut root = raw::parse(model, base).unwrap();
        let mistakes = apply(&mut root, &mut source, overrides);
        (root, source, mistakes)
    }

    fn at<'t>(node: &'t mut Node, keys: &[&str]) -> &'t Kind {
        let mut node = node;
        for key in keys {
            node = child(node, key).unwrap_or_else(|| panic!("no `{key}`"));
        }
        &node.kind
    }

    #[test]
    fn flags_win_over_variables_and_variables_over_the_file() {
        let model = "[sink.kafka]\nbootstrap.servers = 'a:1'\n[traffic]\nrate = '1/s'\n";
        let overrides = Overrides {
            flags: vec![Override::property("-X", "kafka", "bootstrap.servers=c:3").unwrap()],
            ..Overrides::default()
        }
        .with_environment([
            ("TIDEGATE_SINK__KAFKA__BOOTSTRAP_SERVERS".to_owned(), "b:2".to_owned()),
            ("TIDEGATE_TRAFFIC__RATE".to_owned(), "2/s".to_owned()),
            ("TIDEGATE_PORT".to_owned(), "tcp://10.0.0.1".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ]);
        let (mut root, _, mistakes) = tree(model, &overrides);
        assert_eq!(mistakes, []);
        let servers = at(&mut root, &["sink", "kafka", "bootstrap.servers"]);
        assert!(matches!(servers, Kind::Text { value, .. } if value == "c:3"), "{servers:?}");
        let rate = at(&mut root, &["traffic", "rate"]);
        assert!(matches!(rate, Kind::Text { value, .. } if value == "2/s"), "{rate:?}");
    }

    #[test]
    fn a_key_that_the_file_does_not_have_is_added() {
        let set = Override::assignment("--set", "sink.kafka.linger.ms=5").unwrap();
        let overrides = Overrides { flags: vec![set], ..Overrides::default() };
        let (mut root, source, _) = tree("seed = 1\n", &overrides);
        let linger = at(&mut root, &["sink", "kafka", "linger.ms"]);
        assert!(matches!(linger, Kind::Integer(5)));
        assert_eq!(source.pieces()[1].text, "sink.kafka.linger.ms=5");
    }

    #[test]
    fn a_path_through_a_value_is_refused() {
        let set = Override::assignment("--set", "seed.x=5").unwrap();
        let overrides = Overrides { flags: vec![set], ..Overrides::default() };
        let (_, _, mistakes) = tree("seed = 1\n", &overrides);
        assert!(mistakes[0].what.contains("`seed` is a whole number"), "{mistakes:?}");
        assert!(Override::assignment("--set", "seed").is_none());
        assert!(Override::assignment("--set", "=5").is_none());
    }
}
