//! Counters: no number is missing and none comes twice, wherever the events are made.

use apache_avro::types::Value;
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;
use tidegate::plan::Plan;
use tidegate::stream::{Options, Shard};

use super::model::{decoded, field, first, items, plan, refused, whole};
use crate::determinism::events;

fn counting(rate: &str, counter: &str) -> Arc<Plan> {
    let fields = json!([{"name": "n", "type": "long"}, {"name": "all", "type": {"type": "array", "items": "long"}}]);
    let text = format!(
        "[streams.s.traffic]\nrate = \"{rate}\"\n[streams.s.fields]\nn = {{ counter = {counter} }}\n\
         all = {{ array = {{ attribute = \"n\" }}, length = [0, 2] }}"
    );
    plan(&fields, &text)
}

fn window(window_us: Range<u64>) -> Options {
    Options { window_us, ..Options::default() }
}

fn numbers(plan: &Arc<Plan>, options: Options) -> Vec<i64> {
    let rows = events(plan, options);
    rows.iter()
        .map(|event| {
            let value: Value = decoded(&plan.streams[0].schema, &event.datum);
            let number = whole(field(&value, "n"));
            assert!(items(field(&value, "all")).iter().all(|item| whole(item) == number));
            number
        })
        .collect()
}

#[test]
fn numbers_follow_each_other_in_send_order() {
    for rate in ["90/s", "20k/s", "3/min"] {
        let plan = counting(rate, "{}");
        let seconds = if rate == "3/min" { 30_000 } else { 3 };
        let found = numbers(&plan, window(0..seconds * 1_000_000));
        let expected: Vec<i64> = (1..).take(found.len()).collect();
        assert!(found.len() > 200 && found == expected, "{rate}: {} events", found.len());
    }
}

#[test]
fn a_later_begin_other_threads_and_shards_count_the_same() {
    let plan = counting("2k/s", "{ start = 10, step = 3 }");
    let all = numbers(&plan, window(0..30_000_000));
    assert!(all.iter().zip(0..).all(|(number, at)| *number == 10 + 3 * at));
    let late = numbers(&plan, window(17_345_678..30_000_000));
    assert!(late.len() > 20_000 && all.ends_with(&late));
    for (threads, batch_events) in [(1, 33), (3, 500), (2, 100_000)] {
        let options = Options { threads, batch_events, ..window(3_333_333..9_999_999) };
        let found = numbers(&plan, options);
        let begin = all.iter().position(|number| *number == found[0]).unwrap();
        assert!(all[begin..].starts_with(&found), "{threads} threads");
    }
    let shard = |index| Options { shard: Shard { index, count: 5 }, ..window(0..30_000_000) };
    let mut parts: Vec<i64> = (0..5).flat_map(|index| numbers(&plan, shard(index))).collect();
    parts.sort_unstable();
    assert!(parts == all, "five shards do not make the whole");
}

#[test]
fn counters_begin_again_as_they_are_told() {
    let of = |counter: &str| -> Vec<i64> {
        first(&counting("100/s", counter), 9).iter().map(|row| whole(field(row, "n"))).collect()
    };
    assert_eq!(of("{ start = 0, restart = 4 }"), [0, 1, 2, 3, 0, 1, 2, 3, 0]);
    assert_eq!(of("{ start = 0, restart = 5, step = 2 }"), [0, 2, 4, 1, 3, 0, 2, 4, 1]);
    assert_eq!(of("{ start = 3, restart = 0, step = -1 }"), [3, 2, 1, 3, 2, 1, 3, 2, 1]);
    assert_eq!(of("{ start = 0, restart = 4, initial = 2 }"), [2, 3, 0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(of("{ start = 5, step = -2 }"), [5, 3, 1, -1, -3, -5, -7, -9, -11]);
    assert_eq!(of("{ start = 0, restart = 3, step = 7 }"), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_counter_that_cannot_count_is_refused() {
    for (avro, counter, reason) in [
        ("long", "{ step = 0 }", "step of 0"),
        ("long", "{ start = 5, restart = 2 }", "never come to 2"),
        ("long", "{ start = 0, restart = 5, initial = 5 }", "never is 5"),
        ("long", "{ step = 1000000000 }", "64 bits"),
        ("int", "{}", "`n` holds"),
        ("long", "{ strat = 1 }", "no key `strat`"),
    ] {
        let fields = json!([{"name": "n", "type": avro}]);
        let told = refused(&fields, &format!("[streams.s.fields]\nn = {{ counter = {counter} }}"));
        assert!(told.contains(reason) && told.contains("model.toml:"), "{counter}: {told}");
    }
}
