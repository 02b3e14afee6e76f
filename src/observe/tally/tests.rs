//! Tests of the tally.

use super::*;
use crate::publish::Schedule;
use crate::stream::{Batch, Record};

/// Takes a fixed number of records in all, and acknowledges each but every tenth.
struct Limited {
    room: usize,
    tally: Arc<Tally>,
    then: fn() -> Result<usize, publish::Error>,
    flushed: Result<u64, ()>,
}

impl Sink for Limited {
    fn publish(&mut self, slice: &Slice, _: &dyn Fn() -> bool) -> Result<usize, publish::Error> {
        let taken = slice.records.len().min(self.room);
        self.room -= taken;
        for (index, record) in
            slice.batch.records[slice.records.clone()][..taken].iter().enumerate()
        {
            let outcome = if index % 10 == 9 {
                Outcome::Failed("message_too_large")
            } else {
                Outcome::Delivered
            };
            let receipt = Receipt {
                stream: record.stream,
                bytes: 7,
                outcome,
                latency_ns: 2_000_000,
                due_us: record.due_us,
            };
            self.tally.receive(&[receipt]);
        }
        if taken == slice.records.len() { Ok(taken) } else { (self.then)() }
    }

    fn flush(
        &mut self,
        _: Duration,
        _: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, publish::Error> {
        self.flushed.map(Unacknowledged).map_err(closed)
    }

    fn in_flight(&self) -> u64 {
        0
    }
}

fn closed((): ()) -> publish::Error {
    let source = std::io::ErrorKind::BrokenPipe.into();
    publish::Error::Write { target: "stdout".into(), source }
}

fn slice(count: usize, clock_ns: i64) -> Slice {
    let records = (0..count)
        .map(|index| Record {
            due_us: 1_000 + i64::try_from(index).unwrap(),
            start: 0,
            key_bytes: 3,
            value_bytes: 4,
            partition: -1,
            stream: u16::from(index % 3 == 0),
            header_bytes: 0,
            keyed: true,
            tombstone: false,
        })
        .collect();
    Slice {
        batch: Arc::new(Batch {
            window_us: 0..1_000_000,
            records: Arc::new(records),
            ..Batch::default()
        }),
        records: 0..count,
        schedule: Schedule::Paced { anchor_ns: clock_ns, begin_us: 0, speed: 1.0 },
    }
}

fn tally(clock: &Clock) -> Arc<Tally> {
    let names = ["a".to_owned(), "b".to_owned()];
    Arc::new(Tally::new(&names, Meters::none(), clock.clone()))
}

#[test]
fn every_event_is_counted_once_for_its_stream() {
    let clock = Clock::manual(10_000_000);
    let tally = tally(&clock);
    let sink = Limited {
        room: 1_000,
        tally: Arc::clone(&tally),
        then: || unreachable!("there is room"),
        flushed: Ok(0),
    };
    let mut sink = Watched::new(Box::new(sink), Arc::clone(&tally));
    assert_eq!(sink.publish(&slice(100, 0), &|| false).unwrap(), 100);
    let glance = tally.glance();
    assert_eq!((glance.issued, glance.delivered, glance.failed), (100, 90, 10));
    assert_eq!(glance.bytes, 90 * 7);
    assert_eq!(glance.in_flight(), 0);
    let total = tally.total();
    assert_eq!(total.streams[0].1 + total.streams[1].1, 100);
    assert_eq!(total.streams[1].1, 34);
    for (_, issued, outcomes) in &total.streams {
        assert_eq!(*issued, outcomes.delivered + outcomes.failed_count());
        assert_eq!(outcomes.failed.keys().collect::<Vec<_>>(), ["message_too_large"]);
    }
}

#[test]
fn lag_is_from_the_intended_time_to_the_end_of_the_hand_over() {
    let clock = Clock::manual(10_000_000);
    let tally = tally(&clock);
    let sink = Limited { room: 10, tally: Arc::clone(&tally), then: || Ok(0), flushed: Ok(0) };
    let mut sink = Watched::new(Box::new(sink), Arc::clone(&tally));
    sink.publish(&slice(1, 0), &|| false).unwrap();
    assert_eq!(tally.glance().lag, Duration::from_millis(9));
    assert_eq!(tally.total().lag.unwrap().max, Duration::from_millis(9));
    assert_eq!(tally.total().due_us, Some(1_000));
}

#[test]
fn the_first_records_of_a_long_slice_are_later_than_its_last() {
    let clock = Clock::manual(101_000_000);
    let tally = tally(&clock);
    let sink = Limited {
        room: 99_000,
        tally: Arc::clone(&tally),
        then: || unreachable!("there is room"),
        flushed: Ok(0),
    };
    let mut sink = Watched::new(Box::new(sink), Arc::clone(&tally));
    // Due from 1 ms to 81 ms, all handed over at 101 ms.
    sink.publish(&slice(80_000, 0), &|| false).unwrap();
    let lag = tally.total().lag.unwrap();
    assert_eq!(lag.max, Duration::from_millis(100));
    assert!((59..=61).contains(&lag.p50.as_millis()), "{lag:?}");
    assert_eq!(tally.glance().lag.as_millis(), 20);
}

#[test]
fn what_a_sink_took_before_it_failed_is_issued() {
    for flushed in [Ok(0), Err(())] {
        let clock = Clock::manual(10_000_000);
        let tally = tally(&clock);
        let then = || Err(closed(()));
        let sink = Limited { room: 42, tally: Arc::clone(&tally), then, flushed };
        let mut sink = Watched::new(Box::new(sink), Arc::clone(&tally));
        assert!(sink.publish(&slice(100, 0), &|| false).is_err());
        assert_eq!(sink.flush(Duration::ZERO, &|| false).is_ok(), flushed.is_ok());
        let glance = tally.glance();
        assert_eq!((glance.issued, glance.delivered + glance.failed), (42, 42));
    }
}

#[test]
fn receipts_of_a_slice_that_is_still_handed_over_are_of_issued_events() {
    let clock = Clock::manual(10_000_000);
    let tally = tally(&clock);
    let receipt =
        Receipt { stream: 1, bytes: 7, outcome: Outcome::Delivered, latency_ns: 1, due_us: 0 };
    tally.receive(&[receipt; 3]);
    let (_, issued, outcomes) = &tally.total().streams[1];
    assert_eq!((*issued, outcomes.delivered), (3, 3));
}

#[test]
fn what_a_ceiling_holds_is_late_while_it_is_held_and_counted_after() {
    let clock = Clock::manual(5_000_000_000);
    let tally = tally(&clock);
    tally.held().during(3_000_000_000, || {
        assert_eq!(tally.glance().lag, Duration::from_secs(2));
        Duration::from_millis(400)
    });
    let glance = tally.glance();
    assert_eq!((glance.lag, glance.governed), (Duration::ZERO, Duration::from_millis(400)));
    assert_eq!(tally.start_over().governed, Duration::from_millis(400));
    assert_eq!(tally.total().governed, Duration::ZERO, "each phase has its own");
}
