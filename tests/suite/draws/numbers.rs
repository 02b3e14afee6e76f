//! Numbers have the distributions that are asked for, tails included.

use tidegate::plan::normal;

use super::{Draft, chi_squared, kolmogorov, numbers, tails};

const COUNT: usize = 200_000;
/// Seeds are fixed, so that a test passes always or never; a chance as small as this is a fault.
const CHANCE_MIN: f64 = 0.001;

/// Values of one generator.
fn drawn(generator: &str) -> Vec<f64> {
    numbers(&Draft::of(&[("x", "double", generator)]).rows(COUNT), 0)
}

/// A continuous distribution as a whole and in its tails.
#[track_caller]
fn assert_continuous(generator: &str, shares: impl Fn(f64) -> (f64, f64)) {
    let values = drawn(generator);
    let chance = kolmogorov(values.clone(), |x| shares(x).0);
    assert!(chance > CHANCE_MIN, "{generator}: {chance}");
    let chance = tails(&values, shares);
    assert!(chance > CHANCE_MIN, "tails of {generator}: {chance}");
}

/// A distribution of whole numbers, by the share of each bin; a bin ends before the next begins.
#[track_caller]
fn assert_counts(generator: &str, bins: &[(f64, f64)]) {
    let mut found = vec![0.0; bins.len()];
    for value in drawn(generator) {
        let bin = bins.partition_point(|(first, _)| *first <= value);
        assert!(bin > 0, "{generator} gives {value}");
        found[bin - 1] += 1.0;
    }
    let total: f64 = bins.iter().map(|(_, share)| share).sum();
    let expected: Vec<f64> = bins.iter().map(|(_, share)| share / total * COUNT as f64).collect();
    let chance = chi_squared(&found, &expected);
    assert!(chance > CHANCE_MIN, "{generator}: {chance}");
}

fn exponential(x: f64, mean: f64) -> (f64, f64) {
    (-(-x / mean).exp_m1(), (-x / mean).exp())
}

fn pareto(x: f64, scale: f64, shape: f64) -> (f64, f64) {
    let above = (x.max(scale) / scale).powf(-shape);
    (1.0 - above, above)
}

#[test]
fn a_lognormal_is_one() {
    assert_continuous("{ lognormal = { median = 22, sigma = 1.3 }, digits = 6 }", |x| {
        normal::shares((x / 22.0).ln() / 1.3)
    });
}

#[test]
fn a_normal_is_one() {
    assert_continuous("{ normal = { mean = -3, sd = 12.5 }, digits = 6 }", |x| {
        normal::shares((x + 3.0) / 12.5)
    });
}

#[test]
fn an_exponential_is_one() {
    assert_continuous("{ exponential = { mean = 250 }, digits = 6 }", |x| exponential(x, 250.0));
}

#[test]
fn a_pareto_is_one() {
    let generator = "{ pareto = { scale = 10, shape = 1.5 }, digits = 4 }";
    assert_continuous(generator, |x| pareto(x, 10.0, 1.5));
}

#[test]
fn a_uniform_of_decimals_is_one() {
    let generator = "{ uniform = [-0.5, 9.5], digits = 6 }";
    assert_continuous(generator, |x| ((x + 0.5) / 10.0, (9.5 - x) / 10.0));
}

#[test]
fn a_uniform_of_whole_numbers_has_both_ends_as_often_as_the_rest() {
    let bins: Vec<(f64, f64)> = (-3..=7).map(|value| (f64::from(value), 1.0)).collect();
    assert_counts("{ uniform = [-3, 7] }", &bins);
    // Drawn in another way, since it is rounded or bounded.
    assert_counts("{ uniform = [-3, 7], max = 7 }", &bins);
}

