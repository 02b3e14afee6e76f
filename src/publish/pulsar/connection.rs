//! A connection to a broker: what is asked and answered, and what goes on by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::{
    AuthData, BaseCommand, CommandAuthResponse, CommandConnect, CommandMessage, CommandSendError,
    CommandSendReceipt, FeatureFlags, ServerError,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::address::Address;
use super::authentication;
use super::channel::Channel;
use super::frame::{self, Taken};
use super::options::Options;
use super::problem::{Error, Failure, first_line};
use super::tls;

/// The version of the protocol that we speak: the one that knows of all that we use.
const PROTOCOL_VERSION: i32 = 19;
const CLIENT: &str = concat!("tidegate-", env!("CARGO_PKG_VERSION"));

/// The largest message of a broker that says nothing of it.
const MESSAGE_BYTES_MAX: usize = 5 << 20;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// What we connect to.
    pub(super) address: Address,
    /// Host and port of the broker that is meant, if that is a proxy.
    pub(super) behind: Option<String>,
}

/// Who hears of what becomes of messages.
pub(super) trait Listener: Send + Sync {
    /// A broker takes messages, and batches of them, of so many bytes at most.
    fn connected(&self, message_bytes_max: usize);

    /// A channel's messages have their receipt. False: it makes no sense, and the connection is to end.
    fn receipt(&self, channel: &Channel, receipt: &CommandSendReceipt) -> bool;

    /// A channel's messages were refused. False: the connection is to end.
    fn refused(&self, channel: &Channel, refusal: &CommandSendError) -> bool;
}

/// Who reads a topic over a connection.
pub(crate) trait Reader: Send + Sync {
    /// A message came, or a batch of them: `rest` is what its frame has after the command.
    fn take(&self, message: &CommandMessage, rest: Bytes);

    /// Nothing will come any more: the topic was terminated, and all of it was sent.
    fn end(&self);

    /// The broker closed it, or the connection ended.
    fn close(&self);
}

/// A connection to a broker, which ends by itself when the broker goes.
pub(crate) struct Connection {
    writer: tokio::sync::Mutex<WriteHalf<Box<dyn Stream>>>,
    books: Mutex<Books>,
    /// Given to the next request.
    request_id: AtomicU64,
    /// Whether anything came since the broker was last asked whether it is there.
    heard: AtomicBool,
    ended: AtomicBool,
    /// Signalled at the end.
    end: Notify,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Books {
    /// Who waits for an answer.
    requests: BTreeMap<u64, oneshot::Sender<BaseCommand>>,
    /// The channels that go over this connection.
    channels: BTreeMap<u64, Arc<Channel>>,
    /// Who reads over it.
    readers: BTreeMap<u64, Arc<dyn Reader>>,
}

impl Connection {
    /// Connects and says who we are; then answers come in on tasks of their own.
    pub(super) async fn open(
        target: &Target,
        options: &Arc<Options>,
        listener: &Arc<dyn Listener>,
    ) -> Result<Arc<Self>, Failure> {
        let Address { host, port, tls } = &target.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(|error| again(&target.address, &error))?;
        stream.set_nodelay(true).map_err(|error| again(&target.address, &error))?;
        let stream: Box<dyn Stream> =
            if *tls { Box::new(tls::wrap(stream, host, options).await?) } else { Box::new(stream) };
        let (mut reader, mut writer) = tokio::io::split(stream);
        let hello = connect(target, options).await?;
        writer
            .write_all(&frame::command(&hello))
            .await
            .map_err(|error| again(&target.address, &error))?;
        let mut came = BytesMut::with_capacity(READ_BYTES);
        let answer = read(&mut reader, &mut came).await;
        let answer =
            answer.map_err(|reason| Failure::Again(format!("{}: {reason}", target.address)))?;
        let answer = answer.command;
        if let Some(error) = answer.error {
            let reason = options.masked(first_line(&error.message));
            return Err(match ServerError::try_from(error.error) {
                Ok(ServerError::AuthenticationError | ServerError::AuthorizationError) => {
                    Failure::Final(Error::Authentication { service: options.service(), reason })
                }
                // It starts, has too many connections, or what it needs is not there yet.
                _ => Failure::Again(reason),
            });
        }
        let Some(connected) = answer.connected else {
            let reason = format!("{}: it does not answer as Pulsar does", target.address);
            return Err(Failure::Again(reason));
        };
        let bytes = connected.max_message_size.and_then(|bytes| usize::try_from(bytes).ok());
        listener.connected(bytes.filter(|bytes| *bytes > 0).unwrap_or(MESSAGE_BYTES_MAX));
        let connection = Arc::new(Self {
            writer: tokio::sync::Mutex::new(writer),
            books: Mutex::default(),
            request_id: AtomicU64::new(0),
            heard: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            end: Notify::new(),
        });
        let (reading, listener) = (Arc::clone(&connection), Arc::clone(listener));
        let of_reader = Arc::clone(options);
        tokio::spawn(async move {
            let reason = Box::pin(reading.serve(reader, came, &listener, &of_reader)).await;
            reading.finish(&reason);
        });
        let (watching, keep_alive) = (Arc::clone(&connection), options.keep_alive);
        tokio::spawn(async move { watching.watch(keep_alive).await });
        Ok(connection)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        loop {
            let end = self.end.notified();
            if self.has_ended() {
                return;
            }
            end.await;
        }
    }

