//! Batches as they come over the network: in pieces, compressed, broken, too long; whatever is refused leaves nothing behind.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use logmon_store::testing::http::Response;
use logmon_store::testing::process::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::ingest::rows;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn post(api: &Api, media: &str, body: &[u8]) -> Response {
    api.send("POST", "/api/logs/", &[("Content-Type", media)], Some(body))
}

fn post_gzip(api: &Api, media: &str, body: &[u8]) -> Response {
    api.send("POST", "/api/logs/", &[("Content-Type", media), ("Content-Encoding", "gzip")], Some(body))
}

/// Sends a body in chunks of this size, each in a packet of its own.
fn post_in_pieces(api: &Api, media: &str, body: &[u8], size: usize) -> (String, Value) {
    let mut stream = TcpStream::connect(&api.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/logs/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for piece in body.chunks(size) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn a_batch_is_the_same_in_whatever_pieces_it_comes() {
    let system = System::new();
    let api = system.serve();
    let records = [
        r#"{"app":1,"level":"INFO","message":"]}, \"支付\" \\","extra":[[{"a":"]"}],{}]}"#,
        r#"{"app":"1","level":"WARN","message":"\u652f\ud83d\ude00"}"#,
        r"[[1,{}],[]]",
        r#"{"app":9,"level":"NOPE","message":1.50,"event_id":""}"#,
        "-1.5e3",
    ];
    let array = format!(" \n[ {} \t]\r\n", records.join(" ,\n"));
    let lines = records.join("\r\n\n");
    let answer = post(&api, "application/json", array.as_bytes());
    let expected = answer.json();
    assert_eq!(
        (answer.status, &expected),
        (
            200,
            &json!({"accepted": 2, "duplicate": 0, "rejected": [
                {"index": 2, "errors": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}},
                {"index": 3, "errors": {
                    "level": ["\"NOPE\" is not a valid choice."],
                    "app": ["Invalid pk \"9\" - object does not exist."],
                    "event_id": ["This field may not be blank."],
                }},
                {"index": 4, "errors": {"non_field_errors": ["Invalid data. Expected a dictionary, but got float."]}},
            ]})
        )
    );
    let mut times = 1;
    for (media, text) in [("application/json", array.as_bytes()), ("application/x-ndjson", lines.as_bytes())] {
        for size in [1, 2, 7, 64, text.len()] {
            assert_eq!(post_in_pieces(&api, media, text, size), ("200".to_owned(), expected.clone()), "{size}");
        }
        assert_eq!(post_gzip(&api, media, &gzip(text)).json(), expected);
        times += 6;
    }
    for (media, text) in [("application/json", &array), ("application/x-ndjson", &lines)] {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for size in [1, 3, utf16.len()] {
            let (status, answer) = post_in_pieces(&api, &format!("{media}; charset=utf-16le"), &utf16, size);
            assert_eq!((status.as_str(), &answer), ("200", &expected), "{media} {size}");
            times += 1;
        }
    }
    for nothing in ["", "\n"] {
        let answer = post(&api, "application/x-ndjson", nothing.as_bytes());
        assert_eq!((answer.status, answer.json()), (200, json!({"accepted": 0, "duplicate": 0, "rejected": []})));
    }
    assert_eq!(rows(&system), 2 * times);
    let whole = "SELECT COUNT(*) FROM core_log WHERE message = ']}, \"支付\" \\\\' OR message = '支😀'";
    assert_eq!(system.database.number(whole), 2 * times);
}

#[test]
fn an_array_that_is_no_json_anywhere_stores_nothing() {
    let system = System::new();
    let api = system.serve();
    let record = r#"{"app":1,"level":"INFO","message":"m"}"#;
    let many = vec![record; 3_000].join(",\n");
    let end = record.len();
    for (text, words) in [
        (format!("[{many}"), format!("EOF while parsing a list at line 3000 column {end}")),
        (format!("[{many}}}"), format!("expected `,` or `]` at line 3000 column {}", end + 1)),
        (format!("[{many}] x"), format!("trailing characters at line 3000 column {}", end + 3)),
        (format!("[{many}][]"), format!("trailing characters at line 3000 column {}", end + 2)),
        (format!("[{many},]"), format!("expected value at line 3000 column {}", end + 2)),
        (format!("[{many},\n{{\"app\":1,}}]"), "key must be a string at line 3001 column 10".to_owned()),
        (format!("[nope,{many}]"), "expected ident at line 1 column 3".to_owned()),
    ] {
        let expected = json!({"detail": format!("JSON parse error - {words}")});
        let answer = post(&api, "application/json", text.as_bytes());
        assert_eq!((answer.status, answer.json()), (400, expected.clone()));
        let answer = post_gzip(&api, "application/json", &gzip(text.as_bytes()));
        assert_eq!((answer.status, answer.json()), (400, expected));
    }
    let half = [vec![b'['], many.encode_utf16().flat_map(u16::to_be_bytes).collect()].concat();
    let answer = post(&api, "application/json; charset=utf-16be", &half);
    assert_eq!(
        (answer.status, answer.json()),
        (400, json!({"detail": "JSON parse error - the body is not UTF-16BE text"}))
    );
    let whole = gzip(format!("[{many}]").as_bytes());
    for cut in [whole.len() / 2, whole.len() - 1] {
        let answer = post_gzip(&api, "application/json", &whole[..cut]);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(
            (answer.status, detail.as_str()),
            (400, "The body of the request cannot be decompressed: it is damaged or ends too early")
        );
    }
    assert_eq!(rows(&system), 0);
    assert_eq!(post_gzip(&api, "application/json", &whole).json()["accepted"], 3_000);
}

#[test]
fn ten_thousand_records_are_taken_and_one_more_is_not() {
    let system = System::new();
    let api = system.serve();
    let record = r#"{"app":1,"level":"INFO","message":"m"}"#;
    let texts = |count: usize| {
        let records = vec![record; count];
        [("application/json", format!("[{}]", records.join(","))), ("application/x-ndjson", records.join("\n"))]
    };
    let refused = json!({"detail": "A batch of more than 10000 records is not taken: send it in parts."});
    for (media, text) in texts(10_001) {
        let answer = post(&api, media, text.as_bytes());
        assert_eq!((answer.status, answer.json()), (413, refused.clone()), "{media}");
        let answer = post_gzip(&api, media, &gzip(text.as_bytes()));
        assert_eq!((answer.status, answer.json()), (413, refused.clone()), "{media}");
    }
    assert_eq!(rows(&system), 0);
    for (media, text) in texts(10_000) {
        assert_eq!(post(&api, media, text.as_bytes()).json()["accepted"], 10_000, "{media}");
    }
    assert_eq!(rows(&system), 20_000);
    // Refused long before its end, and heard out all the same.
    let (media, endless) = ("application/x-ndjson", "1\n".repeat(3_000_000));
    assert_eq!(post(&api, media, endless.as_bytes()).status, 413);
}

/// Sends it as often as it takes longer than a request may, on a slow machine.
fn patient(api: &Api, headers: &[(&str, &str)], body: &[u8]) -> Response {
    eventually("an answer", || {
        Some(api.send("POST", "/api/logs/", headers, Some(body))).filter(|answer| answer.status != 503)
    })
}

#[test]
fn a_record_that_is_larger_than_what_the_database_takes_at_once_is_named() {
    let system = System::new();
    let api = system.serve();
    // Each quote takes two bytes of a statement, of which the server takes 16 MiB.
    let quotes = "'".repeat(8_388_500);
    let large = format!(r#"{{"app":1,"level":"INFO","message":"{quotes}"}}"#);
    let words = "The record is larger than what the database takes at once.";
    for key in [&[][..], &[("Idempotency-Key", "k")]] {
        let headers = [&[("Content-Type", "application/json")], key].concat();
        let answer = patient(&api, &headers, large.as_bytes());
        assert_eq!((answer.status, answer.json()), (413, json!({ "detail": words })));
    }
    let batch = format!("{{\"app\":1,\"level\":\"INFO\",\"message\":\"m\"}}\n{large}");
    let answer = patient(&api, &[("Content-Type", "application/x-ndjson")], batch.as_bytes()).json();
    let rejected = json!([{"index": 1, "errors": {"non_field_errors": [words]}}]);
    assert_eq!((answer["accepted"].clone(), answer["rejected"].clone()), (json!(1), rejected));
    assert_eq!(system.database.number("SELECT COUNT(*) FROM core_ingestkey"), 0);
    assert!(rows(&system) >= 1);
}

#[test]
fn a_key_stands_for_the_decoded_text_of_its_batch() {
    let system = System::new();
    let api = system.serve();
    let text = br#"[{"app":1,"level":"INFO","message":"m"},{"app":1,"level":"INFO","message":"n"}]"#;
    let send = |coding: &str, body: &[u8]| {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", coding), ("Idempotency-Key", "k")];
        api.send("POST", "/api/logs/", &headers, Some(body))
    };
    let first = send("identity", text);
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    let hash = "SELECT COUNT(*) FROM core_ingestkey WHERE body_hash = UNHEX(SHA2(?, 256))";
    let hash = hash.replace('?', &format!("'{}'", String::from_utf8_lossy(text)));
    assert_eq!(system.database.number(&hash), 1);
    let again = send("gzip", &gzip(text));
    assert_eq!((again.body, again.headers.iter().any(|(name, _)| name == "idempotent-replayed")), (first.body, true));
    assert_eq!((send("gzip", &gzip(b"[]")).status, rows(&system)), (422, 2));
}

#[test]
fn clients_that_hang_up_amid_a_batch_hold_nothing_up() {
    let system = System::new();
    let api = system.serve();
    for coding in ["identity", "gzip"] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&api.address).unwrap();
            let head = format!(
                "POST /api/logs/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: 100000\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(br#"[{"app":1,"level":"INFO","message":"m"},"#).unwrap();
        }
    }
    // Slow ones, which are still there, neither.
    let mut slow: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&api.address).unwrap()).collect();
    for stream in &mut slow {
        let head = "POST /api/logs/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[0x1f, 0x8b]).unwrap();
    }
    let text = br#"[{"app":1,"level":"INFO","message":"m"}]"#;
    assert_eq!(post(&api, "application/json", text).status, 200);
    assert_eq!(post_gzip(&api, "application/json", &gzip(text)).status, 200);
    eventually("the two batches, and no part of another", || (rows(&system) == 2).then_some(()));
}
