//! Follow-ups: what a stream follows, when, how much later and how often.

use super::super::model::{Delay, Follows, Generator, MixturePart, Parameter, Scalar, Shape};
use super::super::raw::Kind;
use super::super::reader::{At, Reader, Section};
use super::super::{Spanned, units};
use super::{Names, generator, optional};

/// The keys of a stream that only follow-ups have.
const KEYS: [&str; 5] = ["when", "probability", "delay", "count", "apart"];
/// The greatest delay: ten years.
pub(super) const DELAY_S_MAX: f64 = 10.0 * 365.25 * 86_400.0;
/// How many events may follow one.
const COUNT_MAX: i128 = 1_023;
/// How long after the one before the next comes at most: a day, so that all come in ten years.
const APART_S_MAX: f64 = 86_400.0;

/// `follows` and what goes with it, of a stream's section.
pub(super) fn follows(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &mut Section<'_>,
) -> Option<Follows> {
    let Some(stream) = section.get("follows") else {
        for key in KEYS {
            if let Some(at) = section.get(key) {
                let what = format!("`{}` is for streams that follow another", at.path);
                reader.refuse(&at.key_span, what, "add follows = \"STREAM\"");
            }
        }
        return None;
    };
    if let Some(traffic) = section.get("traffic") {
        let what = format!("`{}`: a stream that follows another has no rate", traffic.path);
        reader.refuse(&traffic.key_span, what, "leave out `traffic` or `follows`");
    }
    let stream = reader.text(&stream);
    let when = section.get("when").map(|at| generator::expression(reader, &at));
    let probability = match section.get("probability") {
        Some(at) => {
            let value = reader.number(&at, &(0.0..=1.0));
            value.map(|value| Spanned { value, span: at.node.span.clone() })
        }
        None => Some(Spanned { value: 1.0, span: section.span.clone() }),
    };
    let delay = match section.get("delay") {
        Some(at) => {
            let value = delay(reader, &at);
            value.map(|value| Spanned { value, span: at.node.span.clone() })
        }
        None => Some(Spanned { value: Delay::default(), span: section.span.clone() }),
    };
    let count = section.get("count").map(|at| count(reader, names, &at));
    let apart_us = section.get("apart").map_or(Some(0), |at| apart(reader, &at));
    Some(Follows {
        stream: stream?,
        when: optional(when)?,
        probability: probability?,
        delay: delay?,
        count: optional(count)?,
        apart_us: apart_us?,
    })
}

/// How long after the one before each of several comes.
fn apart(reader: &mut Reader<'_>, at: &At<'_>) -> Option<u64> {
    let duration = reader.unit(at, units::duration)?;
    if duration.value.as_secs_f64() > APART_S_MAX {
        let what = format!("`{}` is more than a day", at.path);
        reader.refuse(&duration.span, what, "let a stream of its own follow for what comes later");
        return None;
    }
    u64::try_from(duration.value.as_micros()).ok()
}

