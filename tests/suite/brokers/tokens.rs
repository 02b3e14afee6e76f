//! Tokens that a broker with the same secret trusts (JWT, RFC 7519, signed with HMAC-SHA-256).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What the broker and the tests know.
const SECRET: &[u8; 32] = b"a secret of tests, 32 bytes long";

/// The secret as a broker's `tokenSecretKey` takes it.
pub(crate) fn secret_key() -> String {
    format!("data:;base64,{}", STANDARD.encode(SECRET))
}

/// A token for a role; it ends after `lasts`, if it does.
pub(crate) fn token(role: &str, lasts: Option<Duration>) -> String {
    let claims = lasts.map_or_else(
        || serde_json::json!({ "sub": role }),
        |lasts| serde_json::json!({ "sub": role, "exp": (since_epoch() + lasts).as_secs() }),
    );
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "a broker compares with the real clock")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970")
}
