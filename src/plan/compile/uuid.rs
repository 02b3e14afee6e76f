//! UUIDs as text: whether what is written is one.

use super::Compiler;
use super::bind::Place;
use super::value::{Cell, Value};
use crate::plan::fill::{Fill, Integer, Piece, Text};

/// What may stand in each place of a text, if all its texts have the same length.
type Places = Vec<Vec<char>>;

impl Compiler<'_> {
    /// What fills a `uuid` on `string`: text that always is one.
    pub(super) fn uuid_text(&mut self, cell: &Cell, place: Place<'_>) -> Option<Fill> {
        let help = "use \"identity\" or \"uuid\", or write UUIDs in full";
        let known = match cell.value.whole() {
            Value::Dictionary { cells, .. } => cells.to_vec(),
            Value::Literal(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        if let Some(text) = known.iter().find(|text| !is_uuid(text)) {
            let what = format!("`{}` is a uuid, but `{text}` is none", place.path);
            return self.refuse(place.span, what, help);
        }
        let text = self.text_of(cell, None, place.span)?;
        if !places(&text).is_some_and(|places| are_uuids(&places)) {
            let what = format!("`{}` is a uuid, but this makes other texts", place.path);
            return self.refuse(place.span, what, help);
        }
        Some(Fill::Text(text))
    }
}

/// Whether a text is a UUID of 36 characters.
pub(super) fn is_uuid(text: &str) -> bool {
    are_uuids(&text.chars().map(|character| vec![character]).collect())
}

/// Whether all texts of some places are.
fn are_uuids(places: &Places) -> bool {
    let fits = |(at, characters): (usize, &Vec<char>)| match at {
        8 | 13 | 18 | 23 => characters.iter().all(|character| *character == '-'),
        _ => characters.iter().all(char::is_ascii_hexdigit),
    };
    places.len() == 36 && places.iter().enumerate().all(fits)
}

fn places(text: &Text) -> Option<Places> {
    let pieces: Option<Vec<Places>> = text.0.iter().map(places_of).collect();
    Some(pieces?.concat())
}

fn places_of(piece: &Piece) -> Option<Places> {
    let spelt = |text: &str| text.chars().map(|character| vec![character]).collect::<Places>();
    match piece {
        Piece::Literal(text) => Some(spelt(text)),
        Piece::Lookup { values, width: None, .. } => {
            values.iter().map(|text| spelt(text)).map(Some).reduce(joined)?
        }
        Piece::Characters { alphabet, count, .. } => {
            Some(vec![alphabet.to_vec(); usize::from(*count)])
        }
        Piece::Choice { texts, .. } => texts.iter().map(places).reduce(joined)?,
        Piece::Either { then, otherwise, .. } => joined(places(then), places(otherwise)),
        Piece::Uuid(_) => {
            let place = |at| if matches!(at, 8 | 13 | 18 | 23) { vec!['-'] } else { vec!['0'] };
            Some((0..36).map(place).collect())
        }
        // So many digits that no word has more.
        Piece::Number { value: Integer::Unsigned(_), base: base @ (10 | 16), width, .. }
            if *width >= if *base == 16 { 8 } else { 10 } =>
        {
            Some(vec![vec!['0']; usize::from(*width)])
        }
        _ => None,
    }
}

/// What may stand in the places of one of two texts.
fn joined(one: Option<Places>, other: Option<Places>) -> Option<Places> {
    let (mut one, other) = (one?, other?);
    (one.len() == other.len()).then_some(())?;
    for (place, more) in one.iter_mut().zip(other) {
        place.extend(more);
    }
    Some(one)
}
