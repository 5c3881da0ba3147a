//! The writer on a real database: every log stored is counted, whoever else writes, fails or stands still.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::app::{AppId, NewApp};
use logmon_core::log::{Level, Record};
use logmon_store::db::verify::{self, Difference};
use logmon_store::db::writer::{Stored, WriteError, Writer};
use logmon_store::db::{apps, log_counts};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use logmon_store::testing::{TestDatabase, settings};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140 + second, 123_456_000).unwrap()
}

fn app(test: &TestDatabase, name: &str) -> AppId {
    let app = NewApp { name: name.to_owned(), owner: "o".to_owned() };
    apps::create(&mut test.connect(), &app, at(0)).unwrap().id
}

fn record(app: AppId, level: Level, second: i64) -> Record {
    Record {
        app,
        level,
        message: format!("it's {second} o'clock \\ 支付"),
        created_at: at(second),
        event_id: None,
        extra: None,
    }
}

type Heard = mpsc::Receiver<Result<Vec<Stored>, WriteError>>;

fn submit(writer: &Writer, records: Vec<Record>) -> Heard {
    let (told, heard) = mpsc::channel();
    // A test that is over hears nothing more.
    writer.submit(records, Instant::now() + PATIENCE, move |stored| drop(told.send(stored)));
    heard
}

fn store(writer: &Writer, records: Vec<Record>) -> Result<Vec<Stored>, WriteError> {
    submit(writer, records).recv_timeout(PATIENCE).unwrap()
}

fn differences(test: &TestDatabase) -> Vec<Difference> {
    let mut found = Vec::new();
    let all = DateTime::UNIX_EPOCH..at(1_000_000_000);
    let mut conn = test.connect();
    verify::differences(&mut conn, &all, |_, difference| {
        found.push(difference);
        Ok(())
    })
    .unwrap();
    found
}

fn rows(test: &TestDatabase) -> i64 {
    test.number("SELECT COUNT(*) FROM core_log")
}

#[test]
fn many_at_once_are_stored_and_counted_each_under_its_own_id() {
    let test = TestDatabase::new();
    let (shop, pay) = (app(&test, "shop"), app(&test, "pay"));
    let (test, writer) = (&test, test.writer());
    std::thread::scope(|scope| {
        for thread in 0..16_i64 {
            scope.spawn(move || {
                for n in 0..50 {
                    let second = (thread * 50 + n) % 300;
                    let count = usize::try_from(n % 4).unwrap() + 1;
                    let level = Level::ALL[usize::try_from(second % 3).unwrap()];
                    let records = vec![record(if n % 2 == 0 { shop } else { pay }, level, second); count];
                    let stored = store(writer, records).unwrap();
                    assert_eq!(stored.len(), count);
                    let Stored::Yes(id) = stored[count - 1] else { panic!("{stored:?}") };
                    let sql = format!("SELECT MICROSECOND(created_at) + TIMESTAMPDIFF(SECOND, '2026-11-22 11:49:00', created_at) FROM core_log WHERE id = {}", id.0);
                    assert_eq!(test.number(&sql), 123_456 + second);
                }
            });
        }
    });
    assert_eq!(rows(test), 16 * (12 * (1 + 2 + 3 + 4) + 1 + 2));
    assert_eq!(differences(test), []);
    let day = at(-3_540)..at(3_660);
    let day = log_counts::minute(day.start)..log_counts::minute(day.end);
    let of = |app| log_counts::of_app(&mut test.connect(), app, &day).unwrap();
    let counted: u64 = of(shop).iter().chain(&of(pay)).map(|(_, count)| count).sum();
    assert_eq!(i64::try_from(counted).unwrap(), rows(test));
}

#[test]
fn ids_are_right_on_a_node_that_counts_in_steps() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    // As Galera sets them; a session takes what is in force when it begins.
    test.execute("SET GLOBAL auto_increment_increment = 3, GLOBAL auto_increment_offset = 2");
    let writer = Writer::start(&settings(&test.url()));
    let stored = store(&writer, (0..2_500).map(|n| record(app, Level::Info, n)).collect());
    test.execute("SET GLOBAL auto_increment_increment = 1, GLOBAL auto_increment_offset = 1");
    for (n, stored) in stored.unwrap().iter().enumerate().step_by(97) {
        let Stored::Yes(id) = stored else { panic!("{stored:?}") };
        let sql = format!(
            "SELECT TIMESTAMPDIFF(SECOND, '2026-11-22 11:49:00', created_at) FROM core_log WHERE id = {}",
            id.0
        );
        assert_eq!(test.number(&sql), i64::try_from(n).unwrap());
    }
}

