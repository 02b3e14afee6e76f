//! Subscriptions of others: how far who reads a topic has come, as Pulsar's administration tells.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::{client, full_name, of_client, partitions};
use crate::clock::Clock;
use crate::consume::{Error, Partition, Position};
use crate::publish::pulsar::{Options, authentication, drive::runtime, tls};

/// How often a request is sent on to the broker that has a topic.
const REDIRECTS_MAX: usize = 5;

/// How many partitions are asked about at the same time.
const AT_ONCE: usize = 16;

/// What is asked about a topic: its backlog without what is acknowledged out of order, and when the oldest
/// of it was published.
const STATS: &str = "stats?getPreciseBacklog=true&getEarliestTimeInBacklog=true";

/// How far a subscription has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The partition.
    pub partition: Partition,
    /// How many entries it has not acknowledged: messages, or whole batches of them.
    pub backlog_entries: u64,
    /// When the oldest of them was published, in milliseconds since the Unix epoch; none if there is none.
    pub oldest_ms: Option<i64>,
    /// With what lies here or later begins what is not acknowledged.
    pub next: Position,
    /// Whether some of what comes later is acknowledged already.
    pub has_gaps: bool,
    /// How many consumers it has.
    pub consumers: usize,
    /// Their names, in the order in which they came.
    pub consumer_names: Vec<String>,
}

/// What is told of a topic's subscriptions.
#[derive(Debug, Deserialize)]
struct Stats {
    subscriptions: BTreeMap<String, Told>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    msg_backlog: i64,
    consumers: Vec<Consumer>,
    #[serde(default, rename = "earliestMsgPublishTimeInBacklog")]
    oldest_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    #[serde(default)]
    consumer_name: String,
}

/// What is told of how a topic is stored.
#[derive(Debug, Deserialize)]
struct Internal {
    cursors: BTreeMap<String, Cursor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cursor {
    /// `ledger:entry`.
    mark_delete_position: String,
    #[serde(default)]
    total_non_contiguous_deleted_messages_range: u64,
}

/// A subscription of topics that is looked at again and again.
#[derive(Debug)]
pub struct Subscription {
    options: Options,
    name: String,
    partitions: Vec<Partition>,
    asking: reqwest::Client,
    runtime: Runtime,
}

impl Subscription {
    /// Finds the topics' partitions; waits for them for at most `options.connect_timeout`. Whether there is
    /// such a subscription shows with each look.
    pub fn open(
        options: &Options,
        topics: &[String],
        name: &str,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let asking = tls::http(options, Policy::none()).map_err(|reason| client::Error::Ask {
            what: "ask Pulsar's administration for subscriptions",
            reason,
        })?;
        Ok(Self {
            options: options.clone(),
            name: name.to_owned(),
            partitions: partitions(options, topics, clock)?,
            asking,
            runtime: runtime()?,
        })
    }

    /// The partitions of all topics.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// How far it has come in each partition, or [`Error::NoSubscription`] for one that does not have it.
    /// Waits for each answer for at most `options.operation_timeout`.
    pub fn look(&self) -> Result<Vec<Result<Standing, Error>>, Error> {
        let standings = self.partitions.iter().map(|partition| self.standing(partition));
        let looked =
            futures::stream::iter(standings).buffered(AT_ONCE).map(|standing| match standing {
                Ok(standing) => Ok(Ok(standing)),
                Err(error @ Error::NoSubscription { .. }) => Ok(Err(error)),
                Err(error) => Err(error),
            });
        self.runtime.block_on(looked.try_collect())
    }

    async fn standing(&self, partition: &Partition) -> Result<Standing, Error> {
        let stats: Stats = self.get(partition, STATS).await?;
        let internal: Internal = self.get(partition, "internalStats").await?;
        let found = (stats.subscriptions.get(&self.name), internal.cursors.get(&self.name));
        let (Some(subscription), Some(cursor)) = found else {
            let (topic, name) = (partition.to_string(), self.name.clone());
            let there = stats.subscriptions.into_keys().collect();
            return Err(Error::NoSubscription { topic, name, there });
        };
        let told = &cursor.mark_delete_position;
        let Some(next) = after(told) else {
            return Err(failed(partition, &format!("it tells the position `{told}`")));
        };
        let consumers = subscription.consumers.iter();
        Ok(Standing {
            backlog_entries: u64::try_from(subscription.msg_backlog).unwrap_or(0),
            oldest_ms: subscription.oldest_ms.filter(|oldest_ms| *oldest_ms > 0),
            next,
            has_gaps: cursor.total_non_contiguous_deleted_messages_range > 0,
            consumers: subscription.consumers.len(),
            consumer_names: consumers.map(|consumer| consumer.consumer_name.clone()).collect(),
            partition: partition.clone(),
        })
    }

