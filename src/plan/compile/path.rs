//! Paths: from names to members, attributes, rows and columns.

use std::sync::Arc;

use super::value::{Cell, Parts, Value};
use super::{Compiler, Owner, PICK_BLOCKS, Site, State, generator};
use crate::config::model::{Generator, MemberEvents};
use crate::config::{Span, Spanned, suggest};
use crate::plan::program::{Operation, Register, Table, Target, input};
use crate::plan::world::World;

impl<'a> Compiler<'a> {
    /// What a path leads to, from a site: a stream's row, or a member whose attribute it is in.
    pub(super) fn path(&mut self, path: &Spanned<String>, site: Site) -> Option<Cell> {
        let first = path.value.split('.').next().unwrap_or_default();
        match site.owner {
            Owner::Event | Owner::Occasion => {
                if let Some(level) = self.level_named(first) {
                    let cell = self.within(level, |this| this.of_level(path))?;
                    return self.lift(&cell, &path.span);
                }
                // What the items of a list name is worked out once, in the frame that it is in.
                let scope = self.scope_of(first).unwrap_or(usize::from(self.level()));
                let cell = self.within(scope, |this| this.steps(path, site))?;
                self.lift(&cell, &path.span)
            }
            Owner::Member { .. } => self.steps(path, site),
        }
    }

    fn steps(&mut self, path: &Spanned<String>, site: Site) -> Option<Cell> {
        let mut steps = path.value.split('.');
        let first = steps.next().unwrap_or_default();
        let mut cell = self.first_step(first, site, &path.span)?;
        let hides = site.owner == Owner::Event && self.scope_of(first).is_some();
        for step in steps {
            let has_parts = matches!(
                cell.value,
                Value::Member { .. } | Value::Row { .. } | Value::Parts(_) | Value::Record(_)
            );
            if hides && !has_parts && self.source.world.entity(first).is_some() {
                let kind = cell.value.kind();
                let what =
                    format!("`{first}` is a value of the stream here, not the entity: {kind}");
                let help = format!("give that value another name than the entity `{first}`");
                return self.refuse(&path.span, what, &help);
            }
            cell = self.step(&cell, step, &path.span)?;
        }
        Some(cell)
    }

    /// The scope of the stream of that name, of those that the event follows, unless it is a value.
    fn level_named(&self, name: &str) -> Option<usize> {
        if self.scope_of(name).is_some() || self.source.stream.name == name {
            return None;
        }
        let levels = &self.source.levels;
        (usize::from(self.level())..levels.len()).find(|&level| levels[level].stream.name == name)
    }

    /// A value of a stream above, and what it leads to: `orders.customer.name`.
    fn of_level(&mut self, path: &Spanned<String>) -> Option<Cell> {
        let span = &path.span;
        let mut steps = path.value.split('.').skip(1);
        let name = steps.next().unwrap_or_default();
        if self.scope_of(name).is_none() {
            let stream = &self.stream_of(self.level()).stream.name;
            let what = format!("`{stream}` has no value `{name}`");
            let known = self.names_seen();
            return self.refuse(span, what, &nearest(name, &known));
        }
        let mut cell = self.named(name, span)?;
        for step in steps {
            cell = self.step(&cell, step, span)?;
        }
        Some(cell)
    }

    fn first_step(&mut self, name: &str, site: Site, span: &Span) -> Option<Cell> {
        match site.owner {
            Owner::Event | Owner::Occasion => {
                if self.scope_of(name).is_some() {
                    return self.named(name, span);
                }
                if let Some(entity) = self.source.world.entity(name) {
                    return self.pick(entity, span);
                }
                let above = self.source.levels.iter().skip(1).map(|of| of.stream.name.clone());
                let known = self.names_seen().into_iter().chain(above);
                let known: Vec<_> = known.chain(entity_names(self.source.world)).collect();
                let what = format!("`{name}` is neither a let, a field nor an entity");
                self.refuse(span, what, &nearest(name, &known))
            }
            Owner::Member { entity, number } => {
                if self.source.world.kinds[entity].entity.name == name {
                    return Some(Value::Member { entity, number }.into());
                }
                self.step(&Value::Member { entity, number }.into(), name, span)
            }
        }
    }

