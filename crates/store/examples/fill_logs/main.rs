//! Fills a database with logs to search in: 20 apps, 30 days that end at the last midnight in UTC, a tenth of them errors.
//!
//! usage: `fill_logs mysql://USER:PASSWORD@HOST:PORT/DATABASE LOGS`, prints what there is to find, as JSON
//!
//! The database has our schema and no logs yet. The same number of logs makes the same logs, apart from the date. Their ids
//! are 1 to LOGS in the order of their time. App 1 logs most, app n a n-th of that. Each day is a transaction with its counts.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "a tool for measuring"
)]

mod messages;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Days, TimeDelta, Utc};
use messages::{Messages, NEEDLES, Needle, Style};
use mysql::prelude::Queryable as _;
use mysql::{Conn, LocalInfileHandler, Opts};

const APPS: usize = 20;
const DAYS: usize = 30;
const LEVELS: [&str; 3] = ["INFO", "WARN", "ERROR"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, logs] = arguments.as_slice() else {
        eprintln!("usage: fill_logs mysql://USER:PASSWORD@HOST:PORT/DATABASE LOGS");
        return;
    };
    let plan =
        Plan { logs: logs.parse().unwrap(), end: Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc() };
    let opts = Opts::from_url(url).unwrap();
    let mut admin = connect(&opts);
    for app in 1..=APPS {
        admin
            .query_drop(format!("INSERT INTO core_app VALUES ({app}, 'app-{app}', 'bench', UTC_TIMESTAMP(6))"))
            .unwrap();
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let mut conn = connect(&opts);
                loop {
                    let day = next.fetch_add(1, Ordering::Relaxed);
                    if day >= DAYS {
                        return;
                    }
                    fill(&mut conn, &plan, day);
                    if day % 10 == 9 {
                        eprintln!("day {} of {DAYS}", day + 1);
                    }
                }
            });
        }
    });
    println!("{}", plan.summary());
}

fn connect(opts: &Opts) -> Conn {
    let mut conn = Conn::new(opts.clone()).unwrap();
    // The rows go in in the order of the primary key, and the apps are there.
    conn.query_drop("SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0").unwrap();
    conn
}

/// Which logs there are.
struct Plan {
    logs: usize,
    /// The moment after the last one.
    end: DateTime<Utc>,
}

impl Plan {
    /// The number of a day's first log, from 0.
    fn first_of(&self, day: usize) -> usize {
        self.logs * day / DAYS
    }

    fn start_of(&self, day: usize) -> DateTime<Utc> {
        self.end - Days::new((DAYS - day) as u64)
    }

    /// The needle that a log of a day is, if it is one: each is spread evenly, none stands where another does.
    fn needle(&self, day: usize, number: usize) -> Option<&'static Needle> {
        let (first, length) = (self.first_of(day), self.first_of(day + 1) - self.first_of(day));
        NEEDLES.iter().enumerate().find_map(|(place, needle)| {
            let is_there = (1..=needle.a_day).any(|nth| first + length * nth / (needle.a_day + 1) + place == number);
            is_there.then_some(needle)
        })
    }

    fn summary(&self) -> serde_json::Value {
        let needles: Vec<_> = NEEDLES
            .iter()
            .map(|needle| serde_json::json!({"name": needle.name, "q": needle.q, "app": needle.app, "a_day": needle.a_day}))
            .collect();
        serde_json::json!({
            "logs": self.logs, "apps": APPS, "days": DAYS, "start": self.start_of(0).to_rfc3339(),
            "end": self.end.to_rfc3339(), "needles": needles,
        })
    }
}

/// Stores the logs of a day and their counts.
fn fill(conn: &mut Conn, plan: &Plan, number: usize) {
    let (logs, counts) = rows(plan, number);
    conn.query_drop("BEGIN").unwrap();
    load(conn, logs, "core_log (id, app_id, level, message, created_at)");
    load(conn, counts, "core_logcount (app_id, level, minute, count)");
    // Days begin on an hour.
    let hours = "INSERT INTO core_loghourcount (hour, app_id, level, count)
                 SELECT CAST(DATE_FORMAT(minute, '%Y-%m-%d %H:00:00') AS DATETIME) AS h, app_id, level, SUM(count)
                 FROM core_logcount WHERE minute >= ? AND minute < ? GROUP BY h, app_id, level";
    let day = |day| plan.start_of(day).format("%F %T").to_string();
    conn.exec_drop(hours, (day(number), day(number + 1))).unwrap();
    conn.query_drop("COMMIT").unwrap();
}

fn load(conn: &mut Conn, rows: String, into: &str) {
    conn.set_local_infile_handler(Some(LocalInfileHandler::new(move |_, writer| writer.write_all(rows.as_bytes()))));
    conn.query_drop(format!("LOAD DATA LOCAL INFILE 'rows' INTO TABLE {into}")).unwrap();
    assert_eq!(conn.warnings(), 0, "into {into}: {:?}", conn.query::<mysql::Row, _>("SHOW WARNINGS LIMIT 3").unwrap());
}

/// The rows of a day and of its counts, as LOAD DATA reads them.
fn rows(plan: &Plan, day: usize) -> (String, String) {
    let (first, end, start) = (plan.first_of(day), plan.first_of(day + 1), plan.start_of(day));
    let apps = Apps::new();
    let mut messages = Messages::new(day as u64);
    let (mut logs, mut message) = (String::with_capacity((end - first) * 250), String::new());
    let mut counts: BTreeMap<(usize, &str, i64), u32> = BTreeMap::new();
    for number in first..end {
        let place = (number - first) as f64 + messages.fraction();
        let after = TimeDelta::microseconds((86_400_000_000.0 * place / (end - first) as f64) as i64);
        let (mut app, mut level) = (apps.at(messages.fraction()), LEVELS[level(messages.fraction())]);
        if let Some(needle) = plan.needle(day, number) {
            (app, level) = (needle.app, "ERROR");
            messages.write_needle(needle, &mut message);
        } else {
            let style = if level == "ERROR" && messages.fraction() < 0.3 { Style::StackTrace } else { Style::Line };
            messages.write(style, &mut message);
        }
        *counts.entry((app, level, after.num_minutes())).or_default() += 1;
        let text = message.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
        let time = (start + after).format("%F %T%.6f");
        _ = writeln!(logs, "{}\t{app}\t{level}\t{text}\t{time}", number + 1);
    }
    let mut text = String::new();
    for ((app, level, minute), count) in counts {
        let minute = (start + TimeDelta::minutes(minute)).format("%F %T");
        _ = writeln!(text, "{app}\t{level}\t{minute}\t{count}");
    }
    (logs, text)
}

fn level(fraction: f64) -> usize {
    if fraction < 0.7 {
        0
    } else if fraction < 0.9 {
        1
    } else {
        2
    }
}

/// Which share of the logs is of which app, by Zipf's law.
struct Apps {
    /// Up to where each app's share goes.
    ends: Vec<f64>,
}

impl Apps {
    fn new() -> Self {
        let all: f64 = (1..=APPS).map(|app| 1.0 / app as f64).sum();
        let ends = (1..=APPS).scan(0.0, |end, app| {
            *end += 1.0 / app as f64 / all;
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    fn at(&self, fraction: f64) -> usize {
        self.ends.iter().take(APPS - 1).filter(|end| fraction >= **end).count() + 1
    }
}
