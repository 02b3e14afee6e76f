//! Curves: multipliers of a rate over local time.

use super::Formula;

/// A multiplier over local time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its values.
    pub shape: CurveShape,
}

/// What a curve goes by; no value is negative.
#[derive(Clone, Debug, PartialEq)]
pub enum CurveShape {
    /// 24 hours of the day, or 168 of the week from Monday 00:00 on; not all 0.
    Hours {
        /// By hour; mean 1 unless `normalise = false`.
        values: Vec<f64>,
        /// What holds inside an hour.
        join: Join,
    },
    /// Days of the month; a day that is not named counts `others`.
    Days {
        /// Days from 1 on, or from −1, the last, backwards; days that are named twice are multiplied.
        values: Vec<(i8, f64)>,
        /// What makes the mean 1 unless `normalise = false`.
        others: f64,
    },
    /// Dates; others count 1.
    Dates(Vec<(CalendarDate, f64)>),
    /// A formula of the hours since the model's start, read in the middle of each of its quarters of
    /// an hour; the same in all zones.
    Formula(Formula),
}

/// What holds between the values of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// A value holds until the next.
    Steps,
    /// A straight line leads from the begin of an hour to that of the next, read each quarter of an hour.
    Lines,
}

/// A date, of every year or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarDate {
    /// None: every year.
    pub year: Option<i16>,
    /// From 1 on.
    pub month: i8,
    /// From 1 on.
    pub day: i8,
}

impl CurveShape {
    /// The formula, if it is one.
    pub fn formula(&self) -> Option<Formula> {
        match self {
            Self::Formula(formula) => Some(formula.clone()),
            _ => None,
        }
    }

    /// What holds on a date that is so far from the end of its month (0 on the last day); 1 if hours
    /// decide.
    pub fn on(&self, (year, month, day): (i16, i8, i8), from_end: i8) -> f64 {
        match self {
            Self::Hours { .. } | Self::Formula(_) => 1.0,
            Self::Days { values, others } => {
                let named = values.iter().filter(|(at, _)| *at == day || *at == -1 - from_end);
                others * named.map(|(_, value)| value).product::<f64>()
            }
            Self::Dates(dates) => {
                let is_it = |date: &CalendarDate| {
                    (date.month, date.day) == (month, day) && date.year.is_none_or(|it| it == year)
                };
                dates.iter().filter(|(date, _)| is_it(date)).map(|(_, value)| value).product()
            }
        }
    }
}
