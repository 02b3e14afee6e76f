//! The traffic of root streams: rates, curves, zones, and whether they fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Draft;
use crate::config::model::{self, CurveShape, Generator, Model, Zone};
use crate::config::{Mistake, Span, Spanned};
use crate::plan::curve::Curves;
use crate::plan::population::Population;
use crate::plan::shape::{Bounded, Factors, Shape};
use crate::plan::traffic::{self, Traffic};
use crate::plan::zone::Zones;
use crate::plan::{LANE_EVENTS_MAX, compile, rate_of};

impl Draft<'_> {
    /// How fast events of a root stream come, and who acts.
    pub(super) fn traffic(
        &self,
        number: usize,
        actor: Option<usize>,
    ) -> Result<Traffic, Vec<Mistake>> {
        let stream = &self.model.streams[number];
        let of_model = self.model.traffic.as_ref();
        let written = stream.traffic.as_ref().or(of_model);
        let base_per_s = rate_of(self.model, stream, self.world);
        if base_per_s <= 0.0 {
            let what = format!("nothing says how fast events of `{}` come", stream.name);
            let help = Some("set `traffic.rate`, or `count` and `activity` of who acts".to_owned());
            return Err(vec![Mistake { span: stream.span.clone(), what, help }]);
        }
        let intensity = self.intensity(stream);
        let shapes = self.curves(written);
        let (floor, cap) = written.map_or((0.0, f64::INFINITY), |it| (it.floor, it.cap));
        let is_formula = |shape: &&CurveShape| matches!(shape, CurveShape::Formula(_));
        let (formulas, local): (Vec<_>, Vec<_>) = shapes.into_iter().partition(is_formula);
        let formulas: Vec<_> = formulas.into_iter().filter_map(CurveShape::formula).collect();
        let is_bounded = !formulas.is_empty() && (floor > 0.0 || cap.is_finite());
        let named = written.map_or(&[][..], |traffic| &traffic.curves);
        let population = actor.map(|actor| Arc::clone(&self.world.kinds[actor].actors));
        let zone = written.and_then(|traffic| traffic.zone.as_ref());
        let (zones, zone_of_group) = self.zones(zone, actor, population.as_deref())?;
        let local: Vec<CurveShape> = local.into_iter().cloned().collect();
        let (mut curves, mut bounded) = (Curves::new(local, floor, cap), None);
        if is_bounded {
            let place = named.first().map_or(&stream.span, |first| &first.span);
            let together = self.bounded(zone, (curves, floor, cap), place)?;
            (curves, bounded) = (Curves::new(Vec::new(), 0.0, f64::INFINITY), Some(together));
        }
        let tick_us = self.tick.length_us().unsigned_abs();
        let rate_per_hour = written.and_then(|traffic| traffic.rate_per_hour);
        let way = |traffic: Option<&model::Traffic>| traffic.and_then(|it| it.arrivals);
        let traffic = Traffic {
            key: compile::stream_key(self.world, stream),
            start_us: self.start_us,
            rate_per_s: base_per_s * intensity,
            rate_per_hour: rate_per_hour.unwrap_or(base_per_s * 3_600.0),
            intensity,
            arrivals: way(stream.traffic.as_ref()).or(way(of_model)).unwrap_or_default(),
            shape: Shape {
                formulas,
                bounded,
                scenarios: Arc::clone(&self.scenarios),
                stream: number,
                tick_us,
                defers: self.scenarios.phases.iter().any(|phase| phase.defers(number)),
            },
            curves,
            zones,
            zone_of_group,
            population,
            lanes: u32::from(self.model.lanes),
            tick_us,
            known: traffic::Known::default(),
            kept_bytes: traffic::KEPT_BYTES,
        };
        check_rate(self.model, &traffic, stream, named)?;
        Ok(traffic)
    }

    /// Curves of local time that are bounded together with formulas, which are the same in all zones: so
    /// there must be one.
    fn bounded(
        &self,
        zone: Option<&Spanned<Zone>>,
        (curves, floor, cap): (Curves, f64, f64),
        place: &Span,
    ) -> Result<Arc<Bounded>, Vec<Mistake>> {
        let name = match zone.map(|zone| &zone.value) {
            None => "UTC",
            Some(Zone::Named(name)) => name,
            Some(Zone::Attribute(_)) => {
                let what = "`floor` and `cap` cannot bound a formula together with curves of each \
                            member's own zone";
                let help = "bound it in the expression: \"max(0.5, min(3, …))\"";
                return Err(refused(place, what.to_owned(), help));
            }
        };
        let zones = Zones::new([name]).unwrap_or_default();
        let curves = curves.without_bounds();
        Ok(Arc::new(Bounded { curves, zones, start_us: self.start_us, floor, cap }))
    }

    /// What the rate of a stream is multiplied by all along.
    fn intensity(&self, stream: &model::Stream) -> f64 {
        let mut traffic = stream.traffic.iter().chain(&self.model.traffic);
        let written = traffic.find_map(|traffic| traffic.intensity.as_ref());
        let brought = || self.model.scenarios.iter().filter_map(|it| it.intensity).product();
        written.map_or_else(brought, |intensity| intensity.value)
    }

    /// The curves that are named.
    fn curves(&self, written: Option<&model::Traffic>) -> Vec<&CurveShape> {
        let named = written.map_or(&[][..], |traffic| &traffic.curves);
        let shapes = named.iter().filter_map(|name| {
            let curve = self.model.curves.iter().find(|curve| curve.name == name.value)?;
            Some(&curve.shape)
        });
        shapes.collect()
    }

    /// The zones that curves are read in, and which of them each group of members lives by.
    fn zones(
        &self,
        zone: Option<&Spanned<Zone>>,
        actor: Option<usize>,
        population: Option<&Population>,
    ) -> Result<(Zones, Vec<usize>), Vec<Mistake>> {
        let groups = population.map_or(1, Population::groups);
        let Some(zone) = zone else {
            return Ok((Zones::new(["UTC"]).unwrap_or_default(), vec![0; groups]));
        };
        let refuse = |what: String, help: &str| {
            vec![Mistake { span: zone.span.clone(), what, help: Some(help.to_owned()) }]
        };
        let unknown = |name| {
            refuse(format!("`{name}` is not a time zone"), "use names such as Europe/Berlin")
        };
        let path = match &zone.value {
            Zone::Named(name) => {
                return Ok((Zones::new([name.as_str()]).map_err(unknown)?, vec![0; groups]));
            }
            Zone::Attribute(path) => path,
        };
        let found = actor.and_then(|actor| {
            let mut steps = path.split('.');
            let (entity, attribute, column) = (steps.next()?, steps.next()?, steps.next()?);
            let kinds = &self.world.kinds;
            let dealt = kinds[actor].dealt.iter().find(|dealt| {
                kinds[dealt.entity].entity.attributes[dealt.attribute].name == attribute
            })?;
            self.world.entity(entity)?;
            let generator = &kinds[dealt.entity].entity.attributes[dealt.attribute].generator;
            let Generator::Table { table, .. } = &generator.value else { return None };
            let table = &self.model.tables[self.world.table(&table.value)?];
            let column = table.columns.iter().find(|it| it.name == column)?;
            let rows = dealt.value_of_group.iter().filter_map(|row| usize::try_from(*row).ok());
            Some((Arc::clone(&column.cells), rows.collect::<Vec<_>>()))
        });
        let Some((cells, rows)) = found else {
            let what = format!("`{path}` does not lead to a zone of who acts");
            return Err(refuse(what, "name a column of a table that the family is dealt by"));
        };
        // Cities share zones: what holds in a zone is worked out once.
        let names: BTreeSet<&str> = cells.iter().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let number = |row: &usize| names.binary_search(&cells[*row].as_str()).ok();
        let zone_of_group = rows.iter().filter_map(number).collect();
        Ok((Zones::new(names.iter().copied()).map_err(unknown)?, zone_of_group))
    }
}

