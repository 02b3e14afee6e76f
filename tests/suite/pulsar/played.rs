//! Brokers that are played: what a single real one never does.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::command_lookup_topic_response::LookupType;
use pulsar::message::proto::{
    BaseCommand, CommandCloseProducer, CommandConnected, CommandError,
    CommandGetTopicsOfNamespaceResponse, CommandLookupTopic, CommandLookupTopicResponse,
    CommandProducerSuccess, CommandSendError, CommandSendReceipt, MessageIdData, ServerError,
};
use pulsar::message::{Codec, Message};
use tokio_util::codec::Framed;

use super::{LONG, small};
use crate::cli::{self, Running, assert_exit, json, stderr};

const TOPIC: &str = "persistent://public/default/played";

/// What brokers were told, in order, and by which name each goes.
type Heard = Arc<Mutex<Vec<(&'static str, BaseCommand)>>>;

/// What a broker answers instead of what it would; None: that.
type Answer = Box<dyn Fn(&BaseCommand) -> Option<Vec<BaseCommand>> + Send + Sync>;

/// Plays a broker of one topic; its address.
fn play(name: &'static str, heard: &Heard, answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let (heard, answer) = (Arc::clone(heard), Arc::new(answer));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut frames = Framed::new(stream, Codec);
                    while let Some(Ok(Message { command, .. })) = frames.next().await {
                        let answers = answer(&command).unwrap_or_else(|| usual(&command));
                        heard.lock().unwrap().push((name, command));
                        for command in answers {
                            // A client that is gone is no matter of ours.
                            drop(frames.send(Message { command, payload: None }).await);
                        }
                    }
                });
            }
        });
    });
    format!("pulsar://{address}")
}

/// What a broker that has the topic answers.
fn usual(command: &BaseCommand) -> Vec<BaseCommand> {
    let mut answer = BaseCommand::default();
    if command.connect.is_some() {
        answer.set_type(Type::Connected);
        answer.connected = Some(CommandConnected {
            server_version: "played".to_owned(),
            protocol_version: Some(19),
            ..CommandConnected::default()
        });
    } else if let Some(ask) = &command.get_topics_of_namespace {
        answer.set_type(Type::GetTopicsOfNamespaceResponse);
        answer.get_topics_of_namespace_response = Some(CommandGetTopicsOfNamespaceResponse {
            request_id: ask.request_id,
            topics: vec![TOPIC.to_owned()],
            ..CommandGetTopicsOfNamespaceResponse::default()
        });
    } else if let Some(ask) = &command.producer {
        answer.set_type(Type::ProducerSuccess);
        answer.producer_success = Some(CommandProducerSuccess {
            request_id: ask.request_id,
            producer_name: ask.producer_name.clone().unwrap(),
            last_sequence_id: Some(-1),
            ..CommandProducerSuccess::default()
        });
    } else if let Some(sent) = &command.send {
        answer = receipt(sent.producer_id, sent.sequence_id);
    } else {
        return Vec::new();
    }
    vec![answer]
}

fn receipt(producer_id: u64, sequence_id: u64) -> BaseCommand {
    let message_id = MessageIdData { ledger_id: 1, entry_id: 1, ..MessageIdData::default() };
    BaseCommand {
        r#type: Type::SendReceipt.into(),
        send_receipt: Some(CommandSendReceipt {
            producer_id,
            sequence_id,
            message_id: Some(message_id),
            ..CommandSendReceipt::default()
        }),
        ..BaseCommand::default()
    }
}

/// Where a topic is: `kind` says whether that broker has it or is to be asked.
fn found(ask: &CommandLookupTopic, kind: LookupType, url: &str, behind: bool) -> Vec<BaseCommand> {
    vec![BaseCommand {
        r#type: Type::LookupResponse.into(),
        lookup_topic_response: Some(CommandLookupTopicResponse {
            request_id: ask.request_id,
            response: Some(kind.into()),
            broker_service_url: Some(url.to_owned()),
            authoritative: Some(kind == LookupType::Redirect),
            proxy_through_service_url: Some(behind),
            ..CommandLookupTopicResponse::default()
        }),
        ..BaseCommand::default()
    }]
}

/// Plays a broker that has the topic itself.
fn play_alone(
    heard: &Heard,
    answer: impl Fn(&BaseCommand) -> Option<Vec<BaseCommand>> + Send + Sync + 'static,
) -> String {
    let own = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&own);
    let broker = play(
        "broker",
        heard,
        Box::new(move |command| match &command.lookup_topic {
            Some(ask) => Some(found(ask, LookupType::Connect, &told.lock().unwrap(), false)),
            None => answer(command),
        }),
    );
    own.lock().unwrap().clone_from(&broker);
    broker
}

