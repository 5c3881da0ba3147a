//! Thresholds that are passed while logs come in, on a real database and Redis: one check for each app and rule, however many
//! processes store the logs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::app::AppId;
use logmon_core::celery::{NodeName, TaskMessage};
use logmon_core::clock::{Clock as _, FixedClock};
use logmon_core::config::CheckSettings;
use logmon_core::log::{Level, Record};
use logmon_core::tasks::{CHECK_QUEUE, CheckApp, CheckErrorLogs, CheckedApp, DEFAULT_QUEUE, Task as _};
use logmon_core::worker::{Heartbeat, PROGRAM, Phase};
use logmon_store::broker::WorkerId;
use logmon_store::db::log_counts;
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::{TestBroker, TestDatabase};
use logmon_store::watch::Watch;
use redis::Commands as _;

/// The rule of the settings.
const ERRORS: i64 = 1;

struct Rig {
    database: TestDatabase,
    broker: TestBroker,
    clock: Arc<FixedClock>,
}

impl Rig {
    /// With the apps 1 and 2, and a threshold of 20 ERROR logs.
    fn new() -> Self {
        let (database, broker) = (TestDatabase::new(), TestBroker::new());
        let now = DateTime::from_timestamp(1_795_348_170, 0).unwrap();
        database.execute(
            "INSERT INTO core_app (id, name, owner, created_at) VALUES (1, 'shop', 'a', '2026-11-23'), (2, 'pay', 'b', '2026-11-23');
             UPDATE core_rule SET threshold = 20",
        );
        Self { database, broker, clock: Arc::new(FixedClock::at(now)) }
    }

    /// Makes a rule for each app, of all more than `threshold` logs.
    fn rule(&self, id: i64, level: Level, threshold: u64) {
        self.database.execute(&format!(
            "INSERT INTO core_rule (id, name, kind, level, threshold, window_seconds, every_seconds, severity, resolve_after, is_enabled, created_at, updated_at)
             VALUES ({id}, 'rule {id}', 'more_than', '{}', {threshold}, 600, 600, 'info', 3, 1, '2026-11-23', '2026-11-23')",
            level.as_str()
        ));
    }

    /// As a process starts it.
    fn watch(&self) -> Watch {
        let settings = CheckSettings::default();
        Watch::start(settings, self.database.database.clone(), self.broker.broker.clone(), self.clock.clone())
    }

    /// A worker says of itself that it serves these queues.
    fn worker(&self, name: &str, program: &str, phase: Phase, queues: &[&str]) {
        let heartbeat = Heartbeat {
            name: NodeName::from_format(name, "h"),
            host: "h".to_owned(),
            pid: 1,
            program: program.to_owned(),
            version: "0".to_owned(),
            queues: Some(queues.iter().map(|queue| (*queue).to_owned()).collect()),
            concurrency: Some(2),
            busy: 0,
            processed: 0,
            in_flight: BTreeMap::new(),
            tasks: None,
            phase,
            interval_ms: 3_600_000,
        };
        self.broker.broker.show(&WorkerId(name.to_owned()), &heartbeat).unwrap();
    }

    /// Stores logs as a process with this watch does.
    fn store(&self, watch: &Watch, app: i64, level: Level, count: usize) {
        self.store_unwatched(app, level, count);
        Self::tell(watch, app, level, count);
    }

    /// Lets a watch hear of logs that were stored.
    fn tell(watch: &Watch, app: i64, level: Level, count: usize) {
        let mut tally = watch.tally();
        (0..count).for_each(|_| tally.add(AppId(app), level));
        watch.stored(&tally);
    }

    fn store_unwatched(&self, app: i64, level: Level, count: usize) {
        self.store_at(self.clock.now() - TimeDelta::seconds(1), app, level, count);
    }

    fn store_at(&self, created_at: DateTime<Utc>, app: i64, level: Level, count: usize) {
        let record =
            Record { app: AppId(app), level, message: "boom".to_owned(), created_at, event_id: None, extra: None };
        let (told, heard) = mpsc::channel();
        let records = vec![record; count];
        self.database.writer().submit(records, Instant::now() + PATIENCE, move |stored| drop(told.send(stored)));
        heard.recv_timeout(PATIENCE).unwrap().unwrap();
    }

