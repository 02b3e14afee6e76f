//! How many events of a root stream come when, without making them.

use std::ops::Range;
use std::sync::Arc;

use super::HOUR_US;
use crate::config::model;
use crate::generate::cpu;
use crate::generate::philox::Many;
use crate::plan::arrival::{self, Arrivals};
use crate::plan::exact::{Hour, Part};
use crate::plan::poisson::Mean;
use crate::plan::traffic::{Segment, Traffic};
use crate::plan::{Plan, StreamPlan};
use crate::stream::Error;
use crate::stream::rows::Row;

/// The arrivals of a root stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roots<'a> {
    plan: &'a Plan,
    stream: &'a StreamPlan,
    traffic: &'a Traffic,
}

impl<'a> Roots<'a> {
    pub(super) fn new(plan: &'a Plan, stream: &'a StreamPlan, traffic: &'a Traffic) -> Self {
        Self { plan, stream, traffic }
    }

    /// Calls `see` with each of these ticks and how many events it has, in all lanes together.
    pub(super) fn totals(
        &self,
        ticks: Range<u64>,
        many: &mut Many,
        see: &mut impl FnMut(u64, u64),
    ) -> Result<(), Error> {
        let mut first = ticks.start;
        while first < ticks.end {
            let slot = self.slot(first);
            let end = (first..ticks.end).find(|tick| self.slot(*tick) != slot);
            let end = end.unwrap_or(ticks.end);
            let segment = self.traffic.segment(slot);
            let means: Vec<&Mean> = if self.traffic.is_silent(&segment) {
                Vec::new()
            } else if self.traffic.is_plain() {
                segment.means().map(|(_, mean)| mean).collect()
            } else {
                self.thinned(first..end, &segment, see)?;
                first = end;
                continue;
            };
            self.drawn(first..end, &means, (many, see));
            first = end;
        }
        Ok(())
    }

    /// The same for ticks that have multipliers of their own, or exact hours.
    fn thinned(
        &self,
        ticks: Range<u64>,
        segment: &Segment,
        see: &mut impl FnMut(u64, u64),
    ) -> Result<(), Error> {
        let is_exact = self.traffic.arrivals == model::Arrivals::Exact;
        if is_exact && !self.traffic.shape.defers {
            let mut known: Option<(u64, Arc<Hour>)> = None;
            for tick in ticks {
                let number = tick * self.tick_us() / HOUR_US;
                let hour = match known.take() {
                    Some((of, hour)) if of == number => hour,
                    _ => self.traffic.hour(number, Part::Sent),
                };
                see(tick, hour.before(tick + 1) - hour.before(tick));
                known = Some((number, hour));
            }
            return Ok(());
        }
        let lanes: Vec<u32> = (0..self.plan.lanes).collect();
        for tick in ticks {
            see(tick, self.arrivals(segment, tick)?.count(&lanes));
        }
        Ok(())
    }

    /// The events of a tick; refused as a run refuses them.
    fn arrivals<'b>(&'b self, segment: &'b Segment, tick: u64) -> Result<Arrivals<'b>, Error> {
        let arrivals = Arrivals::new(self.traffic, segment, tick);
        match arrivals.too_many() {
            None => Ok(arrivals),
            Some(events) => {
                let hours = tick as f64 * self.tick_us() as f64 / HOUR_US as f64;
                Err(Error::Rate { stream: self.stream.name.clone(), hours, events })
            }
        }
    }

    /// The same for ticks of which each has these means.
    fn drawn(
        &self,
        ticks: Range<u64>,
        means: &[&Mean],
        (many, see): (&mut Many, &mut impl FnMut(u64, u64)),
    ) {
        let lanes = 0..u32::try_from(means.len()).unwrap_or(u32::MAX);
        let places = ticks.clone().flat_map(|tick| lanes.clone().map(move |lane| (tick, lane)));
        let mut places = places.peekable();
        let mut total = 0;
        while places.peek().is_some() {
            let some = places.clone().take(Many::ROWS);
            let counters = some.map(|(tick, lane)| arrival::count_counter(tick, lane));
            many.draw(self.stream.key, counters, 0);
            for (row, (tick, lane)) in places.by_ref().take(Many::ROWS).enumerate() {
                let mean = means[lane as usize];
                total += u64::from(arrival::count_of(mean, many.words(row)));
                if lane + 1 == lanes.end {
                    see(tick, std::mem::take(&mut total));
                }
            }
        }
        if means.is_empty() {
            ticks.for_each(|tick| see(tick, 0));
        }
    }

    /// Calls `see` with the rows of a tick, lane by lane, by time in each; nobody has counted them.
    pub(super) fn rows(&self, tick: u64, see: &mut impl FnMut(&Row)) -> Result<(), Error> {
        let segment = self.traffic.segment(self.slot(tick));
        if self.traffic.is_silent(&segment) {
            return Ok(());
        }
        let begin_us = tick * self.tick_us();
        let lanes: Vec<u32> = (0..self.plan.lanes).collect();
        self.arrivals(&segment, tick)?.each(&lanes, &mut |_, arrival| {
            let (time_us, number) = (begin_us + u64::from(arrival.at_us), arrival.number);
            see(&Row { time_us, number, child: 0, above: 0, ordinal: 0 });
        });
        Ok(())
    }

    fn tick_us(&self) -> u64 {
        self.plan.tick.length_us().unsigned_abs()
    }

    fn slot(&self, tick: u64) -> i64 {
        cpu::slot_of(self.plan.start_us.saturating_add_unsigned(tick * self.tick_us()))
    }
}
