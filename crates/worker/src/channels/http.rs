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
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Mutex;

    use logmon_store::testing::receiver::Receiver;

    use super::*;

    fn call(url: &str) -> Call {
        Call { url: url.to_owned(), headers: vec![], body: "{}".to_owned() }
    }

    /// Somebody who must not be dialled.
    struct Forbidden(TcpListener);

    impl Forbidden {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            Self(listener)
        }

        fn address(&self) -> SocketAddr {
            self.0.local_addr().unwrap()
        }

        fn was_not_dialled(&self, how: &str) {
            assert_eq!(self.0.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "{how} was dialled");
        }
    }

    /// Answers each question for a name with the next of these addresses.
    #[derive(Debug)]
    struct Names(Arc<Mutex<Vec<Vec<SocketAddr>>>>);

    impl Names {
        fn new(answers: &[&[SocketAddr]]) -> (Self, Arc<Mutex<Vec<Vec<SocketAddr>>>>) {
            let left = Arc::new(Mutex::new(answers.iter().rev().map(|answer| answer.to_vec()).collect()));
            (Self(Arc::clone(&left)), left)
        }
    }

    impl Resolver for Names {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            let answer = self.0.lock().unwrap().pop().ok_or(Error::HostNotFound)?;
            answer.into_iter().for_each(|address| addresses.push(address));
            Ok(addresses)
        }
    }

    #[test]
    fn an_address_that_is_not_public_is_not_dialled_whatever_its_name() {
        let forbidden = Forbidden::new();
        let port = forbidden.address().port();
        for host in [
            "127.0.0.1",
            "localhost",
            "[::ffff:127.0.0.1]",
            "[::1]",
            "0.0.0.0",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "169.254.169.254",
            "100.64.0.1",
            "[fd00::1]",
            "[fe80::1]",
            "[64:ff9b::7f00:1]",
        ] {
            for url in [format!("http://{host}:{port}/"), format!("https://{host}/")] {
                let answer = Http::new(Targets::Public).send(&call(&url));
                assert!(matches!(answer, Err(NoAnswer::Forbidden(_))), "{url}: {answer:?}");
                forbidden.was_not_dialled(host);
            }
        }
        // Public, but not what channels may reach.
        for url in ["http://8.8.8.8/", "https://8.8.8.8:6379/", "https://a@8.8.8.8/", "ftp://8.8.8.8/"] {
            let answer = Http::new(Targets::Public).send(&call(url));
            assert!(matches!(answer, Err(NoAnswer::Forbidden(_))), "{url}: {answer:?}");
        }
    }

    #[test]
    fn a_name_that_stands_for_our_own_address_when_it_is_dialled_is_not_dialled() {
        let forbidden = Forbidden::new();
        let public = "8.8.8.8:443".parse().unwrap();
        // As it was when the channel was saved is of no matter; nor is it of any use to name a public one as well.
        for answer in [vec![forbidden.address()], vec![public, forbidden.address()]] {
            let (names, left) = Names::new(&[&answer]);
            let answer = Http::with_names(Targets::Public, names).send(&call("https://rebound.example.com/"));
            assert!(matches!(&answer, Err(NoAnswer::Forbidden(why)) if why.contains("not public")), "{answer:?}");
            forbidden.was_not_dialled("a rebound name");
            assert!(left.lock().unwrap().is_empty());
        }
    }

    #[test]
    fn what_was_checked_is_dialled_and_the_name_is_asked_for_once() {
        let (receiver, forbidden) = (Receiver::start(|_, _| (200, "fine".to_owned())), Forbidden::new());
        let address = receiver.url("").trim_start_matches("http://").parse().unwrap();
        let (names, left) = Names::new(&[&[address], &[forbidden.address()]]);
        let answer = Http::with_names(Targets::Any, names).send(&call("http://rebound.example.com/hook")).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "fine"));
        assert_eq!(left.lock().unwrap().len(), 1, "the second answer was never asked for");
        forbidden.was_not_dialled("the second address");
    }

    #[test]
    fn a_redirect_is_not_followed_and_a_long_answer_is_cut() {
        let (target, moved) = (Receiver::start(|_, _| (200, String::new())), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = moved.local_addr().unwrap();
        let location = target.url("/internal");
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = moved.accept().unwrap();
            let _request = stream.read(&mut [0; 4_096]).unwrap();
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let http = Http::new(Targets::Any);
        assert_eq!(http.send(&call(&format!("http://{address}/"))).unwrap().status, 302);
        assert!(target.received().is_empty());
        let long = Receiver::start(|_, _| (200, "x".repeat(1_000_000)));
        assert_eq!(u64::try_from(http.send(&call(&long.url("/"))).unwrap().body.len()).unwrap(), ANSWER_MAX);
    }
}
