//! Alerts that go on unheeded are told again: when, how often, and to whom.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Barrier};

use chrono::TimeDelta;
use logmon_core::alert::{AlertChange, Said};
use logmon_core::notification::ChannelId;
use logmon_store::db::{alert_events, alerts};
use logmon_store::testing::receiver::Receiver;
use serde_json::json;

use crate::rig::Rig;

const NOBODY: Said = Said { by: None, note: None };

/// A receiver, and what it answers with.
fn receiver() -> (Receiver, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let answer = Arc::clone(&status);
    (Receiver::start(move |_, _| (answer.load(Ordering::SeqCst), String::new())), status)
}

/// An alert that was raised and told now, on a channel that tells it again after an hour.
fn alert(rig: &Rig, receiver: &Receiver) -> ChannelId {
    let channel = json!({"kind": "webhook", "name": "ops", "config": {"url": receiver.url("/")}, "repeat_after": "1h"});
    let channel = rig.channel(&channel);
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 0, "channels": [channel.0]}));
    rig.errors([rig.now()]);
    rig.pass(10);
    assert_eq!(rig.evaluate(), 1);
    pump(rig, channel);
    channel
}

/// What workers do in the 10 seconds after a slot.
fn pump(rig: &Rig, channel: ChannelId) {
    rig.dispatch();
    rig.send(channel);
}

fn told(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|request| request.json()["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_alert_that_nobody_looks_after_is_told_again_after_the_stated_time() {
    let (rig, (receiver, _)) = (Rig::new(1, 48), receiver());
    let channel = alert(&rig, &receiver);
    rig.pass(59);
    pump(&rig, channel);
    assert_eq!(told(&receiver), ["alert.opened"]);
    for repeats in 1..=3 {
        rig.pass(if repeats == 1 { 1 } else { 60 });
        pump(&rig, channel);
        pump(&rig, channel);
        assert_eq!(told(&receiver).len(), 1 + repeats, "once in an hour");
    }
    let id = rig.open().remove(0).id;
    let events = alert_events::of_alert(&mut rig.database.connect(), id).unwrap();
    let sent: Vec<(String, String)> = receiver
        .received()
        .iter()
        .map(|request| {
            (request.json()["event"].as_str().unwrap().to_owned(), request.header("x-logmon-event-id").into())
        })
        .collect();
    let kept: Vec<_> =
        events.iter().map(|event| (format!("alert.{}", event.kind.as_str()), event.id.0.to_string())).collect();
    assert_eq!(sent, kept, "each is in the timeline, under the id that was sent");
    assert_eq!(receiver.received()[1].json()["at"], json!(events[1].at));

    alerts::change(&mut rig.database.connect(), id, &AlertChange::Acknowledge, &NOBODY, rig.now()).unwrap();
    rig.pass(300);
    pump(&rig, channel);
    assert_eq!(told(&receiver)[4..], ["alert.acknowledged"], "somebody looks after it");
    alerts::resolve(&mut rig.database.connect(), id, rig.now()).unwrap();
    alerts::change(&mut rig.database.connect(), id, &AlertChange::Reopen, &NOBODY, rig.now()).unwrap();
    pump(&rig, channel);
    rig.pass(60);
    pump(&rig, channel);
    assert_eq!(told(&receiver)[5..], ["alert.resolved", "alert.reopened", "alert.repeated"]);
    alerts::resolve(&mut rig.database.connect(), id, rig.now()).unwrap();
    rig.pass(300);
    pump(&rig, channel);
    assert_eq!(told(&receiver)[8..], ["alert.resolved"]);
}

#[test]
fn what_was_not_repeated_while_nothing_ran_is_made_up_for_once() {
    let (rig, (receiver, status)) = (Rig::new(1, 24 * 8), receiver());
    let channel = alert(&rig, &receiver);
    rig.pass(3 * 1_440);
    pump(&rig, channel);
    pump(&rig, channel);
    assert_eq!(told(&receiver), ["alert.opened", "alert.repeated"]);
    // A receiver that is away is not told more often for that.
    status.store(503, Ordering::SeqCst);
    rig.pass(60);
    for _ in 0..5 {
        pump(&rig, channel);
        rig.pass(65);
    }
    let repeats = "SELECT COUNT(*) FROM core_alertevent WHERE kind = 'repeated'";
    assert_eq!(rig.database.number(repeats), 2);
    status.store(200, Ordering::SeqCst);
    pump(&rig, channel);
    rig.pass(59);
    pump(&rig, channel);
    assert_eq!(rig.database.number(repeats), 2, "the hour begins when it is told");
    rig.pass(1);
    pump(&rig, channel);
    assert_eq!(rig.database.number(repeats), 3);
    let ids: std::collections::BTreeSet<_> =
        receiver.received().iter().map(|request| request.header("x-logmon-event-id").to_owned()).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn each_channel_has_its_own_time_and_one_that_states_none_is_told_once() {
    let rig = Rig::new(1, 48);
    let (often, seldom, never) = (receiver().0, receiver().0, receiver().0);
    let channel = |name: &str, receiver: &Receiver, after: Option<&str>| {
        rig.channel(
            &json!({"kind": "webhook", "name": name, "config": {"url": receiver.url("/")}, "repeat_after": after}),
        )
    };
    let channels =
        [channel("often", &often, Some("30m")), channel("seldom", &seldom, Some("2h")), channel("never", &never, None)];
    let ids = channels.map(|channel| channel.0);
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 0, "channels": ids}));
    rig.errors([rig.now()]);
    rig.pass(10);
    rig.evaluate();
    for _ in 0..=12 {
        channels.into_iter().for_each(|channel| pump(&rig, channel));
        rig.pass(10);
    }
    assert_eq!([&often, &seldom, &never].map(|receiver| told(receiver).len()), [5, 2, 1]);
    rig.database.execute("UPDATE core_rule SET is_enabled = 0");
    rig.pass(600);
    channels.into_iter().for_each(|channel| pump(&rig, channel));
    assert_eq!(told(&often).len(), 5, "a rule that rests is not pressed");
}

#[test]
fn a_repeat_is_written_once_however_many_workers_try() {
    const WORKERS: usize = 4;
    let (rig, (receiver, _)) = (Rig::new(1, 48), receiver());
    let channel = alert(&rig, &receiver);
    let id = rig.open().remove(0).id;
    for round in 1..=10 {
        rig.set(rig.now() + TimeDelta::minutes(60));
        let (now, start) = (rig.now(), Barrier::new(WORKERS));
        let written: usize = std::thread::scope(|scope| {
            let one = || {
                let mut conn = rig.database.connect();
                start.wait();
                alerts::repeat(&mut conn, id, now).unwrap()
            };
            let threads: Vec<_> = (0..WORKERS).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(written, 1, "round {round}");
        rig.send(channel);
    }
    assert_eq!(told(&receiver).len(), 11);
}
