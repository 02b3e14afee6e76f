//! The client: which broker a topic is at, and the connections to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::command_get_topics_of_namespace::Mode;
use pulsar::message::proto::command_lookup_topic_response::LookupType;
use pulsar::message::proto::{
    BaseCommand, CommandGetTopicsOfNamespace, CommandLookupTopic, CommandProducer,
    CommandProducerSuccess,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Address;
use super::channel::Channel;
use super::connection::{Connection, Listener, Target};
use super::options::Options;
use super::problem::{Error, Failure, of_server};

/// How often a lookup is sent on to another broker.
const REDIRECTS_MAX: usize = 20;

/// A connection that several may want to open at once: one does, the others wait for it.
type Place = Arc<Mutex<Option<Arc<Connection>>>>;

/// Asks how many partitions a topic has, as `CommandPartitionedTopicMetadata` of newer protocols does.
#[derive(Clone, PartialEq, prost::Message)]
struct AskPartitions {
    #[prost(enumeration = "Type", required, tag = "1")]
    r#type: i32,
    #[prost(message, optional, tag = "21")]
    of: Option<Partitions>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Partitions {
    #[prost(string, required, tag = "1")]
    topic: String,
    #[prost(uint64, required, tag = "2")]
    request_id: u64,
    /// Whether the broker may make the topic if it is not there. The crate's protocol lacks it.
    #[prost(bool, optional, tag = "6")]
    may_create: Option<bool>,
}

/// Connections to brokers, each made once.
pub(crate) struct Client {
    /// What the user says.
    pub(crate) options: Arc<Options>,
    connections: Mutex<BTreeMap<Target, Place>>,
    /// Which of the user's addresses answered last.
    answers: AtomicUsize,
    listener: Arc<dyn Listener>,
}

impl Client {
    /// A client without connections.
    pub(super) fn new(options: Arc<Options>, listener: Arc<dyn Listener>) -> Self {
        Self { options, connections: Mutex::default(), answers: AtomicUsize::new(0), listener }
    }

    /// A connection to any of the addresses that the user gives.
    pub(super) async fn anyone(&self) -> Result<(Arc<Connection>, Address), Failure> {
        let addresses = &self.options.addresses;
        let first = self.answers.load(Ordering::Relaxed);
        let mut reasons = Vec::new();
        for place in (0..addresses.len()).map(|place| (first + place) % addresses.len()) {
            let address = &addresses[place];
            let target = Target { address: address.clone(), behind: None };
            match self.connection(&target).await {
                Ok(connection) => {
                    self.answers.store(place, Ordering::Relaxed);
                    return Ok((connection, address.clone()));
                }
                Err(Failure::Again(reason)) => reasons.push(reason),
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Again(reasons.join("; ")))
    }

    async fn connection(&self, target: &Target) -> Result<Arc<Connection>, Failure> {
        let place = Arc::clone(self.connections.lock().await.entry(target.clone()).or_default());
        let mut place = place.lock().await;
        if let Some(known) = place.as_ref().filter(|known| !known.has_ended()) {
            return Ok(Arc::clone(known));
        }
        let opening = Connection::open(target, &self.options, &self.listener);
        // The last of several addresses is to have its turn too.
        let addresses = u32::try_from(self.options.addresses.len()).unwrap_or(u32::MAX);
        let patience = self.options.connect_timeout / addresses.max(1);
        let opened = timeout(patience, opening).await.unwrap_or_else(|_| {
            let waited_ms = patience.as_millis();
            Err(Failure::Again(format!("{}: no answer within {waited_ms} ms", target.address)))
        })?;
        Ok(Arc::clone(place.insert(opened)))
    }

    /// A connection to the broker that a topic is at.
    pub(crate) async fn of_topic(&self, topic: &str) -> Result<Arc<Connection>, Failure> {
        let (mut connection, mut asked) = self.anyone().await?;
        let mut is_authoritative = false;
        for _ in 0..REDIRECTS_MAX {
            let answer = connection.ask(self.options.operation_timeout, |request_id| BaseCommand {
                r#type: Type::Lookup.into(),
                lookup_topic: Some(CommandLookupTopic {
                    topic: topic.to_owned(),
                    request_id,
                    authoritative: Some(is_authoritative),
                    ..CommandLookupTopic::default()
                }),
                ..BaseCommand::default()
            });
            let answer = answer.await?;
            let Some(found) = answer.lookup_topic_response else {
                return Err(self.refusal(&answer, topic, ""));
            };
            let kind = found.response.and_then(|kind| LookupType::try_from(kind).ok());
            let (Some(LookupType::Redirect | LookupType::Connect), true) =
                (kind, found.error.is_none())
            else {
                let message = self.options.masked(&found.message.unwrap_or_default());
                return Err(of_server(found.error.unwrap_or_default(), &message, topic, ""));
            };
            let url =
                if asked.tls { found.broker_service_url_tls } else { found.broker_service_url };
            let broker = url.as_deref().and_then(|url| Address::several(url).ok()?.pop());
            let Some(broker) = broker else {
                let kind = if asked.tls { "an encrypted" } else { "a plain" };
                let reason =
                    format!("the broker of `{topic}` has no address for {kind} connection");
                return Err(Failure::Again(reason));
            };
            let behind = found.proxy_through_service_url.unwrap_or(false);
            let target = if behind {
                Target { behind: Some(broker.host_and_port()), address: asked.clone() }
            } else {
                Target { address: broker, behind: None }
            };
            connection = self.connection(&target).await?;
            if kind == Some(LookupType::Connect) {
                return Ok(connection);
            }
            asked = target.address;
            is_authoritative = found.authoritative.unwrap_or(false);
        }
        Err(Failure::Again(format!("the lookup of `{topic}` is sent on and on")))
    }

    /// How many partitions a topic has; 0: it is not partitioned. Brokers from 3.0.6 on say that there
    /// is none; older ones tell 0.
    pub(super) async fn partitions(&self, topic: &str) -> Result<u32, Failure> {
        let (connection, _) = self.anyone().await?;
        let answer = connection.ask(self.options.operation_timeout, |request_id| AskPartitions {
            r#type: Type::PartitionedMetadata.into(),
            of: Some(Partitions { topic: topic.to_owned(), request_id, may_create: Some(false) }),
        });
        let answer = answer.await?;
        let Some(found) = answer.partition_metadata_response else {
            return Err(self.refusal(&answer, topic, ""));
        };
        match found.error {
            Some(code) => {
                let message = self.options.masked(&found.message.unwrap_or_default());
                Err(of_server(code, &message, topic, ""))
            }
            None => Ok(found.partitions.unwrap_or(0)),
        }
    }

    /// The full names of a namespace's topics, those of partitions among them.
    pub(super) async fn topics(&self, namespace: &str) -> Result<Vec<String>, Failure> {
        let (connection, _) = self.anyone().await?;
        let answer = connection.ask(self.options.operation_timeout, |request_id| BaseCommand {
            r#type: Type::GetTopicsOfNamespace.into(),
            get_topics_of_namespace: Some(CommandGetTopicsOfNamespace {
                request_id,
                namespace: namespace.to_owned(),
                mode: Some(Mode::All.into()),
                ..CommandGetTopicsOfNamespace::default()
            }),
            ..BaseCommand::default()
        });
        let answer = answer.await?;
        match answer.get_topics_of_namespace_response {
            Some(found) => Ok(found.topics),
            None => Err(self.refusal(&answer, namespace, "")),
        }
    }

    /// Whether a topic, or a partition of one, is there; it is not made.
    pub(crate) async fn is_there(&self, topic: &str) -> Result<bool, Failure> {
        match self.topics(namespace_of(topic)).await {
            Ok(topics) => return Ok(topics.iter().any(|there| there == topic)),
            // Who may write to a topic may not always see its neighbours.
            Err(Failure::Final(Error::NotAuthorised { .. })) => {}
            Err(failure) => return Err(failure),
        }
        let whole = topic.rsplit_once("-partition-").map_or(topic, |(whole, _)| whole);
        match self.partitions(whole).await {
            Ok(_) => Ok(true),
            Err(Failure::Final(Error::TopicMissing { .. })) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Opens a channel's producer at its broker.
    pub(super) async fn produce(
        &self,
        channel: &Arc<Channel>,
        epoch: u64,
    ) -> Result<(Arc<Connection>, CommandProducerSuccess), Failure> {
        let connection = self.of_topic(&channel.topic).await?;
        // Before the answer: what comes right after it must find the channel.
        connection.join(channel);
        let answer = connection.ask(self.options.operation_timeout, |request_id| BaseCommand {
            r#type: Type::Producer.into(),
            producer: Some(CommandProducer {
                topic: channel.topic.clone(),
                producer_id: channel.id,
                request_id,
                producer_name: Some(channel.name.clone()),
                user_provided_producer_name: Some(true),
                schema: channel.schema.clone(),
                epoch: Some(epoch),
                ..CommandProducer::default()
            }),
            ..BaseCommand::default()
        });
        let success = answer.await.and_then(|answer| {
            let refused = self.refusal(&answer, &channel.asked, &channel.name);
            answer.producer_success.ok_or(refused)
        });
        match success {
            Ok(success) => Ok((connection, success)),
            Err(failure) => {
                connection.leave(channel);
                Err(failure)
            }
        }
    }

    /// What an answer that is not the one asked for says.
    pub(crate) fn refusal(&self, answer: &BaseCommand, topic: &str, producer: &str) -> Failure {
        match &answer.error {
            Some(error) => {
                of_server(error.error, &self.options.masked(&error.message), topic, producer)
            }
            None => Failure::Again("it does not answer as Pulsar does".to_owned()),
        }
    }
}

/// The tenant and namespace of a full name of a topic.
pub(super) fn namespace_of(topic: &str) -> &str {
    let path = topic.split_once("://").map_or(topic, |(_, path)| path);
    path.rsplit_once('/').map_or(path, |(namespace, _)| namespace)
}
