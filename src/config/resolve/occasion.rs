//! Occasions: favourites and periods of members, and what is drawn once for them.

use super::super::Spanned;
use super::super::model::{Favourite, Generator, Period};
use super::super::reader::{At, Reader, Section};
use super::{Names, periods, value};

/// The most favourites of a member.
const FAVOURITES_MAX: i128 = 4_096;
const DAY_US: u64 = 86_400_000_000;

/// Any generator can have `once`.
pub(super) fn with_once(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    generator: Option<Generator>,
) -> Option<Generator> {
    let Some(at) = section.get("once") else { return generator };
    let on = reader.text(&at)?;
    let generator = Box::new(Spanned { value: generator?, span: section.span.clone() });
    Some(Generator::Once { on, generator })
}

/// `{ favourite = 12, of = "account", share = 0.7, exponent = 0.8 }`.
pub(super) fn favourite(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Favourite> {
    let of = reader.require(section, "of", "say whose favourites: of = \"account\"");
    let of = of.and_then(|at| reader.text(&at));
    let share = section.get("share").map_or(Some(1.0), |at| reader.number(&at, &(0.0..=1.0)));
    let exponent = section.get("exponent").map_or(Some(0.0), |at| reader.number(&at, &(0.0..=4.0)));
    let count = reader.whole(main, &(1..=FAVOURITES_MAX));
    Some(Favourite {
        of: of?,
        count: u32::try_from(count?).ok()?,
        share: share?,
        exponent: exponent?,
    })
}

/// `{ period = "30d", of = "account", begins = "04:00", zone = "account.home.zone" }`.
pub(super) fn period(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let of = reader.require(section, "of", "say whose periods: of = \"account\"");
    let of = of.and_then(|at| reader.text(&at));
    let at = section.get("begins");
    let zone = section.get("zone");
    let begins_us = at.as_ref().map(|at| time_of_day(reader, at));
    let zone_path = zone.as_ref().map(|at| reader.text(at));
    match (&at, &zone) {
        (Some(at), None) => {
            let what = format!("`{}` does not say in which zone", at.path);
            reader.refuse(&at.key_span, what, "add zone = \"…\", a path to a column of zones");
            return None;
        }
        (None, Some(zone)) => {
            let what = format!("`{}` has a meaning only with `begins`", zone.path);
            reader.refuse(&zone.key_span, what, "add begins = \"04:00\", or leave it out");
            return None;
        }
        _ => {}
    }
    let length = periods::period(reader, main, 60)?;
    let (unit_us, noun) = if at.is_some() { (DAY_US, "days") } else { (1_000_000, "seconds") };
    if length.value % unit_us != 0 {
        let what = format!("`{}` is no number of whole {noun}", main.path);
        let help = match noun {
            "days" => "with `begins`, periods are whole days: \"1d\", \"30d\"",
            _ => "write it in whole units: \"30d\", \"36h\"",
        };
        reader.refuse(&length.span, what, help);
        return None;
    }
    if length.value / unit_us > u64::from(u32::MAX) {
        let what = format!("`{}` is longer than 2^32 {noun}", main.path);
        reader.refuse(&length.span, what, "");
        return None;
    }
    let begins_us = match begins_us {
        None => None,
        Some(read) => Some(read?),
    };
    let zone = match zone_path {
        None => None,
        Some(read) => Some(read?),
    };
    Some(Generator::Period(Period { of: of?, length_us: length.value, begins_us, zone }))
}

/// `"04:00"`, as microseconds after midnight.
/// Hours and minutes, in microseconds since midnight.
pub(super) fn time_of_day(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    let text = reader.text(at)?;
    let part = |part: &str, below: u64| {
        let number = (part.len() == 2).then(|| part.parse::<u64>().ok()).flatten()?;
        (number < below).then_some(number)
    };
    let read = text.value.split_once(':').and_then(|(hours, minutes)| {
        Some((part(hours, 24)? * 60 + part(minutes, 60)?) * 60_000_000)
    });
    if read.is_none() {
        let what = format!("`{}` is `{}`, which is no time of day", at.path, text.value);
        reader.refuse(&text.span, what, "hours and minutes: \"04:00\", up to \"23:59\"");
    }
    read
}

/// `{ habit = "merchant", of = "account", favourites = 12, share = 0.7 }`.
pub(super) fn habit(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
    main: &At<'_>,
) -> Option<Generator> {
    let count = reader.require(section, "favourites", "say how many: favourites = 12");
    let favourite = if let Some(at) = count {
        favourite(reader, section, &at)
    } else {
        // They are known all the same.
        let _known = ["of", "share", "exponent"].map(|key| section.get(key));
        None
    };
    let member = value::picked(reader, names, section, main);
    let member = Box::new(Spanned { value: member?, span: section.span.clone() });
    Some(Generator::Habit { favourite: favourite?, member })
}
