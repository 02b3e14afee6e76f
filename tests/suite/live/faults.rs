//! Brokers that die and come back while the program runs.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::arrival::{SMALL, arrived, assert_all_arrived};
use super::{LONG, Site, count, metric, small};
use crate::brokers::kafka::{KafkaServer, Options};
use crate::brokers::{free_port, wait_for};
use crate::cli::{Running, assert_exit, json, pause, stderr};

/// A run that can be watched from outside.
struct Watched {
    running: Running,
    port: u16,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let port = free_port();
        command.args(["--metrics", &port.to_string()]);
        let watched = Self { running: Running::start(command), port };
        wait_for("the run flows", LONG, || (watched.delivered() > 0.0).then_some(()));
        watched
    }

    fn delivered(&self) -> f64 {
        metric(self.port, "tidegate_delivered_events_total").unwrap_or_default()
    }

    fn in_flight(&self) -> f64 {
        metric(self.port, "tidegate_in_flight_events").unwrap_or_default()
    }

    /// Waits until so many more have been delivered, and others are on their way.
    fn flow(&self, more: f64) {
        let before = self.delivered();
        wait_for("records go through", LONG, || {
            (self.delivered() >= before + more && self.in_flight() > 0.0).then_some(())
        });
    }

    fn end(self) -> Value {
        self.running.signal("TERM");
        let output = self.running.wait(LONG);
        assert_exit(&output, 0);
        json(&output)
    }
}

#[test]
fn a_broker_killed_ten_times_has_every_event_of_the_run_once_and_in_order() {
    let Some(mut kafka) = KafkaServer::start(&Options::quick_to_return()) else { return };
    let Some(site) = Site::at(&kafka) else { return };
    let topic = "live.killed";
    let mut command = site.command(&format!("{} --rate 20000/s --drain 5m", small(topic)));
    // Ten times the usual pause of up to 10 s before a client looks again would be long.
    command.args(["-X", "reconnect.backoff.max.ms=500"]);
    let watched = Watched::start(command);
    for _ in 0..10 {
        watched.flow(5_000.0);
        kafka.kill();
        kafka.start_again();
    }
    let result = watched.end();
    assert_eq!(result["stopped"], "signal");
    assert!(count(&result, "issued") > 200_000, "{result}");
    assert_all_arrived(&result, &arrived(&site, topic, SMALL));
}

#[test]
fn a_broker_that_is_away_loses_nothing_and_the_lag_is_told() {
    let long = std::env::var("TIDEGATE_LONG").is_ok_and(|long| long == "1");
    let away = if long { Duration::from_mins(6) } else { Duration::from_secs(20) };
    let Some(mut kafka) = KafkaServer::start(&Options::default()) else { return };
    let Some(site) = Site::at(&kafka) else { return };
    let topic = "live.away";
    // What waits for the broker is bounded: 8 MiB are far less than comes due in that time.
    let bounded = "--set run.in_flight_bytes_max=8MiB --drain 5m";
    let watched =
        Watched::start(site.command(&format!("{} --rate 20000/s {bounded}", small(topic))));
    watched.flow(20_000.0);
    kafka.kill();
    pause(away);
    let waiting = watched.in_flight();
    kafka.start_again();
    watched.flow(20_000.0);
    let result = watched.end();
    assert!(waiting < 20_000.0 * away.as_secs_f64() / 2.0, "{waiting} events in memory");
    let lag_ms = result["lag_ms"]["max"].as_f64().unwrap();
    let away_ms = away.as_secs_f64() * 1e3;
    // The first events of that time were still taken into memory.
    assert!(lag_ms > 0.5 * away_ms, "lag {lag_ms} ms of {away_ms} ms in {result}");
    assert!(result["latency_ms"]["max"].as_f64().unwrap() > away_ms, "{result}");
    assert_all_arrived(&result, &arrived(&site, topic, SMALL));
}

#[test]
fn a_topic_that_is_deleted_under_a_run_is_told_and_every_event_counted() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.deleted";
    let flags = format!("{} --rate 5000/s --drain 5s", small(topic));
    let mut command = site.command(&flags);
    // Else a topic has 30 s to come back.
    command.args(["-X", "topic.metadata.propagation.max.ms=1000"]);
    let watched = Watched::start(command);
    watched.flow(5_000.0);
    let running = watched.running;
    crate::brokers::topic::delete(&site.servers, topic);
    pause(Duration::from_secs(5));
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 1);
    let result = json(&output);
    let [issued, delivered, failed, left] =
        ["issued", "delivered", "failed", "unacknowledged"].map(|name| count(&result, name));
    assert!(delivered >= 5_000 && failed > 5_000, "{result}");
    assert_eq!(issued, delivered + failed + left, "{result}");
    let told = stderr(&output);
    assert!(told.contains(&format!("{failed} of {issued} events")), "{told}");
    assert!(told.contains(topic) && told.contains("the topic is gone"), "{told}");
}
