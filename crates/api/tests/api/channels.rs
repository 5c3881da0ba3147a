//! Channels and what is told through them: real processes, and receivers that check what they get.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Heard, channel};

use chrono::{DateTime, Utc};
use logmon_core::alert::AlertId;
use logmon_core::app::AppId;
use logmon_core::notification::{
    AlertFacts, AppFacts, ChannelId, EventId, EventKind, Notification, RuleFacts, WindowFacts,
};
use logmon_core::tasks::{DispatchNotifications, NoInput, Task as _};
use logmon_store::db::deliveries;
use logmon_store::testing::process::{PATIENCE, Process, Signal, eventually};
use logmon_store::testing::receiver::Receiver;
use serde_json::{Value, json};

use crate::common::{Api, System};

pub(crate) const KEY: (&str, &str) = ("SECRET_KEY", "a key for tests");
pub(crate) const ANY: (&str, &str) = ("ALLOW_PRIVATE_TARGETS", "true");

pub(crate) fn make(api: &Api, channel: &Value) -> Value {
    let made = api.post("/api/channels/", channel);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    made.json()
}

pub(crate) fn try_out(api: &Api, channel: &Value) -> Value {
    let tried = api.post(&format!("/api/channels/{}/test/", channel["id"]), &json!({}));
    assert_eq!(tried.status, 200, "{}", String::from_utf8_lossy(&tried.body));
    tried.json()
}

fn event(number: u128) -> Notification {
    let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
    Notification {
        event_id: EventId::new(),
        event: EventKind::Opened,
        at: now,
        alert: AlertFacts {
            id: AlertId(i64::try_from(number).unwrap()),
            content: format!("alert {number}"),
            severity: "critical".to_owned(),
            is_late: false,
            opened_at: now,
            resolved_at: None,
        },
        rule: RuleFacts { id: 1, name: "error-logs".to_owned(), level: "ERROR".to_owned() },
        app: AppFacts { id: AppId(1), name: "shop".to_owned(), owner: "a".to_owned() },
        window: WindowFacts { start: now, end: now, count: 101, threshold: 100 },
        samples: Vec::new(),
        query: "/api/logs/?app=1".to_owned(),
        actor: None,
        note: None,
    }
}

/// A system in which there is something to tell.
pub(crate) trait Telling {
    /// Tells a channel of these events.
    fn announce(&self, events: &[Notification], channel: &Value);

    /// Has what is due sent.
    fn dispatch(&self);

    /// Has what is due sent until the deliveries of a channel are as they should be, the oldest first.
    fn deliveries(&self, api: &Api, channel: &Value, as_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value>;
}

impl Telling for System {
    fn announce(&self, events: &[Notification], channel: &Value) {
        let channel = ChannelId(channel["id"].as_i64().unwrap());
        let mut conn = self.database.connect();
        for event in events {
            deliveries::announce(&mut conn, event, &[channel]).unwrap();
        }
    }

    fn dispatch(&self) {
        self.broker.broker.enqueue(&DispatchNotifications::call(&NoInput {}).unwrap()).unwrap();
    }

