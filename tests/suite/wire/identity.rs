//! Where an event says who it is: in a field, a header, the key, or nowhere.

use tidegate::config::model::IdentityPlace;
use tidegate::encode::json::Reader;

use super::{Header, WITH_ID, configured, events, opened, plan_of, refusal, uuid};

const NONE: (&str, &str) = ("", "");

#[test]
fn the_identity_is_where_the_stream_says() {
    for (stream, more, expected) in [
        ("", NONE, IdentityPlace::AddedHeader),
        ("", WITH_ID, IdentityPlace::Field),
        ("", ("event_id = { attribute = \"id\" }", WITH_ID.1), IdentityPlace::Field),
        ("identity = \"field\"", WITH_ID, IdentityPlace::Field),
        ("identity = \"header\"", NONE, IdentityPlace::AddedHeader),
        ("identity = \"header\"", WITH_ID, IdentityPlace::AddedHeader),
        ("headers = { id = \"identity\" }", NONE, IdentityPlace::Header),
        ("identity = \"header\"\nheaders.id = \"identity\"", NONE, IdentityPlace::Header),
        ("key = \"id\"", NONE, IdentityPlace::Key),
        ("identity = \"key\"\nkey = \"id\"", NONE, IdentityPlace::Key),
        ("identity = \"key\"", NONE, IdentityPlace::Key),
        ("identity = \"key\"", WITH_ID, IdentityPlace::Key),
        ("identity = \"none\"", NONE, IdentityPlace::Nowhere),
        ("key = \"account\"", NONE, IdentityPlace::AddedHeader),
    ] {
        let read = configured(stream, more).unwrap();
        assert_eq!(read.model.streams[0].identity, expected, "{stream}");
        let plan = plan_of(stream, more);
        let reader = Reader::new(&plan.streams[0].schema).unwrap();
        for event in events(&plan, 50) {
            let row = reader.read(&event.value).unwrap();
            let added = event.headers.iter().find_map(|(name, header)| match header {
                Header::Identity(identity) => Some((name.as_str(), *identity)),
                _ => None,
            });
            let is_added = expected == IdentityPlace::AddedHeader;
            assert_eq!(added.map(|(name, _)| name), is_added.then_some("tidegate-id"));
            let found = match expected {
                IdentityPlace::Field => uuid(row["event_id"].as_str().unwrap()),
                IdentityPlace::Header => uuid(event.text("id").unwrap()),
                IdentityPlace::AddedHeader => added.unwrap().1,
                IdentityPlace::Key => uuid(event.key.as_deref().unwrap()),
                IdentityPlace::Nowhere => {
                    assert!(event.headers.is_empty() && event.key.is_none());
                    continue;
                }
            };
            opened(found);
        }
    }
}

#[test]
fn an_identity_that_cannot_be_there_is_refused_with_the_way_out() {
    for (stream, more, told) in [
        ("identity = \"field\"", NONE, "no field of `s` is the identity"),
        ("identity = \"key\"\nkey = \"account\"", NONE, "`account` of `s` is not the identity"),
        ("identity = \"none\"", WITH_ID, "the field `event_id` of `s` is the identity"),
        ("identity = \"none\"\nheaders.i = \"identity\"", NONE, "the header `i` of `s` is"),
        ("identity = \"none\"\nkey = \"id\"", NONE, "the key `id` of `s` is the identity"),
        ("identity = \"payload\"", NONE, "one of \"field\", \"header\", \"key\", \"none\""),
    ] {
        let said = refusal(stream, more);
        assert!(said.contains(told), "{stream}: {said}");
        assert!(said.contains("help"), "{said}");
    }
}
