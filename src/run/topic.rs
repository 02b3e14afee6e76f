//! What both brokers of a run share: the topics that its streams need, and the settings of its client.

use crate::config::model::{KeyFormat, Model, Topic};
use crate::config::secret::Text;
use crate::config::settings::Property;
use crate::config::{Configuration, Mistake, Refused};
use crate::encode::partition::Hash;
use crate::plan::StreamPlan;

/// The topics that the model's streams need, each once, in the order of the model; of streams that
/// `skips` names none.
pub fn needed<'a>(model: &'a Model, skips: &dyn Fn(&str) -> bool) -> Vec<&'a Topic> {
    let mut topics: Vec<&Topic> = Vec::new();
    for stream in model.streams.iter().filter(|stream| !skips(&stream.name)) {
        if topics.iter().all(|topic| topic.name != stream.topic.name) {
            topics.push(&stream.topic);
        }
    }
    topics
}

/// How a stream's keys become partitions where keys that are text do so by `hash`.
pub fn hash(stream: &StreamPlan, hash: Hash) -> Hash {
    match stream.key_format {
        KeyFormat::String => hash,
        KeyFormat::Avro => hash.of_bytes(),
    }
}

/// The settings of a broker's client as names and values.
pub fn pairs(properties: &[Property]) -> Vec<(String, Text)> {
    let pair = |property: &Property| (property.name.value.clone(), property.value.value.clone());
    properties.iter().map(pair).collect()
}

/// An error about the setting that `is_meant` knows by its name, shown where it stands; the error alone
/// if it stands nowhere.
pub fn refused<E: std::error::Error + Into<super::Error>>(
    error: E,
    configuration: &Configuration,
    properties: &[Property],
    is_meant: impl Fn(&str) -> bool,
) -> super::Error {
    let property = properties.iter().rev().find(|property| is_meant(&property.name.value));
    let Some(property) = property else { return error.into() };
    let span = property.name.span.clone();
    let mistake = Mistake { span, what: error.to_string(), help: None };
    let refused = Refused::new(configuration.source.clone(), vec![mistake]);
    super::Error::Refused(Box::new(refused))
}
