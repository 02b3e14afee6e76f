//! The page about Pulsar: the commands of its quickstart run, its settings are those of the sink.

use tidegate::config::secret::Text;
use tidegate::publish::pulsar::{Error, Options, Property};

use super::{LONG, Site};
use crate::cli::{self, Running, assert_exit};
use crate::docs;

/// Where the page's Pulsar is.
const THERE: &str = "pulsar://localhost:6650";

#[test]
fn the_commands_of_the_quickstart_run_at_a_real_pulsar() {
    let Some(site) = Site::shared() else { return };
    let page = docs::page("pulsar.md");
    let commands: Vec<String> =
        docs::marked(&page, "sh test").concat().lines().map(str::to_owned).collect();
    assert!(commands.len() >= 2, "{commands:?}");
    // The page's administration is at the port that is looked at unless told otherwise; ours is not.
    let web = format!("webServiceUrl={}", site.server.web_url());
    for command in &commands {
        assert!(command.contains(THERE), "{command}");
        let command = command.replace(THERE, &site.server.service_url());
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "tidegate", "{command}");
        let mut program = cli::program(site.folder.path(), &words[1..]);
        program.args(["-X", &web]);
        assert_exit(&Running::start(program).wait(LONG), 0);
    }
}

/// Whether the sink has a setting of this name.
fn is_setting(name: &str) -> bool {
    let plain = |(name, value): (&str, &str)| (name.to_owned(), Text::Plain(value.to_owned()));
    let properties: Vec<Property> = [("serviceUrl", THERE), (name, "1")].map(plain).to_vec();
    !matches!(Options::read(&properties), Err(Error::UnknownProperty { .. }))
}

#[test]
fn every_setting_of_the_page_is_one_of_the_sink() {
    assert!(!is_setting("batchingMaxMessage"));
    let page = docs::page("pulsar.md");
    let in_table = docs::cells(&page, "key").concat();
    assert!(in_table.len() >= 24, "{in_table:?}");
    for name in &in_table {
        assert!(is_setting(name), "{name}");
    }
    for example in docs::marked(&page, "toml") {
        let example: toml::Table = example.parse().unwrap();
        let settings = example["sink"]["pulsar"].as_table().unwrap();
        for name in settings.keys() {
            assert!(is_setting(name) && in_table.contains(name), "{name}");
        }
    }
}
