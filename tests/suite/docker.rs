//! The container files: what compose makes of them, and what must never creep in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::brokers::pulsar;

/// The compose files, with the services of each in the order of their names.
const FILES: [(&str, &[&str]); 2] = [
    ("compose.yaml", &["kafka", "registry", "tidegate"]),
    ("compose.pulsar.yaml", &["pulsar", "tidegate"]),
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docker").join(name)
}

#[test]
fn compose_understands_its_files() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        // The command is a convenience of users, not a need of the tests: CI may go without it.
        let line = "SKIPPED compose_understands_its_files: there is no `docker compose` here";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    }
    for (name, expected) in FILES {
        let mut compose = Command::new("docker");
        compose.args(["compose", "-f"]).arg(path(name)).args(["config", "--services"]);
        let output = compose.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut services: Vec<&str> = text.lines().collect();
        services.sort_unstable();
        assert_eq!(services, expected, "{name}");
    }
}

#[test]
fn compose_offers_ports_on_loopback_only() {
    for (name, _) in FILES {
        let text = std::fs::read_to_string(path(name)).unwrap();
        let listed = text.lines().filter_map(|line| line.trim().strip_prefix("- \""));
        let is_port =
            |item: &&str| item.trim_end_matches('"').chars().all(|c| "0123456789.:".contains(c));
        let ports: Vec<&str> = listed.filter(is_port).collect();
        assert!(ports.len() >= 3, "{name}: {ports:?}");
        assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{name}: {ports:?}");
    }
}

#[test]
fn users_are_told_to_start_the_pulsar_that_the_tests_start() {
    let composed = std::fs::read_to_string(path("compose.pulsar.yaml")).unwrap();
    assert!(composed.contains(&format!("image: {}\n", pulsar::IMAGE)), "{composed}");
    let page = crate::docs::page("pulsar.md");
    assert!(page.contains(&format!(" {} bin/pulsar standalone", pulsar::IMAGE)), "{page}");
}

#[test]
fn the_image_runs_as_a_user_and_is_built_from_the_lock_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/Dockerfile");
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let user = lines.iter().rposition(|line| line.starts_with("USER ")).unwrap();
    let last_stage = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    assert!(user > last_stage, "the image that runs must not run as root");
    assert!(!lines[user].contains("root") && !lines[user].contains("USER 0"), "{}", lines[user]);
    assert!(lines.iter().any(|line| line.contains("cargo build --locked --release")));
    let wanted = toolchain();
    let image = lines.iter().find_map(|line| line.strip_prefix("FROM rust:")).unwrap();
    assert!(image.starts_with(&wanted), "the image has Rust {image}, the project pins {wanted}");
}

/// Major and minor version of the pinned compiler.
fn toolchain() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/rust-toolchain.toml");
    let pinned: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let pinned: Value = serde_json::to_value(pinned).unwrap();
    let channel = pinned["toolchain"]["channel"].as_str().unwrap();
    channel.rsplitn(2, '.').last().unwrap().to_owned()
}
