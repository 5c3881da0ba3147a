//! Histograms against the logs themselves, counted one by one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use diesel::RunQueryDsl as _;
use logmon_core::app::AppId;
use logmon_core::log::{Buckets, Level, Record};
use logmon_store::db::partitions::Dropped;
use logmon_store::db::{Connection, apps, log_counts, partitions, verify};
use logmon_store::testing::TestDatabase;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140 + seconds, 17_000).unwrap()
}

/// Stores logs in one request.
fn store(test: &TestDatabase, records: &[Record]) {
    let (sender, stored) = std::sync::mpsc::channel();
    let deadline = Instant::now() + Duration::from_secs(60);
    test.writer().submit(records.to_vec(), deadline, move |outcome| sender.send(outcome).unwrap());
    stored.recv().unwrap().unwrap();
}

fn info(app: AppId, created_at: DateTime<Utc>) -> Record {
    Record { app, level: Level::Info, message: "m".to_owned(), created_at, event_id: None, extra: None }
}

/// Three apps with logs of three days, stored in several requests and in no order.
fn logs(test: &TestDatabase, random: &mut StdRng) -> Vec<Record> {
    test.execute(
        "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23'), (2, 'b', '', '2026-11-23'), (3, 'c', '', '2026-11-23')",
    );
    let mut all = Vec::new();
    for _ in 0..20 {
        let records: Vec<Record> = (0..50)
            .map(|_| Record {
                app: AppId(random.random_range(1..=3)),
                level: Level::ALL[random.random_range(0..3)],
                message: "m".to_owned(),
                created_at: at(random.random_range(0..3 * 86_400)),
                event_id: None,
                extra: None,
            })
            .collect();
        store(test, &records);
        all.extend(records);
    }
    all
}

fn same(test: &TestDatabase, logs: &[Record], buckets: &Buckets, apps: &[AppId], levels: &[Level]) {
    let mut expected: BTreeMap<(usize, Level), u64> = BTreeMap::new();
    for log in logs {
        let wanted = (apps.is_empty() || apps.contains(&log.app)) && (levels.is_empty() || levels.contains(&log.level));
        if let Some(place) = buckets.place(log.created_at).filter(|_| wanted) {
            *expected.entry((place, log.level)).or_default() += 1;
        }
    }
    let found = log_counts::in_buckets(&mut test.connect(), buckets, apps, levels).unwrap();
    let expected: Vec<_> = expected.into_iter().map(|((place, level), count)| (place, level, count)).collect();
    assert_eq!(found, expected, "{buckets:?} {apps:?} {levels:?}");
}

#[test]
fn every_bar_is_the_number_of_its_logs() {
    let test = TestDatabase::new();
    let mut random = StdRng::seed_from_u64(5);
    let logs = logs(&test, &mut random);
    for _ in 0..60 {
        let start = random.random_range(-3_600..3 * 86_400);
        let length = [60, 3_600, 86_400, 4 * 86_400, 40 * 86_400][random.random_range(0..5)];
        let buckets = Buckets::over(&(at(start)..at(start + length)), random.random_range(2..=240)).unwrap();
        for (apps, levels) in [
            (&[][..], &[][..]),
            (&[AppId(2)], &[Level::Error]),
            (&[AppId(1), AppId(3)], &[]),
            (&[], &[Level::Info, Level::Warn]),
            (&[AppId(9)], &[]),
        ] {
            same(&test, &logs, &buckets, apps, levels);
        }
    }
}

#[test]
fn hours_stay_right_when_apps_go_days_are_dropped_and_counts_are_mended() {
    let test = TestDatabase::new();
    let mut logs = logs(&test, &mut StdRng::seed_from_u64(6));
    let mut conn = test.connect();
    let whole = Buckets::over(&(at(-86_400)..at(4 * 86_400)), 240).unwrap();
    apps::delete_with_rest(&mut conn, AppId(2)).unwrap();
    logs.retain(|log| log.app != AppId(2));
    same(&test, &logs, &whole, &[], &[]);
    let first: NaiveDate = at(86_400).date_naive();
    while partitions::drop_oldest_before(&mut conn, first).unwrap() == Dropped::One {
        logs.retain(|log| log.created_at.date_naive() >= first);
    }
    same(&test, &logs, &whole, &[], &[]);
    test.execute("UPDATE core_loghourcount SET count = count + 1 ORDER BY hour DESC LIMIT 2");
    let mut found = Vec::new();
    verify::differences(&mut conn, &(DateTime::UNIX_EPOCH..verify::END), |conn, difference| {
        found.push(difference.span);
        verify::recount(conn, &difference.range())
    })
    .unwrap();
    assert_eq!(found, [verify::Span::Hour; 2]);
    same(&test, &logs, &whole, &[], &[]);
    // An hour of which a part is asked for is not compared with its minutes.
    let part = at(0) - TimeDelta::microseconds(17)..verify::END;
    verify::differences(&mut conn, &part, |_, difference| panic!("{difference:?}")).unwrap();
}

