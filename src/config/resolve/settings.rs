//! `[sink]` and `[registry]`.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Spanned;
use super::super::raw::{Entry, Kind};
use super::super::reader::{At, Reader, Section};
use super::super::secret::{Secret, Text, is_secret_name};
use super::super::settings::{
    Authentication, Identity, Kafka, Property, Pulsar, Registry, SchemaChoice, Settings, Subjects,
    Timestamp,
};
use super::run::run;
use super::streams::setting;

/// All settings of the file.
pub(super) fn settings(reader: &mut Reader<'_>, top: &mut Section<'_>) -> Settings {
    let (kafka, pulsar) = top.get("sink").map(|at| sinks(reader, &at)).unwrap_or_default();
    let registry = top.get("registry").and_then(|at| registry(reader, &at));
    let run = top.get("run").map(|at| run(reader, &at)).unwrap_or_default();
    Settings { kafka, pulsar, registry, run }
}

fn sinks(reader: &mut Reader<'_>, at: &At<'_>) -> (Option<Kafka>, Option<Pulsar>) {
    let Some(mut section) = reader.section(at) else { return (None, None) };
    let kafka = section.get("kafka").and_then(|at| kafka(reader, &at));
    let pulsar = section.get("pulsar").and_then(|at| {
        let section = reader.section(&at)?;
        let properties = section.all().filter_map(|(entry, at)| property(reader, entry, &at));
        Some(Pulsar { properties: properties.collect() })
    });
    reader.finish(section);
    (kafka, pulsar)
}

