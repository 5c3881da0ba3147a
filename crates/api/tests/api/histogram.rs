//! Histograms against the list, counted log by log.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::process::eventually;
use serde_json::{Value, json};

use crate::common::{Api, System};

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Logs of two apps over two days, with the edges of minutes among their times.
fn fill(api: &Api) {
    let midnight = SystemClock.now().date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let log = |n: i64| {
        let level = ["INFO", "WARN", "ERROR"][usize::try_from(n / 2 % 3).unwrap()];
        let minute = midnight - TimeDelta::minutes(n * n % 2_880);
        let time = minute - TimeDelta::microseconds([0, 1, 30_000_000][usize::try_from(n % 3).unwrap()]);
        json!({"app": n % 2 + 1, "level": level,
               "message": format!("支付 {}", if n % 7 == 0 { "failed" } else { "done" }), "timestamp": time,
               "attributes": {"user": n % 5}, "trace_id": format!("t{}", n % 4)})
    };
    let logs: Vec<Value> = (0..600).map(log).collect();
    assert_eq!(api.post("/api/logs/", &json!(logs)).json()["accepted"], 600);
}

/// The level and time of every log that a query lets through between two moments.
fn listed(api: &Api, query: &str, range: &Value) -> Vec<(String, DateTime<Utc>)> {
    let (since, until) = (range["since"].as_str().unwrap(), range["until"].as_str().unwrap());
    let answer = api.get(&format!("/api/logs/?{query}&since={since}&until={until}&limit=1000"));
    assert_eq!((answer.status, answer.header("link")), (200, None), "{query}");
    let rows = answer.json();
    let read = |log: &Value| (log["level"].as_str().unwrap().to_owned(), moment(&log["created_at"]));
    rows.as_array().unwrap().iter().map(read).collect()
}

/// Holds a histogram against the list; gives how many logs it counts.
fn same(api: &Api, query: &str, histogram: &Value) -> usize {
    let width = TimeDelta::milliseconds(histogram["bucket_ms"].as_i64().unwrap());
    let looked_at = if histogram["approx"] == json!(true) { &histogram["looked_at"] } else { &histogram["range"] };
    let (since, until) = (moment(&looked_at["since"]), moment(&looked_at["until"]));
    let mut bars = BTreeMap::new();
    let mut start = since;
    while start < until {
        bars.insert(start, [0_u64; 3]);
        start += width;
    }
    assert_eq!(start, until, "{histogram}");
    let logs = listed(api, query, looked_at);
    let mut total = [0_u64; 3];
    for (level, time) in &logs {
        let level = ["INFO", "WARN", "ERROR"].iter().position(|name| name == level).unwrap();
        bars.range_mut(..=*time).next_back().unwrap().1[level] += 1;
        total[level] += 1;
    }
    let shown = histogram["buckets"].as_array().unwrap().iter().map(|bucket| {
        let count = |place: usize| bucket[place].as_u64().unwrap();
        (moment(&bucket[0]), [count(1), count(2), count(3)])
    });
    assert_eq!(shown.collect::<Vec<_>>(), bars.into_iter().collect::<Vec<_>>(), "{query}");
    assert_eq!(histogram["total"], json!({"INFO": total[0], "WARN": total[1], "ERROR": total[2]}), "{query}");
    logs.len()
}

