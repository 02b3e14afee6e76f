//! A reader of topics that shares nothing with the sink: the `pulsar` crate's own consumer.

use std::time::Duration;

use futures::StreamExt as _;
use pulsar::consumer::InitialPosition;
use pulsar::{Consumer, ConsumerOptions, Pulsar, SubType, TokioExecutor};

/// How long nothing comes before a topic counts as read.
const SILENCE: Duration = Duration::from_secs(8);

/// A message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The full name of its topic, with the partition.
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) value: Vec<u8>,
    pub(crate) event_time_ms: u64,
    pub(crate) properties: Vec<(String, String)>,
    /// Ledger, entry, place in the batch.
    pub(crate) place: (u64, u64, i32),
    pub(crate) schema_version: Option<Vec<u8>>,
}

/// All messages of a topic, each partition's in its order.
pub(crate) fn read(url: &str, topic: &str) -> Vec<Message> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Pulsar::builder(url, TokioExecutor).build().await.unwrap();
        let options = ConsumerOptions::default()
            .with_initial_position(InitialPosition::Earliest)
            .durable(false);
        let mut consumer: Consumer<Vec<u8>, _> = client
            .consumer()
            .with_topic(topic)
            .with_subscription("reader")
            .with_subscription_type(SubType::Exclusive)
            .with_batch_size(10_000)
            .with_options(options)
            .build()
            .await
            .unwrap();
        let mut messages = Vec::new();
        while let Ok(next) = tokio::time::timeout(SILENCE, consumer.next()).await {
            let message = next.unwrap().unwrap();
            let (metadata, id) = (message.metadata(), message.message_id());
            let properties = metadata.properties.iter();
            messages.push(Message {
                topic: message.topic.clone(),
                key: message.key(),
                event_time_ms: metadata.event_time.unwrap_or(0),
                properties: properties.map(|it| (it.key.clone(), it.value.clone())).collect(),
                place: (id.ledger_id, id.entry_id, id.batch_index.unwrap_or(-1)),
                schema_version: metadata.schema_version.clone(),
                value: message.payload.data.clone(),
            });
            consumer.ack(&message).await.unwrap();
        }
        messages
    })
}
