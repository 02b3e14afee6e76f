//! What is told when a configuration cannot be run.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use super::source::Source;
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

/// What is shown to people of mistakes or warnings; secrets are masked.
pub fn render(source: &Source, mistakes: &[Mistake], colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_context_lines(0)
        .with_links(false);
    let mut shown = String::new();
    for mistake in mistakes {
        let pointed = Pointed::new(source, mistake);
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
    what: String,
    help: Option<String>,
    code: Option<NamedSource<String>>,
    span: Span,
}

impl Pointed {
    fn new(source: &Source, mistake: &Mistake) -> Self {
        let what = source.masked_message(&mistake.what);
        let help = mistake.help.as_deref().map(|help| source.masked_message(help));
        let Some(place) = source.place(&mistake.span) else {
            return Self { what, help, code: None, span: 0..0 };
        };
        let (text, span) = source.masked_piece(place.piece, &place.span);
        let span = first_line(&text, span);
        let code = (!text.trim().is_empty()).then(|| NamedSource::new(&place.piece.name, text));
        Self { what, help, code, span }
    }
}

/// A mark of several lines is cut to its first: the place is what counts.
fn first_line(text: &str, span: Span) -> Span {
    let marked = text.get(span.clone()).unwrap_or("");
    let end = marked.find('\n').map_or(span.end, |at| span.start + at);
    span.start..end
}

impl fmt::Display for Pointed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Pointed {}

impl Diagnostic for Pointed {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.code.as_ref().map(|code| code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.code.as_ref()?;
        let label = LabeledSpan::new_with_span(None, self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
