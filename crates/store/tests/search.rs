//! What a filter finds in the table, and what it lets through in memory: the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Bigint;
use logmon_core::app::AppId;
use logmon_core::log::{Extra, Level, Log, LogFilter, Order, Record, TraceId};
use logmon_core::page::{Cursor, Page};
use logmon_store::db::logs::search;
use logmon_store::db::{DbError, verify};
use logmon_store::testing::TestDatabase;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const LONG: Duration = Duration::from_secs(60);
/// What messages are made of; queries look for the same.
const WORDS: [&str; 24] = [
    "time",
    "out",
    "TimeOut",
    "支付",
    "失败",
    "微信支付",
    "100%",
    "1000",
    "a_b",
    "axb",
    "c:\\temp",
    "it's",
    "café",
    "CAFE",
    "🚨",
    "🚀",
    "\"quoted\"",
    "!",
    "-",
    "straße",
    "STRASSE",
    "ﬁle",
    "ı",
    "İ",
];
const VALUES: [&str; 8] = ["\"7\"", "7", "true", "null", "\"支付\"", "1.5", "{\"x\":1}", "\"a\\\"b\""];
const KEYS: [&str; 3] = ["user", "a.b", "支付"];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_140 + second, 0).unwrap()
}

/// One of few moments, so that pages end within one, on one of several days.
fn moment(random: &mut StdRng) -> i64 {
    random.random_range(0..10) + 43_200 * random.random_range(0..8)
}

fn pick<'a>(random: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[random.random_range(0..from.len())]
}

fn fill(test: &TestDatabase, random: &mut StdRng) {
    test.execute(
        "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23'), (2, 'b', '', '2026-11-23'), (3, 'c', '', '2026-11-23')",
    );
    let records: Vec<Record> = (0..600).map(|_| record(random)).collect();
    let (sender, stored) = std::sync::mpsc::channel();
    test.writer().submit(records, Instant::now() + LONG, move |outcome| sender.send(outcome).unwrap());
    stored.recv().unwrap().unwrap();
}

fn record(random: &mut StdRng) -> Record {
    let words: Vec<&str> = (0..random.random_range(1..6)).map(|_| pick(random, &WORDS)).collect();
    let attributes = random.random_bool(0.5).then(|| {
        let json = format!("{{\"{}\":{}}}", pick(random, &KEYS), pick(random, &VALUES));
        serde_json::from_str(&json).unwrap()
    });
    let trace_id = random.random_bool(0.3).then(|| TraceId::new(pick(random, &["t1", "T1", "t2"])));
    Record {
        app: AppId(random.random_range(1..=3)),
        level: Level::ALL[random.random_range(0..3)],
        message: words.join(pick(random, &[" ", ""])),
        created_at: at(moment(random)),
        event_id: None,
        extra: Some(Box::new(Extra { attributes, trace_id, ..Extra::default() })),
    }
}

fn query(random: &mut StdRng) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: String| pairs.push((name.to_owned(), value));
    if random.random_bool(0.4) {
        add("app", random.random_range(1..=4).to_string());
    }
    if random.random_bool(0.4) {
        add("level", pick(random, &["INFO", "WARN", "ERROR"]).to_owned());
    }
    if random.random_bool(0.3) {
        let (one, other) = (moment(random), moment(random));
        add("since", at(one.min(other)).timestamp().to_string());
        add("until", at(one.max(other)).timestamp().to_string());
    }
    if random.random_bool(0.7) {
        let terms: Vec<String> = (0..random.random_range(1..3))
            .map(|_| format!("{}{}", pick(random, &["", "", "-"]), pick(random, &WORDS)))
            .collect();
        add("q", terms.join(" "));
    }
    if random.random_bool(0.3) {
        let value = pick(random, &["7", "true", "null", "支付", "1.5", "{\"x\":1}", "a\"b", "other"]);
        add(&format!("attr.{}", pick(random, &KEYS)), value.to_owned());
    }
    if random.random_bool(0.2) {
        add("trace_id", pick(random, &["t1", "T1", "t3"]).to_owned());
    }
    if random.random_bool(0.5) {
        add("order", "asc".to_owned());
    }
    pairs
}

/// Every page of a list, one behind the other.
fn pages(test: &TestDatabase, filter: &LogFilter, order: Order, limit: u32) -> Vec<Log> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = search::list(&mut test.connect(), filter, order, Page { limit, after }, LONG).unwrap().logs;
        let Some(last) = page.last() else { return all };
        after = Some(Cursor { created_at: last.created_at, id: last.id.0 });
        all.extend(page);
    }
}

#[test]
fn the_table_and_the_memory_agree_on_every_filter_and_page() {
    let test = TestDatabase::new();
    let mut random = StdRng::seed_from_u64(11);
    fill(&test, &mut random);
    let mut all = pages(&test, &LogFilter::default(), Order::OldestFirst, 1_000);
    assert_eq!(all.len(), 600);
    let mut some = 0;
    for _ in 0..150 {
        let query = query(&mut random);
        let (filter, order) = LogFilter::from_query(&query, at(0)).unwrap();
        all.sort_by_key(|log| (log.created_at, log.id));
        if order == Order::NewestFirst {
            all.reverse();
        }
        let expected: Vec<&Log> = all.iter().filter(|log| filter.matches(log)).collect();
        let found = pages(&test, &filter, order, random.random_range(20..200));
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query:?}");
        some += usize::from(!expected.is_empty());
    }
    assert!(some > 50, "most queries found nothing");
}