fn get(api: &Api, query: &str) -> Value {
    let answer = api.get(&format!("/api/logs/histogram/?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

#[test]
fn every_bucket_is_the_number_of_logs_that_the_list_has() {
    let system = System::new();
    let api = system.serve();
    fill(&api);
    for filter in [
        "",
        "app=1",
        "app=1&app=2&level=ERROR",
        "level=WARN&level=INFO",
        "app=9",
        "q=failed",
        "q=%E6%94%AF%E4%BB%98+-failed&app=2&level=ERROR&level=INFO",
        "attr.user=3",
        "trace_id=t2&app=1",
        "q=nowhere",
    ] {
        let mut counted = 0;
        for range in [
            "since=now-3d&buckets=240",
            "since=now-3d&buckets=2",
            "since=now-49h&until=now-47h&buckets=240",
            "since=now-30d&buckets=120",
            "since=now-30h&until=now-1590m",
            "",
        ] {
            let query = format!("{filter}&{range}");
            let histogram = get(&api, &query);
            assert!(histogram["approx"] == json!(false) && histogram["looked_at"].is_null(), "{histogram}");
            let buckets = histogram["buckets"].as_array().unwrap().len();
            let most = query.split_once("buckets=").map_or(60, |(_, most)| most.parse().unwrap());
            assert!((1..=most).contains(&buckets), "{buckets} for {query}");
            counted += same(&api, filter, &histogram);
        }
        assert_eq!(counted > 0, !["app=9", "q=nowhere"].contains(&filter), "{filter}");
    }
    let day = get(&api, "until=2026-11-23T04:00:30Z");
    assert_eq!(
        (&day["range"], &day["bucket_ms"]),
        (&json!({"since": "2026-11-22T04:00:00.000000Z", "until": "2026-11-23T04:30:00.000000Z"}), &json!(1_800_000))
    );
}

#[test]
fn what_there_was_no_time_for_is_left_out_and_said() {
    let system = System::new();
    let api = system.serve();
    let text = "a".repeat(250);
    assert_eq!(api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": text})).status, 201);
    // Each of these is compared with the text at every place, nearly to the text's end, before it is found at its own end.
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', CONCAT(REPEAT(CONCAT(REPEAT('a', 249), 'b'), 128), REPEAT('a', 250)), UTC_TIMESTAMP(6) - INTERVAL 2 HOUR - INTERVAL seq MINUTE
         FROM seq_1_to_1200",
    );
    let histogram = get(&api, &format!("q={text}&since=now-30h&buckets=240"));
    assert_eq!(histogram["approx"], json!(true), "{histogram}");
    assert!(moment(&histogram["looked_at"]["since"]) > moment(&histogram["range"]["since"]), "{histogram}");
    assert_eq!(histogram["looked_at"]["until"], histogram["range"]["until"]);
    // All of them have the text.
    assert!(same(&api, "app=1", &histogram) > 0);
    // The counts know nothing of what others wrote, but nobody has to read for them.
    assert_eq!(get(&api, "since=now-30h")["total"]["INFO"], 1);
}

#[test]
fn searches_that_wait_end_and_there_are_not_too_many() {
    let system = System::new();
    let api = system.serve();
    let mut lock = system.database.session();
    lock.execute("LOCK TABLES core_log WRITE");
    let ask = || api.get("/api/logs/histogram/?q=x").status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    // Who comes late, on a slow machine, may have the turn of one that has ended.
    assert!(statuses.iter().all(|status| [503, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503) && statuses.contains(&429), "{statuses:?}");
    lock.execute("UNLOCK TABLES");
    eventually("a search has its turn again", || (ask() == 200).then_some(()));
}

#[test]
fn wrong_parameters_are_named_all_at_once() {
    let system = System::new();
    let api = system.serve();
    let refused = api.get("/api/logs/histogram/?since=soon&level=LOUD&buckets=241&app=x");
    assert_eq!(refused.status, 400);
    let errors = refused.json();
    assert!(["since", "level", "app"].iter().all(|name| errors[name].is_array()), "{errors}");
    assert_eq!(errors["buckets"], json!(["Expected a number from 2 to 240."]));
    assert_eq!(api.get("/api/logs/histogram/?buckets=1").status, 400);
    for (range, field) in [("since=1000-01-01T00:00:00Z", "since"), ("until=9999-01-01T00:00:00Z", "until")] {
        let refused = api.get(&format!("/api/logs/histogram/?{range}"));
        assert_eq!(refused.json(), json!({field: ["Expected a time within the years 1678 to 2261."]}));
    }
    assert_eq!(get(&api, "since=2100-01-01T00:00:00Z")["total"], json!({"INFO": 0, "WARN": 0, "ERROR": 0}));
    assert_eq!(api.send("DELETE", "/api/logs/histogram/", &[], None).status, 405);
}

#[test]
fn counts_and_searches_together_leave_connections_to_the_others() {
    let system = System::new();
    let api = &system.serve_with(&[("DATABASE_CONNECTIONS", "4")]);
    // Each reads this table, and waits for as long as it is locked.
    let mut holder = system.database.session();
    holder.execute("LOCK TABLES core_loghourcount WRITE");
    let slow = ["/api/logs/histogram/?since=now-30d", "/api/logs/?q=x&app=1"];
    let statuses = std::thread::scope(|scope| {
        let waiting: Vec<_> =
            slow.into_iter().cycle().take(8).map(|path| scope.spawn(move || api.get(path).status)).collect();
        while waiting.iter().any(|waiting| !waiting.is_finished()) {
            assert_eq!(api.get("/api/apps/").status, 200);
        }
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(statuses.iter().all(|status| [503, 429].contains(status)), "{statuses:?}");
    holder.execute("UNLOCK TABLES");
    get(api, "since=now-30d");
}
