//! Overrides: what fields, conditions and counts are while a phase of a scenario holds.
//!
//! Their randomness has a key of its own, so that what is overridden takes no word from the rest.

use super::value::Cell;
use super::{Compiler, Site, State, generator, names};
use crate::config::Span;
use crate::config::model::{Field, Follows, Phase, StreamPhase};
use crate::generate::philox;
use crate::plan::program::{Operation, Register, input};

/// What a phase says, of streams unless it is of something else.
#[derive(Debug)]
pub struct Override<'a, Of = Phase> {
    /// The bit that says that the phase holds.
    pub bit: u32,
    /// The names of the scenario and the phase.
    pub names: [&'a str; 2],
    /// What it says.
    pub of: &'a Of,
}

// What it says is behind a reference, and need not be copied.
impl<Of> Clone for Override<'_, Of> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Of> Copy for Override<'_, Of> {}

impl<'a> Override<'a> {
    fn of<Of>(&self, of: &'a Of) -> Override<'a, Of> {
        Override { bit: self.bit, names: self.names, of }
    }
}

impl<'a> Compiler<'a> {
    /// What phases say of a stream, in the order of the phases.
    fn overrides_of(&self, stream: &str) -> Vec<Override<'a, StreamPhase>> {
        let streams = self
            .source
            .overrides
            .iter()
            .flat_map(|phase| phase.of.streams.iter().map(move |of| phase.of(of)));
        streams.filter(|it| it.of.stream.value == stream).collect()
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
            let said = generator::numbered(&phase.of.fields, 0);
            for (field, word) in said.filter(|(field, _)| field.name.value == name) {
                if let Some(named) = self.scopes[self.scope].names.get_mut(name) {
                    named.state = State::Done(cell.clone());
                }
                let site = self.site_of(phase, self.event_site());
                let scope = self.scope_of_phase(phase);
                let instead =
                    self.within(scope, |this| this.generate(&field.generator, site, word))?;
                let condition = self.in_phase(phase.bit);
                cell = self.select(condition, &instead, &cell?, &field.generator.span);
            }
        }
        cell
    }

    /// Where a phase's own values are seen besides those of the stream.
    fn scope_of_phase(&mut self, phase: Override<'a, StreamPhase>) -> usize {
        if phase.of.lets.is_empty() {
            return self.scope;
        }
        let key = (phase.bit, self.level());
        if let Some(&scope) = self.phase_scopes.get(&key) {
            return scope;
        }
        let fields = phase.of.fields.iter();
        let word = fields.map(|field| generator::words(&field.generator.value)).sum();
        let names = names(&phase.of.lets, word);
        let site = self.site_of(phase, self.event_site());
        let scope = self.inner_scope(site, names);
        self.phase_scopes.insert(key, scope);
        scope
    }

    /// Checks the values of phases that no field uses.
    pub(super) fn check_phases(&mut self) {
        for phase in self.overrides_of(&self.source.stream.name) {
            let scope = self.scope_of_phase(phase);
            for own in &phase.of.lets {
                self.within(scope, |this| this.named(&own.name.value, &own.name.span));
            }
        }
    }

    /// An attribute of a member as the phases that hold would have it, at the time of the event that
    /// it is read in; its own name means what it is without them.
    pub(super) fn attribute_overridden(
        &mut self,
        (entity, number, place): (usize, Register, usize),
        site: Site,
        base: Option<Cell>,
    ) -> Option<Cell> {
        let of = &self.source.world.kinds[entity].entity;
        let key = (entity, number, place, self.now);
        let mut cell = base;
        for phase in self.source.overrides {
            for said in phase.of.entities.iter().filter(|it| it.entity.value == of.name) {
                let named = |it: &Field| it.name.value == of.attributes[place].name;
                let attributes = generator::numbered(&said.attributes, 0);
                for (it, word) in attributes.filter(|(it, _)| named(it)) {
                    self.attributes.insert(key, State::Done(cell.clone()));
                    let [scenario, name] = phase.names;
                    let name = format!("{name}.entities.{}", of.name);
                    let seed = self.source.world.model.seed;
                    let site = Site { key: philox::key(seed, scenario, &name), ..site };
                    let instead = self.generate(&it.generator, site, word)?;
                    let holds = self.in_phase(phase.bit);
                    cell = self.select(holds, &instead, &cell?, &it.generator.span);
                    if !phase.of.is_lasting() {
                        self.note_phase(&it.name);
                    }
                }
            }
        }
        cell
    }

    /// What a phase draws with, instead of the words of a site.
    fn site_of(&self, phase: Override<'_, StreamPhase>, site: Site) -> Site {
        let [scenario, name] = phase.names;
        let name = format!("{name}.{}", phase.of.stream.value);
        Site { key: philox::key(self.source.world.model.seed, scenario, &name), ..site }
    }

    /// 1 where a phase holds at the time of the event that is compiled.
    fn in_phase(&mut self, bit: u32) -> Register {
        let level = usize::from(self.level());
        let holds = self.within(level, |this| {
            let (era, out) = (input::era(this.level()), this.register());
            this.emit(Operation::Phase { era, bit, out });
            out
        });
        self.lift_register(holds)
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
        let says = |it: &Override<'_, StreamPhase>| it.of.when.is_some() || it.of.count.is_some();
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
