//! What is typed: help, wrong inputs, exit codes.

use super::{MODEL, assert_exit, folder, program, run, stderr, stdout};

#[test]
fn every_command_has_help_on_stdout_with_its_flags() {
    let folder = folder();
    for (words, told) in [
        (&["--help"][..], &["run", "validate", "sample", "topics", "completions", "--log"][..]),
        (
            &["run", "--help"],
            &[
                "--rate",
                "--speed",
                "--pace",
                "--max-rate",
                "--max-bytes",
                "--start",
                "--from",
                "--until",
                "--duration",
                "--for",
                "--count",
                "--seed",
                "--shard",
                "--at",
                "--threads",
                "--streams",
                "--to",
                "--set",
                "-X",
                "--registry",
                "--create-topics",
                "--json",
                "--digest",
                "--fail-if",
                "--quiet",
                "--metrics",
                "--manifest",
                "--drain",
                "--group",
                "--subscription",
                "--catch-up",
                "--watch-every",
            ],
        ),
        (&["validate", "--help"], &["MODEL", "--set"]),
        (&["sample", "--help"], &["--number", "--stream", "--headers"]),
        (&["models", "--help"], &["--json"]),
        (&["init", "--help"], &["NAME", "--to", "--force"]),
        (&["schema", "--help"], &["JSON Schema"]),
        (&["topics", "--help"], &["--create", "--json"]),
    ] {
        let output = run(folder.path(), words);
        assert_exit(&output, 0);
        for flag in told {
            assert!(stdout(&output).contains(flag), "{flag} is not in {}", stdout(&output));
        }
        assert!(!stdout(&output).contains("--device"), "what is not built is not offered");
    }
    assert_exit(&run(folder.path(), &["--version"]), 0);
}

#[test]
fn wrong_words_are_refused_with_exit_2_and_the_way_out() {
    let folder = folder();
    for (words, told) in [
        (&["runn"][..], "run"),
        (&["run", "--speeed", "1"], "--speed"),
        (
            &["run", "model.toml", "--to", "pulsar"],
            "the model names no Pulsar: add `[sink.pulsar]`",
        ),
        (&["run", "model.toml", "--to", "file:out"], "kafka, pulsar, stdout, null"),
        (&["run", "model.toml", "--device", "gpu"], "`--device` is not known yet"),
        (&["run", "model.toml", "--pace", "5000/s", "--speed", "2"], "cannot be used with"),
        (&["run", "model.toml", "--headers"], "`--headers` is for `--to stdout`"),
        (&["run", "model.toml", "--to", "null", "--headers"], "headers are sent anyway"),
        (&["run", "model.toml", "--to", "stdout", "--headers=x"], "--headers"),
        (&["run", "model.toml", "--shard", "3/3"], "the last of 3 is 2/3"),
        (&["run", "model.toml", "--shard", "0/0"], "there is no shard of 0"),
        (&["run", "model.toml", "--at", "noon"], "is not a time"),
        (&["run", "model.toml", "--fail-if", "lag_p98>1s"], "did you mean `lag_p99`?"),
        (&["run", "model.toml", "--fail-if", "lag_p99>1"], "a time, such as 500us"),
        (&["run", "model.toml", "--until", "1h", "--duration", "1h"], "cannot be used with"),
        (&["run", "missing.toml"], "missing.toml"),
        (&["validate"], "MODEL"),
        (&["validate", "missing.toml"], "missing.toml"),
        (&["validate", "model.toml", "--rate", "fast"], "fast"),
        (&["sample", "model.toml", "-n", "many"], "many"),
        (&["sample", "model.toml", "--stream", "payment"], "did you mean `payments`?"),
        (&["sample", "missing.toml"], "missing.toml"),
        (&["topics"], "MODEL"),
        (&["topics", "missing.toml"], "missing.toml"),
        (&["topics", "model.toml", "--set", "seed"], "KEY.PATH=VALUE"),
        (&["completions", "tcsh"], "bash"),
    ] {
        let output = run(folder.path(), words);
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "", "{words:?}");
        assert!(stderr(&output).contains(told), "{words:?} told {}", stderr(&output));
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_exit_2_before_anything_is_sent() {
    let folder = folder();
    for (words, told) in [
        (&["--rate", "5/fortnight"][..], "5/fortnight"),
        (&["--speed", "0"], "--speed"),
        (&["--pace", "fast"], "--pace"),
        (&["--pace", "9/s", "--set", "run.speed=2"], "do not go together"),
        (&["--max-rate", "0/s"], "`run.governor.events` must be above 0"),
        (&["--max-rate", "10MB/s"], "500/s"),
        (&["--max-bytes", "5000/s"], "10MB/s"),
        (&["--max-bytes", "1B/h"], "1B/s or more"),
        (&["--speed", "fast"], "fast"),
        (&["--seed", "-1"], "--seed"),
        (&["--start", "yesterday"], "yesterday"),
        (&["--count", "0"], "--count"),
        (&["--threads", "0"], "--threads"),
        (&["--duration", "10 parsecs"], "10 parsecs"),
        (&["--from", "2020-01-01T00:00:00Z"], "nothing is earlier than the start"),
        (&["--until", "0s"], "not after the begin"),
        (&["--streams", "payment"], "did you mean `payments`?"),
        (&["--shard", "0/100"], "64"),
        (&["--start", "now", "--shard", "0/2"], "--start"),
        (&["--set", "traffic.rat=5/s"], "rate"),
        (&["--set", "nonsense"], "KEY.PATH=VALUE"),
        (&["--metrics", "everywhere"], "everywhere"),
    ] {
        let words: Vec<&str> =
            ["run", "model.toml", "--to", "null"].iter().chain(words).copied().collect();
        let output = run(folder.path(), &words);
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(told), "{words:?} told {}", stderr(&output));
        assert!(!folder.path().join("runs").exists(), "{words:?} left a manifest");
    }
}