    fn step(&mut self, cell: &Cell, step: &str, span: &Span) -> Option<Cell> {
        let next = match &cell.value {
            Value::Member { entity, number } => self.member_step(*entity, *number, step, span)?,
            Value::Row { table, index } => self.column(*table, *index, step, span)?.into(),
            Value::Parts(parts) => self.part(parts, step, span)?.into(),
            Value::Record(fields) => {
                let Some((_, cell)) = fields.iter().find(|(name, _)| name == step) else {
                    let known: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
                    let what = format!("the record has no field `{step}`");
                    return self.refuse(span, what, &nearest(step, &known));
                };
                cell.clone()
            }
            other => {
                let what =
                    format!("`.{step}` does not lead anywhere: before it is {}", other.kind());
                let help = "only members, rows, records and values such as names have parts";
                return self.refuse(span, what, help);
            }
        };
        let present = self.both(cell.present, next.present);
        Some(Cell { value: next.value, present })
    }

    /// A part of a value that has parts.
    pub(super) fn part(&mut self, parts: &Parts, name: &str, span: &Span) -> Option<Value> {
        if let Some((_, value)) = parts.parts.iter().find(|(part, _)| *part == name) {
            return Some(value.clone());
        }
        let known: Vec<_> = parts.parts.iter().map(|(part, _)| (*part).to_owned()).collect();
        self.refuse(span, format!("this has no part `{name}`"), &nearest(name, &known))
    }

    /// A column of a table's row.
    pub(super) fn column(
        &mut self,
        table: usize,
        index: Register,
        name: &str,
        span: &Span,
    ) -> Option<Value> {
        let table = &self.source.world.model.tables[table];
        let Some(column) = table.columns.iter().find(|column| column.name == name) else {
            let known: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
            let what = format!("table `{}` has no column `{name}`", table.name);
            return self.refuse(span, what, &nearest(name, &known));
        };
        Some(Value::Dictionary { index, cells: Arc::clone(&column.cells) })
    }

    fn member_step(
        &mut self,
        entity: usize,
        number: Register,
        step: &str,
        span: &Span,
    ) -> Option<Cell> {
        let world = self.source.world;
        let kind = &world.kinds[entity];
        if let Some(dealt) = kind
            .dealt
            .iter()
            .find(|dealt| world.kinds[dealt.entity].entity.attributes[dealt.attribute].name == step)
        {
            let group = self.group(entity, number);
            let index = self.register();
            let values = Table::new(&dealt.value_of_group);
            self.emit(Operation::Lookup { index: group, values, out: Target::Word(index) });
            let attribute = &world.kinds[dealt.entity].entity.attributes[dealt.attribute];
            return self.dealt_value(&attribute.generator, index);
        }
        if let Some(place) = kind.entity.attributes.iter().position(|it| it.name == step) {
            return self.attribute(entity, number, place, span);
        }
        let (mut at, mut above) = (entity, number);
        while let Some((parent, kinship)) = &world.kinds[at].parent {
            let out = self.register();
            let kinship = Arc::clone(kinship);
            self.emit(Operation::Parent { number: above, kinship, out });
            (at, above) = (*parent, out);
            self.generation(at, above);
            if world.kinds[at].entity.name == step {
                if world.kinds[at].changing.lifetime.is_some() {
                    self.note_untold(at, above, "ends", span);
                }
                return Some(Value::Member { entity: at, number: above }.into());
            }
        }
        let attributes = kind.entity.attributes.iter().map(|it| it.name.clone());
        let dealt = kind
            .dealt
            .iter()
            .map(|dealt| world.kinds[dealt.entity].entity.attributes[dealt.attribute].name.clone());
        let known: Vec<_> = attributes.chain(dealt).chain(entity_names(world)).collect();
        let what = format!("`{}` has no attribute `{step}`, and belongs to none", kind.entity.name);
        self.refuse(span, what, &nearest(step, &known))
    }

