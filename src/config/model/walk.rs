//! Random walks, and times to read them at.

use super::Zone;
use crate::config::Spanned;

/// `{ walk = { … } }`: a value that wanders, for each member.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Where it stands in the file (`entities.symbol.attributes.price`): what its randomness hangs on.
    pub name: String,
    /// Whether steps are multiplied or added.
    pub geometric: bool,
    /// The value at the start of model time; of a geometric walk above 0.
    pub start: Spanned<Given>,
    /// The standard deviation of a year, as a share of the value if it is geometric; not below 0.
    pub volatility: Spanned<Given>,
    /// What the value gains in a year, as a share of itself if it is geometric. None: nothing.
    pub drift: Option<Spanned<Given>>,
    /// The length of a step in microseconds, from 1 ms.
    pub step_us: u64,
    /// In what time it comes back to 1/e of its distance from where it began. None: it does not.
    pub revert_us: Option<f64>,
    /// Digits after the point, 0 to 6.
    pub digits: u8,
    /// Values below are set to it.
    pub min: Option<f64>,
    /// Values above are set to it.
    pub max: Option<f64>,
}

/// A number, or the path to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// The number.
    Number(f64),
    /// The path.
    Path(String),
}

/// A time that follows from that of the event: rounded down first, then moved.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// It is rounded down to a multiple of so many microseconds since 1970, in local time.
    pub floor_us: Option<i64>,
    /// Whose local time. None: UTC.
    pub zone: Option<Spanned<Zone>>,
    /// Microseconds that it is then moved by.
    pub plus_us: i64,
}
