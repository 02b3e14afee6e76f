//! Encrypted connections.

use std::path::Path;
use std::sync::Arc;

use reqwest::redirect::Policy;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
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

/// A client for requests over HTTP, which trusts and shows the same certificates.
pub(crate) fn http(options: &Options, redirects: Policy) -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder().timeout(options.operation_timeout).redirect(redirects);
    let client = client.tls_backend_preconfigured(configuration(options)?);
    client.build().map_err(|error| causes(&error))
}

/// An error over HTTP with what lies beneath it, without its address.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
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
    let builder = ClientConfig::builder();
    let builder = if options.tls.verify_host || trusted.is_empty() {
        builder.with_root_certificates(trusted)
    } else {
        let whole = WebPkiServerVerifier::builder(Arc::new(trusted)).build();
        let whole = whole.map_err(|error| error.to_string())?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyHost(whole)))
    };
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

/// Checks a certificate, and not whether it is for the host that we asked for.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, others, host, stapled, now) {
            // The chain was found good before the name was looked at.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::config::secret::Text;

    /// Connects to a server whose certificate is for another host.
    async fn connect(verify_host: &str) -> Result<(), Failure> {
        let key = rcgen::KeyPair::generate().unwrap();
        let named = rcgen::CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
        let certificate = named.self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server = rustls::ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that refuses the certificate ends this with an error.
            drop(TlsAcceptor::from(Arc::new(server)).accept(stream).await);
        });
        let folder = tempfile::tempdir().unwrap();
        let trusted = folder.path().join("trusted.pem");
        std::fs::write(&trusted, certificate.pem()).unwrap();
        let plain = |name: &str, value: &str| (name.to_owned(), Text::Plain(value.to_owned()));
        let options = Options::read(&[
            plain("serviceUrl", &format!("pulsar+ssl://127.0.0.1:{port}")),
            plain("tlsTrustCertsFilePath", trusted.to_str().unwrap()),
            plain("tlsHostnameVerificationEnable", verify_host),
        ]);
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let connected = wrap(stream, "127.0.0.1", &options.unwrap()).await.map(drop);
        accepting.await.unwrap();
        connected
    }

    #[tokio::test]
    async fn the_name_of_a_host_is_checked_unless_told_otherwise() {
        let refused = connect("true").await.unwrap_err().reason();
        assert!(refused.contains("not valid for name"), "{refused}");
        connect("false").await.unwrap();
    }
}
