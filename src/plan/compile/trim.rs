//! What is worked out twice is merged, what nothing reads is dropped, and columns are used again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Compiled;
use super::visit::{registers, visit, visit_fill, visit_operand, visit_text};
use crate::plan::fill::{Fill, HeaderFill, Text};
use crate::plan::program::{Gathered, List, Operation, Program, Register, Wide};

/// Merges operations that do the same, drops those without a reader, and gives the columns of values
/// that are no longer needed to later ones, so that all columns in use stay in the cache.
pub(super) fn trim(compiled: &mut Compiled) {
    let Compiled { program, fill, key, headers, .. } = compiled;
    let mut results =
        Results { fills: vec![fill], texts: key.iter_mut().collect(), words: Vec::new() };
    for header in headers {
        match &mut header.value {
            HeaderFill::Identity(words) => results.words.extend(words),
            HeaderFill::Text { text, present } => {
                results.texts.push(text);
                results.words.extend(present);
            }
            HeaderFill::IntendedTime => {}
        }
    }
    trim_frame(program, None, &mut results);
}

/// What is read of a frame when its operations have run.
struct Results<'r> {
    fills: Vec<&'r mut Fill>,
    texts: Vec<&'r mut Text>,
    words: Vec<&'r mut Register>,
}

/// A list in a fill: which of the frame's, its keys and its items.
type Listed<'f> = (&'f mut usize, Option<&'f mut Text>, &'f mut Fill);

impl Results<'_> {
    /// Shows each register that is read.
    fn visit(&mut self, see: &mut dyn FnMut(&mut Register)) {
        self.fills.iter_mut().for_each(|fill| visit_fill(fill, see));
        self.texts.iter_mut().for_each(|text| visit_text(text, see));
        self.words.iter_mut().for_each(|word| see(word));
    }

    fn lists(&mut self) -> Vec<Listed<'_>> {
        let mut found = Vec::new();
        self.fills.iter_mut().for_each(|fill| lists_in(fill, &mut found));
        found
    }

    /// What is read of a list's items.
    fn of(&mut self, list: usize) -> Results<'_> {
        let mut results = Results { fills: Vec::new(), texts: Vec::new(), words: Vec::new() };
        for (_, key, item) in self.lists().into_iter().filter(|(child, ..)| **child == list) {
            results.fills.push(item);
            results.texts.extend(key);
        }
        results
    }
}

/// Trims the operations of a frame and of the lists in it. `list` is how the frame's rows begin, if
/// they are the items of a list.
fn trim_frame(program: &mut Program, mut list: Option<&mut List>, results: &mut Results<'_>) {
    drop_lists(program, results);
    merge(program, list.as_deref_mut(), results);
    for (number, inner) in program.lists.iter_mut().enumerate() {
        let mut items = std::mem::take(&mut inner.program);
        trim_frame(&mut items, Some(inner), &mut results.of(number));
        inner.program = items;
    }
    let mut kept = BTreeSet::new();
    results.visit(&mut |register| {
        kept.insert(*register);
    });
    visit_lists(program, &mut |register| {
        kept.insert(*register);
    });
    let mut needed = kept.clone();
    let mut operations = std::mem::take(&mut program.operations);
    operations.reverse();
    operations.retain_mut(|operation| {
        let (reads, writes) = registers(operation);
        let used = writes.iter().any(|register| needed.contains(register));
        if used {
            needed.extend(reads);
        }
        used
    });
    operations.reverse();
    program.operations = operations;
    match list {
        None => {
            kept.extend((0..program.inputs).map(Register));
            let used = |wide: &Wide| [wide.high, wide.low].iter().any(|it| needed.contains(it));
            program.ordinal = program.ordinal.filter(used);
        }
        Some(list) => {
            list.gathered.retain(|gathered| needed.contains(&gathered.out));
            let inputs = needed.iter().filter(|register| register.0 < program.inputs);
            list.gathered.extend(inputs.map(|&input| Gathered { from: input, out: input }));
            for column in [&mut list.number, &mut list.place] {
                *column = column.filter(|column| needed.contains(column));
            }
            reuse(program, Some(list), results, &kept);
            return;
        }
    }
    reuse(program, None, results, &kept);
}

/// Drops lists that nothing is filled with.
fn drop_lists(program: &mut Program, results: &mut Results<'_>) {
    let mut places = BTreeMap::new();
    for (child, ..) in results.lists() {
        places.insert(*child, 0);
    }
    for (new, place) in places.values_mut().enumerate() {
        *place = new;
    }
    for (child, ..) in results.lists() {
        *child = places.get(child).copied().unwrap_or(0);
    }
    let lists = std::mem::take(&mut program.lists).into_iter().enumerate();
    program.lists =
        lists.filter(|(old, _)| places.contains_key(old)).map(|(_, list)| list).collect();
}

/// Lets the first of several operations that do the same stand for all of them.
fn merge(program: &mut Program, list: Option<&mut List>, results: &mut Results<'_>) {
    let mut names = BTreeMap::new();
    if let Some(list) = list {
        let mut known = BTreeMap::new();
        list.gathered.retain(|Gathered { from, out }| match known.entry(*from) {
            Entry::Occupied(first) => {
                names.insert(*out, *first.get());
                false
            }
            Entry::Vacant(place) => {
                place.insert(*out);
                true
            }
        });
    }
    let mut known: BTreeMap<String, Vec<Register>> = BTreeMap::new();
    program.operations.retain_mut(|operation| {
        visit(operation, &mut |register, written| {
            if !written {
                rename(register, &names);
            }
        });
        let (_, writes) = registers(operation);
        match known.entry(signature(operation)) {
            Entry::Occupied(first) => {
                names.extend(writes.into_iter().zip(first.get().iter().copied()));
                false
            }
            Entry::Vacant(place) => {
                place.insert(writes);
                true
            }
        }
    });
    results.visit(&mut |register| rename(register, &names));
    visit_lists(program, &mut |register| rename(register, &names));
}

