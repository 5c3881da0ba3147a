//! A server that keeps what it is sent, and answers as a test says.

use std::sync::{Arc, Mutex, PoisonError};

use tiny_http::{Response, Server};

/// A request that a [`Receiver`] has got.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its path with the query.
    pub path: String,
    /// Its headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Received {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A server on this machine that keeps what it is sent.
pub struct Receiver {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
    server: Arc<Server>,
}

impl Receiver {
    /// Starts one. `answer` gives the status and the body of the answer to the nth request from 0 on.
    ///
    /// # Panics
    /// When there is no free port.
    #[expect(clippy::unwrap_used, reason = "for tests")]
    pub fn start(answer: impl Fn(usize, &Received) -> (u16, String) + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (listening, kept) = (Arc::clone(&server), Arc::clone(&received));
        std::thread::spawn(move || {
            for mut request in listening.incoming_requests() {
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let header = |header: &tiny_http::Header| {
                    (header.field.as_str().as_str().to_ascii_lowercase(), header.value.as_str().to_owned())
                };
                let headers = request.headers().iter().map(header).collect();
                let seen = Received { path: request.url().to_owned(), headers, body };
                let number = {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push(seen.clone());
                    kept.len() - 1
                };
                let (status, text) = answer(number, &seen);
                // Who asked may be dead by then.
                let _told = request.respond(Response::from_string(text).with_status_code(status));
            }
        });
        Self { address: server.server_addr().to_string(), received, server }
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was sent, the first request first.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.unblock();
    }
}
