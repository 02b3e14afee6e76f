//! Draws: what the generators of numbers, members and places give, seen in events.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod cases;
mod members;
mod near;
mod numbers;
mod once;

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use tidegate::config::{self, ModelSource, Overrides, Refused};
use tidegate::encode::json::Reader;
use tidegate::plan::{Inputs, Plan, normal};
use tidegate::stream::{EventStream, Options};

/// A model of one stream, put together from parts.
#[derive(Clone, Debug, Default)]
struct Draft {
    /// Tables and entities.
    more: String,
    /// Values in `let`.
    lets: String,
    /// How fast events come. Empty: 20,000 a second.
    rate: &'static str,
    /// The fields: name, Avro type, generator.
    fields: Vec<(&'static str, &'static str, String)>,
}

impl Draft {
    /// Fields of these names, types and generators.
    fn of(fields: &[(&'static str, &'static str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, kind, draw)| (*name, *kind, (*draw).to_owned()));
        Self { fields: fields.collect(), ..Self::default() }
    }

    fn text(&self) -> String {
        let rate = if self.rate.is_empty() { "20000/s" } else { self.rate };
        let mut text = format!(
            "seed = 11\nstart = \"2026-03-02T00:00:00Z\"\n[traffic]\nrate = \"{rate}\"\n{}\n\
             [streams.s]\ntopic = \"t\"\nschema = \"Event.avsc\"\n[streams.s.let]\n{}\n\
             [streams.s.fields]\n",
            self.more, self.lets
        );
        for (name, _, generator) in &self.fields {
            writeln!(text, "{name} = {generator}").unwrap();
        }
        text
    }

    fn schema(&self) -> String {
        let fields: Vec<Value> = self
            .fields
            .iter()
            .map(|(name, kind, _)| {
                let kind: Value = serde_json::from_str(kind).unwrap_or_else(|_| (*kind).into());
                serde_json::json!({ "name": name, "type": kind })
            })
            .collect();
        serde_json::json!({ "type": "record", "name": "Event", "fields": fields }).to_string()
    }

    fn plan(&self) -> Result<Plan, Refused> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Event.avsc"), self.schema()).unwrap();
        let directory = folder.path().to_path_buf();
        let source =
            ModelSource::Text { name: "model.toml".to_owned(), directory, text: self.text() };
        let read = config::read(&source, &Overrides::default(), &|_| None)?;
        Plan::compile(&read.model, &Inputs::default())
            .map_err(|mistakes| Refused::new(read.source, mistakes))
    }

    /// What is told of a model that cannot be.
    fn refusal(&self) -> String {
        match self.plan() {
            Ok(_) => panic!("this compiles:\n{}", self.text()),
            Err(refused) => refused.render(false),
        }
    }

    /// The first `count` events, in the order of the fields.
    fn rows(&self, count: usize) -> Vec<Vec<Value>> {
        let plan = Arc::new(self.plan().unwrap_or_else(|refused| panic!("{refused}")));
        self.rows_of(&plan, count, 0)
    }

    /// `count` events from a time after the start on.
    fn rows_of(&self, plan: &Arc<Plan>, count: usize, from_us: u64) -> Vec<Vec<Value>> {
        let reader = Reader::new(&plan.streams[0].schema).unwrap();
        let options = Options { window_us: from_us..u64::MAX, ..Options::default() };
        let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            let batch = stream.next_blocking().unwrap().unwrap();
            for record in batch.records.iter().take(count - rows.len()) {
                let mut value = reader.read(&batch.arena[record.value_range()]).unwrap();
                let fields = self.fields.iter().map(|(name, ..)| value[*name].take());
                rows.push(fields.collect());
            }
        }
        rows
    }
}

/// The numbers of a column.
fn numbers(rows: &[Vec<Value>], column: usize) -> Vec<f64> {
    rows.iter().map(|row| row[column].as_f64().unwrap()).collect()
}

/// The chance of counts at least so far from what is expected (chi-squared).
fn chi_squared(found: &[f64], expected: &[f64]) -> f64 {
    assert!(expected.iter().all(|count| *count >= 5.0), "too few are expected: {expected:?}");
    let sum: f64 = found.iter().zip(expected).map(|(o, e)| (o - e) * (o - e) / e).sum();
    1.0 - normal::gamma_below((found.len() - 1) as f64 / 2.0, sum / 2.0)
}

/// The chance of values at least so far from a distribution, of which the share below is given
/// (Kolmogorov–Smirnov).
fn kolmogorov(mut values: Vec<f64>, below: impl Fn(f64) -> f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let distance = values.iter().enumerate().fold(0.0_f64, |most, (place, value)| {
        let share = below(*value);
        most.max((share - place as f64 / count).abs())
            .max(((place + 1) as f64 / count - share).abs())
    });
    let scaled = distance * count.sqrt();
    let term = |k: i32| (-2.0 * f64::from(k * k) * scaled * scaled).exp();
    (1..100).map(|k| if k % 2 == 1 { 2.0 * term(k) } else { -2.0 * term(k) }).sum::<f64>().min(1.0)
}

/// The chance of the counts in the tails: of values below and above what 2^−1, 2^−2 … 2^−13 are
/// below and above.
fn tails(values: &[f64], shares: impl Fn(f64) -> (f64, f64)) -> f64 {
    const OCTAVES: usize = 13;
    let mut found = vec![0.0; 2 * OCTAVES];
    for value in values {
        let (below, above) = shares(*value);
        let side = if below < above { 0 } else { OCTAVES };
        let octave = (-below.min(above).max(1e-12).log2()).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 39")]
        let octave = (octave as usize).clamp(1, OCTAVES) - 1;
        found[side + octave] += 1.0;
    }
    // The last octave has all that is further out.
    let share = |place: usize| 0.5_f64.powi([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13][place]);
    let share = |place: usize| share(place % OCTAVES);
    let expected: Vec<f64> =
        (0..2 * OCTAVES).map(|place| share(place) * values.len() as f64).collect();
    chi_squared(&found, &expected)
}