#[test]
fn a_text_of_any_characters_means_itself() {
    let test = TestDatabase::new();
    let mut random = StdRng::seed_from_u64(12);
    // Every sign, letters that are taken for others and such that are not, and what lies beyond U+FFFF.
    let mut signs: Vec<char> = ('\u{1}'..='\u{7F}').collect();
    signs.extend("éÉßſſKÅΆυϋÿıİｱアあ支\u{300}\u{345}\u{200B}\u{FFFD}\u{FEFF}🚨🚀𠀀".chars());
    signs.extend((0..100).map(|_| char::from_u32(random.random_range(0xA0..0xD7FF)).unwrap()));
    let texts: Vec<String> = signs.iter().map(|sign| format!("x{sign}y")).collect();
    test.execute("INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23')");
    let record = |text: &String| Record {
        app: AppId(1),
        level: Level::Info,
        message: text.clone(),
        created_at: at(0),
        event_id: None,
        extra: None,
    };
    let (sender, stored) = std::sync::mpsc::channel();
    let records = texts.iter().map(record).collect();
    test.writer().submit(records, Instant::now() + LONG, move |outcome| sender.send(outcome).unwrap());
    stored.recv().unwrap().unwrap();
    let all = pages(&test, &LogFilter::default(), Order::NewestFirst, 1_000);
    assert_eq!(all.len(), texts.len());
    let filter_of = |text: &str| LogFilter::from_query(&[("q".to_owned(), text.to_owned())], at(0)).unwrap().0;
    for text in &texts {
        let filter = filter_of(&format!("\"{text}\""));
        let expected: Vec<&Log> = all.iter().filter(|log| filter.matches(log)).collect();
        assert!(expected.iter().any(|log| log.message == *text), "{text:?}");
        let found = pages(&test, &filter, Order::NewestFirst, 1_000);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text:?}");
    }
    // As large as an expression becomes: the letters that most others are taken for.
    for letter in ["o", "υ", "Α"] {
        assert_eq!(pages(&test, &filter_of(&letter.repeat(256)), Order::NewestFirst, 1_000), []);
    }
}

#[test]
fn a_text_is_found_however_each_of_its_characters_is_written() {
    let test = TestDatabase::new();
    let mut random = StdRng::seed_from_u64(13);
    test.execute("INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', '', '2026-11-23')");
    // The character that is looked for first stands at every place; some have none, others have only such.
    let texts = [
        "quicksilver",
        "timeout",
        "exception",
        "flux capacitor",
        "50%_off",
        "支付timeout失败",
        "x",
        "mm",
        "error",
        "磁盘7",
        "磁盘q",
        "Привет",
        "v1.2",
        "proxy",
        "log4j",
        "a支b",
        "éq",
        "%é",
        "🚨kéy🚨",
    ];
    let filter_of = |text: &str| LogFilter::from_query(&[("q".to_owned(), format!("\"{text}\""))], at(0)).unwrap().0;
    let mut messages = Vec::new();
    for text in texts {
        let characters: Vec<Vec<char>> = filter_of(text).terms[0].characters().collect();
        for _ in 0..60 {
            // Some as they are asked for, some as another one that is taken for it, and at times one that is not.
            let mut written: Vec<char> =
                characters.iter().map(|alike| alike[random.random_range(0..alike.len())]).collect();
            let kept = random.random_range(0..=written.len());
            written.iter_mut().zip(text.chars()).take(kept).for_each(|(written, asked)| *written = asked);
            if random.random_bool(0.4) {
                let place = random.random_range(0..written.len());
                written[place] = ['-', 'z', 'é', '支', '磁'][random.random_range(0..5)];
            }
            let written: String = written.into_iter().collect();
            messages.push(format!("{}{written}{}", pick(&mut random, &WORDS), pick(&mut random, &WORDS)));
        }
    }
    let record = |message: &String| Record {
        app: AppId(1),
        level: Level::Info,
        message: message.clone(),
        created_at: at(0),
        event_id: None,
        extra: None,
    };
    let (sender, stored) = std::sync::mpsc::channel();
    let records = messages.iter().map(record).collect();
    test.writer().submit(records, Instant::now() + LONG, move |outcome| sender.send(outcome).unwrap());
    stored.recv().unwrap().unwrap();
    let all = pages(&test, &LogFilter::default(), Order::NewestFirst, 5_000);
    assert_eq!(all.len(), messages.len());
    for text in texts {
        for query in [format!("\"{text}\""), format!("-\"{text}\"")] {
            let (filter, order) = LogFilter::from_query(&[("q".to_owned(), query.clone())], at(0)).unwrap();
            let expected: Vec<&Log> = all.iter().filter(|log| filter.matches(log)).collect();
            assert!(expected.len() > 20, "{query}");
            let found = pages(&test, &filter, order, 5_000);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
    }
}

/// How many rows the session has read so far; asking changes that, always by as many.
fn rows_read(conn: &mut MysqlConnection) -> i64 {
    let sql = sql::<Bigint>(
        "CAST((SELECT SUM(variable_value) FROM information_schema.session_status
         WHERE variable_name LIKE 'HANDLER\\_READ\\_%') AS SIGNED)",
    );
    diesel::select(sql).get_result(conn).unwrap()
}

