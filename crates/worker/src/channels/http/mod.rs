//! Requests to receivers: no redirects, no proxy, a short patience, and only to addresses that channels may reach.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use logmon_core::notification::{Answer, Call, Target, Targets};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::NoAnswer;

/// How long a request may take, from the name's resolution to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 65_536;
/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Sends requests.
pub(super) struct Http {
    agent: Agent,
    targets: Targets,
}

impl Http {
    pub(super) fn new(targets: Targets) -> Self {
        Self::with_names(targets, DefaultResolver::default())
    }

    fn with_names(targets: Targets, names: impl Resolver) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would resolve the names itself.
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            // A connection that is kept would be one to an address that was checked long ago.
            .max_idle_connections(0)
            .tls_config(tls())
            .user_agent(concat!("LogMon/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: Agent::with_parts(config, DefaultConnector::default(), Checked { targets, names }), targets }
    }

    pub(super) fn send(&self, call: &Call) -> Result<Answer, NoAnswer> {
        // It may have been saved while the settings allowed more.
        Target::parse(&call.url, self.targets).map_err(|e| NoAnswer::Forbidden(e.to_string()))?;
        let mut request = self.agent.post(&call.url).content_type("application/json; charset=utf-8");
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let response = request.send(call.body.as_bytes()).map_err(no_answer)?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        response.into_body().into_reader().take(ANSWER_MAX).read_to_end(&mut body).map_err(|e| no_answer(e.into()))?;
        Ok(Answer {
            status,
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// Certificates are checked against those that the system trusts, so that a company's own authority counts.
fn tls() -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

// ureq's own texts may hold the URL, which may hold a secret.
fn no_answer(error: Error) -> NoAnswer {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => NoAnswer::Forbidden(error.to_string()),
        Error::Io(error) => NoAnswer::Unreachable(error.to_string()),
        Error::Timeout(_) => NoAnswer::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())),
        Error::HostNotFound => NoAnswer::Unreachable("the host's name cannot be resolved".to_owned()),
        Error::ConnectionFailed => NoAnswer::Unreachable("the connection failed".to_owned()),
        Error::Tls(reason) => NoAnswer::Unreachable(format!("TLS: {reason}")),
        Error::Rustls(error) => NoAnswer::Unreachable(format!("TLS: {error}")),
        Error::Protocol(error) => NoAnswer::Unreachable(format!("what came back is no HTTP: {error}")),
        Error::BadUri(_) | Error::Http(_) => NoAnswer::Forbidden("the address cannot be called".to_owned()),
        _ => NoAnswer::Unreachable("the request failed".to_owned()),
    }
}

/// Resolves names, and lets nobody dial an address that is not allowed: the connection goes to the addresses that were
/// checked here, whatever the name stands for a moment later.
#[derive(Debug)]
struct Checked<R> {
    targets: Targets,
    names: R,
}

impl<R: Resolver> Resolver for Checked<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.names.resolve(uri, config, timeout)?;
        match self.targets.allow(addresses.iter().map(std::net::SocketAddr::ip)) {
            Ok(()) => Ok(addresses),
            Err(error) => Err(Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests;
