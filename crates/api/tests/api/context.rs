//! One log, and what the same app logged around it.

use serde_json::{Value, json};

use crate::common::{Api, System};

/// Logs of two apps by turns, several at a moment: 1 to 40 of the first are called `log 1` to `log 40`.
fn filled() -> (System, Api) {
    let system = System::new();
    system.database.execute(
        "INSERT INTO core_log (id, app_id, level, message, created_at)
         SELECT seq, 1, ELT(1 + seq % 3, 'INFO', 'WARN', 'ERROR'), CONCAT('log ', seq),
                '2026-11-20 00:00:00' + INTERVAL seq DIV 4 HOUR FROM seq_1_to_40;
         INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 2, 'INFO', 'other', '2026-11-20 00:00:00' + INTERVAL seq DIV 4 HOUR FROM seq_1_to_40",
    );
    let api = system.serve();
    (system, api)
}

fn messages(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|log| log["message"].as_str().unwrap()).collect()
}

/// `log 7`, `log 6`, … down to the last.
fn logs(from: u32, to: u32) -> Vec<String> {
    (to..=from).rev().map(|n| format!("log {n}")).collect()
}

/// The addresses in `Link`, by their relation.
fn link(header: Option<&str>, relation: &str) -> Option<String> {
    let end = format!(">; rel=\"{relation}\"");
    let link = header?.split(", ").find_map(|link| link.strip_suffix(end.as_str()))?;
    Some(link.trim_start_matches('<').to_owned())
}

#[test]
fn one_log_is_shown_as_the_list_has_it() {
    let system = System::new();
    let api = system.serve();
    let record = json!({"app": 2, "level": "WARN", "message": "支付", "trace_id": "t", "attributes": {"a": [1]}});
    let made = api.post("/api/logs/", &record).json();
    let path = format!("/api/logs/{}/", made["id"]);
    let shown = api.get(&path);
    assert_eq!((shown.status, shown.json()), (200, made.clone()));
    assert_eq!(api.get("/api/logs/").json(), json!([made]));
    assert_eq!(api.get(path.trim_end_matches('/')).json(), made);
    let no_such = json!({"detail": "No Log matches the given query."});
    for path in ["/api/logs/999/", "/api/logs/18446744073709551616/", "/api/logs/999/context/"] {
        let answer = api.get(path);
        assert_eq!((answer.status, answer.json()), (404, no_such.clone()), "{path}");
    }
    for path in ["/api/logs/abc/", "/api/logs/abc/context/"] {
        assert_eq!((api.get(path).status, api.get(path).json()), (404, json!({"detail": "Not found."})), "{path}");
    }
    assert_eq!(api.send("DELETE", &path, &[], None).status, 405);
}

#[test]
fn the_context_of_a_log_is_the_list_of_its_app_around_it() {
    let (_system, api) = filled();
    let answer = api.get("/api/logs/20/context/?before=6&after=5");
    let context = answer.json();
    assert_eq!(messages(&context["after"]), logs(25, 21));
    assert_eq!(context["hit"], api.get("/api/logs/20/").json());
    assert_eq!(messages(&context["before"]), logs(19, 14));
    assert_eq!((&context["more_before"], &context["more_after"]), (&json!(true), &json!(true)));
    let older = link(answer.header("link"), "next").unwrap();
    assert_eq!(messages(&api.get(&older).json()), logs(13, 1));
    let newer = link(answer.header("link"), "prev").unwrap();
    let mut rest = logs(40, 26);
    rest.reverse();
    assert_eq!(messages(&api.get(&newer).json()), rest);
}

#[test]
fn a_context_ends_where_the_logs_do() {
    let (_system, api) = filled();
    let whole = api.get("/api/logs/20/context/");
    let context = whole.json();
    assert_eq!(messages(&context["after"]), logs(40, 21));
    assert_eq!(messages(&context["before"]), logs(19, 1));
    assert_eq!((&context["more_before"], &context["more_after"]), (&json!(false), &json!(false)));
    assert_eq!(whole.header("link"), None);
    let oldest = api.get("/api/logs/1/context/?before=0&after=0");
    assert_eq!(oldest.json()["after"], json!([]));
    assert_eq!(link(oldest.header("link"), "next"), None);
    let newer = link(oldest.header("link"), "prev").unwrap();
    assert_eq!(api.get(&newer).json()[0]["message"], "log 2");
    for wrong in ["501", "-1", "many"] {
        let refused = api.get(&format!("/api/logs/20/context/?before={wrong}&after={wrong}"));
        let expected = json!(["Expected a number from 0 to 500."]);
        assert_eq!((refused.status, refused.json()), (400, json!({"before": expected, "after": expected})), "{wrong}");
    }
}
