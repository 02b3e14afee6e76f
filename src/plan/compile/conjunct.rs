//! Conditions in parts: columns that must all be true for a condition to hold.

use std::collections::BTreeMap;

use super::visit::registers;
use crate::plan::program::{
    Arithmetic, Logic, Operand, Operation, Program, Register, Table, Target,
};

/// What a word of 0 or 1 is tested for.
const TRUE: &[bool] = &[false, true];
const FALSE: &[bool] = &[true, false];
/// How many operations are looked at to tell which values a column can have.
const LOOKS: usize = 4_096;

/// The columns that are all other than 0 in the rows, and only those, where `keep` is; operations that
/// make them are added to the program, of which each column is written once.
///
/// A choice of which one side fails is a condition for the other side: `if a then 'x' else b` can
/// only be `y` where `a` is false.
pub(super) fn conjuncts(program: &mut Program, keep: Register) -> Vec<Register> {
    let mut made = BTreeMap::new();
    for (place, operation) in program.operations.iter_mut().enumerate() {
        for written in registers(operation).1 {
            made.insert(written, place);
        }
    }
    let mut splitter = Splitter { program, made, looks: LOOKS, found: Vec::new() };
    splitter.split(keep, TRUE);
    splitter.found
}

struct Splitter<'p> {
    program: &'p mut Program,
    /// Which operation writes a column.
    made: BTreeMap<Register, usize>,
    looks: usize,
    found: Vec<Register>,
}

