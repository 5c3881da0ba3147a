//! Live tails as their readers meet them: what is stored comes at once, once, and whichever process stored it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logmon_store::testing::process::{PATIENCE, Signal, eventually};
use logmon_store::testing::proxy::{Proxy, Weather};
use serde_json::{Value, json};

use super::common::{Api, System};

/// One event.
#[derive(Debug, Clone)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

/// A reader: its events come through a channel until its stream ends.
struct Tail {
    events: Receiver<Event>,
    stream: TcpStream,
}

impl Tail {
    /// Opens a tail and waits until it is live.
    fn open(address: &str, query: &str, after: Option<&str>) -> Self {
        let tail = Self::begin(address, query, after).unwrap();
        assert_eq!(tail.next("heartbeat").data, json!({}));
        tail
    }

    fn begin(address: &str, query: &str, after: Option<&str>) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/logs/tail/{query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{after}\r\n")?;
        let (sender, events) = channel();
        let reading = stream.try_clone()?;
        std::thread::spawn(move || read(reading, &sender));
        Ok(Self { events, stream })
    }

    /// The next event of a name; others before it are passed over.
    fn next(&self, name: &str) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|e| panic!("waiting for {name}: {e}"));
            if event.name == name {
                return event;
            }
        }
    }

    fn message(&self) -> String {
        self.next("log").data["message"].as_str().unwrap().to_owned()
    }

    fn close(&self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
}

