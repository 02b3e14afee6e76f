//! Regular expressions brought to a length.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// Different counts of a repeat of something whose length varies.
const COUNTS_MAX: u32 = 16;
/// Characters that a text may have.
pub(super) const LENGTH_MAX: u32 = 4_096;
/// Of a regular expression without a bound: as many characters as of a text without any hint.
const FEWEST: u32 = 8;
const SPREAD: u32 = 7;

/// A regular expression whose texts have a bounded length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    /// The expression.
    pub(super) pattern: String,
    /// The fewest and the most characters.
    pub(super) length: (u32, u32),
    /// Whether the bound was chosen here.
    pub(super) was_endless: bool,
}

/// Brings a regular expression to a length.
///
/// # Errors
///
/// Why it cannot be.
pub(super) fn bounded(pattern: &str, length: Option<(u32, u32)>) -> Result<Bounded, String> {
    let unescaped = unescaped(pattern);
    let plain = regex_syntax::parse(&unescaped)
        .map_err(|error| format!("is no regular expression: {}", reason(&error)))?;
    if has_edges(&plain) {
        return Err("has edges of words, which cannot be made".to_owned());
    }
    if !unanchored(&plain).properties().look_set().is_empty() {
        return Err("has an anchor inside of a text, which cannot be made".to_owned());
    }
    let own = bounds(&plain);
    let (wanted, was_endless) = match (length, own.1) {
        (Some(length), _) => (length, false),
        (None, Some(most)) => ((own.0, most), false),
        (None, None) => {
            let fewest = own.0.max(FEWEST);
            ((fewest, fewest + SPREAD), true)
        }
    };
    if wanted.0 > LENGTH_MAX || wanted.1 > LENGTH_MAX {
        return Err(format!("makes {} characters, at most {LENGTH_MAX} fit", wanted.1));
    }
    if own == (wanted.0, Some(wanted.1)) {
        return Ok(Bounded { pattern: unescaped, length: wanted, was_endless });
    }
    let fitted = fit(&plain, wanted);
    let fitted =
        if was_endless { fitted.or_else(|| fit(&plain, (own.0, own.0 + SPREAD))) } else { fitted };
    let fitted = fitted.ok_or_else(|| {
        let span = |fewest: u32, most: Option<u32>| match most {
            Some(most) if most == fewest => most.to_string(),
            Some(most) => format!("{fewest} to {most}"),
            None => format!("{fewest} or more"),
        };
        let (own, wanted) = (span(own.0, own.1), span(wanted.0, Some(wanted.1)));
        format!("makes {own} characters, which cannot be brought to {wanted}")
    })?;
    let (fewest, most) = bounds(&fitted);
    let most = most.unwrap_or(LENGTH_MAX);
    Ok(Bounded { pattern: fitted.to_string(), length: (fewest, most), was_endless })
}

/// In the dialect of the hints `\<` and `\>` are characters, not edges of words. What holds it to the
/// begin and the end of a text says nothing here.
fn unescaped(pattern: &str) -> String {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(pattern);
    let mut plain = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, letters.clone().next()) {
            ('\\', Some(next @ ('<' | '>'))) => {
                plain.push(next);
                letters.next();
            }
            ('\\', Some(next)) => {
                plain.extend(['\\', next]);
                letters.next();
            }
            (letter, _) => plain.push(letter),
        }
    }
    plain
}

fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => other.to_string(),
    }
}

/// The same without what holds it to the begin and the end of a text, which says nothing of what is
/// made.
pub(crate) fn unanchored(hir: &Hir) -> Hir {
    without(hir, true, true)
}

/// Without anchors at the begin, at the end.
fn without(hir: &Hir, begin: bool, end: bool) -> Hir {
    match hir.kind() {
        HirKind::Look(Look::Start) if begin => Hir::empty(),
        HirKind::Look(Look::End) if end => Hir::empty(),
        HirKind::Capture(capture) => without(&capture.sub, begin, end),
        HirKind::Concat(parts) => {
            let last = parts.len() - 1;
            let part =
                |(at, part): (usize, &Hir)| without(part, begin && at == 0, end && at == last);
            Hir::concat(parts.iter().enumerate().map(part).collect())
        }
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(|part| without(part, begin, end)).collect())
        }
        _ => hir.clone(),
    }
}

