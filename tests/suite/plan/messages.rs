//! What is said of a mistake is what is wrong, and the way out is one.

use serde_json::{Value as Json, json};

use crate::lists::model::{field, first, plan, refused, text};

const ENTITIES: &str = "[entities.c]\ncount = 90\n[entities.c.attributes]\nst = { choice = [\"x\", \"y\"] }\n\
    site = { choice = [\"a\", \"b\"], dealt = true }\n";

/// What is said of a field `f` of a type, with further lines before `[streams.s.fields]`.
fn said(ty: &Json, lines: &str, generator: &str) -> String {
    let text = format!("{lines}\n{ENTITIES}[streams.s.fields]\nf = {generator}\n");
    refused(&json!([{"name": "f", "type": ty}]), &text)
}

fn says(ty: &Json, lines: &str, generator: &str, wanted: &[&str]) {
    let told = said(ty, lines, generator);
    // The lines of a message are broken where they are long.
    let told: String = told.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in wanted {
        assert!(told.contains(wanted), "{generator}: {wanted} is not in\n{told}");
    }
}

fn decimal(bytes: Option<u8>, precision: u8, scale: u8) -> Json {
    let mut ty =
        json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale});
    if let Some(bytes) = bytes {
        ty["type"] = json!("fixed");
        ty["name"] = json!("D");
        ty["size"] = json!(bytes);
    }
    ty
}

#[test]
fn a_number_that_does_not_fit_is_shown_with_what_does() {
    let thousand = "{ constant = 1000 }";
    says(&decimal(None, 5, 2), "", thousand, &["reaches 1000.00", "5 digits, 2 of them after"]);
    says(&decimal(Some(2), 4, 2), "", "{ constant = 400 }", &["reaches 400.00", "4 digits, 2"]);
    let counter = "{ counter = { start = 1, step = 1 } }";
    says(&json!("int"), "", counter, &["let it begin again: `restart`"]);
    let late = "{ counter = { start = 9223372036854775807 } }";
    says(&json!("long"), "", late, &["beyond 64 bits", "begin nearer to 0"]);
    let symbols = json!({"type": "enum", "name": "E", "symbols": ["A", "B"]});
    says(
        &symbols,
        "",
        "{ uniform = [0, 2] }",
        &["goes from 0 to 2, but `f` has the symbols 0 to 1"],
    );
    let local = json!({"type": "long", "logicalType": "local-timestamp-micros"});
    says(&local, "", "{ chance = 0.5 }", &["of type local-timestamp-micros"]);
}

#[test]
fn names_and_keys_that_are_wrong_are_told_alone() {
    let string = json!("string");
    let told = said(&string, "", "{ habit = \"c\", of = \"c\" }");
    assert!(!told.contains("no key `of`") && told.contains("favourites"), "{told}");
    let zone =
        "[tables.z]\nrows = [{ zone = \"Asia/Kolkata\" }]\n[streams.s.let]\nz = { table = \"z\" }";
    let period = "{ period = \"36h\", of = \"c\", begins = \"04:00\", zone = \"z.zone\" }";
    says(&json!("long"), zone, period, &["whole days", "\"1d\", \"30d\""]);
    says(&string, "", "{ sibling = true }", &["\"sibling\" is written alone"]);
    let when = "{ when = \"c.st == 'x'\", event_time = true }";
    says(&string, "", when, &["\"event_time\" is written alone"]);
    says(&string, "", "{ entity = \"c\", with = { sit = \"c.site\" } }", &["not dealt by `sit`"]);
    says(&string, "", "{ local_time = \"UTC\" }", &["zone = { constant = \"UTC\" }"]);
    let name = "[streams.s.let]\nc = { constant = \"x\" }";
    says(&string, name, "{ attribute = \"c.st\" }", &["`c` is a value of the stream here"]);
    says(&string, "", "{ constant = 2026-01-01 }", &["is a time", "put it in quotes"]);
    says(&string, "value = \"json\"", "{ constant = 1 }", &["value = { format = \"json\" }"]);
    let compared = "[streams.s.let]\nr = { regex = \"[a-z]{3}\" }";
    let says_so = ["cannot be compared", "texts that are all known"];
    says(&json!("boolean"), compared, "{ expression = \"r == 'abc'\" }", &says_so);
    let told = said(&string, name, "{ template = \"{nobody}\" }");
    assert_eq!(told.matches("`c`").count(), 1, "{told}");
}

#[test]
fn what_is_inside_of_a_union_is_made_whole() {
    let inner = json!({"type": "record", "name": "I", "fields": [{"name": "a", "type": "int"}]});
    for (ty, wanted) in [
        (json!(["null", inner]), "`f` is a union"),
        (json!({"type": "array", "items": inner}), "`f` is an array"),
    ] {
        let fields = json!([{"name": "f", "type": ty}]);
        let told = refused(&fields, "[streams.s.fields]\nf.a = { constant = 1 }\n");
        assert!(told.contains(wanted) && told.contains("make it whole: f = {"), "{told}");
    }
}

#[test]
fn numbers_truths_and_anchors_are_taken_where_they_mean_something() {
    let rows = |ty: &Json, lines: &str, generator: &str| {
        let text = format!("{lines}\n[streams.s.fields]\nf = {generator}\n");
        first(&plan(&json!([{"name": "f", "type": ty}]), &text), 100)
    };
    for row in
        rows(&json!("string"), "[streams.s.let]\nb = { chance = 0.5 }", "{ template = \"is {b}\" }")
    {
        assert!(matches!(text(field(&row, "f")), "is true" | "is false"));
    }
    assert_eq!(rows(&json!("int"), "", "{ choice = [1, 2, 3] }").len(), 100);
    assert_eq!(rows(&json!("double"), "", "{ choice = [1.5, 2] }").len(), 100);
    for row in rows(&json!("string"), "", "{ regex = \"^a$|^bc$\" }") {
        assert!(matches!(text(field(&row, "f")), "a" | "bc"));
    }
}
