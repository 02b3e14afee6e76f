//! `tidegate verify`: what topics hold, joined with what a run sent.

use super::arguments::Verify;
use super::failure::{Exit, Failure};
use super::print::{LiveLine, People};
use super::{changes, print};
use crate::config::units;
use crate::consume::address::Address;
use crate::observe::figure;
use crate::run::verification::{self, Ask, Known, Listener, View};
use crate::verify::findings::Kind;
use crate::verify::identify::Place;
use crate::verify::report::Report;

/// Reads topics, and says what of a run is there.
pub fn verify(arguments: &Verify, people: &People) -> Result<Exit, Failure> {
    let ask = ask(arguments)?;
    let known = known(arguments)?;
    let live = people.live_line(false);
    let mut listener = Told { people, live };
    let report = verification::verify(known, ask, &mut listener);
    listener.live.finish();
    conclude(arguments, &report?, people)
}

/// The run: a manifest, or a model with its flags.
fn known(arguments: &Verify) -> Result<Known, Failure> {
    let first = changes::first(&arguments.run)?;
    let overrides = changes::of_verify(arguments, first.as_ref())?;
    let Some(first) = first else {
        let configuration = changes::read(&arguments.run, &overrides)?;
        let known = Known::of_model(configuration, Vec::new(), arguments.shard);
        return Ok(known?);
    };
    Ok(Known::of_repetition(changes::again(first, &overrides)?)?)
}

fn ask(arguments: &Verify) -> Result<Ask, Failure> {
    let bad = |flag: &str, reason: String| Failure::Bad(format!("`{flag}`: {reason}"));
    let sources = arguments.from.iter().map(|text| text.parse::<Address>());
    let sources = sources.collect::<Result<_, _>>().map_err(|why| bad("--from", why))?;
    let time = |flag: &str, text: &Option<String>| {
        let read = text.as_ref().map(|text| units::duration(text));
        let read = read.transpose();
        read.map_err(|error| bad(flag, format!("{error}; {}", error.way_out())))
    };
    let place = match (&arguments.id_path, &arguments.id_header, arguments.id_key) {
        (Some(path), ..) => Place::Field(path.split('.').map(str::to_owned).collect()),
        (_, Some(name), _) => Place::Header(name.clone()),
        (_, _, true) => Place::Key,
        _ => Place::Anywhere,
    };
    Ok(Ask {
        sources,
        streams: arguments.streams.clone(),
        place,
        compared_one_in: arguments.sample.as_ref().map_or(Ok(1), |text| share(text))?,
        filter: arguments.filter.clone(),
        until_complete: arguments.until_complete,
        timeout: time("--timeout", &arguments.timeout)?,
        idle: time("--idle", &arguments.idle)?.unwrap_or(std::time::Duration::from_secs(10)),
        since_us: arguments.since.map(|moment| moment.0),
        findings: arguments.findings.clone(),
    })
}

/// A share, as in `1/100`: the number below the line; 0 for none.
fn share(text: &str) -> Result<u32, Failure> {
    let number = match text.split_once('/') {
        Some(("1", below)) => below.parse().ok().filter(|below| *below > 0),
        None if text == "0" => Some(0),
        None if text == "1" => Some(1),
        _ => None,
    };
    number.ok_or_else(|| {
        Failure::Bad(format!(
            "`--sample`: `{text}` is no share: write 1/100, 1 for all or 0 for none"
        ))
    })
}

fn conclude(arguments: &Verify, report: &Report, people: &People) -> Result<Exit, Failure> {
    people.say(&report.to_string());
    if arguments.json {
        print::result(&serde_json::to_string(report).map_err(std::io::Error::from)?)?;
    }
    let wrong =
        report.wrong(&arguments.ignore.iter().map(|kind| (*kind).into()).collect::<Vec<Kind>>());
    Ok(if wrong.is_empty() { Exit::Good } else { Exit::Negative })
}

/// Tells people how it goes.
struct Told<'a> {
    people: &'a People,
    live: LiveLine,
}

impl Listener for Told<'_> {
    fn ready(&mut self, topics: &[String]) {
        let mut names: Vec<&String> = Vec::new();
        for topic in topics {
            if !names.contains(&topic) {
                names.push(topic);
            }
        }
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        self.people.say(&format!("verify: reading {}", names.join(", ")));
    }

    fn glance(&mut self, view: &View) {
        let View { records, records_per_s, delivered, outstanding, wrong, is_over, now_ns } = view;
        let line = format!(
            "{} records, {} · {} delivered · {} outstanding · {} wrong{}",
            figure::count(*records),
            figure::rate(*records_per_s),
            figure::count(*delivered),
            figure::count(*outstanding),
            figure::count(*wrong),
            if *is_over { "" } else { " · the run goes on" },
        );
        self.live.tell(&line, *now_ns);
    }
}
