//! What happens together is told together: which events share a message, how long they wait, and what becomes of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use logmon_core::log::Level;
use logmon_core::notification::ChannelId;
use logmon_store::testing::receiver::{Received, Receiver};
use serde_json::{Value, json};

use crate::rig::{Rig, log};

/// A channel of a kind that is told of the alerts of a rule which any ERROR passes.
fn channel(rig: &Rig, kind: &str, receiver: &Receiver, more: &Value) -> ChannelId {
    let mut channel = json!({"kind": kind, "name": kind, "config": {"url": receiver.url("/")}});
    channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let channel = rig.channel(&channel);
    rig.rule(&json!({"name": kind, "threshold": 0, "every": "1m", "window": "1m", "resolve_after": 0, "channels": [channel.0]}));
    channel
}

/// One evaluation in which these apps get an alert.
fn raise(rig: &Rig, apps: impl IntoIterator<Item = i64>) {
    rig.store(apps.into_iter().map(|app| log(app, Level::Error, "boom", rig.now())).collect());
    rig.pass(1);
    rig.evaluate();
}

fn wait(rig: &Rig, channel: ChannelId, seconds: i64) {
    rig.set(rig.now() + TimeDelta::seconds(seconds));
    if rig.dispatch() > 0 {
        rig.send(channel);
    }
}

/// The apps that each message names.
fn apps(received: &[Received]) -> Vec<Vec<String>> {
    let apps = |request: &Received| {
        let alerts = request.json()["alerts"].as_array().unwrap().clone();
        alerts.iter().map(|alert| alert["labels"]["app"].as_str().unwrap().to_owned()).collect()
    };
    received.iter().map(apps).collect()
}

#[test]
fn what_fires_together_is_told_in_one_message() {
    let (rig, receiver) = (Rig::new(7, 24), Receiver::start(|_, _| (200, String::new())));
    let channel = channel(&rig, "alertmanager", &receiver, &json!({"group_wait": "90s"}));
    raise(&rig, 1..=3);
    wait(&rig, channel, 29);
    assert!(receiver.received().is_empty());
    // These come in time to be told with the first.
    raise(&rig, [4, 5]);
    wait(&rig, channel, 1);
    assert_eq!(apps(&receiver.received()), [["app-1", "app-2", "app-3", "app-4", "app-5"]]);
    raise(&rig, [6]);
    wait(&rig, channel, 89);
    assert_eq!(receiver.received().len(), 1, "a new group waits again");
    wait(&rig, channel, 1);
    let received = receiver.received();
    assert_eq!(apps(&received)[1], ["app-6"]);

    let body = received[0].json();
    let ids: BTreeSet<_> = body["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["annotations"]["event_id"].as_str().unwrap().to_owned())
        .collect();
    let kept: BTreeSet<_> =
        rig.database.lines("SELECT event_id AS line FROM core_alertevent ORDER BY id LIMIT 5").into_iter().collect();
    assert_eq!(ids, kept, "each event keeps its id");
    assert_eq!(body["commonLabels"]["alertname"], "alertmanager");
    assert_eq!(body["truncatedAlerts"], 0);
    let folded = "SELECT COUNT(*) FROM core_delivery d JOIN core_delivery g ON g.id = d.digest_id
                  WHERE d.state = 'folded' AND g.state = 'delivered'";
    assert_eq!(rig.database.number(folded), 5);
}

#[test]
fn a_webhook_gets_each_event_by_itself() {
    let (rig, receiver) = (Rig::new(4, 24), Receiver::start(|_, _| (200, String::new())));
    let channel = channel(&rig, "webhook", &receiver, &json!({}));
    raise(&rig, 1..=4);
    wait(&rig, channel, 0);
    let events: Vec<_> = receiver.received().iter().map(|request| request.json()["event"].clone()).collect();
    assert_eq!(events, vec![json!("alert.opened"); 4]);
}

#[test]
fn a_group_that_is_not_taken_is_sent_again_as_it_was() {
    let away = std::sync::Arc::new(AtomicBool::new(true));
    let gone = std::sync::Arc::clone(&away);
    let receiver = Receiver::start(move |_, _| (if gone.load(Ordering::SeqCst) { 503 } else { 200 }, String::new()));
    let rig = Rig::new(4, 24);
    let channel = channel(&rig, "alertmanager", &receiver, &json!({"group_wait": "10s"}));
    raise(&rig, 1..=2);
    wait(&rig, channel, 10);
    assert_eq!(receiver.received().len(), 1);
    // What happens meanwhile is a group of its own.
    raise(&rig, 3..=4);
    away.store(false, Ordering::SeqCst);
    wait(&rig, channel, 3_600);
    let received = receiver.received();
    assert_eq!(apps(&received)[1..], [["app-1", "app-2"], ["app-3", "app-4"]]);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("x-logmon-event-id"), received[1].header("x-logmon-event-id"));
}

#[test]
fn a_program_is_told_of_every_alert_of_a_large_group() {
    const APPS: i64 = 120;
    let (rig, receiver) = (Rig::new(APPS, 24), Receiver::start(|_, _| (200, String::new())));
    let channel = channel(&rig, "alertmanager", &receiver, &json!({}));
    raise(&rig, 1..=APPS);
    wait(&rig, channel, 10);
    let told = apps(&receiver.received());
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    assert_eq!(told.into_iter().flatten().collect::<BTreeSet<_>>().len(), 120);
}
