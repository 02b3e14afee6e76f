//! The client: which broker a topic is at, and the connections to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::command_lookup_topic_response::LookupType;
use pulsar::message::proto::{
    BaseCommand, CommandGetTopicsOfNamespace, CommandLookupTopic, CommandPartitionedTopicMetadata,
    CommandProducer, CommandProducerSuccess,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Address;
use super::channel::Channel;
use super::connection::{Connection, Listener, Target};
use super::options::Options;
use super::problem::{Failure, of_server};

/// How often a lookup is sent on to another broker.
const REDIRECTS_MAX: usize = 20;

/// Connections to brokers, each made once.
pub(super) struct Client {
    /// What the user says.
    pub(super) options: Arc<Options>,
    connections: Mutex<BTreeMap<Target, Arc<Connection>>>,
    listener: Arc<dyn Listener>,
}

impl Client {
    /// A client without connections.
    pub(super) fn new(options: Arc<Options>, listener: Arc<dyn Listener>) -> Self {
        Self { options, connections: Mutex::default(), listener }
    }

    /// A connection to any of the addresses that the user gives.
    pub(super) async fn anyone(&self) -> Result<(Arc<Connection>, Address), Failure> {
        let mut last = Failure::Again("there is no address".to_owned());
        for address in &self.options.addresses {
            let target = Target { address: address.clone(), behind: None };
            match self.connection(&target).await {
                Ok(connection) => return Ok((connection, address.clone())),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn connection(&self, target: &Target) -> Result<Arc<Connection>, Failure> {
        let mut connections = self.connections.lock().await;
        if let Some(known) = connections.get(target).filter(|known| !known.has_ended()) {
            return Ok(Arc::clone(known));
        }
        let opening = Connection::open(target, &self.options, &self.listener);
        let patience = self.options.connect_timeout;
        let opened = timeout(patience, opening).await.unwrap_or_else(|_| {
            let waited = patience.as_secs();
            Err(Failure::Again(format!("{}: no answer within {waited} s", target.address)))
        })?;
        connections.insert(target.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    /// A connection to the broker that a topic is at.
    async fn of_topic(&self, topic: &str) -> Result<Arc<Connection>, Failure> {
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
                return Err(refusal(&answer, topic));
            };
            let kind = found.response.and_then(|kind| LookupType::try_from(kind).ok());
            let (Some(LookupType::Redirect | LookupType::Connect), true) =
                (kind, found.error.is_none())
            else {
                let message = found.message.unwrap_or_default();
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

    /// How many partitions a topic has; 0: it is not partitioned.
    pub(super) async fn partitions(&self, topic: &str) -> Result<u32, Failure> {
        let (connection, _) = self.anyone().await?;
        let answer = connection.ask(self.options.operation_timeout, |request_id| BaseCommand {
            r#type: Type::PartitionedMetadata.into(),
            partition_metadata: Some(CommandPartitionedTopicMetadata {
                topic: topic.to_owned(),
                request_id,
                ..CommandPartitionedTopicMetadata::default()
            }),
            ..BaseCommand::default()
        });
        let answer = answer.await?;
        let Some(found) = answer.partition_metadata_response else {
            return Err(refusal(&answer, topic));
        };
        match found.error {
            Some(code) => Err(of_server(code, &found.message.unwrap_or_default(), topic, "")),
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
                ..CommandGetTopicsOfNamespace::default()
            }),
            ..BaseCommand::default()
        });
        let answer = answer.await?;
        match answer.get_topics_of_namespace_response {
            Some(found) => Ok(found.topics),
            None => Err(refusal(&answer, namespace)),
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
        let answer = answer.await?;
        match answer.producer_success {
            Some(success) => Ok((connection, success)),
            None => Err(match answer.error {
                Some(error) => {
                    of_server(error.error, &error.message, &channel.asked, &channel.name)
                }
                None => Failure::Again("it does not answer as Pulsar does".to_owned()),
            }),
        }
    }
}

/// What an answer that is not the one asked for says.
fn refusal(answer: &BaseCommand, topic: &str) -> Failure {
    match &answer.error {
        Some(error) => of_server(error.error, &error.message, topic, ""),
        None => Failure::Again("it does not answer as Pulsar does".to_owned()),
    }
}
