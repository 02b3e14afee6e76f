//! Who we are: what connections and requests over HTTP say of it.

use std::path::PathBuf;

use super::oauth2::{self, Issuer};
use super::options::Options;
use super::problem::{Error, Failure};
use crate::config::secret::Text;

/// How we prove who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// By a token; one in a file is read again at each connection.
    Token(TokenSource),
    /// By a token that an issuer gives us, a new one at each connection.
    OAuth2(Issuer),
    /// By name and password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Text,
    },
    /// By the certificate of our side of the connection.
    Tls {
        /// The certificate and its key (PEM files), if they are given here.
        identity: Option<(PathBuf, PathBuf)>,
    },
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// It was given.
    Given(Text),
    /// A file has it.
    File(PathBuf),
}

impl Authentication {
    /// Reads `{"userId":"…","password":"…"}`; the error says what is wrong.
    pub(super) fn basic(parameters: &str) -> Result<Self, String> {
        let read: Option<serde_json::Value> = serde_json::from_str(parameters).ok();
        let part = |name: &str| Some(read.as_ref()?.get(name)?.as_str()?.to_owned());
        match (part("userId"), part("password")) {
            (Some(user), Some(password)) => {
                Ok(Self::Basic { user, password: Text::Plain(password).hidden() })
            }
            _ => Err("it takes {\"userId\":\"…\",\"password\":\"…\"}".to_owned()),
        }
    }
}

impl TokenSource {
    /// Reads `token:…`, `file:///path` or the token alone; the error says what is wrong.
    pub(super) fn read(parameters: &str) -> Result<Self, String> {
        if let Some(path) = parameters.strip_prefix("file:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            let is_there = path.is_file();
            return is_there
                .then(|| Self::File(path.clone()))
                .ok_or_else(|| format!("there is no file `{}`", path.display()));
        }
        let token = parameters.strip_prefix("token:").unwrap_or(parameters);
        if token.is_empty() {
            return Err("a token is needed: `token:…`, or `file:///path`".to_owned());
        }
        Ok(Self::Given(Text::Plain(token.to_owned()).hidden()))
    }
}

/// Reads `tlsCertFile:/path,tlsKeyFile:/path`, which may be left out; the error says what is wrong.
pub(super) fn certificate(parameters: &str) -> Result<Option<(PathBuf, PathBuf)>, String> {
    if parameters.is_empty() {
        return Ok(None);
    }
    let part = |name: &str| {
        let mut parts = parameters.split(',').filter_map(|part| part.trim().split_once(':'));
        parts.find(|(known, _)| *known == name).map(|(_, path)| PathBuf::from(path))
    };
    let (Some(certificate), Some(key)) = (part("tlsCertFile"), part("tlsKeyFile")) else {
        return Err("it takes tlsCertFile:/path,tlsKeyFile:/path".to_owned());
    };
    if let Some(path) = [&certificate, &key].into_iter().find(|path| !path.is_file()) {
        return Err(format!("there is no file `{}`", path.display()));
    }
    Ok(Some((certificate, key)))
}

/// The name of the method and its data, as a connection sends them.
pub(super) async fn data(options: &Options) -> Result<(Option<String>, Option<Vec<u8>>), Failure> {
    let named = |name: &str, data: String| (Some(name.to_owned()), Some(data.into_bytes()));
    Ok(match &options.authentication {
        Authentication::None => (None, None),
        Authentication::Basic { user, password } => {
            named("basic", format!("{user}:{}", password.reveal()))
        }
        Authentication::Tls { .. } => named("tls", String::new()),
        Authentication::Token(source) => named("token", token(source, options)?),
        // Whoever gave it, for the broker it is a token.
        Authentication::OAuth2(issuer) => named("token", oauth2::token(issuer, options).await?),
    })
}

/// The same for a request over HTTP.
pub(crate) async fn signed(
    request: reqwest::RequestBuilder,
    options: &Options,
) -> Result<reqwest::RequestBuilder, Failure> {
    Ok(match &options.authentication {
        Authentication::None | Authentication::Tls { .. } => request,
        Authentication::Basic { user, password } => {
            request.basic_auth(user, Some(password.reveal()))
        }
        Authentication::Token(source) => request.bearer_auth(token(source, options)?),
        Authentication::OAuth2(issuer) => {
            request.bearer_auth(oauth2::token(issuer, options).await?)
        }
    })
}

fn token(source: &TokenSource, options: &Options) -> Result<String, Failure> {
    let token = match source {
        TokenSource::Given(token) => Ok(token.reveal().trim().to_owned()),
        TokenSource::File(path) => {
            let read = std::fs::read_to_string(path).map(|token| token.trim().to_owned());
            read.map_err(|error| {
                format!("cannot read the token from `{}`: {error}", path.display())
            })
        }
    };
    token.map_err(|reason| {
        Failure::Final(Error::Authentication { service: options.service(), reason })
    })
}
