//! Occasions: what is drawn once for a member, for a favourite of it, or for a period of it.

use std::sync::Arc;

use super::value::{Cell, Number, Value};
use super::{Compiler, Owner, Site};
use crate::config::model::{Favourite, Generator, Period};
use crate::config::{Span, Spanned};
use crate::plan::program::{Arithmetic, Operand, Operation, Register, Target, Wide, input};
use crate::plan::zone::Zones;

/// The salt of what is drawn once: an origin of its own. The generation of a member is added.
const ONCE: u32 = 0xFF00_0000;
/// Blocks of the words that shift the periods of a member, apart from those of its attributes.
const SHIFT_BLOCKS: u32 = 0x3000_0000;
/// Bits of a turn; above them stands what kind of occasion it is.
const TURN_BITS: u32 = 30;
const SECOND_US: u64 = 1_000_000;
const DAY_US: u64 = 86_400 * SECOND_US;

/// A member, or a favourite or period of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion {
    pub(super) entity: usize,
    pub(super) number: Register,
    /// Which, and of what kind. None: the member itself.
    pub(super) turn: Option<Turn>,
}

/// Which favourite or period of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) which: Number,
    /// 1: a favourite; 2: a period.
    kind: u32,
}

impl<'a> Compiler<'a> {
    /// What has to do with occasions and places.
    pub(super) fn occasional(
        &mut self,
        generator: &'a Generator,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        match generator {
            Generator::Once { on, generator } => self.once(on, generator, (site, word)),
            Generator::Near(near) => self.near(near, (site, word)),
            Generator::Favourite(favourite) => self.favourite(favourite, (site, word)),
            Generator::Period(period) => self.period(period, site),
            Generator::Habit { favourite, member } => self.habit(favourite, member, (site, word)),
            _ => None,
        }
    }

    /// A generator that is drawn once for each occasion, and for the event where there is none.
    fn once(
        &mut self,
        on: &Spanned<String>,
        generator: &'a Spanned<Generator>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let cell = self.path(on, site)?;
        let site = self.once_site(site, &cell, &on.span)?;
        self.generate(generator, site, word)
    }

    /// A member that is mostly one of another member's favourites.
    fn habit(
        &mut self,
        favourite: &Favourite,
        member: &'a Spanned<Generator>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let cell = self.favourite(favourite, (site, word))?;
        let site = self.once_site(site, &cell, &favourite.of.span)?;
        self.generate(member, site, word + FAVOURITE_WORDS)
    }

    /// The randomness of an occasion, or of the event in rows where there is none.
    fn once_site(&mut self, site: Site, cell: &Cell, span: &Span) -> Option<Site> {
        if let Owner::Member { .. } = site.owner {
            let what = "an attribute is drawn once for its member anyway";
            return self.refuse(span, what, "use `once` in a stream");
        }
        let occasion = match &cell.value {
            Value::Member { entity, number } => {
                Occasion { entity: *entity, number: *number, turn: None }
            }
            Value::Occasion(occasion) => *occasion,
            other => {
                let what = format!("nothing is drawn once for {}", other.kind());
                let help = "name a member, or a `let` that is a `favourite` or a `period`";
                return self.refuse(span, what, help);
            }
        };
        let high = match occasion.turn {
            None => Operand::Constant(0),
            Some(turn) => {
                let kind = Number::constant(i64::from(turn.kind) << TURN_BITS, 0);
                self.arithmetic(Arithmetic::Add, [turn.which, kind], 0, span)?.operand
            }
        };
        let generation = self.generation(occasion.entity, occasion.number);
        let site = Site { owner: Owner::Occasion, ..site };
        let Some(present) = cell.present else {
            let high = if high == Operand::Constant(0) { None } else { Some(self.held(high)) };
            return Some(Site {
                low: occasion.number,
                high,
                salt: ONCE,
                index: generation,
                ..site
            });
        };
        let event =
            |register: Option<Register>| register.map_or(Operand::Constant(0), Operand::Unsigned);
        let salt = i64::from(ONCE.wrapping_sub(site.salt));
        let salt = match generation {
            None => Operand::Constant(salt),
            Some(generation) => {
                let out = self.register();
                let (left, right) = (Operand::Constant(salt), Operand::Unsigned(generation));
                let (function, target) = (Arithmetic::Add, Target::Word(out));
                self.emit(Operation::Arithmetic { function, left, right, out: target });
                Operand::Unsigned(out)
            }
        };
        let mut select = |then: Operand, otherwise: Operand| {
            let out = self.register();
            let target = Target::Word(out);
            self.emit(Operation::Select { condition: present, then, otherwise, out: target });
            out
        };
        let low = select(Operand::Unsigned(occasion.number), Operand::Unsigned(site.low));
        let high = select(high, event(site.high));
        let index = select(salt, event(site.index));
        Some(Site { low, high: Some(high), index: Some(index), ..site })
    }

    /// A column that holds a word.
    fn held(&mut self, from: Operand) -> Register {
        if let Operand::Unsigned(register) = from {
            return register;
        }
        let out = self.register();
        self.emit(Operation::Move { from, out: Target::Word(out) });
        out
    }

    /// Which of a member's favourites it is; null in the rest of the events.
    fn favourite(&mut self, favourite: &Favourite, (site, word): (Site, u32)) -> Option<Cell> {
        let (entity, number, mut present) = self.member_at(&favourite.of, site)?;
        if favourite.share < 1.0 {
            let threshold = Operand::Constant(self.threshold(favourite.share, &favourite.of.span)?);
            let (word, out) = (self.word(site, word), self.register());
            self.emit(Operation::Chance { word, threshold, out });
            present = self.both(Some(out), present);
        }
        let weights: Vec<f64> = (1..=favourite.count)
            .map(|rank| libm::pow(f64::from(rank), -favourite.exponent))
            .collect();
        let which = self.choose(site, word + 1, &weights);
        let max = i64::from(favourite.count) - 1;
        let which = Number { operand: Operand::Unsigned(which), min: 0, max, scale: 0 };
        let turn = Some(Turn { which, kind: 1 });
        Some(Cell { value: Value::Occasion(Occasion { entity, number, turn }), present })
    }

    /// Which of a member's periods it is: those of each member begin at another moment.
    fn period(&mut self, period: &Period, site: Site) -> Option<Cell> {
        if let Owner::Member { .. } = site.owner {
            let what = "members have no event and no time";
            return self.refuse(&period.of.span, what, "use it in a stream");
        }
        let span = &period.of.span;
        let (entity, number, mut present) = self.member_at(&period.of, site)?;
        let of_member = self.member_site(entity, number);
        // Periods of another length are shifted by another word.
        let block = u32::try_from(period.length_us / SECOND_US % (1 << 28)).unwrap_or(0);
        let [word, ..] = self.block(of_member, SHIFT_BLOCKS + block);
        let (unit_us, mut base_us) = if period.begins_us.is_some() {
            (DAY_US, self.source.start_us.rem_euclid(DAY_US.cast_signed()))
        } else {
            (SECOND_US, 0)
        };
        let size = period.length_us / unit_us;
        let out = self.register();
        self.emit(Operation::Range { word, size, base: 0, out: Target::Word(out) });
        let max = size.cast_signed() - 1;
        let steps = Number { operand: Operand::Unsigned(out), min: 0, max, scale: 0 };
        let unit = Number::constant(unit_us.cast_signed(), 0);
        let mut time = self.arithmetic(Arithmetic::Multiply, [steps, unit], 0, span)?;
        let now = self.lift_wide(self.now);
        let now = Number { operand: Operand::Wide(now), min: 0, max: i64::MAX >> 8, scale: 0 };
        time = self.arithmetic(Arithmetic::Add, [time, now], 0, span)?;
        if let (Some(begins_us), Some(zone)) = (period.begins_us, &period.zone) {
            let (offset, has_zone) = self.offset(zone, site)?;
            present = self.both(present, has_zone);
            // Zones are less than a day from UTC.
            let (min, max) = (-1_440, 1_440);
            let offset = Number { operand: Operand::Signed(offset), min, max, scale: 0 };
            let minute = Number::constant(60 * SECOND_US.cast_signed(), 0);
            let offset = self.arithmetic(Arithmetic::Multiply, [offset, minute], 0, span)?;
            time = self.arithmetic(Arithmetic::Add, [time, offset], 0, span)?;
            // Two days, so that what is divided is above 0.
            base_us += 2 * DAY_US.cast_signed() - begins_us.cast_signed();
        }
        let length = period.length_us.cast_signed();
        // Rounding to the nearest is rounding down of what is half a period earlier; one period is
        // added, so that it is above 0.
        let base = Number::constant(base_us + length - length / 2, 0);
        time = self.arithmetic(Arithmetic::Add, [time, base], 0, span)?;
        let length = Number::constant(length, 0);
        let which = self.arithmetic(Arithmetic::Divide, [time, length], 0, span)?;
        let turn = Some(Turn { which: Number { min: 0, ..which }, kind: 2 });
        Some(Cell { value: Value::Occasion(Occasion { entity, number, turn }), present })
    }

    fn member_at(
        &mut self,
        path: &Spanned<String>,
        site: Site,
    ) -> Option<(usize, Register, Option<Register>)> {
        match self.path(path, site)? {
            Cell { value: Value::Member { entity, number }, present } => {
                Some((entity, number, present))
            }
            other => {
                let what = format!("a member is needed, but this is {}", other.value.kind());
                self.refuse(&path.span, what, "name an entity")
            }
        }
    }

    /// Minutes east of UTC in the zone that a path leads to.
    pub(super) fn offset(
        &mut self,
        zone: &Spanned<String>,
        site: Site,
    ) -> Option<(Register, Option<Register>)> {
        let is_name = self.scope_of(zone.value.split('.').next().unwrap_or_default()).is_none();
        if is_name && Zones::new([zone.value.as_str()]).is_ok() {
            let name = &zone.value;
            let what = format!("`{name}` is a time zone, but a path to one is needed");
            let help = format!("add zone = {{ constant = \"{name}\" }} to `let`, and name that");
            return self.refuse(&zone.span, what, &help);
        }
        let cell = self.path(zone, site)?.whole();
        let (index, cells) = match &cell.value {
            Value::Dictionary { index, cells } => (*index, Arc::clone(cells)),
            Value::Literal(text) => (self.constant(0), Arc::from([text.clone()])),
            other => {
                let what =
                    format!("a column of time zones is needed, but this is {}", other.kind());
                return self.refuse(&zone.span, what, "");
            }
        };
        let zones = match Zones::new(cells.iter().map(String::as_str)) {
            Ok(zones) => zones,
            Err(name) => {
                let what = format!("`{name}` is not a time zone");
                return self.refuse(&zone.span, what, "use IANA names such as Europe/Berlin");
            }
        };
        let out = self.register();
        let era = input::era(self.level());
        self.emit(Operation::Offset { era, zone: index, zones: Arc::new(zones), out });
        Some((out, cell.present))
    }
}

/// The random words of a favourite: whether it is one, and which.
pub(super) const FAVOURITE_WORDS: u32 = 2;

impl Turn {
    /// The same favourite or period, in other columns.
    pub(super) fn moved(self, mut lift: impl FnMut(Register) -> Register) -> Self {
        let operand = match self.which.operand {
            Operand::Constant(value) => Operand::Constant(value),
            Operand::Unsigned(register) => Operand::Unsigned(lift(register)),
            Operand::Signed(register) => Operand::Signed(lift(register)),
            Operand::Wide(Wide { high, low }) => {
                Operand::Wide(Wide { high: lift(high), low: lift(low) })
            }
        };
        Self { which: Number { operand, ..self.which }, ..self }
    }
}
