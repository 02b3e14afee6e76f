//! The same model gives the same events, however they are made and wherever they go.

mod identity;
mod program;
pub(crate) mod traffic;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use tidegate::config::{self, ModelSource, Override, Overrides};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::digest::Digest;
use tidegate::stream::{EventStream, Options, Record, Route, Shard};

/// The start of model time: a Monday, when America still pays.
pub(crate) const START: &str = "2026-03-02T00:00:00Z";

const SECOND_US: u64 = 1_000_000;

/// What most tests look at: it begins and ends inside a tick.
const WINDOW_US: Range<u64> = 1_234_567..9_876_543;

/// The payments model from [`START`] on, with more flags.
pub(crate) fn payments(flags: &[(&str, &str)]) -> Arc<Plan> {
    let start = [("start", START)];
    let all = start.iter().chain(flags);
    let flags = all.map(|(key, value)| Override::flag("--flag", key, value)).collect();
    compile(&ModelSource::BuiltIn("payments".to_owned()), flags)
}

/// A model that comes with the program, with flags.
pub(crate) fn model(name: &str, flags: &[(&str, &str)]) -> Arc<Plan> {
    let flags = flags.iter().map(|(key, value)| Override::flag("--flag", key, value)).collect();
    compile(&ModelSource::BuiltIn(name.to_owned()), flags)
}

fn compile(source: &ModelSource, flags: Vec<Override>) -> Arc<Plan> {
    let overrides = Overrides { flags, ..Overrides::default() };
    let configuration = config::read(source, &overrides, &|_| None).unwrap();
    Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap())
}

/// The payments model as it comes with the program, compiled once.
pub(crate) fn plan() -> Arc<Plan> {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    Arc::clone(PLAN.get_or_init(|| payments(&[])))
}

/// An event of its own, out of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// When it is due, in microseconds since the Unix epoch.
    pub(crate) due_us: i64,
    /// The number of its stream.
    pub(crate) stream: usize,
    /// Its key.
    pub(crate) key: Vec<u8>,
    /// Its value, not framed.
    pub(crate) datum: Vec<u8>,
}

/// All events of a stretch, in the order in which they come.
pub(crate) fn events(plan: &Arc<Plan>, options: Options) -> Vec<Event> {
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    let mut events = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        events.extend(batch.records.iter().map(|record: &Record| Event {
            due_us: record.due_us,
            stream: record.stream.into(),
            key: batch.arena[record.key_range()].to_vec(),
            datum: batch.arena[record.value_range()].to_vec(),
        }));
    }
    events
}

/// The same, of the authorisations alone: the first stream.
pub(crate) fn only_authorisations(plan: &Plan, options: Options) -> Options {
    let route = |number| Route { skipped: number > 0, ..Route::default() };
    Options { routes: (0..plan.streams.len()).map(route).collect(), ..options }
}

/// How many events a stretch has, and their digest as the batches tell it.
fn digest(plan: &Arc<Plan>, options: Options) -> (u64, Digest) {
    let options = Options { digest: true, ..options };
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    let (mut count, mut sum) = (0, Digest::default());
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        count += batch.records.len() as u64;
        sum.add(batch.digest.unwrap());
    }
    (count, sum)
}

fn window(window_us: Range<u64>) -> Options {
    Options { window_us, ..Options::default() }
}

/// Counts and digests of parts, put together.
fn union(parts: impl IntoIterator<Item = (u64, Digest)>) -> (u64, Digest) {
    let mut sum = (0, Digest::default());
    for (count, digest) in parts {
        sum.0 += count;
        sum.1.add(digest);
    }
    sum
}

fn shards(count: u32, options: &Options) -> (u64, Digest) {
    let shard = |index| Options { shard: Shard { index, count }, ..options.clone() };
    union((0..count).map(|index| digest(&plan(), shard(index))))
}

/// Count and digest of [`WINDOW_US`], made in the plainest way.
fn whole() -> (u64, Digest) {
    static WHOLE: OnceLock<(u64, Digest)> = OnceLock::new();
    *WHOLE.get_or_init(|| digest(&plan(), window(WINDOW_US)))
}

#[test]
fn the_digest_is_the_sum_of_the_events_own() {
    let plan = plan();
    let mut sum = Digest::default();
    let events = events(&plan, window(WINDOW_US));
    assert!(events.len() > 500, "{}", events.len());
    for event in &events {
        sum.add(Digest::of(&plan.streams[event.stream].name, &event.key, &event.datum));
    }
    assert_eq!((events.len() as u64, sum), whole());
}

#[test]
fn threads_change_no_byte() {
    let alone = events(&plan(), window(WINDOW_US));
    for threads in [2, 8] {
        let options = Options { threads, batch_events: 50, ..window(WINDOW_US) };
        assert!(events(&plan(), options) == alone, "{threads} threads");
    }
}

