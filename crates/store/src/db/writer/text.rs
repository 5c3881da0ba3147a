//! The text of a group's transaction: many records in one statement, and their counts in another.
//!
//! Multi-row text stores more than twice as many rows a second as the query builder's prepared batches do, so this file
//! writes SQL by itself, and is the only one that does. A value becomes text in three ways only: a number by its
//! digits, a key or event id by the digits of its bytes, any other text by [`push_text`], which leaves no byte that could end a
//! literal. Everything else is a constant.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Timelike as _, Utc};
use logmon_core::app::AppId;
use logmon_core::log::{Attributes, EventId, Extra, Record, SpanId, TraceId};

use super::{Answer, Key};
use crate::db::log_counts::{hour, minute};

/// The statements that store `records` with their event ids and add to their counts. Their ids will be `step` apart.
pub(super) fn statements<'a>(records: impl Iterator<Item = &'a Record> + Clone, step: i64) -> String {
    let size: usize = records.clone().map(Record::size).sum();
    let mut sql = String::with_capacity(size + 1_024);
    push_statements(&mut sql, records, step);
    sql
}

/// Ends a transaction, as the last of its statements.
pub(super) const COMMIT: &str = ";COMMIT";

const INSERT_KEYS: &str =
    "INSERT INTO core_ingestkey (idempotency_key,body_hash,status,answer,created_at,origin) VALUES ";

/// Statements that keep keys with the answers to their requests, each of at most `room` bytes unless one row is larger.
pub(super) fn keys(answered: &[(&Key, Answer)], room: usize) -> Vec<String> {
    let (mut statements, mut sql) = (Vec::new(), String::new());
    for (key, answer) in answered {
        let mut row = String::with_capacity(answer.body.len() + 512);
        push_key(&mut row, key, answer);
        if !sql.is_empty() && sql.len() + 1 + row.len() > room {
            statements.push(std::mem::take(&mut sql));
        }
        sql.push_str(if sql.is_empty() { INSERT_KEYS } else { "," });
        sql.push_str(&row);
    }
    statements.extend(Some(sql).filter(|sql| !sql.is_empty()));
    statements
}

fn push_key(sql: &mut String, key: &Key, answer: &Answer) {
    sql.push_str("(x'");
    push_hex(sql, key.key.as_bytes());
    sql.push_str("',x'");
    push_hex(sql, &key.body_hash);
    push(sql, format_args!("',{},'", answer.status));
    push_text(sql, &answer.body);
    push(sql, format_args!("','{}','{}')", in_sql(key.created_at), key.origin.as_str()));
}

/// Statements that ask which of these keys are there, each of at most `room` bytes.
pub(super) fn taken_keys(wanted: &[&Key], room: usize) -> Vec<String> {
    // A key has at most 255 bytes.
    let at_once = (room / 1_024).max(1);
    let ask = |keys: &[&Key]| {
        let mut sql = String::from("SELECT idempotency_key FROM core_ingestkey WHERE idempotency_key IN (x'");
        for (number, key) in keys.iter().enumerate() {
            sql.push_str(if number > 0 { "',x'" } else { "" });
            push_hex(&mut sql, key.key.as_bytes());
        }
        sql.push_str("')");
        sql
    };
    wanted.chunks(at_once).map(ask).collect()
}

/// One record and its count, which [`WITHOUT_ONE`] takes back.
pub(super) fn one(record: &Record) -> String {
    let mut sql = String::from("SAVEPOINT logmon_one;");
    push_statements(&mut sql, std::iter::once(record), 1);
    sql
}

/// Takes back the record that [`one`] stored.
pub(super) const WITHOUT_ONE: &str = "ROLLBACK TO SAVEPOINT logmon_one";

