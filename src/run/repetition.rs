//! A run that is done again, from its manifest.
//!
//! The model's text is the manifest's, the files that it names are those that they were, and what
//! was drawn or was now is drawn no more. So the events are the same; where to they go and how fast
//! may be another now.

mod error;
mod overrides;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::request::{Destination, Shard};
use super::schema::{self, Written};
use crate::config::model::Start;
use crate::config::secret::{MASK, Text};
use crate::config::settings::{Authentication, Moment, Property, Settings};
use crate::config::{self, Configuration, ModelSource, Overrides, Recorded, library, raw, units};
use crate::manifest::{Manifest, Model, NamedFile};

pub use error::{Error, State};

/// A run that was done, by its manifest.
#[derive(Clone, Debug)]
pub struct First {
    /// Where the manifest is.
    pub path: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// A run to be done again, or to be checked.
#[derive(Clone, Debug)]
pub struct Repetition {
    /// The run that was done.
    pub first: First,
    /// What gives the same events in the same window.
    pub configuration: Configuration,
}

impl First {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// What the file is instead.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_path_buf(), manifest: Manifest::read(path)? })
    }

    /// Where its events went.
    ///
    /// # Errors
    ///
    /// A name that no sink has.
    pub fn destination(&self) -> Result<Destination, Error> {
        let name = &self.manifest.sink;
        Destination::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or_else(|| self.impossible("sink", name))
    }

    /// Its share of the lanes; none if it was all of them.
    ///
    /// # Errors
    ///
    /// What is no share.
    pub fn shard(&self) -> Result<Option<Shard>, Error> {
        let text = &self.manifest.shard;
        let shard = text.parse().map_err(|_| self.impossible("shard", text))?;
        Ok(Some(shard).filter(|shard| *shard != Shard::WHOLE))
    }

    /// Refuses a flag that would change what is sent.
    pub fn refuse(&self, flag: &str) -> Error {
        let model = self.model_argument();
        Error::Flag { flag: flag.to_owned(), path: self.path.clone(), model }
    }

    /// What the command line calls its model.
    fn model_argument(&self) -> String {
        let model = &self.manifest.model;
        if model.built_in { model.name.clone() } else { model.path.clone() }
    }

    /// The streams that were sent; empty if these are all that the model has.
    pub fn streams(&self, configuration: &Configuration) -> Vec<String> {
        let sent = &self.manifest.streams;
        let is_sent = |name: &String| sent.iter().any(|stream| stream.name == *name);
        if configuration.model.streams.iter().all(|stream| is_sent(&stream.name)) {
            return Vec::new();
        }
        sent.iter().map(|stream| stream.name.clone()).collect()
    }

