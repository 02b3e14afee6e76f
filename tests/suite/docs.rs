//! The documentation: its models run, its examples are true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate::config::{self, ModelSource, Override, Overrides, Refused, raw};
use tidegate::plan::{Inputs, Plan};

/// The model of the page that its examples stand in.
pub(crate) const EXAMPLES_IN: &str = "[streams.payments.let]\n";

pub(crate) fn page(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// A block between fences: what stands behind the opening one, and the text.
pub(crate) fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(mark), None) => open = Some((mark.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    blocks
}

pub(crate) fn marked(page: &str, mark: &str) -> Vec<String> {
    blocks(page).into_iter().filter(|(found, _)| found == mark).map(|(_, text)| text).collect()
}

/// What stands in backticks in all tables' columns of that name, cell by cell.
pub(crate) fn cells(page: &str, column: &str) -> Vec<Vec<String>> {
    let mut place = None;
    let mut cells = Vec::new();
    for line in page.lines() {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        if row.len() < 3 {
            place = None;
        } else if let Some(place) = place {
            let cell: &str = row[place];
            let quoted: Vec<String> =
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if !quoted.is_empty() {
                cells.push(quoted);
            }
        } else {
            place = row.iter().position(|cell| *cell == column);
        }
    }
    cells
}

/// The part of a page under a heading.
fn under<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, after) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    after.split("\n## ").next().unwrap()
}

/// The schemas of a page, as files.
fn schemas(page: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (mark, text) in blocks(page) {
        if let Some(name) = mark.strip_prefix("json ") {
            fs::write(folder.path().join(name), text).unwrap();
        }
    }
    folder
}

/// Reads and compiles a model.
fn compile(text: &str, folder: &Path) -> Result<(), Refused> {
    compile_with(&Overrides::default(), text, folder)
}

pub(crate) fn compile_with(
    overrides: &Overrides,
    text: &str,
    folder: &Path,
) -> Result<(), Refused> {
    let (name, directory) = ("model.toml".to_owned(), folder.to_path_buf());
    let source = ModelSource::Text { name, directory, text: text.to_owned() };
    let environment = |name: &str| Some(format!("the value of {name}"));
    let read = config::read(&source, overrides, &environment)?;
    Plan::compile(&read.model, &Inputs { now_us: 1_772_409_600_000_000, ..Inputs::default() })
        .map(drop)
        .map_err(|mistakes| Refused::new(read.source, mistakes))
}

fn assert_compiles(text: &str, folder: &Path) {
    let refused = compile(text, folder).err();
    assert!(refused.is_none(), "{}\nin\n{text}", refused.unwrap());
}

/// The reference, its model for examples, and the folder of its schemas.
pub(crate) fn reference() -> (String, String, tempfile::TempDir) {
    let page = page("model-file.md");
    let models = marked(&page, "toml model").into_iter();
    let mut models = models.filter(|model| model.contains(EXAMPLES_IN));
    let model = models.next().unwrap();
    let folder = schemas(&page);
    (page, model, folder)
}

/// The model with one more value in its `let`.
pub(crate) fn with_value(model: &str, value: &str) -> String {
    model.replace(EXAMPLES_IN, &format!("{EXAMPLES_IN}example = {value}\n"))
}

/// All pages right in the folder.
pub(crate) fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// Where a heading is found by links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn the_models_of_every_page_compile() {
    let mut count = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let folder = schemas(&page);
        for model in marked(&page, "toml model") {
            assert_compiles(&model, folder.path());
            count += 1;
        }
        for (mark, text) in blocks(&page) {
            let read = raw::parse(&text, 0);
            assert!(!mark.starts_with("toml") || read.is_ok(), "{}: {read:?}", path.display());
        }
    }
    assert!(count >= 2, "{count} models");
}

#[test]
fn the_parts_of_the_reference_fit_its_model() {
    let (page, model, folder) = reference();
    let parts = marked(&page, "toml more");
    assert!(parts.len() >= 4, "{parts:?}");
    for part in &parts {
        assert_compiles(&format!("{part}\n{model}"), folder.path());
    }
    assert_compiles(&format!("{}\n{model}", parts.join("\n")), folder.path());
}

