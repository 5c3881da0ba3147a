//! `/api/summaries/`: reading them, and counting days again.

use chrono::TimeDelta;
use logmon_core::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::common::System;

#[test]
fn summaries_are_listed_by_app_and_day() {
    let system = System::new();
    let api = system.serve();
    for (app, day) in [(1, 20), (1, 21), (2, 21), (1, 22)] {
        system.database.execute(&format!(
            "INSERT INTO core_logsummary (app_id, date, info_count, warn_count, error_count) VALUES ({app}, '2026-11-{day}', {day}, 2, 1)"
        ));
    }
    let days = |query: &str| -> Vec<String> {
        let list = api.get(&format!("/api/summaries/{query}")).json();
        list.as_array().unwrap().iter().map(|row| format!("{}/{}", row["app"], row["date"].as_str().unwrap())).collect()
    };
    assert_eq!(days("?app=1&since=2026-11-21"), ["1/2026-11-22", "1/2026-11-21"]);
    assert_eq!(days("?until=2026-11-20"), ["1/2026-11-20"]);
    assert_eq!(days("").len(), 4);
    assert!(api.get("/api/summaries/?since=yesterday").json()["since"].is_array());
    for (body, words) in [
        (json!({}), "This field is required."),
        (json!({"date": "22.11.2026"}), "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
        (json!({"date": "2999-01-01"}), "This day has not begun yet."),
    ] {
        let answer = api.post("/api/summaries/", &body);
        assert_eq!((answer.status, answer.json()), (400, json!({"date": [words]})));
    }
    for (body, wrong) in [
        (json!({"since": "2026-11-20"}), json!({"until": ["This field is required."]})),
        (
            json!({"since": null, "until": "2999-01-01"}),
            json!({"since": ["This field may not be null."], "until": ["This day has not begun yet."]}),
        ),
        (
            json!({"date": "2026-11-20", "since": "2026-11-20", "until": "2026-11-20"}),
            json!({"date": ["Either date or since and until is expected."]}),
        ),
        (
            json!({"since": "2026-11-21", "until": "2026-11-20"}),
            json!({"until": ["Ensure this day is not before since."]}),
        ),
        (
            json!({"since": "2025-11-20", "until": "2026-11-21"}),
            json!({"until": ["Ensure there are no more than 366 days."]}),
        ),
    ] {
        let answer = api.post("/api/summaries/", &body);
        assert_eq!((answer.status, answer.json()), (400, wrong), "{body}");
    }
    assert_eq!(api.post("/api/summaries/", &json!({"since": "2025-11-20", "until": "2026-11-20"})).status, 202);
}

#[test]
fn a_range_of_days_is_counted_again() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[("RETENTION", "5d")]));
    let now = SystemClock.now();
    let day = |ago| (now - TimeDelta::days(ago)).date_naive().to_string();
    // The middle one changes while the others stay; of the oldest no logs are kept.
    for (ago, level) in [(3, "ERROR"), (2, "WARN"), (2, "ERROR"), (1, "INFO"), (0, "INFO")] {
        let log = json!({"app": 1, "level": level, "message": "m", "timestamp": format!("{}T00:00:00Z", day(ago))});
        assert_eq!(api.post("/api/logs/", &log).status, 201);
    }
    system.database.execute(&format!(
        "INSERT INTO core_logsummary (app_id, date, info_count, warn_count, error_count) VALUES (1, '{}', 7, 7, 7), (1, '{}', 7, 7, 7), (1, '{}', 7, 7, 7)",
        day(8), day(3), day(2)
    ));
    let result = api.run(&api.post("/api/summaries/", &json!({"since": day(8), "until": day(1)})));
    assert_eq!(result["status"], "SUCCESS", "{result}");
    let kept_in_part = json!({ "recounted": 4, "not_kept": 4 });
    assert_eq!(result["result"], kept_in_part, "the fifth day is kept in part, and is not whole");
    let counts = |ago: i64| {
        let list = api.get(&format!("/api/summaries/?app=1&since={0}&until={0}", day(ago))).json();
        list.as_array()
            .unwrap()
            .iter()
            .map(|row| ["info_count", "warn_count", "error_count"].map(|name| row[name].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        [8, 3, 2, 1, 0].map(counts),
        [vec![[7, 7, 7]], vec![[0, 0, 1]], vec![[0, 1, 1]], vec![[1, 0, 0]], vec![]]
    );
}
