//! The registry client against a real registry, and against a server that wants a password.

mod https;

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method};
use tidegate::clock::Clock;
use tidegate::config::secret::Secret;
use tidegate::encode::registry::{
    Authentication, ClientCertificate, Error, Mode, Options, Part, Registered, Registry, Strategy,
    Subject,
};

use crate::brokers::certificates::Certificates;
use crate::brokers::{self, free_port};
use https::Wants;

const WORD: &str = r#"{"type":"record","name":"Word","namespace":"suite","fields":[{"name":"text","type":"string"}]}"#;
/// The same name, and a field that no reader of [`WORD`] finds: not backward compatible.
const BROKEN: &str = r#"{"type":"record","name":"Word","namespace":"suite","fields":[{"name":"text","type":"string"},{"name":"length","type":"int"}]}"#;
/// The same name, and a field with a default: backward compatible.
const LONGER: &str = r#"{"type":"record","name":"Word","namespace":"suite","fields":[{"name":"text","type":"string"},{"name":"length","type":"int","default":0}]}"#;

fn options(url: &str, mode: Mode) -> Options {
    Options { urls: vec![url.to_owned()], mode, ..Options::default() }
}

fn value_of(topic: &str) -> Subject<'_> {
    Subject { topic, record: Some("suite.Word"), part: Part::Value }
}

async fn resolve(options: &Options, topic: &str, schema: &str) -> Result<Registered, Error> {
    Registry::connect(options)?.resolve(&value_of(topic), schema).await
}

/// Asks the registry beside the client under test; gives back the body of the answer.
async fn raw(method: Method, url: &str, body: &'static str) -> String {
    let client = Client::builder().tls_certs_only([]).build().unwrap();
    let request = client.request(method, url).body(body);
    let request = request.header("content-type", "application/vnd.schemaregistry.v1+json");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_schema_is_registered_once_and_found_again() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url();
    let register = options(&url, Mode::Register);
    let first = resolve(&register, "once", WORD).await.unwrap();
    assert_eq!(first.schema_json, WORD);
    assert_eq!(resolve(&register, "once", WORD).await.unwrap(), first);
    assert_eq!(resolve(&register, "twice", WORD).await.unwrap().id, first.id);
    assert_eq!(resolve(&options(&url, Mode::Use), "once", WORD).await.unwrap(), first);
    let subjects: Vec<String> =
        serde_json::from_str(&raw(Method::GET, &format!("{url}/subjects"), "").await).unwrap();
    assert!(subjects.contains(&"once-value".to_owned()), "{subjects:?}");
}

#[tokio::test]
async fn subjects_follow_the_strategy() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url();
    for (strategy, name) in [
        (Strategy::RecordName, "suite.Named"),
        (Strategy::TopicRecordName, "strategy-suite.Named"),
        (Strategy::TopicName, "strategy-key"),
    ] {
        let named = WORD.replace("Word", "Named");
        let registry =
            Registry::connect(&Options { subjects: strategy, ..options(&url, Mode::Register) });
        let subject = Subject { topic: "strategy", record: Some("suite.Named"), part: Part::Key };
        let registered = registry.unwrap().resolve(&subject, &named).await.unwrap();
        let latest = raw(Method::GET, &format!("{url}/subjects/{name}/versions/latest"), "").await;
        let latest: serde_json::Value = serde_json::from_str(&latest).unwrap();
        assert_eq!(latest["id"], registered.id, "{name}");
    }
}

#[tokio::test]
async fn an_incompatible_schema_is_refused_with_the_registrys_reason() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url();
    let register = options(&url, Mode::Register);
    resolve(&register, "stable", WORD).await.unwrap();
    let config =
        raw(Method::PUT, &format!("{url}/config/stable-value"), r#"{"compatibility":"BACKWARD"}"#)
            .await;
    assert!(config.contains("BACKWARD"), "{config}");
    let error = resolve(&register, "stable", BROKEN).await.unwrap_err();
    let Error::Incompatible { subject, reason } = &error else { panic!("{error:?}") };
    assert_eq!(subject, "stable-value");
    assert!(!reason.is_empty() && !reason.contains("couldn't parse"), "{reason}");
    resolve(&register, "stable", LONGER).await.unwrap();
}

