//! Apache Pulsar 4.0.7, standalone: broker, bookie and metadata store in one process.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, Process, Provider};
use super::{free_port, unavailable, wait_for};

const IMAGE: &str = "apachepulsar/pulsar:4.0.7";

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
}

impl PulsarServer {
    /// Starts a broker with more lines of `standalone.conf` and waits until it answers. `None` where
    /// none can be had: the test was then told to skip.
    pub(crate) fn start(more: &[(&str, &str)]) -> Option<Self> {
        Self::try_start(more).map_err(|why| unavailable(&why)).ok()
    }

    /// The same; the error says why none can be had.
    pub(crate) fn try_start(more: &[(&str, &str)]) -> Result<Self, String> {
        let provider = process::provider("pulsar", IMAGE)?;
        let (service_port, web_port) = (free_port(), free_port());
        let folder = tempfile::tempdir().expect("a temporary folder");
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

    /// Starts it after [`PulsarServer::kill`], with all that it had.
    pub(crate) fn start_again(&self) {
        let (command, container) = self.command();
        let mut process = Process::spawn(command, container, self.folder.path());
        wait_for("Pulsar answers", READY, || {
            let log = || process::log_tail(self.folder.path());
            assert!(process.is_running(), "Pulsar ended:\n{}", log());
            let healthy = self.ask("GET", "/admin/v2/brokers/health", "")?.ends_with("ok");
            let spaces = self.ask("GET", "/admin/v2/namespaces/public", "")?;
            (healthy && spaces.contains("public/default")).then_some(())
        });
        *self.process.lock().expect("nobody panics") = Some(process);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&self) {
        self.process.lock().expect("nobody panics").take().expect("it runs").kill();
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Option<String> {
        self.answer(method, path, body).ok()
    }

    fn answer(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
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
