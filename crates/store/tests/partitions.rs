//! `core_log` by day: a table is moved while others write to it, and days come and go.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use logmon_core::app::AppId;
use logmon_core::log::{EventId, Level, Record};
use logmon_store::db::partitions::{Dropped, Moved};
use logmon_store::db::verify::{self, Difference};
use logmon_store::db::{migrations, partitions};
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::{TestDatabase, connection_id};

/// What Django 5.2 made of the original's models, with rows.
const DJANGO: &str = include_str!("data/django.sql");

fn today() -> NaiveDate {
    "2026-11-23".parse().unwrap()
}

fn django() -> TestDatabase {
    let test = TestDatabase::empty();
    test.execute(DJANGO);
    test
}

/// As Django's ORM does it.
fn write(test: &TestDatabase, message: &str, time: &str) {
    test.execute(&format!(
        "INSERT INTO `core_log` (`app_id`, `level`, `message`, `created_at`) VALUES (1, 'ERROR', '{message}', '{time}')"
    ));
}

const CHECKSUM: &str = "SELECT SUM(CRC32(CONCAT_WS('|', id, level, message, created_at, app_id))) FROM core_log";

#[test]
fn a_table_with_rows_is_moved_with_nothing_lost() {
    let test = django();
    write(&test, "long ago", "2019-02-28 23:59:59.5");
    write(&test, "far ahead", "2031-01-01 00:00:00");
    let (count, checksum) = (test.number("SELECT COUNT(*) FROM core_log"), test.number(CHECKSUM));
    for _ in 0..2 {
        migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap();
        assert_eq!(test.number("SELECT COUNT(*) FROM core_log"), count);
        assert_eq!(test.number(CHECKSUM), checksum);
    }
    let left = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'core\\_log\\_%' ";
    assert_eq!(test.number(left), 0, "nothing is left of the move");
    assert_eq!(test.number("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"), 0);
    write(&test, "after", "2026-11-23 04:00:00");
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log PARTITION (p20261123) WHERE message = 'after'"), 1);
    assert!(test.number("SELECT MAX(id) FROM core_log WHERE message = 'after'") > count);
}

#[test]
fn what_is_written_changed_and_deleted_meanwhile_is_moved_too() {
    let test = django();
    // Enough rows that the move takes several chunks.
    test.execute("INSERT INTO core_log (app_id, level, message, created_at) SELECT 1, 'INFO', CONCAT('old ', seq), '2026-11-20 10:00:00' FROM seq_1_to_60000");
    let (moving, before) = (AtomicBool::new(true), test.number("SELECT COUNT(*) FROM core_log"));
    let (written, deleted) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut count = 0;
            while moving.load(Ordering::Acquire) || count < 10 {
                write(&test, "meanwhile", "2026-11-23 05:00:00");
                count += 1;
            }
            count
        });
        let changing = scope.spawn(|| {
            let mut count = 0;
            while moving.load(Ordering::Acquire) || count < 10 {
                let id = 1_000 + count * 40;
                // Of two that wait for each other the database breaks one off, which is repeated.
                let mut session = test.session();
                for sql in [
                    format!("DELETE FROM core_log WHERE id = {id}"),
                    format!("UPDATE core_log SET message = 'changed' WHERE id = {id} + 1"),
                ] {
                    while session.try_execute(&sql).is_err_and(|e| e.contains("Deadlock")) {}
                }
                count += 1;
            }
            count
        });
        migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap();
        moving.store(false, Ordering::Release);
        (writing.join().unwrap(), changing.join().unwrap())
    });
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log WHERE message = 'meanwhile'"), written);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log WHERE message = 'changed'"), deleted);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log"), before + written - deleted);
}

#[test]
fn two_at_once_move_a_table_once() {
    let test = django();
    test.execute("INSERT INTO core_log (app_id, level, message, created_at) SELECT 1, 'INFO', CONCAT('old ', seq), '2026-11-20 10:00:00' FROM seq_1_to_30000");
    let count = test.number("SELECT COUNT(*) FROM core_log");
    let moved: Vec<Moved> = std::thread::scope(|scope| {
        let migrate = || migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap().moved;
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(migrate)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(moved.iter().filter(|moved| **moved == Moved::Now).count(), 1, "{moved:?}");
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log"), count);
}

#[test]
fn a_move_that_was_broken_off_goes_on() {
    let test = django();
    test.execute("INSERT INTO core_log (app_id, level, message, created_at) SELECT 1, 'INFO', CONCAT('old ', seq), '2026-11-20 10:00:00' FROM seq_1_to_30000");
    let (count, checksum) = (test.number("SELECT COUNT(*) FROM core_log"), test.number(CHECKSUM));
    // Killed a hundred times, each time a little later.
    let mut attempts = 0;
    loop {
        let mut conn = test.connect();
        let id = connection_id(&mut conn);
        let over = std::thread::scope(|scope| {
            let moving = scope.spawn(move || migrations::migrate(&mut conn, today(), |_| ()).is_ok());
            let mut looks = 0;
            while !moving.is_finished() {
                looks += 1;
                if looks == attempts {
                    // It may have ended just now.
                    let killed =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test.execute(&format!("KILL {id}"))));
                    drop(killed);
                }
                test.number("SELECT 1");
            }
            moving.join().unwrap()
        });
        attempts += 1;
        if over && attempts > 3 {
            break;
        }
    }
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log"), count);
    assert_eq!(test.number(CHECKSUM), checksum);
    assert!(!partitions::list(&mut test.connect()).unwrap().is_empty());
}

