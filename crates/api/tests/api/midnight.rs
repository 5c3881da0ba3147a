//! From the end of a day to what people read of it: beat, worker and API as processes, and a receiver for every kind of channel.

use chrono::TimeDelta;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::summary::{day, yesterday};
use logmon_store::testing::process::{PATIENCE, eventually};
use logmon_store::testing::receiver::{Received, Receiver};
use serde_json::{Value, json};

use crate::channels::{ANY, KEY, mail_server, make};
use crate::common::System;
use crate::reports::{HOSTILE, subscribe};

const ENTRY: &str = "generate-daily-summary";

/// The title and the text that a chat shows of a message.
fn shown(told: &Received) -> (String, String) {
    let body = told.json();
    let (title, text) = match told.path.split('?').next().unwrap() {
        "/dingtalk" => (&body["markdown"]["title"], &body["markdown"]["text"]),
        "/wecom" => (&body["markdown"]["content"], &body["markdown"]["content"]),
        "/feishu" => (&body["card"]["header"]["title"]["content"], &body["card"]["elements"][0]["content"]),
        "/slack" => (&body["blocks"][0]["text"]["text"], &body["blocks"][1]["text"]["text"]),
        other => panic!("nobody was to be told at {other}"),
    };
    let words = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (words(title), words(text))
}

#[test]
fn when_a_day_ends_its_report_reaches_mail_and_every_chat_once() {
    let zone = chrono_tz::Asia::Shanghai;
    let receiver = Receiver::start(|_, request| {
        (200, if request.path.starts_with("/slack") { "ok".to_owned() } else { r#"{"errcode":0,"code":0}"#.to_owned() })
    });
    let (system, (mail_server, mails)) = (System::new(), mail_server());
    let smtp = format!("smtp://{mail_server}");
    let zone_name = ("TIME_ZONE", zone.name());
    let settings = [KEY, ANY, zone_name, ("SMTP_URL", smtp.as_str()), ("PUBLIC_URL", "https://logmon.example")];
    let (api, _worker) = (system.serve_with(&settings), system.work(&settings));
    let url = |path: &str| receiver.url(path);
    let channels: Vec<Value> = [
        ("dingtalk", json!({ "url": url("/dingtalk?access_token=x"), "secret": "SEC1" })),
        ("wecom", json!({ "url": url("/wecom?key=k") })),
        ("feishu", json!({ "url": url("/feishu"), "secret": "f1" })),
        ("slack", json!({ "url": url("/slack") })),
        ("email", json!({ "to": ["ops@example.com"] })),
    ]
    .into_iter()
    .map(|(kind, config)| make(&api, &json!({ "kind": kind, "name": kind, "config": config }))["id"].clone())
    .collect();
    subscribe(&system, &api, &json!({ "name": "shop", "owner": "a", "channels": channels }));
    let now = SystemClock.now();
    let date = yesterday(now, zone);
    let noon = (day(date, zone).start + TimeDelta::hours(12)).to_rfc3339();
    for _ in 0..3 {
        let log = json!({ "app": 1, "level": "ERROR", "message": HOSTILE, "timestamp": noon });
        assert_eq!(api.post("/api/logs/", &log).status, 201);
    }

    // A beat that comes back after midnight finds its slot; what it does then is what it does at midnight.
    let beat = || system.start("logmon-beat", &[], &[zone_name]);
    let mut before = beat();
    eventually("the schedule", || {
        (system.database.number(&format!("SELECT COUNT(*) FROM core_schedule WHERE entry = '{ENTRY}'")) == 1)
            .then_some(())
    });
    before.stop();
    let evening = (now - TimeDelta::hours(24)).naive_utc();
    system.database.execute(&format!("UPDATE core_schedule SET handled_until = '{evening}' WHERE entry = '{ENTRY}'"));
    let _beat = beat();

    let mail = mails.recv_timeout(PATIENCE).unwrap();
    assert!(mail.contains("RCPT TO:<ops@example.com>") && mail.contains("multipart/alternative"), "{mail}");
    assert!(mail.contains(&format!("Subject: [Daily report] {date} ")), "{mail}");
    assert!(mail.contains(&format!("{date} in Asia/Shanghai")), "{mail}");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc:")), "{mail}");
    let told = eventually("every chat", || Some(receiver.received()).filter(|told| told.len() >= 4));
    let mut paths: Vec<&str> = told.iter().map(|told| told.path.split('?').next().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/dingtalk", "/feishu", "/slack", "/wecom"]);
    let title = format!("{date} · a");
    for told in &told {
        let (headed, text) = shown(told);
        assert!(headed.contains(&title), "{}: {headed}", told.path);
        assert!(text.contains("ERROR 3") && text.contains("3 × shop: "), "{}: {text}", told.path);
        assert!(text.contains("https://logmon.example/api/reports/1/"), "{}: {text}", told.path);
        // What was logged is no link, which Slack has in a form of its own, and no line of its own.
        let link = if told.path == "/slack" { "<https://evil" } else { "](https://evil" };
        assert!(!text.contains(link) && !text.contains("\nBcc:"), "{}: {text}", told.path);
    }
    let number = |sql: &str| system.database.number(sql);
    assert_eq!(number("SELECT COUNT(*) FROM core_report"), 1);
    assert_eq!(number("SELECT COUNT(*) FROM core_delivery"), 5);
}