#[test]
fn the_size_of_batches_changes_no_byte() {
    let usual = events(&plan(), window(WINDOW_US));
    for batch_events in [1, 100, 4_096, 50_000] {
        let options = Options { batch_events, threads: 2, ..window(WINDOW_US) };
        assert!(events(&plan(), options) == usual, "batches of {batch_events}");
    }
}

#[test]
fn the_shards_together_are_the_whole() {
    for count in [1, 3, 64] {
        assert_eq!(shards(count, &window(WINDOW_US)), whole(), "{count} shards");
    }
}

#[test]
fn the_events_of_the_shards_sort_into_the_unsharded_order() {
    let mut together: Vec<Event> = Vec::new();
    for index in 0..3 {
        let shard = Shard { index, count: 3 };
        let own = events(&plan(), Options { shard, ..window(WINDOW_US) });
        assert!(own.is_sorted_by_key(|event| event.due_us), "shard {index}");
        together.extend(own);
    }
    together.sort_by_key(|event| event.due_us);
    let mut unsharded = events(&plan(), window(WINDOW_US));
    // Events of one microsecond have no order between shards.
    unsharded.sort_by(|a, b| (a.due_us, &a.datum).cmp(&(b.due_us, &b.datum)));
    together.sort_by(|a, b| (a.due_us, &a.datum).cmp(&(b.due_us, &b.datum)));
    assert!(together == unsharded);
}

#[test]
fn a_window_cut_anywhere_is_the_sum_of_its_parts() {
    let Range { start, end } = WINDOW_US;
    for cuts in [
        vec![start + 1],
        vec![2 * SECOND_US],
        vec![2 * SECOND_US - 1, 2 * SECOND_US, 2 * SECOND_US + 1],
        vec![1_999_999, 3_141_592, 3_141_593, 7_000_001, end - 1],
    ] {
        let mut edges = vec![start];
        edges.extend(&cuts);
        edges.push(end);
        let part = |edge: &[u64]| digest(&plan(), window(edge[0]..edge[1]));
        assert_eq!(union(edges.windows(2).map(part)), whole(), "cut at {cuts:?}");
    }
}

#[test]
fn a_window_far_away_begins_at_once_and_agrees_with_one_that_contains_it() {
    // A year on, across a change of the clocks in most zones.
    let year_us = 365 * 24 * 3_600 * SECOND_US;
    let around = events(&plan(), window(year_us..year_us + 3 * SECOND_US));
    let inside = events(&plan(), window(year_us + SECOND_US..year_us + 2 * SECOND_US));
    assert!(inside.len() > 20, "{}", inside.len());
    let begin_us = inside[0].due_us;
    let at = around.iter().position(|event| event.due_us == begin_us).unwrap();
    assert!(around[at..at + inside.len()] == inside);
}

#[test]
fn a_count_is_the_beginning_of_the_unsharded_run_however_it_is_shared() {
    for count in [1, 7, 500] {
        let options = Options { count: Some(count), ..window(0..60 * SECOND_US) };
        let unsharded = digest(&plan(), options.clone());
        assert_eq!(shards(3, &options), unsharded, "{count} events by 3 shards");
        let small = Options { batch_events: 1, threads: 3, ..options.clone() };
        assert_eq!(digest(&plan(), small), unsharded, "{count} events in small batches");
        let first = events(&plan(), options);
        let roots = first.iter().filter(|event| event.stream == 0).count();
        assert_eq!(roots as u64, count, "what follows and what is told of members is not counted");
        let longer = events(&plan(), window(0..10 * SECOND_US));
        assert!(longer[..first.len()] == first, "the first {count} events");
    }
}

#[test]
fn a_run_of_another_seed_is_another_run() {
    let few = Options { count: Some(200), ..Options::default() };
    let one = digest(&plan(), few.clone());
    assert_eq!(digest(&payments(&[("seed", "42")]), few.clone()), one, "the model's own seed");
    let other = payments(&[("seed", "43")]);
    assert_ne!(digest(&other, few.clone()).1, one.1);
    let (ours, theirs) = (events(&plan(), few.clone()), events(&other, few));
    let both = ours.iter().filter(|event| theirs.iter().any(|it| it.datum == event.datum)).count();
    assert_eq!(both, 0, "no event is in both");
}

#[test]
fn an_event_is_made_alone_as_it_is_made_among_others() {
    let all = events(&plan(), window(WINDOW_US));
    let start_us = plan().start_us;
    for event in all.iter().step_by(61) {
        let at = (event.due_us - start_us).unsigned_abs();
        let alone = events(&plan(), window(at..at + 1));
        let same: Vec<&Event> = all.iter().filter(|it| it.due_us == event.due_us).collect();
        assert!(alone.iter().eq(same), "the event at {at} µs");
    }
}
