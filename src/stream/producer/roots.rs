//! The rows of root streams: what arrives in the ticks of a job.

use super::super::cut::Ranks;
use super::super::deferrals::Deferrals;
use super::super::rows::{Row, Rows, lane_of};
use super::{Producer, Scratch};
use crate::generate::cpu;
use crate::plan::StreamPlan;
use crate::plan::arrival::{Arrival, Arrivals, Fate, tick_and_lane};
use crate::plan::batch::Job;
use crate::plan::traffic::{Segment, Traffic};
use crate::stream::Error;

impl Producer {
    /// The rows of a root stream, in send order.
    pub(super) fn roots(
        &self,
        scratch: &mut Scratch,
        traffic: &Traffic,
        job: &Job,
        (rows, ranks, rows_max): (&mut Rows, &mut Ranks, usize),
    ) -> Result<(), Error> {
        let number = scratch.stream;
        let stream = &self.plan.streams[number];
        let tick_us = self.plan.tick.length_us().unsigned_abs();
        rows.clear(0);
        scratch.deferrals = Deferrals::default();
        let mut ordinal = self.ordinal(number, traffic, job);
        for tick in job.ticks.clone() {
            let begin_us = tick * tick_us;
            let slot = cpu::slot_of(self.plan.start_us.saturating_add_unsigned(begin_us));
            if scratch.segment.as_ref().is_none_or(|(at, _)| *at != slot) {
                scratch.segment = Some((slot, traffic.segment(slot)));
            }
            let Some((_, segment)) = &scratch.segment else { continue };
            if scratch.arrivals_of != Some(tick) {
                self.arrive((stream, traffic), segment, tick, &mut scratch.arrivals)?;
                scratch.arrivals_of = Some(tick);
            }
            let arrivals = &scratch.arrivals;
            let before = |us: u64| {
                let since_us = us.saturating_sub(begin_us);
                arrivals.partition_point(|arrival| u64::from(arrival.at_us) < since_us)
            };
            let inside = before(job.window_us.start)..before(job.window_us.end);
            if self.options.count.is_some() {
                let own = |number: u64| self.is_own(lane_of(number));
                ranks.extend(number, begin_us, &arrivals[inside.clone()], own);
            }
            let ranked = (ordinal + inside.start as u64..).zip(&arrivals[inside]);
            let own = ranked.filter(|(_, arrival)| self.is_own(lane_of(arrival.number)));
            let known = rows.list.len();
            rows.list.extend(own.map(|(ordinal, arrival)| Row {
                time_us: begin_us + u64::from(arrival.at_us),
                number: arrival.number,
                child: 0,
                above: 0,
                ordinal,
            }));
            ordinal += arrivals.len() as u64;
            if traffic.shape.defers {
                let later = |row: &&Row| tick_and_lane(row.number).0 != tick;
                let released = rows.list[known..].iter().filter(later).count() as u64;
                let drawn = Arrivals::new(traffic, segment, tick);
                scratch.deferrals.add(self.deferrals(&drawn, begin_us, job, released));
            }
            if rows.list.len() > rows_max {
                return Ok(());
            }
        }
        if stream.compiled.program.ordinal.is_some() {
            self.ordinals[number].note(job.ticks.end, ordinal);
        }
        Ok(())
    }

    /// What becomes of a tick's events in a job's window that a phase keeps away, and how many of
    /// those that were due before come.
    fn deferrals(
        &self,
        drawn: &Arrivals<'_>,
        begin_us: u64,
        job: &Job,
        released: u64,
    ) -> Deferrals {
        let mut deferrals = Deferrals { released, ..Deferrals::default() };
        drawn.deferred(&self.lanes.1, &mut |arrival, fate| {
            if job.window_us.contains(&(begin_us + u64::from(arrival.at_us))) {
                deferrals.deferred += 1;
                deferrals.abandoned += u64::from(fate == Fate::Abandoned);
            }
        });
        deferrals
    }

    /// How many events of a stream come before a job's, if the stream counts.
    fn ordinal(&self, number: usize, traffic: &Traffic, job: &Job) -> u64 {
        let stream = &self.plan.streams[number];
        if stream.compiled.program.ordinal.is_none() {
            return 0;
        }
        self.ordinals[number].before(traffic, job.ticks.start)
    }

    /// The events of a tick, in send order. Only those of the shard, unless the place of each in the
    /// unsharded run is asked for.
    fn arrive(
        &self,
        (stream, traffic): (&StreamPlan, &Traffic),
        segment: &Segment,
        tick: u64,
        arrivals: &mut Vec<Arrival>,
    ) -> Result<(), Error> {
        arrivals.clear();
        if traffic.is_silent(segment) {
            // An exchange at night: nothing comes, whatever the draws would be.
            return Ok(());
        }
        let every = self.options.count.is_some() || stream.compiled.program.ordinal.is_some();
        let drawn = Arrivals::new(traffic, segment, tick);
        if let Some(events) = drawn.too_many() {
            let hours = tick as f64 * traffic.tick_us as f64 / 3.6e9;
            return Err(Error::Rate { stream: stream.name.clone(), hours, events });
        }
        let lanes = if every { &self.lanes.0 } else { &self.lanes.1 };
        drawn.each(lanes, &mut |_, arrival| arrivals.push(arrival));
        arrivals.sort_unstable();
        Ok(())
    }
}
