//! Regular expressions, read backwards: random text of their form.

use std::sync::Arc;

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use crate::config::unanchored;

/// The most characters of a random text.
const LENGTH_MAX: usize = 4_096;
/// The most parts, repeats written out.
const PARTS_MAX: usize = 4_096;
/// How much more often than it must a repeat without a bound is repeated at most.
const OPEN_REPEATS: usize = 8;
/// Characters that one word is used for: so many that what is left of it decides among 2^12 more.
const WORD_BITS: u32 = 20;

/// A part of a regular expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// The same text.
    Literal(String),
    /// So many of some characters.
    Class { alphabet: Arc<[char]>, min: usize, max: usize },
    /// Parts, so many times.
    Repeat { parts: Vec<Part>, min: usize, max: usize },
    /// One of several.
    Choice(Vec<Vec<Part>>),
}

/// A regular expression as parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    pub(super) parts: Vec<Part>,
    /// The repeats that had no bound, with the one that they got.
    pub(super) bounded: Vec<String>,
    /// Whether the counts of the classes depend on each other, so that the whole fits `length`.
    pub(super) length: Option<(usize, usize)>,
}

impl Part {
    /// The fewest and the most characters.
    pub(super) fn bounds(&self) -> (usize, usize) {
        match self {
            Self::Literal(text) => (text.chars().count(), text.chars().count()),
            Self::Class { min, max, .. } => (*min, *max),
            Self::Repeat { parts, min, max } => {
                let (least, most) = bounds(parts);
                (least * min, most * max)
            }
            Self::Choice(choices) => {
                let each = choices.iter().map(|parts| bounds(parts));
                each.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
            }
        }
    }

    /// Random words.
    pub(super) fn words(&self) -> u32 {
        match self {
            Self::Literal(_) => 0,
            Self::Class { alphabet, min, max } => {
                let words = max.div_ceil(characters_a_word(alphabet.len()));
                u32::from(min < max) + u32::try_from(words).unwrap_or(u32::MAX)
            }
            Self::Repeat { parts, min, max } => {
                u32::from(min < max) + u32::try_from(*max).unwrap_or(u32::MAX) * words(parts)
            }
            Self::Choice(choices) => {
                1 + choices.iter().map(|parts| words(parts)).max().unwrap_or(0)
            }
        }
    }
}

