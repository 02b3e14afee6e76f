//! Events that come from the members of an entity, one by one: changelogs and roll-calls.

use std::ops::Range;

use super::changing::Changing;
use super::rota::Rota;
use super::zone::{SLOT_US, Zones};
use crate::config::Mistake;
use crate::config::model::{Calendar, MemberEvents, RollCall, Snapshot, Stream};
use crate::generate::philox;

const DAY_US: i64 = 86_400_000_000;
/// Members that can have their events within a second: they are one batch.
const MOMENT_MAX: u64 = 1_000_000;

/// Members of whom not all events of a period may be in one batch.
const CROWD_MIN: u64 = 262_144;
/// Events of a batch of theirs, at least.
const CROWD_EVENTS: u64 = 65_536;

/// Phases of a snapshot before the run: it has no times, only an order.
const SNAPSHOT_PHASES: u64 = 1 << 40;

/// What a record of a changelog tells, in the lowest bits of its number: a member that is there, or
/// born.
const BORN: u32 = 0;
/// A member that has ended.
const ENDED: u32 = 1;
/// The first attribute that changed; the others follow.
const CHANGED: u32 = 2;

/// An event of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// When, in microseconds since the start.
    pub time_us: u64,
    /// The member (upper word), and which of its events it is (lower word): of a roll-call the
    /// period, of a changelog the version, and what it is the version of.
    pub number: u64,
}

impl Call {
    fn new(time_us: u64, member: u32, event: u32) -> Self {
        Self { time_us, number: u64::from(member) << 32 | u64::from(event) }
    }
}

/// Where the events of a stream of members come from.
#[derive(Debug)]
pub enum Members {
    /// A changelog.
    Changelog(Changelog),
    /// A roll-call.
    RollCall(Calls),
}

/// When a changelog has records.
#[derive(Debug)]
pub struct Changelog {
    changing: Changing,
    snapshot: Option<Rota>,
    before: bool,
    /// Bits of what a version is of.
    kind_bits: u32,
}

/// When a roll-call has events.
#[derive(Debug)]
pub struct Calls {
    rota: Rota,
    every_us: u64,
    since_midnight_us: Option<i64>,
    calendar: Option<Calendar>,
    zones: Zones,
    start_us: i64,
}

impl Members {
    /// The events of an entity's members.
    pub fn new(events: &MemberEvents, changing: &Changing, seed: u64, start_us: i64) -> Self {
        let rota = |kind: &str, name: &str, period_us: u64| {
            Rota::new(&changing.sizes, period_us, philox::key(seed, kind, name))
        };
        match events {
            MemberEvents::Changelog(changelog) => {
                let rota = |over_us| rota("snapshot", &changelog.entity.value, over_us);
                Self::Changelog(Changelog {
                    changing: changing.clone(),
                    snapshot: match changelog.snapshot {
                        Snapshot::Before => Some(rota(SNAPSHOT_PHASES)),
                        Snapshot::Spread(over_us) => Some(rota(over_us)),
                        Snapshot::None => None,
                    },
                    before: changelog.snapshot == Snapshot::Before,
                    kind_bits: (CHANGED as usize + changing.attributes.len())
                        .next_power_of_two()
                        .trailing_zeros(),
                })
            }
            MemberEvents::RollCall(roll_call) => {
                let RollCall { each, every_us, at, calendar, zone } = roll_call;
                let over_us = at.map_or(every_us.value, |at| at.spread_us);
                Self::RollCall(Calls {
                    rota: rota("roll-call", &each.value, over_us),
                    every_us: every_us.value,
                    since_midnight_us: at.map(|at| at.since_midnight_us.cast_signed()),
                    calendar: calendar.clone(),
                    zones: Zones::new([zone.as_str()]).unwrap_or_default(),
                    start_us,
                })
            }
        }
    }

    /// Events a second, on average over a long time.
    pub fn rate_per_s(&self) -> f64 {
        let each = |rota: &Rota| rota.count() as f64 * 1e6 / rota.period_us() as f64;
        match self {
            Self::Changelog(changelog) => {
                let changing = &changelog.changing;
                let changes = changing.attributes.iter().flatten().map(|rota| each(rota));
                // An end is followed by a birth.
                changes.sum::<f64>() + changing.lifetime.as_deref().map_or(0.0, |it| 2.0 * each(it))
            }
            Self::RollCall(calls) => calls.rota.count() as f64 * 1e6 / calls.every_us as f64,
        }
    }

