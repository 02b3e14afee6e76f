//! Which events a filtering consumer passes on: a condition over their fields, from outside the model.

use super::expression::{self, Standing};
use super::model::{Generator, Header, HeaderValue};
use super::source::PieceKind;
use super::{Configuration, Refused, Spanned};

/// The header that says of an event whether the condition holds for it: `true` or `false`. It changes no other byte of
/// the event.
pub const HEADER: &str = "tidegate-where";

/// Lets the events of those streams that `wanted` names, by number, say whether the condition holds for them.
///
/// # Errors
///
/// A condition that cannot be read. What its names lead to shows when the model is compiled.
pub fn add(configuration: &mut Configuration, wanted: &[bool], text: &str) -> Result<(), Refused> {
    let base = configuration.source.add(
        PieceKind::Override(Vec::new()),
        "--where".into(),
        text.to_owned(),
    );
    let standing = Standing { inner: Some(base), whole: base..base + text.len() };
    let parsed = expression::parse(text, &standing, expression::OF_ROWS);
    let expression =
        parsed.map_err(|mistake| Refused::new(configuration.source.clone(), vec![mistake]))?;
    let streams = configuration.model.streams.iter_mut().zip(wanted);
    for (stream, _) in streams.filter(|(stream, wanted)| **wanted && !stream.control) {
        let span = standing.whole.clone();
        let generator = Generator::Expression(expression.clone());
        stream.headers.push(Header {
            name: Spanned { value: HEADER.to_owned(), span: span.clone() },
            value: HeaderValue::Generator(Spanned { value: generator, span }),
        });
    }
    Ok(())
}