/// What an operation does, wherever it writes: the same for those, and only those, that do the same.
fn signature(operation: &Operation) -> String {
    match operation {
        Operation::Group { number, population, .. } => {
            format!("group {number:?} {:p}", Arc::as_ptr(population))
        }
        Operation::Version { number, time, rota, .. } => {
            format!("version {number:?} {time:?} {:p}", Arc::as_ptr(rota))
        }
        Operation::Parent { number, kinship, .. } => {
            format!("parent {number:?} {:p}", Arc::as_ptr(kinship))
        }
        Operation::Child { word, number, kinship, .. } => {
            format!("child {word:?} {number:?} {:p}", Arc::as_ptr(kinship))
        }
        Operation::Actor { words, out, .. }
        | Operation::Member { words: [words @ .., _], out, .. } => {
            format!("member {words:?} {out:?}")
        }
        Operation::Quantile { word, out, .. } => format!("quantile {word:?} {out:?}"),
        Operation::Steps { word, out, .. } => format!("steps {word:?} {out:?}"),
        Operation::ChooseBy { word, out, .. } => format!("choose {word:?} {out:?}"),
        Operation::Walk { walk, member, generation, time_us, .. } => {
            format!("walk {:p} {member:?} {generation:?} {time_us:?}", Arc::as_ptr(walk))
        }
        Operation::Offset { era, out, .. } => format!("offset {era:?} {out:?}"),
        other => {
            let mut other = other.clone();
            visit(&mut other, &mut |register, written| {
                if written {
                    *register = Register(u16::MAX);
                }
            });
            format!("{other:?}")
        }
    }
}

/// Renames registers so that one whose last reader has run is free for the next value.
fn reuse(
    program: &mut Program,
    mut list: Option<&mut List>,
    results: &mut Results<'_>,
    kept: &BTreeSet<Register>,
) {
    let mut last = BTreeMap::new();
    for (place, operation) in program.operations.iter_mut().enumerate() {
        let (reads, writes) = registers(operation);
        for register in reads.into_iter().chain(writes) {
            last.insert(register, place);
        }
    }
    let mut names: BTreeMap<Register, Register> =
        (0..program.inputs).map(|input| (Register(input), Register(input))).collect();
    let mut free: Vec<Register> = Vec::new();
    let mut columns = program.inputs;
    let mut name = |free: &mut Vec<Register>| {
        free.pop().unwrap_or_else(|| {
            columns += 1;
            Register(columns - 1)
        })
    };
    if let Some(list) = list.as_deref_mut() {
        let gathered = list.gathered.iter_mut().map(|gathered| &mut gathered.out);
        for source in gathered.chain(&mut list.number).chain(&mut list.place) {
            *source = *names.entry(*source).or_insert_with(|| name(&mut free));
        }
    }
    if let Some(Wide { high, low }) = &mut program.ordinal {
        for source in [high, low] {
            *source = *names.entry(*source).or_insert_with(|| name(&mut free));
        }
    }
    for (place, operation) in program.operations.iter_mut().enumerate() {
        let (reads, writes) = registers(operation);
        for register in &writes {
            names.entry(*register).or_insert_with(|| name(&mut free));
        }
        visit(operation, &mut |register, _| rename(register, &names));
        let ended: BTreeSet<_> = reads.into_iter().chain(writes).collect();
        for register in ended {
            if last.get(&register) == Some(&place) && !kept.contains(&register) {
                free.extend(names.get(&register));
            }
        }
    }
    results.visit(&mut |register| rename(register, &names));
    visit_lists(program, &mut |register| rename(register, &names));
    if let Some(list) = list {
        list.results = kept.iter().filter_map(|register| names.get(register).copied()).collect();
    }
    program.columns = columns;
}

fn rename(register: &mut Register, names: &BTreeMap<Register, Register>) {
    if let Some(name) = names.get(register) {
        *register = *name;
    }
}

/// Shows each register of a frame that the lists in it begin with.
fn visit_lists(program: &mut Program, see: &mut dyn FnMut(&mut Register)) {
    for list in &mut program.lists {
        visit_operand(&mut list.length, &mut |register, _| see(register));
        list.gathered.iter_mut().for_each(|gathered| see(&mut gathered.from));
    }
}

/// Finds the lists of a fill that are in its own frame.
fn lists_in<'f>(fill: &'f mut Fill, found: &mut Vec<Listed<'f>>) {
    match fill {
        Fill::Array { child, item } => found.push((child, None, item)),
        Fill::Map { child, key, value } => found.push((child, Some(key), value)),
        Fill::Record(fills) => fills.iter_mut().for_each(|fill| lists_in(fill, found)),
        Fill::Union { branches, .. } => {
            branches.iter_mut().flatten().for_each(|fill| lists_in(fill, found));
        }
        Fill::Optional { value, .. } => lists_in(value, found),
        _ => {}
    }
}