/// Whether it has edges of words, which no text has by itself.
fn has_edges(hir: &Hir) -> bool {
    let inside = hir.properties().look_set();
    let of_text = [Look::Start, Look::End, Look::StartLF, Look::EndLF];
    inside.iter().any(|look| !of_text.contains(&look))
}

/// The fewest and the most characters; None: without an end.
fn bounds(hir: &Hir) -> (u32, Option<u32>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, Some(0)),
        HirKind::Literal(literal) => {
            let count = String::from_utf8_lossy(&literal.0).chars().count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            (count, Some(count))
        }
        HirKind::Class(_) => (1, Some(1)),
        HirKind::Capture(capture) => bounds(&capture.sub),
        HirKind::Repetition(repetition) => {
            let (fewest, most) = bounds(&repetition.sub);
            let most = match (repetition.max, most) {
                (_, Some(0)) | (Some(0), _) => Some(0),
                (Some(times), Some(most)) => Some(times.saturating_mul(most)),
                _ => None,
            };
            (repetition.min.saturating_mul(fewest), most)
        }
        HirKind::Concat(parts) => parts.iter().map(bounds).fold((0, Some(0)), |all, part| {
            let most = all.1.zip(part.1).map(|(all, part)| all.saturating_add(part));
            (all.0.saturating_add(part.0), most)
        }),
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(bounds);
            all.reduce(|all, part| {
                (all.0.min(part.0), all.1.zip(part.1).map(|(all, part)| all.max(part)))
            })
            .unwrap_or((0, Some(0)))
        }
    }
}

/// An expression of whose texts all have a length within bounds, and all are texts of `hir`. None:
/// none was found.
fn fit(hir: &Hir, (fewest, most): (u32, u32)) -> Option<Hir> {
    let own = bounds(hir);
    if own.0 >= fewest && own.1.is_some_and(|own| own <= most) {
        return Some(hir.clone());
    }
    if own.0 > most || own.1.is_some_and(|own| own < fewest) {
        return None;
    }
    match hir.kind() {
        HirKind::Capture(capture) => fit(&capture.sub, (fewest, most)),
        HirKind::Repetition(repetition) => repeat(repetition, (fewest, most)),
        HirKind::Concat(parts) => {
            let shares = shares(parts, (fewest, most));
            let parts = parts.iter().zip(shares).map(|(part, share)| fit(part, share));
            parts.collect::<Option<_>>().map(Hir::concat)
        }
        HirKind::Alternation(parts) => {
            let parts: Vec<Hir> =
                parts.iter().filter_map(|part| fit(part, (fewest, most))).collect();
            (!parts.is_empty()).then(|| Hir::alternation(parts))
        }
        _ => None,
    }
}

fn repeat(repetition: &Repetition, (fewest, most): (u32, u32)) -> Option<Hir> {
    let (least, greatest) = bounds(&repetition.sub);
    let times_max = repetition.max.unwrap_or(u32::MAX);
    if Some(least) == greatest && least > 0 {
        let min = repetition.min.max(fewest.div_ceil(least));
        let max = times_max.min(most / least);
        return (min <= max)
            .then(|| Hir::repetition(Repetition { min, max: Some(max), ..repetition.clone() }));
    }
    // Something of many lengths: so many of it as can have the length, each count on its own.
    let can_have = |times: &u32| {
        times.saturating_mul(least) <= most
            && greatest.is_none_or(|greatest| times.saturating_mul(greatest) >= fewest)
            && (*times > 0 || fewest == 0)
    };
    let counts = (repetition.min..=times_max.min(LENGTH_MAX)).filter(can_have);
    let made = counts.take(COUNTS_MAX as usize).filter_map(|times| {
        let copies = vec![(*repetition.sub).clone(); times as usize];
        fit(&Hir::concat(copies), (fewest, most))
    });
    let made: Vec<Hir> = made.collect();
    (!made.is_empty()).then(|| Hir::alternation(made))
}

