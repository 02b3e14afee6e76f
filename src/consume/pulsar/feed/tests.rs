//! Feeds: permits, what is left out, and the end.

use pulsar::message::proto::{CommandSend, MessageMetadata};

use super::*;
use crate::publish::pulsar::frame;

const ROOM: usize = 1 << 20;

fn feed() -> (Feed, Clock) {
    let clock = Clock::manual(0);
    let names = ("t", "persistent://public/default/t".to_owned(), "t".to_owned());
    let feed = Feed::new(names, (Start::Earliest, None), ROOM, &clock);
    feed.opened();
    (feed, clock)
}

/// An entry comes: a batch of so many messages, of so many bytes.
fn come(feed: &Feed, entry_id: u64, count: i32, bytes: usize) {
    let metadata =
        MessageMetadata { num_messages_in_batch: Some(count), ..MessageMetadata::default() };
    let body = Bytes::from(vec![0; bytes]);
    let frame::Frame { head, body } = frame::messages(CommandSend::default(), &metadata, body);
    let length = u32::from_be_bytes(*head[4..].first_chunk().unwrap()) as usize;
    let rest = [&head[8 + length..], &body[..]].concat();
    let message_id = MessageIdData { ledger_id: 5, entry_id, ..MessageIdData::default() };
    feed.take(&CommandMessage { message_id, ..CommandMessage::default() }, Bytes::from(rest));
}

fn taken(feed: &Feed) -> Option<i64> {
    match feed.next() {
        Next::Entry(entry) => Some(entry.id.1),
        _ => None,
    }
}

/// Answers what is asked: which entry is the last, and up to which the broker has passed all.
fn answer(feed: &Feed, last: i64, passed: i64) {
    let id = |entry: i64| {
        let ledger_id = if entry < 0 { u64::MAX } else { 5 };
        MessageIdData { ledger_id, entry_id: entry.cast_unsigned(), ..MessageIdData::default() }
    };
    let told = CommandGetLastMessageIdResponse {
        last_message_id: id(last),
        consumer_mark_delete_position: Some(id(passed)),
        request_id: 0,
    };
    feed.answer(feed.question().unwrap(), Some(&told));
}

fn is_end(feed: &Feed) -> bool {
    matches!(feed.next(), Next::End)
}

#[test]
fn permits_follow_from_the_room_and_from_how_large_entries_are() {
    let (feed, _) = feed();
    // One by one until it is known how large they are.
    assert_eq!((feed.grant(), feed.grant()), (Some(1), None));
    for entry in 0..200 {
        come(&feed, entry, 1, 1 << 10);
        feed.grant();
    }
    let state = feed.lock();
    let (held, room) = (state.bytes, ROOM - state.bytes);
    assert!(held < ROOM && state.entry_bytes < 2 << 10, "{state:?}");
    let permits = usize::try_from(state.permits).unwrap();
    assert!(permits > PERMITS_MAX / 4 && permits * (1 << 10) <= room, "{state:?}");
    drop(state);
    // Batches bring more than was permitted: no more come until that is made up for.
    come(&feed, 200, 5_000, 100 << 10);
    let granted = i64::from(feed.grant().unwrap());
    let state = feed.lock();
    assert!(granted > 4_000 && (1..=8).contains(&state.permits), "{granted} {state:?}");
}

#[test]
fn a_partition_that_nobody_reads_stops_receiving_and_goes_on_when_it_is_read() {
    let (feed, _) = feed();
    let mut entry = 0;
    while feed.grant().is_some() || feed.lock().permits > 0 {
        come(&feed, entry, 1_000, 128 << 10);
        entry += 1;
    }
    assert!(feed.lock().bytes <= ROOM + (128 << 10), "{entry}");
    for expected in 0..entry.cast_signed() {
        assert_eq!(taken(&feed), Some(expected));
    }
    assert!(feed.grant().is_some());
}

