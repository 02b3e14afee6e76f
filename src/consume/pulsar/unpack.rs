//! Unpacking: the messages of entries become records of pages.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tracing::warn;

use super::entry::{BODY_BYTES_MAX, Entry, Id, body};
use super::field::{About, Malformed, Metadata};
use crate::consume::{Given, Page, Position, Record};

/// About how much a page takes, in bytes.
const PAGE_BYTES: usize = 1 << 20;

/// What one partition's entries come to, in their order.
#[derive(Debug, Default)]
pub(super) struct Unpacking {
    /// The batch that is being handed out.
    batch: Option<Batch>,
    chunks: Chunks,
    /// No record before this one is handed out.
    from: Option<Position>,
    /// None is until one comes that is not published before this, in milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// A key out of Base64: scratch space.
    key: Vec<u8>,
}

#[derive(Debug)]
struct Batch {
    id: Id,
    publish_time_ms: i64,
    /// What was not handed out.
    rest: Bytes,
    /// The place of its first message in the entry.
    next: u32,
    count: u32,
}

/// An entry, or a message of one, that makes no sense.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where it lies.
    pub(super) position: Position,
    /// Why it makes no sense.
    pub(super) reason: String,
}

/// The position of a message in an entry.
pub(super) fn position((ledger, entry): Id, place: u32) -> Position {
    let place = u16::try_from(place).unwrap_or(u16::MAX);
    Position::of_message(ledger.max(0).cast_unsigned(), entry.max(0).cast_unsigned(), place)
}

/// Whether a page takes no more.
pub(super) fn is_full(page: &Page) -> bool {
    page.arena.len() + page.records.len() * size_of::<Record>() >= PAGE_BYTES
}

impl Unpacking {
    /// Hands out no record before a position, or before one that was published at a time or later.
    pub(super) fn new(from: Option<Position>, from_ms: Option<i64>) -> Self {
        Self { from, from_ms, ..Self::default() }
    }

    /// Adds what is left of the batch to a page; at most as much as the page takes.
    pub(super) fn go_on(&mut self, page: &mut Page) -> Result<(), Fault> {
        let Some(mut batch) = self.batch.take() else { return Ok(()) };
        while batch.next < batch.count {
            if is_full(page) {
                self.batch = Some(batch);
                return Ok(());
            }
            let position = position(batch.id, batch.next);
            batch.next += 1;
            let fault = |_| {
                let reason = "what is said of it in its batch is damaged".to_owned();
                Fault { position, reason }
            };
            let (about, value, used) = single(&batch.rest).map_err(fault)?;
            if !about.is_compacted_out && self.from.is_none_or(|from| position >= from) {
                self.push(page, &about, (position, batch.publish_time_ms), value)?;
            }
            bytes::Buf::advance(&mut batch.rest, used);
        }
        Ok(())
    }

    /// Takes the next entry: a single message comes to the page, a batch is to be gone on with.
    pub(super) fn take(&mut self, entry: Entry, page: &mut Page) -> Result<(), Fault> {
        let Entry { id, parts, .. } = entry;
        let fault = |reason: String| Fault { position: position(id, 0), reason };
        let (bytes, payload) = parts.map_err(|reason| fault(reason.to_owned()))?;
        let metadata = Metadata::read(&bytes).map_err(|malformed| fault(malformed.into()))?;
        let publish_time_ms = metadata.publish_time_ms;
        if self.from_ms.is_some_and(|from_ms| publish_time_ms < from_ms) {
            return Ok(());
        }
        self.from_ms = None;
        if metadata.is_encrypted {
            return Err(fault("it is encrypted, and we have no key".to_owned()));
        }
        let whole = match metadata.chunk {
            Some(_) => match self.chunks.take(&metadata, payload).map_err(fault)? {
                Some(whole) => whole,
                None => return Ok(()),
            },
            None => payload,
        };
        let body = body(&metadata, whole).map_err(fault)?;
        let Some(count) = metadata.batch_count else {
            let position = position(id, 0);
            if self.from.is_some_and(|from| position < from) {
                return Ok(());
            }
            return self.push(page, &metadata.about, (position, publish_time_ms), &body);
        };
        let most = u64::from(u16::MAX) + 1;
        let count = u32::try_from(count.min(most + 1)).unwrap_or(0);
        if u64::from(count) > most {
            return Err(fault(format!("it is a batch of more than {most} messages")));
        }
        self.batch = Some(Batch { id, publish_time_ms, rest: body, next: 0, count });
        Ok(())
    }

    fn push(
        &mut self,
        page: &mut Page,
        about: &About<'_>,
        (position, timestamp_ms): (Position, i64),
        value: &[u8],
    ) -> Result<(), Fault> {
        let key = match about.key {
            Some(text) if about.key_is_base64 => {
                self.key.clear();
                let decoded = STANDARD.decode_vec(text, &mut self.key);
                decoded.map_err(|error| Fault {
                    position,
                    reason: format!("its key is said to be Base64, and is not: {error}"),
                })?;
                Some(self.key.as_slice())
            }
            key => key,
        };
        let value = (!about.is_null).then_some(value);
        page.push(&Given { position, timestamp_ms, key, value }, about.properties());
        Ok(())
    }
}

/// The first message of a batch: what is said of it, its value, and how many bytes it takes.
fn single(rest: &[u8]) -> Result<(About<'_>, &[u8], usize), Malformed> {
    let (length, after) = rest.split_first_chunk().ok_or(Malformed)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (metadata, after) = after.split_at_checked(length).ok_or(Malformed)?;
    let about = About::of_single(metadata)?;
    let value = after.get(..about.value_bytes).ok_or(Malformed)?;
    Ok((about, value, 4 + length + value.len()))
}

/// Messages of which not all parts have come.
#[derive(Debug, Default)]
struct Chunks {
    /// By what the parts have in common: how many came, and their bytes.
    open: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
}

impl Chunks {
    /// Takes a part; the whole payload, if it was the last one. The record lies where its last part does.
    fn take(&mut self, metadata: &Metadata<'_>, payload: Bytes) -> Result<Option<Bytes>, String> {
        let Some(chunk) = metadata.chunk else { return Ok(Some(payload)) };
        let held: usize = self.open.values().map(|(_, bytes)| bytes.len()).sum();
        if held + payload.len() > BODY_BYTES_MAX {
            self.open.clear();
            let limit = BODY_BYTES_MAX;
            return Err(format!(
                "it is a part of a message, and parts of {limit} bytes wait for others already"
            ));
        }
        if chunk.number == 0 {
            self.open.insert(chunk.id.to_vec(), (0, Vec::new()));
        }
        let Some((count, bytes)) = self.open.get_mut(chunk.id) else {
            // It began before we did.
            warn!(part = chunk.number, "a message whose first part was not read is left out");
            return Ok(None);
        };
        // Its producer may have sent one twice.
        if chunk.number < *count {
            return Ok(None);
        }
        if chunk.number > *count {
            let (number, count) = (chunk.number, *count);
            self.open.remove(chunk.id);
            return Err(format!("it is part {number} of a message of which {count} came before"));
        }
        bytes.extend_from_slice(&payload);
        *count += 1;
        if *count < chunk.count {
            return Ok(None);
        }
        Ok(self.open.remove(chunk.id).map(|(_, bytes)| Bytes::from(bytes)))
    }
}

#[cfg(test)]
mod tests;
