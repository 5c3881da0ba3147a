//! `core_log` by day: moving a table to partitions while others write to it, making the coming days', dropping old ones.
//!
//! A day is one in UTC; its partition is named after it. The newest partition takes whatever lies beyond the days that
//! were made, the oldest whatever lies before: no log is ever refused for its time.

use chrono::{Days, NaiveDate, NaiveDateTime};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use super::schema::{core_log, core_logdrop};
use super::{Connection, DbError, log_events, number, transaction, utc, verify};

/// How many coming days have a partition.
pub const DAYS_AHEAD: u64 = 7;
/// How many past days get one of their own when a table is moved; what is older shares one.
const DAYS_BACK: u64 = 31;
/// A table with fewer rows is small.
const SMALL: i64 = 10_000;
/// How many rows are moved at a time.
const CHUNK: i64 = 1_000;
const COLUMNS: &str =
    "id, level, message, created_at, app_id, attributes, trace_id, span_id, received_at, timestamp_clamped";

/// A partition of `core_log` that holds one day, and the oldest one everything before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    name: String,
    /// The first day that it does not hold.
    pub until: NaiveDate,
}

/// Whether a table was moved to partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Moved {
    /// It was partitioned already.
    #[default]
    Before,
    /// It is now.
    Now,
}

/// Moves `core_log` to partitions; `said` hears how far it is.
///
/// A small table is changed where it stands, which keeps its writers waiting for a moment. A larger one may be broken off at any moment and called again, and logs may be written, changed and deleted meanwhile. Does nothing when the table is partitioned already.
///
/// # Errors
/// See [`DbError`].
pub(super) fn adopt(conn: &mut Connection, today: NaiveDate, said: &mut impl FnMut(&str)) -> Result<Moved, DbError> {
    let moved = if is_partitioned(conn, "core_log")? {
        Moved::Before
    } else if is_small(conn)? && !has_table(conn, "core_log_moving")? {
        let alter = partitioning(conn, "core_log", today)?;
        change(conn, &alter)?;
        Moved::Now
    } else {
        prepare(conn, today)?;
        copy(conn, said)?;
        // In one step, so that there is a core_log at every moment; the triggers stay with the old one.
        conn.batch_execute("RENAME TABLE core_log TO core_log_old, core_log_moving TO core_log")?;
        Moved::Now
    };
    conn.batch_execute("DROP TABLE IF EXISTS core_log_moved; DROP TABLE IF EXISTS core_log_old")?;
    if moved == Moved::Now {
        said("core_log is partitioned by day");
    }
    Ok(moved)
}

/// Whether changing the table where it stands takes no more than a moment. Django's has a foreign key, with which it
/// cannot be changed so.
fn is_small(conn: &mut Connection) -> Result<bool, DbError> {
    let keys = "SELECT COUNT(*) AS value FROM information_schema.table_constraints
                WHERE table_schema = DATABASE() AND table_name = 'core_log' AND constraint_type = 'FOREIGN KEY'";
    if number(conn, keys)? > 0 {
        return Ok(false);
    }
    let sql = format!("SELECT COUNT(*) AS value FROM (SELECT 1 FROM core_log LIMIT {SMALL}) AS some");
    Ok(number(conn, &sql)? < SMALL)
}

/// Makes the new table, empty, and the triggers that write to it whatever is written to the old one.
fn prepare(conn: &mut Connection, today: NaiveDate) -> Result<(), DbError> {
    if !is_partitioned(conn, "core_log_moving")? {
        conn.batch_execute("DROP TABLE IF EXISTS core_log_moving; CREATE TABLE core_log_moving LIKE core_log")?;
        let alter = partitioning(conn, "core_log_moving", today)?;
        conn.batch_execute(&alter)?;
    }
    // Creating a trigger waits for every transaction that is at work on the table, so none slips through.
    let values = COLUMNS.split(", ").map(|column| format!("NEW.{column}")).collect::<Vec<_>>().join(", ");
    for event in ["INSERT", "UPDATE"] {
        conn.batch_execute(&format!(
            "CREATE TRIGGER IF NOT EXISTS core_log_moving_{event} AFTER {event} ON core_log FOR EACH ROW
             REPLACE INTO core_log_moving ({COLUMNS}) VALUES ({values})"
        ))?;
    }
    conn.batch_execute(
        "CREATE TRIGGER IF NOT EXISTS core_log_moving_DELETE AFTER DELETE ON core_log FOR EACH ROW
         DELETE FROM core_log_moving WHERE created_at = OLD.created_at AND id = OLD.id;
         CREATE TABLE IF NOT EXISTS core_log_moved (up_to bigint NOT NULL PRIMARY KEY) ENGINE=InnoDB",
    )?;
    Ok(())
}