#[test]
fn every_example_of_the_reference_compiles() {
    let (page, model, folder) = reference();
    let examples = cells(&page, "example").concat();
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        let value = if example.starts_with(['{', '"']) {
            example
        } else {
            format!("{{ expression = \"{example}\" }}")
        };
        assert_compiles(&with_value(&model, &value), folder.path());
    }
}

#[test]
fn what_the_reference_calls_refused_is_refused_for_itself() {
    let (page, model, folder) = reference();
    let refused = cells(&page, "refused").concat();
    assert!(refused.len() >= 10, "{refused:?}");
    for value in refused {
        let text = with_value(&model, &value);
        let Err(told) = compile(&text, folder.path()) else { panic!("{value} compiles") };
        let place = text.find(&value).unwrap();
        for mistake in told.mistakes() {
            let span = &mistake.span;
            assert!(span.start >= place && span.end <= place + value.len(), "{told}");
        }
    }
}

/// A page's sections: heading and text, in order.
pub(crate) fn sections(page: &str) -> Vec<(&str, &str)> {
    page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

#[test]
fn every_generator_has_a_section_and_every_section_is_a_generator() {
    let page = page("generators.md");
    let written: Vec<&str> = sections(&page).iter().map(|(heading, _)| *heading).collect();
    let known: BTreeSet<&str> = config::generator_names().collect();
    assert_eq!(written.iter().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(written.len(), known.len(), "a generator has two sections: {written:?}");
}

// An example is a stream, or stands among the `let` values, after the parts that its section adds
// to the model.
#[test]
fn every_generator_has_an_example_that_compiles() {
    let (_, model, folder) = reference();
    let page = page("generators.md");
    for (heading, text) in sections(&page) {
        let (more, examples) = (marked(text, "toml more").concat(), marked(text, "toml example"));
        assert!(!examples.is_empty(), "{heading} has no example");
        for example in examples {
            assert!(example.contains(heading), "{heading} is not in its example");
            let model = if example.starts_with('[') {
                format!("{example}\n{model}")
            } else {
                model.replace(EXAMPLES_IN, &format!("{EXAMPLES_IN}{example}"))
            };
            assert_compiles(&format!("{more}\n{model}"), folder.path());
        }
    }
}

#[test]
fn the_tables_of_keys_are_those_of_the_program() {
    let (page, model, folder) = reference();
    for (heading, section) in [
        ("Traffic", "traffic"),
        ("Curves", "curves.night"),
        ("Tables", "tables.cities"),
        ("Entities", "entities.account"),
        ("Streams", "streams.payments"),
        ("The registry", "registry"),
        ("Run", "run"),
    ] {
        // A key that is like no other: the mistake tells all that there are.
        let stranger = format!("{section}.qqqqqqqqqqqqqqqqqqqqqqqq=1");
        let flags = vec![Override::assignment("--set", &stranger).unwrap()];
        let overrides = Overrides { flags, ..Overrides::default() };
        let refused = compile_with(&overrides, &model, folder.path()).unwrap_err();
        let told = refused.mistakes().iter().filter(|mistake| mistake.what.contains("qqqq"));
        let told: Vec<&str> = told.filter_map(|mistake| mistake.help.as_deref()).collect();
        let known: BTreeSet<&str> = told[0].split('`').skip(1).step_by(2).collect();
        let written = cells(under(&page, heading), "key").concat();
        assert_eq!(written.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    }
}

#[test]
fn links_of_every_page_lead_somewhere() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let headings = page.lines().filter(|line| line.starts_with('#'));
        let anchors: Vec<String> =
            headings.map(|line| anchor(line.trim_start_matches('#'))).collect();
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let is_there = link.contains("://")
                || folder().join(file).exists()
                    && (section.is_empty()
                        || !file.is_empty()
                        || anchors.contains(&section.to_owned()));
            assert!(is_there, "{}: {link}", path.display());
        }
    }
}
