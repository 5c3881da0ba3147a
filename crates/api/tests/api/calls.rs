//! What the API offers beyond the original's four calls, and what it says of wrong ones.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use logmon_store::testing::process::{PATIENCE, Process, Signal, eventually};
use serde_json::json;

use crate::common::{API, Api, System};

#[test]
fn apps_are_made_changed_and_removed_with_everything_kept_of_them() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    let made = api.post("/api/apps/", &json!({"name": " 支付 ", "owner": "li"}));
    assert_eq!(made.status, 201);
    let app = made.json();
    assert_eq!((&app["name"], &app["owner"]), (&json!("支付"), &json!("li")));
    let path = format!("/api/apps/{}/", app["id"]);
    let again = api.post("/api/apps/", &json!({"name": "支付", "owner": "x"}));
    assert_eq!((again.status, again.json()), (400, json!({"name": ["app with this name already exists."]})));
    let wrong = api.post("/api/apps/", &json!({"name": "x".repeat(101)}));
    assert_eq!(
        wrong.json(),
        json!({"name": ["Ensure this field has no more than 100 characters."], "owner": ["This field is required."]})
    );
    let patch = |body: &[u8]| api.send("PATCH", &path, &[("Content-Type", "application/json")], Some(body));
    assert_eq!(patch(b"{\"owner\":\"wang\"}").json()["owner"], "wang");
    assert_eq!(patch(b"{\"name\":\"shop\"}").status, 400);
    assert_eq!(api.get(&path).json()["owner"], "wang");
    let names: Vec<_> =
        api.get("/api/apps/").json().as_array().unwrap().iter().map(|app| app["name"].clone()).collect();
    assert_eq!(names, ["支付", "pay", "shop"]);

    let log = json!({"app": app["id"], "level": "INFO", "message": "m"});
    assert_eq!(api.post("/api/logs/", &log).status, 201);
    let result = api.run(&api.send("DELETE", &path, &[], None));
    assert_eq!((&result["status"], &result["result"]), (&json!("SUCCESS"), &json!(1)));
    assert_eq!(api.get(&path).status, 404);
    assert_eq!(api.get(&path).json(), json!({"detail": "No App matches the given query."}));
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 0);
    assert_eq!(api.post("/api/logs/", &log).status, 400);
}

#[test]
fn one_bad_record_of_a_batch_does_not_fail_the_others() {
    let system = System::new();
    let api = system.serve();
    let good = json!({"app": 1, "level": "ERROR", "message": "boom"});
    let answer = api.post("/api/logs/", &json!([good, {"app": 9, "level": "ERROR", "message": ""}, 1, good]));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"accepted": 2, "duplicate": 0, "rejected": [
            {"index": 1, "errors": {"message": ["This field may not be blank."], "app": ["Invalid pk \"9\" - object does not exist."]}},
            {"index": 2, "errors": {"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]}},
        ]})
    );
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 2);
    let none = api.post("/api/logs/", &json!([[], null]));
    assert_eq!((none.status, none.json()["accepted"].clone()), (422, json!(0)));
}

#[test]
fn lists_go_on_where_their_link_says() {
    let system = System::new();
    let api = system.serve();
    let level = |n: i32| ["INFO", "WARN", "ERROR"][usize::try_from(n % 3).unwrap()];
    let log = |n: i32| json!({"app": n % 2 + 1, "level": level(n), "message": n});
    let batch: Vec<_> = (0..250).map(log).collect();
    assert_eq!(api.post("/api/logs/", &json!(batch)).json()["accepted"], 250);
    assert_eq!(api.get("/api/logs/").json().as_array().unwrap().len(), 100);
    let (mut path, mut seen) =
        ("/api/logs/?level=ERROR&level=WARN&level=WARN&app=1&app=2&app=1&limit=40".to_owned(), Vec::new());
    loop {
        let page = api.get(&path);
        seen.extend(page.json().as_array().unwrap().iter().map(|log| log["message"].clone()));
        let Some(link) = page.header("link") else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    let expected: Vec<_> = (0..250).rev().filter(|n| n % 3 > 0).map(|n| json!(n.to_string())).collect();
    assert_eq!(seen, expected);
    let wrong = api.get("/api/logs/?limit=0&cursor=nonsense");
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["limit"].is_array() && wrong.json()["cursor"].is_array());
    let wrong = api.get("/api/logs/?app=abc&level=NOPE");
    assert!(wrong.status == 400 && wrong.json()["app"].is_array() && wrong.json()["level"].is_array());
}

