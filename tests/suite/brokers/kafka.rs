//! Apache Kafka 4.1.0 in `KRaft` mode, one node.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::process::{self, Process, Provider};
use super::{free_port, unavailable, wait_for};

const IMAGE: &str = "apache/kafka:4.1.0";

/// Generous: on 2 cores that also compile, what takes 4 s alone has taken 30 s.
const READY: Duration = Duration::from_mins(2);

/// A user of the guarded listeners who may do everything.
pub(crate) const USER: &str = "tide";
/// A user of the guarded listeners who may do nothing, until [`KafkaServer::allow`].
pub(crate) const STRANGER: &str = "stranger";
/// The password of both.
pub(crate) const PASSWORD: &str = "h1gh-and-l0w";

/// How a broker is to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// With listeners for SASL over TLS, for mutual TLS and with an expired certificate, and with
    /// an authorizer: [`USER`], the client certificate and whoever comes without security may do
    /// everything, [`STRANGER`] nothing.
    pub(crate) guarded: bool,
    /// More lines of `server.properties`.
    pub(crate) properties: Vec<(String, String)>,
}

impl Options {
    /// For a broker that is to be killed and started again: in 4 s instead of 13, since nobody waits
    /// for the session of its former life to end.
    pub(crate) fn quick_to_return() -> Self {
        let properties =
            [("broker.session.timeout.ms", "1000"), ("broker.heartbeat.interval.ms", "100")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { properties: properties.into(), ..Self::default() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    open: u16,
    controller: u16,
    sasl_ssl: u16,
    mutual_tls: u16,
    expired: u16,
}

/// A broker of its own: own ports, own log folder, gone when dropped.
#[derive(Debug)]
pub(crate) struct KafkaServer {
    process: Option<Process>,
    provider: Provider,
    ports: Ports,
    certificates: Option<Certificates>,
    folder: TempDir,
}

impl KafkaServer {
    /// Starts a broker and waits until it answers. `None` where none can be had: the test was then
    /// told to skip.
    pub(crate) fn start(options: &Options) -> Option<Self> {
        Self::try_start(options).map_err(|why| unavailable(&why)).ok()
    }

    /// The same; the error says why none can be had.
    pub(crate) fn try_start(options: &Options) -> Result<Self, String> {
        let provider = process::provider("kafka", IMAGE)?;
        let ports = Ports {
            open: free_port(),
            controller: free_port(),
            sasl_ssl: free_port(),
            mutual_tls: free_port(),
            expired: free_port(),
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = options.guarded.then(|| Certificates::write(folder.path()));
        let mut server = Self { process: None, provider, ports, certificates, folder };
        let properties = server.properties(options);
        std::fs::write(server.properties_file(), properties).expect("a file in our own folder");
        server.format();
        server.start_again();
        Ok(server)
    }

    /// Where clients without security connect; they may do everything.
    pub(crate) fn bootstrap_servers(&self) -> String {
        address(self.ports.open)
    }

    /// Where clients with SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) over TLS connect.
    pub(crate) fn sasl_ssl(&self) -> String {
        address(self.ports.sasl_ssl)
    }

    /// Where clients with a certificate of their own connect.
    pub(crate) fn mutual_tls(&self) -> String {
        address(self.ports.mutual_tls)
    }

    /// A TLS listener (no SASL) whose certificate ended yesterday.
    pub(crate) fn expired(&self) -> String {
        address(self.ports.expired)
    }

    /// The certificates of a guarded broker.
    pub(crate) fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("the broker was started with `guarded`")
    }

    /// Kills the broker with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the broker runs").kill();
    }

    /// Starts the broker on the same ports and log folder, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "the broker runs already");
        self.process = Some(self.spawn());
        let bootstrap_servers = self.bootstrap_servers();
        let folder = self.folder.path().to_owned();
        let process = self.process.as_mut();
        let process = process.expect("it was just started");
        wait_for("Kafka answers", READY, || {
            assert!(process.is_running(), "Kafka ended:\n{}", process::log_tail(&folder));
            answers(&bootstrap_servers).then_some(())
        });
    }

    /// Stops the broker's time with SIGSTOP: connections stay open, nothing is answered.
    pub(crate) fn pause(&self) {
        self.process.as_ref().expect("the broker runs").signal("STOP");
    }

    /// Lets a paused broker go on.
    pub(crate) fn resume(&self) {
        self.process.as_ref().expect("the broker runs").signal("CONT");
    }

    /// Grants `operation` (`Describe`, `Write`…) on a topic to `User:<user>`.
    pub(crate) fn allow(&self, user: &str, operation: &str, topic: &str) {
        let principal = format!("User:{user}");
        let grant = ["--add", "--allow-principal", &principal, "--operation", operation];
        self.rights(topic, &grant);
        // The grant is in the log before the broker goes by it.
        wait_for("the right is in force", READY, || {
            let list = self.rights(topic, &["--list"]);
            let found = list.contains(&principal) && list.contains(&operation.to_uppercase());
            found.then_some(())
        });
    }

    fn rights(&self, topic: &str, arguments: &[&str]) -> String {
        let servers = self.bootstrap_servers();
        let mut all = vec!["--bootstrap-server", &servers, "--topic", topic];
        all.extend(arguments);
        let output = self.tool("org.apache.kafka.tools.AclCommand", &all);
        assert!(output.status.success(), "Kafka's AclCommand failed: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs one of Kafka's command-line tools by its class name.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) -> Output {
        let mut command = self.java(None);
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(class).args(arguments);
        command.output().expect("java starts")
    }

    fn java(&self, container: Option<&str>) -> Command {
        match &self.provider {
            Provider::Java(folder) => {
                let mut command = Command::new("java");
                command.arg("-cp").arg(folder.join("libs/*"));
                command
            }
            Provider::Docker(image) => {
                let mut command = process::docker_run(image, container, self.folder.path());
                command.args(["java", "-cp", "/opt/kafka/libs/*"]);
                command
            }
        }
    }

    fn format(&self) {
        let file = self.properties_file();
        let file = file.to_str().expect("a temporary folder has a plain name");
        let id = "dGlkZWdhdGUtdGVzdHMxMg";
        let mut arguments = vec!["format", "-t", id, "-c", file];
        let users: Vec<String> = [USER, STRANGER]
            .iter()
            .flat_map(|user| ["256", "512"].map(|bits| (user, bits)))
            .map(|(user, bits)| format!("SCRAM-SHA-{bits}=[name={user},password={PASSWORD}]"))
            .collect();
        if self.certificates.is_some() {
            for user in &users {
                arguments.extend(["--add-scram", user]);
            }
        }
        let output = self.tool("kafka.tools.StorageTool", &arguments);
        assert!(output.status.success(), "Kafka cannot format its log folder: {output:?}");
    }

    fn spawn(&self) -> Process {
        let container = match self.provider {
            Provider::Java(_) => None,
            Provider::Docker(_) => Some(process::container_name("kafka")),
        };
        let mut command = self.java(container.as_deref());
        command.args(["-Xmx768m", "kafka.Kafka"]).arg(self.properties_file());
        Process::spawn(command, container, self.folder.path())
    }

    fn properties_file(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn properties(&self, options: &Options) -> String {
        let ports = &self.ports;
        let mut listeners = vec![("OPEN", "PLAINTEXT", ports.open)];
        if options.guarded {
            listeners.push(("GUARDED", "SASL_SSL", ports.sasl_ssl));
            listeners.push(("MUTUAL", "SSL", ports.mutual_tls));
            listeners.push(("EXPIRED", "SSL", ports.expired));
        }
        let clients = listed(&listeners, |(name, _, port)| format!("{name}://{}", address(*port)));
        let protocols = listed(&listeners, |(name, protocol, _)| format!("{name}:{protocol}"));
        let controller = address(ports.controller);
        let log_folder = self.folder.path().join("log");
        let mut lines = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@{controller}\n\
             listeners={clients},CONTROLLER://{controller}\n\
             advertised.listeners={clients}\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=OPEN\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}\n\
             log.dirs={}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.num.partitions=1\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            log_folder.display()
        );
        if let Some(certificates) = &self.certificates {
            lines.push_str(&guarded_properties(certificates));
        }
        for (name, value) in &options.properties {
            writeln!(lines, "{name}={value}").expect("a string takes any text");
        }
        lines
    }
}

fn guarded_properties(certificates: &Certificates) -> String {
    let users: String =
        [USER, STRANGER].map(|user| format!(" user_{user}=\"{PASSWORD}\"")).concat();
    let login = "org.apache.kafka.common.security";
    let mut lines = format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:{USER};User:CN={client}\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.guarded.plain.sasl.jaas.config={login}.plain.PlainLoginModule required{users};\n\
         listener.name.guarded.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;\n\
         listener.name.guarded.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;\n\
         listener.name.mutual.ssl.client.auth=required\n",
        client = super::certificates::CLIENT,
    );
    let stores = [
        ("guarded", &certificates.server),
        ("mutual", &certificates.server),
        ("expired", &certificates.expired_server),
    ];
    for (listener, store) in stores {
        lines.push_str(&store_properties(listener, store, &certificates.authority));
    }
    lines
}

fn store_properties(listener: &str, store: &Path, authority: &Path) -> String {
    format!(
        "listener.name.{listener}.ssl.keystore.type=PEM\n\
         listener.name.{listener}.ssl.keystore.location={}\n\
         listener.name.{listener}.ssl.truststore.type=PEM\n\
         listener.name.{listener}.ssl.truststore.location={}\n",
        store.display(),
        authority.display()
    )
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn listed<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(",")
}

fn answers(bootstrap_servers: &str) -> bool {
    let consumer: Result<BaseConsumer, _> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("log_level", "0")
        .create();
    // A broker that answers but is still fenced is not in its own metadata.
    let metadata = consumer.and_then(|it| it.fetch_metadata(None, Duration::from_secs(2)));
    metadata.is_ok_and(|it| !it.brokers().is_empty())
}
