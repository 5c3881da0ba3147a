//! A database that takes connections and is silent: whoever asks it something is told in the end, and the rest goes on.

#![allow(clippy::unwrap_used, reason = "a test fails where this does")]

use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use logmon_store::db::{Database, DbError, PooledConnection};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use logmon_store::testing::{TestDatabase, settings};

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
