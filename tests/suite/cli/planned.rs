//! What a plan says, against what arrives on a real Kafka.

use std::collections::BTreeMap;

use apache_avro::types::Value;

use super::delivered::{field, read_back, there_with, words};
use super::{assert_exit, folder, json, run};
use crate::brokers;

const HOUR_US: i64 = 3_600_000_000;
/// 2026-03-02T00:00:00Z.
const START_US: i64 = 1_772_409_600_000_000;

/// How many values of a topic there are in each hour of their event time, from the start on.
fn hourly(values: &[Value]) -> BTreeMap<i64, u64> {
    let mut hours = BTreeMap::new();
    for value in values {
        let Value::TimestampMicros(at) = field(value, "event_time") else { panic!("{value:?}") };
        *hours.entry((at - START_US) / HOUR_US).or_default() += 1;
    }
    hours
}

#[test]
fn what_arrives_by_hour_and_phase_is_what_the_plan_says() {
    let (Some(kafka), Some(registry)) = (brokers::kafka(), brokers::registry()) else { return };
    let (servers, url) = (kafka.bootstrap_servers(), registry.ccompat_url());
    let deferring = "traffic.scenario={ phases = { outage = { from = 1, until = 3, rate = 0.2, \
                     defer = { released = 0.7, over = \"1h\" } } } }";
    for (way, arrivals, scenario) in
        [("exact", "exact", "traffic.scenario=payment_outage"), ("poisson", "poisson", deferring)]
    {
        let topics = ["orders", "payments", "control"];
        let names = topics.map(|topic| format!("cli.planned.{way}.{topic}"));
        let topic = |stream: usize| match topics[stream] {
            "control" => format!("control={}", names[2]),
            other => {
                format!("streams.{other}.topic={{ name = \"{}\", partitions = 3 }}", names[stream])
            }
        };
        let settings = [0, 1, 2].map(topic);
        let arrivals = format!("traffic.arrivals={arrivals}");
        let mut flags: Vec<String> = there_with(&servers, &url);
        for setting in settings.iter().map(String::as_str).chain([scenario, &arrivals]) {
            flags.extend(["--set".to_owned(), setting.to_owned()]);
        }
        let window = "--streams orders,payments,control --start 2026-03-02T00:00:00Z --duration 6h \
                      --json --speed max";
        let folder = folder();
        let planned = run(folder.path(), &words(&format!("plan orders {window}"), &flags));
        assert_exit(&planned, 0);
        let planned = json(&planned);
        let sent = format!("run orders {window} --create-topics --manifest none");
        let sent = run(folder.path(), &words(&sent, &flags));
        assert_exit(&sent, 0);
        let sent = json(&sent);
        for (stream, name) in topics.iter().zip(&names) {
            let values = read_back(&servers, &url, name);
            assert_eq!(values.len() as u64, sent["streams"][stream]["delivered"], "{way} {stream}");
            assert_eq!(values.len() as u64, planned["streams"][stream]["events"], "{way} {stream}");
            let found = hourly(&values);
            for hour in planned["hours"].as_array().unwrap() {
                let at = hour["hour"].as_i64().unwrap();
                let count = found.get(&at).copied().unwrap_or(0);
                assert_eq!(
                    count,
                    hour["streams"][stream].as_u64().unwrap_or(0),
                    "{way} {stream} {at}"
                );
            }
        }
        let told = read_back(&servers, &url, &names[2]);
        assert_eq!(told.len(), 2, "a begin and an end: {told:?}");
        if way == "exact" {
            let exact: Vec<u64> =
                hourly(&read_back(&servers, &url, &names[0])).into_values().collect();
            assert_eq!(exact, [360, 74, 83, 96, 570, 671]);
        } else {
            let told = &sent["deferrals"];
            let of = |name: &str| told[name].as_u64().unwrap();
            assert!(of("released") > 100 && of("abandoned") > 50, "{told}");
            assert_eq!(of("deferred"), of("released") + of("abandoned"), "{told}");
        }
    }
}
