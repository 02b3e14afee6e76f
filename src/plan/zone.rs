//! Time zones: minutes east of UTC at an instant.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Offsets and local hours are looked up once for each quarter of an hour; all changes of offsets
/// since 1970 fall on one.
pub const SLOT_US: i64 = 15 * 60 * 1_000_000;

/// Slots whose offsets are kept: those of 340 days, some 1 MB, because neighbours share theirs.
const SLOTS_KEPT: usize = 32_768;

/// Zones by number.
#[derive(Debug, Default)]
pub struct Zones {
    zones: Vec<TimeZone>,
    /// Offsets that were looked up before; they decide nothing.
    known: RwLock<BTreeMap<i64, Arc<[i32]>>>,
}

impl Zones {
    /// Zones by their IANA names; or the first name that is none.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        // The database that is compiled in: a machine's own may be of another year.
        let database = TimeZoneDatabase::bundled();
        names
            .into_iter()
            .map(|name| database.get(name).map_err(|_| name.to_owned()))
            .collect::<Result<_, _>>()
            .map(|zones| Self { zones, known: RwLock::default() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Minutes east of UTC, by zone, in the quarter of an hour that begins at `slot` times
    /// [`SLOT_US`] since the Unix epoch.
    pub fn offsets_minutes(&self, slot: i64) -> Arc<[i32]> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&slot) {
            return Arc::clone(known);
        }
        let instant = Timestamp::from_microsecond(slot.saturating_mul(SLOT_US));
        let instant = instant.unwrap_or(Timestamp::UNIX_EPOCH);
        let offset = |zone: &TimeZone| zone.to_offset(instant).seconds() / 60;
        let mut offsets: Arc<[i32]> = self.zones.iter().map(offset).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SLOTS_KEPT {
            known.clear();
        }
        if let Some((_, before)) = known.range(..slot).next_back().filter(|it| *it.1 == offsets) {
            offsets = Arc::clone(before);
        }
        known.insert(slot, Arc::clone(&offsets));
        offsets
    }
}

/// The hour of the week (0 to 167, from Monday 00:00) at an instant, `offset_minutes` east of UTC.
#[expect(clippy::cast_possible_truncation, reason = "0 to 167")]
pub fn hour_of_week(instant_us: i64, offset_minutes: i32) -> usize {
    let local_us = instant_us + i64::from(offset_minutes) * 60_000_000;
    // 1 January 1970 was a Thursday.
    (local_us.div_euclid(3_600_000_000) + 3 * 24).rem_euclid(168) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond().div_euclid(SLOT_US)
    }

    #[test]
    fn offsets_follow_summer_time() {
        let zones = Zones::new(["Europe/Berlin", "Asia/Kolkata", "America/New_York"]).unwrap();
        assert_eq!(zones.offsets_minutes(slot("2026-01-15T12:00:00Z"))[..], [60, 330, -300]);
        assert_eq!(zones.offsets_minutes(slot("2026-07-15T12:00:00Z"))[..], [120, 330, -240]);
        assert_eq!(zones.offsets_minutes(slot("2026-03-29T00:45:00Z"))[0], 60);
        assert_eq!(zones.offsets_minutes(slot("2026-03-29T01:00:00Z"))[0], 120);
    }

    #[test]
    fn the_week_begins_on_monday() {
        let monday = "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!(hour_of_week(monday, 0), 0);
        assert_eq!(hour_of_week(monday, -1), 167);
        assert_eq!(hour_of_week(monday, 330), 5);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        assert_eq!(Zones::new(["UTC", "Mars/Olympus"]).unwrap_err(), "Mars/Olympus");
    }
}
