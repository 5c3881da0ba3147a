//! Searching logs as a developer does: by range, text, attributes and trace, page by page.

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::http::Response;
use serde_json::{Value, json};

use crate::common::{Api, System};

fn push(api: &Api, records: &Value) {
    let answer = api.post("/api/logs/", records);
    assert_eq!((answer.status, &answer.json()["rejected"]), (200, &json!([])));
}

fn messages(api: &Api, query: &str) -> Vec<String> {
    let answer = api.get(&format!("/api/logs/?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    let rows = answer.json();
    rows.as_array().unwrap().iter().map(|log| log["message"].as_str().unwrap().to_owned()).collect()
}

fn next(answer: &Response) -> Option<String> {
    let link = answer.header("link")?;
    Some(link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned())
}

fn minutes_ago(minutes: i64) -> String {
    (SystemClock.now() - TimeDelta::minutes(minutes)).to_rfc3339()
}

#[test]
fn a_fragment_of_a_message_is_found_in_any_language() {
    let system = System::new();
    let api = system.serve();
    let log = |app: u32, level: &str, message: &str, minutes: i64| {
        json!({"app": app, "level": level, "message": message, "timestamp": minutes_ago(minutes),
               "attributes": {"user": message.len().to_string(), "shop.id": 7}, "trace_id": format!("t{app}")})
    };
    push(
        &api,
        &json!([
            log(1, "ERROR", "Payment timed out after 30 s", 5),
            log(1, "INFO", "payment ok", 10),
            log(2, "ERROR", "微信支付失败：余额不足", 15),
            log(2, "WARN", "disk 100% full", 90),
            log(1, "ERROR", "payment of last week", 7 * 24 * 60),
        ]),
    );
    assert_eq!(messages(&api, "q=PAYMENT"), ["Payment timed out after 30 s", "payment ok"], "within a day");
    assert_eq!(messages(&api, "q=payment&since=now-30d").len(), 3);
    assert_eq!(messages(&api, "q=payment&until=9999-12-31T00:00:00Z").len(), 2, "of the day before now");
    assert_eq!(messages(&api, "q=payment+-ok"), ["Payment timed out after 30 s"]);
    assert_eq!(messages(&api, "q=%22timed+out%22&level=ERROR&app=1"), ["Payment timed out after 30 s"]);
    assert_eq!(messages(&api, "q=%E6%94%AF%E4%BB%98"), ["微信支付失败：余额不足"]);
    assert_eq!(messages(&api, "q=100%25"), ["disk 100% full"]);
    assert_eq!(messages(&api, "q=' OR 1=1 -- ".replace(' ', "%20").as_str()), Vec::<String>::new());
    assert_eq!(messages(&api, "since=now-12m"), ["Payment timed out after 30 s", "payment ok"]);
    assert_eq!(messages(&api, "since=now-2h&until=now-12m&order=asc"), ["disk 100% full", "微信支付失败：余额不足"]);
    assert_eq!(messages(&api, "attr.user=10&attr.shop.id=7"), ["payment ok"]);
    assert_eq!(messages(&api, "trace_id=t2&order=desc"), ["微信支付失败：余额不足", "disk 100% full"]);
    let answer = api.get("/api/logs/?q=payment");
    let (since, until) = (answer.header("x-logmon-since").unwrap(), answer.header("x-logmon-until"));
    let day = SystemClock.now() - since.parse::<DateTime<Utc>>().unwrap();
    assert!((day.num_seconds() - 86_400).abs() < 600 && until.is_none(), "{since}");
    assert_eq!(api.get("/api/logs/?app=1").header("x-logmon-since"), None);
}

#[test]
fn pages_keep_to_the_range_of_the_first_and_to_their_own_list() {
    let system = System::new();
    let api = system.serve();
    let batch = |from: usize| -> Value {
        (from..from + 50).map(|n| json!({"app": 1, "level": "INFO", "message": format!("log {n}")})).collect()
    };
    push(&api, &batch(0));
    for order in ["asc", "desc"] {
        let (mut path, mut seen) = (format!("/api/logs/?q=log&since=now-1h&limit=20&order={order}"), Vec::new());
        loop {
            let page = api.get(&path);
            assert_eq!(page.status, 200, "{path}");
            seen.extend(page.json().as_array().unwrap().iter().map(|log| log["message"].clone()));
            let Some(link) = next(&page) else { break };
            assert!(!link.contains("now-1h"), "{link}");
            path = link;
            if order == "desc" {
                // What comes meanwhile is newer than the first page.
                push(&api, &batch(100));
            }
        }
        let mut expected: Vec<Value> = (0..50).map(|n| json!(format!("log {n}"))).collect();
        if order == "desc" {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{order}");
    }
    let first = next(&api.get("/api/logs/?limit=1&level=INFO")).unwrap();
    assert_eq!(api.get(&first).status, 200);
    for foreign in [first.replace("INFO", "ERROR"), format!("{first}&order=asc"), first.replace("cursor=", "cursor=A")]
    {
        let refused = api.get(&foreign);
        let expected = json!({"cursor": ["Not a cursor of this list with these parameters: go on at the address that the answer before it has."]});
        assert_eq!((refused.status, refused.json()), (400, expected), "{foreign}");
    }
}

#[test]
fn a_page_of_long_logs_ends_early_and_goes_on() {
    let system = System::new();
    let api = system.serve();
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', CONCAT(seq, REPEAT('x', 6 * 1024 * 1024)), NOW(6) FROM seq_1_to_7",
    );
    let (mut path, mut pages) = (Some("/api/logs/?app=1".to_owned()), Vec::new());
    while let Some(address) = path {
        let answer = api.get(&address);
        let number = |log: &Value| log["message"].as_str().unwrap().chars().next().unwrap();
        pages.push(answer.json().as_array().unwrap().iter().map(number).collect::<String>());
        path = next(&answer);
    }
    assert_eq!(pages, ["765", "432", "1"]);
    let id = api.get("/api/logs/?app=1&limit=1").json()[0]["id"].clone();
    let context = api.get(&format!("/api/logs/{id}/context/")).json();
    assert_eq!((context["before"].as_array().unwrap().len(), &context["more_before"]), (3, &json!(true)));
}

#[test]
fn the_newest_match_outside_an_empty_range_is_told() {
    let system = System::new();
    let api = system.serve();
    let log = |app: u32, level: &str, message: &str, hours: i64| json!({"app": app, "level": level, "message": message, "timestamp": minutes_ago(60 * hours)});
    push(
        &api,
        &json!([
            log(1, "ERROR", "disk full", 100),
            log(1, "ERROR", "disk is full", 50),
            log(1, "INFO", "ok", 30),
            log(2, "ERROR", "pay", 2),
        ]),
    );
    let last = |query: &str| {
        let answer = api.get(&format!("/api/logs/last/?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()["log"]["message"].clone()
    };
    assert_eq!(last("app=1&since=now-1h"), "ok");
    assert_eq!(last("app=1&level=ERROR&since=now-1h"), "disk is full");
    assert_eq!(
        last("app=1&level=ERROR&since=now-60h&until=now-55h"),
        "disk is full",
        "what comes after the range is newer"
    );
    assert_eq!(last("app=1&level=ERROR&since=now-99h&until=now-49h"), "disk full");
    assert_eq!(last("q=disk"), "disk is full", "a text is looked for in the past day, which leaves this out");
    assert_eq!(last("q=disk+-%22disk+is%22"), "disk full");
    for nothing in ["", "app=1", "q=none", "app=9&since=now-1h", "since=now-200h"] {
        assert_eq!(last(nothing), Value::Null, "{nothing}");
    }
    let whole = api.get("/api/logs/last/?app=1&since=now-1h").json();
    assert_eq!(whole, json!({"log": api.get("/api/logs/?app=1&limit=1").json()[0]}));
    assert_eq!(api.get("/api/logs/last/?level=LOUD").status, 400);
}

#[test]
fn searches_that_take_long_leave_connections_to_the_others() {
    let system = System::new();
    // Each of the texts below is compared with nearly all of its characters at each of these.
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', REPEAT('a', 100000), UTC_TIMESTAMP(6) - INTERVAL 1 HOUR FROM seq_1_to_500",
    );
    let api = system.serve_with(&[("DATABASE_CONNECTIONS", "2")]);
    let without = ["b", "c", "d", "e", "f"].map(|end| format!("-{}{end}", "a".repeat(48)));
    let search = format!("/api/logs/?q={}", without.join("+"));
    let statuses = std::thread::scope(|scope| {
        let searching: Vec<_> = (0..4).map(|_| scope.spawn(|| api.get(&search).status)).collect();
        while searching.iter().any(|searching| !searching.is_finished()) {
            assert_eq!(messages(&api, "app=2"), Vec::<String>::new());
        }
        searching.into_iter().map(|searching| searching.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(statuses.iter().all(|status| [503, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503) && statuses.contains(&429), "{statuses:?}");
    let slow = api.get(&search);
    assert_eq!((slow.status, slow.header("retry-after")), (503, Some("1")));
    assert_eq!(slow.json()["detail"], "It took too long: narrow the range, name an app, or ask for fewer with limit.");
    assert_eq!(slow.json()["request_id"].as_str(), slow.header("x-request-id"));
}

#[test]
fn wrong_parameters_are_named_all_at_once() {
    let system = System::new();
    let api = system.serve();
    let refused = api.get("/api/logs/?since=soon&until=%25&order=up&app=x&level=LOUD&attr.=1");
    assert_eq!(refused.status, 400);
    let errors = refused.json();
    for name in ["since", "until", "order", "app", "level", "attr."] {
        assert!(errors[name].is_array(), "{name} in {errors}");
    }
    let long = api.get(&format!("/api/logs/?q={}", "x".repeat(257)));
    assert_eq!(long.json(), json!({"q": ["Ensure this has no more than 256 characters."]}));
}
