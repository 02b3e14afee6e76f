//! Hints that contradict themselves are refused, with their place in the schema.

use super::{ModelSource, Overrides, config};

/// What is told of a schema with one field of this type.
fn told(ty: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.avsc");
    let text = format!(
        "{{\"type\": \"record\", \"name\": \"One\", \"fields\": [\n{{\"name\": \"a\", \"type\": {ty}}}]}}\n"
    );
    std::fs::write(&path, text).unwrap();
    let read = config::read(&ModelSource::File(path), &Overrides::default(), &|_| None);
    match read {
        Ok(_) => String::new(),
        Err(refused) => refused.render(false).replace(&*folder.path().to_string_lossy(), "…"),
    }
}

/// A type with hints.
fn hinted(ty: &str, hints: &str) -> String {
    format!("{{\"type\": {ty}, \"arg.properties\": {hints}}}")
}

#[test]
fn a_hint_that_contradicts_itself_is_refused_with_its_place() {
    let cases = [
        ("\"int\"", r#"{"options": [1], "range": {"min": 1}}"#),
        ("\"int\"", r#"{"range": {"min": 5, "max": 5}}"#),
        ("\"int\"", r#"{"range": {}}"#),
        ("\"int\"", r#"{"range": {"min": 1, "mx": 5}}"#),
        ("\"int\"", r#"{"range": {"min": 1.5}}"#),
        ("\"int\"", r#"{"range": {"max": 3000000000}}"#),
        ("\"int\"", r#"{"rang": {"min": 1}}"#),
        ("\"int\"", r#"{"length": 3}"#),
        ("\"int\"", r#"{"options": []}"#),
        ("\"int\"", r#"{"options": [1, "two"]}"#),
        ("\"int\"", r#"{"options": {"file": "none.json"}}"#),
        ("\"int\"", r#"{"options": {"file": "none.json", "encoding": "json"}}"#),
        ("\"int\"", r#"{"iteration": {"step": 1}}"#),
        ("\"int\"", r#"{"iteration": {"start": 1, "restart": 1}}"#),
        ("\"int\"", r#"{"iteration": {"start": 1, "restart": 9, "step": -1}}"#),
        ("\"int\"", r#"{"iteration": {"start": 1, "step": 0}}"#),
        ("\"int\"", r#"{"iteration": {"start": 0, "restart": 9, "initial": 9}}"#),
        ("\"boolean\"", r#"{"iteration": {"start": true, "step": 1}}"#),
        ("\"boolean\"", r#"{"odds": 1.5}"#),
        ("\"string\"", r#"{"regex": "[a-z"}"#),
        ("\"string\"", r#"{"regex": "[a-z]{3}", "length": 5}"#),
        ("\"string\"", r#"{"length": {"min": 3, "max": 3}}"#),
        ("\"string\"", r#"{"length": -1}"#),
        ("\"string\"", r#"{"options": ["a"], "prefix": "x"}"#),
        ("\"string\"", r#"["a"]"#),
        (r#"{"type": "record", "name": "R", "fields": []}"#, r#"{"iteration": {"start": 0}}"#),
        (r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, r#"{"options": ["B"]}"#),
        (r#"{"type": "fixed", "name": "F", "size": 2}"#, r#"{"options": ["abc"]}"#),
        (r#"{"type": "map", "values": "int"}"#, r#"{"keys": {"range": {"min": 1}}}"#),
        (
            r#"{"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]}"#,
            r#"{"options": [{"y": 1}]}"#,
        ),
    ];
    let mut all = String::new();
    for (ty, hints) in cases {
        let text = told(&hinted(ty, hints));
        assert!(text.contains("one.avsc:2:"), "{ty} with {hints} has no place: {text}");
        all.push_str(&text);
        all.push('\n');
    }
    insta::assert_snapshot!("hints_that_contradict_themselves", all);
}

#[test]
fn a_record_that_never_ends_is_refused() {
    let text = told(r#"{"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}"#);
    assert!(text.contains("inside itself without an end"), "{text}");
}
