//! The program as its users run it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tidegate::clock::Clock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The program with these words (split at spaces) and nothing of our environment that it reads.
pub(crate) fn program(words: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEGATE_")) {
        command.env_remove(name);
    }
    command.args(words.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs the program to its end; its `--json` result.
pub(crate) fn report(words: &str) -> Result<Value> {
    let output = program(words).arg("--json").output().context("the program starts")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`tidegate {words}` failed: {}", told.trim());
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs the program to its end; its result, and the most memory that was resident as the kernel
/// tells it from outside.
pub(crate) fn report_and_memory(words: &str) -> Result<(Value, u64)> {
    let mut command = program(words);
    let child = command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.context("the program starts")?;
    let (clock, mut peak) = (Clock::system(), 0);
    // The result is far smaller than a pipe holds, so nobody has to read it while it is written.
    while child.try_wait()?.is_none() {
        peak = resident_max(&child).unwrap_or(peak);
        clock.sleep(LOOK_EVERY);
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "`tidegate {words}` failed");
    Ok((serde_json::from_slice(&output.stdout)?, peak))
}

fn resident_max(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// A number in a result, by the path to it.
pub(crate) fn figure(report: &Value, path: &[&str]) -> Result<f64> {
    let found = path.iter().try_fold(report, |value, name| value.get(name));
    match found.and_then(Value::as_f64) {
        Some(number) => Ok(number),
        None => bail!("the result has no `{}`", path.join(".")),
    }
}

/// A file as JSON.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
