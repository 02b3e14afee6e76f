//! The embedded registry over HTTP, and both embedded servers as a stranger meets them.

use serde_json::{Value, json};
use tidegate::embedded::{Embedded, Registry, Topic};

struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn new(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, http: reqwest::Client::new(), url: url.to_owned() }
    }

    /// Status and body of an answer; an error's body is cut down to its code.
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            match body.get("error_code") {
                Some(code) => {
                    assert!(body["message"].is_string(), "{body}");
                    (status, code.clone())
                }
                None => (status, body),
            }
        })
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None)
    }

    fn post(&self, path: &str, schema: &str) -> (u16, Value) {
        self.ask("POST", path, Some(json!({ "schema": schema })))
    }
}

const ONE: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
const TWO: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}"#;

#[test]
fn the_registry_answers_as_confluents_does() {
    let registry = Registry::start().unwrap();
    let client = Client::new(registry.url());
    assert_eq!(client.get("/subjects"), (200, json!([])));
    assert_eq!(client.get("/schemas/types"), (200, json!(["AVRO"])));
    assert_eq!(client.post("/subjects/s-value/versions", ONE), (200, json!({ "id": 1 })));
    assert_eq!(client.post("/subjects/a%2Fb/versions", ONE), (200, json!({ "id": 1 })));
    assert_eq!(client.get("/subjects"), (200, json!(["a/b", "s-value"])));
    assert_eq!(client.get("/subjects/s-value/versions"), (200, json!([1])));
    let version = json!({ "subject": "s-value", "version": 1, "id": 1, "schema": ONE });
    assert_eq!(client.get("/subjects/s-value/versions/latest"), (200, version.clone()));
    assert_eq!(client.get("/subjects/s-value/versions/1"), (200, version.clone()));
    assert_eq!(client.post("/subjects/s-value", ONE), (200, version));
    assert_eq!(client.get("/schemas/ids/1"), (200, json!({ "schema": ONE })));
}

#[test]
fn the_registry_refuses_as_confluents_does() {
    let registry = Registry::start().unwrap();
    let client = Client::new(registry.url());
    assert_eq!(client.post("/subjects/s/versions", ONE).0, 200);
    assert_eq!(client.post("/subjects/s/versions", TWO), (409, json!(409)));
    let none = Some(json!({ "compatibility": "NONE" }));
    assert_eq!(client.get("/config/s"), (404, json!(40408)));
    assert_eq!(client.get("/config"), (200, json!({ "compatibilityLevel": "BACKWARD" })));
    assert_eq!(client.ask("PUT", "/config/s", none), (200, json!({ "compatibility": "NONE" })));
    assert_eq!(client.get("/config/s"), (200, json!({ "compatibilityLevel": "NONE" })));
    assert_eq!(client.post("/subjects/s/versions", TWO), (200, json!({ "id": 2 })));

    let bad = Some(json!({ "compatibility": "SOMEHOW" }));
    assert_eq!(client.ask("PUT", "/config", bad), (422, json!(42203)));
    assert_eq!(client.get("/subjects/nobody/versions"), (404, json!(40401)));
    assert_eq!(client.get("/subjects/s/versions/3"), (404, json!(40402)));
    assert_eq!(client.get("/subjects/s/versions/newest"), (422, json!(42202)));
    assert_eq!(client.get("/schemas/ids/9"), (404, json!(40403)));
    assert_eq!(client.post("/subjects/s", r#""int""#), (404, json!(40403)));
    assert_eq!(client.post("/subjects/s/versions", "no schema"), (422, json!(42201)));
    assert_eq!(client.get("/elsewhere"), (404, json!(404)));
    assert_eq!(client.ask("DELETE", "/subjects/s", None), (405, json!(405)));
}

#[test]
fn both_servers_are_gone_once_dropped() {
    let topics = [Topic { name: "t".to_owned(), partitions: 2 }];
    let embedded = Embedded::start(&topics).unwrap();
    let addresses = [
        embedded.bootstrap_servers().to_owned(),
        embedded.registry_url().trim_start_matches("http://").to_owned(),
    ];
    for address in &addresses {
        assert!(std::net::TcpStream::connect(address).is_ok(), "{address}");
    }
    drop(embedded);
    for address in &addresses {
        assert!(std::net::TcpStream::connect(address).is_err(), "{address}");
    }
}
