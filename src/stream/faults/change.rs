//! What faults do to the bytes of an event.

use super::super::Route;
use crate::config::model::{FaultKind, KeyFormat, ValueFormat};
use crate::encode::wire::{FRAMING_BYTES, MAGIC, framing, push_count};
use crate::plan::StreamPlan;
use crate::plan::fault::{Draw, below};

/// How the keys and values of a stream are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    key_is_avro: bool,
    /// Bytes before an Avro key's datum.
    key_framing: usize,
    /// Bytes before a value's datum.
    value_framing: usize,
}

/// Bytes that take the place of an event's own.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The key, if it is another.
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Value,
    /// Which bytes of the value are others.
    pub(super) offsets: Vec<u32>,
    /// The schema that the value names wrongly.
    pub(super) schema_id: Option<u32>,
}

/// What becomes of a value.
#[derive(Debug, Default)]
pub(super) enum Value {
    #[default]
    Kept,
    Gone,
    New(Vec<u8>),
}

impl Shape {
    pub(super) fn of(stream: &StreamPlan, route: &Route) -> Self {
        let framed = |id: Option<u32>| id.map_or(0, |_| FRAMING_BYTES);
        let value_is_avro = stream.value_format == ValueFormat::Avro;
        let key_is_avro = stream.key_format == KeyFormat::Avro;
        Self {
            key_is_avro,
            key_framing: if key_is_avro { framed(route.ids.key) } else { 0 },
            value_framing: if value_is_avro { framed(route.ids.value) } else { 0 },
        }
    }

    /// The text of a key.
    pub(super) fn key_text(self, key: &[u8]) -> &[u8] {
        if !self.key_is_avro {
            return key;
        }
        // A length of seven bits a byte stands before the text.
        let datum = key.get(self.key_framing..).unwrap_or_default();
        let length = datum.iter().position(|byte| *byte < 0x80).map_or(datum.len(), |at| at + 1);
        &datum[length..]
    }

    /// A key of that text, framed as another one is.
    fn key(self, text: &[u8], like: &[u8]) -> Vec<u8> {
        if !self.key_is_avro {
            return text.to_vec();
        }
        let mut key = like.get(..self.key_framing).unwrap_or_default().to_vec();
        push_count(&mut key, text.len());
        key.extend_from_slice(text);
        key
    }
}

/// What a fault makes of an event's key and value; none if it cannot be done to them.
pub(super) fn change(
    kind: &FaultKind,
    shape: Shape,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    draw: &Draw,
) -> Option<Changed> {
    match kind {
        FaultKind::WrongKey => {
            let text = other_key(shape.key_text(key?), draw)?;
            Some(Changed { key: Some(shape.key(&text, key?)), ..Changed::default() })
        }
        FaultKind::HotKey { key: hot } => {
            let hot = shape.key(hot.as_bytes(), key?);
            (hot != key?).then(|| Changed { key: Some(hot), ..Changed::default() })
        }
        _ => {
            let (value, offsets) = change_value(kind, shape.value_framing, value?, draw)?;
            let schema_id = match kind {
                FaultKind::UnknownSchema { id } => Some(*id),
                _ => None,
            };
            Some(Changed { key: None, value, offsets, schema_id })
        }
    }
}

fn change_value(
    kind: &FaultKind,
    framing_bytes: usize,
    value: &[u8],
    draw: &Draw,
) -> Option<(Value, Vec<u32>)> {
    let datum_bytes = u32::try_from(value.len().checked_sub(framing_bytes)?).ok()?;
    let mut new = value.to_vec();
    let mut offsets = Vec::new();
    match kind {
        FaultKind::Tombstone => return Some((Value::Gone, offsets)),
        FaultKind::Corrupt { bytes } => {
            offsets = corrupt(&mut new[framing_bytes..], *bytes, draw);
            let before = u32::try_from(framing_bytes).ok()?;
            for at in &mut offsets {
                *at += before;
            }
        }
        FaultKind::Truncate { bytes } => {
            let [_, _, word, _] = draw.words(0);
            // A value of no bytes could be taken for one that is not there.
            let most = datum_bytes - u32::from(framing_bytes == 0 && datum_bytes > 0);
            let gone = bytes.unwrap_or_else(|| 1 + below(word, most));
            new.truncate(value.len() - gone.min(most) as usize);
        }
        FaultKind::UnknownSchema { id } if framing_bytes > 0 => {
            new[..framing_bytes].copy_from_slice(&framing(*id));
        }
        FaultKind::WrongMagic { byte } if framing_bytes > 0 => {
            debug_assert_eq!(new[0], MAGIC, "a framed value begins with the magic byte");
            new[0] = *byte;
        }
        FaultKind::Oversized { bytes } => fill_up(&mut new, *bytes as usize, draw),
        _ => return None,
    }
    (new != value).then_some((Value::New(new), offsets))
}

/// Changes so many bytes of a datum, or all; returns which, in order.
fn corrupt(datum: &mut [u8], bytes: u32, draw: &Draw) -> Vec<u32> {
    let length = u32::try_from(datum.len()).unwrap_or(u32::MAX);
    let mut chosen = Vec::new();
    // Floyd's sampling: each set of places is as likely.
    for (step, last) in (0..).zip(length - bytes.min(length)..length) {
        let [place, other, ..] = draw.words(1 + step);
        let place = below(place, last + 1);
        let place = if chosen.contains(&place) { last } else { place };
        chosen.push(place);
        datum[place as usize] ^= (1 + below(other, 255)).to_le_bytes()[0];
    }
    chosen.sort_unstable();
    chosen
}

