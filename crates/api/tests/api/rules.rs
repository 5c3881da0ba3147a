//! Rules over HTTP, and what the settings of the check make of theirs.

use logmon_core::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::channels::{ANY, make};
use crate::common::{Api, System};
use crate::story::run_task;

const CHECK: &str = "log_monitor_system.apps.core.tasks.check_error_logs";

fn send(api: &Api, method: &str, path: &str, tag: &str, body: &Value) -> (u16, Value) {
    let headers: &[(&str, &str)] = &[("Content-Type", "application/json"), ("If-Match", tag)];
    let answer = api.send(method, path, headers, Some(body.to_string().as_bytes()));
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

#[test]
fn the_seeds_rule_is_there_from_the_start_and_stays() {
    let system = System::new();
    let api = system.serve();
    let rules = api.get("/api/rules/").json();
    assert_eq!(rules.as_array().unwrap().len(), 1);
    let rule = &rules[0];
    let expected = json!({"name": "error-logs", "app": null, "kind": "more_than", "level": "ERROR", "text": null,
        "threshold": 100, "factor": null, "window": "10m", "every": "10m", "severity": "critical", "resolve_after": 3, "flapping_after": 6,
        "channels": [], "enabled": true});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&rule[key], value, "{key}");
    }
    let path = format!("/api/rules/{}/", rule["id"]);
    assert_eq!(send(&api, "DELETE", &path, "*", &json!({})).0, 409);
    let keeps = json!({"name": ["The rule of the settings keeps its name."]});
    assert_eq!(send(&api, "PATCH", &path, "*", &json!({"name": "other"})), (400, keeps.clone()));
    assert_eq!(send(&api, "PUT", &path, "*", &json!({"name": "other", "threshold": 1})), (400, keeps));
    assert_eq!(send(&api, "PATCH", &path, "*", &json!({"enabled": false})).1["enabled"], false);
}

#[test]
fn rules_are_made_changed_and_removed() {
    let system = System::new();
    let api = system.serve();
    system.database.execute(
        "INSERT INTO core_channel (id, kind, name, config, created_at)
         VALUES (1, 'webhook', 'a', '{}', NOW(6)), (3, 'webhook', 'b', '{}', NOW(6))",
    );
    let made = api.post(
        "/api/rules/",
        &json!({"name":" 支付 slow ","app":1,"level":"ERROR","threshold":5,"window":"5m",
        "every":"1m","channels":[3,1],"enabled":true}),
    );
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let rule = made.json();
    assert_eq!(
        (&rule["name"], &rule["channels"], &rule["window"]),
        (&json!("支付 slow"), &json!([1, 3]), &json!("5m"))
    );
    let path = format!("/api/rules/{}/", rule["id"]);
    let first = made.header("etag").unwrap().to_owned();
    let shown = api.get(&path);
    assert_eq!((shown.json(), shown.header("etag")), (rule.clone(), Some(first.as_str())));

    let taken = api.post("/api/rules/", &json!({"name": "支付 slow", "threshold": 5}));
    assert_eq!((taken.status, taken.json()), (400, json!({"name": ["rule with this name already exists."]})));
    let gone = api.post("/api/rules/", &json!({"name": "x", "threshold": 5, "app": 9}));
    assert_eq!(gone.json(), json!({"app": ["Invalid pk \"9\" - object does not exist."]}));

    let (status, changed) = send(&api, "PATCH", &path, &first, &json!({"threshold": 7}));
    assert_eq!((status, &changed["threshold"], &changed["app"]), (200, &json!(7), &json!(1)));
    for (method, body) in [("PATCH", json!({"threshold": 8})), ("PUT", rule.clone()), ("DELETE", json!({}))] {
        assert_eq!(send(&api, method, &path, &first, &body).0, 412, "{method}: it is not as it was");
    }
    // What was read can be sent back as it is; what is not sent has its default.
    assert_eq!(send(&api, "PUT", &path, "*", &rule).1["threshold"], 5);
    let (_, replaced) = send(&api, "PUT", &path, "*", &json!({"name": "new", "threshold": 1}));
    assert_eq!(
        (&replaced["app"], &replaced["window"], &replaced["channels"]),
        (&json!(null), &json!("10m"), &json!([]))
    );

    let names = |query: &str| -> Vec<Value> {
        let rules = api.get(&format!("/api/rules/{query}")).json();
        rules.as_array().unwrap().iter().map(|rule| rule["name"].clone()).collect()
    };
    api.post("/api/rules/", &json!({"name": "two", "threshold": 1, "app": 2, "enabled": false}));
    assert_eq!(names(""), ["two", "new", "error-logs"]);
    assert_eq!(names("?app=1"), ["new", "error-logs"], "those for each app are for this one as well");
    assert_eq!(names("?enabled=false"), ["two"]);
    assert_eq!(names("?limit=1"), ["two"]);
    assert_eq!(api.get("/api/rules/?enabled=perhaps&app=x").status, 400);
    assert_eq!(send(&api, "DELETE", &path, "*", &json!({})), (204, Value::Null));
    assert_eq!(api.get(&path).json(), json!({"detail": "No Rule matches the given query."}));
}

