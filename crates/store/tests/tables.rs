//! The queries of the tables on a real database, many at once where that matters.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::alert::{AlertChange, AlertEventKind, AlertFilter, AlertId, AlertState, Finding, Outcome, Said};
use logmon_core::app::{AppChange, AppId, NewApp};
use logmon_core::log::{Level, LogFilter, LogId, Order, Record};
use logmon_core::page::{Cursor, Page};
use logmon_core::summary::{LevelCounts, Summary};
use logmon_store::db::alerts::{Breach, Raised};
use logmon_store::db::apps::SaveAppError;
use logmon_store::db::evaluations::{By, Evaluation};
use logmon_store::db::log_summaries::SummaryFilter;
use logmon_store::db::logs::search;
use logmon_store::db::writer::Stored;
use logmon_store::db::{alert_events, alerts, apps, ingest_keys, log_counts, log_summaries, rules};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::{TestDatabase, connection_id};

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_795_348_188_000_000 + micros).unwrap()
}

fn app(test: &TestDatabase, name: &str) -> AppId {
    let app = NewApp { name: name.to_owned(), owner: "o".to_owned() };
    apps::create(&mut test.connect(), &app, at(0)).unwrap().id
}

fn log(app: AppId, level: Level, message: &str, time: i64) -> Record {
    Record { app, level, message: message.to_owned(), created_at: at(time), event_id: None, extra: None }
}

fn store(test: &TestDatabase, records: Vec<Record>) -> Vec<LogId> {
    let (told, heard) = std::sync::mpsc::channel();
    test.writer().submit(records, Instant::now() + PATIENCE, move |stored| told.send(stored).unwrap());
    let id = |stored| if let Stored::Yes(id) = stored { id } else { panic!("{stored:?}") };
    heard.recv().unwrap().unwrap().into_iter().map(id).collect()
}

const FIRST: Page = Page { limit: 100, after: None };
const LONG: Duration = Duration::from_secs(60);

#[test]
fn text_and_times_come_back_as_they_went_in() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let messages = ["支付超时 🚨 naïve", "\u{202e}\u{1b}[2J\r\n\t", "'; DROP TABLE core_log; --", &"x".repeat(100_000)];
    let ids = store(&test, messages.iter().map(|message| log(app, Level::Warn, message, 123_456)).collect());
    let mut stored =
        search::list(&mut test.connect(), &LogFilter::default(), Order::NewestFirst, FIRST, LONG).unwrap().logs;
    stored.reverse();
    assert_eq!(stored.iter().map(|log| log.id).collect::<Vec<_>>(), ids);
    assert_eq!(stored.iter().map(|log| log.message.as_str()).collect::<Vec<_>>(), messages);
    assert!(stored.iter().all(|log| log.created_at == at(123_456) && log.level == "WARN" && log.app == app));
}

#[test]
fn pages_show_every_row_once_while_rows_arrive() {
    let test = TestDatabase::new();
    let (shop, pay) = (app(&test, "shop"), app(&test, "pay"));
    let mut conn = test.connect();
    for n in 0..90_i64 {
        let level = Level::ALL[usize::try_from(n % 3).unwrap()];
        // Several rows a moment, so that a page ends between two of the same time.
        store(&test, vec![log(shop, level, "s", n / 5), log(pay, level, "p", n / 5)]);
    }
    for filter in [
        LogFilter::default(),
        LogFilter { apps: vec![shop], ..LogFilter::default() },
        LogFilter { apps: vec![shop, pay], levels: vec![Level::Error], ..LogFilter::default() },
        LogFilter { levels: vec![Level::Warn, Level::Info], ..LogFilter::default() },
    ] {
        let all = search::list(&mut conn, &filter, Order::NewestFirst, Page { limit: 1_000, after: None }, LONG)
            .unwrap()
            .logs;
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page =
                search::list(&mut conn, &filter, Order::NewestFirst, Page { limit: 7, after }, LONG).unwrap().logs;
            let Some(last) = page.last() else { break };
            after = Some(Cursor { created_at: last.created_at, id: last.id.0 });
            seen.extend(page);
            store(&test, vec![log(shop, Level::Error, "new", 1_000_000)]);
        }
        assert_eq!(seen, all, "{filter:?}");
    }
}

