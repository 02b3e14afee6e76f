//! The names of all metrics, and the recorder that they go to.

use std::sync::Arc;

use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

/// A metric that a run offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Events handed to the sink.
    IssuedEvents,
    /// Events that the broker acknowledged.
    DeliveredEvents,
    /// Bytes of key and value that the broker acknowledged.
    DeliveredBytes,
    /// Events that the broker acknowledged, and that were written more than once.
    SentAgainEvents,
    /// Events that the broker had already.
    AlreadyThereEvents,
    /// Events that the broker refused, by reason.
    FailedEvents,
    /// Events handed over and without a receipt yet.
    InFlightEvents,
    /// How far the run is behind its schedule.
    LagSeconds,
    /// How long ceilings have held back what was due.
    GovernedSeconds,
    /// From intended time to acknowledgement, over the last second.
    LatencySeconds,
    /// Resident memory.
    MemoryBytes,
    /// What a watched consumer has not committed, by partition.
    ConsumerLagEvents,
    /// The age of the oldest of it.
    ConsumerLagSeconds,
    /// How many read.
    ConsumerMembers,
    /// Rebalances that were seen.
    ConsumerRebalances,
}

impl Metric {
    /// All of them, in the order of the README's table.
    pub const ALL: [Self; 15] = [
        Self::IssuedEvents,
        Self::DeliveredEvents,
        Self::DeliveredBytes,
        Self::SentAgainEvents,
        Self::AlreadyThereEvents,
        Self::FailedEvents,
        Self::InFlightEvents,
        Self::LagSeconds,
        Self::GovernedSeconds,
        Self::LatencySeconds,
        Self::MemoryBytes,
        Self::ConsumerLagEvents,
        Self::ConsumerLagSeconds,
        Self::ConsumerMembers,
        Self::ConsumerRebalances,
    ];

    /// Its name at the endpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::IssuedEvents => "tidegate_issued_events_total",
            Self::DeliveredEvents => "tidegate_delivered_events_total",
            Self::DeliveredBytes => "tidegate_delivered_bytes_total",
            Self::SentAgainEvents => "tidegate_sent_again_events_total",
            Self::AlreadyThereEvents => "tidegate_already_there_events_total",
            Self::FailedEvents => "tidegate_failed_events_total",
            Self::InFlightEvents => "tidegate_in_flight_events",
            Self::LagSeconds => "tidegate_lag_seconds",
            Self::GovernedSeconds => "tidegate_governed_seconds",
            Self::LatencySeconds => "tidegate_latency_seconds",
            Self::MemoryBytes => "tidegate_memory_bytes",
            Self::ConsumerLagEvents => "tidegate_consumer_lag_events",
            Self::ConsumerLagSeconds => "tidegate_consumer_lag_seconds",
            Self::ConsumerMembers => "tidegate_consumer_members",
            Self::ConsumerRebalances => "tidegate_consumer_rebalances_total",
        }
    }

    /// What it says, in a sentence.
    pub fn help(self) -> &'static str {
        match self {
            Self::IssuedEvents => "events handed to the sink",
            Self::DeliveredEvents => "events that the broker acknowledged",
            Self::DeliveredBytes => "bytes of key and value that the broker acknowledged",
            Self::SentAgainEvents => "delivered events that were written more than once",
            Self::AlreadyThereEvents => "events that the broker had already",
            Self::FailedEvents => "events that the broker refused, by reason",
            Self::InFlightEvents => "events handed over and without a receipt yet",
            Self::LagSeconds => "how far the run is behind its schedule",
            Self::GovernedSeconds => "how long ceilings have held back what was due, in all",
            Self::LatencySeconds => {
                "from intended time to acknowledgement, quantiles over the last second"
            }
            Self::MemoryBytes => "resident memory of the process",
            Self::ConsumerLagEvents => {
                "what the watched consumer has not committed: records of Kafka, entries of Pulsar"
            }
            Self::ConsumerLagSeconds => "the age of the oldest record that it has not committed",
            Self::ConsumerMembers => "how many consumers the watched group or subscription has",
            Self::ConsumerRebalances => "rebalances of the watched consumer that were seen",
        }
    }

    /// `counter` or `gauge`.
    pub fn kind(self) -> &'static str {
        if self.name().ends_with("_total") { "counter" } else { "gauge" }
    }

    /// The names of its labels.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::IssuedEvents
            | Self::DeliveredEvents
            | Self::DeliveredBytes
            | Self::SentAgainEvents
            | Self::AlreadyThereEvents => &["stream"],
            Self::FailedEvents => &["stream", "reason"],
            Self::LatencySeconds => &["quantile"],
            Self::ConsumerLagEvents | Self::ConsumerLagSeconds => &["topic", "partition"],
            Self::InFlightEvents
            | Self::LagSeconds
            | Self::GovernedSeconds
            | Self::MemoryBytes
            | Self::ConsumerMembers
            | Self::ConsumerRebalances => &[],
        }
    }
}

