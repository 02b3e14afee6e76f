//! The same on Pulsar.

use std::path::Path;
use std::process::Command;

use ::pulsar::{Producer, Pulsar, SerializeMessage, TokioExecutor, producer::Message};

use super::consumer::{Deeds, done};
use super::{FEW_KEYS, LONG, assert_found, count, found};
use crate::brokers::pulsar::PulsarServer;
use crate::brokers::{self, topic::Record};
use crate::cli::{self, Running, assert_exit, json};
use crate::pulsar::reader;

/// A message as it is written on.
struct WrittenOn(String, Vec<u8>);

impl SerializeMessage for WrittenOn {
    fn serialize_message(input: Self) -> Result<Message, ::pulsar::Error> {
        let Self(key, payload) = input;
        Ok(Message { payload, partition_key: Some(key), ..Message::default() })
    }
}

fn command(server: &PulsarServer, folder: &Path, words: &str) -> Command {
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut command = cli::program(folder, &words);
    command.arg("-X").arg(format!("serviceUrl={}", server.service_url()));
    command.arg("-X").arg(format!("webServiceUrl={}", server.web_url()));
    command.args(["--quiet", "--json"]);
    command
}

/// Reads a topic with one client, and writes on what is left of it with the same one.
fn write_on(server: &PulsarServer, from: &str, to: &str) -> Deeds {
    let messages = reader::read(&server.service_url(), from);
    let mut topics: Vec<&String> = messages.iter().map(|message| &message.topic).collect();
    topics.sort();
    topics.dedup();
    let partition = |topic: &String| topics.iter().position(|known| *known == topic).unwrap();
    let record = |message: &reader::Message| Record {
        partition: i32::try_from(partition(&message.topic)).unwrap(),
        offset: 0,
        timestamp_ms: 0,
        key: message.key.clone().map(String::into_bytes),
        value: Some(message.value.clone()),
        headers: Vec::new(),
    };
    let mut records: Vec<Record> = messages.iter().map(record).collect();
    records.sort_by_key(|record| record.partition);
    let (deeds, written) = done(records);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Pulsar::builder(server.service_url(), TokioExecutor).build().await.unwrap();
        let mut producer: Producer<_> =
            Box::pin(client.producer().with_topic(to).build()).await.unwrap();
        for record in written {
            let key = String::from_utf8(record.key.unwrap()).unwrap();
            let sent = WrittenOn(key, record.value.unwrap());
            let sent = Box::pin(producer.send_non_blocking(sent)).await;
            sent.unwrap().await.unwrap();
        }
    });
    deeds
}

#[test]
fn what_a_consumer_of_pulsar_did_is_found_precisely() {
    let Some(server) = brokers::pulsar() else { return };
    let folder = cli::folder();
    let (from, to) = ("verified.pulsar.in", "verified.pulsar.out");
    let words = format!(
        "run model.toml --to pulsar --create-topics --set streams.payments.topic.name={from} \
         --manifest run.json {FEW_KEYS} --count 15000 --speed max"
    );
    let output = Running::start(command(server, folder.path(), &words)).wait(LONG);
    assert_exit(&output, 0);
    let issued = count(&json(&output), "issued");
    let verified = |flags: &str, code: i32| {
        let words = format!("verify run.json --findings found.jsonl {flags}");
        let output = Running::start(command(server, folder.path(), &words)).wait(LONG);
        assert_exit(&output, code);
        json(&output)
    };
    let report = verified("", 0);
    assert_eq!((count(&report, "delivered"), count(&report, "compared")), (issued, issued));
    let deeds = write_on(server, from, to);
    let report = verified(&format!("--from {to} --idle 3s"), 3);
    assert_found(&found(folder.path()), &deeds);
    assert_eq!(count(&report, "expected"), issued);
    assert_eq!(count(&report, "delivered"), issued - deeds.dropped.len() as u64);
}
