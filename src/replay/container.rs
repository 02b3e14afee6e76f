//! Avro object container files: blocks of recorded records, each with a checksum.
//!
//! The codec is `snappy`, whose blocks end with the CRC-32 of what they hold: so each block has a
//! checksum that every Avro reader knows. Files of the codecs `null`, `deflate` and `zstandard` are read
//! too, as other tools write them.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use apache_avro::Schema;

use super::wire::{self, SCHEMA, push_bytes};
use super::{Damage, Error, Recorded};
use crate::encode::wire::{push_count, push_long};

/// What a file begins with.
const MAGIC: &[u8; 4] = b"Obj\x01";

/// A block is written when its records have so many bytes.
const BLOCK_BYTES: usize = 512 << 10;

/// The most bytes of a block that is read: more is damage, and would not fit flat memory.
const BLOCK_BYTES_MAX: u64 = 256 << 20;

/// Under which name the topics of a recording stand in the file's metadata, as a JSON array.
const TOPICS: &str = "tidegate.topics";

/// What stands between blocks.
type Sync = [u8; 16];

/// A file that is written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    sync: Sync,
    block: Vec<u8>,
    count: i64,
    encoder: snap::raw::Encoder,
    packed: Vec<u8>,
    framed: Vec<u8>,
    written: u64,
    text: String,
}

impl Writer {
    /// Makes a file for records of these topics.
    pub fn create(path: &Path, topics: &[String]) -> Result<Self, Error> {
        let file = File::create_new(path).map_err(|source| Error::file("make", path, source))?;
        let mut sync = Sync::default();
        for part in sync.as_chunks_mut::<8>().0 {
            // The standard library's own keys are random.
            *part = RandomState::new().build_hasher().finish().to_le_bytes();
        }
        let mut writer = Self {
            file,
            path: path.to_owned(),
            sync,
            block: Vec::new(),
            count: 0,
            encoder: snap::raw::Encoder::new(),
            packed: Vec::new(),
            framed: Vec::new(),
            written: 0,
            text: String::new(),
        };
        let topics = serde_json::json!(topics).to_string();
        let metadata =
            [("avro.schema", SCHEMA), ("avro.codec", "snappy"), (TOPICS, topics.as_str())];
        let mut header = MAGIC.to_vec();
        push_count(&mut header, metadata.len());
        for (name, value) in metadata {
            push_bytes(&mut header, name.as_bytes());
            push_bytes(&mut header, value.as_bytes());
        }
        header.push(0);
        header.extend(writer.sync);
        writer.write(&header)?;
        Ok(writer)
    }

