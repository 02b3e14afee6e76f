//! Frames and scopes: where operations run, and which names are seen there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::occasion::Occasion;
use super::value::{Cell, Number, Parts, Value};
use super::{Compiler, Named, Site, State, visit};
use crate::config::Span;
use crate::plan::program::{Arithmetic, Gathered, List, Operand, Operation, Program};
use crate::plan::program::{Register, Target, Wide, input};

/// A frame on its way: the rows of the stream, or the items of a list in them.
///
/// Registers have numbers of their own in all frames, but for the inputs.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) operations: Vec<Operation>,
    /// The frame that the lists stand in. None: the frame is the stream's own.
    above: Option<usize>,
    /// How many items a list has.
    length: Operand,
    /// The most items that an event can have here.
    pub(super) items_max: i64,
    /// What is taken over from the frame above.
    gathered: BTreeMap<Register, Register>,
    number: Register,
    pub(super) place: Register,
    /// The frames of the lists in a row.
    lists: Vec<usize>,
}

/// Names that values refer to, and the randomness of what they name.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// The scope around this one.
    pub(super) above: Option<usize>,
    pub(super) frame: usize,
    /// Of which stream on the way to the root.
    pub(super) level: u16,
    pub(super) site: Site,
    pub(super) names: BTreeMap<&'a str, Named<'a>>,
}

impl Draft {
    /// The frame of the stream's rows.
    pub(super) fn rows() -> Self {
        Self {
            operations: Vec::new(),
            above: None,
            length: Operand::Constant(1),
            items_max: 1,
            gathered: BTreeMap::new(),
            number: Register(0),
            place: Register(0),
            lists: Vec::new(),
        }
    }
}

impl<'a> Compiler<'a> {
    /// The frame that operations go to.
    pub(super) fn frame(&self) -> usize {
        self.scopes[self.scope].frame
    }

    /// Does something in another scope.
    pub(super) fn within<T>(&mut self, scope: usize, act: impl FnOnce(&mut Self) -> T) -> T {
        let before = (std::mem::replace(&mut self.scope, scope), self.now);
        if self.scopes[before.0].level != self.level() {
            self.now = input::time(self.level());
        }
        let result = act(self);
        (self.scope, self.now) = before;
        result
    }

    /// The innermost scope that has a name; in what a field of a record is made of, the field's
    /// own name means the one outside, if there is one.
    pub(super) fn scope_of(&self, name: &str) -> Option<usize> {
        let mut scope = Some(self.scope);
        let mut circle = None;
        while let Some(at) = scope {
            match self.scopes[at].names.get(name) {
                Some(Named { state: State::Compiling, .. }) => circle = circle.or(Some(at)),
                Some(_) => return Some(at),
                None => {}
            }
            scope = self.scopes[at].above;
        }
        circle
    }

    /// All names that are seen here.
    pub(super) fn names_seen(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let mut scope = Some(self.scope);
        while let Some(at) = scope {
            seen.extend(self.scopes[at].names.keys().copied().map(str::to_owned));
            scope = self.scopes[at].above;
        }
        seen
    }

    /// A scope inside this one, in the same frame.
    pub(super) fn inner_scope(&mut self, site: Site, names: BTreeMap<&'a str, Named<'a>>) -> usize {
        let (frame, level) = (self.frame(), self.level());
        self.scopes.push(Scope { above: Some(self.scope), frame, level, site, names });
        self.scopes.len() - 1
    }

    /// A scope inside this one for the items of a list.
    pub(super) fn open_list(&mut self, length: &Number) -> usize {
        let (number, place) = (self.register(), self.register());
        let above = self.frame();
        let frame = self.frames.len();
        self.frames.push(Draft {
            above: Some(above),
            length: length.operand,
            items_max: self.frames[above].items_max * length.max.max(1),
            number,
            place,
            ..Draft::rows()
        });
        self.frames[above].lists.push(frame);
        let mut site = self.event_site();
        let outer = site.index.replace(number);
        let (above, level, names) = (Some(self.scope), self.level(), BTreeMap::new());
        let scope = Scope { above, frame, level, site, names };
        self.scopes.push(scope);
        let scope = self.scopes.len() - 1;
        let site = self.within(scope, |this| {
            site.low = this.lift_register(site.low);
            site.high = site.high.map(|high| this.lift_register(high));
            if let Some(outer) = outer {
                let outer = Operand::Unsigned(this.lift_register(outer));
                let (right, out) = (Operand::Unsigned(number), this.register());
                let (function, target) = (Arithmetic::Add, Target::Word(out));
                this.emit(Operation::Arithmetic { function, left: outer, right, out: target });
                site.index = Some(out);
            }
            site
        });
        self.scopes[scope].site = site;
        scope
    }

    /// Which of its frame's lists a list is.
    pub(super) fn place_of(&self, frame: usize) -> usize {
        let lists = self.frames[frame].above.map(|above| self.frames[above].lists.as_slice());
        lists.and_then(|lists| lists.iter().position(|list| *list == frame)).unwrap_or(0)
    }

