//! Requests that are larger than what the database takes at once. In a program of its own, because the limit is the
//! whole server's.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::mpsc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use logmon_core::app::{AppId, NewApp};
use logmon_core::log::{EventId, Level, Record};
use logmon_core::tasks::KeyOrigin;
use logmon_store::db::writer::{Answer, Key, Stored, WriteError, Writer};
use logmon_store::db::{apps, verify};
use logmon_store::testing::TestDatabase;
use logmon_store::testing::process::PATIENCE;

const LIMIT: usize = 64 * 1024;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140 + second, 0).unwrap()
}

fn record(app: AppId, message: String) -> Record {
    Record { app, level: Level::Warn, message, created_at: at(0), event_id: None, extra: None }
}

fn store(writer: &Writer, records: Vec<Record>) -> Vec<Stored> {
    let (told, heard) = mpsc::channel();
    writer.submit(records, Instant::now() + PATIENCE, move |stored| drop(told.send(stored)));
    heard.recv_timeout(PATIENCE).unwrap().unwrap()
}

fn store_once(writer: &Writer, records: Vec<Record>, answer: usize) -> Result<Vec<Stored>, WriteError> {
    let (told, heard) = mpsc::channel();
    let key = Key { key: "k".to_owned(), origin: KeyOrigin::Client, body_hash: [7; 32], created_at: at(0) };
    let answer = move |_: &[Stored]| Answer { status: 200, body: "a".repeat(answer) };
    let deadline = Instant::now() + PATIENCE;
    writer.submit_once(key, records, Box::new(answer), deadline, move |stored| drop(told.send(stored)));
    heard.recv_timeout(PATIENCE).unwrap()
}

/// The limit is set back when the test is over, however it ends.
struct Small<'a>(&'a TestDatabase, i64);

impl<'a> Small<'a> {
    fn new(test: &'a TestDatabase) -> Self {
        let before = test.number("SELECT @@GLOBAL.max_allowed_packet");
        test.execute(&format!("SET GLOBAL max_allowed_packet = {LIMIT}"));
        Self(test, before)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        self.0.execute(&format!("SET GLOBAL max_allowed_packet = {}", self.1));
    }
}

#[test]
fn a_request_is_stored_in_parts_and_a_record_that_no_part_holds_is_named() {
    let test = TestDatabase::new();
    let app =
        apps::create(&mut test.connect(), &NewApp { name: "a".to_owned(), owner: "o".to_owned() }, at(0)).unwrap().id;
    let _small = Small::new(&test);
    let writer = test.writer();
    let rows = || test.number("SELECT COUNT(*) FROM core_log");

    // In parts, of one transaction: what the last of them cannot do takes all of them back.
    let batch = |from: usize| {
        let text = |n: usize| format!("{n}{}", "'\\x".repeat(n % 400));
        let event = |n: usize| Some(EventId::new(&format!("{n}")));
        (from..from + 600).map(|n| Record { event_id: event(n), ..record(app, text(n)) }).collect::<Vec<_>>()
    };
    let is_stored_as_said = |stored: &[Stored], from: usize| {
        for (n, stored) in (from..).zip(stored).step_by(53) {
            let Stored::Yes(id) = stored else { panic!("{n}: {stored:?}") };
            let message = format!("SELECT CAST(message AS UNSIGNED) FROM core_log WHERE id = {}", id.0);
            assert_eq!(test.number(&message), i64::try_from(n).unwrap());
            let event = format!("SELECT log_id FROM core_logevent WHERE event_id = '{n}'");
            assert_eq!(test.number(&event), id.0);
        }
    };
    let size: usize = batch(0).iter().map(Record::size).sum();
    assert!(size > 4 * LIMIT);
    assert_eq!(store_once(writer, batch(0), 2 * LIMIT), Err(WriteError::AnswerTooLarge));
    assert_eq!((rows(), test.number("SELECT COUNT(*) FROM core_logcount")), (0, 0));
    let stored = store_once(writer, batch(0), LIMIT / 2).unwrap();
    is_stored_as_said(&stored, 0);
    assert_eq!(store_once(writer, batch(0), 1), Err(WriteError::KeyTaken));
    is_stored_as_said(&store(writer, batch(1_000)), 1_000);
    assert!(store(writer, batch(0)).iter().all(|stored| matches!(stored, Stored::Before(_))));
    assert_eq!(rows(), 1_200);

    // A record that is too large takes nobody with it, also not where another one is refused.
    let large = record(app, "x".repeat(LIMIT));
    let stored = store(writer, vec![record(app, "a".to_owned()), large.clone(), record(app, "b".to_owned())]);
    assert!(matches!(stored[..], [Stored::Yes(_), Stored::TooLarge, Stored::Yes(_)]), "{stored:?}");
    test.execute("ALTER TABLE core_log ADD CONSTRAINT mine CHECK (message <> 'refused')");
    let stored = store(writer, vec![record(app, "refused".to_owned()), large, record(app, "c".to_owned())]);
    assert!(matches!(stored[..], [Stored::Refused, Stored::TooLarge, Stored::Yes(_)]), "{stored:?}");

    // Up to the limit and past it, byte by byte: each is stored or named, and none ends the connection.
    for quote in ["", "'"] {
        let mut is_large = false;
        for length in (LIMIT - 1_800..LIMIT - 900).step_by(17) {
            let message = quote.repeat(40) + &"x".repeat(length - 80 * quote.len());
            match store(writer, vec![record(app, message)])[..] {
                [Stored::Yes(_)] => assert!(!is_large, "{length}"),
                [Stored::TooLarge] => is_large = true,
                ref stored => panic!("{length}: {stored:?}"),
            }
        }
        assert!(is_large);
    }
    verify::differences(&mut test.connect(), &(DateTime::UNIX_EPOCH..verify::END), |_, found| panic!("{found:?}"))
        .unwrap();
}
