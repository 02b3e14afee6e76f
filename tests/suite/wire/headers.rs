//! Headers: what they hold, when they are there, and that nothing else knows of them.

use std::collections::BTreeSet;

use tidegate::encode::json::Reader;

use super::{Header, WITH_ID, events, opened, plan_of, refusal, uuid};

const HEADERS: &str = r#"headers = { trace = "traceparent", sent = "intended_time", id = "identity", kind = { attribute = "kind" }, currency = { constant = "EUR" }, note = { attribute = "note" }, level = { constant = 5 }, large = { expression = "amount > 20" }, draw = { uniform = [0, 9] }, at = "event_time" }"#;

#[test]
fn headers_hold_what_their_generators_say() {
    let plan = plan_of(HEADERS, ("", ""));
    let reader = Reader::new(&plan.streams[0].schema).unwrap();
    let mut draws = BTreeSet::new();
    let (mut with_note, mut large) = (0, 0);
    for event in events(&plan, 2_000) {
        let row = reader.read(&event.value).unwrap();
        let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
        let all =
            ["trace", "sent", "id", "kind", "currency", "note", "level", "large", "draw", "at"];
        let there = |name: &&str| *name != "note" || !row["note"].is_null();
        assert!(names.iter().eq(all.iter().filter(|name| there(name))), "{names:?} of {row}");
        assert_eq!(event.headers[1].1, Header::IntendedTime);
        assert_eq!(event.text("currency"), Some("EUR"));
        assert_eq!(event.text("level"), Some("5"));
        assert_eq!(event.text("note"), row["note"].as_str());
        assert_eq!(event.text("kind") == Some("a"), !row["note"].is_null());
        let amount: f64 = row["amount"].as_str().unwrap().parse().unwrap();
        assert_eq!(event.text("large"), Some(if amount > 20.0 { "true" } else { "false" }));
        assert_eq!(event.text("at"), Some(event.due_us.to_string().as_str()));
        draws.insert(event.text("draw").unwrap().to_owned());
        with_note += usize::from(event.text("note").is_some());
        large += usize::from(amount > 20.0);
    }
    assert_eq!(draws.len(), 10, "{draws:?}");
    assert!((800..1_200).contains(&with_note) && (800..1_200).contains(&large));
}

#[test]
fn a_trace_is_valid_and_tells_its_event_to_who_has_the_seed() {
    let plan = plan_of(HEADERS, ("", ""));
    let mut spans = BTreeSet::new();
    for event in events(&plan, 2_000) {
        let trace = event.text("trace").unwrap();
        let parts: Vec<&str> = trace.split('-').collect();
        let [version, trace_id, span_id, flags] = parts[..] else { panic!("{trace}") };
        assert_eq!((version, flags, trace_id.len(), span_id.len()), ("00", "01", 32, 16));
        assert!(
            trace.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-')
        );
        let (id, span) = (
            u128::from_str_radix(trace_id, 16).unwrap(),
            u64::from_str_radix(span_id, 16).unwrap(),
        );
        assert!(id != 0 && span != 0);
        assert_eq!(id, uuid(event.text("id").unwrap()));
        opened(id);
        spans.insert(span);
    }
    assert_eq!(spans.len(), 2_000);
}

// A header is drawn after all fields, and the digest leaves headers out.
#[test]
fn headers_change_no_other_byte() {
    let bare = events(&plan_of("", ("", "")), 1_000);
    for stream in [HEADERS, "headers = { draw = { uniform = [0, 9] } }"] {
        let with = events(&plan_of(stream, ("", "")), 1_000);
        for (bare, with) in bare.iter().zip(&with) {
            assert_eq!(
                (&bare.value, &bare.key, bare.due_us),
                (&with.value, &with.key, with.due_us)
            );
        }
    }
}

#[test]
fn headers_that_cannot_be_are_refused_with_their_place() {
    for (stream, told) in [
        ("headers = { tidegate-id = { constant = 1 } }", "is tidegate's own"),
        ("headers = { \"\" = { constant = 1 } }", "cannot be the name of a header"),
        ("headers = { a = \"traceparant\" }", "no generator `traceparant`"),
        ("headers = { a = \"null\" }", "this header is never there"),
        ("headers = { a = { attribute = \"nobody\" } }", "nobody"),
        ("headers = 5", "must be a table"),
        ("header = { a = \"identity\" }", "did you mean `headers`?"),
    ] {
        let said = refusal(stream, ("", ""));
        assert!(said.contains(told) && said.contains("model.toml:11"), "{stream}: {said}");
    }
    let said = refusal("", ("event_id = \"intended_time\"", WITH_ID.1));
    assert!(said.contains("[streams.NAME.headers]"), "{said}");
}
