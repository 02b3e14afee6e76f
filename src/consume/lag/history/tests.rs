//! The rules of the history, on looks that are made up.

use std::collections::BTreeMap;

use super::super::Standing;
use super::*;

const SECOND_NS: i64 = 1_000_000_000;

fn partition(number: u32) -> Partition {
    Partition { topic: "t".to_owned(), number: Some(number), expired: 0, compacted: false }
}

/// A look of one partition at a second, behind by so much.
fn look(second: i64, behind: u64, lag_ms: u64) -> Look {
    let standing = Standing {
        partition: partition(0),
        committed: Some(Position::of_offset(7)),
        behind,
        lag: Some(Duration::from_millis(lag_ms)),
    };
    Look { at_ns: second * SECOND_NS, standings: vec![standing], members: Members::default() }
}

/// A history of one look a second, with these lags in milliseconds and as many records.
fn history(lags_ms: impl IntoIterator<Item = u64>) -> History {
    let mut history = History::new(0);
    for (second, lag_ms) in (0..).zip(lags_ms) {
        history.note(&look(second, lag_ms, lag_ms));
    }
    history
}

fn members(is_moving: bool, each: &[(&str, &[&str])]) -> Members {
    let owned = |(name, has): &(&str, &[&str])| ((*name).to_owned(), has.concat().into_bytes());
    Members { is_moving, each: each.iter().map(owned).collect::<BTreeMap<_, _>>() }
}

#[test]
fn a_lag_that_grows_and_shrinks_is_one_episode_with_its_peak() {
    let history = history([0, 200, 0, 1_500, 4_000, 2_500, 900, 0]);
    let [episode] = history.episodes[..] else { panic!("{:?}", history.episodes) };
    assert_eq!(episode.limit, Duration::from_secs(1));
    assert_eq!((episode.began_ns, episode.over_ns), (3 * SECOND_NS, Some(6 * SECOND_NS)));
    assert_eq!(episode.length(), Duration::from_secs(3));
    let peak = Most { most: Duration::from_secs(4), at_ns: 4 * SECOND_NS };
    assert_eq!((episode.peak, episode.behind_max), (peak, 4_000));
    assert_eq!((history.lag_max, history.episode), (Some(peak), None));
    assert_eq!(history.behind_max, Most { most: 4_000, at_ns: 4 * SECOND_NS });
    assert_eq!(history.longest(), Some(&episode));
}

#[test]
fn an_episode_that_goes_on_is_told_with_its_length_so_far() {
    let history = history([0, 5_000, 9_000, 9_000]);
    assert!(history.episodes.is_empty());
    let episode = history.episode.unwrap();
    assert_eq!((episode.over_ns, episode.length()), (None, Duration::from_secs(2)));
    assert_eq!(history.longest(), Some(&episode));
}

#[test]
fn the_sawtooth_of_a_consumer_that_commits_every_five_seconds_is_soon_the_usual_lag() {
    let saw = (0..600).map(|second| second % 5 * 1_000 + 300);
    let steady = history(saw.clone());
    assert!(steady.episodes.len() <= 1 && steady.episode.is_none(), "{:?}", steady.episodes);
    // A stop of half a minute stands out all the same.
    let stop = saw.chain((0..30).map(|second| second * 1_000)).chain([300; 5]);
    let history = history(stop);
    let longest = history.longest().unwrap();
    assert!(longest.limit > Duration::from_secs(4), "{longest:?}");
    assert!(longest.length() > Duration::from_secs(19), "{longest:?}");
    assert_eq!(longest.peak.most, Duration::from_secs(29));
}

#[test]
fn a_stop_right_at_the_beginning_is_an_episode() {
    let growing = |every_ms: u64| {
        history([0, 10].into_iter().chain((1..20).map(|n| n * every_ms)).chain([0]))
    };
    for every_ms in [250, 500, 1_000, 5_000] {
        let history = growing(every_ms);
        assert_eq!(history.episodes.len(), 1, "{every_ms}: {:?}", history.episodes);
    }
}

