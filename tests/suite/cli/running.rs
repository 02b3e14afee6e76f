//! Runs to their end, and runs that are stopped.

use std::time::Duration;

use tidegate::embedded::{Embedded, Topic};

use super::{Running, assert_exit, folder, json, program, run, stderr, stdout, wait_until};

#[test]
fn the_result_is_one_json_object_whose_counts_add_up() {
    let folder = folder();
    let words = "run model.toml --to null --count 5000 --speed max --json --digest";
    let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!(result["issued"], 5_000);
    assert_eq!(result["delivered"], 5_000);
    for none in ["failed", "shed", "unacknowledged"] {
        assert_eq!(result[none], 0, "{result}");
    }
    assert_eq!(result["stopped"], "end");
    assert_eq!(result["streams"]["payments"]["issued"], 5_000);
    let digest = result["digest"].as_str().unwrap();
    assert!(digest.len() == 32 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(result["repeat"].as_str().unwrap().contains("--seed 7"), "{result}");
    assert!(result["memory_bytes_max"].as_u64().unwrap() > 1 << 20);
    assert!(result["rates"]["delivered"].as_f64().unwrap() > 0.0);
    assert!(result["latency_ms"]["p99.9"].is_number(), "{result}");
    assert!(stderr(&output).contains("the same again"), "people read it on stderr");
}

// 3,000 events at 2,000/s take 1.5 s, less what the first one is late, and 3 s by their own times.
#[test]
fn a_pace_changes_when_events_go_and_no_byte() {
    let folder = folder();
    let result = |way: &str| {
        let words = format!("run model.toml --to null --count 3000 --json --digest {way}");
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert_exit(&output, 0);
        json(&output)
    };
    let (fast, paced) = (result("--speed max"), result("--pace 2000/s"));
    assert_eq!(fast["digest"], paced["digest"]);
    assert_eq!(paced["delivered"], 3_000);
    assert!(paced["seconds"].as_f64().unwrap() > 1.3, "{paced}");
    assert!(paced["repeat"].as_str().unwrap().contains("--pace 2000/s"), "{paced}");
    let manifest = paced["manifest"].as_str().unwrap();
    let manifest = std::fs::read_to_string(folder.path().join(manifest)).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["pace"]["events_per_s"], 2_000.0);
}

// 3,000 events at 2,000/s take 1.5 s, less the burst of 5 ms.
#[test]
fn a_ceiling_sets_the_rate_is_told_and_changes_no_byte() {
    let folder = folder();
    let result = |way: &str| {
        let words = format!("run model.toml --to null --count 3000 --json --digest {way}");
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert_exit(&output, 0);
        (json(&output), stderr(&output))
    };
    let (free, told) = result("--speed max");
    assert!(free["governed_s"].is_null() && !told.contains("held by ceiling"), "{free} {told}");
    let (held, told) = result("--speed max --max-rate 2000/s");
    assert_eq!(free["digest"], held["digest"]);
    assert_eq!(held["delivered"], 3_000);
    assert!(held["seconds"].as_f64().unwrap() > 1.3, "{held}");
    assert!(held["governed_s"].as_f64().unwrap() > 0.0, "{held}");
    assert!(told.contains("held by ceiling"), "{told}");
    let bytes = held["bytes"].as_f64().unwrap();
    let (weighed, _) = result(&format!("--speed max --max-bytes {:.0}B/s", bytes / 1.5));
    assert_eq!(free["digest"], weighed["digest"]);
    assert!(weighed["seconds"].as_f64().unwrap() > 1.3, "{weighed}");
    assert!(held["repeat"].as_str().unwrap().contains("--speed max --max-rate 2000/s"), "{held}");
    let manifest = held["manifest"].as_str().unwrap();
    let manifest = std::fs::read_to_string(folder.path().join(manifest)).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["pace"]["governor"], serde_json::json!({ "events_per_s": 2_000.0 }));
}

// The model has more a second than the ceiling lets go, so that a second of wall time is not one of
// model time: what was sent is the begin of the same events.
#[test]
fn under_a_ceiling_a_run_for_some_time_ends_by_the_clock() {
    let folder = folder();
    let result = |words: &str| {
        let words = format!("run model.toml --to null --json --digest {words}");
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert_exit(&output, 0);
        json(&output)
    };
    let held = result("--for 1s --max-rate 100/s");
    assert_eq!(held["stopped"], "end");
    let issued = held["issued"].as_u64().unwrap();
    assert!((1..=120).contains(&issued), "{held}");
    let again = result(&format!("--count {issued} --speed max"));
    assert_eq!(held["digest"], again["digest"]);
}

