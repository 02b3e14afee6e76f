//! An issuer of tokens (OAuth 2.0) for one client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::brokers::pulsar::PRODUCER;
use crate::brokers::tokens;

/// What its client knows.
pub(super) const SECRET: &str = "hunter2-oauth";

/// Starts it; its address. It ends with the tests.
pub(super) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away is no matter of ours.
            drop(answer(&own, stream.unwrap()));
        }
    });
    url
}

fn answer(url: &str, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let form = String::from_utf8(body).unwrap();
    let asks = |part: &str| form.split('&').any(|given| given == part);
    let (status, body) = if request.starts_with("GET /.well-known/openid-configuration ") {
        ("200 OK", serde_json::json!({ "token_endpoint": format!("{url}/token") }))
    } else if request.starts_with("POST /token ")
        && asks("grant_type=client_credentials")
        && asks("client_id=tidegate")
        && asks(&format!("client_secret={SECRET}"))
        && asks("audience=urn%3Apulsar")
        && asks("scope=produce")
    {
        ("200 OK", serde_json::json!({ "access_token": tokens::token(PRODUCER, None) }))
    } else {
        let body =
            serde_json::json!({ "error": "invalid_client", "error_description": "no such client" });
        ("401 Unauthorized", body)
    };
    let body = body.to_string();
    let length = body.len();
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