/// Answers lookups so, and all else as usual.
fn looked_up(kind: LookupType, url: String, behind: bool) -> Answer {
    Box::new(move |command| Some(found(command.lookup_topic.as_ref()?, kind, &url, behind)))
}

/// A run that sends to the brokers.
fn start(url: &str, flags: &str) -> (Running, tempfile::TempDir) {
    let folder = cli::folder();
    let mut command = cli::program(folder.path(), &["run", "--to", "pulsar", "--json", "--quiet"]);
    let flags = format!("{} {flags} -X serviceUrl={url}", small("played"));
    command.args(flags.split(' '));
    (Running::start(command), folder)
}

/// Sends 5,000 events; the result.
fn run(url: &str) -> serde_json::Value {
    let (running, _folder) = start(url, "--count 5000 --speed max");
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(result["delivered"], 5_000, "{}", stderr(&output));
    result
}

/// The brokers that heard what `is_meant` says, in order.
fn who(heard: &Heard, is_meant: impl Fn(&BaseCommand) -> bool) -> Vec<&'static str> {
    let heard = heard.lock().unwrap();
    heard.iter().filter(|(_, command)| is_meant(command)).map(|(name, _)| *name).collect()
}

#[test]
fn a_lookup_is_followed_from_broker_to_broker() {
    let heard = Heard::default();
    let owner = play("owner", &heard, Box::new(|_| None));
    let second = play("second", &heard, looked_up(LookupType::Connect, owner, false));
    let first = play("first", &heard, looked_up(LookupType::Redirect, second, false));
    // Nobody answers at the first address.
    run(&format!("pulsar://127.0.0.1:1,{}", first.trim_start_matches("pulsar://")));
    let asked = |authoritative| {
        who(&heard, |command| {
            let lookup = command.lookup_topic.as_ref();
            lookup.is_some_and(|lookup| lookup.authoritative == Some(authoritative))
        })
    };
    assert_eq!((asked(false), asked(true)), (vec!["first"], vec!["second"]));
    assert_eq!(who(&heard, |command| command.producer.is_some()), ["owner"]);
    let senders = who(&heard, |command| command.send.is_some());
    assert!(senders.len() >= 5 && senders.iter().all(|name| *name == "owner"), "{senders:?}");
}

#[test]
fn a_proxy_is_told_which_broker_is_meant() {
    let heard = Heard::default();
    let owner = "pulsar://broker-7:6650".to_owned();
    let proxy = play("proxy", &heard, looked_up(LookupType::Connect, owner, true));
    run(&proxy);
    let meant: Vec<Option<String>> = {
        let heard = heard.lock().unwrap();
        let connects = heard.iter().filter_map(|(_, command)| command.connect.clone());
        connects.map(|connect| connect.proxy_to_broker_url).collect()
    };
    // The first two look at topics and look up.
    assert_eq!(meant, [None, None, Some("broker-7:6650".to_owned())]);
}

#[test]
fn a_producer_that_is_moved_goes_on_at_the_other_broker_where_it_was() {
    let heard = Heard::default();
    let next = play("next", &heard, Box::new(|_| None));
    let sends = Mutex::new(0);
    let owner = play(
        "owner",
        &heard,
        Box::new(move |command| {
            let sent = command.send.as_ref()?;
            let mut count = sends.lock().unwrap();
            *count += 1;
            // The second batch is the last that is taken.
            Some(match *count {
                ..=2 => vec![receipt(sent.producer_id, sent.sequence_id)],
                3 => vec![BaseCommand {
                    r#type: Type::CloseProducer.into(),
                    close_producer: Some(CommandCloseProducer {
                        producer_id: sent.producer_id,
                        ..CommandCloseProducer::default()
                    }),
                    ..BaseCommand::default()
                }],
                _ => Vec::new(),
            })
        }),
    );
    let lookups = Mutex::new([owner, next].into_iter().cycle());
    let first = play(
        "first",
        &heard,
        Box::new(move |command| {
            let ask = command.lookup_topic.as_ref()?;
            let url = lookups.lock().unwrap().next().unwrap();
            Some(found(ask, LookupType::Connect, &url, false))
        }),
    );
    let result = run(&first);
    assert!(result["sent_again"].as_u64().unwrap() > 0, "{result}");
    let heard = heard.lock().unwrap();
    let epochs: Vec<(&str, Option<u64>)> = heard
        .iter()
        .filter_map(|(name, command)| Some((*name, command.producer.as_ref()?.epoch)))
        .collect();
    assert_eq!(epochs, [("owner", Some(0)), ("next", Some(1))]);
    let ids = |broker: &str| -> Vec<u64> {
        let sent = heard.iter().filter(|(name, _)| *name == broker);
        sent.filter_map(|(_, command)| Some(command.send.as_ref()?.sequence_id)).collect()
    };
    let (before, after) = (ids("owner"), ids("next"));
    assert!(after.is_sorted() && after.first() == before.get(2), "{before:?} then {after:?}");
}

