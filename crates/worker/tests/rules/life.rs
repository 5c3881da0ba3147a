//! How alerts come and go: with windows, with logs that come late, and after a time in which nobody evaluated.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Timelike as _};
use logmon_core::alert::{AlertState, Severity};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::log::Level;
use logmon_store::db::alert_events;
use serde_json::json;

use crate::rig::{Rig, log, minutes};

#[test]
fn an_alert_holds_what_a_person_needs_to_act() {
    let rig = Rig::new(2, 24);
    let rule = rig.rule(&json!({"name": "errors", "threshold": 5, "severity": "critical", "every": "10m"}));
    let start = rig.now();
    rig.errors(minutes(start, 6).chain([start]));
    rig.store(vec![log(1, Level::Error, "disk full", start), log(1, Level::Info, "fine", start)]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 1);
    assert_eq!(rig.evaluate(), 0, "that window has been evaluated");
    let alert = rig.open().remove(0);
    let finding = alert.finding.unwrap();
    assert_eq!(alert.content, "8 error logs in the past 10 minutes");
    assert_eq!((alert.rule, alert.rule_name.as_str(), alert.severity), (Some(rule.id), "errors", Severity::Critical));
    assert_eq!((finding.count, finding.threshold, finding.is_late), (8, 5, false));
    assert_eq!(finding.window, start..start + TimeDelta::minutes(10));
    assert_eq!(finding.first.unwrap().created_at, start);
    assert_eq!(finding.last.unwrap().created_at, start + TimeDelta::minutes(5));
    let patterns: Vec<_> = finding.patterns.iter().map(|p| (p.pattern.as_str(), p.count)).collect();
    assert_eq!(patterns, [("charge <n> failed", 7), ("disk full", 1)]);
    assert!(finding.query.starts_with("/api/logs/?app=1&level=ERROR&since="), "{}", finding.query);
    let end = (start + TimeDelta::minutes(10)).format("%H:%M").to_string();
    assert_eq!(rig.ledger(rule.id), [format!("{end} 0 0 calm"), format!("{end} 1 8 breached")]);
}

#[test]
fn an_alert_is_over_after_so_many_calm_windows() {
    let rig = Rig::new(1, 24);
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 2}));
    rig.errors([rig.now()]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 1);
    let alert = rig.open().remove(0).id;
    rig.pass(10);
    rig.evaluate();
    assert_eq!(rig.open().len(), 1, "one calm window is not enough");
    rig.errors([rig.now() + TimeDelta::minutes(1)]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 0, "the alert is still open");
    for open in [1, 0] {
        rig.pass(10);
        rig.evaluate();
        assert_eq!(rig.open().len(), open);
    }
    let events = alert_events::of_alert(&mut rig.database.connect(), alert).unwrap();
    let said: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.note.as_deref())).collect();
    assert_eq!(said, [("opened", None), ("resolved", Some("calm for 2 windows"))]);
    rig.errors([rig.now()]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 1, "and the next one is another");
}

#[test]
fn what_becomes_of_an_alert_is_told_to_the_channels_of_its_rule() {
    let rig = Rig::new(1, 24);
    rig.database.execute(
        "INSERT INTO core_channel (id, kind, name, config, created_at) VALUES (7, 'webhook', 'ops', '{}', '2026-11-23')",
    );
    let rule = json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 1, "channels": [7]});
    rig.rule(&rule);
    rig.rule(&json!({"name": "untold", "threshold": 0, "every": "10m"}));
    rig.errors([rig.now()]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 2);
    for _ in 0..2 {
        rig.pass(10);
        rig.evaluate();
    }
    assert!(rig.open().iter().all(|alert| alert.rule_name == "untold"));
    let told = rig.database.lines(
        "SELECT CONCAT_WS(' ', n.event, d.channel_id, JSON_VALUE(n.payload, '$.rule.name'), JSON_VALUE(n.payload, '$.window.count'), e.kind) AS line
         FROM core_notification n JOIN core_delivery d ON d.event_id = n.event_id
         JOIN core_alertevent e ON e.event_id = n.event_id ORDER BY e.id",
    );
    assert_eq!(told, ["alert.opened 7 errors 1 opened", "alert.resolved 7 errors 1 resolved"]);
}

#[test]
fn logs_that_come_late_have_their_window_evaluated_again() {
    let rig = Rig::new(2, 24);
    let rule = rig.rule(&json!({"name": "errors", "threshold": 2, "every": "10m"}));
    let start = rig.now();
    rig.errors(minutes(start, 2));
    for _ in 0..12 {
        rig.pass(10);
        assert_eq!(rig.evaluate(), 0);
    }
    rig.errors([start + TimeDelta::minutes(2)]);
    rig.pass(1);
    assert_eq!(rig.evaluate(), 1);
    let alert = rig.open().remove(0);
    let finding = alert.finding.unwrap();
    assert!(finding.is_late && finding.count == 3, "{finding:?}");
    let end = (start + TimeDelta::minutes(10)).format("%Y-%m-%d %H:%M").to_string();
    assert_eq!(alert.content, format!("3 error logs in the 10 minutes up to {end} UTC"));
    let late: Vec<_> = rig.ledger(rule.id).into_iter().filter(|row| row.ends_with("late")).collect();
    assert_eq!(late, [format!("{} 1 3 breached late", &end[11..])]);
    rig.errors([start + TimeDelta::minutes(3)]);
    rig.pass(1);
    assert_eq!(rig.evaluate(), 0, "that window has had its alert");
    // Too late: the window stays as it was.
    rig.set(start + TimeDelta::hours(26));
    rig.evaluate();
    rig.errors(minutes(start, 9));
    rig.pass(1);
    assert_eq!(rig.evaluate(), 0);
}

