//! The clock work on a real database and a real Redis: claims, pushes, what was missed, and clocks that are wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_beat::entries::{Entry, entries};
use logmon_beat::ticker::Ticker;
use logmon_beat::trouble::Trouble;
use logmon_core::celery::TaskId;
use logmon_core::clock::{Clock, FixedClock, SystemClock};
use logmon_core::config::{BrokerSettings, ScheduleSettings};
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, Push, WorkerId};
use logmon_store::db::{schedule_slots, schedules};
use logmon_store::testing::{TestBroker, TestDatabase};

const CHECK: &str = "check-error-logs-every-10-minutes";
const SUMMARY: &str = "generate-daily-summary";

struct Rig {
    database: TestDatabase,
    redis: TestBroker,
}

impl Rig {
    fn new() -> Self {
        Self { database: TestDatabase::new(), redis: TestBroker::new() }
    }

    fn beat(&self, name: &str) -> Ticker {
        let settings = ScheduleSettings { check_interval: Duration::from_secs(600), summary_hour: 0 };
        Ticker {
            database: self.database.database.clone(),
            broker: self.redis.broker.clone(),
            clock: Arc::new(SystemClock),
            entries: entries(&settings, chrono_tz::Tz::Asia__Shanghai).unwrap(),
            name: name.to_owned(),
            figures: logmon_beat::metrics::Figures::default(),
        }
    }

    /// As if no beat had run since so many hours ago.
    fn no_beat_for(&self, hours: u32) {
        self.database
            .execute(&format!("UPDATE core_schedule SET handled_until = UTC_TIMESTAMP(6) - INTERVAL {hours} HOUR"));
    }

    fn slots(&self, entry: &str, state: &str) -> i64 {
        let sql = "SELECT COUNT(*) FROM core_scheduleslot WHERE entry";
        self.database.number(&format!("{sql} = '{entry}' AND state = '{state}'"))
    }

    fn queued(&self) -> i64 {
        i64::try_from(self.redis.broker.depth("celery").unwrap()).unwrap()
    }
}

/// A Redis that does not answer.
fn away() -> Broker {
    let settings = BrokerSettings {
        redis_url: "redis://127.0.0.1:1/0".to_owned().into(),
        redis_key_prefix: String::new(),
        result_expires: Duration::from_secs(60),
        task_sent_events: false,
    };
    Broker::new(&settings, 1).unwrap()
}

fn only<'a>(beat: &'a Ticker, name: &str) -> &'a Entry {
    beat.entries.iter().find(|entry| entry.name == name).unwrap()
}

#[test]
fn a_new_entry_begins_now_and_what_was_missed_goes_by_its_policy() {
    let rig = Rig::new();
    let beat = rig.beat("a");
    beat.register().unwrap();
    beat.turn().unwrap();
    assert_eq!(rig.database.number("SELECT COUNT(*) FROM core_scheduleslot WHERE state = 'skipped'"), 0);
    // A slot may have come just now; what follows is told from it.
    rig.database.execute("DELETE FROM core_scheduleslot");
    let before = rig.queued();
    let now = rig.database.number("SELECT UNIX_TIMESTAMP()");
    rig.no_beat_for(100);
    beat.turn().unwrap();
    assert_eq!(rig.slots(CHECK, "claimed"), 0);
    let checks = rig.slots(CHECK, "pushed");
    assert!((1..=2).contains(&checks), "the newest, and one that came meanwhile: {checks}");
    assert!((599..=601).contains(&(rig.slots(CHECK, "skipped") + checks)));
    assert!((4..=5).contains(&rig.slots(SUMMARY, "pushed")), "a summary for each midnight");
    assert_eq!(rig.slots(SUMMARY, "skipped"), 0);
    let pushed = rig.database.number("SELECT COUNT(*) FROM core_scheduleslot WHERE state = 'pushed'");
    assert_eq!(rig.queued() - before, pushed);
    // Nothing is left to do, for this beat and for others.
    rig.beat("b").register().unwrap();
    for beat in [&beat, &rig.beat("b")] {
        beat.turn().unwrap();
    }
    let meanwhile = rig.database.number(&format!(
        "SELECT COUNT(*) FROM core_scheduleslot WHERE state = 'pushed' AND TIMESTAMPDIFF(SECOND, '1970-01-01', slot) > {now}"
    ));
    assert!(rig.queued() - before - pushed <= meanwhile, "only what has come meanwhile");
}

