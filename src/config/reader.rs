//! Reads values out of the tree, and collects what is wrong with them instead of stopping.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::input::Files;
use super::overrides::is_reference;
use super::raw::{Entry, Kind, Node};
use super::source::{PieceKind, Source};
use super::units::{self, Unreadable};
use super::{Mistake, Span, Spanned, input, suggest};

/// A value of the tree and the name by which messages call it.
#[derive(Clone, Debug)]
pub(super) struct At<'t> {
    /// The keys from the top down, dotted.
    pub(super) path: String,
    pub(super) key_span: Span,
    pub(super) node: &'t Node,
}

impl At<'_> {
    /// Whether it can be read as text.
    pub(super) fn is_text(&self) -> bool {
        match &self.node.kind {
            Kind::Text { .. } => true,
            Kind::Table(entries) => is_reference(entries),
            _ => false,
        }
    }
}

/// Text, and what is known of its place.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) value: String,
    pub(super) span: Span,
    /// Where its first byte stands, if it stands in the source as it is.
    pub(super) inner: Option<usize>,
    /// Whether it came from a variable or a file, and is not to be shown.
    pub(super) outside: bool,
}

impl Words {
    pub(super) fn spanned(self) -> Spanned<String> {
        Spanned { value: self.value, span: self.span }
    }
}

/// A table of the tree that is being read; what is never asked for is unknown.
#[derive(Debug)]
pub(super) struct Section<'t> {
    pub(super) path: String,
    pub(super) span: Span,
    entries: &'t [Entry],
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The value of a key, which is known from now on.
    pub(super) fn get(&mut self, key: &'static str) -> Option<At<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(self.at(entry))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// All values: for tables whose keys are the user's own.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'t Entry, At<'t>)> + '_ {
        self.entries.iter().map(|entry| (entry, self.at(entry)))
    }

    fn at(&self, entry: &'t Entry) -> At<'t> {
        At {
            path: dotted(&self.path, &entry.key),
            key_span: entry.key_span.clone(),
            node: &entry.node,
        }
    }
}

