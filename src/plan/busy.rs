//! Members that have more to do than anybody has.

use super::StreamPlan;
use super::world::World;
use crate::config::Mistake;

/// Events a day that a member has on average before a word is said: of people who act one to three
/// times a day, fewer than one in 1,000 acts 40 times.
const MEMBER_EVENTS_A_DAY_MAX: f64 = 40.0;
const DAY_S: f64 = 86_400.0;

/// A word for each population that is too small for the rate of the streams that it acts in; none
/// where the activity itself is written down.
pub(super) fn warnings(world: &World<'_>, streams: &[StreamPlan]) -> Vec<Mistake> {
    let busy = world.kinds.iter().enumerate().filter_map(|(number, kind)| {
        let activity = kind.entity.activity.as_ref()?;
        if activity.mean_per_s.is_some() {
            return None;
        }
        let acted_in = streams.iter().filter(|it| it.compiled.actor == Some(number));
        let rate_per_s: f64 = acted_in.map(StreamPlan::rate_per_s).sum();
        let per_day = rate_per_s * DAY_S / kind.count as f64;
        if per_day <= MEMBER_EVENTS_A_DAY_MAX {
            return None;
        }
        let entity = kind.entity;
        let what = format!(
            "each of the {} members of `{}` acts {per_day:.0} times a day, more than \
             {MEMBER_EVENTS_A_DAY_MAX}",
            kind.count, entity.name
        );
        let enough = libm::ceil(rate_per_s * DAY_S / MEMBER_EVENTS_A_DAY_MAX);
        let help = format!(
            "raise `count` to {enough} or more; if it is meant so, give `count` and \
             activity = \"{per_day:.0}/day\" instead of the rate"
        );
        let span = entity.count.as_ref().map_or(&entity.span, |count| &count.span).clone();
        Some(Mistake { span, what, help: Some(help) })
    });
    busy.collect()
}