#[test]
fn a_move_that_an_older_program_began_has_the_index_of_today() {
    let test = django();
    let mut conn = test.connect();
    while !migrations::run_next(&mut conn).unwrap().starts_with("20261124000020") {}
    test.execute(
        "CREATE TABLE core_log_moving LIKE core_log;
         ALTER TABLE core_log_moving DROP PRIMARY KEY, ADD PRIMARY KEY (created_at, id), ADD KEY core_log_id (id)
         PARTITION BY RANGE COLUMNS (created_at) (PARTITION p_future VALUES LESS THAN (MAXVALUE))",
    );
    assert_eq!(migrations::migrate(&mut conn, today(), |_| ()).unwrap().moved, Moved::Now);
    let columns = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()
                   AND table_name = 'core_log' AND index_name = 'core_log_app_level'";
    assert_eq!(test.number(columns), 4);
}

#[test]
fn days_come_and_go() {
    let test = django();
    let mut conn = test.connect();
    migrations::migrate(&mut conn, today(), |_| ()).unwrap();
    let list = partitions::list(&mut conn).unwrap();
    assert_eq!(list.last().unwrap().until, today() + Days::new(partitions::DAYS_AHEAD + 1));
    // Beyond the days that are made: kept, and in its own day once that is made.
    write(&test, "later", "2026-12-05 12:00:00");
    assert_eq!(partitions::make_until(&mut conn, today() + Days::new(20)).unwrap(), 13);
    assert_eq!(partitions::make_until(&mut conn, today() + Days::new(20)).unwrap(), 0);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log PARTITION (p20261205)"), 1);

    write(&test, "old", "2026-10-30 23:59:59.999999");
    write(&test, "young", "2026-10-31 00:00:00");
    test.execute("INSERT INTO core_logcount VALUES (1, 'ERROR', '2026-10-30 23:59:00', 1), (1, 'ERROR', '2026-10-31 00:00:00', 1)");
    let mut drop_one = || partitions::drop_oldest_before(&mut conn, "2026-10-31".parse().unwrap()).unwrap();
    assert_eq!(std::iter::repeat_with(&mut drop_one).take_while(|dropped| *dropped == Dropped::One).count(), 8);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log WHERE message = 'old'"), 0);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log WHERE message = 'young'"), 1);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_logcount WHERE minute < '2026-11-01'"), 1);
    write(&test, "late", "2026-10-01 00:00:00");
    assert_eq!(
        test.number("SELECT COUNT(*) FROM core_log WHERE message = 'late'"),
        1,
        "no log is refused for its time"
    );
}

/// Stores one log for an hour of a day, through the writer.
fn store(test: &TestDatabase, time: DateTime<Utc>, event_id: &str) {
    let (told, heard) = mpsc::channel();
    let (message, event_id) = (event_id.to_owned(), Some(EventId::new(event_id)));
    let record = Record { app: AppId(1), level: Level::Info, message, created_at: time, event_id, extra: None };
    test.writer().submit(vec![record], Instant::now() + PATIENCE, move |stored| told.send(stored).unwrap());
    heard.recv_timeout(PATIENCE).unwrap().unwrap();
}

fn differences(test: &TestDatabase) -> Vec<Difference> {
    let mut found = Vec::new();
    let all = DateTime::UNIX_EPOCH..verify::END;
    verify::differences(&mut test.connect(), &all, |_, difference| {
        found.push(difference);
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn a_day_whose_drop_was_broken_off_leaves_nothing_of_it() {
    let test = TestDatabase::empty();
    migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap();
    test.execute("INSERT INTO core_app (name, owner, created_at) VALUES ('a', 'o', NOW())");
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc();
    let first = today() - Days::new(25);
    let old = || (1..=5).map(|days| midnight(first - Days::new(days)));
    for day in old() {
        for hour in 0..24 {
            store(&test, day + TimeDelta::hours(hour), &format!("{day} {hour}"));
        }
    }
    store(&test, midnight(first), "young");
    let mut broken_off = 0;
    // Broken off a hundred times, each time a little later, while logs of these days still come.
    for looks in 0.. {
        let mut conn = test.connect();
        let id = connection_id(&mut conn);
        let dropped = std::thread::scope(|scope| {
            let dropping = scope.spawn(move || partitions::drop_oldest_before(&mut conn, first));
            for _ in 0..looks {
                test.number("SELECT 1");
            }
            if !dropping.is_finished() {
                // It may have ended just now.
                let mut session = test.session();
                drop(session.try_execute(&format!("KILL {id}")));
            }
            store(&test, midnight(first - Days::new(5)) + TimeDelta::seconds(looks), &format!("late {looks}"));
            dropping.join().unwrap()
        });
        match dropped {
            Ok(Dropped::None) => break,
            Ok(Dropped::One) => {}
            Err(_) => broken_off += 1,
        }
        assert!(looks < 500, "it never comes to its end");
    }
    assert!(broken_off > 5, "{broken_off}");
    assert_eq!(differences(&test), []);
    // What came after the day was gone is kept, and everything before is gone.
    let late = test.number("SELECT COUNT(*) FROM core_log WHERE message LIKE 'late%'");
    assert_eq!(test.number("SELECT COUNT(*) FROM core_log"), 1 + late);
    let of_the_gone = "SELECT COUNT(*) FROM core_logevent WHERE NOT EXISTS (
                         SELECT 1 FROM core_log l WHERE l.created_at = core_logevent.created_at AND l.id = log_id)";
    assert_eq!((test.number("SELECT COUNT(*) FROM core_logevent"), test.number(of_the_gone)), (1 + late, 0));
    assert_eq!(test.number("SELECT SUM(count) FROM core_logcount"), 1 + late);
    assert_eq!(test.number("SELECT COUNT(*) FROM core_logdrop"), 0);
}
