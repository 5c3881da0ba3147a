//! Logs of a day that is over change its summary, however late they come.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod common;

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::celery::Arguments;
use logmon_core::clock::FixedClock;
use logmon_core::log::{Level, Record};
use logmon_core::tasks::{GenerateDailySummary, RenewSummaries, Task as _};
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_worker::context::Context;
use logmon_worker::registry::find;

use common::context;

struct Rig {
    database: TestDatabase,
    context: Context,
    _broker: TestBroker,
}

impl Rig {
    fn new() -> Self {
        let (database, broker) = (TestDatabase::new(), TestBroker::new());
        database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'a', 'x', NOW()), (2, 'b', 'x', NOW())",
        );
        let clock = Arc::new(FixedClock::at(at("2026-11-23T18:30:01Z")));
        // Its days begin at half past six in UTC.
        let context = context(&database, &broker, clock, chrono_tz::Asia::Kolkata);
        let context = Context { retention: Duration::from_hours(5 * 24 + 1), ..context };
        Self { database, context, _broker: broker }
    }

    fn store(&self, app: i64, level: Level, time: &str, count: usize) {
        let record = Record {
            app: AppId(app),
            level,
            message: "m".to_owned(),
            created_at: at(time),
            event_id: None,
            extra: None,
        };
        let (told, heard) = mpsc::channel();
        let deadline = Instant::now() + PATIENCE;
        self.context.writer.submit(vec![record; count], deadline, move |stored| told.send(stored).unwrap());
        heard.recv_timeout(PATIENCE).unwrap().unwrap();
    }

    fn run(&self, task: &str, arguments: &str) -> String {
        let arguments = Arguments::from_json("[]", arguments).unwrap();
        (find(task).unwrap().run)(&self.context, &arguments).unwrap().get().to_owned()
    }

    fn summarize(&self, date: &str) {
        self.run(GenerateDailySummary::NAME, &format!(r#"{{"date":"{date}"}}"#));
    }

    fn renew(&self) -> String {
        self.run(RenewSummaries::NAME, "{}")
    }

    /// `INFO/WARN/ERROR` of each summary that an app has of a day.
    fn told(&self, app: i64, date: &str) -> (i64, i64) {
        let of = format!("FROM core_logsummary WHERE app_id = {app} AND date = '{date}'");
        let sum = "COALESCE(SUM(info_count * 10000 + warn_count * 100 + error_count), 0)";
        (self.database.number(&format!("SELECT COUNT(*) {of}")), self.database.number(&format!("SELECT {sum} {of}")))
    }
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

#[test]
fn a_day_whose_logs_came_late_is_summed_up_again_and_no_other() {
    let rig = Rig::new();
    // On the first and the last moment of the 23rd, and beside them.
    rig.store(1, Level::Error, "2026-11-22T18:30:00Z", 1);
    rig.store(1, Level::Error, "2026-11-23T18:29:59.999999Z", 1);
    rig.store(1, Level::Info, "2026-11-23T18:30:00Z", 1);
    assert_eq!(rig.renew(), "0", "a day that is still to be summed up");
    rig.summarize("2026-11-22");
    rig.summarize("2026-11-23");
    assert_eq!(
        (rig.told(1, "2026-11-22"), rig.told(1, "2026-11-23"), rig.told(2, "2026-11-23")),
        ((1, 0), (1, 2), (1, 0))
    );
    assert_eq!(rig.renew(), "0");

    rig.store(1, Level::Error, "2026-11-23T18:29:00Z", 2);
    rig.store(2, Level::Warn, "2026-11-22T12:00:00Z", 3);
    rig.store(2, Level::Info, "2026-11-23T00:00:00Z", 1);
    assert_eq!(rig.renew(), "3");
    let told =
        || (rig.told(1, "2026-11-23"), rig.told(2, "2026-11-22"), rig.told(2, "2026-11-23"), rig.told(1, "2026-11-22"));
    assert_eq!(told(), ((1, 4), (1, 300), (1, 10_000), (1, 0)));
    assert_eq!(rig.renew(), "0");

    // Whoever takes logs away does not take what was told of them.
    rig.database.execute("DELETE FROM core_log WHERE app_id = 2; DELETE FROM core_logcount WHERE app_id = 2; DELETE FROM core_loghourcount WHERE app_id = 2");
    rig.store(2, Level::Error, "2026-11-22T12:00:00Z", 1);
    assert_eq!(rig.renew(), "0");
    // An app that had no summary of a day, and a day that is not kept whole.
    rig.database.execute("DELETE FROM core_logsummary WHERE app_id = 1 AND date = '2026-11-23'");
    rig.summarize("2026-11-19");
    rig.store(1, Level::Info, "2026-11-19T12:00:00Z", 1);
    rig.database.execute("INSERT INTO core_logsummary (app_id, date, info_count, warn_count, error_count) VALUES (1, '2026-11-18', 0, 0, 0)");
    rig.store(1, Level::Info, "2026-11-18T12:00:00Z", 1);
    assert_eq!(rig.renew(), "2");
    assert_eq!((told(), rig.told(1, "2026-11-18")), (((1, 4), (1, 300), (1, 10_000), (1, 0)), (1, 0)));
    assert_eq!(rig.told(1, "2026-11-19"), (1, 10_000));
}
