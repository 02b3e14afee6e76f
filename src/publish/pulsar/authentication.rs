//! What a connection says of who we are.

use super::options::{Authentication, TokenSource};
use super::problem::Error;

/// What keeps us from saying who we are.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the token from `{path}`: {source}")]
pub(super) struct Unreadable {
    path: String,
    source: std::io::Error,
}

impl Unreadable {
    /// The error of a sink.
    pub(super) fn at(&self, service: &str) -> Error {
        Error::Authentication { service: service.to_owned(), reason: self.to_string() }
    }
}

/// The name of the method and its data, as a connection sends them.
pub(super) fn data(
    authentication: &Authentication,
) -> Result<(Option<String>, Option<Vec<u8>>), Unreadable> {
    Ok(match authentication {
        Authentication::None => (None, None),
        Authentication::Basic { user, password } => {
            let data = format!("{user}:{}", password.reveal());
            (Some("basic".to_owned()), Some(data.into_bytes()))
        }
        Authentication::Token(source) => {
            (Some("token".to_owned()), Some(token(source)?.into_bytes()))
        }
    })
}

/// The token for requests over HTTP, if we have one.
pub(super) fn bearer(authentication: &Authentication) -> Result<Option<String>, Unreadable> {
    match authentication {
        Authentication::Token(source) => token(source).map(Some),
        Authentication::None | Authentication::Basic { .. } => Ok(None),
    }
}

fn token(source: &TokenSource) -> Result<String, Unreadable> {
    match source {
        TokenSource::Given(token) => Ok(token.reveal().trim().to_owned()),
        TokenSource::File(path) => std::fs::read_to_string(path)
            .map(|token| token.trim().to_owned())
            .map_err(|source| Unreadable { path: path.display().to_string(), source }),
    }
}