#[test]
fn far_too_much_is_left_out_and_asked_for_again() {
    let (feed, _) = feed();
    for entry in 0..30 {
        come(&feed, entry, 1, 1 << 20);
    }
    let held = feed.lock().bytes;
    assert!(held <= ROOM + EXCESS_BYTES_MAX + (2 << 20), "{held}");
    assert_eq!(feed.grant(), None);
    let mut last = 0;
    while let Some(entry) = taken(&feed) {
        last = entry;
    }
    assert!((16..20).contains(&last), "{last}");
    feed.lost("too much");
    assert_eq!(feed.start(), Start::With((5, last)));
    feed.opened();
    assert!(feed.grant().is_some());
    // What came before the new subscription comes again, and is left out.
    for entry in last - 1..last + 3 {
        come(&feed, entry.cast_unsigned(), 1, 10);
    }
    assert_eq!([taken(&feed), taken(&feed), taken(&feed)], [Some(last + 1), Some(last + 2), None]);
}

#[test]
fn the_end_is_where_the_last_message_is_that_the_broker_knows_of() {
    let (feed, clock) = feed();
    assert!(!is_end(&feed));
    answer(&feed, 1, -1);
    assert!(!is_end(&feed) && feed.question().is_none());
    come(&feed, 0, 1, 10);
    come(&feed, 1, 1, 10);
    assert_eq!([taken(&feed), taken(&feed)], [Some(0), Some(1)]);
    assert!(is_end(&feed) && feed.question().is_none());
    // Records came since it was asked: more may have, and it is asked again.
    clock.sleep(FRESH);
    assert!(!is_end(&feed));
    answer(&feed, 1, -1);
    assert!(is_end(&feed));
    // It stays the end as long as nothing comes, and is asked for now and then.
    clock.sleep(FRESH);
    assert!(is_end(&feed));
    answer(&feed, 2, -1);
    assert!(!is_end(&feed));
    come(&feed, 2, 1, 10);
    assert_eq!(taken(&feed), Some(2));
    assert!(is_end(&feed));
}

#[test]
fn an_empty_partition_and_one_whose_rest_was_passed_are_at_their_end() {
    let (feed, clock) = feed();
    feed.grant();
    assert!(!is_end(&feed));
    answer(&feed, -1, -1);
    // It may be that all is still to come.
    assert!(!is_end(&feed));
    clock.sleep(QUIET);
    assert!(is_end(&feed));
    assert_eq!(feed.last(1, Duration::ZERO).unwrap(), None);
    answer(&feed, -1, -1);
    let number = feed.ask();
    assert!(feed.last(number, Duration::ZERO).is_err());
    answer(&feed, 9, 9);
    assert!(is_end(&feed));
    assert_eq!(feed.last(number, Duration::ZERO).unwrap(), Some(unpack::position((5, 9), 0)));
}

#[test]
fn a_terminated_partition_is_at_its_end_whatever_is_said_of_its_last_message() {
    let (feed, _) = feed();
    come(&feed, 0, 1, 10);
    feed.end();
    assert_eq!(taken(&feed), Some(0));
    assert!(is_end(&feed) && feed.question().is_none());
    // A new subscription is told anew.
    feed.opened();
    assert!(!is_end(&feed));
}

#[test]
fn a_question_that_found_no_answer_is_asked_again() {
    let (feed, _) = feed();
    let number = feed.ask();
    let question = feed.question().unwrap();
    assert!(feed.question().is_none());
    feed.answer(question, None);
    assert!(feed.question().is_some());
    // What was asked on a connection that is gone too.
    feed.lost("gone");
    feed.opened();
    answer(&feed, -1, 5);
    assert!(feed.last(number, Duration::ZERO).is_ok());
}

#[test]
fn what_was_said_before_a_new_subscription_is_not_believed() {
    let (feed, _) = feed();
    come(&feed, 3, 1, 10);
    assert_eq!(taken(&feed), Some(3));
    assert!(!is_end(&feed));
    answer(&feed, 3, -1);
    assert!(is_end(&feed));
    feed.lost("gone");
    assert!(!is_end(&feed));
    feed.opened();
    assert!(!is_end(&feed));
    answer(&feed, 4, -1);
    assert!(!is_end(&feed));
}
