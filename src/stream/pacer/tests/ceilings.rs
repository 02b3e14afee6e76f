//! Tests of ceilings: what goes in a second, and what is told of the rest.

use super::*;

const MS_NS: i64 = 1_000_000;

/// Like [`Made::every`], with records of so many bytes of key and value, and headers besides.
fn sized(gap_us: i64, batches: i64, records: i64, bytes: u32) -> Made {
    let mut made = Made::every(gap_us, batches, records);
    for batch in &mut made.0 {
        let sized = |record: &Record| Record {
            key_bytes: bytes / 5,
            value_bytes: bytes - bytes / 5,
            header_bytes: 1_000,
            ..*record
        };
        batch.records = Arc::new(batch.records.iter().map(sized).collect());
    }
    made
}

/// What came of batches under ceilings: the sink, the outcome's options and how long it took.
fn governed(made: &mut Made, speed: Speed, ceilings: Ceilings) -> (Kept, Options, i64) {
    let clock = Clock::manual(ANCHOR_NS);
    let mut sink = Kept::new(&clock);
    let options = Options { ceilings, ..options(&clock, speed) };
    let (_, result) = run(made, &mut sink, &options, &Control::default());
    assert!(result.is_ok(), "{result:?}");
    (sink, options, clock.now_ns() - ANCHOR_NS)
}

fn events(per_s: f64) -> Ceilings {
    Ceilings { events_per_s: Some(per_s), bytes_per_s: None }
}

fn bytes(per_s: f64) -> Ceilings {
    Ceilings { events_per_s: None, bytes_per_s: Some(per_s) }
}

/// The most events that came within any `span_ns`.
fn most_within(sink: &Kept, span_ns: i64) -> usize {
    let mut most = 0;
    let (mut first, mut count) = (0, 0);
    for (last, records) in sink.slices.iter().enumerate() {
        count += records;
        while sink.times_ns[last] - sink.times_ns[first] > span_ns {
            count -= sink.slices[first];
            first += 1;
        }
        most = most.max(count);
    }
    most
}

#[test]
fn at_full_speed_a_ceiling_sets_the_rate_without_a_lump() {
    // A batch is a whole second of the ceiling.
    let mut made = Made::every(1, 3, 10_000);
    let (sink, options, took_ns) = governed(&mut made, Speed::Max, events(10_000.0));
    assert_eq!(sink.came.len(), 30_000);
    // The first 5 ms are the burst.
    assert!((took_ns - 2_995 * MS_NS).abs() < MS_NS, "{took_ns} ns");
    for span_ms in [0, 1, 10, 1_000] {
        let most = most_within(&sink, span_ms * MS_NS);
        let limit = usize::try_from(10 * (span_ms + 5) + 1).unwrap();
        assert!(most <= limit, "{most} in {span_ms} ms");
    }
    let longest = sink.times_ns.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest <= Some(MS_NS), "{longest:?} ns between slices");
    assert_eq!(options.held.total().as_nanos(), u128::from(took_ns.unsigned_abs()));
    assert!(sink.came.iter().all(|(_, late_ns)| *late_ns == 0), "there is no schedule");
}

#[test]
fn bytes_are_those_of_key_and_value() {
    let mut made = sized(1, 4, 1_000, 250);
    let (sink, _, took_ns) = governed(&mut made, Speed::Max, bytes(1e6));
    assert_eq!(sink.came.len(), 4_000);
    assert!((took_ns - 995 * MS_NS).abs() < MS_NS, "{took_ns} ns");
    assert!(most_within(&sink, 10 * MS_NS) <= 61);
}

#[test]
fn of_two_ceilings_the_lower_counts() {
    for (events_per_s, bytes_per_s) in [(2_000.0, 1e6), (1e6, 5e5)] {
        let ceilings =
            Ceilings { events_per_s: Some(events_per_s), bytes_per_s: Some(bytes_per_s) };
        let mut made = sized(1, 2, 1_000, 250);
        let (_, _, took_ns) = governed(&mut made, Speed::Max, ceilings);
        assert!((took_ns - 995 * MS_NS).abs() < MS_NS, "{took_ns} ns");
    }
}

