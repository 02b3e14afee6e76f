//! Channels: the producers of one stream to one partition each, with what waits for its receipt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pulsar::message::proto::{CommandSend, CompressionType, MessageMetadata, Schema};
use tokio::sync::Notify;

use super::batch::{Batch, Message, Sent, compressed};
use super::frame::{self, Frame};
use super::options::{Batcher, Compression};
use super::window::Window;

/// Bits of a message's rank in its tick: the lower ones of a sequence id.
const RANK_BITS: u32 = 27;

/// How many batches' memory a channel keeps for the next ones at most.
const SPARES_MAX: usize = 16;

/// The first sequence id of a tick.
pub(super) fn first_id(tick: u64) -> u64 {
    tick << RANK_BITS
}

/// A producer of one stream to one partition.
#[derive(Debug)]
pub(super) struct Channel {
    /// Its number on every connection.
    pub(super) id: u64,
    /// The full name of its topic, with the partition.
    pub(super) topic: String,
    /// The topic's name as the user says it.
    pub(super) asked: String,
    /// The producer's name.
    pub(super) name: String,
    /// The schema of its messages, if Pulsar is to know it.
    pub(super) schema: Option<Schema>,
    /// Signalled when there is something to send.
    pub(super) wake: Notify,
    /// Signalled when the broker has closed it.
    pub(super) closed: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last sequence id that the topic had when a run went on; none if it begins.
    known: Option<u64>,
    /// The batch that more may join.
    open: Batch,
    /// Bytes and messages of the batch before: it is likely to become as large.
    before: (usize, usize),
    /// Memory of batches that have their receipts: asking for new memory, and moving what was written
    /// whenever it grows, costs more than writing it.
    spare: Vec<Vec<u8>>,
    /// Messages that wait for the end of their window, if batches have one key each.
    window: Window,
    /// Batches without a receipt, in send order.
    pending: VecDeque<Pending>,
    /// How many of them were written to the connection.
    written: usize,
    /// The tick of the last message, and its rank in it.
    last: Option<(u64, u64)>,
    schema_version: Option<Vec<u8>>,
}

/// A batch that waits for its receipt.
#[derive(Debug)]
struct Pending {
    batch: Batch,
    frame: Option<Frame>,
    /// How often it was written.
    times_written: u32,
}

/// A batch that has its receipt.
#[derive(Debug)]
pub(super) struct Settled {
    /// Its messages.
    pub(super) sent: Vec<Sent>,
    /// Whether it was written more than once.
    pub(super) was_repeated: bool,
}

/// What a receipt or a refusal names.
#[derive(Debug)]
pub(super) enum Place {
    /// The first batch that waits.
    First(Settled),
    /// One that has its receipt already.
    Past,
    /// One that others should come before.
    Ahead,
}

/// How large batches become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most messages.
    pub(super) messages: usize,
    /// The most bytes, unless one message is larger.
    pub(super) bytes: usize,
}

impl Channel {
    /// A channel that nothing was sent on.
    pub(super) fn new(
        id: u64,
        (asked, topic): (&str, String),
        name: String,
        schema: Option<Schema>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            topic,
            asked: asked.to_owned(),
            name,
            schema,
            wake: Notify::new(),
            closed: Notify::new(),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the last sequence id that the topic has of this producer: up to it all is there.
    pub(super) fn goes_on_after(&self, sequence_id: u64) {
        self.lock().known = Some(sequence_id);
    }

    /// Whether the topic had messages of this producer when the run went on.
    pub(super) fn goes_on(&self) -> bool {
        self.lock().known.is_some()
    }

    /// Whether the topic had a sequence id when the run went on.
    pub(super) fn knew(&self, sequence_id: u64) -> bool {
        self.lock().known.is_some_and(|known| sequence_id <= known)
    }

    /// Locks the channel to add messages.
    pub(super) fn begin(&self, batcher: Batcher) -> Adding<'_> {
        Adding { channel: self, state: self.lock(), batcher, sealed: false }
    }

