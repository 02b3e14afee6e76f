//! The thread of the connections: each channel is kept open, and what waits in it is written.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::channel::Channel;
use super::client::Client;
use super::connection::Connection;
use super::problem::{Error, Failure};
use super::shared::Shared;

/// How long the first wait before a new try is, and how long the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What the thread tells while the sink connects.
#[derive(Debug)]
pub(super) enum Opened {
    /// A channel has its producer.
    Producer {
        /// Its number.
        channel: usize,
        /// The last sequence id that the broker knows of it; −1: none.
        last_sequence_id: i64,
    },
    /// A try failed.
    NotYet {
        /// Why.
        reason: String,
    },
}

/// Keeps all channels open until the sink closes.
pub(super) async fn drive(
    shared: Arc<Shared>,
    client: Arc<Client>,
    opened: UnboundedSender<Opened>,
) {
    for (place, channel) in shared.channels.iter().enumerate() {
        let (shared, client) = (Arc::clone(&shared), Arc::clone(&client));
        let (channel, opened) = (Arc::clone(channel), opened.clone());
        tokio::spawn(async move { keep(&shared, &client, (place, &channel), &opened).await });
    }
    let lingering = Arc::clone(&shared);
    tokio::spawn(async move { linger(&lingering).await });
    while !shared.closing.load(Ordering::Acquire) {
        shared.close.notified().await;
    }
}

/// Closes batches that have waited long enough.
async fn linger(shared: &Shared) {
    let delay = shared.options.batch_delay.max(Duration::from_micros(100));
    loop {
        shared.lingering.notified().await;
        let mut some = true;
        while some {
            sleep(delay).await;
            let now_ns = shared.clock.now_ns();
            some = shared.channels.iter().filter(|channel| channel.seal(now_ns)).count() > 0;
        }
    }
}

/// Opens a channel's producer, writes what waits in it, and opens it again when it is closed.
async fn keep(
    shared: &Shared,
    client: &Client,
    (place, channel): (usize, &Arc<Channel>),
    opened: &UnboundedSender<Opened>,
) {
    let (mut wait, mut waited) = (BACKOFF.0, Duration::ZERO);
    for epoch in 0.. {
        // What closed it before is over.
        while channel.closed.notified().now_or_never().is_some() {}
        match client.produce(channel, epoch).await {
            Ok((connection, success)) => {
                let last_sequence_id = success.last_sequence_id.unwrap_or(-1);
                // Nobody listens once all are open.
                drop(opened.send(Opened::Producer { channel: place, last_sequence_id }));
                channel.rewind(success.schema_version);
                (wait, waited) = (BACKOFF.0, Duration::ZERO);
                let reason = write(shared, channel, &connection).await;
                warn!(topic = %channel.topic, reason, "the producer is opened again");
            }
            Err(failure) => {
                let reason = match failure {
                    Failure::Final(error) => return shared.stop(error),
                    Failure::Patience(error) if waited >= shared.options.connect_timeout => {
                        return shared.stop(error);
                    }
                    Failure::Patience(error) => error.to_string(),
                    Failure::Again(reason) => reason,
                };
                debug!(topic = %channel.topic, reason, "the producer is not open yet");
                drop(opened.send(Opened::NotYet { reason }));
            }
        }
        if let Some(timeout) = shared.options.send_timeout
            && channel.oldest_ns().is_some_and(|oldest_ns| {
                let age_ns = shared.clock.now_ns() - oldest_ns;
                u128::try_from(age_ns).is_ok_and(|age_ns| age_ns >= timeout.as_nanos())
            })
        {
            return shared.stop(Error::Expired { topic: channel.asked.clone() });
        }
        sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Writes what waits in a channel until it is closed or its connection ends; returns why.
async fn write(shared: &Shared, channel: &Channel, connection: &Connection) -> String {
    loop {
        let now_ms = u64::try_from(shared.clock.now_us() / 1_000).unwrap_or(0);
        while let Some(frame) = channel.next(shared.options.compression, now_ms) {
            if let Err(reason) = connection.send(&frame).await {
                connection.finish();
                return reason;
            }
        }
        tokio::select! {
            () = channel.wake.notified() => {}
            () = channel.closed.notified() => return "the broker closed it".to_owned(),
            () = connection.ended() => return "the connection ended".to_owned(),
        }
    }
}
