//! Daily reports at times that the tests set: one a day and subscriber, on days of any length, and revised when logs come late.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod common;

use std::sync::{Arc, mpsc};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use logmon_core::app::AppId;
use logmon_core::celery::Arguments;
use logmon_core::clock::{Clock as _, FixedClock};
use logmon_core::language::Language;
use logmon_core::log::{Level, Record};
use logmon_core::notification::ChannelId;
use logmon_core::page::Page;
use logmon_core::report::{NewSubscriber, Report, Scope, SubscriberId};
use logmon_core::summary::LevelCounts;
use logmon_core::tasks::{GenerateDailySummary, MakeReports, RecountSummaries, RenewSummaries, Task as _};
use logmon_store::db::reports::{self, ReportFilter};
use logmon_store::db::subscribers;
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_worker::context::Context;
use logmon_worker::registry::find;
use serde_json::{Value, json};

use common::context;

struct Rig {
    database: TestDatabase,
    context: Context,
    clock: Arc<FixedClock>,
    _broker: TestBroker,
}

impl Rig {
    /// With the apps 1 and 2 of x, 3 of y, and the channel 7.
    fn new(zone: Tz, now: &str) -> Self {
        let (database, broker) = (TestDatabase::new(), TestBroker::new());
        database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', 'x', NOW()), (2, 'b', 'x', NOW()), (3, 'c', 'y', NOW());
             INSERT INTO core_channel (id, kind, name, config, created_at) VALUES (7, 'webhook', 'ops', '{}', NOW())",
        );
        let clock = Arc::new(FixedClock::at(at(now)));
        let context = context(&database, &broker, clock.clone(), zone);
        Self { database, context, clock, _broker: broker }
    }

    fn subscribe(&self, name: &str, owner: Option<&str>) -> SubscriberId {
        let says = NewSubscriber {
            name: name.to_owned(),
            scope: Scope::of(owner.map(str::to_owned)),
            channels: vec![ChannelId(7)],
            enabled: true,
            language: Some(Language::ZhCn),
        };
        subscribers::create(&mut self.database.connect(), &says, self.clock.now()).unwrap().id
    }

    fn store(&self, app: i64, level: Level, time: &str, count: usize) {
        let created_at = at(time);
        let record =
            |n| Record { app: AppId(app), level, message: format!("m {n}"), created_at, event_id: None, extra: None };
        let (told, heard) = mpsc::channel();
        let deadline = Instant::now() + PATIENCE;
        self.context.writer.submit((0..count).map(record).collect(), deadline, move |stored| {
            told.send(stored).unwrap();
        });
        heard.recv_timeout(PATIENCE).unwrap().unwrap();
    }

    fn run(&self, task: &str, arguments: &Value) -> String {
        let arguments = Arguments::from_json("[]", &arguments.to_string()).unwrap();
        (find(task).unwrap().run)(&self.context, &arguments).unwrap().get().to_owned()
    }

    fn summarize(&self, date: &str) {
        self.run(GenerateDailySummary::NAME, &json!({ "date": date }));
    }

    fn make(&self, date: Option<&str>) -> String {
        self.run(MakeReports::NAME, &json!({ "date": date }))
    }

    fn pass(&self, minutes: i64) {
        self.clock.set(self.clock.now() + TimeDelta::minutes(minutes));
    }

    /// Every report for a subscriber, the first one first.
    fn reports(&self, subscriber: SubscriberId) -> Vec<Report> {
        let mut conn = self.database.connect();
        let filter = ReportFilter { subscriber: Some(subscriber), date: None };
        let mut kept = reports::list(&mut conn, &filter, Page { limit: 100, after: None }).unwrap();
        kept.reverse();
        kept.into_iter().map(|kept| reports::get(&mut conn, kept.id).unwrap().unwrap().1).collect()
    }

    /// What is told of them: event, revision, language.
    fn told(&self) -> Vec<String> {
        self.database.lines(
            "SELECT CONCAT_WS(' ', n.event, JSON_VALUE(n.payload, '$.subscriber'), r.revision, JSON_VALUE(n.payload, '$.language')) AS line
             FROM core_notification n JOIN core_delivery d ON d.event_id = n.event_id JOIN core_report r ON r.event_id = n.event_id
             ORDER BY r.id",
        )
    }
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn counts(info: u64, warn: u64, error: u64) -> LevelCounts {
    LevelCounts { info, warn, error }
}