    /// What was asked for on a queue, the oldest first: `seed`, or the app and the rule.
    fn asked(&self, queue: &str) -> Vec<String> {
        let read = |raw: Vec<u8>| {
            let message = TaskMessage::decode(&raw).unwrap();
            if message.task == CheckErrorLogs::NAME {
                return "seed".to_owned();
            }
            assert_eq!(message.task, CheckApp::NAME);
            let of: CheckedApp = message.arguments.bind(CheckApp::PARAMETERS).unwrap();
            format!("{} {}", of.app.0, of.rule.0)
        };
        self.broker.waiting(queue).into_iter().rev().map(read).collect()
    }

    fn wait_for(&self, queue: &str, asked: &[&str]) {
        eventually("what is asked for", || (self.asked(queue).len() >= asked.len()).then_some(()));
        assert_eq!(self.asked(queue), asked);
    }

    /// Until a watch has looked at an app once more: it finds a new rule that is breached.
    fn look(&self, watch: &Watch, app: i64, fence: i64) {
        self.rule(fence, Level::Info, 0);
        watch.rules_changed();
        self.store(watch, app, Level::Info, 1);
        let found = format!("{app} {fence}");
        eventually("a look", || self.asked(CHECK_QUEUE).contains(&found).then_some(()));
    }

    fn mark(&self, app: i64) -> String {
        self.broker.broker.keys().once(&format!("check:{app}:{ERRORS}:ERROR:20:600"))
    }

    /// For how many milliseconds a check of an app for the rule of the settings is enough still.
    fn enough_for(&self, app: i64) -> i64 {
        self.broker.connect().pttl(self.mark(app)).unwrap()
    }
}

#[test]
fn many_processes_ask_once_for_the_one_app_that_passes() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &["celery", CHECK_QUEUE]);
    let watches = [rig.watch(), rig.watch()];
    // Of these nobody hears: a check of all apps would find them.
    rig.store_unwatched(2, Level::Error, 30);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (rig, watch) = (&rig, &watches[n % 2]);
            scope.spawn(move || (0..8).for_each(|_| rig.store(watch, 1, Level::Error, 1)));
        }
    });
    rig.wait_for(CHECK_QUEUE, &["1 1"]);
    rig.look(&watches[0], 1, 101);
    rig.look(&watches[1], 1, 102);
    assert_eq!(rig.asked(CHECK_QUEUE), ["1 1", "1 101", "1 102"]);
    assert_eq!(rig.asked(DEFAULT_QUEUE), [""; 0]);
}

#[test]
fn exactly_the_threshold_is_calm_and_a_rule_of_ones_own_has_its_own() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    rig.rule(7, Level::Warn, 5);
    let watch = rig.watch();
    // In the minute in which the window begins, but before it does.
    rig.store_at(rig.clock.now() - TimeDelta::seconds(601), 1, Level::Error, 1);
    rig.store(&watch, 1, Level::Error, 20);
    rig.store(&watch, 1, Level::Warn, 5);
    rig.look(&watch, 1, 101);
    assert_eq!(rig.asked(CHECK_QUEUE), ["1 101"]);
    rig.store(&watch, 1, Level::Warn, 1);
    rig.wait_for(CHECK_QUEUE, &["1 101", "1 7"]);
    rig.store(&watch, 1, Level::Error, 1);
    rig.wait_for(CHECK_QUEUE, &["1 101", "1 7", "1 1"]);
}

#[test]
fn who_is_calm_again_may_pass_the_threshold_anew_and_who_is_not_may_not() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    let watch = rig.watch();
    rig.store(&watch, 1, Level::Error, 21);
    rig.wait_for(CHECK_QUEUE, &["1 1"]);
    assert!(rig.enough_for(1) <= 60_000, "a minute, and not the window");
    // However slow this machine is.
    rig.broker.connect().pexpire::<_, ()>(rig.mark(1), 600_000).unwrap();
    let again = rig.watch();
    rig.store(&again, 1, Level::Error, 1);
    rig.look(&again, 1, 101);
    assert_eq!(rig.asked(CHECK_QUEUE), ["1 1", "1 101"], "a process that starts later finds that it was asked");

    rig.clock.set(rig.clock.now() + TimeDelta::minutes(11));
    rig.store(&watch, 1, Level::Error, 1);
    eventually("calm", || (rig.enough_for(1) <= 5_000).then_some(()));
    // As if those seconds were over.
    rig.broker.connect().del::<_, ()>(rig.mark(1)).unwrap();
    rig.store(&watch, 1, Level::Error, 20);
    rig.wait_for(CHECK_QUEUE, &["1 1", "1 101", "1 1"]);

    rig.clock.set(rig.clock.now() + TimeDelta::minutes(11));
    let fresh = rig.watch();
    rig.store(&fresh, 1, Level::Error, 1);
    eventually("calm, for who did not see it otherwise", || (rig.enough_for(1) <= 5_000).then_some(()));
}

