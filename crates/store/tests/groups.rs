//! Requests that share a transaction: with keys and without, and one that stands in the others' way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::app::{AppId, NewApp};
use logmon_core::log::{EventId, Level, Record};
use logmon_core::tasks::KeyOrigin;
use logmon_store::db::writer::{Answer, Key, Stored, WriteError, Writer};
use logmon_store::db::{apps, verify};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::{TestDatabase, settings};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140, 0).unwrap()
}

fn app(test: &TestDatabase, name: &str) -> AppId {
    let app = NewApp { name: name.to_owned(), owner: "o".to_owned() };
    apps::create(&mut test.connect(), &app, now()).unwrap().id
}

fn record(app: AppId, message: &str) -> Record {
    Record { app, level: Level::Error, message: message.to_owned(), created_at: now(), event_id: None, extra: None }
}

type Outcome = Result<Vec<Stored>, WriteError>;
type Heard = mpsc::Receiver<Outcome>;

fn submit(writer: &Writer, key: Option<&str>, records: Vec<Record>, deadline: Instant) -> Heard {
    let (told, heard) = mpsc::channel();
    // A test that is over hears nothing more.
    let reply = move |stored| drop(told.send(stored));
    match key {
        None => writer.submit(records, deadline, reply),
        Some(key) => {
            let key = Key { key: key.to_owned(), origin: KeyOrigin::Client, body_hash: [7; 32], created_at: now() };
            let answer = |stored: &[Stored]| Answer { status: 200, body: format!("{stored:?}") };
            writer.submit_once(key, records, Box::new(answer), deadline, reply);
        }
    }
    heard
}

fn hear(heard: &Heard) -> Outcome {
    heard.recv_timeout(PATIENCE).unwrap()
}

fn long() -> Instant {
    Instant::now() + PATIENCE
}

fn rows(test: &TestDatabase) -> i64 {
    test.number("SELECT COUNT(*) FROM core_log")
}

fn assert_counted(test: &TestDatabase) {
    let all = DateTime::UNIX_EPOCH..verify::END;
    verify::differences(&mut test.connect(), &all, |_, difference| panic!("{difference:?}")).unwrap();
}

/// How many rows of keys hold an answer that names the logs that were stored under it.
fn answered(test: &TestDatabase, key: &str, stored: &[Stored]) -> i64 {
    let answer = format!("{stored:?}");
    test.number(&format!("SELECT COUNT(*) FROM core_ingestkey WHERE idempotency_key = '{key}' AND answer = '{answer}'"))
}

#[test]
fn requests_with_keys_share_a_transaction_with_the_others() {
    const REQUESTS: usize = 40;
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    // What a transaction that keeps a key had as its first log: the same for all that share it.
    test.execute(
        "CREATE TABLE witness (first bigint NOT NULL);
         CREATE TRIGGER seen AFTER INSERT ON core_ingestkey FOR EACH ROW INSERT INTO witness VALUES (LAST_INSERT_ID())",
    );
    let writer = test.writer();
    // Held up, so that they come together.
    let mut lock = test.session();
    lock.execute("LOCK TABLES core_log WRITE");
    let keys: Vec<Option<String>> = (0..REQUESTS).map(|n| (n % 4 > 0).then(|| format!("k{}", n / 2))).collect();
    let waiting: Vec<Heard> =
        keys.iter().map(|key| submit(writer, key.as_deref(), vec![record(app, "m"); 2], long())).collect();
    lock.execute("UNLOCK TABLES");
    let mut stored_under: Vec<&str> = Vec::new();
    for (key, heard) in keys.iter().zip(&waiting) {
        match (key.as_deref(), hear(heard)) {
            (None, Ok(stored)) => assert!(matches!(stored[..], [Stored::Yes(_), Stored::Yes(_)]), "{stored:?}"),
            (Some(key), Ok(stored)) => {
                assert_eq!(answered(&test, key, &stored), 1, "{key}: {stored:?}");
                stored_under.push(key);
            }
            // Of two with the same key one is stored.
            (Some(key), Err(WriteError::KeyTaken)) => assert!(key.ends_with(['1', '3', '5', '7', '9']), "{key}"),
            other => panic!("{other:?}"),
        }
    }
    stored_under.sort_unstable();
    let stored = stored_under.len();
    stored_under.dedup();
    assert_eq!((stored, stored_under.len()), (REQUESTS / 2, REQUESTS / 2), "each key once");
    assert_eq!(rows(&test), 2 * i64::try_from(REQUESTS / 4 + stored).unwrap());
    // Each of the three threads has taken one at once, and then all that waited.
    assert!(test.number("SELECT COUNT(DISTINCT first) FROM witness") <= 4, "they did not share");
    assert_counted(&test);
}

#[test]
fn what_is_given_up_at_its_key_is_stored_at_the_next_attempt() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    test.execute("CREATE TABLE weight (id int NOT NULL PRIMARY KEY AUTO_INCREMENT, n int NOT NULL)");
    let writer = test.writer();
    assert!(hear(&submit(writer, None, vec![record(app, "first")], long())).is_ok());
    let weigh = "INSERT INTO weight (n) SELECT seq FROM seq_1_to_5000";
    let count = "UPDATE core_logcount SET count = count";
    let key =
        "INSERT INTO core_ingestkey (idempotency_key, body_hash, answer, created_at) VALUES ('k', x'', '', NOW(6))";
    let stored = eventually("a deadlock that ends well", || {
        let mut other = test.session();
        other.execute(&format!("BEGIN; {weigh}; {key}"));
        let heard = submit(writer, Some("k"), vec![record(app, "m")], long());
        // Not from innodb_trx, which is a copy that is not renewed while it is asked often.
        let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()
                     AND id <> CONNECTION_ID() AND info LIKE '%core_ingestkey%' AND time_ms > 50";
        let early = eventually("the writer to wait for the key", || {
            heard.try_recv().ok().map(Some).or_else(|| (test.number(waits) > 0).then_some(None))
        });
        // It waits for the key, and this for its counts; it has less to lose.
        other.execute(&format!("{count}; ROLLBACK"));
        // On a slow machine it has given up before: again.
        early.unwrap_or_else(|| hear(&heard)).ok()
    });
    assert!(matches!(stored[..], [Stored::Yes(_)]), "{stored:?}");
    assert_eq!((answered(&test, "k", &stored), rows(&test)), (1, 2));
    assert_counted(&test);
}