/// `path.key`, with quotes where TOML wants them.
pub(super) fn dotted(path: &str, key: &str) -> String {
    let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let key = if bare { key.to_owned() } else { format!("\"{key}\"") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Reads values and keeps the mistakes.
pub(super) struct Reader<'a> {
    pub(super) source: Source,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    pub(super) files: Files,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    /// Keeps a mistake; no help if it is empty.
    pub(super) fn refuse(&mut self, span: &Span, what: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.mistakes.push(Mistake { span: span.clone(), what: what.into(), help });
    }

    /// A name that is not known, with the nearest one that is.
    pub(super) fn unknown<'n>(
        &mut self,
        noun: &str,
        name: &Spanned<String>,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let help = suggest::way_out(&name.value, known)
            .unwrap_or_else(|| format!("the model has no {noun} at all"));
        self.refuse(&name.span, format!("no {noun} `{}`", name.value), &help);
    }

    pub(super) fn wrong_type(&mut self, at: &At<'_>, wanted: &str) {
        let what = format!("`{}` is {}, but must be {wanted}", at.path, at.node.noun());
        self.refuse(&at.node.span, what, "");
    }

    /// A table; what is in it is then asked for by name.
    pub(super) fn section<'t>(&mut self, at: &At<'t>) -> Option<Section<'t>> {
        let Some(entries) = at.node.entries() else {
            self.wrong_type(at, "a table");
            return None;
        };
        Some(Section {
            path: at.path.clone(),
            span: at.key_span.clone(),
            entries,
            known: Vec::new(),
        })
    }

    /// A table in a place where text would do as well.
    pub(super) fn section_beside_text<'t>(&mut self, at: &At<'t>) -> Option<Section<'t>> {
        if at.node.entries().is_none() {
            self.wrong_type(at, "text or a table");
            return None;
        }
        self.section(at)
    }

    /// Refuses every key that was never asked for.
    #[expect(clippy::needless_pass_by_value, reason = "nothing can be asked for afterwards")]
    pub(super) fn finish(&mut self, section: Section<'_>) {
        for entry in section.entries {
            if !section.known.contains(&entry.key.as_str()) {
                let help = suggest::way_out(&entry.key, section.known.iter().copied());
                let place = if section.path.is_empty() {
                    "at the top of a model".to_owned()
                } else {
                    format!("in `{}`", section.path)
                };
                let what = format!("no key `{}` is known {place}", entry.key);
                self.refuse(&entry.key_span, what, &help.unwrap_or_default());
            }
        }
    }

    /// A key that must be there.
    pub(super) fn require<'t>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        help: &str,
    ) -> Option<At<'t>> {
        let found = section.get(key);
        if found.is_none() {
            let what = format!("`{}` has no `{key}`", section.path);
            self.refuse(&section.span.clone(), what, help);
        }
        found
    }

    /// Text, from the file, a variable or another file.
    pub(super) fn words(&mut self, at: &At<'_>) -> Option<Words> {
        let span = at.node.span.clone();
        match &at.node.kind {
            Kind::Text { value, inner } => {
                Some(Words { value: value.clone(), span, inner: *inner, outside: false })
            }
            Kind::Table(entries) if is_reference(entries) => self.reference(&entries[0], span),
            // What a flag gives as bare text may look like a number: a password of digits.
            Kind::Integer(_) | Kind::Real(_) | Kind::Boolean(_) | Kind::Time(_)
                if self.source.is_override(&span) =>
            {
                let value = self.source.text(&span)?.to_owned();
                Some(Words { value, inner: Some(span.start), span, outside: false })
            }
            _ => {
                self.wrong_type(at, "text");
                None
            }
        }
    }

    pub(super) fn text(&mut self, at: &At<'_>) -> Option<Spanned<String>> {
        self.words(at).map(Words::spanned)
    }

    /// `{ env = "NAME" }` or `{ file = "path" }`.
    fn reference(&mut self, entry: &Entry, span: Span) -> Option<Words> {
        let Kind::Text { value: name, .. } = &entry.node.kind else { return None };
        let value = if entry.key == "env" {
            let found = (self.environment)(name);
            if found.is_none() {
                let what = format!("the environment variable `{name}` is not set");
                self.refuse(&span, what, &format!("set it: export {name}=…"));
            }
            found?
        } else {
            let path = self.resolve_path(name, &span);
            match std::fs::read_to_string(&path) {
                // Files of secrets end with a line break that is no part of the secret.
                Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(error) => {
                    let reason = input::reason(&error);
                    self.refuse(&span, format!("cannot read `{}`: {reason}", path.display()), "");
                    return None;
                }
            }
        };
        self.source.hide(value.clone());
        Some(Words { value, span, inner: None, outside: true })
    }

    /// The path that is meant: from the model file on, or, in a flag, from where we are.
    pub(super) fn resolve_path(&self, path: &str, span: &Span) -> PathBuf {
        if self.source.is_override(span) { PathBuf::from(path) } else { self.files.resolve(path) }
    }

    /// What is beside a file that a value names.
    pub(super) fn files_beside(&self, path: &Path, span: &Span) -> Files {
        if self.source.is_override(span) {
            Files::Disk(PathBuf::new()).beside(path)
        } else {
            self.files.beside(path)
        }
    }

    /// The file that a value names: its path, where its text begins in the source, and the text.
    pub(super) fn open(&mut self, at: &At<'_>, noun: &str) -> Option<(PathBuf, usize, String)> {
        let words = self.words(at)?;
        let here = Files::Disk(PathBuf::new());
        let files = if self.source.is_override(&words.span) { &here } else { &self.files };
        let built_in = files.are_built_in();
        let (path, text) = files.read(&words.value);
        match text {
            Ok(text) => {
                let name = path.display().to_string();
                let kind = PieceKind::File { path: path.clone(), built_in };
                let base = self.source.add(kind, name, text.clone());
                Some((path, base, text))
            }
            Err(reason) => {
                let what = format!("cannot read the {noun} `{}`: {reason}", path.display());
                let help = "the path counts from the model file's directory";
                self.refuse(&words.span, what, help);
                None
            }
        }
    }

    /// A number within a range.
    pub(super) fn number(&mut self, at: &At<'_>, range: &RangeInclusive<f64>) -> Option<f64> {
        let number = match at.node.kind {
            Kind::Integer(whole) => whole as f64,
            Kind::Real(number) => number,
            _ => {
                self.wrong_type(at, "a number");
                return None;
            }
        };
        self.within(at, number, range).then_some(number)
    }

    /// Keeps a mistake if `number` is out of range or not finite.
    pub(super) fn within(&mut self, at: &At<'_>, number: f64, range: &RangeInclusive<f64>) -> bool {
        if !number.is_finite() {
            let what = format!("`{}` is {number}, but must be a finite number", at.path);
            self.refuse(&at.node.span, what, "");
            return false;
        }
        let good = range.contains(&number);
        if !good {
            let (least, most) = (range.start(), range.end());
            let limit = if *most >= f64::MAX {
                format!("at least {least}")
            } else if *least <= f64::MIN {
                format!("at most {most}")
            } else {
                format!("{least} to {most}")
            };
            let what = format!("`{}` is {number}, but must be {limit}", at.path);
            self.refuse(&at.node.span, what, "");
        }
        good
    }

    /// A number above 0.
    pub(super) fn positive(&mut self, at: &At<'_>) -> Option<f64> {
        let number = self.number(at, &(f64::MIN..=f64::MAX))?;
        if number > 0.0 {
            return Some(number);
        }
        self.refuse(&at.node.span, format!("`{}` is {number}, but must be above 0", at.path), "");
        None
    }

    /// A whole number within a range, also as text such as `1M`.
    pub(super) fn whole(&mut self, at: &At<'_>, range: &RangeInclusive<i128>) -> Option<i128> {
        let number = match &at.node.kind {
            Kind::Integer(number) => *number,
            Kind::Null | Kind::Real(_) | Kind::Boolean(_) | Kind::Time(_) | Kind::List(_) => {
                self.wrong_type(at, "a whole number");
                return None;
            }
            Kind::Text { .. } | Kind::Table(_) => i128::from(self.unit(at, units::count)?.value),
        };
        if range.contains(&number) {
            return Some(number);
        }
        let what =
            format!("`{}` is {number}, but must be {} to {}", at.path, range.start(), range.end());
        self.refuse(&at.node.span, what, "");
        None
    }

    pub(super) fn boolean(&mut self, at: &At<'_>) -> Option<bool> {
        if let Kind::Boolean(value) = at.node.kind {
            return Some(value);
        }
        self.wrong_type(at, "true or false");
        None
    }

    /// A quantity with its unit, by one of the functions of [`units`].
    pub(super) fn unit<T>(
        &mut self,
        at: &At<'_>,
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Option<Spanned<T>> {
        let words = match at.node.kind {
            Kind::Integer(_) | Kind::Real(_) | Kind::Time(_)
                if !self.source.is_override(&at.node.span) =>
            {
                let value = self.source.text(&at.node.span)?.to_owned();
                let inner = Some(at.node.span.start);
                Words { value, span: at.node.span.clone(), inner, outside: false }
            }
            _ => self.words(at)?,
        };
        match read(&words.value) {
            Ok(value) => Some(Spanned { value, span: words.span }),
            Err(error) => {
                let what = format!("`{}`: {error}", at.path);
                self.refuse(&words.span, what, error.way_out());
                None
            }
        }
    }

    /// A rate above 0, in events a second.
    pub(super) fn rate(&mut self, at: &At<'_>) -> Option<Spanned<f64>> {
        let rate = self.unit(at, units::rate)?;
        if rate.value > 0.0 && rate.value.is_finite() {
            return Some(rate);
        }
        self.refuse(&rate.span, format!("`{}` must be above 0", at.path), "");
        None
    }

    /// A duration above 0.
    pub(super) fn duration(&mut self, at: &At<'_>) -> Option<Duration> {
        let duration = self.unit(at, units::duration)?;
        if duration.value.is_zero() {
            self.refuse(&duration.span, format!("`{}` must be above 0", at.path), "");
            return None;
        }
        Some(duration.value)
    }

    /// The items of a list.
    pub(super) fn list<'t>(&mut self, at: &At<'t>) -> Option<Vec<At<'t>>> {
        let Kind::List(items) = &at.node.kind else {
            self.wrong_type(at, "a list");
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(index, node)| At {
                    path: format!("{}[{index}]", at.path),
                    key_span: node.span.clone(),
                    node,
                })
                .collect(),
        )
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        at: &At<'_>,
        known: &[(&'static str, T)],
    ) -> Option<T> {
        let words = self.words(at)?;
        let found = known.iter().find(|(name, _)| *name == words.value).map(|(_, value)| *value);
        if found.is_none() {
            let what = format!("`{}` cannot be `{}`", at.path, words.value);
            let all = known.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>();
            let choice = if all.len() == 1 { "the only value is" } else { "one of" };
            self.refuse(&words.span, what, &format!("{choice} {}", all.join(", ")));
        }
        found
    }

    /// Whether a name of the user's can stand in a path; if not, a mistake.
    pub(super) fn well_formed(&mut self, noun: &str, name: &str, span: &Span) -> bool {
        let mut letters = name.chars();
        let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let good = first && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            let what = format!("`{name}` cannot be the name of {noun}");
            self.refuse(span, what, "names are letters, digits and `_`, and begin with a letter");
        }
        good
    }
}