#[test]
fn logs_of_a_clock_that_is_a_little_ahead_count() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    let watch = rig.watch();
    rig.store_at(rig.clock.now() + TimeDelta::seconds(31), 1, Level::Error, 21);
    rig.store(&watch, 1, Level::Error, 1);
    rig.wait_for(CHECK_QUEUE, &["1 1"]);
}

#[test]
fn what_the_minutes_say_is_not_counted_in_the_logs() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    let watch = rig.watch();
    rig.store_unwatched(1, Level::Error, 21);
    rig.database.execute("RENAME TABLE core_log TO core_log_away");
    Rig::tell(&watch, 1, Level::Error, 21);
    rig.wait_for(CHECK_QUEUE, &["1 1"]);
}

#[test]
fn the_minute_in_which_the_window_begins_says_nothing_by_itself() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    // The window begins half a minute after an hour of which all other minutes are in it.
    rig.clock.set(log_counts::hour(rig.clock.now()) + TimeDelta::seconds(30));
    rig.database.execute("UPDATE core_rule SET window_seconds = 7200");
    let watch = rig.watch();
    rig.store_at(rig.clock.now() - TimeDelta::seconds(7_201), 1, Level::Error, 15);
    rig.store_at(rig.clock.now() - TimeDelta::seconds(7_200), 1, Level::Error, 4);
    rig.store(&watch, 1, Level::Error, 16);
    rig.look(&watch, 1, 101);
    assert_eq!(rig.asked(CHECK_QUEUE), ["1 101"], "20 are calm");
    rig.store(&watch, 1, Level::Error, 1);
    rig.wait_for(CHECK_QUEUE, &["1 101", "1 1"]);
}

#[test]
fn another_level_is_another_threshold() {
    let rig = Rig::new();
    rig.worker("w", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    rig.rule(7, Level::Warn, 5);
    let watch = rig.watch();
    rig.store(&watch, 1, Level::Warn, 6);
    rig.wait_for(CHECK_QUEUE, &["1 7"]);
    for (level, asked) in [("'INFO'", ["1 7", "1 7"].as_slice()), ("NULL", &["1 7", "1 7", "1 7"])] {
        rig.database.execute(&format!("UPDATE core_rule SET level = {level} WHERE id = 7"));
        watch.rules_changed();
        rig.store(&watch, 1, Level::Info, 6);
        rig.wait_for(CHECK_QUEUE, asked);
    }
}

#[test]
fn without_a_worker_of_ours_the_seeds_task_checks_the_seeds_rule() {
    let rig = Rig::new();
    rig.rule(7, Level::Warn, 5);
    let watch = rig.watch();
    rig.store(&watch, 1, Level::Warn, 6);
    rig.store(&watch, 1, Level::Error, 21);
    rig.wait_for(DEFAULT_QUEUE, &["seed"]);
    // None of these would do it.
    rig.worker("1", "py-celery", Phase::Serving, &["celery", CHECK_QUEUE]);
    rig.worker("2", PROGRAM, Phase::Draining, &["celery", CHECK_QUEUE]);
    rig.worker("3", PROGRAM, Phase::Serving, &["celery", "ingest"]);
    rig.store(&watch, 2, Level::Warn, 6);
    rig.store(&watch, 2, Level::Error, 21);
    rig.wait_for(DEFAULT_QUEUE, &["seed", "seed"]);
    assert_eq!(rig.asked(CHECK_QUEUE), [""; 0]);
    rig.worker("4", PROGRAM, Phase::Serving, &[CHECK_QUEUE]);
    rig.store(&watch, 1, Level::Warn, 1);
    rig.wait_for(CHECK_QUEUE, &["1 7"]);
    assert_eq!(rig.asked(DEFAULT_QUEUE).len(), 2);
}

#[test]
fn only_levels_that_a_rule_counts_are_added_up() {
    let rig = Rig::new();
    let watch = rig.watch();
    let counts = |level: Level| {
        let mut tally = watch.tally();
        tally.add(AppId(1), level);
        !tally.is_empty()
    };
    eventually("the rules", || (!counts(Level::Info)).then_some(()));
    assert_eq!(Level::ALL.map(counts), [false, false, true]);
    rig.rule(7, Level::Info, 5);
    watch.rules_changed();
    eventually("the new rule", || (!counts(Level::Warn)).then_some(()));
    assert_eq!(Level::ALL.map(counts), [true, false, true]);
}
