//! Faults: what is done on purpose to finished batches, before they are paced.
//!
//! [`Faulted`] stands between an [`EventStream`] and the pacer. It asks the plan's
//! [`crate::plan::fault::Faults`] of each event what is done to it, keeps back what comes later, and
//! adds the entries of the stream that tells of all this. So that a run begins anywhere, it makes the
//! events of before the window again, as far back as anything is kept.

mod change;
mod counts;
mod decide;
mod entry;
mod kept;

use std::sync::Arc;

use super::digest::Digest;
use super::pacer::Source;
use super::{Batch, Error, EventStream, Options, Record, Route, Telling, Who};
use crate::plan::{Origin, Plan};
use change::Shape;
pub use counts::{Count, Counts};
use decide::{Fate, Judge};
use entry::Teller;
use kept::{Copy, Kept};

/// How many bytes of a batch faults make at most.
const ARENA_BYTES_MAX: usize = 1 << 30;

/// What was done to an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// The number of the fault in the plan.
    pub fault: usize,
    /// What was done, as the ledger calls it.
    pub kind: &'static str,
    /// The stream of the event.
    pub stream: u16,
    /// Who the event is.
    pub who: Who,
    /// When it would have been sent, in microseconds of model time since the Unix epoch.
    pub due_us: i64,
    /// When the fault shows: when what it made is sent, or what it keeps away would have been.
    pub shows_us: i64,
    /// Whether anything is sent because of it: the event itself, or another copy.
    pub sent: bool,
    /// The partition that it was sent to, or kept from; −1: left open.
    pub partition: i32,
    /// The key that the event has by the model, as it is written.
    pub key: Option<Vec<u8>>,
    /// The key that it was sent with instead.
    pub new_key: Option<Vec<u8>>,
    /// Which bytes of the value are others.
    pub offsets: Vec<u32>,
    /// How long the value is that was sent; none: there is none.
    pub value_bytes: Option<u32>,
    /// The schema that the value names wrongly.
    pub schema_id: Option<u32>,
    /// The event of the same key that it was sent right after.
    pub overtaken_by: Option<Who>,
    /// Which record of the batch was made by it; none if none was.
    pub record: Option<usize>,
    /// Which record of the batch tells of it, if its stream is sent.
    pub entry: Option<usize>,
}

/// A batch as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The records in send order, with bytes and with who they are; its digest is that of the events
    /// as they were made.
    ///
    /// A duplicate is who its original is. Of an entry of the ledger the number is
    /// [`crate::plan::fault::Ledger::number`].
    pub batch: Batch,
    /// What was done to them, in the order of [`Deed::shows_us`].
    pub deeds: Vec<Deed>,
}

/// The events of a plan, with what its faults do to them.
///
/// As with an [`EventStream`], threads, batches, windows and shards change nothing: what is sent
/// together with its ledger is the same. Only which events keep partitions silent, or follow a wrong
/// key, depends on the partitions of the routes.
#[derive(Debug)]
pub struct Faulted {
    plan: Arc<Plan>,
    routes: Vec<Route>,
    shapes: Vec<Shape>,
    events: EventStream,
    kept: Kept,
    /// Whether what is done is told.
    tells: bool,
    /// How many records may still be handed out, if that is bounded.
    left: Option<u64>,
    last: Last,
    counts: Arc<Counts>,
}

impl Faulted {
    /// Starts the threads that make batches. What is told of them is who they are, with their bytes,
    /// whatever the options say; [`Options::events_max`] counts what is sent.
    ///
    /// If the window begins amid the model, it first makes what may be kept back there, on this thread:
    /// the events of at most an hour before.
    pub fn start(plan: Arc<Plan>, options: Options) -> Result<Self, Error> {
        let telling = Telling::Who { bytes_one_in: 1 };
        let left = options.events_max;
        let options = Options { telling, events_max: None, ..options };
        let mut routes = options.routes.clone();
        routes.resize_with(plan.streams.len(), Route::default);
        let begin_us = options.window_us.start;
        let before_us = begin_us.saturating_sub(plan.faults.kept_us)..begin_us;
        let before =
            Options { window_us: before_us, count: None, digest: false, ..options.clone() };
        let streams = plan.streams.iter().zip(&routes);
        let mut faulted = Self {
            shapes: streams.map(|(stream, route)| Shape::of(stream, route)).collect(),
            events: EventStream::start(Arc::clone(&plan), options)?,
            counts: Arc::new(Counts::new(&plan)),
            plan,
            routes,
            kept: Kept::default(),
            tells: true,
            left,
            last: Last::default(),
        };
        faulted.catch_up(before)?;
        Ok(faulted)
    }