    /// Reads the model again as it was. `now` is what flags and variables say this time: they stand
    /// before those of the first run, and must change no event. `environment` answers
    /// `{ env = "NAME" }`.
    ///
    /// # Errors
    ///
    /// What keeps the events from being the same.
    pub fn again(
        self,
        now: &Overrides,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Repetition, Error> {
        let model = &self.manifest.model;
        model.files.iter().try_for_each(|file| self.check_file(file))?;
        if raw::parse(&model.text, 0).is_err() {
            let repeat = self.manifest.repeat.clone();
            return Err(Error::MaskedText { path: self.path, repeat });
        }
        let overrides = overrides::together(&self, now)?;
        let source = ModelSource::Recorded(recorded(model, self.manifest.seed));
        let mut configuration = config::read(&source, &overrides, environment).map_err(Box::new)?;
        if configuration.model.hash != model.hash {
            return Err(Error::OtherModel {
                path: self.path.clone(),
                tidegate: self.manifest.tidegate.clone(),
                was: model.hash.clone(),
                is: configuration.model.hash,
            });
        }
        configuration.model.seed = self.manifest.seed;
        configuration.model.start = Start::At(self.time("start", &self.manifest.start)?);
        self.set_window(&mut configuration.settings)?;
        Ok(Repetition { first: self, configuration })
    }

    fn set_window(&self, settings: &mut Settings) -> Result<(), Error> {
        let window = &self.manifest.window;
        let run = &mut settings.run;
        run.from = Some(Moment::At(self.time("from", &window.from)?));
        let until = window.until.as_ref().map(|until| self.time("until", until)).transpose()?;
        run.until = until.map(Moment::At);
        run.duration = None;
        run.count = window.count;
        // Where the first run ended is known by its events, and not by the clock.
        let wall_s = window.wall_s.filter(|_| self.manifest.result.is_none());
        run.wall_duration = wall_s.and_then(|wall_s| Duration::try_from_secs_f64(wall_s).ok());
        run.digest = true;
        Ok(())
    }

    /// When its window began on the wall clock, in microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// What is no time.
    pub fn anchor_us(&self) -> Result<i64, Error> {
        self.time("anchor", &self.manifest.pace.anchor)
    }

    /// The same for what it sent last: it may have been killed, and have gone on.
    ///
    /// # Errors
    ///
    /// What is no time.
    pub fn last_anchor_us(&self) -> Result<i64, Error> {
        let resumed = self.manifest.resumed.last();
        resumed.map_or_else(|| self.anchor_us(), |resumed| self.time("anchor", &resumed.anchor))
    }

    fn time(&self, key: &'static str, text: &str) -> Result<i64, Error> {
        units::time_us(text).map_err(|_| self.impossible(key, text))
    }

    fn impossible(&self, key: &'static str, value: &str) -> Error {
        Error::Impossible { path: self.path.clone(), key, value: value.to_owned() }
    }

    /// Refuses a file that is not what it was.
    fn check_file(&self, was: &NamedFile) -> Result<(), Error> {
        let bytes = if was.built_in {
            library::open(&was.path).map(|text| text.as_bytes().to_vec())
        } else {
            let read = fs::read(&was.path).map(Some);
            let state = State::of(was);
            read.map_err(|source| Error::FileGone { path: was.path.clone(), was: state, source })?
        };
        let is = bytes.map(|bytes| NamedFile::new(was.path.clone(), was.built_in, &bytes));
        if is.as_ref() == Some(was) {
            return Ok(());
        }
        let tidegate = self.manifest.tidegate.clone();
        Err(match is {
            Some(is) if !was.built_in => Error::FileChanged {
                path: was.path.clone(),
                was: State::of(was),
                is: State::of(&is),
            },
            _ => Error::OtherProgram { file: was.path.clone(), tidegate },
        })
    }

    /// The schemas that its events were written with, in the places of `now`: those of the streams of
    /// `configuration`'s model.
    ///
    /// # Errors
    ///
    /// A registry has another one now.
    pub(super) fn schemas(
        &self,
        configuration: &Configuration,
        now: Vec<Written>,
    ) -> Result<Vec<Written>, super::Error> {
        let streams = configuration.model.streams.iter().zip(now);
        let then = |(stream, now): (&config::model::Stream, Written)| {
            let sent = self.manifest.streams.iter().find(|sent| sent.name == stream.name);
            let Some(was) = sent.filter(|sent| sent.schema != now.schema_json) else {
                return Ok(now);
            };
            let then = schema::written(stream, Some(was.schema.clone()), now.value_id)?;
            if now.value_id.is_none() {
                return Ok(then);
            }
            if then.schema.canonical_form() != now.schema.canonical_form() {
                let (stream, id, was) = (stream.name.clone(), now.value_id, was.schema_id);
                return Err(Error::OtherSchema { stream, was, is: id }.into());
            }
            Ok(now)
        };
        streams.map(then).collect()
    }
}

impl Repetition {
    /// Refuses secrets that a sink needs, that the first run had from its model or from flags, and that
    /// nobody gave again.
    ///
    /// # Errors
    ///
    /// The first of them, by name.
    pub fn check_secrets(&self, destination: Destination) -> Result<(), Error> {
        let settings = &self.configuration.settings;
        let properties = match destination {
            Destination::Kafka => settings.kafka.as_ref().map(|it| ("kafka", &it.properties)),
            Destination::Pulsar => settings.pulsar.as_ref().map(|it| ("pulsar", &it.properties)),
            Destination::Embedded | Destination::Stdout | Destination::Null => return Ok(()),
        };
        if let Some((sink, properties)) = properties {
            let is_masked = |it: &&Property| it.value.value.reveal().contains(MASK);
            if let Some(masked) = properties.iter().find(is_masked) {
                return Err(Error::Secret {
                    flag: format!("-X {}", masked.name.value),
                    variable: variable(&["sink", sink, &masked.name.value]),
                });
            }
        }
        match masked_of_registry(settings) {
            Some(key) => Err(Error::Secret {
                flag: format!("--set registry.{key}"),
                variable: variable(&["registry", key]),
            }),
            None => Ok(()),
        }
    }
}

fn recorded(model: &Model, seed: u64) -> Recorded {
    Recorded {
        name: model.name.clone(),
        path: PathBuf::from(&model.path),
        built_in: model.built_in,
        text: model.text.clone(),
        seed,
    }
}

/// The key of a registry's secret that is masked.
fn masked_of_registry(settings: &Settings) -> Option<&'static str> {
    let is_masked = |text: &str| text.contains(MASK);
    match &settings.registry.as_ref()?.authentication {
        Authentication::Basic { username, .. } if is_masked(Text::reveal(username)) => {
            Some("username")
        }
        Authentication::Basic { password, .. } if is_masked(password.reveal()) => Some("password"),
        Authentication::Bearer(token) if is_masked(token.reveal()) => Some("token"),
        Authentication::Basic { .. } | Authentication::Bearer(_) | Authentication::None => None,
    }
}

