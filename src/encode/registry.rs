//! The schema registry: which id stands for a schema, and which schema a subject asks for.

mod error;
mod subject;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, Identity, Url};
use schema_registry_converter::async_impl::schema_registry::{SrSettings, perform_sr_call};
use schema_registry_converter::schema_registry_common::{RawRegisteredSchema, SrCall};

use crate::config::secret::Secret;

pub use error::Error;
use error::Failure;
pub use subject::{Part, Strategy, Subject};

/// The wait before the second attempt; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often a conflict is taken for one with somebody who registers the same schema just now.
const CONFLICTS_MAX: u32 = 2;

/// Who we are to the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody.
    #[default]
    None,
    /// A user; for Confluent Cloud the API key and its secret.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
}

/// Our own certificate, for registries that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and what leads to its authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, unencrypted, in PEM.
    pub key: PathBuf,
}

/// What to do about a schema that the registry knows or does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Register ours under the subject, if it is not there.
    #[default]
    Register,
    /// Ours must be there already; nothing is ever registered.
    Use,
    /// Take the subject's latest version, whatever ours is.
    Latest,
    /// Take the schema with this id for values; for keys the same as [`Mode::Use`].
    Id(u32),
}

/// How to reach a registry, and what to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it is; the next address is tried when one does not answer.
    pub urls: Vec<String>,
    /// Who we are.
    pub authentication: Authentication,
    /// Authorities that its certificate may come from, in PEM, besides the system's.
    pub authority: Option<PathBuf>,
    /// Our own certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How long one question may take, attempts and the waits between them together; above 0.
    pub timeout: Duration,
    /// What to do about schemas.
    pub mode: Mode,
    /// How subjects are named.
    pub subjects: Strategy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            authentication: Authentication::None,
            authority: None,
            client_certificate: None,
            timeout: Duration::from_secs(10),
            mode: Mode::Register,
            subjects: Strategy::TopicName,
        }
    }
}

/// A schema and its id in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The id, as it stands before each value.
    pub id: u32,
    /// The schema, as JSON: the registry's own with [`Mode::Latest`] and [`Mode::Id`], else ours.
    pub schema_json: String,
}

/// A client of a registry with the Confluent API.
pub struct Registry {
    servers: Vec<Server>,
    timeout: Duration,
    mode: Mode,
    subjects: Strategy,
}

struct Server {
    address: String,
    settings: SrSettings,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the settings: they hold the password in plain.
        formatter.debug_struct("Registry").field("addresses", &self.addresses()).finish()
    }
}

impl Registry {
    /// Reads the certificates and makes the clients; the first request goes out with
    /// [`Registry::resolve`].
    ///
    /// # Errors
    ///
    /// No address or a bad one, a file that cannot be read or is not what it should be.
    pub fn connect(options: &Options) -> Result<Self, Error> {
        if options.urls.is_empty() {
            return Err(Error::NoAddress);
        }
        let servers = options.urls.iter().map(|url| Server::new(url, options));
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            timeout: options.timeout,
            mode: options.mode,
            subjects: options.subjects,
        })
    }

    /// The id for `schema_json` (an Avro schema) under the subject, and the schema to write with.
    ///
    /// # Errors
    ///
    /// The registry is not there, refuses us or the schema, or does not have it; see [`Error`].
    pub async fn resolve(
        &self,
        subject: &Subject<'_>,
        schema_json: &str,
    ) -> Result<Registered, Error> {
        let name = subject.name(self.subjects)?;
        let body = serde_json::json!({ "schema": schema_json }).to_string();
        let call = match (self.mode, subject.part) {
            (Mode::Register, _) => SrCall::PostNew(&name, &body),
            (Mode::Use, _) | (Mode::Id(_), Part::Key) => SrCall::PostForVersion(&name, &body),
            (Mode::Latest, _) => SrCall::GetLatest(&name),
            (Mode::Id(id), Part::Value) => SrCall::GetById(id),
        };
        let (answer, address) = self.ask(call, &name).await?;
        let bad =
            |what: &str| Error::BadAnswer { address: address.to_owned(), what: what.to_owned() };
        match call {
            SrCall::PostNew(..) | SrCall::PostForVersion(..) => {
                let id = answer.id.ok_or_else(|| bad("it has no id of the schema"))?;
                Ok(Registered { id, schema_json: schema_json.to_owned() })
            }
            _ => {
                let pinned = if let SrCall::GetById(id) = call { Some(id) } else { answer.id };
                let id = pinned.ok_or_else(|| bad("it has no id of the schema"))?;
                refuse_what_is_not_ours(id, &answer)?;
                let schema_json = answer.schema.ok_or_else(|| bad("it has no schema"))?;
                Ok(Registered { id, schema_json })
            }
        }
    }

    /// The schema that an id stands for, as JSON.
    ///
    /// # Errors
    ///
    /// The registry is not there, refuses us, does not have it, or it is not complete in itself.
    pub async fn schema(&self, id: u32) -> Result<String, Error> {
        let (answer, address) = self.ask(SrCall::GetById(id), "").await?;
        refuse_what_is_not_ours(id, &answer)?;
        answer.schema.ok_or_else(|| Error::BadAnswer {
            address: address.to_owned(),
            what: "it has no schema".to_owned(),
        })
    }

    /// The latest schema of a subject, whatever the mode.
    ///
    /// # Errors
    ///
    /// The registry is not there, refuses us, or does not have the subject.
    pub async fn latest(&self, subject: &Subject<'_>) -> Result<Registered, Error> {
        let name = subject.name(self.subjects)?;
        let (answer, address) = self.ask(SrCall::GetLatest(&name), &name).await?;
        let (Some(id), Some(schema_json)) = (answer.id, answer.schema.clone()) else {
            let what = "it has no schema with an id".to_owned();
            return Err(Error::BadAnswer { address: address.to_owned(), what });
        };
        refuse_what_is_not_ours(id, &answer)?;
        Ok(Registered { id, schema_json })
    }

    /// Asks until one of the servers has an answer that stands, at most for the timeout.
    async fn ask(
        &self,
        call: SrCall<'_>,
        subject: &str,
    ) -> Result<(RawRegisteredSchema, &str), Error> {
        let mut last = None;
        let attempts = async {
            let mut wait = FIRST_WAIT;
            let mut conflicts = 0;
            loop {
                for server in &self.servers {
                    let failure = match perform_sr_call(&server.settings, call).await {
                        Ok(answer) => return Ok((answer, server.address.as_str())),
                        Err(error) => Failure::of(&error),
                    };
                    // Of those who register a new subject at once, some registries refuse all but
                    // one; a second look tells them from what is incompatible.
                    let conflict = failure.is_conflict() && matches!(call, SrCall::PostNew(..));
                    conflicts += u32::from(conflict);
                    let worth_another = conflict && conflicts <= CONFLICTS_MAX;
                    if !(worth_another || failure.may_pass()) {
                        return Err(failure.named(&server.address, call, subject));
                    }
                    last = Some((failure, server));
                }
                tokio::time::sleep(wait).await;
                wait = LONGEST_WAIT.min(wait * 2);
            }
        };
        if let Ok(settled) = tokio::time::timeout(self.timeout, attempts).await {
            return settled;
        }
        match last {
            Some((failure @ Failure::Status { .. }, server)) => {
                Err(failure.named(&server.address, call, subject))
            }
            Some((failure, _)) => Err(self.unreachable(failure.to_string())),
            None => Err(self.unreachable("no answer".to_owned())),
        }
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { address: self.addresses(), waited: self.timeout, reason }
    }

    fn addresses(&self) -> String {
        let addresses: Vec<&str> = self.servers.iter().map(|it| it.address.as_str()).collect();
        addresses.join(", ")
    }
}

