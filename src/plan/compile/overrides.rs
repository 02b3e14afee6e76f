//! Overrides: what fields, conditions and counts are while a phase of a scenario holds.
//!
//! Their randomness has a key of its own, so that what is overridden takes no word from the rest.

use super::value::Cell;
use super::{Compiler, Site, State, generator};
use crate::config::Span;
use crate::config::model::{Follows, StreamPhase};
use crate::generate::philox;
use crate::plan::program::{Operation, Register, input};

/// What a phase says of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Override<'a> {
    /// The bit that says that the phase holds.
    pub bit: u32,
    /// The names of the scenario and the phase.
    pub names: [&'a str; 2],
    /// What it says.
    pub of: &'a StreamPhase,
}

impl<'a> Compiler<'a> {
    /// What a phase says of a stream, in the order of the phases.
    fn overrides_of(&self, stream: &str) -> Vec<Override<'a>> {
        let all = self.source.overrides.iter();
        all.filter(|it| it.of.stream.value == stream).copied().collect()
    }

    /// A let or field as the phases of scenarios would have it; its own name means what it holds
    /// without them.
    pub(super) fn overridden(&mut self, name: &str, base: Option<Cell>) -> Option<Cell> {
        let mut cell = base;
        if self.scopes[self.scope].above.is_some() {
            return cell;
        }
        let stream = self.stream_of(self.level()).stream;
        for phase in self.overrides_of(&stream.name) {
            let mut word = 0;
            for field in &phase.of.fields {
                if field.name.value == name {
                    if let Some(named) = self.scopes[self.scope].names.get_mut(name) {
                        named.state = State::Done(cell.clone());
                    }
                    let site = self.site_of(phase, self.event_site());
                    let instead = self.generate(&field.generator, site, word)?;
                    let condition = self.in_phase(phase.bit);
                    cell = self.select(condition, &instead, &cell?, &field.generator.span);
                }
                word += generator::words(&field.generator.value);
            }
        }
        cell
    }

    /// What a phase draws with, instead of the words of a site.
    fn site_of(&self, phase: Override<'_>, site: Site) -> Site {
        let [scenario, name] = phase.names;
        let name = format!("{name}.{}", phase.of.stream.value);
        Site { key: philox::key(self.source.world.model.seed, scenario, &name), ..site }
    }

    /// 1 where a phase holds at the time of the event that is compiled.
    fn in_phase(&mut self, bit: u32) -> Register {
        let (era, out) = (input::era(self.level()), self.register());
        self.emit(Operation::Phase { era, bit, out });
        out
    }

    /// Whether an event is followed, as the phases that hold at its time would have it; `base` is the
    /// condition without them, none if all are.
    #[expect(clippy::option_option, reason = "the outer one is a mistake, the inner one no gate")]
    pub(super) fn keep_overridden(
        &mut self,
        stream: &str,
        base: Option<Register>,
    ) -> Option<Option<Register>> {
        let mut keep = base;
        for phase in self.overrides_of(stream) {
            let Some(when) = &phase.of.when else { continue };
            let cell = self.expression(&when.value, self.event_site())?;
            let instead = self.condition(&cell, &when.span)?;
            let holds = self.in_phase(phase.bit);
            let otherwise = keep.unwrap_or_else(|| self.constant(1));
            keep = Some(self.select_word(holds, instead, otherwise));
        }
        Some(keep)
    }

    /// By how many events one is followed, likewise.
    pub(super) fn count_overridden(
        &mut self,
        stream: &str,
        base: Cell,
        site: Site,
    ) -> Option<Cell> {
        let mut cell = base;
        for phase in self.overrides_of(stream) {
            let Some(generator) = &phase.of.count else { continue };
            let site = self.site_of(phase, site);
            let instead = self.generate(generator, site, 0)?;
            let holds = self.in_phase(phase.bit);
            cell = self.select(holds, &instead, &cell, &generator.span)?;
        }
        Some(cell)
    }

    /// Whether a phase says whether, or by how many, events are followed.
    pub(super) fn is_gated(&self, stream: &str, follows: &Follows) -> bool {
        let says = |it: &Override<'_>| it.of.when.is_some() || it.of.count.is_some();
        follows.when.is_some()
            || follows.count.is_some()
            || self.overrides_of(stream).iter().any(says)
    }

    /// Whether a phase says by how many.
    pub(super) fn is_counted(&self, stream: &str, follows: &Follows) -> bool {
        follows.count.is_some() || self.overrides_of(stream).iter().any(|it| it.of.count.is_some())
    }

    /// Where the count of a stream's followers is written.
    pub(super) fn count_span(&self, stream: &str, follows: &Follows, of: &Span) -> Span {
        let overrides = self.overrides_of(stream);
        let mut counts = overrides.iter().rev().filter_map(|it| it.of.count.as_ref());
        let last = counts.next().or(follows.count.as_ref());
        last.map_or(of, |count| &count.span).clone()
    }
}
