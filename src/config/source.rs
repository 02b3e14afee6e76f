//! The texts that a configuration was read from, and places in them.

use std::fmt;
use std::path::PathBuf;

use super::Span;
use super::raw::Node;
use super::secret::{MASK, MASKED_VALUE, is_secret_name};

/// The texts that a configuration was read from, laid end to end: the model file first, then the
/// tables, schemas, flags and variables. A [`Span`] counts through all of them.
#[derive(Clone, Default)]
pub struct Source {
    pieces: Vec<Piece>,
    /// Places that are never shown.
    masked: Vec<Span>,
    /// Values that are never shown, from `{ env = … }`, `{ file = … }` and settings that are
    /// secret by name.
    secrets: Vec<String>,
}

/// One text of a [`Source`].
#[derive(Clone)]
pub struct Piece {
    /// What kind of text it is.
    pub kind: PieceKind,
    /// How it is called in messages: a path, a flag, `environment`.
    pub name: String,
    /// The text; empty if the file is no text.
    pub text: String,
    /// What the file holds, if it is no text.
    binary: Option<Vec<u8>>,
    base: usize,
}

impl Piece {
    /// What the file holds.
    pub fn bytes(&self) -> &[u8] {
        self.binary.as_deref().unwrap_or(self.text.as_bytes())
    }
}

/// What kind of text a [`Piece`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// The model file.
    Model {
        /// Whether it comes with the program.
        built_in: bool,
    },
    /// A file that the model names: a table, a schema.
    File {
        /// As it was opened.
        path: PathBuf,
        /// Whether it comes with the program.
        built_in: bool,
    },
    /// A flag or a variable, and the keys that it stands for.
    Override(Vec<String>),
}

/// A place in one piece.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The piece.
    pub piece: &'a Piece,
    /// The place in its text, in bytes.
    pub span: Span,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Debug for Source {
    /// The names only: texts may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.pieces).finish()
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Piece").field(&self.kind).field(&self.name).finish()
    }
}

impl Source {
    /// The model's own text and name.
    pub fn model(&self) -> Option<&Piece> {
        self.pieces.first()
    }

    /// All texts, the model file first.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// XXH3 of the model as it was read, with flags and variables in their places but without these
    /// keys, and of the files that it names; 32 hexadecimal digits.
    pub(super) fn hash(&self, root: &Node, without: &[&str]) -> String {
        let mut bytes = Vec::new();
        let entries = root.entries().unwrap_or_default().iter();
        for entry in entries.filter(|entry| !without.contains(&entry.key.as_str())) {
            entry.put(&mut bytes);
        }
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        hasher.update(&bytes);
        for piece in &self.pieces {
            if matches!(piece.kind, PieceKind::File { .. }) {
                let shown = self.shown(piece);
                let bytes = piece.binary.as_deref().unwrap_or(shown.as_bytes());
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
        }
        format!("{:032x}", hasher.digest128())
    }

    /// Adds a text and says where it begins.
    pub(super) fn add(&mut self, kind: PieceKind, name: String, text: String) -> usize {
        // One byte apart, so that a place at the very end of a text stays in it.
        let base = self.pieces.last().map_or(0, |piece| piece.base + piece.text.len() + 1);
        self.pieces.push(Piece { kind, name, text, binary: None, base });
        base
    }

    /// Adds a file that is no text.
    pub(super) fn add_bytes(&mut self, kind: PieceKind, name: String, bytes: Vec<u8>) {
        self.add(kind, name, String::new());
        if let Some(piece) = self.pieces.last_mut() {
            piece.binary = Some(bytes);
        }
    }

    /// Marks a place whose text must not be shown.
    pub(super) fn mask(&mut self, span: Span) {
        if let Some(value) = self.text(&span) {
            let value = value.trim_matches(['"', '\'']).to_owned();
            self.hide(value);
        }
        self.masked.push(span);
    }

    /// Masks what may be a secret in a model file that could not be read as a tree: whatever follows
    /// a key with the name of a secret, to the end of its line or of its three quotes.
    pub(super) fn mask_unread(&mut self, text: &str) {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let (start, end) = (at, at + line.trim_end().len());
            at += line.len();
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.trim().trim_matches(['"', '\'']);
            let refers = value.contains("env") || value.contains("file");
            if !is_secret_name(key) || refers || start + key.len() >= end {
                continue;
            }
            let blank = value.len() - value.trim_start().len();
            let value_start = start + line.find('=').unwrap_or(0) + 1 + blank;
            let quotes =
                ["\"\"\"", "\'\'\'"].iter().find(|quotes| value.trim().starts_with(**quotes));
            let value_end = quotes.map_or(end, |quotes| {
                let open = value_start + text[value_start..].find(quotes).unwrap_or(0) + 3;
                text[open..].find(quotes).map_or(text.len(), |close| open + close + 3)
            });
            self.masked.push(value_start..value_end);
        }
    }