    /// Keeps back what was made before the window and comes in it, or after.
    fn catch_up(&mut self, before: Options) -> Result<(), Error> {
        if before.window_us.is_empty() {
            return Ok(());
        }
        self.tells = false;
        let mut events = EventStream::start(Arc::clone(&self.plan), before)?;
        while let Some(batch) = events.next_blocking() {
            // What comes before the window is done with, and nobody is told.
            self.send(batch?)?;
        }
        self.tells = true;
        Ok(())
    }

    /// Counts what faults did to what was issued.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The next batch and what was done to it, waiting for it on this thread; none at the end.
    pub fn next_sent(&mut self) -> Option<Result<Sent, Error>> {
        if self.left == Some(0) {
            return None;
        }
        let batch = match self.events.next_blocking()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        Some(self.send(batch).map(|sent| self.bound(sent)))
    }

    /// Does to a batch what is done to it.
    fn send(&mut self, made: Batch) -> Result<Sent, Error> {
        let mut arena = Arc::try_unwrap(made.arena).unwrap_or_else(|shared| shared.to_vec());
        let judge = Judge { plan: &self.plan, routes: &self.routes, shapes: &self.shapes };
        let mut items = Vec::with_capacity(made.records.len());
        let mut deeds = Vec::new();
        for (record, &who) in made.records.iter().zip(&made.who) {
            match judge.fate(record, who, &arena) {
                Fate::Plain => {
                    if record.keyed {
                        self.kept.comes(record, &arena[record.key_range()], who);
                    }
                    items.push(Item { record: *record, who, by: By::Model });
                }
                Fate::Gone(deed) => deeds.push(*deed),
                Fate::Later(copy) => self.kept.keep(*copy)?,
                Fate::Again(copy) => {
                    items.push(Item { record: *record, who, by: By::Model });
                    self.kept.keep(*copy)?;
                }
                Fate::Waits(copy, until_us) => {
                    self.kept.wait(&arena[record.key_range()], *copy, until_us)?;
                }
                Fate::Changed(copy) => {
                    let record = put(&mut arena, &copy)?;
                    items.push(Item {
                        record,
                        who,
                        by: By::Fault { deed: deeds.len(), moved: false },
                    });
                    deeds.push(copy.deed);
                }
            }
        }
        for copy in self.kept.due_before(made.window_us.end) {
            let record = put(&mut arena, &copy)?;
            let moved = copy.rank().moved;
            items.push(Item { record, who: copy.who, by: By::Fault { deed: deeds.len(), moved } });
            deeds.push(copy.deed);
        }
        let deeds = in_order(deeds, &mut items);
        let entries = match self.teller() {
            Some(teller) => teller.write(&deeds, &self.shapes, &mut arena)?,
            None => Vec::new(),
        };
        items.extend(entries.into_iter().enumerate().map(|(deed, (record, who))| Item {
            record,
            who,
            by: By::Teller { deed },
        }));
        let arena = Arc::new(arena);
        // Its bytes stand where they were: to be looked at again if the batch is cut.
        let made = Batch { arena: Arc::clone(&arena), ..made };
        let sent = sent(&made, items, deeds);
        let marks = sent.deeds.iter().map(mark);
        self.last = Last { marks: marks.collect(), records: sent.batch.records.len(), made };
        Ok(sent)
    }

    fn teller(&self) -> Option<Teller<'_>> {
        let streams = self.plan.streams.iter().enumerate();
        let (number, stream, ledger) = streams.into_iter().find_map(|(number, stream)| {
            let Origin::Ledger(ledger) = &stream.origin else { return None };
            Some((number, stream, ledger))
        })?;
        let route = self.routes[number];
        let number = u16::try_from(number).ok()?;
        (self.tells && !route.skipped).then_some(Teller {
            plan: &self.plan,
            number,
            stream,
            ledger,
            route,
        })
    }

    /// Leaves no more records in a batch than may be handed out.
    fn bound(&mut self, mut sent: Sent) -> Sent {
        let Some(left) = &mut self.left else { return sent };
        let room = usize::try_from(*left).unwrap_or(usize::MAX);
        *left = left.saturating_sub(sent.batch.records.len() as u64);
        if sent.batch.records.len() > room {
            let batch = &mut sent.batch;
            batch.records = Arc::new(batch.records[..room].to_vec());
            batch.who.truncate(room);
            let until_us = batch.records.last().map_or(i64::MIN, |last| last.due_us);
            sent.deeds.retain(|deed| deed.shows_us <= until_us);
            for deed in &mut sent.deeds {
                deed.record = deed.record.filter(|place| *place < room);
                deed.entry = deed.entry.filter(|place| *place < room);
            }
            self.last.marks.retain(|(shows_us, ..)| *shows_us <= until_us);
            self.last.records = room;
            sent.batch.digest = Source::digest(self, &sent.batch);
        }
        sent
    }
}

