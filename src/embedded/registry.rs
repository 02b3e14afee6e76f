//! The schema registry: Confluent's API over HTTP, on loopback.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::store::{Refusal, Store, Version};

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The most connections at once; a further one waits to be accepted.
const CONNECTIONS_MAX: usize = 256;

/// A schema registry that keeps its schemas in memory; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    url: String,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    /// Starts it at a port of 127.0.0.1 that the system chooses.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("embedded-registry".to_owned());
        let thread = thread.spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, stopped)) {
                tracing::error!(%error, "the embedded schema registry ended");
            }
        })?;
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, such as `http://127.0.0.1:41357`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the embedded registry ended by a panic");
        }
    }
}

async fn serve(listener: TcpListener, mut stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let store = Arc::new(Mutex::new(Store::default()));
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            _ = &mut stopped => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if room => {
                let (stream, _) = accepted?;
                let store = Arc::clone(&store);
                let service = service_fn(move |request| answer(Arc::clone(&store), request));
                connections.spawn(async move {
                    let io = TokioIo::new(stream);
                    if let Err(error) = http1::Builder::new().serve_connection(io, service).await {
                        tracing::debug!(%error, "a connection to the embedded registry ended");
                    }
                });
            }
        }
    }
}

async fn answer(
    store: Arc<Mutex<Store>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let read = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(read) => {
            let query = head.uri.query().unwrap_or("");
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            route(&mut store, &head.method, (head.uri.path(), query), &read.to_bytes())
        }
        Err(error) => Err(Refusal::new(413, error.to_string())),
    };
    let (status, body) = match read {
        Ok(body) => (200, body),
        Err(refusal) => {
            (refusal.status, json!({ "error_code": refusal.code, "message": refusal.message }))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let json = hyper::header::HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn route(
    store: &mut Store,
    method: &Method,
    (path, query): (&str, &str),
    body: &[u8],
) -> Result<Value, Refusal> {
    let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(json!({})),
        ("GET", ["subjects"]) => Ok(json!(store.subjects())),
        ("POST", ["subjects", subject]) => {
            store.look_up(subject, &read(body)?).map(|found| version(subject, &found))
        }
        ("GET", ["subjects", subject, "versions"]) => Ok(json!(store.versions(subject)?)),
        ("POST", ["subjects", subject, "versions"]) => {
            Ok(json!({ "id": store.register(subject, &read(body)?)? }))
        }
        ("GET", ["subjects", subject, "versions", number]) => {
            store.version(subject, number).map(|found| version(subject, &found))
        }
        ("GET", ["schemas", "ids", id]) => Ok(json!({ "schema": store.schema(id)? })),
        ("GET", ["schemas", "types"]) => Ok(json!(["AVRO"])),
        ("GET", ["config"]) => Ok(json!({ "compatibilityLevel": store.level("") })),
        ("GET", ["config", subject]) => {
            let fall_back = query.split('&').any(|part| part == "defaultToGlobal=true");
            let level = store.level(subject).or_else(|| store.level("").filter(|_| fall_back));
            let none = || {
                let reason = "does not have subject-level compatibility configured";
                Refusal::new(40408, format!("Subject '{subject}' {reason}"))
            };
            Ok(json!({ "compatibilityLevel": level.ok_or_else(none)? }))
        }
        ("PUT", ["config", rest @ ..]) if rest.len() < 2 => {
            let wanted: Level = read(body)?;
            store.set_level(rest.first().unwrap_or(&""), &wanted.compatibility)?;
            Ok(json!({ "compatibility": wanted.compatibility }))
        }
        (_, ["subjects" | "schemas" | "config", ..]) => {
            Err(Refusal::new(405, "HTTP 405 Method Not Allowed"))
        }
        _ => Err(Refusal::new(404, "HTTP 404 Not Found")),
    }
}

#[derive(serde::Deserialize)]
struct Level {
    compatibility: String,
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new(422, error.to_string()))
}

fn version(subject: &str, found: &Version) -> Value {
    let Version { number, id, schema } = found;
    json!({ "subject": subject, "version": number, "id": id, "schema": schema })
}

/// Undoes percent-encoding; what is not well formed stays as it is.
fn decode(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_percent_decoded() {
        assert_eq!(decode("a%2Fb%20c-value"), "a/b c-value");
        assert_eq!(decode("100%"), "100%");
    }

    #[test]
    fn paths_and_methods_that_are_not_there_are_told_apart() {
        let mut store = Store::default();
        let mut code = |method, path| {
            route(&mut store, &method, (path, ""), b"{}").map_err(|refusal| refusal.code)
        };
        assert_eq!(code(Method::GET, "/nothing"), Err(404));
        assert_eq!(code(Method::DELETE, "/subjects/a"), Err(405));
        assert_eq!(code(Method::POST, "/subjects/a/versions"), Err(422));
        assert_eq!(code(Method::GET, "/config/a"), Err(40408));
        assert_eq!(code(Method::GET, "/schemas/types"), Ok(json!(["AVRO"])));
    }
}