#[tokio::test]
async fn what_is_no_schema_is_refused() {
    let Some(server) = brokers::registry() else { return };
    let register = options(&server.ccompat_url(), Mode::Register);
    let error = resolve(&register, "no-schema", r#"{"type":"nothing"}"#).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn the_latest_version_and_a_pinned_id_come_with_the_registrys_own_schema() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url();
    let first = resolve(&options(&url, Mode::Register), "grows", WORD).await.unwrap();
    let second = resolve(&options(&url, Mode::Register), "grows", LONGER).await.unwrap();
    assert_ne!(first.id, second.id);
    let as_json = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    let latest = resolve(&options(&url, Mode::Latest), "grows", WORD).await.unwrap();
    assert_eq!((latest.id, as_json(&latest.schema_json)), (second.id, as_json(LONGER)));
    let pinned = resolve(&options(&url, Mode::Id(first.id)), "grows", LONGER).await.unwrap();
    assert_eq!((pinned.id, as_json(&pinned.schema_json)), (first.id, as_json(WORD)));
}

#[tokio::test]
async fn what_is_not_there_is_named_and_never_registered() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url();
    let error = resolve(&options(&url, Mode::Use), "absent", WORD).await.unwrap_err();
    assert!(matches!(&error, Error::NotRegistered { subject, .. } if subject == "absent-value"));
    assert!(error.to_string().contains("`schemas = \"register\"`"), "{error}");
    let error = resolve(&options(&url, Mode::Latest), "absent", WORD).await.unwrap_err();
    assert!(matches!(&error, Error::SubjectNotFound { subject, .. } if subject == "absent-value"));
    let error = resolve(&options(&url, Mode::Id(999_999)), "absent", WORD).await.unwrap_err();
    assert!(matches!(&error, Error::IdNotFound { id: 999_999, .. }), "{error:?}");
    let subjects = raw(Method::GET, &format!("{url}/subjects"), "").await;
    assert!(!subjects.contains("absent"), "{subjects}");

    resolve(&options(&url, Mode::Register), "present", WORD).await.unwrap();
    let error = resolve(&options(&url, Mode::Use), "present", LONGER).await.unwrap_err();
    assert!(matches!(&error, Error::NotRegistered { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_not_the_api_is_told_apart_from_a_missing_schema() {
    let Some(server) = brokers::registry() else { return };
    let url = server.ccompat_url().replace("/apis/ccompat/v7", "/nowhere");
    for mode in [Mode::Register, Mode::Use, Mode::Latest, Mode::Id(1)] {
        let error = resolve(&options(&url, mode), "t", WORD).await.unwrap_err();
        assert!(matches!(&error, Error::BadAnswer { .. }), "{mode:?}: {error:?}");
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named_after_a_bounded_wait() {
    let port = free_port();
    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    let nobody = Options {
        timeout: Duration::from_millis(1_500),
        ..options(&format!("http://127.0.0.1:{port}"), Mode::Register)
    };
    let error = resolve(&nobody, "t", WORD).await.unwrap_err();
    let waited_ms = (clock.now_ns() - begin_ns) / 1_000_000;
    assert!((1_400..5_000).contains(&waited_ms), "{waited_ms} ms");
    assert!(matches!(&error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("http://127.0.0.1:{port}")), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_the_next_one_asked() {
    // It accepts connections (the kernel does) and never reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let short = Duration::from_secs(2);
    let alone = Options { timeout: short, ..options(&silent_url, Mode::Register) };
    let error = resolve(&alone, "t", WORD).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error:?}");

    let Some(server) = brokers::registry() else { return };
    let both = Options {
        urls: vec![silent_url, server.ccompat_url()],
        timeout: Duration::from_secs(10),
        ..Options::default()
    };
    resolve(&both, "second-address", WORD).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_comes_late_is_waited_for() {
    let port = free_port();
    let patient = options(&format!("http://127.0.0.1:{port}"), Mode::Register);
    let late = tokio::spawn(async move { resolve(&patient, "t", WORD).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let body = r#"{"id":21}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
    assert_eq!(late.await.unwrap().unwrap().id, 21);
}

fn with_authority(url: &str, certificates: &Certificates) -> Options {
    Options { authority: Some(certificates.authority.clone()), ..options(url, Mode::Register) }
}

fn basic(username: &str, password: &str) -> Authentication {
    let password = Secret::new(password.to_owned());
    Authentication::Basic { username: username.to_owned(), password }
}

#[tokio::test]
async fn a_password_or_token_opens_and_a_wrong_one_is_named_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::write(folder.path());
    let right = [
        ("Basic dGlkZTpoMWdo", basic("tide", "h1gh")),
        ("Bearer canary-token", Authentication::Bearer(Secret::new("canary-token".to_owned()))),
    ];
    let wrong = [basic("tide", "canary-pass"), Authentication::None];
    for (header, authentication) in right {
        let address = https::start(&certificates, Wants::Header(header)).await;
        let base = with_authority(&format!("https://{address}/"), &certificates);
        let options = Options { authentication, ..base.clone() };
        assert_eq!(resolve(&options, "t", WORD).await.unwrap().id, 7, "{header}");
        for authentication in wrong.clone() {
            let options = Options { authentication, ..base.clone() };
            let error = resolve(&options, "t", WORD).await.unwrap_err();
            assert!(matches!(&error, Error::Unauthorised { status: 401, .. }), "{error:?}");
            let registry = Registry::connect(&options).unwrap();
            let shown = format!("{error} {error:?} {options:?} {registry:?}");
            assert!(shown.contains("who are you?"), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

#[tokio::test]
async fn certificates_are_asked_for_and_checked_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::write(folder.path());
    let client_certificate = Some(ClientCertificate {
        certificate: certificates.client.clone(),
        key: certificates.client_key.clone(),
    });
    let address = https::start(&certificates, Wants::Certificate).await;
    let nameless = with_authority(&format!("https://{address}"), &certificates);
    let ours = Options { client_certificate, ..nameless.clone() };
    assert_eq!(resolve(&ours, "t", WORD).await.unwrap().id, 7);

    let of_another = Some(certificates.other_authority.clone());
    let address = https::start(&certificates, Wants::NothingAndExpired).await;
    let expired = with_authority(&format!("https://{address}"), &certificates);
    for (refused, reason) in [
        (nameless, "certificate"),
        (Options { authority: of_another, ..ours.clone() }, "UnknownIssuer"),
        (expired, "expired"),
    ] {
        let error = resolve(&refused, "t", WORD).await.unwrap_err();
        assert!(matches!(&error, Error::Certificate { .. }), "{reason}: {error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    // A machine without authorities of its own cannot even begin.
    let error = resolve(&Options { authority: None, ..ours }, "t", WORD).await.unwrap_err();
    assert!(matches!(&error, Error::Certificate { .. } | Error::Client { .. }), "{error:?}");
}

#[test]
fn bad_addresses_and_files_are_named_before_anything_is_sent() {
    let refused = |options: &Options| Registry::connect(options).unwrap_err();
    assert!(matches!(refused(&Options::default()), Error::NoAddress));
    for url in ["localhost:8081", "ftp://localhost", "", "http://"] {
        let error = refused(&options(url, Mode::Register));
        assert!(matches!(&error, Error::NotAnAddress { url: named } if named == url), "{error:?}");
    }
    let error = refused(&options("http://tide:canary@localhost:8081", Mode::Register));
    assert!(matches!(&error, Error::PasswordInAddress), "{error:?}");
    let error = refused(&options("tide:canary@localhost", Mode::Register));
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");

    let missing = Path::new("/nowhere/authority.pem").to_owned();
    let with =
        |path| Options { authority: Some(path), ..options("https://localhost", Mode::Register) };
    let error = refused(&with(missing));
    assert!(matches!(&error, Error::File { .. }), "{error:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "not PEM").unwrap();
    let error = refused(&with(file.path().to_owned()));
    assert!(matches!(&error, Error::NotPem { .. }), "{error:?}");
}
