//! Random walks: from what a member's value is made of to operations, at any time.

use std::sync::Arc;

use super::value::{Cell, Number, Value, numbers, power_of_ten};
use super::{Compiler, Owner, Site};
use crate::config::model::{self, Generator, Given, Moment, Zone};
use crate::config::{Span, Spanned};
use crate::generate::philox;
use crate::plan::program::{
    Arithmetic, Counter, Operand, Operation, Register, Target, Wide, input,
};
use crate::plan::quantile::{Curve, LIMIT, Quantile};
use crate::plan::walk::{Exponential, Pace, SUM_BITS, Trend, Walk};
use crate::plan::zone::Zones;

/// The greatest volatility and drift of a year, in units of their last digit.
const UNITS_MAX: i64 = 1 << 26;
/// The greatest volatility and drift of a year, as a share of the value.
const SHARE_MAX: f64 = 1_000.0;
/// The greatest volatility and drift of a year, in units of the value's last digit.
const SUM_MAX: f64 = (1_u64 << 30) as f64;
/// Blocks of a walk's key, apart from those of its levels and its end.
const HIGHEST: u32 = u32::MAX - 1;
const LOWEST: u32 = u32::MAX - 2;
/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// What is known of a value that is read from a walk.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The key of the walk's randomness, and whose it is.
    key: [u32; 2],
    member: Register,
    /// How far it has come.
    far: Wide,
    time_us: Wide,
    trend: Trend,
    volatility: Operand,
    reverts: bool,
    finish: Finish,
}

/// From how far a walk has come to its value.
#[derive(Clone, Debug)]
struct Finish {
    start: Number,
    digits: u8,
    min: i64,
    max: i64,
    /// Of a geometric walk.
    exponential: Option<Arc<Exponential>>,
}

impl<'a> Compiler<'a> {
    /// What is read of members at other times than the event's, and what wanders over time.
    pub(super) fn over_time(
        &mut self,
        generator: &'a Spanned<Generator>,
        site: Site,
        word: u32,
    ) -> Option<Cell> {
        let span = &generator.span;
        match &generator.value {
            Generator::At { value, moment } => {
                self.at(moment, span, |compiler| compiler.generate(value, site, word))
            }
            Generator::Extreme { path, highest, between } => {
                self.extreme((path, *highest), between, site)
            }
            Generator::Walk(walk) => self.walk(walk, site, span),
            _ => None,
        }
    }

    /// The value of a member's walk at the time at which members are read.
    fn walk(&mut self, walk: &'a model::Walk, site: Site, span: &Span) -> Option<Cell> {
        let Owner::Member { entity, number } = site.owner else {
            let help = "make it an attribute of an entity, and read that";
            return self.refuse(span, "a walk belongs to a member", help);
        };
        let (start, start_there) = self.amount(&walk.start, site)?;
        let (volatility, volatility_there) = self.amount(&walk.volatility, site)?;
        let (drift, drift_there) = match &walk.drift {
            Some(drift) => self.amount(drift, site)?,
            None => (Number::constant(0, 0), None),
        };
        self.check_amount(&volatility, walk, &walk.volatility.span, true)?;
        if let Some(given) = &walk.drift {
            self.check_amount(&drift, walk, &given.span, false)?;
        }
        let finish = self.finish_of(walk, start, &walk.start.span)?;
        let value_unit = if walk.geometric { 1.0 } else { power_of_ten(walk.digits) as f64 };
        let trend = Trend::new(&Pace {
            step_us: walk.step_us,
            geometric: walk.geometric,
            reverts: walk.revert_us.is_some(),
            volatility: value_unit / power_of_ten(volatility.scale) as f64,
            drift: value_unit / power_of_ten(drift.scale) as f64,
        });
        let (position, far) = (self.wide(), self.wide());
        let time_us = self.lift_wide(self.now);
        let (shared, generation) = (self.shared_walk(walk), self.generation(entity, number));
        let key = shared.key;
        self.emit(Operation::Walk {
            walk: shared,
            member: number,
            generation,
            time_us: Operand::Wide(time_us),
            out: position,
        });
        self.emit(Operation::Trend {
            trend,
            position,
            time_us: Operand::Wide(time_us),
            volatility: volatility.operand,
            drift: drift.operand,
            out: far,
        });
        let value = self.finish(&finish, far, span)?;
        let (volatility, reverts) = (volatility.operand, walk.revert_us.is_some());
        if let Some(register) = register_of(value.operand) {
            let reading =
                Reading { key, member: number, far, time_us, trend, volatility, reverts, finish };
            self.readings.insert(register, reading);
        }
        let present = self.both(start_there, volatility_there);
        let present = self.both(present, drift_there);
        Some(Cell { value: Value::Number(value), present })
    }