#[test]
fn a_channel_exists_for_as_long_as_a_rule_or_a_subscriber_has_it() {
    let system = System::new();
    let api = system.serve_with(&[ANY]);
    let channel = make(&api, &json!({"kind": "webhook", "name": "ops", "config": {"url": "http://127.0.0.1:9/"}}));
    let channel = &channel["id"];
    let rule = |channels: Value| json!({"name": "slow", "threshold": 1, "channels": channels});
    let missing = json!({"channels": ["Invalid pk \"98\" - object does not exist.", "Invalid pk \"99\" - object does not exist."]});
    let refused = api.post("/api/rules/", &rule(json!([99, channel, 98])));
    assert_eq!((refused.status, refused.json()), (400, missing.clone()));
    let made = api.post("/api/rules/", &rule(json!([channel])));
    assert_eq!((made.status, &made.json()["channels"]), (201, &json!([channel])));
    let path = format!("/api/rules/{}/", made.json()["id"]);
    assert_eq!(send(&api, "PATCH", &path, "*", &json!({"channels": [98, 99]})), (400, missing));
    let path_of_channel = format!("/api/channels/{channel}/");
    let subscriber = api.post("/api/subscribers/", &json!({"name": "li", "channels": [channel]})).json();
    let refused = api.send("DELETE", &path_of_channel, &[], None);
    let detail = json!({"detail": "It is in use, take it out of these first: rules: slow; subscribers: li."});
    assert_eq!((refused.status, refused.json()), (409, detail));
    assert_eq!(send(&api, "PATCH", &path, "*", &json!({"channels": []})).0, 200);
    let refused = api.send("DELETE", &path_of_channel, &[], None);
    let detail = json!({"detail": "It is in use, take it out of these first: subscribers: li."});
    assert_eq!((refused.status, refused.json()), (409, detail));
    let subscriber = format!("/api/subscribers/{}/", subscriber["id"]);
    assert_eq!(send(&api, "PATCH", &subscriber, "*", &json!({"channels": []})).0, 200);
    assert_eq!(api.send("DELETE", &path_of_channel, &[], None).status, 204);
    assert_eq!(api.send("DELETE", &path_of_channel, &[], None).status, 404);
}

#[test]
fn a_rule_goes_with_its_app() {
    let system = System::new();
    let (api, _worker) = (system.serve_with(&[ANY]), system.work(&[ANY]));
    let channel = make(&api, &json!({"kind": "webhook", "name": "ops", "config": {"url": "http://127.0.0.1:9/"}}));
    let channel = &channel["id"];
    let made = api.post("/api/rules/", &json!({"name": "shop", "threshold": 1, "app": 1, "channels": [channel]}));
    assert_eq!(made.status, 201, "{}", made.json());
    api.run(&api.send("DELETE", "/api/apps/1/", &[], None));
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_rule WHERE app_id IS NOT NULL"), 0);
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_rulechannel"), 0);
}

