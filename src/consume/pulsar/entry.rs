//! Entries: what a topic holds under one id, which is a message, a batch of them, or a part of one.

use std::io::Read as _;

use bytes::Bytes;

use super::field::{Malformed, Metadata};

/// Says that a checksum follows.
const MAGIC: [u8; 2] = [0x0e, 0x01];

/// The longest entry, once it is decompressed, and the most that parts of messages take: a few times what
/// brokers take unless told otherwise.
pub(super) const BODY_BYTES_MAX: usize = 256 << 20;

/// An entry's ledger and its place there, from 0; −1: before the first one.
pub(super) type Id = (i64, i64);

/// An entry as it came.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where its topic holds it.
    pub(super) id: Id,
    /// How many messages it counts for.
    pub(super) count: u32,
    /// Its metadata, and its messages; or why it makes no sense.
    pub(super) parts: Result<(Bytes, Bytes), &'static str>,
    /// How much memory it takes.
    pub(super) bytes: usize,
}

impl Entry {
    /// Takes apart what a frame has after its command.
    pub(super) fn new(id: Id, rest: Bytes) -> Self {
        let bytes = rest.len();
        let parts = parts(rest);
        let count = match &parts {
            Ok((metadata, _)) => Metadata::read(metadata).ok().and_then(|it| it.batch_count),
            Err(_) => None,
        };
        let count = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1);
        Self { id, count, parts, bytes }
    }
}

fn parts(mut rest: Bytes) -> Result<(Bytes, Bytes), &'static str> {
    const SHORT: &str = "it is shorter than it says";
    if rest.starts_with(&MAGIC) {
        drop(rest.split_to(MAGIC.len()));
        let checksum = *rest.first_chunk().ok_or(SHORT)?;
        drop(rest.split_to(4));
        if crc32c::crc32c(&rest) != u32::from_be_bytes(checksum) {
            return Err(
                "its checksum is another one: its bytes were changed on the way or where they are \
                        stored",
            );
        }
    }
    let length = u32::from_be_bytes(*rest.first_chunk().ok_or(SHORT)?) as usize;
    drop(rest.split_to(4));
    if length > rest.len() {
        return Err(SHORT);
    }
    let metadata = rest.split_to(length);
    Ok((metadata, rest))
}

/// The messages of an entry, decompressed; the error says why that cannot be done.
pub(super) fn body(metadata: &Metadata<'_>, payload: Bytes) -> Result<Bytes, String> {
    if metadata.compression == 0 {
        return Ok(payload);
    }
    let length = usize::try_from(metadata.uncompressed_bytes).unwrap_or(usize::MAX);
    if length > BODY_BYTES_MAX {
        let limit = BODY_BYTES_MAX;
        return Err(format!(
            "it has {length} bytes decompressed, more than the {limit} that we take"
        ));
    }
    let (name, body) = match metadata.compression {
        1 => ("LZ4", lz4(&payload, length)),
        2 => ("zlib", zlib(&payload, length)),
        3 => ("Zstandard", zstd::bulk::decompress(&payload, length)),
        4 => ("Snappy", snappy(&payload, length)),
        other => {
            return Err(format!("its compression has the number {other}, which we do not know"));
        }
    };
    let body = body.map_err(|error| format!("it cannot be decompressed by {name}: {error}"))?;
    if body.len() != length {
        let count = body.len();
        return Err(format!("it has {count} bytes decompressed by {name} and not {length}"));
    }
    Ok(Bytes::from(body))
}

fn lz4(payload: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    // The library asks for a length that is above 0 though nothing was compressed.
    lz4::block::decompress(payload, Some(i32::try_from(length.max(1)).unwrap_or(i32::MAX)))
}

fn zlib(payload: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(length);
    // One byte more tells what is longer than it says.
    flate2::read::ZlibDecoder::new(payload).take(length as u64 + 1).read_to_end(&mut body)?;
    Ok(body)
}

fn snappy(payload: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    let told = snap::raw::decompress_len(payload)?;
    if told != length {
        return Err(std::io::Error::other(format!("it says {told} bytes and not {length}")));
    }
    Ok(snap::raw::Decoder::new().decompress_vec(payload)?)
}

impl From<Malformed> for String {
    fn from(_: Malformed) -> Self {
        "its metadata is damaged".to_owned()
    }
}