/// The fewest and the most characters of parts.
pub(super) fn bounds(parts: &[Part]) -> (usize, usize) {
    parts.iter().map(Part::bounds).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

/// The random words of parts.
pub(super) fn words(parts: &[Part]) -> u32 {
    parts.iter().map(Part::words).sum()
}

/// How many characters of an alphabet one word is used for.
pub(super) fn characters_a_word(alphabet: usize) -> usize {
    let bits = usize::BITS - (alphabet.max(2) - 1).leading_zeros();
    (WORD_BITS / bits).max(1) as usize
}

/// A regular expression as parts, of at least and at most so many characters in all; or why not.
pub(super) fn read(pattern: &str, length: Option<(u16, u16)>) -> Result<Form, String> {
    let parsed = regex_syntax::Parser::new().parse(pattern).map_err(|error| {
        format!("`{pattern}` is not a regular expression: {}", first_line(&error))
    })?;
    let open = length.map_or(OPEN_REPEATS, |(_, max)| usize::from(max));
    let mut reader = Reader { open, parts: 0, bounded: Vec::new() };
    let parts = match reader.whole(&parsed) {
        Err(_) if unanchored(&parsed) != parsed => {
            reader = Reader { open, parts: 0, bounded: Vec::new() };
            reader.whole(&unanchored(&parsed))?
        }
        parts => parts?,
    };
    let mut form = Form { parts, bounded: reader.bounded, length: None };
    if let Some((min, max)) = length {
        form.bounded.clear();
        form.fit(usize::from(min), usize::from(max))?;
    }
    let (_, most) = bounds(&form.parts);
    if most > LENGTH_MAX {
        return Err(format!("this can have {most} characters, but the limit is {LENGTH_MAX}"));
    }
    Ok(form)
}

fn first_line(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Form {
    /// Narrows the repeats of classes so that the whole can have a length between two.
    fn fit(&mut self, min: usize, max: usize) -> Result<(), String> {
        let (least, most) = bounds(&self.parts);
        if least >= min && most <= max {
            return Ok(());
        }
        if least > max || most < min {
            return Err(format!("this has {least} to {most} characters, never {min} to {max}"));
        }
        let mut varying = 0;
        for part in &mut self.parts {
            match part {
                Part::Class { min: own_min, max: own_max, .. } => {
                    if own_min == own_max {
                        continue;
                    }
                    let (others_least, others_most) = (least - *own_min, most - *own_max);
                    *own_min = (*own_min).max(min.saturating_sub(others_most));
                    *own_max = (*own_max).min(max - others_least);
                    varying += usize::from(own_min < own_max);
                }
                other if other.bounds().0 < other.bounds().1 => {
                    let what = "only repeats of characters can be brought to a length, not groups";
                    return Err(what.to_owned());
                }
                _ => {}
            }
        }
        let (least, most) = bounds(&self.parts);
        if varying > 0 && (least < min || most > max) {
            self.length = Some((min, max));
        }
        Ok(())
    }
}

/// Reads parts out of a parsed expression.
struct Reader {
    open: usize,
    /// How many parts there are, repeats written out.
    parts: usize,
    bounded: Vec<String>,
}

impl Reader {
    /// The whole: what holds it to the begin and the end of a text says nothing here.
    fn whole(&mut self, hir: &Hir) -> Result<Vec<Part>, String> {
        let edge = |hir: &Hir, edge| matches!(hir.kind(), HirKind::Look(look) if *look == edge);
        let mut parts = Vec::new();
        if let HirKind::Concat(items) = hir.kind() {
            let from = usize::from(items.first().is_some_and(|it| edge(it, Look::Start)));
            let last = usize::from(items.last().is_some_and(|it| edge(it, Look::End)));
            for item in &items[from..(items.len() - last).max(from)] {
                self.read(item, &mut parts)?;
            }
        } else {
            self.read(hir, &mut parts)?;
        }
        Ok(parts)
    }

    fn read(&mut self, hir: &Hir, parts: &mut Vec<Part>) -> Result<(), String> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(format!("with its repeats this has more than {PARTS_MAX} parts"));
        }
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                parts.push(Part::Literal(String::from_utf8_lossy(&literal.0).into_owned()));
            }
            HirKind::Class(class) => {
                let alphabet = characters(class)?.into();
                parts.push(Part::Class { alphabet, min: 1, max: 1 });
            }
            HirKind::Capture(capture) => self.read(&capture.sub, parts)?,
            HirKind::Concat(items) => {
                for item in items {
                    self.read(item, parts)?;
                }
            }
            HirKind::Repetition(repetition) => self.repetition(repetition, parts)?,
            HirKind::Look(_) => {
                let what = "anchors inside of a text and word boundaries cannot be made";
                return Err(what.to_owned());
            }
            HirKind::Alternation(items) => {
                let mut choices = Vec::with_capacity(items.len());
                for item in items {
                    let mut choice = Vec::new();
                    self.read(item, &mut choice)?;
                    choices.push(choice);
                }
                parts.push(Part::Choice(choices));
            }
        }
        Ok(())
    }

    fn repetition(&mut self, repetition: &Repetition, parts: &mut Vec<Part>) -> Result<(), String> {
        let min = repetition.min as usize;
        let max = repetition.max.map_or(min + self.open, |max| max as usize);
        if repetition.max.is_none() {
            let sign = repeat_sign(min);
            self.bounded.push(format!("{sign} has no bound, and is taken as {{{min},{max}}}"));
        }
        if max > LENGTH_MAX {
            return Err(format!("a repeat of {max}, but the limit is {LENGTH_MAX}"));
        }
        let mut inner = Vec::new();
        self.read(&repetition.sub, &mut inner)?;
        match inner.as_mut_slice() {
            [Part::Class { min: 1, max: 1, alphabet }] => {
                let alphabet = Arc::clone(alphabet);
                parts.push(Part::Class { alphabet, min, max });
            }
            [Part::Literal(text)] if min == max => parts.push(Part::Literal(text.repeat(max))),
            _ if min == max => {
                self.parts += inner.len() * max;
                for _ in 0..max.min(PARTS_MAX) {
                    parts.extend(inner.iter().cloned());
                }
            }
            _ => {
                self.parts += inner.len() * max;
                parts.push(Part::Repeat { parts: inner, min, max });
            }
        }
        if self.parts > PARTS_MAX {
            return Err(format!("with its repeats this has more than {PARTS_MAX} parts"));
        }
        Ok(())
    }
}