    /// Remembers a value that must not be shown.
    pub(super) fn hide(&mut self, value: String) {
        if !value.is_empty() && !self.secrets.contains(&value) {
            self.secrets.push(value);
        }
    }

    /// The text at a place, as it stands; None if the place is in no text.
    pub(super) fn text(&self, span: &Span) -> Option<&str> {
        let place = self.place(span)?;
        place.piece.text.get(place.span)
    }

    /// Whether the place is in a flag or a variable.
    pub(super) fn is_override(&self, span: &Span) -> bool {
        self.place(span).is_some_and(|place| matches!(place.piece.kind, PieceKind::Override(_)))
    }

    /// What is told of `message`: without any hidden value.
    pub fn masked_message(&self, message: &str) -> String {
        let mut shown = message.to_owned();
        for secret in &self.secrets {
            // Short values are words of every message; in quotes they can only be the value.
            shown = if secret.len() >= 4 {
                shown.replace(secret.as_str(), MASK)
            } else {
                shown.replace(&format!("`{secret}`"), &format!("`{MASK}`"))
            };
        }
        shown
    }

    /// Where a span stands; None only if there is no text at all.
    pub fn place(&self, span: &Span) -> Option<Place<'_>> {
        let index = self.pieces.partition_point(|piece| piece.base <= span.start);
        let piece = self.pieces.get(index.checked_sub(1)?)?;
        let start = (span.start - piece.base).min(piece.text.len());
        let end = (span.end.max(span.start) - piece.base).min(piece.text.len());
        let before = piece.text.get(..start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some(Place {
            piece,
            span: start..end,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }

    /// The text of a piece as it may be shown: what must not be is masked.
    pub fn shown(&self, piece: &Piece) -> String {
        self.masked_piece(piece, &(0..0)).0
    }

    /// The text of the piece with masked places replaced, and `span` moved along.
    pub(super) fn masked_piece(&self, piece: &Piece, span: &Span) -> (String, Span) {
        let hidden = merged(self.hidden_places(piece));
        let mut shown = String::with_capacity(piece.text.len());
        let mut moved = span.clone();
        let mut done = 0;
        for place in hidden {
            shown.push_str(&piece.text[done..place.start]);
            let at = shown.len();
            shown.push_str(MASK);
            moved.start = moved_offset(span.start, moved.start, &place, at);
            moved.end = moved_offset(span.end, moved.end, &place, at);
            done = place.end;
        }
        shown.push_str(&piece.text[done..]);
        let end = moved.end.max(moved.start).min(shown.len());
        (shown, moved.start..end)
    }

    /// The text of a piece as a manifest keeps it: masked, and a masked value is text in quotes, so
    /// that what was TOML can be read again.
    pub fn recorded(&self, piece: &Piece) -> String {
        let mut recorded = String::with_capacity(piece.text.len());
        let mut done = 0;
        for place in merged(self.hidden_places(piece)) {
            recorded.push_str(&piece.text[done..place.start]);
            let is_value =
                self.marked(piece).any(|it| place.start <= it.start && it.end <= place.end);
            recorded.push_str(if is_value { MASKED_VALUE } else { MASK });
            done = place.end;
        }
        recorded.push_str(&piece.text[done..]);
        recorded
    }

    /// Marked places of a piece, in its own text.
    fn marked(&self, piece: &Piece) -> impl Iterator<Item = Span> {
        let (base, end) = (piece.base, piece.base + piece.text.len());
        let inside = self.masked.iter().filter(move |span| base <= span.start && span.end <= end);
        inside.map(move |span| span.start - base..span.end - base)
    }

    fn hidden_places(&self, piece: &Piece) -> Vec<Span> {
        // A value from outside may stand in the text a second time.
        let again = self.secrets.iter().filter(|secret| secret.len() >= 4).flat_map(|secret| {
            piece.text.match_indices(secret.as_str()).map(|(at, found)| at..at + found.len())
        });
        self.marked(piece).chain(again).chain(users_in_addresses(&piece.text)).collect()
    }
}

/// `user:password` in `http://user:password@host`.
fn users_in_addresses(text: &str) -> impl Iterator<Item = Span> + '_ {
    text.match_indices("://").filter_map(move |(at, found)| {
        let start = at + found.len();
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ','));
        let user = rest[..end.unwrap_or(rest.len())].rfind('@')?;
        Some(start..start + user)
    })
}