    /// The group of a member, worked out once.
    pub(super) fn group(&mut self, entity: usize, number: Register) -> Register {
        if let Some(group) = self.groups.get(&(entity, number)) {
            return *group;
        }
        let out = self.register();
        let population = Arc::clone(&self.source.world.kinds[entity].picked);
        self.emit(Operation::Group { number, population, out });
        self.groups.insert((entity, number), out);
        out
    }

    /// An attribute of a member, worked out once.
    pub(super) fn attribute(
        &mut self,
        entity: usize,
        number: Register,
        place: usize,
        span: &Span,
    ) -> Option<Cell> {
        let key = (entity, number, place, self.now);
        match self.attributes.get(&key) {
            Some(State::Done(cell)) => return cell.clone(),
            Some(_) => {
                let name = &self.source.world.kinds[entity].entity.attributes[place].name;
                let what = format!("attribute `{name}` refers to itself");
                return self.refuse(span, what, "break the circle");
            }
            None => self.attributes.insert(key, State::Compiling),
        };
        let attributes = &self.source.world.kinds[entity].entity.attributes;
        let before = attributes[..place].iter();
        let word = before.map(|it| generator::words(&it.generator.value)).sum();
        let changes = self.changes(entity, number, place);
        if matches!(attributes[place].generator.value, Generator::Walk(_)) {
            self.note_walk(span);
        } else if changes.is_some() {
            self.note_untold(entity, number, "changes", span);
        }
        let site = Site { index: changes, ..self.member_site(entity, number) };
        let cell = self.generate(&attributes[place].generator, site, word);
        let cell = self.attribute_overridden((entity, number, place), site, cell);
        self.attributes.insert(key, State::Done(cell.clone()));
        cell
    }

    /// A word where a changelog holds what becomes another without a record that says so: what is not
    /// the member's own, whose changes are told.
    fn note_untold(&mut self, entity: usize, number: Register, does: &str, span: &Span) {
        let Some(own) = self.told().filter(|_| number != input::NUMBER.high) else { return };
        let name = &self.source.world.kinds[entity].entity.name;
        let what = format!("the changelog of `{own}` tells of `{name}`, which {does} without it");
        let help =
            format!("read it in the changelog of `{name}`; this one needs a `schema` without");
        self.warn(span, what, &help);
    }

    /// The same of a walk, which no changes tell of.
    fn note_walk(&mut self, span: &Span) {
        let Some(own) = self.told() else { return };
        let what = format!("the changelog of `{own}` holds a walk, which goes on between records");
        self.warn(span, what, "leave it out, by a `schema` without it: events can hold it");
    }

    /// The same of what a phase changes for some time.
    pub(super) fn note_phase(&mut self, name: &Spanned<String>) {
        let Some(own) = self.told() else { return };
        let what =
            format!("the changelog of `{own}` tells of `{}` as the phase has it", name.value);
        let help = "no record follows where the phase begins and ends, only with the next change";
        self.warn(&name.span, what, help);
    }

