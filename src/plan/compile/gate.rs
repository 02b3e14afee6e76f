//! Gates: which events are followed, and by how many.

use super::value::Number;
use super::{Compiled, Compiler, Owner, Site, Source, stream_key, trim};
use crate::config::Mistake;
use crate::config::model::{Follows, Stream};
use crate::plan::fill::{Fill, Integer};
use crate::plan::follow_up::CHILDREN_MAX;
use crate::plan::program::{Program, Register, Wide, input};

/// The first random word of a count, apart from the words of the stream's fields.
const COUNT_WORD: u32 = 0x3100_0000 * 4;

/// What decides whether an event is followed, and by how many, from its own values.
#[derive(Debug)]
pub struct Gate {
    /// The operations, on the columns of the event that is followed.
    pub program: Program,
    /// The column that is 0 where it is not followed. None: always.
    pub keep: Option<Register>,
    /// By how many.
    pub count: Integer,
    /// By how many at most.
    pub count_max: u32,
    /// The number of the entity that acts, if that matters.
    pub actor: Option<usize>,
}

/// Compiles the gate of `stream`, which follows the first of the source's levels. None: every event
/// is followed by one.
pub fn gate<'a>(
    source: &'a Source<'a>,
    stream: &Stream,
    follows: &'a Follows,
) -> Result<Option<Gate>, Vec<Mistake>> {
    if follows.when.is_none() && follows.count.is_none() {
        return Ok(None);
    }
    let mut compiler = Compiler::new(source);
    let keep = compiler.keep(follows);
    let count = compiler.followers(stream, follows);
    let (true, Some((keep, count))) = (compiler.mistakes.is_empty(), keep.zip(count)) else {
        return Err(compiler.mistakes);
    };
    let mut fills = vec![Fill::Integer(count.integer())];
    fills.extend(keep.map(Fill::Boolean));
    let mut compiled = Compiled {
        program: compiler.program(0),
        fill: Fill::Record(fills),
        key: None,
        headers: Vec::new(),
        actor: compiler.actor,
        ticks_max: compiler.ticks_max,
        warnings: Vec::new(),
    };
    trim::trim(&mut compiled);
    let Compiled { program, fill: Fill::Record(fills), actor, .. } = compiled else {
        return Ok(None);
    };
    let keep = match fills.get(1) {
        Some(Fill::Boolean(register)) => Some(*register),
        _ => None,
    };
    let Some(Fill::Integer(value)) = fills.first() else { return Ok(None) };
    let count_max = u32::try_from(count.max).unwrap_or(1);
    Ok(Some(Gate { program, keep, count: *value, count_max, actor }))
}

impl<'a> Compiler<'a> {
    #[expect(clippy::option_option, reason = "the outer one is a mistake, the inner one no gate")]
    fn keep(&mut self, follows: &Follows) -> Option<Option<Register>> {
        let Some(when) = &follows.when else { return Some(None) };
        let cell = self.expression(&when.value, self.event_site())?;
        self.condition(&cell, &when.span).map(Some)
    }

    fn followers(&mut self, stream: &Stream, follows: &'a Follows) -> Option<Number> {
        let Some(generator) = &follows.count else { return Some(Number::constant(1, 0)) };
        let Wide { high, low } = input::NUMBER;
        let site = Site {
            key: stream_key(self.source.world, stream),
            low,
            high: Some(high),
            salt: 0,
            index: Some(input::child(0)),
            owner: Owner::Event,
        };
        let cell = self.generate(generator, site, COUNT_WORD)?;
        let span = &generator.span;
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
