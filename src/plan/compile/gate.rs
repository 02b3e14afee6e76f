//! Gates: which events are followed, and by how many.

use std::collections::BTreeSet;

use super::conjunct::conjuncts;
use super::value::{Number, Value};
use super::visit::registers;
use super::{Compiled, Compiler, Owner, Site, Source, stream_key, trim};
use crate::config::Mistake;
use crate::config::model::{Follows, Stream};
use crate::plan::fill::{Fill, Integer};
use crate::plan::follow_up::CHILDREN_MAX;
use crate::plan::program::{
    Arithmetic, Logic, Operand, Operation, Program, Register, Target, Wide, input,
};

/// The first random word of a count, apart from the words of the stream's fields.
const COUNT_WORD: u32 = 0x3100_0000 * 4;
/// A condition is asked apart from the others if at most this part of them is worked out twice then.
const TWICE: u32 = 8;

/// What decides whether an event is followed, and by how many, from its own values.
#[derive(Debug)]
pub struct Gate {
    /// What must hold, the cheapest first.
    pub conditions: Vec<Condition>,
    /// By how many; None: by one.
    pub count: Option<Count>,
    /// By how many at most.
    pub count_max: u32,
    /// The number of the entity that acts, if that matters.
    pub actor: Option<usize>,
}

/// One of the conditions of a gate.
#[derive(Debug)]
pub struct Condition {
    /// The operations, on the columns of the event that is followed.
    pub program: Program,
    /// The column that is 0 where it does not hold.
    pub keep: Register,
    /// Whether it depends on when events come, and not only on which they are.
    pub timed: bool,
    /// What it takes, about, in nanoseconds a hundred rows.
    pub cost: u32,
}

/// By how many events one is followed.
#[derive(Debug)]
pub struct Count {
    /// The operations, on the columns of the event that is followed.
    pub program: Program,
    /// The number.
    pub value: Integer,
}

/// Compiles the gate of `stream`, which follows the first of the source's levels. None: every event
/// is followed by one.
pub fn gate<'a>(
    source: &'a Source<'a>,
    stream: &Stream,
    follows: &'a Follows,
) -> Result<Option<Gate>, Vec<Mistake>> {
    let mut compiler = Compiler::new(source);
    if !compiler.is_gated(&stream.name, follows) {
        return Ok(None);
    }
    let keep = compiler.keep(stream, follows);
    let count = compiler.followers(stream, follows);
    let (true, Some((keep, count))) = (compiler.mistakes.is_empty(), keep.zip(count)) else {
        return Err(compiler.mistakes);
    };
    let mut program = compiler.program(0);
    // What is compared and counted is in no list.
    program.lists.clear();
    let conditions = match keep {
        Some(keep) => conditions(&mut program, keep),
        None => Vec::new(),
    };
    let count_max = u32::try_from(count.max).unwrap_or(1);
    let is_counted = compiler.is_counted(&stream.name, follows);
    let count = is_counted.then(|| {
        let (program, Fill::Integer(value)) = trimmed(program, Fill::Integer(count.integer()))
        else {
            unreachable!("trimming leaves a number a number")
        };
        Count { program, value }
    });
    Ok(Some(Gate { conditions, count, count_max, actor: compiler.actor }))
}

/// The conditions that together are `keep`.
///
/// Rare events are cheap if what is cheap to ask is asked first; what is asked together is worked
/// out once.
pub(super) fn conditions(program: &mut Program, keep: Register) -> Vec<Condition> {
    let parts = conjuncts(program, keep);
    let mut parts: Vec<(u32, Register)> =
        parts.into_iter().map(|part| (cost(program, &[part]), part)).collect();
    parts.sort_unstable();
    parts.dedup();
    let parts: Vec<Register> = parts.into_iter().map(|(_, part)| part).collect();
    let mut conditions = Vec::new();
    let mut begin = 0;
    for end in 1..=parts.len() {
        let (now, later) = (&parts[begin..end], &parts[end..]);
        let together = cost(program, &parts[begin..]);
        let twice = (cost(program, now) + cost(program, later)).saturating_sub(together);
        if twice <= together / TWICE {
            conditions.push(condition(program, now));
            begin = end;
        }
    }
    conditions
}

/// The condition that some columns are all other than 0.
fn condition(program: &Program, parts: &[Register]) -> Condition {
    let mut program = program.clone();
    let mut keep = parts[0];
    for &right in &parts[1..] {
        let out = Register(program.columns);
        program.columns += 1;
        let (logic, left) = (Logic::And, keep);
        program.operations.push(Operation::Logic { logic, left, right, out });
        keep = out;
    }
    let cost = cost(&program, &[keep]);
    let (mut program, fill) = trimmed(program, Fill::Boolean(keep));
    let Fill::Boolean(keep) = fill else { unreachable!("trimming leaves a column a column") };
    let inputs = program.inputs;
    let timed = |register: &Register| register.0 < inputs && !is_who(*register);
    let reads = program.operations.iter_mut().flat_map(|operation| registers(operation).0);
    let timed = reads.chain([keep]).any(|register| timed(&register));
    Condition { program, keep, timed, cost }
}