#[test]
fn eight_beats_at_once_claim_and_push_each_slot_once() {
    let rig = Rig::new();
    rig.beat("a").register().unwrap();
    rig.no_beat_for(24 * 20);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let beat = rig.beat(&format!("beat-{n}"));
            scope.spawn(move || {
                // One that the database gave up for another's sake goes on in its next turn, as the program does.
                let tried = (0..50).any(|_| beat.turn().is_ok());
                assert!(tried);
            });
        }
    });
    rig.beat("a").turn().unwrap();
    // A beat that gave up in the middle leaves its slots to the others.
    rig.database.execute("UPDATE core_scheduleslot SET claimed_at = claimed_at - INTERVAL 6 SECOND");
    rig.beat("a").turn().unwrap();
    assert_eq!(rig.slots(SUMMARY, "claimed") + rig.slots(CHECK, "claimed"), 0);
    assert!((20..=21).contains(&rig.slots(SUMMARY, "pushed")));
    let pushed = rig.database.number("SELECT COUNT(*) FROM core_scheduleslot WHERE state = 'pushed'");
    assert_eq!(rig.queued(), pushed);
}

#[test]
fn what_a_dead_beat_has_claimed_is_pushed_by_another_and_what_it_has_pushed_is_not_pushed_again() {
    let rig = Rig::new();
    let beat = rig.beat("alive");
    beat.register().unwrap();
    rig.database.execute("UPDATE core_schedule SET handled_until = handled_until + INTERVAL 30 SECOND");
    let insert = |entry: &str, ago: u32| {
        rig.database.execute(&format!(
            "INSERT INTO core_scheduleslot (entry, slot, state, beat, claimed_at) VALUES
             ('{entry}', '2026-11-23 16:00:00', 'claimed', 'dead', UTC_TIMESTAMP(6) - INTERVAL {ago} SECOND)"
        ));
    };
    insert(CHECK, 60);
    insert(SUMMARY, 60);
    insert("rotate-partitions", 0);
    // The check was pushed before its beat died.
    let slot = "2026-11-23T16:00:00Z".parse().unwrap();
    let task = (only(&beat, CHECK).task)(slot).unwrap();
    assert_eq!(rig.redis.broker.push_slot(CHECK, slot, &task).unwrap(), Push::Now);
    beat.turn().unwrap();
    assert_eq!((rig.slots(CHECK, "pushed"), rig.slots(SUMMARY, "pushed")), (1, 1));
    assert_eq!(rig.slots("rotate-partitions", "claimed"), 1, "its beat may be about to push it");
    assert_eq!(rig.queued(), 2, "one each");
    // A beat that stood still since then and goes on now.
    let late = rig.redis.broker.push_slot(SUMMARY, slot, &task).unwrap();
    assert_eq!(late, Push::Before);
    // One that stood still before it claimed finds that this was seen to, though the row is long gone.
    let old = "2026-09-01T16:00:00Z".parse().unwrap();
    let mut conn = rig.database.connect();
    let claimed = schedule_slots::insert(&mut conn, SUMMARY, &[old], logmon_core::schedule::SlotState::Claimed, "slow");
    assert_eq!(claimed.unwrap(), 0);
}

#[test]
fn the_id_of_a_task_follows_from_its_slot_and_its_date_travels_with_it() {
    let rig = Rig::new();
    let beat = rig.beat("a");
    beat.register().unwrap();
    rig.no_beat_for(30);
    beat.turn().unwrap();
    let newest = schedule_slots::newest(&mut rig.database.connect(), SUMMARY).unwrap().unwrap();
    let id = TaskId::of_slot(SUMMARY, newest.slot);
    let task = (only(&beat, SUMMARY).task)(newest.slot).unwrap();
    // Midnight in Shanghai is 16:00 UTC of the day that has just ended there.
    let day = newest.slot.date_naive().to_string();
    assert!(newest.slot.to_rfc3339().contains("T16:00:00") && task.arguments.kwargs_repr().contains(&day));
    let fetched = rig.redis.broker.fetch(&["celery".to_owned()], &WorkerId("w".to_owned()), 100).unwrap().fetched;
    let messages: Vec<String> = fetched.iter().map(|f| String::from_utf8_lossy(&f.raw).into_owned()).collect();
    assert!(messages.iter().any(|m| m.contains(&id.0) && m.contains("\"celery_beat_task\": true")), "{messages:?}");
}

#[test]
fn a_clock_that_is_off_stops_a_beat_and_only_the_databases_time_counts() {
    let rig = Rig::new();
    let mut beat = rig.beat("a");
    beat.register().unwrap();
    rig.no_beat_for(2);
    for (off, expected) in [(-6, true), (6, true), (-3, false), (3, false)] {
        let seconds = chrono::Duration::seconds(off);
        beat.clock = Arc::new(FixedClock::at(SystemClock.now() + seconds));
        let turn = beat.turn();
        assert_eq!(matches!(turn, Err(Trouble::Clock(_))), expected, "{off}: {turn:?}");
        if expected {
            assert_eq!(rig.queued(), 0);
        }
    }
    assert!(rig.queued() > 0);
}