fn push_statements<'a>(sql: &mut String, records: impl Iterator<Item = &'a Record> + Clone, step: i64) {
    let columns = Columns::of(records.clone());
    sql.push_str(match columns {
        Columns::Original => "INSERT INTO core_log (app_id,level,message,created_at) VALUES ",
        Columns::All => {
            "INSERT INTO core_log (app_id,level,message,created_at,attributes,trace_id,span_id,received_at,timestamp_clamped) VALUES "
        }
    });
    let mut minutes: BTreeMap<(AppId, &str, DateTime<Utc>), u64> = BTreeMap::new();
    let mut events: Vec<(AppId, &EventId, i64, DateTime<Utc>)> = Vec::new();
    let mut time = Time::default();
    for (number, record) in (0_i64..).zip(records) {
        if number > 0 {
            sql.push(',');
        }
        push_row(sql, record, columns, &mut time);
        if let Some(event_id) = &record.event_id {
            events.push((record.app, event_id, number * step, record.created_at));
        }
        *minutes.entry((record.app, record.level.as_str(), minute(record.created_at))).or_default() += 1;
    }
    push_events(sql, events);
    let mut hours: BTreeMap<(DateTime<Utc>, &str, AppId), u64> = BTreeMap::new();
    for ((app, level, minute), count) in &minutes {
        *hours.entry((hour(*minute), level, *app)).or_default() += count;
    }
    // All groups in the order of each table's key, so that no two wait for each other.
    let minutes = minutes.iter().map(|((app, level, minute), count)| (*app, *level, *minute, *count));
    push_counts(sql, ";INSERT INTO core_logcount (app_id,level,minute,count) VALUES ", minutes);
    let hours = hours.iter().map(|((hour, level, app), count)| (*app, *level, *hour, *count));
    push_counts(sql, ";INSERT INTO core_loghourcount (app_id,level,hour,count) VALUES ", hours);
}

/// How many logs an app has of a level since a moment, of each.
fn push_counts<'a>(sql: &mut String, insert: &str, counts: impl Iterator<Item = (AppId, &'a str, DateTime<Utc>, u64)>) {
    sql.push_str(insert);
    for (number, (app, level, since, count)) in counts.enumerate() {
        if number > 0 {
            sql.push(',');
        }
        push(sql, format_args!("({},'{level}','{}',{count})", app.0, in_sql(since)));
    }
    sql.push_str(" ON DUPLICATE KEY UPDATE count=count+VALUES(count)");
}

/// Event ids with their logs: how far its id lies from the first one of the statement before, and its time.
fn push_events(sql: &mut String, mut events: Vec<(AppId, &EventId, i64, DateTime<Utc>)>) {
    // In the order of the key, as the counts.
    events.sort_unstable();
    for (number, (app, event_id, distance, created_at)) in events.into_iter().enumerate() {
        sql.push_str(if number > 0 {
            ","
        } else {
            ";INSERT INTO core_logevent (app_id,event_id,log_id,created_at) VALUES "
        });
        push(sql, format_args!("({},x'", app.0));
        push_hex(sql, event_id.as_str().as_bytes());
        push(sql, format_args!("',LAST_INSERT_ID()+{distance},'{}')", in_sql(created_at)));
    }
}

/// How many event ids one statement asks for: so few that the server looks each of them up in the index.
const ASKED_AT_ONCE: usize = 500;

/// Statements that ask which of the records' event ids are known, in texts of at most `room` bytes; none when they have
/// none. Each row has an app, an event id, the id of the log, and its time in microseconds since 1970.
pub(super) fn known_events(records: &[&Record], room: usize) -> Vec<String> {
    let mut wanted: Vec<(AppId, &EventId)> =
        records.iter().filter_map(|record| Some((record.app, record.event_id.as_ref()?))).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (mut texts, mut sql, mut asked) = (Vec::new(), String::new(), None);
    for (app, event_id) in wanted {
        let is_full = sql.len() + 2 * event_id.as_str().len() + 256 > room;
        match asked {
            Some((of, count)) if of == app && count < ASKED_AT_ONCE && !is_full => {
                sql.push_str("',x'");
                asked = Some((app, count + 1));
            }
            _ => {
                if asked.is_some() {
                    sql.push_str("')");
                }
                if is_full && !sql.is_empty() {
                    texts.push(std::mem::take(&mut sql));
                }
                sql.push_str(if sql.is_empty() { "" } else { ";" });
                sql.push_str("SELECT app_id,event_id,log_id,TIMESTAMPDIFF(MICROSECOND,'1970-01-01',created_at) ");
                push(&mut sql, format_args!("FROM core_logevent WHERE app_id={} AND event_id IN (x'", app.0));
                asked = Some((app, 1));
            }
        }
        push_hex(&mut sql, event_id.as_str().as_bytes());
    }
    if asked.is_some() {
        sql.push_str("')");
        texts.push(sql);
    }
    texts
}

/// Which columns a statement names: a group in which no record carries more than the original's pays for no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    Original,
    All,
}

impl Columns {
    fn of<'a>(mut records: impl Iterator<Item = &'a Record>) -> Self {
        if records.any(|record| record.extra.is_some()) { Self::All } else { Self::Original }
    }
}