    /// Ends it: whoever waits is told, and channels connect again.
    pub(crate) fn finish(&self, reason: &str) {
        self.ended.store(true, Ordering::Release);
        let books = std::mem::take(&mut *self.books());
        drop(books.requests);
        let (producers, readers) = (books.channels.len(), books.readers.len());
        if producers > 0 {
            warn!(
                reason,
                producers, "a connection to Pulsar ended; its producers are opened again"
            );
        }
        if readers > 0 {
            warn!(reason, readers, "a connection to Pulsar ended; its readers are opened again");
        }
        for channel in books.channels.values() {
            channel.closed.notify_one();
        }
        books.readers.values().for_each(|reader| reader.close());
        self.end.notify_waiters();
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&self, mut bytes: impl Buf) -> Result<(), String> {
        let written = async {
            let mut writer = self.writer.lock().await;
            writer.write_all_buf(&mut bytes).await?;
            writer.flush().await
        };
        tokio::select! {
            done = written => done.map_err(|error| error.to_string()),
            // A broker that takes nothing more would be waited for without end; nothing follows half
            // a frame.
            () = self.ended() => Err("the connection ended".to_owned()),
        }
    }

    /// Asks and waits for the answer; `command` is given the request's number.
    pub(crate) async fn ask<C: prost::Message>(
        &self,
        patience: Duration,
        command: impl FnOnce(u64) -> C,
    ) -> Result<BaseCommand, Failure> {
        let id = self.request_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.books().requests.insert(id, sender);
        if self.has_ended() {
            return Err(gone());
        }
        // Not under the timeout: nothing may follow half a frame.
        self.write(frame::command(&command(id))).await.map_err(Failure::Again)?;
        let answered = timeout(patience, answer).await;
        answered.map_or_else(
            |_| {
                self.books().requests.remove(&id);
                Err(Failure::Again(format!("no answer within {} s", patience.as_secs())))
            },
            |answer| answer.map_err(|_| gone()),
        )
    }

    /// Lets a channel's receipts come to it.
    pub(super) fn join(&self, channel: &Arc<Channel>) {
        self.books().channels.insert(channel.id, Arc::clone(channel));
        if self.has_ended() {
            channel.closed.notify_one();
        }
    }

    /// Takes a channel off that could not be opened.
    pub(super) fn leave(&self, channel: &Channel) {
        self.books().channels.remove(&channel.id);
    }

    /// Lets messages come to a reader, by its number on this connection.
    pub(crate) fn join_reader(&self, id: u64, reader: &Arc<dyn Reader>) {
        self.books().readers.insert(id, Arc::clone(reader));
        if self.has_ended() {
            reader.close();
        }
    }

    /// Takes a reader off.
    pub(crate) fn leave_reader(&self, id: u64) {
        self.books().readers.remove(&id);
    }

    fn channel(&self, id: u64) -> Option<Arc<Channel>> {
        self.books().channels.get(&id).cloned()
    }

