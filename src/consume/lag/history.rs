//! What was seen of a lag over time, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Look, Members};
use crate::consume::{Partition, Position};

/// How many points the course has at most; then each two become one.
const POINTS_MAX: usize = 240;

/// How many episodes are kept: the longest.
const EPISODES_MAX: usize = 100;

/// No lag below begins an episode.
const EPISODE_ABOVE: Duration = Duration::from_secs(1);

/// Nor one that is not above so many times the median: of who commits every few seconds the lag goes up to
/// twice its median, again and again.
const EPISODE_TIMES: u32 = 3;

/// The greatest usual lag that is told apart, in milliseconds: 49 days.
const USUAL_LIMIT_MS: u64 = 1 << 32;

/// How it stands, all partitions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// When, in nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// How much is not committed.
    pub behind: u64,
    /// The age of the oldest of it; none if it could not be learnt.
    pub lag: Option<Duration>,
    /// How many read.
    pub members: usize,
    /// Of how many partitions nothing is committed.
    pub uncommitted: usize,
}

/// A partition as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The partition.
    pub partition: Partition,
    /// What was committed last, if anything was.
    pub committed: Option<Position>,
    /// How much is not committed.
    pub behind: u64,
    /// The most that was not.
    pub behind_max: u64,
    /// The age of the oldest of it.
    pub lag: Option<Duration>,
    /// The greatest such age.
    pub lag_max: Option<Duration>,
}

/// The most that was seen of something, and when it was seen first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most<T> {
    /// How much.
    pub most: T,
    /// When, in nanoseconds since the Unix epoch.
    pub at_ns: i64,
}

impl<T: PartialOrd + Copy> Most<T> {
    fn note(&mut self, seen: T, at_ns: i64) {
        if seen > self.most {
            *self = Self { most: seen, at_ns };
        }
    }
}

/// The greatest values in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it begins, in nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// The most that was not committed.
    pub behind: u64,
    /// The greatest lag that is known.
    pub lag: Option<Duration>,
}

impl Point {
    fn join(&mut self, other: &Self) {
        self.behind = self.behind.max(other.behind);
        self.lag = self.lag.max(other.lag);
    }
}

/// A time in which the lag was not the usual one.
///
/// It begins when the lag is above 1 s and above three times its median until then, and ends when it is no more
/// above that same limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// When it began, in nanoseconds since the Unix epoch.
    pub began_ns: i64,
    /// The limit.
    pub limit: Duration,
    /// Its greatest lag.
    pub peak: Most<Duration>,
    /// The most that was not committed in it.
    pub behind_max: u64,
    /// When it was looked at last while it went on, in nanoseconds since the Unix epoch.
    pub last_ns: i64,
    /// When it was over; none if it is not.
    pub over_ns: Option<i64>,
}

impl Episode {
    /// How long it took to recover, or has taken so far.
    pub fn length(&self) -> Duration {
        let end_ns = self.over_ns.unwrap_or(self.last_ns);
        Duration::from_nanos((end_ns - self.began_ns).max(0).unsigned_abs())
    }
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct History {
    /// When the first look began, in nanoseconds since the Unix epoch.
    pub began_ns: i64,
    /// How many looks saw something.
    pub looks: u64,
    /// How many did not.
    pub missed: u64,
    /// Why the last of them did not.
    pub missed_because: Option<String>,
    /// How it stands.
    pub now: Now,
    /// By partition.
    pub tracks: Vec<Track>,
    /// The most that was not committed.
    pub behind_max: Most<u64>,
    /// The greatest lag; none if none was ever known.
    pub lag_max: Option<Most<Duration>>,
    /// The most that read at once.
    pub members_max: usize,
    /// How many rebalances were seen: changes of who reads which partition between two looks. There may have been
    /// more. The first gathering is none.
    pub rebalances: u64,
    /// The episode that goes on.
    pub episode: Option<Episode>,
    /// Those that are over, in their order; of more than a hundred, the longest.
    pub episodes: Vec<Episode>,
    /// How many more are over.
    pub episodes_more: u64,
    /// The course of the lag.
    pub points: Vec<Point>,
    /// How many looks are in a point.
    point_looks: u64,
    members: Members,
    has_come: bool,
    usual_ms: Histogram<u32>,
}

impl History {
    /// Nothing seen yet.
    pub fn new(began_ns: i64) -> Self {
        let usual_ms = Histogram::new_with_bounds(1, USUAL_LIMIT_MS, 2);
        let Ok(usual_ms) = usual_ms else { unreachable!("the bounds are constants that fit") };
        Self {
            began_ns,
            looks: 0,
            missed: 0,
            missed_because: None,
            now: Now::default(),
            tracks: Vec::new(),
            behind_max: Most { most: 0, at_ns: began_ns },
            lag_max: None,
            members_max: 0,
            rebalances: 0,
            episode: None,
            episodes: Vec::new(),
            episodes_more: 0,
            points: Vec::new(),
            point_looks: 1,
            members: Members::default(),
            has_come: false,
            usual_ms,
        }
    }

