//! `tidegate run`, and `tidegate` alone.

use super::arguments::{Run, To};
use super::failure::{Exit, Failure, chain};
use super::print::{LiveLine, People};
use super::{changes, print, repeat};
use crate::config::settings::Settings;
use crate::config::{Configuration, Overrides, Source};
use crate::observe::figure;
use crate::observe::progress::View;
use crate::observe::report::{Report, Stopped};
use crate::run::request::{Destination, Facts, ManifestPath, Request};
use crate::run::window::rfc3339;
use crate::run::{self, Finished, Listener, Ready, Watcher};

/// The model of the quickstart.
const QUICKSTART: &str = "payments";

/// Publishes until the end or until stopped, and tells what became of it.
pub fn run(arguments: &Run, people: &People) -> Result<Exit, Failure> {
    let overrides = changes::of_run(arguments)?;
    let model = arguments.model.as_deref().unwrap_or(QUICKSTART);
    let configuration = changes::read(model, &overrides)?;
    let destination = destination(arguments, &configuration.settings)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let request = request(arguments, &overrides, &configuration, destination);
    let live = people.live_line(destination == Destination::Stdout);
    let source = configuration.source.clone();
    let mut listener = Told { people, live, destination, source };
    let finished = run::run(configuration, request, &mut listener)?;
    listener.live.finish();
    conclude(arguments, finished, people)
}

/// Where to: with no model and nothing else said, to the Kafka inside the process.
fn destination(arguments: &Run, settings: &Settings) -> Result<Destination, Failure> {
    if arguments.way.headers && arguments.way.to != Some(To::Stdout) {
        let told = "`--headers` is for `--to stdout`: to a broker, headers are sent anyway";
        return Err(Failure::Bad(told.to_owned()));
    }
    match (arguments.way.to, &arguments.model) {
        (Some(To::Kafka), _) => Ok(Destination::Kafka),
        (Some(To::Pulsar), _) => Ok(Destination::Pulsar),
        (None, Some(_)) => Ok(Destination::named(settings)),
        (Some(To::Stdout), _) => Ok(Destination::Stdout),
        (Some(To::Null), _) => Ok(Destination::Null),
        (None, None) => {
            let changes = &arguments.changes;
            if !changes.property.is_empty() || changes.registry.is_some() {
                return Err(Failure::Bad(
                    "the quickstart brings its own Kafka and registry: name a model to publish to \
                     yours, as in `tidegate run payments -X bootstrap.servers=HOST:PORT`"
                        .to_owned(),
                ));
            }
            Ok(Destination::Embedded)
        }
    }
}

fn request(
    arguments: &Run,
    overrides: &Overrides,
    configuration: &Configuration,
    destination: Destination,
) -> Request {
    let manifest = match &arguments.telling.manifest {
        None => ManifestPath::New,
        Some(path) if path.as_os_str() == "none" => ManifestPath::None,
        Some(path) => ManifestPath::At(path.clone()),
    };
    let source = configuration.source.clone();
    let (again, variables) = (arguments.clone(), overrides.clone());
    Request {
        destination,
        streams: arguments.window.streams.clone(),
        shard: arguments.window.shard,
        at: arguments.way.at,
        headers: arguments.way.headers,
        manifest,
        conditions: arguments.telling.fail_if.clone(),
        repeat: Box::new(move |facts: &Facts| {
            source.masked_message(&repeat::command(&again, &variables, &source, facts))
        }),
    }
}

fn conclude(arguments: &Run, finished: Finished, people: &People) -> Result<Exit, Failure> {
    let Finished { report, error } = finished;
    if let Some(error) = &error {
        people.insist(&chain(error));
    }
    people.say(&report.to_string());
    // A line that nobody reads is in the way of all further ones.
    let blocked = arguments.way.to == Some(To::Stdout) && report.about.stopped == Stopped::GivenUp;
    if arguments.telling.json && !blocked {
        print::result(&serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
    }
    Ok(verdict(&report, error.as_ref()))
}

fn verdict(report: &Report, error: Option<&run::Error>) -> Exit {
    let gave_up = report.about.stopped == Stopped::GivenUp;
    if error.is_some() || gave_up || report.counts.lost_any() {
        Exit::Failed
    } else if report.broken.is_empty() {
        Exit::Good
    } else {
        Exit::Negative
    }
}

/// Tells people how the run goes.
struct Told<'a> {
    people: &'a People,
    live: LiveLine,
    destination: Destination,
    source: Source,
}

impl Listener for Told<'_> {
    fn ready(&mut self, ready: &Ready) {
        super::warn(&self.source, &ready.warnings, self.people);
        let until = ready.until_us.map(|until_us| format!(" to {}", rfc3339(until_us)));
        let mut lines = vec![format!(
            "tidegate {}: {}, {} on average{}, seed {}, from {}{}, to {}",
            env!("CARGO_PKG_VERSION"),
            ready.model,
            figure::rate(ready.rate_per_s),
            if ready.followed { " and what follows" } else { "" },
            ready.seed,
            rfc3339(ready.from_us),
            until.unwrap_or_default(),
            ready.target,
        )];
        if self.destination == Destination::Embedded {
            lines.extend(how_to_look(ready));
        }
        lines.extend(ready.metrics.map(|address| format!("  metrics at http://{address}/metrics")));
        self.people.say(&lines.join("\n"));
    }
}

impl Watcher for Told<'_> {
    fn glance(&mut self, view: &View, now_ns: i64) {
        self.live.show(view, now_ns);
    }

    fn stopping(&mut self, patience: std::time::Duration) {
        self.people.say(&format!(
            "stopping: waiting for receipts, {} at most; stop again to give up",
            figure::time(patience)
        ));
    }
}

fn how_to_look(ready: &Ready) -> Vec<String> {
    let (servers, registry) = (&ready.servers, &ready.registry);
    let mut lines = vec!["  look at it with any client, while it runs:".to_owned()];
    for topic in &ready.topics {
        lines.push(format!("    kcat -b {servers} -t {topic} -C -s value=avro -r {registry}"));
        lines.push(format!("    curl {registry}/subjects/{topic}-value/versions/latest"));
    }
    if ready.until_us.is_none() {
        lines.push("  Ctrl-C stops it".to_owned());
    }
    lines
}
