//! Records with event ids on a real database: each is stored once, whoever else sends it, fails or removes it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Instant;

use chrono::{DateTime, Days, NaiveDate, Utc};
use logmon_core::app::{AppId, NewApp};
use logmon_core::log::{EventId, Level, LogId, Record};
use logmon_core::tasks::KeyOrigin;
use logmon_store::db::partitions::Dropped;
use logmon_store::db::writer::{Answer, Earlier, Key, Stored, WriteError, Writer};
use logmon_store::db::{apps, partitions, verify};
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::{TestDatabase, settings};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140 + second, 123_456_000).unwrap()
}

fn app(test: &TestDatabase, name: &str) -> AppId {
    let app = NewApp { name: name.to_owned(), owner: "o".to_owned() };
    apps::create(&mut test.connect(), &app, at(0)).unwrap().id
}

/// A record whose message is its event id, so that the two can be compared in the tables.
fn event(app: AppId, event_id: &str, second: i64) -> Record {
    let (message, event_id) = (event_id.to_owned(), Some(EventId::new(event_id)));
    Record { app, level: Level::Error, message, created_at: at(second), event_id, extra: None }
}

type Heard = mpsc::Receiver<Result<Vec<Stored>, WriteError>>;

fn submit(writer: &Writer, records: Vec<Record>) -> Heard {
    let (told, heard) = mpsc::channel();
    // A test that is over hears nothing more.
    writer.submit(records, Instant::now() + PATIENCE, move |stored| drop(told.send(stored)));
    heard
}

fn store(writer: &Writer, records: Vec<Record>) -> Vec<Stored> {
    submit(writer, records).recv_timeout(PATIENCE).unwrap().unwrap()
}

fn store_once(writer: &Writer, key: &str, records: Vec<Record>) -> Result<Vec<Stored>, WriteError> {
    let (told, heard) = mpsc::channel();
    let key = Key { key: key.to_owned(), origin: KeyOrigin::Client, body_hash: [7; 32], created_at: at(0) };
    let answer = |stored: &[Stored]| Answer { status: 200, body: format!("{}", stored.len()) };
    writer.submit_once(key, records, Box::new(answer), Instant::now() + PATIENCE, move |stored| {
        drop(told.send(stored));
    });
    heard.recv_timeout(PATIENCE).unwrap()
}

fn id(stored: Stored) -> LogId {
    match stored {
        Stored::Yes(id) | Stored::Before(Earlier { id, .. }) => id,
        Stored::UnknownApp | Stored::Refused | Stored::TooLarge => panic!("{stored:?}"),
    }
}

fn before(first: Stored, second: i64) -> Stored {
    Stored::Before(Earlier { id: id(first), created_at: at(second) })
}

const LOGS: &str = "SELECT COUNT(*) FROM core_log";
const EVENTS: &str = "SELECT COUNT(*) FROM core_logevent";

/// Every event id stands for one log, whose message it is; every log is counted.
fn assert_sound(test: &TestDatabase) {
    let own = "SELECT COUNT(*) FROM core_logevent e JOIN core_log l ON l.created_at = e.created_at AND l.id = e.log_id
               AND l.app_id = e.app_id AND CAST(l.message AS BINARY) = e.event_id";
    assert_eq!(test.number(own), test.number(EVENTS), "an event id leads to another log");
    let all = DateTime::UNIX_EPOCH..verify::END;
    verify::differences(&mut test.connect(), &all, |_, difference| panic!("{difference:?}")).unwrap();
}