#[test]
fn the_limit_of_an_episode_does_not_move_while_it_goes_on() {
    let history = history([0, 0].into_iter().chain([3_000; 500]).chain([0]));
    let [episode] = history.episodes[..] else { panic!("{:?}", history.episodes) };
    assert_eq!(episode.length(), Duration::from_secs(500));
}

#[test]
fn the_course_stays_bounded_and_keeps_the_greatest() {
    let peak = 12_345;
    let lags = (0..100_000).map(|second| if second == 54_321 { peak } else { second % 7 });
    let history = history(lags);
    assert!(history.points.len() <= POINTS_MAX && history.points.len() > POINTS_MAX / 2);
    assert!(history.points.is_sorted_by_key(|point| point.at_ns));
    let most = history.points.iter().max_by_key(|point| point.behind).unwrap();
    assert_eq!((most.behind, most.lag), (peak, Some(Duration::from_millis(peak))));
    assert!((most.at_ns..most.at_ns + 512 * SECOND_NS).contains(&(54_321 * SECOND_NS)));
    assert_eq!(history.points[0].at_ns, 0);
}

#[test]
fn of_many_episodes_the_longest_are_kept() {
    // Five quiet minutes, so that the usual lag stays 0, then an episode of 2 or 9 seconds.
    let quiet = || [0; 300].into_iter();
    let lags = (0..150).flat_map(|number| {
        let seconds = if number == 3 { 9 } else { 2 };
        quiet().chain(vec![5_000; seconds])
    });
    let history = history(lags.chain([0]));
    assert_eq!((history.episodes.len(), history.episodes_more), (EPISODES_MAX, 50));
    assert_eq!(history.longest().map(Episode::length), Some(Duration::from_secs(9)));
    assert!(history.episodes.is_sorted_by_key(|episode| episode.began_ns));
}

#[test]
fn a_change_of_who_reads_what_is_a_rebalance_and_the_first_gathering_is_none() {
    let mut history = History::new(0);
    let mut rebalances = |members: Members| {
        history.note(&Look { members, ..look(0, 0, 0) });
        (history.rebalances, history.now.members, history.has_come())
    };
    let alone: &[(&str, &[&str])] = &[("a", &["t[0]", "t[1]"])];
    let both: &[(&str, &[&str])] = &[("a", &["t[0]"]), ("b", &["t[1]"])];
    assert_eq!(rebalances(members(false, &[])), (0, 0, true));
    assert_eq!(rebalances(members(true, alone)), (0, 1, true));
    assert_eq!(rebalances(members(false, alone)), (0, 1, true));
    assert_eq!(rebalances(members(false, alone)), (0, 1, true));
    assert_eq!(rebalances(members(false, both)), (1, 2, true));
    // Seen twice while it goes on, it is one.
    assert_eq!(rebalances(members(true, both)), (2, 2, true));
    assert_eq!(rebalances(members(true, both)), (2, 2, true));
    assert_eq!(rebalances(members(false, alone)), (2, 1, true));
    assert_eq!(rebalances(members(false, &[])), (3, 0, true));
    assert_eq!(history.members_max, 2);
}

#[test]
fn nobody_has_come_before_there_is_a_member_or_a_commit() {
    let mut history = History::new(0);
    let standing =
        Standing { partition: partition(0), committed: None, behind: 5, lag: Some(Duration::ZERO) };
    let empty = Look { standings: vec![standing], ..Look::default() };
    history.note(&empty);
    assert_eq!((history.has_come(), history.now.uncommitted), (false, 1));
    history.note(&Look { members: members(true, &[("a", &[])]), ..empty });
    assert!(history.has_come());
}

#[test]
fn an_age_that_is_not_known_is_no_lag_of_nothing() {
    let mut history = history([0, 5_000]);
    let mut unknown = look(2, 9, 0);
    unknown.standings[0].lag = None;
    history.note(&unknown);
    history.miss("no answer".to_owned());
    assert_eq!((history.now.lag, history.now.behind), (None, 9));
    assert!(history.episode.is_some(), "it is over when a look says so");
    assert_eq!((history.looks, history.missed), (3, 1));
}