    /// A column of this frame or of one above it, as a column of this one.
    pub(super) fn lift_register(&mut self, register: Register) -> Register {
        if register.0 < self.inputs {
            return register;
        }
        let from = self.homes[usize::from(register.0 - self.inputs)];
        let mut way = Vec::new();
        let mut frame = self.frame();
        while frame != from {
            way.push(frame);
            let Some(above) = self.frames[frame].above else { break };
            frame = above;
        }
        way.into_iter().rev().fold(register, |register, frame| {
            if let Some(out) = self.frames[frame].gathered.get(&register) {
                return *out;
            }
            let out = self.register_of(frame);
            self.frames[frame].gathered.insert(register, out);
            out
        })
    }

    /// A pair of columns, likewise.
    pub(super) fn lift_wide(&mut self, wide: Wide) -> Wide {
        Wide { high: self.lift_register(wide.high), low: self.lift_register(wide.low) }
    }

    /// A cell of this frame or of one above it, as a cell of this one.
    pub(super) fn lift(&mut self, cell: &Cell, span: &Span) -> Option<Cell> {
        if self.frame() == 0 {
            return Some(cell.clone());
        }
        let value = match &cell.value {
            Value::List(list)
                if self.frames[self.scopes[list.scope].frame].above == Some(self.frame()) =>
            {
                cell.value.clone()
            }
            Value::List(_) => {
                let what = "a list cannot be repeated in the items of another";
                return self.refuse(
                    span,
                    what,
                    "name something else, or make the list in the item",
                );
            }
            Value::Record(fields) => {
                let mut lifted = Vec::with_capacity(fields.len());
                for (name, cell) in fields {
                    lifted.push((name.clone(), self.lift(cell, span)?));
                }
                Value::Record(lifted)
            }
            Value::Any { index, cells } => {
                let mut lifted = Vec::with_capacity(cells.len());
                for (branch, cell) in cells {
                    lifted.push((branch.clone(), self.lift(cell, span)?));
                }
                Value::Any { index: self.lift_register(*index), cells: lifted }
            }
            Value::Parts(parts) => {
                let whole = self.lift_plain(&parts.whole);
                let lifted = parts.parts.iter().map(|(name, part)| (*name, self.lift_plain(part)));
                let parts = lifted.collect();
                Value::Parts(Arc::new(Parts { whole, parts }))
            }
            plain => self.lift_plain(plain),
        };
        let present = cell.present.map(|present| self.lift_register(present));
        Some(Cell { value, present })
    }

    fn lift_plain(&mut self, value: &Value) -> Value {
        if let Value::Member { entity, number } = value {
            return Value::Member { entity: *entity, number: self.lift_member(*entity, *number) };
        }
        if let Value::Occasion(Occasion { entity, number, turn }) = value {
            return Value::Occasion(Occasion {
                entity: *entity,
                number: self.lift_member(*entity, *number),
                turn: turn.map(|turn| turn.moved(|register| self.lift_register(register))),
            });
        }
        let mut value = value.clone();
        let mut lift = |register: &mut Register| *register = self.lift_register(*register);
        match &mut value {
            Value::Number(number) | Value::Instant(number) => match &mut number.operand {
                Operand::Constant(_) => {}
                Operand::Unsigned(register) | Operand::Signed(register) => lift(register),
                Operand::Wide(Wide { high, low }) => {
                    lift(high);
                    lift(low);
                }
            },
            Value::Dictionary { index: register, .. }
            | Value::Boolean(register)
            | Value::Row { index: register, .. } => lift(register),
            Value::Text(text) => visit::visit_text(text, &mut lift),
            Value::Uuid(words) => words.iter_mut().for_each(lift),
            Value::Options { index, .. } => index.iter_mut().for_each(lift),
            Value::Real { value, .. } => visit::visit_integer(value, &mut lift),
            Value::Bytes { words, length, .. } => words.iter_mut().chain(length).for_each(lift),
            Value::Null
            | Value::Literal(_)
            | Value::Member { .. }
            | Value::Occasion(_)
            | Value::Time { .. }
            | Value::Parts(_)
            | Value::Record(_)
            | Value::Any { .. }
            | Value::List(_) => {}
        }
        value
    }

    /// A member of a row is the same one, of the same generation and group, for each item.
    fn lift_member(&mut self, entity: usize, number: Register) -> Register {
        let out = self.lift_register(number);
        if let Some(generation) = self.generations.get(&(entity, number)).copied() {
            let generation = self.lift_register(generation);
            self.generations.insert((entity, out), generation);
        }
        if let Some(group) = self.groups.get(&(entity, number)).copied() {
            let group = self.lift_register(group);
            self.groups.insert((entity, out), group);
        }
        out
    }

    /// The program of a frame, with those of the lists in it.
    pub(super) fn program(&mut self, frame: usize) -> Program {
        let lists = std::mem::take(&mut self.frames[frame].lists);
        let lists = lists.into_iter().map(|list| {
            let program = self.program(list);
            let draft = &self.frames[list];
            let gathered = draft.gathered.iter();
            List {
                length: draft.length,
                gathered: gathered.map(|(&from, &out)| Gathered { from, out }).collect(),
                number: Some(draft.number),
                place: Some(draft.place),
                program,
                results: Vec::new(),
            }
        });
        let lists = lists.collect();
        let operations = std::mem::take(&mut self.frames[frame].operations);
        let ordinal = self.ordinal.filter(|_| frame == 0);
        Program { operations, columns: self.columns, inputs: self.inputs, lists, ordinal }
    }
}