fn by_app(report: &Report) -> Vec<(i64, LevelCounts)> {
    report.apps.iter().map(|app| (app.app.id.0, app.figures.counts)).collect()
}

#[test]
fn a_day_of_any_length_is_reported_whole_and_once() {
    // The days on which the clocks change, the moments in which they begin and end, and their hours.
    for (date, start, end, hours) in [
        ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25),
        ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
    ] {
        let rig = Rig::new(Tz::Europe__Berlin, start);
        let (all, x) = (rig.subscribe("all", None), rig.subscribe("x", Some("x")));
        let moment = |edge: &str, microseconds| (at(edge) + TimeDelta::microseconds(microseconds)).to_rfc3339();
        rig.store(1, Level::Error, &moment(start, 0), 2);
        rig.store(1, Level::Error, &moment(end, -1), 1);
        rig.store(1, Level::Error, &moment(start, -1), 5);
        rig.store(1, Level::Error, &moment(end, 0), 7);
        rig.store(3, Level::Info, &moment(start, 0), 4);
        rig.store(2, Level::Warn, &moment(start, -1), 1);
        rig.summarize((at(start) - TimeDelta::hours(2)).date_naive().to_string().as_str());
        rig.clock.set(at(end) - TimeDelta::microseconds(1));
        rig.summarize(date);
        assert_eq!(rig.make(Some(date)), "0", "the day is not over");
        rig.clock.set(at(end));
        let late = rig.subscribe("late", None);
        assert_eq!([rig.make(Some(date)), rig.make(Some(date)), rig.make(None)], ["2", "0", "0"]);

        let report = rig.reports(all).remove(0);
        assert_eq!((report.since, report.until), (at(start), at(end)));
        assert_eq!((report.until - report.since).num_hours(), hours);
        assert_eq!(by_app(&report), [(1, counts(0, 0, 3)), (3, counts(4, 0, 0)), (2, counts(0, 0, 0))]);
        assert_eq!(report.total.day_before, Some(counts(0, 1, 5)));
        assert_eq!(report.total.week_before, None, "nobody summed that day up");
        assert_eq!(
            report.silent.iter().map(|silent| (silent.app.id.0, silent.week_count)).collect::<Vec<_>>(),
            [(2, 1)]
        );
        let patterns: Vec<_> = report.patterns.iter().map(|found| (found.pattern.as_str(), found.count)).collect();
        assert_eq!((patterns, report.errors_looked_at), (vec![("m <n>", 3)], 3));
        let own = rig.reports(x).remove(0);
        assert_eq!((by_app(&own).len(), own.total.counts, own.owner.as_deref()), (2, counts(0, 0, 3), Some("x")));
        assert_eq!(rig.reports(late), [], "the day was over before");
        assert_eq!(rig.told(), ["report.created all 1 zh-CN", "report.created x 1 zh-CN"]);
    }
}

