//! Text: formats, templates, tokens and regular expressions.

use std::sync::Arc;

use super::occasion::Occasion;
use super::value::{Cell, Number, Value};
use super::{Compiler, Owner, Site, TICK_BITS};
use crate::config::{Span, Spanned};
use crate::plan::arrival::{INDEX_BITS, LANE_BITS};
use crate::plan::fill::{Integer, Piece, Text};
use crate::plan::follow_up::CHILD_SHIFT;
use crate::plan::identity::Token;
use crate::plan::program::{Arithmetic, Operand, Operation, Register, Target, Wide, input};

/// How a value is written inside a text: `{path:SPEC}`, with SPEC as in Rust: `010`, `08x`, `25`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spec {
    zeros: bool,
    width: Option<u8>,
    base: u8,
    upper: bool,
}

impl Spec {
    fn parse(text: &str) -> Option<Self> {
        let (text, base, upper) = match text.as_bytes().last() {
            Some(b'x') => (&text[..text.len() - 1], 16, false),
            Some(b'X') => (&text[..text.len() - 1], 16, true),
            _ => (text, 10, false),
        };
        let zeros = text.starts_with('0');
        let width = if text.is_empty() { None } else { Some(text.parse().ok()?) };
        Some(Self { zeros, width, base, upper })
    }
}

/// A part of a template: text, or a path with how it is written.
enum Part {
    Literal(String),
    Value { path: String, spec: Option<Spec> },
}