fn kafka(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Kafka> {
    let section = reader.section(at)?;
    let mut kafka = Kafka::default();
    for (entry, at) in section.all() {
        if entry.key == "timestamp" {
            let known = [("handover", Timestamp::Handover), ("event", Timestamp::Event)];
            kafka.timestamp = reader.one_of(&at, &known).unwrap_or_default();
            continue;
        }
        kafka.properties.extend(property(reader, entry, &at));
    }
    Some(kafka)
}

/// A property of a broker's client. What is secret by its name, or comes from elsewhere, is masked.
fn property(reader: &mut Reader<'_>, entry: &Entry, at: &At<'_>) -> Option<Property> {
    let outside = matches!(at.node.kind, Kind::Table(_));
    let value = setting(reader, at)?;
    let hidden = is_secret_name(&entry.key) || outside && !is_open(&entry.key);
    let text = if hidden {
        reader.source.hide(value.value.clone());
        Text::Secret(Secret::new(value.value))
    } else {
        Text::Plain(value.value)
    };
    let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
    Some(Property { name, value: Spanned { value: text, span: value.span } })
}

/// Properties that are told in errors wherever they come from: a broker that does not answer must
/// have a name.
fn is_open(name: &str) -> bool {
    const OPEN: [&str; 10] = [
        "bootstrap.servers",
        "metadata.broker.list",
        "client.id",
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "serviceUrl",
        "webServiceUrl",
        "authPlugin",
        "producerName",
    ];
    OPEN.contains(&name) || name.ends_with(".location") || name.ends_with("FilePath")
}

fn registry(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Registry> {
    let mut section = reader.section(at)?;
    let help = "say where it answers: url = \"http://localhost:8081\"";
    let urls = reader.require(&mut section, "url", help).and_then(|at| urls(reader, &at));
    let schemas = section.get("schemas").and_then(|at| schemas(reader, &at)).unwrap_or_default();
    let known = [
        ("topic_name", Subjects::TopicName),
        ("record_name", Subjects::RecordName),
        ("topic_record_name", Subjects::TopicRecordName),
    ];
    let subjects =
        section.get("subjects").and_then(|at| reader.one_of(&at, &known)).unwrap_or_default();
    let authentication = authentication(reader, &mut section);
    let ca = section.get("ca").and_then(|at| path(reader, &at));
    let identity = identity(reader, &mut section);
    let timeout = section.get("timeout").and_then(|at| reader.duration(&at));
    reader.finish(section);
    Some(Registry {
        urls: urls?,
        schemas,
        subjects,
        authentication,
        ca,
        identity,
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
    })
}

fn urls(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<Spanned<String>>> {
    let words = reader.text(at)?;
    let mut urls = Vec::new();
    for url in words.value.split(',') {
        let url = url.trim().trim_end_matches('/');
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let authority = host.and_then(|host| host.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            reader.source.mask(words.span.clone());
            let what = format!("`{}` has a user or a password in it", at.path);
            reader.refuse(&words.span, what, "use `username` and `password`, which are masked");
            return None;
        }
        if authority.is_none_or(|authority| authority.is_empty() || authority.contains(' ')) {
            let what = format!("`{}`: `{url}` is no address", at.path);
            let help = "write http:// or https://, a host and a port: \"http://localhost:8081\"";
            reader.refuse(&words.span, what, help);
            return None;
        }
        urls.push(Spanned { value: url.to_owned(), span: words.span.clone() });
    }
    Some(urls)
}

fn schemas(reader: &mut Reader<'_>, at: &At<'_>) -> Option<SchemaChoice> {
    if at.is_text() {
        let known = [
            ("register", SchemaChoice::Register),
            ("use", SchemaChoice::Use),
            ("latest", SchemaChoice::Latest),
        ];
        return reader.one_of(at, &known);
    }
    let mut section = reader.section_beside_text(at)?;
    let id = reader
        .require(&mut section, "id", "write \"register\", \"use\", \"latest\" or { id = 7 }")
        .and_then(|at| reader.whole(&at, &(0..=i128::from(i32::MAX))));
    reader.finish(section);
    Some(SchemaChoice::Id(u32::try_from(id?).ok()?))
}

/// A value that is never shown.
fn secret(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Secret> {
    let value = reader.text(at)?.value;
    reader.source.hide(value.clone());
    Some(Secret::new(value))
}

fn authentication(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Authentication {
    let username_at = section.get("username");
    let username = username_at.as_ref().and_then(|at| {
        let text = reader.words(at)?;
        Some(if text.outside {
            Text::Secret(Secret::new(text.value))
        } else {
            Text::Plain(text.value)
        })
    });
    let password_at = section.get("password");
    let password = password_at.as_ref().and_then(|at| secret(reader, at));
    let token_at = section.get("token");
    let token = token_at.as_ref().and_then(|at| secret(reader, at));
    match (&username_at, &password_at, &token_at) {
        (None, Some(alone), _) => {
            let what = "the registry has a `password`, but no `username`";
            reader.refuse(&alone.key_span, what, "");
        }
        (Some(alone), None, _) => {
            let what = "the registry has a `username`, but no `password`";
            reader.refuse(&alone.key_span, what, "password = { env = \"REGISTRY_PASSWORD\" }");
        }
        (Some(_), Some(_), Some(token)) => {
            let what = "the registry has both a `token` and a `username`";
            reader.refuse(&token.key_span, what, "keep one of them");
        }
        _ => {}
    }
    match (username, password, token) {
        (Some(username), Some(password), None) => Authentication::Basic { username, password },
        (None, None, Some(token)) => Authentication::Bearer(token),
        _ => Authentication::None,
    }
}

fn identity(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Identity> {
    let certificate = section.get("certificate");
    let key = section.get("key");
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let certificate = path(reader, &certificate);
            let key = path(reader, &key);
            Some(Identity { certificate: certificate?, key: key? })
        }
        (Some(alone), None) => {
            reader.refuse(&alone.key_span, "the registry has a `certificate`, but no `key`", "");
            None
        }
        (None, Some(alone)) => {
            reader.refuse(&alone.key_span, "the registry has a `key`, but no `certificate`", "");
            None
        }
        (None, None) => None,
    }
}

/// A file that must be there.
fn path(reader: &mut Reader<'_>, at: &At<'_>) -> Option<PathBuf> {
    let words = reader.text(at)?;
    let path = reader.resolve_path(&words.value, &words.span);
    if path.is_file() {
        return Some(path);
    }
    let what = format!("`{}`: there is no file `{}`", at.path, path.display());
    reader.refuse(&words.span, what, "the path counts from the model file's directory");
    None
}