    /// Ends the window that messages wait in, if it is another one than that of the latest message of
    /// any channel; `None`: whichever it is.
    pub(super) fn end_window(&self, latest: Option<u64>, limits: Limits, now_ns: i64) {
        let mut state = self.lock();
        let is_over = latest.map_or(!state.window.is_empty(), |it| state.window.is_before(it));
        if is_over {
            state.close(limits, now_ns);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Closes the batch that is open, if nothing of this channel is on its way: as long as something
    /// is, more may join it. Returns whether one stays open.
    pub(super) fn seal(&self) -> bool {
        let mut state = self.lock();
        if state.open.is_empty() {
            return false;
        }
        let due = state.pending.is_empty();
        if due {
            state.seal();
            drop(state);
            self.wake.notify_one();
        }
        !due
    }

    /// The next batch that is to be written.
    pub(super) fn next(&self, compression: Compression, now_ms: u64) -> Option<Frame> {
        let mut state = self.lock();
        let State { pending, written, schema_version, .. } = &mut *state;
        let pending = pending.get_mut(*written)?;
        let frame = pending.frame.get_or_insert_with(|| {
            self.frame(&mut pending.batch, schema_version.clone(), (compression, now_ms))
        });
        pending.times_written += 1;
        *written += 1;
        Some(frame.clone())
    }

    fn frame(
        &self,
        batch: &mut Batch,
        schema_version: Option<Vec<u8>>,
        (compression, publish_time): (Compression, u64),
    ) -> Frame {
        let body = std::mem::take(&mut batch.body);
        let uncompressed = u32::try_from(body.len()).ok();
        let (body, compression) = match compression {
            Compression::None => (Bytes::from(body), CompressionType::None),
            by => (compressed(body, by), kind(by)),
        };
        let is_compressed = compression != CompressionType::None;
        let (first, last) = batch.ids;
        let count = i32::try_from(batch.len()).unwrap_or(i32::MAX);
        let metadata = MessageMetadata {
            producer_name: self.name.clone(),
            sequence_id: first,
            highest_sequence_id: Some(last),
            publish_time,
            partition_key: batch.key.take().and_then(|key| String::from_utf8(key).ok()),
            partition_key_b64_encoded: batch.key_is_base64.then_some(true),
            compression: is_compressed.then(|| compression.into()),
            uncompressed_size: uncompressed.filter(|_| is_compressed),
            num_messages_in_batch: Some(count),
            schema_version,
            ..MessageMetadata::default()
        };
        let send = CommandSend {
            producer_id: self.id,
            sequence_id: first,
            highest_sequence_id: Some(last),
            num_messages: Some(count),
            ..CommandSend::default()
        };
        frame::messages(send, &metadata, body)
    }

    /// Takes what a receipt names.
    pub(super) fn settle(&self, sequence_id: u64) -> Place {
        let mut state = self.lock();
        let Some(first) = state.pending.front() else { return Place::Past };
        let (from, to) = first.batch.ids;
        if sequence_id < from {
            return Place::Past;
        }
        // Receipts name the first id, refusals the last.
        if sequence_id > to {
            return Place::Ahead;
        }
        // It may be of before the channel was opened again, and not be written since.
        state.written = state.written.saturating_sub(1);
        match state.pending.pop_front() {
            Some(Pending { batch, frame, times_written }) => {
                state.keep(frame);
                let was_repeated = times_written > 1;
                Place::First(Settled { sent: batch.sent, was_repeated })
            }
            None => Place::Past,
        }
    }

    /// After a new connection: all that has no receipt is to be written again.
    pub(super) fn rewind(&self, schema_version: Option<Vec<u8>>) {
        let mut state = self.lock();
        state.written = 0;
        state.schema_version = schema_version;
    }

    /// Whether the broker's last sequence id is one that nothing was sent with yet.
    pub(super) fn is_behind(&self, last_sequence_id: i64) -> bool {
        let state = self.lock();
        let sent = state.last.map(|(tick, rank)| first_id(tick) + rank).max(state.known);
        u64::try_from(last_sequence_id).is_ok_and(|last| sent.is_none_or(|sent| sent < last))
    }

    /// How many messages wait for the end of their window.
    pub(super) fn held_count(&self) -> u64 {
        self.lock().window.len() as u64
    }

    /// When the first of what waits for its receipt came, in nanoseconds since the Unix epoch.
    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.lock().pending.front().map(|pending| pending.batch.begun_ns)
    }
}

impl State {
    /// Begins a batch.
    fn begin(&mut self, now_ns: i64) {
        let (bytes, messages) = self.before;
        let mut body = self.spare.pop().unwrap_or_default();
        // A little more, so that one slightly larger does not move.
        body.reserve(bytes + bytes / 16);
        let sent = Vec::with_capacity(messages);
        self.open = Batch { body, sent, begun_ns: now_ns, ..Batch::default() };
    }