#[test]
fn the_first_record_with_an_event_id_is_stored_and_named_to_the_others() {
    let test = TestDatabase::new();
    let (shop, pay) = (app(&test, "shop"), app(&test, "pay"));
    let writer = test.writer();
    let plain = Record { event_id: None, ..event(shop, "plain", 0) };
    let first = store(writer, vec![event(shop, "a", 0), plain.clone(), event(shop, "a", 1), event(pay, "a", 2), plain]);
    assert!([0, 1, 3, 4].iter().all(|n| matches!(first[*n], Stored::Yes(_))), "{first:?}");
    assert_eq!(first[2], before(first[0], 0), "within a request");
    // Told from one another byte by byte.
    let others = ["A", "a'", "a\\", "'),('", "支付", "🚨", "🚀", "é", "e\u{301}"];
    let second = store(writer, others.iter().map(|other| event(shop, other, 3)).chain([event(shop, "a", 4)]).collect());
    assert!(second[..others.len()].iter().all(|stored| matches!(stored, Stored::Yes(_))), "{second:?}");
    assert_eq!(second[others.len()], before(first[0], 0), "in another request");
    assert_eq!(store(writer, vec![event(pay, "a", 5)]), [before(first[3], 2)]);

    // Held up, so that they come in one group.
    let mut lock = test.session();
    lock.execute("LOCK TABLES core_log WRITE, core_logcount WRITE, core_logevent WRITE");
    let waiting: Vec<Heard> = (0..6).map(|n| submit(writer, vec![event(pay, "b", n), event(pay, "a", n)])).collect();
    lock.execute("UNLOCK TABLES");
    let heard: Vec<Vec<Stored>> =
        waiting.into_iter().map(|heard| heard.recv_timeout(PATIENCE).unwrap().unwrap()).collect();
    assert_eq!(heard.iter().filter(|stored| matches!(stored[0], Stored::Yes(_))).count(), 1, "{heard:?}");
    assert_eq!(heard.iter().map(|stored| id(stored[0])).collect::<BTreeSet<_>>().len(), 1, "{heard:?}");
    assert!(heard.iter().all(|stored| stored[1] == before(first[3], 2)), "{heard:?}");
    let events = i64::try_from(2 + others.len() + 1).unwrap();
    assert_eq!((test.number(EVENTS), test.number(LOGS)), (events, events + 2));
    assert_sound(&test);
}

#[test]
fn a_large_batch_is_known_to_the_last_record() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let batch = || (0..3_000).map(|n| event(app, &format!("{n}"), n)).collect::<Vec<_>>();
    // As Galera sets them; a session takes what is in force when it begins.
    test.execute("SET GLOBAL auto_increment_increment = 3, GLOBAL auto_increment_offset = 2");
    let writer = Writer::start(&settings(&test.url()));
    let first = store(&writer, batch());
    test.execute("SET GLOBAL auto_increment_increment = 1, GLOBAL auto_increment_offset = 1");
    let again = store(test.writer(), batch());
    for (n, (first, again)) in first.into_iter().zip(again).enumerate() {
        assert_eq!(again, before(first, i64::try_from(n).unwrap()));
    }
    assert_eq!((test.number(EVENTS), test.number(LOGS)), (3_000, 3_000));
    assert_sound(&test);
}