#[test]
fn a_log_that_comes_late_within_the_hour_is_noticed_as_well() {
    let rig = Rig::new(1, 24);
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m"}));
    let start = rig.now();
    rig.pass(21);
    rig.evaluate();
    rig.errors([start + TimeDelta::minutes(5)]);
    rig.pass(1);
    assert_eq!(rig.evaluate(), 1, "the app had had no log at all in this hour");
    assert!(rig.open()[0].finding.as_ref().unwrap().is_late);
}

#[test]
fn windows_that_nobody_evaluated_are_made_up_for() {
    let rig = Rig::new(1, 48);
    let rule = rig.rule(&json!({"name": "errors", "threshold": 2, "every": "10m"}));
    let start = rig.now();
    rig.evaluate();
    rig.errors(minutes(start + TimeDelta::minutes(20), 3));
    rig.pass(120);
    assert_eq!(rig.evaluate(), 1);
    assert_eq!(rig.ledger(rule.id).len(), 13, "a row a window, and one of the app");
    let alert = rig.open().remove(0);
    assert!(alert.content.contains(" up to "), "{}", alert.content);
    assert!(!alert.finding.unwrap().is_late, "nobody had looked there before");
    // What lies further back than a day is not made up for.
    rig.errors([rig.now() + TimeDelta::minutes(1)]);
    rig.pass(26 * 60);
    rig.evaluate();
    let windows = rig.database.number("SELECT COUNT(DISTINCT window_end) FROM core_evaluation");
    assert_eq!(windows, 12 + 144);
}

#[test]
fn the_check_looks_at_the_window_that_still_runs() {
    let rig = Rig::new(3, 24);
    rig.rule(&json!({"name": "each", "threshold": 100}));
    rig.rule(&json!({"name": "second", "app": 2, "threshold": 3, "level": "WARN", "text": "slow", "window": "5m", "every": "1h"}));
    rig.pass(3);
    rig.set(rig.now().with_nanosecond(500_000).unwrap().trunc_subsecs(6));
    let now = rig.now();
    let since = now - TimeDelta::minutes(10);
    rig.store(vec![log(1, Level::Error, "x", since); 101]);
    rig.store(vec![log(3, Level::Error, "x", now); 100]);
    let one_before = since - TimeDelta::microseconds(1);
    rig.store(vec![log(3, Level::Error, "x", one_before)]);
    rig.store(
        ["slow", "Slow query", "SLOW", "fast"]
            .map(|text| log(2, Level::Warn, text, now - TimeDelta::minutes(1)))
            .into(),
    );
    assert_eq!(rig.check(), 1, "{:?}", rig.open());
    assert_eq!(rig.open()[0].app.0, 1, "exactly 100 are calm, and one is too old");
    rig.store(vec![log(2, Level::Warn, "a slow one", now - TimeDelta::minutes(5))]);
    assert_eq!((rig.check(), rig.check()), (1, 0));
    let open = rig.open();
    assert_eq!((open.len(), open[0].state), (2, AlertState::Open));
    assert!(open.iter().any(|alert| alert.content == "4 warn logs with \"slow\" in the past 5 minutes"), "{open:?}");
}

#[test]
fn an_app_that_has_gone_quiet_is_told_with_its_last_log() {
    let rig = Rig::new(2, 24);
    rig.rule(&json!({"name": "quiet", "kind": "none", "window": "30m", "every": "10m"}));
    let start = rig.now();
    rig.store(vec![log(1, Level::Info, "alive", start)]);
    for quiet_for in 1..=3 {
        rig.pass(10);
        assert_eq!(rig.evaluate(), 0, "quiet for {quiet_for}0 minutes");
    }
    rig.pass(10);
    assert_eq!(rig.evaluate(), 1, "app 2 has never said anything");
    let alert = rig.open().remove(0);
    assert_eq!((alert.app.0, alert.content.as_str()), (1, "no logs in the past 30 minutes"));
    assert_eq!(alert.finding.unwrap().last.unwrap().created_at, start);
}

#[test]
fn what_a_clock_that_was_ahead_evaluated_is_evaluated_at_its_time() {
    let rig = Rig::new(1, 0);
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m"}));
    let right = SystemClock.now();
    rig.pass(9 * 60);
    assert_eq!(rig.evaluate(), 0);
    rig.set(right);
    assert_eq!(rig.evaluate(), 0);
    // The one after the next, for the next one may end before the database's time is asked for.
    let end = DateTime::from_timestamp((right.timestamp() / 600 + 2) * 600, 0).unwrap();
    rig.errors([end - TimeDelta::minutes(1)]);
    rig.set(end);
    assert_eq!(rig.evaluate(), 1);
    assert!(!rig.open().remove(0).finding.unwrap().is_late, "it was found when its window ended");
}

#[test]
fn a_disabled_rule_rests_and_does_not_make_up_for_it() {
    let rig = Rig::new(1, 24);
    let rule = rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m"}));
    let change = |body| {
        let mut conn = rig.database.connect();
        let now = logmon_store::db::rules::get(&mut conn, rule.id).unwrap().unwrap();
        let says = logmon_core::alert::NewRule { state: body, ..now.says };
        logmon_store::db::rules::update(&mut conn, rule.id, now.updated_at, &says, rig.now()).unwrap().unwrap();
    };
    change(logmon_core::alert::RuleState::Disabled);
    rig.errors([rig.now()]);
    rig.pass(30);
    assert_eq!((rig.evaluate(), rig.check()), (0, 0));
    change(logmon_core::alert::RuleState::Enabled);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 0);
    assert_eq!(rig.ledger(rule.id).len(), 1);
}
