//! What a channel would be sent for a real alert.

use logmon_store::testing::receiver::Receiver;
use serde_json::json;

use crate::channels::{ANY, KEY, make};
use crate::common::System;

#[test]
fn a_template_is_tried_on_a_real_alert_without_sending_anything() {
    let receiver = Receiver::start(|_, _| (200, String::new()));
    let system = System::new();
    let api = system.serve_with(&[ANY, KEY, ("PUBLIC_URL", "https://logmon.example.com")]);
    let feishu = json!({ "kind": "feishu", "name": "f", "config": { "url": receiver.url("/hook"), "secret": "hunter2" },
        "template": { "title": "{{ app.name }} has {{ window.count }}" } });
    let path = format!("/api/channels/{}/preview/", make(&api, &feishu)["id"]);
    let none = api.post(&path, &json!({}));
    assert_eq!((none.status, none.json()["detail"].clone()), (409, json!("No rule has raised an alert yet.")));

    let alert = |id: i64, app: i64, count: i64| {
        system.database.execute(&format!(
            "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at, rule_id, rule_name, severity, level, window_start,
               window_end, count, threshold, query)
             VALUES ({id}, {app}, '{count} error logs', 0, '2026-11-23 04:10:00', 1, 'error-logs', 'critical', 'ERROR',
               '2026-11-23 04:00:00', '2026-11-23 04:10:00', {count}, 100, '/api/logs/?app={app}')"
        ));
    };
    alert(1, 1, 101);
    alert(2, 2, 202);
    // What Django raised has nothing to fill a template with.
    system
        .database
        .execute("INSERT INTO core_alert (id, app_id, content, is_resolved, created_at) VALUES (3, 1, 'x', 0, NOW(6))");
    let newest = api.post(&path, &json!({}));
    assert_eq!(newest.status, 200, "{}", String::from_utf8_lossy(&newest.body));
    let newest = newest.json();
    assert_eq!((&newest["alert"], &newest["title"]), (&json!(2), &json!("pay has 202")));
    assert!(newest["text"].as_str().unwrap().starts_with("202 error logs\n"), "{newest}");
    assert_eq!(newest["link"], "https://logmon.example.com/api/logs/?app=2");
    assert_eq!(newest["sent"]["msg_type"], "interactive", "as Feishu is sent it: {newest}");
    assert_eq!(newest["sent"]["sign"], "…");
    assert!(!newest.to_string().contains("hunter2") && !newest.to_string().contains("/hook"), "{newest}");

    let other = json!({ "alert": 1, "template": { "text": "{{ rule.name }}: {{ alert.severity }}" } });
    let other = api.post(&path, &other).json();
    assert_eq!((&other["alert"], &other["text"]), (&json!(1), &json!("error-logs: critical")));
    assert_eq!(other["title"], "[Alert] shop · error-logs");
    assert_eq!(api.post(&path, &json!({ "template": null })).json()["title"], "[Alert] pay · error-logs");
    for (body, errors) in [
        (
            json!({ "template": { "title": "{{ app.name }}\n {% if %}" } }),
            json!({ "template": { "title": ["syntax error in line 2, column 8: unexpected end of block"] } }),
        ),
        (
            json!({ "template": { "text": "a\nb {{ nothing.there }}" } }),
            json!({ "template": { "text": ["undefined value in line 2, column 6: `nothing` is undefined"] } }),
        ),
        (json!({ "alert": 3 }), json!({ "alert": ["Invalid pk \"3\" - no rule has raised such an alert."] })),
        (json!({ "alert": "x" }), json!({ "alert": ["Incorrect type. Expected pk value, received str."] })),
    ] {
        let refused = api.post(&path, &body);
        assert_eq!((refused.status, refused.json()), (400, errors), "{body}");
    }
    assert_eq!(api.post("/api/channels/99/preview/", &json!({})).status, 404);
    let mail = json!({ "kind": "email", "name": "m", "config": { "to": ["ops@example.com"] } });
    let sent =
        api.post(&format!("/api/channels/{}/preview/", make(&api, &mail)["id"]), &json!({})).json()["sent"].clone();
    assert_eq!((&sent["to"], &sent["subject"]), (&json!(["ops@example.com"]), &json!("[Alert] pay · error-logs")));
    assert!(sent["html"].as_str().unwrap().contains("<h1>[Alert] pay · error-logs</h1>"), "{sent}");
    assert!(receiver.received().is_empty(), "nothing is sent");
    assert!(system.database.number("SELECT COUNT(*) FROM core_delivery") == 0);
}
