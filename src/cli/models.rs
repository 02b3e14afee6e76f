//! `tidegate models`, `tidegate init` and `tidegate schema`: models to look at and to start from.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::arguments::{Init, Models};
use super::failure::{Exit, Failure};
use super::print;
use crate::config::source::PieceKind;
use crate::config::{self, Configuration, ModelSource, Overrides, library, suggest};

/// Lists the models that come with the program.
pub fn models(arguments: &Models) -> Result<Exit, Failure> {
    let mut all = Vec::new();
    for name in library::models() {
        all.push((name, library::about(name), built_in(name)?));
    }
    if arguments.json {
        let models = all.iter().map(|(name, about, read)| {
            let streams = read.model.streams.iter().map(
                |stream| json!({ "name": stream.name, "topic": stream.topic.name, "key": stream.key.as_ref().map(|key| &key.value) }),
            );
            json!({ "name": name, "about": about, "streams": streams.collect::<Vec<_>>() })
        });
        print::result(&json!({ "models": models.collect::<Vec<_>>() }).to_string())?;
        return Ok(Exit::Good);
    }
    let told = all.iter().map(|(name, about, read)| {
        let streams = &read.model.streams;
        let streams =
            streams.iter().map(|stream| format!("\n  {} to {}", stream.name, stream.topic.name));
        format!("{name}: {about}{}", streams.collect::<String>())
    });
    print::result(&told.collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Good)
}

/// Writes a model out, with the tables and schemas that it names.
pub fn init(arguments: &Init, people: &print::People) -> Result<Exit, Failure> {
    let name = arguments.name.as_str();
    if !library::models().any(|known| known == name) {
        let help = suggest::way_out(name, library::models()).unwrap_or_default();
        return Err(Failure::Bad(format!("no model `{name}` comes with the program; {help}")));
    }
    let folder = arguments.to.clone().unwrap_or_else(|| PathBuf::from(name));
    let files: Vec<(PathBuf, String)> = files(name, &built_in(name)?)
        .into_iter()
        .map(|(path, text)| (folder.join(path), text))
        .collect();
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.exists())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !there.is_empty() && !arguments.force {
        let verb = if there.len() == 1 { "is" } else { "are" };
        return Err(Failure::Bad(format!(
            "{} {verb} there already: choose another folder with `--to`, or write over with `--force`",
            there.join(", ")
        )));
    }
    for (path, text) in &files {
        write(path, text).map_err(Failure::Other)?;
    }
    let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    print::result(&paths.join("\n"))?;
    people.say(&format!("try it: tidegate sample {} -n 1", paths[0]));
    Ok(Exit::Good)
}

/// Prints the JSON Schema of model files.
pub fn schema() -> Result<Exit, Failure> {
    print::result(&format!("{:#}", config::schema::json_schema()))?;
    Ok(Exit::Good)
}

/// What a scenario can name of a model that comes with the program: streams and their values,
/// entities and their attributes.
pub fn names(model: &str) -> Result<Vec<String>, Failure> {
    let model = built_in(model)?.model;
    let mut all = Vec::new();
    for stream in &model.streams {
        all.push(stream.name.clone());
        let values = stream.lets.iter().chain(&stream.fields);
        all.extend(values.map(|value| format!("{}.{}", stream.name, value.name.value)));
    }
    for entity in &model.entities {
        all.push(entity.name.clone());
        let attributes = entity.attributes.iter();
        all.extend(attributes.map(|it| format!("{}.{}", entity.name, it.name)));
    }
    Ok(all)
}

fn built_in(name: &str) -> Result<Configuration, Failure> {
    let source = ModelSource::BuiltIn(name.to_owned());
    Ok(config::read(&source, &Overrides::default(), &|_| None)?)
}

/// The files of a model, the model first: paths from its own folder, and texts that name them so.
fn files(name: &str, read: &Configuration) -> Vec<(PathBuf, String)> {
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for piece in read.source.pieces() {
        let (path, text) = match &piece.kind {
            PieceKind::Model { .. } => {
                // In the sources, schemas lie beside the folder of the models; here, inside it.
                let text = piece.text.replace("\"../schemas/", "\"schemas/");
                (PathBuf::from(format!("{name}.toml")), text)
            }
            PieceKind::File { path, .. } => {
                let path = path.strip_prefix("config").unwrap_or(path);
                (path.to_path_buf(), piece.text.clone())
            }
            PieceKind::Override(_) => continue,
        };
        // Two streams may name one schema.
        if !files.iter().any(|(known, _)| *known == path) {
            files.push((path, text));
        }
    }
    files
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
