//! The command that sends the same events again.

use super::arguments::Run;
use crate::config::overrides::Overrides;
use crate::config::source::{PieceKind, Source};
use crate::run::request::{End, Facts};
use crate::run::window::rfc3339;

/// The command line, quoted for a shell. What was set is taken from `source`, which masks secrets.
pub fn command(run: &Run, variables: &Overrides, source: &Source, facts: &Facts) -> String {
    if let (End::Amid(_), Some(manifest)) = (&facts.end, &facts.manifest) {
        return of_manifest(manifest);
    }
    let mut words = Words::new(run);
    let (changes, window) = (&run.changes, &run.window);
    words.flag("--seed", Some(&facts.seed.to_string()));
    words.flag("--start", Some(&facts.start));
    words.flag("--rate", changes.rate.as_deref());
    words.flag("--intensity", changes.intensity.as_deref());
    words.flag("--from", window.from.as_deref());
    match &facts.end {
        End::AsAsked => {
            words.flag("--until", window.until.as_deref());
            words.flag("--duration", window.duration.as_deref());
            words.flag("--count", window.count.as_deref());
        }
        End::Count(count) => words.flag("--count", Some(&count.to_string())),
        End::Until(time) | End::Amid(time) => words.flag("--until", Some(time)),
    }
    let streams = Some(window.streams.join(",")).filter(|names| !names.is_empty());
    words.flag("--streams", streams.as_deref());
    words.flag("--shard", window.shard.map(|shard| shard.to_string()).as_deref());
    words.way(run);
    for (variable, written) in variables.variables.iter().zip(written(source, "environment")) {
        let value = written.split_once('=').map_or("", |(_, value)| value);
        words.flag("--set", Some(&format!("{}={value}", variable.key())));
    }
    words.set(run, source);
    words.joined()
}

/// The same for a run that repeats another one: what is sent stands in a manifest.
pub fn of_repetition(run: &Run, source: &Source, facts: &Facts) -> String {
    match (&facts.end, &facts.manifest) {
        (End::AsAsked, _) | (_, None) => {
            let mut words = Words::new(run);
            words.way(run);
            words.set(run, source);
            words.joined()
        }
        (_, Some(manifest)) => of_manifest(manifest),
    }
}

fn of_manifest(path: &str) -> String {
    format!("tidegate run {}", quoted(path))
}

/// The words of a command line.
struct Words(Vec<String>);

impl Words {
    fn new(run: &Run) -> Self {
        let mut words = vec!["tidegate".to_owned(), "run".to_owned()];
        words.extend(run.model.clone());
        Self(words)
    }

    fn flag(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.extend([name.to_owned(), value.to_owned()]);
        }
    }

    /// How it is sent, and where to.
    fn way(&mut self, run: &Run) {
        let way = &run.way;
        self.flag("--at", way.at.map(|at| rfc3339(at.0)).as_deref());
        self.flag("--to", way.to.map(super::arguments::To::name));
        self.flag("--speed", way.speed.as_deref());
        self.flag("--pace", way.pace.as_deref());
        self.flag("--max-rate", way.max_rate.as_deref());
        self.flag("--max-bytes", way.max_bytes.as_deref());
        self.flag("--threads", way.threads.as_deref());
        self.flag("--registry", run.changes.registry.as_deref());
    }

    /// What was set key by key, and the flags that have no value.
    fn set(&mut self, run: &Run, source: &Source) {
        let (changes, way) = (&run.changes, &run.way);
        for (origin, typed) in [("--set", &changes.set), ("-X", &changes.property)] {
            // Those of a run that is repeated come before what was typed.
            let before = written(source, origin).count().saturating_sub(typed.len());
            for written in written(source, origin).skip(before) {
                self.flag(origin, Some(&written));
            }
        }
        for (name, given) in [
            ("--headers", way.headers),
            ("--create-topics", way.create_topics),
            ("--digest", run.telling.digest),
        ] {
            if given {
                self.0.push(name.to_owned());
            }
        }
    }

    fn joined(&self) -> String {
        self.0.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// What was written at one origin, in its order, as it may be shown.
fn written(source: &Source, origin: &str) -> impl Iterator<Item = String> {
    let pieces = source.pieces().iter().filter(move |piece| piece.name == origin);
    let set = pieces.filter(|piece| matches!(piece.kind, PieceKind::Override(_)));
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
        let (start, manifest) = ("2026-03-02T00:00:00Z".into(), Some("runs/a b.json".into()));
        let facts = Facts { seed: 7, start, end, manifest };
        let flags = changes::of_run(&run, None).unwrap().flags;
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
    fn a_run_that_ended_amid_several_streams_is_repeated_by_its_manifest() {
        let again =
            again("tidegate run m.toml --to null", End::Amid("2026-03-02T00:00:30Z".into()));
        assert_eq!(again, "tidegate run 'runs/a b.json'");
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