#[test]
fn a_zipf_has_its_head_and_its_tail() {
    let share = |ranks: std::ops::RangeInclusive<u32>| -> f64 {
        ranks.map(|rank| f64::from(rank).powf(-1.1)).sum()
    };
    let mut bins: Vec<(f64, f64)> =
        (1..=20).map(|rank| (f64::from(rank), share(rank..=rank))).collect();
    for (first, last) in [(21, 50), (51, 200), (201, 999), (1_000, 4_999), (5_000, 20_000)] {
        bins.push((f64::from(first), share(first..=last)));
    }
    assert_counts("{ zipf = { count = 20000, exponent = 1.1 } }", &bins);
}

#[test]
fn a_histogram_is_even_inside_its_bins() {
    let bins: Vec<(f64, f64)> = (0..10)
        .map(|step| (f64::from(step), 0.3))
        .chain((1..10).map(|step| (f64::from(step) * 10.0, 0.1)))
        .collect();
    assert_counts("{ histogram = { edges = [0, 10, 100], weights = [3, 0.9] } }", &bins);
    let generator = "{ histogram = { edges = [0, 2.5, 5, 100], weights = [1, 0, 1] }, digits = 6 }";
    let shares = |x: f64| {
        let below = if x < 2.5 { x / 5.0 } else { 0.5 + (x - 5.0) / 190.0 };
        (below, 1.0 - below)
    };
    assert_continuous(generator, shares);
}

#[test]
fn a_mixture_of_any_parts_has_the_shares_of_all() {
    let generator = "{ mixture = [
        { weight = 2, normal = { mean = 0, sd = 5 } },
        { weight = 3, pareto = { scale = 10, shape = 2 } },
        { weight = 1, uniform = [-40, -20] },
        { weight = 2, histogram = { edges = [100, 110, 200], weights = [1, 2] } },
    ], digits = 5 }"
        .replace('\n', " ");
    let bin = |x: f64, from: f64, to: f64| ((x - from) / (to - from)).clamp(0.0, 1.0);
    assert_continuous(&generator, |x| {
        let parts = [
            (2.0, normal::shares(x / 5.0)),
            (3.0, pareto(x, 10.0, 2.0)),
            (1.0, (bin(x, -40.0, -20.0), 1.0 - bin(x, -40.0, -20.0))),
            (2.0 / 3.0, (bin(x, 100.0, 110.0), 1.0 - bin(x, 100.0, 110.0))),
            (4.0 / 3.0, (bin(x, 110.0, 200.0), 1.0 - bin(x, 110.0, 200.0))),
        ];
        let sum = |pick: fn(&(f64, (f64, f64))) -> f64| parts.iter().map(pick).sum::<f64>() / 8.0;
        (sum(|(weight, (below, _))| weight * below), sum(|(weight, (_, above))| weight * above))
    });
}

#[test]
fn a_mixture_of_smooth_parts_has_the_shares_of_all() {
    let generator = "{ mixture = [{ weight = 3, normal = { mean = 9, sd = 2 } }, \
                     { weight = 1, exponential = { mean = 50 } }], digits = 6 }";
    assert_continuous(generator, |x| {
        let (first, second) = (normal::shares((x - 9.0) / 2.0), exponential(x.max(0.0), 50.0));
        (0.75 * first.0 + 0.25 * second.0, 0.75 * first.1 + 0.25 * second.1)
    });
}

