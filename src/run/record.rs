//! Recording topics.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use super::signal::Signals;
use super::{Error, runtime, source};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::consume::Begin;
use crate::consume::address::Address;
use crate::replay::edit::Editor;
use crate::replay::edit::mask::Key;
use crate::replay::folder::{Folder, Format};
use crate::replay::schemas::{Keeper, Origin, Schemas, framed};
use crate::replay::topics::{Topics, Until};
use crate::replay::{self, Fed, Feed, Recorded, edit};

/// How often what was recorded is written, so that little is lost if the process is.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How many ids that the registry does not have are asked for.
const UNKNOWN_IDS_MAX: usize = 100;

/// What is recorded, and how.
#[derive(Debug)]
pub struct Ask {
    /// The topics.
    pub address: Address,
    /// Where they are, and the registry that their ids are of.
    pub configuration: Configuration,
    /// The folder that is written.
    pub to: PathBuf,
    /// How it is written.
    pub format: Format,
    /// Whether what comes later is recorded too.
    pub follow: bool,
    /// The timestamps that are recorded, in milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Where they end.
    pub until_ms: Option<i64>,
    /// The most records.
    pub count: Option<u64>,
    /// The most wall time.
    pub wall: Option<Duration>,
    /// What must not be seen.
    pub masks: Vec<edit::Masked>,
    /// What decides the values that stand for others; none: nobody knows.
    pub mask_seed: Option<String>,
}

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Recording {
    /// By topic: its name, and how many records.
    pub topics: Vec<(String, u64)>,
    /// Records of all topics.
    pub records: u64,
    /// Bytes of keys and values, as they were recorded.
    pub bytes: u64,
    /// How many files were written.
    pub files: u32,
    /// Their bytes.
    pub file_bytes: u64,
    /// The first and the last timestamp, in milliseconds since the Unix epoch.
    pub timestamps_ms: Option<(i64, i64)>,
    /// Ids of schemas that the registry does not have.
    pub unknown_ids: Vec<u32>,
}

/// Records topics until their end, a limit or a signal; tells `progress` now and then.
pub fn run(ask: Ask, progress: &mut (dyn FnMut(&Recording) + Send)) -> Result<Recording, Error> {
    let runtime = runtime()?;
    let handle = runtime.handle().clone();
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = {
        let _inside = runtime.enter();
        Signals::take().map_err(|source| Error::System { what: "listen for signals", source })?
    };
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        signals.next().await;
        stopped.store(true, Ordering::Relaxed);
    });
    let recorded = Recorder::open(ask, &handle).and_then(|it| it.record(&stop, progress));
    runtime.shutdown_background();
    recorded
}

struct Recorder {
    ask: Ask,
    clock: Clock,
    feed: Topics,
    folder: Folder,
    editor: Editor,
    keeper: Keeper,
    schemas: Schemas,
    told: Recording,
}

impl Recorder {
    fn open(ask: Ask, handle: &Handle) -> Result<Self, Error> {
        let clock = Clock::system();
        let begin = match (ask.from_ms, ask.follow) {
            (Some(from_ms), _) => Begin::At(from_ms),
            (None, true) => Begin::Latest,
            (None, false) => Begin::Earliest,
        };
        let origin = source::registry(&ask.configuration.settings, handle)?;
        let schemas = Schemas::new(origin.map_or(Origin::Nowhere, Origin::Registry));
        let key = ask.mask_seed.as_deref().map_or_else(Key::drawn, Key::of);
        let mut editor = Editor::of_masks(&ask.masks, key);
        check_masks(&mut editor, &schemas, &ask.address.topics)?;
        let opened = source::open(&ask.address, &ask.configuration, &begin, &clock)?;
        let until = if ask.follow { Until::Time(ask.until_ms) } else { Until::Now };
        let feed = Topics::new(opened, until, clock.clone())?;
        let folder = Folder::create(&ask.to, ask.format, feed.topics())?;
        let keeper = Keeper::new(&ask.to);
        let topics = feed.topics().iter().map(|topic| (topic.clone(), 0)).collect();
        let told = Recording { topics, ..Recording::default() };
        Ok(Self { ask, clock, feed, folder, editor, keeper, schemas, told })
    }

    fn record(
        self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Recording),
    ) -> Result<Recording, Error> {
        let Self { ask, clock, mut feed, mut folder, editor, keeper, schemas, told } = self;
        let names = feed.topics().to_vec();
        let (begun_ns, mut flushed_ns) = (clock.now_ns(), clock.now_ns());
        let is_masked = editor.edits_values() || editor.edits_beside();
        let (framed_keys, room) = (vec![None; names.len()], Room::default());
        let mut hand = Hand { names, editor, is_masked, keeper, schemas, told, framed_keys, room };
        let left = ask.count.unwrap_or(u64::MAX);
        loop {
            let fed = feed.next(&mut |record| {
                let time_ms = record.timestamp_ms;
                let late = ask.until_ms.is_some_and(|until_ms| time_ms >= until_ms);
                let early = ask.from_ms.is_some_and(|from_ms| time_ms < from_ms);
                if late || early || hand.told.records >= left {
                    return Ok(());
                }
                hand.take(record, &mut folder)
            })?;
            if clock.since(flushed_ns) >= FLUSH_EVERY {
                flushed_ns = clock.now_ns();
                folder.flush()?;
                progress(&hand.told);
            }
            let over = ask.wall.is_some_and(|wall| clock.since(begun_ns) >= wall);
            let full = hand.told.records >= left;
            if fed == Fed::End || over || full || stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let Hand { mut told, editor, .. } = hand;
        (told.files, told.file_bytes) = folder.finish()?;
        if told.records > 0 {
            editor.check_met()?;
        }
        Ok(told)
    }
}