    /// Refuses what could not be made: too many events at one moment, none ever.
    pub fn check(&self, stream: &Stream) -> Result<(), Vec<Mistake>> {
        let refuse = |what: String, help: &str| {
            let (span, help) = (stream.span.clone(), Some(help.to_owned()));
            Err(vec![Mistake { span, what, help }])
        };
        match self {
            Self::RollCall(calls) => {
                let moments = calls.rota.period_us().div_ceil(1_000_000);
                let most = calls.rota.count().div_ceil(moments);
                if most > MOMENT_MAX {
                    let what = format!(
                        "{most} members would have their events within a second, but the limit is \
                         {MOMENT_MAX}"
                    );
                    return refuse(what, "spread them over a longer time: spread = \"10m\"");
                }
            }
            Self::Changelog(Changelog { changing, snapshot: None, .. })
                if changing.lifetime.is_none()
                    && changing.attributes.iter().all(Option::is_none) =>
            {
                let what = format!("the changelog of `{}` would never have a record", stream.name);
                return refuse(what, "let members be told at the begin, or an attribute change");
            }
            Self::Changelog(_) => {}
        }
        Ok(())
    }

    /// The longest stretch of time, in microseconds, that has about so many events at most; longer
    /// where that costs little.
    pub fn stretch_us(&self, events: u64) -> f64 {
        let each = |rota: &Rota, events: u64| {
            rota.period_us() as f64 * events as f64 / rota.count().max(1) as f64
        };
        match self {
            Self::Changelog(Changelog { snapshot: Some(rota), before: false, .. }) => {
                each(rota, events)
            }
            Self::Changelog(_) => f64::INFINITY,
            Self::RollCall(calls) if calls.rota.count() <= CROWD_MIN => {
                // All of a period are together, or far apart.
                calls.every_us as f64 * (events / calls.rota.count().max(1)).max(1) as f64
            }
            Self::RollCall(calls) => each(&calls.rota, events.max(CROWD_EVENTS)),
        }
    }

    /// How many records there can be; none if there is no end to them.
    pub fn records_max(&self) -> Option<u64> {
        match self {
            Self::Changelog(changelog) if self.rate_per_s() <= 0.0 => {
                Some(changelog.snapshot.as_ref().map_or(0, Rota::count))
            }
            _ => None,
        }
    }

    /// Whether an event tells that its member has ended.
    pub fn is_tombstone(&self, number: u64) -> bool {
        match self {
            Self::Changelog(changelog) => {
                let kinds = (1 << changelog.kind_bits) - 1;
                number & kinds == u64::from(ENDED)
            }
            Self::RollCall(_) => false,
        }
    }

    /// How long events can be numbered, in microseconds since the start.
    pub fn numbered_us(&self) -> u64 {
        match self {
            Self::Changelog(changelog) => {
                let changing = &changelog.changing;
                let rotas = changing.attributes.iter().flatten().chain(&changing.lifetime);
                let shortest = rotas.map(|rota| rota.period_us()).min().unwrap_or(u64::MAX);
                shortest.saturating_mul((1 << (32 - changelog.kind_bits)) - 1)
            }
            Self::RollCall(calls) => calls.every_us.saturating_mul(u64::from(u32::MAX)),
        }
    }

    /// Calls `see` with the events of the lanes that `lanes` names in a window (microseconds since
    /// the start), in no order.
    pub fn events(
        &self,
        lanes: &dyn Fn(u32) -> bool,
        window_us: &Range<u64>,
        see: &mut impl FnMut(Call),
    ) {
        match self {
            Self::Changelog(changelog) => {
                let count = u32::try_from(changelog.changing.sizes.len()).unwrap_or(u32::MAX);
                for lane in (0..count).filter(|lane| lanes(*lane)) {
                    changelog.events(lane, window_us, see);
                }
            }
            Self::RollCall(calls) => calls.events(lanes, window_us, see),
        }
    }

    /// How many members the snapshot before the run has; none if there is no such snapshot.
    pub fn snapshot_count(&self) -> Option<u64> {
        match self {
            Self::Changelog(Changelog { before: true, snapshot, .. }) => {
                snapshot.as_ref().map(Rota::count)
            }
            _ => None,
        }
    }

    /// Calls `see` with the members of part `part` of `parts` of the snapshot before the run, in
    /// the lanes that `lanes` names; its records tell how things are at `time_us`.
    pub fn snapshot(
        &self,
        lanes: &dyn Fn(u32) -> bool,
        (part, parts): (u64, u64),
        time_us: u64,
        see: &mut impl FnMut(Call),
    ) {
        let Self::Changelog(changelog) = self else { return };
        let Changelog { changing, snapshot: Some(rota), .. } = changelog else { return };
        let bound = |part: u64| {
            let bound = u128::from(part) * u128::from(SNAPSHOT_PHASES) / u128::from(parts.max(1));
            u64::try_from(bound).unwrap_or(SNAPSHOT_PHASES)
        };
        let count = u32::try_from(changing.sizes.len()).unwrap_or(u32::MAX);
        for lane in (0..count).filter(|lane| lanes(*lane)) {
            rota.phased(lane, &(bound(part)..bound(part + 1)), &mut |member, _| {
                let lifetime = changing.lifetime.as_ref();
                let generation = lifetime.map_or(0, |rota| rota.version(member, time_us));
                see(changelog.call(time_us, member, (generation, BORN)));
            });
        }
    }
}

impl Changelog {
    fn call(&self, time_us: u64, member: u32, (version, kind): (u32, u32)) -> Call {
        Call::new(time_us, member, version << self.kind_bits | kind)
    }

