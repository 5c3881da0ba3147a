//! `/api/silences/` as people use it.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::common::System;

fn ids(answer: &Value) -> Vec<i64> {
    answer.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn hence(hours: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the server's clock is the machine's")]
    let now = Utc::now();
    (now + TimeDelta::hours(hours)).to_rfc3339()
}

#[test]
fn a_silence_is_made_changed_and_ended_and_never_forgotten() {
    let system = System::new();
    let api = system.serve();
    system.database.execute(
        "INSERT INTO core_alert (id, app_id, content, is_resolved, created_at, rule_id)
         VALUES (1, 1, 'a', 0, NOW(6), 1), (2, 2, 'b', 0, NOW(6), 1)",
    );
    let body = json!({"app": 1, "rule": 1, "ends_at": hence(2), "created_by": "li", "comment": "deploy"});
    let made = api.post("/api/silences/", &body);
    assert_eq!(made.status, 201, "{}", made.json());
    let made = made.json();
    assert_eq!(
        (&made["state"], &made["recurring"], &made["updated_at"]),
        (&json!("active"), &Value::Null, &Value::Null)
    );
    assert_eq!((&made["created_by"], &made["comment"], &made["app"]), (&json!("li"), &json!("deploy"), &json!(1)));
    assert_eq!(made["period"], json!({"start": made["starts_at"], "end": made["ends_at"]}));
    let path = format!("/api/silences/{}/", made["id"]);
    assert_eq!(api.get(&path).json(), made);

    // What is open already says so at once.
    let under = |silenced: &str| ids(&api.get(&format!("/api/alerts/?silenced={silenced}")).json());
    assert_eq!((under("true"), under("false")), (vec![1], vec![2]));
    let alert = api.get("/api/alerts/1/").json();
    let event = &alert["timeline"][0];
    assert_eq!(
        (&alert["silenced_by"], &event["kind"], &event["silence"]),
        (&made["id"], &json!("silenced"), &made["id"])
    );
    assert_eq!((&event["actor"], &event["note"]), (&json!("li"), &json!("deploy")));

    let change = |body: &Value| {
        let answer =
            api.send("PATCH", &path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()));
        (answer.status, answer.json())
    };
    let (status, changed) = change(&json!({"comment": "takes longer", "ends_at": hence(3), "by": "wang"}));
    assert_eq!((status, &changed["comment"], &changed["updated_by"]), (200, &json!("takes longer"), &json!("wang")));
    assert_eq!(change(&json!({"app": 2})).0, 400);
    assert_eq!(
        change(&json!({"ends_at": null})).1,
        json!({"ends_at": ["Required for a silence that does not recur."]})
    );

    for _ in 0..2 {
        let ended = api.send("DELETE", &format!("{path}?by=zhao"), &[], None);
        let ended = (ended.status, ended.json());
        assert_eq!((ended.0, &ended.1["state"], &ended.1["updated_by"]), (200, &json!("ended"), &json!("zhao")));
        assert_eq!((&ended.1["comment"], &ended.1["period"]), (&json!("takes longer"), &Value::Null));
    }
    assert_eq!(
        (under("true"), api.get("/api/alerts/1/").json()["timeline"][1]["kind"].clone()),
        (vec![], json!("unsilenced"))
    );
    assert_eq!(change(&json!({"comment": "x"})).0, 409);
    assert!(api.get("/api/silences/").json().as_array().unwrap().is_empty());
    assert_eq!(ids(&api.get("/api/silences/?state=ended").json()).len(), 1);
    assert_eq!(api.get("/api/silences/99/").json(), json!({"detail": "No Silence matches the given query."}));
    assert_eq!(api.send("DELETE", "/api/silences/99/", &[], None).status, 404);
}

#[test]
fn silences_are_listed_by_what_they_do_now_and_what_they_are_for() {
    let system = System::new();
    let api = system.serve();
    let make = |mut body: Value| {
        body["created_by"] = json!("li");
        body["comment"] = json!("x");
        let made = api.post("/api/silences/", &body);
        assert_eq!(made.status, 201, "{}", made.json());
        made.json()["id"].as_i64().unwrap()
    };
    let every_day = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    let always = make(json!({"app": 1, "recurring": {"weekdays": every_day, "from": "00:00", "to": "00:00"}}));
    let later = make(json!({"app": 2, "starts_at": hence(1), "ends_at": hence(2)}));
    let now = make(json!({"rule": 1, "ends_at": hence(1)}));
    let over = make(json!({"ends_at": hence(1)}));
    assert_eq!(api.send("DELETE", &format!("/api/silences/{over}/"), &[], None).status, 200);
    for (query, expected) in [
        ("", vec![now, later, always]),
        ("?state=active", vec![now, always]),
        ("?state=upcoming", vec![later]),
        ("?state=ended", vec![over]),
        ("?state=ended&state=upcoming", vec![over, later]),
        ("?app=1", vec![now, always]),
        ("?app=2&state=active", vec![now]),
        ("?rule=1", vec![now, later, always]),
        ("?rule=7", vec![later, always]),
    ] {
        assert_eq!(ids(&api.get(&format!("/api/silences/{query}")).json()), expected, "{query}");
    }
    let page = api.get("/api/silences/?limit=1&state=upcoming&state=ended");
    assert_eq!(ids(&page.json()), [over]);
    let next = page.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(ids(&api.get(&next).json()), [later], "what is active lies between");
    let wrong = api.get("/api/silences/?state=x&app=y&rule=z");
    assert_eq!((wrong.status, wrong.json().as_object().unwrap().len()), (400, 3));

    let errors =
        api.post("/api/silences/", &json!({"app": 99, "ends_at": hence(1), "created_by": "li", "comment": "x"}));
    assert_eq!(errors.json(), json!({"app": ["Invalid pk \"99\" - object does not exist."]}));
    let errors =
        api.post("/api/silences/", &json!({"rule": 99, "ends_at": hence(1), "created_by": "li", "comment": "x"}));
    assert_eq!(errors.json(), json!({"rule": ["Invalid pk \"99\" - object does not exist."]}));
    let errors = api.post("/api/silences/", &json!({}));
    let required = json!(["This field is required."]);
    assert_eq!((&errors.json()["created_by"], &errors.json()["comment"]), (&required, &required));
    assert_eq!(errors.json()["ends_at"], json!(["Required for a silence that does not recur."]));
}