/// Appends bytes that no compression makes small.
fn fill_up(value: &mut Vec<u8>, bytes: usize, draw: &Draw) {
    let mut block = 0;
    while value.len() < bytes {
        block += 1;
        for word in draw.words(block) {
            value.extend_from_slice(&word.to_le_bytes());
        }
        value.truncate(bytes);
    }
}

/// Another key of the same form: digits for digits, letters for letters, of hexadecimal digits such
/// digits. None if there is neither.
fn other_key(text: &[u8], draw: &Draw) -> Option<Vec<u8>> {
    let letters = || text.iter().filter(|byte| byte.is_ascii_alphabetic());
    let few = letters().all(u8::is_ascii_hexdigit);
    let span = |byte: u8| match byte {
        b'0'..=b'9' => Some((b'0', 10)),
        b'a'..=b'z' => Some((b'a', if few { 6 } else { 26 })),
        b'A'..=b'Z' => Some((b'A', if few { 6 } else { 26 })),
        _ => None,
    };
    // A prefix in letters before digits is what keys have in common.
    let digits_only = !few && text.iter().any(u8::is_ascii_digit);
    let changes = |byte: u8| span(byte).filter(|(first, _)| !digits_only || *first == b'0');
    let mut other = text.to_vec();
    for (place, byte) in (0..).zip(&mut other) {
        if let Some((first, count)) = changes(*byte) {
            let word = draw.words(1 + place / 4)[place as usize % 4];
            *byte = first + below(word, count).to_le_bytes()[0];
        }
    }
    if other == text {
        let byte = other.iter_mut().rev().find(|byte| changes(**byte).is_some())?;
        let (first, count) = changes(*byte)?;
        *byte = first + (*byte - first + 1) % count.to_le_bytes()[0];
    }
    Some(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fault::draw_for_tests as draw;

    const PLAIN: Shape = Shape { key_is_avro: false, key_framing: 0, value_framing: 5 };

    #[test]
    fn another_key_has_the_same_form() {
        for number in 0..500 {
            for key in ["acct-0000000007", "9", "0b5c-ffa0", "Bob"] {
                let other = other_key(key.as_bytes(), &draw(number)).unwrap();
                assert_ne!(other, key.as_bytes());
                assert_eq!(other.len(), key.len());
                let class =
                    |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_lowercase(), *byte == b'-');
                assert!(other.iter().map(class).eq(key.bytes().map(|byte| class(&byte))));
            }
            assert!(other_key(b"acct-0000000007", &draw(number)).unwrap().starts_with(b"acct-"));
        }
        assert_eq!(other_key(b"--", &draw(1)), None);
    }

    #[test]
    fn a_corrupt_value_differs_at_just_the_bytes_that_are_told() {
        let value: Vec<u8> = (0..30).collect();
        for number in 0..500 {
            let kind = FaultKind::Corrupt { bytes: 3 };
            let changed = change(&kind, PLAIN, (None, Some(&value)), &draw(number)).unwrap();
            let Value::New(new) = changed.value else { panic!("no new value") };
            let differing = (0..30).filter(|at| new[*at] != value[*at]);
            let told: Vec<usize> = changed.offsets.iter().map(|at| *at as usize).collect();
            assert_eq!(differing.collect::<Vec<_>>(), told);
            assert!(told.len() == 3 && told[0] >= 5, "{told:?}");
        }
    }

    #[test]
    fn a_truncated_value_keeps_what_stands_before_the_datum() {
        let value: Vec<u8> = (0..12).collect();
        let lengths: std::collections::BTreeSet<usize> = (0..200)
            .map(|number| {
                let kind = FaultKind::Truncate { bytes: None };
                let changed = change(&kind, PLAIN, (None, Some(&value)), &draw(number)).unwrap();
                let Value::New(new) = changed.value else { panic!("no new value") };
                assert!(value.starts_with(&new));
                new.len()
            })
            .collect();
        assert_eq!(lengths, (5..12).collect());
    }

    #[test]
    fn what_cannot_be_done_to_a_value_is_not_done() {
        let bare = Shape { value_framing: 0, ..PLAIN };
        let value = [1, 2, 3];
        for kind in [FaultKind::UnknownSchema { id: 9 }, FaultKind::WrongMagic { byte: 9 }] {
            assert!(change(&kind, bare, (None, Some(&value)), &draw(0)).is_none());
        }
        let kind = FaultKind::Oversized { bytes: 2 };
        assert!(change(&kind, bare, (None, Some(&value)), &draw(0)).is_none());
        assert!(change(&FaultKind::Tombstone, bare, (None, None), &draw(0)).is_none());
        let hot = FaultKind::HotKey { key: "a".into() };
        assert!(change(&hot, bare, (Some(b"a"), None), &draw(0)).is_none());
    }

    #[test]
    fn keys_in_avro_are_read_and_written() {
        let shape = Shape { key_is_avro: true, key_framing: 5, value_framing: 5 };
        let mut key = framing(7).to_vec();
        push_count(&mut key, 3);
        key.extend_from_slice(b"abc");
        assert_eq!(shape.key_text(&key), b"abc");
        assert_eq!(shape.key(b"abc", &key), key);
    }
}