    fn deliveries(&self, api: &Api, channel: &Value, as_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually("the deliveries", || {
            self.dispatch();
            let mut found = api.get(&format!("/api/deliveries/?channel={}&limit=1000", channel["id"])).json();
            let list = found.as_array_mut().unwrap();
            list.reverse();
            as_wanted(list).then(|| list.clone())
        })
    }
}

fn all(state: &'static str) -> impl Fn(&[Value]) -> bool {
    move |deliveries| deliveries.iter().all(|delivery| delivery["state"] == state)
}

/// Python's HMAC, so that our own is not checked by itself.
fn python_hmac(key: &str, message: &str, form: &str) -> String {
    let program = "import base64, hashlib, hmac, sys\n\
                   mac = hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), hashlib.sha256)\n\
                   print(mac.hexdigest() if sys.argv[3] == 'hex' else base64.b64encode(mac.digest()).decode())";
    let output = std::process::Command::new("python3").args(["-c", program, key, message, form]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn every_kind_of_channel_reaches_its_receiver_which_can_check_who_it_was() {
    let receiver = Receiver::start(|_, request| {
        (200, if request.path.starts_with("/slack") { "ok".to_owned() } else { r#"{"errcode":0,"code":0}"#.to_owned() })
    });
    let (system, (mail_server, mails)) = (System::new(), mail_server());
    let smtp = format!("smtp://{mail_server}");
    let api = system.serve_with(&[KEY, ANY]);
    let _worker = system.work(&[KEY, ANY, ("SMTP_URL", &smtp), ("MAIL_FROM", "LogMon <logmon@example.com>")]);
    let url = |path: &str| receiver.url(path);
    for (kind, config) in [
        ("webhook", json!({ "url": url("/webhook"), "secret": "s1" })),
        ("alertmanager", json!({ "url": url("/alertmanager"), "token": "t1" })),
        ("dingtalk", json!({ "url": url("/dingtalk?access_token=x"), "secret": "SEC1" })),
        ("wecom", json!({ "url": url("/wecom?key=k") })),
        ("feishu", json!({ "url": url("/feishu"), "secret": "f1" })),
        ("slack", json!({ "url": url("/slack") })),
        ("email", json!({ "to": ["ops@example.com"] })),
    ] {
        let channel = make(&api, &json!({ "kind": kind, "name": kind, "config": config }));
        let tried = try_out(&api, &channel);
        assert_eq!(tried["delivered"], true, "{kind}: {tried}");
    }
    let received = receiver.received();
    let to = |path: &str| received.iter().find(|request| request.path.starts_with(path)).unwrap();

    let webhook = to("/webhook");
    let signed = format!("{}.{}", webhook.header("x-logmon-timestamp"), webhook.body);
    assert_eq!(webhook.header("x-logmon-signature"), format!("sha256={}", python_hmac("s1", &signed, "hex")));
    assert_eq!(webhook.header("x-logmon-event-id"), webhook.json()["event_id"]);
    assert_eq!(webhook.json()["event"], "channel.test");
    assert_eq!(to("/alertmanager").header("authorization"), "Bearer t1");
    assert_eq!(to("/alertmanager").json()["version"], "4");
    let dingtalk = url::Url::parse(&url(&to("/dingtalk").path)).unwrap();
    let query: BTreeMap<_, _> = dingtalk.query_pairs().into_owned().collect();
    assert_eq!(query["access_token"], "x");
    assert_eq!(query["sign"], python_hmac("SEC1", &format!("{}\nSEC1", query["timestamp"]), "base64"));
    assert_eq!(to("/wecom").json()["msgtype"], "markdown");
    let feishu = to("/feishu").json();
    let key = format!("{}\nf1", feishu["timestamp"].as_str().unwrap());
    assert_eq!(feishu["sign"], python_hmac(&key, "", "base64"));
    assert!(to("/slack").json()["blocks"].is_array());
    let mail = mails.recv_timeout(PATIENCE).unwrap();
    assert!(mail.contains("RCPT TO:<ops@example.com>") && mail.contains("From: LogMon <logmon@example.com>"), "{mail}");
    assert!(mail.contains("Subject: [Test]") && mail.contains("Message-ID: <"), "{mail}");
}

/// A mail server that takes one mail and gives the whole conversation, as far as the client spoke.
pub(crate) fn mail_server() -> (String, Heard<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (told, heard)) = (listener.local_addr().unwrap().to_string(), channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut lines, mut said, mut in_data) =
            (BufReader::new(stream.try_clone().unwrap()).lines(), String::new(), false);
        stream.write_all(b"220 test\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            said.push_str(&format!("{line}\n"));
            let reply = match (in_data, line.split(' ').next().unwrap()) {
                (true, ".") => "250 taken",
                (true, _) => continue,
                (false, "DATA") => "354 go on",
                (false, "QUIT") => break,
                (false, _) => "250 fine",
            };
            in_data = reply.starts_with("354");
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            if reply == "250 taken" {
                break;
            }
        }
        told.send(said).unwrap();
    });
    (address, heard)
}

#[test]
fn a_channel_reaches_nothing_that_only_this_machine_reaches() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    let port = receiver.url("").rsplit(':').next().unwrap().to_owned();
    let local = |url: &str| json!({ "kind": "webhook", "name": url, "config": { "url": url } });
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "169.254.169.254",
        "100.64.0.1",
        "10.0.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "metadata.google.internal",
        "localhost",
    ] {
        for url in [format!("https://{host}/"), format!("http://{host}:{port}/")] {
            let made = api.post("/api/channels/", &local(&url));
            assert_eq!(made.status, 422, "{url}: {}", String::from_utf8_lossy(&made.body));
            assert!(made.json()["config"]["url"][0].as_str().unwrap().contains("ALLOW_PRIVATE_TARGETS"), "{url}");
        }
    }
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/", "https://a@127.0.0.1/", "https://example.com/\r\nX: 1"] {
        assert_eq!(api.post("/api/channels/", &local(url)).status, 400, "{url}");
    }
    // What came in another way, or was public when it was saved, is not dialled either.
    for (id, host) in [(101, "127.0.0.1"), (102, "localhost")] {
        let config = json!({ "url": format!("http://{host}:{port}/") });
        system.database.execute(&format!(
            "INSERT INTO core_channel (id, kind, name, config, created_at) VALUES ({id}, 'webhook', '{host}', '{config}', NOW(6))"
        ));
        let tried = try_out(&api, &json!({ "id": id }));
        assert_eq!(tried["delivered"], false, "{tried}");
        assert!(tried["reason"].as_str().unwrap().contains("not public"), "{tried}");
    }
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
}