/// The ALTER that gives the new table its keys and partitions. The primary key begins with the time: what is read
/// together lies together. `AUTO_INCREMENT` wants a key of its own.
fn partitioning(conn: &mut Connection, table: &str, today: NaiveDate) -> Result<String, DbError> {
    #[derive(QueryableByName)]
    struct Dropped {
        #[diesel(sql_type = Text)]
        part: String,
    }
    let dropped: Vec<Dropped> = diesel::sql_query(format!(
        "SELECT DISTINCT CONCAT('DROP KEY `', index_name, '`, ') AS part FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND table_name = '{table}' AND index_name NOT IN ('PRIMARY', 'core_log_app_level')"
    ))
    .load(conn)?;
    let dropped: String = dropped.into_iter().map(|dropped| dropped.part).collect();
    let first = today.checked_sub_days(Days::new(DAYS_BACK)).unwrap_or(today);
    let last = today.checked_add_days(Days::new(DAYS_AHEAD)).unwrap_or(today);
    let days: String = first.iter_days().take_while(|day| *day <= last).map(|day| definition(day) + ", ").collect();
    Ok(format!(
        "ALTER TABLE {table} {dropped}DROP PRIMARY KEY, ADD PRIMARY KEY (created_at, id), ADD KEY core_log_id (id)
         PARTITION BY RANGE COLUMNS (created_at) ({days}{FUTURE})"
    ))
}

const FUTURE: &str = "PARTITION p_future VALUES LESS THAN (MAXVALUE)";

fn definition(day: NaiveDate) -> String {
    let until = day.succ_opt().unwrap_or(day);
    format!("PARTITION p{} VALUES LESS THAN ('{until} 00:00:00')", day.format("%Y%m%d"))
}

/// Copies the rows that were there before the triggers, chunk by chunk, from where it was broken off.
fn copy(conn: &mut Connection, said: &mut impl FnMut(&str)) -> Result<(), DbError> {
    let end = number(conn, "SELECT COALESCE(MAX(id), 0) AS value FROM core_log")?;
    let mut from = number(conn, "SELECT COALESCE(MAX(up_to), 0) AS value FROM core_log_moved")?;
    conn.batch_execute(&format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS core_log_chunk ENGINE=InnoDB AS SELECT {COLUMNS} FROM core_log LIMIT 0"
    ))?;
    let mut chunks = 0_u64;
    loop {
        let ids = ids_after(conn, from, end)?;
        let Some(until) = ids.last().copied() else { return Ok(()) };
        let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        transaction(conn, |conn| {
            // The share lock waits for whoever is changing a row of the chunk: his trigger comes first or second, and
            // either way the last state is the one that stays. He may be waiting for the new table's next id meanwhile,
            // which the last INSERT holds: so that one waits for nobody.
            conn.batch_execute(&format!(
                "DELETE FROM core_log_chunk;
                 INSERT INTO core_log_chunk SELECT {COLUMNS} FROM core_log FORCE INDEX (PRIMARY) WHERE id IN ({ids}) LOCK IN SHARE MODE;
                 INSERT IGNORE INTO core_log_moving ({COLUMNS}) SELECT {COLUMNS} FROM core_log_chunk;
                 REPLACE INTO core_log_moved VALUES ({until})"
            ))?;
            Ok::<_, DbError>(())
        })?;
        from = until;
        chunks += 1;
        if chunks.is_multiple_of(1_000) {
            said(&format!("moved the logs up to {from} of {end}"));
        }
    }
}

fn ids_after(conn: &mut Connection, from: i64, end: i64) -> Result<Vec<i64>, DbError> {
    let ids = core_log::table.select(core_log::id).filter(core_log::id.gt(from)).filter(core_log::id.le(end));
    Ok(ids.order(core_log::id).limit(CHUNK).load(conn)?)
}