fn refused(span: &Span, what: String, help: &str) -> Vec<Mistake> {
    vec![Mistake { span: span.clone(), what, help: Some(help.to_owned()) }]
}

/// Whether the greatest rate that is seen ahead fits into the ticks of lanes.
fn check_rate(
    model: &Model,
    traffic: &Traffic,
    stream: &model::Stream,
    named: &[Spanned<String>],
) -> Result<(), Vec<Mistake>> {
    let greatest = traffic.curves.greatest();
    if let (true, Some(first)) = (greatest <= 0.0, named.first()) {
        let what = "these curves together are 0 in every hour, so that nothing would come";
        let help = "use curves that have an hour above 0 in common";
        return Err(refused(&first.span, what.to_owned(), help));
    }
    let tick_s = traffic.tick_us as f64 / 1e6;
    let mut most: f64 = 1.0;
    for tick in traffic.shape.looks() {
        let factors = traffic.shape.at(tick);
        let Factors { base, scenario } = factors;
        let bad = |factor: f64| factor < 0.0 || !factor.is_finite();
        let (of, value, place) = if bad(base) {
            ("curves", base, named.first().map_or(&stream.span, |first| &first.span))
        } else if bad(scenario) {
            let first = model.scenarios.first();
            ("scenarios", scenario, first.map_or(&stream.span, |first| &first.span))
        } else {
            most = most.max(factors.product());
            continue;
        };
        let hours = tick as f64 * tick_s / 3_600.0;
        let what = format!(
            "the {of} of `{}` come to {value} after {hours:.2} hours, but must be from 0 up and finite",
            stream.name
        );
        return Err(refused(place, what, "bound the expression: \"max(0, min(100, …))\""));
    }
    let lanes = f64::from(traffic.lanes);
    let share = traffic.population.as_ref().map_or(1.0 / lanes, |all| all.greatest_lane());
    let events = traffic.rate_per_s * greatest * most * share * tick_s;
    let limit = if traffic.shape.is_flat() { LANE_EVENTS_MAX } else { LANE_EVENTS_MAX / 2.0 };
    if events > limit {
        let what = format!(
            "a lane would have up to {events:.0} events in a tick, but the limit is {limit}"
        );
        let help = "raise `lanes`, set a shorter `tick` or lower the rate";
        return Err(refused(&stream.span, what, help));
    }
    Ok(())
}
