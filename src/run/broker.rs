//! The Kafka of a run: its properties, and its topics before the first event.

use super::topic;
use crate::clock::Clock;
use crate::config::model::{Model, Topic};
use crate::config::secret::Text;
use crate::config::settings::{self, Settings};
use crate::config::{Configuration, Spanned};
use crate::publish::kafka::topics::{self, Need, TopicState, Topics};
use crate::publish::kafka::{self, Options, Timestamp};

/// The sink's options as the settings have them, not checked.
pub fn options(settings: &Settings) -> Result<Options, super::Error> {
    let Some(kafka) = &settings.kafka else { return Err(super::Error::NoKafka) };
    Ok(Options {
        properties: topic::pairs(&kafka.properties),
        timestamp: match kafka.timestamp {
            settings::Timestamp::Handover => Timestamp::HandOver,
            settings::Timestamp::Event => Timestamp::Event,
        },
        connect_timeout: settings.run.connect_timeout,
        in_flight_bytes_max: settings.run.in_flight_bytes_max,
    })
}

/// The sink's options, checked as far as that goes without a broker: what is wrong is shown where
/// it stands.
pub fn checked_options(configuration: &Configuration) -> Result<Options, super::Error> {
    let options = options(&configuration.settings)?;
    let Err(error) = options.check() else { return Ok(options) };
    let name = match &error {
        kafka::Error::UnknownProperty { name, .. }
        | kafka::Error::BadProperty { name, .. }
        | kafka::Error::ReservedProperty { name, .. } => Some(name.as_str()),
        kafka::Error::MechanismMissing { .. } => Some("sasl.mechanism"),
        _ => None,
    };
    let name = name.map(str::to_owned);
    let properties = configuration.settings.kafka.as_ref().map(|kafka| kafka.properties.as_slice());
    Err(topic::refused(error, configuration, properties.unwrap_or_default(), |written| {
        name.as_deref() == Some(written)
    }))
}

/// The settings for a Kafka at these addresses, nothing else set.
pub fn plain_settings(servers: &str) -> settings::Kafka {
    let name = Spanned { value: "bootstrap.servers".to_owned(), span: 0..0 };
    let value = Spanned { value: Text::Plain(servers.to_owned()), span: 0..0 };
    let properties = vec![settings::Property { name, value }];
    settings::Kafka { properties, ..settings::Kafka::default() }
}

/// The topics that the model's streams need, each once, in the order of the model; of streams
/// that `skips` names none.
pub fn needs(model: &Model, skips: &dyn Fn(&str) -> bool) -> Vec<Need> {
    let topics = topic::needed(model, skips).into_iter();
    let need = |topic: &Topic| Need {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replicas: topic.replicas.and_then(|replicas| u16::try_from(replicas).ok()),
        config: topic.config.clone(),
        ..Need::default()
    };
    topics.map(need).collect()
}

/// Looks at the topics before a run; makes the missing ones if that is asked for, and refuses what
/// would be refused later. Waits for the broker, in a bounded way.
pub fn prepare_topics(
    options: &Options,
    needs: &[Need],
    create: bool,
    clock: &Clock,
) -> Result<Vec<TopicState>, kafka::Error> {
    let connection = Topics::connect(options, clock.clone())?;
    let states = if create {
        connection.create(needs)?
    } else {
        let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
        connection.inspect(&names)?
    };
    topics::check(&states, needs, options.timestamp, clock.now_us())?;
    Ok(states)
}