#[test]
fn one_name_is_given_once_however_many_ask() {
    let test = TestDatabase::new();
    let create = || {
        let app = NewApp { name: "same".to_owned(), owner: "o".to_owned() };
        apps::create(&mut test.connect(), &app, at(0))
    };
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(SaveAppError::NameTaken))), "{results:?}");
        results.iter().filter(|result| result.is_ok()).count()
    });
    assert_eq!(made, 1);
    let other = app(&test, "other");
    let taken = AppChange { name: Some("same".to_owned()), owner: None };
    assert!(matches!(apps::update(&mut test.connect(), other, &taken), Err(SaveAppError::NameTaken)));
    let own = AppChange { name: Some("other".to_owned()), owner: Some("you".to_owned()) };
    assert_eq!(apps::update(&mut test.connect(), other, &own).unwrap().unwrap().owner, "you");
    assert_eq!(apps::update(&mut test.connect(), AppId(999), &own).unwrap(), None);
}

fn not_resolved() -> AlertFilter {
    AlertFilter { states: vec![AlertState::Open, AlertState::Acknowledged], ..AlertFilter::default() }
}

#[test]
fn one_alert_is_raised_however_many_checks_run_at_once() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let rule = rules::to_evaluate(&mut test.connect()).unwrap().remove(0).rule;
    let raise = |app, end| {
        let window = at(end - 600_000_000)..at(end);
        let row = Evaluation {
            rule: rule.id,
            app,
            window: window.clone(),
            count: 101,
            threshold: 100,
            outcome: Outcome::Breached,
            is_late: false,
        };
        let finding = Finding {
            level: Some(Level::Error),
            window,
            count: 101,
            threshold: 100,
            first: None,
            last: None,
            patterns: Vec::new(),
            query: String::new(),
            is_late: false,
        };
        let breach = Breach { row, rule: &rule.says, content: "c".to_owned(), finding };
        let by = By { worker: "w".to_owned(), at: at(end), took: Duration::ZERO };
        alerts::raise(&mut test.connect(), &breach, &by).unwrap()
    };
    // Each has a window of its own, as those have that check at slightly different moments.
    let raised: Vec<AlertId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let raise = &raise;
                scope.spawn(move || raise(app, n))
            })
            .collect();
        let ids = threads.into_iter().map(|thread| thread.join().unwrap());
        ids.filter_map(|raised| if let Raised::New(id) = raised { Some(id) } else { None }).collect()
    });
    assert_eq!(raised.len(), 1);
    let mut conn = test.connect();
    assert_eq!(alerts::list(&mut conn, &not_resolved(), FIRST).unwrap().len(), 1);
    let first = alerts::resolve(&mut conn, raised[0], at(9)).unwrap().unwrap();
    assert_eq!(alerts::resolve(&mut conn, raised[0], at(10)).unwrap().unwrap(), first);
    assert!(alerts::list(&mut conn, &not_resolved(), FIRST).unwrap().is_empty());
    let events = alert_events::of_alert(&mut conn, raised[0]).unwrap();
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [AlertEventKind::Opened, AlertEventKind::Resolved]
    );
    assert_eq!(raise(app, 7), Raised::NotNeeded, "that window has had its alert");
    assert!(matches!(raise(app, 8), Raised::New(_)), "a resolved alert does not stand in the way of the next");
    assert_eq!(raise(AppId(999), 9), Raised::NotNeeded);
}

#[test]
fn an_alert_that_many_acknowledge_at_once_is_acknowledged_once() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    test.execute(&format!(
        "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at) VALUES (1, {}, 'c', FALSE, NOW(6))",
        app.0
    ));
    // They have all seen it open before one of them may change it.
    let mut holder = test.session();
    holder.execute(&format!("BEGIN; SELECT id FROM core_app WHERE id = {} FOR UPDATE", app.0));
    std::thread::scope(|scope| {
        for n in 0..4 {
            let test = &test;
            scope.spawn(move || {
                let said = Said { by: Some(format!("p{n}")), note: None };
                alerts::change(&mut test.connect(), AlertId(1), &AlertChange::Acknowledge, &said, at(n)).unwrap()
            });
        }
        eventually("all of them to wait", || (test.busy("core_app") == 4).then_some(()));
        holder.execute("COMMIT");
    });
    let events = alert_events::of_alert(&mut test.connect(), AlertId(1)).unwrap();
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [AlertEventKind::Acknowledged]);
    let by = test.lines("SELECT acknowledged_by AS line FROM core_alert");
    assert_eq!(events[0].actor.as_ref(), by.first(), "who says so is who did it");
}

