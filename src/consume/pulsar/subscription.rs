//! Subscriptions of others: how far who reads a topic has come, as Pulsar's administration tells.

use std::collections::BTreeMap;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{client, full_name, of_client, partitions};
use crate::clock::Clock;
use crate::consume::{Error, Partition, Position};
use crate::publish::pulsar::{Options, authentication, drive::runtime, tls};

/// How often a request is sent on to the broker that has a topic.
const REDIRECTS_MAX: usize = 5;

/// How far a subscription has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The partition.
    pub partition: Partition,
    /// How many entries it has not acknowledged: messages, or whole batches of them.
    pub backlog_entries: u64,
    /// With what lies here or later begins what is not acknowledged.
    pub next: Position,
    /// Whether some of what comes later is acknowledged already.
    pub has_gaps: bool,
    /// How many consumers it has.
    pub consumers: usize,
}

/// What is told of a topic's subscriptions.
#[derive(Debug, Deserialize)]
struct Stats {
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    msg_backlog: i64,
    consumers: Vec<serde::de::IgnoredAny>,
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

/// How far a subscription has come in topics, by partition; each partition must have it. Waits for the
/// topics for at most `options.connect_timeout`, and for each answer for `options.operation_timeout`.
pub fn look(
    options: &Options,
    topics: &[String],
    name: &str,
    clock: &Clock,
) -> Result<Vec<Standing>, Error> {
    let partitions = partitions(options, topics, clock)?;
    runtime()?.block_on(async {
        let mut standings = Vec::with_capacity(partitions.len());
        for partition in partitions {
            standings.push(standing(options, partition, name).await?);
        }
        Ok(standings)
    })
}

async fn standing(options: &Options, partition: Partition, name: &str) -> Result<Standing, Error> {
    let query = "?getPreciseBacklog=true&getEarliestTimeInBacklog=false";
    let stats: Stats = get(options, &partition, &format!("stats{query}")).await?;
    let internal: Internal = get(options, &partition, "internalStats").await?;
    let found = (stats.subscriptions.get(name), internal.cursors.get(name));
    let (Some(subscription), Some(cursor)) = found else {
        let (topic, name) = (partition.to_string(), name.to_owned());
        let there = stats.subscriptions.into_keys().collect();
        return Err(Error::NoSubscription { topic, name, there });
    };
    let told = &cursor.mark_delete_position;
    let Some(next) = after(told) else {
        return Err(failed(&partition, &format!("it tells the position `{told}`")));
    };
    Ok(Standing {
        backlog_entries: u64::try_from(subscription.msg_backlog).unwrap_or(0),
        next,
        has_gaps: cursor.total_non_contiguous_deleted_messages_range > 0,
        consumers: subscription.consumers.len(),
        partition,
    })
}

/// The first position after an entry, `ledger:entry`.
fn after(entry: &str) -> Option<Position> {
    let (ledger, entry) = entry.split_once(':')?;
    let (ledger, entry): (i64, i64) = (ledger.parse().ok()?, entry.parse().ok()?);
    // −1: before the first.
    let next = u64::try_from(entry.checked_add(1)?).ok()?;
    Some(Position::of_message(u64::try_from(ledger).unwrap_or(0), next, 0))
}

/// Asks the administration for something of a partition.
async fn get<T: DeserializeOwned>(
    options: &Options,
    partition: &Partition,
    what: &str,
) -> Result<T, Error> {
    let failed = |reason: String| failed(partition, &options.masked(&reason));
    let path = full_name(options, partition).replacen("://", "/", 1);
    let url = format!("{}/admin/v2/{path}/{what}", options.web_service_url());
    let mut url = Url::parse(&url).map_err(|error| failed(error.to_string()))?;
    let asking = tls::http(options, Policy::none()).map_err(failed)?;
    for _ in 0..REDIRECTS_MAX {
        let request = authentication::signed(asking.get(url.clone()), options).await;
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
