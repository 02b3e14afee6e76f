//! A recording: a folder of numbered files.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::lines::{self, Encoder};
use super::schemas::Schemas;
use super::{Damage, Error, Fed, Feed, Header, Recorded, Take, container, wire};

/// A file is followed by the next one when it has so many bytes.
const FILE_BYTES: u64 = 256 << 20;

/// How many lines are handed over at once.
const LINES: usize = 4_096;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As Avro object container files.
    #[default]
    Avro,
    /// As lines of JSON.
    Jsonl,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Avro => "avro",
            Self::Jsonl => "jsonl",
        }
    }

    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        [Self::Avro, Self::Jsonl].into_iter().find(|format| format.extension() == extension)
    }
}

#[derive(Debug)]
enum Output {
    Avro(Box<container::Writer>),
    Jsonl(lines::Writer),
}

/// A folder that is written.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    format: Format,
    topics: Vec<String>,
    output: Option<Output>,
    files: u32,
    bytes: u64,
}

impl Folder {
    /// Makes the folder, if it is not there; it must hold no recording.
    pub fn create(path: &Path, format: Format, topics: &[String]) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(|source| Error::file("make", path, source))?;
        if !files(path)?.is_empty() {
            return Err(Error::Occupied { path: path.to_owned() });
        }
        let (path, topics) = (path.to_owned(), topics.to_vec());
        Ok(Self { path, format, topics, output: None, files: 0, bytes: 0 })
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Recorded<'_>, schemas: &mut Schemas) -> Result<(), Error> {
        let topic = &self.topics[record.topic];
        let mut output = match self.output.take() {
            Some(output) => output,
            None => Self::next_file(&self.path, self.format, &self.topics, &mut self.files)?,
        };
        let (pushed, bytes) = match &mut output {
            Output::Avro(writer) => (writer.push(topic, record), writer.bytes()),
            Output::Jsonl(writer) => (writer.push(topic, record, schemas), writer.bytes()),
        };
        self.output = Some(output);
        pushed?;
        if bytes >= FILE_BYTES { self.end_file() } else { Ok(()) }
    }

    fn next_file(
        folder: &Path,
        format: Format,
        topics: &[String],
        files: &mut u32,
    ) -> Result<Output, Error> {
        *files += 1;
        let path = folder.join(format!("recording-{files:06}.{}", format.extension()));
        Ok(match format {
            Format::Avro => Output::Avro(Box::new(container::Writer::create(&path, topics)?)),
            Format::Jsonl => Output::Jsonl(lines::Writer::create(&path)?),
        })
    }

    /// Writes what was added, so that it can be read.
    pub fn flush(&mut self) -> Result<(), Error> {
        match &mut self.output {
            None => Ok(()),
            Some(Output::Avro(writer)) => writer.end_block(),
            Some(Output::Jsonl(writer)) => writer.flush(),
        }
    }

    fn end_file(&mut self) -> Result<(), Error> {
        match self.output.take() {
            None => Ok(()),
            Some(Output::Avro(mut writer)) => {
                writer.end_block()?;
                self.bytes += writer.bytes();
                writer.finish()
            }
            Some(Output::Jsonl(writer)) => {
                self.bytes += writer.bytes();
                writer.finish()
            }
        }
    }

    /// Ends the last file; says how many there are, and their bytes.
    pub fn finish(mut self) -> Result<(u32, u64), Error> {
        self.end_file()?;
        Ok((self.files, self.bytes))
    }
}

/// The recorded files of a folder, in their order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::file("read", folder, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && Format::of(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Files that are read.
#[derive(Debug)]
pub struct Files {
    paths: VecDeque<PathBuf>,
    open: Option<Input>,
    topics: Vec<String>,
    places: BTreeMap<String, usize>,
    damages: Vec<Damage>,
    encoder: Arc<Encoder>,
    schemas: Arc<Mutex<Schemas>>,
    data: Vec<u8>,
}

#[derive(Debug)]
enum Input {
    Avro(container::Reader),
    Jsonl(lines::Reader),
}

impl Input {
    fn open(path: &Path) -> Result<Self, Error> {
        match Format::of(path) {
            Some(Format::Jsonl) => lines::Reader::open(path).map(Self::Jsonl),
            _ => container::Reader::open(path).map(Self::Avro),
        }
    }
}

/// The folder that has the schemas of a recording: of a file the one that it lies in.
pub fn home(source: &Path) -> &Path {
    if source.is_dir() { source } else { source.parent().unwrap_or(Path::new(".")) }
}