#[test]
fn a_summary_replaces_what_was_there_however_many_write_it() {
    let test = TestDatabase::new();
    let app = app(&test, "shop");
    let (date, day) = (at(0).date_naive(), at(-3_600_000_000)..at(3_600_000_000));
    let day = log_counts::minute(day.start)..log_counts::minute(day.end);
    // What Django's task leaves behind when it runs twice.
    for _ in 0..2 {
        test.execute(&format!(
            "INSERT INTO core_logsummary (app_id, date, info_count, warn_count, error_count) VALUES ({}, '{date}', 9, 9, 9)",
            app.0
        ));
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                store(&test, vec![log(app, Level::Info, "i", 0), log(app, Level::Error, "e", 0)]);
                log_summaries::recount(&mut test.connect(), app, date, &day).unwrap();
            });
        }
    });
    let all = log_summaries::list(&mut test.connect(), &SummaryFilter::default(), FIRST).unwrap();
    let counts = LevelCounts { info: 8, warn: 0, error: 8 };
    let summaries: Vec<_> = all.into_iter().map(|(_, summary)| summary).collect();
    assert_eq!(summaries, [Summary { app, date, counts }], "the last one to count has counted everything");
}

#[test]
fn a_dead_connection_is_unavailable_and_the_next_one_works() {
    let test = TestDatabase::new();
    let mut conn = test.database.get().unwrap();
    let id = connection_id(&mut conn);
    test.execute(&format!("KILL {id}"));
    let error = apps::ids(&mut conn).unwrap_err();
    assert!(matches!(error, logmon_store::db::DbError::Unavailable(_)), "{error}");
    drop(conn);
    assert_eq!(apps::ids(&mut test.database.get().unwrap()).unwrap(), []);
}

#[test]
fn keys_are_forgotten_when_their_requests_cannot_come_again() {
    let test = TestDatabase::new();
    let hours = |hours: i64| at(hours * 3_600_000_000);
    let forget = |now: i64| {
        let mut conn = test.connect();
        ingest_keys::delete_of_clients(&mut conn, hours(now - 24)).unwrap();
        ingest_keys::delete_of_batches(&mut conn, hours(now)).unwrap();
        let left = |origin: &str| {
            let sql = "SELECT COALESCE(SUM(CAST(idempotency_key AS SIGNED)), 0) FROM core_ingestkey";
            test.number(&format!("{sql} WHERE origin = '{origin}'"))
        };
        (left("client"), left("batch"))
    };
    // A key is named after the hour in which it was made, and each is a power of two.
    let make = |origin: &str, hour: i64| {
        let time = hours(hour).format("%Y-%m-%d %H:%M:%S%.6f");
        let key = if origin == "batch" { format!("'{hour}'") } else { format!("'0{hour}'") };
        test.execute(&format!(
            "INSERT INTO core_ingestkey (idempotency_key, body_hash, answer, created_at, origin) VALUES ({key}, '', '', '{time}', '{origin}')"
        ));
    };
    for hour in [1, 2, 4, 8] {
        make("client", hour);
        make("batch", hour);
    }
    assert_eq!(forget(4), (15, 15), "the batch of hour 2 proves no more than hour 1");
    assert_eq!(forget(5), (15, 8 + 4), "that of hour 4 is an hour old, and was stored over an hour after those");
    assert_eq!(forget(8), (15, 8 + 4));
    assert_eq!(forget(26), (8 + 4 + 2, 8), "time without any worker is no time");
    assert_eq!(forget(1_000), (0, 8));
    make("batch", 1_000);
    assert_eq!(forget(1_000), (0, 1_008), "the first batch after that may be faster than what comes again");
    assert_eq!(forget(1_001), (0, 1_000));
}

#[test]
fn keys_that_are_kept_outlive_those_of_their_origin() {
    let test = TestDatabase::new();
    let mut conn = test.connect();
    let hours = |hours: i64| at(hours * 3_600_000_000);
    let time = hours(0).format("%Y-%m-%d %H:%M:%S%.6f");
    for (key, origin) in [("a", "client"), ("b", "batch"), ("c", "client")] {
        test.execute(&format!(
            "INSERT INTO core_ingestkey (idempotency_key, body_hash, answer, created_at, origin) VALUES ('{key}', '', '', '{time}', '{origin}')"
        ));
    }
    ingest_keys::keep(&mut conn, &["a", "b", "another"].map(str::to_owned), hours(3)).unwrap();
    ingest_keys::delete_of_clients(&mut conn, hours(100)).unwrap();
    ingest_keys::delete_of_batches(&mut conn, hours(100)).unwrap();
    let mut left = || ["a", "b", "c"].map(|key| ingest_keys::find(&mut conn, key).unwrap().is_some());
    assert_eq!(left(), [true, true, false]);
    for (hour, expected) in [(3, [true, true, false]), (4, [false; 3])] {
        ingest_keys::delete_of_buried(&mut test.connect(), hours(hour)).unwrap();
        assert_eq!(left(), expected);
    }
}