#[test]
fn a_database_whose_clock_was_set_back_does_not_silence_the_schedule() {
    let rig = Rig::new();
    let beat = rig.beat("a");
    beat.register().unwrap();
    rig.no_beat_for(1);
    beat.turn().unwrap();
    let before = rig.queued();
    rig.database.execute("UPDATE core_schedule SET handled_until = UTC_TIMESTAMP(6) + INTERVAL 1 DAY");
    beat.turn().unwrap();
    let handled = schedules::handled(&mut rig.database.connect()).unwrap();
    assert!(handled.iter().all(|(_, until)| *until <= SystemClock.now() + Duration::from_secs(5)), "{handled:?}");
    assert!(rig.queued() - before <= 1, "what was pushed is not pushed again");
}

#[test]
fn what_a_clock_that_was_ahead_saw_to_before_its_time_is_pushed_at_its_time() {
    let rig = Rig::new();
    let beat = rig.beat("a");
    beat.register().unwrap();
    beat.turn().unwrap();
    let soon = DateTime::from_timestamp((SystemClock.now().timestamp() / 60 + 60) * 60, 0).unwrap();
    let (minute, tens) = ("evaluate-rules-every-minute", "dispatch-notifications");
    for (entry, state, seconds) in [(tens, "pushed", 0), (tens, "skipped", 10), (minute, "claimed", 0)] {
        let slot = (soon + Duration::from_secs(seconds)).format("%F %T");
        rig.database.execute(&format!(
            "INSERT INTO core_scheduleslot (entry, slot, state, beat, claimed_at)
             VALUES ('{entry}', '{slot}', '{state}', 'b', UTC_TIMESTAMP(6))"
        ));
    }
    let task = (only(&beat, tens).task)(soon).unwrap();
    assert_eq!(rig.redis.broker.push_slot(tens, soon, &task).unwrap(), Push::Now);
    rig.database.execute("UPDATE core_schedule SET handled_until = UTC_TIMESTAMP(6) + INTERVAL 9 HOUR");
    beat.turn().unwrap();
    let ahead = "SELECT COUNT(*) FROM core_scheduleslot WHERE slot > UTC_TIMESTAMP(6) AND state";
    assert_eq!(rig.database.number(&format!("{ahead} <> 'claimed'")), 0);
    assert_eq!(rig.slots(minute, "claimed"), 1, "another one is pushing it");
    let again = rig.redis.broker.push_slot(tens, soon, &task).unwrap();
    assert_eq!(again, Push::Now, "Redis does not take it for pushed");
}

#[test]
fn while_redis_is_away_slots_wait_unclaimed() {
    let rig = Rig::new();
    let mut beat = rig.beat("a");
    beat.register().unwrap();
    rig.no_beat_for(30);
    beat.broker = away();
    assert!(matches!(beat.turn(), Err(Trouble::Redis(_))));
    assert_eq!(rig.database.number("SELECT COUNT(*) FROM core_scheduleslot"), 0);
    let entries = schedules::list(&mut rig.database.connect()).unwrap();
    let late = entries.entries.iter().filter(|entry| entry.progress.is_late(entries.now)).count();
    assert_eq!(late, 6, "whoever asks sees it");
    beat.broker = rig.redis.broker.clone();
    beat.turn().unwrap();
    assert!(rig.slots(CHECK, "pushed") >= 1 && rig.slots(SUMMARY, "pushed") >= 1);
}

/// The entries that were said to be watched in this test's process.
static WATCHED: Mutex<Vec<String>> = Mutex::new(Vec::new());
struct Listener;

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string() == "watching" {
            let entry = record.key_values().get("entry".into()).map(|entry| entry.to_string());
            WATCHED.lock().unwrap().extend(entry);
        }
    }
    fn flush(&self) {}
}

/// The machine's clock, which ends the process when it has been asked this often.
struct Patience(Stop, AtomicU32);

impl Clock for Patience {
    fn now(&self) -> DateTime<Utc> {
        if self.1.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.raise(Urgency::Finish);
        }
        SystemClock.now()
    }
}

#[test]
fn what_is_watched_is_said_once_however_long_redis_is_waited_for() {
    log::set_logger(&Listener).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let (rig, stop) = (Rig::new(), Stop::default());
    let mut beat = rig.beat("a");
    beat.entries.retain(|entry| entry.name == SUMMARY);
    beat.entries[0].name = "watched-while-redis-is-away";
    beat.register().unwrap();
    rig.no_beat_for(25);
    beat.broker = away();
    beat.clock = Arc::new(Patience(stop.clone(), AtomicU32::new(9)));
    WATCHED.lock().unwrap().clear();
    beat.run(&stop);
    let watched = WATCHED.lock().unwrap().iter().filter(|entry| *entry == "watched-while-redis-is-away").count();
    assert_eq!((watched, rig.slots("watched-while-redis-is-away", "claimed")), (1, 0));
}
