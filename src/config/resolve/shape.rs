//! The shapes of distributions, with their parameters.

use super::super::Spanned;
use super::super::model::{Parameter, Shape};
use super::super::reader::{At, Reader};
use super::check_weights;
use super::distribution::{parameter, positive, units_of};

/// The keys of the shapes.
pub(super) const KEYS: [&str; 7] =
    ["lognormal", "normal", "exponential", "pareto", "uniform", "zipf", "histogram"];

/// The most bins of a histogram.
const BINS_MAX: usize = 65_536;

/// How the parameters of a shape are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    /// Whether there is a row that columns can be read from.
    pub(super) has_row: bool,
    /// Digits after the point of the values.
    pub(super) digits: u8,
}

/// The shape of that key.
pub(super) fn shape(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    key: &str,
    reads: Reads,
) -> Option<Shape> {
    match key {
        "uniform" => return uniform(reader, at, reads),
        "histogram" => return histogram(reader, at, reads.digits),
        _ => {}
    }
    let mut section = reader.section(at)?;
    let mut read = |reader: &mut Reader<'_>, name: &'static str, above_zero: bool| {
        let at = reader.require(&mut section, name, "")?;
        if above_zero {
            positive(reader, &at, reads.has_row)
        } else {
            parameter(reader, &at, reads.has_row)
        }
    };
    let shape = match key {
        "lognormal" => {
            let pair = (read(reader, "median", true), read(reader, "sigma", true));
            pair.0.zip(pair.1).map(|(median, sigma)| Shape::Lognormal { median, sigma })
        }
        "normal" => {
            let pair = (read(reader, "mean", false), read(reader, "sd", true));
            pair.0.zip(pair.1).map(|(mean, sd)| Shape::Normal { mean, sd })
        }
        "exponential" => read(reader, "mean", true).map(|mean| Shape::Exponential { mean }),
        "pareto" => {
            let pair = (read(reader, "scale", true), read(reader, "shape", true));
            pair.0.zip(pair.1).map(|(scale, shape)| Shape::Pareto { scale, shape })
        }
        _ => {
            let pair = (read(reader, "count", true), read(reader, "exponent", false));
            pair.0.zip(pair.1).map(|(count, exponent)| Shape::Zipf { count, exponent })
        }
    };
    reader.finish(section);
    shape
}

/// `[0.5, 9.5]`, or two columns.
fn uniform(reader: &mut Reader<'_>, at: &At<'_>, reads: Reads) -> Option<Shape> {
    let items = reader.list(at)?;
    let [least, most] = &items[..] else {
        let what = format!("`{}` has {} numbers, but must have 2", at.path, items.len());
        reader.refuse(&at.node.span, what, "the least and the greatest: [0, 9999]");
        return None;
    };
    let mut end = |at: &At<'_>| {
        let end = parameter(reader, at, reads.has_row)?;
        if let Parameter::Number(_) = end.value {
            units_of(reader, at, reads.digits)?;
        }
        Some(end)
    };
    let (min, max): (Option<Spanned<Parameter>>, _) = (end(least), end(most));
    Some(Shape::Uniform { min: min?, max: max? })
}

/// `{ edges = [0, 10, 100], weights = [3, 1] }`.
fn histogram(reader: &mut Reader<'_>, at: &At<'_>, digits: u8) -> Option<Shape> {
    let mut section = reader.section(at)?;
    let edges_at = reader.require(&mut section, "edges", "where bins begin and the last one ends");
    let weights_at = reader.require(&mut section, "weights", "what each bin weighs");
    reader.finish(section);
    let (edges_at, weights_at) = (edges_at?, weights_at?);
    let mut edges = Vec::new();
    for item in reader.list(&edges_at)? {
        units_of(reader, &item, digits)?;
        let edge = reader.number(&item, &(f64::MIN..=f64::MAX))?;
        if edges.last().is_some_and(|last| *last >= edge) {
            let what = format!("`{}` is {edge}, not above the edge before it", item.path);
            reader.refuse(&item.node.span, what, "edges rise");
            return None;
        }
        edges.push(edge);
    }
    let mut weights = Vec::new();
    for item in reader.list(&weights_at)? {
        weights.push(reader.number(&item, &(f64::MIN..=f64::MAX))?);
    }
    if edges.len() != weights.len() + 1 || weights.len() > BINS_MAX {
        let (found, wanted) = (edges.len(), weights.len() + 1);
        let what = format!("`{}` has {found} edges, but must have {wanted}", edges_at.path);
        let help = format!("one more than weights, of which there are at most {BINS_MAX}");
        reader.refuse(&edges_at.node.span, what, &help);
        return None;
    }
    check_weights(reader, &weights_at.path, &weights_at.node.span, &weights).then_some(())?;
    Some(Shape::Histogram { edges, weights })
}
