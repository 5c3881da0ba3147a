//! Exports against the list, and what becomes of them when something goes wrong.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use chrono::TimeDelta;
use flate2::read::GzDecoder;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::testing::http::{Response, unchunked};
use logmon_store::testing::process::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::common::{Api, System};

const CSV_COLUMNS: &str = "id,created_at,app,level,message,trace_id,span_id,attributes,received_at,timestamp_clamped";

fn export(api: &Api, query: &str) -> Response {
    let answer = api.get(&format!("/api/logs/export/?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    answer
}

fn lines(ndjson: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(ndjson).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of a CSV file, without the one of the columns' names.
fn records(csv: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(csv).unwrap().strip_prefix('\u{feff}').unwrap();
    assert_eq!(text.lines().next().unwrap(), CSV_COLUMNS);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Every log that the list has, page by page.
fn listed(api: &Api, query: &str) -> Vec<Value> {
    let (mut path, mut all) = (format!("/api/logs/?{query}&limit=7"), Vec::new());
    loop {
        let page = api.get(&path);
        assert_eq!(page.status, 200, "{path}");
        all.extend(page.json().as_array().unwrap().iter().cloned());
        let Some(link) = page.header("link") else { return all };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
}

/// A log of the list as a record of a CSV file.
fn as_record(log: &Value) -> Vec<String> {
    let cell = |name: &str| match &log[name] {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    CSV_COLUMNS.split(',').map(cell).collect()
}

/// Logs of every kind, of two apps and three days.
fn fill(system: &System, api: &Api) {
    let messages = [
        "plain",
        "微信支付失败：余额不足 🚨",
        "with \"quotes\", commas; and\nlines\r\nof their own",
        "=1+1",
        "+SUM(A1)",
        "-2",
        "@cmd",
        " =not one",
        "'already",
        "{\"json\": [1, 2]}",
    ];
    let log = |n: usize| {
        let time = SystemClock.now() - TimeDelta::seconds(i64::try_from(n * n * 61 % 200_000).unwrap());
        let (level, message) = (["INFO", "WARN", "ERROR"][n % 3], messages[n % messages.len()]);
        let mut log = json!({"app": n % 2 + 1, "level": level, "timestamp": time, "message": message});
        if n.is_multiple_of(4) {
            log["attributes"] = json!({"user": "李 \"四\"", "n": n % 3});
            log["trace_id"] = json!("=t");
        }
        log
    };
    let logs: Vec<Value> = (0..90).map(log).collect();
    assert_eq!(api.post("/api/logs/", &json!(logs)).json()["accepted"], 90);
    // What only other programs write: white space at the ends, another level, and texts that are read one by one.
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at) VALUES
           (1, 'INFO', '\\tTAB', UTC_TIMESTAMP(6)), (1, 'INFO', '\\rCR', UTC_TIMESTAMP(6)), (1, 'DEBUG', 'other', UTC_TIMESTAMP(6)),
           (2, 'WARN', CONCAT('long ', REPEAT('长', 40000)), UTC_TIMESTAMP(6) - INTERVAL 1 DAY),
           (2, 'WARN', CONCAT('long ', REPEAT('y', 8188)), UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE)",
    );
}

#[test]
fn an_export_is_the_list_to_its_end() {
    let system = System::new();
    let api = system.serve();
    fill(&system, &api);
    let mut found = 0;
    for filter in [
        "",
        "order=asc",
        "app=1",
        "level=ERROR&order=asc",
        "app=1&app=2&level=WARN&level=INFO",
        "since=now-1d&until=now-1h",
        "q=long",
        "q=long&since=now-3d",
        "q=-plain&since=now-3d&order=asc&app=2",
        "q=%E6%94%AF%E4%BB%98&since=now-3d&until=now-2h",
        "attr.n=0&since=now-30d",
        "trace_id=%3Dt&level=INFO",
        "app=9",
    ] {
        let logs = listed(&api, filter);
        found += logs.len();
        let ndjson = export(&api, &format!("{filter}&format=NDJSON"));
        assert_eq!(lines(&ndjson.body), logs, "{filter}");
        let csv = export(&api, filter);
        assert_eq!(records(&csv.body), logs.iter().map(as_record).collect::<Vec<_>>(), "{filter}");
        for name in ["x-logmon-since", "x-logmon-until"] {
            assert_eq!(csv.header(name).is_some(), api.get(&format!("/api/logs/?{filter}")).header(name).is_some());
        }
    }
    assert!(found > 300, "{found}");
}

#[test]
fn it_is_a_file_and_compressed_for_who_takes_that() {
    let system = System::new();
    let api = system.serve();
    fill(&system, &api);
    // Several times as much as is compressed at a time.
    let long = |n: u32| json!({"app": 1, "level": "INFO", "message": format!("{n} {}", "x".repeat(1_000))});
    assert_eq!(api.post("/api/logs/", &(0..300).map(long).collect()).status, 200);
    let plain = export(&api, "app=1&since=2026-01-02T03:04:05Z&until=2126-01-02T03:04:05Z&format=csv");
    assert_eq!(plain.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(
        plain.header("content-disposition"),
        Some("attachment; filename=\"logs-app-1-20260102T030405Z-21260102T030405Z.csv\"")
    );
    assert_eq!((plain.header("x-logmon-limit"), plain.header("content-encoding")), (Some("1000000"), None));
    for (format, content_type) in
        [("csv", "text/csv; charset=utf-8; header=present"), ("ndjson", "application/x-ndjson")]
    {
        let path = format!("/api/logs/export/?format={format}");
        let plain = api.get(&path);
        assert_eq!(plain.header("content-type"), Some(content_type));
        for (accepted, compressed) in [
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("identity", false),
            ("br", false),
            ("gzip;q=0, identity", false),
            ("gzip;q=0.1, identity;q=0.9", false),
        ] {
            let answer = api.send("GET", &path, &[("Accept-Encoding", accepted)], None);
            assert_eq!(answer.header("content-encoding"), compressed.then_some("gzip"), "{accepted}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            let mut body = Vec::new();
            if compressed {
                GzDecoder::new(answer.body.as_slice()).read_to_end(&mut body).unwrap();
            } else {
                body = answer.body;
            }
            assert!(body == plain.body, "{format} {accepted}");
        }
    }
    let head = api.send("HEAD", "/api/logs/export/", &[], None);
    assert_eq!((head.status, head.body.as_slice()), (200, &b""[..]));
    // Nobody has to accept JSON.
    assert_eq!(api.send("GET", "/api/logs/export/", &[("Accept", "text/csv")], None).status, 200);
}

#[test]
fn one_that_is_cut_says_so_and_where_it_goes_on() {
    let system = System::new();
    let api = system.serve();
    fill(&system, &api);
    let whole = lines(&export(&api, "format=ndjson&since=now-3d&level=INFO").body);
    let (mut path, mut parts) = ("/api/logs/export/?format=ndjson&since=now-3d&level=INFO&limit=10".to_owned(), 0);
    let mut all = Vec::new();
    loop {
        let part = api.get(&path);
        assert_eq!((part.status, part.header("x-logmon-limit")), (200, Some("10")));
        let mut logs = lines(&part.body);
        parts += 1;
        let last = logs.pop().unwrap();
        let Some(next) = last["next"].as_str() else {
            all.extend(logs);
            all.push(last);
            break;
        };
        assert_eq!((logs.len(), &last["cut_after"]), (10, &json!(10)));
        assert!(!next.contains("now-3d"), "{next}");
        path = next.to_owned();
        all.extend(logs);
    }
    assert_eq!((all, parts), (whole.clone(), whole.len().div_ceil(10)));
    let exactly = export(&api, &format!("format=ndjson&since=now-3d&level=INFO&limit={}", whole.len()));
    assert_eq!(lines(&exactly.body), whole, "all of them are no cut");
    let csv = records(&export(&api, "limit=3&app=1").body);
    assert!(
        csv[3][4].starts_with("Cut after 3 logs. The next ones: /api/logs/export/?limit=3&app=1&cursor="),
        "{csv:?}"
    );
    assert!(csv.len() == 4 && csv[3][0].is_empty());
    let foreign = csv[3][4].split_once("cursor=").unwrap().1;
    let refused = api.get(&format!("/api/logs/export/?limit=1000001&format=xml&app=x&cursor={foreign}"));
    assert_eq!(refused.status, 400);
    let errors = refused.json();
    assert!(["limit", "format", "app", "cursor"].iter().all(|name| errors[name].is_array()), "{errors}");
}

/// An export whose client has read nothing but that it begins.
struct Stalled(TcpStream);

impl Stalled {
    fn begin(api: &Api) -> Self {
        let mut stream = TcpStream::connect(&api.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/logs/export/?format=ndjson HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        Self(stream)
    }

    /// Reads on, to whatever end; the body with its chunks.
    fn rest(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        answer.split_off(end + 4)
    }
}

/// So many bytes that no buffer between here and there holds them.
fn fill_with_much(system: &System) -> usize {
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', CONCAT(seq, REPEAT(' payload', 500)), '2026-11-23 03:12:45' FROM seq_1_to_20000",
    );
    20_000
}

#[test]
fn a_slow_client_holds_nothing_and_gets_everything() {
    let system = System::new();
    let api = system.serve();
    let logs = fill_with_much(&system);
    let before = api.process.memory_peak();
    let slow = Stalled::begin(&api);
    let also_slow = Stalled::begin(&api);
    eventually("nothing is read ahead", || (0..5).all(|_| system.database.busy("core_log ") == 0).then_some(()));
    // A transaction that has read the table would be in the way.
    system.database.execute("SET SESSION lock_wait_timeout = 10; LOCK TABLES core_log WRITE; UNLOCK TABLES");
    let refused = api.get("/api/logs/export/");
    assert_eq!((refused.status, refused.json()), (429, json!({"detail": "Too many exports run at once."})));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let body = unchunked(&slow.rest()).expect("an end");
    let ids: Vec<i64> = lines(&body).iter().map(|log| log["id"].as_i64().unwrap()).collect();
    assert!(ids.len() == logs && ids.is_sorted_by(|a, b| a > b));
    let held = api.process.memory_peak() - before;
    assert!(body.len() > 80_000_000 && held < 40_000_000, "{held} of {}", body.len());
    drop(also_slow);
    eventually("there is room again", || (api.get("/api/logs/export/?limit=1").status == 200).then_some(()));
}

#[test]
fn one_that_breaks_off_does_not_look_whole() {
    let system = System::new();
    let api = system.serve();
    fill_with_much(&system);
    let begun = Stalled::begin(&api);
    eventually("it waits for its client", || (0..5).all(|_| system.database.busy("core_log ") == 0).then_some(()));
    system.database.kill_connections();
    let body = begun.rest();
    assert_eq!(unchunked(&body), None);
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("{\"broken_off_after\":"), "{}", &text[text.len() - 200..]);
    api.process.wait_for_line("an export broke off");
    eventually("the next one", || (api.get("/api/logs/export/?limit=1").status == 200).then_some(()));
}
