//! Apache Pulsar 4.0.7, standalone: broker, bookie and metadata store in one process.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificates::{self, Certificates};
use super::process::{self, Process, Provider};
use super::{free_port, tokens, unavailable, wait_for};

/// The image that has the same.
pub(crate) const IMAGE: &str = "apachepulsar/pulsar:4.0.7";

/// Generous: on 2 cores that also compile, what takes 10 s alone takes many times that.
const READY: Duration = Duration::from_mins(3);

/// What reflection of Netty and `BookKeeper` must be let into.
const OPENED: [&str; 8] = [
    "java.base/sun.net",
    "java.base/java.io",
    "java.base/java.util.zip",
    "java.base/java.nio",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.platform",
    "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
];

/// One node, little memory, what is written is not forced to disk. What nobody subscribes to is kept.
const SETTINGS: &str = "\
clusterName=standalone
metadataStoreUrl=
configurationMetadataStoreUrl=
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
brokerShutdownTimeoutMs=5000
loadManagerClassName=org.apache.pulsar.broker.loadbalance.NoopLoadManager
loadBalancerEnabled=false
webSocketServiceEnabled=false
numIOThreads=2
numHttpServerThreads=8
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
managedLedgerCacheSizeMB=32
ledgerStorageClass=org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage
allowEphemeralPorts=true
listeningInterface=lo
allowLoopback=true
journalSyncData=false
journalMaxGroupWaitMSec=1
journalPreAllocSizeMB=4
nettyMaxFrameSizeBytes=5253120
dbStorage_writeCacheMaxSizeMb=16
dbStorage_readAheadCacheMaxSizeMb=16
dbStorage_rocksDB_blockCacheSize=16777216
diskUsageThreshold=0.99
diskUsageWarnThreshold=0.99
defaultRetentionTimeInMinutes=-1
defaultRetentionSizeInMB=-1
";

/// A broker of its own: own ports, own folder, gone when dropped.
#[derive(Debug)]
pub(crate) struct PulsarServer {
    process: Mutex<Option<Process>>,
    provider: Provider,
    service_port: u16,
    web_port: u16,
    bookie_port: u16,
    folder: TempDir,
    guard: Option<Guard>,
}

/// What a broker that asks who its clients are has beside others.
#[derive(Debug)]
struct Guard {
    certificates: Certificates,
    tls_port: u16,
    /// Of the role that may do everything.
    token: String,
}

/// The role that may write to topics, and no more. The client's certificate may too.
pub(crate) const PRODUCER: &str = "producer";

/// A name and a password that may write, and the password as the broker keeps it.
pub(crate) const PASSWORD: (&str, &str) = ("basic-producer", "hunter2-basic");
const PASSWORD_FILE: &str = "basic-producer:$apr1$tidegate$gWF9eye7aQDOJ1gQ94rQA.\n";

impl PulsarServer {
    /// Starts a broker with more lines of `standalone.conf` and waits until it answers. `None` where
    /// none can be had: the test was then told to skip.
    pub(crate) fn start(more: &[(&str, &str)]) -> Option<Self> {
        Self::try_start(more).map_err(|why| unavailable(&why)).ok()
    }