/// The variable that stands for these keys.
fn variable(keys: &[&str]) -> String {
    format!("TIDEGATE_{}", keys.join("__").replace('.', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{FORMAT, Override, Pace, Stream, Window};

    /// A run with these overrides: origin, key and what was written.
    pub(super) fn first(overrides: &[(&str, &str, &str)]) -> First {
        let overrides = overrides.iter().map(|(origin, key, written)| Override {
            origin: (*origin).to_owned(),
            key: key.splitn(3, '.').map(str::to_owned).collect(),
            written: (*written).to_owned(),
        });
        let start = "2026-03-02T00:00:00Z".to_owned();
        let manifest = Manifest {
            format: FORMAT,
            tidegate: "0.1.0".into(),
            model: Model {
                name: "m".into(),
                path: "m.toml".into(),
                built_in: false,
                hash: String::new(),
                text: "seed = 1\n".into(),
                files: Vec::new(),
            },
            overrides: overrides.collect(),
            seed: 1,
            start: start.clone(),
            window: Window {
                from: start.clone(),
                until: None,
                count: None,
                events: None,
                wall_s: None,
            },
            pace: Pace { speed: None, events_per_s: None, governor: None, anchor: start },
            shard: "0/1".into(),
            sink: "null".into(),
            streams: Vec::new(),
            repeat: String::new(),
            resumed: Vec::new(),
            result: None,
        };
        First { path: "runs/m.json".into(), manifest }
    }

    #[test]
    fn what_no_run_writes_is_refused_by_its_key() {
        let mut first = first(&[]);
        assert_eq!(first.destination().unwrap(), Destination::Null);
        assert_eq!(first.shard().unwrap(), None);
        first.manifest.sink = "floppy".into();
        first.manifest.shard = "2/2".into();
        let told = first.destination().unwrap_err().to_string();
        assert_eq!(
            told,
            "the manifest runs/m.json has `floppy` as its `sink`, which no run writes"
        );
        assert!(first.shard().unwrap_err().to_string().contains("`2/2` as its `shard`"));
    }

    const MODEL: &str = r#"
        [traffic]
        rate = "5/s"
        [streams.a]
        topic = "a"
        schema = "schemas/run/Control.avsc"
    "#;

    #[test]
    fn a_schema_of_the_first_run_stands_for_the_models_and_a_registrys_must_be_it() {
        let model = ModelSource::Text {
            name: "m.toml".into(),
            directory: env!("CARGO_MANIFEST_DIR").into(),
            text: MODEL.into(),
        };
        let configuration = config::read(&model, &Overrides::default(), &|_| None).unwrap();
        let ours = schema::of_model(&configuration.model).unwrap();
        let other = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}"#;
        let mut first = first(&[]);
        first.manifest.streams.push(Stream {
            key_schema_id: None,
            name: "a".into(),
            topic: "a".into(),
            schema_id: Some(7),
            schema: other.into(),
        });
        let told = first.schemas(&configuration, ours.clone()).unwrap();
        assert_eq!(told[0].schema_json, other);
        let at_registry = vec![Written { value_id: Some(9), ..ours[0].clone() }];
        let refused = first.schemas(&configuration, at_registry).unwrap_err().to_string();
        assert!(refused.contains("stream `a`") && refused.contains("was 7, and is 9"), "{refused}");
    }
}
