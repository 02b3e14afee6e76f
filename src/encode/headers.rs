//! Headers of a record: the block in the arena that holds them, and how it is read.
//!
//! A stream's headers have the same names and kinds in every record, so the block has values only,
//! one after the other: an identity is 16 bytes; a text is its length (zigzag varint) and its bytes; one
//! that may be missing has before it a zero where it is, else a two. The intended time is not known
//! before the hand-over and takes no bytes. Records that were made elsewhere have headers of their own:
//! [`Kind::Own`], which [`put_own`] writes.

use std::ffi::CStr;
use std::sync::LazyLock;

use apache_avro::Schema;

use super::avro::{Compiler, Error, Place, RFC_3339_UTC_BYTES, names, put_utc};
use super::wire::{SLACK_BYTES, Writer, push_count};
use super::{Fill, Header, HeaderFill};

/// Bytes of an identity.
const IDENTITY_BYTES: usize = 16;

/// What a text that may be missing is written as.
static OPTIONAL_TEXT: LazyLock<Schema> = LazyLock::new(|| {
    let schema = Schema::parse_str(r#"["null", "string"]"#);
    assert!(schema.is_ok(), "the schema of an optional text is one");
    schema.unwrap_or(Schema::String)
});

/// A header that all records of a stream have, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// What a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The event's identity, 16 bytes.
    Identity,
    /// Text.
    Text,
    /// Text that may be missing, and with it the header.
    OptionalText,
    /// The intended time.
    IntendedTime,
    /// Not one header but any, names and values in the block; the last shape.
    Own,
}

/// The value of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The identity.
    Identity(&'a [u8]),
    /// UTF-8 text.
    Text(&'a [u8]),
    /// The intended time, which whoever hands the record over knows; see [`intended_time`].
    IntendedTime,
    /// A header that brings its name: what stands in the shape does not count.
    Own(&'a CStr, Option<&'a [u8]>),
}

impl Shape {
    /// The shape of a header.
    pub fn of(header: &Header) -> Self {
        let kind = match &header.value {
            HeaderFill::Identity(_) => Kind::Identity,
            HeaderFill::Text { present: None, .. } => Kind::Text,
            HeaderFill::Text { present: Some(_), .. } => Kind::OptionalText,
            HeaderFill::IntendedTime => Kind::IntendedTime,
        };
        Self { name: header.name.clone(), kind }
    }

    /// Headers that records bring with them.
    pub fn own() -> Self {
        Self { name: String::new(), kind: Kind::Own }
    }
}

/// Appends a header of a record that brings its own; one without a value is told from an empty one.
///
/// A name ends where it has a zero, as it would for the clients that send it.
pub fn put_own(block: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    block.extend(name.iter().take_while(|byte| **byte != 0));
    block.push(0);
    // One more than the length; 0 where there is none.
    push_count(block, value.map_or(0, |value| value.len() + 1));
    block.extend_from_slice(value.unwrap_or_default());
}

/// Writes the block.
pub(super) fn compile(compiler: &mut Compiler, headers: &[Header]) -> Result<(), Error> {
    for header in headers {
        let path = format!("the header {}", header.name);
        match &header.value {
            HeaderFill::Identity(words) => compiler.words(*words),
            HeaderFill::Text { text, present: None } => {
                let names = names(&Schema::String);
                let place = Place::named(&path, &Schema::String, &names);
                compiler.fill(&place, &Fill::Text(text.clone()))?;
            }
            HeaderFill::Text { text, present: Some(present) } => {
                let names = names(&OPTIONAL_TEXT);
                let place = Place::named(&path, &OPTIONAL_TEXT, &names);
                let value = Box::new(Fill::Text(text.clone()));
                let fill = Fill::Optional { present: *present, branch: 1, value };
                compiler.fill(&place, &fill)?;
            }
            HeaderFill::IntendedTime => {}
        }
    }
    Ok(())
}

/// The headers that a block holds, in order; those that are missing are left out.
///
/// # Panics
///
/// If the block is not of these shapes: our own bug.
pub fn read<'a>(
    shapes: &'a [Shape],
    block: &'a [u8],
) -> impl Iterator<Item = (usize, Value<'a>)> + 'a {
    let mut rest = block;
    let mut shapes = shapes.iter().enumerate();
    let mut own = None;
    std::iter::from_fn(move || {
        loop {
            if let Some(number) = own {
                return Some((number, take_own(&mut rest)?));
            }
            let (number, shape) = shapes.next()?;
            let value = match shape.kind {
                Kind::Identity => Value::Identity(take(&mut rest, IDENTITY_BYTES)),
                Kind::IntendedTime => Value::IntendedTime,
                Kind::OptionalText if take(&mut rest, 1) == [0] => continue,
                Kind::Text | Kind::OptionalText => {
                    let bytes = length(&mut rest);
                    Value::Text(take(&mut rest, bytes))
                }
                Kind::Own => {
                    own = Some(number);
                    continue;
                }
            };
            return Some((number, value));
        }
    })
}

/// What [`put_own`] wrote; none at the end.
fn take_own<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let name = CStr::from_bytes_until_nul(rest).ok()?;
    take(rest, name.count_bytes() + 1);
    let value = length(rest).checked_sub(1).map(|bytes| take(rest, bytes));
    Some(Value::Own(name, value))
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(bytes);
    *rest = left;
    taken
}