    /// Adds a record of a topic.
    pub fn push(&mut self, topic: &str, record: &Recorded<'_>) -> Result<(), Error> {
        wire::push(&mut self.block, topic, record, &mut self.text);
        self.count += 1;
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    /// Writes what was added, so that it can be read.
    pub fn end_block(&mut self) -> Result<(), Error> {
        if self.count == 0 {
            return Ok(());
        }
        self.packed.resize(snap::raw::max_compress_len(self.block.len()), 0);
        let packed = self.encoder.compress(&self.block, &mut self.packed);
        let packed = packed.map_err(|error| self.error(io::Error::other(error)))?;
        let mut framed = std::mem::take(&mut self.framed);
        framed.clear();
        push_long(&mut framed, self.count);
        push_count(&mut framed, packed + 4);
        framed.extend_from_slice(&self.packed[..packed]);
        framed.extend(crc32(&self.block).to_be_bytes());
        framed.extend(self.sync);
        let written = self.write(&framed);
        self.framed = framed;
        self.block.clear();
        self.count = 0;
        written
    }

    /// Bytes of the file, without what waits for the end of its block.
    pub fn bytes(&self) -> u64 {
        self.written
    }

    /// Ends the file, and waits until it is stored.
    pub fn finish(mut self) -> Result<(), Error> {
        self.end_block()?;
        self.file.sync_all().map_err(|source| self.error(source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| self.error(source))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn error(&self, source: io::Error) -> Error {
        Error::file("write", &self.path, source)
    }
}

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

/// A file that is read block by block. What is damaged is stepped over, up to the next block that is whole.
#[derive(Debug)]
pub struct Reader {
    input: BufReader<File>,
    path: PathBuf,
    codec: Codec,
    sync: Sync,
    topics: Option<Vec<String>>,
    at: u64,
    end: u64,
    /// As the blocks tell. That alone has no checksum, so it is only told.
    records: u64,
    packed: Vec<u8>,
    damages: Vec<Damage>,
}

impl Reader {
    /// Opens a file; one whose begin is cut off has no blocks.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::file("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let mut reader = Self {
            input: BufReader::with_capacity(256 << 10, file),
            path: path.to_owned(),
            codec: Codec::Null,
            sync: Sync::default(),
            topics: None,
            at: 0,
            end,
            records: 0,
            packed: Vec::new(),
            damages: Vec::new(),
        };
        match reader.header() {
            Ok(()) => {}
            Err(Problem::Cut) => reader.damage(end, "the file ends in its header"),
            Err(Problem::Io(source)) => return Err(failed(source)),
            Err(Problem::Wrong(what)) => {
                return Err(Error::NotARecording { path: path.to_owned(), what });
            }
        }
        Ok(reader)
    }

    /// The topics that the file may have records of, if it says so.
    pub fn topics(&self) -> Option<&[String]> {
        self.topics.as_deref()
    }

    /// What could not be read so far.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Puts the records of the next block that is whole in the place of `data`; false at the end.
    pub fn next(&mut self, data: &mut Vec<u8>) -> Result<bool, Error> {
        while self.at < self.end {
            let at = self.at;
            match self.block(data) {
                Ok(count) => {
                    self.records = self.records.saturating_add(count);
                    return Ok(true);
                }
                Err(Problem::Io(source)) => return Err(Error::file("read", &self.path, source)),
                Err(problem) => {
                    self.at = at;
                    let what = match problem {
                        Problem::Cut => "a block is cut off",
                        _ => "a block is damaged",
                    };
                    let next = self.next_sync(at + 1);
                    let next = next.map_err(|source| Error::file("read", &self.path, source))?;
                    self.damage(next, what);
                }
            }
        }
        Ok(false)
    }

    /// Notes that all up to `to` cannot be read.
    fn damage(&mut self, to: u64, what: &'static str) {
        let damage =
            Damage { file: self.path.clone(), from: self.at, to, records: self.records, what };
        tracing::warn!(%damage, "a part of the recording is left out");
        self.damages.push(damage);
        self.at = to;
    }

    fn header(&mut self) -> Result<(), Problem> {
        let wrong = |what: &str| Problem::Wrong(what.to_owned());
        let mut magic = [0; 4];
        self.fill(&mut magic)?;
        if magic != *MAGIC {
            return Err(wrong("it is no Avro object container file"));
        }
        let mut schema = None;
        loop {
            let mut count = self.long()?;
            if count < 0 {
                self.long()?;
                count = count.saturating_neg();
            }
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let (name, value) = (self.text()?, self.text()?);
                match name.as_str() {
                    "avro.schema" => schema = Some(value),
                    "avro.codec" => {
                        self.codec = match value.as_str() {
                            "null" => Codec::Null,
                            "deflate" => Codec::Deflate,
                            "snappy" => Codec::Snappy,
                            "zstandard" => Codec::Zstandard,
                            other => {
                                return Err(Problem::Wrong(format!("its codec is `{other}`")));
                            }
                        }
                    }
                    TOPICS => self.topics = serde_json::from_str(&value).ok(),
                    _ => {}
                }
            }
        }
        let mut sync = Sync::default();
        self.fill(&mut sync)?;
        self.sync = sync;
        if schema.is_some_and(|schema| is_ours(&schema)) {
            Ok(())
        } else {
            Err(wrong("its records are not of the schema tidegate.Recorded"))
        }
    }