#[test]
fn secrets_are_sealed_in_the_database_and_never_shown() {
    let system = System::new();
    let channel =
        json!({ "kind": "webhook", "name": "ops", "config": { "url": "https://8.8.8.8/", "secret": "hunter2" } });
    let without = system.serve();
    assert_eq!(without.post("/api/channels/", &channel).status, 409);
    let api = system.serve_with(&[KEY]);
    let made = make(&api, &channel);
    assert_eq!(made["config"], json!({ "url": "https://8.8.8.8/", "has_secret": true }));
    let path = format!("/api/channels/{}/", made["id"]);
    let patch = |body: &Value| {
        let body = body.to_string();
        api.send("PATCH", &path, &[("Content-Type", "application/json")], Some(body.as_bytes()))
    };
    let changed = patch(&json!({ "enabled": false, "config": { "url": "https://8.8.4.4/" } })).json();
    assert_eq!(changed["config"], json!({ "url": "https://8.8.4.4/", "has_secret": true }));
    assert_eq!(changed["enabled"], false);
    assert_eq!(patch(&json!({ "kind": "slack" })).status, 400);
    assert_eq!(patch(&json!({ "repeat_after": "90m" })).json()["repeat_after"], "90m");
    assert_eq!(patch(&json!({ "enabled": false })).json()["repeat_after"], "90m");
    for wrong in [json!("30s"), json!("8d"), json!(60), json!("soon"), json!({})] {
        assert!(patch(&json!({ "repeat_after": wrong })).json()["repeat_after"].is_array(), "{wrong}");
    }
    assert_eq!(made["group_wait"], json!(null));
    assert_eq!(
        patch(&json!({ "group_wait": "30s" })).json()["group_wait"],
        json!(["A webhook gets each event by itself."])
    );
    assert_eq!(patch(&json!({ "repeat_after": null })).json()["repeat_after"], json!(null));
    assert_eq!(patch(&json!({ "config": { "url": "https://8.8.4.4/", "no": 1 } })).status, 400);
    assert_eq!(
        patch(&json!({ "config": { "url": "https://8.8.4.4/", "secret": null } })).json()["config"]["has_secret"],
        false
    );
    assert_eq!(patch(&json!({ "config": { "url": "https://8.8.4.4/", "secret": "hunter2" } })).status, 200);
    let columns = "SELECT COUNT(*) AS value FROM core_channel WHERE CONCAT(config, IFNULL(CONVERT(sealed USING latin1), '')) LIKE '%hunter2%'";
    assert_eq!(system.database.number(columns), 0);
    assert_eq!(api.post("/api/channels/", &channel).status, 400, "the name is taken");
    assert_eq!(
        without.send("PATCH", &path, &[("Content-Type", "application/json")], Some(b"{}")).status,
        409,
        "its secrets cannot be opened without the key"
    );
    let mail = json!({ "kind": "email", "name": "mail", "config": { "to": ["a@example.com"] } });
    assert_eq!(make(&api, &mail)["group_wait"], "10s");
    let none = json!({ "kind": "email", "name": "each", "group_wait": null, "config": { "to": ["a@example.com"] } });
    assert_eq!(make(&api, &none)["group_wait"], json!(null));
    assert_eq!(api.send("DELETE", &path, &[], None).status, 204);
    assert_eq!(api.get(&path).status, 404);
}

