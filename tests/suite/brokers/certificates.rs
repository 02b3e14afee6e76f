//! Certificates for the tests, made anew each time: one authority, a server, a client, and the
//! kinds of certificate that must be refused.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// The common name of the client's certificate.
pub(crate) const CLIENT: &str = "tidegate-client";

/// Files in PEM, in a folder of the test's own.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    /// The authority that signed all but [`Certificates::other_authority`].
    pub(crate) authority: PathBuf,
    /// An authority that signed none of them.
    pub(crate) other_authority: PathBuf,
    /// Key and certificate of 127.0.0.1 and localhost, in one file.
    pub(crate) server: PathBuf,
    /// The same, but it ended long ago.
    pub(crate) expired_server: PathBuf,
    /// The client's certificate.
    pub(crate) client: PathBuf,
    /// The client's key.
    pub(crate) client_key: PathBuf,
}

impl Certificates {
    /// A file with a key and its certificate as two files, for programs that want them so: the
    /// certificate, then the key.
    pub(crate) fn parts(both: &Path) -> (PathBuf, PathBuf) {
        let text = std::fs::read_to_string(both).expect("a file that was written");
        let begin = text.find("-----BEGIN CERTIFICATE").expect("a certificate");
        let [certificate, key] = ["certificate", "key"].map(|what| both.with_extension(what));
        std::fs::write(&certificate, &text[begin..]).expect("a file in the test's own folder");
        std::fs::write(&key, &text[..begin]).expect("a file in the test's own folder");
        (certificate, key)
    }

    /// Makes them and writes them into `folder`.
    pub(crate) fn write(folder: &Path) -> Self {
        let (authority, issuer) = authority("tidegate test authority");
        let (other, _) = authority_of_another();
        let (server, server_key) = signed("localhost", 2100, &issuer);
        let (expired, expired_key) = signed("localhost", 2021, &issuer);
        let (client, client_key) = signed(CLIENT, 2100, &issuer);
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file in the test's own folder");
            path
        };
        Self {
            authority: file("authority.pem", &authority),
            other_authority: file("other-authority.pem", &other),
            server: file("server.pem", &format!("{server_key}{server}")),
            expired_server: file("expired-server.pem", &format!("{expired_key}{expired}")),
            client: file("client.pem", &client),
            client_key: file("client-key.pem", &client_key),
        }
    }
}

fn authority_of_another() -> (String, Issuer<'static, KeyPair>) {
    authority("somebody else's authority")
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), Issuer::new(params, key))
}

/// Certificate and key, valid from 2020 to the beginning of `end_year`.
fn signed(name: &str, end_year: i32, issuer: &Issuer<'static, KeyPair>) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a host name");
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(end_year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}