#[test]
fn a_record_that_is_refused_does_not_fail_its_neighbours() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    // What the database will not take.
    test.execute("ALTER TABLE core_log ADD CONSTRAINT short CHECK (CHAR_LENGTH(message) < 100)");
    let long = Record { message: "x".repeat(100), ..record(app, Level::Warn, 1) };
    let writer = test.writer();
    // Held up, so that all of them come together.
    let mut lock = test.session();
    lock.execute("LOCK TABLES core_log WRITE, core_logcount WRITE");
    let first = submit(writer, vec![record(app, Level::Info, 0)]);
    let second = submit(writer, vec![record(app, Level::Info, 0)]);
    let mixed = submit(
        writer,
        vec![record(app, Level::Warn, 0), long, record(AppId(999), Level::Warn, 0), record(app, Level::Warn, 2)],
    );
    let good = submit(writer, vec![record(app, Level::Error, 3)]);
    lock.execute("UNLOCK TABLES");
    for heard in [first, second, good] {
        assert!(matches!(heard.recv_timeout(PATIENCE).unwrap().unwrap()[..], [Stored::Yes(_)]));
    }
    let mixed = mixed.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(matches!(mixed[..], [Stored::Yes(_), Stored::Refused, Stored::UnknownApp, Stored::Yes(_)]), "{mixed:?}");
    assert_eq!(rows(&test), 5);
    assert_eq!(differences(&test), []);
}

#[test]
fn one_record_of_an_app_that_is_gone_costs_its_batch_nothing() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let mut records = vec![record(app, Level::Info, 0); 3_000];
    records[1_500].app = AppId(999);
    let stored = store(test.writer(), records).unwrap();
    let gone: Vec<_> = stored.iter().enumerate().filter(|(_, stored)| !matches!(stored, Stored::Yes(_))).collect();
    assert_eq!(gone, [(1_500, &Stored::UnknownApp)]);
    assert_eq!(rows(&test), 2_999);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_logcount"), 1);
    assert_eq!(differences(&test), []);
}

#[test]
fn a_locked_app_does_not_keep_the_others_from_being_stored() {
    let test = TestDatabase::new();
    let (locked, free) = (app(&test, "locked"), app(&test, "free"));
    let writer = test.writer();
    let mut lock = test.session();
    lock.execute(&format!("BEGIN; UPDATE core_app SET owner = owner WHERE id = {}", locked.0));
    let waiting: Vec<_> = (0..6).map(|n| submit(writer, vec![record([locked, free][n % 2], Level::Info, 0)])).collect();
    let heard: Vec<_> = waiting.iter().map(|heard| heard.recv_timeout(PATIENCE).unwrap()).collect();
    lock.execute("ROLLBACK");
    for (n, heard) in heard.iter().enumerate() {
        assert_eq!(heard.is_ok(), n % 2 == 1, "{n}: {heard:?}");
    }
    assert_eq!(rows(&test), 3, "what was refused was not stored either");
    assert_eq!(differences(&test), []);
}

#[test]
fn an_app_that_is_removed_takes_no_log_with_it_into_the_dark() {
    let test = TestDatabase::new();
    let (gone, stays) = (app(&test, "gone"), app(&test, "stays"));
    let writer = test.writer();
    let refused = std::thread::scope(|scope| {
        let storing = scope.spawn(|| {
            eventually("the app to be gone", || {
                let stored = store(writer, vec![record(gone, Level::Info, 0), record(stays, Level::Info, 0)]).unwrap();
                (stored[0] == Stored::UnknownApp).then_some(stored)
            })
        });
        eventually("some logs", || (rows(&test) > 10).then_some(()));
        assert!(apps::delete_with_rest(&mut test.connect(), gone).unwrap() > 0);
        storing.join().unwrap()
    });
    assert!(matches!(refused[1], Stored::Yes(_)));
    assert_eq!(test.number(&format!("SELECT COUNT(*) FROM core_log WHERE app_id = {}", gone.0)), 0);
    assert_eq!(differences(&test), []);
}

