//! Records, arrays and maps: values made of others.

use std::collections::BTreeMap;

use super::value::{Cell, List, Number, Value};
use super::{Compiler, Named, Owner, Site, State, generator};
use crate::config::model::{Field, Generator};
use crate::config::{Span, Spanned};
use crate::plan::program::{Arithmetic, Operand, Operation};

/// Items that all lists of a row may have together: their number takes 14 bits of a counter.
const ITEMS_MAX: i64 = 16_384;
/// How many ways there are to go through the keys of a map.
const STRIDES: usize = 64;
/// Words that keys without repetition take.
const DEALT_WORDS: u32 = 2;

/// An array or a map, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) key: Option<&'a Spanned<Generator>>,
    pub(super) item: &'a Spanned<Generator>,
    pub(super) length: &'a Spanned<Generator>,
}

impl<'a> Written<'a> {
    /// The parts of an array or a map.
    pub(super) fn of(generator: &'a Generator) -> Option<Self> {
        match generator {
            Generator::Array { item, length } => Some(Self { key: None, item, length }),
            Generator::Map { key, value, length } => {
                Some(Self { key: Some(key), item: value, length })
            }
            _ => None,
        }
    }

    /// Random words: the items begin at a block of their own, so that none is made for two words.
    pub(super) fn words(&self) -> u32 {
        let key = self.key.map_or(0, |key| generator::words(&key.value).max(DEALT_WORDS));
        generator::words(&self.length.value) + 3 + key + generator::words(&self.item.value)
    }
}

impl<'a> Compiler<'a> {
    /// A value that is made of others.
    pub(super) fn composite(
        &mut self,
        generator: &'a Generator,
        site: Site,
        word: u32,
        span: &Span,
    ) -> Option<Cell> {
        match generator {
            Generator::Record(fields) => self.record_value(fields, site, word, span),
            Generator::Any(alternatives) => self.any(alternatives, site, word, span),
            Generator::Counter(counter) => self.counter(counter, site, span),
            Generator::Bytes { min, max } => Some(self.bytes((*min, *max), site, word)),
            other => self.list(Written::of(other)?, site, word, span),
        }
    }

    /// An array or a map.
    fn list(&mut self, written: Written<'a>, site: Site, word: u32, span: &Span) -> Option<Cell> {
        if site.owner != Owner::Event {
            let what = "a member has no lists: they are made for each event";
            return self.refuse(span, what, "use it in a stream");
        }
        let length = self.length(written.length, site, word)?;
        let first = (word + generator::words(&written.length.value)).next_multiple_of(4);
        let dealt = written.key.and_then(|key| self.dealt_keys(key, &length, (site, first)));
        let scope = self.open_list(&length);
        let (key, item) = self.within(scope, |this| {
            let site = this.scopes[scope].site;
            let key = written.key.map(|key| match dealt {
                Some(dealt) => this.dealt_key(key, dealt),
                None => this.generate(key, site, first),
            });
            let key_words = written.key.map_or(0, |key| generator::words(&key.value).max(2));
            let item = this.generate(written.item, site, first + key_words);
            let key = key.map(|cell| this.key_text(&cell?, &written.key?.span));
            (key, item)
        });
        let key = match key {
            None => None,
            Some(text) => Some(text?),
        };
        Some(Value::List(List { scope, key, item: Box::new(item?) }).into())
    }

    fn key_text(&mut self, cell: &Cell, span: &Span) -> Option<crate::plan::fill::Text> {
        if cell.present.is_some() || matches!(cell.value, Value::Null) {
            return self.refuse(span, "a key can be null", "give it an `else`");
        }
        self.text_of(cell, None, span)
    }

    /// How many items a list has.
    fn length(
        &mut self,
        generator: &'a Spanned<Generator>,
        site: Site,
        word: u32,
    ) -> Option<Number> {
        let span = &generator.span;
        let cell = self.generate(generator, site, word)?;
        let number = self.number(&cell, span)?;
        if cell.present.is_some() || number.scale > 0 {
            let what = "the length of a list is a whole number, and never null";
            return self.refuse(span, what, "give it an `else`, or round it");
        }
        if number.min < 0 {
            let what = format!("the length of a list can be {}", number.min);
            return self.refuse(span, what, "bound it with `min = 0`");
        }
        let frame = self.frame();
        let most = number.max.saturating_mul(self.frames[frame].items_max);
        if most > ITEMS_MAX {
            let what =
                format!("an event could have {most} items here, but the limit is {ITEMS_MAX}");
            return self.refuse(span, what, "bound the length with `max`");
        }
        Some(number)
    }