    fn block(&mut self, data: &mut Vec<u8>) -> Result<u64, Problem> {
        let count = u64::try_from(self.long()?).map_err(|_| Problem::damaged())?;
        let bytes = u64::try_from(self.long()?).map_err(|_| Problem::damaged())?;
        if bytes > BLOCK_BYTES_MAX {
            return Err(Problem::damaged());
        }
        if self.at + bytes + size_of::<Sync>() as u64 > self.end {
            return Err(Problem::Cut);
        }
        let mut packed = std::mem::take(&mut self.packed);
        packed.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
        let mut sync = Sync::default();
        let read = self.fill(&mut packed).and_then(|()| self.fill(&mut sync));
        self.packed = packed;
        read?;
        if sync != self.sync {
            return Err(Problem::damaged());
        }
        unpack(self.codec, &self.packed, data).ok_or_else(Problem::damaged)?;
        Ok(count)
    }

    /// Where what follows the next mark between blocks begins, from `from` on; the end if there is none.
    fn next_sync(&mut self, from: u64) -> io::Result<u64> {
        let mut at = from;
        let mut window = Vec::new();
        self.input.seek(SeekFrom::Start(from))?;
        loop {
            let kept = window.len();
            let read = (&mut self.input).take(1 << 20).read_to_end(&mut window)?;
            let found = window.windows(self.sync.len()).position(|bytes| bytes == self.sync);
            if let Some(place) = found {
                let next = at + (place + self.sync.len()) as u64;
                self.input.seek(SeekFrom::Start(next))?;
                return Ok(next);
            }
            if read == 0 {
                return Ok(self.end);
            }
            let done = (kept + read).saturating_sub(self.sync.len());
            window.drain(..done);
            at += done as u64;
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Problem> {
        self.input.read_exact(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn long(&mut self) -> Result<i64, Problem> {
        let mut bytes = [0; 10];
        for place in 0..bytes.len() {
            self.fill(&mut bytes[place..=place])?;
            if bytes[place] < 0x80 {
                return wire::long(&mut &bytes[..=place]).ok_or_else(Problem::damaged);
            }
        }
        Err(Problem::damaged())
    }

    fn text(&mut self) -> Result<String, Problem> {
        let length = usize::try_from(self.long()?).map_err(|_| Problem::damaged())?;
        if self.at + length as u64 > self.end {
            return Err(Problem::Cut);
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| Problem::damaged())
    }
}

/// Why something is not read.
#[derive(Debug)]
enum Problem {
    Cut,
    Wrong(String),
    Io(io::Error),
}

impl Problem {
    fn damaged() -> Self {
        Self::Wrong("it is damaged".to_owned())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Io(error),
        }
    }
}

/// Whether a schema is that of recorded records, whatever its order of keys and its words.
fn is_ours(schema: &str) -> bool {
    let canonical = |text: &str| Schema::parse_str(text).ok().map(|it| it.canonical_form());
    canonical(schema).is_some_and(|form| canonical(SCHEMA) == Some(form))
}

/// Unpacks a block; none if it is not what its checksum says.
fn unpack(codec: Codec, packed: &[u8], data: &mut Vec<u8>) -> Option<()> {
    data.clear();
    match codec {
        Codec::Null => data.extend_from_slice(packed),
        Codec::Snappy => {
            let (packed, sum) = packed.split_last_chunk::<4>()?;
            let length = snap::raw::decompress_len(packed).ok()?;
            (length as u64 <= BLOCK_BYTES_MAX).then_some(())?;
            data.resize(length, 0);
            snap::raw::Decoder::new().decompress(packed, data).ok()?;
            (crc32(data) == u32::from_be_bytes(*sum)).then_some(())?;
        }
        Codec::Deflate => {
            let inflated = flate2::read::DeflateDecoder::new(packed).take(BLOCK_BYTES_MAX);
            { inflated }.read_to_end(data).ok()?;
        }
        Codec::Zstandard => {
            let decoder = zstd::stream::read::Decoder::new(packed).ok()?;
            decoder.take(BLOCK_BYTES_MAX).read_to_end(data).ok()?;
        }
    }
    Some(())
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests;
