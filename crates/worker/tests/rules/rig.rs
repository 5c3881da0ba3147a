//! A database, a clock that the test sets, and the handlers that evaluate rules.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::{Alert, AlertFilter, AlertState, NewRule, Rule, RuleId};
use logmon_core::app::AppId;
use logmon_core::celery::Arguments;
use logmon_core::clock::{Clock as _, FixedClock, SystemClock};
use logmon_core::field::Fields;
use logmon_core::log::{Level, Record};
use logmon_core::notification::{ChannelId, NewChannel, Targets};
use logmon_core::page::Page;
use logmon_core::python::Entries;
use logmon_core::tasks::{
    ChannelInput, CheckApp, CheckErrorLogs, CheckedApp, DispatchNotifications, EvaluateRules, SendNotifications,
    Task as _,
};
use logmon_store::db::{alerts, channels, log_counts, rules};
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_worker::context::Context;
use logmon_worker::registry;
use serde_json::Value;

use crate::common::context;

pub(crate) struct Rig {
    pub(crate) database: TestDatabase,
    _broker: TestBroker,
    clock: Arc<FixedClock>,
    context: Context,
}

impl Rig {
    /// With the apps 1 to `apps` and no rule, at a whole hour `back` hours ago.
    pub(crate) fn new(apps: i64, back: i64) -> Self {
        let (database, broker) = (TestDatabase::new(), TestBroker::new());
        let start = log_counts::hour(SystemClock.now()) - TimeDelta::hours(back);
        let clock = Arc::new(FixedClock::at(start));
        let context = context(&database, &broker, clock.clone(), chrono_tz::UTC);
        let context = Context { retention: Duration::from_hours(24 * 90), ..context };
        for app in 1..=apps {
            database.execute(&format!(
                "INSERT INTO core_app (id, name, owner, created_at) VALUES ({app}, 'app-{app}', 'o', '2026-11-23')"
            ));
        }
        database.execute("DELETE FROM core_rule");
        Self { database, _broker: broker, clock, context }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn set(&self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.set(self.now() + TimeDelta::minutes(minutes));
    }

    /// Makes a rule as `POST /api/rules/` does.
    pub(crate) fn rule(&self, body: &Value) -> Rule {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        let rule = NewRule::from_fields(&Fields::from(entries), None).unwrap();
        rules::create(&mut self.database.connect(), &rule, self.now()).unwrap()
    }

    /// Stores logs of app 1, one at each of these moments.
    pub(crate) fn errors(&self, at: impl IntoIterator<Item = DateTime<Utc>>) {
        let record = |(n, at): (usize, _)| log(1, Level::Error, &format!("charge {n} failed"), at);
        self.store(at.into_iter().enumerate().map(record).collect());
    }

    pub(crate) fn store(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let (told, heard) = std::sync::mpsc::channel();
        self.database.writer().submit(records, Instant::now() + PATIENCE, move |stored| told.send(stored).unwrap());
        heard.recv().unwrap().unwrap();
    }

    /// What the schedule does every minute. Says how many alerts were raised.
    pub(crate) fn evaluate(&self) -> u64 {
        self.run(EvaluateRules::NAME)
    }

    /// The same, where it may fail.
    pub(crate) fn try_evaluate(&self) -> bool {
        (registry::find(EvaluateRules::NAME).unwrap().run)(&self.context, &Arguments::default()).is_ok()
    }

    /// What the seed's check does.
    pub(crate) fn check(&self) -> u64 {
        self.run(CheckErrorLogs::NAME)
    }

    /// What is done when an app has passed the threshold of a rule.
    pub(crate) fn check_app(&self, app: i64, rule: RuleId) -> u64 {
        self.run_with(CheckApp::NAME, &Arguments::named(&CheckedApp { app: AppId(app), rule }).unwrap())
    }

    /// What the schedule does every 10 seconds, but for the sending. Says how many channels have something to tell.
    pub(crate) fn dispatch(&self) -> u64 {
        self.run(DispatchNotifications::NAME)
    }

    /// Sends what a channel has to tell. Says how many messages were taken.
    pub(crate) fn send(&self, channel: ChannelId) -> u64 {
        self.run_with(SendNotifications::NAME, &Arguments::named(&ChannelInput { channel }).unwrap())
    }

    /// Makes a channel as `POST /api/channels/` does.
    pub(crate) fn channel(&self, body: &Value) -> ChannelId {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        let channel = NewChannel::from_fields(&Fields::from(entries), Targets::Any).unwrap();
        channels::create(&mut self.database.connect(), &channel, None, self.now()).unwrap()
    }

    fn run(&self, task: &str) -> u64 {
        self.run_with(task, &Arguments::default())
    }

    fn run_with(&self, task: &str, arguments: &Arguments) -> u64 {
        let result = (registry::find(task).unwrap().run)(&self.context, arguments).unwrap();
        result.get().parse().unwrap()
    }

    /// The open alerts, the newest first.
    pub(crate) fn open(&self) -> Vec<Alert> {
        let states = vec![AlertState::Open, AlertState::Acknowledged];
        let filter = AlertFilter { states, ..AlertFilter::default() };
        alerts::list(&mut self.database.connect(), &filter, Page { limit: 1_000, after: None }).unwrap()
    }

    /// The ledger's rows of a rule, the oldest first: when the window ended, the app, the count and the outcome.
    pub(crate) fn ledger(&self, rule: RuleId) -> Vec<String> {
        self.database.lines(&format!(
            "SELECT CONCAT_WS(' ', DATE_FORMAT(window_end, '%H:%i'), app_id, count, outcome, IF(is_late, 'late', NULL)) AS line
             FROM core_evaluation WHERE rule_id = {} ORDER BY window_end, app_id",
            rule.0
        ))
    }
}

pub(crate) fn log(app: i64, level: Level, message: &str, created_at: DateTime<Utc>) -> Record {
    Record { app: AppId(app), level, message: message.to_owned(), created_at, event_id: None, extra: None }
}

pub(crate) fn minutes(from: DateTime<Utc>, count: i64) -> impl Iterator<Item = DateTime<Utc>> {
    (0..count).map(move |minute| from + TimeDelta::minutes(minute))
}