    /// A record's fields, which see each other.
    pub(super) fn record_value(
        &mut self,
        fields: &'a [Field],
        site: Site,
        word: u32,
        span: &Span,
    ) -> Option<Cell> {
        if site.owner != Owner::Event {
            let what = "a member has no records: they are made for each event";
            return self.refuse(span, what, "use a table, or attributes of their own");
        }
        let mut names = BTreeMap::new();
        let mut next = word;
        for Field { name, generator } in fields {
            let named = Named { generator, word: next, state: State::Waiting };
            names.insert(name.value.as_str(), named);
            next += generator::words(&generator.value);
        }
        let scope = self.inner_scope(site, names);
        let cells: Vec<_> = self.within(scope, |this| {
            let cell = |field: &Field| {
                let name = &field.name;
                Some((name.value.clone(), this.named(&name.value, &name.span)?))
            };
            fields.iter().map(cell).collect()
        });
        let cells = cells.into_iter().collect::<Option<_>>()?;
        Some(Value::Record(cells).into())
    }

    /// For keys of which all values are known: where in them the keys of a row begin, and how far
    /// one is from the next. Each comes once, then.
    fn dealt_keys(
        &mut self,
        key: &Spanned<Generator>,
        length: &Number,
        (site, word): (Site, u32),
    ) -> Option<Dealt> {
        let count = match &key.value {
            Generator::Choice(values) => values.len() as u64,
            Generator::Uniform { min, max, digits: 0 } => max.abs_diff(*min).saturating_add(1),
            _ => return None,
        };
        if length.max.unsigned_abs() > count {
            let what = format!("{} different keys are needed, but there are {count}", length.max);
            return self.refuse(&key.span, what, "give more keys, or bound the length");
        }
        let count = u32::try_from(count).ok()?;
        let strides = strides(count);
        let (first, second) = (self.word(site, word), self.word(site, word + 1));
        let mut range = |word, size: usize| {
            let max = i64::try_from(size).unwrap_or(i64::MAX) - 1;
            let (out, operand) = self.target(0, max);
            self.emit(Operation::Range { word, size: size as u64, base: 0, out });
            Number { operand, min: 0, max, scale: 0 }
        };
        let start = range(first, count as usize);
        let way = range(second, strides.len());
        let Operand::Unsigned(way) = way.operand else { return None };
        let stride = self.lookup(way, &strides, 0);
        Some(Dealt { start, stride, count })
    }

    /// The key of an item: `(start + place · stride) mod count`.
    fn dealt_key(&mut self, key: &Spanned<Generator>, dealt: Dealt) -> Option<Cell> {
        let span = &key.span;
        let frame = self.frame();
        let place = Operand::Unsigned(self.frames[frame].place);
        let place = Number { operand: place, min: 0, max: ITEMS_MAX, scale: 0 };
        let lifted = |this: &mut Self, number: Number| {
            let cell = this.lift(&Value::Number(number).into(), span)?;
            this.number(&cell, span)
        };
        let (start, stride) = (lifted(self, dealt.start)?, lifted(self, dealt.stride)?);
        let count = Number::constant(i64::from(dealt.count), 0);
        let way = self.arithmetic(Arithmetic::Multiply, [place, stride], 0, span)?;
        let way = self.arithmetic(Arithmetic::Add, [way, start], 0, span)?;
        let index = self.arithmetic(Arithmetic::Modulo, [way, count], 0, span)?;
        match &key.value {
            Generator::Choice(values) => {
                let cells = values.iter().map(|(value, _)| value.clone()).collect();
                let Operand::Unsigned(index) = index.operand else { return None };
                Some(Value::Dictionary { index, cells }.into())
            }
            Generator::Uniform { min, .. } => {
                let least = Number::constant(*min, 0);
                let number = self.arithmetic(Arithmetic::Add, [index, least], 0, span)?;
                Some(Value::Number(number).into())
            }
            _ => None,
        }
    }
}

/// How the keys of a map are dealt, in columns of a frame.
#[derive(Clone, Copy, Debug)]
struct Dealt {
    start: Number,
    stride: Number,
    count: u32,
}

/// Numbers without a divisor in common with `count`, spread over what is below it: steps of such a
/// length come to all places of a circle before they repeat one.
fn strides(count: u32) -> Vec<i64> {
    let coprime = |a: u32| {
        let (mut a, mut b) = (a, count);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let mut strides = Vec::new();
    for step in 0..4 * STRIDES as u64 {
        // Multiples of the golden ratio's fraction lie evenly.
        let fraction = step.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF;
        let Ok(stride) = u32::try_from((u64::from(count) * fraction) >> 32) else { continue };
        let stride = stride.max(1);
        if strides.len() < STRIDES && coprime(stride) && !strides.contains(&i64::from(stride)) {
            strides.push(i64::from(stride));
        }
    }
    strides
}
