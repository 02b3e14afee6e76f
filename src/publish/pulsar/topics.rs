//! Topics before a run: which there are, with how many partitions, and making those that are missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pulsar::message::proto::{CommandSendError, CommandSendReceipt};
use reqwest::redirect::Policy;

use super::authentication;
use super::channel::Channel;
use super::client::{Client, namespace_of};
use super::connection::Listener;
use super::drive::runtime;
use super::options::Options;
use super::problem::{Error, Failure};
use super::tls;
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

/// A topic as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What there is of it.
    pub state: State,
    /// Whether it was made just now.
    pub made: bool,
}

/// Nothing is sent while topics are looked at or read.
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

/// What there is of topics, in their order; those that are missing are made if `create` says so.
/// Waits for at most `options.connect_timeout`.
pub fn look(
    options: &Options,
    needs: &[Need],
    create: bool,
    clock: &Clock,
) -> Result<Vec<Found>, Error> {
    runtime()?.block_on(async {
        let client = client(options);
        let before = states(&client, needs, clock).await?;
        let is_made = |state: State| create && state == State::Missing;
        for (need, _) in needs.iter().zip(&before).filter(|(_, state)| is_made(**state)) {
            make(options, need).await?;
        }
        let after = if before.iter().any(|state| is_made(*state)) {
            states(&client, needs, clock).await?
        } else {
            before.clone()
        };
        let found =
            |(state, before)| Found { state, made: state != State::Missing && is_made(before) };
        Ok(after.into_iter().zip(before).map(found).collect())
    })
}

async fn states(client: &Client, needs: &[Need], clock: &Clock) -> Result<Vec<State>, Error> {
    let mut states = Vec::with_capacity(needs.len());
    let mut known = BTreeMap::new();
    for need in needs {
        states.push(state(client, &mut known, &need.name, clock).await?);
    }
    Ok(states)
}

/// The error for topics that are not there, if some are.
pub fn check(found: &[Found], needs: &[Need]) -> Result<(), Error> {
    let missing = needs.iter().zip(found).filter(|(_, found)| found.state == State::Missing);
    let topics: Vec<String> = missing.map(|(need, _)| need.name.clone()).collect();
    if topics.is_empty() { Ok(()) } else { Err(Error::TopicMissing { topics }) }
}

/// A client that sends nothing.
pub(crate) fn client(options: &Options) -> Client {
    Client::new(Arc::new(options.clone()), Arc::new(Nobody))
}

/// What there is of a topic. `known` are namespaces that were asked for their topics; None: we may not
/// see them.
async fn state(
    client: &Client,
    known: &mut BTreeMap<String, Option<Vec<String>>>,
    name: &str,
    clock: &Clock,
) -> Result<State, Error> {
    let topic = client.options.topic(name);
    let namespace = namespace_of(&topic).to_owned();
    if !known.contains_key(&namespace) {
        let topics = match again(client, clock, || client.topics(&namespace)).await {
            Ok(topics) => Some(topics),
            // Who may write to a topic may not always see its neighbours.
            Err(Error::NotAuthorised { .. }) => None,
            Err(error) => return Err(error),
        };
        known.insert(namespace.clone(), topics);
    }
    if let Some(names) = &known[&namespace] {
        if names.contains(&topic) {
            return Ok(State::Plain);
        }
        let partition = format!("{topic}-partition-");
        if !names.iter().any(|name| name.starts_with(&partition)) {
            return Ok(State::Missing);
        }
    }
    match again(client, clock, || client.partitions(&topic)).await {
        Ok(0) => Ok(State::Plain),
        Ok(count) => Ok(State::Partitioned(count)),
        Err(Error::TopicMissing { .. }) => Ok(State::Missing),
        Err(Error::NotAuthorised { reason, .. }) => {
            Err(Error::NotAuthorised { topic: name.to_owned(), reason })
        }
        Err(error) => Err(error),
    }
}

/// Asks until there is an answer; waits for at most `options.connect_timeout`.
async fn again<T, F: Future<Output = Result<T, Failure>>>(
    client: &Client,
    clock: &Clock,
    ask: impl Fn() -> F,
) -> Result<T, Error> {
    let (options, begin_ns) = (&client.options, clock.now_ns());
    loop {
        let waited = clock.since(begin_ns);
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(Failure::Final(error) | Failure::Patience(error)) => return Err(error),
            Err(Failure::Again(reason)) if waited >= options.connect_timeout => {
                return Err(Error::Unreachable {
                    service: options.service(),
                    waited_s: waited.as_secs(),
                    last: options.masked(&reason),
                });
            }
            Err(Failure::Again(_)) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Makes a topic through the administration.
async fn make(options: &Options, need: &Need) -> Result<(), Error> {
    let refused = |reason: String| Error::Create { topic: need.name.clone(), reason };
    let topic = options.topic(&need.name);
    let (domain, path) =
        topic.split_once("://").ok_or_else(|| refused("it has no domain".to_owned()))?;
    let url = format!("{}/admin/v2/{domain}/{path}", options.web_service_url());
    let client = tls::http(options, Policy::default()).map_err(refused)?;
    let made = match need.partitions {
        Some(count) => {
            let request = client.put(format!("{url}/partitions"));
            let request = request.header("Content-Type", "application/json");
            administer(options, request.body(count.to_string())).await
        }
        None => administer(options, client.put(url.as_str())).await,
    };
    match (made.map_err(refused)?, need.partitions) {
        // Pulsar deletes partitions that nobody uses, and keeps how many there are.
        (Made::WasThere, Some(_)) => {
            let request = client.post(format!("{url}/createMissedPartitions"));
            administer(options, request).await.map(drop).map_err(refused)
        }
        // Somebody else may have made it since.
        (Made::Now | Made::WasThere, _) => Ok(()),
    }
}

/// What the administration says.
enum Made {
    Now,
    WasThere,
}

/// Asks the administration for something; the error says what it answers.
async fn administer(options: &Options, request: reqwest::RequestBuilder) -> Result<Made, String> {
    let request = authentication::signed(request, options).await.map_err(Failure::reason)?;
    let answer = request.send().await.map_err(|error| {
        let (url, why) = (options.web_service_url(), tls::causes(&error));
        format!("{url} did not answer ({why}); set `webServiceUrl`")
    })?;
    match answer.status() {
        status if status.is_success() => Ok(Made::Now),
        reqwest::StatusCode::CONFLICT => Ok(Made::WasThere),
        status => {
            let text = answer.text().await.unwrap_or_default();
            let reason = serde_json::from_str::<serde_json::Value>(&text).ok();
            let reason = reason.as_ref().and_then(|it| it.get("reason")?.as_str());
            Err(format!("{status}: {}", options.masked(reason.unwrap_or(&text))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_lies_in_a_namespace() {
        assert_eq!(namespace_of("persistent://public/default/a"), "public/default");
        let found = |state| Found { state, made: false };
        let needs = [Need { name: "a".to_owned(), partitions: None }];
        let missing = check(&[found(State::Missing)], &needs).unwrap_err().to_string();
        assert!(missing.starts_with("no such topic: `a`; create with"), "{missing}");
        assert_eq!(check(&[found(State::Partitioned(3))], &needs), Ok(()));
    }
}
