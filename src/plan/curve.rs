//! What curves come to together, by local time.

use std::cell::LazyCell;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::zone::hour_of_week;
use crate::config::model::{CurveShape, Join};

/// Hours of a week.
const HOURS: usize = 168;
const HOUR_US: i64 = 3_600_000_000;

/// Curves that are multiplied, and what bounds the product.
#[derive(Clone, Debug)]
pub struct Curves {
    shapes: Vec<CurveShape>,
    floor: f64,
    cap: f64,
}

impl Curves {
    /// The product of these, never below `floor` nor above `cap`.
    pub fn new(shapes: Vec<CurveShape>, floor: f64, cap: f64) -> Self {
        Self { shapes, floor, cap }
    }

    /// The same product, whatever it is.
    #[must_use]
    pub fn without_bounds(self) -> Self {
        Self { floor: 0.0, cap: f64::INFINITY, ..self }
    }

    /// Whether local time does not matter.
    pub fn is_flat(&self) -> bool {
        self.shapes.is_empty()
    }

    /// The multiplier at a local time, in microseconds since 1970-01-01T00:00 there.
    pub fn at(&self, local_us: i64) -> f64 {
        let hour = hour_of_week(local_us, 0);
        let inside = local_us.rem_euclid(HOUR_US) as f64 / HOUR_US as f64;
        let date = LazyCell::new(|| date(local_us));
        let value = |shape: &CurveShape| match shape {
            CurveShape::Hours { values, join: Join::Steps } => values[hour % values.len()],
            CurveShape::Hours { values, join: Join::Lines } => {
                let (from, to) = (values[hour % values.len()], values[(hour + 1) % values.len()]);
                from + (to - from) * inside
            }
            dates => dates.on(date.0, date.1),
        };
        self.shapes.iter().map(value).product::<f64>().clamp(self.floor, self.cap)
    }

    /// A value that no multiplier is above.
    pub fn greatest(&self) -> f64 {
        let hours = (0..HOURS).map(|hour| {
            let values = self.shapes.iter().map(|shape| match shape {
                // A line lies between its ends.
                CurveShape::Hours { values, join: Join::Lines } => {
                    values[hour % values.len()].max(values[(hour + 1) % values.len()])
                }
                CurveShape::Hours { values, .. } => values[hour % values.len()],
                CurveShape::Days { values, others } => {
                    others * values.iter().map(|(_, value)| value.max(1.0)).product::<f64>()
                }
                // Formulas are the same in all zones, and no part of what is local.
                CurveShape::Formula(_) => 1.0,
                CurveShape::Dates(dates) => dates.iter().map(|(_, value)| value.max(1.0)).product(),
            });
            values.product::<f64>()
        });
        hours.fold(0.0, f64::max).clamp(self.floor, self.cap)
    }
}

/// Year, month and day, and how far that is from the month's end.
fn date(local_us: i64) -> ((i16, i8, i8), i8) {
    let instant = Timestamp::from_microsecond(local_us).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = Offset::UTC.to_datetime(instant).date();
    ((date.year(), date.month(), date.day()), date.days_in_month() - date.day())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::CalendarDate;

    fn local(text: &str) -> i64 {
        format!("{text}Z").parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn of(shape: CurveShape) -> Curves {
        Curves::new(vec![shape], 0.0, f64::INFINITY)
    }

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value}, not {expected}");
    }

    #[test]
    fn lines_lead_from_the_begin_of_an_hour_to_that_of_the_next() {
        let mut values = vec![1.0; 24];
        values[9] = 3.0;
        for (join, quarter, last) in [(Join::Steps, 1.0, 3.0), (Join::Lines, 1.5, 1.5)] {
            let curves = of(CurveShape::Hours { values: values.clone(), join });
            close(curves.at(local("2026-03-02T08:00:00")), 1.0);
            close(curves.at(local("2026-03-02T08:15:00")), quarter);
            close(curves.at(local("2026-03-02T09:00:00")), 3.0);
            close(curves.at(local("2026-03-02T09:45:00")), last);
            close(curves.greatest(), 3.0);
        }
    }

    #[test]
    fn days_count_from_both_ends_of_a_month() {
        let curves =
            of(CurveShape::Days { values: vec![(1, 2.0), (28, 0.5), (-1, 3.0)], others: 1.0 });
        for (day, expected) in [
            ("2026-02-28", 1.5),
            ("2028-02-28", 0.5),
            ("2028-02-29", 3.0),
            ("2026-03-31", 3.0),
            ("2026-04-01", 2.0),
            ("2026-04-30", 3.0),
            ("2026-04-15", 1.0),
        ] {
            close(curves.at(local(&format!("{day}T23:59:59"))), expected);
        }
    }

    #[test]
    fn a_date_is_of_every_year_or_of_one() {
        let date = |year, month, day| CalendarDate { year, month, day };
        let curves =
            of(CurveShape::Dates(vec![(date(None, 12, 24), 2.0), (date(Some(2026), 11, 27), 2.5)]));
        close(curves.at(local("2031-12-24T10:00:00")), 2.0);
        close(curves.at(local("2026-11-27T00:00:00")), 2.5);
        close(curves.at(local("2027-11-27T00:00:00")), 1.0);
    }

    #[test]
    fn the_product_stays_between_floor_and_cap() {
        let mut values = vec![1.0; 24];
        (values[3], values[12]) = (0.1, 4.0);
        let hours = CurveShape::Hours { values, join: Join::Steps };
        let days = CurveShape::Days { values: vec![(-1, 2.0)], others: 1.0 };
        let curves = Curves::new(vec![hours, days], 0.5, 3.0);
        close(curves.at(local("2026-03-30T12:00:00")), 3.0);
        close(curves.at(local("2026-03-31T01:00:00")), 2.0);
        close(curves.at(local("2026-03-31T03:00:00")), 0.5);
        close(curves.greatest(), 3.0);
    }
}
