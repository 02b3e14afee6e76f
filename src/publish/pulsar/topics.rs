//! Topics before a run: which there are, with how many partitions, and making those that are missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pulsar::message::proto::{CommandSendError, CommandSendReceipt};

use super::authentication;
use super::channel::Channel;
use super::client::Client;
use super::connection::Listener;
use super::options::Options;
use super::problem::{Error, Failure};
use crate::clock::Clock;

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// A topic that streams go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Its name, as the user says it.
    pub name: String,
    /// How many partitions the model asks for.
    pub partitions: Option<u32>,
}

/// What there is of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Missing,
    /// A topic without partitions.
    Plain,
    /// One of so many partitions.
    Partitioned(u32),
}

impl State {
    /// Its partitions; None: it has none, or is not there.
    pub fn partitions(self) -> Option<u32> {
        match self {
            Self::Partitioned(count) => Some(count),
            Self::Missing | Self::Plain => None,
        }
    }
}

/// Nothing is sent while topics are looked at.
struct Nobody;

impl Listener for Nobody {
    fn connected(&self, _message_bytes_max: usize) {}

    fn receipt(&self, _channel: &Channel, _receipt: &CommandSendReceipt) -> bool {
        false
    }

    fn refused(&self, _channel: &Channel, _refusal: &CommandSendError) -> bool {
        false
    }
}

/// What there is of topics, in their order; waits for at most `options.connect_timeout`.
pub fn inspect(options: &Options, needs: &[Need], clock: &Clock) -> Result<Vec<State>, Error> {
    runtime()?.block_on(async {
        let client = client(options);
        let mut states = Vec::with_capacity(needs.len());
        let mut known = BTreeMap::new();
        for need in needs {
            states.push(state(&client, &mut known, &need.name, clock).await?);
        }
        Ok(states)
    })
}

/// Makes the topics that are missing, then tells what there is.
pub fn create(options: &Options, needs: &[Need], clock: &Clock) -> Result<Vec<State>, Error> {
    let before = inspect(options, needs, clock)?;
    runtime()?.block_on(async {
        for (need, _) in needs.iter().zip(before).filter(|(_, state)| *state == State::Missing) {
            make(options, need).await?;
        }
        Ok(())
    })?;
    inspect(options, needs, clock)
}

/// The error for topics that are not there, if some are.
pub fn check(states: &[State], needs: &[Need]) -> Result<(), Error> {
    let missing = needs.iter().zip(states).filter(|(_, state)| **state == State::Missing);
    let topics: Vec<String> = missing.map(|(need, _)| need.name.clone()).collect();
    if topics.is_empty() { Ok(()) } else { Err(Error::TopicMissing { topics }) }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::Ask {
        what: "start the runtime of connections",
        reason: error.to_string(),
    })
}

fn client(options: &Options) -> Client {
    Client::new(Arc::new(options.clone()), Arc::new(Nobody))
}

async fn state(
    client: &Client,
    known: &mut BTreeMap<String, Vec<String>>,
    name: &str,
    clock: &Clock,
) -> Result<State, Error> {
    let topic = client.options.topic(name);
    let namespace = namespace_of(&topic).to_owned();
    if !known.contains_key(&namespace) {
        let begin_ns = clock.now_ns();
        let topics = loop {
            match client.topics(&namespace).await {
                Ok(topics) => break topics,
                Err(failure) => pause(client, failure, begin_ns, clock).await?,
            }
        };
        known.insert(namespace.clone(), topics);
    }
    let names = &known[&namespace];
    if names.contains(&topic) {
        return Ok(State::Plain);
    }
    let partition = format!("{topic}-partition-");
    if !names.iter().any(|name| name.starts_with(&partition)) {
        return Ok(State::Missing);
    }
    let begin_ns = clock.now_ns();
    loop {
        match client.partitions(&topic).await {
            Ok(count) => return Ok(State::Partitioned(count)),
            Err(failure) => pause(client, failure, begin_ns, clock).await?,
        }
    }
}

/// Waits before a new try, or says why there is none.
async fn pause(
    client: &Client,
    failure: Failure,
    begin_ns: i64,
    clock: &Clock,
) -> Result<(), Error> {
    let options = &client.options;
    let waited = Duration::from_nanos((clock.now_ns() - begin_ns).unsigned_abs());
    match failure {
        Failure::Final(error) | Failure::Patience(error) => Err(error),
        Failure::Again(reason) if waited >= options.connect_timeout => Err(Error::Unreachable {
            service: options.service(),
            waited_s: waited.as_secs(),
            last: options.masked(&reason),
        }),
        Failure::Again(_) => {
            tokio::time::sleep(PAUSE).await;
            Ok(())
        }
    }
}

/// Makes a topic through the administration.
async fn make(options: &Options, need: &Need) -> Result<(), Error> {
    let topic = options.topic(&need.name);
    let refused = |reason: String| Error::Create { topic: need.name.clone(), reason };
    let Some((domain, path)) = topic.split_once("://") else {
        return Err(refused("it has no domain".to_owned()));
    };
    let url = format!("{}/admin/v2/{domain}/{path}", options.web_service_url());
    let client = reqwest::Client::builder().timeout(options.operation_timeout);
    let client = client.build().map_err(|error| refused(error.to_string()))?;
    let request = match need.partitions {
        Some(count) => {
            let request = client.put(format!("{url}/partitions"));
            request.header("Content-Type", "application/json").body(count.to_string())
        }
        None => client.put(url.as_str()),
    };
    let request = match authentication::bearer(&options.authentication) {
        Ok(Some(token)) => request.bearer_auth(token),
        Ok(None) => request,
        Err(error) => return Err(refused(error.to_string())),
    };
    let answer = request.send().await.map_err(|error| {
        let error = error.without_url();
        refused(format!(
            "{} did not answer ({error}); set `webServiceUrl`",
            options.web_service_url()
        ))
    })?;
    let status = answer.status();
    // Somebody else may have made it since.
    if status.is_success() || status.as_u16() == 409 {
        return Ok(());
    }
    let text = answer.text().await.unwrap_or_default();
    let reason = serde_json::from_str::<serde_json::Value>(&text).ok();
    let reason = reason.as_ref().and_then(|it| it.get("reason")?.as_str());
    Err(refused(format!("{status}: {}", options.masked(reason.unwrap_or(&text)))))
}

/// The tenant and namespace of a full name of a topic.
fn namespace_of(topic: &str) -> &str {
    let path = topic.split_once("://").map_or(topic, |(_, path)| path);
    path.rsplit_once('/').map_or(path, |(namespace, _)| namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_lies_in_a_namespace() {
        assert_eq!(namespace_of("persistent://public/default/a"), "public/default");
        let needs = [Need { name: "a".to_owned(), partitions: None }];
        let missing = check(&[State::Missing], &needs).unwrap_err().to_string();
        assert!(missing.starts_with("no such topic: `a`; create with"), "{missing}");
        assert_eq!(check(&[State::Partitioned(3)], &needs), Ok(()));
    }
}
