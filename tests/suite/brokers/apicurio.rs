//! Apicurio 2.6.13: a schema registry that speaks the Confluent API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, Process, Provider};
use super::{free_port, wait_for};

const IMAGE: &str = "apicurio/apicurio-registry-mem:2.6.13.Final";

/// Generous: on 2 cores that also compile, what takes 5 s alone takes many times that.
const READY: Duration = Duration::from_mins(2);

/// A registry of its own, in memory, gone when dropped.
#[derive(Debug)]
pub(crate) struct ApicurioServer {
    // Before the folder that it writes to: fields are dropped in order.
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl ApicurioServer {
    /// Starts a registry and waits until it answers. The error says why none can be had.
    pub(crate) fn try_start() -> Result<Self, String> {
        let provider = process::provider("apicurio", IMAGE)?;
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (command, container) = command(&provider, port, &folder);
        let mut process = Process::spawn(command, container, folder.path());
        wait_for("the registry answers", READY, || {
            let log = || process::log_tail(folder.path());
            assert!(process.is_running(), "the registry ended:\n{}", log());
            answers(port).then_some(())
        });
        Ok(Self { _process: process, port, _folder: folder })
    }

    /// The address of the Confluent API.
    pub(crate) fn ccompat_url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }
}

fn command(provider: &Provider, port: u16, folder: &TempDir) -> (Command, Option<String>) {
    match provider {
        Provider::Java(downloads) => {
            let jar = downloads.join("apicurio-registry-app-2.6.13.Final-runner.jar");
            let mut command = Command::new("java");
            command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
            command.arg("-Dquarkus.http.host=127.0.0.1");
            command.arg(format!("-Dquarkus.http.port={port}"));
            command.arg("-jar").arg(jar).current_dir(folder.path());
            (command, None)
        }
        Provider::Docker(image) => {
            let name = process::container_name("apicurio");
            let mut command = Command::new("docker");
            command.args(["run", "--rm", "--network", "host", "--name", &name]);
            command.args(["--env", "QUARKUS_HTTP_HOST=127.0.0.1"]);
            command.args(["--env", &format!("QUARKUS_HTTP_PORT={port}"), image]);
            (command, Some(name))
        }
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(
            b"GET /apis/ccompat/v7/subjects HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