impl Files {
    /// Opens a folder or a file. Values that are JSON are written by `encoder`.
    pub fn open(
        source: &Path,
        encoder: Arc<Encoder>,
        schemas: Arc<Mutex<Schemas>>,
    ) -> Result<Self, Error> {
        let paths = match std::fs::metadata(source) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing { path: source.to_owned() });
            }
            Err(error) => return Err(Error::file("read", source, error)),
            Ok(found) if found.is_dir() => files(source)?,
            Ok(_) => vec![source.to_owned()],
        };
        if paths.is_empty() {
            return Err(Error::Empty { path: source.to_owned() });
        }
        let mut topics: Vec<String> = Vec::new();
        for path in &paths {
            topics_of(path, &mut |topic| {
                if topics.iter().all(|known| known != topic) {
                    topics.push(topic.to_owned());
                }
            })?;
        }
        let places = topics.iter().cloned().zip(0..).collect();
        let (open, damages, data) = (None, Vec::new(), Vec::new());
        Ok(Self { paths: paths.into(), open, topics, places, damages, encoder, schemas, data })
    }
}

/// Tells the topics that a file has records of; all of it is read if it does not say so at its begin.
fn topics_of(path: &Path, tell: &mut dyn FnMut(&str)) -> Result<(), Error> {
    match Input::open(path)? {
        Input::Avro(mut reader) => {
            if let Some(topics) = reader.topics() {
                for topic in topics {
                    tell(topic);
                }
                return Ok(());
            }
            let mut data = Vec::new();
            while reader.next(&mut data)? {
                each(path, &data, &mut |lying, _| {
                    tell(&String::from_utf8_lossy(lying.topic));
                    Ok(())
                })?;
            }
        }
        Input::Jsonl(mut reader) => {
            while let Some(line) = reader.next_line()? {
                tell(&line.topic);
            }
        }
    }
    Ok(())
}

/// Takes a record of a block, and its headers.
type Tell<'a> = dyn FnMut(&wire::Lying<'_>, &[Header<'_>]) -> Result<(), Error> + 'a;

/// Tells each record of a block.
fn each(path: &Path, data: &[u8], tell: &mut Tell<'_>) -> Result<(), Error> {
    let (mut rest, mut headers) = (data, Vec::new());
    while !rest.is_empty() {
        let lying = wire::take(&mut rest, &mut headers).ok_or_else(|| Error::NotARecording {
            path: path.to_owned(),
            what: "a block holds what is no record".to_owned(),
        })?;
        tell(&lying, &headers)?;
    }
    Ok(())
}

impl Feed for Files {
    fn topics(&self) -> &[String] {
        &self.topics
    }

    fn next(&mut self, take: &mut Take<'_>) -> Result<Fed, Error> {
        let Self { paths, open, places, damages, encoder, schemas, data, .. } = self;
        let Some(path) = paths.front() else { return Ok(Fed::End) };
        let input = match open {
            Some(input) => input,
            None => open.insert(Input::open(path)?),
        };
        let goes_on = match input {
            Input::Avro(reader) => {
                let goes_on = reader.next(data)?;
                if goes_on {
                    let mut last = (String::new(), None);
                    each(path, data, &mut |lying, headers| {
                        let topic = match last.1 {
                            // Records of one topic often lie together.
                            Some(topic) if lying.topic == last.0.as_bytes() => topic,
                            _ => {
                                let name = String::from_utf8_lossy(lying.topic);
                                let place = places.get(name.as_ref()).copied();
                                let topic = place.ok_or_else(|| unannounced(path, &name))?;
                                last = (name.into_owned(), Some(topic));
                                topic
                            }
                        };
                        take(&Recorded {
                            topic,
                            partition: lying.partition,
                            position: None,
                            timestamp_ms: lying.timestamp_ms,
                            key: lying.key,
                            headers,
                            value: lying.value,
                        })
                    })?;
                } else {
                    damages.extend_from_slice(reader.damages());
                }
                goes_on
            }
            Input::Jsonl(reader) => {
                let mut goes_on = true;
                for _ in 0..LINES {
                    let Some(line) = reader.next_line()? else {
                        goes_on = false;
                        break;
                    };
                    let place = places.get(&line.topic).copied();
                    let place = place.ok_or_else(|| unannounced(path, &line.topic))?;
                    reader.hand_over(&line, place, (encoder, schemas), take)?;
                }
                goes_on
            }
        };
        if !goes_on {
            *open = None;
            paths.pop_front();
        }
        Ok(Fed::More)
    }

    fn damages(&self) -> &[Damage] {
        &self.damages
    }
}

fn unannounced(path: &Path, topic: &str) -> Error {
    let what = format!("it has a record of `{topic}`, which is none of its topics");
    Error::NotARecording { path: path.to_owned(), what }
}