    /// Asks the administration for something of a partition.
    async fn get<T: DeserializeOwned>(
        &self,
        partition: &Partition,
        what: &str,
    ) -> Result<T, Error> {
        let options = &self.options;
        let failed = |reason: String| failed(partition, &options.masked(&reason));
        let path = full_name(options, partition).replacen("://", "/", 1);
        let url = format!("{}/admin/v2/{path}/{what}", options.web_service_url());
        let mut url = Url::parse(&url).map_err(|error| failed(error.to_string()))?;
        for _ in 0..REDIRECTS_MAX {
            let request = authentication::signed(self.asking.get(url.clone()), options).await;
            let request = request.map_err(|failure| failed(failure.reason()))?;
            let answer = request.send().await.map_err(|error| {
                let (url, why) = (options.web_service_url(), tls::causes(&error));
                failed(format!("{url} did not answer ({why}); set `webServiceUrl`"))
            })?;
            let status = answer.status();
            // Another broker has the topic, and asks who we are too.
            let next = answer.headers().get(LOCATION).and_then(|next| next.to_str().ok());
            if let (true, Some(next)) = (status.is_redirection(), next) {
                url = url.join(next).map_err(|error| failed(format!("`{next}`: {error}")))?;
                continue;
            }
            let text = answer.text().await.map_err(|error| failed(tls::causes(&error)))?;
            return match status {
                StatusCode::OK => serde_json::from_str(&text)
                    .map_err(|error| failed(format!("its answer makes no sense: {error}"))),
                StatusCode::NOT_FOUND => {
                    Err(Error::TopicMissing { topics: vec![partition.to_string()] })
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    let (topic, reason) = (partition.topic.clone(), text);
                    let refused = client::Error::NotAuthorised { topic, reason };
                    Err(of_client(refused, &partition.topic))
                }
                status => {
                    let said: Option<serde_json::Value> = serde_json::from_str(&text).ok();
                    let said = said.as_ref().and_then(|said| said.get("reason")?.as_str());
                    Err(failed(format!("{status}: {}", said.unwrap_or(&text))))
                }
            };
        }
        Err(failed("it is sent from broker to broker".to_owned()))
    }
}

/// How far a subscription has come in topics, by partition; each partition must have it. Waits for the
/// topics for at most `options.connect_timeout`, and for each answer for `options.operation_timeout`.
pub fn look(
    options: &Options,
    topics: &[String],
    name: &str,
    clock: &Clock,
) -> Result<Vec<Standing>, Error> {
    Subscription::open(options, topics, name, clock)?.look()?.into_iter().collect()
}

/// The first position after an entry, `ledger:entry`.
fn after(entry: &str) -> Option<Position> {
    let (ledger, entry) = entry.split_once(':')?;
    let (ledger, entry): (i64, i64) = (ledger.parse().ok()?, entry.parse().ok()?);
    // −1: before the first.
    let next = u64::try_from(entry.checked_add(1)?).ok()?;
    Some(Position::of_message(u64::try_from(ledger).unwrap_or(0), next, 0))
}

fn failed(partition: &Partition, reason: &str) -> Error {
    let reason = format!("{partition}: {reason}");
    client::Error::Ask { what: "ask Pulsar's administration for subscriptions", reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_begins_after_the_last_entry_that_is() {
        assert_eq!(after("17:4"), Some(Position::of_message(17, 5, 0)));
        assert_eq!(after("17:-1"), Some(Position::of_message(17, 0, 0)));
        assert_eq!(after("-1:-1"), Some(Position::of_message(0, 0, 0)));
        for told in ["17", "a:b", "17:-2", ""] {
            assert_eq!(after(told), None, "{told}");
        }
    }

    #[test]
    fn subscriptions_that_there_are_are_listed() {
        let error = |there: &[&str]| {
            let there = there.iter().map(|name| (*name).to_owned()).collect();
            let (topic, name) = ("t[0]".to_owned(), "x".to_owned());
            Error::NoSubscription { topic, name, there }.to_string()
        };
        assert_eq!(error(&["a", "b"]), "the topic `t[0]` has no subscription `x`; it has `a`, `b`");
        assert_eq!(error(&[]), "the topic `t[0]` has no subscription `x`; it has none");
    }
}
