//! The order, the times and the places of what is sent again.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::replay::{Header, Take};

/// Records that are written down: partition and timestamp, handed over so many at once.
struct Written {
    topics: Vec<String>,
    records: Vec<(u32, i64)>,
    next: usize,
    at_once: usize,
}

impl Feed for Written {
    fn topics(&self) -> &[String] {
        &self.topics
    }

    fn next(&mut self, take: &mut Take<'_>) -> Result<Fed, Error> {
        let end = self.records.len().min(self.next + self.at_once);
        for (number, (partition, timestamp_ms)) in
            self.records.iter().enumerate().take(end).skip(self.next)
        {
            let headers: [Header<'_>; 1] = [(b"n", Some(b"1"))];
            take(&Recorded {
                topic: 0,
                partition: Some(*partition),
                position: None,
                timestamp_ms: *timestamp_ms,
                key: number.is_multiple_of(2).then_some(b"key"),
                headers: &headers,
                value: Some(&number.to_be_bytes()),
            })?;
        }
        self.next = end;
        Ok(if end == self.records.len() { Fed::End } else { Fed::More })
    }
}

fn options(change: impl FnOnce(&mut Options)) -> Options {
    let target = Target { topic: "t".to_owned(), partitions: Some(4), hash: Hash::Murmur2 };
    let mut options = Options {
        targets: vec![target],
        keep_partitions: false,
        from: None,
        until: None,
        count: None,
        passes: 1,
        editor: None,
        mapping: None,
        schemas: Arc::new(Mutex::new(Schemas::new(super::super::schemas::Origin::Nowhere))),
        timing: Timing { clock: Clock::manual(0), anchor_ns: 0, speed: Speed::Max },
    };
    change(&mut options);
    options
}

/// Number, time in milliseconds and partition of all that is sent.
fn sent(
    records: &[(u32, i64)],
    at_once: usize,
    change: impl FnOnce(&mut Options),
) -> Result<Vec<(usize, i64, i32)>, Error> {
    let feed = move |records: &[(u32, i64)]| -> Box<dyn Feed> {
        let (topics, records) = (vec!["t".to_owned()], records.to_vec());
        Box::new(Written { topics, records, next: 0, at_once })
    };
    let again = records.to_vec();
    let open: Open = Box::new(move || Ok(feed(&again)));
    let mut batches = Batches::start(feed(records), open, options(change), Damages::default())?;
    let mut all = Vec::new();
    while let Some(batch) = batches.next() {
        let batch = batch.map_err(|error| Error::Asked(error.to_string()))?;
        for record in batch.records.iter() {
            let value: [u8; 8] = batch.arena[record.value_range()].try_into().unwrap();
            assert_eq!(record.keyed, usize::from_be_bytes(value).is_multiple_of(2));
            assert_eq!(&batch.arena[record.header_range()], b"n\0\x041");
            let number = usize::from_be_bytes(value);
            all.push((number, record.due_us / 1_000, record.partition));
        }
    }
    Ok(all)
}

#[test]
fn records_of_partitions_that_ran_ahead_leave_in_the_order_of_their_times() {
    let all = sent(&[(0, 10), (0, 40), (1, 15), (1, 12), (0, 41)], 2, |_| {}).unwrap();
    let order: Vec<(usize, i64)> = all.iter().map(|(number, due, _)| (*number, *due)).collect();
    // A record that is earlier than the one before it in its partition leaves with that one.
    assert_eq!(order, [(0, 10), (2, 15), (3, 15), (1, 40), (4, 41)]);
}

#[test]
fn records_go_to_the_partition_of_their_key_or_to_the_one_they_lay_in() {
    let records = [(3, 1), (2, 2), (9, 3), (1, 4)];
    let by_key = Hash::Murmur2.partition(b"key", 4);
    let partitions = |change: fn(&mut Options)| {
        sent(&records, 9, change).map(|all| all.iter().map(|it| it.2).collect::<Vec<_>>())
    };
    assert_eq!(partitions(|_| {}).unwrap(), [by_key, 2, by_key, 1]);
    let error = partitions(|options| options.keep_partitions = true).unwrap_err().to_string();
    assert!(error.contains("partition 9") && error.contains("4 partitions"), "{error}");
    let kept = partitions(|options| {
        options.keep_partitions = true;
        options.targets[0].partitions = Some(10);
    });
    assert_eq!(kept.unwrap(), [3, 2, 9, 1]);
}

#[test]
fn another_pass_follows_as_records_followed_each_other() {
    let all = sent(&[(0, 100), (0, 110), (0, 130)], 1, |options| options.passes = 2).unwrap();
    let times: Vec<i64> = all.iter().map(|it| it.1).collect();
    assert_eq!(times, [100, 110, 130, 145, 155, 175]);
    let some = |options: &mut Options| (options.passes, options.count) = (9, Some(4));
    assert_eq!(sent(&[(0, 100), (0, 110), (0, 130)], 1, some).unwrap().len(), 4);
}

#[test]
fn a_part_of_the_time_is_sent_alone() {
    let window = |options: &mut Options| {
        options.from = Some(Moment::AfterStart(std::time::Duration::from_millis(10)));
        options.until = Some(Moment::At(130_000));
    };
    let all = sent(&[(0, 100), (0, 110), (0, 120), (0, 130)], 2, window).unwrap();
    assert_eq!(all.iter().map(|it| it.1).collect::<Vec<_>>(), [110, 120]);
}

proptest! {
    // Nothing is lost or doubled, no time runs backwards, and a partition keeps its order.
    #[test]
    fn all_records_leave_once_and_in_order(
        records in prop::collection::vec((0..5_u32, any::<u16>()), 1..20_000),
        at_once in 1..9_000_usize,
    ) {
        let records: Vec<(u32, i64)> =
            records.into_iter().map(|(partition, time)| (partition, time.into())).collect();
        let all = sent(&records, at_once, |_| {}).unwrap();
        prop_assert!(all.is_sorted_by_key(|it| it.1));
        for partition in 0..5 {
            let of = |number: &usize| records[*number].0 == partition;
            let numbers: Vec<usize> = all.iter().map(|it| it.0).filter(of).collect();
            prop_assert!(numbers.is_sorted());
        }
        let mut numbers: Vec<usize> = all.iter().map(|it| it.0).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..records.len()).collect::<Vec<_>>());
    }
}
