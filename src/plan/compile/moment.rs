//! Moments: members as they are at the time at which they are read.

use std::sync::Arc;

use super::Compiler;
use super::value::Number;
use crate::plan::fill::Integer;
use crate::plan::program::{Arithmetic, Logic, Operand, Operation, Register, Target, Wide};
use crate::plan::rota::Rota;

/// The longest time that generations are counted for: as far as times in nanoseconds reach.
const LONGEST_US: u64 = 292 * 31_557_600 * 1_000_000;

impl Compiler<'_> {
    /// How many times a member was due by the time at which things are read.
    fn version(&mut self, number: Register, rota: &Arc<Rota>) -> Register {
        let out = self.register();
        let (time, rota) = (self.lift_wide(self.now), Arc::clone(rota));
        self.emit(Operation::Version { number, time, rota, out });
        out
    }

    /// Which of those that live in its place one after the other a member is; none if members of
    /// the entity live for ever.
    ///
    /// It is decided when the member is first met: what is read of it later is read of the same.
    pub(super) fn generation(&mut self, entity: usize, number: Register) -> Option<Register> {
        if let Some(generation) = self.generations.get(&(entity, number)) {
            return Some(*generation);
        }
        let lifetime = self.source.world.kinds[entity].changing.lifetime.clone()?;
        let generation = self.version(number, &lifetime);
        self.generations.insert((entity, number), generation);
        Some(generation)
    }

    /// How often an attribute of a member has changed; none if it does not.
    pub(super) fn changes(
        &mut self,
        entity: usize,
        number: Register,
        place: usize,
    ) -> Option<Register> {
        let rota = self.source.world.kinds[entity].changing.attributes[place].clone()?;
        Some(self.version(number, &rota))
    }

    /// What no other member of any generation shares: number + stride · generation.
    pub(super) fn member_id(&mut self, entity: usize, number: Register) -> Integer {
        self.shifted_number(entity, number).map_or(Integer::Unsigned(number), Integer::Wide)
    }

    /// The same as a number with its bounds.
    pub(super) fn member_number(&mut self, entity: usize, number: Register) -> Number {
        let kind = &self.source.world.kinds[entity];
        if kind.changing.lifetime.is_none() {
            let max = i64::try_from(kind.count).unwrap_or(i64::MAX) - 1;
            return Number { operand: Operand::Unsigned(number), min: 0, max, scale: 0 };
        }
        let (wide, bits) = self.wide_member_id(entity, number);
        let max = (1_i64 << bits.min(62)) - 1;
        Number { operand: Operand::Wide(wide), min: 0, max, scale: 0 }
    }

    /// number + stride · generation, if members of the entity do not live for ever.
    fn shifted_number(&mut self, entity: usize, number: Register) -> Option<Wide> {
        let generation = self.generation(entity, number)?;
        let stride = self.source.world.kinds[entity].changing.stride;
        let (before, out) = (self.wide(), self.wide());
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Multiply,
            left: Operand::Unsigned(generation),
            right: Operand::Constant(stride.cast_signed()),
            out: Target::Wide(before),
        });
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Add,
            left: Operand::Wide(before),
            right: Operand::Unsigned(number),
            out: Target::Wide(out),
        });
        Some(out)
    }

    /// The same in two words, and how many bits it needs as long as times can be told.
    pub(super) fn wide_member_id(&mut self, entity: usize, number: Register) -> (Wide, u32) {
        let kind = &self.source.world.kinds[entity];
        let bits = |greatest: u64| u64::BITS - greatest.leading_zeros();
        let (Some(wide), Some(lifetime)) =
            (self.shifted_number(entity, number), &kind.changing.lifetime)
        else {
            let wide = Wide { high: self.constant(0), low: number };
            return (wide, bits(kind.count - 1));
        };
        let generations = LONGEST_US / lifetime.period_us() + 1;
        (wide, bits(generations.saturating_mul(kind.changing.stride)))
    }

    /// 1 where two members are the same.
    pub(super) fn same_member(&mut self, entity: usize, a: Register, b: Register) -> Register {
        let same = self.same_words(a, b);
        match (self.generation(entity, a), self.generation(entity, b)) {
            (Some(a), Some(b)) => {
                let born = self.same_words(a, b);
                self.logic(Logic::And, same, born)
            }
            _ => same,
        }
    }
}
