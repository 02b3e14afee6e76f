//! Roll-calls: one event a member and period.

use super::super::model::{Calendar, RollCall, TimeOfDay};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::{Names, entities, periods, traffic};

const DAY_US: u64 = 86_400_000_000;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Whether a stream's traffic is a roll-call.
pub(super) fn is_meant(at: &At<'_>) -> bool {
    at.node.get("each").is_some()
}

/// `[streams.NAME.traffic]` with `each`.
pub(super) fn roll_call(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<RollCall> {
    let mut section = reader.section(at)?;
    let each = section.get("each").and_then(|at| entities::known_entity(reader, names, &at));
    let every = reader.require(&mut section, "every", "say how often: every = \"1d\"");
    let every_us = every.and_then(|at| periods::period(reader, &at, 1));
    let zone = section.get("zone").map(|at| traffic::zone_name(reader, &at));
    let at_time = time_of_day(reader, &mut section);
    let calendar = calendar(reader, &mut section);
    reader.finish(section);
    let (each, every_us) = (each?, every_us?);
    if at_time.is_some() && every_us.value != DAY_US {
        let what = "a time of day makes sense only where there is one event a day";
        reader.refuse(&every_us.span, what, "write every = \"1d\", or leave `at` out");
        return None;
    }
    let zone = match zone {
        Some(zone) => zone?.value,
        None => "UTC".to_owned(),
    };
    Some(RollCall { each, every_us, at: at_time, calendar, zone })
}

/// `at = "16:00"`, with `spread = "5m"`.
fn time_of_day(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<TimeOfDay> {
    let spread_at = section.get("spread");
    let Some(at) = section.get("at") else {
        if let Some(spread) = spread_at {
            let help = "without `at`, members are spread over the whole period";
            reader.refuse(&spread.key_span, "`spread` has a meaning only with `at`", help);
        }
        return None;
    };
    let spread_us = match &spread_at {
        Some(at) => periods::period(reader, at, 1)?.value,
        None => 1,
    };
    let text = written(reader, &at)?;
    let time = text.parse::<jiff::civil::Time>().ok();
    let Some(time) = time.filter(|_| text.contains(':')) else {
        let what = format!("`{}`: `{text}` is not a time of day", at.path);
        reader.refuse(&at.node.span, what, "write it as \"16:00\" or \"16:00:30\"");
        return None;
    };
    let midnight = jiff::civil::Time::midnight();
    let since_midnight_us = time.duration_since(midnight).as_micros();
    let since_midnight_us = u64::try_from(since_midnight_us).unwrap_or(0);
    if since_midnight_us + spread_us > DAY_US {
        let what = format!("`{}` and its `spread` reach beyond the end of the day", at.path);
        reader.refuse(&at.node.span, what, "begin earlier, or spread over less");
        return None;
    }
    Some(TimeOfDay { since_midnight_us, spread_us })
}

/// Text, or a date or time as TOML has them.
fn written(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    match &at.node.kind {
        Kind::Time(text) => Some(text.clone()),
        _ => reader.text(at).map(|text| text.value),
    }
}

/// `days = "mon-fri"`, `holidays = ["2026-12-25"]`.
fn calendar(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Calendar> {
    let days = section.get("days");
    let holidays = section.get("holidays");
    if days.is_none() && holidays.is_none() {
        return None;
    }
    let weekdays = days.map_or(Some([true; 7]), |at| weekdays(reader, &at));
    let holidays = holidays.map_or(Some(Vec::new()), |at| dates(reader, &at));
    Some(Calendar { weekdays: weekdays?, holidays: holidays? })
}

/// One day, a range, or a list of both.
fn weekdays(reader: &mut Reader<'_>, at: &At<'_>) -> Option<[bool; 7]> {
    let items = if at.is_text() { vec![at.clone()] } else { reader.list(at)? };
    let mut weekdays = [false; 7];
    for item in &items {
        let text = reader.text(item)?;
        let (first, last) = text.value.split_once('-').unwrap_or((&text.value, &text.value));
        let place = |name: &str| WEEKDAYS.iter().position(|day| *day == name.trim());
        let (Some(first), Some(last)) = (place(first), place(last)) else {
            let what = format!("`{}`: `{}` is no day of the week", item.path, text.value);
            let help = format!("days are {}, ranges \"mon-fri\"", WEEKDAYS.join(", "));
            reader.refuse(&text.span, what, &help);
            return None;
        };
        let count = (last + 7 - first) % 7 + 1;
        (0..count).for_each(|step| weekdays[(first + step) % 7] = true);
    }
    if weekdays.contains(&true) {
        return Some(weekdays);
    }
    reader.refuse(&at.node.span, format!("`{}` is empty", at.path), "write days = \"mon-fri\"");
    None
}

fn dates(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<i32>> {
    let mut dates = Vec::new();
    for item in reader.list(at)? {
        let text = written(reader, &item)?;
        let Ok(date) = text.parse::<jiff::civil::Date>() else {
            let what = format!("`{}`: `{text}` is not a date", item.path);
            reader.refuse(&item.node.span, what, "write it as \"2026-12-25\"");
            return None;
        };
        let epoch = jiff::civil::date(1970, 1, 1);
        dates.push(date.since(epoch).map_or(0, |span| span.get_days()));
    }
    dates.sort_unstable();
    Some(dates)
}