/// A length: a zigzag varint that is not negative.
fn length(rest: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(rest, 1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value >> 1;
        }
        shift += 7;
    }
}

/// A time on the wall clock as RFC 3339 in UTC with microseconds: `2026-11-21T08:31:02.345678Z`.
///
/// `time_ns` is in nanoseconds since the Unix epoch, rounded down.
pub fn intended_time(time_ns: i64) -> [u8; RFC_3339_UTC_BYTES] {
    let mut buffer = [0; RFC_3339_UTC_BYTES + SLACK_BYTES];
    put_utc(&mut Writer::new(&mut buffer, 0), time_ns.div_euclid(1_000));
    let mut text = [0; RFC_3339_UTC_BYTES];
    text.copy_from_slice(&buffer[..RFC_3339_UTC_BYTES]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_its_shapes_say() {
        let shape = |name: &str, kind| Shape { name: name.to_owned(), kind };
        let shapes = [
            shape("id", Kind::Identity),
            shape("a", Kind::Text),
            shape("at", Kind::IntendedTime),
            shape("b", Kind::OptionalText),
            shape("c", Kind::OptionalText),
            shape("d", Kind::Text),
        ];
        let mut block = vec![7; 16];
        block.extend([6, b'x', b'y', b'z', 0, 2, 0]);
        block.extend([0xc8, 0x01]);
        block.extend([b'.'; 100]);
        let read: Vec<_> = read(&shapes, &block).collect();
        let dots = [b'.'; 100];
        let expected = [
            (0, Value::Identity(&[7; 16])),
            (1, Value::Text(b"xyz")),
            (2, Value::IntendedTime),
            (4, Value::Text(b"")),
            (5, Value::Text(&dots)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn headers_of_a_records_own_come_back_as_they_were() {
        let long = vec![b'v'; 300];
        let headers: [(&[u8], Option<&[u8]>); 4] =
            [(b"trace", Some(&long)), (b"", Some(b"")), (b"trace", None), (b"a\0b", Some(&[0, 1]))];
        let mut block = Vec::new();
        for (name, value) in headers {
            put_own(&mut block, name, value);
        }
        let shapes = [Shape::own()];
        let read: Vec<_> = read(&shapes, &block).map(|(_, value)| value).collect();
        let expected = [
            Value::Own(c"trace", Some(&long)),
            Value::Own(c"", Some(b"")),
            Value::Own(c"trace", None),
            Value::Own(c"a", Some(&[0, 1])),
        ];
        assert_eq!(read, expected);
        assert_eq!(super::read(&shapes, &[]).count(), 0);
    }

    #[test]
    fn an_intended_time_is_rfc_3339_in_utc() {
        for time_ns in [0, 1_795_249_862_345_678_901, -1, i64::MAX] {
            let text = String::from_utf8(intended_time(time_ns).to_vec()).unwrap();
            let back: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(back.as_microsecond(), time_ns.div_euclid(1_000), "{text}");
            assert!(text.ends_with('Z') && text.len() == 27, "{text}");
        }
    }
}
