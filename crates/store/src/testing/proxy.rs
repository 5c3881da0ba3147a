//! A TCP proxy in front of a real server, with which a test takes the server away and gives it back.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// They go through.
    Fair,
    /// They are cut, and new ones with them.
    Cut,
    /// They stay, but nothing moves: a peer that is silent.
    Silent,
}

/// The proxy; it ends with the test's process.
#[derive(Clone)]
pub struct Proxy {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    weather: Weather,
    open: Vec<TcpStream>,
    lost: u64,
}

impl Proxy {
    /// A proxy to `server`, an address and port.
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("{e}"));
        let address = listener.local_addr().map(|a| a.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let shared = Arc::new(Mutex::new(Shared { weather: Weather::Fair, open: Vec::new(), lost: 0 }));
        let proxy = Self { address, shared };
        let (accepting, server) = (proxy.clone(), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(&client, &server);
            }
        });
        proxy
    }

    /// A proxy to the server that a URL names, and the URL that leads through it.
    pub fn before(url: &str) -> (Self, String) {
        let parsed = url::Url::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        let server = format!("{}:{}", parsed.host_str().unwrap_or_default(), parsed.port().unwrap_or_default());
        let proxy = Self::to(&server);
        let through = url.replace(&server, proxy.address());
        (proxy, through)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Changes what happens to connections, those that are open included.
    pub fn set(&self, weather: Weather) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.weather = weather;
        if weather == Weather::Cut {
            for stream in shared.open.drain(..) {
                // It may be gone already.
                let _gone = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// How many packets were lost while nothing moved.
    pub fn lost(&self) -> u64 {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    // What arrives while nothing moves is lost, as on a line that drops packets.
    fn loses(&self) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let loses = shared.weather == Weather::Silent;
        shared.lost += u64::from(loses);
        loses
    }

    fn weather(&self) -> Weather {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).weather
    }

    fn connect(&self, client: &TcpStream, server: &str) {
        if self.weather() == Weather::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(server) else { return };
        for (from, to) in [(client, &server), (&server, client)] {
            let (Ok(mut from), Ok(mut to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone()) else {
                return;
            };
            self.shared.lock().unwrap_or_else(PoisonError::into_inner).open.push(kept);
            let proxy = self.clone();
            thread::spawn(move || {
                let mut buffer = [0; 16_384];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    let moved = proxy.loses() || buffer.get(..count).is_some_and(|bytes| to.write_all(bytes).is_ok());
                    if !moved {
                        break;
                    }
                }
                let _gone = to.shutdown(Shutdown::Both);
            });
        }
    }
}