impl Splitter<'_> {
    fn operation(&self, word: Register) -> Option<&Operation> {
        Some(&self.program.operations[*self.made.get(&word)?])
    }

    /// Adds what must hold for a word to pass a test: `test[word]`.
    fn split(&mut self, word: Register, test: &[bool]) {
        if self.descend(word, test).is_none() {
            self.leaf(word, test);
        }
    }

    fn split_operand(&mut self, operand: Operand, test: &[bool]) {
        if let Operand::Unsigned(word) = operand {
            self.split(word, test);
        }
    }

    /// Tests what a word is made of instead; None if that is no conjunction.
    fn descend(&mut self, word: Register, test: &[bool]) -> Option<()> {
        self.looks = self.looks.checked_sub(1)?;
        match self.operation(word)?.clone() {
            Operation::Not { word, .. } if test == TRUE => self.split(word, FALSE),
            Operation::Not { word, .. } if test == FALSE => self.split(word, TRUE),
            Operation::Logic { logic: Logic::And, left, right, .. } if test == TRUE => {
                self.split(left, test);
                self.split(right, test);
            }
            Operation::Logic { logic: Logic::Or, left, right, .. } if test == FALSE => {
                self.split(left, test);
                self.split(right, test);
            }
            Operation::Lookup { index, values: Table::Words(values), out: Target::Word(_) } => {
                let tests: Option<Vec<bool>> =
                    values.iter().map(|&value| test.get(value as usize).copied()).collect();
                self.split(index, &tests?);
            }
            Operation::Arithmetic {
                function: Arithmetic::Add,
                left: Operand::Unsigned(word),
                right: Operand::Constant(base),
                out: Target::Word(_),
            } => self.split(word, test.get(usize::try_from(base).ok()?..)?),
            Operation::Move { from: Operand::Unsigned(word), out: Target::Word(_) } => {
                self.split(word, test);
            }
            Operation::Select { condition, then, otherwise, out: Target::Word(_) } => {
                match (self.always(then, test), self.always(otherwise, test)) {
                    (Some(true), Some(true)) => {}
                    (Some(true), Some(false)) => self.split(condition, TRUE),
                    (Some(false), Some(true)) => self.split(condition, FALSE),
                    (None, Some(false)) => {
                        self.split(condition, TRUE);
                        self.split_operand(then, test);
                    }
                    (Some(false), None) => {
                        self.split(condition, FALSE);
                        self.split_operand(otherwise, test);
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether all values that an operand can have pass a test, or none does.
    fn always(&mut self, operand: Operand, test: &[bool]) -> Option<bool> {
        self.looks = self.looks.checked_sub(1)?;
        let word = match operand {
            Operand::Constant(value) => return test.get(usize::try_from(value).ok()?).copied(),
            Operand::Unsigned(word) => word,
            Operand::Signed(_) | Operand::Wide(_) => return None,
        };
        match self.operation(word)?.clone() {
            Operation::Move { from, .. } => self.always(from, test),
            Operation::Select { then, otherwise, .. } => {
                let then = self.always(then, test)?;
                (self.always(otherwise, test)? == then).then_some(then)
            }
            Operation::Arithmetic {
                function: Arithmetic::Add,
                left,
                right: Operand::Constant(base),
                ..
            } => self.always(left, test.get(usize::try_from(base).ok()?..)?),
            Operation::Lookup { values: Table::Words(values), .. } => {
                same(values.iter().map(|&value| test.get(value as usize)))
            }
            Operation::Choose { table, .. } => same((0..table.len()).map(|at| test.get(at))),
            Operation::ChooseBy { choices, .. } => same((0..choices.len()).map(|at| test.get(at))),
            Operation::Not { .. }
            | Operation::Logic { .. }
            | Operation::Compare { .. }
            | Operation::Chance { .. } => same((0..2).map(|at| test.get(at))),
            _ => None,
        }
    }

    fn leaf(&mut self, word: Register, test: &[bool]) {
        if test == TRUE {
            self.found.push(word);
        } else if test.contains(&false) {
            let out = Register(self.program.columns);
            self.program.columns += 1;
            self.program.operations.push(if test == FALSE {
                Operation::Not { word, out }
            } else {
                let values: Vec<_> = test.iter().map(|&passes| i64::from(passes)).collect();
                let values = Table::new(&values);
                Operation::Lookup { index: word, values, out: Target::Word(out) }
            });
            self.found.push(out);
        }
    }
}

/// What all of them are.
fn same<'t>(mut tests: impl Iterator<Item = Option<&'t bool>>) -> Option<bool> {
    let first = *tests.next()??;
    tests.all(|test| test == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::gate::conditions;
    use super::*;
    use crate::generate::column::{CHUNK_ROWS, Frame};
    use crate::generate::cpu::{self, Context};
    use crate::generate::philox::philox;
    use crate::plan::alias::Alias;
    use crate::plan::program::{Counter, input};

    /// A program that grows by random operations.
    struct Growing {
        program: Program,
        seed: u32,
        drawn: u32,
        words: Vec<Register>,
        truths: Vec<Register>,
        /// Indices and how many values each can have.
        indices: Vec<(Register, u32)>,
    }

    impl Growing {
        fn new(seed: u32) -> Self {
            let inputs = input::count(1);
            let program = Program { columns: inputs, inputs, ..Program::default() };
            let (words, truths, indices) = (Vec::new(), Vec::new(), Vec::new());
            let mut new = Self { program, seed, drawn: 0, words, truths, indices };
            new.random(0);
            new.random(1);
            new.truth();
            new.index();
            new
        }

        fn below(&mut self, limit: usize) -> usize {
            self.drawn += 1;
            philox([self.seed, 0], [self.drawn, 0, 0, 0])[0] as usize % limit
        }

        fn register(&mut self) -> Register {
            self.program.columns += 1;
            Register(self.program.columns - 1)
        }

        fn random(&mut self, block: u32) {
            let out = [(); 4].map(|()| self.register());
            let low = input::NUMBER.low;
            let counter = Counter { low, high: None, salt: 0, index: None, block };
            self.program.operations.push(Operation::Random { key: [self.seed, 1], counter, out });
            self.words.extend(out);
        }

        fn truth(&mut self) {
            let word = self.any_word();
            let threshold = Operand::Constant(1 << (28 + self.below(3)));
            let out = self.register();
            self.program.operations.push(Operation::Chance { word, threshold, out });
            self.truths.push(out);
        }

        fn index(&mut self) {
            let (word, count) = (self.any_word(), 2 + self.below(4));
            let out = self.register();
            let table = Arc::new(Alias::new(&vec![1.0; count]));
            self.program.operations.push(Operation::Choose { word, table, out });
            self.indices.push((out, u32::try_from(count).unwrap()));
        }

        fn any_word(&mut self) -> Register {
            let place = self.below(self.words.len());
            self.words[place]
        }

        fn any_truth(&mut self) -> Register {
            let place = self.below(self.truths.len());
            self.truths[place]
        }

        fn any_index(&mut self) -> (Register, u32) {
            let place = self.below(self.indices.len());
            self.indices[place]
        }

        fn lookup(&mut self, is_truth: bool) {
            let (index, count) = self.any_index();
            let limit = if is_truth { 2 } else { 4 };
            let values: Vec<i64> =
                (0..count).map(|_| i64::try_from(self.below(limit)).unwrap()).collect();
            let (out, values) = (self.register(), Table::new(&values));
            let target = Target::Word(out);
            self.program.operations.push(Operation::Lookup { index, values, out: target });
            if is_truth { self.truths.push(out) } else { self.indices.push((out, 4)) }
        }

        fn select(&mut self, condition: Register, then: Operand, otherwise: Operand) -> Register {
            let out = self.register();
            let select = Operation::Select { condition, then, otherwise, out: Target::Word(out) };
            self.program.operations.push(select);
            out
        }

        fn select_truth(&mut self) {
            let condition = self.any_truth();
            let side = |this: &mut Self| match this.below(3) {
                0 => Operand::Constant(i64::try_from(this.below(2)).unwrap()),
                _ => Operand::Unsigned(this.any_truth()),
            };
            let (then, otherwise) = (side(self), side(self));
            let out = self.select(condition, then, otherwise);
            self.truths.push(out);
        }

        /// Two dictionaries one after the other, as a choice between texts is compiled.
        fn select_index(&mut self) {
            let condition = self.any_truth();
            let side = |this: &mut Self| {
                if this.below(2) == 0 {
                    return (Operand::Constant(0), 1);
                }
                let (index, count) = this.any_index();
                (Operand::Unsigned(index), count)
            };
            let ((then, first), (left, second)) = (side(self), side(self));
            let base = i64::from(first);
            let otherwise = match left {
                Operand::Constant(value) => Operand::Constant(value + base),
                left => {
                    let out = self.register();
                    self.program.operations.push(Operation::Arithmetic {
                        function: Arithmetic::Add,
                        left,
                        right: Operand::Constant(base),
                        out: Target::Word(out),
                    });
                    Operand::Unsigned(out)
                }
            };
            let out = self.select(condition, then, otherwise);
            self.indices.push((out, first + second));
        }

        fn grow(&mut self) {
            match self.below(9) {
                0 => self.truth(),
                1 => self.index(),
                2 => {
                    let (word, out) = (self.any_truth(), self.register());
                    self.program.operations.push(Operation::Not { word, out });
                    self.truths.push(out);
                }
                3 | 4 => {
                    let logic = if self.below(2) == 0 { Logic::And } else { Logic::Or };
                    let (left, right) = (self.any_truth(), self.any_truth());
                    let out = self.register();
                    self.program.operations.push(Operation::Logic { logic, left, right, out });
                    self.truths.push(out);
                }
                5 => self.lookup(true),
                6 => self.lookup(false),
                7 => self.select_truth(),
                _ => self.select_index(),
            }
        }
    }

    /// A column of a program for the numbers from 0.
    fn column(program: &Program, register: Register) -> Vec<bool> {
        let mut frame = Frame::new(usize::from(program.columns), CHUNK_ROWS);
        frame.set_rows(CHUNK_ROWS);
        for (number, word) in (0..).zip(frame.column_mut(input::NUMBER.low)) {
            *word = number;
        }
        cpu::run(program, &mut frame, Context { eras: &[] });
        frame.column(register).iter().map(|&word| word != 0).collect()
    }

    /// The conjuncts of a column, and the conditions that they are put together to, let through the
    /// rows that the column does.
    #[test]
    fn conditions_in_parts_are_the_whole_condition() {
        let (mut split, mut several, mut open, mut shut) = (0, 0, 0, 0);
        for seed in 0..600 {
            let mut growing = Growing::new(seed);
            for _ in 0..30 {
                growing.grow();
            }
            let mut keep = *growing.truths.last().unwrap();
            for _ in 0..2 {
                let (logic, left, right) = (Logic::And, keep, growing.any_truth());
                keep = growing.register();
                growing.program.operations.push(Operation::Logic { logic, left, right, out: keep });
            }
            let whole = column(&growing.program, keep);
            let mut program = growing.program.clone();
            let parts = conjuncts(&mut program, keep);
            let conditions = conditions(&mut growing.program, keep);
            split += usize::from(parts.len() > 1);
            several += usize::from(conditions.len() > 1);
            let parts = parts.into_iter().map(|part| column(&program, part));
            let parts: Vec<Vec<bool>> = parts.collect();
            let apart = conditions.iter().map(|part| column(&part.program, part.keep));
            let apart: Vec<Vec<bool>> = apart.collect();
            for (row, &holds) in whole.iter().enumerate() {
                let all = |parts: &[Vec<bool>]| parts.iter().all(|part| part[row]);
                assert_eq!(all(&parts), holds, "row {row} of {seed}: {program:#?}");
                assert_eq!(all(&apart), holds, "row {row} of {seed}: {conditions:#?}");
            }
            open += whole.iter().filter(|holds| **holds).count();
            shut += whole.iter().filter(|holds| !**holds).count();
        }
        assert!(split > 300 && several > 60, "{split} {several}");
        assert!(open > 10_000 && shut > 10_000, "{open} {shut}");
    }

    #[test]
    fn a_rare_outcome_behind_others_is_a_condition_of_its_own() {
        // if a then 'x' else if b then 'y' else 'z', compared with 'y'.
        let mut growing = Growing::new(1);
        growing.truth();
        let [a, b] = [growing.truths[0], growing.truths[1]];
        let (inner, outer, keep) = (growing.register(), growing.register(), growing.register());
        let select = |condition, [then, otherwise]: [Operand; 2], out| Operation::Select {
            condition,
            then,
            otherwise,
            out: Target::Word(out),
        };
        growing.program.operations.extend([
            select(b, [1, 2].map(Operand::Constant), inner),
            select(a, [Operand::Constant(0), Operand::Unsigned(inner)], outer),
            Operation::Lookup {
                index: outer,
                values: Table::new(&[0, 1, 0]),
                out: Target::Word(keep),
            },
        ]);
        let parts = conjuncts(&mut growing.program, keep);
        assert_eq!(parts.len(), 2);
        assert!(parts.contains(&b) && !parts.contains(&a));
    }
}