/// What each part may have, so that all together have what is wanted: what is missing is spread
/// over the parts that can have more.
fn shares(parts: &[Hir], (fewest, most): (u32, u32)) -> Vec<(u32, u32)> {
    let own: Vec<_> = parts.iter().map(bounds).collect();
    let mut low: Vec<u32> = own.iter().map(|part| part.0).collect();
    let room = |at: usize| own[at].1.unwrap_or(u32::MAX);
    spread(&mut low, fewest, room);
    let mut high = low.clone();
    spread(&mut high, most, room);
    low.into_iter().zip(high).collect()
}

/// Raises numbers one after the other until their sum is reached or all are at their limits.
fn spread(numbers: &mut [u32], sum: u32, limit: impl Fn(usize) -> u32) {
    let mut missing = sum.saturating_sub(numbers.iter().copied().fold(0, u32::saturating_add));
    loop {
        let before = missing;
        for (at, number) in numbers.iter_mut().enumerate() {
            if missing > 0 && *number < limit(at) {
                *number += 1;
                missing -= 1;
            }
        }
        if missing == 0 || missing == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(pattern: &str, length: Option<(u32, u32)>) -> String {
        bounded(pattern, length).unwrap_or_else(|why| panic!("{pattern} {why}")).pattern
    }

    #[test]
    fn a_length_bounds_what_repeats() {
        for (pattern, length, wanted) in [
            ("[a-zA-Z]{5,15}", None, "[A-Za-z]{5,15}"),
            ("[a-zA-Z]*", Some((10, 10)), "[A-Za-z]{10,10}"),
            ("[a-zA-Z]{0,15}", Some((5, 30)), "[A-Za-z]{5,15}"),
            ("[a-zA-Z]{5,}", Some((0, 15)), "[A-Za-z]{5,15}"),
            ("[a-z]*[0-9]*", Some((5, 10)), "[a-z]{3,6}[0-9]{2,4}"),
            ("x(?:ab)+", Some((4, 8)), "x(?:ab){2,3}"),
            ("a|bcd|ef", Some((2, 3)), "bcd|ef"),
            ("[a-z]+", None, "[a-z]{8,15}"),
            ("^a{3}$", None, "a{3}"),
        ] {
            let parsed = |text: &str| regex_syntax::parse(text).unwrap();
            let same = parsed(&fitted(pattern, length)) == parsed(wanted);
            assert!(same, "{pattern}: {} is not {wanted}", fitted(pattern, length));
        }
    }

    #[test]
    fn what_varies_in_what_repeats_is_brought_to_a_length_too() {
        let made = fitted("(?:[a-z]{2,3},)*", Some((6, 8)));
        assert_eq!(bounds(&regex_syntax::parse(&made).unwrap()), (6, Some(8)));
    }

    #[test]
    fn escapes_of_the_dialect_are_characters() {
        assert_eq!(fitted(r"First \<a\@b\.c\> \\n", None), r"First <a\@b\.c> \\n");
        assert_eq!(fitted(r"a\\<b", None), r"a\\<b");
    }

    #[test]
    fn a_length_that_cannot_be_had_is_told() {
        for (pattern, length) in [("[a-z]{3}", (5, 5)), ("(?:ab)*", (3, 3)), ("abc", (0, 2))] {
            let why = bounded(pattern, Some(length)).unwrap_err();
            assert!(why.contains("cannot be brought to"), "{pattern}: {why}");
        }
        assert!(bounded("[a-z", None).unwrap_err().contains("is no regular expression"));
        assert!(bounded(r"\bx", None).unwrap_err().contains("edges of words"));
        assert!(bounded("[a-z]{5000}", None).unwrap_err().contains("at most 4096"));
    }
}