/// Where metrics go: to a Prometheus recorder, or nowhere.
#[derive(Clone, Default)]
pub struct Meters(Option<Arc<PrometheusRecorder>>);

impl Meters {
    /// Meters that nobody reads.
    pub fn none() -> Self {
        Self(None)
    }

    /// Meters of `recorder`, which learns what each metric means.
    pub fn to(recorder: PrometheusRecorder) -> Self {
        for metric in Metric::ALL {
            let name = KeyName::from_const_str(metric.name());
            if metric.kind() == "counter" {
                recorder.describe_counter(name, None, metric.help().into());
            } else {
                recorder.describe_gauge(name, None, metric.help().into());
            }
        }
        Self(Some(Arc::new(recorder)))
    }

    /// A counter with a value a label, in the order of [`Metric::labels`].
    ///
    /// # Panics
    ///
    /// If there is not one value a label.
    pub fn counter(&self, metric: Metric, values: &[&str]) -> Counter {
        self.0.as_ref().map_or_else(Counter::noop, |recorder| {
            recorder.register_counter(&key(metric, values), &METADATA)
        })
    }

    /// A gauge with a value a label, in the order of [`Metric::labels`].
    ///
    /// # Panics
    ///
    /// If there is not one value a label.
    pub fn gauge(&self, metric: Metric, values: &[&str]) -> Gauge {
        self.0.as_ref().map_or_else(Gauge::noop, |recorder| {
            recorder.register_gauge(&key(metric, values), &METADATA)
        })
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Meters").field(&self.0.is_some()).finish()
    }
}

static METADATA: Metadata<'static> = Metadata::new("tidegate", Level::INFO, Some("tidegate"));

fn key(metric: Metric, values: &[&str]) -> Key {
    let names = metric.labels();
    assert!(
        names.len() == values.len(),
        "`{}` has {} labels, but was given {} values",
        metric.name(),
        names.len(),
        values.len()
    );
    let labels: Vec<Label> = names
        .iter()
        .zip(values)
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(metric.name(), labels)
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn every_name_has_the_form_that_the_readme_promises() {
        for metric in Metric::ALL {
            let name = metric.name();
            assert!(name.starts_with("tidegate_"), "{name}");
            let unit = name.trim_end_matches("_total");
            assert!(
                ["_events", "_bytes", "_seconds", "_members", "_rebalances"]
                    .iter()
                    .any(|end| unit.ends_with(end)),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_counted_is_rendered_with_its_labels_and_its_help() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let meters = Meters::to(recorder);
        meters.counter(Metric::FailedEvents, &["authorisations", "message_too_large"]).increment(3);
        meters.gauge(Metric::LagSeconds, &[]).set(0.25);
        let text = handle.render();
        assert!(
            text.contains(
                "tidegate_failed_events_total{stream=\"authorisations\",reason=\"message_too_large\"} 3"
            ),
            "{text}"
        );
        assert!(text.contains("# HELP tidegate_lag_seconds how far"), "{text}");
        assert!(text.contains("tidegate_lag_seconds 0.25"), "{text}");
    }
}
