//! A database that takes connections and is silent: whoever asks it something is told in the end, and the rest goes on.

#![allow(clippy::unwrap_used, reason = "a test fails where this does")]

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use logmon_store::db::{Database, DbError, PooledConnection};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use logmon_store::testing::{TestDatabase, settings};
use nix::sys::socket::{
    Backlog, SockFlag, SockType, SockaddrIn6, SockaddrLike, UnixAddr, bind, connect, getsockname, listen, socket,
};

/// Runs `work` on a thread of its own and gives what it came to; fails where it comes to nothing.
fn in_the_end<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || told.send(work()));
    heard.recv_timeout(PATIENCE).unwrap()
}

fn ask(conn: &mut PooledConnection) -> Result<(), DbError> {
    Ok(conn.batch_execute("DO 1")?)
}

fn connected(database: &Database) -> PooledConnection {
    eventually("a connection", || database.get().ok())
}

#[test]
fn a_statement_that_gets_no_answer_ends_and_only_its_connection_is_given_up() {
    let test = TestDatabase::empty();
    let (proxy, url) = Proxy::before(&test.url());
    let database = Database::patient(&settings(&url), Duration::from_secs(1));
    let (mut stuck, mut idle) = (connected(&database), connected(&database));
    ask(&mut stuck).unwrap();
    proxy.set(Weather::Silent);
    let (asking, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let _heard = asking.send((ask(&mut stuck), stuck));
    });
    eventually("a lost question", || (proxy.lost() > 0).then_some(()));
    // The answer never comes, although others get theirs by now.
    proxy.set(Weather::Fair);
    ask(&mut idle).unwrap();
    let (answer, mut stuck) = answer.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(answer, Err(DbError::Unavailable(_))), "{answer:?}");
    assert!(ask(&mut stuck).is_err(), "there is nobody at the other end");
    drop(stuck);
    ask(&mut idle).unwrap();
    // The pool hands out another one in its place.
    let others: Vec<_> = (0..7).map(|_| connected(&database)).collect();
    for mut conn in others {
        ask(&mut conn).unwrap();
    }
}

#[test]
fn connecting_to_a_silent_database_ends() {
    let test = TestDatabase::empty();
    let (proxy, url) = Proxy::before(&test.url());
    let database = Database::new(&settings(&url));
    proxy.set(Weather::Silent);
    let outside = database.clone();
    assert!(matches!(in_the_end(move || outside.connect().map(drop)), Err(DbError::Unavailable(_))));
    let pool = database.clone();
    assert!(matches!(in_the_end(move || pool.get().map(drop)), Err(DbError::Unavailable(_))));
    proxy.set(Weather::Fair);
    ask(&mut connected(&database)).unwrap();
    database.connect().unwrap().batch_execute("DO 1").unwrap();
}

/// Listens there and never answers, with room for so many who wait.
fn listener(address: &dyn SockaddrLike, room: i32) -> OwnedFd {
    let listener = socket(address.family().unwrap(), SockType::Stream, SockFlag::empty(), None).unwrap();
    bind(listener.as_raw_fd(), address).unwrap();
    listen(&listener, Backlog::new(room).unwrap()).unwrap();
    listener
}

fn waiting(address: &dyn SockaddrLike) -> OwnedFd {
    let waiting = socket(address.family().unwrap(), SockType::Stream, SockFlag::empty(), None).unwrap();
    connect(waiting.as_raw_fd(), address).unwrap();
    waiting
}

/// Asks the database at this address for a connection, which it does not give.
fn ends_in_time(url: &str, what: &str) {
    let database = Database::new(&settings(url));
    let ended = in_the_end(move || database.connect().map(drop));
    assert!(matches!(ended, Err(DbError::Unavailable(_))), "{what}: {ended:?}");
}

#[test]
fn connecting_by_a_unix_socket_ends_too() {
    let folder = std::env::temp_dir().join(format!("logmon-silent-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let address = |name: &str| UnixAddr::new(&folder.join(name)).unwrap();
    let url = |name: &str| format!("mysql://u:p@localhost/d?unix_socket={}", folder.join(name).display());
    let _open = listener(&address("open"), 8);
    ends_in_time(&url("open"), "nobody answers");
    let _full = (listener(&address("full"), 0), waiting(&address("full")));
    ends_in_time(&url("full"), "nobody is let in");
    std::fs::remove_dir_all(folder).unwrap();
    // The one that answers is still found there.
    let test = TestDatabase::empty();
    let server = test.lines("SELECT @@datadir AS line UNION ALL SELECT @@socket").into_iter().collect::<PathBuf>();
    let url = format!("mysql://nobody:p@localhost/d?unix_socket={}", server.display());
    let refused = Database::new(&settings(&url)).connect().map(drop).unwrap_err().to_string();
    assert!(refused.contains("Access denied"), "{refused}");
}

#[test]
fn connecting_to_an_ipv6_address_ends_too() {
    let address = |listener: &OwnedFd| getsockname::<SockaddrIn6>(listener.as_raw_fd()).unwrap();
    let any = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0));
    let url = |listener: &OwnedFd| format!("mysql://u:p@[::1]:{}/d", address(listener).port());
    let open = listener(&any, 8);
    ends_in_time(&url(&open), "nobody answers");
    let full = listener(&any, 0);
    let _first = waiting(&address(&full));
    ends_in_time(&url(&full), "nobody is let in");
}

#[test]
fn a_server_that_works_for_too_long_ends_the_statement_itself() {
    let test = TestDatabase::empty();
    let database = Database::patient(&settings(&test.url()), Duration::from_secs(2));
    let mut conn = connected(&database);
    let long =
        "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c";
    let ended = in_the_end(move || {
        let counted = diesel::sql_query(long).execute(&mut conn).map_err(DbError::from);
        counted.map_err(|error| (error, ask(&mut conn)))
    });
    assert!(matches!(ended, Err((DbError::TooSlow, Ok(())))), "{ended:?}");
}
