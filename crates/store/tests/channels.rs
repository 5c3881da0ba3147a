//! Channels, and the rules and subscribers that have them: nobody is left with one that is gone, whoever comes first.

#![allow(clippy::unwrap_used, reason = "a test fails where this does")]

use std::sync::{Barrier, mpsc};

use chrono::{DateTime, Utc};
use diesel::MysqlConnection;
use logmon_core::alert::{NewRule, Rule};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::field::Fields;
use logmon_core::notification::ChannelId;
use logmon_core::python::Entries;
use logmon_core::report::NewSubscriber;
use logmon_store::db::channels::{self, Deleted, Users};
use logmon_store::db::rules::{self, SaveRuleError};
use logmon_store::db::subscribers::{self, SaveSubscriberError, Subscriber};
use logmon_store::testing::TestDatabase;
use logmon_store::testing::process::{PATIENCE, eventually};
use serde_json::json;

const SHOP: ChannelId = ChannelId(1);

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn make_channel(test: &TestDatabase) {
    test.execute(
        "INSERT INTO core_channel (id, kind, name, config, created_at) VALUES (1, 'webhook', 'shop', '{}', NOW(6))",
    );
}

fn rule(channels: &[ChannelId]) -> NewRule {
    let text = json!({ "name": "slow", "threshold": 1, "channels": channels }).to_string();
    let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
    NewRule::from_fields(&Fields::from(entries), None).unwrap()
}

fn subscriber(channels: &[ChannelId]) -> NewSubscriber {
    let text = json!({ "name": "li", "channels": channels }).to_string();
    let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
    NewSubscriber::from_fields(&Fields::from(entries), None).unwrap()
}

/// Somebody who takes the channel: true where it had it.
type Take = fn(&mut MysqlConnection, &Had) -> bool;

/// A rule and a subscriber without any channel.
struct Had {
    rule: Rule,
    subscriber: Subscriber,
}

impl Had {
    fn made(test: &TestDatabase) -> Self {
        let mut conn = test.connect();
        let (mut quiet, mut reader) = (rule(&[]), subscriber(&[]));
        "quiet".clone_into(&mut quiet.name);
        "reader".clone_into(&mut reader.name);
        Self {
            rule: rules::create(&mut conn, &quiet, now()).unwrap(),
            subscriber: subscribers::create(&mut conn, &reader, now()).unwrap(),
        }
    }
}

fn rule_had_it<T>(saved: Result<T, SaveRuleError>) -> bool {
    match saved {
        Ok(_) => true,
        Err(SaveRuleError::NoSuchChannels(gone)) if gone == [SHOP] => false,
        Err(error) => panic!("{error}"),
    }
}

fn subscriber_had_it<T>(saved: Result<T, SaveSubscriberError>) -> bool {
    match saved {
        Ok(_) => true,
        Err(SaveSubscriberError::NoSuchChannel(SHOP)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Everybody who may take a channel.
const TAKES: [(&str, Take); 4] = [
    ("a new rule", |conn, _| rule_had_it(rules::create(conn, &rule(&[SHOP]), now()))),
    ("a rule", |conn, had| {
        let says = NewRule { channels: vec![SHOP], ..had.rule.says.clone() };
        rule_had_it(rules::update(conn, had.rule.id, had.rule.updated_at, &says, now()))
    }),
    ("a new subscriber", |conn, _| subscriber_had_it(subscribers::create(conn, &subscriber(&[SHOP]), now()))),
    ("a subscriber", |conn, had| {
        let says = NewSubscriber { channels: vec![SHOP], ..had.subscriber.says.clone() };
        subscriber_had_it(subscribers::update(conn, had.subscriber.id, &says))
    }),
];

#[test]
fn a_channel_that_is_being_deleted_is_waited_for_and_not_taken() {
    for (who, take) in TAKES {
        let test = TestDatabase::new();
        let had = Had::made(&test);
        make_channel(&test);
        let mut deleting = test.session();
        deleting.execute("START TRANSACTION; DELETE FROM core_channel WHERE id = 1");
        let (told, heard) = mpsc::channel();
        let mut conn = test.connect();
        std::thread::spawn(move || told.send(take(&mut conn, &had)));
        eventually(&format!("{who} to wait for it"), || (test.busy("core_channel") == 1).then_some(()));
        deleting.execute("COMMIT");
        assert!(!heard.recv_timeout(PATIENCE).unwrap(), "{who} has a channel that is gone");
    }
}

#[test]
fn a_channel_is_deleted_or_had_when_both_come_at_once() {
    const ROUNDS: usize = 8;
    let test = TestDatabase::new();
    for (who, take) in TAKES {
        for round in 0..ROUNDS {
            test.execute("DELETE FROM core_channel; DELETE FROM core_rule; DELETE FROM core_subscriber");
            let had = Had::made(&test);
            make_channel(&test);
            let start = Barrier::new(2);
            let (taken, deleted) = std::thread::scope(|scope| {
                let taking = scope.spawn(|| {
                    let mut conn = test.connect();
                    start.wait();
                    take(&mut conn, &had)
                });
                let mut conn = test.connect();
                start.wait();
                let deleted = channels::delete(&mut conn, SHOP).unwrap();
                (taking.join().unwrap(), deleted)
            });
            assert_eq!(taken, deleted != Deleted::Yes, "{who}, round {round}: {deleted:?}");
        }
    }
}

#[test]
fn whoever_has_a_channel_is_named_when_it_is_to_be_deleted() {
    let test = TestDatabase::new();
    make_channel(&test);
    let mut conn = test.connect();
    let rule = rules::create(&mut conn, &rule(&[SHOP]), now()).unwrap();
    let reader = subscribers::create(&mut conn, &subscriber(&[SHOP]), now()).unwrap();
    let has = |rules: &[&str], subscribers: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Deleted::InUse(Users { rules: names(rules), subscribers: names(subscribers) })
    };
    assert_eq!(channels::delete(&mut conn, SHOP).unwrap(), has(&["slow"], &["li"]));
    rules::delete(&mut conn, rule.id, None).unwrap();
    assert_eq!(channels::delete(&mut conn, SHOP).unwrap(), has(&[], &["li"]));
    subscribers::delete(&mut conn, reader.id).unwrap();
    assert_eq!(channels::delete(&mut conn, SHOP).unwrap(), Deleted::Yes);
    assert_eq!(channels::delete(&mut conn, SHOP).unwrap(), Deleted::NoSuch);
}

#[test]
fn whoever_has_a_channel_that_is_gone_is_saved_without_it() {
    let test = TestDatabase::new();
    make_channel(&test);
    let mut conn = test.connect();
    let rule = rules::create(&mut conn, &rule(&[SHOP]), now()).unwrap();
    let reader = subscribers::create(&mut conn, &subscriber(&[SHOP]), now()).unwrap();
    test.execute("DELETE FROM core_channel");
    let kept = rules::get(&mut conn, rule.id).unwrap().unwrap();
    assert_eq!(kept.says.channels, []);
    rules::update(&mut conn, rule.id, kept.updated_at, &kept.says, now()).unwrap();
    let kept = subscribers::get(&mut conn, reader.id).unwrap().unwrap();
    assert_eq!(kept.says.channels, []);
    subscribers::update(&mut conn, reader.id, &kept.says).unwrap();
    make_channel(&test);
    assert_eq!(rules::get(&mut conn, rule.id).unwrap().unwrap().says.channels, []);
    assert_eq!(subscribers::get(&mut conn, reader.id).unwrap().unwrap().says.channels, []);
}