#[test]
fn an_unknown_property_of_the_broker_is_refused_before_any_wait() {
    let folder = folder();
    let words = ["run", "model.toml", "--to", "kafka", "-X", "lingr.ms=5"];
    let output = run(folder.path(), &words);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("linger.ms"), "{}", stderr(&output));
}

#[test]
fn shards_at_a_real_sink_need_a_common_moment() {
    let folder = folder();
    let output = run(folder.path(), &["run", "model.toml", "--shard", "0/2", "--to", "kafka"]);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("--at"), "{}", stderr(&output));
}

#[test]
fn a_broker_or_registry_that_is_not_there_is_named_after_a_bounded_wait() {
    let folder = folder();
    for (words, address) in [
        (&["run", "model.toml", "--count", "1"][..], "127.0.0.1:1"),
        (&["topics", "model.toml"], "127.0.0.1:1"),
    ] {
        let words: Vec<&str> = words
            .iter()
            .chain(&["--set", "run.connect_timeout=1s", "--set", "registry.timeout=1s"])
            .copied()
            .collect();
        let began = super::now();
        let output = run(folder.path(), &words);
        assert_exit(&output, 1);
        assert!(stderr(&output).contains(address), "{}", stderr(&output));
        assert!(began.elapsed().as_secs() < 15, "waited {:?}", began.elapsed());
    }
}

#[test]
fn all_mistakes_of_a_model_are_told_at_once_with_their_places() {
    let folder = folder();
    let bad = MODEL.replace("rate = \"1000/s\"", "rte = \"1000/s\"").replace("median", "medium");
    std::fs::write(folder.path().join("bad.toml"), bad).unwrap();
    for command in ["validate", "run", "sample", "topics"] {
        let output = run(folder.path(), &[command, "bad.toml"]);
        assert_exit(&output, 2);
        let told = stderr(&output);
        assert!(told.contains("bad.toml:6") && told.contains("rate"), "{told}");
        assert!(told.contains("medium") && told.contains("median"), "{told}");
    }
}

#[test]
fn a_good_model_is_called_good_with_a_short_summary() {
    let folder = folder();
    let output = run(folder.path(), &["validate", "model.toml"]);
    assert_exit(&output, 0);
    for told in ["ok", "payments", "test.payments"] {
        assert!(stdout(&output).contains(told), "{}", stdout(&output));
    }
}