/// How a repeat without a bound is written.
fn repeat_sign(min: usize) -> String {
    match min {
        0 => "`*`".to_owned(),
        1 => "`+`".to_owned(),
        min => format!("`{{{min},}}`"),
    }
}

/// The characters of a class: of a wide one, such as `.` or `\w`, those of printable ASCII.
fn characters(class: &Class) -> Result<Vec<char>, String> {
    const MOST: usize = 256;
    let characters: Vec<char> = match class {
        Class::Unicode(class) => {
            let all = || class.iter().flat_map(|range| range.start()..=range.end());
            if all().take(MOST + 1).count() <= MOST {
                all().collect()
            } else {
                (' '..='~')
                    .filter(|it| {
                        class.iter().any(|range| range.start() <= *it && *it <= range.end())
                    })
                    .collect()
            }
        }
        Class::Bytes(class) => {
            class.iter().flat_map(|range| range.start()..=range.end()).map(char::from).collect()
        }
    };
    if characters.is_empty() {
        return Err(format!(
            "a class must have 1 to {MOST} characters, or some of printable ASCII"
        ));
    }
    Ok(characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(letters: &str, min: usize, max: usize) -> Part {
        Part::Class { alphabet: letters.chars().collect(), min, max }
    }

    #[test]
    fn repeats_without_a_bound_get_one_and_say_so() {
        let form = read("[ab]+x*", None).unwrap();
        let x = Part::Repeat { parts: vec![Part::Literal("x".to_owned())], min: 0, max: 8 };
        assert_eq!(form.parts, [class("ab", 1, 9), x]);
        assert_eq!(form.bounded.len(), 2);
        assert!(form.bounded[0].contains("`+`") && form.bounded[0].contains("{1,9}"));
    }

    #[test]
    fn a_length_bounds_the_repeats() {
        let form = read("x[ab]+", Some((3, 5))).unwrap();
        assert_eq!(form.parts, [Part::Literal("x".to_owned()), class("ab", 2, 4)]);
        assert_eq!((form.bounded.len(), form.length), (0, None));
        let form = read("[ab]{0,6}-[cd]{2,4}", Some((6, 7))).unwrap();
        assert_eq!(form.parts[0], class("ab", 1, 4));
        assert_eq!(form.length, Some((6, 7)));
        assert!(read("[ab]{3}", Some((4, 5))).is_err());
        assert!(read("(ab|cde)[x-z]?", Some((4, 4))).is_err());
    }

    #[test]
    fn edges_of_the_text_may_be_written() {
        assert_eq!(read("^[ab]$", None).unwrap().parts, [class("ab", 1, 1)]);
        assert!(read("a^b", None).is_err());
        assert!(read(r"a\bb", None).is_err());
    }

    #[test]
    fn wide_classes_are_of_printable_ascii() {
        let form = read(r"\d.", None).unwrap();
        assert_eq!(form.parts[0], class("0123456789", 1, 1));
        assert_eq!(form.parts[1].bounds(), (1, 1));
        assert!(matches!(&form.parts[1], Part::Class { alphabet, .. } if alphabet.len() == 95));
    }

    #[test]
    fn what_would_be_endless_is_refused() {
        assert!(read("[a-z]{5000}", None).is_err());
        assert!(read("((ab|c){90}x?){90}", None).is_err());
    }
}
