//! The live line: how a run goes, in one line of text.

use std::collections::VecDeque;
use std::time::Duration;

use super::consumer::Standing;
use super::figure;
use super::tally::Glance;

/// Glances that rates are taken over: with one a second, the last five seconds.
const GLANCES: usize = 6;

/// Where a run is to end, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Where the window begins, in microseconds of model time since the Unix epoch.
    pub begin_us: i64,
    /// Where it ends.
    pub until_us: Option<i64>,
    /// How many events it has, if a number was asked for.
    pub count: Option<u64>,
    /// Seconds of model time in a second of wall time; `None`: as fast as it goes.
    pub speed: Option<f64>,
}

impl Goal {
    /// What share of the run is done, 0 to 1; `None` if it has no end.
    pub fn share(&self, glance: &Glance) -> Option<f64> {
        if let Some(count) = self.count {
            return Some((glance.issued as f64 / count.max(1) as f64).min(1.0));
        }
        let length_us = (self.until_us? - self.begin_us).max(1);
        let done_us = glance.due_us.map_or(0, |due_us| due_us - self.begin_us);
        Some((done_us as f64 / length_us as f64).clamp(0.0, 1.0))
    }
}

/// What the live line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The last glance.
    pub glance: Glance,
    /// Events a second as the schedule has them; `None` before two glances or if nothing is due.
    pub intended_per_s: Option<f64>,
    /// Events a second as the broker acknowledged them.
    pub delivered_per_s: f64,
    /// The share done, 0 to 1, if the end is known.
    pub share: Option<f64>,
    /// Time left, if the end is known and near enough to tell.
    pub left: Option<Duration>,
    /// Who reads what is sent, if that is watched.
    pub consumer: Option<Standing>,
}

/// Makes views out of glances.
#[derive(Clone, Debug)]
pub struct Progress {
    goal: Goal,
    began_ns: i64,
    glances: VecDeque<(i64, Glance)>,
}

impl Progress {
    /// Begins at the wall clock `now_ns`.
    pub fn new(goal: Goal, now_ns: i64) -> Self {
        Self { goal, began_ns: now_ns, glances: VecDeque::from([(now_ns, Glance::default())]) }
    }

    /// What is to be said after a glance at the wall clock `now_ns`.
    pub fn view(&mut self, glance: Glance, now_ns: i64) -> View {
        if self.glances.len() == GLANCES {
            self.glances.pop_front();
        }
        self.glances.push_back((now_ns, glance));
        let (then_ns, then) = self.glances.front().copied().unwrap_or_default();
        let wall_s = (now_ns - then_ns).max(1) as f64 / 1e9;
        let share = self.goal.share(&glance);
        View {
            glance,
            intended_per_s: self.intended_per_s(&then, &glance, wall_s),
            delivered_per_s: glance.delivered.saturating_sub(then.delivered) as f64 / wall_s,
            share,
            left: self.left(&glance, share, now_ns),
            consumer: None,
        }
    }

    /// The schedule's own rate: events over the stretch of model time that they fill, so that it
    /// stays what it is when the sink falls behind.
    fn intended_per_s(&self, then: &Glance, now: &Glance, wall_s: f64) -> Option<f64> {
        let issued = now.issued.saturating_sub(then.issued) as f64;
        let Some(speed) = self.goal.speed else { return Some(issued / wall_s) };
        let model_us = now.due_us? - then.due_us.unwrap_or(self.goal.begin_us);
        (model_us > 0).then(|| issued * speed * 1e6 / model_us as f64)
    }

    fn left(&self, glance: &Glance, share: Option<f64>, now_ns: i64) -> Option<Duration> {
        let share = share.filter(|share| *share > 0.0)?;
        let left_s = match (self.goal.speed, self.goal.until_us, self.goal.count) {
            // Under a ceiling it is not the schedule that says when the end comes.
            (Some(speed), Some(until_us), None) if glance.governed.is_zero() => {
                (until_us - glance.due_us?).max(0) as f64 / 1e6 / speed
            }
            _ => (now_ns - self.began_ns) as f64 / 1e9 * (1.0 - share) / share,
        };
        Duration::try_from_secs_f64(left_s).ok()
    }
}