fn push_row(sql: &mut String, record: &Record, columns: Columns, time: &mut Time) {
    sql.push('(');
    sql.push_str(itoa::Buffer::new().format(record.app.0));
    sql.push_str(",'");
    sql.push_str(record.level.as_str());
    sql.push_str("','");
    push_text(sql, &record.message);
    sql.push_str("','");
    time.push(sql, record.created_at);
    sql.push('\'');
    if columns == Columns::All {
        match &record.extra {
            None => sql.push_str(",NULL,NULL,NULL,NULL,0"),
            Some(extra) => push_extra(sql, extra),
        }
    }
    sql.push(')');
}

fn push_extra(sql: &mut String, extra: &Extra) {
    let texts = [
        extra.attributes.as_ref().map(Attributes::as_str),
        extra.trace_id.as_ref().map(TraceId::as_str),
        extra.span_id.as_ref().map(SpanId::as_str),
    ];
    for text in texts {
        match text {
            None => sql.push_str(",NULL"),
            Some(text) => {
                sql.push_str(",'");
                push_text(sql, text);
                sql.push('\'');
            }
        }
    }
    match extra.received_at {
        None => sql.push_str(",NULL"),
        Some(time) => push(sql, format_args!(",'{}'", in_sql(time))),
    }
    sql.push_str(if extra.timestamp_clamped { ",1" } else { ",0" });
}

/// Writes times, of which those of a group mostly lie in the same minute: the minute is written out once.
#[derive(Default)]
struct Time {
    minute: Option<DateTime<Utc>>,
    text: String,
}

impl Time {
    fn push(&mut self, sql: &mut String, time: DateTime<Utc>) {
        let minute = minute(time);
        if self.minute != Some(minute) {
            (self.minute, self.text) = (Some(minute), minute.format("%Y-%m-%d %H:%M:").to_string());
        }
        sql.push_str(&self.text);
        push_digits(sql, time.second(), 2);
        sql.push('.');
        push_digits(sql, time.timestamp_subsec_micros(), 6);
    }
}

// Between single quotes, in a session whose charset is utf8mb4 and whose sql_mode has no NO_BACKSLASH_ESCAPES, only a
// quote and a backslash mean anything but themselves; no byte of a longer UTF-8 character is either. NUL and ^Z are
// written as MySQL's own escaping does.
fn push_text(sql: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| is_special(&byte)) {
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

/// Whether a byte cannot stand for itself in a literal.
pub(super) fn is_special(byte: &u8) -> bool {
    matches!(byte, b'\'' | b'\\' | b'\0' | 0x1a)
}

/// A number with zeros before it, so that it has `width` digits.
fn push_digits(sql: &mut String, number: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    sql.extend(std::iter::repeat_n('0', width.saturating_sub(digits.len())));
    sql.push_str(digits);
}

fn push_hex(sql: &mut String, bytes: &[u8]) {
    for byte in bytes {
        push(sql, format_args!("{byte:02x}"));
    }
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
    use logmon_core::log::Level;

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
    fn one_statement_for_the_rows_and_one_for_the_counts_of_each_kind_in_the_order_of_its_key() {
        let record = |app, level, second: i64| Record {
            app: AppId(app),
            level,
            message: "m".to_owned(),
            created_at: DateTime::from_timestamp(1_795_348_140 + second, 0).unwrap(),
            event_id: None,
            extra: None,
        };
        let records = [
            record(2, Level::Error, 0),
            record(1, Level::Info, 59),
            record(1, Level::Error, 3_600),
            record(2, Level::Error, 60),
            record(2, Level::Error, 1),
        ];
        let sql = statements(records.iter(), 1);
        assert_eq!(sql.matches("INSERT INTO").count(), 3);
        let counts = sql.split("core_logcount (app_id,level,minute,count) VALUES ").nth(1).unwrap();
        assert_eq!(
            counts,
            "(1,'ERROR','2026-11-22 12:49:00.000000',1),(1,'INFO','2026-11-22 11:49:00.000000',1),\
             (2,'ERROR','2026-11-22 11:49:00.000000',2),(2,'ERROR','2026-11-22 11:50:00.000000',1) \
             ON DUPLICATE KEY UPDATE count=count+VALUES(count);\
             INSERT INTO core_loghourcount (app_id,level,hour,count) VALUES (2,'ERROR','2026-11-22 11:00:00.000000',3),\
             (1,'INFO','2026-11-22 11:00:00.000000',1),(1,'ERROR','2026-11-22 12:00:00.000000',1) \
             ON DUPLICATE KEY UPDATE count=count+VALUES(count)"
        );
    }
}
