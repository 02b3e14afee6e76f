//! Events by hour, drawn as SVG: one step an hour, streams on top of each other.

use std::fmt::Write as _;

use super::{Picture, Span, moment, short};
use crate::observe::figure;

/// The whole picture.
const WIDTH: f64 = 960.0;
/// The area of the drawing: left, top, right, bottom.
const AREA: [f64; 4] = [64.0, 64.0, 700.0, 340.0];
/// A line of the legend.
const LINE: f64 = 20.0;

/// A line of names of phases, and how many there are at most.
const NAME: f64 = 15.0;
const NAMES: usize = 4;

/// Columns at most: more could not be told apart.
const COLUMNS_MAX: usize = 640;

/// Streams with a colour of their own; what is left is one grey area.
const COLOURS: [&str; 7] =
    ["#4c78c8", "#f2a541", "#3fa37c", "#d1699b", "#6bb8d6", "#c8553d", "#8e6bbf"];
const OTHERS: &str = "#9aa0a6";

/// Light and dark, as the reader has it.
const STYLE: &str = "\
:root{color-scheme:light dark}\
.back{fill:#ffffff}.text{fill:#1f2328}.dim{fill:#59636e}.grid{stroke:#d8dee4}.axis{stroke:#59636e}\
.area{stroke:#ffffff}.phase{fill:#59636e}\
@media(prefers-color-scheme:dark){.back{fill:#0d1117}.text{fill:#e6edf3}.dim{fill:#9198a1}\
.grid{stroke:#2b3138}.axis{stroke:#9198a1}.area{stroke:#0d1117}.phase{fill:#9198a1}}\
text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}";

/// A colour in the legend and in the drawing, and what it stands for.
struct Layer<'a> {
    colour: &'a str,
    columns: Vec<f64>,
}

