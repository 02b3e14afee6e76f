//! A schema alone as a model.

use std::path::Path;

use toml::Value;

/// Kafka's limit for names of topics.
const TOPIC_BYTES_MAX: usize = 249;

/// Whether a file is meant as a schema.
pub(super) fn is_schema(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| matches!(ending, "avsc" | "avro"))
}

/// The model that a schema stands for: one stream, without a key, to a topic named as the file.
pub(super) fn model(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let [topic, file] = [topic(&stem), file].map(|text| Value::String(text).to_string());
    format!(
        "[traffic]\nrate = \"1000/s\"\n\n[streams.{}]\ntopic = {topic}\nschema = {file}\n",
        stream(&stem)
    )
}

fn topic(stem: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let topic: String = stem.chars().map(|c| if legal(c) { c } else { '_' }).collect();
    let topic = topic.get(..TOPIC_BYTES_MAX).unwrap_or(&topic);
    if topic.chars().all(|c| c == '.') { "events".to_owned() } else { topic.to_owned() }
}

/// Letters, digits and `_`, not a digit first.
fn stream(stem: &str) -> String {
    let plain = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let name: String = plain.collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name
    } else {
        format!("_{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_and_the_topic_are_named_as_the_file() {
        for (path, stream, topic) in [
            ("schemas/user.avsc", "user", "user"),
            ("a/pizza-orders.v2.avro", "pizza_orders_v2", "pizza-orders.v2"),
            ("7 days.avsc", "_7_days", "7_days"),
            ("ü.avsc", "_", "_"),
        ] {
            let model = model(Path::new(path));
            assert!(model.contains(&format!("[streams.{stream}]\ntopic = \"{topic}\"")), "{model}");
        }
        assert!(is_schema(Path::new("a/user.avsc")) && !is_schema(Path::new("user.toml")));
    }
}