impl Compiler<'_> {
    /// A cell as text; null in rows where the cell is.
    pub(super) fn text_of(&mut self, cell: &Cell, spec: Option<Spec>, span: &Span) -> Option<Text> {
        let width = spec.and_then(|spec| spec.width).map(usize::from);
        let piece = match cell.value.whole() {
            Value::Dictionary { index, cells } if spec.is_none_or(|spec| !spec.zeros) => {
                Piece::Lookup { index: *index, values: Arc::clone(cells), width }
            }
            Value::Literal(text) => match width {
                Some(width) => Piece::Literal(format!("{text:width$.width$}")),
                None => Piece::Literal(text.clone()),
            },
            Value::Text(text) if width.is_none() => return Some(text.clone()),
            Value::Uuid(words) => Piece::Uuid(*words),
            Value::Boolean(word) if width.is_none() => either(*word),
            Value::Member { entity, number } => {
                number_piece(self.member_id(*entity, *number), spec.unwrap_or_default())
            }
            Value::Number(_)
            | Value::Dictionary { .. }
            | Value::Time { .. }
            | Value::Occasion(Occasion { turn: Some(_), .. })
            | Value::Instant(_) => {
                let number = self.number(cell, span)?;
                match number {
                    Number { scale: 0, .. } => {
                        number_piece(number.integer(), spec.unwrap_or_default())
                    }
                    Number { .. } if spec.is_some() => {
                        let what = "a decimal is written as it is, without a width or base";
                        return self.refuse(span, what, "round it, or leave the width out");
                    }
                    Number { scale, .. } => Piece::Decimal { value: number.integer(), scale },
                }
            }
            Value::Text(_) => {
                let what = "text that is put together cannot be brought to a width";
                return self.refuse(span, what, "give its parts their widths");
            }
            other => {
                let what = format!("text is needed, but this is {}", other.kind());
                let help = match other {
                    Value::Row { .. } | Value::Record(_) => "name one of its parts",
                    Value::Boolean(_) => "true and false are written without a width or base",
                    Value::Any { .. } | Value::Options { .. } | Value::Real { .. } => {
                        "give it a `let` of one kind, and name that"
                    }
                    Value::Bytes { .. } => "use `hash` or `token` for text that looks random",
                    _ => "name a text, a number, a member or a time",
                };
                return self.refuse(span, what, help);
            }
        };
        Some(Text(vec![piece]))
    }

    /// `acct-{:010}`: a format for one value.
    pub(super) fn format(&mut self, cell: &Cell, format: &Spanned<String>) -> Option<Cell> {
        let mut text = Vec::new();
        for part in self.parts(&format.value, &format.span)? {
            match part {
                Part::Literal(literal) => text.push(Piece::Literal(literal)),
                Part::Value { path, spec } if path.is_empty() => {
                    text.extend(self.text_of(cell, spec, &format.span)?.0);
                }
                Part::Value { path, .. } => {
                    let what = format!("a format has `{{}}` for its value, not `{{{path}}}`");
                    return self.refuse(&format.span, what, "use `template` for several values");
                }
            }
        }
        Some(Cell { value: Value::Text(Text(text)), present: cell.present })
    }

    /// `{merchant.name:25}{merchant.site.city:13}`; null where one of its values is.
    pub(super) fn template(&mut self, template: &str, site: Site, span: &Span) -> Option<Cell> {
        let mut text = Vec::new();
        let mut present = None;
        for part in self.parts(template, span)? {
            match part {
                Part::Literal(literal) => text.push(Piece::Literal(literal)),
                Part::Value { path, spec } => {
                    let path = Spanned { value: path, span: span.clone() };
                    let cell = self.path(&path, site)?;
                    text.extend(self.text_of(&cell, spec, span)?.0);
                    present = self.both(present, cell.present);
                }
            }
        }
        Some(Cell { value: Value::Text(Text(text)), present })
    }

    fn parts(&mut self, template: &str, span: &Span) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut characters = template.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let doubled = characters.peek().is_some_and(|(_, next)| *next == character);
            match character {
                '{' | '}' if doubled => {
                    literal.push(character);
                    characters.next();
                }
                '{' => {
                    let rest = &template[at + 1..];
                    let Some(end) = rest.find('}') else {
                        return self.refuse(span, "a `{` has no `}`", "write `{{` for a brace");
                    };
                    let (path, spec) = rest[..end].split_once(':').unwrap_or((&rest[..end], ""));
                    let Some(parsed) = Spec::parse(spec) else {
                        let what = format!("`{spec}` does not say how a value is written");
                        return self.refuse(span, what, "use a width, `010`, `x` or `08x`");
                    };
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                    let spec = (!spec.is_empty()).then_some(parsed);
                    parts.push(Part::Value { path: path.to_owned(), spec });
                    while characters.next_if(|(next, _)| *next <= at + 1 + end).is_some() {}
                }
                '}' => {
                    return self.refuse(span, "a `}` has no `{`", "write `}}` for a brace");
                }
                other => literal.push(other),
            }
        }
        parts.push(Part::Literal(literal));
        parts.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
        Some(parts)
    }

    /// A text that is unique for each event or member.
    pub(super) fn token(
        &mut self,
        (base, length): (u8, u8),
        of: Option<&Spanned<String>>,
        site: Site,
        span: &Span,
    ) -> Option<Cell> {
        let bits = token_bits(base, length);
        if of.is_none() && site.owner == Owner::Event && self.frame() > 0 {
            let what = "a token is unique for each event, so that all items would have the same";
            return self.refuse(span, what, "put it in a `let`, and name that");
        }
        let member = match (of, site.owner) {
            (Some(path), _) => match self.path(path, site)? {
                Cell { value: Value::Member { entity, number }, present } => {
                    Some((entity, number, present))
                }
                other => {
                    let what = format!("a member is needed, but this is {}", other.value.kind());
                    return self.refuse(&path.span, what, "name an entity");
                }
            },
            (None, Owner::Member { entity, number }) => Some((entity, number, None)),
            (None, Owner::Occasion) => {
                let what = "a token is another one for each event";
                return self.refuse(span, what, "use it without `once`, or `of` a member");
            }
            (None, Owner::Event) => None,
        };
        let (needed, number, present, name) = if let Some((entity, number, present)) = member {
            let (wide, needed) = self.wide_member_id(entity, number);
            let name = self.source.world.kinds[entity].entity.name.clone();
            (needed.max(2), wide, present, name)
        } else {
            let (number, children) = self.number_and_child();
            // A position of 2^31 ticks and a leading 0 that keeps other origins apart.
            let ticks = u32::from(bits).saturating_sub(LANE_BITS + INDEX_BITS + 1 + children);
            self.ticks_max = self.ticks_max.min(1 << ticks.min(TICK_BITS));
            (LANE_BITS + INDEX_BITS + 32 + children, number, None, String::new())
        };
        if u32::from(bits) < needed {
            let what = format!(
                "{length} characters of base {base} hold {bits} bits, but {needed} are needed"
            );
            return self.refuse(span, what, "make it longer, or use a greater base");
        }
        let seed = self.source.world.model.seed;
        let stream = &self.stream_of(self.level()).stream.name;
        let name = format!("{stream}/{name}/{base}/{length}");
        let name =
            if member.is_some() { name[name.find('/').unwrap_or(0)..].to_owned() } else { name };
        let [low, high] = crate::generate::philox::key(seed, "token", &name);
        let permutation = Token::new(bits, u64::from(high) << 32 | u64::from(low));
        let out = self.wide();
        self.emit(Operation::Permute { permutation, number, out });
        let piece =
            Piece::Number { value: Integer::Wide(out), base, width: length, upper: base > 16 };
        Some(Cell { value: Value::Text(Text(vec![piece])), present })
    }

    /// Who an event is among those of its stream, and how many bits its child takes of that.
    fn number_and_child(&mut self) -> (Wide, u32) {
        let level = self.level();
        let children = self.stream_of(level).children.next_power_of_two();
        if children == 1 {
            return (input::NUMBER, 0);
        }
        let (above, below, out) = (self.wide(), self.register(), self.wide());
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Multiply,
            left: Operand::Wide(input::NUMBER),
            right: Operand::Constant(i64::from(children)),
            out: Target::Wide(above),
        });
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Divide,
            left: Operand::Unsigned(input::child(level)),
            right: Operand::Constant(1 << CHILD_SHIFT),
            out: Target::Word(below),
        });
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Add,
            left: Operand::Wide(above),
            right: Operand::Unsigned(below),
            out: Target::Wide(out),
        });
        (out, children.ilog2())
    }

    /// The event's time in local time, `offset` minutes east of UTC.
    pub(super) fn local_time_text(&self, offset: Register) -> Value {
        let base = self.source.start_us;
        Value::Text(Text(vec![Piece::LocalTime {
            instant_us: Integer::Offset { base, value: input::time(self.level()) },
            offset_minutes: Integer::Signed(offset),
            digits: 0,
        }]))
    }
}

/// `true` or `false`.
fn either(condition: Register) -> Piece {
    let text = |text: &str| Text(vec![Piece::Literal(text.to_owned())]);
    Piece::Either { condition, then: text("true"), otherwise: text("false") }
}

fn number_piece(value: Integer, spec: Spec) -> Piece {
    let base = if spec.base == 0 { 10 } else { spec.base };
    Piece::Number { value, base, width: spec.width.unwrap_or(1), upper: spec.upper }
}

/// The whole bits that so many digits hold; 63 at most, so that the number has a sign to spare.
fn token_bits(base: u8, length: u8) -> u8 {
    let bits = libm::floor(f64::from(length) * libm::log2(f64::from(base)) + 1e-9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 63")]
    let bits = bits.min(63.0) as u8;
    bits
}
