//! Counters: numbers that go on from event to event, and those of events that follow one.

use super::value::{Cell, Number, Value};
use super::{Compiler, Owner, Site};
use crate::config::Span;
use crate::config::model::Counter;
use crate::plan::follow_up::CHILD_SHIFT;
use crate::plan::program::{Arithmetic, Operand, Operation, input};

/// More events than a stream can have: a million a second for nearly nine years.
const EVENTS_MAX: i64 = 1 << 48;

impl Compiler<'_> {
    /// `start`, `start + step` and so on; from `start` again where `restart` would be reached.
    pub(super) fn counter(&mut self, counter: &Counter, site: Site, span: &Span) -> Option<Cell> {
        self.check_counted(site, span)?;
        let number = self.within(0, |this| this.counted(counter, span))?;
        self.lift(&Value::Number(number).into(), span)
    }

    /// Refuses to count what has no place in the order of events.
    pub(super) fn check_counted(&mut self, site: Site, span: &Span) -> Option<()> {
        if site.owner != Owner::Event {
            return self.refuse(span, "members are not counted", "use it in a stream");
        }
        if self.source.stream.members.is_some() {
            let what = "only events with a rate of their own are counted, not those of members";
            return self.refuse(span, what, "leave it out, or use the member's number");
        }
        if self.source.levels.len() > 1 {
            let what = "only events with a rate of their own are counted, not those that follow";
            return self.refuse(span, what, "number them by a token, or by what they follow");
        }
        Some(())
    }

    /// Which of the events that follow the same one an event is, from 1.
    pub(super) fn sibling(&mut self, span: &Span) -> Option<Cell> {
        use Arithmetic::{Add, Divide, Modulo};
        let level = self.level();
        if level == self.root_level() {
            let what = "only events that follow another have siblings";
            return self.refuse(span, what, "use it in a stream with `follows`");
        }
        // Children are numbered through all that follows the root: c · most + which, for the event
        // that is followed c, and `most` events at most that follow one.
        let [own, above] =
            [level, level + 1].map(|level| i64::from(self.stream_of(level).children));
        let (most, max) = (own / above.max(1), own << CHILD_SHIFT);
        let operand = Operand::Unsigned(input::child(level));
        let child = Number { operand, min: 0, max, scale: 0 };
        let constant = |value| Number::constant(value, 0);
        let which = self.arithmetic(Modulo, [child, constant(most << CHILD_SHIFT)], 0, span)?;
        let which = self.arithmetic(Divide, [which, constant(1 << CHILD_SHIFT)], 0, span)?;
        let which = Number { min: 0, max: (most - 1).max(0), ..which };
        let sibling = self.arithmetic(Add, [which, constant(1)], 0, span)?;
        Some(Value::Number(sibling).into())
    }

    /// The number of a counter, as it stands outside of lists.
    pub(super) fn counted(&mut self, counter: &Counter, span: &Span) -> Option<Number> {
        use Arithmetic::{Add, Multiply};
        let wide = match self.ordinal {
            Some(wide) => wide,
            None => self.wide(),
        };
        self.ordinal = Some(wide);
        let ordinal = Number { operand: Operand::Wide(wide), min: 0, max: EVENTS_MAX, scale: 0 };
        let Counter { start, step, restart, initial } = *counter;
        let constant = |value| Number::constant(value, 0);
        let last = i128::from(initial) + i128::from(step) * i128::from(EVENTS_MAX);
        if restart.is_none() && i64::try_from(last).is_err() {
            let what = format!("after 2^48 events this would be {last}, beyond 64 bits");
            let help = "begin nearer to 0, or let it begin again: `restart`";
            return self.refuse(span, what, help);
        }
        let Some(restart) = restart else {
            let way = self.arithmetic(Multiply, [ordinal, constant(step)], 0, span)?;
            return self.arithmetic(Add, [way, constant(initial)], 0, span);
        };
        let size = restart.abs_diff(start);
        let ahead = initial.abs_diff(start);
        let out = self.wide();
        let (step, falling) = (step.unsigned_abs(), step < 0);
        self.emit(Operation::Wrap { number: wide, step, ahead, size, start, falling, out });
        let (min, max) = if falling { (restart + 1, start) } else { (start, restart - 1) };
        Some(Number { operand: Operand::Wide(out), min, max, scale: 0 })
    }
}