    fn events(&self, lane: u32, window_us: &Range<u64>, see: &mut impl FnMut(Call)) {
        if let (Some(rota), false) = (&self.snapshot, self.before) {
            rota.phased(lane, window_us, &mut |member, phase_us| {
                see(self.call(phase_us, member, (0, BORN)));
            });
        }
        if let Some(lifetime) = &self.changing.lifetime {
            // Who ends is last seen in the microsecond before another is born.
            let ends = window_us.start + 1..window_us.end.saturating_add(1);
            lifetime.due(lane, &ends, &mut |due| {
                see(self.call(due.time_us - 1, due.number, (due.version - 1, ENDED)));
            });
            lifetime.due(lane, window_us, &mut |due| {
                see(self.call(due.time_us, due.number, (due.version, BORN)));
            });
        }
        for (rota, kind) in self.changing.attributes.iter().zip(CHANGED..) {
            let Some(rota) = rota else { continue };
            rota.due(lane, window_us, &mut |due| {
                see(self.call(due.time_us, due.number, (due.version, kind)));
            });
        }
    }
}

impl Calls {
    fn events(
        &self,
        lanes: &dyn Fn(u32) -> bool,
        window_us: &Range<u64>,
        see: &mut impl FnMut(Call),
    ) {
        let days = self.since_midnight_us.map(|since_us| self.days(since_us, window_us));
        for lane in (0..self.rota.lane_count()).filter(|lane| lanes(*lane)) {
            match &days {
                Some(days) => {
                    for &(day, begin_us) in days {
                        let phase = |at_us: u64| {
                            u64::try_from(i128::from(at_us) - i128::from(begin_us)).unwrap_or(0)
                        };
                        let phases = phase(window_us.start)..phase(window_us.end);
                        self.rota.phased(lane, &phases, &mut |member, phase_us| {
                            let time_us = begin_us.saturating_add_unsigned(phase_us);
                            let time_us = time_us.unsigned_abs();
                            see(Call::new(time_us, member, day));
                        });
                    }
                }
                None => self.spread(lane, window_us, see),
            }
        }
    }

    /// The days on which there are events in a window: their numbers from the start's own on, and
    /// when they begin, in microseconds since the start.
    fn days(&self, since_midnight_us: i64, window_us: &Range<u64>) -> Vec<(u32, i64)> {
        let at = |since_us: u64| self.start_us.saturating_add_unsigned(since_us);
        let first = self.local_day(self.start_us);
        let end_us = at(window_us.end.min(u64::MAX >> 2));
        (self.local_day(at(window_us.start)) - 1..=self.local_day(end_us) + 1)
            .filter(|day| *day >= first && self.is_open(*day))
            .map(|day| {
                let local_us = day * DAY_US + since_midnight_us;
                // The offset that holds then; where clocks skip the time, that of before.
                let guess_us = local_us - self.offset_us(local_us);
                let begin_us = local_us - self.offset_us(guess_us);
                (u32::try_from(day - first).unwrap_or(u32::MAX), begin_us - self.start_us)
            })
            .filter(|(_, begin_us)| {
                let last_us = begin_us.saturating_add_unsigned(self.rota.period_us());
                last_us > window_us.start.cast_signed() && *begin_us >= 0
            })
            .collect()
    }

    fn spread(&self, lane: u32, window_us: &Range<u64>, see: &mut impl FnMut(Call)) {
        // Members are due at the end of their period or before: one microsecond earlier it is
        // inside, from its begin on.
        let window_us = window_us.start.saturating_add(1)..window_us.end.saturating_add(1);
        let mut known = None;
        self.rota.due(lane, &window_us, &mut |due| {
            let time_us = due.time_us - 1;
            if self.calendar.is_some() {
                let instant_us = self.start_us.saturating_add_unsigned(time_us);
                let slot = instant_us.div_euclid(SLOT_US);
                let open = match known {
                    Some((of, open)) if of == slot => open,
                    _ => self.is_open(self.local_day(instant_us)),
                };
                known = Some((slot, open));
                if !open {
                    return;
                }
            }
            see(Call::new(time_us, due.number, due.version - 1));
        });
    }

    /// Days since 1970-01-01 in the zone.
    fn local_day(&self, instant_us: i64) -> i64 {
        (instant_us + self.offset_us(instant_us)).div_euclid(DAY_US)
    }

    fn offset_us(&self, instant_us: i64) -> i64 {
        let offsets = self.zones.offsets_minutes(instant_us.div_euclid(SLOT_US));
        offsets.first().map_or(0, |minutes| i64::from(*minutes) * 60_000_000)
    }

    fn is_open(&self, day: i64) -> bool {
        let Some(calendar) = &self.calendar else { return true };
        // 1970-01-01 was a Thursday.
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
        let is_holiday =
            i32::try_from(day).is_ok_and(|day| calendar.holidays.binary_search(&day).is_ok());
        calendar.weekdays[weekday] && !is_holiday
    }
}
