//! The JSON Schema of the model file says what the program says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};
use tidegate::config::schema::json_schema;
use tidegate::config::{Override, Overrides};

use crate::docs::{
    EXAMPLES_IN, cells, compile_with, marked, page, pages, reference, sections, with_value,
};

/// A key that is like no other: the program's refusal tells all that there are.
const STRANGER: &str = "qqqqqqqqqqqqqqqqqqqqqqqq";

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema()).unwrap()
}

/// A model as JSON, times as text.
fn json_of(model: &str) -> Value {
    fn value(given: toml::Value) -> Value {
        match given {
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(it) => json!(it),
            toml::Value::Datetime(time) => json!(time.to_string()),
            toml::Value::Array(items) => items.into_iter().map(value).collect(),
            toml::Value::Table(table) => {
                Value::Object(table.into_iter().map(|(key, item)| (key, value(item))).collect())
            }
        }
    }
    value(toml::Value::Table(toml::from_str(model).unwrap()))
}

fn assert_valid(validator: &Validator, model: &str) {
    let model_json = json_of(model);
    let errors: Vec<String> = validator
        .iter_errors(&model_json)
        .map(|error| format!("{}: {error:.200}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\nin\n{model}", errors.join("\n"));
}

/// The keys that the program knows where a stranger stands.
fn known(told: &tidegate::config::Refused) -> BTreeSet<String> {
    let told = told.mistakes().iter().filter(|mistake| mistake.what.contains(STRANGER));
    let told: Vec<&str> = told.filter_map(|mistake| mistake.help.as_deref()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!told[0].contains('…'), "{told:?}");
    told[0].split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(properties: &Value) -> BTreeSet<String> {
    properties.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_model_that_comes_with_the_program_fits_its_schema() {
    let validator = validator();
    for name in tidegate::config::library::models() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/{name}.toml"));
        assert_valid(&validator, &fs::read_to_string(path).unwrap());
    }
    let whole = "tests/fixtures/models/whole/model.toml";
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(whole);
    assert_valid(&validator, &fs::read_to_string(whole).unwrap());
}

#[test]
fn every_model_and_example_of_the_documentation_fits_the_schema() {
    let validator = validator();
    let mut count = 0;
    for path in pages() {
        for model in marked(&fs::read_to_string(&path).unwrap(), "toml model") {
            assert_valid(&validator, &model);
            count += 1;
        }
    }
    assert!(count >= 2, "{count} models");
    let (page, model, _folder) = reference();
    for part in marked(&page, "toml more") {
        assert_valid(&validator, &format!("{part}\n{model}"));
    }
    for example in cells(&page, "example").concat() {
        if example.starts_with(['{', '"']) {
            assert_valid(&validator, &with_value(&model, &example));
        }
    }
    for (more, example) in examples() {
        let model = model.replace(EXAMPLES_IN, &format!("{EXAMPLES_IN}{example}"));
        assert_valid(&validator, &format!("{more}\n{model}"));
    }
}

#[test]
fn a_wrong_key_or_value_does_not_fit_the_schema() {
    let validator = validator();
    let (_, model, _folder) = reference();
    assert_valid(&validator, &model);
    for (old, new) in [
        ("rate   = \"500/s\"", "rat = \"500/s\""),
        ("rate   = \"500/s\"", "rate = 500"),
        ("[entities.customer]", "[entities.customer]\ncuont = 5"),
        ("topic  = { name = \"payments\", partitions = 12 }", "topic = { partitions = 12 }"),
        ("{ zipf = 1.0 }", "{ zopf = 1.0 }"),
        ("popularity = { zipf = 1.0 }", "popularity = \"zipf\""),
        ("payment_id  = \"identity\"", "payment_id = \"idenity\""),
        ("payment_id  = \"identity\"", "payment_id = { constnt = 5 }"),
        ("payment_id  = \"identity\"", "payment_id = { constant = 5, digitz = 1 }"),
        ("payment_id  = \"identity\"", "payment_id = { regex = \"a\", weight = \"b\" }"),
        ("{ median = 1.0, sigma = 0.4 }", "{ median = 1.0, sgma = 0.4 }"),
        ("[tables.cities]", "[tabels.x]\n[tables.cities]"),
    ] {
        assert!(model.contains(old), "{old}");
        let wrong = model.replacen(old, new, 1);
        assert!(!validator.is_valid(&json_of(&wrong)), "{new} fits");
    }
}

#[test]
fn the_schema_has_the_keys_that_the_program_knows() {
    let schema = json_schema();
    let (_, model, folder) = reference();
    for (section, place) in [
        ("", "/properties"),
        ("traffic", "/$defs/traffic/properties"),
        ("tables.cities", "/$defs/table/properties"),
        ("entities.account", "/$defs/entity/properties"),
        ("entities.account.activity", "/$defs/activity/properties"),
        ("entities.device.changelog", "/$defs/changelog/properties"),
        ("entities.account.belongs_to", "/$defs/belongs_to/properties"),
        ("streams.payments", "/$defs/stream/properties"),
        ("streams.payments.topic", "/$defs/topic/properties"),
        ("sink", "/properties/sink/properties"),
        ("registry", "/$defs/registry/properties"),
        ("run", "/$defs/run/properties"),
        ("run.governor", "/$defs/run/properties/governor/properties"),
    ] {
        let dot = if section.is_empty() { "" } else { "." };
        let flag = format!("{section}{dot}{STRANGER}=1");
        let flags = vec![Override::assignment("--set", &flag).unwrap()];
        let overrides = Overrides { flags, ..Overrides::default() };
        let told = compile_with(&overrides, &model, folder.path()).unwrap_err();
        assert_eq!(keys(schema.pointer(place).unwrap()), known(&told), "{section}");
    }
}

/// The examples of each generator's section: what its section adds to the model, and the values.
fn examples() -> Vec<(String, String)> {
    let page = page("generators.md");
    let sections = sections(&page).into_iter();
    let examples = sections.flat_map(|(_, text)| {
        let more = marked(text, "toml more").concat();
        let values = marked(text, "toml example").into_iter();
        // A stream is no value.
        let values = values.filter(|example| !example.starts_with('['));
        values.map(move |example| (more.clone(), example))
    });
    examples.collect()
}

#[test]
fn what_stands_beside_a_generator_is_what_the_program_knows() {
    let schema = json_schema();
    let forms = schema.pointer("/$defs/generator/anyOf").unwrap().as_array().unwrap();
    let key_of =
        |form: &'_ Value| form.pointer("/required/0").map(|key| key.as_str().unwrap().to_owned());
    let (_, model, folder) = reference();
    let mut seen = BTreeSet::new();
    for (more, example) in examples() {
        for (name, value) in json_of(&example).as_object().unwrap() {
            let Value::Object(written) = value else { continue };
            let form = forms
                .iter()
                .find(|form| key_of(form).is_some_and(|key| written.contains_key(&key)));
            let Some(form) = form else { panic!("{example} is not in the schema") };
            seen.extend(key_of(form));
            let at = format!("\n{example}").find(&format!("\n{name} ")).unwrap();
            let (before, after) = example.split_at(at);
            let stranger =
                format!("{before}{}", after.replacen('{', &format!("{{ {STRANGER} = 1,"), 1));
            let model = model.replace(EXAMPLES_IN, &format!("{EXAMPLES_IN}{stranger}"));
            let text = format!("{more}\n{model}");
            let told = compile_with(&Overrides::default(), &text, folder.path()).unwrap_err();
            assert_eq!(keys(&form["properties"]), known(&told), "{example}");
        }
    }
    // What is for attributes alone stands in the part that a section adds to the model.
    for (more, _) in examples() {
        let part = json_of(&more);
        let entities = part["entities"].as_object().into_iter().flatten();
        let attributes = entities.filter_map(|(_, entity)| entity["attributes"].as_object());
        for (name, value) in attributes.flatten() {
            let form = forms.iter().find(|form| {
                key_of(form).is_some_and(|key| !seen.contains(&key) && value.get(&key).is_some())
            });
            let Some(form) = form else { continue };
            let at = more.find(&format!("\n{name} ")).unwrap();
            let (before, after) = more.split_at(at);
            let stranger = after.replacen('{', &format!("{{ {STRANGER} = 1,"), 1);
            let text = format!("{before}{stranger}\n{model}");
            let told = compile_with(&Overrides::default(), &text, folder.path()).unwrap_err();
            let mut known = known(&told);
            known.retain(|key| !["changes", "dealt"].contains(&key.as_str()));
            assert_eq!(keys(&form["properties"]), known, "{name}");
            seen.extend(key_of(form));
        }
    }
    let all: BTreeSet<String> = forms.iter().filter_map(key_of).collect();
    assert_eq!(seen, all, "each generator has an example in docs/generators.md");
}
