//! Daily reports as their subscribers get them: real processes, a mail server and receivers that keep what they are sent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::process::{PATIENCE, Signal, eventually};
use logmon_store::testing::receiver::Receiver;
use serde_json::{Value, json};

use crate::channels::{ANY, Telling as _, mail_server, make};
use crate::common::{Api, System};

pub(crate) const HOSTILE: &str = "<script>alert(1)</script> [x](https://evil.example) 42\r\nBcc: all@example.com";

fn yesterday() -> String {
    (SystemClock.now() - TimeDelta::days(1)).date_naive().to_string()
}

/// Has a subscriber made that was there before yesterday was over.
pub(crate) fn subscribe(system: &System, api: &Api, says: &Value) -> Value {
    let made = api.post("/api/subscribers/", says);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    system.database.execute("UPDATE core_subscriber SET created_at = '2026-01-01'");
    made.json()
}

fn log(api: &Api, app: i64, level: &str, message: &str) {
    let log =
        json!({"app": app, "level": level, "message": message, "timestamp": format!("{}T12:00:00Z", yesterday())});
    assert_eq!(api.post("/api/logs/", &log).status, 201);
}

#[test]
fn subscribers_are_made_changed_and_removed() {
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let hook = make(&api, &json!({"kind": "webhook", "name": "x", "config": {"url": "http://127.0.0.1:9/"}}));
    let alerts = make(&api, &json!({"kind": "alertmanager", "name": "y", "config": {"url": "http://127.0.0.1:9/"}}));
    let made = api.post("/api/subscribers/", &json!({"name": " all "}));
    assert_eq!(made.status, 201);
    let all = made.json();
    assert_eq!(
        (&all["name"], &all["owner"], &all["channels"], &all["enabled"], &all["language"]),
        (&json!("all"), &Value::Null, &json!([]), &json!(true), &Value::Null)
    );
    for (body, wrong) in [
        (json!({}), json!({"name": ["This field is required."]})),
        (json!({"name": "all"}), json!({"name": ["subscriber with this name already exists."]})),
        (json!({"name": "b", "channels": [999]}), json!({"channels": ["Invalid pk \"999\" - object does not exist."]})),
        (
            json!({"name": "b", "channels": [alerts["id"]]}),
            json!({"channels": [format!("The channel {} takes alerts only, for that is what its kind is.", alerts["id"])]}),
        ),
        (
            json!({"name": "b", "language": "fr", "enabled": "perhaps", "owner": "x".repeat(101)}),
            json!({
                "owner": ["Ensure this field has no more than 100 characters."],
                "enabled": ["Must be a valid boolean."],
                "language": ["\"fr\" is not a valid choice."]
            }),
        ),
    ] {
        let answer = api.post("/api/subscribers/", &body);
        assert_eq!((answer.status, answer.json()), (400, wrong), "{body}");
    }
    let path = format!("/api/subscribers/{}/", all["id"]);
    let patch = |body: &Value| {
        let body = body.to_string();
        api.send("PATCH", &path, &[("Content-Type", "application/json")], Some(body.as_bytes()))
    };
    let changed = patch(&json!({"owner": "li", "channels": [hook["id"], hook["id"]], "language": "zh-CN"})).json();
    assert_eq!(
        (&changed["name"], &changed["owner"], &changed["channels"], &changed["language"]),
        (&json!("all"), &json!("li"), &json!([hook["id"]]), &json!("zh-CN"))
    );
    let changed = patch(&json!({"enabled": false, "owner": null, "language": null})).json();
    assert_eq!(
        (&changed["owner"], &changed["enabled"], &changed["language"]),
        (&Value::Null, &json!(false), &Value::Null)
    );
    assert_eq!(api.get(&path).json(), changed);
    assert_eq!(api.get("/api/subscribers/").json(), json!([changed]));
    for name in ["b", "c"] {
        assert_eq!(api.post("/api/subscribers/", &json!({ "name": name })).status, 201);
    }
    let page = api.get("/api/subscribers/?limit=2");
    let rest = page.header("link").unwrap().strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    let names = |page: Value| page.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!((names(page.json()), names(api.get(&rest).json())), (vec![json!("c"), json!("b")], vec![json!("all")]));
    assert_eq!(api.send("DELETE", &path, &[], None).status, 204);
    assert_eq!(api.get(&path).status, 404);
}