    /// The entity whose changelog the stream is.
    fn told(&self) -> Option<&'a str> {
        match &self.source.stream.members {
            Some(MemberEvents::Changelog(changelog)) => Some(&changelog.entity.value),
            _ => None,
        }
    }

    /// The stream's own pick of an entity: who acts, or, of an entity that does not act, anybody.
    pub(super) fn pick(&mut self, entity: usize, span: &Span) -> Option<Cell> {
        // One pick holds for a root event and all that follows it.
        let root = usize::from(self.root_level());
        self.within(root, |this| this.pick_of_root(entity, span))
    }

    fn pick_of_root(&mut self, entity: usize, span: &Span) -> Option<Cell> {
        if let Some(cell) = self.picks.get(&entity) {
            return Some(cell.clone());
        }
        let kind = &self.source.world.kinds[entity];
        #[expect(clippy::cast_possible_truncation, reason = "a model has few entities")]
        let words = self.block(self.event_site(), PICK_BLOCKS + entity as u32);
        let acts = kind.entity.activity.is_some();
        if let (true, Some(members)) = (acts, &self.source.stream.members) {
            let what = format!(
                "`{}` acts at a rate, but the events of this stream come from each `{}`",
                kind.entity.name,
                members.entity().value
            );
            return self.refuse(span, what, "pick it `with` something, or name another entity");
        }
        if acts && self.actor.is_some_and(|actor| actor != entity) {
            let actor = self.actor.map(|actor| &self.source.world.kinds[actor].entity.name);
            let what = format!(
                "`{}` acts here, but `{}` does already",
                kind.entity.name,
                actor.map_or("", String::as_str)
            );
            return self.refuse(span, what, "pick one of them `of` the other, or `with` something");
        }
        let number = if acts {
            self.actor = Some(entity);
            let (group, out) = (self.register(), self.register());
            let population = Arc::clone(&kind.actors);
            let (era, words) = (input::era(self.level()), [words[0], words[1]]);
            self.emit(Operation::Actor { era, words, population, group, out });
            self.groups.insert((entity, out), group);
            self.generation(entity, out);
            out
        } else {
            self.member(entity, [words[0], words[1], words[2]], None)
        };
        let cell = Cell::from(Value::Member { entity, number });
        self.picks.insert(entity, cell.clone());
        self.picked_at.insert(entity, span.clone());
        Some(cell)
    }

    /// A word where anybody is picked of an entity that is above or below who acts: it is hardly
    /// ever meant that the two have nothing to do with each other.
    pub(super) fn warn_of_strangers(&mut self) {
        let Some(actor) = self.actor else { return };
        let kinds = &self.source.world.kinds;
        let above = |entity: usize| {
            std::iter::successors(Some(entity), |&at| kinds[at].parent.as_ref().map(|it| it.0))
        };
        let mut warnings = Vec::new();
        for (&entity, span) in &self.picked_at {
            let (own, other) = (&kinds[actor].entity.name, &kinds[entity].entity.name);
            let help = if entity == actor {
                continue;
            } else if above(actor).any(|at| at == entity) {
                format!("the one of `{own}` is `{own}.{other}`")
            } else if above(entity).any(|at| at == actor) {
                format!("one of `{own}` is {{ entity = \"{other}\", of = \"{own}\" }}")
            } else {
                continue;
            };
            let what =
                format!("`{other}` is anybody here, and has nothing to do with `{own}`, who acts");
            warnings.push((span.clone(), what, help));
        }
        for (span, what, help) in warnings {
            self.warn(&span, what, &help);
        }
    }

    /// A member by popularity, of a group if it is given.
    pub(super) fn member(
        &mut self,
        entity: usize,
        words: [Register; 3],
        given: Option<Register>,
    ) -> Register {
        let (group, out) = (self.register(), self.register());
        let population = Arc::clone(&self.source.world.kinds[entity].picked);
        self.emit(Operation::Member { words, population, given, group, out });
        self.groups.insert((entity, out), group);
        self.generation(entity, out);
        out
    }
}

fn entity_names<'a>(world: &'a World<'_>) -> impl Iterator<Item = String> + use<'a> {
    world.kinds.iter().map(|kind| kind.entity.name.clone())
}

/// The way out for a name that is not known.
pub(super) fn nearest(name: &str, known: &[String]) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let known = known.iter().map(String::as_str).filter(|name| seen.insert(*name));
    let known: Vec<&str> = known.collect();
    let known = known.into_iter();
    suggest::way_out(name, known).unwrap_or_else(|| "there is nothing to name here".to_owned())
}