#[test]
fn parameters_come_from_the_row() {
    let draft = Draft {
        more: "[tables.kinds]\nrows = [\n\
               { name = \"a\", low = 1, high = 3, count = 2, mean = 5 },\n\
               { name = \"b\", low = 10, high = 12, count = 4, mean = 500 } ]\n"
            .to_owned(),
        lets: "kind = { table = \"kinds\" }\n".to_owned(),
        ..Draft::of(&[
            ("name", "string", "{ attribute = \"kind.name\" }"),
            ("u", "int", "{ uniform = [\"low\", \"high\"], by = \"kind\" }"),
            ("z", "int", "{ zipf = { count = \"count\", exponent = 0 }, by = \"kind\" }"),
            (
                "m",
                "double",
                "{ mixture = [{ weight = 1, exponential = { mean = \"mean\" } }, \
                 { weight = 1, uniform = [\"low\", \"high\"] }], by = \"kind\", digits = 3 }",
            ),
        ])
    };
    let rows = draft.rows(40_000);
    for (name, low, count, mean) in [("a", 1.0, 2.0, 5.0), ("b", 10.0, 4.0, 500.0)] {
        let own: Vec<_> = rows.iter().filter(|row| row[0] == name).cloned().collect();
        let all = own.len() as f64;
        for (column, first, last) in [(1, low, low + 2.0), (2, 1.0, count)] {
            let values = numbers(&own, column);
            assert!(values.iter().all(|value| (first..=last).contains(value)), "{name} {column}");
            let share =
                values.iter().filter(|value| (**value - last).abs() < 0.5).count() as f64 / all;
            assert!((share * (last - first + 1.0) - 1.0).abs() < 0.05, "{name} {column}: {share}");
        }
        let found = numbers(&own, 3).iter().sum::<f64>() / all;
        let expected = f64::midpoint(mean, low + 1.0);
        assert!((found / expected - 1.0).abs() < 0.05, "{name}: {found} for {expected}");
    }
}

#[test]
fn values_are_pulled_in_and_rounded_as_told() {
    for (generator, least, most, step) in [
        ("{ pareto = { scale = 10, shape = 1.5 }, max = 50, digits = 2 }", 10.0, 50.0, 0.01),
        ("{ zipf = { count = 100, exponent = 1 }, min = 5, max = 90 }", 5.0, 90.0, 1.0),
        ("{ uniform = [0, 100], round = 5 }", 0.0, 100.0, 5.0),
        ("{ normal = { mean = 50, sd = 20 }, round = 5, min = 3, max = 98 }", 3.0, 98.0, 0.0),
        (
            "{ histogram = { edges = [0.5, 1.5], weights = [1] }, round = 0.25, digits = 2 }",
            0.5,
            1.5,
            0.25,
        ),
    ] {
        let values = numbers(&Draft::of(&[("x", "double", generator)]).rows(20_000), 0);
        let (min, max) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)));
        assert_eq!((min, max), (least, most), "{generator}");
        let off = |value: &f64| step > 0.0 && ((value / step).round() * step - value).abs() > 1e-9;
        assert!(!values.iter().any(off), "{generator}");
    }
}

#[test]
fn what_is_no_distribution_is_refused_with_its_place() {
    for (generator, told) in [
        ("{ uniform = [0.5, 9.5] }", "more than 0 digits"),
        ("{ uniform = [0.25, 9.5], digits = 1 }", "more than 1 digits"),
        ("{ uniform = [9, 1] }", "down to"),
        ("{ uniform = [0, 9000000], digits = 3 }", "32 bits"),
        ("{ pareto = { scale = 0, shape = 1 } }", "above 0"),
        ("{ pareto = { scale = 10, shape = 0.2 }, digits = 2 }", "2^40"),
        ("{ zipf = { count = 0.5, exponent = 1 } }", "not a count"),
        ("{ zipf = { count = 5, exponent = 9 } }", "0 to 4"),
        ("{ histogram = { edges = [0, 10], weights = [1, 2] } }", "must have 3"),
        ("{ histogram = { edges = [0, 10, 5], weights = [1, 2] } }", "not above"),
        ("{ histogram = { edges = [0, 10, 20], weights = [0, 0] } }", "only weights of 0"),
        ("{ histogram = { edges = [0, 10, 20], weights = [1, -1] } }", "below 0"),
        ("{ normal = { mean = 5, sd = 1 }, round = 0 }", "above 0"),
    ] {
        let told_of = Draft::of(&[("x", "double", generator)]).refusal();
        assert!(told_of.contains(told), "{generator}: {told_of}");
        assert!(told_of.contains("model.toml:12:"), "{generator}: {told_of}");
    }
}
