//! What cannot be verified is refused by name, with the way out.

use super::{LONG, Site};
use crate::cli::{self, Running, assert_exit, stderr};

#[test]
fn what_cannot_be_verified_is_refused_with_the_way_out() {
    let Some(site) = Site::shared() else { return };
    site.run("verified.refused", "--count 100 --speed max");
    for (flags, told) in [
        ("--from no.such.topic", "no such topic: `no.such.topic`"),
        ("--from kafka://127.0.0.1:1/x --set run.connect_timeout=1s", "127.0.0.1:1"),
        ("--streams others", "no stream `others`"),
        ("--sample 2/3", "`2/3` is no share: write 1/100"),
        ("--from http://a/b", "is at no broker that is known"),
        ("--timeout soon", "`--timeout`"),
        ("--where amont>3", "amont"),
        ("--where amount>", "expected a value"),
        ("--rate 5/s", "--rate"),
        ("--findings no/such/folder/f", "cannot write the findings to `no/such/folder/f`"),
    ] {
        let words = format!("verify run.json {flags}");
        let output = Running::start(site.command(&words)).wait(LONG);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{flags}: {:?}", output.status);
        assert!(stderr(&output).contains(told), "{flags}: {}", stderr(&output));
    }
}

#[test]
fn a_run_that_went_nowhere_needs_a_topic_to_be_named() {
    let folder = cli::folder();
    let words = ["run", "model.toml", "--to", "null", "--count", "10", "--speed", "max"];
    assert_exit(&cli::run(folder.path(), &[&words[..], &["--manifest", "run.json"]].concat()), 0);
    let output = cli::run(folder.path(), &["verify", "run.json"]);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("the run went to null"), "{}", stderr(&output));
    let output = cli::run(folder.path(), &["verify", "model.toml", "--from", "x"]);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("nobody says where the run ended"), "{}", stderr(&output));
}
