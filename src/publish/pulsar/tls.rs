//! Encrypted connections.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::options::Options;
use super::problem::{Error, Failure};

/// Encrypts a connection to a host.
pub(super) async fn wrap(
    stream: TcpStream,
    host: &str,
    options: &Options,
) -> Result<TlsStream<TcpStream>, Failure> {
    let refused =
        |reason: String| Failure::Final(Error::Tls { service: options.service(), reason });
    let configuration = configuration(options).map_err(refused)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| refused(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(configuration)).connect(name, stream).await;
    connected.map_err(|error| {
        // What the other side did to the connection may pass; what it showed does not.
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            refused(error.to_string())
        } else {
            Failure::Again(error.to_string())
        }
    })
}

fn configuration(options: &Options) -> Result<ClientConfig, String> {
    let mut trusted = RootCertStore::empty();
    if let Some(path) = &options.tls.trusted {
        for certificate in certificates(path)? {
            trusted.add(certificate).map_err(|error| format!("`{}`: {error}", path.display()))?;
        }
    } else {
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder().with_root_certificates(trusted);
    match &options.tls.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("`{}`: {error}", key.display()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| format!("`{}`: {error}", path.display()))
}
