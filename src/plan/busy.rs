//! Members that have more to do than anybody has.

use std::collections::BTreeMap;

use super::StreamPlan;
use super::world::{Kind, World};
use crate::config::{Mistake, Spanned};

/// Events a day that a member has on average before a word is said: of people who act one to three
/// times a day, fewer than one in 1,000 acts 40 times.
const MEMBER_EVENTS_A_DAY_MAX: f64 = 40.0;
const DAY_S: f64 = 86_400.0;

/// How far the activity that is written down may be from the one that rate and count come to.
const ACTIVITY_APART_MAX: f64 = 0.05;

/// A word for each population that is too small for the rate of the streams that it acts in, or that
/// acts otherwise than is written down; `written` has the rates by who acts.
pub(super) fn warnings(
    world: &World<'_>,
    streams: &[StreamPlan],
    written: &BTreeMap<&str, f64>,
) -> Vec<Mistake> {
    let busy = world.kinds.iter().enumerate().filter_map(|(number, kind)| {
        let activity = kind.entity.activity.as_ref()?;
        if let Some(mean) = &activity.mean_per_s {
            let rate_per_s = written.get(kind.entity.name.as_str())?;
            return otherwise(kind, (mean, *rate_per_s));
        }
        let roots = streams.iter().filter(|it| it.follow_up().is_none());
        let acted_in = roots.filter(|it| it.compiled.actor == Some(number));
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

/// A word where members act otherwise than is written down.
fn otherwise(kind: &Kind<'_>, (mean, rate_per_s): (&Spanned<f64>, f64)) -> Option<Mistake> {
    let (each_per_s, count) = (rate_per_s / kind.count as f64, kind.count);
    if rate_per_s <= 0.0 || (each_per_s / mean.value - 1.0).abs() <= ACTIVITY_APART_MAX {
        return None;
    }
    let what = format!(
        "each of the {count} members of `{}` acts {:.2} times a day, by the rates of the streams, \
         and not {:.2} times",
        kind.entity.name,
        each_per_s * DAY_S,
        mean.value * DAY_S
    );
    let help = format!(
        "of rate, count and mean activity give two: {:.0} members would act as is written",
        libm::round(rate_per_s / mean.value)
    );
    Some(Mistake { span: mean.span.clone(), what, help: Some(help) })
}
