//! Brokers that ask who we are.

mod issuer;

use std::path::Path;
use std::time::Duration;

use super::{LONG, small};
use crate::brokers::certificates::Certificates;
use crate::brokers::pulsar::{PASSWORD, PRODUCER, PulsarServer};
use crate::brokers::tokens;
use crate::cli::{self, Running, assert_exit, json, pause, stderr, stdout};

/// The program with these flags and settings of its client.
fn start(url: &str, flags: &str, settings: &[(&str, &str)]) -> (Running, tempfile::TempDir) {
    let folder = cli::folder();
    let mut command = cli::program(folder.path(), &["run"]);
    command.args(flags.split_whitespace()).args(["--to", "pulsar", "--quiet", "--json"]);
    command.args(["--log", "trace", "-X", &format!("serviceUrl={url}")]);
    for (name, value) in settings {
        command.arg("-X").arg(format!("{name}={value}"));
    }
    (Running::start(command), folder)
}

/// Asserts that 1,000 events are delivered with these settings.
fn assert_good(url: &str, topic: &str, settings: &[(&str, &str)]) {
    let (running, _folder) = start(url, &flags(topic), settings);
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    assert_eq!(json(&output)["delivered"], 1_000);
    let shown = format!("{}{}", stdout(&output), stderr(&output));
    let parameters = settings.iter().find(|(name, _)| *name == "authParams");
    let secrets = parameters.map_or("none", |(_, parameters)| parameters).split([':', '"']);
    for secret in secrets.filter(|part| part.len() > 60 || part.starts_with("hunter2")) {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

/// What is told when nothing can be delivered with these settings.
fn told(url: &str, topic: &str, settings: &[(&str, &str)]) -> String {
    let (running, _folder) = start(url, &flags(topic), settings);
    let output = running.wait(LONG);
    assert_exit(&output, 1);
    stderr(&output)
}

fn flags(topic: &str) -> String {
    format!("{} --count 1000 --speed max", small(topic))
}

/// A topic without partitions of the guarded broker.
fn topic(server: &PulsarServer, name: &str) {
    server.must("PUT", &format!("/admin/v2/persistent/public/default/{name}"), "");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn whoever_may_write_writes_by_token_password_or_certificate() {
    let Some(server) = crate::brokers::guarded_pulsar() else { return };
    topic(server, "by.all");
    let plain = server.service_url();
    let token = format!("token:{}", tokens::token(PRODUCER, None));
    assert_good(&plain, "by.all", &[("authPlugin", "token"), ("authParams", &token)]);
    let (user, password) = PASSWORD;
    let both = format!(r#"{{"userId":"{user}","password":"{password}"}}"#);
    let class = "org.apache.pulsar.client.impl.auth.AuthenticationBasic";
    assert_good(&plain, "by.all", &[("authPlugin", class), ("authParams", &both)]);
    // A role that sees nothing but this topic.
    let path = "/admin/v2/persistent/public/default/by.all/permissions/neighbourless";
    server.must("POST", path, r#"["produce"]"#);
    let other = format!("token:{}", tokens::token("neighbourless", None));
    assert_good(&plain, "by.all", &[("authPlugin", "token"), ("authParams", &other)]);
    let shown = told(&plain, "nowhere", &[("authPlugin", "token"), ("authParams", &token)]);
    assert!(shown.contains("no such topic: `nowhere`"), "{shown}");
    let Certificates { authority, client, client_key, .. } = server.certificates();
    let trusted = ("tlsTrustCertsFilePath", text(authority));
    let encrypted = server.encrypted_url();
    let settings = [trusted, ("authPlugin", "token"), ("authParams", token.as_str())];
    assert_good(&encrypted, "by.all", &settings);
    let identity = [("tlsCertificateFilePath", text(client)), ("tlsKeyFilePath", text(client_key))];
    let settings = [trusted, ("authPlugin", "tls"), identity[0], identity[1]];
    assert_good(&encrypted, "by.all", &settings);
    let parameters = format!("tlsCertFile:{},tlsKeyFile:{}", text(client), text(client_key));
    let settings = [trusted, ("authPlugin", "tls"), ("authParams", parameters.as_str())];
    assert_good(&encrypted, "by.all", &settings);
}

#[test]
fn whoever_may_not_is_told_why_and_no_secret_is_shown() {
    let Some(server) = crate::brokers::guarded_pulsar() else { return };
    topic(server, "any");
    let plain = server.service_url();
    let told_with = |settings: &[(&str, &str)]| told(&plain, "any", settings);
    let refused = format!("Pulsar at {plain} refused the login: ");
    assert!(told_with(&[]).contains(&refused));
    let stranger = tokens::token("stranger", None);
    let (head, signature) = stranger.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let shown = told_with(&[("authPlugin", "token"), ("authParams", &format!("token:{forged}"))]);
    assert!(shown.contains(&refused) && shown.contains("check `authPlugin`"), "{shown}");
    assert!(!shown.contains(&forged), "{shown}");
    let ended = format!("token:{}", tokens::token(PRODUCER, Some(Duration::ZERO)));
    let shown = told_with(&[("authPlugin", "token"), ("authParams", &ended)]);
    assert!(shown.contains(&refused), "{shown}");
    let shown = told_with(&[("authPlugin", "token"), ("authParams", &format!("token:{stranger}"))]);
    assert!(shown.contains("not authorised to write to the topic `any`"), "{shown}");
    assert!(!shown.contains(&stranger), "{shown}");
    let wrong = r#"{"userId":"basic-producer","password":"canary-4f1d9c"}"#;
    let shown = told_with(&[("authPlugin", "basic"), ("authParams", wrong)]);
    assert!(shown.contains(&refused) && !shown.contains("canary-4f1d9c"), "{shown}");
    let other = text(&server.certificates().other_authority);
    let encrypted = server.encrypted_url();
    let shown = told(&encrypted, "any", &[("tlsTrustCertsFilePath", other)]);
    assert!(shown.contains(&format!("no secure connection to Pulsar at {encrypted}")), "{shown}");
    let shown = told(&encrypted, "any", &[]);
    assert!(shown.contains("check `tlsTrustCertsFilePath`"), "{shown}");
}

#[test]
fn a_token_that_ends_in_mid_run_is_read_again_from_its_file_or_ends_the_run() {
    let Some(server) = crate::brokers::guarded_pulsar() else { return };
    topic(server, "ends");
    topic(server, "renewed");
    let (plain, lasts) = (server.service_url(), Duration::from_secs(15));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, tokens::token(PRODUCER, Some(lasts))).unwrap();
    let by_file = format!("file://{}", text(&file));
    let flags = |topic: &str| format!("{} --rate 2000/s --for 30s", small(topic));
    let settings = [("authPlugin", "token"), ("authParams", by_file.as_str())];
    let (renewed, _renewed) = start(&plain, &flags("renewed"), &settings);
    let given = format!("token:{}", tokens::token(PRODUCER, Some(lasts)));
    let settings = [("authPlugin", "token"), ("authParams", given.as_str())];
    let (ends, _ends) = start(&plain, &flags("ends"), &settings);
    pause(Duration::from_secs(3));
    std::fs::write(&file, tokens::token(PRODUCER, None)).unwrap();
    let output = ends.wait(LONG);
    assert_exit(&output, 1);
    let shown = stderr(&output);
    assert!(shown.contains(&format!("Pulsar at {plain} refused the login: ")), "{shown}");
    let result = json(&output);
    let count = |name: &str| result[name].as_u64().unwrap();
    assert!(count("delivered") > 1_000, "{result}");
    assert_eq!(count("issued"), count("delivered") + count("unacknowledged"), "{result}");
    let output = renewed.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(result["issued"], result["delivered"], "{result}");
    assert!(result["issued"].as_u64().unwrap() > 40_000, "{result}");
}

#[test]
fn an_issuer_gives_tokens_or_says_why_not() {
    let Some(server) = crate::brokers::guarded_pulsar() else { return };
    topic(server, "issued");
    let (issuer, folder) = (issuer::start(), tempfile::tempdir().unwrap());
    let key = |secret: &str| {
        let path = folder.path().join(format!("{}.json", secret.len()));
        let key = format!(
            r#"{{"type":"client_credentials","client_id":"tidegate","client_secret":"{secret}"}}"#
        );
        std::fs::write(&path, key).unwrap();
        format!(
            r#"{{"type":"client_credentials","issuerUrl":"{issuer}","privateKey":"file://{}","audience":"urn:pulsar","scope":"produce"}}"#,
            text(&path)
        )
    };
    let plain = server.service_url();
    let good = key(issuer::SECRET);
    assert_good(&plain, "issued", &[("authPlugin", "oauth2"), ("authParams", &good)]);
    let wrong = key("canary-4f1d9c");
    let shown = told(&plain, "any", &[("authPlugin", "oauth2"), ("authParams", &wrong)]);
    let reason = format!(
        "refused the login: the issuer of tokens at {issuer} answers 401 Unauthorized no such client"
    );
    assert!(shown.contains(&reason), "{shown}");
    assert!(!shown.contains("canary-4f1d9c"), "{shown}");
}
