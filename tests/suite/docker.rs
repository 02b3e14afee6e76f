//! The container files: what compose makes of them, and what must never creep in.

use std::io::Write;
use std::process::Command;

use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/compose.yaml");

#[test]
fn compose_understands_its_file() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        // The command is a convenience of users, not a need of the tests: CI may go without it.
        let line = "SKIPPED compose_understands_its_file: there is no `docker compose` here";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    }
    let compose = ["compose", "-f", FILE, "config", "--services"];
    let output = Command::new("docker").args(compose).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut services: Vec<&str> = text.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["kafka", "registry", "tidegate"]);
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
