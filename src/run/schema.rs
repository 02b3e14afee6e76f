//! Which schema each stream is written with, and what stands for it in a record.

use apache_avro::Schema;

use crate::config::model::{IdentityPlace, KeyFormat, Model, Stream, ValueFormat};
use crate::config::settings::{self, Registry as Settings};
use crate::encode::registry::{
    Authentication, ClientCertificate, Mode, Options, Part, Registry, Strategy, Subject,
};

/// The schema of a key that is written as Avro.
const KEY_SCHEMA: &str = "\"string\"";

/// What a stream is written with.
#[derive(Clone, Debug)]
pub struct Written {
    /// The schema of its values.
    pub schema: Schema,
    /// The same as JSON.
    pub schema_json: String,
    /// What stands for it before each value; none without a registry.
    pub value_id: Option<u32>,
    /// What stands for the key's schema before each key that is Avro.
    pub key_id: Option<u32>,
}

/// A schema that the registry gave us cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the registry's schema {id:?} for the stream `{stream}` cannot be read")]
pub struct Error {
    /// The stream.
    pub stream: String,
    /// The schema's id.
    pub id: Option<u32>,
    /// Why not.
    #[source]
    pub source: Box<apache_avro::Error>,
}

/// The model's own schemas, without a registry.
pub fn of_model(model: &Model) -> Result<Vec<Written>, Error> {
    model.streams.iter().map(|stream| written(stream, None, None)).collect()
}

/// Whether a stream that is sent has its schema in the registry: its values' or its keys'.
pub fn needs_registry(model: &Model, skips: &dyn Fn(&str) -> bool) -> bool {
    let sent = model.streams.iter().filter(|stream| !skips(&stream.name));
    sent.into_iter().any(|stream| stream.value_format == ValueFormat::Avro || has_avro_key(stream))
}

fn has_avro_key(stream: &Stream) -> bool {
    let keyed = stream.key.is_some() || stream.identity == IdentityPlace::Key;
    keyed && stream.key_format == KeyFormat::Avro
}

/// The schemas that the registry says, in the order of the model's streams; for streams that
/// `skips` names, and for values in JSON, the model's own.
pub async fn at_registry(
    model: &Model,
    settings: &Settings,
    skips: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<Written>, super::Error> {
    let registry = Registry::connect(&options(settings))?;
    let mut all = Vec::with_capacity(model.streams.len());
    for stream in &model.streams {
        let ours = written(stream, None, None)?;
        if skips(&stream.name) {
            all.push(ours);
            continue;
        }
        let record = ours.schema.name().map(|name| name.fullname(None));
        let topic = stream.topic.name.as_str();
        let value = match stream.value_format {
            ValueFormat::Avro => {
                let subject = Subject { topic, record: record.as_deref(), part: Part::Value };
                let value = registry.resolve(&subject, &ours.schema_json).await?;
                written(stream, Some(value.schema_json), Some(value.id))?
            }
            ValueFormat::Json => ours,
        };
        let key_id = if has_avro_key(stream) {
            let subject = Subject { topic, record: None, part: Part::Key };
            Some(registry.resolve(&subject, KEY_SCHEMA).await?.id)
        } else {
            None
        };
        all.push(Written { key_id, ..value });
    }
    Ok(all)
}

fn written(stream: &Stream, json: Option<String>, id: Option<u32>) -> Result<Written, Error> {
    let schema_json = json.unwrap_or_else(|| stream.schema.value.json.clone());
    let schema = Schema::parse_str(&schema_json).map_err(|source| Error {
        stream: stream.name.clone(),
        id,
        source: Box::new(source),
    })?;
    Ok(Written { schema, schema_json, value_id: id, key_id: None })
}

/// How the registry of the settings is reached, and what is asked of it.
pub(super) fn options(settings: &Settings) -> Options {
    Options {
        urls: settings.urls.iter().map(|url| url.value.clone()).collect(),
        authentication: match &settings.authentication {
            settings::Authentication::None => Authentication::None,
            settings::Authentication::Basic { username, password } => Authentication::Basic {
                username: username.reveal().to_owned(),
                password: password.clone(),
            },
            settings::Authentication::Bearer(token) => Authentication::Bearer(token.clone()),
        },
        authority: settings.ca.clone(),
        client_certificate: settings.identity.as_ref().map(|identity| ClientCertificate {
            certificate: identity.certificate.clone(),
            key: identity.key.clone(),
        }),
        timeout: settings.timeout,
        mode: match settings.schemas {
            settings::SchemaChoice::Register => Mode::Register,
            settings::SchemaChoice::Use => Mode::Use,
            settings::SchemaChoice::Latest => Mode::Latest,
            settings::SchemaChoice::Id(id) => Mode::Id(id),
        },
        subjects: match settings.subjects {
            settings::Subjects::TopicName => Strategy::TopicName,
            settings::Subjects::RecordName => Strategy::RecordName,
            settings::Subjects::TopicRecordName => Strategy::TopicRecordName,
        },
    }
}

/// The settings for a registry at one address, nothing else set.
pub fn plain_settings(url: &str) -> Settings {
    Settings {
        urls: vec![crate::config::Spanned { value: url.to_owned(), span: 0..0 }],
        schemas: settings::SchemaChoice::Register,
        subjects: settings::Subjects::TopicName,
        authentication: settings::Authentication::None,
        ca: None,
        identity: None,
        timeout: Options::default().timeout,
    }
}
