//! Tests of channels.

use super::*;

const LIMITS: Limits = Limits { messages: 3, bytes: 1 << 20 };

/// The first ids and the bytes of the batches of 500 messages, added in chunks of so many.
fn batches(batcher: Batcher, chunk: usize) -> Vec<(u64, Vec<u8>)> {
    let channel = Channel::new(0, ("a", String::new()), String::new(), None);
    for numbers in (0..500_u64).collect::<Vec<_>>().chunks(chunk) {
        let mut adding = channel.begin(batcher);
        for number in numbers {
            let key = [b'a' + u8::try_from(number * number % 7).unwrap()];
            let value = number.to_le_bytes();
            let message = Message {
                key: Some(&key),
                binary_key: false,
                value: Some(&value),
                event_time_ms: None,
                sequence_id: 0,
            };
            let sent = Sent { intended_ns: 0, due_us: 0, bytes: 9, stream: 0 };
            let at = At { tick: number / 40, window: number / 20, now_ns: 0 };
            adding.push(at, LIMITS, (message, sent), |_| ());
        }
        adding.end(LIMITS);
    }
    channel.end_window(None, LIMITS, 0);
    channel.seal();
    let mut state = channel.lock();
    let all = state.pending.drain(..);
    all.map(|pending| (pending.batch.ids.0, pending.batch.body)).collect()
}

// A topic that deduplicates compares the ids of batches: parted otherwise, a batch that it has
// in part would be dropped whole.
#[test]
fn windows_are_regrouped_alike_however_their_messages_come() {
    let whole = batches(Batcher::Key, 500);
    assert!(whole.len() > 500 / 20, "{} batches", whole.len());
    assert!(whole.is_sorted_by_key(|(id, _)| *id));
    for chunk in [1, 7, 20, 33] {
        assert_eq!(batches(Batcher::Key, chunk), whole, "in chunks of {chunk}");
    }
}

#[test]
fn a_batch_of_one_shows_its_key_to_those_who_share_by_key() {
    let key_of = |messages| {
        let channel = Channel::new(0, ("a", String::new()), String::new(), None);
        let limits = Limits { messages, ..LIMITS };
        let mut adding = channel.begin(Batcher::Default);
        let message = Message {
            key: Some(&[0xff]),
            binary_key: true,
            value: None,
            event_time_ms: None,
            sequence_id: 0,
        };
        let sent = Sent { intended_ns: 0, due_us: 0, bytes: 9, stream: 0 };
        adding.push(At { tick: 0, window: 0, now_ns: 0 }, limits, (message, sent), |_| ());
        adding.end(limits);
        channel.seal();
        let mut state = channel.lock();
        let batch = &mut state.pending[0].batch;
        (batch.key.take(), batch.key_is_base64)
    };
    assert_eq!(key_of(1), (Some(b"/w==".to_vec()), true));
    assert_eq!(key_of(3), (None, false));
}

#[test]
fn ids_are_the_tick_and_the_rank_in_it_and_never_run_back() {
    let mut last = None;
    let ids: Vec<u64> = [5, 5, 4, 6, 6].map(|tick| number(&mut last, tick)).into();
    let five = first_id(5);
    assert_eq!(ids, [five, five + 1, five + 2, first_id(6), first_id(6) + 1]);
    assert_eq!(first_id(6) - five, 1 << 27);
}

#[test]
fn batches_are_written_over_those_that_have_their_receipts() {
    let asked = ("a", "persistent://public/default/a".to_owned());
    let channel = Channel::new(0, asked, "me".to_owned(), None);
    let limits = Limits { messages: 2, bytes: 1 << 20 };
    // All ids take as many bytes.
    let mut tick = 1_000;
    let mut send = |value: &[u8]| {
        let mut adding = channel.begin(Batcher::Default);
        for _ in 0..2 {
            let message = Message {
                key: None,
                binary_key: false,
                value: Some(value),
                event_time_ms: None,
                sequence_id: 0,
            };
            let sent = Sent { intended_ns: 0, due_us: 0, bytes: 0, stream: 0 };
            tick += 1;
            let at = At { tick, window: 0, now_ns: 0 };
            adding.push(at, limits, (message, sent), |_| ());
        }
        assert!(!adding.end(limits));
        channel.next(Compression::None, 0).unwrap().body
    };
    let settle = |tick| assert!(matches!(channel.settle(first_id(tick)), Place::First(_)));
    let first = send(b"first");
    let (place, length) = (first.as_ptr(), first.len());
    drop(first);
    send(b"second");
    settle(1_001);
    // Longer by what the value is longer: nothing of what was there before is left.
    let third = send(b"third!");
    assert_eq!((third.as_ptr(), third.len()), (place, length + 2));
    // What somebody still looks at is left alone.
    settle(1_003);
    settle(1_005);
    assert_ne!(send(b"fourth").as_ptr(), third.as_ptr());
    assert_eq!(channel.lock().spare.len(), 0);
}