#[test]
fn a_body_that_is_too_large_or_in_an_unknown_coding_is_refused() {
    let system = System::new();
    let api = system.serve_with(&[("BODY_LIMIT", "1000")]);
    let headers = [("Content-Type", "application/json")];
    let large = api.send("POST", "/api/logs/", &headers, Some(&[b' '; 1001]));
    assert_eq!(
        (large.status, large.json()),
        (413, json!({"detail": "The body of the request is larger than 1000 bytes."}))
    );
    let mut chunked = TcpStream::connect(&api.address).unwrap();
    chunked.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /api/logs/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    chunked.write_all(format!("{head}{chunk}0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    chunked.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let coded = [("Content-Type", "application/json"), ("Content-Encoding", "br")];
    assert_eq!(api.send("POST", "/api/logs/", &coded, Some(b"x")).status, 415);
}

#[test]
fn batches_come_compressed_in_lines_and_within_bounds() {
    let system = System::new();
    let api = system.serve_with(&[("BODY_LIMIT", "3000000")]);
    let lines = "{\"app\":1,\"level\":\"WARN\",\"message\":\"支付\"}\n\n{bad\n{\"app\":1,\"level\":\"INFO\",\"message\":\"m\"}\r\n";
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |text: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = ruzstd::encoding::compress_to_vec(lines.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let send = |coding: &str, body: &[u8]| {
        let headers = [("Content-Type", "application/x-ndjson"), ("Content-Encoding", coding)];
        api.send("POST", "/api/logs/", &headers, Some(body))
    };
    for (coding, body) in [
        ("identity", lines.as_bytes().to_vec()),
        ("gzip", gzip(lines.as_bytes())),
        ("deflate", zlib(lines.as_bytes())),
        // As pygelf and graypy label it.
        ("gzip,deflate", zlib(lines.as_bytes())),
        ("zstd", zstd),
    ] {
        let answer = send(coding, &body);
        assert_eq!((answer.status, answer.json()["accepted"].clone()), (200, json!(2)), "{coding}");
        assert_eq!(answer.json()["rejected"][0]["index"], 1, "{coding}");
    }
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log WHERE message = '支付'"), 5);
    let bomb = gzip(&vec![b' '; 100_000_000]);
    assert!(bomb.len() < 200_000);
    for (body, status) in [(&bomb[..], 413), (&bomb[..bomb.len() / 2], 413), (b"plain", 400), (&gzip(b"x")[..15], 400)]
    {
        assert_eq!(send("gzip", body).status, status);
    }
    let other = send("zstd", &gzip(b"{}")).json();
    assert!(other["detail"].as_str().unwrap().ends_with("it does not begin as zstd does"), "{other}");
    // Within the size, but a thousand times as large as what was sent.
    assert_eq!(send("gzip", &gzip(&vec![b'\n'; 2_900_000])).status, 413);
    assert_eq!(send("identity", "1\n".repeat(10_001).as_bytes()).status, 413);
}

#[test]
fn forty_bombs_at_once_do_not_raise_the_memory_much() {
    let system = System::new();
    let api = system.serve();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 100 * 1024 * 1024]).unwrap();
    let bomb = encoder.finish().unwrap();
    let before = api.process.memory_peak();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
                let answer = api.send("POST", "/api/logs/", &headers, Some(&bomb));
                assert!([413, 503].contains(&answer.status), "{}", answer.status);
            });
        }
    });
    let rise = api.process.memory_peak() - before;
    assert!(rise < 64 * 1024 * 1024, "{rise} bytes more");
}

#[test]
fn the_root_leads_to_each_list() {
    let system = System::new();
    let api = system.serve();
    let root = api.get("/api/").json();
    let names: Vec<&String> = root.as_object().unwrap().keys().collect();
    assert!(
        ["channels", "deliveries", "logs", "reports", "silences"].iter().all(|name| names.iter().any(|n| n == name))
    );
    for (name, address) in root.as_object().unwrap() {
        let path = address.as_str().unwrap().split_once(&api.address).unwrap().1;
        assert_eq!((path, api.get(path).status), (format!("/api/{name}/").as_str(), 200));
    }
}

#[test]
fn every_answer_carries_an_id_and_a_hidden_cause_stays_hidden() {
    let system = System::new();
    let api = system.serve();
    assert_eq!(api.send("GET", "/api/", &[("X-Request-Id", "abc-1")], None).header("x-request-id"), Some("abc-1"));
    let refused = api.send("GET", "/api/", &[("X-Request-Id", "abc-2"), ("Accept", "text/html")], None);
    assert_eq!((refused.status, refused.header("x-request-id")), (406, Some("abc-2")));
    assert_ne!(api.send("GET", "/api/", &[("X-Request-Id", "a b")], None).header("x-request-id"), Some("a b"));
    system.database.execute("DROP TABLE core_alertevent, core_alert");
    let broken = api.get("/api/alerts/");
    assert_eq!(broken.status, 500);
    let id = broken.header("x-request-id").unwrap().to_owned();
    assert_eq!(broken.json(), json!({"detail": "Internal server error.", "request_id": id}));
    assert!(api.process.wait_for_line(&id).contains("core_alert"), "the cause is in the log");
}

