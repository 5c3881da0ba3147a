//! Rules of every kind over a month, with logs that come late and hours in which nobody evaluates, against a count of every
//! window by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::RuleId;
use logmon_core::log::{Level, Record};
use logmon_store::db::{backtest, rules};
use logmon_store::testing::process::PATIENCE;
use serde_json::json;

use crate::rig::{Rig, log};

const DAYS: i64 = 30;
/// How often the rules are evaluated.
const TICK: i64 = 30;
const APPS: i64 = 3;

/// A generator of numbers that are the same at every run (Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// When a log arrives, and the log.
fn logs(start: DateTime<Utc>) -> Vec<(DateTime<Utc>, Record)> {
    let (mut numbers, mut logs) = (Numbers(7), Vec::new());
    for app in 1..=APPS {
        // The first one is in time: who has never logged cannot go quiet.
        logs.push((start, log(app, Level::Error, "begin", start)));
        for minute in 0..DAYS * 1_440 {
            let busy = numbers.below(2_000) < 3;
            let quiet = (minute / 240 + app) % 9 == 0;
            let count = if busy {
                5 + numbers.below(12)
            } else if quiet {
                0
            } else {
                u64::from(numbers.below(25) == 0)
            };
            for _ in 0..count {
                let at =
                    start + TimeDelta::minutes(minute) + TimeDelta::milliseconds(numbers.below(60_000).cast_signed());
                let delay = if numbers.below(10) == 0 { numbers.below(180) } else { 0 };
                let level =
                    [Level::Error, Level::Error, Level::Warn, Level::Info][usize::try_from(numbers.below(4)).unwrap()];
                let message = if numbers.below(3) == 0 { "upstream timed out" } else { "declined" };
                logs.push((at + TimeDelta::minutes(delay.cast_signed()), log(app, level, message, at)));
            }
        }
    }
    logs.sort_by_key(|(arrival, _)| *arrival);
    logs
}

/// A rule as the count by hand knows it: what to send, which logs, window and step in minutes, and what is a breach of the count
/// and that of the day before.
struct Case {
    body: serde_json::Value,
    counts: fn(&Record) -> bool,
    window: i64,
    every: i64,
    breached: fn(usize, usize) -> bool,
}

fn cases() -> Vec<Case> {
    let error: fn(&Record) -> bool = |log| log.level == Level::Error;
    vec![
        Case {
            body: json!({"name": "short", "threshold": 4, "window": "10m", "every": "10m"}),
            counts: error,
            window: 10,
            every: 10,
            breached: |count, _| count > 4,
        },
        Case {
            body: json!({"name": "odd", "threshold": 6, "window": "95m", "every": "35m", "app": 2}),
            counts: |log| log.level == Level::Error && log.app.0 == 2,
            window: 95,
            every: 35,
            breached: |count, _| count > 6,
        },
        Case {
            body: json!({"name": "day", "threshold": 45, "window": "1d", "every": "1h", "level": null}),
            counts: |_| true,
            window: 1_440,
            every: 60,
            breached: |count, _| count > 45,
        },
        Case {
            body: json!({"name": "quiet", "kind": "none", "window": "3h", "every": "30m"}),
            counts: |_| true,
            window: 180,
            every: 30,
            breached: |count, _| count == 0,
        },
        Case {
            body: json!({"name": "multiple", "kind": "multiple", "factor": 2.5, "threshold": 3, "window": "2h", "every": "1h"}),
            counts: error,
            window: 120,
            every: 60,
            breached: |count, before| count > 3 && count * 10 > before * 25,
        },
        Case {
            body: json!({"name": "text", "threshold": 2, "window": "30m", "every": "30m", "text": "\"timed out\""}),
            counts: |log| log.level == Level::Error && log.message.contains("timed out"),
            window: 30,
            every: 30,
            breached: |count, _| count > 2,
        },
    ]
}

/// What looking back says: alerts and breached windows by app, and the ends of the newest windows with their apps. Nothing of a
/// rule with a text.
type LookedBack = Option<(BTreeMap<i64, (u64, u64)>, Vec<(i64, i64)>)>;

fn backtest(rig: &Rig, rule: i64, range: Range<DateTime<Utc>>) -> LookedBack {
    let mut conn = rig.database.connect();
    let rule = rules::get(&mut conn, RuleId(rule)).unwrap().unwrap().says;
    if rule.condition.text.is_some() {
        return None;
    }
    let looked = backtest::backtest(&mut conn, &rule, &range, PATIENCE).unwrap();
    assert_eq!(looked.since, range.start, "there was time for all of it");
    let apps = looked.tested.apps.into_iter().map(|(app, of_app)| (app.0, (of_app.alerts, of_app.breached)));
    let windows = looked.tested.windows.into_iter();
    Some((apps.collect(), windows.map(|breach| (breach.window.end.timestamp() / 60, breach.app.0)).collect()))
}

