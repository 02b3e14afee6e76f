//! Secrets: put in by every door, they come out of none.

use std::path::Path;
use std::process::Output;

use tidegate::embedded::Embedded;

use super::{MODEL, folder, program, stderr, stdout};

/// Looks like a password, and like nothing else in any output.
const CANARY: &str = "canary-4f1d9c-hunter2";

/// Asserts that neither output nor any file that the run left shows the canary.
fn assert_silent(folder: &Path, output: &Output, what: &str) {
    let (out, err) = (stdout(output), stderr(output));
    assert!(!out.contains(CANARY) && !err.contains(CANARY), "{what}: {out}{err}");
    let mut found = 0;
    for entry in std::fs::read_dir(folder.join("runs")).into_iter().flatten() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(CANARY), "{what}: {text}");
        found += 1;
    }
    assert!(found > 0 || output.status.code() != Some(0), "{what}: no manifest was looked at");
}

#[test]
fn a_secret_is_masked_in_all_outputs_of_runs_that_work_and_runs_that_fail() {
    let embedded = Embedded::start(&[]).unwrap();
    let (servers, registry) = (embedded.bootstrap_servers(), embedded.registry_url());
    let secret_file = folder();
    let secret_path = secret_file.path().join("secret");
    std::fs::write(&secret_path, CANARY).unwrap();
    let by_file = format!("\"sasl.password\" = {{ file = {:?} }}", secret_path.to_str().unwrap());
    let literal = format!("\"sasl.password\" = \"{CANARY}\"");
    let by_flag = format!("sasl.password={CANARY}");
    let by_set = format!("registry.token={CANARY}");
    let by_unknown = format!("sasl.pasword={CANARY}");
    let by_table = format!(
        "registry={{url=\"{registry}\",timeout=\"1s\",username=\"u\",password=\"{CANARY}\"}}"
    );
    let by_property = format!(
        "sink.kafka={{\"bootstrap.servers\"=\"{servers}\",\"sasl.password\"=\"{CANARY}\"}}"
    );
    let doors: [(&str, &str, &[&str]); 12] = [
        ("the model", &literal, &[]),
        ("a file", &by_file, &[]),
        ("the environment", "\"sasl.password\" = { env = \"CANARY\" }", &[]),
        ("a variable of our own", "", &[]),
        ("-X", "", &["-X", &by_flag]),
        ("--set", "", &["--set", &by_set]),
        ("a misspelt -X", "", &["-X", &by_unknown]),
        ("a table of --set", "", &["--set", &by_table]),
        ("the properties as a table", "", &["--set", &by_property]),
        ("a variable with a table", "", &[]),
        ("a model of which another takes the place", &literal, &["-X", "sasl.password=other"]),
        ("a -X of which another takes the place", "", &["-X", &by_flag, "-X", "sasl.password=x"]),
    ];
    for (door, line, flags) in doors {
        // The ways come last: a table among the flags would take the place of what they set.
        for ways in [
            &["--to", "null", "--count", "10", "--speed", "max"][..],
            &["--to", "null", "--count", "10", "--speed", "max", "--json", "--log", "trace"],
            // The broker does not speak SASL, so that the log tells of the login.
            &["--to", "kafka", "--log", "trace", "--set", "run.connect_timeout=1s"],
            // A registry that is not there has an error of its own.
            &["--to", "kafka", "--set", "registry.url=http://127.0.0.1:1"],
            // The broken line stands beside the secret, so the caret's context would show it.
            &["--to", "null", "--set", "sink.kafka.timestamp=never"],
        ] {
            let folder = folder();
            let model = MODEL.replace(
                "\"bootstrap.servers\"",
                &format!("{line}\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"u\"\n\"bootstrap.servers\""),
            );
            let model = model.replace("127.0.0.1:1\"\n\n", &format!("{servers}\"\n\n"));
            let registry = format!("{registry}\"\ntimeout = \"1s");
            let model = model.replace("http://127.0.0.1:1", &registry);
            std::fs::write(folder.path().join("model.toml"), model).unwrap();
            let words: Vec<&str> =
                ["run", "model.toml"].iter().chain(flags).chain(ways).copied().collect();
            let mut command = program(folder.path(), &words);
            command.env("CANARY", CANARY);
            if door == "a variable of our own" {
                command.env("TIDEGATE_SINK__KAFKA__SASL_PASSWORD", CANARY);
            }
            if door == "a variable with a table" {
                let table = by_property.split_once('=').unwrap().1;
                command.env("TIDEGATE_SINK__KAFKA", table);
            }
            let output = command.output().unwrap();
            assert_silent(folder.path(), &output, &format!("{door}, {ways:?}"));
        }
    }
}

#[test]
fn what_proves_to_pulsar_who_we_are_is_masked_by_every_door() {
    let parameters = format!("authParams=token:{CANARY}");
    let misspelt = format!("authParam=token:{CANARY}");
    let password = format!(r#"authParams={{"userId":"u","password":"{CANARY}"}}"#);
    let lines = format!("authPlugin = \"token\"\nauthParams = \"token:{CANARY}\"");
    let by_environment = "authPlugin = \"token\"\nauthParams = { env = \"CANARY\" }";
    let doors: [(&str, &[&str]); 6] = [
        (&lines, &[]),
        (by_environment, &[]),
        ("authPlugin = \"token\"", &["-X", &parameters]),
        ("authPlugin = \"basic\"", &["-X", &password]),
        ("authPlugin = \"no such\"", &["-X", &parameters]),
        ("", &["-X", &misspelt]),
    ];
    for (lines, flags) in doors {
        for ways in [
            &["--to", "pulsar", "--log", "trace", "--set", "run.connect_timeout=1s"][..],
            &["--to", "null", "--count", "10", "--speed", "max", "--json", "--log", "trace"],
            &["--to", "null", "--count", "10", "--set", "sink.pulsar.serviceUrl=7"],
        ] {
            let folder = folder();
            let pulsar =
                format!("\n[sink.pulsar]\nserviceUrl = \"pulsar://127.0.0.1:1\"\n{lines}\n");
            std::fs::write(folder.path().join("model.toml"), MODEL.to_owned() + &pulsar).unwrap();
            let words: Vec<&str> =
                ["run", "model.toml"].iter().chain(ways).chain(flags).copied().collect();
            let output = program(folder.path(), &words).env("CANARY", CANARY).output().unwrap();
            assert_silent(folder.path(), &output, &format!("{lines}, {flags:?}, {ways:?}"));
        }
    }
}