fn read(stream: TcpStream, sender: &Sender<Event>) {
    let mut event = (String::new(), None, Value::Null);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        // Sizes of chunks and headers are told apart by their form.
        match line.split_once(": ") {
            Some(("event", name)) => event.0 = name.to_owned(),
            Some(("id", id)) => event.1 = Some(id.to_owned()),
            Some(("data", data)) => event.2 = serde_json::from_str(data).unwrap(),
            _ if line.is_empty() && !event.0.is_empty() => {
                let (name, id, data) = std::mem::take(&mut event);
                if sender.send(Event { name, id, data }).is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// A figure of the process.
fn figure(api: &Api, name: &str) -> u64 {
    let page = String::from_utf8(api.get("/metrics").body).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

fn push(api: &Api, app: u32, level: &str, message: &str) {
    let log = json!({"app": app, "level": level, "message": message});
    assert_eq!(api.post("/api/logs/", &log).status, 201);
}

#[test]
fn what_is_stored_comes_by_itself_from_whichever_process() {
    let system = System::new();
    let (api, other) = (system.serve(), system.serve());
    let worker = system.work(&[]);
    push(&api, 1, "ERROR", "before");
    let all = Tail::open(&api.address, "", None);
    let errors = Tail::open(&api.address, "?app=1&level=ERROR", None);
    push(&api, 1, "INFO", "one");
    push(&other, 1, "ERROR", "two");
    push(&api, 2, "ERROR", "three");
    let batch =
        json!([{"app": 1, "level": "ERROR", "message": "four"}, {"app": 1, "level": "WARN", "message": "five"}]);
    let queued = api.send(
        "POST",
        "/api/logs/",
        &[("Content-Type", "application/json"), ("Prefer", "respond-async")],
        Some(batch.to_string().as_bytes()),
    );
    api.run(&queued);
    // As another program stores them.
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at) VALUES (1, 'ERROR', 'six', '2026-11-23 03:12:45')",
    );
    assert_eq!(
        ["one", "two", "three", "four", "five", "six"].map(|_| all.message()),
        ["one", "two", "three", "four", "five", "six"]
    );
    assert_eq!(["two", "four", "six"].map(|_| errors.message()), ["two", "four", "six"]);
    let row = api.get("/api/logs/?app=2&limit=1").json()[0].clone();
    push(&api, 2, "ERROR", "last");
    let shown = all.next("log").data;
    assert_eq!(
        shown.as_object().unwrap().keys().collect::<Vec<_>>(),
        row.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    drop(worker);
}

#[test]
fn who_comes_back_while_the_database_is_silent_is_sent_away_and_misses_nothing() {
    let system = System::new();
    let (proxy, url) = Proxy::before(&system.database.url());
    let api = system.serve_with(&[("DATABASE_URL", &url)]);
    let all = Tail::open(&api.address, "", None);
    push(&api, 1, "INFO", "had");
    let had = all.next("log").id.unwrap();
    for message in ["one", "two"] {
        push(&api, 1, "INFO", message);
        assert_eq!(all.message(), message);
    }
    proxy.set(Weather::Silent);
    let back = Tail::open(&api.address, "", Some(&had));
    assert!(matches!(back.events.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected)));
    proxy.set(Weather::Fair);
    eventually("the API to recover", || (api.get("/api/apps/").status == 200).then_some(()));
    let back = Tail::open(&api.address, "", Some(&had));
    assert_eq!(["one", "two"].map(|_| back.message()), ["one", "two"]);
}

#[test]
fn long_logs_are_read_few_at_a_time_and_all_of_them_come() {
    let system = System::new();
    let api = system.serve();
    let all = Tail::open(&api.address, "", None);
    push(&api, 1, "INFO", "had");
    let had = all.next("log").id.unwrap();
    let before = api.process.memory_peak();
    system.database.execute(
        "INSERT INTO core_log (app_id, level, message, created_at)
         SELECT 1, 'INFO', CONCAT(seq, REPEAT('x', 2 * 1024 * 1024)), NOW(6) FROM seq_100_to_199",
    );
    let number = |tail: &Tail| tail.message()[..3].parse::<u32>().unwrap();
    assert!((100..200).all(|expected| number(&all) == expected));
    let back = Tail::open(&api.address, "", Some(&had));
    assert!((100..200).all(|expected| number(&back) == expected));
    let rise = api.process.memory_peak() - before;
    assert!(rise < 96 * 1024 * 1024, "{rise} bytes more");
}

#[test]
fn a_log_that_commits_after_a_larger_id_is_not_left_out() {
    let system = System::new();
    let api = system.serve();
    let tail = Tail::open(&api.address, "", None);
    let insert = |message: &str| {
        format!(
            "INSERT INTO core_log (app_id, level, message, created_at) VALUES (1, 'INFO', '{message}', '2026-11-23 03:12:45')"
        )
    };
    let mut slow = system.database.session();
    slow.execute("BEGIN");
    slow.execute(&insert("slow"));
    push(&api, 1, "INFO", "quick");
    let quick = tail.next("log");
    assert_eq!(quick.data["message"], "quick");
    slow.execute("COMMIT");
    let slow = tail.next("log");
    assert_eq!(slow.data["message"], "slow");
    assert!(slow.data["id"].as_i64() < quick.data["id"].as_i64());
    // Taken up again between the two, also by a process that knows nothing of the first tail.
    for api in [&api, &system.serve()] {
        let again = Tail::open(&api.address, "", quick.id.as_deref());
        assert_eq!(again.message(), "slow");
        push(api, 1, "INFO", "more");
        assert_eq!(again.message(), "more");
    }
}

#[test]
fn readers_come_back_after_a_restart_without_gap_or_repeat() {
    const READERS: u64 = 100;
    const LOGS: usize = 300;
    let system = System::new();
    let writing = system.serve();
    let address = Arc::new(Mutex::new(String::new()));
    let mut api = system.serve();
    *address.lock().unwrap() = api.address.clone();
    let (sender, heard) = channel::<(u64, String)>();
    for reader in 0..READERS {
        let (address, sender) = (Arc::clone(&address), sender.clone());
        std::thread::spawn(move || follow(reader, &address, &sender));
    }
    eventually("every reader", || (figure(&api, "logmon_tails") == READERS).then_some(()));
    for number in 0..LOGS {
        push(&writing, 1, "INFO", &format!("log {number}"));
        if number == LOGS / 3 {
            // The one is told to stop, the next one has no time to say anything.
            let next = system.serve();
            *address.lock().unwrap() = next.address.clone();
            assert!(std::mem::replace(&mut api, next).process.stop().success());
        }
        if number == LOGS * 2 / 3 {
            let next = system.serve();
            *address.lock().unwrap() = next.address.clone();
            std::mem::replace(&mut api, next).process.signal(Signal::Kill);
        }
    }
    let mut seen: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while seen.len() < usize::try_from(READERS).unwrap() || seen.values().any(|messages| messages.len() < LOGS) {
        let (reader, message) = heard.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap();
        seen.entry(reader).or_default().push(message);
    }
    let expected: BTreeSet<String> = (0..LOGS).map(|number| format!("log {number}")).collect();
    for (reader, messages) in seen {
        assert_eq!(messages.len(), LOGS, "reader {reader} heard something twice");
        assert_eq!(messages.into_iter().collect::<BTreeSet<_>>(), expected, "reader {reader}");
    }
}

/// Reads as a browser's `EventSource` does: after an end it comes back with the id of the last event.
fn follow(reader: u64, address: &Mutex<String>, sender: &Sender<(u64, String)>) {
    let mut last = None;
    loop {
        let to = address.lock().unwrap().clone();
        let tail = Tail::begin(&to, "", last.as_deref());
        for event in tail.iter().flat_map(|tail| tail.events.iter()) {
            last = event.id.clone().or(last);
            if event.name == "log" && sender.send((reader, event.data["message"].as_str().unwrap().to_owned())).is_err()
            {
                return;
            }
        }
        std::thread::yield_now();
    }
}

#[test]
fn who_does_not_read_is_told_how_much_was_left_out() {
    let system = System::new();
    let api = system.serve();
    let stalled = TcpStream::connect(&api.address).unwrap();
    write!(&stalled, "GET /api/logs/tail/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    eventually("it is open", || (figure(&api, "logmon_tails") == 1).then_some(()));
    let witness = Tail::open(&api.address, "?level=ERROR", None);
    // Nothing is read: the system's own buffers take the first of it, then the API's.
    let mut stored = 0;
    while figure(&api, "logmon_tail_dropped_logs_total") == 0 {
        system.database.execute(
            "INSERT INTO core_log (app_id, level, message, created_at)
             SELECT 1, 'INFO', REPEAT('m', 4000), '2026-11-23 03:12:45' FROM seq_1_to_2000",
        );
        push(&api, 1, "ERROR", "all of them were handed out");
        witness.next("log");
        stored += 2_001;
        assert!(stored < 100_000, "all of them wait for one reader");
    }
    stalled.set_read_timeout(Some(PATIENCE)).unwrap();
    let (sender, events) = channel();
    std::thread::spawn(move || read(stalled, &sender));
    let (mut had, mut told) = (0, 0);
    eventually("every log was sent or is told of", || {
        // How many are missing is said with the next one that is sent.
        push(&api, 1, "INFO", "more");
        stored += 1;
        let mut last = String::new();
        while last != "more" {
            let Ok(event) = events.recv_timeout(Duration::from_secs(2)) else { break };
            match event.name.as_str() {
                "log" => had += 1,
                "dropped" => told += usize::try_from(event.data["n"].as_u64().unwrap()).unwrap(),
                _ => {}
            }
            last = event.data["message"].as_str().unwrap_or_default().to_owned();
        }
        (had + told == stored).then_some(())
    });
    assert!(told > 0);
}

#[test]
fn there_are_no_more_readers_than_a_process_has_room_for() {
    let system = System::new();
    let api = system.serve();
    let open = || {
        let mut stream = TcpStream::connect(&api.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/logs/tail/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, String::from_utf8_lossy(&status[9..]).into_owned())
    };
    let mut tails: Vec<_> = (0..4_096).map(|_| open()).collect();
    assert!(tails.iter().all(|(_, status)| status == "200"));
    let refused = api.get("/api/logs/tail/");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json(), json!({"detail": "Too many live tails are open."}));
    drop(tails.pop());
    eventually("there is room again", || {
        push(&api, 1, "INFO", "whoever has left is found out");
        (open().1 == "200").then_some(())
    });
}

#[test]
fn wrong_requests_are_named_and_readers_that_leave_are_forgotten() {
    let system = System::new();
    let api = system.serve();
    let refused = api.send("GET", "/api/logs/tail/?level=LOUD&app=x", &[], None);
    assert_eq!(refused.status, 400);
    assert!(refused.json()["level"].is_array() && refused.json()["app"].is_array());
    let refused = api.send("GET", "/api/logs/tail/", &[("Last-Event-ID", "7.x")], None);
    assert_eq!(
        (refused.status, refused.json()),
        (400, json!({"Last-Event-ID": ["Expected the id of an event of a tail."]}))
    );
    let tail = Tail::open(&api.address, "", None);
    eventually("it is counted", || (figure(&api, "logmon_tails") == 1).then_some(()));
    tail.close();
    eventually("it is forgotten", || (figure(&api, "logmon_tails") == 0).then_some(()));
}