/// Refuses masks that cannot be, as far as that shows before the first record.
fn check_masks(editor: &mut Editor, schemas: &Schemas, topics: &[String]) -> Result<(), Error> {
    let Some(registry) = schemas.registry().filter(|_| editor.edits_values()) else {
        return Ok(());
    };
    let mut found = Vec::new();
    for topic in topics {
        if let Some(latest) = registry.latest(topic).map_err(replay::Error::from)? {
            let parsed = apache_avro::Schema::parse_str(&latest.schema_json);
            found.push(parsed.map_err(|source| replay::Error::Schema {
                id: latest.id,
                source: Box::new(source),
            })?);
        }
    }
    let schemas: Vec<&apache_avro::Schema> = found.iter().collect();
    Ok(editor.check(&schemas, found.len() == topics.len())?)
}

/// Takes records one by one.
struct Hand {
    names: Vec<String>,
    editor: Editor,
    is_masked: bool,
    keeper: Keeper,
    schemas: Schemas,
    told: Recording,
    /// By topic: whether keys are Avro with an id.
    framed_keys: Vec<Option<bool>>,
    room: Room,
}

/// Scratch space for what is masked.
#[derive(Default)]
struct Room {
    value: Vec<u8>,
    headers: Vec<Vec<u8>>,
}

impl Hand {
    fn take(&mut self, record: &Recorded<'_>, folder: &mut Folder) -> Result<(), replay::Error> {
        if self.schemas.is_somewhere() {
            if let Some((id, _)) = record.value.and_then(framed) {
                self.keep_schema(id, record.topic)?;
            }
            if let Some(key) = record.key {
                self.keep_schema_of_key(key, record.topic)?;
            }
        }
        let bytes = if self.is_masked {
            self.write_masked(record, folder)?
        } else {
            folder.push(record, &mut self.schemas)?;
            record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)
        };
        let told = &mut self.told;
        told.records += 1;
        told.bytes += bytes as u64;
        told.topics[record.topic].1 += 1;
        let time_ms = record.timestamp_ms;
        let (first_ms, last_ms) = told.timestamps_ms.unwrap_or((time_ms, time_ms));
        told.timestamps_ms = Some((first_ms.min(time_ms), last_ms.max(time_ms)));
        Ok(())
    }

    /// Keeps the schema of a value's id.
    fn keep_schema(&mut self, id: u32, topic: usize) -> Result<(), replay::Error> {
        let unknown = &mut self.told.unknown_ids;
        // Values that are no Avro may look as if they had an id, each another one.
        if unknown.len() >= UNKNOWN_IDS_MAX || unknown.contains(&id) {
            return Ok(());
        }
        if !self.keeper.keep(&mut self.schemas, id)? {
            tracing::warn!(topic = %self.names[topic], id, "the registry has no schema of this id");
            unknown.push(id);
        }
        Ok(())
    }

    /// Keeps the schema of a key's id; the first key tells whether those of its topic have any.
    fn keep_schema_of_key(&mut self, key: &[u8], topic: usize) -> Result<(), replay::Error> {
        let is_framed = match self.framed_keys[topic] {
            Some(is_framed) => is_framed,
            None => *self.framed_keys[topic].insert(self.schemas.frames(key)?),
        };
        if let Some((id, _)) = framed(key).filter(|_| is_framed) {
            self.keeper.keep(&mut self.schemas, id)?;
        }
        Ok(())
    }

    fn write_masked(
        &mut self,
        record: &Recorded<'_>,
        folder: &mut Folder,
    ) -> Result<usize, replay::Error> {
        let Self { editor, schemas, room, names, .. } = self;
        let topic = names[record.topic].as_str();
        let key = record.key.map(|key| editor.key((topic, key), schemas)).transpose()?.flatten();
        room.value.clear();
        let mut masked = record.value;
        if let Some(value) = record.value.filter(|_| editor.edits_values()) {
            editor.value((topic, value), schemas, 0, &mut room.value)?;
            masked = Some(&room.value);
        }
        let headers = editor.headers(record.headers, &mut room.headers);
        let record = Recorded { key: key.as_deref(), value: masked, headers: &headers, ..*record };
        folder.push(&record, schemas)?;
        Ok(record.key.map_or(0, <[u8]>::len) + masked.map_or(0, <[u8]>::len))
    }
}
