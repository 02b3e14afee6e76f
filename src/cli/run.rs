//! `tidegate run`, and `tidegate` alone.

use super::arguments::Run;
use super::failure::{Exit, Failure, chain};
use super::print::{LiveLine, People};
use super::{again, changes, print, repeat};
use crate::config::{Configuration, Source};
use crate::observe::consumer::Kind;
use crate::observe::figure;
use crate::observe::progress::View;
use crate::observe::report::{Report, Stopped};
use crate::run::consumer::Watch;
use crate::run::request::{Destination, Facts, ManifestPath, Repeat, Request};
use crate::run::window::rfc3339;
use crate::run::{self, Finished, Listener, Ready, Watcher};

/// The model of the quickstart.
const QUICKSTART: &str = "payments";

/// Publishes until the end or until stopped, and tells what became of it.
pub fn run(arguments: &Run, people: &People) -> Result<Exit, Failure> {
    let model = arguments.model.as_deref().unwrap_or(QUICKSTART);
    let (configuration, request) = match changes::first(model)? {
        Some(first) => again::asked(arguments, first, people)?,
        None if arguments.way.resume.is_some() => {
            let told = "`--resume` goes on with an earlier run: give its manifest, from `runs/`";
            return Err(Failure::Bad(told.to_owned()));
        }
        None => asked(arguments, model)?,
    };
    let destination = request.destination;
    super::warn(&configuration.source, &configuration.warnings, people);
    let live = people.live_line(destination == Destination::Stdout);
    let source = configuration.source.clone();
    let mut listener = Told { people, live, destination, source };
    let finished = run::run(configuration, request, &mut listener)?;
    listener.live.finish();
    conclude(arguments, finished, destination, people)
}

/// What a model is read as, and what is asked for beside it.
fn asked(arguments: &Run, model: &str) -> Result<(Configuration, Request), Failure> {
    let overrides = changes::of_run(arguments, arguments.way.to)?;
    let configuration = changes::read(model, &overrides)?;
    let destination = match (arguments.way.to, &arguments.model) {
        (Some(to), _) => to.destination(),
        (None, Some(_)) => Destination::named(&configuration.settings),
        // With no model and nothing else said, to the Kafka inside the process.
        (None, None) => Destination::Embedded,
    };
    check(arguments, destination)?;
    let source = configuration.source.clone();
    let again = arguments.clone();
    let repeat: Repeat = Box::new(move |facts: &Facts| {
        source.masked_message(&repeat::command(&again, &overrides, &source, facts))
    });
    Ok((configuration, request(arguments, destination, repeat)))
}

/// Refuses flags that mean nothing where events go.
pub(super) fn check(arguments: &Run, destination: Destination) -> Result<(), Failure> {
    if arguments.way.headers && destination != Destination::Stdout {
        let told = "`--headers` is for `--to stdout`: to a broker, headers are sent anyway";
        return Err(Failure::Bad(told.to_owned()));
    }
    let reader = &arguments.reader;
    let watched = watch(arguments).is_some();
    if !watched && (reader.catch_up.is_some() || reader.watch_every.is_some()) {
        return Err(Failure::Bad(
            "`--catch-up` and `--watch-every` say how a consumer is watched: name it with `--group`, or \
             `--subscription` for Pulsar"
                .to_owned(),
        ));
    }
    let changes = &arguments.changes;
    let named = !changes.property.is_empty() || changes.registry.is_some();
    if destination == Destination::Embedded && named {
        return Err(Failure::Bad(
            "the quickstart brings its own Kafka and registry: name a model to publish to \
             yours, as in `tidegate run payments -X bootstrap.servers=HOST:PORT`"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Who is watched, if anybody is.
fn watch(arguments: &Run) -> Option<Watch> {
    let reader = &arguments.reader;
    let (kind, name) = match (&reader.group, &reader.subscription) {
        (Some(name), _) => (Kind::Group, name.clone()),
        (None, Some(name)) => (Kind::Subscription, name.clone()),
        (None, None) => return None,
    };
    let every = reader.watch_every.unwrap_or(Watch::EVERY);
    Some(Watch { kind, name, every, catch_up: reader.catch_up.unwrap_or_default() })
}

/// What is asked for beside the model; `repeat` writes the command that sends the same again.
pub(super) fn request(arguments: &Run, destination: Destination, repeat: Repeat) -> Request {
    let manifest = match &arguments.telling.manifest {
        None => ManifestPath::New,
        Some(path) if path.as_os_str() == "none" => ManifestPath::None,
        Some(path) => ManifestPath::At(path.clone()),
    };
    Request {
        destination,
        streams: arguments.window.streams.clone(),
        shard: arguments.window.shard,
        at: arguments.way.at,
        headers: arguments.way.headers,
        manifest,
        consumer: watch(arguments),
        conditions: arguments.telling.fail_if.clone(),
        repeats: None,
        resume: None,
        repeat,
    }
}

fn conclude(
    arguments: &Run,
    finished: Finished,
    destination: Destination,
    people: &People,
) -> Result<Exit, Failure> {
    let Finished { report, error } = finished;
    if let Some(error) = &error {
        people.insist(&chain(error));
    }
    people.say(&report.to_string());
    // A line that nobody reads is in the way of all further ones.
    let blocked = destination == Destination::Stdout && report.about.stopped == Stopped::GivenUp;
    if arguments.telling.json && !blocked {
        print::result(&serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
    }
    Ok(verdict(&report, error.as_ref()))
}

fn verdict(report: &Report, error: Option<&run::Error>) -> Exit {
    let gave_up = report.about.stopped == Stopped::GivenUp;
    if error.is_some() || gave_up || report.lost_any() {
        Exit::Failed
    } else if report.is_negative() {
        Exit::Negative
    } else {
        Exit::Good
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

    fn catching_up(&mut self, patience: std::time::Duration) {
        self.people.say(&format!(
            "all is sent: waiting until the consumer has caught up, {} at most; stop to go on without",
            figure::time(patience)
        ));
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
