//! The Prometheus endpoint.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};
use tokio::task::JoinHandle;

use super::metric::Meters;

/// The endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot offer metrics at {address}: is another run using it? choose another with `--metrics`"
)]
pub struct Error {
    /// Where it was to listen.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: BuildError,
}

/// The endpoint while it answers; it closes when this is dropped.
#[derive(Debug)]
pub struct Exporter {
    task: JoinHandle<()>,
}

impl Exporter {
    /// Offers metrics at `http://address/metrics`. Must be called on a tokio runtime.
    pub fn open(address: SocketAddr) -> Result<(Self, Meters), Error> {
        let (recorder, serve) = PrometheusBuilder::new()
            .with_http_listener(address)
            .build()
            .map_err(|source| Error { address, source })?;
        let task = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(?error, "the metrics endpoint stopped");
            }
        });
        Ok((Self { task }, Meters::to(recorder)))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Exporter::open(address).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