/// The same by hand: an alert is over where as many windows as `resolve_after` says, 3, were calm.
fn looked_back(case: &Case, expected: &BTreeSet<(i64, i64)>) -> LookedBack {
    if case.body["text"].is_string() {
        return None;
    }
    let mut apps: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for app in 1..=APPS {
        let ends: Vec<i64> = expected.iter().filter(|(_, of)| *of == app).map(|(end, _)| *end).collect();
        let again = ends.windows(2).filter(|pair| (pair[1] - pair[0]) / case.every > 3).count();
        if !ends.is_empty() {
            apps.insert(app, (u64::try_from(again).unwrap() + 1, u64::try_from(ends.len()).unwrap()));
        }
    }
    let mut windows: Vec<(i64, i64)> = expected.iter().copied().collect();
    windows.sort_by_key(|(end, app)| (-end, *app));
    windows.truncate(500);
    Some((apps, windows))
}

#[test]
fn rules_fire_in_the_windows_that_a_count_by_hand_names() {
    let rig = Rig::new(APPS, DAYS * 24 + 24);
    let start = rig.now();
    let end = start + TimeDelta::days(DAYS);
    let cases = cases();
    let made: Vec<i64> = cases.iter().map(|case| rig.rule(&case.body).id.0).collect();
    let logs = logs(start);
    let mut arriving = logs.iter().peekable();
    let mut now = start;
    while now < end + TimeDelta::hours(4) {
        now += TimeDelta::minutes(TICK);
        let mut arrived = Vec::new();
        while let Some((_, record)) = arriving.next_if(|(arrival, _)| *arrival <= now) {
            arrived.push(record.clone());
        }
        rig.store(arrived);
        // Twice a week nobody evaluates for two hours and more; a few seconds late is usual.
        let hour_of_month = (now - start).num_hours();
        if (9..12).contains(&(hour_of_month % 84)) && hour_of_month < DAYS * 24 {
            continue;
        }
        rig.set(now + TimeDelta::seconds(3));
        rig.evaluate();
    }
    assert!(arriving.peek().is_none());

    let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
    let within = |case: &Case, app: i64, from: DateTime<Utc>, to: DateTime<Utc>| {
        let counted = logs.iter().filter(|(_, log)| log.app.0 == app && (case.counts)(log));
        counted.filter(|(_, log)| from <= log.created_at && log.created_at < to).count()
    };
    let mut late = 0;
    for (case, rule) in cases.iter().zip(&made) {
        let mut expected: BTreeSet<(i64, i64)> = BTreeSet::new();
        let first = (minute(start) / case.every + 1) * case.every;
        let ends = (first..=minute(end)).step_by(usize::try_from(case.every).unwrap());
        for window_end in ends.map(|end| DateTime::from_timestamp(end * 60, 0).unwrap()) {
            let (from, day) = (window_end - TimeDelta::minutes(case.window), TimeDelta::days(1));
            for app in 1..=APPS {
                let begun = start < from;
                let count = within(case, app, from, window_end);
                let before = within(case, app, from - day, window_end - day);
                let concerned = case.body["app"].is_null() || case.body["app"] == app;
                if concerned && (case.breached)(count, before) && (count > 0 || begun) {
                    expected.insert((minute(window_end), app));
                }
            }
        }
        let tested = backtest(&rig, *rule, start..end);
        assert_eq!(tested, looked_back(case, &expected), "{}: looking back", case.body["name"]);
        let fired: BTreeSet<String> = rig
            .database
            .lines(&format!(
                "SELECT CONCAT(app_id, ' ', TIMESTAMPDIFF(MINUTE, '1970-01-01', window_end)) AS line FROM core_evaluation
                 WHERE rule_id = {rule} AND outcome = 'breached' AND window_end <= '{}'",
                end.naive_utc()
            ))
            .into_iter()
            .collect();
        let expected: BTreeSet<String> = expected.into_iter().map(|(end, app)| format!("{app} {end}")).collect();
        let (missing, extra): (Vec<_>, Vec<_>) =
            (expected.difference(&fired).collect(), fired.difference(&expected).collect());
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{}: missing {missing:?}, too many {extra:?}",
            case.body["name"]
        );
        assert!(expected.len() > 20, "{}: {} windows say little", case.body["name"], expected.len());
        let query = format!("SELECT COUNT(*) FROM core_evaluation WHERE rule_id = {rule} AND is_late");
        late += rig.database.number(&query);
    }
    assert!(late > 100, "{late} rows were evaluated again");
    let together =
        "SELECT COUNT(*) FROM core_alert a JOIN core_alert b ON a.rule_id = b.rule_id AND a.app_id = b.app_id
        AND a.id < b.id AND (a.resolved_at IS NULL OR a.resolved_at > b.created_at)";
    assert_eq!(rig.database.number(together), 0, "two alerts of a rule and an app were open at once");
    assert!(rig.database.number("SELECT COUNT(*) FROM core_alert WHERE is_late") > 0);
}
