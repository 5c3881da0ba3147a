//! The migrations on an empty database, on one of ours, and on one that Django made.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::Text;
use logmon_store::db::migrations;
use logmon_store::testing::TestDatabase;

/// What Django 5.2 made of the original's models, with rows.
const DJANGO: &str = include_str!("data/django.sql");

fn today() -> NaiveDate {
    "2026-11-23".parse().unwrap()
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Every column and index of every table but the list of migrations.
fn schema(conn: &mut MysqlConnection) -> Vec<String> {
    diesel::sql_query(
        "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, column_default, extra, collation_name) AS line
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_\\_%'
         UNION ALL
         SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, non_unique) AS line
         FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_\\_%'
         UNION ALL
         SELECT CONCAT_WS(' ', table_name, constraint_name, constraint_type) AS line
         FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND table_name NOT LIKE '\\_\\_%'
         ORDER BY 1",
    )
    .load::<Line>(conn)
    .unwrap_or_else(|e| panic!("{e}"))
    .into_iter()
    .map(|line| line.line)
    .collect()
}

#[test]
fn a_second_run_changes_nothing() {
    let test = TestDatabase::empty();
    let mut conn = test.connect();
    let first = migrations::migrate(&mut conn, today(), |_| ()).unwrap();
    assert!(!first.run.is_empty() && first.adopted.is_empty());
    let after_first = schema(&mut conn);
    let second = migrations::migrate(&mut conn, today(), |_| ()).unwrap();
    assert_eq!(second, migrations::Report::default());
    assert_eq!(schema(&mut conn), after_first);
    assert_eq!(migrations::pending(&mut conn).unwrap(), 0);
}

#[test]
fn each_migration_can_be_taken_back_and_run_again() {
    let test = TestDatabase::empty();
    let mut conn = test.connect();
    let mut before = schema(&mut conn);
    while migrations::pending(&mut conn).unwrap() > 0 {
        let name = migrations::run_next(&mut conn).unwrap();
        let after = schema(&mut conn);
        assert_ne!(after, before, "{name} changes nothing");
        migrations::revert_last(&mut conn).unwrap();
        assert_eq!(schema(&mut conn), before, "the down.sql of {name} does not restore the schema");
        migrations::run_next(&mut conn).unwrap();
        assert_eq!(schema(&mut conn), after, "{name} gives another schema the second time");
        before = after;
    }
}

#[test]
fn a_migration_that_was_broken_off_goes_on() {
    let test = TestDatabase::empty();
    let mut conn = test.connect();
    let run_all = |conn: &mut MysqlConnection| {
        while migrations::pending(conn).unwrap() > 0 {
            migrations::run_next(conn).unwrap();
        }
    };
    run_all(&mut conn);
    let expected = schema(&mut conn);
    // As after a kill between each statement and its record.
    test.execute("DELETE FROM __diesel_schema_migrations");
    run_all(&mut conn);
    assert_eq!(schema(&mut conn), expected);
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let test = TestDatabase::empty();
    let runs: Vec<usize> = std::thread::scope(|scope| {
        let run = || migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap().run.len();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(runs.iter().filter(|run| **run > 0).count(), 1, "{runs:?}");
}

#[test]
fn djangos_rows_are_kept_and_django_goes_on_writing() {
    let test = TestDatabase::empty();
    test.execute(DJANGO);
    let counts = |test: &TestDatabase| {
        ["core_app", "core_log", "core_alert", "core_logsummary"]
            .map(|table| test.number(&format!("SELECT COUNT(*) FROM {table}")))
    };
    let before = counts(&test);
    assert!(before.iter().all(|count| *count > 0));
    let checksum = "SELECT SUM(CRC32(CONCAT_WS('|', id, level, message, created_at, app_id))) FROM core_log";
    let rows = test.number(checksum);

    let report = migrations::migrate(&mut test.connect(), today(), |_| ()).unwrap();
    assert_eq!(report.adopted.len(), 4);
    assert_eq!(counts(&test), before);
    assert_eq!(test.number(checksum), rows);

    // The statements that Django's ORM sends: the original columns and no others.
    test.execute(
        "INSERT INTO `core_app` (`name`, `owner`, `created_at`) VALUES ('new', 'o', NOW(6));
         INSERT INTO `core_log` (`app_id`, `level`, `message`, `created_at`) VALUES (1, 'ERROR', 'm', NOW(6));
         INSERT INTO `core_alert` (`app_id`, `content`, `is_resolved`, `created_at`) VALUES (1, 'c', 0, NOW(6));
         INSERT INTO `core_logsummary` (`app_id`, `info_count`, `warn_count`, `error_count`, `date`) VALUES (1, 1, 2, 3, '2026-11-22')",
    );
    assert_eq!(counts(&test), before.map(|count| count + 1));
}

/// Rules of every table, as `data` is to be found again years later.
#[test]
fn the_schema_keeps_the_rules() {
    let test = TestDatabase::new();
    for (rule, sql) in [
        (
            "every table has a primary key",
            "SELECT COUNT(*) FROM information_schema.tables t WHERE table_schema = DATABASE() AND NOT EXISTS
             (SELECT 1 FROM information_schema.table_constraints c WHERE c.table_schema = t.table_schema
              AND c.table_name = t.table_name AND constraint_type = 'PRIMARY KEY')",
        ),
        (
            "every time has microseconds",
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
             AND table_name LIKE 'core\\_%' AND data_type IN ('datetime', 'timestamp') AND column_type <> 'datetime(6)'",
        ),
        (
            "every text is utf8mb4",
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
             AND table_name LIKE 'core\\_%' AND character_set_name <> 'utf8mb4'",
        ),
        (
            "core_log has no foreign key",
            "SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = DATABASE()
             AND table_name = 'core_log' AND constraint_type = 'FOREIGN KEY'",
        ),
    ] {
        assert_eq!(test.number(sql), 0, "{rule}");
    }
}
