//! The `OpenAPI` document and the page to read it, as they are served.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::common::{System, python};

#[test]
fn what_is_documented_is_what_is_served() {
    let system = System::new();
    let api = system.serve();
    let answer = api.get("/api/openapi.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, item) in paths {
        let place = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect::<Vec<_>>();
        let options = api.send("OPTIONS", &place.join("7"), &[], None);
        let allowed: BTreeSet<&str> = options.header("allow").unwrap_or_default().split(", ").collect();
        let mut documented: BTreeSet<String> = item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        documented.insert("OPTIONS".to_owned());
        if documented.contains("GET") {
            documented.insert("HEAD".to_owned());
        }
        assert_eq!(documented.iter().map(String::as_str).collect::<BTreeSet<_>>(), allowed, "{path}");
    }
}

#[test]
fn the_document_and_the_page_are_sent_once_and_small() {
    let system = System::new();
    let api = system.serve();
    for (path, media_type) in [
        ("/api/openapi.json", "application/json"),
        ("/api/docs/", "text/html; charset=utf-8"),
        ("/api/docs", "text/html; charset=utf-8"),
        ("/api/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/api/docs/docs.css", "text/css; charset=utf-8"),
        ("/api/docs/zh-CN.json", "application/json"),
        ("/api/docs/icon.svg", "image/svg+xml"),
    ] {
        // As a browser asks, and as the negotiation of the other paths would refuse.
        let plain = api.send("GET", path, &[("Accept", media_type)], None);
        assert_eq!((plain.status, plain.header("content-type")), (200, Some(media_type)), "{path}");
        let policy = plain.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let small = api.send("GET", path, &[("Accept-Encoding", "br, gzip;q=0.8")], None);
        assert_eq!((small.header("content-encoding"), small.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
        assert!(small.body.len() < 32 * 1024, "{path} has {} bytes", small.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(&*small.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
        let refused = api.send("GET", path, &[("Accept-Encoding", "gzip;q=0")], None);
        assert_eq!(refused.header("content-encoding"), None, "{path}");
        let tag = plain.header("etag").unwrap();
        let again = api.send("GET", path, &[("If-None-Match", tag)], None);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)), "{path}");
        assert_eq!(api.send("GET", path, &[("If-None-Match", "W/\"old\"")], None).status, 200, "{path}");
    }
    assert_eq!(api.get("/api/docs/other.js").status, 404);
}

#[test]
fn the_page_sends_every_call_in_a_browser() {
    let system = System::new();
    let api = system.serve();
    let log = r#"{"app":1,"level":"ERROR","message":"disk is full 盘满","attributes":{"disk":"sda 1","n":7}}"#;
    let stored = api.send("POST", "/api/logs/", &[("Content-Type", "application/json")], Some(log.as_bytes()));
    assert_eq!(stored.status, 201);
    python("docs_page.py", &[&api.address]);
}
