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

#[test]
fn a_list_that_must_hold_itself_is_refused_where_its_length_is() {
    let list =
        hinted(r#"{"type": "array", "items": "One"}"#, r#"{"length": {"min": 2, "max": 4}}"#);
    let text = told(&list);
    assert!(text.contains("let `length` begin at 0") && text.contains("one.avsc:2:"), "{text}");
}

#[test]
fn hints_that_would_say_nothing_are_refused() {
    for (ty, hints, wanted) in [
        (
            r#"{"type": "string", "logicalType": "uuid"}"#,
            r#"{"length": 8}"#,
            "`length` says nothing",
        ),
        (
            r#"{"type": "string", "logicalType": "uuid"}"#,
            r#"{"prefix": "a"}"#,
            "`prefix` says nothing",
        ),
    ] {
        let text = told(&hinted(ty, hints));
        assert!(text.contains(wanted) && text.contains("one.avsc:2:"), "{text}");
    }
}

#[test]
fn what_is_no_record_is_refused_with_its_place_in_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.avsc");
    for (text, wanted, place) in [
        ("\"string\"", "the schema is a string", "one.avsc:1:1"),
        ("\n {\"type\": \"array\", \"items\": \"int\"}", "the schema is an array", "one.avsc:2:2"),
        (
            "{\"type\": \"record\", \"name\": \"A\", \"fields\": [\n{\"name\": \"x\", \"type\": \"Foo\"}]}",
            "is no Avro schema",
            "one.avsc:2:23",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let source = ModelSource::File(path.clone());
        let read = config::read(&source, &Overrides::default(), &|_| None);
        let said = read.map_or_else(|refused| refused.render(false), |_| String::new());
        assert!(said.contains(wanted) && said.contains(place), "{said}");
    }
}

#[test]
fn a_map_of_more_entries_than_keys_is_warned_of() {
    let warned = |hints: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.avsc");
        let map = hinted(r#"{"type": "map", "values": "int"}"#, hints);
        let fields = format!("[{{\"name\": \"a\", \"type\": {map}}}]");
        let text = format!("{{\"type\": \"record\", \"name\": \"One\", \"fields\": {fields}}}");
        std::fs::write(&path, text).unwrap();
        let read = config::read(&ModelSource::File(path), &Overrides::default(), &|_| None);
        let warnings = read.unwrap().warnings.into_iter().map(|warning| warning.what);
        warnings.collect::<Vec<_>>()
    };
    for (hints, wanted) in [
        (
            r#"{"length": 5, "keys": {"options": ["a", "b"]}}"#,
            "asks for 5 entries, but there are 2",
        ),
        (
            r#"{"length": {"min": 1, "max": 4}, "keys": {"options": ["a", "b"]}}"#,
            "asks for 3 entries, but there are 2",
        ),
    ] {
        assert!(warned(hints)[0].contains(wanted), "{hints}");
    }
    assert!(warned(r#"{"keys": {"options": ["a", "b"]}}"#).is_empty());
    assert!(warned(r#"{"length": 2, "keys": {"options": ["a", "b"]}}"#).is_empty());
}

#[test]
fn what_is_wrong_is_told_by_its_own_name() {
    let text = told(&hinted("\"string\"", r#"{"regex": "a^b"}"#));
    assert!(text.contains("`arg.properties.regex` has an anchor inside"), "{text}");
    assert_eq!(told(&hinted("\"string\"", r#"{"regex": "^a$|^b$"}"#)), "");
    let values = hinted("\"int\"", r#"{"length": 3}"#);
    let map = format!("{{\"type\": \"map\", \"values\": {values}}}");
    let text = told(&hinted(&map, r#"{"keys": {"odds": 3}}"#));
    assert!(text.contains("nothing of a key") && text.contains("nothing of an int"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("o.json"), "{\"a\": 1}").unwrap();
    let options = hinted("\"string\"", r#"{"options": {"file": "o.json", "encoding": "json"}}"#);
    let path = folder.path().join("one.avsc");
    let fields = format!("[{{\"name\": \"a\", \"type\": {options}}}]");
    std::fs::write(
        &path,
        format!("{{\"type\": \"record\", \"name\": \"O\", \"fields\": {fields}}}"),
    )
    .unwrap();
    let read = config::read(&ModelSource::File(path), &Overrides::default(), &|_| None);
    let text = read.unwrap_err().render(false);
    assert!(text.contains("are an object, but must be an array"), "{text}");
}

#[test]
fn a_logical_type_that_does_not_hold_is_warned_of_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.avsc");
    let decimal = r#"{"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 5}"#;
    let own = r#"{"type": "int", "logicalType": "of-our-own"}"#;
    let fields =
        format!("[{{\"name\": \"a\", \"type\": {decimal}}}, {{\"name\": \"b\", \"type\": {own}}}]");
    let text = format!("{{\"type\": \"record\", \"name\": \"One\", \"fields\":\n{fields}}}");
    std::fs::write(&path, text).unwrap();
    let read = config::read(&ModelSource::File(path), &Overrides::default(), &|_| None).unwrap();
    let told = config::render_warnings(&read.source, &read.warnings, false);
    let what = "the logical type \"decimal\" does not hold here, and is ignored";
    assert!(read.warnings.len() == 1 && told.contains(what) && told.contains(":2:"), "{told}");
}
