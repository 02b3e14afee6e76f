//! The command that sends the same events again.

use super::arguments::Run;
use crate::config::overrides::Overrides;
use crate::config::source::{PieceKind, Source};
use crate::run::request::{End, Facts};
use crate::run::window::rfc3339;

/// The command line, quoted for a shell. What was set is taken from `source`, which masks secrets.
pub fn command(run: &Run, variables: &Overrides, source: &Source, facts: &Facts) -> String {
    let mut words = vec!["tidegate".to_owned(), "run".to_owned()];
    words.extend(run.model.clone());
    let mut flag = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            words.push(name.to_owned());
            words.push(value.to_owned());
        }
    };
    let (changes, window, way) = (&run.changes, &run.window, &run.way);
    flag("--seed", Some(&facts.seed.to_string()));
    flag("--start", Some(&facts.start));
    flag("--rate", changes.rate.as_deref());
    flag("--intensity", changes.intensity.as_deref());
    flag("--from", window.from.as_deref());
    match &facts.end {
        End::AsAsked => {
            flag("--until", window.until.as_deref());
            flag("--duration", window.duration.as_deref());
            flag("--count", window.count.as_deref());
        }
        End::Count(count) => flag("--count", Some(&count.to_string())),
        End::Until(time) => flag("--until", Some(time)),
    }
    let streams = Some(window.streams.join(",")).filter(|names| !names.is_empty());
    flag("--streams", streams.as_deref());
    flag("--shard", window.shard.map(|shard| shard.to_string()).as_deref());
    flag("--at", way.at.map(|at| rfc3339(at.0)).as_deref());
    flag("--to", way.to.map(super::arguments::To::name));
    flag("--speed", way.speed.as_deref());
    flag("--pace", way.pace.as_deref());
    flag("--max-rate", way.max_rate.as_deref());
    flag("--max-bytes", way.max_bytes.as_deref());
    flag("--threads", way.threads.as_deref());
    flag("--registry", changes.registry.as_deref());
    for (variable, written) in variables.variables.iter().zip(written(source, "environment")) {
        let value = written.split_once('=').map_or("", |(_, value)| value);
        flag("--set", Some(&format!("{}={value}", variable.key())));
    }
    for origin in ["--set", "-X"] {
        for written in written(source, origin) {
            flag(origin, Some(&written));
        }
    }
    for (name, given) in [
        ("--headers", way.headers),
        ("--create-topics", way.create_topics),
        ("--digest", run.telling.digest),
    ] {
        if given {
            words.push(name.to_owned());
        }
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// What was written at one origin, in its order, as it may be shown.
fn written(source: &Source, origin: &str) -> impl Iterator<Item = String> {
    let pieces = source.pieces().iter().filter(move |piece| piece.name == origin);
    let set = pieces.filter(|piece| piece.kind == PieceKind::Override);
    set.map(|piece| source.shown(piece))
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:=@%+,-".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::{Command, Invocation};
    use super::super::changes;
    use super::*;
    use crate::config::{self, ModelSource};

    const VARIABLE: &str = "{a='b',\"sasl.password\"='abc'}";

    fn again(words: &str, end: End) -> String {
        let words = words.split(' ').map(|word| word.replace('~', " "));
        let invocation = Invocation::try_parse_from(words).unwrap();
        let Some(Command::Run(run)) = invocation.command else { panic!("not a run") };
        let facts = Facts { seed: 7, start: "2026-03-02T00:00:00Z".into(), end };
        let flags = changes::of_run(&run).unwrap().flags;
        let variable = ("TIDEGATE_SINK__KAFKA".to_owned(), VARIABLE.to_owned());
        let variables = Some(variable).filter(|_| run.model.as_deref() == Some("v.toml"));
        let overrides = Overrides { flags, ..Overrides::default() }.with_environment(variables);
        let payments = ModelSource::named("payments");
        let read = config::read(&payments, &overrides, &|_| None).unwrap();
        command(&run, &overrides, &read.source, &facts)
    }

    #[test]
    fn what_was_drawn_or_was_now_is_written_out() {
        assert_eq!(
            again("tidegate run m.toml --duration 10m --rate 5/s --json --quiet", End::AsAsked),
            "tidegate run m.toml --seed 7 --start 2026-03-02T00:00:00Z --rate 5/s --duration 10m"
        );
        assert_eq!(
            again("tidegate run --seed 0 --start now --for 30s", End::Count(15_012)),
            "tidegate run --seed 7 --start 2026-03-02T00:00:00Z --count 15012"
        );
    }

    #[test]
    fn secrets_are_masked_and_words_are_quoted() {
        let again = again(
            "tidegate run m.toml -X sasl.password=hunter2 --set sink.kafka.client.id=it's~it -X a=1",
            End::Until("2026-03-02T00:00:30Z".into()),
        );
        assert_eq!(
            again,
            "tidegate run m.toml --seed 7 --start 2026-03-02T00:00:00Z --until \
             2026-03-02T00:00:30Z --set 'sink.kafka.client.id=it'\\''s it' -X 'sasl.password=***' -X a=1"
        );
    }

    #[test]
    fn secrets_inside_of_tables_are_masked_however_short_they_are() {
        let again = again(
            "tidegate run v.toml --set registry={url='http://a:1',username='u',password=\"it's\"} \
             --set sink={kafka={\"sasl.jaas.config\"='x~y'}}",
            End::AsAsked,
        );
        let set = again.split_once("--set ").unwrap().1;
        assert_eq!(
            set.replace("'\\''", "'"),
            "'sink.kafka={a='b',\"sasl.password\"=***}' \
             --set 'registry={url='http://a:1',username='u',password=***}' \
             --set 'sink={kafka={\"sasl.jaas.config\"=***}}'"
        );
    }
}
