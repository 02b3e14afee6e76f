//! Headers of records: text from generators, the identity, traces.

use super::value::Value;
use super::{Compiler, generator};
use crate::config::Spanned;
use crate::config::model::{Generator, HeaderValue, IDENTITY_HEADER, IdentityPlace};
use crate::plan::fill::{Header, HeaderFill, Integer, Piece, Text};
use crate::plan::program::Register;

impl<'a> Compiler<'a> {
    /// The headers of the stream's records; mistakes are noted.
    ///
    /// Their random words follow those of the fields, so that a header changes no other byte.
    pub(super) fn headers(&mut self) -> Vec<Header> {
        let stream = self.source.stream;
        let before = stream.lets.iter().chain(&stream.fields);
        let mut word: u32 = before.map(|field| generator::words(&field.generator.value)).sum();
        let mut headers = Vec::new();
        if stream.identity == IdentityPlace::AddedHeader {
            let value = HeaderFill::Identity(self.identity());
            headers.push(Header { name: IDENTITY_HEADER.to_owned(), value });
        }
        for header in &stream.headers {
            let value = match &header.value {
                HeaderValue::IntendedTime => Some(HeaderFill::IntendedTime),
                HeaderValue::Traceparent => {
                    let text = trace(self.identity());
                    Some(HeaderFill::Text { text, present: None })
                }
                HeaderValue::Generator(given) => {
                    let first = word;
                    word += generator::words(&given.value);
                    self.header_text(given, first)
                }
            };
            headers.extend(value.map(|value| Header { name: header.name.value.clone(), value }));
        }
        headers
    }

    fn header_text(&mut self, given: &'a Spanned<Generator>, first: u32) -> Option<HeaderFill> {
        let cell = self.generate(given, self.event_site(), first)?;
        let text = match &cell.value {
            Value::Null => {
                return self.refuse(&given.span, "this header is never there", "leave it out");
            }
            _ => self.text_of(&cell, None, &given.span)?,
        };
        Some(HeaderFill::Text { text, present: cell.present })
    }
}

/// `00-<trace>-<span>-01` (W3C Trace Context): the trace is the event's identity, the span its lower
/// half. Neither is ever all zeros, for the identity's version and variant are not.
fn trace([a, b, c, d]: [Register; 4]) -> Text {
    let literal = |text: &str| Piece::Literal(text.to_owned());
    let hex = |word| {
        let value = Integer::Unsigned(word);
        Piece::Number { value, base: 16, width: 8, upper: false }
    };
    let end = [literal("-"), hex(c), hex(d), literal("-01")];
    Text([literal("00-"), hex(a), hex(b), hex(c), hex(d)].into_iter().chain(end).collect())
}
