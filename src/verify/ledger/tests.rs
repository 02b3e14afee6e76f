//! Tests of the ledger: whatever the order of arrival, each event is counted as what it is.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::stream::Who;

/// Events `numbers` of stream 0, a millisecond after the other.
fn batch(numbers: std::ops::Range<u64>) -> Batch {
    let record = |number: u64| Record {
        due_us: number.cast_signed() * 1_000,
        start: 0,
        header_bytes: 0,
        key_bytes: 0,
        value_bytes: 0,
        partition: -1,
        stream: 0,
        keyed: false,
        tombstone: false,
    };
    Batch {
        records: Arc::new(numbers.clone().map(record).collect()),
        who: numbers.map(|number| Who { number, child: 0 }).collect(),
        ..Batch::default()
    }
}

fn key(number: u64) -> Key {
    Key::new(0, 0, number)
}

/// What becomes of arrivals.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    came: Vec<u64>,
    again: u64,
    missing: Vec<u64>,
    unknown: u64,
}

/// Lets events 0 to `count` be expected, ten at once, and records with these numbers come.
fn count(count: u64, arrivals: &[u64], budget: Budget) -> Counts {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(1, budget, folder.path());
    let mut counts = Counts::default();
    for &number in arrivals {
        while !ledger.knows(key(number)) && ledger.next_rank() < count && ledger.has_room() {
            let next = ledger.next_rank();
            ledger.expect(batch(next..count.min(next + 10)), None, |_, _| true).unwrap();
        }
        match ledger.find(key(number)) {
            Found::Awaited(event) => counts.came.push(event.rank),
            Found::Late(gap) => counts.came.push(gap.rank),
            Found::Again(_) => counts.again += 1,
            Found::Unwanted(_) => panic!("all are wanted"),
            Found::Unknown => ledger.put_aside(key(number), 0, (0, Position::default())).unwrap(),
        }
    }
    while ledger.next_rank() < count {
        let next = ledger.next_rank();
        ledger.expect(batch(next..count.min(next + 10)), None, |_, _| true).unwrap();
    }
    assert_eq!(ledger.expected().collect::<Vec<_>>(), [count]);
    let rest = ledger.finish(None).unwrap();
    for end in rest {
        match end.unwrap() {
            End::Missing(gap) => counts.missing.push(gap.ordinal),
            End::Came(gap, _) => counts.came.push(gap.rank),
            End::Again(_) => counts.again += 1,
            End::Open(aside) if aside.key.identity().number < count => counts.again += 1,
            End::Open(_) => counts.unknown += 1,
        }
    }
    counts.came.sort_unstable();
    counts
}

const SMALL: Budget = Budget { events: 40, bytes: 1 << 20, gaps: 12 };

#[test]
fn a_clean_run_is_clean() {
    let all: Vec<u64> = (0..10_000).collect();
    let counts = count(10_000, &all, SMALL);
    assert_eq!(counts, Counts { came: all, ..Counts::default() });
}

#[test]
fn what_never_comes_is_missing_even_beyond_the_budget() {
    let odd: Vec<u64> = (0..5_000).filter(|number| number % 2 == 1).collect();
    let counts = count(5_000, &odd, SMALL);
    assert_eq!((counts.came, counts.again), (odd, 0));
    assert!(counts.missing.iter().copied().eq((0..5_000).step_by(2)));
}

#[test]
fn only_what_was_surely_sent_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(1, SMALL, folder.path());
    ledger.expect(batch(0..30), None, |_, _| true).unwrap();
    for number in [0, 1, 3, 7] {
        assert!(matches!(ledger.find(key(number)), Found::Awaited(_)));
    }
    let until = ledger.after_latest();
    let mut missing = Vec::new();
    let rest = ledger.finish(Some(until)).unwrap();
    for end in rest {
        let End::Missing(gap) = end.unwrap() else { panic!("only gaps are left") };
        missing.push(gap.rank);
    }
    assert_eq!(missing, [2, 4, 5, 6]);
}

#[test]
fn what_should_not_come_is_no_gap_and_is_told_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(1, SMALL, folder.path());
    ledger.expect(batch(0..10), None, |_, record| record.due_us >= 5_000).unwrap();
    assert!(matches!(ledger.find(key(2)), Found::Unwanted(_)));
    assert!(matches!(ledger.find(key(2)), Found::Again(_)));
    assert!(matches!(ledger.find(key(5)), Found::Awaited(_)));
    assert_eq!(ledger.expected().collect::<Vec<_>>(), [5]);
    let rest = ledger.finish(None).unwrap();
    let missing = rest.filter(|end| matches!(end, Ok(End::Missing(_)))).count();
    assert_eq!(missing, 4);
}

proptest! {
    /// Each expected event that came at least once came, each further record of it came again, each other
    /// one is missing, and what is nobody's is unknown: in any order, with any budget.
    #[test]
    fn no_order_of_arrival_changes_the_result(
        arrivals in prop::collection::vec(0_u64..130, 0..400),
        events in 10_usize..200,
        gaps in 4_usize..40,
    ) {
        let budget = Budget { events, bytes: 1 << 20, gaps };
        let counts = count(120, &arrivals, budget);
        let times = |number: u64| arrivals.iter().filter(|other| **other == number).count() as u64;
        let came: Vec<u64> = (0..120).filter(|number| times(*number) > 0).collect();
        let again: u64 = came.iter().map(|number| times(*number) - 1).sum();
        let missing: Vec<u64> = (0..120).filter(|number| times(*number) == 0).collect();
        let unknown: u64 = (120..130).map(times).sum();
        prop_assert_eq!(counts, Counts { came, again, missing, unknown });
    }
}
