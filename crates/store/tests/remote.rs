//! Remote control, events and the names of workers on a real Redis.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use logmon_core::celery::control::{ReplyTo, Request};
use logmon_core::celery::event::Published;
use logmon_core::celery::{LamportClock, NodeName};
use logmon_core::config::BrokerSettings;
use logmon_store::broker::{Broker, WorkerId};
use logmon_store::testing::TestBroker;
use logmon_store::testing::process::PATIENCE;
use logmon_store::testing::proxy::{Proxy, Weather};
use redis::Commands as _;
use serde_json::{Map, Value, json};

/// Listens on a thread of its own, again and again: the requests, and a sign whenever it begins to listen.
fn listen(broker: &Broker) -> (Receiver<Vec<u8>>, Receiver<()>) {
    let ((heard, requests), (begun, beginnings)) = (channel(), channel());
    let broker = broker.clone();
    std::thread::spawn(move || {
        loop {
            let lost = broker.listen(|| begun.send(()).unwrap(), |raw| heard.send(raw.to_vec()).unwrap());
            assert!(lost.is_err());
        }
    });
    (requests, beginnings)
}

fn node(name: &str) -> NodeName {
    NodeName::from_format(name, "host")
}

fn hello() -> Request {
    Request::to_all("hello", Map::new())
}

const SHORT: Duration = Duration::from_millis(900);

#[test]
fn a_request_reaches_every_worker_and_their_replies_come_back() {
    let test = TestBroker::new();
    let clock = LamportClock::default();
    // Nobody is there: nothing to wait for.
    assert!(test.broker.ask(&hello(), &clock, 0.0, PATIENCE).unwrap().is_empty());
    for name in ["a@h", "b@h"] {
        let (requests, beginnings) = listen(&test.broker);
        beginnings.recv_timeout(PATIENCE).unwrap();
        let broker = test.broker.clone();
        std::thread::spawn(move || {
            let clock = LamportClock::default();
            for raw in requests {
                let request = Request::decode(&raw, &clock).unwrap();
                let (to, message) = request.reply(&node(name), &json!({"n": name}), &clock).unwrap().unwrap();
                broker.reply(&to, &message).unwrap();
            }
        });
    }
    let request = hello();
    let replies = test.broker.ask(&request, &clock, 0.0, SHORT).unwrap();
    assert_eq!(Value::Object(replies), json!({"a@h": {"n": "a@h"}, "b@h": {"n": "b@h"}}));
    assert!(clock.value() >= 3);
    // The caller leaves nothing behind.
    let to = request.reply_to.unwrap();
    let keys = test.broker.keys();
    let left: (bool, u64) =
        redis::pipe().exists(keys.replies(&to)).scard(keys.binding(&to.exchange)).query(&mut test.connect()).unwrap();
    assert_eq!(left, (false, 0));
}

#[test]
fn a_caller_that_is_gone_gets_no_reply_and_one_that_goes_leaves_none_behind() {
    let test = TestBroker::new();
    let to = ReplyTo { exchange: "reply.celery.pidbox".to_owned(), routing_key: "1111".to_owned() };
    let keys = test.broker.keys();
    let mut conn = test.connect();
    test.broker.reply(&to, "hi").unwrap();
    assert!(!conn.exists::<_, bool>(keys.replies(&to)).unwrap());
    let member = b"1111\x06\x16\x06\x161111.reply.celery.pidbox";
    conn.sadd::<_, _, ()>(keys.binding(&to.exchange), member.as_slice()).unwrap();
    test.broker.reply(&to, "hi").unwrap();
    let (reply, ttl): (String, i64) =
        redis::pipe().lindex(keys.replies(&to), 0).ttl(keys.replies(&to)).query(&mut conn).unwrap();
    assert_eq!(reply, "hi");
    assert!((1..=60).contains(&ttl), "{ttl}");
}

#[test]
fn a_listener_whose_connection_is_cut_listens_again() {
    let test = TestBroker::new();
    let (proxy, url) = Proxy::before(test.url());
    let settings = BrokerSettings {
        redis_url: url.into(),
        redis_key_prefix: test.prefix().to_owned(),
        result_expires: PATIENCE,
        task_sent_events: false,
    };
    let (requests, beginnings) = listen(&Broker::new(&settings, 1).unwrap());
    beginnings.recv_timeout(PATIENCE).unwrap();
    let send = |text: &str| test.connect().publish::<_, _, ()>(test.broker.keys().control(), text).unwrap();
    send("one");
    assert_eq!(requests.recv_timeout(PATIENCE).unwrap(), b"one");
    for weather in [Weather::Cut, Weather::Silent] {
        // A peer that is silent is noticed as well as one that is gone.
        proxy.set(weather);
        if weather == Weather::Silent {
            logmon_store::testing::process::eventually("a lost packet", || (proxy.lost() > 0).then_some(()));
        }
        proxy.set(Weather::Fair);
        beginnings.recv_timeout(PATIENCE).unwrap();
        send("again");
        assert_eq!(requests.recv_timeout(PATIENCE).unwrap(), b"again");
    }
}

#[test]
fn events_are_published_in_their_order() {
    let test = TestBroker::new();
    let mut conn = test.connect();
    let mut listener = conn.as_pubsub();
    listener.psubscribe(test.broker.keys().events("*")).unwrap();
    let event = |routing_key, message: &str| Published { routing_key, message: message.to_owned() };
    test.broker.publish(&[event("worker.online", "1"), event("task.multi", "2")]).unwrap();
    for (channel, expected) in [("worker.online", "1"), ("task.multi", "2")] {
        let message = listener.get_message().unwrap();
        assert_eq!(message.get_channel_name(), test.broker.keys().events(channel));
        assert_eq!(message.get_payload::<String>().unwrap(), expected);
    }
}

#[test]
fn a_name_is_given_to_one_living_worker() {
    let test = TestBroker::new();
    let wanted = node("logmon@h");
    let workers = ["a", "b", "c"].map(|id| WorkerId(id.to_owned()));
    let mut names = Vec::new();
    for worker in &workers {
        test.broker.renew(worker, PATIENCE).unwrap();
        names.push(test.broker.claim(worker, &wanted).unwrap().to_string());
    }
    assert_eq!(names, ["logmon@h", "logmon-2@h", "logmon-3@h"]);
    // Once more, as after an answer that was lost.
    assert_eq!(test.broker.claim(&workers[1], &wanted).unwrap().as_str(), "logmon-2@h");
    test.broker.leave(&workers[0]).unwrap();
    test.broker.renew(&workers[0], PATIENCE).unwrap();
    assert_eq!(test.broker.claim(&workers[0], &wanted).unwrap().as_str(), "logmon@h");
    for worker in &workers {
        test.broker.leave(worker).unwrap();
    }
    let next = WorkerId("d".to_owned());
    assert_eq!(test.broker.claim(&next, &node("x@h")).unwrap().as_str(), "x@h");
    assert_eq!(test.connect().hlen::<_, u64>(test.broker.keys().nodes()).unwrap(), 1);
}