impl Source for Faulted {
    fn next(&mut self) -> Option<Result<Batch, Error>> {
        let next = self.next_sent().map(|sent| sent.map(|sent| sent.batch));
        if next.is_none() {
            self.counts.end(self.kept.deeds().map(mark));
        }
        next
    }

    /// The digest of the events that were made, up to the time of the last record.
    fn digest(&self, batch: &Batch) -> Option<Digest> {
        let until_us = batch.records.last()?.due_us;
        let mut made = self.last.made.clone();
        made.retain(|record| record.due_us <= until_us);
        self.events.digest(&made)
    }

    fn issued(&mut self, batch: &Batch, records: usize) {
        let until_us = match records.checked_sub(1) {
            _ if records == self.last.records => i64::MAX,
            Some(last) => batch.records[last].due_us,
            None => return,
        };
        let marks = self.last.marks.iter().copied();
        self.counts.add(marks.filter(|(shows_us, ..)| *shows_us <= until_us));
    }
}

fn mark(deed: &Deed) -> counts::Mark {
    (deed.shows_us, deed.fault, deed.kind, deed.stream)
}

/// The last batch: as it was made, and what was done.
#[derive(Debug, Default)]
struct Last {
    made: Batch,
    marks: Vec<counts::Mark>,
    /// How many records it has as it is sent.
    records: usize,
}

/// A record on its way into a batch.
#[derive(Clone, Copy, Debug)]
struct Item {
    record: Record,
    who: Who,
    by: By,
}

/// What made a record.
#[derive(Clone, Copy, Debug)]
enum By {
    Model,
    Fault { deed: usize, moved: bool },
    Teller { deed: usize },
}

/// Puts deeds in the order in which they show; items keep to theirs.
fn in_order(deeds: Vec<Deed>, items: &mut [Item]) -> Vec<Deed> {
    let mut numbered: Vec<(usize, Deed)> = deeds.into_iter().enumerate().collect();
    numbered.sort_by_key(|(_, it)| (it.shows_us, it.stream, it.due_us, it.who));
    let mut places = vec![0; numbered.len()];
    for (place, (before, _)) in numbered.iter().enumerate() {
        places[*before] = place;
    }
    for item in items {
        if let By::Fault { deed, .. } = &mut item.by {
            *deed = places[*deed];
        }
    }
    numbered.into_iter().map(|(_, deed)| deed).collect()
}

/// The batch of some records, in send order.
fn sent(made: &Batch, mut items: Vec<Item>, mut deeds: Vec<Deed>) -> Sent {
    // Those that no fault moved are in order already; the sort is stable and merges runs.
    let moved = |item: &Item| matches!(item.by, By::Fault { moved: true, .. });
    items.sort_by_key(|item| (item.record.due_us, item.record.stream, moved(item)));
    for (place, item) in items.iter().enumerate() {
        match item.by {
            By::Model => {}
            By::Fault { deed, .. } => deeds[deed].record = Some(place),
            By::Teller { deed } => deeds[deed].entry = Some(place),
        }
    }
    let batch = Batch {
        records: Arc::new(items.iter().map(|item| item.record).collect()),
        who: items.iter().map(|item| item.who).collect(),
        ..made.clone()
    };
    Sent { batch, deeds }
}

/// Puts the bytes of a record into an arena; where it is now.
fn put(arena: &mut Vec<u8>, copy: &Copy) -> Result<Record, Error> {
    let start = word(arena.len())?;
    arena.extend_from_slice(&copy.bytes);
    Ok(Record { start, ..copy.record })
}

/// A place in an arena, or a length.
fn word(bytes: usize) -> Result<u32, Error> {
    let swollen = Error::Swollen { limit_mib: ARENA_BYTES_MAX >> 20 };
    if bytes > ARENA_BYTES_MAX { Err(swollen) } else { u32::try_from(bytes).map_err(|_| swollen) }
}