impl View {
    /// How much of the run is done and left: `48 % done, 16 s left`; empty if it has no end.
    pub fn rest(&self) -> String {
        let share = self.share.map(|share| format!("{:.0} % done", (share * 100.0).floor()));
        let left = self.left.map(|left| Duration::from_secs(left.as_secs()));
        let left = left.map(|left| format!("{} left", figure::time(left)));
        share.into_iter().chain(left).collect::<Vec<_>>().join(", ")
    }

    /// How the run goes.
    pub fn state(&self) -> String {
        let intended = self.intended_per_s.map_or_else(|| "–".to_owned(), figure::rate);
        let consumer = self.consumer.map(|consumer| format!(" · {consumer}"));
        let governed = Some(self.glance.governed).filter(|governed| !governed.is_zero());
        let governed =
            governed.map(|time| format!(" · held {} by the ceiling", figure::time(time)));
        format!(
            "intended {intended} · delivered {} · behind by {}{} · in flight {} · failed {}{}",
            figure::rate(self.delivered_per_s),
            figure::time(self.glance.lag),
            governed.unwrap_or_default(),
            figure::count(self.glance.in_flight()),
            figure::count(self.glance.failed),
            consumer.unwrap_or_default(),
        )
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.state())?;
        if self.share.is_some() {
            write!(formatter, " · {}", self.rest())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    fn glance(issued: u64, delivered: u64, due_us: i64) -> Glance {
        Glance { issued, delivered, due_us: Some(due_us), ..Glance::default() }
    }

    #[test]
    fn the_line_tells_the_schedules_rate_even_when_the_broker_is_slow() {
        let goal = Goal { begin_us: 0, until_us: Some(30_000_000), count: None, speed: Some(1.0) };
        let mut progress = Progress::new(goal, 0);
        // Two seconds of wall time, in which one second's worth was handed over and half of it
        // acknowledged.
        let view = progress.view(
            Glance { lag: Duration::from_secs(1), ..glance(500, 250, 1_000_000) },
            2 * SECOND_NS,
        );
        assert_eq!(
            view.to_string(),
            "intended 500/s · delivered 125/s · behind by 1 s · in flight 250 · failed 0 · \
             3 % done, 29 s left"
        );
    }

    #[test]
    fn the_line_tells_how_long_a_ceiling_held_and_does_not_trust_the_schedule_then() {
        let goal = Goal { begin_us: 0, until_us: Some(10_000_000), count: None, speed: Some(1.0) };
        let (lag, governed) = (Duration::from_secs(3), Duration::from_millis(3_900));
        let glance = Glance { lag, governed, ..glance(500, 500, 1_000_000) };
        let view = Progress::new(goal, 0).view(glance, 4 * SECOND_NS);
        assert_eq!(
            view.to_string(),
            "intended 500/s · delivered 125/s · behind by 3 s · held 3.90 s by the ceiling · \
             in flight 0 · failed 0 · 10 % done, 36 s left"
        );
    }

    #[test]
    fn sixty_times_the_speed_is_sixty_times_the_rate() {
        let goal =
            Goal { begin_us: 0, until_us: Some(600_000_000), count: None, speed: Some(60.0) };
        let view = Progress::new(goal, 0).view(glance(30_000, 30_000, 60_000_000), SECOND_NS);
        assert_eq!(view.intended_per_s, Some(30_000.0));
        assert_eq!(view.left, Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_run_without_an_end_has_neither_share_nor_time_left() {
        let goal = Goal { begin_us: 0, until_us: None, count: None, speed: None };
        let view = Progress::new(goal, 0).view(glance(1_000, 1_000, 5), SECOND_NS);
        assert_eq!((view.share, view.left), (None, None));
        assert_eq!(view.intended_per_s, Some(1_000.0));
    }

    #[test]
    fn rates_are_those_of_the_last_seconds_not_of_the_whole_run() {
        let goal = Goal { begin_us: 0, until_us: None, count: Some(100_000), speed: None };
        let mut progress = Progress::new(goal, 0);
        for second in 1..=10 {
            progress
                .view(glance(1_000 * second, 1_000 * second, 1), second.cast_signed() * SECOND_NS);
        }
        for second in 11..=20 {
            let count = 10_000 + 10 * (second - 10);
            let view = progress.view(glance(count, count, 1), second.cast_signed() * SECOND_NS);
            if second == 20 {
                assert!((view.delivered_per_s - 10.0).abs() < 1e-9, "{view:?}");
                assert!(view.share.is_some_and(|share| (share - 0.101).abs() < 1e-9));
            }
        }
    }
}
