//! A server as a process: a JVM of this machine, or a container where Docker answers.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What runs a server's processes.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    /// A JVM of this machine, with what `tests/brokers/fetch` downloaded into this folder.
    Java(PathBuf),
    /// Docker with this image.
    Docker(&'static str),
}

/// Docker if its daemon answers and has or gets the image, else Java; `TIDEGATE_BROKERS=java` or
/// `docker` takes that one only. The error says why there is neither.
pub(crate) fn provider(server: &str, image: &'static str) -> Result<Provider, String> {
    let wanted = std::env::var("TIDEGATE_BROKERS").unwrap_or_default();
    if wanted != "java" && docker_has(image) {
        return Ok(Provider::Docker(image));
    }
    if wanted == "docker" {
        return Err(format!("no Docker daemon answers, or it cannot get the image {image}"));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/fetch");
    let fetch = Command::new("bash").arg(script).arg(server).stderr(Stdio::piped()).output();
    let output = fetch.map_err(|error| format!("cannot run {script}: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("no Docker daemon answers, and without it: {reason}"));
    }
    Ok(Provider::Java(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())))
}

fn docker_has(image: &str) -> bool {
    let works = |arguments: &[&str]| {
        let command = Command::new("docker").args(arguments).output();
        command.is_ok_and(|output| output.status.success())
    };
    works(&["version", "--format", "{{.Server.Version}}"])
        && (works(&["image", "inspect", image]) || works(&["pull", "--quiet", image]))
}

/// A process that runs in `folder`, writes to `folder/server.log`, and does not outlive us.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    container: Option<String>,
    watchdog: Watchdog,
}

impl Process {
    /// Starts `command`, which `container` names if Docker runs it.
    pub(crate) fn spawn(mut command: Command, container: Option<String>, folder: &Path) -> Self {
        let log_file = folder.join("server.log");
        let log = File::options().create(true).append(true).open(&log_file);
        let log = log.expect("the server's log file opens");
        let log_too = log.try_clone().expect("a file handle has a copy");
        // A group of its own: Ctrl-C on the terminal must not stop it before the test ends.
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(log_too);
        let child = command.spawn().expect("the server's program starts");
        let stop = match &container {
            Some(name) => format!("docker rm -f {name}"),
            None => format!("kill -9 {}", child.id()),
        };
        Self { child, container, watchdog: Watchdog::start(&stop, folder) }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends `KILL`, `STOP`, `CONT` or `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = match &self.container {
            Some(container) => {
                Command::new("docker").args(["kill", "-s", name, container]).output()
            }
            None => Command::new("kill").args(["-s", name, &self.child.id().to_string()]).output(),
        };
        let sent = sent.expect("the program that sends a signal starts");
        assert!(
            sent.status.success(),
            "cannot send {name}: {}",
            String::from_utf8_lossy(&sent.stderr)
        );
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Nothing here asserts: it may be dropped while a test fails.
        match &self.container {
            Some(name) => drop(Command::new("docker").args(["kill", name]).output()),
            None => self.child.kill().unwrap_or_default(),
        }
        self.child.wait().expect("a child that was started can be waited for");
        self.watchdog.stand_down();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Stops a server and removes its folder when this process ends without having done so: a
/// `static` is never dropped.
///
/// It reads a pipe that only we hold open, so it hears of our end whatever that was.
#[derive(Debug)]
struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    fn start(stop: &str, folder: &Path) -> Self {
        let script =
            "read -r word; [ \"$word\" = done ] || { eval \"$1\"; sleep 1; rm -rf \"$2\"; }";
        let mut command = Command::new("sh");
        command.args(["-c", script, "watchdog", stop]).arg(folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("sh starts");
        let pipe = child.stdin.take();
        Self { child, pipe }
    }

    /// What it watches has ended: its process id may soon be another's.
    fn stand_down(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(b"done\n").expect("the watchdog listens");
            drop(pipe);
            self.child.wait().expect("a child that was started can be waited for");
        }
    }
}

/// A command of the server's image or class path; `name` if it is to be a server that can be named.
pub(crate) fn docker_run(image: &str, name: Option<&str>, folder: &Path) -> Command {
    // As ourselves: the folder is ours alone.
    let owner = std::fs::metadata(folder).expect("a folder of ours");
    let user = format!("{}:{}", owner.uid(), owner.gid());
    let folder = folder.display();
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "host", "--user", &user]);
    command.args(["--volume", &format!("{folder}:{folder}")]);
    if let Some(name) = name {
        command.args(["--name", name]);
    }
    command.arg(image);
    command
}

/// A name for a container that no other test process uses.
pub(crate) fn container_name(server: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("tidegate-{server}-{}-{number}", std::process::id())
}

/// The end of a server's log, for the message of a test that fails.
pub(crate) fn log_tail(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
