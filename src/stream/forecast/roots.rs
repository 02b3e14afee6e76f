//! How many events of a root stream come when, without making them.

use std::ops::Range;

use crate::generate::cpu;
use crate::generate::philox::Many;
use crate::plan::arrival::{self, Arrivals};
use crate::plan::poisson::Mean;
use crate::plan::traffic::Traffic;
use crate::plan::{Plan, StreamPlan};

/// The arrivals of a root stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roots<'a> {
    pub(super) plan: &'a Plan,
    pub(super) stream: &'a StreamPlan,
    pub(super) traffic: &'a Traffic,
}

impl Roots<'_> {
    /// Calls `see` with each of these ticks and how many events it has, in all lanes together.
    pub(super) fn totals(
        &self,
        ticks: Range<u64>,
        many: &mut Many,
        see: &mut impl FnMut(u64, u64),
    ) {
        let mut first = ticks.start;
        while first < ticks.end {
            let slot = self.slot(first);
            let end = (first..ticks.end).find(|tick| self.slot(*tick) != slot);
            let end = end.unwrap_or(ticks.end);
            let segment = self.traffic.segment(slot);
            if !self.traffic.is_plain() {
                let lanes: Vec<u32> = (0..self.plan.lanes).collect();
                for tick in first..end {
                    see(tick, Arrivals::new(self.traffic, &segment, tick).count(&lanes));
                }
                first = end;
                continue;
            }
            let means: Vec<&Mean> = if segment.is_idle() {
                Vec::new()
            } else {
                segment.means().map(|(_, mean)| mean).collect()
            };
            self.drawn(first..end, &means, (many, see));
            first = end;
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

    /// Calls `see` with the times of a tick's events, in microseconds since the start and in no order.
    pub(super) fn times(&self, tick: u64, see: &mut impl FnMut(u64)) {
        let segment = self.traffic.segment(self.slot(tick));
        if segment.is_idle() {
            return;
        }
        let begin_us = tick * self.tick_us();
        let lanes: Vec<u32> = (0..self.plan.lanes).collect();
        Arrivals::new(self.traffic, &segment, tick).each(&lanes, &mut |_, arrival| {
            see(begin_us + u64::from(arrival.at_us));
        });
    }

    fn tick_us(&self) -> u64 {
        self.plan.tick.length_us().unsigned_abs()
    }

    fn slot(&self, tick: u64) -> i64 {
        cpu::slot_of(self.plan.start_us.saturating_add_unsigned(tick * self.tick_us()))
    }
}