fn merged(mut places: Vec<Span>) -> Vec<Span> {
    places.sort_by_key(|place| (place.start, place.end));
    let mut merged: Vec<Span> = Vec::with_capacity(places.len());
    for place in places {
        match merged.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
    }
    merged
}

/// Where `offset` of the text is after `place` was replaced by a mask that begins at `at`.
fn moved_offset(offset: usize, so_far: usize, place: &Span, at: usize) -> usize {
    if offset >= place.end {
        at + MASK.len() + (offset - place.end)
    } else if offset > place.start {
        at
    } else {
        so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Source {
        let mut source = Source::default();
        source.add(
            PieceKind::Model { built_in: false },
            "a.toml".into(),
            "x = 1\npassword = 'hunter2' # y\n".into(),
        );
        source.add(PieceKind::Override(vec!["z".into()]), "--set".into(), "z=1".into());
        source
    }

    #[test]
    fn a_place_names_its_text_line_and_column() {
        let source = two();
        let place = source.place(&(6..14)).unwrap();
        assert_eq!((place.piece.name.as_str(), place.line, place.column), ("a.toml", 2, 1));
        let base = source.pieces()[1].base;
        let place = source.place(&(base + 2..base + 3)).unwrap();
        assert_eq!((place.piece.name.as_str(), place.span), ("--set", 2..3));
    }

    #[test]
    fn what_stands_after_a_masked_place_moves_along() {
        let mut source = two();
        source.mask(17..26);
        let piece = &source.pieces()[0];
        let at = piece.text.find("# y").unwrap();
        let (shown, span) = source.masked_piece(piece, &(at..at + 3));
        assert_eq!(shown, "x = 1\npassword = *** # y\n");
        assert_eq!(&shown[span], "# y");
        assert_eq!(source.masked_message("bad `hunter2`"), "bad `***`");
    }

    #[test]
    fn what_a_manifest_keeps_of_a_masked_text_can_be_read_again() {
        let mut source = two();
        source.mask(17..26);
        let recorded = source.recorded(&source.pieces()[0]);
        assert_eq!(recorded, "x = 1\npassword = \"***\" # y\n");
        assert!(super::super::raw::parse(&recorded, 0).is_ok());
        assert_eq!(source.recorded(&source.pieces()[1]), "z=1");
    }

    #[test]
    fn a_hidden_value_is_masked_wherever_it_stands() {
        let mut source = two();
        source.hide("hunter2".into());
        let (shown, span) = source.masked_piece(&source.pieces()[0], &(17..26));
        assert_eq!(shown, "x = 1\npassword = '***' # y\n");
        assert_eq!(&shown[span], "'***'");
    }
}
