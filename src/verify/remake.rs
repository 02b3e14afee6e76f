//! Single events, made again when they are needed.

use std::sync::Arc;

use super::expected::Sent;
use super::gap::Key;
use crate::stream::{self, Batch, EventStream, Options, Telling};

/// The event of a key that is due at a time of model time (microseconds since the Unix epoch): its batch
/// and its place there. None if there is none.
pub(super) fn event(
    sent: &Sent,
    key: Key,
    due_us: i64,
) -> Result<Option<(Batch, usize)>, stream::Error> {
    let at_us = (due_us - sent.plan.start_us).max(0).unsigned_abs();
    let mut options = Options {
        window_us: at_us..at_us + 1,
        count: None,
        threads: 1,
        telling: Telling::Who { bytes_one_in: 1 },
        ..sent.options.clone()
    };
    options.routes.resize_with(sent.plan.streams.len(), Default::default);
    for (number, route) in options.routes.iter_mut().enumerate() {
        route.skipped |= number != usize::from(key.stream());
    }
    let mut stream = EventStream::start(Arc::clone(&sent.plan), options)?;
    while let Some(batch) = stream.next_blocking().transpose()? {
        let identity = key.identity();
        let is_it =
            |who: &stream::Who| (who.number, who.child) == (identity.number, identity.child);
        if let Some(index) = batch.who.iter().position(is_it) {
            return Ok(Some((batch, index)));
        }
    }
    Ok(None)
}