#[test]
fn logs_that_come_late_make_a_revision_a_change_and_not_more_than_one_an_hour() {
    let rig = Rig::new(Tz::Asia__Shanghai, "2026-11-21T00:00:00Z");
    let (all, y) = (rig.subscribe("all", None), rig.subscribe("y", Some("y")));
    rig.store(1, Level::Error, "2026-11-21T16:00:00Z", 1);
    rig.store(3, Level::Info, "2026-11-21T16:00:00Z", 1);
    rig.clock.set(at("2026-11-22T16:00:00Z"));
    rig.summarize("2026-11-22");
    assert_eq!(rig.make(Some("2026-11-22")), "2");
    // The same numbers again are no change.
    rig.summarize("2026-11-22");
    rig.pass(60);
    assert_eq!(rig.make(Some("2026-11-22")), "0");

    rig.store(1, Level::Error, "2026-11-22T15:59:59.999999Z", 2);
    assert_eq!(rig.run(RenewSummaries::NAME, &json!({})), "1");
    assert_eq!([rig.make(None), rig.make(None)], ["1", "0"], "only one of them is about that app");
    rig.store(1, Level::Warn, "2026-11-22T12:00:00Z", 1);
    rig.store(2, Level::Info, "2026-11-22T12:00:00Z", 1);
    rig.pass(30);
    assert_eq!(rig.run(RenewSummaries::NAME, &json!({})), "2");
    assert_eq!(rig.make(None), "0", "the last one was made half an hour ago");
    rig.pass(30);
    assert_eq!([rig.make(None), rig.make(None)], ["1", "0"]);
    assert_eq!(rig.reports(y).len(), 1);
    let changes: Vec<Vec<_>> = rig
        .reports(all)
        .iter()
        .map(|report| report.changes.iter().map(|change| (change.app.id.0, change.before, change.after)).collect())
        .collect();
    assert_eq!(
        changes,
        [
            vec![],
            vec![(1, counts(0, 0, 1), counts(0, 0, 3))],
            vec![(1, counts(0, 0, 3), counts(0, 1, 3)), (2, counts(0, 0, 0), counts(1, 0, 0))]
        ]
    );
    let revised = |n| format!("report.revised all {n} zh-CN");
    assert_eq!(rig.told()[2..], [revised(2), revised(3)]);

    // What people have counted again is a change as well; who wants no reports gets none.
    rig.store(3, Level::Info, "2026-11-22T12:00:00Z", 1);
    rig.run(RecountSummaries::NAME, &json!({ "since": "2026-11-21", "until": "2026-11-22" }));
    rig.database.execute("UPDATE core_subscriber SET is_enabled = 0 WHERE name = 'all'");
    rig.pass(60);
    assert_eq!(rig.make(None), "1");
    assert_eq!((rig.reports(all).len(), rig.reports(y).len()), (3, 2));
}

#[test]
fn days_in_which_everything_was_down_are_made_up_for_each_once() {
    let rig = Rig::new(Tz::UTC, "2026-11-10T12:00:00Z");
    let all = rig.subscribe("all", None);
    rig.store(1, Level::Error, "2026-11-11T12:00:00Z", 1);
    rig.clock.set(at("2026-11-14T09:00:00Z"));
    let days = ["2026-11-10", "2026-11-11", "2026-11-12", "2026-11-13"];
    for day in days.iter().chain(&days) {
        rig.summarize(day);
        rig.make(Some(day));
    }
    assert_eq!(rig.make(Some("2026-11-09")), "0", "that day was over before anybody subscribed");
    assert_eq!(rig.make(Some("2026-11-14")), "0", "today is not over");
    let reports = rig.reports(all);
    let mut dates: Vec<String> = reports.iter().map(|report| report.date.to_string()).collect();
    dates.sort_unstable();
    assert_eq!(dates, days);
    let of = |date: &str| reports.iter().find(|report| report.date.to_string() == date).unwrap();
    assert_eq!(of("2026-11-11").total.counts, counts(0, 0, 1));
    assert_eq!(of("2026-11-13").total.counts, counts(0, 0, 0), "a day without logs is reported as well");
    assert_eq!(of("2026-11-13").silent.len(), 1);
}

#[test]
fn one_report_is_made_however_many_make_it_at_once() {
    let rig = Rig::new(Tz::UTC, "2026-11-10T12:00:00Z");
    for name in ["a", "b", "c"] {
        rig.subscribe(name, None);
    }
    rig.clock.set(at("2026-11-11T00:00:00Z"));
    rig.summarize("2026-11-10");
    let made: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| rig.make(Some("2026-11-10")))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().parse::<u64>().unwrap()).sum()
    });
    assert_eq!((made, rig.told().len()), (3, 3));
    assert_eq!(rig.database.number("SELECT COUNT(*) FROM core_report"), 3);
}
