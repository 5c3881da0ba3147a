//! The check of one app for one rule, as soon as it has passed the rule's threshold.

use chrono::TimeDelta;
use logmon_core::log::Level;
use logmon_store::db::rules;
use serde_json::json;

use crate::rig::{Rig, log};

#[test]
fn it_looks_at_its_app_and_rule_and_nothing_else() {
    let rig = Rig::new(2, 24);
    let errors = rig.rule(&json!({"name": "errors", "threshold": 2})).id;
    let other = rig.rule(&json!({"name": "fewer errors", "threshold": 1})).id;
    let own = rig.rule(&json!({"name": "of app 2", "app": 2, "threshold": 0})).id;
    rig.pass(5);
    let now = rig.now();
    rig.store((0..6).map(|n| log(1 + n % 2, Level::Error, "boom", now - TimeDelta::seconds(n))).collect());
    rig.store(vec![log(1, Level::Info, "fine", now)]);
    rig.pass(1);
    assert_eq!(rig.check_app(1, own), 0, "that rule is for another app");
    assert_eq!(rig.check_app(1, errors), 1);
    let alert = rig.open().remove(0);
    assert_eq!((rig.open().len(), alert.app.0, alert.rule), (1, 1, Some(errors)));
    let finding = alert.finding.unwrap();
    assert_eq!((finding.count, finding.window.end, finding.patterns.len()), (3, rig.now(), 1));
    let end = rig.now().format("%H:%M").to_string();
    assert_eq!(rig.ledger(errors), [format!("{end} 1 3 breached")], "in the ledger as every window");
    assert_eq!((rig.ledger(other), rig.ledger(own)), (Vec::new(), Vec::new()));
    assert_eq!(rig.database.number("SELECT COUNT(*) FROM core_alertevent WHERE kind = 'opened'"), 1);

    rig.pass(1);
    assert_eq!(rig.check_app(1, errors), 0, "it is open");
    assert_eq!(rig.ledger(errors).len(), 1);
    assert_eq!((rig.check_app(2, own), rig.check_app(2, errors)), (1, 1));
    assert_eq!(rig.check(), 2, "of the other rule, for both apps: all else is open");
}

#[test]
fn exactly_the_threshold_of_all_levels_is_calm() {
    let rig = Rig::new(1, 24);
    let all = rig.rule(&json!({"name": "all", "level": null, "threshold": 3, "window": "10m"})).id;
    rig.pass(30);
    // Half a minute before the window, and in the same minute as its beginning.
    rig.pass(10);
    rig.set(rig.now() + TimeDelta::seconds(30));
    let start = rig.now() - TimeDelta::minutes(10);
    let second = TimeDelta::seconds(1);
    rig.store(vec![log(1, Level::Error, "before", start - second), log(1, Level::Error, "first", start)]);
    rig.store(vec![log(1, Level::Info, "i", rig.now() - second), log(1, Level::Warn, "w", rig.now() - second)]);
    assert_eq!(rig.check_app(1, all), 0);
    rig.store(vec![log(1, Level::Info, "i", rig.now() - second)]);
    assert_eq!(rig.check_app(1, all), 1);
    assert_eq!(rig.open().remove(0).finding.unwrap().count, 4);
}

#[test]
fn logs_of_a_clock_that_is_a_little_ahead_are_found_as_of_now_and_are_in_no_window_that_has_ended() {
    let rig = Rig::new(2, 24);
    let errors = rig.rule(&json!({"name": "errors", "threshold": 2, "window": "10m", "every": "10m"})).id;
    rig.pass(9);
    rig.set(rig.now() + TimeDelta::seconds(59));
    let next = rig.now() + TimeDelta::seconds(3);
    rig.store((0..6).map(|n| log(1 + n % 2, Level::Error, "boom", next)).collect());
    assert_eq!(rig.evaluate(), 0);
    assert_eq!(rig.check_app(1, errors), 1);
    assert_eq!(rig.check(), 1, "of the other app");
    rig.pass(1);
    rig.evaluate();
    let hour = rig.now().format("%H").to_string();
    let ledger = ["09 1 3 breached", "09 2 3 breached", "10 0 0 calm"].map(|row| format!("{hour}:{row}"));
    assert_eq!(rig.ledger(errors), ledger, "the window that has ended has none of them");
}

#[test]
fn what_was_there_when_its_alert_was_resolved_raises_no_other() {
    let rig = Rig::new(1, 24);
    let errors = rig.rule(&json!({"name": "errors", "threshold": 2, "window": "2h", "every": "10m"})).id;
    rig.pass(5);
    let store = |count: i64| {
        rig.store((1..=count).map(|n| log(1, Level::Error, "boom", rig.now() - TimeDelta::seconds(n))).collect());
    };
    store(3);
    assert_eq!(rig.check_app(1, errors), 1);
    let now = rig.now().format("%Y-%m-%d %H:%M:%S");
    rig.database.execute(&format!("UPDATE core_alert SET is_resolved = 1, resolved_at = '{now}'"));
    rig.pass(1);
    store(2);
    assert_eq!(rig.check_app(1, errors), 0, "two more are not too many");
    store(1);
    assert_eq!(rig.check_app(1, errors), 1);
    assert_eq!(rig.open().remove(0).finding.unwrap().count, 3);
}

#[test]
fn a_rule_that_is_no_longer_so_raises_nothing() {
    let rig = Rig::new(1, 24);
    let body = |more: &serde_json::Value| {
        let mut body = json!({"name": "errors", "threshold": 0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    rig.pass(5);
    rig.store(vec![log(1, Level::Error, "boom", rig.now())]);
    rig.pass(1);
    for more in [json!({"enabled": false}), json!({"threshold": 5}), json!({"kind": "none", "threshold": null})] {
        let rule = rig.rule(&body(&more)).id;
        assert_eq!(rig.check_app(1, rule), 0, "{more}");
        rules::delete(&mut rig.database.connect(), rule, None).unwrap();
        assert_eq!(rig.check_app(1, rule), 0, "it is gone");
    }
}

#[test]
fn of_many_at_once_one_raises_the_alert() {
    let rig = Rig::new(1, 24);
    let rule = rig.rule(&json!({"name": "errors", "threshold": 0})).id;
    rig.pass(5);
    rig.store(vec![log(1, Level::Error, "boom", rig.now())]);
    rig.pass(1);
    let raised = std::thread::scope(|scope| {
        let checks: Vec<_> = (0..8).map(|_| scope.spawn(|| rig.check_app(1, rule))).collect();
        checks.into_iter().map(|check| check.join().unwrap()).sum::<u64>()
    });
    assert_eq!((raised, rig.open().len()), (1, 1));
}