    /// Takes what comes until the connection ends; returns why it does.
    async fn serve(
        &self,
        mut reader: ReadHalf<Box<dyn Stream>>,
        mut came: BytesMut,
        listener: &Arc<dyn Listener>,
        options: &Options,
    ) -> String {
        loop {
            let ended = tokio::select! {
                command = read(&mut reader, &mut came) => match command {
                    Ok(taken) => self.take(taken, listener, options).await,
                    Err(reason) => Some(reason),
                },
                () = self.ended() => Some("it was given up".to_owned()),
            };
            if let Some(reason) = ended {
                return reason;
            }
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// Takes one command; returns why the connection is to end, if so.
    async fn take(
        &self,
        Taken { command, rest }: Taken,
        listener: &Arc<dyn Listener>,
        options: &Options,
    ) -> Option<String> {
        if let Some(message) = &command.message {
            let reader = self.books().readers.get(&message.consumer_id).cloned();
            // One that was left may still be sent to.
            reader?.take(message, rest);
            return None;
        }
        if let Some(receipt) = &command.send_receipt {
            let channel = self.channel(receipt.producer_id)?;
            let is_sound = listener.receipt(&channel, receipt);
            return (!is_sound).then(|| "a receipt came out of order".to_owned());
        }
        if let Some(refusal) = &command.send_error {
            let channel = self.channel(refusal.producer_id)?;
            let goes_on = listener.refused(&channel, refusal);
            return (!goes_on).then(|| refusal.message.clone());
        }
        if let Some(close) = &command.close_producer {
            let channel = self.books().channels.remove(&close.producer_id);
            if let Some(channel) = channel {
                info!(topic = %channel.topic, "Pulsar closed a producer, which is opened again");
                channel.closed.notify_one();
            }
            return None;
        }
        if let Some(end) = &command.reached_end_of_topic {
            let reader = self.books().readers.get(&end.consumer_id).cloned();
            reader?.end();
            return None;
        }
        if let Some(close) = &command.close_consumer {
            let reader = self.books().readers.remove(&close.consumer_id);
            reader?.close();
            return None;
        }
        if command.ping.is_some() {
            let pong = BaseCommand {
                r#type: Type::Pong.into(),
                pong: Some(pulsar::message::proto::CommandPong {}),
                ..BaseCommand::default()
            };
            return self.write(frame::command(&pong)).await.err();
        }
        if command.auth_challenge.is_some() {
            // What goes wrong here ends the connection, and goes wrong again at the next one, which
            // tells.
            let (method, data) = match authentication::data(options).await {
                Ok(data) => data,
                Err(failure) => return Some(failure.reason()),
            };
            let response = AuthData { auth_method_name: method, auth_data: data };
            let response = BaseCommand {
                r#type: Type::AuthResponse.into(),
                auth_response: Some(CommandAuthResponse {
                    client_version: Some(CLIENT.to_owned()),
                    response: Some(response),
                    protocol_version: Some(PROTOCOL_VERSION),
                }),
                ..BaseCommand::default()
            };
            return self.write(frame::command(&response)).await.err();
        }
        if let Some(waiting) = request_of(&command).and_then(|id| self.books().requests.remove(&id))
        {
            // Whoever asked may have given up.
            drop(waiting.send(command));
        }
        None
    }

    /// Asks now and then whether the broker is there; ends the connection if it keeps silent.
    async fn watch(&self, every: Duration) {
        let ping = frame::command(&BaseCommand {
            r#type: Type::Ping.into(),
            ping: Some(pulsar::message::proto::CommandPing {}),
            ..BaseCommand::default()
        });
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = self.ended() => return,
            }
            let heard = self.heard.swap(false, Ordering::Relaxed);
            // A broker that takes no bytes is as good as silent.
            let written = timeout(every, self.write(ping.clone())).await;
            if !heard || !matches!(written, Ok(Ok(()))) {
                return self.finish("the broker keeps silent");
            }
        }
    }
}

/// The next command that comes.
async fn read(
    reader: &mut ReadHalf<Box<dyn Stream>>,
    came: &mut BytesMut,
) -> Result<Taken, String> {
    loop {
        if let Some(taken) = frame::take(came).map_err(|error| error.to_string())? {
            return Ok(taken);
        }
        came.reserve(READ_BYTES);
        match reader.read_buf(came).await {
            Ok(0) => return Err("the broker closed the connection".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What we say first.
async fn connect(target: &Target, options: &Options) -> Result<BaseCommand, Failure> {
    let (auth_method_name, auth_data) = authentication::data(options).await?;
    Ok(BaseCommand {
        r#type: Type::Connect.into(),
        connect: Some(CommandConnect {
            client_version: CLIENT.to_owned(),
            protocol_version: Some(PROTOCOL_VERSION),
            proxy_to_broker_url: target.behind.clone(),
            auth_method_name,
            auth_data,
            feature_flags: Some(FeatureFlags {
                supports_auth_refresh: Some(true),
                ..FeatureFlags::default()
            }),
            ..CommandConnect::default()
        }),
        ..BaseCommand::default()
    })
}

/// The request that a command answers.
fn request_of(command: &BaseCommand) -> Option<u64> {
    let BaseCommand {
        success,
        error,
        producer_success,
        lookup_topic_response,
        partition_metadata_response,
        get_topics_of_namespace_response,
        get_last_message_id_response,
        ..
    } = command;
    let ids = [
        success.as_ref().map(|it| it.request_id),
        error.as_ref().map(|it| it.request_id),
        producer_success.as_ref().map(|it| it.request_id),
        lookup_topic_response.as_ref().map(|it| it.request_id),
        partition_metadata_response.as_ref().map(|it| it.request_id),
        get_topics_of_namespace_response.as_ref().map(|it| it.request_id),
        get_last_message_id_response.as_ref().map(|it| it.request_id),
    ];
    ids.into_iter().flatten().next()
}

fn gone() -> Failure {
    Failure::Again("the connection ended".to_owned())
}

fn again(address: &Address, error: &std::io::Error) -> Failure {
    Failure::Again(format!("{address}: {error}"))
}