/// How many events follow one: a number or a generator.
pub(super) fn count(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Spanned<Generator>> {
    if let Kind::Integer(_) = at.node.kind {
        let count = reader.whole(at, &(0..=COUNT_MAX))?;
        let value = Generator::Constant(Scalar::Integer(i64::try_from(count).ok()?));
        return Some(Spanned { value, span: at.node.span.clone() });
    }
    generator::field(reader, names, at)
}

/// `"15m"`, or a distribution of durations.
pub(super) fn delay(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Delay> {
    if at.is_text() {
        let seconds = seconds(reader, at)?;
        return Some(Delay { parts: Vec::new(), min_s: seconds, max_s: seconds });
    }
    let mut section = reader.section_beside_text(at)?;
    let min_s = section.get("min").map_or(Some(0.0), |at| seconds(reader, &at));
    let max_s = section.get("max").map_or(Some(DELAY_S_MAX), |at| seconds(reader, &at));
    let delay = if let Some(uniform) = section.get("uniform") {
        let ends = reader.list(&uniform)?;
        if let [least, most] = &ends[..] {
            let (least, most) = (seconds(reader, least), seconds(reader, most));
            Some(Delay { parts: Vec::new(), min_s: least?, max_s: most? })
        } else {
            let what = format!("`{}` must be two durations", uniform.path);
            reader.refuse(&uniform.node.span, what, "the least and the greatest: [\"1h\", \"1d\"]");
            None
        }
    } else if let Some(mixture) = section.get("mixture") {
        let items = reader.list(&mixture)?;
        let mut parts = Vec::new();
        for item in &items {
            let mut section = reader.section(item)?;
            let help = "say its share: weight = 0.6";
            let weight = reader.require(&mut section, "weight", help);
            let weight = weight.and_then(|at| reader.positive(&at));
            let shape = shape(reader, &mut section, item);
            reader.finish(section);
            parts.push(MixturePart { weight: weight?, shape: shape? });
        }
        Some(Delay { parts, min_s: min_s?, max_s: max_s? })
    } else {
        let parts = vec![MixturePart { weight: 1.0, shape: shape(reader, &mut section, at)? }];
        Some(Delay { parts, min_s: min_s?, max_s: max_s? })
    };
    reader.finish(section);
    let delay = delay?;
    if delay.min_s > delay.max_s {
        let what = format!("`{}` goes from {} s down to {} s", at.path, delay.min_s, delay.max_s);
        reader.refuse(&at.node.span, what, "write the least delay first");
        return None;
    }
    Some(delay)
}

/// The one distribution in a section, with durations for its times.
fn shape(reader: &mut Reader<'_>, section: &mut Section<'_>, at: &At<'_>) -> Option<Shape> {
    let time = |reader: &mut Reader<'_>, own: &mut Section<'_>, key: &'static str| {
        let at = reader.require(own, key, "a duration such as \"36h\"")?;
        let value = seconds(reader, &at)?;
        if value <= 0.0 {
            reader.refuse(&at.node.span, format!("`{}` must be above 0", at.path), "");
            return None;
        }
        Some(Spanned { value: Parameter::Number(value), span: at.node.span.clone() })
    };
    if let Some(main) = section.get("lognormal") {
        let mut own = reader.section(&main)?;
        let median = time(reader, &mut own, "median");
        let help = "the deviation of the logarithm: 0.5";
        let sigma = positive(reader, &mut own, "sigma", help);
        reader.finish(own);
        return Some(Shape::Lognormal { median: median?, sigma: sigma? });
    }
    if let Some(main) = section.get("normal") {
        let mut own = reader.section(&main)?;
        let (mean, sd) = (time(reader, &mut own, "mean"), time(reader, &mut own, "sd"));
        reader.finish(own);
        return Some(Shape::Normal { mean: mean?, sd: sd? });
    }
    if let Some(main) = section.get("exponential") {
        let mut own = reader.section(&main)?;
        let mean = time(reader, &mut own, "mean");
        reader.finish(own);
        return Some(Shape::Exponential { mean: mean? });
    }
    if let Some(main) = section.get("pareto") {
        let mut own = reader.section(&main)?;
        let scale = time(reader, &mut own, "scale");
        let shape = positive(reader, &mut own, "shape", "how fast the tail falls: 1.5");
        reader.finish(own);
        return Some(Shape::Pareto { scale: scale?, shape: shape? });
    }
    let what = format!("`{}` has no distribution of delays", at.path);
    let help = "a duration, or one of: uniform, lognormal, normal, exponential, pareto, mixture";
    reader.refuse(&at.node.span, what, help);
    None
}

fn positive(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    help: &str,
) -> Option<Spanned<Parameter>> {
    let at = reader.require(section, key, help)?;
    let value = Parameter::Number(reader.positive(&at)?);
    Some(Spanned { value, span: at.node.span.clone() })
}

fn seconds(reader: &mut Reader<'_>, at: &At<'_>) -> Option<f64> {
    let duration = reader.unit(at, units::duration)?;
    let seconds = duration.value.as_secs_f64();
    if seconds > DELAY_S_MAX {
        let what = format!("`{}` is {seconds} s, but the limit is ten years", at.path);
        reader.refuse(&duration.span, what, "");
        return None;
    }
    Some(seconds)
}