impl Picture {
    /// The picture as the text of an SVG file.
    pub fn as_svg(&self) -> String {
        let joined = self.joined(COLUMNS_MAX);
        let ranked = self.ranked();
        let layers = layers(&ranked, joined);
        let columns = layers.iter().map(|layer| layer.columns.len()).max().unwrap_or(0);
        let sum = |column: usize| layers.iter().map(|it| it.columns[column]).sum::<f64>();
        let most = (0..columns).map(sum).fold(0.0, f64::max);
        let step = step(most / 6.0);
        let top = step * (most / step).ceil().max(1.0);
        let named = self.named_phases();
        // Names of phases stand above the area, which moves down to give them room.
        let lower = NAME * named.iter().map(|(_, line)| line + 1).max().unwrap_or(0) as f64;
        let height = lower + (AREA[3] + 44.0).max(AREA[1] + LINE * (ranked.len() + 3) as f64);
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n<rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text class=\"text title\" x=\"16\" y=\"28\">{title}</text>\n",
            title = escaped(&self.title),
        );
        text.push_str("<text class=\"dim\" x=\"16\" y=\"46\">events an hour</text>\n");
        _ = writeln!(text, "<g transform=\"translate(0 {lower})\">");
        self.phases(&mut text, &named);
        grid(&mut text, step, top);
        self.steps(&mut text, &layers, (columns, top));
        self.time_axis(&mut text, columns, joined);
        self.busiest(&mut text);
        legend(&mut text, &ranked);
        text.push_str("</g>\n</svg>\n");
        text
    }

    /// Which phases have room for their names, and in which line above the area; the lowest is 0.
    fn named_phases(&self) -> Vec<(&Span, usize)> {
        let mut used = [f64::MIN; NAMES];
        let named = self.phases.iter().filter_map(|phase| {
            let x = self.x(phase.window_us.0);
            let line = used.iter().position(|end| *end < x)?;
            // About as wide as letters of 12 pixels are.
            used[line] = x + 7.0 * (phase.name.chars().count() + 1) as f64;
            Some((phase, line))
        });
        named.collect()
    }

    /// Streams with their totals, the greatest first.
    fn ranked(&self) -> Vec<(&str, &[u64], u64)> {
        let mut ranked: Vec<_> = self
            .streams
            .iter()
            .map(|(name, hours)| (name.as_str(), hours.as_slice(), hours.iter().sum()))
            .collect();
        ranked.sort_by_key(|(_, _, total): &(&str, &[u64], u64)| std::cmp::Reverse(*total));
        ranked
    }

    /// Where a moment is.
    fn x(&self, at_us: i64) -> f64 {
        let hours = self.hours().max(1) as f64;
        let since_h = (at_us - self.first_us) as f64 / 3.6e9;
        AREA[0] + (AREA[2] - AREA[0]) * (since_h / hours).clamp(0.0, 1.0)
    }

    fn steps(&self, text: &mut String, layers: &[Layer<'_>], (columns, top): (usize, f64)) {
        let joined = self.joined(COLUMNS_MAX);
        let x = |column: usize| self.x(self.column_us(column, joined));
        let y = |events: f64| AREA[3] - (AREA[3] - AREA[1]) * events / top;
        let mut below = vec![0.0; columns];
        for layer in layers {
            let above: Vec<f64> = below.iter().zip(&layer.columns).map(|(a, b)| a + b).collect();
            let mut path = format!("M{:.1} {:.1}", x(0), y(below.first().copied().unwrap_or(0.0)));
            for (column, height) in above.iter().enumerate() {
                // Writing to a string does not fail.
                _ = write!(path, "V{:.1}H{:.1}", y(*height), x(column + 1));
            }
            for (column, height) in below.iter().enumerate().rev() {
                _ = write!(path, "V{:.1}H{:.1}", y(*height), x(column));
            }
            let colour = layer.colour;
            _ = writeln!(
                text,
                "<path class=\"area\" fill=\"{colour}\" stroke-width=\"0.5\" d=\"{path}Z\"/>"
            );
            below = above;
        }
    }

    /// The axis of model time.
    fn time_axis(&self, text: &mut String, columns: usize, joined: usize) {
        let [left, _, right, bottom] = AREA;
        _ = writeln!(text, "<path class=\"axis\" d=\"M{left} {bottom}H{right}\" fill=\"none\"/>");
        let hours = columns * joined;
        let days = hours > 48;
        let steps = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1_344, 4_032, 8_064, 16_128];
        let every = steps.into_iter().find(|step| hours <= step * 9).unwrap_or(hours);
        let every = if days { every.max(24) } else { every };
        let every_us = i64::try_from(every).unwrap_or(1) * 3_600_000_000;
        let mut at_us = self.first_us.div_euclid(every_us) * every_us;
        let end_us = self.column_us(columns, joined);
        while at_us <= end_us {
            if at_us >= self.first_us {
                let (x, told) = (self.x(at_us), moment(at_us, days));
                _ = writeln!(
                    text,
                    "<path class=\"axis\" d=\"M{x:.1} {bottom}v4\" fill=\"none\"/>\
                     <text class=\"dim\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{told}</text>",
                    bottom + 18.0
                );
            }
            at_us += every_us;
        }
        let day = jiff::Timestamp::from_microsecond(self.window_us.0);
        let day = day.map(|day| day.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        _ = writeln!(
            text,
            "<text class=\"dim\" x=\"{left}\" y=\"{:.1}\">model time (UTC), from {day}</text>",
            bottom + 36.0
        );
    }

    /// Shaded stretches, and the names of those that have room for one.
    fn phases(&self, text: &mut String, named: &[(&Span, usize)]) {
        let [_, top, _, bottom] = AREA;
        for Span { window_us, .. } in &self.phases {
            let (x, end) = (self.x(window_us.0), self.x(window_us.1));
            _ = writeln!(
                text,
                "<rect class=\"phase\" opacity=\"0.12\" x=\"{x:.1}\" y=\"{top}\" \
                 width=\"{:.1}\" height=\"{:.1}\"/>",
                (end - x).max(1.0),
                bottom - top
            );
        }
        for (Span { name, window_us }, line) in named {
            let (x, y) = (self.x(window_us.0), top - 5.0 - NAME * *line as f64);
            let name = escaped(name);
            _ = writeln!(text, "<text class=\"dim\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>");
        }
    }

    /// Where the busiest second is.
    fn busiest(&self, text: &mut String) {
        let Some((at_us, events)) = self.peak else { return };
        let (x, bottom) = (self.x(at_us), AREA[3]);
        let label = format!("busiest second: {}", figure::count(events));
        _ = writeln!(
            text,
            "<path class=\"text\" d=\"M{x:.1} {:.1}l-4 7h8z\"/><text class=\"dim\" x=\"{}\" \
             y=\"{:.1}\" text-anchor=\"end\">▲ {label}</text>",
            bottom + 1.0,
            AREA[2],
            bottom + 36.0
        );
    }
}

