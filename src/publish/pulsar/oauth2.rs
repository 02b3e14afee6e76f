//! Tokens of an issuer (OAuth 2.0, RFC 6749, section 4.4: client credentials).

use std::path::Path;

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;

use super::options::Options;
use super::problem::{Error, Failure};
use super::tls;
use crate::config::secret::{self, Text};

/// Who gives tokens, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Where it answers.
    pub url: String,
    /// Who we are.
    pub client_id: String,
    /// What only we know.
    pub client_secret: Text,
    /// Whom the token is for.
    pub audience: Option<String>,
    /// What the token allows.
    pub scope: Option<String>,
}

impl Issuer {
    /// Reads the parameters as Pulsar's own clients take them: `{"type":"client_credentials",
    /// "issuerUrl":…, "privateKey":"file:///path", "audience":…, "scope":…}`, where the file is JSON with
    /// `client_id` and `client_secret`. The error says what is wrong.
    pub(super) fn read(parameters: &str) -> Result<Self, String> {
        let read: Value =
            serde_json::from_str(parameters).map_err(|error| format!("it is no JSON: {error}"))?;
        let text = |name: &str| read.get(name).and_then(Value::as_str).map(str::to_owned);
        let needed = |name: &str| text(name).ok_or_else(|| format!("it needs `{name}`"));
        match text("type").as_deref() {
            None | Some("client_credentials") => {}
            Some(other) => return Err(format!("its type is `{other}`, not client_credentials")),
        }
        let url = needed("issuerUrl")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("`issuerUrl` is `{url}`, not an http or https address"));
        }
        let place = needed("privateKey")?;
        let path = place.strip_prefix("file:").ok_or("`privateKey` is not file:///path")?;
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        let key = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let key: Option<Value> = serde_json::from_str(&key).ok();
        let part = |name: &str| key.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let (Some(client_id), Some(secret)) = (part("client_id"), part("client_secret")) else {
            let path = path.display();
            return Err(format!("`{path}` is no JSON with `client_id` and `client_secret`"));
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            client_id,
            client_secret: Text::Plain(secret).hidden(),
            audience: text("audience"),
            scope: text("scope"),
        })
    }
}

/// A new token.
pub(super) async fn token(issuer: &Issuer, options: &Options) -> Result<String, Failure> {
    let client = tls::http(options, Policy::default()).map_err(Failure::Again)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.url);
    let told = answer(client.get(url), issuer, options).await?;
    let url = text(&told, "token_endpoint", issuer, options)?;
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &issuer.client_id),
        ("client_secret", issuer.client_secret.reveal()),
    ];
    form.extend(issuer.audience.as_deref().map(|audience| ("audience", audience)));
    form.extend(issuer.scope.as_deref().map(|scope| ("scope", scope)));
    let told = answer(client.post(url).form(&form), issuer, options).await?;
    text(&told, "access_token", issuer, options)
}

async fn answer(
    request: reqwest::RequestBuilder,
    issuer: &Issuer,
    options: &Options,
) -> Result<Value, Failure> {
    let failed = |error: reqwest::Error| {
        Failure::Again(format!("the issuer of tokens at {}: {}", issuer.url, tls::causes(&error)))
    };
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let body = answer.text().await.map_err(failed)?;
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let said = ["error_description", "error"].into_iter().find_map(|name| body.get(name)?.as_str());
    let said = secret::masked(said.unwrap_or_default(), [&issuer.client_secret]);
    let reason = format!("the issuer of tokens at {} answers {status} {said}", issuer.url);
    let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(if passes { Failure::Again(reason) } else { refused(&reason, options) })
}

fn text(told: &Value, name: &str, issuer: &Issuer, options: &Options) -> Result<String, Failure> {
    told.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        refused(&format!("the issuer of tokens at {} says no `{name}`", issuer.url), options)
    })
}

fn refused(reason: &str, options: &Options) -> Failure {
    Failure::Final(Error::Authentication {
        service: options.service(),
        reason: reason.trim().to_owned(),
    })
}
