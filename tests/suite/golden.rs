//! The first events of each model, pinned: who repeats a run of last year gets last year's bytes.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use tidegate::config::{self, ModelSource, Override, Overrides, library};
use tidegate::encode::json::Reader;
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::{EventStream, Options};

use crate::determinism::START;

/// How many events are pinned.
const EVENTS: u64 = 20;

const ADVICE: &str = "the bytes of every run of this model have changed, and with them what users \
                      repeat. If that is meant: TIDEGATE_RENEW=1 cargo test --test suite golden, \
                      look at the difference, and say so in the commit and in the changelog";

fn plan(name: &str) -> Arc<Plan> {
    let flags = vec![Override::flag("--start", "start", START)];
    let overrides = Overrides { flags, ..Overrides::default() };
    let source = ModelSource::BuiltIn(name.to_owned());
    let configuration = config::read(&source, &overrides, &|_| None).unwrap();
    Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap())
}

/// One paragraph an event: due, stream (unless it is the first) and key, the datum in hexadecimal,
/// the datum in JSON.
fn told(name: &str) -> String {
    let plan = plan(name);
    assert_eq!(plan.seed, 42);
    let readers: Vec<_> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let mut text = format!("# {name}, seed 42, start {START}: the first {EVENTS} events.\n");
    let options = Options { count: Some(EVENTS), ..Options::default() };
    let mut stream = EventStream::start(Arc::clone(&plan), options).unwrap();
    let mut left = EVENTS;
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter().take(usize::try_from(left).unwrap()) {
            let number = usize::from(record.stream);
            let of = if number == 0 { "" } else { &format!("{} ", plan.streams[number].name) };
            let key = std::str::from_utf8(&batch.arena[record.key_range()]).unwrap();
            let datum = &batch.arena[record.value_range()];
            write!(text, "\n{} {of}{key}\n", record.due_us).unwrap();
            datum.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            write!(text, "\n{}\n", readers[number].read(datum).unwrap()).unwrap();
            left -= 1;
        }
    }
    assert_eq!(left, 0, "there are fewer events");
    text
}

#[test]
fn the_first_events_of_each_model_are_what_they_were() {
    let mut wrong = Vec::new();
    for name in library::models() {
        let found = told(name);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        if std::env::var_os("TIDEGATE_RENEW").is_some_and(|renew| renew == "1") {
            std::fs::write(&path, &found).unwrap();
        }
        let pinned = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = pinned.lines().zip(found.lines()).position(|(old, new)| old != new);
        if pinned != found {
            let line = differs.unwrap_or_else(|| pinned.lines().count().min(found.lines().count()));
            wrong.push(format!("{}, line {}: {ADVICE}", path.display(), 1 + line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