/// The logs of an app in a range, counted one by one.
fn of_app(logs: &[Record], app: AppId, range: &Range<DateTime<Utc>>) -> Vec<(Level, u64)> {
    let mut expected: BTreeMap<Level, u64> = BTreeMap::new();
    for log in logs.iter().filter(|log| log.app == app && range.contains(&log.created_at)) {
        *expected.entry(log.level).or_default() += 1;
    }
    expected.into_iter().collect()
}

#[test]
fn days_are_the_number_of_their_logs_wherever_they_begin_and_end() {
    let test = TestDatabase::new();
    let mut random = StdRng::seed_from_u64(7);
    let logs = logs(&test, &mut random);
    let mut conn = test.connect();
    // The days of Greenwich, Shanghai, Kolkata, Kathmandu and St. John's.
    let day = |day: i64, east: i64| {
        let midnight = at(0).date_naive().and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(day);
        midnight - TimeDelta::minutes(east)..midnight + TimeDelta::days(1) - TimeDelta::minutes(east)
    };
    let zones = [0, 480, 330, 345, -210];
    let mut ranges: Vec<_> = zones.into_iter().flat_map(|east| (-1..5).map(move |number| day(number, east))).collect();
    // Within an hour, from one into the next, and to their edges.
    for (minutes, length) in [(0, 60), (0, 59), (1, 59), (1, 60), (59, 2), (30, 0), (1, 119), (0, 61), (30, 90)] {
        let start = log_counts::hour(at(86_400)) + TimeDelta::minutes(minutes);
        ranges.push(start..start + TimeDelta::minutes(length));
    }
    for _ in 0..30 {
        let start = log_counts::minute(at(random.random_range(0..2 * 86_400)));
        ranges.push(start..start + TimeDelta::minutes(random.random_range(0..3_000)));
    }
    for range in ranges {
        let expected = of_app(&logs, AppId(2), &range);
        assert_eq!(log_counts::of_app(&mut conn, AppId(2), &range).unwrap(), expected, "{range:?}");
    }
    // Of the minutes of whole hours none is read, so that a day costs the same however many of them have logs.
    let day = day(1, 330);
    let (inner, outer) = (log_counts::hour(day.start) + TimeDelta::hours(1), log_counts::hour(day.end));
    test.execute(&format!(
        "DELETE FROM core_logcount WHERE minute >= '{}' AND minute < '{}'",
        inner.naive_utc(),
        outer.naive_utc()
    ));
    assert_eq!(log_counts::of_app(&mut conn, AppId(2), &day).unwrap(), of_app(&logs, AppId(2), &day));
}

#[test]
fn bars_begin_and_end_on_the_microsecond() {
    let test = TestDatabase::new();
    test.execute("INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23')");
    let start: DateTime<Utc> = "2026-10-25T00:00:00Z".parse().unwrap();
    let micro = TimeDelta::microseconds(1);
    let border = start + TimeDelta::hours(6);
    let times = [
        start - micro,
        start,
        border - micro,
        border,
        border + TimeDelta::hours(6) - micro,
        border + TimeDelta::hours(6),
    ];
    let logs: Vec<Record> = times.into_iter().map(|time| info(AppId(1), time)).collect();
    store(&test, &logs);
    // Of hours and of minutes; those before the first log and after the last are empty, years long too.
    for (range, most, expected) in [
        (start..start + TimeDelta::hours(12), 2, vec![2, 2]),
        (border..border + TimeDelta::hours(1), 2, vec![1, 0]),
        (border - TimeDelta::minutes(1)..border + TimeDelta::minutes(1), 2, vec![1, 1]),
        (border - TimeDelta::minutes(2)..border, 2, vec![0, 1]),
        (start - TimeDelta::days(366)..start - TimeDelta::days(1), 240, vec![0; 182]),
        (start - TimeDelta::days(10)..start - TimeDelta::days(10) + TimeDelta::hours(1), 60, vec![0; 60]),
        (start + TimeDelta::days(10)..start + TimeDelta::days(375), 240, vec![0; 182]),
    ] {
        let buckets = Buckets::over(&range, most).unwrap();
        let mut bars = vec![0; buckets.starts().count()];
        for (place, level, count) in log_counts::in_buckets(&mut test.connect(), &buckets, &[], &[]).unwrap() {
            assert_eq!(level, Level::Info);
            bars[place] += count;
        }
        assert_eq!(bars.iter().sum::<u64>(), expected.iter().sum::<u64>(), "{range:?}");
        assert_eq!(bars.get(..expected.len()), Some(&*expected), "{range:?}");
        same(&test, &logs, &buckets, &[], &[]);
    }
}