    /// A number, or what a path leads to, and where it is there.
    fn amount(&mut self, given: &Spanned<Given>, site: Site) -> Option<(Number, Option<Register>)> {
        match &given.value {
            Given::Path(path) => {
                let cell =
                    self.path(&Spanned { value: path.clone(), span: given.span.clone() }, site)?;
                Some((self.number(&cell, &given.span)?, cell.present))
            }
            Given::Number(value) => {
                // What comes from other units has more digits than it is worth.
                let written = [format!("{value}"), format!("{value:.6}")];
                let read = written.into_iter().find_map(|text| numbers(&[text]).ok());
                let Some((values, scale)) = read else {
                    let what = format!("{value} has too many digits");
                    return self.refuse(&given.span, what, "at most 18, 9 of them after the point");
                };
                Some((Number::constant(values[0], scale), None))
            }
        }
    }

    /// Refuses a volatility or a drift that the arithmetic of trends has no room for.
    fn check_amount(
        &mut self,
        amount: &Number,
        walk: &model::Walk,
        span: &Span,
        positive: bool,
    ) -> Option<()> {
        let unit = power_of_ten(amount.scale) as f64;
        if positive && amount.min < 0 {
            let what = format!("the volatility can be {}, below 0", amount.min as f64 / unit);
            return self.refuse(span, what, "bound it with `min = 0`");
        }
        let greatest = amount.max.max(amount.min.saturating_neg());
        let yearly = greatest as f64 / unit;
        let (limit, noun) = if walk.geometric {
            (SHARE_MAX, "times the value")
        } else {
            (SUM_MAX / power_of_ten(walk.digits) as f64, "at these `digits`")
        };
        if yearly > limit {
            let what = format!("this reaches {yearly} in a year, but the limit is {limit} {noun}");
            return self.refuse(span, what, "bound it, or give the walk fewer `digits`");
        }
        if greatest > UNITS_MAX {
            let what = format!(
                "this reaches {greatest} units of its last digit, but the limit is {UNITS_MAX}"
            );
            return self.refuse(span, what, "give it fewer digits after the point");
        }
        Some(())
    }

