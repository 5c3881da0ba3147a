//! A bound on how long the database may be silent, around connecting and around every statement.
//!
//! Diesel's client waits for an answer without end, and Diesel does not let its time-outs be set. So every connection is
//! made here: one thread a process watches the statements that run, and shuts down the socket of a connection whose
//! statement takes too long. That ends as any lost connection does, and whoever waited for it goes on.

use std::collections::{HashMap, HashSet};
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel::prelude::*;
use nix::sys::socket::{Shutdown, SockaddrIn, SockaddrIn6, SockaddrStorage, getpeername, shutdown};
use url::{Host, Url};

/// How long the server may take to say its first word, in seconds.
const CONNECT_SECONDS: u32 = 2;
/// How long connecting may take as a whole.
const CONNECT: Duration = Duration::from_secs(4);
/// How often is looked while statements run.
const LOOK: Duration = Duration::from_millis(250);

static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
    std::thread::spawn(watch);
    Watched::default()
});

/// One connects at a time, so that it is known whose socket a new one is.
static TURN: Mutex<()> = Mutex::new(());

/// The turn to connect to the database, until it is dropped.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a program that uses the database does last, with what it ends with.
///
/// It waits for whoever connects, a few seconds at most, and lets nobody connect any more. The client library is taken down with
/// the process, and a thread that connects just then would crash it.
pub fn ended(code: ExitCode) -> ExitCode {
    let _for_ever = ManuallyDrop::new(turn());
    code
}

/// Connects to the database at `url`. A statement that takes longer than `patience` ends as one whose connection is lost.
pub(crate) fn establish(url: &str, patience: Duration) -> ConnectionResult<MysqlConnection> {
    let _turn = turn();
    let before = sockets();
    let wanted = Url::parse(url).ok();
    let port = wanted.as_ref().and_then(Url::port).unwrap_or(3306);
    WATCHED.connecting(Some(Connecting { before: before.clone(), port, until: Instant::now() + CONNECT }));
    let connected = wanted.and_then(with_time_out).map_or_else(
        || MysqlConnection::establish(url),
        |bounded| match MysqlConnection::establish(bounded.as_str()) {
            // A client library that takes all of it for a name.
            Err(ConnectionError::BadConnection(text)) if text.contains("Unknown") => MysqlConnection::establish(url),
            connected => connected,
        },
    );
    WATCHED.connecting(None);
    let mut conn = connected?;
    let mut new = sockets().into_iter().filter(|socket| !before.contains(socket) && socket.leads_to(port));
    match (new.next(), new.next()) {
        (Some(socket), None) => conn.set_instrumentation(Bound { socket, patience }),
        _ => log::warn!("a connection to the database has no bound on how long it waits: its socket is not known"),
    }
    Ok(conn)
}

/// The address with a bound on connecting, in the words of libmariadb: what stands for the host may be a list of options.
/// `None` where that cannot be said, as with a host that is an IPv6 address: the watching thread ends that one.
fn with_time_out(mut url: Url) -> Option<Url> {
    let host = match url.host()? {
        Host::Domain(name) if !name.contains(';') => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        _ => return None,
    };
    url.set_host(Some(&format!("host={host};connect-timeout={CONNECT_SECONDS}"))).ok()?;
    Some(url)
}

/// A socket of this process: another one that gets its number later has another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Socket {
    fd: RawFd,
    inode: u64,
}

impl Socket {
    /// What an entry of `/proc/self/fd` is, when it is a socket.
    fn at(entry: &Path) -> Option<Self> {
        let fd = entry.file_name()?.to_str()?.parse().ok()?;
        let target = std::fs::read_link(entry).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some(Self { fd, inode })
    }

    /// Whether its other end may be the database: it has this port, or is a file. A pair of sockets within the process has no
    /// file.
    fn leads_to(&self, port: u16) -> bool {
        let Ok(peer) = getpeername::<SockaddrStorage>(self.fd) else { return false };
        let (v4, v6) = (peer.as_sockaddr_in().map(SockaddrIn::port), peer.as_sockaddr_in6().map(SockaddrIn6::port));
        peer.as_unix_addr().is_some_and(|peer| peer.path().is_some()) || v4.or(v6) == Some(port)
    }

    /// Whether it waits for this port to let it in: it has no other end yet.
    fn knocks_at(&self, port: u16) -> bool {
        ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
            .iter()
            .filter_map(|table| std::fs::read_to_string(table).ok())
            .any(|table| table.lines().any(|line| knocking(line) == Some((self.inode, port))))
    }

    /// Ends what is read and written there.
    fn shut_down(self) {
        if Self::at(Path::new(&format!("/proc/self/fd/{}", self.fd))) == Some(self) {
            // The other side may have been faster.
            let _gone = shutdown(self.fd, Shutdown::Both);
        }
    }
}

