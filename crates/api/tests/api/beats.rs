//! Several beats at once, killed and paused at random: every slot once, none missing. And one whose database is away.
//!
//! `LOGMON_TEST_SECONDS=60` makes it last for a minute, `LOGMON_TEST_SEED` repeats the faults of a run that printed it.

use std::time::{Duration, Instant};

use logmon_core::celery::{Status, TaskId};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::tasks::{CheckErrorLogs, NoInput, Task as _};
use logmon_store::testing::process::{Process, Signal, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};

use crate::common::System;

const CHECK: &str = "check-error-logs-every-10-minutes";
/// The seconds between two slots.
const INTERVAL: i64 = 2;

/// A `SplitMix64`: the same faults again for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// A number from the environment of the tests.
#[expect(clippy::disallowed_methods, reason = "says how this test runs, and is no setting of a program")]
fn given(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

fn start(system: &System) -> Process {
    system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "2s")])
}

/// Does what a beat does that dies between claiming the slot that is so many ahead and noting that it has pushed it: a moment
/// that killing beats at random hardly ever finds. `pushed` says on which side of the push.
fn die_in_the_middle(system: &System, ahead: i64, pushed: Pushed) {
    let slot = (system.database.number("SELECT UNIX_TIMESTAMP()") / INTERVAL + ahead) * INTERVAL;
    system.database.execute(&format!(
        "INSERT IGNORE INTO core_scheduleslot (entry, slot, state, beat, claimed_at)
         VALUES ('{CHECK}', TIMESTAMPADD(SECOND, {slot}, '1970-01-01'), 'claimed', 'dead', UTC_TIMESTAMP(6))"
    ));
    if pushed == Pushed::Yes {
        let slot = chrono::DateTime::from_timestamp(slot, 0).unwrap();
        let mut task = CheckErrorLogs::call(&NoInput {}).unwrap();
        task.id = TaskId::of_slot(CHECK, slot);
        system.broker.broker.push_slot(CHECK, slot, &task).unwrap();
    }
}

/// Whether a beat has pushed what it claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    Yes,
    No,
}

/// Kills, pauses and resumes the beats at random until the time is up; returns what the killed ones had said.
fn disturb(system: &System, beats: &mut [Process], dice: &mut Dice, time: Duration) -> String {
    let (begin, mut said, mut paused) = (Instant::now(), String::new(), [false; 3]);
    while begin.elapsed() < time {
        let place = usize::try_from(dice.below(3)).unwrap();
        if dice.below(6) == 0 {
            die_in_the_middle(system, 1, if dice.below(2) == 0 { Pushed::Yes } else { Pushed::No });
        }
        if paused[place] {
            beats[place].signal(Signal::Cont);
            paused[place] = false;
        } else if dice.below(2) == 0 {
            beats[place].signal(Signal::Stop);
            paused[place] = true;
        } else {
            beats[place].signal(Signal::Kill);
            beats[place].wait();
            said.push_str(&beats[place].said());
            said.push('\n');
            beats[place] = start(system);
        }
        // Not a wait for something, but the rhythm of the faults: several a second, at any moment of a slot.
        std::thread::sleep(Duration::from_millis(50 + dice.below(400)));
    }
    for (beat, _) in beats.iter().zip(paused).filter(|(_, paused)| *paused) {
        beat.signal(Signal::Cont);
    }
    said
}