// 1,000 accounts at 1,000 events a second: each pays every second of the day.
#[test]
fn a_population_too_small_for_its_rate_gets_a_warning_with_its_place() {
    let folder = folder();
    let small = "count = 1_000\nactivity = { spread = \"equal\" }";
    let busy = MODEL.replace("activity = { mean = \"2/day\" }", small);
    std::fs::write(folder.path().join("busy.toml"), busy).unwrap();
    let quick = &["run", "busy.toml", "--to", "null", "--count", "10", "--speed", "max"];
    for words in [&["validate", "busy.toml"][..], &["sample", "busy.toml"], quick] {
        let output = run(folder.path(), words);
        assert_exit(&output, 0);
        let told = stderr(&output);
        assert!(told.contains("warning: each of the 1000 members"), "{told}");
        assert!(told.contains("busy.toml:9") && told.contains("2160000 or more"), "{told}");
    }
    let output = run(folder.path(), &["validate", "model.toml"]);
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
}

#[test]
fn a_sample_of_the_control_stream_ends_with_the_phases() {
    let folder = folder();
    let words = "sample orders -n 5 --stream control --set control=run.control";
    let words: Vec<&str> = words.split(' ').collect();
    let none = run(folder.path(), &words);
    assert_exit(&none, 0);
    assert!(stdout(&none).is_empty() && stderr(&none).contains("name a scenario"), "{none:?}");
    let outage = ["--set", "traffic.scenario=payment_outage"];
    let told = run(folder.path(), &[&words[..], &outage].concat());
    assert_exit(&told, 0);
    assert_eq!(stdout(&told).lines().count(), 2, "{}", stdout(&told));
}

// A sample that waits for what never comes would say nothing for ever.
#[test]
fn a_sample_ends_where_nothing_follows() {
    let folder = folder();
    for never in ["probability = 0", "when = \"payments.amount < 1\""] {
        let follows = format!(
            "[streams.late]\ntopic = \"test.late\"\nschema = \"payment.avsc\"\nfollows = \"payments\"\n\
             delay = \"1h\"\n{never}\nfields = {{ id = \"identity\", at = \"event_time\", \
             account = {{ attribute = \"payments.account\" }}, amount = {{ constant = 1 }}, \
             word = {{ constant = \"late\" }} }}\n[sink.kafka]"
        );
        let model = MODEL.replace("[sink.kafka]", &follows);
        std::fs::write(folder.path().join("never.toml"), model).unwrap();
        let output = run(folder.path(), &["sample", "never.toml", "-n", "1", "--stream", "late"]);
        assert_exit(&output, 0);
        assert!(stdout(&output).is_empty(), "{}", stdout(&output));
        assert!(stderr(&output).contains("1 of `late` are missing"), "{}", stderr(&output));
    }
}

#[test]
fn completions_are_printed_for_a_shell() {
    let folder = folder();
    let output = run(folder.path(), &["completions", "bash"]);
    assert_exit(&output, 0);
    assert!(stdout(&output).contains("--create-topics"));
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let folder = folder();
    let mut command = program(folder.path(), &["validate", "model.toml"]);
    let output = command.env("TIDEGATE_LOG", "a=b=c").output().unwrap();
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("TIDEGATE_LOG"), "{}", stderr(&output));
}

#[test]
fn a_consumer_that_cannot_be_watched_where_events_go_is_refused_with_the_way_out() {
    let folder = folder();
    for (flags, told) in [
        ("--to null --group a", "`--group` watches who reads from a broker of yours"),
        ("--to stdout --subscription a", "the events go to stdout: choose `--to kafka`"),
        ("--to kafka --subscription a", "name the consumer group with `--group`"),
        ("--to pulsar --group a", "name the subscription with `--subscription`"),
        ("--to kafka --fail-if consumer_lag_max>1s", "is about a consumer, and none is watched"),
        ("--to kafka --catch-up 5s", "name it with `--group`"),
        ("--to kafka --group a --subscription b", "cannot be used with"),
        ("--to kafka --group a --catch-up soon", "soon"),
    ] {
        let words = format!("run model.toml {flags} -X serviceUrl=pulsar://127.0.0.1:1");
        let words: Vec<&str> = words.split(' ').collect();
        let words = if flags.contains("pulsar") { &words[..] } else { &words[..words.len() - 2] };
        let output = run(folder.path(), words);
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(told), "{flags}: {}", stderr(&output));
    }
}
