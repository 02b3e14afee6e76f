//! The thread of the connections: each feed is subscribed to, and the broker is told what it may send.
//!
//! Subscriptions are readers': exclusive, of a name of their own, not durable, so that the broker forgets
//! them with their connection. Nothing is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::command_subscribe::{InitialPosition, SubType};
use pulsar::message::proto::{
    BaseCommand, CommandCloseConsumer, CommandFlow, CommandGetLastMessageId,
    CommandGetLastMessageIdResponse, CommandSeek, CommandSubscribe, MessageIdData,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};
use uuid::Uuid;

use super::feed::{self, Feed, Start};
use crate::clock::Clock;
use crate::publish::pulsar::client::Client;
use crate::publish::pulsar::connection::{Connection, Reader};
use crate::publish::pulsar::drive::BACKOFF;
use crate::publish::pulsar::problem::Failure;
use crate::publish::pulsar::{Error, frame};

/// How long to wait before a question is asked again that found no answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What both threads share.
#[derive(Debug)]
pub(super) struct Shared {
    /// By partition.
    pub(super) feeds: Vec<Arc<Feed>>,
    /// Signalled when nobody reads any more.
    pub(super) close: Notify,
}

/// Keeps all feeds open until nobody reads any more.
pub(super) async fn drive(shared: Arc<Shared>, client: Client, clock: Clock) {
    let client = Arc::new(client);
    let numbers = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for feed in &shared.feeds {
        let subscriber = Subscriber {
            client: Arc::clone(&client),
            feed: Arc::clone(feed),
            numbers: Arc::clone(&numbers),
            name: name(),
            clock: clock.clone(),
        };
        tasks.spawn(async move { subscriber.keep().await });
    }
    loop {
        tokio::select! {
            () = shared.close.notified() => return,
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                let what = "keep the connections to Pulsar";
                let error = Error::Ask { what, reason: error.to_string() };
                shared.feeds.iter().for_each(|feed| feed.fail(error.clone()));
            },
        }
    }
}

struct Subscriber {
    client: Arc<Client>,
    feed: Arc<Feed>,
    /// The next subscription's number on its connection: never that of one before, of which messages may
    /// still be on their way.
    numbers: Arc<AtomicU64>,
    /// The subscription's name.
    name: String,
    clock: Clock,
}

/// A name for a subscription that nobody else has.
fn name() -> String {
    format!("tidegate-{}", Uuid::new_v4())
}

/// A subscription.
struct Line {
    connection: Arc<Connection>,
    number: u64,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connection.leave_reader(self.number);
    }
}