#[test]
fn a_page_reads_few_rows_wherever_it_is() {
    let test = TestDatabase::new();
    test.execute(
        "INSERT INTO core_app (id, name, owner, created_at) SELECT seq, seq, '', '2026-11-23' FROM seq_1_to_20;
         INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1 + seq % 20, ELT(1 + seq % 3, 'INFO', 'WARN', 'ERROR'), seq, '2026-11-23' - INTERVAL 20 * (seq DIV 2) SECOND
         FROM seq_1_to_40000;
         ANALYZE TABLE core_log",
    );
    let mut conn = test.connect();
    let own = -rows_read(&mut conn) + rows_read(&mut conn);
    let since = "since=2026-11-20T00:00:00Z";
    let queries = ["", "app=1", "app=1&level=ERROR", "level=WARN", "level=INFO&level=WARN&app=7", since];
    for (number, query) in queries.iter().chain(&queries).enumerate() {
        if number == queries.len() {
            // By the counts it is known that most levels are not worth the index.
            verify::recount(&mut conn, &(at(-86_400 * 30)..at(86_400))).unwrap();
        }
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let (filter, order) = LogFilter::from_query(&pairs, at(0)).unwrap();
        for days in [0, 1, 2] {
            let created_at = "2026-11-23T00:00:00Z".parse::<DateTime<Utc>>().unwrap() - TimeDelta::days(days);
            let page = Page { limit: 20, after: Some(Cursor { created_at, id: 20_000 }) };
            let before = rows_read(&mut conn);
            let found = search::list(&mut conn, &filter, order, page, LONG).unwrap().logs;
            let read = rows_read(&mut conn) - before - own;
            assert_eq!(found.len(), 20, "{query}");
            assert!(read < 1_200, "{query}, {days} days ago: {read} of 40,000 rows were read");
        }
    }
}

#[test]
fn what_a_day_is_full_of_is_found_without_reading_the_day() {
    let test = TestDatabase::new();
    // The newest hour has none of it. All lie within few moments, so that their ids order them too.
    test.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', 'timeout', '2026-11-20 08:00' + INTERVAL seq DIV 5000 SECOND FROM seq_1_to_120000;
         INSERT INTO core_log (app_id, level, message, created_at) VALUES (1, 'INFO', 'quiet', '2026-11-20 06:00'),
           (1, 'INFO', 'quiet', '2026-11-20 12:00');
         ANALYZE TABLE core_log",
    );
    let mut conn = test.connect();
    let own = -rows_read(&mut conn) + rows_read(&mut conn);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let (filter, _) = LogFilter::from_query(&[("q".to_owned(), "timeout".to_owned())], at(0)).unwrap();
        let before = rows_read(&mut conn);
        let found = search::list(&mut conn, &filter, order, Page { limit: 3, after: None }, LONG).unwrap().logs;
        let read = rows_read(&mut conn) - before - own;
        let ids: Vec<i64> = found.iter().map(|log| log.id.0).collect();
        let expected = if order == Order::NewestFirst { [120_000, 119_999, 119_998] } else { [1, 2, 3] };
        assert_eq!(ids, expected, "{order:?}");
        assert!(read < 100_000, "{order:?}: {read} rows were read for 3 of 120,000");
    }
}

#[test]
fn a_search_ends_at_its_deadline_and_leaves_none_behind() {
    let test = TestDatabase::new();
    let pairs = [("q".to_owned(), "m".to_owned())];
    let (filter, order) = LogFilter::from_query(&pairs, at(0)).unwrap();
    let page = Page { limit: 1, after: None };
    let mut conn = test.connect();
    // It waits for as long as the table is locked, so its deadline ends it, and without one this.
    sql_query("SET SESSION lock_wait_timeout = 10").execute(&mut conn).unwrap();
    let mut lock = test.session();
    lock.execute("LOCK TABLES core_log WRITE");
    let ended = search::list(&mut conn, &filter, order, page, Duration::from_millis(50));
    assert!(matches!(ended, Err(DbError::TooSlow)), "{ended:?}");
    lock.execute("UNLOCK TABLES");
    assert_eq!(search::list(&mut conn, &filter, order, page, LONG).unwrap().logs, []);
    let left = diesel::select(sql::<Bigint>("CAST(@@SESSION.max_statement_time * 1000000 AS SIGNED)"));
    assert_eq!(left.get_result::<i64>(&mut conn).unwrap(), 0);
}