pub(super) fn has_table(conn: &mut Connection, name: &str) -> Result<bool, DbError> {
    let sql = format!(
        "SELECT COUNT(*) AS value FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{name}'"
    );
    Ok(number(conn, &sql)? > 0)
}

fn is_partitioned(conn: &mut Connection, table: &str) -> Result<bool, DbError> {
    let sql = format!(
        "SELECT COUNT(*) AS value FROM information_schema.partitions
         WHERE table_schema = DATABASE() AND table_name = '{table}' AND partition_name IS NOT NULL"
    );
    Ok(number(conn, &sql)? > 0)
}

/// The partitions that hold a day, the oldest first.
///
/// # Errors
/// See [`DbError`].
pub fn list(conn: &mut Connection) -> Result<Vec<Partition>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Nullable<Text>)]
        until: Option<String>,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT partition_name AS name, partition_description AS until FROM information_schema.partitions
         WHERE table_schema = DATABASE() AND table_name = 'core_log' AND partition_name IS NOT NULL
         ORDER BY partition_ordinal_position",
    )
    .load(conn)?;
    let day = |row: Row| {
        let until = row.until?;
        let until = NaiveDateTime::parse_from_str(until.trim_matches('\''), "%Y-%m-%d %H:%M:%S").ok()?;
        Some(Partition { name: row.name, until: until.date() })
    };
    Ok(rows.into_iter().filter_map(day).collect())
}

/// Makes the partitions of the days up to `last` that have none, and says how many.
///
/// # Errors
/// See [`DbError`].
pub fn make_until(conn: &mut Connection, last: NaiveDate) -> Result<usize, DbError> {
    let Some(newest) = list(conn)?.pop() else { return Ok(0) };
    let days: Vec<NaiveDate> = newest.until.iter_days().take_while(|day| *day <= last).collect();
    if days.is_empty() {
        return Ok(0);
    }
    let made: String = days.iter().map(|day| definition(*day) + ", ").collect();
    change(conn, &format!("ALTER TABLE core_log REORGANIZE PARTITION p_future INTO ({made}{FUTURE})"))?;
    Ok(days.len())
}

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// A partition; there may be more.
    One,
    /// Nothing: there is none that is so old.
    None,
}

/// Drops the oldest partition, if its last day lies before `first`, with the logs in it, their counts and event ids. The
/// newest that holds a day stays. What was broken off is brought to its end first.
///
/// # Errors
/// See [`DbError`].
pub fn drop_oldest_before(conn: &mut Connection, first: NaiveDate) -> Result<Dropped, DbError> {
    finish_drops(conn)?;
    let mut partitions = list(conn)?;
    partitions.pop();
    let Some(partition) = partitions.into_iter().next().filter(|partition| partition.until <= first) else {
        return Ok(Dropped::None);
    };
    // Kept until all that goes with the logs is gone, for no transaction holds a change of the table and this together.
    diesel::insert_or_ignore_into(core_logdrop::table).values(core_logdrop::until.eq(partition.until)).execute(conn)?;
    change(conn, &format!("ALTER TABLE core_log DROP PARTITION {}", partition.name))?;
    finish_drops(conn)?;
    Ok(Dropped::One)
}

/// Takes away what belonged to logs whose partitions were dropped. Logs that came meanwhile, for days that are gone, lie in
/// the oldest partition that is left: they keep what is theirs.
fn finish_drops(conn: &mut Connection) -> Result<(), DbError> {
    let begun: Vec<NaiveDate> =
        core_logdrop::table.select(core_logdrop::until).order(core_logdrop::until).load(conn)?;
    let Some(last) = begun.last().copied() else { return Ok(()) };
    let oldest = list(conn)?.into_iter().next().map(|partition| partition.until);
    if oldest.is_some_and(|oldest| oldest <= last) {
        // It was broken off before the partition was dropped, or that is still being done.
        return Ok(());
    }
    let until = utc(last.into());
    verify::recount_before(conn, until)?;
    log_events::delete_of_dropped(conn, until)?;
    diesel::delete(core_logdrop::table.filter(core_logdrop::until.le(last))).execute(conn)?;
    Ok(())
}

// A change of the table waits for whoever is at work on it, and everybody else waits behind it: not for long.
fn change(conn: &mut Connection, sql: &str) -> Result<(), DbError> {
    conn.batch_execute("SET SESSION lock_wait_timeout = 10")?;
    conn.batch_execute(sql)?;
    Ok(())
}