#[test]
fn the_command_that_repeats_a_run_sends_the_same_bytes() {
    let folder = folder();
    let words =
        "run model.toml --to null --seed 0 --start now --count 700 --speed max --json --digest";
    let first = json(&run(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    let repeat = format!("{} --json", first["repeat"].as_str().unwrap());
    let second = json(&run(folder.path(), &repeat.split(' ').skip(1).collect::<Vec<_>>()));
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(first["seed"], second["seed"]);
    assert_ne!(first["seed"], 0, "a drawn seed is told");
}

#[test]
fn the_digests_of_shards_add_up_whatever_the_sink_and_the_threads() {
    let folder = folder();
    let digest = |words: &str| {
        let words = format!("run model.toml --duration 5s --speed max --json --digest {words}");
        let output =
            program(folder.path(), &words.split(' ').collect::<Vec<_>>()).output().unwrap();
        assert_exit(&output, 0);
        let text = stdout(&output);
        let result: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        u128::from_str_radix(result["digest"].as_str().unwrap(), 16).unwrap()
    };
    let whole = digest("--to null --threads 1");
    assert_eq!(whole, digest("--to null --threads 2"));
    let shards = (0..3).map(|index| digest(&format!("--to null --shard {index}/3")));
    assert_eq!(whole, shards.fold(0, u128::wrapping_add));
}

#[test]
fn a_condition_that_comes_true_is_a_verdict_and_exits_with_3() {
    let folder = folder();
    let words = ["run", "model.toml", "--to", "null", "--count", "100", "--speed", "max", "--json"];
    let with = |condition| {
        let words: Vec<&str> = words.iter().chain(&["--fail-if", condition]).copied().collect();
        run(folder.path(), &words)
    };
    let broken = with("issued>=100");
    assert_exit(&broken, 3);
    assert_eq!(json(&broken)["broken"][0]["condition"], "issued>=100");
    let good = with("failed>0");
    assert_exit(&good, 0);
    assert_eq!(json(&good)["broken"], serde_json::json!([]));
}

#[test]
fn samples_are_json_lines_and_the_same_each_time() {
    let folder = folder();
    let words = ["sample", "model.toml", "-n", "20"];
    let output = run(folder.path(), &words);
    assert_exit(&output, 0);
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    for line in &lines {
        assert!(line["account"].as_str().unwrap().starts_with("acct-"), "{line}");
        assert!(line["at"].as_str().unwrap().starts_with("2026-03-02T00:00:0"), "{line}");
        assert!(line["amount"].as_i64().unwrap() >= 1, "{line}");
    }
    assert_eq!(stdout(&run(folder.path(), &words)), stdout(&output));
    let to_stdout = run(
        folder.path(),
        &["run", "model.toml", "--to", "stdout", "--count", "20", "--speed", "max", "--quiet"],
    );
    assert_eq!(stdout(&to_stdout), stdout(&output), "the stdout sink writes the same lines");
}

/// A folder with a model of two streams, `payments` and `others`, as `two.toml`.
fn folder_of_two() -> tempfile::TempDir {
    let folder = folder();
    let second = super::MODEL.split_once("[streams.payments]").unwrap().1;
    let second = second.split_once("[sink.kafka]").unwrap().0;
    let second = second
        .replace("streams.payments", "streams.others")
        .replace("test.payments", "test.others");
    let model = format!("{}\n[streams.others]{second}", super::MODEL);
    std::fs::write(folder.path().join("two.toml"), model).unwrap();
    folder
}

#[test]
fn a_stream_that_is_left_out_needs_neither_its_topic_nor_its_schema() {
    let folder = folder_of_two();
    let topic = Topic { name: "test.others".to_owned(), partitions: 2 };
    let embedded = Embedded::start(&[topic]).unwrap();
    let words = format!(
        "run two.toml --to kafka --count 50 --speed max --json --streams others --registry {} \
         -X bootstrap.servers={}",
        embedded.registry_url(),
        embedded.bootstrap_servers()
    );
    let output = run(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    assert_exit(&output, 0);
    assert!(json(&output)["delivered"].as_u64().unwrap() > 0, "{}", stdout(&output));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let subjects = runtime.block_on(async {
        let url = format!("{}/subjects", embedded.registry_url());
        reqwest::get(url).await.unwrap().text().await.unwrap()
    });
    assert_eq!(subjects, "[\"test.others-value\"]");
}

#[test]
fn of_several_streams_each_line_names_its_own_and_some_can_be_left_out() {
    let folder = folder_of_two();
    let output = run(folder.path(), &["sample", "two.toml", "-n", "3"]);
    assert_exit(&output, 0);
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name| lines.iter().filter(|line| line["stream"] == name).count();
    assert_eq!((lines.len(), of("payments"), of("others")), (6, 3, 3));
    assert_eq!(lines[0]["key"], lines[0]["value"]["account"]);
    let alone = run(folder.path(), &["sample", "two.toml", "-n", "1", "--stream", "others"]);
    assert!(stdout(&alone).starts_with("{\"id\""), "{}", stdout(&alone));
    let words = "run two.toml --to null --duration 2s --speed max --json --streams others";
    let result = json(&run(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    assert_eq!(result["streams"]["payments"]["issued"], 0);
    assert_eq!(result["streams"]["others"]["issued"], result["issued"]);
    assert!(result["issued"].as_u64().unwrap() > 1_000, "{result}");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let folder = folder();
    let seed = |variable: Option<&str>, flag: &[&str]| {
        let words = ["run", "model.toml", "--to", "null", "--count", "1", "--speed", "max"];
        let words: Vec<&str> =
            words.iter().chain(&["--json", "--manifest", "none"]).chain(flag).copied().collect();
        let mut command = program(folder.path(), &words);
        command.envs(variable.map(|value| ("TIDEGATE_SEED", value)));
        let output = command.output().unwrap();
        assert_exit(&output, 0);
        json(&output)
    };
    assert_eq!(seed(None, &[])["seed"], 7);
    let by_variable = seed(Some("8"), &[]);
    assert_eq!(by_variable["seed"], 8);
    assert!(by_variable["repeat"].as_str().unwrap().contains("--seed 8"), "{by_variable}");
    assert_eq!(seed(Some("8"), &["--seed", "9"])["seed"], 9);
}

#[test]
fn the_manifest_is_there_before_the_first_event_and_holds_the_result_at_the_end() {
    let folder = folder();
    let words = "run model.toml --to null --manifest m.json --at 2100-01-01T00:00:00Z --quiet";
    let running = Running::start(program(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    let path = folder.path().join("m.json");
    wait_until("the manifest", || path.exists());
    let read =
        || -> serde_json::Value { serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap() };
    let before = read();
    assert_eq!(before["result"], serde_json::Value::Null);
    assert_eq!(before["seed"], 7);
    assert_eq!(before["model"]["text"], super::MODEL);
    assert_eq!(before["model"]["files"][0]["bytes"], super::SCHEMA.len());
    assert_eq!(before["pace"]["anchor"], "2100-01-01T00:00:00Z");
    running.signal("TERM");
    assert_exit(&running.wait(Duration::from_secs(10)), 0);
    assert_eq!(read()["result"]["stopped"], "signal");
    assert_eq!(read()["result"]["issued"], 0);
}

#[test]
fn sigterm_and_ctrl_c_drain_and_report() {
    let folder = folder();
    for signal in ["TERM", "INT"] {
        let mut command = program(
            folder.path(),
            &["run", "model.toml", "--to", "null", "--json", "--manifest", "none"],
        );
        command.env("TIDEGATE_LOG", "info");
        let running = Running::start(command);
        super::pause(Duration::from_millis(1_500));
        running.signal(signal);
        let output = running.wait(Duration::from_secs(10));
        assert_exit(&output, 0);
        let result = json(&output);
        assert_eq!(result["stopped"], "signal");
        let issued = result["issued"].as_u64().unwrap();
        assert!((200..5_000).contains(&issued), "{result}");
        assert_eq!(result["delivered"], result["issued"]);
        assert!(result["repeat"].as_str().unwrap().contains(&format!("--count {issued}")));
    }
}

#[test]
fn a_signal_while_a_broker_is_waited_for_ends_the_run_at_once() {
    let folder = folder();
    let registry = tidegate::embedded::Registry::start().unwrap();
    let words = format!("run model.toml --registry {}", registry.url());
    let mut running = Running::start(program(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    super::pause(Duration::from_secs(2));
    assert!(running.goes_on(), "10 seconds are waited for a broker");
    running.signal("INT");
    let output = running.wait(Duration::from_secs(3));
    assert_exit(&output, 1);
    assert!(stderr(&output).contains("before the first event"), "{}", stderr(&output));
    assert!(!folder.path().join("runs").exists(), "no run, no manifest");
}

#[test]
fn a_pipe_that_nobody_reads_does_not_keep_the_second_signal_from_ending_the_run() {
    let folder = folder();
    let words = "run model.toml --to stdout --speed max --manifest none";
    let mut running = Running::start(program(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    super::pause(Duration::from_millis(500));
    running.signal("TERM");
    super::pause(Duration::from_millis(500));
    assert!(running.goes_on(), "the first signal waits");
    running.signal("TERM");
    wait_until("the end", || !running.goes_on());
    let output = running.wait(Duration::from_secs(1));
    assert_exit(&output, 1);
    assert!(stderr(&output).contains("giving up"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_early_is_told_of_by_name() {
    let folder = folder();
    let words = "run model.toml --to stdout --speed max --manifest none";
    let mut running = Running::start(program(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    running.close_stdout();
    let output = running.wait(Duration::from_secs(10));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("stdout") && told.contains("ended by an error"), "{told}");
}

#[test]
fn the_quickstart_publishes_to_a_kafka_inside_the_process() {
    let folder = folder();
    let output = run(folder.path(), &["run", "--for", "2s", "--json"]);
    assert_exit(&output, 0);
    let result = json(&output);
    let issued = result["issued"].as_u64().unwrap();
    assert!((100..3_000).contains(&issued), "{result}");
    assert_eq!(result["delivered"], result["issued"]);
    let told = stderr(&output);
    assert!(told.contains("kcat -b 127.0.0.1:"), "{told}");
    assert!(told.contains("payments.authorisations"), "{told}");
}

#[test]
fn metrics_are_offered_on_loopback_while_the_run_goes_on() {
    let folder = folder();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let words = format!(
        "run model.toml --to null --manifest none --quiet -X sasl.password=hunter2 --metrics {port}"
    );
    let running = Running::start(program(folder.path(), &words.split(' ').collect::<Vec<_>>()));
    let mut text = String::new();
    wait_until("metrics", || {
        text = scrape(port).unwrap_or_default();
        text.contains("tidegate_lag_seconds") && text.contains("quantile=\"0.99\"")
    });
    for metric in tidegate::observe::metric::Metric::ALL {
        // Nothing fails here, and no consumer is watched.
        let quiet = metric == tidegate::observe::metric::Metric::FailedEvents
            || metric.name().starts_with("tidegate_consumer_");
        assert!(quiet || text.contains(metric.name()), "{} is not in {text}", metric.name());
    }
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("tidegate_delivered_events_total{stream=\"payments\"}"), "{text}");
    running.signal("TERM");
    assert_exit(&running.wait(Duration::from_secs(10)), 0);
}

fn scrape(port: u16) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn headers_are_told_at_stdout_and_the_intended_time_is_that_of_the_run() {
    let folder = folder();
    let set = ["--set", "streams.payments.headers={sent='intended_time', trace='traceparent'}"];
    let flags = "model.toml --count 300 --headers --to stdout --speed 20 --manifest none";
    let words = [&["run"], &flags.split(' ').collect::<Vec<_>>()[..], &set].concat();
    let output = run(folder.path(), &words);
    assert_exit(&output, 0);
    let micros = |text: &serde_json::Value| {
        text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond()
    };
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 300);
    let times =
        |line: &serde_json::Value| (micros(&line["headers"]["sent"]), micros(&line["value"]["at"]));
    let first = times(&lines[0]);
    for line in &lines {
        assert_eq!(
            (&line["stream"], &line["key"]),
            (&"payments".into(), &line["value"]["account"])
        );
        let (sent_us, at_us) = times(line);
        let drift_us = (sent_us - first.0) - (at_us - first.1) / 20;
        assert!(drift_us.abs() <= 1, "{line}: {drift_us} us off");
    }
    let now_us = tidegate::clock::Clock::system().now_us();
    assert!((now_us - first.0).abs() < 600_000_000, "sent when the run was");

    // A sample has no run: the intended time is the event's.
    let words = [&["sample", "model.toml", "-n", "3", "--headers"][..], &set].concat();
    for line in stdout(&run(folder.path(), &words)).lines() {
        let (sent_us, at_us) = times(&serde_json::from_str(line).unwrap());
        assert_eq!(sent_us, at_us);
    }
}
