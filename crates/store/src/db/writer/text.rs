//! The text of a group's transaction: many records in one statement, and their counts in another.
//!
//! Multi-row text stores more than twice as many rows a second as the query builder's prepared batches do, so this file
//! writes SQL by itself, and is the only one that does. A value becomes text in two ways only: a number by its digits,
//! a message by [`push_text`], which leaves no byte that could end a literal. Everything else is a constant.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::log::Level;

use super::Record;
use crate::db::log_counts::minute;

/// The transaction that stores `records` and adds to their counts.
pub(super) fn transaction<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> String {
    let size: usize = records.clone().map(|record| record.message.len() + ROW_SIZE).sum();
    let mut sql = String::with_capacity(size + 1_024);
    sql.push_str("BEGIN;INSERT INTO core_log (app_id,level,message,created_at) VALUES ");
    let mut counts: BTreeMap<(AppId, Level, DateTime<Utc>), u64> = BTreeMap::new();
    let mut time = (DateTime::<Utc>::MIN_UTC, String::new());
    for (number, record) in records.enumerate() {
        if number > 0 {
            sql.push(',');
        }
        // The records of a request share their time: it is written out once.
        if record.created_at != time.0 {
            time = (record.created_at, in_sql(record.created_at));
        }
        push_row(&mut sql, record, &time.1);
        *counts.entry((record.app, record.level, minute(record.created_at))).or_default() += 1;
    }
    sql.push_str(";INSERT INTO core_logcount (app_id,level,minute,count) VALUES ");
    // In the order of the key, so that two groups never wait for each other.
    for (number, ((app, level, minute), count)) in counts.iter().enumerate() {
        if number > 0 {
            sql.push(',');
        }
        push(&mut sql, format_args!("({},'{}','", app.0, level.as_str()));
        sql.push_str(&in_sql(*minute));
        push(&mut sql, format_args!("',{count})"));
    }
    sql.push_str(" ON DUPLICATE KEY UPDATE count=count+VALUES(count);COMMIT");
    sql
}

/// About how many bytes a row takes beside its message.
const ROW_SIZE: usize = 64;

fn push_row(sql: &mut String, record: &Record, time: &str) {
    push(sql, format_args!("({},'{}','", record.app.0, record.level.as_str()));
    push_text(sql, &record.message);
    sql.push_str("','");
    sql.push_str(time);
    sql.push_str("')");
}

// Between single quotes, in a session whose charset is utf8mb4 and whose sql_mode has no NO_BACKSLASH_ESCAPES, only a
// quote and a backslash mean anything but themselves; no byte of a longer UTF-8 character is either. NUL and ^Z are
// written as MySQL's own escaping does.
fn push_text(sql: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '\\', '\0', '\u{1a}']) {
        let (plain, special) = rest.split_at(at);
        sql.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('\0') => sql.push_str("\\0"),
            Some('\u{1a}') => sql.push_str("\\Z"),
            Some(c) => sql.extend(['\\', c]),
            None => {}
        }
        rest = chars.as_str();
    }
    sql.push_str(rest);
}

fn in_sql(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn push(sql: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let written = sql.write_fmt(arguments);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_inside_its_literal() {
        let mut sql = String::new();
        push_text(&mut sql, "a'b\\'; DROP TABLE x; -- \0\u{1a}支付\n\"");
        assert_eq!(sql, "a\\'b\\\\\\'; DROP TABLE x; -- \\0\\Z支付\n\"");
        // Read as the server does: after an escape any character is taken, and a bare quote never comes.
        let mut chars = sql.chars();
        while let Some(c) = chars.next() {
            assert_ne!(c, '\'');
            if c == '\\' {
                chars.next().unwrap();
            }
        }
    }

    #[test]
    fn one_statement_for_the_rows_and_one_for_the_counts() {
        let record = |app, second: i64| Record {
            app: AppId(app),
            level: Level::Error,
            message: "m".to_owned(),
            created_at: DateTime::from_timestamp(1_795_348_140 + second, 0).unwrap(),
        };
        let sql = transaction([record(2, 0), record(1, 59), record(2, 60), record(2, 1)].iter());
        assert_eq!(sql.matches("INSERT INTO").count(), 2);
        let counts = sql.split("core_logcount (app_id,level,minute,count) VALUES ").nth(1).unwrap();
        assert_eq!(
            counts,
            "(1,'ERROR','2026-11-22 11:49:00.000000',1),(2,'ERROR','2026-11-22 11:49:00.000000',2),\
             (2,'ERROR','2026-11-22 11:50:00.000000',1) ON DUPLICATE KEY UPDATE count=count+VALUES(count);COMMIT"
        );
    }
}
