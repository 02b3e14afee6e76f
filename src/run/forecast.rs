//! What a run would send: the plan, its window, and what comes in it.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use super::request::check_streams;
use super::window::Window;
use super::{Error, plan};
use crate::config::Configuration;
use crate::plan::Plan;
use crate::stream::forecast::{Asked, Forecast};

/// How much model time is looked at where nothing says when to end.
const DAY: Duration = Duration::from_hours(24);

/// What a run would send.
#[derive(Debug)]
pub struct Foreseen {
    /// The plan.
    pub plan: Plan,
    /// What part of model time is looked at: it always has an end.
    pub from_us: i64,
    /// Where it ends.
    pub until_us: i64,
    /// Whether nothing said when to end.
    pub endless: bool,
    /// What comes in it.
    pub forecast: Forecast,
}

/// Counts what a run would send of these streams (of all, if none is named).
pub fn forecast(configuration: &Configuration, streams: &[String]) -> Result<Foreseen, Error> {
    check_streams(streams, &configuration.model)?;
    let plan = plan::of_model(configuration)?;
    let mut run = configuration.settings.run.clone();
    let window = Window::resolve(&run, plan.start_us)?;
    let endless = window.until_us.is_none();
    if endless {
        run.duration = Some(DAY);
    }
    let window = Window::resolve(&run, plan.start_us)?;
    let (from_us, until_us) = (window.from_us, window.until_us.unwrap_or(window.from_us));
    let since_start = |time_us: i64| (time_us - plan.start_us).unsigned_abs();
    let threads = run.threads.or_else(|| available_parallelism().ok());
    let sends =
        plan.streams.iter().map(|stream| streams.is_empty() || streams.contains(&stream.name));
    let asked = Asked {
        window_us: since_start(from_us)..since_start(until_us),
        sends: sends.collect(),
        threads: threads.map_or(1, NonZeroUsize::get),
    };
    let forecast = Forecast::new(&plan, &asked)?;
    Ok(Foreseen { plan, from_us, until_us, endless, forecast })
}
