//! Events by hour, drawn with the letters of a terminal.

pub mod svg;

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::observe::figure;

/// Lines of the drawing.
const LINES: u64 = 8;

/// Letters of a number beside it, at most.
const LABEL: usize = 5;

/// Parts of a letter's height.
const PARTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The most columns that one hour takes.
const HOUR_COLUMNS_MAX: usize = 6;

const HOUR_US: i64 = 3_600_000_000;
const DAY_HOURS: usize = 24;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What it shows.
    pub title: String,
    /// When the first hour begins, in microseconds since the Unix epoch.
    pub first_us: i64,
    /// The window.
    pub window_us: (i64, i64),
    /// By stream: its name and its events in each hour.
    pub streams: Vec<(String, Vec<u64>)>,
    /// What is different for a time.
    pub phases: Vec<Span>,
    /// The busiest second.
    pub peak: Option<(i64, u64)>,
}

/// A stretch of time with a name.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// When it begins and ends, in microseconds since the Unix epoch.
    pub window_us: (i64, i64),
}

impl Picture {
    /// How many hours there are.
    pub fn hours(&self) -> usize {
        self.streams.iter().map(|(_, hours)| hours.len()).max().unwrap_or(0)
    }

    /// How many hours are joined, so that there are at most so many columns.
    pub fn joined(&self, columns: usize) -> usize {
        let least = self.hours().div_ceil(columns.max(1));
        // Parts of a day, or days: others would draw a rhythm that is not there.
        let parts = [1, 2, 3, 4, 6, 8, 12].into_iter().find(|part| *part >= least);
        parts.unwrap_or(least.next_multiple_of(DAY_HOURS))
    }

    /// The mean events an hour of a stream, in columns of so many hours.
    pub fn columns(hours: &[u64], joined: usize) -> Vec<f64> {
        let mean = |some: &[u64]| some.iter().sum::<u64>() as f64 / some.len() as f64;
        hours.chunks(joined).map(mean).collect()
    }

    /// When the column of that number begins, in columns of so many hours.
    pub fn column_us(&self, column: usize, joined: usize) -> i64 {
        let hours = i64::try_from(column * joined).unwrap_or(i64::MAX / HOUR_US);
        self.first_us.saturating_add(hours.saturating_mul(HOUR_US))
    }

    /// The events an hour of all streams together as bars, `width` letters wide.
    pub fn in_letters(&self, width: usize, colour: bool) -> String {
        let hours = self.hours();
        let mut all = vec![0; hours];
        for (_, own) in &self.streams {
            all.iter_mut().zip(own).for_each(|(sum, events)| *sum += events);
        }
        let room = width.saturating_sub(LABEL + 2).max(8);
        let joined = self.joined(room);
        let heights = Self::columns(&all, joined);
        let each = (room / heights.len().max(1)).clamp(1, HOUR_COLUMNS_MAX);
        let most = heights.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let margin = short(most).len();
        let mut text = match joined {
            1 => "events in each hour".to_owned(),
            _ => format!("events an hour, {joined} h in each column"),
        };
        for line in (0..LINES).rev() {
            let label = if line + 1 == LINES { short(most) } else { String::new() };
            let bars: String = heights.iter().map(|it| part(*it / most, line, each)).collect();
            let bars = bars.trim_end();
            let bars = if colour { format!("\u{1b}[36m{bars}\u{1b}[0m") } else { bars.to_owned() };
            // Writing to a string does not fail.
            _ = write!(text, "\n{label:>margin$} │{bars}");
        }
        let axis = self.axis((heights.len(), each), joined);
        _ = write!(
            text,
            "\n{:>margin$} └{}\n{:>margin$}  {axis}",
            0,
            "─".repeat(heights.len() * each),
            ""
        );
        text
    }

    /// Times below the columns, of which each has `each` letters.
    fn axis(&self, (columns, each): (usize, usize), joined: usize) -> String {
        let days = columns * joined > 2 * DAY_HOURS;
        let every_us = HOUR_US * if days { 24 } else { 3 };
        let length_us = HOUR_US * i64::try_from(joined).unwrap_or(1);
        let mut text = String::new();
        for column in 0..columns {
            let (at_us, place) = (self.column_us(column, joined), column * each);
            let used = text.chars().count();
            let told = moment(at_us, days);
            let fits = place > used && place + told.len() <= columns * each;
            // The first column, and those in which a day or three hours begin.
            if column == 0 || fits && at_us.rem_euclid(every_us) < length_us {
                text.push_str(&" ".repeat(place - used));
                text.push_str(&told);
            }
        }
        text
    }
}