/// How many rows of an index the server read one after the other.
fn rows_read(conn: &mut Connection) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Status {
        #[diesel(sql_type = diesel::sql_types::Text)]
        value: String,
    }
    let status = "SELECT variable_value AS value FROM information_schema.session_status WHERE variable_name = 'HANDLER_READ_NEXT'";
    diesel::sql_query(status).get_result::<Status>(conn).unwrap().value.parse().unwrap()
}

#[test]
fn what_is_read_is_what_the_bars_show() {
    let test = TestDatabase::new();
    test.execute(
        "INSERT INTO core_app (id, name, owner, created_at) SELECT seq, seq, '', '2026-11-23' FROM seq_1_to_5;
         INSERT INTO core_logcount (app_id, level, minute, count)
           SELECT a.seq, l.level, '2026-11-23' + INTERVAL m.seq MINUTE, 1 FROM seq_1_to_5 a
           JOIN (SELECT 'INFO' AS level UNION SELECT 'WARN' UNION SELECT 'ERROR') l JOIN seq_0_to_2879 m;
         INSERT INTO core_loghourcount (app_id, level, hour, count)
           SELECT a.seq, l.level, '2026-11-23' + INTERVAL h.seq HOUR, 60 FROM seq_1_to_5 a
           JOIN (SELECT 'INFO' AS level UNION SELECT 'WARN' UNION SELECT 'ERROR') l JOIN seq_0_to_719 h;
         ANALYZE TABLE core_logcount, core_loghourcount",
    );
    let mut conn = test.connect();
    let start: DateTime<Utc> = "2026-11-24T06:00:00Z".parse().unwrap();
    for (length, apps, levels, most) in [
        // 60 minutes, and 48 hours, of 5 apps and 3 levels; never the rest of the history.
        (TimeDelta::hours(1), vec![], vec![], 60 * 15),
        (TimeDelta::hours(48), vec![], vec![], 48 * 15),
        (TimeDelta::hours(1), vec![AppId(2)], vec![Level::Error], 60 * 15),
        (TimeDelta::hours(1), vec![AppId(2)], vec![], 60 * 15),
    ] {
        let buckets = Buckets::over(&(start..start + length), 60).unwrap();
        let before = rows_read(&mut conn);
        let counted = log_counts::in_buckets(&mut conn, &buckets, &apps, &levels).unwrap();
        let read = rows_read(&mut conn) - before;
        assert!(read <= most + 20, "{read} rows for {length} of {apps:?} {levels:?}");
        let bars = buckets.starts().count();
        assert_eq!(counted.len(), bars * if levels.is_empty() { 3 } else { 1 });
    }
}

#[test]
fn counts_of_nothing_are_left_out() {
    let test = TestDatabase::new();
    test.execute(
        "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23');
         INSERT INTO core_logcount (app_id, level, minute, count) VALUES (1, 'INFO', '2026-11-23', 0);
         INSERT INTO core_loghourcount (app_id, level, hour, count) VALUES (1, 'INFO', '2026-11-23', 0)",
    );
    let start: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().unwrap();
    for length in [TimeDelta::hours(1), TimeDelta::hours(48)] {
        let buckets = Buckets::over(&(start..start + length), 60).unwrap();
        assert_eq!(log_counts::in_buckets(&mut test.connect(), &buckets, &[], &[]).unwrap(), []);
    }
}