/// Which socket waits to be let in at which port, from a line of the kernel's table.
fn knocking(line: &str) -> Option<(u64, u16)> {
    const SYN_SENT: &str = "02";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, _, peer, SYN_SENT, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
    Some((inode.parse().ok()?, u16::from_str_radix(peer.rsplit(':').next()?, 16).ok()?))
}

fn sockets() -> HashSet<Socket> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return HashSet::new() };
    entries.flatten().filter_map(|entry| Socket::at(&entry.path())).collect()
}

/// Tells the watching thread when each statement of a connection begins and ends.
struct Bound {
    socket: Socket,
    patience: Duration,
}

impl Instrumentation for Bound {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => {
                // Without end, where that is beyond all time.
                if let Some(until) = Instant::now().checked_add(self.patience) {
                    WATCHED.begin(self.socket, until);
                }
            }
            InstrumentationEvent::FinishQuery { .. } => WATCHED.end(self.socket),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Watched {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: HashMap<Socket, Instant>,
    connecting: Option<Connecting>,
    watcher: Watcher,
}

/// Who is connecting: which sockets were there before, to which port, and until when.
struct Connecting {
    before: HashSet<Socket>,
    port: u16,
    until: Instant,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Watcher {
    #[default]
    Looking,
    Asleep,
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, socket: Socket, until: Instant) {
        let mut state = self.state();
        state.running.insert(socket, until);
        self.wake(&mut state);
    }

    fn end(&self, socket: Socket) {
        self.state().running.remove(&socket);
    }

    fn connecting(&self, connecting: Option<Connecting>) {
        let mut state = self.state();
        state.connecting = connecting;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.watcher) == Watcher::Asleep {
            self.changed.notify_one();
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.connecting.is_none()
    }

    /// Ends what has taken too long. Nobody closes one of these sockets meanwhile: its statement has to end first, and for
    /// that the lock is needed.
    fn cut(&mut self, now: Instant) {
        let late: Vec<Socket> =
            self.running.iter().filter(|(_, until)| **until <= now).map(|(socket, _)| *socket).collect();
        for socket in late {
            self.running.remove(&socket);
            log::warn!("the database did not answer in time: a connection is given up");
            socket.shut_down();
        }
        if let Some(connecting) = self.connecting.take_if(|connecting| connecting.until <= now) {
            let new = sockets().into_iter().filter(|socket| !connecting.before.contains(socket));
            new.filter(|socket| socket.leads_to(connecting.port) || socket.knocks_at(connecting.port))
                .for_each(Socket::shut_down);
        }
    }
}

fn watch() {
    let mut state = WATCHED.state();
    loop {
        state = if state.is_idle() {
            state.watcher = Watcher::Asleep;
            WATCHED.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
        } else {
            WATCHED.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0
        };
        state.cut(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn only_a_socket_to_a_port_or_a_file_may_lead_to_the_database() {
        let socket = |fd: RawFd| Socket::at(Path::new(&format!("/proc/self/fd/{fd}"))).unwrap();
        let pair = UnixStream::pair().unwrap();
        assert!(!socket(pair.0.as_raw_fd()).leads_to(3_306));
        let path = std::env::temp_dir().join(format!("logmon-guard-{}", std::process::id()));
        let file = UnixListener::bind(&path).unwrap();
        assert!(socket(UnixStream::connect(&path).unwrap().as_raw_fd()).leads_to(3_306));
        std::fs::remove_file(&path).unwrap();
        drop(file);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        assert!(socket(stream.as_raw_fd()).leads_to(address.port()));
        assert!(!socket(stream.as_raw_fd()).leads_to(address.port() ^ 1));
    }

    #[test]
    fn connecting_has_a_bound_wherever_libmariadb_lets_it_be_said() {
        for (url, expected) in [
            ("mysql://u:p%40@db:3307/x", Some("mysql://u:p%40@host=db;connect-timeout=2:3307/x")),
            ("mysql://u@127.0.0.1/x", Some("mysql://u@host=127.0.0.1;connect-timeout=2/x")),
            ("mysql://u@[::1]/x", None),
            (
                "mysql://u@localhost/x?unix_socket=/run/db",
                Some("mysql://u@host=localhost;connect-timeout=2/x?unix_socket=/run/db"),
            ),
        ] {
            let bounded = Url::parse(url).ok().and_then(with_time_out);
            assert_eq!(bounded.as_ref().map(Url::as_str), expected, "{url}");
        }
    }

    #[test]
    fn who_waits_to_be_let_in_is_read_from_the_kernels_table() {
        for (line, expected) in [
            (
                "   0: 0100007F:C35A 0100007F:0CEA 02 00000001:00000000 01:00000015 00000002     0        0 4711 2 0 800",
                Some((4_711, 3_306)),
            ),
            (
                "   1: 0100007F:C35A 0100007F:0CEA 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 20",
                None,
            ),
            ("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", None),
        ] {
            assert_eq!(knocking(line), expected, "{line}");
        }
    }
}
