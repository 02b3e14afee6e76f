//! A small HTTPS server that answers as a schema registry behind a gateway does: it asks for a
//! password, a token or a certificate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::brokers::certificates::Certificates;

/// What the server wants of its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wants {
    /// This `Authorization` header, word by word.
    Header(&'static str),
    /// A certificate of the authority.
    Certificate,
    /// Nothing, but its own certificate has ended.
    NothingAndExpired,
}

/// Starts the server on the runtime that we are in; it ends with it. Each schema gets the id 7.
pub(crate) async fn start(certificates: &Certificates, wants: Wants) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls(certificates, wants)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses our certificate, or has none, ends here.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    let answer = answer(&request, wants);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                connection.await.unwrap_or_default();
            });
        }
    });
    address
}

fn answer(request: &Request<Incoming>, wants: Wants) -> Response<Full<Bytes>> {
    let given = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap());
    let (status, body) = match wants {
        Wants::Header(wanted) if given != Some(wanted) => {
            (StatusCode::UNAUTHORIZED, r#"{"error_code":401,"message":"who are you?"}"#)
        }
        _ => (StatusCode::OK, r#"{"id":7}"#),
    };
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
}

fn tls(certificates: &Certificates, wants: Wants) -> ServerConfig {
    let store = match wants {
        Wants::NothingAndExpired => &certificates.expired_server,
        _ => &certificates.server,
    };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(&certificates.authority).unwrap() {
        roots.add(authority.unwrap()).unwrap();
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match wants {
        Wants::Certificate => builder.with_client_cert_verifier(verifier.build().unwrap()),
        _ => builder.with_no_client_auth(),
    };
    let chain = CertificateDer::pem_file_iter(store).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(store).unwrap();
    builder.with_single_cert(chain, key).unwrap()
}