#[test]
fn what_is_not_taken_is_tried_again_and_what_is_refused_can_be_sent_again() {
    let receiver = Receiver::start(|number, _| (if number == 0 { 503 } else { 200 }, "later".to_owned()));
    let system = System::new();
    let (api, _worker) = (system.serve_with(&[ANY]), system.work(&[ANY]));
    let busy = make(&api, &json!({ "kind": "webhook", "name": "busy", "config": { "url": receiver.url("/") } }));
    let told = event(1);
    system.announce(std::slice::from_ref(&told), &busy);
    let delivery = &system.deliveries(&api, &busy, all("delivered"))[0];
    assert_eq!(delivery["attempts"], 2);
    let whole = api.get(&format!("/api/deliveries/{}/", delivery["id"])).json();
    assert_eq!(whole["tries"][0]["status"], 503);
    assert_eq!(whole["tries"][0]["answer"], "later");
    assert_eq!(whole["tries"][1]["status"], 200);
    let ids: BTreeSet<String> = receiver.received().iter().map(|r| r.header("x-logmon-event-id").to_owned()).collect();
    assert_eq!(ids, BTreeSet::from([told.event_id.0.to_string()]));

    let picky = Receiver::start(|number, _| (if number == 0 { 404 } else { 200 }, String::new()));
    let channel = make(&api, &json!({ "kind": "webhook", "name": "picky", "config": { "url": picky.url("/") } }));
    system.announce(&[event(2)], &channel);
    let dead = &system.deliveries(&api, &channel, all("dead"))[0];
    assert_eq!(dead["attempts"], 1, "who refuses is not asked again");
    let path = format!("/api/deliveries/{}/send/", dead["id"]);
    assert_eq!(api.post(&path, &json!({})).status, 202);
    system.deliveries(&api, &channel, all("delivered"));
    assert_eq!(api.post(&path, &json!({})).status, 409);
    assert_eq!(api.get("/api/deliveries/?state=odd&channel=x").status, 400);
}

#[test]
fn a_channel_is_not_used_more_often_than_it_may_be_and_the_rest_is_told_at_once() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let (api, _worker) = (system.serve_with(&[ANY]), system.work(&[ANY]));
    let config = json!({ "url": receiver.url("/") });
    let channel = make(&api, &json!({ "kind": "webhook", "name": "x", "rate_limit": 3, "config": config }));
    system.announce(&(1..=20).map(event).collect::<Vec<_>>(), &channel);
    let deliveries = system.deliveries(&api, &channel, |all| all.iter().all(|one| one["state"] != "waiting"));
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    let digest = received[2].json();
    assert_eq!((&digest["event"], &digest["count"]), (&json!("digest"), &json!(18)));
    assert_eq!(digest["events"][0]["alert"]["content"], "alert 3");
    let folded: Vec<_> = deliveries.iter().filter(|delivery| delivery["state"] == "folded").collect();
    assert_eq!(folded.len(), 18);
    assert!(folded.iter().all(|delivery| delivery["digest"] == deliveries[20]["id"]), "{deliveries:?}");
}

#[test]
fn killed_workers_tell_everything_and_repeat_only_with_the_same_id() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let channel = make(&api, &json!({ "kind": "webhook", "name": "x", "config": { "url": receiver.url("/") } }));
    let events: Vec<Notification> = (0..500).map(event).collect();
    system.announce(&events, &channel);
    let settings = [ANY, ("WORKER_TIMEOUT", "1s")];
    let mut killed = 0;
    let mut worker: Process = system.work(&settings);
    while killed < 5 {
        system.dispatch();
        let before = receiver.received().len();
        eventually("some more", || {
            // What a dead worker had claimed is free again when its claim has ended.
            system.database.execute(
                "UPDATE core_channel SET claimed_until = NULL WHERE claimed_until < NOW(6) + INTERVAL 89 SECOND",
            );
            system.dispatch();
            (receiver.received().len() >= before + 20).then_some(())
        });
        worker.signal(Signal::Kill);
        worker.wait();
        killed += 1;
        worker = system.work(&settings);
    }
    system.database.execute("UPDATE core_channel SET claimed_until = NULL");
    system.deliveries(&api, &channel, all("delivered"));
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.received() {
        bodies.entry(request.header("x-logmon-event-id").to_owned()).or_default().insert(request.body);
    }
    assert_eq!(bodies.len(), events.len());
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "a repeat is the same");
}
