//! Real servers for the tests: Kafka, Pulsar and a schema registry, started on loopback and stopped again.
//!
//! A test that needs one says `let Some(kafka) = brokers::kafka() else { return };`. Where no
//! server can be had, the test says so on standard error and is skipped; with `CI=true` it fails.

#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

// The paths are written out so that a benchmark can take this module by its path.
#[path = "brokers/apicurio.rs"]
pub(crate) mod apicurio;
#[path = "brokers/certificates.rs"]
pub(crate) mod certificates;
#[path = "brokers/kafka.rs"]
pub(crate) mod kafka;
#[path = "brokers/process.rs"]
mod process;
#[path = "brokers/pulsar.rs"]
pub(crate) mod pulsar;
#[path = "brokers/tokens.rs"]
pub(crate) mod tokens;
#[path = "brokers/topic.rs"]
pub(crate) mod topic;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tidegate::clock::Clock;

use apicurio::ApicurioServer;
use kafka::{KafkaServer, Options};
use pulsar::PulsarServer;

/// A Kafka without security that tests share; it ends with the test process.
pub(crate) fn kafka() -> Option<&'static KafkaServer> {
    static SHARED: OnceLock<Result<KafkaServer, String>> = OnceLock::new();
    shared(SHARED.get_or_init(|| KafkaServer::try_start(&Options::default())))
}

/// A Kafka with [`kafka::Options::guarded`] listeners that tests share.
pub(crate) fn guarded_kafka() -> Option<&'static KafkaServer> {
    static SHARED: OnceLock<Result<KafkaServer, String>> = OnceLock::new();
    let options = Options { guarded: true, ..Options::default() };
    shared(SHARED.get_or_init(|| KafkaServer::try_start(&options)))
}

/// A schema registry that tests share: take subjects of your own.
pub(crate) fn registry() -> Option<&'static ApicurioServer> {
    static SHARED: OnceLock<Result<ApicurioServer, String>> = OnceLock::new();
    shared(SHARED.get_or_init(ApicurioServer::try_start))
}

/// A Pulsar without security that tests share: take topics of your own. It looks every second whether
/// a backlog is too large.
pub(crate) fn pulsar() -> Option<&'static PulsarServer> {
    static SHARED: OnceLock<Result<PulsarServer, String>> = OnceLock::new();
    let settings = [("backlogQuotaCheckIntervalInSeconds", "1")];
    shared(SHARED.get_or_init(|| PulsarServer::try_start(&settings)))
}

/// A Pulsar that asks who its clients are (see [`PulsarServer::try_start_guarded`]), which tests share.
pub(crate) fn guarded_pulsar() -> Option<&'static PulsarServer> {
    static SHARED: OnceLock<Result<PulsarServer, String>> = OnceLock::new();
    shared(SHARED.get_or_init(PulsarServer::try_start_guarded))
}

fn shared<T>(server: &'static Result<T, String>) -> Option<&'static T> {
    server.as_ref().map_err(|why| unavailable(why)).ok()
}

/// Says that the running test is skipped and why; with `CI=true` the test fails instead.
pub(crate) fn unavailable(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "{name} must not be skipped in CI: {why}");
    // Not `eprintln!`: the test harness would capture it, and nobody would hear of the skip. In one
    // piece, because other tests write too.
    let line = format!("SKIPPED {name}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
}

/// Asks until there is an answer; fails the test after `patience`.
pub(crate) fn wait_for<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        let waited_ns = u128::try_from(clock.now_ns() - begin_ns).unwrap_or_default();
        assert!(waited_ns < patience.as_nanos(), "{what}: not within {patience:?}");
        clock.sleep(Duration::from_millis(50));
    }
}

/// A port of 127.0.0.1 that nobody listens on.
///
/// It lies below the range that the kernel gives to outgoing connections, so that none of those
/// takes it while its server is down.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at the same time begin at different ports.
    let begin = std::process::id().wrapping_mul(211);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::SeqCst));
        let offset = begin.wrapping_add(step) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("all {COUNT} ports from {FIRST} are taken");
}