#[test]
fn writers_that_race_for_the_same_event_ids_store_each_once() {
    const ROUNDS: i64 = 40;
    const IDS: usize = 60;
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    // As many processes, each with threads of its own.
    let writers: Vec<Writer> = (0..3).map(|_| Writer::start(&settings(&test.url()))).collect();
    let told = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6_usize)
            .map(|client| {
                let writer = &writers[client % writers.len()];
                scope.spawn(move || {
                    let mut told = Vec::new();
                    for round in 0..ROUNDS {
                        let mut ids: Vec<String> = (0..IDS).map(|n| format!("{round}-{n}")).collect();
                        // Each in an order of its own, and some of them alone, some under a key.
                        ids.rotate_left(client * IDS / 6);
                        if client % 2 == 1 {
                            ids.reverse();
                        }
                        let records: Vec<Record> = ids.iter().map(|id| event(app, id, round)).collect();
                        let stored = match client {
                            0 => store_once(writer, &format!("{round}"), records).unwrap(),
                            1 => records.into_iter().flat_map(|record| store(writer, vec![record])).collect(),
                            _ => store(writer, records),
                        };
                        told.extend(ids.into_iter().zip(stored));
                    }
                    told
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let expected = usize::try_from(ROUNDS).unwrap() * IDS;
    assert_eq!(told.iter().filter(|(_, stored)| matches!(stored, Stored::Yes(_))).count(), expected);
    let pairs: BTreeSet<(&str, LogId)> = told.iter().map(|(event, stored)| (event.as_str(), id(*stored))).collect();
    assert_eq!(pairs.len(), expected, "somebody was told of another log");
    let expected = i64::try_from(expected).unwrap();
    assert_eq!((test.number(EVENTS), test.number(LOGS)), (expected, expected));
    assert_sound(&test);
}

#[test]
fn a_record_that_is_refused_does_not_use_its_event_id_up() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    test.execute("ALTER TABLE core_log ADD CONSTRAINT small CHECK (created_at < '2026-11-22 12:49:00')");
    let writer = test.writer();
    let first = store(writer, vec![event(app, "known", 0)]);
    let mixed = || {
        vec![
            event(app, "a", 0),
            event(app, "b", 3_600),
            event(app, "known", 1),
            event(AppId(999), "c", 0),
            event(app, "b", 1),
            event(app, "b", 2),
        ]
    };
    let expected = |stored: &[Stored]| match stored {
        [Stored::Yes(_), Stored::Refused, known, Stored::UnknownApp, b @ Stored::Yes(_), again] => {
            *known == before(first[0], 0) && *again == before(*b, 1)
        }
        _ => false,
    };
    let stored = store(writer, mixed());
    assert!(expected(&stored), "{stored:?}");
    assert_sound(&test);
    test.execute("DELETE FROM core_log WHERE message <> 'known'; DELETE FROM core_logevent WHERE event_id <> 'known'");
    test.execute("UPDATE core_logcount SET count = 1; UPDATE core_loghourcount SET count = 1");
    let stored = store_once(writer, "k", mixed()).unwrap();
    assert!(expected(&stored), "{stored:?}");
    assert_eq!((test.number(EVENTS), test.number(LOGS)), (3, 3));
    assert_sound(&test);
}

#[test]
fn a_key_is_kept_where_something_was_stored_under_it() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let writer = test.writer();
    let keys = || test.number("SELECT COUNT(*) FROM core_ingestkey");
    let first = store_once(writer, "k", vec![event(app, "a", 0), event(app, "b", 0), event(app, "a", 1)]).unwrap();
    assert_eq!((first[2], keys()), (before(first[0], 0), 1));
    assert_eq!(store_once(writer, "k", vec![event(app, "a", 2)]), Err(WriteError::KeyTaken));
    let all_known = store_once(writer, "l", vec![event(app, "b", 3), event(app, "a", 3)]).unwrap();
    assert_eq!((all_known, keys()), (vec![before(first[1], 0), before(first[0], 0)], 1));
    let some_known = store_once(writer, "l", vec![event(app, "b", 4), event(app, "c", 4)]).unwrap();
    assert_eq!((some_known[0], keys()), (before(first[1], 0), 2));
    assert_eq!(store_once(writer, "m", vec![event(AppId(999), "a", 0)]).unwrap(), [Stored::UnknownApp]);
    assert_eq!((keys(), test.number(LOGS)), (2, 3));
    assert_sound(&test);
}

#[test]
fn event_ids_go_with_their_logs() {
    let test = TestDatabase::new();
    let (gone, stays) = (app(&test, "gone"), app(&test, "stays"));
    let writer = test.writer();
    let day = 24 * 3_600;
    // A new table has partitions for days about today.
    let start = (today() - at(0).date_naive()).num_days() * day;
    let next = start + day;
    let first = store(writer, vec![event(gone, "a", start), event(stays, "a", start), event(stays, "b", next)]);
    assert!(apps::delete_with_rest(&mut test.connect(), gone).unwrap() > 0);
    assert_eq!(test.number(&format!("{EVENTS} WHERE app_id = {}", gone.0)), 0);
    assert_eq!(store(writer, vec![event(stays, "a", start + 1)]), [before(first[1], start)]);

    let mut conn = test.connect();
    let last = at(next).date_naive() + Days::new(3);
    partitions::make_until(&mut conn, last.max(today())).unwrap();
    assert_eq!(partitions::drop_oldest_before(&mut conn, at(next).date_naive()).unwrap(), Dropped::One);
    while partitions::drop_oldest_before(&mut conn, at(next).date_naive()).unwrap() == Dropped::One {}
    assert_eq!(test.number(LOGS), 1);
    assert_eq!(store(writer, vec![event(stays, "b", next + 1)]), [before(first[2], next)], "its log is kept");
    assert!(matches!(store(writer, vec![event(stays, "a", next + 2)])[..], [Stored::Yes(_)]), "its log is gone");
    assert_eq!((test.number(EVENTS), test.number(LOGS)), (2, 2));
    assert_sound(&test);
}

fn today() -> NaiveDate {
    use logmon_core::clock::{Clock as _, SystemClock};
    SystemClock.now().date_naive()
}
