//! How long a plan takes, against how much model time it shows.

use anyhow::{Context as _, Result, ensure};
use tidegate::clock::Clock;

use crate::payments::START;
use crate::program::program;
use crate::row::{Row, Verdict, median};

/// How often each is taken.
const TIMES: usize = 3;

/// Seconds that thirty days of one root stream's drawn counts may take.
const MONTH_S_MAX: f64 = 5.0;

/// Seconds that a day of all streams of a model may take.
const DAY_S_MAX: f64 = 10.0;

const LENGTHS: [(&str, &str); 3] = [("1h", "an hour"), ("24h", "a day"), ("30d", "30 days")];

/// Plans of an hour, a day and thirty days.
pub(crate) fn forecast() -> Result<Vec<Row>> {
    let root = seconds("payments --streams authorisations", "30d")?;
    let mut rows = vec![Row {
        what: "plan 30 days of the payments model's root stream: 1.3 G events",
        at_least: "< 5 s",
        measured: format!("{root:.2} s"),
        verdict: Verdict::of(root < MONTH_S_MAX),
    }];
    for (model, what) in [
        ("payments", "plan `payments`, all streams, from the eleventh week on"),
        ("orders", "the same of `orders`"),
    ] {
        let (mut measured, mut day) = (Vec::new(), 0.0);
        for (duration, named) in LENGTHS {
            let taken = seconds(model, duration)?;
            measured.push(format!("{named} {taken:.2} s"));
            day = if duration == "24h" { taken } else { day };
        }
        let (at_least, measured) = ("a day < 10 s", measured.join(", "));
        let verdict = Verdict::of(day < DAY_S_MAX);
        rows.push(Row { what, at_least, measured, verdict });
    }
    Ok(rows)
}

fn seconds(model: &str, duration: &str) -> Result<f64> {
    let words = format!("plan {model} --start {START} --from 1680h --duration {duration} --json");
    let clock = Clock::system();
    let one = || {
        let begin_ns = clock.now_ns();
        let output = program(&words).output().context("the program starts")?;
        ensure!(output.status.success(), "`tidegate {words}` failed");
        Ok((clock.now_ns() - begin_ns) as f64 / 1e9)
    };
    let all = (0..TIMES).map(|_| one()).collect::<Result<Vec<f64>>>()?;
    Ok(median(&all))
}
