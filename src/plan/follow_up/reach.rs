//! How far back a step looks.

use super::{CLASSES, Part, Step};

impl Step {
    /// How many of the root's events are looked at for one of a tick, if there is nothing earlier than
    /// so many microseconds before it: 1 where all delays are over, a little more where their tail is
    /// looked at in parts.
    pub fn looks(&self, back_us: u64) -> f64 {
        let least_us = |part: &Part| match part {
            Part::Near(knots) => knots[0],
            Part::Far { first, .. } => first * self.tick_us,
        };
        let parts = self.classes.iter().flatten();
        parts.filter(|part| least_us(part) <= back_us).count() as f64 / f64::from(CLASSES)
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::follow_up::Delays;

    use super::*;

    #[test]
    fn it_looks_at_those_classes_whose_delays_are_over() {
        let day_us = 86_400_000_000;
        let delays = Delays { parts: Vec::new(), min_s: 86_400.0, max_s: 3.0 * 86_400.0 };
        let step = Step::new([1, 2], 1.0, &delays, 1_000_000);
        assert!(step.looks(day_us - 1) < 0.05);
        assert!((step.looks(2 * day_us) - 0.5).abs() < 0.05);
        assert!((step.looks(3 * day_us) - 1.0).abs() < 1e-9);
    }
}
