//! Opening what is recorded or sent again: topics, and the registry that their ids are of.

use tokio::runtime::Handle;

use super::{Error, broker, pulsar, schema};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::config::settings::Settings;
use crate::consume::address::{Address, Broker};
use crate::consume::kafka::Kafka;
use crate::consume::pulsar::Pulsar;
use crate::consume::{self, Begin};
use crate::encode::registry::Registry;
use crate::replay;
use crate::replay::schemas::Asker;

/// Opens topics; waits for their broker, in a bounded way.
pub fn open(
    address: &Address,
    configuration: &Configuration,
    begin: &Begin,
    clock: &Clock,
) -> Result<Box<dyn consume::Source>, Error> {
    let failed = |error: consume::Error| Error::Replay(replay::Error::Consume(error));
    let topics = address.topics.as_slice();
    Ok(match broker_of(address, &configuration.settings) {
        Broker::Kafka => {
            let options = broker::checked_options(configuration)?;
            Box::new(Kafka::open(&options, topics, begin, clock).map_err(failed)?)
        }
        Broker::Pulsar => {
            let options = pulsar::checked_options(configuration)?;
            Box::new(Pulsar::open(&options, topics, begin, clock).map_err(failed)?)
        }
    })
}

/// The broker that is meant: Kafka, unless the address or the settings name Pulsar alone.
fn broker_of(address: &Address, settings: &Settings) -> Broker {
    address.broker.unwrap_or(match (&settings.kafka, &settings.pulsar) {
        (None, Some(_)) => Broker::Pulsar,
        _ => Broker::Kafka,
    })
}

/// The registry of the settings, if they name one.
pub(super) fn registry(settings: &Settings, handle: &Handle) -> Result<Option<Asker>, Error> {
    let Some(settings) = &settings.registry else { return Ok(None) };
    let registry = Registry::connect(&schema::options(settings))?;
    Ok(Some(Asker::new(registry, handle.clone())))
}
