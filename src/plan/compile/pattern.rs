//! Random text of the form of a regular expression: from its parts to columns and pieces.

use std::sync::Arc;

use super::regex::{self, Form, Part, characters_a_word};
use super::value::{Cell, Number, Value};
use super::{Compiler, Site};
use crate::config::Span;
use crate::plan::alias::Alias;
use crate::plan::fill::{Piece, Text};
use crate::plan::program::{Arithmetic, Comparison, Operand, Operation, Register};

/// The words that a regular expression takes.
pub(super) fn words(pattern: &str, length: Option<(u16, u16)>) -> u32 {
    regex::read(pattern, length).map_or(0, |form| regex::words(&form.parts))
}

/// Random words in their order.
struct Words {
    site: Site,
    next: u32,
}

/// The characters that classes have had so far, of texts whose length is bounded as a whole.
struct Budget {
    min: usize,
    max: usize,
    /// What has been drawn.
    drawn: Option<Number>,
    /// What is fixed, or drawn later.
    rest: (usize, usize),
}

impl Compiler<'_> {
    /// Random text of a regular expression's form.
    pub(super) fn regex(
        &mut self,
        (pattern, length): (&str, Option<(u16, u16)>),
        site: Site,
        first: u32,
        span: &Span,
    ) -> Option<Cell> {
        let form = match regex::read(pattern, length) {
            Ok(form) => form,
            Err(what) => {
                let help = "use characters, classes, groups, alternatives and bounded repeats";
                return self.refuse(span, what, help);
            }
        };
        for what in &form.bounded {
            self.warn(span, what.clone(), "write the bounds, or give the text a `length`");
        }
        let mut words = Words { site, next: first };
        let text = match form.length {
            Some(length) => self.bounded_parts(&form, length, &mut words, span)?,
            None => self.parts_of(&form.parts, &mut words, span)?,
        };
        Some(Value::Text(Text(text)).into())
    }

    fn next(&mut self, words: &mut Words) -> Register {
        words.next += 1;
        self.word(words.site, words.next - 1)
    }

    /// Parts whose classes share a length.
    fn bounded_parts(
        &mut self,
        form: &Form,
        (min, max): (usize, usize),
        words: &mut Words,
        span: &Span,
    ) -> Option<Vec<Piece>> {
        let rest = regex::bounds(&form.parts);
        let mut budget = Budget { min, max, drawn: None, rest };
        let mut text = Vec::new();
        for part in &form.parts {
            match part {
                Part::Class { alphabet, min, max } if min < max => {
                    let random = self.next(words);
                    let count = self.shared_count(&mut budget, (*min, *max), random, span)?;
                    text.extend(self.class(alphabet, (0, *max), Some(count), words));
                }
                other => {
                    let one = std::slice::from_ref(other);
                    text.extend(self.parts_of(one, words, span)?);
                }
            }
        }
        Some(text)
    }

    /// How many characters a class has, so that those drawn before and after leave it possible:
    /// evenly from what is left.
    fn shared_count(
        &mut self,
        budget: &mut Budget,
        (min, max): (usize, usize),
        random: Register,
        span: &Span,
    ) -> Option<Register> {
        use Arithmetic::{Add, Divide, FloorTo, Maximum, Minimum, Multiply, Subtract};
        let constant = |value: usize| Number::constant(i64::try_from(value).unwrap_or(i64::MAX), 0);
        budget.rest = (budget.rest.0 - min, budget.rest.1 - max);
        let drawn = budget.drawn.unwrap_or(constant(0));
        let mut number = |function, pair| self.arithmetic(function, pair, 0, span);
        let after_most = number(Add, [drawn, constant(budget.rest.1)])?;
        let least = number(Subtract, [constant(budget.min), after_most])?;
        let least = number(Maximum, [least, constant(min)])?;
        let after_least = number(Add, [drawn, constant(budget.rest.0)])?;
        let most = number(Subtract, [constant(budget.max), after_least])?;
        let most = number(Minimum, [most, constant(max)])?;
        let span_of = number(Subtract, [most, least])?;
        let size = number(Add, [span_of, constant(1)])?;
        let random = Number {
            operand: Operand::Unsigned(random),
            min: 0,
            max: i64::from(u32::MAX),
            scale: 0,
        };
        let unit = Number::constant(1 << 32, 0);
        let product = number(Multiply, [random, size])?;
        let floor = number(FloorTo, [product, unit])?;
        let drawn_here = number(Divide, [floor, unit])?;
        let count = number(Add, [least, drawn_here])?;
        // What is drawn lies between the two, whatever the bounds of the steps say.
        let count = number(Maximum, [count, constant(0)])?;
        let count = number(Minimum, [count, constant(max)])?;
        budget.drawn = Some(number(Add, [drawn, count])?);
        match count.operand {
            Operand::Unsigned(count) => Some(count),
            _ => None,
        }
    }

    fn parts_of(&mut self, parts: &[Part], words: &mut Words, span: &Span) -> Option<Vec<Piece>> {
        let mut text = Vec::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push(Piece::Literal(literal.clone())),
                Part::Class { alphabet, min, max } => {
                    let count = self.count((*min, *max), words);
                    text.extend(self.class(alphabet, (*min, *max), count, words));
                }
                Part::Repeat { parts, min, max } => {
                    self.repeat(parts, (*min, *max), words, &mut text)?;
                }
                Part::Choice(choices) => {
                    let piece = self.choice_of(choices, words, span)?;
                    text.push(piece);
                }
            }
        }
        Some(text)
    }

    /// A count drawn evenly, if it is not always the same.
    fn count(&mut self, (min, max): (usize, usize), words: &mut Words) -> Option<Register> {
        if min == max {
            return None;
        }
        let random = self.next(words);
        let out = self.register();
        self.emit(Operation::Range {
            word: random,
            size: (max - min + 1) as u64,
            base: i64::try_from(min).unwrap_or(i64::MAX),
            out: crate::plan::program::Target::Word(out),
        });
        Some(out)
    }

    /// Characters of a class: `max`, or as many as a column says.
    fn class(
        &mut self,
        alphabet: &Arc<[char]>,
        (min, max): (usize, usize),
        length: Option<Register>,
        words: &mut Words,
    ) -> Vec<Piece> {
        let mut text = Vec::new();
        let mut before = 0;
        while before < max {
            let taken = (max - before).min(characters_a_word(alphabet.len()));
            let random = self.next(words);
            let alphabet = Arc::clone(alphabet);
            let count = u8::try_from(taken).unwrap_or(u8::MAX);
            text.push(match length {
                Some(length) if before + taken > min => {
                    let before = u32::try_from(before).unwrap_or(u32::MAX);
                    Piece::SomeCharacters { word: random, alphabet, count, length, before }
                }
                _ => Piece::Characters { word: random, alphabet, count },
            });
            before += taken;
        }
        text
    }

    /// Parts that come so many times, each time drawn anew.
    fn repeat(
        &mut self,
        parts: &[Part],
        (min, max): (usize, usize),
        words: &mut Words,
        text: &mut Vec<Piece>,
    ) -> Option<()> {
        let span = 0..0;
        let count = self.count((min, max), words)?;
        if let [Part::Literal(literal)] = parts {
            text.push(Piece::Literal(literal.repeat(min)));
            let values = (0..=max - min).map(|more| literal.repeat(more)).collect();
            let least = Number::constant(i64::try_from(min).ok()?, 0);
            let number = Number {
                operand: Operand::Unsigned(count),
                min: least.min,
                max: i64::try_from(max).ok()?,
                scale: 0,
            };
            let index = self.arithmetic(Arithmetic::Subtract, [number, least], 0, &span)?;
            let Operand::Unsigned(index) = index.operand else { return None };
            text.push(Piece::Lookup { index, values, width: None });
            return Some(());
        }
        for time in 0..max {
            let pieces = self.parts_of(parts, words, &span)?;
            if time < min {
                text.extend(pieces);
                continue;
            }
            let condition = self.register();
            let left = Operand::Constant(i64::try_from(time).ok()?);
            let (comparison, right) = (Comparison::Less, Operand::Unsigned(count));
            self.emit(Operation::Compare { comparison, left, right, out: condition });
            let (then, otherwise) = (Text(pieces), Text::default());
            text.push(Piece::Either { condition, then, otherwise });
        }
        Some(())
    }

    /// One of several; they share their words.
    fn choice_of(
        &mut self,
        choices: &[Vec<Part>],
        words: &mut Words,
        span: &Span,
    ) -> Option<Piece> {
        let random = self.next(words);
        let index = self.register();
        let table = Arc::new(Alias::new(&vec![1.0; choices.len()]));
        self.emit(Operation::Choose { word: random, table, out: index });
        let first = words.next;
        words.next = first + choices.iter().map(|parts| regex::words(parts)).max().unwrap_or(0);
        let literal = |parts: &Vec<Part>| match parts.as_slice() {
            [] => Some(String::new()),
            [Part::Literal(text)] => Some(text.clone()),
            _ => None,
        };
        if let Some(values) = choices.iter().map(literal).collect::<Option<Arc<[String]>>>() {
            return Some(Piece::Lookup { index, values, width: None });
        }
        let mut texts = Vec::with_capacity(choices.len());
        for parts in choices {
            let mut own = Words { site: words.site, next: first };
            texts.push(Text(self.parts_of(parts, &mut own, span)?));
        }
        Some(Piece::Choice { index, texts })
    }
}
