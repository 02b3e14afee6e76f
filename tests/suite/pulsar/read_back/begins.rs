//! Where reading begins, and that it leaves nothing behind.

use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::consume::Source as _;

use super::{Begin, Error, Position, Pulsar, Seen, Site, open, options, read_all, read_on};
use super::{assert_exit, small};
use crate::brokers::pulsar::PRODUCER;
use crate::brokers::tokens;

const PATH: &str = "/admin/v2/persistent/public/default";

/// What begins so finds in a topic of one partition.
fn found(url: &str, topic: &str, begin: &Begin) -> Vec<Seen> {
    read_all(&mut open(url, topic, begin).unwrap()).remove(0)
}

/// The subscriptions of a topic.
fn subscriptions(site: &Site<'_>, topic: &str) -> Vec<String> {
    let told = site.server.must("GET", &format!("{PATH}/{topic}/subscriptions"), "");
    serde_json::from_slice(&told).unwrap()
}

fn assert_nothing_left(site: &Site<'_>, topic: &str) {
    crate::brokers::wait_for("no subscription", super::super::LONG, || {
        subscriptions(site, topic).is_empty().then_some(())
    });
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    site.server.must("PUT", &format!("{PATH}/begins"), "");
    let run = |count: usize| {
        let flags = format!("{} --count {count} -X batchingMaxMessages=20", small("begins"));
        assert_exit(&site.run(&flags), 0);
    };
    run(1_000);
    // Longer than what a search by time goes back for safety.
    crate::cli::pause(Duration::from_secs(11));
    run(2_000);
    let all = found(&url, "begins", &Begin::Earliest);
    assert_eq!(all.len(), 3_000);
    let batched = |seen: &&Seen| seen.position.message().unwrap().2 > 0;
    assert!(all.iter().filter(batched).count() > 1_000);
    // With a record, in the middle of its batch too.
    for place in [0, 1, 7, 1_500, 1_511, 2_999] {
        let begin = vec![("begins".to_owned(), None, all[place].position)];
        assert_eq!(found(&url, "begins", &Begin::Positions(begin)), all[place..], "{place}");
    }
    let named = |topic: &str, position| Begin::Positions(vec![(topic.to_owned(), None, position)]);
    let (ledger, entry, place) = all[2_999].position.message().unwrap();
    for (entry, place) in [(entry, place + 1), (entry + 1, 0)] {
        let beyond = Position::of_message(ledger, entry, place);
        assert_eq!(found(&url, "begins", &named("begins", beyond)), [], "{beyond}");
    }
    // What is not named begins with the first.
    assert_eq!(found(&url, "begins", &named("others", all[5].position)), all);
    let whole = "persistent://public/default/begins";
    assert_eq!(found(&url, whole, &Begin::Earliest), all);
    // At a time: all from the first that is not before it.
    for time_ms in [0, all[0].timestamp_ms, all[1_700].timestamp_ms, all[2_999].timestamp_ms] {
        let first = all.iter().position(|seen| seen.timestamp_ms >= time_ms).unwrap();
        assert_eq!(found(&url, "begins", &Begin::At(time_ms)), all[first..], "{time_ms}");
    }
    assert_eq!(found(&url, "begins", &Begin::At(all[2_999].timestamp_ms + 1)), []);
    assert_eq!(found(&url, "begins", &Begin::At(i64::MAX)), []);
    let mut latest = open(&url, "begins", &Begin::Latest).unwrap();
    assert_eq!(read_on(&mut latest, 0, usize::MAX), []);
    run(500);
    assert_eq!(latest.lasts().unwrap(), [latest_position(&url)]);
    let after = found(&url, "begins", &Begin::Earliest)[3_000..].to_vec();
    assert_eq!((read_on(&mut latest, 0, 500), after.len()), (after, 500));
    drop(latest);
    assert_nothing_left(&site, "begins");
}

fn latest_position(url: &str) -> Option<Position> {
    found(url, "begins", &Begin::Earliest).last().map(|seen| seen.position)
}

#[test]
fn an_empty_topic_is_at_its_end_wherever_reading_begins() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    site.server.must("PUT", &format!("{PATH}/empty/partitions"), "2");
    for begin in [Begin::Earliest, Begin::At(1_000), Begin::At(i64::MAX), Begin::Latest] {
        let mut source = open(&url, "empty", &begin).unwrap();
        assert_eq!(source.partitions().len(), 2);
        assert_eq!(read_all(&mut source), [[], []], "{begin:?}");
        assert_eq!(source.lasts().unwrap(), [None, None], "{begin:?}");
        // It goes on when something comes.
        if begin == Begin::Latest {
            assert_exit(&site.run(&format!("{} --count 200 --speed max", small("empty"))), 0);
            assert_eq!(read_all(&mut source).concat().len(), 200);
        }
    }
    assert_nothing_left(&site, "empty-partition-0");
}

#[test]
fn a_topic_that_is_not_there_is_named_and_not_made() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    site.server.must("PUT", &format!("{PATH}/there"), "");
    let topics = ["there".to_owned(), "not.there".to_owned(), "a/b/c".to_owned()];
    let options = options(&[("serviceUrl", &url)]);
    let opened = Pulsar::open(&options, &topics[..2], &Begin::Earliest, &Clock::system());
    let told = opened.unwrap_err().to_string();
    assert!(told.starts_with("no such topic: `not.there`; is the name right"), "{told}");
    let listed = String::from_utf8(site.server.must("GET", PATH, "")).unwrap();
    assert!(!listed.contains("not.there"), "{listed}");
    let opened = Pulsar::open(&options, &topics[2..], &Begin::Earliest, &Clock::system());
    assert!(opened.is_err());
}

#[test]
fn whoever_may_not_read_is_told_which_right_is_needed() {
    let Some(server) = crate::brokers::guarded_pulsar() else { return };
    server.must("PUT", &format!("{PATH}/unread"), "");
    let token = |role: &str| format!("token:{}", tokens::token(role, None));
    let open = |token: &str| {
        let url = server.service_url();
        let options =
            options(&[("serviceUrl", &url), ("authPlugin", "token"), ("authParams", token)]);
        Pulsar::open(&options, &["unread".to_owned()], &Begin::Earliest, &Clock::system())
    };
    let error = open(&token(PRODUCER)).unwrap_err();
    assert!(matches!(&error, Error::NotAuthorised { topic, .. } if topic == "unread"), "{error}");
    let told = error.to_string();
    assert!(told.ends_with("the role needs `consume` on it"), "{told}");
    // A role that may read this topic, and sees nothing but it.
    server.must("POST", &format!("{PATH}/unread/permissions/reader"), r#"["consume"]"#);
    assert_eq!(read_all(&mut open(&token("reader")).unwrap()), [[]]);
    let told = open("token:none").unwrap_err().to_string();
    assert!(told.contains("refused the login"), "{told}");
}