/// Whether an input says which event it is, and not when.
fn is_who(register: Register) -> bool {
    let Wide { high, low } = input::NUMBER;
    [high, low, input::LANE].contains(&register)
        || (0..register.0).any(|level| input::child(level) == register)
}

/// What of a program makes this result.
fn trimmed(program: Program, fill: Fill) -> (Program, Fill) {
    let mut compiled = Compiled {
        program,
        fill,
        key: None,
        headers: Vec::new(),
        actor: None,
        ticks_max: 0,
        warnings: Vec::new(),
    };
    trim::trim(&mut compiled);
    (compiled.program, compiled.fill)
}

/// Which operations these columns come from.
fn needed(program: &Program, wanted: &[Register]) -> Vec<bool> {
    let mut wanted: BTreeSet<Register> = wanted.iter().copied().collect();
    let mut needed = vec![false; program.operations.len()];
    for (operation, is_needed) in program.operations.iter().zip(&mut needed).rev() {
        let (reads, writes) = registers(&mut operation.clone());
        *is_needed = writes.iter().any(|register| wanted.contains(register));
        if *is_needed {
            wanted.extend(reads);
        }
    }
    needed
}

/// What it takes to work out some columns.
fn cost(program: &Program, parts: &[Register]) -> u32 {
    let needed = needed(program, parts);
    let used = program.operations.iter().zip(needed).filter(|(_, needed)| *needed);
    used.map(|(operation, _)| cost_of(operation)).sum()
}

/// What an operation takes, about, in nanoseconds a hundred rows: as measured, give or take.
fn cost_of(operation: &Operation) -> u32 {
    match operation {
        Operation::Random { .. } => 200,
        Operation::Actor { .. } | Operation::Member { .. } => 1_500,
        Operation::Group { .. }
        | Operation::Version { .. }
        | Operation::Parent { .. }
        | Operation::Child { .. } => 600,
        Operation::ChooseBy { .. } | Operation::Choose { .. } => 150,
        Operation::Walk { .. } | Operation::Extreme { .. } | Operation::Exponential { .. } => 5_000,
        Operation::Identity { .. } | Operation::Permute { .. } | Operation::Offset { .. } => 2_000,
        Operation::Quantile { .. }
        | Operation::Steps { .. }
        | Operation::Arithmetic {
            function: Arithmetic::Divide | Arithmetic::FloorTo | Arithmetic::Modulo,
            ..
        } => 300,
        Operation::Move { from: Operand::Constant(_), out: Target::Word(_) } => 20,
        _ => 50,
    }
}

impl<'a> Compiler<'a> {
    #[expect(clippy::option_option, reason = "the outer one is a mistake, the inner one no gate")]
    fn keep(&mut self, stream: &Stream, follows: &Follows) -> Option<Option<Register>> {
        let base = match &follows.when {
            Some(when) => {
                let cell = self.expression(&when.value, self.event_site())?;
                Some(self.condition(&cell, &when.span)?)
            }
            None => None,
        };
        self.keep_overridden(&stream.name, base)
    }

    fn followers(&mut self, stream: &Stream, follows: &'a Follows) -> Option<Number> {
        let one = Number::constant(1, 0);
        if !self.is_counted(&stream.name, follows) {
            return Some(one);
        }
        let Wide { high, low } = input::NUMBER;
        let site = Site {
            key: stream_key(self.source.world, stream),
            low,
            high: Some(high),
            salt: 0,
            index: Some(input::child(0)),
            owner: Owner::Event,
        };
        let base = match &follows.count {
            Some(generator) => self.generate(generator, site, COUNT_WORD)?,
            None => Value::Number(one).into(),
        };
        let cell = self.count_overridden(&stream.name, base, site)?;
        let span = &self.count_span(&stream.name, follows, &stream.span);
        if cell.present.is_some() {
            let what = "a count cannot be null";
            return self.refuse(span, what, "give it an `else`");
        }
        let number = self.number(&cell, span)?;
        if number.scale > 0 || number.min < 0 || number.max >= i64::from(CHILDREN_MAX) {
            let what = format!(
                "a count is a whole number from 0 to {}, but this goes from {} to {}",
                CHILDREN_MAX - 1,
                number.min,
                number.max
            );
            return self.refuse(span, what, "bound it with `min` and `max`");
        }
        Some(number)
    }
}
