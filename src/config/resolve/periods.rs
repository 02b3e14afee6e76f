//! Periods: how often something of an entity's members comes round.

use super::super::reader::{At, Reader};
use super::super::{Spanned, units};

/// The longest period: 285 years.
const LONGEST_US: u64 = 1 << 53;

/// A length of time that counts in whole microseconds, at least `least_s` seconds.
pub(super) fn period(reader: &mut Reader<'_>, at: &At<'_>, least_s: u64) -> Option<Spanned<u64>> {
    let period = reader.unit(at, units::duration)?;
    let period_us = u64::try_from(period.value.as_micros()).unwrap_or(u64::MAX);
    if (least_s * 1_000_000..=LONGEST_US).contains(&period_us) {
        return Some(Spanned { value: period_us, span: period.span });
    }
    let what = format!("`{}` must be from {least_s} s to 285 years", at.path);
    reader.refuse(&period.span, what, "write it with its unit: \"180d\", \"1461d\", \"36h\"");
    None
}
