//! What may be dialled, and what comes back.

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