    /// The same; the error says why none can be had.
    pub(crate) fn try_start(more: &[(&str, &str)]) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::begin(folder, more, None)
    }

    /// A broker that wants a token, a password or a certificate, and encrypts on a second port.
    pub(crate) fn try_start_guarded() -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::write(folder.path());
        let tls_port = free_port();
        let token = tokens::token("admin", None);
        let file = |path: &Path| path.display().to_string();
        let port = tls_port.to_string();
        let providers = ["Token", "Basic", "Tls"].map(|kind| {
            format!("org.apache.pulsar.broker.authentication.AuthenticationProvider{kind}")
        });
        let (server, key) = Certificates::parts(&certificates.server);
        let own = [
            ("authenticationEnabled", "true".to_owned()),
            ("authorizationEnabled", "true".to_owned()),
            ("authenticationProviders", providers.join(",")),
            ("authenticationRefreshCheckSeconds", "1".to_owned()),
            ("tokenSecretKey", tokens::secret_key()),
            ("basicAuthConf", format!("data:;base64,{}", STANDARD.encode(PASSWORD_FILE))),
            ("superUserRoles", "admin".to_owned()),
            (
                "brokerClientAuthenticationPlugin",
                "org.apache.pulsar.client.impl.auth.AuthenticationToken".to_owned(),
            ),
            ("brokerClientAuthenticationParameters", format!("token:{token}")),
            ("brokerServicePortTls", port),
            ("tlsCertificateFilePath", file(&server)),
            ("tlsKeyFilePath", file(&key)),
            ("tlsTrustCertsFilePath", file(&certificates.authority)),
        ];
        let own: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let guard = Guard { certificates, tls_port, token };
        let server = Self::begin(folder, &own, Some(guard))?;
        for role in [PRODUCER, PASSWORD.0, certificates::CLIENT] {
            let path = format!("/admin/v2/namespaces/public/default/permissions/{role}");
            server.must("POST", &path, r#"["produce"]"#);
        }
        Ok(server)
    }

    fn begin(folder: TempDir, more: &[(&str, &str)], guard: Option<Guard>) -> Result<Self, String> {
        let provider = process::provider("pulsar", IMAGE)?;
        let (service_port, web_port) = (free_port(), free_port());
        let mut settings = SETTINGS.to_owned();
        let own = [("brokerServicePort", service_port), ("webServicePort", web_port)];
        for (name, port) in own {
            writeln!(settings, "{name}={port}").expect("a string takes more");
        }
        for (name, value) in more {
            writeln!(settings, "{name}={value}").expect("a string takes more");
        }
        std::fs::write(folder.path().join("standalone.conf"), settings)
            .expect("a file in our own folder");
        let server = Self {
            process: Mutex::new(None),
            provider,
            service_port,
            web_port,
            bookie_port: free_port(),
            folder,
            guard,
        };
        server.start_again();
        Ok(server)
    }

    /// Where clients connect.
    pub(crate) fn service_url(&self) -> String {
        format!("pulsar://127.0.0.1:{}", self.service_port)
    }

    /// Where the administration is.
    pub(crate) fn web_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.web_port)
    }

    /// Where clients connect encrypted.
    pub(crate) fn encrypted_url(&self) -> String {
        format!("pulsar+ssl://127.0.0.1:{}", self.guard().tls_port)
    }

    /// The certificates of the encrypted connections.
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.guard().certificates
    }

    fn guard(&self) -> &Guard {
        self.guard.as_ref().expect("the broker asks who its clients are")
    }

    /// Starts it after [`PulsarServer::kill`], with all that it had.
    pub(crate) fn start_again(&self) {
        let (command, container) = self.command();
        let mut process = Process::spawn(command, container, self.folder.path());
        wait_for("Pulsar answers", READY, || {
            let log = || process::log_tail(self.folder.path());
            assert!(process.is_running(), "Pulsar ended:\n{}", log());
            let healthy = self.ask("/admin/v2/brokers/health")?.ends_with("ok");
            let spaces = self.ask("/admin/v2/namespaces/public")?;
            (healthy && spaces.contains("public/default")).then_some(())
        });
        *self.process.lock().expect("nobody panics") = Some(process);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&self) {
        self.process.lock().expect("nobody panics").take().expect("it runs").kill();
    }

    /// Stops the broker's time with SIGSTOP: connections stay open, nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        self.process.lock().expect("nobody panics").as_ref().expect("it runs").signal(name);
    }

    /// Makes a namespace of the tenant `public`; `deduplicates` says whether its topics do.
    pub(crate) fn make_namespace(&self, name: &str, deduplicates: bool) {
        let path = format!("/admin/v2/namespaces/public/{name}");
        self.must("PUT", &path, "{}");
        self.must("POST", &format!("{path}/deduplication"), &deduplicates.to_string());
    }

    /// Asks the administration for something; the body of its answer, which must be a good one.
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (status, text) = self.answer(method, path, body).expect("the administration answers");
        let told = String::from_utf8_lossy(&text);
        assert!((200..300).contains(&status), "{method} {path}: {status} {told}");
        text
    }

    /// The status and the body of an answer of the administration.
    pub(crate) fn answer(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let length = body.len();
        let token = self.guard.as_ref().map(|guard| &guard.token);
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             {token}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Ok((status, answer.get(end + 4..).unwrap_or_default().to_vec()))
    }

    fn ask(&self, path: &str) -> Option<String> {
        let (_, body) = self.answer("GET", path, "").ok()?;
        String::from_utf8(body).ok()
    }

    fn command(&self) -> (Command, Option<String>) {
        let folder = self.folder.path();
        let file = |name: &str| folder.join(name).display().to_string();
        let bookie_port = self.bookie_port.to_string();
        let arguments = [
            ("-c", file("standalone.conf")),
            ("--metadata-dir", file("metadata")),
            ("--bookkeeper-dir", file("bookkeeper")),
            ("--bookkeeper-port", bookie_port),
        ];
        let arguments = arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        let plain = ["--no-functions-worker", "--no-stream-storage"];
        match &self.provider {
            Provider::Java(downloads) => {
                let mut command = java(downloads);
                command.arg("org.apache.pulsar.PulsarStandaloneStarter");
                command.args(arguments).args(plain).current_dir(folder);
                (command, None)
            }
            Provider::Docker(image) => {
                let name = process::container_name("pulsar");
                let mut command = process::docker_run(image, Some(&name), folder);
                command.args(["bin/pulsar", "standalone"]).args(arguments).args(plain);
                (command, Some(name))
            }
        }
    }
}

/// A JVM with Pulsar's classes.
fn java(downloads: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xms128m", "-Xmx512m", "-XX:MaxDirectMemorySize=512m"]);
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    for opened in OPENED {
        command.arg("--add-opens").arg(format!("{opened}=ALL-UNNAMED"));
    }
    command.arg("-Dio.netty.tryReflectionSetAccessible=true");
    command.arg("-cp").arg(downloads.join("libs/*"));
    command
}