#[test]
fn the_settings_of_the_check_set_their_rule_where_they_say_something() {
    let system = System::new();
    let api = system.serve();
    let rule = |api: &Api| api.get("/api/rules/").json()[0].clone();
    let path = format!("/api/rules/{}/", rule(&api)["id"]);
    let log = json!({"app": 1, "level": "ERROR", "message": "boom"});
    assert_eq!(api.post("/api/logs/", &json!(vec![log; 3])).status, 200);
    let worker = system.work(&[]);
    assert_eq!(run_task(&system, CHECK), 0);
    assert_eq!(send(&api, "PATCH", &path, "*", &json!({"threshold": 2})).0, 200);
    assert_eq!(run_task(&system, CHECK), 1, "the rule is what is stored");
    drop(worker);
    let _worker = system.work(&[("CHECK_THRESHOLD", "50"), ("CHECK_WINDOW", "15m")]);
    run_task(&system, CHECK);
    assert_eq!((&rule(&api)["threshold"], &rule(&api)["window"]), (&json!(50), &json!("15m")));
}

#[test]
fn a_rule_is_tested_on_the_past_without_being_stored() {
    let system = System::new();
    let api = system.serve();
    let hour = 3_600;
    let now = SystemClock.now().timestamp();
    // Bursts of 1, 2, … 5 errors, each in an hour of its own; of these the last two are an alert's.
    let log = |hours_ago: i64, app: i64| json!({"app": app, "level": "ERROR", "message": "boom", "timestamp": (now / hour - hours_ago) * hour});
    let logs: Vec<Value> = [(60, 1), (50, 2), (40, 3), (30, 4), (29, 5)]
        .into_iter()
        .flat_map(|(hours_ago, count)| (0..count).map(move |_| log(hours_ago, 1)))
        .chain([log(20, 2)])
        .collect();
    assert_eq!(api.post("/api/logs/", &json!(logs)).json()["accepted"], 16);
    let rule = json!({"threshold": 1, "window": "1h", "every": "1h"});
    let test = |query: &str, rule: &Value| {
        let answer = api.post(&format!("/api/rules/test/{query}"), rule);
        (answer.status, answer.json())
    };
    let (status, tested) = test("", &rule);
    assert_eq!(status, 200, "{tested}");
    assert_eq!((&tested["alerts"], &tested["breached"], &tested["approx"]), (&json!(3), &json!(4), &json!(false)));
    assert_eq!(tested["apps"], json!([{"app": 1, "alerts": 3, "breached": 4}]));
    let windows = tested["windows"].as_array().unwrap();
    let seen: Vec<_> =
        windows.iter().map(|window| (window["count"].as_u64().unwrap(), window["raises"] == true)).collect();
    assert_eq!(seen, [(5, false), (4, true), (3, true), (2, true)]);
    assert_eq!(test("?days=2", &rule).1["breached"], 3);
    let quiet = json!({"kind": "none", "app": 2, "window": "1h", "every": "1h"});
    assert!(test("", &quiet).1["breached"].as_u64().unwrap() >= 18);
    let text = json!({"threshold": 1, "text": "boom"});
    let refused = json!({"days": ["Expected a number from 1 to 30."], "text": ["No count knows texts: only a rule without one can be tested."]});
    assert_eq!(test("?days=31", &text), (400, refused));
    assert_eq!(test("", &json!({})), (400, json!({"threshold": ["This field is required."]})));
    assert_eq!(test("", &json!({"threshold": 1, "app": 9})).0, 400);
    assert_eq!(api.get("/api/rules/").json().as_array().unwrap().len(), 1, "nothing was stored");
}