/// What each colour stands for, in the drawing's columns; the first is the lowest.
fn layers<'a>(ranked: &[(&str, &[u64], u64)], joined: usize) -> Vec<Layer<'a>> {
    let mut layers: Vec<Layer<'a>> = Vec::new();
    for (place, (_, hours, _)) in ranked.iter().enumerate() {
        let columns = Picture::columns(hours, joined);
        match COLOURS.get(place) {
            Some(colour) => layers.push(Layer { colour, columns }),
            None if place == COLOURS.len() => layers.push(Layer { colour: OTHERS, columns }),
            None => {
                if let Some(others) = layers.last_mut() {
                    let pairs = others.columns.iter_mut().zip(columns);
                    pairs.for_each(|(sum, events)| *sum += events);
                }
            }
        }
    }
    layers
}

fn grid(text: &mut String, step: f64, top: f64) {
    let [left, upper, right, bottom] = AREA;
    let mut events = step;
    while events <= top * 1.000_001 {
        let y = bottom - (bottom - upper) * events / top;
        _ = writeln!(
            text,
            "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\" fill=\"none\"/>\
             <text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y + 4.0,
            short(events)
        );
        events += step;
    }
}

fn legend(text: &mut String, ranked: &[(&str, &[u64], u64)]) {
    let (x, right) = (AREA[2] + 24.0, WIDTH - 16.0);
    let total: u64 = ranked.iter().map(|(_, _, total)| total).sum();
    for (place, (name, _, events)) in ranked.iter().enumerate() {
        let y = AREA[1] + 10.0 + LINE * place as f64;
        let colour = COLOURS.get(place).unwrap_or(&OTHERS);
        _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"10\" height=\"10\" rx=\"2\" fill=\"{colour}\"/>\
             <text class=\"text\" x=\"{}\" y=\"{y:.1}\">{}</text>\
             <text class=\"dim\" x=\"{right}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
            y - 9.0,
            x + 16.0,
            escaped(name),
            figure::count(*events)
        );
    }
    let y = AREA[1] + 16.0 + LINE * ranked.len() as f64;
    _ = writeln!(
        text,
        "<path class=\"grid\" d=\"M{x} {:.1}H{right}\" fill=\"none\"/>\
         <text class=\"text\" x=\"{}\" y=\"{y:.1}\">all</text>\
         <text class=\"text\" x=\"{right}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
        y - 16.0,
        x + 16.0,
        figure::count(total)
    );
}

/// The least of 1, 2, 5, 10, 20… that is not below.
fn step(least: f64) -> f64 {
    let mut step = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if step * factor >= least {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

/// Text as it may stand in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::picture;
    use super::*;

    #[test]
    fn names_are_escaped_and_phases_are_shaded() {
        let mut picture = picture(24);
        let from_us = picture.first_us + 8 * 3_600_000_000;
        let window_us = (from_us, from_us + 7_200_000_000);
        picture.phases = vec![Span { name: "outage <A>".to_owned(), window_us }];
        let svg = picture.as_svg();
        assert!(svg.contains("a day &amp; more") && svg.contains("&lt;items&gt;"), "{svg}");
        assert!(svg.contains("outage &lt;A&gt;</text>"), "{svg}");
        assert!(!svg.contains("<items>") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("class=\"area\"").count(), 2);
    }

    #[test]
    fn streams_beyond_the_colours_are_one_area() {
        let mut picture = picture(24);
        let stream = picture.streams[0].1.clone();
        picture.streams = (0..12).map(|number| (format!("s{number}"), stream.clone())).collect();
        let svg = picture.as_svg();
        assert_eq!(svg.matches("class=\"area\"").count(), COLOURS.len() + 1);
        assert!((0..12).all(|number| svg.contains(&format!(">s{number}</text>"))), "all are named");
    }

    #[test]
    fn a_picture_of_years_is_small() {
        assert!(picture(24 * 365 * 3).as_svg().len() < 40_000);
    }

    #[test]
    fn steps_of_the_grid_are_round() {
        for (least, expected) in
            [(0.3, "1"), (1.0, "1"), (3.0, "5"), (120.0, "200"), (200.1, "500")]
        {
            assert_eq!(step(least).to_string(), expected);
        }
    }
}