impl Subscriber {
    /// Subscribes, lets messages come, and subscribes again when the broker has closed it.
    async fn keep(mut self) {
        let feed = Arc::clone(&self.feed);
        let mut wait = BACKOFF.0;
        loop {
            // What closed it before is over.
            while feed.closed.notified().now_or_never().is_some() {}
            match self.open().await {
                Ok(line) => {
                    feed.opened();
                    let opened_ns = self.clock.now_ns();
                    let reason = self.serve(&line).await;
                    // What is closed at once again and again is tried less and less often.
                    if self.clock.since(opened_ns) > BACKOFF.1 {
                        wait = BACKOFF.0;
                    }
                    feed.lost(&reason);
                    drop(line);
                    // The broker may take a while until it knows that the one before is gone.
                    self.name = name();
                    info!(partition = %feed.shown, reason, "the topic is subscribed to again");
                }
                Err(Failure::Final(error)) => return feed.fail(error),
                Err(failure) => {
                    let reason = failure.reason();
                    debug!(topic = %feed.topic, reason, "the topic is not subscribed to yet");
                    feed.lost(&reason);
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    async fn open(&self) -> Result<Line, Failure> {
        let feed = &self.feed;
        let start = feed.start();
        let opened = match start {
            Start::At(at_ms) => self.seek(at_ms).await,
            _ => self.subscribe(start).await,
        };
        let line = match opened {
            Err(Failure::Final(Error::TopicMissing { .. })) if feed.was_open() => {
                // A broker that starts may not know its topics yet.
                return Err(if self.client.is_there(&feed.topic).await? {
                    Failure::Again("the topic is not loaded yet".to_owned())
                } else {
                    Failure::Final(Error::TopicGone { topic: feed.asked.clone() })
                });
            }
            opened => opened?,
        };
        if start == Start::Latest {
            // From now on it is known where it begins: with what comes after this.
            let patience = self.client.options.operation_timeout;
            let answer = last(&line.connection, line.number, patience).await;
            let answer = answer.ok_or_else(|| {
                Failure::Again("the broker does not say which message is the last".to_owned())
            })?;
            feed.begin(Start::Earliest, feed::read(&answer).0.map(|(last, _)| last));
        }
        Ok(line)
    }

    async fn subscribe(&self, start: Start) -> Result<Line, Failure> {
        let Self { client, feed, name, .. } = self;
        let connection = client.of_topic(&feed.topic).await?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let reader: Arc<dyn Reader> = Arc::<Feed>::clone(feed);
        connection.join_reader(number, &reader);
        let line = Line { connection, number };
        let answer =
            line.connection.ask(client.options.operation_timeout, |request_id| BaseCommand {
                r#type: Type::Subscribe.into(),
                subscribe: Some(CommandSubscribe {
                    topic: feed.topic.clone(),
                    subscription: name.clone(),
                    sub_type: SubType::Exclusive.into(),
                    consumer_id: number,
                    request_id,
                    consumer_name: Some(name.clone()),
                    durable: Some(false),
                    start_message_id: Some(start_id(start)),
                    read_compacted: Some(false),
                    initial_position: Some(InitialPosition::Latest.into()),
                    force_topic_creation: Some(false),
                    ..CommandSubscribe::default()
                }),
                ..BaseCommand::default()
            });
        let answer = answer.await?;
        match answer.success {
            Some(_) => Ok(line),
            None => Err(client.refusal(&answer, &feed.asked, name)),
        }
    }

    /// Subscribes at a time. The broker sets the subscription's place and closes it; who subscribes under
    /// the same name again goes on there.
    async fn seek(&self, at_ms: i64) -> Result<Line, Failure> {
        let line = self.subscribe(Start::Earliest).await?;
        let patience = self.client.options.operation_timeout;
        let answer = line.connection.ask(patience, |request_id| BaseCommand {
            r#type: Type::Seek.into(),
            seek: Some(CommandSeek {
                consumer_id: line.number,
                request_id,
                message_publish_time: Some(at_ms.max(0).unsigned_abs()),
                ..CommandSeek::default()
            }),
            ..BaseCommand::default()
        });
        let answer = answer.await?;
        if answer.success.is_none() {
            // What is before that time is left out by us; that only takes longer.
            let reason = self.client.refusal(&answer, &self.feed.asked, &self.name).reason();
            debug!(topic = %self.feed.topic, reason, "a time was not found, all is read");
            self.feed.begin(Start::Earliest, None);
            return Err(Failure::Again(reason));
        }
        if timeout(patience, self.feed.closed.notified()).await.is_err() {
            return Err(Failure::Again("the subscription stays open after a search".to_owned()));
        }
        drop(line);
        self.subscribe(Start::Earliest).await
    }

    /// Lets messages come until the subscription is closed or its connection ends; returns why.
    async fn serve(&self, Line { connection, number }: &Line) -> String {
        let Self { client, feed, .. } = self;
        loop {
            if let Some(permits) = feed.grant()
                && let Err(reason) = connection.write(flow(*number, permits)).await
            {
                connection.finish(&reason);
                return reason;
            }
            if let Some(question) = feed.question() {
                let (connection, number) = (Arc::clone(connection), *number);
                let (feed, patience) = (Arc::clone(feed), client.options.operation_timeout);
                tokio::spawn(async move {
                    let answer = last(&connection, number, patience).await;
                    if answer.is_none() {
                        sleep(ASK_AGAIN).await;
                    }
                    feed.answer(question, answer.as_ref());
                });
            }
            tokio::select! {
                () = feed.wake.notified() => {}
                () = feed.closed.notified() => {
                    // Unless the broker has done so.
                    close(connection, *number, client.options.operation_timeout).await;
                    return "its subscription was closed".to_owned();
                }
                () = connection.ended() => return "the connection ended".to_owned(),
            }
        }
    }
}

/// The id that a subscription begins with.
fn start_id(start: Start) -> MessageIdData {
    let (ledger, entry) = match start {
        Start::Earliest | Start::At(_) => (-1, -1),
        Start::Latest => (i64::MAX, i64::MAX),
        Start::With(id) => id,
    };
    MessageIdData {
        ledger_id: ledger.cast_unsigned(),
        entry_id: entry.cast_unsigned(),
        // With a place in its batch the entry itself is sent too.
        batch_index: matches!(start, Start::With(_)).then_some(0),
        ..MessageIdData::default()
    }
}

fn flow(consumer_id: u64, message_permits: u32) -> Bytes {
    frame::command(&BaseCommand {
        r#type: Type::Flow.into(),
        flow: Some(CommandFlow { consumer_id, message_permits }),
        ..BaseCommand::default()
    })
}

/// What the broker says of the last message.
async fn last(
    connection: &Connection,
    consumer_id: u64,
    patience: Duration,
) -> Option<CommandGetLastMessageIdResponse> {
    let answer = connection.ask(patience, |request_id| BaseCommand {
        r#type: Type::GetLastMessageId.into(),
        get_last_message_id: Some(CommandGetLastMessageId { consumer_id, request_id }),
        ..BaseCommand::default()
    });
    let answer = answer.await.ok()?;
    if let Some(error) = &answer.error {
        debug!(reason = error.message, "the broker does not say which message is the last");
    }
    answer.get_last_message_id_response
}

async fn close(connection: &Connection, consumer_id: u64, patience: Duration) {
    let answer = connection.ask(patience, |request_id| BaseCommand {
        r#type: Type::CloseConsumer.into(),
        close_consumer: Some(CommandCloseConsumer { consumer_id, request_id }),
        ..BaseCommand::default()
    });
    // One that is not there any more is as good as closed.
    drop(answer.await);
}