    /// Whether anybody was ever there: a member, or something committed.
    pub fn has_come(&self) -> bool {
        self.has_come
    }

    /// The longest episode, be it over or not; none if there was none.
    pub fn longest(&self) -> Option<&Episode> {
        self.episodes.iter().chain(&self.episode).max_by_key(|episode| episode.length())
    }

    /// Notes what a look saw.
    pub fn note(&mut self, look: &Look) {
        let standings = &look.standings;
        // If the age of one is not known, another's may be less than it.
        let known = standings.iter().map(|standing| standing.lag);
        let now = Now {
            at_ns: look.at_ns,
            behind: standings.iter().map(|standing| standing.behind).sum(),
            lag: known.max().flatten().filter(|_| standings.iter().all(|it| it.lag.is_some())),
            members: look.members.each.len(),
            uncommitted: standings.iter().filter(|it| it.committed.is_none()).count(),
        };
        self.now = now;
        self.looks += 1;
        self.has_come |= now.members > 0 || now.uncommitted < standings.len();
        self.members_max = self.members_max.max(now.members);
        self.behind_max.note(now.behind, now.at_ns);
        self.note_partitions(look);
        self.note_members(&look.members);
        self.note_point(Point { at_ns: now.at_ns, behind: now.behind, lag: now.lag });
        if let Some(lag) = now.lag {
            let first = Most { most: lag, at_ns: now.at_ns };
            self.lag_max.get_or_insert(first).note(lag, now.at_ns);
            self.note_episode(now, lag);
            let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
            self.usual_ms.saturating_record(lag_ms);
        }
    }

    /// Notes that a look saw nothing.
    pub fn miss(&mut self, because: String) {
        self.missed += 1;
        self.missed_because = Some(because);
    }

    fn note_partitions(&mut self, look: &Look) {
        if self.tracks.is_empty() {
            let track = |partition: &Partition| Track {
                partition: partition.clone(),
                committed: None,
                behind: 0,
                behind_max: 0,
                lag: None,
                lag_max: None,
            };
            self.tracks = look.standings.iter().map(|it| track(&it.partition)).collect();
        }
        for (track, standing) in self.tracks.iter_mut().zip(&look.standings) {
            track.committed = standing.committed;
            track.behind = standing.behind;
            track.behind_max = track.behind_max.max(standing.behind);
            track.lag = standing.lag;
            track.lag_max = track.lag_max.max(standing.lag);
        }
    }

    fn note_members(&mut self, members: &Members) {
        let before = std::mem::replace(&mut self.members, members.clone());
        // While partitions are divided anew, who has which is no news.
        let has_begun = members.is_moving && !before.is_moving;
        let has_changed = !members.is_moving && !before.is_moving && members.each != before.each;
        if (has_begun || has_changed) && !before.each.is_empty() {
            self.rebalances += 1;
        }
    }

    fn note_point(&mut self, point: Point) {
        if !(self.looks - 1).is_multiple_of(self.point_looks)
            && let Some(last) = self.points.last_mut()
        {
            last.join(&point);
            return;
        }
        if self.points.len() == POINTS_MAX {
            self.points = self
                .points
                .chunks(2)
                .map(|pair| {
                    let mut joined = pair[0];
                    pair[1..].iter().for_each(|other| joined.join(other));
                    joined
                })
                .collect();
            self.point_looks *= 2;
        }
        self.points.push(point);
    }

    fn note_episode(&mut self, now: Now, lag: Duration) {
        let Some(mut episode) = self.episode.take() else {
            let usual = Duration::from_millis(self.usual_ms.value_at_quantile(0.5));
            let limit = EPISODE_ABOVE.max(usual * EPISODE_TIMES);
            self.episode = (lag > limit).then_some(Episode {
                began_ns: now.at_ns,
                limit,
                peak: Most { most: lag, at_ns: now.at_ns },
                behind_max: now.behind,
                last_ns: now.at_ns,
                over_ns: None,
            });
            return;
        };
        episode.last_ns = now.at_ns;
        episode.peak.note(lag, now.at_ns);
        episode.behind_max = episode.behind_max.max(now.behind);
        if lag > episode.limit {
            self.episode = Some(episode);
            return;
        }
        episode.over_ns = Some(now.at_ns);
        self.episodes.push(episode);
        if self.episodes.len() > EPISODES_MAX {
            self.episodes_more += 1;
            let shortest = (0..EPISODES_MAX).min_by_key(|&index| self.episodes[index].length());
            self.episodes.remove(shortest.unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests;