/// What a column of a height (a share of the greatest) has in a line.
fn part(share: f64, line: u64, each: usize) -> String {
    let parts = (PARTS.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
    let filled = ((share * LINES as f64 - line as f64) * parts).round().clamp(0.0, parts) as usize;
    // What is there at all is seen.
    let filled = if line == 0 && share > 0.0 { filled.max(1) } else { filled };
    PARTS[filled].to_string().repeat(each)
}

/// A moment on an axis, by the day or by the hour.
pub fn moment(at_us: i64, days: bool) -> String {
    let form = if days { "%b %d" } else { "%H:%M" };
    let at = Timestamp::from_microsecond(at_us);
    at.map_or_else(|_| String::new(), |at| at.strftime(form).to_string())
}

/// A number in few letters: `640`, `12.3k`, `2.89M`.
pub fn short(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| number >= *unit) else {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 1,000"
        )]
        return figure::count(number.round() as u64);
    };
    let amount = number / unit;
    let digits = if amount < 10.0 { 2 } else { usize::from(amount < 100.0) };
    let text = format!("{amount:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{name}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn picture(hours: usize) -> Picture {
        let day = |hour: usize| 1_000 * (12 - (hour % 24).abs_diff(12)) as u64;
        let first_us = 1_772_409_600_000_000;
        let end_us = first_us + i64::try_from(hours).unwrap() * HOUR_US;
        Picture {
            title: "a day & more".to_owned(),
            first_us,
            window_us: (first_us, end_us),
            streams: vec![
                ("orders".to_owned(), (0..hours).map(day).collect()),
                ("<items>".to_owned(), (0..hours).map(|hour| 2 * day(hour)).collect()),
            ],
            phases: Vec::new(),
            peak: Some((first_us + 12 * HOUR_US, 17)),
        }
    }

    const DAY: &str = concat!(
        "events in each hour\n",
        "36k │                      ▃▃██▃▃\n",
        "    │                    ▅▅██████▅▅\n",
        "    │                ▃▃██████████████▃▃\n",
        "    │              ▅▅██████████████████▅▅\n",
        "    │          ▃▃██████████████████████████▃▃\n",
        "    │        ▅▅██████████████████████████████▅▅\n",
        "    │    ▃▃██████████████████████████████████████▃▃\n",
        "    │  ▅▅██████████████████████████████████████████▅▅\n",
        "  0 └────────────────────────────────────────────────\n",
        "     00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00",
    );
    const WEEK: &str = concat!(
        "events an hour, 3 h in each column\n",
        "33k │   ▂█      ▂█      ▂█      ▂█      ▂█      ▂█      ▂█\n",
        "    │   ██      ██      ██      ██      ██      ██      ██\n",
        "    │  ▁██▇    ▁██▇    ▁██▇    ▁██▇    ▁██▇    ▁██▇    ▁██▇\n",
        "    │  ████    ████    ████    ████    ████    ████    ████\n",
        "    │  ████▅   ████▅   ████▅   ████▅   ████▅   ████▅   ████▅\n",
        "    │ ▇█████  ▇█████  ▇█████  ▇█████  ▇█████  ▇█████  ▇█████\n",
        "    │ ██████▄ ██████▄ ██████▄ ██████▄ ██████▄ ██████▄ ██████▄\n",
        "    │▆███████▆███████▆███████▆███████▆███████▆███████▆███████\n",
        "  0 └────────────────────────────────────────────────────────\n",
        "     Mar 02  Mar 03  Mar 04  Mar 05  Mar 06  Mar 07  Mar 08",
    );

    #[test]
    fn a_day_is_drawn_hour_by_hour() {
        let drawn = picture(24).in_letters(60, false);
        assert_eq!(drawn, DAY, "\n{drawn}");
    }

    #[test]
    fn many_hours_are_joined_into_as_many_columns_as_fit() {
        let drawn = picture(24 * 7).in_letters(80, false);
        assert_eq!(drawn, WEEK, "\n{drawn}");
        for hours in [1, 2, 23, 25, 100, 1_000, 10_000] {
            for width in [20, 80, 200] {
                let drawn = picture(hours).in_letters(width, false);
                let widest = drawn.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width.max(40), "{hours} hours, {width}: {widest}\n{drawn}");
            }
        }
    }

    #[test]
    fn colours_are_written_only_where_they_are_wanted() {
        assert!(!picture(24).in_letters(80, false).contains('\u{1b}'));
        assert!(picture(24).in_letters(80, true).contains("\u{1b}[36m"));
    }

    #[test]
    fn numbers_on_axes_are_short() {
        let told = [0.0, 640.0, 1_000.0, 12_345.0, 250_000.0, 2_892_055.0].map(short);
        assert_eq!(told, ["0", "640", "1k", "12.3k", "250k", "2.89M"]);
    }
}
