//! When paced events arrive at a real Kafka, by the broker's own clock.

use anyhow::{Context as _, Result, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tidegate::config::units;

use crate::brokers::topic::{self, Record};
use crate::pacing::flat;
use crate::program::{program, read_json};
use crate::row::{Row, Verdict, times_ms};
use crate::servers::Servers;

const TOPIC: &str = "pacing";
const PARTITIONS: i32 = 4;

/// What stands before each value: a zero, and the schema's id.
const FRAMING_BYTES: usize = 5;

/// 10,000 events a second to a topic that keeps when the broker appended each; a reader of its own
/// compares that with the intended time.
pub(crate) fn arrival(servers: &mut Servers, seconds: u64) -> Result<Vec<Row>> {
    let addresses = servers.addresses()?;
    addresses.create(TOPIC, PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]);
    let folder = tempfile::tempdir()?;
    let manifest = folder.path().join("manifest.json");
    let flags = addresses.flags(TOPIC, PARTITIONS).replace("--manifest none", "");
    let rate = flat("10000");
    let words = format!(
        "run payments --streams authorisations --duration {seconds}s {rate} {flags} --manifest"
    );
    let output = program(&words).arg(&manifest).output().context("the program starts")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the run failed: {}", told.trim());

    let run = Run::read(&read_json(&manifest)?)?;
    let records = topic::read(&addresses.kafka, TOPIC);
    addresses.delete(TOPIC)?;
    let reader = GenericDatumReader::builder(&run.schema).build()?;
    let late = |record| run.late_us(record, &reader);
    let mut late_us: Vec<i64> = records.iter().map(late).collect::<Result<_>>()?;
    late_us.sort_unstable();
    ensure!(!late_us.is_empty(), "nothing arrived");
    let at = |quantile: f64| at(&late_us, quantile) as f64 / 1e3;
    let named = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    let named = named.map(|(name, quantile)| (name, at(quantile)));
    Ok(vec![Row {
        what: "pacing to Kafka at 10,000/s: arrival (LogAppendTime) after the intended time",
        at_least: "p99 < 25 ms",
        measured: format!("{}; {} events", times_ms(&named), late_us.len()),
        verdict: Verdict::of(named[1].1 < 25.0),
    }])
}

/// The figure that so great a part is not above.
fn at(sorted: &[i64], quantile: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a length"
    )]
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// What a manifest says of how model time mapped onto the wall clock, at speed 1.
struct Run {
    begin_us: i64,
    anchor_us: i64,
    schema: Schema,
}

impl Run {
    fn read(manifest: &serde_json::Value) -> Result<Self> {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let time = |value: &serde_json::Value| {
            let text = text(value).context("the manifest has a time")?;
            units::time_us(&text).with_context(|| format!("`{text}` is no time"))
        };
        let schema =
            text(&manifest["streams"][0]["schema"]).context("the manifest has a schema")?;
        Ok(Self {
            begin_us: time(&manifest["window"]["from"])?,
            anchor_us: time(&manifest["pace"]["anchor"])?,
            schema: Schema::parse_str(&schema)?,
        })
    }

    /// How long after its intended time a record was appended, in microseconds. The broker cuts
    /// its clock to milliseconds, so the end of that millisecond counts.
    fn late_us(&self, record: &Record, reader: &GenericDatumReader<'_>) -> Result<i64> {
        let value = record.value.as_deref().context("a record has a value")?;
        let mut datum = value.get(FRAMING_BYTES..).context("a value is framed")?;
        let Value::Record(fields) = reader.read_value(&mut datum)? else {
            anyhow::bail!("a value is a record")
        };
        let event_time = fields.into_iter().find(|(name, _)| name == "event_time");
        let Some((_, Value::TimestampMicros(event_us))) = event_time else {
            anyhow::bail!("a record has an `event_time`")
        };
        let intended_us = self.anchor_us + (event_us - self.begin_us);
        Ok((record.timestamp_ms + 1) * 1_000 - intended_us)
    }
}