    fn finish_of(&mut self, walk: &model::Walk, start: Number, span: &Span) -> Option<Finish> {
        let unit = power_of_ten(walk.digits) as f64;
        let least = if walk.geometric { 1.0 } else { -LIMIT };
        let bound = |given: Option<f64>, otherwise: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "at most 2^40 in size")]
            let bound =
                given.map_or(otherwise, |it| libm::round(it * unit)).clamp(least, LIMIT) as i64;
            bound
        };
        let (min, max) = (bound(walk.min, least), bound(walk.max, LIMIT));
        let exponential = if walk.geometric {
            if start.min < 1 || start.max > i64::from(u32::MAX) {
                let scale = power_of_ten(start.scale) as f64;
                let (from, to) = (start.min as f64 / scale, start.max as f64 / scale);
                let what = format!(
                    "a geometric walk would start at {from} to {to}, but must be above 0 and below 2^32 \
                     units of its last digit"
                );
                return self.refuse(span, what, "bound it with `min` and `max`");
            }
            let ratio = unit / power_of_ten(start.scale) as f64;
            Some(Arc::new(Exponential::new(ratio, min, max)))
        } else {
            None
        };
        Some(Finish { start, digits: walk.digits, min, max, exponential })
    }

    fn finish(&mut self, finish: &Finish, far: Wide, span: &Span) -> Option<Number> {
        let (min, max, scale) = (finish.min, finish.max, finish.digits);
        if let Some(table) = &finish.exponential {
            let (out, operand) = self.target(min, max);
            let (table, start) = (Arc::clone(table), finish.start.operand);
            self.emit(Operation::Exponential { table, start, trend: far, out });
            return Some(Number { operand, min, max, scale });
        }
        let bound = i64::MAX >> 2;
        let far = Number { operand: Operand::Wide(far), min: -bound, max: bound, scale };
        let unit = Number::constant(1 << SUM_BITS, 0);
        let far = self.arithmetic(Arithmetic::Divide, [far, unit], scale, span)?;
        let start = if finish.start.scale > scale {
            let over = Number::constant(power_of_ten(finish.start.scale - scale), 0);
            self.arithmetic(Arithmetic::Divide, [finish.start, over], scale, span)?
        } else {
            self.rescale(finish.start, scale, span)?
        };
        let sum = self.arithmetic(Arithmetic::Add, [start, far], scale, span)?;
        let (min, max) = (Number::constant(min, scale), Number::constant(max, scale));
        let sum = self.arithmetic(Arithmetic::Maximum, [sum, min], scale, span)?;
        self.arithmetic(Arithmetic::Minimum, [sum, max], scale, span)
    }

    /// The walk of that name, the same wherever it is read, so that what is remembered of it is too.
    fn shared_walk(&mut self, walk: &model::Walk) -> Arc<Walk> {
        if let Some(known) = self.walks.get(&walk.name) {
            return Arc::clone(known);
        }
        let key = philox::key(self.source.world.model.seed, "walk", &walk.name);
        let made = Arc::new(Walk::new(key, self.walks.len(), walk.step_us, walk.revert_us));
        self.walks.insert(walk.name.clone(), Arc::clone(&made));
        made
    }

    /// Compiles something that is read at another time than the event's.
    fn at<T>(
        &mut self,
        moment: &Moment,
        span: &Span,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        // Beside the row, so that members of the row and of a list's items can be read at it.
        let level = usize::from(self.level());
        let moment = self.within(level, |compiler| compiler.moment(moment, span))?;
        let now = std::mem::replace(&mut self.now, moment);
        let result = read(self);
        self.now = now;
        result
    }

    /// Microseconds from the start to a moment; 0 if it is earlier.
    fn moment(&mut self, moment: &Moment, span: &Span) -> Option<Wide> {
        let max = i64::MAX >> 8;
        let operand = Operand::Wide(input::time(self.level()));
        let mut time = Number { operand, min: 0, max, scale: 0 };
        let zero = Number::constant(0, 0);
        if let Some(floor_us) = moment.floor_us {
            let mut shift = Number::constant(self.source.start_us, 0);
            if let Some(zone) = &moment.zone {
                let offset = self.zone_offset(zone)?;
                let minute = Number::constant(MINUTE_US, 0);
                let offset = self.arithmetic(Arithmetic::Multiply, [offset, minute], 0, span)?;
                shift = self.arithmetic(Arithmetic::Add, [shift, offset], 0, span)?;
            }
            let local = self.arithmetic(Arithmetic::Add, [time, shift], 0, span)?;
            let floor = Number::constant(floor_us, 0);
            let floored = self.arithmetic(Arithmetic::FloorTo, [local, floor], 0, span)?;
            time = self.arithmetic(Arithmetic::Subtract, [floored, shift], 0, span)?;
        }
        let plus = Number::constant(moment.plus_us, 0);
        let time = self.arithmetic(Arithmetic::Add, [time, plus], 0, span)?;
        let time = self.arithmetic(Arithmetic::Maximum, [time, zero], 0, span)?;
        let out = self.wide();
        self.emit(Operation::Move { from: time.operand, out: Target::Wide(out) });
        Some(out)
    }

    /// Minutes east of UTC at the event's time.
    fn zone_offset(&mut self, zone: &Spanned<Zone>) -> Option<Number> {
        let (index, zones) = match &zone.value {
            Zone::Named(name) => (self.constant(0), Zones::new([name.as_str()])),
            Zone::Attribute(path) => {
                let path = Spanned { value: path.clone(), span: zone.span.clone() };
                let cell = self.path(&path, self.event_site())?;
                let Value::Dictionary { index, cells } = &cell.value else {
                    let what = format!(
                        "a column of time zones is needed, but this is {}",
                        cell.value.kind()
                    );
                    return self.refuse(&zone.span, what, "");
                };
                (*index, Zones::new(cells.iter().map(String::as_str)))
            }
        };
        let zones = match zones {
            Ok(zones) => Arc::new(zones),
            Err(name) => {
                let what = format!("`{name}` is not a time zone");
                return self.refuse(&zone.span, what, "use IANA names such as Europe/Berlin");
            }
        };
        let out = self.register();
        let era = input::era(self.level());
        self.emit(Operation::Offset { era, zone: index, zones, out });
        let bound = 26 * 60;
        Some(Number { operand: Operand::Signed(out), min: -bound, max: bound, scale: 0 })
    }

    /// The highest or lowest value of a walk between two times.
    fn extreme(
        &mut self,
        (path, highest): (&'a Spanned<String>, bool),
        between: &'a [Moment; 2],
        site: Site,
    ) -> Option<Cell> {
        let span = &path.span;
        let mut cells = Vec::new();
        for moment in between {
            cells.push(self.at(moment, span, |compiler| compiler.path(path, site))?);
        }
        let reading = |cell: &Cell| match &cell.value {
            Value::Number(number) => {
                register_of(number.operand).and_then(|it| self.readings.get(&it).cloned())
            }
            _ => None,
        };
        let (Some(first), Some(last)) = (reading(&cells[0]), reading(&cells[1])) else {
            let what = format!("`{}` does not lead to a walk", path.value);
            return self.refuse(span, what, "name an attribute that is a { walk = … }");
        };
        if first.reverts {
            let what = "what a walk that reverts comes to between two times has no known law";
            return self.refuse(span, what, "read it at several times, or leave `revert` out");
        }
        // −2·ln of a random number, with 24 binary digits after the point.
        let curve = Curve::Exponential { mean: 2.0 * f64::from(1 << 24) };
        let tables = Arc::from([Quantile::new(|p, q| curve.inverse(p, q))]);
        // The same for the same member and times, wherever it is read.
        let words = [(); 4].map(|()| self.register());
        let counter = Counter {
            low: first.member,
            high: Some(first.time_us.low),
            salt: 0,
            index: Some(last.time_us.low),
            block: if highest { HIGHEST } else { LOWEST },
        };
        self.emit(Operation::Random { key: first.key, counter, out: words });
        let (word, surprise, far) = (words[0], self.register(), self.wide());
        self.emit(Operation::Quantile { word, tables, select: None, out: Target::Word(surprise) });
        self.emit(Operation::Extreme {
            trend: first.trend,
            ends: [first.far, last.far],
            times_us: [Operand::Wide(first.time_us), Operand::Wide(last.time_us)],
            volatility: first.volatility,
            surprise,
            highest,
            out: far,
        });
        let value = self.finish(&first.finish, far, span)?;
        let present = self.both(cells[0].present, cells[1].present);
        Some(Cell { value: Value::Number(value), present })
    }
}

/// The column that says which value it is.
fn register_of(operand: Operand) -> Option<Register> {
    match operand {
        Operand::Constant(_) => None,
        Operand::Unsigned(register) | Operand::Signed(register) => Some(register),
        Operand::Wide(wide) => Some(wide.low),
    }
}