// 100 kB at 10 kB/s: the first goes at once, and is paid for before the second goes.
#[test]
fn a_record_larger_than_a_seconds_bytes_goes_alone_and_is_paid_for_after() {
    let mut made = sized(1, 1, 5, 100_000);
    let (sink, _, took_ns) = governed(&mut made, Speed::Max, bytes(10_000.0));
    assert_eq!(sink.slices, [1; 5]);
    assert!((took_ns - 39_995 * MS_NS).abs() < MS_NS, "{took_ns} ns");
}

#[test]
fn one_event_a_minute_is_a_ceiling_too() {
    let mut made = Made::every(1, 1, 4);
    let (sink, _, took_ns) = governed(&mut made, Speed::Max, events(1.0 / 60.0));
    assert_eq!(sink.slices, [1; 4]);
    assert!((took_ns - 179_995 * MS_NS).abs() < MS_NS, "{took_ns} ns");
}

// Two seconds at 10,000/s and two at 1,000/s, under a ceiling of 5,000/s: behind by a second after
// two, and caught up half a second (at 5,000 − 1,000 a second: 10,000 / 4,000 = 2.5 s) later.
#[test]
fn what_a_ceiling_holds_is_late_from_its_intended_time() {
    let mut made = Made::every(100, 2, 10_000);
    let second_half = (0..4_000).map(|number| record(BEGIN_US + 2_000_000 + number * 1_000));
    let records: Vec<Record> = second_half.collect();
    made.0.push_back(Batch {
        window_us: 0..1,
        arena: Arc::default(),
        records: Arc::new(records),
        ..Batch::default()
    });
    let (sink, options, _) = governed(&mut made, Speed::Times(1.0), events(5_000.0));
    assert_eq!(sink.came.len(), 24_000);
    let late_ms = |number: usize| sink.came[number].1 / MS_NS;
    // Number n goes at n / 5,000 s less the burst, and was to go at n / 10,000 s.
    for number in [5_000, 10_000, 19_999] {
        let expected = i64::try_from(number).unwrap() / 10 - 5;
        assert!((late_ms(number) - expected).abs() <= 2, "{number}: {} ms", late_ms(number));
    }
    assert_eq!(late_ms(23_999), 0, "it has caught up");
    let held_ms = options.held.total().as_millis();
    assert!((4_400..4_520).contains(&held_ms), "{held_ms} ms");
    assert_eq!(options.held.intended_ns(), None, "nothing is held at the end");
}

#[test]
fn a_ceiling_that_is_not_reached_holds_nothing() {
    let (with, options, _) =
        governed(&mut Made::every(100, 5, 1_000), Speed::Times(1.0), events(11_000.0));
    let (without, _, _) =
        governed(&mut Made::every(100, 5, 1_000), Speed::Times(1.0), Ceilings::default());
    assert_eq!(options.held.total(), Duration::ZERO);
    assert_eq!(with.slices, without.slices);
}

#[test]
fn a_ceiling_goes_together_with_an_even_pace() {
    let speed = Speed::Even { interval_ns: 1e5, counts: [true].into() };
    let (sink, _, took_ns) = governed(&mut Made::every(1, 2, 1_000), speed, events(5_000.0));
    assert!((took_ns - 395 * MS_NS).abs() < MS_NS, "{took_ns} ns");
    assert!(sink.came.last().unwrap().1 > 190 * MS_NS, "late by the pace's own times");
}

#[test]
fn a_signal_is_heard_while_a_ceiling_holds() {
    let clock = Clock::manual(ANCHOR_NS);
    let control = Arc::new(Control::default());
    let mut sink = Kept::new(&clock);
    let stop = Arc::clone(&control);
    sink.limit = 1;
    sink.at_limit = Box::new(move || {
        stop.drain();
        Ok(())
    });
    let ceilings = events(1.0 / 3_600.0);
    let options = Options { ceilings, ..options(&clock, Speed::Max) };
    let (outcome, result) = run(&mut Made::every(1, 1, 100), &mut sink, &options, &control);
    assert!(result.is_ok());
    assert_eq!(sink.came.len(), 1);
    assert_eq!(outcome.digest, Some(digest_of(&[record(BEGIN_US)])));
    assert!(clock.now_ns() - ANCHOR_NS < 20 * MS_NS);
}