#[test]
fn every_slot_is_done_once_while_three_beats_are_killed_and_paused() {
    let seed = given("LOGMON_TEST_SEED").unwrap_or_else(|| SystemClock.now().timestamp_micros().unsigned_abs());
    let time = Duration::from_secs(given("LOGMON_TEST_SECONDS").unwrap_or(15));
    println!("LOGMON_TEST_SEED={seed}");
    let system = System::new();
    let worker = system.work(&[]);
    let mut beats: Vec<Process> = (0..3).map(|_| start(&system)).collect();
    beats[0].wait_for_line("pushed entry=check");
    // Of each kind one at least.
    die_in_the_middle(&system, 1, Pushed::Yes);
    die_in_the_middle(&system, 2, Pushed::No);
    let mut said = disturb(&system, &mut beats, &mut Dice(seed), time);

    // Until a slot that comes after all of it is done, and nothing is left in the middle.
    let end = SystemClock.now().timestamp();
    let slots = |condition: &str| {
        system
            .database
            .number(&format!("SELECT COUNT(*) FROM core_scheduleslot WHERE entry = '{CHECK}' AND {condition}"))
    };
    let after = format!("slot > TIMESTAMPADD(SECOND, {end}, '1970-01-01') AND state = 'pushed'");
    eventually("a slot after the last fault", || (slots(&after) > 0).then_some(()));
    eventually("every claimed slot to be pushed", || (slots("state = 'claimed'") == 0).then_some(()));
    for beat in &mut beats {
        assert_eq!(beat.stop().code(), Some(0));
        said.push_str(&beat.said());
        said.push('\n');
    }
    eventually("what was claimed at the end", || (slots("state = 'claimed'") == 0).then_some(()));

    let seconds = |what: &str| {
        let sql = format!(
            "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', {what}(slot)) FROM core_scheduleslot WHERE entry = '{CHECK}'"
        );
        system.database.number(&sql)
    };
    let (first, last) = (seconds("MIN"), seconds("MAX"));
    let expected: Vec<i64> = (0..=(last - first) / INTERVAL).map(|n| first + n * INTERVAL).collect();
    assert!(expected.len() >= usize::try_from(time.as_secs() / 2).unwrap(), "{} slots", expected.len());
    assert_eq!(slots("state = 'pushed'"), i64::try_from(expected.len()).unwrap(), "none missing, none skipped");
    assert_eq!(slots("TRUE"), i64::try_from(expected.len()).unwrap());
    for slot in &expected {
        let id = TaskId::of_slot(CHECK, chrono::DateTime::from_timestamp(*slot, 0).unwrap());
        let status = || system.broker.broker.result(&id).unwrap().status;
        eventually("a slot's result", || (status() == Status::Success).then_some(()));
        let runs = worker.said().lines().filter(|l| l.contains(&id.0) && l.contains("succeeded")).count();
        assert_eq!(runs, 1, "slot {slot}");
        let pushes = said.lines().filter(|line| line.contains(&id.0)).count();
        assert!(pushes <= 1, "slot {slot} was pushed {pushes} times: {said}");
    }
    assert_eq!((system.broker.broker.depth("celery").unwrap(), system.broker.in_flight()), (0, 0));
}

#[test]
fn a_beat_whose_database_is_away_says_so_waits_and_makes_up_for_what_was_missed() {
    const SUMMARY: &str = "generate-daily-summary";
    const EVER: i64 = 4_000_000_000;
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let mut beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s"), ("DATABASE_URL", url.as_str())]);
    beat.wait_for_line("pushed entry=check");
    let now = || system.database.number("SELECT UNIX_TIMESTAMP()");
    let slots = |entry: &str, state: &str, after: i64, until: i64| {
        let [after, until] = [after, until].map(|time| format!("TIMESTAMPADD(SECOND, {time}, '1970-01-01')"));
        system.database.number(&format!(
            "SELECT COUNT(*) FROM core_scheduleslot
             WHERE entry = '{entry}' AND state = '{state}' AND slot > {after} AND slot <= {until}"
        ))
    };
    let begin = now();
    proxy.set(Weather::Cut);
    beat.wait_for_line("waiting for the database");
    let gone = now();
    // As if it had been away for longer: for half an hour, as far as the check goes, and over two midnights.
    for (entry, earlier) in [(CHECK, "30 MINUTE"), (SUMMARY, "2 DAY")] {
        system.database.execute(&format!(
            "UPDATE core_schedule SET handled_until = handled_until - INTERVAL {earlier} WHERE entry = '{entry}'"
        ));
    }
    eventually("some slots to pass", || (now() > gone + 4).then_some(()));
    let back = now();
    assert_eq!(slots(CHECK, "pushed", gone, back), 0);
    proxy.set(Weather::Fair);
    beat.wait_for_line("ticking again");
    let skipped = beat.wait_for_line("missed slots are skipped");
    assert!(skipped.contains("entry=check"), "{skipped}");
    eventually("the summary of each day", || (slots(SUMMARY, "pushed", 0, EVER) >= 2).then_some(()));
    eventually("a slot after that", || (slots(CHECK, "pushed", back, back + 3_600) > 0).then_some(()));
    assert_eq!(beat.stop().code(), Some(0), "{}", beat.said());

    // A check looks back from when it runs, so what was missed of it is only noted; what is a little late is not missed.
    let (earlier, until) = (begin - 1_700, begin - 300);
    assert_eq!(slots(CHECK, "skipped", earlier, until), until - earlier);
    assert_eq!(
        slots(CHECK, "pushed", gone, back) + slots(CHECK, "skipped", gone, back),
        back - gone,
        "none is missing"
    );
    assert_eq!(slots(SUMMARY, "skipped", 0, EVER), 0);
    let said = beat.said();
    assert!(said.matches("waiting for the database").count() <= 2, "not at every turn: {said}");
}

#[test]
fn a_beat_whose_database_is_silent_gives_it_up_and_goes_on_by_itself() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let mut beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s"), ("DATABASE_URL", url.as_str())]);
    beat.wait_for_line("pushed entry=check");
    proxy.set(Weather::Silent);
    eventually("a lost question", || (proxy.lost() > 0).then_some(()));
    // Its connection stays open, and what was asked on it is never answered.
    proxy.set(Weather::Fair);
    beat.wait_for_line("waiting for the database");
    beat.wait_for_line("ticking again");
    assert_eq!(beat.stop().code(), Some(0), "{}", beat.said());
}
