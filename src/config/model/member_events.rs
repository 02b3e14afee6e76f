//! Streams whose events come from the members of an entity, one by one, and not from a rate.

use crate::config::Spanned;

/// Which events of its members a stream is made of.
#[derive(Clone, Debug)]
pub enum MemberEvents {
    /// Each member as it is, again when it changes, and a tombstone at its end.
    Changelog(Changelog),
    /// One event a member and period.
    RollCall(RollCall),
}

impl MemberEvents {
    /// The name of the entity.
    pub fn entity(&self) -> &Spanned<String> {
        match self {
            Self::Changelog(changelog) => &changelog.entity,
            Self::RollCall(roll_call) => &roll_call.each,
        }
    }
}

/// A stream that tells what an entity's members are like.
#[derive(Clone, Debug)]
pub struct Changelog {
    /// The entity.
    pub entity: Spanned<String>,
    /// When the members that there are at the start are told.
    pub snapshot: Snapshot,
}

/// When the members that there are at the start are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// Before the run, as fast as it goes.
    Before,
    /// Over so many microseconds from the start on.
    Spread(u64),
    /// Not at all.
    None,
}

/// `each = "symbol", every = "1d"`.
#[derive(Clone, Debug)]
pub struct RollCall {
    /// The entity.
    pub each: Spanned<String>,
    /// The period in microseconds.
    pub every_us: Spanned<u64>,
    /// When, if it is not spread over the period: then the period is a day.
    pub at: Option<TimeOfDay>,
    /// The periods that count. None: all.
    pub calendar: Option<Calendar>,
    /// The IANA zone of times of day and calendars.
    pub zone: String,
}

/// A time of each day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay {
    /// Microseconds since midnight.
    pub since_midnight_us: u64,
    /// Over how many microseconds from then on members are spread; 1 for all at once.
    pub spread_us: u64,
}

/// Days on which something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// From Monday on.
    pub weekdays: [bool; 7],
    /// Days since 1970-01-01 on which nothing happens, in order.
    pub holidays: Vec<i32>,
}