#[test]
fn what_others_write_is_found_and_counted_anew_while_logs_come_in() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let writer = test.writer();
    test.execute(&format!(
        "INSERT INTO core_log (app_id, level, message, created_at) VALUES
         ({0}, 'ERROR', 'django', '2026-11-22 11:49:30.000001'), ({0}, 'ERROR', 'django', '2026-11-22 11:49:59.999999'),
         ({0}, 'INFO', 'long ago', '2019-02-28 23:59:59'), (999, 'INFO', 'of nobody', '2026-11-22 11:49:30')",
        app.0
    ));
    store(writer, vec![record(app, Level::Error, 1); 3]).unwrap();
    test.execute("UPDATE core_logcount SET count = count + 1 WHERE level = 'ERROR'");
    let found = differences(&test);
    let numbers: Vec<_> = found.iter().map(|d| (d.level.as_str(), d.expected, d.counted)).collect();
    assert_eq!(numbers, [("INFO", 1, 0), ("ERROR", 5, 4), ("ERROR", 4, 3)]);
    std::thread::scope(|scope| {
        let storing = scope.spawn(|| {
            for _ in 0..100 {
                store(writer, vec![record(app, Level::Error, 1)]).unwrap();
            }
        });
        while !storing.is_finished() {
            for difference in &found {
                verify::recount(&mut test.connect(), &difference.range()).unwrap();
            }
        }
    });
    assert_eq!(differences(&test), []);
    test.execute("DELETE FROM core_log WHERE level = 'INFO'");
    assert_eq!(differences(&test).len(), 1);
    verify::recount(&mut test.connect(), &found[0].range()).unwrap();
    assert_eq!(differences(&test), []);
}

#[test]
fn a_silent_connection_does_not_stop_the_rest() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let (proxy, url) = Proxy::before(&test.url());
    let writer = Writer::start(&settings(&url));
    for _ in 0..4 {
        store(&writer, vec![record(app, Level::Info, 0)]).unwrap();
    }
    proxy.set(Weather::Silent);
    // Both threads, one after the other, wait for an answer to what was lost on the way.
    let lost: Vec<_> = (1..=2)
        .map(|count| {
            let heard = submit(&writer, vec![record(app, Level::Info, 0)]);
            eventually("a statement to be lost", || (proxy.lost() >= count).then_some(()));
            heard
        })
        .collect();
    proxy.set(Weather::Fair);
    let stored = eventually("another connection in the place of those", || {
        submit(&writer, vec![record(app, Level::Info, 1)]).recv_timeout(Duration::from_secs(5)).ok()
    });
    assert!(matches!(stored.unwrap()[..], [Stored::Yes(_)]));
    drop(lost);
    assert_eq!(differences(&test), []);
}

#[test]
fn whoever_stores_nothing_is_told_why_in_words() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let said = || {
        let stored = submit(test.writer(), vec![record(app, Level::Info, 0)]).recv_timeout(PATIENCE).unwrap();
        stored.unwrap_err().to_string()
    };
    let mut session = test.session();
    session.execute("LOCK TABLES core_log WRITE");
    assert_eq!(said(), "the database is unavailable: no answer within 3 s");
    session.execute("UNLOCK TABLES");
    test.execute(
        "CREATE TRIGGER full BEFORE INSERT ON core_log FOR EACH ROW
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'",
    );
    assert_eq!(said(), "the database is unavailable: ERROR 1114 (HY000): The table is full");
    let nowhere = Writer::start(&settings("mysql://u:p@127.0.0.1:1/d"));
    let refused = submit(&nowhere, vec![record(app, Level::Info, 0)]).recv_timeout(PATIENCE).unwrap();
    let refused = refused.unwrap_err().to_string();
    let expected = "the database is unavailable: Could not connect to address `127.0.0.1:1': Connection refused";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn what_waited_too_long_is_not_begun() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let (told, heard) = mpsc::channel();
    let past = Instant::now();
    test.writer().submit(vec![record(app, Level::Info, 0)], past, move |stored| told.send(stored).unwrap());
    assert!(matches!(heard.recv_timeout(PATIENCE).unwrap(), Err(WriteError::Unavailable(_))));
    assert_eq!(rows(&test), 0);
}