#[test]
fn apps_that_are_locked_are_waited_for_once_not_one_after_the_other() {
    const LOCKED: u32 = 30;
    const LOCK_WAIT: Duration = Duration::from_secs(1);
    let test = TestDatabase::new();
    let locked: Vec<AppId> = (0..LOCKED).map(|n| app(&test, &format!("locked {n}"))).collect();
    let free = app(&test, "free");
    let writer = test.writer();
    let mut lock = test.session();
    lock.execute("BEGIN");
    locked.iter().for_each(|app| lock.execute(&format!("SELECT id FROM core_app WHERE id = {} FOR UPDATE", app.0)));
    let soon = || Instant::now() + LOCK_WAIT * LOCKED / 2;
    for round in 0..2 {
        let waiting: Vec<(AppId, Heard)> = locked
            .iter()
            .chain([&free])
            .enumerate()
            .map(|(n, app)| {
                let key = format!("{round} {n}");
                (*app, submit(writer, (n % 2 == 0).then_some(&key), vec![record(*app, "m")], soon()))
            })
            .collect();
        for (app, heard) in waiting {
            let stored = hear(&heard);
            assert_eq!(stored.is_ok(), app == free, "{app:?}: {stored:?}");
        }
    }
    lock.execute("ROLLBACK");
    for app in locked {
        let stored = hear(&submit(writer, None, vec![record(app, "m")], long()));
        assert!(stored.is_ok(), "it is not found to be free: {stored:?}");
    }
    // One that is gone is not taken for one that is locked.
    let gone = hear(&submit(writer, None, vec![record(AppId(999_999), "m")], long()));
    assert_eq!(gone, Ok(vec![Stored::UnknownApp]));
    assert_counted(&test);
}

#[test]
fn whatever_became_of_a_request_no_transaction_is_left_open() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let event = |message: &str| Record { event_id: Some(EventId::new("e")), ..record(app, message) };
    let ask = |key, records| hear(&submit(test.writer(), key, records, long()));
    for records in [vec![record(app, "m")], vec![event("m")], vec![event("again")], vec![record(AppId(999_999), "m")]] {
        assert!(ask(None, records).is_ok());
    }
    assert!(ask(Some("k"), vec![record(app, "m")]).is_ok());
    assert_eq!(ask(Some("k"), vec![record(app, "m")]), Err(WriteError::KeyTaken));
    assert!(ask(Some("unused"), vec![event("again")]).is_ok());
    let mut lock = test.session();
    lock.execute(&format!("BEGIN; SELECT id FROM core_app WHERE id = {} FOR UPDATE", app.0));
    let locked = ask(None, vec![record(app, "m")]);
    assert!(matches!(locked, Err(WriteError::Unavailable(_))), "{locked:?}");
    lock.execute("ROLLBACK");
    let open = "SELECT COUNT(*) FROM information_schema.innodb_trx JOIN information_schema.processlist
                ON id = trx_mysql_thread_id WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    // What is told last is told after its transaction, but the server's view of it is a moment old.
    eventually("no open transaction", || (test.number(open) == 0).then_some(()));
    assert_counted(&test);
}

#[test]
fn each_request_of_a_group_has_its_own_deadline() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    test.execute("ALTER TABLE core_log ADD CONSTRAINT short CHECK (CHAR_LENGTH(message) < 100)");
    let mut lock = test.session();
    lock.execute("LOCK TABLES core_log WRITE");
    let deadline = Instant::now() + Duration::from_millis(300);
    let refused = "x".repeat(100);
    let late = submit(test.writer(), None, vec![record(app, "late"), record(app, &refused)], deadline);
    let patient = submit(test.writer(), None, vec![record(app, "patient")], long());
    eventually("the deadline", || (Instant::now() > deadline).then_some(()));
    lock.execute("UNLOCK TABLES");
    let late = hear(&late);
    assert!(matches!(late, Err(WriteError::Unavailable(_))), "{late:?}");
    assert!(hear(&patient).is_ok());
    assert_eq!(
        test.number("SELECT COUNT(*) FROM core_log WHERE message <> 'patient'"),
        0,
        "it was begun again too late"
    );
    assert_counted(&test);
}

#[test]
fn a_connection_that_the_server_ended_while_it_was_idle_is_replaced() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let writer = Writer::start(&settings(&test.url()));
    assert!(hear(&submit(&writer, None, vec![record(app, "m")], long())).is_ok());
    let since = Instant::now();
    let own = "SELECT MAX(id) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    test.execute(&format!("KILL {}", test.number(own)));
    // Not even then would it be taken for one in use.
    eventually("it to be idle", || (since.elapsed() > Duration::from_millis(1_500)).then_some(()));
    let stored = hear(&submit(&writer, None, vec![record(app, "m")], long()));
    assert!(stored.is_ok(), "{stored:?}");
    assert_eq!(rows(&test), 2);
}
