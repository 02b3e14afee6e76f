//! Members: who acts, anybody, one of a group, one that belongs to another.

use std::sync::Arc;

use super::path::nearest;
use super::value::{Cell, Number, Value};
use super::{Compiler, Owner, Site};
use crate::config::model::{Generator, Near};
use crate::config::{Span, Spanned};
use crate::plan::program::{Operand, Operation, Register, Target};

/// Which members may be picked.
#[derive(Clone, Copy)]
pub(super) struct Which<'a> {
    /// Values of dealt attributes.
    pub(super) with: &'a [(Spanned<String>, Spanned<String>)],
    /// Whether it is another one than the row's.
    pub(super) anew: bool,
    /// The member that they belong to.
    pub(super) of: Option<&'a Spanned<String>>,
    /// The place that they are near to.
    pub(super) near: Option<&'a Near>,
}

impl Which<'_> {
    /// Where it is said, if they are not all.
    fn span(&self) -> Option<&Span> {
        let near = self.near.map(|near| &near.to.span);
        self.with.first().map(|(name, _)| &name.span).or(near)
    }
}

impl Compiler<'_> {
    /// A member: who acts, anybody, one of a group, or one that belongs to another.
    pub(super) fn entity(
        &mut self,
        name: &Spanned<String>,
        which: Which<'_>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let world = self.source.world;
        let Some(entity) = world.entity(&name.value) else {
            let known: Vec<_> = world.kinds.iter().map(|kind| kind.entity.name.clone()).collect();
            let what = format!("there is no entity `{}`", name.value);
            return self.refuse(&name.span, what, &nearest(&name.value, &known));
        };
        if let Some(of) = which.of {
            if which.span().is_some() || which.anew {
                let what = "`of` does not go together with `with` or `near`";
                return self.refuse(&of.span, what, "drop one");
            }
            return self.child(entity, of, (site, word));
        }
        let is_own = which.anew || which.near.is_some() || self.frame() > 0 && !self.is_row(entity);
        if !is_own && site.owner == Owner::Event {
            let cell = self.within(0, |this| this.pick(entity, &name.span))?;
            return self.lift(&cell, &name.span);
        }
        let words = [0, 1, 2].map(|place| self.word(site, word + place));
        let given = match which.span() {
            None => None,
            Some(span) => Some(self.given(entity, which, span, (site, word + 3))?),
        };
        let number = self.member(entity, words, given);
        Some(Value::Member { entity, number }.into())
    }

    /// Whether an entity stands for one member in all of a row: who acts, or who the row is of.
    fn is_row(&self, entity: usize) -> bool {
        let of_row =
            self.source.stream.members.as_ref().map(crate::config::model::MemberEvents::entity);
        let entity = &self.source.world.kinds[entity].entity;
        entity.activity.is_some() || of_row.is_some_and(|row| row.value == entity.name)
    }

    fn child(
        &mut self,
        entity: usize,
        of: &Spanned<String>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let cell = self.path(of, site)?;
        let kind = &self.source.world.kinds[entity];
        match (&cell.value, &kind.parent) {
            (Value::Member { entity: above, number }, Some((parent, kinship)))
                if above == parent =>
            {
                let word = self.word(site, word);
                let out = self.register();
                let kinship = Arc::clone(kinship);
                self.emit(Operation::Child { word, number: *number, kinship, out });
                self.generation(entity, out);
                let value = Value::Member { entity, number: out };
                Some(Cell { value, present: cell.present })
            }
            _ => {
                let name = &kind.entity.name;
                let what = format!("`{name}` does not belong to `{}`", of.value);
                self.refuse(&of.span, what, "name the entity of its `belongs_to`")
            }
        }
    }

    /// The group that has the given values of the attributes that members are dealt by.
    fn given(
        &mut self,
        entity: usize,
        which: Which<'_>,
        span: &Span,
        (site, word): (Site, u32),
    ) -> Option<Register> {
        let kinds = &self.source.world.kinds;
        let place = match which.near {
            None => None,
            Some(near) => Some((near, self.place_of_row(near, site)?)),
        };
        self.check_groups(entity, span)?;
        let names: Vec<_> = kinds[entity]
            .dealt
            .iter()
            .map(|dealt| kinds[dealt.entity].entity.attributes[dealt.attribute].name.clone())
            .collect();
        if let Some((name, _)) = which.with.iter().find(|(name, _)| !names.contains(&name.value)) {
            let what = format!("members are not dealt by `{}`", name.value);
            return self.refuse(&name.span, what, &nearest(&name.value, &names));
        }
        let mut group: Option<Number> = None;
        let mut near_used = false;
        for dealt in &kinds[entity].dealt {
            let attribute = &kinds[dealt.entity].entity.attributes[dealt.attribute];
            let generator = &attribute.generator.value;
            let path = which.with.iter().find(|(name, _)| name.value == attribute.name);
            let value = if let Some((_, path)) = path {
                let cell = self.path(path, site)?;
                self.dealt_number(generator, &cell, path)?
            } else if let (Some((near, place)), false) = (place, near_used)
                && let Generator::Table { table, weight, .. } = generator
                && self.source.world.table(&table.value) == Some(place.0)
            {
                near_used = true;
                self.neighbour(near, (place.0, place.1), weight.as_ref(), (site, word))?
            } else {
                let what = format!("`with` does not say which `{}`", attribute.name);
                return self.refuse(span, what, "give each attribute that is dealt");
            };
            let radix = i64::try_from(dealt.values).unwrap_or(i64::MAX);
            group = Some(match group {
                None => value,
                Some(group) => {
                    use crate::plan::program::Arithmetic::{Add, Multiply};
                    let factor = Number::constant(radix, 0);
                    let above = self.arithmetic(Multiply, [group, factor], 0, span)?;
                    self.arithmetic(Add, [above, value], 0, span)?
                }
            });
        }
        if let (Some((near, (table, ..))), false) = (place, near_used) {
            let table = &self.source.world.model.tables[table].name;
            let what = format!("members are not dealt by rows of `{table}`, so none is near one");
            return self.refuse(
                &near.to.span,
                what,
                "deal them: site = { table = …, dealt = true }",
            );
        }
        let group = group?;
        match group.operand {
            Operand::Unsigned(register) => Some(register),
            from => {
                let out = self.register();
                self.emit(Operation::Move { from, out: Target::Word(out) });
                Some(out)
            }
        }
    }

    /// Every group must have somebody, where somebody is picked of a group.
    fn check_groups(&mut self, entity: usize, span: &Span) -> Option<()> {
        let kind = &self.source.world.kinds[entity];
        let empty = kind.picked.empty_groups();
        if empty == 0 {
            return Some(());
        }
        let (name, count, groups) = (&kind.entity.name, kind.count, kind.picked.groups());
        let what = format!(
            "{count} members of `{name}` leave {empty} of the {groups} groups that they are dealt over \
             without any, so that not every pick has somebody"
        );
        self.refuse(span, what, "raise `count`, or deal by fewer or more even values")
    }

    /// Which value of a dealt attribute a cell is.
    fn dealt_number(
        &mut self,
        generator: &Generator,
        cell: &Cell,
        path: &Spanned<String>,
    ) -> Option<Number> {
        let unsigned = |register, count: usize| Number {
            operand: Operand::Unsigned(register),
            min: 0,
            max: i64::try_from(count).unwrap_or(i64::MAX) - 1,
            scale: 0,
        };
        match (generator, &cell.value) {
            (Generator::Table { table, .. }, Value::Row { table: row, index })
                if self.source.world.table(&table.value) == Some(*row) =>
            {
                let rows = self.source.world.model.tables[*row].columns[0].cells.len();
                Some(unsigned(*index, rows))
            }
            (Generator::Choice(values), Value::Dictionary { index, cells }) => {
                let place = |cell: &String| values.iter().position(|(value, _)| value == cell);
                if let Some(cell) = cells.iter().find(|cell| place(cell).is_none()) {
                    let what = format!("nobody has the value `{cell}`");
                    return self.refuse(&path.span, what, "");
                }
                let places = cells.iter().filter_map(place);
                let places = places.filter_map(|place| i64::try_from(place).ok());
                Some(self.lookup(*index, &places.collect::<Vec<_>>(), 0))
            }
            (_, other) => {
                let what =
                    format!("members are not dealt by such values: this is {}", other.kind());
                self.refuse(
                    &path.span,
                    what,
                    "give a row of the same table, or a value of the choice",
                )
            }
        }
    }
}