#[test]
fn a_broker_that_is_not_ready_is_asked_again() {
    let heard = Heard::default();
    let refused = Mutex::new(0);
    let broker = play_alone(&heard, move |command| {
        let ask = command.producer.as_ref()?;
        let mut count = refused.lock().unwrap();
        *count += 1;
        (*count <= 3).then(|| {
            vec![BaseCommand {
                r#type: Type::Error.into(),
                error: Some(CommandError {
                    request_id: ask.request_id,
                    error: ServerError::ServiceNotReady.into(),
                    message: "the namespace is being unloaded".to_owned(),
                }),
                ..BaseCommand::default()
            }]
        })
    });
    run(&broker);
    assert_eq!(who(&heard, |command| command.producer.is_some()).len(), 4);
}

#[test]
fn what_a_topic_has_of_somebody_else_ends_the_run_though_nothing_is_open() {
    let heard = Heard::default();
    let broker = play_alone(&heard, |command| {
        let sent = command.send.as_ref()?;
        let mut receipt = receipt(sent.producer_id, sent.sequence_id);
        let nowhere =
            MessageIdData { ledger_id: u64::MAX, entry_id: u64::MAX, ..MessageIdData::default() };
        receipt.send_receipt.as_mut()?.message_id = Some(nowhere);
        Some(vec![receipt])
    });
    for _ in 0..5 {
        let (running, _folder) = start(&broker, "--count 5 --speed max");
        let output = running.wait(LONG);
        assert_exit(&output, 1);
        let (told, result) = (stderr(&output), json(&output));
        assert!(told.contains("took messages of this run for others that it has"), "{told}");
        assert_eq!((&result["already_there"], &result["delivered"]), (&5.into(), &0.into()));
    }
}

#[test]
fn messages_that_a_policy_refuses_fail_by_name_and_others_go_on() {
    let heard = Heard::default();
    let sends = Mutex::new(0);
    let broker = play_alone(&heard, move |command| {
        let sent = command.send.as_ref()?;
        let mut count = sends.lock().unwrap();
        *count += 1;
        // Refusals name the last of a batch's ids.
        (*count == 2).then(|| {
            vec![BaseCommand {
                r#type: Type::SendError.into(),
                send_error: Some(CommandSendError {
                    producer_id: sent.producer_id,
                    sequence_id: sent.highest_sequence_id.unwrap(),
                    error: ServerError::NotAllowedError.into(),
                    message: "Exceed maximum message size".to_owned(),
                }),
                ..BaseCommand::default()
            }]
        })
    });
    let (running, _folder) = start(&broker, "--count 5000 --speed max");
    let output = running.wait(LONG);
    assert_exit(&output, 1);
    let (told, result) = (stderr(&output), json(&output));
    let failed = result["failures"]["not_allowed"].as_u64().unwrap();
    assert!(failed > 1 && result["delivered"].as_u64().unwrap() == 5_000 - failed, "{result}");
    assert!(told.contains("`batchingMaxBytes` must be below"), "{told}");
    assert_eq!(who(&heard, |command| command.producer.is_some()).len(), 1);
}

#[test]
fn a_broker_that_takes_nothing_more_is_left_and_another_one_gets_everything() {
    let heard = Heard::default();
    let next = play("next", &heard, Box::new(|_| None));
    // It answers until the first messages come, and then reads no further.
    let stuck = play(
        "stuck",
        &heard,
        Box::new(|command| {
            if command.send.is_some() {
                cli::pause(Duration::from_mins(1));
            }
            None
        }),
    );
    let lookups = Mutex::new([stuck, next].into_iter().cycle());
    let first = play(
        "first",
        &heard,
        Box::new(move |command| {
            let ask = command.lookup_topic.as_ref()?;
            let url = lookups.lock().unwrap().next().unwrap();
            Some(found(ask, LookupType::Connect, &url, false))
        }),
    );
    // More than the sockets between us hold.
    let flags = "--count 300000 --speed max -X keepAliveIntervalSeconds=1";
    let (running, _folder) = start(&first, flags);
    let output = running.wait(Duration::from_secs(50));
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(result["delivered"], 300_000, "{result}");
    assert!(who(&heard, |command| command.send.is_some()).contains(&"next"));
}