#[test]
fn a_report_is_made_with_the_summary_and_reaches_its_subscriber_by_mail_and_webhook() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let (system, (mail_server, mails)) = (System::new(), mail_server());
    let smtp = format!("smtp://{mail_server}?tls=none");
    let settings = [ANY, ("SMTP_URL", smtp.as_str()), ("PUBLIC_URL", "https://logmon.example")];
    let (api, _worker) = (system.serve_with(&settings), system.work(&settings));
    let hook = make(&api, &json!({"kind": "webhook", "name": "x", "config": {"url": receiver.url("/")}}));
    let mail = make(&api, &json!({"kind": "email", "name": "y", "config": {"to": ["ops@example.com"]}}));
    let channels = json!([hook["id"], mail["id"]]);
    let subscriber =
        subscribe(&system, &api, &json!({"name": "shop", "owner": "a", "channels": channels, "language": "zh-CN"}));
    for _ in 0..3 {
        log(&api, 1, "ERROR", HOSTILE);
    }
    log(&api, 2, "ERROR", "another owner's");
    for _ in 0..2 {
        assert_eq!(api.run(&api.post("/api/summaries/", &json!({"date": yesterday()})))["status"], "SUCCESS");
    }
    let told = eventually("the webhook", || receiver.received().pop());
    let body = told.json();
    assert_eq!((&body["event"], &body["subscriber"]), (&json!("report.created"), &json!("shop")));
    assert_eq!(body["report"]["total"]["counts"], json!({"INFO": 0, "WARN": 0, "ERROR": 3}));
    assert_eq!(body["report"]["patterns"][0]["count"], 3);
    assert_eq!(told.header("x-logmon-event-id"), body["event_id"]);
    let mail = mails.recv_timeout(PATIENCE).unwrap();
    assert!(mail.contains("multipart/alternative") && mail.contains("text/html"), "{mail}");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc:") || line.contains("<script>")), "{mail}");

    let list = api.get(&format!("/api/reports/?date={}&subscriber={}", yesterday(), subscriber["id"])).json();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["event_id"]), (1, &body["event_id"]), "{list}");
    assert_eq!(api.get("/api/reports/?date=2026-01-01").json(), json!([]));
    assert_eq!(api.get("/api/reports/?date=soon&subscriber=me").status, 400);
    let path = format!("/api/reports/{}/", list[0]["id"]);
    let whole = api.get(&path).json();
    assert_eq!((&whole["report"], &whole["revision"]), (&body["report"], &json!(1)));
    let page = api.send("GET", &path, &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")], None);
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    let text = api.get(&format!("{path}?format=text&language=zh-CN"));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(String::from_utf8(text.body).unwrap().starts_with("[日报] "));
    assert_eq!(api.get(&format!("{path}?format=pdf")).status, 400);
    assert_eq!(api.send("GET", &path, &[("Accept", "image/png")], None).status, 406);
    assert_eq!(api.get("/api/reports/999/?format=html").status, 404);

    let preview = api.get(&format!("/api/reports/preview/?date={}&owner=b", yesterday())).json();
    assert_eq!(preview["total"]["counts"]["ERROR"], 1, "{preview}");
    assert_eq!(api.get("/api/reports/preview/?date=2026-01-01").status, 404);
    assert_eq!(api.get("/api/reports/preview/?date=x&language=fr").status, 400);
    let shown = api.get("/api/reports/preview/?format=html");
    assert!(String::from_utf8(shown.body).unwrap().contains(&yesterday()), "yesterday without a date");
}

#[test]
fn killed_workers_make_one_report_each_and_tell_it_with_one_id() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let hook = make(&api, &json!({"kind": "webhook", "name": "x", "config": {"url": receiver.url("/")}}));
    const SUBSCRIBERS: usize = 60;
    for number in 0..SUBSCRIBERS {
        subscribe(&system, &api, &json!({"name": number.to_string(), "channels": [hook["id"]]}));
    }
    log(&api, 1, "ERROR", HOSTILE);
    assert_eq!(api.post("/api/summaries/", &json!({"date": yesterday()})).status, 202);
    let made = || system.database.number("SELECT COUNT(*) FROM core_report");
    let settings = [ANY, ("WORKER_TIMEOUT", "1s")];
    let mut worker = system.work(&settings);
    for killed in 0..4 {
        let (before, told) = (made(), receiver.received().len());
        eventually("some more", || {
            system.dispatch();
            (made() > before || receiver.received().len() > told || killed == 3).then_some(())
        });
        worker.signal(Signal::Kill);
        worker.wait();
        // What a dead worker had claimed is free again when its claim has ended.
        system.database.execute("UPDATE core_channel SET claimed_until = NULL");
        worker = system.work(&settings);
    }
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    eventually("every report", || {
        system.dispatch();
        bodies.clear();
        for request in receiver.received() {
            bodies.entry(request.header("x-logmon-event-id").to_owned()).or_default().insert(request.body);
        }
        (bodies.len() >= SUBSCRIBERS).then_some(())
    });
    assert_eq!((made(), bodies.len()), (i64::try_from(SUBSCRIBERS).unwrap(), SUBSCRIBERS), "one report each");
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "a repeat is the same");
}
