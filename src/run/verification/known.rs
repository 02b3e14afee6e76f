//! What is known of the run that is verified.

use std::path::PathBuf;

use crate::config::Configuration;
use crate::config::settings::{Speed, Timestamp};
use crate::plan::Plan;
use crate::run::repetition::Repetition;
use crate::run::request::{Destination, Shard};
use crate::run::schema::{self, Written};
use crate::run::{Error, facts};
use crate::stream::pacer;

/// What is known of a run: by its manifest, or by its model and flags.
#[derive(Clone, Debug)]
pub struct Known {
    /// What gives its events.
    pub configuration: Configuration,
    /// Where its manifest is.
    pub manifest: Option<PathBuf>,
    /// Where it sent to.
    pub destination: Destination,
    /// The streams that it sent; empty: all.
    pub streams: Vec<String>,
    /// Its share.
    pub shard: Shard,
    /// When its window began on the wall clock, in microseconds since the Unix epoch; none: nobody knows.
    pub anchor_us: Option<i64>,
    /// Before when on the wall clock no record of it was written; none: nobody knows.
    pub begun_us: Option<i64>,
    /// How many events it issued; none: nobody knows yet.
    pub issued: Option<u64>,
    /// How fast it went; none: nobody knows.
    pub speed: Option<Speed>,
    /// The schemas that its streams were written with, in the order of the model.
    pub schemas: Vec<Written>,
}

impl Known {
    /// What a manifest tells.
    pub fn of_repetition(repetition: Repetition) -> Result<Self, Error> {
        let Repetition { first, configuration } = repetition;
        let manifest = &first.manifest;
        let streams = first.streams(&configuration);
        let anchor_us = first.anchor_us()?;
        let kafka = configuration.settings.kafka.as_ref();
        let is_handover = kafka.is_none_or(|kafka| kafka.timestamp == Timestamp::Handover);
        let has_snapshot = configuration.model.streams.iter().any(|it| it.members.is_some());
        let speed = match (manifest.pace.speed, manifest.pace.events_per_s) {
            (Some(speed), _) => Speed::Times(speed),
            (None, Some(per_s)) => Speed::Pace(per_s),
            (None, None) => Speed::Max,
        };
        let mut schemas = Vec::new();
        for stream in &configuration.model.streams {
            let sent = manifest.streams.iter().find(|sent| sent.name == stream.name);
            let json = sent.map(|sent| sent.schema.clone());
            let written = schema::written(stream, json, sent.and_then(|sent| sent.schema_id))?;
            schemas.push(Written { key_id: sent.and_then(|sent| sent.key_schema_id), ..written });
        }
        Ok(Self {
            destination: first.destination()?,
            shard: first.shard()?.unwrap_or(Shard::WHOLE),
            anchor_us: Some(anchor_us),
            // What is told of members before the run is older than its begin, and records may carry the
            // times of their events.
            begun_us: Some(anchor_us).filter(|_| is_handover && !has_snapshot),
            issued: manifest.issued(),
            // The parts of a run that was killed have schedules of their own.
            speed: Some(speed).filter(|_| manifest.resumed.is_empty()),
            manifest: Some(first.path.clone()),
            streams,
            schemas,
            configuration,
        })
    }

    /// What a model with a start and an end tells: nothing of when it was sent, nor of what became of it.
    pub fn of_model(
        configuration: Configuration,
        streams: Vec<String>,
        shard: Option<Shard>,
    ) -> Result<Self, Error> {
        Ok(Self {
            destination: Destination::named(&configuration.settings),
            schemas: schema::of_model(&configuration.model)?,
            manifest: None,
            shard: shard.unwrap_or(Shard::WHOLE),
            anchor_us: None,
            begun_us: None,
            issued: None,
            speed: None,
            streams,
            configuration,
        })
    }

    /// Whether a stream was left out.
    pub fn skips(&self, stream: &str) -> bool {
        !self.streams.is_empty() && self.streams.iter().all(|name| name != stream)
    }

    /// The names of the streams.
    pub fn names(&self) -> Vec<String> {
        self.configuration.model.streams.iter().map(|stream| stream.name.clone()).collect()
    }

    /// How fast the events went, for whoever asks when one was intended.
    pub(super) fn pacer_speed(&self, plan: &Plan) -> pacer::Speed {
        let sent = |number: usize| !self.skips(&plan.streams[number].name);
        self.speed.map_or(pacer::Speed::Max, |speed| facts::speed(speed, plan, &sent, self.shard))
    }
}
