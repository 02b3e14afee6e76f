//! The thread of the connections: each channel is kept open, and what waits in it is written.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use pulsar::message::proto::CommandProducerSuccess;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::debug;

use super::channel::Channel;
use super::client::Client;
use super::connection::Connection;
use super::options::Options;
use super::problem::{Error, Failure};
use super::shared::Shared;

/// How long the first wait before a new try is, and how long the longest.
pub(crate) const BACKOFF: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_secs(1));

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
    /// A try failed, and there will be another.
    NotYet(Failure),
}

/// The runtime of a thread that speaks with brokers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::Ask {
        what: "start the runtime of connections",
        reason: error.to_string(),
    })
}

/// Keeps all channels open until the sink closes.
pub(super) async fn drive(
    shared: Arc<Shared>,
    client: Arc<Client>,
    opened: UnboundedSender<Opened>,
) {
    let mut tasks = JoinSet::new();
    for (place, channel) in shared.channels.iter().enumerate() {
        let (shared, client) = (Arc::clone(&shared), Arc::clone(&client));
        let (channel, opened) = (Arc::clone(channel), opened.clone());
        tasks.spawn(async move { keep(&shared, &client, (place, &channel), &opened).await });
    }
    let lingering = Arc::clone(&shared);
    tasks.spawn(async move { linger(&lingering).await });
    if let Some(timeout) = shared.options.send_timeout {
        let expiring = Arc::clone(&shared);
        tasks.spawn(async move { expire(&expiring, timeout).await });
    }
    loop {
        tokio::select! {
            () = shared.close.notified() => return,
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                let reason = error.to_string();
                shared.stop(Error::Ask { what: "keep the connections to Pulsar", reason });
            },
        }
    }
}

/// Stops the sink when a message has waited too long for its receipt.
async fn expire(shared: &Shared, timeout: Duration) {
    loop {
        sleep((timeout / 10).clamp(Duration::from_millis(1), Duration::from_secs(1))).await;
        let is_late = |channel: &&Arc<Channel>| {
            channel.oldest_ns().is_some_and(|begun_ns| shared.clock.since(begun_ns) >= timeout)
        };
        if let Some(channel) = shared.channels.iter().find(is_late) {
            return shared.stop(Error::Expired { topic: channel.asked.clone() });
        }
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
            some = shared.channels.iter().filter(|channel| channel.seal()).count() > 0;
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
    let mut was_open = false;
    let mut wait = BACKOFF.0;
    // Since when it is refused for what may pass.
    let mut refused_ns = None;
    for epoch in 0.. {
        // What closed it before is over.
        while channel.closed.notified().now_or_never().is_some() {}
        match open(client, channel, (epoch, was_open)).await {
            Ok((connection, success)) => {
                let last_sequence_id = success.last_sequence_id.unwrap_or(-1);
                if !was_open {
                    // Nobody listens if connecting was given up.
                    drop(opened.send(Opened::Producer { channel: place, last_sequence_id }));
                } else if channel.is_behind(last_sequence_id) {
                    // Somebody of our name was there while we were not.
                    return shared.stop(Error::Swallowed { topic: channel.asked.clone() });
                }
                (was_open, refused_ns) = (true, None);
                channel.rewind(success.schema_version);
                let opened_ns = shared.clock.now_ns();
                let reason = write(shared, channel, &connection).await;
                // What is refused at once again and again is tried less and less often.
                if shared.clock.since(opened_ns) > BACKOFF.1 {
                    wait = BACKOFF.0;
                }
                debug!(topic = %channel.topic, reason, "the producer is opened again");
            }
            Err(Failure::Final(error)) => return shared.stop(error),
            Err(failure) => {
                if let Failure::Patience(error) = &failure {
                    let since_ns = *refused_ns.get_or_insert(shared.clock.now_ns());
                    if shared.clock.since(since_ns) >= patience(shared, error, was_open) {
                        return shared.stop(error.clone());
                    }
                }
                let reason = failure.clone().reason();
                debug!(topic = %channel.topic, reason, "the producer is not open yet");
                drop(opened.send(Opened::NotYet(failure)));
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Opens a channel's producer; one that was open before, only if its topic is still there: brokers
/// would make another one in its place.
async fn open(
    client: &Client,
    channel: &Arc<Channel>,
    (epoch, was_open): (u64, bool),
) -> Result<(Arc<Connection>, CommandProducerSuccess), Failure> {
    let gone = || Failure::Final(Error::TopicGone { topic: channel.asked.clone() });
    if was_open && !client.is_there(&channel.topic).await? {
        return Err(gone());
    }
    match client.produce(channel, epoch).await {
        // It went between the two questions.
        Err(Failure::Final(Error::TopicMissing { .. })) if was_open => Err(gone()),
        answer => answer,
    }
}

/// How long what may pass is waited for.
fn patience(shared: &Shared, error: &Error, was_open: bool) -> Duration {
    let Options { connect_timeout, keep_alive, .. } = *shared.options;
    match error {
        // The broker may not have noticed yet that our own connection is no more.
        Error::ProducerTaken { .. } if was_open => connect_timeout.max(keep_alive * 3),
        _ => connect_timeout,
    }
}

/// Writes what waits in a channel until it is closed or its connection ends; returns why.
async fn write(shared: &Shared, channel: &Channel, connection: &Connection) -> String {
    loop {
        let now_ms = u64::try_from(shared.clock.now_us() / 1_000).unwrap_or(0);
        while let Some(frame) = channel.next(shared.options.compression, now_ms) {
            if let Err(reason) = connection.write(frame.bytes()).await {
                connection.finish(&reason);
                return reason;
            }
            if channel.closed.notified().now_or_never().is_some() {
                return "the broker closed it".to_owned();
            }
        }
        tokio::select! {
            () = channel.wake.notified() => {}
            () = channel.closed.notified() => return "the broker closed it".to_owned(),
            () = connection.ended() => return "the connection ended".to_owned(),
        }
    }
}