impl Server {
    fn new(url: &str, options: &Options) -> Result<Self, Error> {
        let address = checked_address(url)?;
        let servers = u32::try_from(options.urls.len()).unwrap_or(u32::MAX);
        // A server that swallows what it is sent must leave time for the others.
        let share = options.timeout / servers;
        let client = client(&address, options)?.connect_timeout(share / 2);
        let mut builder = SrSettings::new_builder(address.clone());
        builder.set_timeout(share);
        match &options.authentication {
            Authentication::None => {}
            Authentication::Basic { username, password } => {
                builder.set_basic_authorization(username, Some(password.reveal()));
            }
            Authentication::Bearer(token) => {
                builder.set_token_authorization(token.reveal());
            }
        }
        let built = builder.build_with(client);
        let settings =
            built.map_err(|source| Error::Client { reason: Failure::of(&source).to_string() })?;
        Ok(Self { address, settings })
    }
}

/// The address without a slash at its end.
fn checked_address(url: &str) -> Result<String, Error> {
    let parsed = Url::parse(url).ok();
    let parsed = parsed.filter(|it| matches!(it.scheme(), "http" | "https") && it.has_host());
    let Some(parsed) = parsed else {
        // What is no address may still have a password in it.
        let url = if url.contains('@') { "***".to_owned() } else { url.to_owned() };
        return Err(Error::NotAnAddress { url });
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(Error::PasswordInAddress);
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

fn client(address: &str, options: &Options) -> Result<ClientBuilder, Error> {
    let mut builder = ClientBuilder::new();
    if let Some(path) = &options.authority {
        let authorities = Certificate::from_pem_bundle(&read(path)?);
        let authorities = authorities.map_err(|_| not_pem(path, "a certificate"))?;
        if authorities.is_empty() {
            return Err(not_pem(path, "a certificate"));
        }
        builder = builder.tls_certs_merge(authorities);
    } else if address.starts_with("http:") {
        // Else a machine without any authority, as a bare container is, could not even do this.
        builder = builder.tls_certs_only([]);
    }
    if let Some(ClientCertificate { certificate, key }) = &options.client_certificate {
        let mut pem = read(key)?;
        pem.push(b'\n');
        pem.extend(read(certificate)?);
        let identity = Identity::from_pem(&pem);
        builder = builder
            .identity(identity.map_err(|_| not_pem(certificate, "a certificate and its key"))?);
    }
    Ok(builder)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn not_pem(path: &Path, what: &'static str) -> Error {
    Error::NotPem { path: path.to_owned(), what }
}

/// Schemas that we cannot write with, although the registry has them.
fn refuse_what_is_not_ours(id: u32, answer: &RawRegisteredSchema) -> Result<(), Error> {
    let kind = answer.schema_type.as_deref().unwrap_or("AVRO");
    if kind != "AVRO" {
        return Err(Error::NotAvro { id, kind: kind.to_owned() });
    }
    if answer.references.as_ref().is_some_and(|references| !references.is_empty()) {
        return Err(Error::HasReferences { id });
    }
    Ok(())
}
