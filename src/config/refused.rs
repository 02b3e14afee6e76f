//! What is told when a configuration cannot be run.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, Severity, SourceCode, SourceSpan, SpanContents,
};

use super::source::{Place, Source};
use super::{Mistake, Span};

/// All mistakes of a configuration, with the texts that they stand in.
#[derive(Clone, Debug)]
pub struct Refused {
    source: Source,
    mistakes: Vec<Mistake>,
}

impl Refused {
    /// Puts mistakes in the order of their places; the same thing is told once.
    pub fn new(source: Source, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        mistakes.dedup();
        Self { source, mistakes }
    }

    /// A refusal of something that has no text to point into.
    pub(super) fn placeless(what: String, help: &str) -> Self {
        let help = (!help.is_empty()).then(|| help.to_owned());
        Self { source: Source::default(), mistakes: vec![Mistake { span: 0..0, what, help }] }
    }

    /// The mistakes, in the order of their places, not masked.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// What is shown to people: for each mistake the place, the line with a mark, what is wrong
    /// and the way out. Secrets are masked.
    pub fn render(&self, colour: bool) -> String {
        render(&self.source, &self.mistakes, colour)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Refused {}

/// What is shown to people of mistakes; secrets are masked.
pub fn render(source: &Source, mistakes: &[Mistake], colour: bool) -> String {
    let pointed = mistakes.iter().map(|mistake| Pointed::new(source, mistake));
    drawn(pointed, colour)
}

/// What is shown to people of what can be run, but is worth a word; secrets are masked.
pub fn render_warnings(source: &Source, warnings: &[Mistake], colour: bool) -> String {
    let warnings = warnings.iter().map(|warning| {
        let mut pointed = Pointed::new(source, warning);
        pointed.what = format!("warning: {}", pointed.what);
        Pointed { severity: Severity::Warning, ..pointed }
    });
    drawn(warnings, colour)
}

fn drawn(all: impl Iterator<Item = Pointed>, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    // One line of context is what a snippet takes as "the whole line", see `read_span`.
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_context_lines(1)
        .with_links(false);
    let mut shown = String::new();
    for pointed in all {
        if !shown.is_empty() {
            shown.push('\n');
        }
        if handler.render_report(&mut shown, &pointed).is_err() {
            // Only a formatter that fails gets here, and a string's does not.
            shown.push_str(&pointed.what);
        }
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
    }
    shown
}

/// A mistake with its line, masked, as miette draws it.
#[derive(Debug)]
struct Pointed {
    severity: Severity,
    what: String,
    help: Option<String>,
    snippet: Option<Snippet>,
}

impl Pointed {
    fn new(source: &Source, mistake: &Mistake) -> Self {
        let what = source.masked_message(&mistake.what);
        let help = mistake.help.as_deref().map(|help| source.masked_message(help));
        let severity = Severity::Error;
        match source.place(&mistake.span) {
            Some(place) if place.piece.text.trim().is_empty() => {
                let what = format!("{}: {what}", place.piece.name);
                Self { severity, what, help, snippet: None }
            }
            Some(place) => {
                let snippet = Some(Snippet::new(source, &place));
                Self { severity, what, help, snippet }
            }
            None => Self { severity, what, help, snippet: None },
        }
    }
}

impl fmt::Display for Pointed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Pointed {}

impl Diagnostic for Pointed {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|snippet| snippet as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = self.snippet.as_ref()?.mark.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, mark))))
    }
}

/// The line of a mistake.
#[derive(Debug)]
struct Snippet {
    name: String,
    /// Counted from 0.
    line: usize,
    /// Counted from 0.
    column: usize,
    text: String,
    mark: Span,
}

impl Snippet {
    /// How much of a long line is shown on each side of the mark.
    const CONTEXT_CHARACTERS: usize = 60;

    fn new(source: &Source, place: &Place<'_>) -> Self {
        let (text, span) = source.masked_piece(place.piece, &place.span);
        let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let start = (span.start - line_start).min(line.len());
        // A mark of several lines is cut to its first: the place is what counts. One of no width
        // stands for what is missing there.
        let end = (span.end - line_start).min(line.len()).max(start);
        // Counted in what is shown: the true column would tell how long a masked value is.
        let column = line[..start].chars().count();
        let (mut text, mut mark) = cropped(line, start..end);
        if mark.start == text.len() {
            // There must be something to put the mark under.
            text.push(' ');
            mark.end = text.len();
        }
        let line = place.line - 1;
        Self { name: place.piece.name.clone(), line, column, text, mark }
    }
}

/// A line of at most some 200 characters around the mark.
fn cropped(line: &str, mark: Span) -> (String, Span) {
    let context = Snippet::CONTEXT_CHARACTERS;
    let from = line[..mark.start].char_indices().rev().nth(context).map_or(0, |(at, _)| at);
    let marked_end =
        line[mark.clone()].char_indices().nth(context).map_or(mark.end, |(at, _)| mark.start + at);
    let to = line[marked_end..]
        .char_indices()
        .nth(context)
        .map_or(line.len(), |(at, _)| marked_end + at);
    let before = if from > 0 { "…" } else { "" };
    let after = if to < line.len() { "…" } else { "" };
    let moved = |at: usize| at - from + before.len();
    (format!("{before}{}{after}", &line[from..to]), moved(mark.start)..moved(marked_end))
}

impl SourceCode for Snippet {
    /// Without context the answer is where the mark stands, with it the whole line: it is all that
    /// there is.
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        lines_before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let column = if lines_before == 0 { self.column } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            (0..self.text.len()).into(),
            self.line,
            column,
            1,
        )))
    }
}