#[test]
fn settings_that_are_missing_or_wrong_are_named_in_one_sentence() {
    const DATABASE: (&str, &str) = ("DATABASE_URL", "mysql://u:p@127.0.0.1/d");
    const REDIS: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1");
    for (settings, expected) in [
        (vec![REDIS], "DATABASE_URL is not set: "),
        (vec![DATABASE], "REDIS_URL is not set: "),
        (vec![("DATABASE_URL", "sqlite://secret"), REDIS], "DATABASE_URL is wrong: "),
        (vec![DATABASE, ("REDIS_URL", "redis://127.0.0.1:secret/0")], "REDIS_URL is wrong: "),
        (vec![DATABASE, REDIS, ("LISTEN", "here")], "LISTEN is \"here\", but "),
        (vec![DATABASE, REDIS, ("TIME_ZONE", "Mars")], "TIME_ZONE is \"Mars\", but "),
    ] {
        let mut process = Process::start(API, &["serve"], &settings);
        assert_eq!(process.wait().code(), Some(2));
        let said = process.said();
        assert!(said.starts_with(expected) && said.lines().count() == 1 && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_busy_address_is_named() {
    let system = System::new();
    let first = system.serve();
    // It ends while its threads connect, which is not always the same.
    for _ in 0..100 {
        let mut second = system.start("logmon-api", &["serve"], &[("LISTEN", &first.address)]);
        assert_eq!(second.wait().code(), Some(1), "{}", second.said());
    }
    let mut second = system.start("logmon-api", &["serve"], &[("LISTEN", &first.address)]);
    second.wait();
    assert!(second.said().contains(&format!("LISTEN is {}, but", first.address)), "{}", second.said());
}

#[test]
fn the_commands_print_json_and_say_how_a_task_ended() {
    let system = System::new();
    let _worker = system.work(&[]);
    let run = |arguments: &[&str]| system.command(arguments);
    let (code, out) = run(&["app", "create", "new", "--owner", "you"]);
    assert_eq!(code, Some(0));
    let app: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (_, out) = run(&["app", "list"]);
    let apps: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((apps.len(), &apps[0]), (3, &app));
    assert_eq!(run(&["app", "create", "new", "--owner", "you"]).0, Some(1));
    let noop = "log_monitor_system.apps.core.tasks.noop";
    let (code, out) = run(&["call", noop, "--kwargs", "{\"value\": 12345678901234567890123}", "--wait", "60"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("12345678901234567890123"), "{out}");
    let (code, out) = run(&["call", "no.such.task", "--wait", "60"]);
    assert!(code == Some(1) && out.contains("NotRegistered"), "{out}");
    assert_eq!(run(&["call", noop, "--args", "{"]).0, Some(1));
    let (code, out) = run(&["migrate"]);
    assert!(code == Some(0) && out.contains("nothing to do"), "{out}");
}

#[test]
fn a_request_under_way_is_answered_before_the_server_ends() {
    let system = System::new();
    let mut api = system.serve();
    let mut stream = TcpStream::connect(&api.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = br#"{"app":1,"level":"INFO","message":"last"}"#;
    let head = format!(
        "POST /api/logs/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // That it asks for the body shows that the server has the request.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..10]).unwrap();
    api.process.signal(Signal::Term);
    eventually("the listener to close", || TcpStream::connect(&api.address).is_err().then_some(()));
    stream.write_all(&body[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(api.process.wait().code(), Some(0));
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_log"), 1);
}

#[test]
fn a_server_that_is_to_stop_says_so_before_it_takes_no_more() {
    let system = System::new();
    let mut api = system.serve_with(&[("STOP_DELAY", "1h")]);
    assert_eq!(api.get("/readyz").json()["process"], "ok");
    api.process.signal(Signal::Term);
    let ready = eventually("it to say so", || Some(api.get("/readyz")).filter(|ready| ready.status == 503));
    let told = json!({"status": "unavailable", "process": "stopping", "database": "ok", "redis": "ok"});
    for part in ["status", "process", "database", "redis"] {
        assert_eq!(ready.json()[part], told[part], "{part}");
    }
    assert_eq!(api.get("/healthz").status, 200, "it is alive");
    assert_eq!(api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "late"})).status, 201);
    api.process.signal(Signal::Term);
    assert_eq!(api.process.wait().code(), Some(1), "the second signal waits for nobody");

    let mut api = system.serve_with(&[("STOP_DELAY", "1s")]);
    api.process.signal(Signal::Term);
    assert_eq!(api.process.wait().code(), Some(0));
}

#[test]
fn without_the_database_the_server_is_up_and_says_what_it_waits_for() {
    let system = System::new();
    let settings = [("LISTEN", "127.0.0.1:0"), ("DATABASE_URL", "mysql://nobody@127.0.0.1:1/none")];
    let api = Api::of(system.start("logmon-api", &["serve"], &settings));
    api.process.wait_for_line("waiting for the database");
    assert_eq!(api.get("/healthz").status, 200);
    let ready = eventually("the first findings", || {
        let ready = api.get("/readyz");
        let findings = (ready.json()["database"].clone(), ready.json()["redis"].clone());
        (!["database", "redis"].iter().any(|name| ready.json()[*name] == "not asked yet"))
            .then_some((ready.status, findings))
    });
    assert_eq!(ready, (503, (json!("down"), json!("ok"))));
    let answer = api.post("/api/logs/", &json!({"app": 1, "level": "INFO", "message": "m"}));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(api.get("/api/tasks/x/").status, 200, "what needs only Redis goes on");
}
