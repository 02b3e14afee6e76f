//! How soon the quickstart delivers its first event.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tidegate::clock::Clock;

use crate::brokers::free_port;
use crate::program::program;
use crate::row::{Row, Verdict, median};
use crate::turns::PAIRS;

/// How long a start may take before it is given up.
const PATIENCE_NS: i64 = 20_000_000_000;

/// Between two looks at the metrics: the figure may be too great by so much.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// From the start of the process to the first event that the broker inside it has acknowledged.
pub(crate) fn start() -> Result<Vec<Row>> {
    let seconds: Vec<f64> = (0..PAIRS).map(|_| first_delivery_s()).collect::<Result<_>>()?;
    let (middle, worst) = (median(&seconds), seconds.iter().copied().fold(0.0, f64::max));
    Ok(vec![Row {
        what: "start to first event delivered on the embedded broker",
        at_least: "< 1 s",
        measured: format!("{middle:.2} s, the longest of {PAIRS} {worst:.2} s"),
        verdict: Verdict::of(middle < 1.0),
    }])
}

fn first_delivery_s() -> Result<f64> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = program(&format!("run --metrics {address} --quiet --manifest none"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    let mut child = command.spawn().context("the program starts")?;
    let found = wait(&clock, begin_ns, address, &mut child);
    child.kill()?;
    child.wait()?;
    found
}

fn wait(clock: &Clock, begin_ns: i64, address: SocketAddr, child: &mut Child) -> Result<f64> {
    loop {
        let delivered = delivered(address).unwrap_or(0.0);
        let waited_ns = clock.now_ns() - begin_ns;
        if delivered > 0.0 {
            return Ok(waited_ns as f64 / 1e9);
        }
        if let Some(status) = child.try_wait()? {
            bail!("the quickstart ended: {status}");
        }
        if waited_ns > PATIENCE_NS {
            bail!("nothing was delivered in {} s", PATIENCE_NS / 1_000_000_000);
        }
        clock.sleep(LOOK_EVERY);
    }
}

/// What the program's metrics say was delivered; none while nobody answers.
fn delivered(address: SocketAddr) -> Option<f64> {
    let mut stream = TcpStream::connect(address).ok()?;
    let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let line = answer.lines().find(|it| it.starts_with("tidegate_delivered_events_total"))?;
    line.rsplit(' ').next()?.parse().ok()
}