    /// Keeps the memory of what has its receipt; never of more batches than are on their way, so that
    /// a channel at rest keeps none.
    fn keep(&mut self, frame: Option<Frame>) {
        let most = self.pending.len().min(SPARES_MAX);
        self.spare.truncate(most);
        if self.spare.len() < most
            && let Some(Ok(mut body)) = frame.map(|frame| frame.body.try_into_mut())
        {
            body.clear();
            self.spare.push(body.into());
        }
    }

    fn seal(&mut self) {
        let batch = std::mem::take(&mut self.open);
        self.before = (batch.body.len(), batch.len());
        self.pending.push_back(Pending::new(batch));
    }

    /// Ends the window: its batches are to be sent.
    fn close(&mut self, limits: Limits, now_ns: i64) {
        let Self { window, pending, last, .. } = self;
        let number = |tick| number(last, tick);
        window.close(limits, now_ns, number, |batch| pending.push_back(Pending::new(batch)));
    }
}

impl Pending {
    fn new(batch: Batch) -> Self {
        Self { batch, frame: None, times_written: 0 }
    }
}

impl Limits {
    /// Whether a batch takes no value of so many bytes more.
    pub(super) fn are_met(self, batch: &Batch, value_bytes: usize) -> bool {
        batch.len() >= self.messages || batch.body.len() + value_bytes > self.bytes
    }
}

/// The sequence id of the next message, which is due in a tick; `last` is the tick of the one before
/// and its rank in it.
fn number(last: &mut Option<(u64, u64)>, tick: u64) -> u64 {
    let (tick, rank) = match *last {
        // A tick before the last one's would be swallowed.
        Some((before, rank)) if tick <= before => (before, rank + 1),
        _ => (tick, 0),
    };
    *last = Some((tick, rank));
    first_id(tick) + rank
}

/// A channel that messages are added to.
#[derive(Debug)]
pub(super) struct Adding<'a> {
    channel: &'a Channel,
    state: MutexGuard<'a, State>,
    batcher: Batcher,
    sealed: bool,
}

/// When a message is added.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The tick that it is due in.
    pub(super) tick: u64,
    /// The window that it is due in.
    pub(super) window: u64,
    /// The wall clock, in nanoseconds since the Unix epoch.
    pub(super) now_ns: i64,
}

impl Adding<'_> {
    /// Adds a message, whose sequence id follows from its tick; false if the topic has it already. (Those
    /// that have batches by key are sent again as they were, and the broker says so.)
    pub(super) fn push(
        &mut self,
        at: At,
        limits: Limits,
        (message, sent): (Message<'_>, Sent),
        properties: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let state = &mut *self.state;
        if self.batcher == Batcher::Key {
            if state.window.is_before(at.window) || state.window.is_full() {
                state.close(limits, at.now_ns);
                self.sealed = true;
            }
            state.window.push((at.window, at.tick), (&message, sent), properties);
            return true;
        }
        let sequence_id = number(&mut state.last, at.tick);
        if state.known.is_some_and(|known| sequence_id <= known) {
            return false;
        }
        let value_bytes = message.value.map_or(0, <[u8]>::len);
        if !state.open.is_empty() && limits.are_met(&state.open, value_bytes) {
            state.seal();
            self.sealed = true;
        }
        if state.open.is_empty() {
            state.begin(at.now_ns);
        }
        if limits.messages == 1 {
            // Whoever shares by key sees the key of the batch alone.
            state.open.has_key_of(&message);
        }
        state.open.push(&Message { sequence_id, ..message }, sent, properties);
        true
    }

    /// Lets go of the channel; whether a batch stays open.
    pub(super) fn end(mut self, limits: Limits) -> bool {
        if self.state.open.len() >= limits.messages {
            self.state.seal();
            self.sealed = true;
        }
        let is_open = !self.state.open.is_empty();
        let Self { channel, state, sealed, .. } = self;
        drop(state);
        if sealed {
            channel.wake.notify_one();
        }
        is_open
    }
}

fn kind(compression: Compression) -> CompressionType {
    match compression {
        Compression::None => CompressionType::None,
        Compression::Lz4 => CompressionType::Lz4,
        Compression::Zlib => CompressionType::Zlib,
        Compression::Zstd => CompressionType::Zstd,
        Compression::Snappy => CompressionType::Snappy,
    }
}

#[cfg(test)]
mod tests;
